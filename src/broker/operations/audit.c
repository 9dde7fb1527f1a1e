/*  audit - pack events of the type audit.recorded

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <czmq.h>
#include "base/clock.h"
#include "broker/common/answer.h"
#include "broker/operations/audit.h"

#define TARGET_NUMBERS 200          // Bytes of a target that is a list of numbers

//  The requests that are recorded. 'target' names the parameter with what the operation is applied to.
static const struct {
    stele_operation_id_t id;
    const char *target;
    const char *only_with;          // Without this parameter, or if it is false, the request changes nothing
} s_recorded [] = {
    { STELE_OPERATION_MODE, "mode", "mode" },
    { STELE_OPERATION_RECOVER, "scope", NULL },
    { STELE_OPERATION_TASK_RECOVER, "task_id", NULL },
    { STELE_OPERATION_TASK_ERASE, "task_id", NULL },
    { STELE_OPERATION_CONSISTENCY_CHECK, NULL, "repair" },
    { STELE_OPERATION_REJECTED_RETRY, "ids", NULL },
    { STELE_OPERATION_BACKUP, NULL, "start" }
};
#define RECORDED_COUNT (sizeof s_recorded / sizeof s_recorded [0])

//  -- values ------------------------------------------------------------------------

//  A text within the limit of its field, cut between characters. Absent if it is empty.
static void
s_pack_text (stele_pack_t *pack, stele_field_t field, const char *text, size_t size)
{
    static const char unreadable [] = "(not UTF-8)";
    if (size == 0)
        return;
    stele_pack_key (pack, stele_field_name (field));
    if (!stele_utf8_valid (text, size)) {
        stele_pack_string (pack, unreadable);
        return;
    }
    if (size > stele_field_limit (field)) {
        size = stele_field_limit (field);
        while (size > 0 && ((unsigned char) text [size] & 0xc0) == 0x80)
            size--;
    }
    stele_pack_text (pack, text, size);
}

static void
s_pack_string (stele_pack_t *pack, stele_field_t field, const char *text)
{
    s_pack_text (pack, field, text, text? strlen (text): 0);
}

//  A number or an array of numbers, as text
static void
s_pack_numbers (stele_pack_t *pack, const stele_params_t *params, const char *name)
{
    stele_params_t reading = *params;
    stele_scan_t scan;
    char text [TARGET_NUMBERS + 32];
    size_t used = 0;
    size_t count = stele_params_numbers (&reading, name, &scan);
    for (; count > 0 && used < TARGET_NUMBERS; count--)
        used += (size_t) snprintf (text + used, sizeof text - used, "%s%" PRId64, used? ", ": "",
            stele_scan_next (&scan).integer);
    if (count > 0)
        used += (size_t) snprintf (text + used, sizeof text - used, " ...");
    s_pack_text (pack, STELE_TARGET, text, used);
}

//  -- events of requests --------------------------------------------------------------

static void
s_pack_target (stele_pack_t *pack, const stele_params_t *params, size_t row)
{
    stele_params_t reading = *params;
    if (s_recorded [row].id == STELE_OPERATION_REJECTED_RETRY)
        s_pack_numbers (pack, params, stele_params_has (params, "id")? "id": "ids");
    else
    if (s_recorded [row].target) {
        stele_span_t target = stele_params_text (&reading, s_recorded [row].target);
        s_pack_text (pack, STELE_TARGET, target.text, target.text? target.size: 0);
    }
}

bool
stele_audit_begin (const stele_identity_t *identity, const char *peer, const void *request, size_t size,
    stele_pack_t *pack)
{
    stele_operation_id_t id = stele_operation_id (request, size);
    size_t row = 0;
    while (row < RECORDED_COUNT && s_recorded [row].id != id)
        row++;
    if (row == RECORDED_COUNT)
        return false;
    const char *only_with = s_recorded [row].only_with;
    stele_token_t given = stele_scan_find (request, size, only_with? only_with: "op", NULL, NULL);
    if (given.kind == STELE_SCAN_END || given.kind == STELE_SCAN_NIL
    || (given.kind == STELE_SCAN_BOOL && !given.integer))
        return false;
    stele_params_t params;
    stele_params_start (&params, request, size);
    stele_span_t request_id = stele_params_text (&params, "request_id");
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    s_pack_string (pack, STELE_WHO, identity->name);
    s_pack_string (pack, STELE_OPERATION, stele_operations [id].name);
    s_pack_target (pack, &params, row);
    s_pack_string (pack, STELE_PEER, peer);
    s_pack_text (pack, STELE_REQUEST_ID, request_id.text, request_id.text? request_id.size: 0);
    stele_pack_map_end (pack);
    return true;
}

bool
stele_audit_answers (const void *answer, size_t size)
{
    int64_t position = 0;
    int code = stele_answer_read (answer, size, &position);
    return code != STELE_EBAD_REQUEST && code != STELE_EUNAUTHORIZED;
}

//  Entries of an answer that are not details
static bool
s_is_plain (const stele_token_t *key)
{
    static const char *const plain [] = { "ok", "position", "error", "task_id" };
    for (size_t i = 0; i < sizeof plain / sizeof plain [0]; i++)
        if (key->size == strlen (plain [i]) && memcmp (key->data, plain [i], key->size) == 0)
            return true;
    return false;
}

//  What the answer says, in short: numbers and words as they are, lists by their lengths
static void
s_pack_details (stele_pack_t *pack, const void *answer, size_t size)
{
    stele_map_t error;
    char message [640] = "";
    stele_map_t map = { answer, size };
    stele_pack_map_begin (pack);
    if (stele_map_map (&map, "error", &error))
        stele_map_message (&error, message, sizeof message);
    if (*message)
        stele_pack_key_string (pack, "message", message);
    stele_scan_t scan = stele_scan_start (answer, size);
    for (uint32_t count = stele_scan_next (&scan).count; count > 0; count--) {
        stele_token_t key = stele_scan_next (&scan);
        const void *data;
        size_t value_size;
        stele_scan_skip (&scan, &data, &value_size);
        stele_scan_t inside = stele_scan_start (data, value_size);
        stele_token_t value = stele_scan_next (&inside);
        if (s_is_plain (&key) || value.kind == STELE_SCAN_MAP)
            continue;
        char name [64];
        snprintf (name, sizeof name, "%.*s", (int) key.size, (const char *) key.data);
        stele_pack_key (pack, name);
        if (value.kind == STELE_SCAN_ARRAY)
            stele_pack_integer (pack, value.count);
        else
            stele_pack_packed (pack, data, value_size);
    }
    stele_pack_map_end (pack);
}

//  A retry that accepted no event has failed, though it was answered: the code of its first event
static int
s_outcome (const void *answer, size_t size)
{
    int64_t position = 0, accepted = 1;
    int code = stele_answer_read (answer, size, &position);
    stele_map_t map = { answer, size };
    const void *list;
    size_t list_size;
    stele_map_integer (&map, "accepted", &accepted);
    stele_token_t rejected = stele_scan_find (answer, size, "rejected", &list, &list_size);
    if (code || accepted || rejected.kind != STELE_SCAN_ARRAY || rejected.count == 0)
        return code;
    stele_scan_t scan = stele_scan_start (list, list_size);
    stele_scan_next (&scan);
    stele_map_t first;
    stele_scan_skip (&scan, &first.data, &first.size);
    return stele_map_code (&first, "code");
}

void
stele_audit_finish (const stele_map_t *begun, const void *answer, size_t size, stele_pack_t *pack)
{
    int code = s_outcome (answer, size);
    stele_scan_t scan = stele_scan_start (begun->data, begun->size);
    uint32_t count = stele_scan_next (&scan).count;
    stele_pack_clear (pack);
    size_t mark = stele_pack_open_map (pack);
    stele_pack_packed (pack, scan.next, (size_t) (scan.end - scan.next));
    stele_pack_string (pack, "type");
    stele_pack_string (pack, stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, STELE_AUDIT_RECORDED));
    stele_pack_string (pack, stele_field_name (STELE_TIME));
    stele_pack_integer (pack, stele_clock_us ());
    stele_pack_string (pack, stele_field_name (STELE_OUTCOME));
    stele_pack_string (pack, code? stele_error_name (code): "ok");
    stele_pack_string (pack, stele_field_name (STELE_DETAILS));
    s_pack_details (pack, answer, size);
    stele_pack_close (pack, mark, count + 4);
}

//  -- all events ----------------------------------------------------------------------

void
stele_audit_pack (const stele_audit_t *self, stele_pack_t *pack)
{
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "type", stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, STELE_AUDIT_RECORDED));
    stele_pack_key_integer (pack, stele_field_name (STELE_TIME), stele_clock_us ());
    s_pack_string (pack, STELE_WHO, self->who);
    s_pack_string (pack, STELE_OPERATION, self->operation);
    s_pack_string (pack, STELE_TARGET, self->target);
    s_pack_string (pack, STELE_PEER, self->peer);
    s_pack_string (pack, STELE_OUTCOME, self->outcome);
    if (self->count)
        stele_pack_key_integer (pack, stele_field_name (STELE_COUNT), self->count);
    if (self->details.text) {
        stele_pack_key (pack, stele_field_name (STELE_DETAILS));
        stele_pack_packed (pack, self->details.text, self->details.size);
    }
    stele_pack_map_end (pack);
}

void
stele_audit_mail (const void *event, size_t event_size, const void *answer, size_t answer_size,
    stele_pack_t *pack)
{
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "audit");
    stele_pack_key (pack, "event");
    stele_pack_packed (pack, event, event_size);
    if (answer) {
        stele_pack_key (pack, "answer");
        stele_pack_packed (pack, answer, answer_size);
    }
    stele_pack_map_end (pack);
}

void
stele_audit_send (const stele_audit_t *self, const stele_settings_t *settings)
{
    char endpoint [80];
    stele_pack_t *event = stele_pack_new (), *message = stele_pack_new ();
    stele_audit_pack (self, event);
    stele_audit_mail (stele_pack_data (event), stele_pack_size (event), NULL, 0, message);
    zsock_t *mailbox = zsock_new (ZMQ_DEALER);
    assert (mailbox);
    zsock_set_linger (mailbox, 1000);
    if (zsock_connect (mailbox, "%s", stele_settings_inproc (settings, "writer", endpoint)) == 0)
        zsock_send (mailbox, "bb", "audit", (size_t) 5, stele_pack_data (message), stele_pack_size (message));
    zsock_destroy (&mailbox);
    stele_pack_destroy (&event);
    stele_pack_destroy (&message);
}

void
stele_audit_keys (const stele_settings_t *settings, const char *who, const void *changes, size_t size)
{
    stele_scan_t scan = stele_scan_start (changes, size);
    for (uint32_t count = stele_scan_next (&scan).count; count > 0; count--) {
        stele_token_t key = stele_scan_next (&scan);
        char operation [40], name [STELE_LIMIT_ID + 1];
        snprintf (operation, sizeof operation, "key.%.*s", (int) key.size, (const char *) key.data);
        stele_token_t list = stele_scan_next (&scan);
        for (uint32_t i = 0; list.kind == STELE_SCAN_ARRAY && i < list.count; i++) {
            stele_token_t one = stele_scan_next (&scan);
            snprintf (name, sizeof name, "%.*s", (int) one.size, (const char *) one.data);
            stele_audit_send (&(stele_audit_t) {
                .who = who, .operation = operation, .target = name, .outcome = "ok"
            }, settings);
        }
    }
}
