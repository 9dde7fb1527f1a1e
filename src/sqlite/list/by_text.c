/*  by_text - the candidates of a text search

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include "ledger/text_index.h"
#include "sqlite/list/by_text.h"
#include "sqlite/filter/text_changes.h"
#include "sqlite/search/packed_ids.h"
#include "sqlite/filter/tokenizer.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/wal/shm_vfs.h"

#define CANDIDATES_MAX 40000
#define IDS_MAX 2000000             // Searched for a part of an id, the newest first

//  -- the index ------------------------------------------------------------------------

//  Out of memory is an error: an index that is there but was not read must not look like none
static void
s_failed (stele_reader_t *self, int rc)
{
    if (rc == SQLITE_NOMEM)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
}

//  A statement on the connection to the index; NULL: there is no index (yet), or it cannot be read
static sqlite3_stmt *
s_prepare (stele_reader_t *self, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (!self->search) {
        char *name = sqlite3_mprintf ("%s" STELE_SEARCH_SUFFIX, self->path);
        int rc = !name? SQLITE_NOMEM: sqlite3_open_v2 (name, &self->search,
            SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, stele_shm_vfs ());
        sqlite3_free (name);
        if (rc == SQLITE_OK)
            rc = stele_tokenizer_register (self->search);
        if (rc != SQLITE_OK) {
            sqlite3_close (self->search);
            self->search = NULL;
            s_failed (self, rc);
            return NULL;
        }
        sqlite3_db_config (self->search, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        reader_watch (self, self->search);
        sqlite3_exec (self->search, "PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0;"
            "PRAGMA cache_size = -16384;", NULL, NULL, NULL);
    }
    s_failed (self, sqlite3_prepare_v2 (self->search, sql, -1, &statement, NULL));
    return statement;
}

//  The position up to which it is complete; 0: there is no index, or it is of another version or ledger
static int64_t
s_indexed (stele_reader_t *self)
{
    int64_t position = 0;
    sqlite3_stmt *statement = s_prepare (self, "SELECT p.value FROM meta p, meta l"
        " WHERE p.key = 'position' AND l.key = 'ledger_id' AND l.value = ?1"
        " AND (SELECT user_version FROM pragma_user_version) = ?2");
    if (statement) {
        sqlite3_bind_text (statement, 1, self->ledger_id, -1, SQLITE_STATIC);
        sqlite3_bind_int (statement, 2, STELE_SEARCH_VERSION);
        if (sqlite3_step (statement) == SQLITE_ROW)
            position = sqlite3_column_int64 (statement, 0);
    }
    sqlite3_finalize (statement);
    return position;
}

//  By their words. False: too many, or the index cannot determine it.
static bool
s_add_by_words (reader_page_t *page, reader_keys_t *keys)
{
    stele_reader_t *self = page->reader;
    const char *expression = stele_match_expression (page->filter.match);
    if (!expression)
        return false;
    sqlite3_stmt *statement = s_prepare (self,
        "SELECT rowid FROM texts WHERE texts MATCH ?1 ORDER BY rowid DESC LIMIT ?2");
    if (!statement)
        return false;
    sqlite3_bind_text (statement, 1, expression, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (statement, 2, CANDIDATES_MAX + 1);
    reader_keys_t positions = { NULL, 0, 0 };
    int rc;
    while ((rc = sqlite3_step (statement)) == SQLITE_ROW)
        reader_keys_add (self, &positions, sqlite3_column_int64 (statement, 0));
    sqlite3_finalize (statement);
    bool few = rc == SQLITE_DONE && positions.count <= CANDIDATES_MAX;
    for (size_t i = 0; few && i < positions.count; i++) {
        sqlite3_stmt *owner = reader_with_key (self, SLOT_OWNER,
            "SELECT position - task_back FROM task_history WHERE position = ?1", positions.keys [i]);
        //  The index may be ahead of the snapshot of this call
        if (reader_step (self, owner) == 1)
            reader_keys_add (self, keys, sqlite3_column_int64 (owner, 0));
    }
    reader_keys_free (&positions);
    return few;
}

//  By parts of their ids. False: too many, or the index cannot determine it.
static bool
s_add_by_ids (reader_page_t *page, reader_keys_t *keys)
{
    stele_match_t *match = page->filter.match;
    reader_packed_ids_t ids = { .reader = page->reader, .match = match };
    size_t before = keys->count;
    int rc = SQLITE_ERROR;
    sqlite3_stmt *statement = s_prepare (page->reader,
        "SELECT " READER_PACKED_IDS_COLUMNS " FROM ids WHERE size = 0 OR ?1 ORDER BY first DESC");
    if (statement)
        sqlite3_bind_int (statement, 1, stele_match_is_hex (match));
    while (statement && (rc = sqlite3_step (statement)) == SQLITE_ROW
    &&  keys->count - before <= CANDIDATES_MAX) {
        if (reader_packed_ids_search (&ids, statement, keys))
            break;
        if (ids.count > IDS_MAX) {
            page->partial = true;
            break;
        }
    }
    sqlite3_finalize (statement);
    reader_packed_ids_close (&ids);
    return (rc == SQLITE_DONE || page->partial) && keys->count - before <= CANDIDATES_MAX;
}

//  -- the candidates -------------------------------------------------------------------

static void
s_add_tail (reader_page_t *page, int64_t indexed, reader_keys_t *keys)
{
    reader_text_changes_t changes = { NULL, 0, 0 };
    if (indexed < page->head - STELE_SEARCH_TAIL) {
        //  The index is being built, or too slow: the part between is not searched
        page->partial = true;
        indexed = page->head - STELE_SEARCH_TAIL;
        //  It may have been rebuilt in another file
        reader_search_close (page->reader);
    }
    reader_text_changes (page->reader, indexed, page->head, &changes);
    //  Reading them must not keep the page from the matches that the index knows
    page->units += (int64_t) changes.count * READER_TEXT_UNITS;
    for (size_t i = 0; i < changes.count; i++)
        reader_keys_add (page->reader, keys, changes.items [i].task);
    free (changes.items);
}

int64_t
reader_page_indexed (reader_page_t *page)
{
    return s_indexed (page->reader);
}

bool
reader_page_candidates (reader_page_t *page, reader_keys_t *keys)
{
    stele_reader_t *self = page->reader;
    bool few = true;
    int64_t indexed = s_indexed (self);
    page->indexed = indexed;
    s_add_tail (page, indexed, keys);
    if (indexed > 0)
        few = s_add_by_words (page, keys) && s_add_by_ids (page, keys);
    if (!few || self->status) {
        reader_keys_free (keys);
        page->partial = false;
        return false;
    }
    reader_keys_sort (keys);
    return true;
}
