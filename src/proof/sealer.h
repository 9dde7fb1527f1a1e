/*  sealer - hash the events of a ledger as they come, keep the roots of tiles, sign checkpoints

    It continues from what it left beside the ledger (seals.h, note.h), and first checks that the events up to the last note
    still have the root of the note. If they do not, it stops for good: it never signs a history that contradicts a note.

    It has no threads, and knows no sockets.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SEALER_H_INCLUDED
#define STELE_SEALER_H_INCLUDED

#include "ledger/reader.h"
#include "proof/note.h"
#include "proof/seals.h"

typedef struct stele_sealer stele_sealer_t;

/*  Open the seals of the ledger at that path for writing. The reader is borrowed, as is the key (NULL: notes are not signed).
    With a key, a last note that it has not signed is refused (STELE_ELEDGER): whoever may write the file could have
    replaced it. Caller owns return value. NULL: a refusal.                  */
stele_sealer_t *
    stele_sealer_open (const char *ledger, stele_reader_t *reader, const stele_seal_key_t *key, stele_refusal_t *refusal);
void
    stele_sealer_close (stele_sealer_t **self_p);

/*  Hash the next events, at most 'limit'. Returns their number, or a code with a refusal: STELE_ELEDGER for good, the history
    contradicts the last note; others: try again.                            */
int64_t
    stele_sealer_follow (stele_sealer_t *self, int64_t limit, stele_refusal_t *refusal);

/*  Position of the last event that was hashed.                              */
int64_t
    stele_sealer_position (const stele_sealer_t *self);

/*  The last note; size 0: there is none yet. Owned by the sealer.           */
const stele_note_t *
    stele_sealer_note (const stele_sealer_t *self);

/*  Write a note of all that was hashed, if that is more than the last one says. Returns 1, 0 (there is nothing new), or a
    code with a refusal: try again.                                          */
int
    stele_sealer_checkpoint (stele_sealer_t *self, stele_refusal_t *refusal);

#endif
