/*  columns - fill the row from the columns of a statement, by a table

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sqlite/reader/reader_internal.h"

//  -- words ---------------------------------------------------------------------

const char *
reader_word (stele_reader_t *self, int64_t id, size_t *size)
{
    const char *word = reader_word_cache_find (self->words, id, size);
    if (word)
        return word;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_WORD,
        "SELECT word FROM words WHERE id = ?1", id);
    int rc = reader_step (self, statement);
    if (rc == 0)
        reader_fail (self, STELE_ELEDGER, "a row refers to a word that the ledger does not have");
    if (rc != 1)
        return NULL;
    const char *text = (const char *) sqlite3_column_text (statement, 0);
    *size = (size_t) sqlite3_column_bytes (statement, 0);
    word = text? reader_word_cache_add (&self->words, id, text, *size): NULL;
    sqlite3_reset (statement);
    if (!word)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    return word;
}

int64_t
reader_word_id (stele_reader_t *self, const char *word, size_t size)
{
    sqlite3_stmt *statement = reader_statement (self, SLOT_WORD_ID,
        "SELECT id FROM words WHERE word = ?1");
    reader_bind_text (statement, 1, word, size);
    return reader_integer (self, statement, 0);
}

void
reader_default_text (stele_reader_t *self, stele_field_t field, const char *text)
{
    if (!stele_record_has (self->row, field))
        stele_record_set_text (self->row, field, text, strlen (text));
}

//  -- columns -------------------------------------------------------------------

//  The column must not be NULL
static const char *
s_text (stele_reader_t *self, sqlite3_stmt *statement, int column, size_t *size)
{
    const char *text = (const char *) sqlite3_column_text (statement, column);
    *size = (size_t) sqlite3_column_bytes (statement, column);
    if (text)
        return text;
    *size = 0;
    reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    return "";
}

//  Text that may be compressed; expanded text is allocated in the arena of that record
static const char *
s_expanded_into (stele_reader_t *self, stele_record_t *record, sqlite3_stmt *statement, int column, size_t *size)
{
    const char *text = stele_content_column (self->content, statement, column, record, size);
    if (text)
        return text;
    *size = 0;
    if (stele_content_error (self->content) == STELE_ENO_MEMORY)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    else
        reader_fail (self, STELE_ELEDGER, "text in a row cannot be expanded: it is damaged");
    return "";
}

static const char *
s_expanded (stele_reader_t *self, sqlite3_stmt *statement, int column, size_t *size)
{
    return s_expanded_into (self, self->row, statement, column, size);
}

const char *
reader_column_text (stele_reader_t *self, sqlite3_stmt *statement, int column, size_t *size)
{
    *size = 0;
    stele_record_clear (self->text);
    return sqlite3_column_type (statement, column) == SQLITE_NULL? NULL:
        s_expanded_into (self, self->text, statement, column, size);
}

//  Fields that Stele does not know, as one object
static void
s_extra (stele_reader_t *self, sqlite3_stmt *statement, int column)
{
    size_t size;
    const char *text = s_expanded (self, statement, column, &size);
    self->row->extra = (stele_value_t) { .kind = STELE_VALUE_JSON, .size = (uint32_t) size, .text = text };
    if (self->status == 0 && *text != '{')
        reader_fail (self, STELE_ELEDGER, "the column 'extra' of a row is not a JSON object: it is damaged");
}

static void
s_id (stele_reader_t *self, sqlite3_stmt *statement, int column, stele_field_t field)
{
    size_t size;
    char *room = stele_record_alloc (self->row, STELE_ID_TEXT);
    const char *text = room? stele_id_column (statement, column, room, &size): NULL;
    if (text)
        stele_record_set_text (self->row, field, text, size);
    else
    if (!room || sqlite3_errcode (self->db) == SQLITE_NOMEM)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    else
        reader_fail (self, STELE_ELEDGER, "an id in a row is neither text nor a packed id");
}

static void
s_word (stele_reader_t *self, sqlite3_stmt *statement, int column, stele_field_t field)
{
    size_t size;
    //  Some columns of tasks have the text itself until it comes a second time
    const char *text = sqlite3_column_type (statement, column) == SQLITE_INTEGER?
        reader_word (self, sqlite3_column_int64 (statement, column), &size):
        s_expanded (self, statement, column, &size);
    if (text)
        stele_record_set_text (self->row, field, text, size);
}

static void
s_code (stele_reader_t *self, sqlite3_stmt *statement, int column, stele_field_t field,
    stele_vocabulary_t vocabulary)
{
    int code = sqlite3_column_int (statement, column);
    if (stele_vocabulary_word (vocabulary, code))
        stele_record_set_word (self->row, field, vocabulary, code);
    else
        reader_fail (self, STELE_ELEDGER, "a row has a code that is not in its vocabulary");
}

//  A number of any kind; numbers that neither INTEGER nor REAL can hold are stored as text
static void
s_number (stele_reader_t *self, sqlite3_stmt *statement, int column, stele_field_t field)
{
    stele_value_t *value = &self->row->values [field];
    int type = sqlite3_column_type (statement, column);
    if (type == SQLITE_INTEGER) {
        stele_record_set_integer (self->row, field, sqlite3_column_int64 (statement, column));
        return;
    }
    value->kind = STELE_VALUE_REAL;
    if (type == SQLITE_FLOAT) {
        value->real = sqlite3_column_double (statement, column);
        return;
    }
    size_t size;
    const char *text = s_text (self, statement, column, &size);
    if (strcmp (text, "NaN") == 0)
        value->real = NAN;
    else
    if (strcmp (text, "Infinity") == 0)
        value->real = INFINITY;
    else
    if (strcmp (text, "-Infinity") == 0)
        value->real = -INFINITY;
    else {
        value->kind = STELE_VALUE_UNSIGNED;
        value->natural = strtoull (text, NULL, 10);
    }
}

//  The column before it has the encoding
static void
s_content (stele_reader_t *self, sqlite3_stmt *statement, int column, stele_field_t field)
{
    bool is_text = sqlite3_column_type (statement, column) == SQLITE_TEXT;
    const void *data = is_text? (const void *) sqlite3_column_text (statement, column):
        sqlite3_column_blob (statement, column);
    size_t size = (size_t) sqlite3_column_bytes (statement, column);
    stele_encoding_t encoding = (stele_encoding_t) sqlite3_column_int (statement, column - 1);
    int code = (size || is_text) && !data? STELE_ENO_MEMORY:
        stele_content_unpack (self->content, encoding, is_text, data, size, self->row, field);
    if (code == STELE_ENO_MEMORY)
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
    else
    if (code)
        reader_fail (self, STELE_ELEDGER, "content in a row cannot be expanded: it is damaged");
}

static void
s_fill_one (stele_reader_t *self, sqlite3_stmt *statement, int column,
    stele_field_t field, reader_how_t how)
{
    size_t size;
    const char *text;
    switch (how) {
        case COLUMN_SKIP:
            break;
        case COLUMN_INTEGER:
            stele_record_set_integer (self->row, field, sqlite3_column_int64 (statement, column));
            break;
        case COLUMN_BOOL:
            stele_record_set_bool (self->row, field, sqlite3_column_int (statement, column) != 0);
            break;
        case COLUMN_TEXT:
            text = s_expanded (self, statement, column, &size);
            stele_record_set_text (self->row, field, text, size);
            break;
        case COLUMN_JSON:
            text = s_expanded (self, statement, column, &size);
            stele_record_set_json (self->row, field, text, size);
            break;
        case COLUMN_ID:
            s_id (self, statement, column, field);
            break;
        case COLUMN_EXTRA:
            s_extra (self, statement, column);
            break;
        case COLUMN_WORD:
            s_word (self, statement, column, field);
            break;
        case COLUMN_TASK_STATE:
            s_code (self, statement, column, field, STELE_VOCABULARY_TASK_STATE);
            break;
        case COLUMN_SESSION_STATE:
            s_code (self, statement, column, field, STELE_VOCABULARY_SESSION_STATE);
            break;
        case COLUMN_OUTPUT_TYPE:
            s_code (self, statement, column, field, STELE_VOCABULARY_OUTPUT_TYPE);
            break;
        case COLUMN_NUMBER:
            s_number (self, statement, column, field);
            break;
        case COLUMN_CONTENT:
            s_content (self, statement, column, field);
            break;
    }
}

int
reader_fill (stele_reader_t *self, sqlite3_stmt *statement, int first,
    const reader_column_t *columns, int count)
{
    for (int i = 0; i < count; i++)
        if (columns [i].how != COLUMN_SKIP
        &&  sqlite3_column_type (statement, first + i) != SQLITE_NULL)
            s_fill_one (self, statement, first + i, columns [i].field, columns [i].how);
    return self->status;
}
