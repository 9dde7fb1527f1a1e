/*  memory - one allocator, and arrays that grow

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"

#define FIRST_ROOM 16

static void *
s_must_have (void *memory, size_t size_bytes)
{
    if (!memory) {
        fprintf (stderr, "out of memory: could not allocate %zu bytes\n", size_bytes);
        abort ();
    }
    return memory;
}

void *
stele_memory_new (size_t size_bytes)
{
    return s_must_have (calloc (1, size_bytes? size_bytes: 1), size_bytes);
}

char *
stele_memory_copy (const void *bytes, size_t size_bytes)
{
    char *copy = stele_memory_new (size_bytes + 1);
    if (size_bytes)
        memcpy (copy, bytes, size_bytes);
    return copy;
}

void *
stele_array_grow (void *array, size_t *room, size_t need, size_t item_bytes)
{
    if (array && *room >= need)
        return array;
    size_t wanted = *room? *room: FIRST_ROOM;
    while (wanted < need && wanted <= SIZE_MAX / 2)
        wanted *= 2;
    if (wanted < need || wanted > SIZE_MAX / item_bytes)
        return NULL;
    void *grown = realloc (array, wanted * item_bytes);
    if (grown)
        *room = wanted;
    return grown;
}

void *
stele_array_must_grow (void *array, size_t *room, size_t need, size_t item_bytes)
{
    return s_must_have (stele_array_grow (array, room, need, item_bytes), need * item_bytes);
}
