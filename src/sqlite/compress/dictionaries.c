/*  dictionaries - zstd dictionaries, trained on the texts of the ledger

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
#define SAMPLE_MAX 1024                 // Bytes of one text
#define COUNT_MAX 6                     // Dictionaries per ledger
#define STEP 16                         // Each is made from so many times the texts of the one before

//  A dictionary that a frame has named
typedef struct s_known {
    struct s_known *next;
    unsigned id;
    ZSTD_DDict *expander;
} s_known_t;

struct stele_dictionaries {
    sqlite3 *db;
    sqlite3_stmt *find;
    s_known_t *known;
    //  For the writer only
    bool loaded;                    // The newest one of the ledger was looked up
    unsigned newest_id;             // 0: none
    void *newest_data;
    size_t newest_size;
    stele_compressor_t *compressor; // With the newest
    uint64_t every;                 // One of so many texts becomes a sample
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

//  -- compression ------------------------------------------------------------------

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
s_load (stele_dictionaries_t *self)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db,
        "SELECT id, dictionary FROM dictionaries ORDER BY id DESC LIMIT 1");
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (self->db);
    if (rc == SQLITE_ROW)
        s_use (self, (unsigned) sqlite3_column_int (stmt, 0), sqlite3_column_blob (stmt, 1),
            (size_t) sqlite3_column_bytes (stmt, 1));
    sqlite3_finalize (stmt);
    //  The error may have rolled back the open batch: make the next statement fail too
    self->loaded = rc == SQLITE_ROW || rc == SQLITE_DONE;
    if (!self->loaded)
        stele_sql_bound (rc);
}

stele_compressor_t *
stele_dictionaries_compressor (stele_dictionaries_t *self)
{
    if (!self->loaded && self->db)
        s_load (self);
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

//  -- decompression ----------------------------------------------------------------

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
        stele_sql_bound (rc);       // The batch may be rolled back, as above
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

//  -- training ---------------------------------------------------------------------

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
            s_drop_samples (self);  // No dictionary this time
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
    //  Give it a number of one byte (RFC 8878, section 6), since each frame repeats the number
    unsigned id = self->newest_id + 1;
    int code = 0;
    if (!ZDICT_isError (size)) {
        dictionary [4] = (unsigned char) id;
        memset (dictionary + 5, 0, 3);
        code = s_store (self, id, dictionary, size);
    }
    if (ZDICT_isError (size) || code)
        self->every *= STEP;            // Nothing in common, or the disk is full: wait longer
    else
        s_use (self, id, dictionary, size);
    return code;
}
