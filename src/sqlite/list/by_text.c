/*  by_text - the tasks that may be meant by a search

    Candidates come from the index (text_index.h): by their words, and by parts of
    their ids; and from the end of the log, which is not indexed yet. They are a
    little too many rather than one too few: each is looked at before it is
    handed out. Where they are a lot, looking at the tasks in the order of the
    list finds a page sooner than sorting them would.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // memmem
#include <stdlib.h>
#include <string.h>
#include "sqlite/read/match.h"
#include "sqlite/list/list.h"
#include "ledger/text_index.h"

#define CANDIDATES_MAX 8000
#define IDS_MAX 2000000             // Gone through for a part of an id, the newest first
#define TAIL_MAX 4096               // Events at the end of the log

//  -- which events gave tasks their texts --------------------------------------------

static int
s_by_task (const void *one, const void *other)
{
    const reader_text_t *a = one, *b = other;
    if (a->task != b->task)
        return a->task < b->task? -1: 1;
    return (a->position < b->position) - (a->position > b->position);
}

static int
s_by_position (const void *one, const void *other)
{
    const reader_text_t *a = one, *b = other;
    return (a->position > b->position) - (a->position < b->position);
}

static void
s_add_text (stele_reader_t *self, reader_texts_t *texts, int64_t task, int64_t position)
{
    if (texts->count == texts->room) {
        size_t room = texts->room? texts->room * 2: 256;
        reader_text_t *more = realloc (texts->texts, room * sizeof *more);
        if (!more) {
            reader_fail (self, STELE_ENO_MEMORY, "out of memory");
            return;
        }
        texts->texts = more;
        texts->room = room;
    }
    texts->texts [texts->count++] = (reader_text_t) { task, position, position == 0 };
}

//  Of each task the row with the last position remains
static void
s_unify (reader_texts_t *texts)
{
    if (texts->count == 0)
        return;
    qsort (texts->texts, texts->count, sizeof *texts->texts, s_by_task);
    size_t kept = 0;
    for (size_t i = 1; i < texts->count; i++) {
        if (texts->texts [i].task == texts->texts [kept].task)
            texts->texts [kept].born |= texts->texts [i].born;
        else
            texts->texts [++kept] = texts->texts [i];
    }
    texts->count = kept + 1;
    qsort (texts->texts, texts->count, sizeof *texts->texts, s_by_position);
}

int
reader_texts (stele_reader_t *self, int64_t after, int64_t last, reader_texts_t *texts)
{
    const stele_field_set_t searched = STELE_FIELD_BIT (STELE_TITLE) | STELE_FIELD_BIT (STELE_DESCRIPTION);
    sqlite3_stmt *statement = reader_with_key (self, SLOT_TEXTS,
        "SELECT position, position - task_back, kind, error_message IS NOT NULL, changes"
        " FROM task_history WHERE position > ?1 AND position <= ?2", after);
    if (statement)
        sqlite3_bind_int64 (statement, 2, last);
    while (reader_step (self, statement) == 1) {
        bool has_text = sqlite3_column_int (statement, 2) == 1 || sqlite3_column_int (statement, 3);
        if (!has_text) {
            size_t size;
            const char *changes = reader_text (self, statement, 4, &size);
            has_text = changes && (searched & reader_member_set (self, changes, size));
        }
        if (has_text)
            s_add_text (self, texts, sqlite3_column_int64 (statement, 1), sqlite3_column_int64 (statement, 0));
    }
    statement = reader_with_key (self, SLOT_BORN,
        "SELECT task FROM task_states WHERE task > ?1 AND task <= ?2", after);
    if (statement)
        sqlite3_bind_int64 (statement, 2, last);
    while (reader_step (self, statement) == 1)
        s_add_text (self, texts, sqlite3_column_int64 (statement, 0), 0);
    s_unify (texts);
    return self->status;
}

//  -- the index ------------------------------------------------------------------------

//  A statement on the index's own connection; NULL: there is no index (yet), or it cannot be read
static sqlite3_stmt *
s_prepare (stele_reader_t *self, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (!self->search) {
        char *name = sqlite3_mprintf ("%s" STELE_SEARCH_SUFFIX, self->path);
        int rc = !name? SQLITE_NOMEM: sqlite3_open_v2 (name, &self->search, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
        sqlite3_free (name);
        if (rc != SQLITE_OK) {
            sqlite3_close (self->search);
            self->search = NULL;
            return NULL;
        }
        sqlite3_db_config (self->search, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        reader_watch (self, self->search);
        sqlite3_exec (self->search, "PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0;"
            "PRAGMA cache_size = -16384;", NULL, NULL, NULL);
    }
    sqlite3_prepare_v2 (self->search, sql, -1, &statement, NULL);
    return statement;
}

void
reader_search_close (stele_reader_t *self)
{
    sqlite3_close (self->search);
    self->search = NULL;
}

//  How far it has come; 0 where there is none, or it is another ledger's
static int64_t
s_indexed (stele_reader_t *self)
{
    int64_t position = 0;
    sqlite3_stmt *statement = s_prepare (self, "SELECT p.value FROM meta p, meta l"
        " WHERE p.key = 'position' AND l.key = 'ledger_id' AND l.value = ?1");
    if (statement) {
        sqlite3_bind_text (statement, 1, self->ledger_id, -1, SQLITE_STATIC);
        if (sqlite3_step (statement) == SQLITE_ROW)
            position = sqlite3_column_int64 (statement, 0);
    }
    sqlite3_finalize (statement);
    return position;
}

//  By their words. False: they are too many, or it cannot be told.
static bool
s_add_by_words (reader_list_t *list, reader_keys_t *keys)
{
    stele_reader_t *self = list->reader;
    const char *expression = stele_match_expression (list->filter.match);
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
        //  The index may be ahead of what this call sees
        if (reader_step (self, owner) == 1)
            reader_keys_add (self, keys, sqlite3_column_int64 (owner, 0));
    }
    reader_keys_free (&positions);
    return few;
}

//  -- ids ------------------------------------------------------------------------------

//  A row of ids as text: where each begins is given by its number, or by the lengths
typedef struct {
    const unsigned char *keys;
    int64_t first;
    size_t count;
    int size;                       // Bytes of a packed id, 0: text
    const char *text;
    size_t text_size;
} s_block_t;

static char *
s_unpack (const s_block_t *block, const unsigned char *ids, char *room)
{
    static const char digits [] = "0123456789abcdef";
    char *to = room;
    for (size_t i = 0; i < block->count; i++) {
        for (int byte = 0; byte < block->size; byte++) {
            if (block->size == 16 && (byte == 4 || byte == 6 || byte == 8 || byte == 10))
                *to++ = '-';
            *to++ = digits [ids [byte] >> 4];
            *to++ = digits [ids [byte] & 15];
        }
        *to++ = '\0';
        ids += block->size;
    }
    return to;
}

//  The number of the id that has the byte at that offset
static size_t
s_number (const s_block_t *block, size_t offset)
{
    if (block->size)
        return offset / (size_t) (block->size * 2 + (block->size == 16? 5: 1));
    size_t number = 0;
    for (size_t end = 1 + (unsigned char) block->text [0]; end <= offset; number++)
        end += 1 + (unsigned char) block->text [end];
    return number;
}

static void
s_scan (stele_reader_t *self, const s_block_t *block, const char *part, size_t size,
    reader_keys_t *keys)
{
    const char *from = block->text, *end = block->text + block->text_size, *hit;
    while ((hit = memmem (from, (size_t) (end - from), part, size)) != NULL) {
        size_t number = s_number (block, (size_t) (hit - block->text));
        if (number < block->count) {
            const unsigned char *key = block->keys + number * 4;
            reader_keys_add (self, keys, block->first + ((int64_t) key [0] | (int64_t) key [1] << 8
                | (int64_t) key [2] << 16 | (int64_t) key [3] << 24));
        }
        from = hit + 1;
    }
}

//  By parts of their ids. False: they are too many, or it cannot be told.
static bool
s_add_by_ids (reader_list_t *list, reader_keys_t *keys)
{
    stele_match_t *match = list->filter.match;
    size_t before = keys->count, seen = 0;
    char *room = NULL;
    int rc = SQLITE_ERROR;
    sqlite3_stmt *statement = s_prepare (list->reader,
        "SELECT first, size, keys, ids FROM ids WHERE size = 0 OR ?1 ORDER BY first DESC");
    if (statement)
        sqlite3_bind_int (statement, 1, stele_match_is_hex (match));
    while (statement && (rc = sqlite3_step (statement)) == SQLITE_ROW
    &&  keys->count - before <= CANDIDATES_MAX) {
        s_block_t block = {
            .first = sqlite3_column_int64 (statement, 0), .size = sqlite3_column_int (statement, 1),
            .keys = sqlite3_column_blob (statement, 2),
            .count = (size_t) sqlite3_column_bytes (statement, 2) / 4
        };
        const unsigned char *ids = sqlite3_column_blob (statement, 3);
        size_t bytes = (size_t) sqlite3_column_bytes (statement, 3);
        block.text = (const char *) ids;
        block.text_size = bytes;
        if (block.size) {
            char *more = realloc (room, bytes * 3 + 1);
            if (!more) {
                reader_fail (list->reader, STELE_ENO_MEMORY, "out of memory");
                break;
            }
            room = more;
            block.text_size = (size_t) (s_unpack (&block, ids, room) - room);
            block.text = room;
        }
        const char *part;
        size_t size;
        for (size_t i = 0; (part = stele_match_part (match, i, &size)) != NULL; i++)
            if (size > 0)
                s_scan (list->reader, &block, part, size, keys);
        seen += block.count;
        if (seen > IDS_MAX) {
            list->partial = true;
            break;
        }
    }
    sqlite3_finalize (statement);
    free (room);
    return (rc == SQLITE_DONE || list->partial) && keys->count - before <= CANDIDATES_MAX;
}

//  -- the candidates -------------------------------------------------------------------

static void
s_add_tail (reader_list_t *list, int64_t indexed, reader_keys_t *keys)
{
    reader_texts_t texts = { NULL, 0, 0 };
    if (indexed < list->head - TAIL_MAX) {
        //  The index is being made: what lies between is not known yet
        list->partial = true;
        indexed = list->head - TAIL_MAX;
        //  It may have been made anew in another file
        reader_search_close (list->reader);
    }
    reader_texts (list->reader, indexed, list->head, &texts);
    for (size_t i = 0; i < texts.count; i++)
        reader_keys_add (list->reader, keys, texts.texts [i].task);
    free (texts.texts);
}

bool
reader_list_candidates (reader_list_t *list, reader_keys_t *keys)
{
    stele_reader_t *self = list->reader;
    bool few = true;
    s_add_tail (list, s_indexed (self), keys);
    if (s_indexed (self) > 0)
        few = s_add_by_words (list, keys) && s_add_by_ids (list, keys);
    if (!few || self->status) {
        reader_keys_free (keys);
        list->partial = false;
        return false;
    }
    reader_keys_sort (keys);
    return true;
}
