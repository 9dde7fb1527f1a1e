/*  keywords - find many keywords in one pass over a text (Aho-Corasick)

    The automaton follows the text in lower case, over classes of bytes. From its root it jumps to
    the next place whose four bytes look like the start of a keyword, and again as soon as fewer than
    three bytes of one are matched: some 1.5 nanoseconds per byte of text. Each stop costs as much as
    20 bytes, so keywords of three bytes should be rare in ordinary text.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_KEYWORDS_H_INCLUDED
#define STELE_KEYWORDS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STELE_KEYWORD_MIN 3
#define STELE_KEYWORD_MAX 64
/*  Most bytes of all keywords together                                      */
#define STELE_KEYWORDS_BYTES 32768

typedef struct stele_keywords stele_keywords_t;

/*  Caller owns return value.                                                */
stele_keywords_t *
    stele_keywords_new (void);
void
    stele_keywords_destroy (stele_keywords_t **self_p);

/*  Add a keyword of MIN to MAX bytes, which are copied. 'fold': in upper or lower case. 'tag' is
    returned with its hits. Returns false if the bytes of all keywords exceed their limit. */
bool
    stele_keywords_add (stele_keywords_t *self, const char *text, size_t size, bool fold, int tag);

/*  Build the automaton, once, after the last add.                           */
void
    stele_keywords_build (stele_keywords_t *self);

/*  A search, to be continued by stele_keywords_next. The text stays the caller's. */
typedef struct {
    const unsigned char *text;
    size_t size;
    size_t at;                      // Bytes followed so far
    size_t jump;                    // Where the last jump from the root ended
    uint16_t state;
    uint16_t ends;                  // State whose keywords are being returned
    uint16_t keyword;               // The next one of it, from 1; 0: none
} stele_keywords_search_t;

static inline stele_keywords_search_t
stele_keywords_search (const void *text, size_t size)
{
    return (stele_keywords_search_t) { .text = text, .size = size };
}

/*  The next hit, in the order of their ends: its tag and the place of its first byte. False: no more. */
bool
    stele_keywords_next (const stele_keywords_t *self, stele_keywords_search_t *search, int *tag, size_t *start,
        size_t *size);

#endif
