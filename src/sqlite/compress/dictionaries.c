/*  dictionaries - what the texts of a ledger have in common

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zdict.h>
#include <zstd.h>
#include "stele_error.h"
#include "sqlite/compress/dictionaries.h"
#include "sqlite/sql/sql.h"

#define DICTIONARY_SIZE 32768
#define SAMPLES_SIZE (256 * 1024)
#define SAMPLES_MAX 4096
#define SAMPLE_MAX 1024                 // Of one text
#define COUNT_MAX 6                     // The last one is made of a sample of 16^5
#define STEP 16

//  One that a frame named
typedef struct s_known {
    struct s_known *next;
    unsigned id;
    ZSTD_DDict *expander;
} s_known_t;

struct stele_dictionaries {
    sqlite3 *db;
    sqlite3_stmt *find;
    s_known_t *known;
    //  The writer's
    bool looked;                    // For what the ledger has
    unsigned newest_id;             // 0: there is none
    void *newest_data;
    size_t newest_size;
    stele_compressor_t *compressor; // Of the newest
    uint64_t every;                 // One text in so many is a sample
    uint64_t seen;
    char *samples;                  // NULL until the first
    size_t *sizes;
    size_t count, used;
};

stele_dictionaries_t *
stele_dictionaries_new (sqlite3 *db)
{
    stele_dictionaries_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->db = db;
    self->every = 1;
    return self;
}

static void
s_drop_samples (stele_dictionaries_t *self)
{
    free (self->samples);
    free (self->sizes);
    self->samples = NULL;
    self->sizes = NULL;
    self->count = self->used = 0;
}

void
stele_dictionaries_destroy (stele_dictionaries_t **self_p)
{
    assert (self_p);
    stele_dictionaries_t *self = *self_p;
    if (!self)
        return;
    while (self->known) {
        s_known_t *known = self->known;
        self->known = known->next;
        ZSTD_freeDDict (known->expander);
        free (known);
    }
    stele_compressor_destroy (&self->compressor);
    free (self->newest_data);
    s_drop_samples (self);
    sqlite3_finalize (self->find);
    free (self);
    *self_p = NULL;
}

//  -- to compress with -------------------------------------------------------------

static void
s_use (stele_dictionaries_t *self, unsigned id, const void *data, size_t size)
{
    void *copy = data && size? malloc (size): NULL;
    stele_compressor_t *compressor = copy? stele_compressor_new (data, size): NULL;
    if (!compressor) {
        free (copy);
        return;
    }
    memcpy (copy, data, size);
    free (self->newest_data);
    stele_compressor_destroy (&self->compressor);
    self->newest_data = copy;
    self->newest_size = size;
    self->compressor = compressor;
    self->newest_id = id;
    for (self->every = 1; id > 0; id--)
        self->every *= STEP;
}

static void
s_look (stele_dictionaries_t *self)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db,
        "SELECT id, dictionary FROM dictionaries ORDER BY id DESC LIMIT 1");
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (self->db);
    if (rc == SQLITE_ROW)
        s_use (self, (unsigned) sqlite3_column_int (stmt, 0), sqlite3_column_blob (stmt, 1),
            (size_t) sqlite3_column_bytes (stmt, 1));
    sqlite3_finalize (stmt);
    //  It may have taken the batch with it that is open: no statement may follow as if it had not
    self->looked = rc == SQLITE_ROW || rc == SQLITE_DONE;
    if (!self->looked)
        stele_sql_bound (rc);
}

stele_compressor_t *
stele_dictionaries_compressor (stele_dictionaries_t *self)
{
    if (!self->looked && self->db)
        s_look (self);
    if (!self->compressor)
        self->compressor = stele_compressor_new (NULL, 0);
    return self->compressor;
}

unsigned
stele_dictionaries_newest (const stele_dictionaries_t *self, const void **data, size_t *size)
{
    *data = self->newest_data;
    *size = self->newest_size;
    return self->newest_id;
}

//  -- to expand with ---------------------------------------------------------------

const ZSTD_DDict *
stele_dictionaries_find (stele_dictionaries_t *self, unsigned id)
{
    for (s_known_t *known = self->known; known; known = known->next)
        if (known->id == id)
            return known->expander;
    if (!self->db)
        return NULL;
    if (!self->find)
        self->find = stele_sql_prepare (self->db, "SELECT dictionary FROM dictionaries WHERE id = ?1");
    if (!self->find) {
        stele_sql_bound (sqlite3_errcode (self->db));
        return NULL;
    }
    sqlite3_bind_int64 (self->find, 1, id);
    ZSTD_DDict *expander = NULL;
    int rc = sqlite3_step (self->find);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        stele_sql_bound (rc);       // As above
    if (rc == SQLITE_ROW)
        expander = ZSTD_createDDict (sqlite3_column_blob (self->find, 0),
            (size_t) sqlite3_column_bytes (self->find, 0));
    sqlite3_reset (self->find);
    if (!expander)
        return NULL;
    s_known_t *known = malloc (sizeof *known);
    if (!known) {
        ZSTD_freeDDict (expander);
        return NULL;
    }
    *known = (s_known_t) { self->known, id, expander };
    self->known = known;
    return expander;
}

//  -- to learn ---------------------------------------------------------------------

void
stele_dictionaries_sample (stele_dictionaries_t *self, const void *text, size_t size)
{
    if (!self->db || self->newest_id >= COUNT_MAX || stele_dictionaries_ready (self)
    ||  self->seen++ % self->every != 0)
        return;
    if (!self->samples) {
        self->samples = malloc (SAMPLES_SIZE);
        self->sizes = malloc (SAMPLES_MAX * sizeof *self->sizes);
        if (!self->samples || !self->sizes) {
            s_drop_samples (self);  // Then without this one
            return;
        }
    }
    size = size < SAMPLE_MAX? size: SAMPLE_MAX;
    memcpy (self->samples + self->used, text, size);
    self->sizes [self->count++] = size;
    self->used += size;
}

bool
stele_dictionaries_ready (const stele_dictionaries_t *self)
{
    return self->count == SAMPLES_MAX || self->used > SAMPLES_SIZE - SAMPLE_MAX;
}

static int
s_store (stele_dictionaries_t *self, unsigned id, const void *data, size_t size)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db,
        "INSERT INTO dictionaries (id, dictionary) VALUES (?1, ?2)");
    if (!stmt)
        return STELE_EINTERNAL;
    sqlite3_bind_int64 (stmt, 1, id);
    sqlite3_bind_blob (stmt, 2, data, (int) size, SQLITE_STATIC);
    int code = stele_sql_run (stmt);
    sqlite3_finalize (stmt);
    return code;
}

int
stele_dictionaries_learn (stele_dictionaries_t *self)
{
    unsigned char dictionary [DICTIONARY_SIZE];
    size_t size = ZDICT_trainFromBuffer (dictionary, sizeof dictionary,
        self->samples, self->sizes, (unsigned) self->count);
    s_drop_samples (self);
    //  A number of one byte, in the place that the format has for it (RFC 8878, section 6):
    //  each frame repeats it
    unsigned id = self->newest_id + 1;
    int code = 0;
    if (!ZDICT_isError (size)) {
        dictionary [4] = (unsigned char) id;
        memset (dictionary + 5, 0, 3);
        code = s_store (self, id, dictionary, size);
    }
    if (ZDICT_isError (size) || code)
        self->every *= STEP;            // Nothing in common, or no room: not again soon
    else
        s_use (self, id, dictionary, size);
    return code;
}
