/*  derive_batch - what follows from the events of a ledger: what matters of each

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "ledger/erase.h"
#include "proof/derive_internal.h"
#include "wire/json/json.h"

const stele_field_t derived_preference_fields [4] = {
    STELE_PREFERRED_PROVIDER, STELE_PREFERRED_MODEL, STELE_FULL_ACCESS_PREFERRED, STELE_ROLE_PREFERENCES
};

stele_derive_batch_t *
stele_derive_batch_new (void)
{
    stele_derive_batch_t *self = STELE_NEW (stele_derive_batch_t);
    self->pack = stele_pack_new ();
    assert (self->pack);
    return self;
}

void
stele_derive_batch_destroy (stele_derive_batch_t **self_p)
{
    stele_derive_batch_t *self = *self_p;
    if (!self)
        return;
    stele_derive_batch_clear (self);
    stele_pack_destroy (&self->pack);
    free (self->events);
    free (self->sets);
    free (self);
    *self_p = NULL;
}

void
stele_derive_batch_clear (stele_derive_batch_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->events [i].name);
    self->count = self->set_count = 0;
}

//  -- hashes ----------------------------------------------------------------------------

//  FNV-1a; never 0
uint64_t
derived_hash_text (const char *text, size_t size)
{
    uint64_t hash = UINT64_C (0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char) text [i]) * UINT64_C (0x100000001b3);
    return hash? hash: 1;
}

uint64_t
derived_hash_value (stele_pack_t *pack, const stele_value_t *value)
{
    if (value->kind == STELE_VALUE_NONE)
        return 0;
    stele_pack_clear (pack);
    stele_value_pack (value, pack);
    return derived_hash_text (stele_pack_data (pack), stele_pack_size (pack));
}

uint64_t
derived_hash_session (stele_pack_t *pack, const stele_record_t *record)
{
    static const stele_field_t fields [] = {
        STELE_CLI_TOOL, STELE_MODE, STELE_CURRENT_DIRECTORY, STELE_PID, STELE_AUTHENTICATION_REQUIRED, STELE_AUTH_PROMPT,
        STELE_TASK_ID
    };
    stele_pack_clear (pack);
    for (size_t i = 0; i < sizeof fields / sizeof fields [0]; i++)
        stele_value_pack (&record->values [fields [i]], pack);
    return derived_hash_text (stele_pack_data (pack), stele_pack_size (pack));
}

static uint64_t
s_hash_word (const stele_value_t *value)
{
    return value->kind == STELE_VALUE_TEXT? derived_hash_text (value->text, value->size): 0;
}

//  -- events ----------------------------------------------------------------------------

static void
s_set (stele_derive_batch_t *self, derived_event_t *event, int field, const stele_value_t *value)
{
    if (value->kind == STELE_VALUE_NONE)
        return;
    self->sets = stele_array_must_grow (self->sets, &self->set_room, self->set_count + 1, sizeof *self->sets);
    self->sets [self->set_count++] = (derived_set_t) { derived_hash_value (self->pack, value), field };
    event->set_count++;
}

static void
s_set_fields (stele_derive_batch_t *self, derived_event_t *event, const stele_record_t *record)
{
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        if (DERIVED_TASK_FIELDS & STELE_FIELD_BIT (field))
            s_set (self, event, field, &record->values [field]);
}

static void
s_set_preference (stele_derive_batch_t *self, derived_event_t *event, const stele_record_t *record)
{
    const stele_value_t *user = &record->values [STELE_USER_ID];
    bool named = user->kind == STELE_VALUE_TEXT;
    event->name_size = named? user->size: strlen ("default");
    event->name = stele_memory_copy (named? user->text: "default", event->name_size);
    for (int i = 0; i < 4; i++)
        s_set (self, event, i, &record->values [derived_preference_fields [i]]);
}

static bool
s_is_erased (const stele_record_t *record)
{
    static const char start [] = "{\"" STELE_ERASED_LEAF "\":\"";
    return record->extra.kind == STELE_VALUE_JSON && record->extra.size >= sizeof start - 1
        && memcmp (record->extra.text, start, sizeof start - 1) == 0;
}

void
stele_derive_batch_add (stele_derive_batch_t *self, const stele_record_t *record, int64_t key)
{
    static const stele_field_t words [] = { STELE_ROLE, STELE_PROVIDER, STELE_MODEL };
    self->events = stele_array_must_grow (self->events, &self->room, self->count + 1, sizeof *self->events);
    derived_event_t *event = &self->events [self->count++];
    *event = (derived_event_t) {
        .position = record->values [STELE_POSITION].integer, .key = key, .time = record->values [STELE_TIME].integer,
        .user = s_hash_word (&record->values [STELE_USER_ID]), .type = (stele_event_type_t) record->type,
        .state = (int) stele_record_integer (record, STELE_STATE, 0),
        .has_error = stele_record_has (record, STELE_ERROR_MESSAGE), .has_user = stele_record_has (record, STELE_USER_ID),
        .interrupted = stele_record_has (record, STELE_INTERRUPTED), .erased = s_is_erased (record)
    };
    for (size_t i = 0; i < sizeof words / sizeof words [0]; i++)
        event->words [i] = s_hash_word (&record->values [words [i]]);
    //  What the first event of a task gives is in its own line
    if (event->type == STELE_TASK_UPDATED || (event->type == STELE_TASK_CREATED && key != event->position))
        s_set_fields (self, event, record);
    else
    if (event->type == STELE_SESSION_STARTED)
        event->session = derived_hash_session (self->pack, record);
    else
    if (event->type == STELE_PREFERENCE_SET)
        s_set_preference (self, event, record);
}
