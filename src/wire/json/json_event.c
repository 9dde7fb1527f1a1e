/*  json_event - the line of an event, straight from its record

    The same text as that of its packed form, without packing, scanning and sorting: the order of the fields is known. This is
    done for every event that is sealed or verified.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "wire/json/json_writer.h"
#include "wire/time.h"

#define TYPE STELE_FIELD_COUNT      // In place of a field: the type of the event
#define KEYS (STELE_FIELD_COUNT + 1)
#define EVENT_NESTING (STELE_LIMIT_NESTING * 2)     // As that of stele_json_line

//  The keys in the order of their bytes, as they are written
static struct { int field; size_t size; char text [40]; } s_keys [KEYS];
static pthread_once_t s_keys_once = PTHREAD_ONCE_INIT;

static void
s_order_keys (void)
{
    const char *names [KEYS];
    for (int field = 0; field < KEYS; field++)
        names [field] = field == TYPE? "type": stele_field_name (field);
    for (int field = 0; field < KEYS; field++) {
        int at = 0;
        for (int other = 0; other < KEYS; other++)
            at += strcmp (names [other], names [field]) < 0;
        s_keys [at].field = field;
        s_keys [at].size = (size_t) snprintf (s_keys [at].text, sizeof s_keys [at].text, ",\"%s\":", names [field]);
    }
}

static int
s_write_text (stele_json_writer_t *self, const stele_value_t *value)
{
    const char *text = value->size? value->text: "";
    if (!stele_utf8_valid (text, value->size))
        return STELE_EMALFORMED;
    stele_json_write_string (self, text, value->size);
    return 0;
}

//  Whatever is rare, as in the packed form
static int
s_write_packed (stele_json_writer_t *self, int field, const stele_value_t *value, stele_pack_t *pack)
{
    int64_t time_us;
    char text [32];
    stele_scan_t scan;
    if (stele_json_pack_value (self, value, pack, &scan))
        return STELE_ENO_MEMORY;
    if (field != STELE_TIME || stele_time_unpack (scan.next, (size_t) (scan.end - scan.next), &time_us))
        return stele_json_write_value (self, &scan, 1, false);
    stele_time_print (time_us, text, sizeof text);
    stele_json_write_string (self, text, strlen (text));
    return 0;
}

static int
s_write (stele_json_writer_t *self, const stele_record_t *event, stele_pack_t *pack)
{
    int rc = 0;
    const char *type = stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, event->type);
    bool begun = false;
    for (int i = 0; i < KEYS && rc == 0; i++) {
        int field = s_keys [i].field;
        const stele_value_t *value = &event->values [field == TYPE? 0: field];
        if (field != TYPE && value->kind == STELE_VALUE_NONE)
            continue;
        stele_json_put (self, s_keys [i].text + !begun, s_keys [i].size - !begun);
        begun = true;
        if (field == TYPE)
            stele_json_write_string (self, type, strlen (type));
        else
            rc = value->kind == STELE_VALUE_TEXT? s_write_text (self, value): s_write_packed (self, field, value, pack);
    }
    return rc;
}

size_t
stele_json_event (const stele_record_t *event, stele_pack_t *pack, char **text, size_t *room)
{
    stele_refusal_t refusal;
    stele_json_writer_t writer = {
        .text = *text, .capacity = *room, .max = SIZE_MAX / 2, .nesting = EVENT_NESTING, .canonical = true, .refusal = &refusal
    };
    assert (event->type && event->extra.kind == STELE_VALUE_NONE);
    pthread_once (&s_keys_once, s_order_keys);
    stele_json_put (&writer, "{", 1);
    int rc = s_write (&writer, event, pack);
    stele_json_put (&writer, "}", 1);
    *text = writer.text;
    *room = writer.capacity;
    return rc || writer.failed? 0: writer.size;
}
