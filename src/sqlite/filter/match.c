/*  match - test a task against a text search

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // memmem
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sqlite/filter/match.h"
#include "sqlite/filter/tokenizer.h"
#include "stele_error.h"

#define ID_MIN 3                    // Bytes that an item must have to be a part of an id
#define PREFIX_MIN 3                // Bytes that a prefix must have to be looked up in the index

typedef struct {
    char *text;
    size_t size;
    int run;                        // Characters, if it is a part of a run (tokenizer.h); 0: another word
} s_word_t;

typedef struct {
    char *raw;                      // As typed, ASCII in lower case
    size_t raw_size;
    bool quoted;
    bool overlong;                  // Further words were ignored
    s_word_t words [STELE_MATCH_WORDS];
    size_t count;
    //  While a text is read
    uint32_t run;                   // Bit j: words 0 to j were the last ones read
    bool matched;
} s_item_t;

struct stele_match {
    stele_tokenizer_t *tokenizer;
    s_item_t items [STELE_MATCH_ITEMS];
    size_t count;
    char *expression;
    char *id;                       // Buffer for an id in lower case
    bool failed;                    // Out of memory
};

//  -- the tokenizer ---------------------------------------------------------------------

static void
s_tokenize (stele_match_t *self, int flags, const char *text, size_t size, stele_tokenizer_fn *fn, void *arg)
{
    if (stele_tokenizer_split (self->tokenizer, flags, text, (int) size, fn, arg) == SQLITE_NOMEM)
        self->failed = true;
}

//  -- parsing the search text -----------------------------------------------------------

static int
s_add_word (void *arg, int flags, const char *word, int size, int start, int end)
{
    s_item_t *item = arg;
    (void) flags;
    (void) start;
    (void) end;
    if (item->count == STELE_MATCH_WORDS) {
        item->overlong = true;
        return SQLITE_DONE;
    }
    char *copy = malloc ((size_t) size + 1);
    if (!copy)
        return SQLITE_NOMEM;
    memcpy (copy, word, (size_t) size);
    copy [size] = '\0';
    item->words [item->count++] = (s_word_t) {
        copy, (size_t) size, stele_tokenizer_run_characters (word, (size_t) size)
    };
    return SQLITE_OK;
}

static void
s_add_item (stele_match_t *self, const char *text, size_t size, bool quoted)
{
    if (self->count == STELE_MATCH_ITEMS)
        return;
    while (!quoted && size > 0 && text [size - 1] == '*')
        size--;
    s_item_t *item = &self->items [self->count];
    item->quoted = quoted;
    item->raw = malloc (size + 1);
    if (!item->raw) {
        self->failed = true;
        return;
    }
    item->raw_size = size;
    for (size_t i = 0; i < size; i++)
        item->raw [i] = stele_match_lower (text [i]);
    item->raw [size] = '\0';
    s_tokenize (self, FTS5_TOKENIZE_DOCUMENT, text, size, s_add_word, item);
    //  Ignore items of punctuation only: "foo - bar" is foo and bar
    if (item->count > 0)
        self->count++;
    else
        free (item->raw);
}

static bool
s_is_space (char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == '\0';
}

static void
s_parse (stele_match_t *self, const char *text, size_t size)
{
    size_t i = 0;
    while (i < size) {
        size_t start = i;
        if (s_is_space (text [i])) {
            i++;
            continue;
        }
        if (text [i] == '"') {
            const char *end = memchr (text + i + 1, '"', size - i - 1);
            size_t length = end? (size_t) (end - text) - i - 1: size - i - 1;
            s_add_item (self, text + i + 1, length, true);
            i += length + 2;
            continue;
        }
        while (i < size && !s_is_space (text [i]) && text [i] != '"')
            i++;
        s_add_item (self, text + start, i - start, false);
    }
}

//  Does any word match that begins with this one? In a run there is no end of a word.
static bool
s_is_prefix (const s_item_t *item, size_t number)
{
    return number + 1 == item->count && ((!item->quoted && !item->overlong) || item->words [number].run == 1);
}

//  The last character of a run is also in the pair before it
static bool
s_is_implied (const s_item_t *item, size_t number)
{
    return number > 0 && item->words [number].run == 1 && item->words [number - 1].run == 2;
}

//  -- the FTS5 expression ----------------------------------------------------------------

static int
s_is_one_word (void *arg, int flags, const char *word, int size, int start, int end)
{
    s_word_t *expected = arg;
    (void) flags;
    (void) start;
    (void) end;
    //  At a second word the size is 0 already: not equal
    bool same = expected->size == (size_t) size && memcmp (expected->text, word, (size_t) size) == 0;
    expected->size = same? 0: SIZE_MAX;
    return SQLITE_OK;
}

//  FTS5 tokenizes the words of an expression again: that must give the same word
static bool
s_is_plain (stele_match_t *self, const s_word_t *word)
{
    s_word_t expected = *word;
    if (memchr (word->text, '\0', word->size) || memchr (word->text, '"', word->size))
        return false;
    s_tokenize (self, FTS5_TOKENIZE_QUERY, word->text, word->size, s_is_one_word, &expected);
    return expected.size == 0;
}

static void
s_express (stele_match_t *self)
{
    sqlite3_str *text = sqlite3_str_new (NULL);
    for (size_t i = 0; i < self->count; i++) {
        const s_item_t *item = &self->items [i];
        for (size_t j = 0; j < item->count; j++) {
            bool is_prefix = s_is_prefix (item, j);
            //  A prefix of a letter or two is found sooner without the index
            if (s_is_implied (item, j) || (is_prefix && item->words [j].size < PREFIX_MIN))
                continue;
            if (s_is_plain (self, &item->words [j]))
                sqlite3_str_appendf (text, "%s\"%s\"%s", sqlite3_str_length (text)? " AND ": "",
                    item->words [j].text, is_prefix? " *": "");
        }
    }
    if (sqlite3_str_errcode (text) == SQLITE_NOMEM)
        self->failed = true;
    self->expression = sqlite3_str_finish (text);
}

stele_match_t *
stele_match_new (sqlite3 *db, const char *text, size_t size, int *code)
{
    *code = STELE_ENO_MEMORY;
    stele_match_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->id = malloc (STELE_LIMIT_ID + 1);
    int rc;
    self->tokenizer = stele_tokenizer_new (db, &rc);
    if (!self->tokenizer) {
        *code = rc == SQLITE_NOMEM? STELE_ENO_MEMORY: STELE_EUNAVAILABLE;
        stele_match_destroy (&self);
        return NULL;
    }
    s_parse (self, text, size);
    s_express (self);
    if (!self->id || self->failed) {
        *code = STELE_ENO_MEMORY;
        stele_match_destroy (&self);
    }
    return self;
}

void
stele_match_destroy (stele_match_t **self_p)
{
    assert (self_p);
    stele_match_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        for (size_t j = 0; j < self->items [i].count; j++)
            free (self->items [i].words [j].text);
        free (self->items [i].raw);
    }
    stele_tokenizer_destroy (&self->tokenizer);
    sqlite3_free (self->expression);
    free (self->id);
    free (self);
    *self_p = NULL;
}

bool
stele_match_failed (const stele_match_t *self)
{
    return self->failed;
}

bool
stele_match_is_empty (const stele_match_t *self)
{
    return self->count == 0;
}

const char *
stele_match_expression (const stele_match_t *self)
{
    return self->expression;
}

//  -- matching a task ---------------------------------------------------------------------

static bool
s_is_at (const s_item_t *item, size_t number, const char *word, size_t size)
{
    const s_word_t *wanted = &item->words [number];
    return (s_is_prefix (item, number)? size >= wanted->size: size == wanted->size)
        && memcmp (word, wanted->text, wanted->size) == 0;
}

static int
s_see_word (void *arg, int flags, const char *word, int size, int start, int end)
{
    stele_match_t *self = arg;
    (void) flags;
    (void) start;
    (void) end;
    bool open = false;
    for (size_t i = 0; i < self->count; i++) {
        s_item_t *item = &self->items [i];
        if (item->matched)
            continue;
        uint32_t run = 0;
        uint32_t before = item->run << 1 | 1;
        for (size_t j = 0; j < item->count; j++)
            if ((before & (uint32_t) 1 << j) && s_is_at (item, j, word, (size_t) size))
                run |= (uint32_t) 1 << j;
        item->run = run;
        item->matched = run & (uint32_t) 1 << (item->count - 1);
        open = open || !item->matched;
    }
    return open? SQLITE_OK: SQLITE_DONE;
}

static bool
s_item_in_id (const s_item_t *item, const char *lower, size_t size)
{
    if (item->raw_size < ID_MIN)
        return item->raw_size == size && memcmp (lower, item->raw, size) == 0;
    return size >= item->raw_size && memmem (lower, size, item->raw, item->raw_size) != NULL;
}

static const char *
s_lower (const stele_match_t *self, const char *id, size_t size)
{
    for (size_t i = 0; i < size; i++)
        self->id [i] = stele_match_lower (id [i]);
    return self->id;
}

bool
stele_match_passes (stele_match_t *self, const stele_record_t *task)
{
    static const stele_field_t fields [] = { STELE_TITLE, STELE_LAST_ERROR, STELE_DESCRIPTION };
    const stele_value_t *id = &task->values [STELE_TASK_ID];
    const char *lower = s_lower (self, id->text, id->size);
    size_t left = 0;
    for (size_t i = 0; i < self->count; i++) {
        self->items [i].matched = s_item_in_id (&self->items [i], lower, id->size);
        left += !self->items [i].matched;
    }
    for (size_t field = 0; field < 3 && left > 0; field++) {
        if (!stele_record_has (task, fields [field]))
            continue;
        for (size_t i = 0; i < self->count; i++)
            self->items [i].run = 0;
        const stele_value_t *text = &task->values [fields [field]];
        s_tokenize (self, FTS5_TOKENIZE_DOCUMENT, text->text, text->size, s_see_word, self);
        left = 0;
        for (size_t i = 0; i < self->count; i++)
            left += !self->items [i].matched;
    }
    return self->count > 0 && left == 0;
}

const char *
stele_match_part (const stele_match_t *self, size_t number, size_t *size)
{
    if (number >= self->count)
        return NULL;
    const s_item_t *item = &self->items [number];
    *size = item->raw_size >= ID_MIN? item->raw_size: 0;
    return item->raw;
}

char
stele_match_lower (char byte)
{
    return byte >= 'A' && byte <= 'Z'? (char) (byte + 'a' - 'A'): byte;
}

bool
stele_match_is_hex (const stele_match_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        const s_item_t *item = &self->items [i];
        if (item->raw_size >= ID_MIN && strspn (item->raw, "0123456789abcdef-") == item->raw_size)
            return true;
    }
    return false;
}
