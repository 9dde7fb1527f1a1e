/*  derive_internal - events and expected rows, shared by derive.c, derive_batch.c and derive_compare.c

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DERIVE_INTERNAL_H_INCLUDED
#define STELE_DERIVE_INTERNAL_H_INCLUDED

#include <uthash.h>
#include "proof/derive.h"
#include "wire/pack.h"

//  What matters of an event
typedef struct {
    int64_t position, key, time;
    uint64_t user, words [3];       // Hashes of user_id, of role, provider and model; 0: none
    uint64_t session;               // Of a session.started: hash of what it gives
    char *name;                     // Of a preference: whose
    size_t name_size;
    size_t set_count;               // Of a task.updated or a preference: so many of the batch's sets
    stele_event_type_t type;
    int state;                      // 0: none
    bool has_error, has_user, interrupted;
    bool erased;                    // What it said is
} derived_event_t;

//  A field that has been set to a value with that hash. Of a preference: index in derived_preference_fields.
typedef struct {
    uint64_t hash;
    int field;
} derived_set_t;

struct stele_derive_batch {
    stele_pack_t *pack;
    derived_event_t *events;
    size_t count, room;
    derived_set_t *sets;            // Of the events, in their order
    size_t set_count, set_room;
};

//  Fields in the row of a task. Those of task_states are compared there.
#define DERIVED_TASK_FIELDS (STELE_TASK_FIELDS & ~(STELE_FIELD_BIT (STELE_STATE) | STELE_FIELD_BIT (STELE_ROLE) \
    | STELE_FIELD_BIT (STELE_PROVIDER) | STELE_FIELD_BIT (STELE_MODEL)))

//  Bits of stele_task_row_t.flags
#define DERIVED_CREATED 1
#define DERIVED_STATED 2
#define DERIVED_INTERRUPTED 4

typedef struct {
    int64_t key;                    // Position of its first event
    int64_t created;                // Of its task.created
    stele_lifecycle_t life;
    int flags;                      // Without DERIVED_INTERRUPTED
    bool placeholder;               // Its first event is not its task.created
    bool unordered;
    bool erased;                    // Some of its events are
    uint64_t user, role, provider, model;   // Hashes, 0: none
    uint64_t *fields;               // Hashes of what events set, but a task.created that is the first; by field, 0: not set. NULL: nothing
    int64_t created_at, updated_at;
    int64_t last_error, last_history, last_output, last_metric;
    //  While links are compared: the last row in each table, the state after it, the owner (-1: not recorded)
    int64_t linked [3], owner;
    int state;
} derived_task_t;

typedef struct {
    int64_t key;
    int64_t started;                // Position of the last session.started
    int state;
    int64_t created_at, updated_at, completed_at, commands;
    int64_t last_history, last_command, position;
    uint64_t fields;                // Hash of what the last session.started gave
    uint64_t user;                  // Hash, 0: none
    int64_t linked [2];
    int linked_state;
} derived_session_t;

typedef struct {
    UT_hash_handle hh;
    uint64_t fields [4];            // Hashes, 0: none
    int64_t created_at, updated_at, position;
    size_t size;
    char user [];
} derived_preference_t;

typedef struct {
    bool used, has_created;
    int64_t min_time, max_time, min_created, max_created, min_task;
} derived_zone_t;

struct stele_derive {
    stele_reader_t *reader;
    stele_pack_t *pack;
    derived_task_t *tasks;          // Ascending by key
    size_t task_count, task_room;
    derived_session_t *sessions;    // Ascending by key
    size_t session_count, session_room;
    derived_preference_t *preferences;
    derived_zone_t *zones;          // By number
    size_t zone_count, zone_room;
};

//  Hash of a value; 0: there is none. 'pack' is scratch.
uint64_t
    derived_hash_value (stele_pack_t *pack, const stele_value_t *value);
uint64_t
    derived_hash_text (const char *text, size_t size);

//  Hash of the fields of a session that its session.started gives
uint64_t
    derived_hash_session (stele_pack_t *pack, const stele_record_t *record);

extern const stele_field_t derived_preference_fields [4];

//  NULL: there is none
derived_task_t *
    derived_task (const stele_derive_t *self, int64_t key);
derived_session_t *
    derived_session (const stele_derive_t *self, int64_t key);

#endif
