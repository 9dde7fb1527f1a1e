/*  answer - the envelope of every answer (protocol section 4)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ANSWER_H_INCLUDED
#define STELE_ANSWER_H_INCLUDED

#include "model/refusal.h"
#include "wire/pack.h"

/*  Open {"ok":true,"position":P, ...}: the caller packs 'n' more entries and
    closes it. Returns the mark for stele_answer_close.                      */
size_t
    stele_answer_open (stele_pack_t *pack, int64_t position);
void
    stele_answer_close (stele_pack_t *pack, size_t mark, size_t entries);

/*  The whole answer {"ok":false,"error":{"code","message",("field")}}. Codes that
    section 4 does not have are said by the nearest one that it has. 'mode' is the broker's,
    NULL: nothing to be said of.                                             */
void
    stele_answer_refuse (stele_pack_t *pack, const stele_refusal_t *refusal, const char *mode);

/*  The code of an answer: 0 for "ok":true, else its STELE_E...; and the position, where
    it has one (else *position stays). The bytes have to be well-formed msgpack. */
int
    stele_answer_read (const void *answer, size_t size, int64_t *position);

#endif
