/*  word_cache - words that were looked up: id to text

    A word never changes once its batch is committed, so it is read once.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_WORD_CACHE_H_INCLUDED
#define STELE_WORD_CACHE_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

typedef struct reader_word reader_word_t;   // The cache is a pointer to it, NULL: empty

//  The text of a word, NULL: not in the cache. Valid until the cache is trimmed.
const char *
    reader_word_cache_find (reader_word_t *cache, int64_t id, size_t *size);

//  Add a word; the text is copied. NULL: out of memory.
const char *
    reader_word_cache_add (reader_word_t **cache, int64_t id, const char *text, size_t size);

//  Empty the cache if it has more than 'max' words.
void
    reader_word_cache_trim (reader_word_t **cache, size_t max);

#endif
