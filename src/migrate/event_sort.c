/*  event_sort - sort events by time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <stdlib.h>
#include "base/memory.h"
#include "migrate/event_sort.h"

typedef struct { int64_t order, offset; size_t size; } s_place_t;

struct stele_event_sort {
    FILE *file;
    int64_t offset;
    s_place_t *places;
    size_t count, room;
};

stele_event_sort_t *
stele_event_sort_new (void)
{
    FILE *file = tmpfile ();
    if (!file)
        return NULL;
    stele_event_sort_t *self = STELE_NEW (stele_event_sort_t);
    self->file = file;
    return self;
}

void
stele_event_sort_destroy (stele_event_sort_t **self_p)
{
    stele_event_sort_t *self = *self_p;
    if (!self)
        return;
    fclose (self->file);
    free (self->places);
    free (self);
    *self_p = NULL;
}

void
stele_event_sort_add (stele_event_sort_t *self, int64_t order, const char *text, size_t size)
{
    self->places = stele_array_must_grow (self->places, &self->room, self->count + 1, sizeof *self->places);
    fwrite (text, 1, size, self->file);
    self->places [self->count++] = (s_place_t) { order, self->offset, size };
    self->offset += (int64_t) size;
}

//  Offsets ascend in the order in which events were added
static int
s_compare (const void *one, const void *other)
{
    const s_place_t *a = one, *b = other;
    if (a->order != b->order)
        return a->order < b->order? -1: 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

int
stele_event_sort_write (stele_event_sort_t *self, FILE *file)
{
    if (fflush (self->file) || ferror (self->file)) {
        errno = errno? errno: EIO;
        return -1;
    }
    if (self->count)
        qsort (self->places, self->count, sizeof *self->places, s_compare);
    char *text = NULL;
    size_t room = 0;
    int rc = 0;
    for (size_t i = 0; i < self->count && rc == 0; i++) {
        const s_place_t *place = &self->places [i];
        text = stele_array_must_grow (text, &room, place->size, 1);
        if (fseeko (self->file, place->offset, SEEK_SET)
        ||  fread (text, 1, place->size, self->file) != place->size
        ||  fwrite (text, 1, place->size, file) != place->size || putc ('\n', file) == EOF)
            rc = -1;
    }
    free (text);
    return rc || fflush (file)? -1: 0;
}
