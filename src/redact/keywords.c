/*  keywords - find many keywords in one pass over a text (Aho-Corasick)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "redact/keywords.h"

#define FILTER_BITS 13

typedef struct {
    char text [STELE_KEYWORD_MAX];
    uint8_t size;
    bool fold;
    int tag;
    uint16_t same;                  // Another one that ends in the same state, from 1; 0: none
} s_keyword_t;

struct stele_keywords {
    s_keyword_t *keywords;
    size_t count, room;
    size_t bytes;
    uint8_t classes [256];          // 0: in no keyword
    size_t class_count;
    uint16_t *next;                 // [state * class_count + class]
    uint16_t *ends;                 // [state] The first keyword that ends there, from 1; 0: none
    uint16_t *shorter;              // [state] The state of the longest shorter suffix with an end; 0: none
    uint8_t *depths;                // [state] Bytes from the root
    uint8_t filter [1 << FILTER_BITS];      // [hash of three bytes] One bit per kind of the fourth byte
};

stele_keywords_t *
stele_keywords_new (void)
{
    return STELE_NEW (stele_keywords_t);
}

void
stele_keywords_destroy (stele_keywords_t **self_p)
{
    stele_keywords_t *self = *self_p;
    if (!self)
        return;
    free (self->keywords);
    free (self->next);
    free (self->ends);
    free (self->shorter);
    free (self->depths);
    free (self);
    *self_p = NULL;
}

static unsigned char
s_lower (unsigned char c)
{
    return c >= 'A' && c <= 'Z'? (unsigned char) (c + 32): c;
}

//  The first three of four bytes, upper and lower case alike. Some other pairs of bytes are alike too: it is a filter.
static inline unsigned
s_hash (uint32_t bytes)
{
    return (unsigned) (((bytes << 8 | 0x20202000u) * 0x9E3779B1u) >> (32 - FILTER_BITS));
}

//  The kind of the fourth byte: three of its bits that do not depend on case
static inline unsigned
s_fourth (uint32_t bytes)
{
    return bytes >> 26 & 7;
}

static inline bool
s_passes (const stele_keywords_t *self, uint32_t bytes)
{
    return self->filter [s_hash (bytes)] >> s_fourth (bytes) & 1;
}

//  Three bytes of a text, and the fourth if there is one
static inline uint32_t
s_bytes (const unsigned char *text, bool is_last)
{
    uint32_t bytes = (uint32_t) text [0] | (uint32_t) text [1] << 8 | (uint32_t) text [2] << 16;
    return is_last? bytes: bytes | (uint32_t) text [3] << 24;
}

bool
stele_keywords_add (stele_keywords_t *self, const char *text, size_t size, bool fold, int tag)
{
    assert (size >= STELE_KEYWORD_MIN && size <= STELE_KEYWORD_MAX && !self->next);
    if (self->bytes + size > STELE_KEYWORDS_BYTES)
        return false;
    self->bytes += size;
    self->keywords = stele_array_must_grow (self->keywords, &self->room, self->count + 1, sizeof *self->keywords);
    s_keyword_t *keyword = &self->keywords [self->count++];
    *keyword = (s_keyword_t) { .size = (uint8_t) size, .fold = fold, .tag = tag };
    for (size_t i = 0; i < size; i++)
        keyword->text [i] = fold? (char) s_lower ((unsigned char) text [i]): text [i];
    uint32_t bytes = s_bytes ((const unsigned char *) text, size == STELE_KEYWORD_MIN);
    //  Any byte may follow a keyword of three bytes
    self->filter [s_hash (bytes)] |= size == STELE_KEYWORD_MIN? 0xff: (uint8_t) (1u << s_fourth (bytes));
    return true;
}

//  The trie of all keywords, in lower case
static size_t
s_plant (stele_keywords_t *self)
{
    size_t states = 1;
    for (size_t i = 0; i < self->count; i++) {
        size_t state = 0;
        for (size_t at = 0; at < self->keywords [i].size; at++) {
            uint8_t class = self->classes [s_lower ((unsigned char) self->keywords [i].text [at])];
            uint16_t *next = &self->next [state * self->class_count + class];
            if (*next == 0) {
                *next = (uint16_t) states++;
                self->depths [*next] = (uint8_t) (at + 1);
            }
            state = *next;
        }
        self->keywords [i].same = self->ends [state];
        self->ends [state] = (uint16_t) (i + 1);
    }
    return states;
}

void
stele_keywords_build (stele_keywords_t *self)
{
    self->class_count = 1;
    for (size_t i = 0; i < self->count; i++)
        for (size_t at = 0; at < self->keywords [i].size; at++) {
            unsigned char c = s_lower ((unsigned char) self->keywords [i].text [at]);
            if (self->classes [c] == 0)
                self->classes [c] = (uint8_t) self->class_count++;
        }
    for (int c = 'A'; c <= 'Z'; c++)
        self->classes [c] = self->classes [c + 32];
    size_t room = self->bytes + 1;
    self->next = stele_memory_new (room * self->class_count * sizeof *self->next);
    self->ends = stele_memory_new (room * sizeof *self->ends);
    self->shorter = stele_memory_new (room * sizeof *self->shorter);
    self->depths = stele_memory_new (room);
    memset (self->next, 0, room * self->class_count * sizeof *self->next);
    memset (self->ends, 0, room * sizeof *self->ends);
    memset (self->shorter, 0, room * sizeof *self->shorter);
    memset (self->depths, 0, room);
    size_t states = s_plant (self);

    //  In the order of depth: each state's suffix is complete before the state itself
    uint16_t *suffix = stele_memory_new (states * sizeof *suffix);
    uint16_t *queue = stele_memory_new (states * sizeof *queue);
    size_t head = 0, tail = 0;
    for (size_t class = 0; class < self->class_count; class++)
        if (self->next [class]) {
            suffix [self->next [class]] = 0;
            queue [tail++] = self->next [class];
        }
    while (head < tail) {
        uint16_t state = queue [head++];
        uint16_t other = suffix [state];
        self->shorter [state] = self->ends [other]? other: self->shorter [other];
        for (size_t class = 0; class < self->class_count; class++) {
            uint16_t *next = &self->next [state * self->class_count + class];
            uint16_t fallback = self->next [other * self->class_count + class];
            if (*next == 0)
                *next = fallback;
            else {
                suffix [*next] = fallback;
                queue [tail++] = *next;
            }
        }
    }
    free (suffix);
    free (queue);
}

//  The next place where a keyword may begin, or near the end of the text
static size_t
s_skip (const stele_keywords_t *self, const unsigned char *text, size_t at, size_t size)
{
    for (; at + 8 <= size; at += 4) {
        uint64_t bytes;
        memcpy (&bytes, text + at, sizeof bytes);
        bytes = le64toh (bytes);
        //  One branch for four places
        if ((int) s_passes (self, (uint32_t) bytes) | (int) s_passes (self, (uint32_t) (bytes >> 8))
        |   (int) s_passes (self, (uint32_t) (bytes >> 16)) | (int) s_passes (self, (uint32_t) (bytes >> 24)))
            break;
    }
    while (at + STELE_KEYWORD_MIN <= size && !s_passes (self, s_bytes (text + at, size - at == STELE_KEYWORD_MIN)))
        at++;
    return at;
}

bool
stele_keywords_next (const stele_keywords_t *self, stele_keywords_search_t *search, int *tag, size_t *start,
    size_t *size)
{
    while (true) {
        while (search->keyword) {
            const s_keyword_t *keyword = &self->keywords [search->keyword - 1];
            search->keyword = keyword->same;
            if (search->keyword == 0) {
                search->ends = self->shorter [search->ends];
                search->keyword = self->ends [search->ends];
            }
            const unsigned char *first = search->text + search->at - keyword->size;
            if (!keyword->fold && memcmp (first, keyword->text, keyword->size) != 0)
                continue;
            *tag = keyword->tag;
            *start = search->at - keyword->size;
            *size = keyword->size;
            return true;
        }
        uint16_t state = search->state;
        size_t at = search->at;
        do {
            //  So little of a keyword, begun after the last jump: let the filter judge whether there is more of it
            uint8_t depth = self->depths [state];
            if (depth < STELE_KEYWORD_MIN && at - depth > search->jump) {
                at -= depth;
                state = 0;
            }
            if (state == 0)
                search->jump = at = s_skip (self, search->text, at, search->size);
            if (at + (state == 0? STELE_KEYWORD_MIN: 1) > search->size) {
                search->at = search->size;
                search->state = 0;
                return false;
            }
            state = self->next [state * self->class_count + self->classes [search->text [at++]]];
        } while (self->ends [state] == 0 && self->shorter [state] == 0);
        search->state = state;
        search->at = at;
        search->ends = self->ends [state]? state: self->shorter [state];
        search->keyword = self->ends [search->ends];
    }
}
