/*  erased - the leaf of an event whose contents were erased

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // memmem
#endif

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "ledger/erase.h"
#include "proof/erased.h"
#include "proof/line.h"
#include "wire/json/json.h"
#include "wire/map.h"
#include "wire/pack.h"

static const char s_digits [] = "0123456789abcdef";

struct stele_erased {
    stele_tree_t *tree;
    stele_line_maker_t *lines;
};

static bool
s_has (const char *line, size_t size, const char *text)
{
    return memmem (line, size, text, strlen (text)) != NULL;
}

//  The line as a map, in a pack that the caller destroys; NULL: it is none
static stele_pack_t *
s_open (const char *line, size_t size, stele_map_t *map)
{
    stele_refusal_t refusal;
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    if (stele_json_parse_pack (line, size, pack, &refusal)
    ||  stele_map_open (map, stele_pack_data (pack), stele_pack_size (pack)))
        stele_pack_destroy (&pack);
    return pack;
}

static bool
s_read_hex (const char *text, stele_hash_t *hash)
{
    for (size_t i = 0; i < STELE_HASH_BYTES; i++) {
        const char *high = text [2 * i]? strchr (s_digits, text [2 * i]): NULL;
        const char *low = high && text [2 * i + 1]? strchr (s_digits, text [2 * i + 1]): NULL;
        if (!low)
            return false;
        hash->bytes [i] = (unsigned char) ((high - s_digits) << 4 | (low - s_digits));
    }
    return text [2 * STELE_HASH_BYTES] == '\0';
}

//  Does the line have the hash of its leaf?
static bool
s_find_leaf (const char *line, size_t size, stele_hash_t *hash)
{
    stele_map_t map;
    char text [STELE_ERASED_LEAF_SIZE + 1];
    bool found = false;
    //  Inside of a text, the quotes of a key are escaped; inside of a map they are not, so the line is read
    stele_pack_t *pack = s_has (line, size, "\"" STELE_ERASED_LEAF "\":\"")? s_open (line, size, &map): NULL;
    if (pack)
        found = stele_map_text (&map, STELE_ERASED_LEAF, text, sizeof text) && s_read_hex (text, hash);
    stele_pack_destroy (&pack);
    return found;
}

stele_hash_t
stele_erased_leaf (stele_tree_t *tree, const char *line, size_t size, bool *erased)
{
    stele_hash_t hash;
    bool found = s_find_leaf (line, size, &hash);
    if (erased)
        *erased = found;
    return found? hash: stele_tree_leaf (tree, line, size);
}

bool
stele_erased_is (const char *line, size_t size)
{
    stele_hash_t hash;
    return s_find_leaf (line, size, &hash);
}

int64_t
stele_erased_count (const char *line, size_t size)
{
    stele_map_t map, details;
    char type [40], operation [40], outcome [40];
    int64_t count = 0;
    if (!s_has (line, size, "\"" STELE_ERASED_OPERATION "\""))
        return 0;
    stele_pack_t *pack = s_open (line, size, &map);
    if (!pack)
        return 0;
    bool imported = false;
    stele_map_bool (&map, "imported", &imported);
    if (imported || !stele_map_text (&map, "type", type, sizeof type) || strcmp (type, "audit.recorded") != 0
    ||  !stele_map_text (&map, "operation", operation, sizeof operation) || strcmp (operation, STELE_ERASED_OPERATION) != 0
    ||  !stele_map_text (&map, "outcome", outcome, sizeof outcome) || strcmp (outcome, "ok") != 0
    ||  !stele_map_map (&map, "details", &details) || !stele_map_integer (&details, "events", &count))
        count = 0;
    stele_pack_destroy (&pack);
    return count;
}

stele_erased_t *
stele_erased_new (void)
{
    stele_erased_t *self = STELE_NEW (stele_erased_t);
    self->tree = stele_tree_new ();
    self->lines = stele_line_maker_new ();
    return self;
}

void
stele_erased_destroy (stele_erased_t **self_p)
{
    stele_erased_t *self = *self_p;
    if (!self)
        return;
    stele_tree_destroy (&self->tree);
    stele_line_maker_destroy (&self->lines);
    free (self);
    *self_p = NULL;
}

int
stele_erased_hash (const stele_record_t *event, char leaf [STELE_ERASED_LEAF_SIZE + 1], void *arg)
{
    stele_erased_t *self = arg;
    size_t size;
    const char *line = stele_line_make (self->lines, event, &size);
    if (!line)
        return STELE_ELEDGER;
    //  One that was erased before keeps its hash
    stele_hash_t hash = stele_erased_leaf (self->tree, line, size, NULL);
    for (size_t i = 0; i < STELE_HASH_BYTES; i++) {
        leaf [2 * i] = s_digits [hash.bytes [i] >> 4];
        leaf [2 * i + 1] = s_digits [hash.bytes [i] & 15];
    }
    leaf [2 * STELE_HASH_BYTES] = '\0';
    return 0;
}

int
stele_erased_finish (stele_ledger_t *ledger, stele_refusal_t *refusal)
{
    stele_erased_t *self = stele_erased_new ();
    int code = stele_ledger_erase_all (ledger, stele_erased_hash, self);
    stele_erased_destroy (&self);
    return code? stele_refuse (refusal, code, "ledger", "%s", stele_ledger_error (ledger)): 0;
}
