/*  text_index - the full-text index of tasks: a follower of the log with its own file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "sqlite/filter/match.h"
#include "sqlite/filter/text_changes.h"
#include "sqlite/filter/tokenizer.h"
#include "sqlite/sql/sql.h"
#include "ledger/text_index.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/sql/side_file.h"

//  Events per transaction. With 4,096 a third more bytes are written: FTS5 has more segments to merge.
#define PORTION STELE_SEARCH_PORTION
//  At most so many tasks, and bytes of their texts, per read of the ledger: a read pins its write-ahead log
#define READ_TASKS 64
#define READ_BYTES (1024 * 1024)

static const char s_schema [] =
    //  rowid: the position of the event that gave the task its text, to find the newest first
    "CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', detail = none, columnsize = 0,"
    " tokenize = '" STELE_TOKENIZER "');"
    //  See packed_ids.h
    "CREATE TABLE ids (first INTEGER NOT NULL, size INTEGER NOT NULL, keys BLOB NOT NULL,"
    " ids BLOB NOT NULL, PRIMARY KEY (first, size)) STRICT, WITHOUT ROWID;";

typedef struct {
    char *data;
    size_t size, room;
} s_bytes_t;

//  Ids of one size in this portion
typedef struct {
    int size;                       // Of an id in bytes, 0: text
    s_bytes_t keys, ids;
} s_ids_t;

#define KINDS 4

//  The text of one task
typedef struct {
    int64_t position;
    size_t start, end;              // In self->text
} s_text_t;

struct stele_text_index {
    sqlite3 *db;
    stele_reader_t *reader;
    sqlite3_stmt *insert;
    sqlite3_stmt *insert_ids;
    sqlite3_stmt *move;
    int64_t position;
    char error [256];
    char *path;                     // Of the ledger
    const char *fault;              // Of the file that was there at the open; NULL: none
    bool damaged;
    bool out_of_memory;
    s_bytes_t text;                 // Of the tasks of one read
    s_text_t texts [READ_TASKS];
    size_t text_count;
    s_ids_t ids [KINDS];
};

static int
s_fail (stele_text_index_t *self)
{
    snprintf (self->error, sizeof self->error, "%s", sqlite3_errmsg (self->db));
    return stele_sql_code (sqlite3_errcode (self->db));
}

static void
s_append (stele_text_index_t *self, s_bytes_t *bytes, const void *data, size_t size)
{
    if (self->out_of_memory)
        return;
    char *grown = stele_array_grow (bytes->data, &bytes->room, bytes->size + size, 1);
    if (!grown) {
        self->out_of_memory = true;
        return;
    }
    bytes->data = grown;
    if (size > 0)
        memcpy (bytes->data + bytes->size, data, size);
    bytes->size += size;
}

//  -- open, close -----------------------------------------------------------------------

static int
s_open (stele_text_index_t *self)
{
    int code = stele_side_open (self->path, STELE_SEARCH_SUFFIX, &self->db);
    if (code == 0)
        code = stele_sql_code (stele_tokenizer_register (self->db));
    return code? s_fail (self): 0;
}

static int
s_make (stele_text_index_t *self)
{
    self->position = 0;
    return stele_side_make (self->db, STELE_SEARCH_VERSION, stele_reader_ledger_id (self->reader), s_schema)?
        s_fail (self): 0;
}

static int
s_prepare (stele_text_index_t *self)
{
    self->insert = stele_sql_prepare (self->db, "INSERT INTO texts (rowid, text) VALUES (?1, ?2)");
    self->insert_ids = stele_sql_prepare (self->db,
        "INSERT OR REPLACE INTO ids (first, size, keys, ids) VALUES (?1, ?2, ?3, ?4)");
    self->move = stele_sql_prepare (self->db, "UPDATE meta SET value = ?1 WHERE key = 'position'");
    return self->insert && self->insert_ids && self->move? 0: s_fail (self);
}

stele_text_index_t *
stele_text_index_open (const char *path, stele_reader_t *reader, stele_refusal_t *refusal)
{
    static const int sizes [KINDS] = { 0, 16, 20, 32 };
    stele_text_index_t *self = calloc (1, sizeof *self);
    if (self)
        self->path = strdup (path);
    if (!self || !self->path) {
        free (self);
        stele_refuse (refusal, STELE_ENO_MEMORY, "ledger", "out of memory");
        return NULL;
    }
    self->reader = reader;
    for (int i = 0; i < KINDS; i++)
        self->ids [i].size = sizes [i];
    int code = s_open (self);
    self->fault = code? "is not usable": stele_side_fault (self->db, STELE_SEARCH_VERSION,
        stele_reader_ledger_id (reader), stele_reader_head (reader), &self->position);
    if (self->fault) {
        sqlite3_close (self->db);
        self->db = NULL;
        stele_side_unlink (path, STELE_SEARCH_SUFFIX);
        code = s_open (self);
        if (code == 0)
            code = s_make (self);
    }
    if (code == 0)
        code = s_prepare (self);
    if (code) {
        stele_refuse (refusal, code, "ledger", "cannot open the text index %s" STELE_SEARCH_SUFFIX ": %s",
            path, self->error);
        stele_text_index_close (&self);
    }
    return self;
}

void
stele_text_index_close (stele_text_index_t **self_p)
{
    assert (self_p);
    stele_text_index_t *self = *self_p;
    if (!self)
        return;
    sqlite3_finalize (self->insert);
    sqlite3_finalize (self->insert_ids);
    sqlite3_finalize (self->move);
    sqlite3_close (self->db);
    if (self->damaged)
        stele_side_unlink (self->path, STELE_SEARCH_SUFFIX);
    free (self->path);
    for (int i = 0; i < KINDS; i++) {
        free (self->ids [i].keys.data);
        free (self->ids [i].ids.data);
    }
    free (self->text.data);
    free (self);
    *self_p = NULL;
}

int64_t
stele_text_index_position (const stele_text_index_t *self)
{
    return self->position;
}

const char *
stele_text_index_fault (const stele_text_index_t *self)
{
    return self->fault;
}

const char *
stele_text_index_error (const stele_text_index_t *self)
{
    return self->error;
}

//  -- indexing a portion ------------------------------------------------------------------

static void
s_read_text (stele_text_index_t *self, int64_t position)
{
    static const stele_field_t fields [] = { STELE_TITLE, STELE_DESCRIPTION, STELE_LAST_ERROR };
    s_text_t *text = &self->texts [self->text_count++];
    *text = (s_text_t) { .position = position, .start = self->text.size };
    for (size_t i = 0; i < 3; i++) {
        const stele_value_t *value = &self->reader->row->values [fields [i]];
        if (!stele_record_has (self->reader->row, fields [i]))
            continue;
        s_append (self, &self->text, "\n", 1);
        s_append (self, &self->text, value->text, value->size);
    }
    text->end = self->text.size;
}

static void
s_add_id (stele_text_index_t *self, int64_t key)
{
    const stele_value_t *id = &self->reader->row->values [STELE_TASK_ID];
    unsigned char bytes [STELE_ID_BYTES];
    int size = (int) stele_id_pack (id->text, id->size, bytes);
    s_ids_t *ids = &self->ids [0];
    while (ids->size != size)
        ids++;
    uint32_t offset = (uint32_t) (key - self->position - 1);
    unsigned char little [4] = {
        (unsigned char) offset, (unsigned char) (offset >> 8),
        (unsigned char) (offset >> 16), (unsigned char) (offset >> 24)
    };
    s_append (self, &ids->keys, little, 4);
    if (size == 0) {
        //  In lower case, as the parts that are searched for
        char lower [STELE_LIMIT_ID];
        unsigned char length = (unsigned char) id->size;
        for (size_t i = 0; i < id->size; i++)
            lower [i] = stele_match_lower (id->text [i]);
        s_append (self, &ids->ids, &length, 1);
        s_append (self, &ids->ids, lower, id->size);
    }
    else
        s_append (self, &ids->ids, bytes, (size_t) size);
}

static int
s_write_ids (stele_text_index_t *self)
{
    int code = self->out_of_memory? STELE_ENO_MEMORY: 0;
    for (int i = 0; i < KINDS; i++) {
        s_ids_t *ids = &self->ids [i];
        if (code == 0 && ids->keys.size > 0) {
            sqlite3_bind_int64 (self->insert_ids, 1, self->position + 1);
            sqlite3_bind_int (self->insert_ids, 2, ids->size);
            sqlite3_bind_blob (self->insert_ids, 3, ids->keys.data, (int) ids->keys.size, SQLITE_STATIC);
            sqlite3_bind_blob (self->insert_ids, 4, ids->ids.data, (int) ids->ids.size, SQLITE_STATIC);
            code = stele_sql_run (self->insert_ids);
        }
        ids->keys.size = ids->ids.size = 0;
    }
    return code;
}

//  Read the next tasks, each with its current text: a later change comes with a later event.
//  Returns how many, or an error.
static int64_t
s_read_tasks (stele_text_index_t *self, const reader_text_change_t *texts, size_t count)
{
    stele_reader_t *reader = self->reader;
    self->text.size = 0;
    self->text_count = 0;
    int code = reader_enter (reader);
    if (code)
        return code;
    size_t i = 0;
    while (i < count && i < READ_TASKS && self->text.size < READ_BYTES && reader->status == 0) {
        const reader_text_change_t *text = &texts [i++];
        stele_record_clear (reader->row);
        if (reader_task_row (reader, text->task, false) != 1)
            continue;
        if (text->is_new)
            s_add_id (self, text->task);
        if (text->position)
            s_read_text (self, text->position);
    }
    code = (int) reader_leave (reader, 0);
    return code? code: self->out_of_memory? STELE_ENO_MEMORY: (int64_t) i;
}

//  Apart from the read, since it takes longer: the write-ahead log is not pinned meanwhile
static int
s_write_texts (stele_text_index_t *self)
{
    int code = 0;
    for (size_t i = 0; i < self->text_count && code == 0; i++) {
        const s_text_t *text = &self->texts [i];
        sqlite3_bind_int64 (self->insert, 1, text->position);
        sqlite3_bind_text (self->insert, 2, self->text.data? self->text.data + text->start: "",
            (int) (text->end - text->start), SQLITE_STATIC);
        code = stele_sql_run (self->insert);
    }
    return code;
}

//  Index the events up to 'last', each task once
static int
s_index (stele_text_index_t *self, int64_t last)
{
    reader_text_changes_t changes = { NULL, 0, 0 };
    int code = reader_enter (self->reader);
    if (code)
        return code;
    reader_text_changes (self->reader, self->position, last, &changes);
    code = (int) reader_leave (self->reader, 0);
    size_t done = 0;
    while (done < changes.count && code == 0) {
        int64_t count = s_read_tasks (self, changes.items + done, changes.count - done);
        code = count < 0? (int) count: s_write_texts (self);
        done += count < 0? 0: (size_t) count;
    }
    free (changes.items);
    return code? code: s_write_ids (self);
}

int64_t
stele_text_index_follow (stele_text_index_t *self, int64_t head)
{
    int64_t count = head - self->position;
    if (count < STELE_SEARCH_LAG)
        return 0;
    if (count > PORTION)
        count = PORTION;
    int code = stele_sql_exec (self->db, "BEGIN IMMEDIATE");
    if (code == 0)
        code = s_index (self, self->position + count);
    if (code == 0) {
        sqlite3_bind_int64 (self->move, 1, self->position + count);
        code = stele_sql_run (self->move);
    }
    if (code == 0)
        code = stele_sql_exec (self->db, "COMMIT");
    if (code) {
        s_fail (self);
        if (code == STELE_ENO_MEMORY)
            snprintf (self->error, sizeof self->error, "out of memory");
        self->damaged = code == STELE_ELEDGER;
        if (!sqlite3_get_autocommit (self->db))
            stele_sql_exec (self->db, "ROLLBACK");
        return code;
    }
    self->position += count;
    return count;
}
