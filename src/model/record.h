/*  record - one event or one row, as typed values by field

    Passed between the folders: wire decodes a frame into a record, the ledger stores
    and returns records, wire encodes them. Values borrow their bytes (from the
    frame, from a row being read, or from the record's own arena); they are valid
    as long as the owner of the bytes, and never after stele_record_clear.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RECORD_H_INCLUDED
#define STELE_RECORD_H_INCLUDED

#include "model/field.h"

typedef enum {
    STELE_VALUE_NONE,               // Field is absent
    STELE_VALUE_INTEGER,            // .integer; times too, in microseconds
    STELE_VALUE_UNSIGNED,           // .natural, above INT64_MAX
    STELE_VALUE_REAL,               // .real
    STELE_VALUE_BOOL,               // .integer, 0 or 1
    STELE_VALUE_WORD,               // .integer is a code of .vocabulary
    STELE_VALUE_TEXT,               // .text, .size: valid UTF-8, may hold NUL, not terminated
    STELE_VALUE_BYTES,              // .text, .size: any bytes
    STELE_VALUE_JSON,               // .text, .size: canonical JSON (wire/json/json.h)
    STELE_VALUE_PACKED              // .text, .size: one msgpack object, passed through unchanged
} stele_value_kind_t;

typedef struct {
    uint8_t kind;                   // stele_value_kind_t
    uint8_t vocabulary;             // stele_vocabulary_t, of a WORD
    uint32_t size;
    union {
        int64_t integer;
        uint64_t natural;
        double real;
        const char *text;
    };
} stele_value_t;

typedef struct stele_arena_chunk stele_arena_chunk_t;

typedef struct {
    int type;                       // stele_event_type_t, or 0: a record, not an event
    stele_value_t values [STELE_FIELD_COUNT];
    stele_value_t extra;            // JSON object of unknown keys, or NONE
    bool time_assumed;              // The event had no time: set by the broker
    const void *source;             // The event as a producer sent it, in msgpack: decoded, it is this record, but for
    size_t source_size;             // the time that was assumed. NULL: not known, or it was changed. Borrowed
    stele_arena_chunk_t *arena;
} stele_record_t;

/*  A record with no values. Caller owns it. NULL: out of memory.            */
stele_record_t *
    stele_record_new (void);

void
    stele_record_destroy (stele_record_t **self_p);

/*  Remove all values, keep the memory.                                      */
void
    stele_record_clear (stele_record_t *self);

/*  Memory that lives until the record is cleared or destroyed. NULL: out of memory. */
void *
    stele_record_alloc (stele_record_t *self, size_t size);

static inline bool
stele_record_has (const stele_record_t *self, stele_field_t field)
{
    return self->values [field].kind != STELE_VALUE_NONE;
}

/*  Whether that, the 'extra' of an event, says that the event was erased.   */
bool
    stele_value_erased (const stele_value_t *extra);

/*  Setters. Text, bytes and JSON are borrowed, not copied.                  */
void
    stele_record_set_integer (stele_record_t *self, stele_field_t field, int64_t value);
void
    stele_record_set_bool (stele_record_t *self, stele_field_t field, bool value);
void
    stele_record_set_word (stele_record_t *self, stele_field_t field,
        stele_vocabulary_t vocabulary, int code);
void
    stele_record_set_text (stele_record_t *self, stele_field_t field,
        const char *text, size_t size);
void
    stele_record_set_bytes (stele_record_t *self, stele_field_t field,
        const void *bytes, size_t size);
void
    stele_record_set_json (stele_record_t *self, stele_field_t field,
        const char *text, size_t size);

/*  Copy all borrowed bytes into the arena. Returns 0, or STELE_ENO_MEMORY: some are still
    borrowed.                                                                */
int
    stele_record_own (stele_record_t *self);

/*  Integer value of a field, 'otherwise' if it is absent.                   */
int64_t
    stele_record_integer (const stele_record_t *self, stele_field_t field, int64_t otherwise);

/*  State vocabulary of the events of that type.                             */
stele_vocabulary_t
    stele_record_state_vocabulary (int type);

#endif
