/*  event_encode - pack records, write topics, compare events

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "wire/event/event_codec.h"
#include "wire/json/json.h"

void
stele_record_pack (const stele_record_t *record, stele_pack_t *pack)
{
    size_t count = record->type != 0;
    for (int field = 0; field < STELE_FIELD_COUNT; field++)
        count += stele_record_has (record, field);

    //  The number of entries of 'extra' is known only after it is packed
    bool extra = record->extra.kind == STELE_VALUE_JSON;
    size_t mark = stele_pack_size (pack);
    if (extra)
        stele_pack_open_map (pack);
    else
        stele_pack_map (pack, count);
    //  Plain strings: an enclosing map that counts its keys must not count these
    if (record->type) {
        stele_pack_string (pack, "type");
        stele_pack_string (pack, stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, record->type));
    }
    for (int field = 0; field < STELE_FIELD_COUNT; field++)
        if (stele_record_has (record, field)) {
            stele_pack_string (pack, stele_field_name (field));
            stele_value_pack (&record->values [field], pack);
        }
    if (extra) {
        size_t entries = 0;
        //  Fields of the record ('id', 'timestamp') take precedence over keys of 'extra'
        stele_json_text_pack_entries (record->extra.text, record->extra.size, record,
            pack, &entries);
        stele_pack_close (pack, mark, count + entries);
    }
}

size_t
stele_record_topic (const stele_record_t *event, char *topic, size_t size_max)
{
    const stele_value_t *id = &event->values [stele_field_subject (event->type)];
    const char *type = stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, event->type);
    const char *text = id->kind == STELE_VALUE_TEXT? id->text: "default";
    size_t text_size = id->kind == STELE_VALUE_TEXT? id->size: strlen (text);
    size_t type_size = type? strlen (type): 0;
    if (type_size + 1 + text_size > size_max)
        return 0;
    if (type)
        memcpy (topic, type, type_size);
    topic [type_size] = '/';
    memcpy (topic + type_size + 1, text, text_size);
    return type_size + 1 + text_size;
}

//  Default of an absent field of an event
static stele_value_t
s_default (int type, stele_field_t field)
{
    stele_value_t value = { .kind = STELE_VALUE_NONE };
    if (field == STELE_USER_ID) {
        value.kind = STELE_VALUE_TEXT;
        value.text = "default";
        value.size = 7;
    }
    else
    if (field == STELE_STATE && (type == STELE_TASK_CREATED || type == STELE_SESSION_STARTED)) {
        value.kind = STELE_VALUE_WORD;
        value.vocabulary = stele_record_state_vocabulary (type);
        value.integer = type == STELE_TASK_CREATED?
            (int) STELE_TASK_QUEUED: (int) STELE_SESSION_INITIALIZING;
    }
    else
    if (field == STELE_TARGET_DIR && type == STELE_TASK_CREATED) {
        value.kind = STELE_VALUE_TEXT;
        value.text = ".";
        value.size = 1;
    }
    else
    if (field == STELE_FULL_ACCESS && type == STELE_TASK_CREATED)
        value.kind = STELE_VALUE_BOOL;
    return value;
}

static bool
s_same (const stele_value_t *one, const stele_value_t *other)
{
    if (one->kind != other->kind)
        return false;
    switch (one->kind) {
        case STELE_VALUE_NONE:
            return true;
        case STELE_VALUE_INTEGER:
        case STELE_VALUE_BOOL:
        case STELE_VALUE_WORD:
            return one->integer == other->integer;
        case STELE_VALUE_UNSIGNED:
            return one->natural == other->natural;
        case STELE_VALUE_REAL:      // Compare bits: -0.0 differs from 0.0; all NaN are equal
            return one->natural == other->natural || (isnan (one->real) && isnan (other->real));
        default:
            return one->size == other->size
                && (one->size == 0 || memcmp (one->text, other->text, one->size) == 0);
    }
}

bool
stele_record_equal (const stele_record_t *one, const stele_record_t *other)
{
    if (one->type != other->type || !s_same (&one->extra, &other->extra))
        return false;
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++) {
        stele_value_t left = one->values [field];
        stele_value_t right = other->values [field];
        if (left.kind == STELE_VALUE_NONE && right.kind == STELE_VALUE_NONE)
            continue;
        if (left.kind == STELE_VALUE_NONE)
            left = s_default (one->type, field);
        if (right.kind == STELE_VALUE_NONE)
            right = s_default (other->type, field);
        bool no_time = field == STELE_TIME
            && (left.kind == STELE_VALUE_NONE || right.kind == STELE_VALUE_NONE);
        if (!no_time && !s_same (&left, &right))
            return false;
    }
    return true;
}
