/*  refusal - the reason why a peer's input is refused

    The general text of each code is in include/stele_error.h; the specific text is written where
    stele_refuse is called. Sent in the nak or the error answer, and stored with the rejected event.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REFUSAL_H_INCLUDED
#define STELE_REFUSAL_H_INCLUDED

#include <stdbool.h>
#include "stele_error.h"

typedef struct {
    int code;                       // STELE_E...; 0: not refused
    char field [64];                // Name of the field, or ""
    char message [640];             // For people, UTF-8: what was wrong, the limit, what to do
} stele_refusal_t;

/*  Fill it, with '?' for what is not UTF-8, and return 'code', so that a caller can return the call. 'field'
    may be NULL. 'self' may be NULL.                                         */
int
    stele_refuse (stele_refusal_t *self, int code, const char *field,
        const char *format, ...) STELE_PRINTF (4, 5);

/*  True for 0 and for storage errors that change nothing (disk full, busy, no memory): the caller
    may retry later.                                                         */
bool
    stele_error_is_transient (int code);

#endif
