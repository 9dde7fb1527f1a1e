/*  note - a checkpoint of the tree over a ledger, as a C2SP signed note (tlog-checkpoint)

    Its text is:

      stele/1/UUID            the origin: the number of the form of lines, and the id of the ledger
      SIZE                    number of leaves: the position of the last event
      ROOT                    base64 of the root over them

      — NAME SIGNATURE        base64; one line per signature, or none: an unsigned note

    A signature is over the three lines, each with its line feed, without the empty line.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_NOTE_H_INCLUDED
#define STELE_NOTE_H_INCLUDED

#include "proof/seal_key.h"
#include "proof/tree.h"

//  Of the lines of events: another form would give every event another leaf, so it gets another origin
#define STELE_NOTE_FORMAT "stele/1/"

#define STELE_NOTE_TEXT 4096        // Most bytes of a note, with its NUL

typedef struct {
    char ledger_id [40];
    int64_t size;
    stele_hash_t root;
    char text [STELE_NOTE_TEXT];
    size_t text_size, body_size;    // Of the whole note, and of the three lines
} stele_note_t;

/*  Write the note of these facts, signed by the key; NULL: unsigned.        */
void
    stele_note_write (stele_note_t *self, const char *ledger_id, int64_t size, const stele_hash_t *root,
        const stele_seal_key_t *key);

/*  Read a note from its text, or from a file. Returns 0, STELE_ENOT_FOUND (there is no such file), STELE_EIO, or
    STELE_ELEDGER (it has another form), with a refusal. Signatures are not verified. */
int
    stele_note_parse (stele_note_t *self, const char *text, size_t size, stele_refusal_t *refusal);
int
    stele_note_load (stele_note_t *self, const char *path, stele_refusal_t *refusal);

/*  Has the note a signature of this key?                                    */
bool
    stele_note_verify (const stele_note_t *self, const stele_seal_key_t *key);

/*  Is it signed at all?                                                     */
bool
    stele_note_is_signed (const stele_note_t *self);

/*  Write it to a file as a whole: a temporary file, synced, renamed, the folder synced. Returns 0, STELE_EFULL or STELE_EIO
    with a refusal; the file before is unchanged then.                       */
int
    stele_note_save (const stele_note_t *self, const char *path, stele_refusal_t *refusal);

#endif
