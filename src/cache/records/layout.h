/*  layout - the keys of Redis, and the fields of a record's hash

    See protocol section 7. Besides the records, the cache has keys of its own:
    PREFIX:swept, the position up to which terminal tasks were removed from the sets;
    PREFIX:rebuilding, which exists during a rebuild; PREFIX:layout, the version of the
    fields in the hashes; PREFIX:holder, the ledger whose broker is running, and its
    file; PREFIX:epoch, of the latest node of a shared log that wrote here; and PREFIX:committed, when the event at PREFIX:position was committed, which
    distinguishes copies of one ledger with different histories.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LAYOUT_H_INCLUDED
#define STELE_LAYOUT_H_INCLUDED

#include "cache/redis/redis.h"
#include "model/record.h"
#include "wire/pack.h"

#define STELE_LAYOUT_PREFIX_MAX 128
#define STELE_LAYOUT_KEY_MAX (STELE_LAYOUT_PREFIX_MAX + 32 + STELE_LIMIT_ID)

//  Time to live of a key of earlier versions
#define STELE_LAYOUT_LEGACY_TTL_S 86400

//  Version of the fields in the hashes: raise it when a record gets another field, or one that is
//  computed differently. 1 (no key): before attempt, interruptions and producer.
#define STELE_LAYOUT_VERSION 2

typedef struct {
    char data [STELE_LAYOUT_KEY_MAX];
    size_t size;                    // Ids may hold NUL; a NUL follows the last byte too
} stele_key_t;

typedef struct {
    char prefix [STELE_LAYOUT_PREFIX_MAX];
    stele_key_t ledger;
    stele_key_t position;
    stele_key_t swept;
    stele_key_t rebuilding;
    stele_key_t layout;             // STELE_LAYOUT_VERSION of the broker that rebuilt it
    stele_key_t committed;
    stele_key_t holder;             // Expires
    stele_key_t epoch;              // Of a shared log: the latest that wrote here
    stele_key_t sets [STELE_TASK_STATE_END];    // By state
    stele_key_t task;               // "PREFIX:task:", the start of the key of every task
    stele_key_t session;
} stele_layout_t;

/*  Returns 0, or STELE_EINVALID_FIELD with a refusal: the prefix is empty or too long. */
int
    stele_layout_init (stele_layout_t *self, const char *prefix, stele_refusal_t *refusal);

/*  Value of PREFIX:holder: there is one broker per file, so it names a run. 'epoch' of a shared log; 0: none.
    'text' has STELE_LAYOUT_HOLDER_MAX bytes.                                */
#define STELE_LAYOUT_HOLDER_MAX 176
void
    stele_layout_holder (const char *ledger_id, const char *file_id, int64_t epoch, char *text);

/*  Value of PREFIX:epoch. 'text' has STELE_LAYOUT_EPOCH_MAX bytes.          */
#define STELE_LAYOUT_EPOCH_MAX 96
void
    stele_layout_epoch (const char *ledger_id, int64_t epoch, char *text);

/*  The epoch in a value of PREFIX:epoch; 0: it is not one of that ledger.   */
int64_t
    stele_layout_parse_epoch (const char *text, const char *ledger_id);

/*  Key of a task, of a session, and of a task in earlier versions.          */
void
    stele_layout_task (const stele_layout_t *self, const char *id, size_t size, stele_key_t *key);
void
    stele_layout_session (const stele_layout_t *self, const char *id, size_t size,
        stele_key_t *key);
void
    stele_layout_legacy (const char *id, size_t size, stele_key_t *key);

/*  The id in a key that begins with 'stem' (.task or .session); NULL if it does not. Borrowed. */
const char *
    stele_layout_id (const stele_key_t *stem, const char *key, size_t size, size_t *id_size);

/*  Pattern for SCAN of every key of this prefix: its glob characters are escaped.
    'pattern' holds STELE_LAYOUT_PREFIX_MAX * 2 + 8 bytes.                    */
void
    stele_layout_pattern (const stele_layout_t *self, char *pattern);

/*  Does the hash hold this field of a record?                               */
bool
    stele_layout_holds (const stele_record_t *record, stele_field_t field);

/*  Text of a value in a hash. Text is borrowed; numbers are printed into the buffer of
    STELE_LAYOUT_DIGITS bytes. Returns the size.                              */
#define STELE_LAYOUT_DIGITS 32
size_t
    stele_layout_text (const stele_value_t *value, char *digits, const char **text);

/*  Queue the commands that replace the hash 'key' by the record, with all of its old fields
    and its expiry.                                                          */
void
    stele_layout_replace (stele_redis_t *redis, const stele_key_t *key,
        const stele_record_t *record);

/*  The same for a key that does not exist.                                  */
void
    stele_layout_fill (stele_redis_t *redis, const stele_key_t *key,
        const stele_record_t *record);

/*  Set one field of a record from the text in a hash, which is copied into the record's arena.
    Unknown fields are ignored. Returns 0, or STELE_EMALFORMED: not a value of that field. */
int
    stele_layout_parse (stele_record_t *record, const char *name, size_t name_size,
        const char *text, size_t size);

/*  The JSON text of earlier versions for a task (task_status:ID). Caller owns
    return value. 'pack' is scratch.                                         */
char *
    stele_layout_legacy_json (const stele_record_t *task, stele_pack_t *pack);

#endif
