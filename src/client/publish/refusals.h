/*  refusals - the latest refused events of a client, with the broker's reasons

    The latest REFUSALS_MAX are remembered, in a ring. The caller hears of each refusal at least
    once: from the receipt function, from stele_client_wait, or from the next stele_client_flush.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REFUSALS_H_INCLUDED
#define STELE_REFUSALS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t number;                 // Of the event
    int code;                       // STELE_E...
    bool reported;                  // The caller has heard of it
    char *message;                  // The broker's sentence; never NULL
} stele_refused_t;

typedef struct stele_refusals stele_refusals_t;

stele_refusals_t *
    stele_refusals_new (void);

void
    stele_refusals_destroy (stele_refusals_t **self_p);

/*  Add a refusal; an empty message is replaced by the text of the code.     */
void
    stele_refusals_add (stele_refusals_t *self, int64_t number, int code, const char *message,
        bool reported);

/*  Number of refusals so far, forgotten ones included.                      */
int64_t
    stele_refusals_count (const stele_refusals_t *self);

/*  The refusal with that index, from 0 in the order of arrival; NULL if there is none, or if it
    was forgotten.                                                           */
stele_refused_t *
    stele_refusals_at (const stele_refusals_t *self, int64_t index);

/*  The refusal of that event; NULL if it was not refused, or was forgotten. */
stele_refused_t *
    stele_refusals_find (const stele_refusals_t *self, int64_t number);

/*  Mark one as reported.                                                    */
void
    stele_refusals_report_one (stele_refusals_t *self, stele_refused_t *refused);

/*  Mark all as reported. Returns how many were not, and sets *first to the first of them that is
    remembered, NULL if there is none.                                       */
int64_t
    stele_refusals_report (stele_refusals_t *self, const stele_refused_t **first);

#endif
