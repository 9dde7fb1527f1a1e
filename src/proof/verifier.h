/*  verifier - compare the lines of a history with notes and with the roots of its tiles

    The lines come from any source: a ledger, the segments of a repository, an export.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_VERIFIER_H_INCLUDED
#define STELE_VERIFIER_H_INCLUDED

#include "proof/note.h"
#include "proof/seals.h"

typedef struct stele_verifier stele_verifier_t;

/*  Called per fault: between these positions, both inclusive, something is not what was sealed. */
typedef void (stele_verifier_fn) (int64_t first, int64_t last, const char *text, void *arg);

/*  The seals are borrowed, and may be NULL. Caller owns return value.       */
stele_verifier_t *
    stele_verifier_new (const stele_seals_t *seals, stele_verifier_fn *fn, void *arg);
void
    stele_verifier_destroy (stele_verifier_t **self_p);

/*  Compare with a note as well, before the first event; 'name' is for faults. Copied. */
void
    stele_verifier_add (stele_verifier_t *self, const stele_note_t *note, const char *name);

/*  The line of the next event, from position 1 on.                          */
void
    stele_verifier_line (stele_verifier_t *self, const char *line, size_t size);

/*  No more lines follow. Returns the number of faults.                      */
int64_t
    stele_verifier_end (stele_verifier_t *self);

/*  Position of the last line; of the last note with which all lines before agree, 0: none; and of the last complete tile
    that has the root of the seals.                                          */
int64_t
    stele_verifier_position (const stele_verifier_t *self);
int64_t
    stele_verifier_proven (const stele_verifier_t *self);
int64_t
    stele_verifier_sealed (const stele_verifier_t *self);

/*  Root over all lines, after the end.                                      */
const stele_hash_t *
    stele_verifier_root (const stele_verifier_t *self);

#endif
