/*  event_sort - sort events by time

    The texts are in a temporary file; only their orders and offsets are in memory.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_EVENT_SORT_H_INCLUDED
#define STELE_EVENT_SORT_H_INCLUDED

#include <stdint.h>
#include <stdio.h>

typedef struct stele_event_sort stele_event_sort_t;

/*  NULL: no temporary file, see errno. Caller owns return value.            */
stele_event_sort_t *
    stele_event_sort_new (void);
void
    stele_event_sort_destroy (stele_event_sort_t **self_p);

/*  Add an event. It is sorted after those of a smaller order, and after those of the same
    order that were added before. Write errors are reported by stele_event_sort_write. */
void
    stele_event_sort_add (stele_event_sort_t *self, int64_t order, const char *text, size_t size);

/*  Write all events in order, one per line. Returns 0, or -1 with errno.    */
int
    stele_event_sort_write (stele_event_sort_t *self, FILE *file);

#endif
