/*  derive - what follows from the events of a ledger, compared with what the ledger has stored of it

    Tables of tasks, their states, sums, sessions, preferences and zones are there for queries: they follow from the events.
    This computes them again, by the rules of the writer (protocol, section 3), in memory: some 250 bytes per task.

      derive_batch.c      what matters of events: any batch, on any thread
      derive.c            events to expected rows: batches in their order
      derive_compare.c    expected and stored rows

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DERIVE_H_INCLUDED
#define STELE_DERIVE_H_INCLUDED

#include "ledger/derived.h"

typedef struct stele_derive stele_derive_t;

/*  The reader is borrowed. Caller owns return value.                        */
stele_derive_t *
    stele_derive_new (stele_reader_t *reader);
void
    stele_derive_destroy (stele_derive_t **self_p);

/*  What matters of some events that follow each other. One thread at a time; caller owns return value. */
typedef struct stele_derive_batch stele_derive_batch_t;
stele_derive_batch_t *
    stele_derive_batch_new (void);
void
    stele_derive_batch_destroy (stele_derive_batch_t **self_p);
void
    stele_derive_batch_clear (stele_derive_batch_t *self);

/*  Add the next event, of which nothing is borrowed. 'key' is its stele_reader_event_key. */
void
    stele_derive_batch_add (stele_derive_batch_t *self, const stele_record_t *event, int64_t key);

/*  Take the next events, from position 1 on. Returns 0, or STELE_ELEDGER with a refusal: the one at *position cannot follow
    those before it.                                                         */
int
    stele_derive_take (stele_derive_t *self, const stele_derive_batch_t *batch, int64_t *position, stele_refusal_t *refusal);

/*  After the last event, under the same state of the ledger (stele_reader_begin): call fn per stored row that differs, with
    the position of the event that it belongs to, 0: none. fn returns false to end. Returns the number of differences, or
    a code of the reader.                                                    */
typedef bool (stele_difference_fn) (int64_t position, const char *text, void *arg);
int64_t
    stele_derive_compare (stele_derive_t *self, stele_difference_fn *fn, void *arg);

#endif
