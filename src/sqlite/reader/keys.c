/*  keys - growing arrays of keys and other integers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include "base/memory.h"
#include "sqlite/reader/reader_internal.h"

int
reader_keys_add (stele_reader_t *reader, reader_keys_t *self, int64_t key)
{
    int64_t *keys = stele_array_grow (self->keys, &self->room, self->count + 1, sizeof *keys);
    if (!keys)
        return reader_fail (reader, STELE_ENO_MEMORY, "out of memory");
    self->keys = keys;
    self->keys [self->count++] = key;
    return 0;
}

int
reader_keys_collect (stele_reader_t *reader, sqlite3_stmt *statement, reader_keys_t *self)
{
    while (reader_step (reader, statement) == 1)
        reader_keys_add (reader, self, sqlite3_column_int64 (statement, 0));
    return reader->status;
}

void
reader_keys_free (reader_keys_t *self)
{
    free (self->keys);
    *self = (reader_keys_t) { NULL, 0, 0 };
}

static int
s_compare (const void *one, const void *other)
{
    int64_t a = *(const int64_t *) one, b = *(const int64_t *) other;
    return (a > b) - (a < b);
}

void
reader_keys_sort (reader_keys_t *self)
{
    if (self->count == 0)
        return;
    qsort (self->keys, self->count, sizeof *self->keys, s_compare);
    size_t kept = 1;
    for (size_t i = 1; i < self->count; i++)
        if (self->keys [i] != self->keys [kept - 1])
            self->keys [kept++] = self->keys [i];
    self->count = kept;
}

bool
reader_keys_has (const reader_keys_t *self, int64_t key)
{
    return self->count > 0
        && bsearch (&key, self->keys, self->count, sizeof key, s_compare) != NULL;
}
