/*  subject - a task, session or user as the ledger has it, for deltas and for verification

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SUBJECT_H_INCLUDED
#define STELE_SUBJECT_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include <jansson.h>

/*  Asks the broker. Takes the request; caller owns the answer. NULL: it failed, and *none is set if
    only because there is no such record. Failures are reported by the function itself. */
typedef json_t *(stele_ask_fn) (json_t *request, bool *none, void *arg);

typedef struct {
    stele_ask_fn *fn;
    void *arg;
} stele_asker_t;

typedef struct {
    UT_hash_handle hh;
    json_t *record;                 // NULL: the ledger does not have it
    json_t *history, *outputs, *metrics, *commands;     // Arrays of rows; NULL: not fetched
    //  Of the events of the source
    int64_t last_us;                // Latest time; 0: none has a time
    bool has_state;                 // Some change the state
    //  For a delta
    json_t *known;                  // Events that the ledger has: key to number
    int64_t state_us, newest_us;    // Times of its last change of state, and of its latest event
    bool is_reported;               // It was reported that the ledger is newer
    size_t key_size;
    char key [];                    // Kind (t, s or u) and id
} subject_t;

typedef struct {
    subject_t *subjects;
} subjects_t;

/*  The subject of an event; added if it is new. NULL: the event has none.   */
subject_t *
    subjects_of_event (subjects_t *self, const json_t *event);

/*  The subject of that kind and id, added if it is new.                     */
subject_t *
    subjects_add (subjects_t *self, char kind, const json_t *id);
void
    subjects_clear (subjects_t *self);

/*  Fetch the record; fetch its rows too. Returns 0, or -1 if the broker did not answer. */
int
    subject_fetch (subject_t *self, const stele_asker_t *asker);
int
    subject_fetch_rows (subject_t *self, const stele_asker_t *asker);

/*  Time of an event, RFC 3339 or microseconds; 0: none.                     */
int64_t
    subject_time (const json_t *value);

#endif
