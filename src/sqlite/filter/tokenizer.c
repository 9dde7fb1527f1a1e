/*  tokenizer - split texts into words, for searches and the index

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "sqlite/filter/tokenizer.h"

struct stele_tokenizer {
    fts5_tokenizer base;            // unicode61
    Fts5Tokenizer *words;
};

//  -- characters -------------------------------------------------------------------------

//  Characters that are indexed in pairs, ascending. The first one is U+0E01: no text whose bytes
//  are all below 0xe0 has one.
static const struct { uint32_t first, last; } s_runs [] = {
    { 0x0e01, 0x0eff },             // Thai, Lao
    { 0x1000, 0x109f },             // Myanmar
    { 0x1100, 0x11ff },             // Hangul letters
    { 0x1780, 0x17ff },             // Khmer
    { 0x1950, 0x19df },             // Tai Le, New Tai Lue
    { 0x1a20, 0x1aaf },             // Tai Tham
    { 0x231a, 0x23ff },             // Emoji: watches, keys
    { 0x25b6, 0x25b6 }, { 0x25c0, 0x25c0 }, { 0x25fb, 0x25fe },
    { 0x2600, 0x27bf },             // Symbols, dingbats
    { 0x2934, 0x2935 }, { 0x2b05, 0x2b07 }, { 0x2b1b, 0x2b1c }, { 0x2b50, 0x2b55 },
    { 0x2e80, 0x2fdf },             // Radicals
    { 0x3005, 0x3007 }, { 0x3021, 0x3035 }, { 0x303b, 0x303d },
    { 0x3041, 0x309f },             // Hiragana
    { 0x30a1, 0x30fa }, { 0x30fc, 0x30ff },     // Katakana, without the dot between words
    { 0x3105, 0x31ff },             // Bopomofo, Hangul letters, strokes
    { 0x3200, 0x33ff },             // Enclosed letters, squared words
    { 0x3400, 0x4dbf }, { 0x4e00, 0x9fff },     // Chinese characters
    { 0xa000, 0xa4cf },             // Yi
    { 0xa960, 0xa97f },             // Hangul letters
    { 0xa9e0, 0xa9ff }, { 0xaa60, 0xaadf },     // Myanmar, Tai Viet
    { 0xac00, 0xd7ff },             // Hangul syllables
    { 0xf900, 0xfaff },             // Chinese characters, compatible forms
    { 0xff66, 0xffdc },             // Katakana and Hangul of half width
    { 0x1b000, 0x1b16f },           // Kana, older forms
    { 0x1f000, 0x1faff },           // Emoji
    { 0x20000, 0x3ffff }            // Chinese characters
};

#define FIRST_LEAD 0xe0             // Of the first byte of these characters

//  Selectors and joiners of emoji, which are typed or not: they are left out
static bool
s_is_joiner (uint32_t code)
{
    return code == 0x200d || (code >= 0xfe00 && code <= 0xfe0f);
}

static bool
s_is_run (uint32_t code)
{
    size_t low = 0, high = sizeof s_runs / sizeof s_runs [0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > s_runs [middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof s_runs / sizeof s_runs [0] && code >= s_runs [low].first;
}

//  Decode one character of valid UTF-8; broken bytes count as characters of their own
static int
s_decode (const unsigned char *text, const unsigned char *end, uint32_t *code)
{
    int size = *text < 0xc0? 1: *text < 0xe0? 2: *text < 0xf0? 3: *text < 0xf5? 4: 1;
    *code = size == 1? *text: *text & (0x7fu >> size);
    if (size > end - text)
        return 1;
    for (int i = 1; i < size; i++)
        *code = *code << 6 | (text [i] & 0x3f);
    return size;
}

//  -- splitting ----------------------------------------------------------------------------

//  A text that is being split
typedef struct {
    stele_tokenizer_t *self;
    int flags;
    const char *text;
    int offset;                     // Of the part that unicode61 splits
    stele_tokenizer_fn *fn;
    void *arg;
    int rc;                         // Of the function, which ends the split unless it is SQLITE_OK
    //  A run
    char pair [8];                  // Its last character, and room for the next one
    int size;                       // Of that character, 0: no run
    int start;
    int count;                      // Characters of the run
} s_split_t;

static int
s_on_word (void *arg, int flags, const char *word, int size, int start, int end)
{
    s_split_t *split = arg;
    if (size == 0)                  // Of an accent alone, unicode61 leaves nothing
        return SQLITE_OK;
    split->rc = split->fn (split->arg, flags, word, size, split->offset + start, split->offset + end);
    return split->rc;
}

static void
s_split_words (s_split_t *split, int from, int to)
{
    if (from == to || split->rc)
        return;
    split->offset = from;
    int rc = split->self->base.xTokenize (split->self->words, split, split->flags, split->text + from, to - from,
        s_on_word);
    if (split->rc == SQLITE_OK)
        split->rc = rc;
}

//  The next character of a run
static void
s_add_to_run (s_split_t *split, int start, int size)
{
    for (int i = 0; i < size; i++)
        split->pair [split->size + i] = split->text [start + i];
    bool is_pair = split->size > 0;
    split->count++;
    if (is_pair && split->rc == SQLITE_OK)
        split->rc = split->fn (split->arg, 0, split->pair, split->size + size, split->start, start + size);
    if (is_pair)
        for (int i = 0; i < size; i++)
            split->pair [i] = split->text [start + i];
    split->size = size;
    split->start = start;
}

static void
s_end_run (s_split_t *split)
{
    //  A pair that is looked up is one word
    bool is_looked_up = split->flags & FTS5_TOKENIZE_QUERY && split->count == 2;
    if (split->size && split->rc == SQLITE_OK && !is_looked_up)
        split->rc = split->fn (split->arg, 0, split->pair, split->size, split->start, split->start + split->size);
    split->size = split->count = 0;
}

static bool
s_has_runs (const char *text, int size)
{
    for (int i = 0; i < size; i++)
        if ((unsigned char) text [i] >= FIRST_LEAD)
            return true;
    return false;
}

static int
s_split (s_split_t *split, int size)
{
    const unsigned char *text = (const unsigned char *) split->text;
    int from = 0;                   // Of the characters that are no run
    for (int i = 0; i < size && split->rc == SQLITE_OK; ) {
        uint32_t code = text [i];
        int length = code < FIRST_LEAD? 1: s_decode (text + i, text + size, &code);
        bool is_run = code >= s_runs [0].first && s_is_run (code);
        if (is_run) {
            if (split->size == 0)
                s_split_words (split, from, i);
            s_add_to_run (split, i, length);
        }
        else
        if (split->size && !s_is_joiner (code)) {
            s_end_run (split);
            from = i;
        }
        i += length;
    }
    if (split->size)
        s_end_run (split);
    else
        s_split_words (split, from, size);
    return split->rc == SQLITE_DONE? SQLITE_OK: split->rc;
}

int
stele_tokenizer_split (stele_tokenizer_t *self, int flags, const char *text, int size,
    stele_tokenizer_fn *fn, void *arg)
{
    s_split_t split = { .self = self, .flags = flags, .text = text, .fn = fn, .arg = arg };
    if (s_has_runs (text, size))
        return s_split (&split, size);
    s_split_words (&split, 0, size);
    return split.rc == SQLITE_DONE? SQLITE_OK: split.rc;
}

int
stele_tokenizer_run_characters (const char *word, size_t size)
{
    const unsigned char *next = (const unsigned char *) word, *end = next + size;
    int count = 0;
    while (next < end) {
        uint32_t code;
        next += s_decode (next, end, &code);
        if (!s_is_run (code))
            return 0;
        count++;
    }
    return count;
}

//  -- FTS5 -----------------------------------------------------------------------------------

static int
s_api (sqlite3 *db, fts5_api **api)
{
    *api = NULL;
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2 (db, "SELECT fts5 (?1)", -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_pointer (statement, 1, api, "fts5_api_ptr", NULL);
        sqlite3_step (statement);
        rc = sqlite3_reset (statement);
    }
    sqlite3_finalize (statement);
    return rc? rc: *api? SQLITE_OK: SQLITE_ERROR;
}

static int
s_create (void *context, const char **arguments, int count, Fts5Tokenizer **tokenizer)
{
    (void) arguments;
    (void) count;
    int rc;
    *tokenizer = (Fts5Tokenizer *) stele_tokenizer_new (context, &rc);
    return rc;
}

static void
s_delete (Fts5Tokenizer *tokenizer)
{
    stele_tokenizer_t *self = (stele_tokenizer_t *) tokenizer;
    stele_tokenizer_destroy (&self);
}

static int
s_tokenize (Fts5Tokenizer *tokenizer, void *arg, int flags, const char *text, int size, stele_tokenizer_fn *fn)
{
    return stele_tokenizer_split ((stele_tokenizer_t *) tokenizer, flags, text, size, fn, arg);
}

int
stele_tokenizer_register (sqlite3 *db)
{
    fts5_tokenizer methods = { .xCreate = s_create, .xDelete = s_delete, .xTokenize = s_tokenize };
    fts5_api *api;
    int rc = s_api (db, &api);
    return rc? rc: api->xCreateTokenizer (api, STELE_TOKENIZER, db, &methods, NULL);
}

stele_tokenizer_t *
stele_tokenizer_new (sqlite3 *db, int *rc)
{
    //  Vowel signs and other marks (Mn, Mc) belong to the word: Hindi, Tamil, Arabic with vowels ...
    const char *arguments [] = { "remove_diacritics", "2", "categories", "L* N* Co Mn Mc" };
    fts5_api *api;
    void *context;
    stele_tokenizer_t *self = calloc (1, sizeof *self);
    *rc = self? s_api (db, &api): SQLITE_NOMEM;
    if (*rc == SQLITE_OK)
        *rc = api->xFindTokenizer (api, "unicode61", &context, &self->base);
    if (*rc == SQLITE_OK)
        *rc = self->base.xCreate (context, arguments, 4, &self->words);
    if (*rc)
        stele_tokenizer_destroy (&self);
    return self;
}

void
stele_tokenizer_destroy (stele_tokenizer_t **self_p)
{
    assert (self_p);
    stele_tokenizer_t *self = *self_p;
    if (!self)
        return;
    if (self->words)
        self->base.xDelete (self->words);
    free (self);
    *self_p = NULL;
}
