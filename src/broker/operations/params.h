/*  params - the parameters of one request, typed and checked

    A handler reads what its operation takes, one getter each, and looks once
    whether all was well: the first parameter that is wrong stays in 'refusal',
    which names it, what it takes and what came. nil is the same as absent.

        int64_t limit = stele_params_number (params, "limit", 100, 1, 1000);
        stele_span_t id = stele_params_id (params, "task_id");
        if (params->refusal.code)
            return params->refusal.code;

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PARAMS_H_INCLUDED
#define STELE_PARAMS_H_INCLUDED

#include "ledger/reader.h"
#include "model/refusal.h"
#include "model/vocabulary.h"
#include "wire/scan.h"

/*  Most values that a parameter which takes several may have                */
#define STELE_PARAMS_VALUES 64

/*  Most parameters that an operation may take                               */
#define STELE_PARAMS_ASKED 48

typedef struct {
    const void *map;
    size_t size;
    stele_refusal_t refusal;        // code 0: nothing wrong so far
    const char *asked [STELE_PARAMS_ASKED];     // The names that were looked for
    size_t asked_count;
} stele_params_t;

/*  Check the bytes of a request: one well-formed map of msgpack, of at most
    'elements_max' elements. Returns 0, or STELE_EBAD_REQUEST with the refusal. The
    bytes are borrowed.                                                      */
int
    stele_params_check (stele_params_t *self, const void *data, size_t size,
        size_t elements_max);

/*  The same for bytes that were checked already.                            */
void
    stele_params_start (stele_params_t *self, const void *map, size_t size);

bool
    stele_params_has (stele_params_t *self, const char *name);

/*  The next name in the request that nobody has looked for, as text for a person:
    misspelt, as a rule. 'scan' begins as stele_params_scan. Returns NULL after the last.
    'buffer' as of stele_params_show.                                        */
stele_scan_t
    stele_params_scan (const stele_params_t *self);
const char *
    stele_params_ignored (const stele_params_t *self, stele_scan_t *scan, char *buffer);

/*  Required text of 1 to STELE_LIMIT_ID bytes. .text is "" where it is wrong. */
stele_span_t
    stele_params_id (stele_params_t *self, const char *name);

/*  Text of at most STELE_LIMIT_PATH bytes; .text NULL where it is absent or wrong. */
stele_span_t
    stele_params_text (stele_params_t *self, const char *name);

/*  Integer from 'min' to 'max'.                                             */
int64_t
    stele_params_number (stele_params_t *self, const char *name,
        int64_t otherwise, int64_t min, int64_t max);

bool
    stele_params_bool (stele_params_t *self, const char *name, bool otherwise);

/*  A time in any of its three forms, in microseconds; 0 where it is absent.  */
int64_t
    stele_params_time (stele_params_t *self, const char *name);

/*  One word of a vocabulary or an array of them, as bits 1 << code; 0: absent. */
uint32_t
    stele_params_words (stele_params_t *self, const char *name,
        stele_vocabulary_t vocabulary);

/*  One text or an array of them, at most STELE_PARAMS_VALUES. Returns how many. */
size_t
    stele_params_texts (stele_params_t *self, const char *name, stele_span_t *texts);

/*  Refuse a parameter whose value is not of the form that 'takes' names: fills the
    refusal unless there is one already. Returns its code.                   */
int
    stele_params_refuse (stele_params_t *self, const char *name, const char *takes);

/*  The same with a message of the caller's own.                             */
int
    stele_params_fail (stele_params_t *self, int code, const char *name,
        const char *format, ...) STELE_PRINTF (4, 5);

/*  Text of a peer for a message to a person: as it is when it is short and clean, else
    its beginning, with what cannot be shown as '?'. 'buffer' holds at least 80 bytes. */
const char *
    stele_params_show (stele_span_t text, char *buffer);

#endif
