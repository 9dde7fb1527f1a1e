/*  answer - the common entries of all answers, and refusals (protocol section 4)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ANSWER_H_INCLUDED
#define STELE_ANSWER_H_INCLUDED

#include "model/refusal.h"
#include "wire/pack.h"

/*  Begin {"ok":true,"position":P, ...}: the caller packs more keys, then calls
    stele_pack_map_end.                                                      */
void
    stele_answer_begin (stele_pack_t *pack, int64_t position);

/*  The same where only the number of the other entries is known, at the end. Returns the mark
    for stele_answer_close.                                                  */
size_t
    stele_answer_open (stele_pack_t *pack, int64_t position);
void
    stele_answer_close (stele_pack_t *pack, size_t mark, size_t entries);

/*  Clear the pack, and pack the whole answer {"ok":false,"error":{"code","message",("field"),
    ("expected")},("mode")}. A code that section 8 has not for answers becomes the nearest one
    that it has. 'expected' is of a sequence_gap, else 0. 'mode' is the broker's; NULL: left out. */
void
    stele_answer_refuse (stele_pack_t *pack, const stele_refusal_t *refusal, const char *mode, int64_t expected);

/*  The same for not_writer: the error also has "writer", where the writer answers requests, unless that is "". */
void
    stele_answer_not_writer (stele_pack_t *pack, const stele_refusal_t *refusal, const char *writer);

/*  Pack "code", "message" and, where one is to blame, "field" into a map that was begun. */
void
    stele_answer_key_refusal (stele_pack_t *pack, int code, const stele_refusal_t *refusal);

/*  The code of an answer: 0 for "ok":true, else its STELE_E...; and the position, where
    it has one (else *position stays). The bytes have to be well-formed msgpack. */
int
    stele_answer_read (const void *answer, size_t size, int64_t *position);

/*  Clear the pack, and pack the answer, a checked map, with one more entry. */
void
    stele_answer_extend (const void *answer, size_t size, const char *key,
        const void *value, size_t value_size, stele_pack_t *pack);

#endif
