/*  decisions - what one batch of the writer decided, as bytes

    An array of operations in the order in which they were decided. They are outcomes, never inputs: a
    node that folds them into its own ledger decides nothing again, so that it may run another version. An
    operation is an array: its letter as a number, then its values.

        'E'  owner, event                                an event was appended (its fields, msgpack)
        'e'  owner, time, event                          the same, as a producer sent it; time: 0, or that of the broker
        'R'  id, producer, sequence, code, field, message, time, event      an event was refused (bytes)
        'D'  id, time, position                          a refused event was accepted by a retry
        'P'  id, name, instance, anonymous, sequence, lease_ms, status, seen_at     a producer was saved
        'S'  id, sequence                                the sequence of a producer moved on
        'F'  producer, instance, time                    an instance of a producer was fenced
        'C'  name, position, time                        the cursor of a follower was saved
        'N'  key, value                                  a note that all ledgers of a log share (bytes: msgpack)

    Numbers of producers are those of the ledger: each node assigns the same, which a fold checks.
    Times are microseconds since the Unix epoch.

    An operation that is not in the table of this version, or has other values, is one of a later version:
    it is neither skipped nor guessed.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DECISIONS_H_INCLUDED
#define STELE_DECISIONS_H_INCLUDED

#include "model/record.h"
#include "model/refusal.h"
#include "wire/pack.h"
#include "wire/scan.h"

typedef enum {
    STELE_DECIDED_EVENT = 'E',
    STELE_DECIDED_SENT = 'e',
    STELE_DECIDED_REFUSAL = 'R',
    STELE_DECIDED_RETRY = 'D',
    STELE_DECIDED_PRODUCER = 'P',
    STELE_DECIDED_SEQUENCE = 'S',
    STELE_DECIDED_FENCE = 'F',
    STELE_DECIDED_CURSOR = 'C',
    STELE_DECIDED_NOTE = 'N'
} stele_decided_t;

#define STELE_DECISION_VALUES 8

typedef struct {
    stele_decided_t kind;
    stele_token_t values [STELE_DECISION_VALUES];
    const void *event;              // Of 'E' and 'e': the bytes of the map
    size_t event_size;
} stele_decision_t;

/*  The operations of an open batch. Caller owns return value. NULL: out of memory. */
typedef struct stele_decisions stele_decisions_t;
stele_decisions_t *
    stele_decisions_new (void);
void
    stele_decisions_destroy (stele_decisions_t **self_p);
void
    stele_decisions_clear (stele_decisions_t *self);
size_t
    stele_decisions_count (const stele_decisions_t *self);

/*  The bytes; valid until the next call of this object. NULL: memory was exhausted.   */
const void *
    stele_decisions_data (stele_decisions_t *self, size_t *size);

/*  Add an operation. The values of the table, in its order: 'i' takes an int64_t, 't' a const char *,
    'b' a const void * and a size_t. Memory that is exhausted is noticed at the end. */
void
    stele_decisions_add (stele_decisions_t *self, stele_decided_t kind, ...);
void
    stele_decisions_add_event (stele_decisions_t *self, int64_t owner, const stele_record_t *event);

/*  Begin to read operations. Returns 0; STELE_EMALFORMED.                   */
int
    stele_decisions_open (const void *data, size_t size, stele_scan_t *scan, size_t *count);

/*  Read the next one. Returns 0; STELE_EPROTOCOL: this version does not know it, kind is its number. */
int
    stele_decisions_next (stele_scan_t *scan, stele_decision_t *decision);

/*  Copy a text of a decision, terminated. STELE_EMALFORMED: it does not fit. */
int
    stele_decision_text (const stele_decision_t *self, int value, char *text, size_t size);

#endif
