/*  refusal - why something a peer sent cannot be taken

    Filled by whoever refuses; goes into the nak, the error answer, and the
    rejected event.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REFUSAL_H_INCLUDED
#define STELE_REFUSAL_H_INCLUDED

#include <stdbool.h>
#include "stele_error.h"

typedef struct {
    int code;                       // STELE_E..., 0 is no refusal
    char field [64];                // Name of the field, or ""
    char message [640];             // For a person: what, which limit, the way out
} stele_refusal_t;

/*  Fill it and return 'code', so that a caller can return the call. 'field'
    may be NULL. 'self' may be NULL.                                         */
int
    stele_refuse (stele_refusal_t *self, int code, const char *field,
        const char *format, ...) STELE_PRINTF (4, 5);

/*  True for 0 and for storage errors that change nothing (disk full, busy, no memory): the caller
    may try the same call again later.                                       */
bool
    stele_error_is_transient (int code);

#endif
