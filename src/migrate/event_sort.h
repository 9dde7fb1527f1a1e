/*  event_sort - events on their way into order

    Events come record by record, and go by their times. They wait in a file; only where
    each lies is in memory.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_EVENT_SORT_H_INCLUDED
#define STELE_EVENT_SORT_H_INCLUDED

#include <stdint.h>
#include <stdio.h>

typedef struct stele_event_sort stele_event_sort_t;

/*  NULL: there is no temporary file, errno says why. Caller owns return value. */
stele_event_sort_t *
    stele_event_sort_new (void);
void
    stele_event_sort_destroy (stele_event_sort_t **self_p);

/*  Add an event that comes after those of a smaller order, and after those of the same
    order that were added before.                                            */
void
    stele_event_sort_add (stele_event_sort_t *self, int64_t order, const char *text, size_t size);

/*  Write all, a line each, in order. 0, or -1 with errno.                   */
int
    stele_event_sort_write (stele_event_sort_t *self, FILE *file);

#endif
