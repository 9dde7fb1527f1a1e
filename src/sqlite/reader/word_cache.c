/*  word_cache - words that were looked up: id to text

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1         // An entry that could not be added has no table
#include <uthash.h>
#include "sqlite/reader/word_cache.h"

struct reader_word {
    UT_hash_handle hh;
    int64_t id;
    size_t size;
    char text [];
};

const char *
reader_word_cache_find (reader_word_t *cache, int64_t id, size_t *size)
{
    reader_word_t *word;
    HASH_FIND (hh, cache, &id, sizeof id, word);
    if (!word)
        return NULL;
    *size = word->size;
    return word->text;
}

const char *
reader_word_cache_add (reader_word_t **cache, int64_t id, const char *text, size_t size)
{
    reader_word_t *word = malloc (sizeof *word + size + 1);
    if (!word)
        return NULL;
    word->id = id;
    word->size = size;
    memcpy (word->text, text, size);
    word->text [size] = '\0';
    HASH_ADD (hh, *cache, id, sizeof word->id, word);
    if (!word->hh.tbl) {
        free (word);
        return NULL;
    }
    return word->text;
}

void
reader_word_cache_trim (reader_word_t **cache, size_t max)
{
    if (HASH_COUNT (*cache) <= max)
        return;
    reader_word_t *word, *next;
    HASH_ITER (hh, *cache, word, next) {
        HASH_DEL (*cache, word);
        free (word);
    }
}
