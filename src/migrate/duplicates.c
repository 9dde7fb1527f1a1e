/*  duplicates - records with the same id

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "base/memory.h"
#include "migrate/duplicates.h"

typedef struct {
    UT_hash_handle hh;
    int64_t rank;
    size_t count, winner;           // Number of records, and which of them is imported
    json_t *records;                // Passed to duplicates_resolve so far; NULL: none, or only one record
    char id [];
} s_entry_t;

struct duplicates {
    s_entry_t *entries;
};

duplicates_t *
duplicates_new (void)
{
    return STELE_NEW (duplicates_t);
}

void
duplicates_destroy (duplicates_t **self_p)
{
    duplicates_t *self = *self_p;
    if (!self)
        return;
    s_entry_t *entry, *next;
    HASH_ITER (hh, self->entries, entry, next) {
        HASH_DELETE (hh, self->entries, entry);
        json_decref (entry->records);
        free (entry);
    }
    free (self);
    *self_p = NULL;
}

void
duplicates_add (duplicates_t *self, const char *id, int64_t rank)
{
    s_entry_t *entry;
    size_t size = strlen (id);
    HASH_FIND (hh, self->entries, id, size, entry);
    if (!entry) {
        entry = stele_memory_new (sizeof *entry + size + 1);
        memcpy (entry->id, id, size);
        entry->rank = rank;
        HASH_ADD_KEYPTR (hh, self->entries, entry->id, size, entry);
    }
    if (rank >= entry->rank) {
        entry->rank = rank;
        entry->winner = entry->count;
    }
    entry->count++;
}

json_t *
duplicates_resolve (duplicates_t *self, const char *id, json_t *record, json_t **others)
{
    s_entry_t *entry;
    HASH_FIND (hh, self->entries, id, strlen (id), entry);
    assert (entry);
    *others = NULL;
    if (entry->count == 1)
        return record;
    if (!entry->records)
        entry->records = json_array ();
    json_array_append_new (entry->records, record);
    if (json_array_size (entry->records) < entry->count)
        return NULL;
    record = json_incref (json_array_get (entry->records, entry->winner));
    json_array_remove (entry->records, entry->winner);
    *others = entry->records;
    entry->records = NULL;
    return record;
}
