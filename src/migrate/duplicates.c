/*  duplicates - records that claim the same id

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "migrate/duplicates.h"

typedef struct {
    UT_hash_handle hh;
    int64_t rank;
    size_t count, winner;           // Records of the id, and which of them stands
    json_t *records;                // That came again; NULL: none, or it is alone
    char id [];
} s_claim_t;

struct duplicates {
    s_claim_t *claims;
};

duplicates_t *
duplicates_new (void)
{
    duplicates_t *self = calloc (1, sizeof *self);
    assert (self);
    return self;
}

void
duplicates_destroy (duplicates_t **self_p)
{
    duplicates_t *self = *self_p;
    if (!self)
        return;
    s_claim_t *claim, *next;
    HASH_ITER (hh, self->claims, claim, next) {
        HASH_DELETE (hh, self->claims, claim);
        json_decref (claim->records);
        free (claim);
    }
    free (self);
    *self_p = NULL;
}

void
duplicates_add (duplicates_t *self, const char *id, int64_t rank)
{
    s_claim_t *claim;
    size_t size = strlen (id);
    HASH_FIND (hh, self->claims, id, size, claim);
    if (!claim) {
        claim = calloc (1, sizeof *claim + size + 1);
        assert (claim);
        memcpy (claim->id, id, size);
        claim->rank = rank;
        HASH_ADD_KEYPTR (hh, self->claims, claim->id, size, claim);
    }
    if (rank >= claim->rank) {
        claim->rank = rank;
        claim->winner = claim->count;
    }
    claim->count++;
}

json_t *
duplicates_settle (duplicates_t *self, const char *id, json_t *record, json_t **others)
{
    s_claim_t *claim;
    HASH_FIND (hh, self->claims, id, strlen (id), claim);
    assert (claim);
    *others = NULL;
    if (claim->count == 1)
        return record;
    if (!claim->records)
        claim->records = json_array ();
    json_array_append_new (claim->records, record);
    if (json_array_size (claim->records) < claim->count)
        return NULL;
    record = json_incref (json_array_get (claim->records, claim->winner));
    json_array_remove (claim->records, claim->winner);
    *others = claim->records;
    claim->records = NULL;
    return record;
}
