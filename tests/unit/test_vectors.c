/*  test_vectors - the broker decodes the bytes of tests/vectors as described there

    The expected values are data that another encoder made, and that other
    implementations read as well (tests/vectors/README.md).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "wire/event/event_codec.h"
#include "wire/json/json.h"
#include "wire/event/message.h"
#include "wire/scan.h"

static json_t *
s_load (const char *name)
{
    char path [4096];
    const char *root = getenv ("STELE_SRC");
    snprintf (path, sizeof path, "%s/tests/vectors/%s", root? root: ".", name);
    json_error_t error;
    json_t *vectors = json_load_file (path, JSON_ALLOW_NUL, &error);
    if (!vectors)
        fail_msg ("%s: %s", path, error.text);
    assert_true (json_is_array (vectors) && json_array_size (vectors) > 20);
    return vectors;
}

static const char *
s_text (json_t *vector, const char *key)
{
    return json_string_value (json_object_get (vector, key));
}

//  The bytes of a vector, in memory of exactly that size; caller frees them
static unsigned char *
s_bytes (json_t *vector, size_t *size)
{
    const char *hex = s_text (vector, "bytes");
    *size = strlen (hex) / 2;
    unsigned char *data = malloc (*size? *size: 1);
    for (size_t i = 0; i < *size; i++) {
        unsigned int byte;
        assert_int_equal (sscanf (hex + 2 * i, "%2x", &byte), 1);
        data [i] = (unsigned char) byte;
    }
    return data;
}

static void
s_assert_refused (json_t *vector, int rc, const stele_refusal_t *refusal)
{
    const char *expected = s_text (vector, "refused");
    const char *field = s_text (vector, "field");
    const char *got = rc? stele_error_name (rc): "taken";
    if (strcmp (got, expected? expected: "taken"))
        fail_msg ("%s: %s, expected %s", s_text (vector, "name"), got, expected? expected: "taken");
    if (field && strcmp (refusal->field, field))
        fail_msg ("%s: field '%s' is to blame, expected '%s'", s_text (vector, "name"), refusal->field, field);
}

//  What the broker gives back of an event: as JSON, to compare by value
static json_t *
s_record_json (const stele_record_t *record)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_record_pack (record, pack);
    char *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), false);
    assert_non_null (text);
    json_t *json = json_loads (text, JSON_ALLOW_NUL, NULL);
    assert_non_null (json);
    free (text);
    stele_pack_destroy (&pack);
    return json;
}

static void
test_vectors_events_mean_what_is_said (void **state)
{
    (void) state;
    json_t *vectors = s_load ("events.json");
    size_t index;
    json_t *vector;
    json_array_foreach (vectors, index, vector) {
        size_t size;
        unsigned char *data = s_bytes (vector, &size);
        stele_record_t *record = stele_record_new ();
        stele_refusal_t refusal = { 0 };
        int rc = stele_scan_check (data, size, size, NULL);
        if (rc == 0)
            rc = stele_event_decode_record (data, size, record, &refusal);
        s_assert_refused (vector, rc, &refusal);
        if (rc == 0) {
            json_t *expected = json_object_get (vector, "record");
            json_t *got = s_record_json (record);
            if (!json_equal (got, expected? expected: json_object_get (vector, "event")))
                fail_msg ("%s: is %s", s_text (vector, "name"), json_dumps (got, JSON_COMPACT));
            json_decref (got);
        }
        stele_record_destroy (&record);
        free (data);
    }
    json_decref (vectors);
}

static void
s_assert_message (json_t *vector, const stele_message_t *message)
{
    static const char *ops [] = { "hello", "publish", "ping", "goodbye" };
    json_t *said = json_object_get (vector, "message");
    assert_string_equal (ops [message->op], s_text (said, "op"));
    if (message->op == STELE_OP_HELLO) {
        assert_string_equal (message->producer, s_text (said, "producer"));
        assert_string_equal (message->instance, s_text (said, "instance"));
        assert_int_equal (message->lease_ms, json_integer_value (json_object_get (said, "lease_ms")));
    }
    else
    if (message->op == STELE_OP_PUBLISH) {
        assert_int_equal (message->sequence, json_integer_value (json_object_get (said, "sequence")));
        assert_int_equal (message->event_count, json_array_size (json_object_get (said, "events")));
    }
    else
    if (message->op == STELE_OP_GOODBYE)
        assert_int_equal (message->keep, json_is_true (json_object_get (said, "keep")));
}

static void
test_vectors_messages_mean_what_is_said (void **state)
{
    (void) state;
    json_t *vectors = s_load ("messages.json");
    size_t index;
    json_t *vector;
    json_array_foreach (vectors, index, vector) {
        if (strcmp (s_text (vector, "from"), "peer"))
            continue;
        size_t size;
        unsigned char *data = s_bytes (vector, &size);
        stele_message_t message;
        stele_refusal_t refusal = { 0 };
        int rc = stele_message_decode (data, size, &message, &refusal);
        s_assert_refused (vector, rc, &refusal);
        if (rc == 0)
            s_assert_message (vector, &message);
        free (data);
    }
    json_decref (vectors);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_vectors_events_mean_what_is_said),
        cmocka_unit_test (test_vectors_messages_mean_what_is_said)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
