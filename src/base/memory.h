/*  memory - one allocator, and arrays that grow

    The ledger and the wire return a code if memory is exhausted, since a writer can roll back
    and retry: they use calloc and stele_array_grow, and check. All other folders use the functions
    that cannot fail: these print the size that could not be allocated and abort the process.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MEMORY_H_INCLUDED
#define STELE_MEMORY_H_INCLUDED

#include <stddef.h>

/*  Zeroed memory. Never NULL. The caller frees it with free().              */
void *
    stele_memory_new (size_t size_bytes);

/*  A zeroed object of that type. Never NULL.                                */
#define STELE_NEW(type) ((type *) stele_memory_new (sizeof (type)))

/*  A copy of the bytes, terminated with a NUL that is not counted. Never NULL.  */
char *
    stele_memory_copy (const void *bytes, size_t size_bytes);

/*  Make room in an array for at least 'need' items of that size; the room at least doubles.
    Returns the array, which may have moved, and sets *room. NULL: out of memory, nothing changed. */
void *
    stele_array_grow (void *array, size_t *room, size_t need, size_t item_bytes);

/*  The same; never NULL.                                                    */
void *
    stele_array_must_grow (void *array, size_t *room, size_t need, size_t item_bytes);

#endif
