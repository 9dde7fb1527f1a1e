/*  intern - replace repeated texts by their numbers in the table words

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1         // An entry without memory is not added, and has no table
#include <uthash.h>
#include "sqlite/sql/sql.h"
#include "sqlite/write/intern.h"
#include "stele_error.h"

#define CACHE_MAX 65536
#define CACHE_BYTES_MAX (8 << 20)

typedef struct {
    UT_hash_handle hh;
    int64_t number;                 // 0: seen once, no number yet
    char text [];
} s_word_t;

struct stele_intern {
    sqlite3_stmt *find;
    sqlite3_stmt *insert;
    s_word_t *cache;
    size_t cache_bytes;             // Of the texts
};

stele_intern_t *
stele_intern_new (sqlite3 *db)
{
    stele_intern_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->find = stele_sql_prepare (db, "SELECT id FROM words WHERE word = ?1");
    self->insert = stele_sql_prepare (db, "INSERT INTO words (word) VALUES (?1)");
    if (!self->find || !self->insert)
        stele_intern_destroy (&self);
    return self;
}

void
stele_intern_destroy (stele_intern_t **self_p)
{
    assert (self_p);
    stele_intern_t *self = *self_p;
    if (!self)
        return;
    stele_intern_forget (self);
    sqlite3_finalize (self->find);
    sqlite3_finalize (self->insert);
    free (self);
    *self_p = NULL;
}

//  Sets *number to 0 if there is no such word.
static int
s_find (stele_intern_t *self, const char *text, size_t size, int64_t *number)
{
    *number = 0;
    sqlite3_bind_text (self->find, 1, text, (int) size, SQLITE_STATIC);
    int rc = sqlite3_step (self->find);
    if (rc == SQLITE_ROW)
        *number = sqlite3_column_int64 (self->find, 0);
    sqlite3_reset (self->find);
    return rc == SQLITE_ROW || rc == SQLITE_DONE? 0: stele_sql_code (rc);
}

static int
s_find_or_insert (stele_intern_t *self, const char *text, size_t size, int64_t *number)
{
    int code = s_find (self, text, size, number);
    if (code || *number)
        return code;
    sqlite3_bind_text (self->insert, 1, text, (int) size, SQLITE_STATIC);
    code = stele_sql_run (self->insert);
    if (code == 0)
        *number = sqlite3_last_insert_rowid (sqlite3_db_handle (self->insert));
    return code;
}

static int
s_remember (stele_intern_t *self, const char *text, size_t size, int64_t number)
{
    if (HASH_COUNT (self->cache) >= CACHE_MAX || self->cache_bytes + size > CACHE_BYTES_MAX)
        stele_intern_forget (self);
    s_word_t *word = malloc (sizeof *word + size);
    if (!word)
        return STELE_ENO_MEMORY;
    memcpy (word->text, text, size);
    word->number = number;
    HASH_ADD_KEYPTR (hh, self->cache, word->text, size, word);
    if (!word->hh.tbl) {
        free (word);
        return STELE_ENO_MEMORY;
    }
    self->cache_bytes += size;
    return 0;
}

int
stele_intern_number (stele_intern_t *self, const char *text, size_t size, int64_t *number)
{
    s_word_t *word;
    HASH_FIND (hh, self->cache, text, size, word);
    if (word && word->number) {
        *number = word->number;
        return 0;
    }
    int64_t found = 0;
    int code = s_find_or_insert (self, text, size, &found);
    if (code == 0 && word)
        word->number = found;
    else
    if (code == 0)
        code = s_remember (self, text, size, found);
    *number = code? 0: found;
    return code;
}

int
stele_intern_repeated (stele_intern_t *self, const char *text, size_t size, int64_t *number)
{
    s_word_t *word;
    HASH_FIND (hh, self->cache, text, size, word);
    if (word)
        return stele_intern_number (self, text, size, number);
    *number = 0;
    return s_remember (self, text, size, 0);
}

int
stele_intern_known (stele_intern_t *self, const char *text, size_t size, int64_t *number)
{
    s_word_t *word;
    HASH_FIND (hh, self->cache, text, size, word);
    *number = word? word->number: 0;
    int code = *number? 0: s_find (self, text, size, number);
    if (word)
        word->number = *number;
    else
    if (*number)
        code = s_remember (self, text, size, *number);
    return code;
}

int
stele_intern_value (stele_intern_t *self, const stele_value_t *value, int64_t *number)
{
    if (value->kind == STELE_VALUE_NONE) {
        *number = 0;
        return 0;
    }
    return stele_intern_number (self, value->size? value->text: "", value->size, number);
}

void
stele_intern_forget (stele_intern_t *self)
{
    s_word_t *word, *next;
    HASH_ITER (hh, self->cache, word, next) {
        HASH_DELETE (hh, self->cache, word);
        free (word);
    }
    self->cache_bytes = 0;
}
