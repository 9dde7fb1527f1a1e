/*  stele_sqlite - loadable extension of SQLite: compressed texts of a ledger

    For people who read a ledger with the sqlite3 shell or from a program:

        .load /usr/local/lib/stele/stele_sqlite
        SELECT stele_text (content, encoding) FROM task_outputs;
        SELECT stele_text (error_message) FROM task_history;

    stele_text (value) is the text of a column that holds a TEXT, or a zstd frame of it as a BLOB.
    stele_text (value, encoding) is for a column that also stores bytes: they stay a BLOB. The
    dictionaries are those of the open ledger. Nothing is written.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <sqlite3ext.h>
#include <stdbool.h>
#include <stdio.h>
#include <zstd.h>
#include "sqlite/compress/content.h"

SQLITE_EXTENSION_INIT1

__attribute__ ((visibility ("default"))) int
    sqlite3_stelesqlite_init (sqlite3 *db, char **error, const sqlite3_api_routines *api);

//  Expand a frame with a dictionary of the ledger; 0: none. Returns the size, or an error of zstd.
static size_t
s_expand (sqlite3_context *context, ZSTD_DCtx *expander, void *room, size_t whole, const void *frame, size_t size)
{
    unsigned id = ZSTD_getDictID_fromFrame (frame, size);
    if (id == 0)
        return ZSTD_decompressDCtx (expander, room, whole, frame, size);
    sqlite3_stmt *find = NULL;
    size_t expanded = (size_t) -1;  // An error of zstd
    int rc = sqlite3_prepare_v2 (sqlite3_context_db_handle (context),
        "SELECT dictionary FROM dictionaries WHERE id = ?1", -1, &find, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64 (find, 1, id);
        if (sqlite3_step (find) == SQLITE_ROW)
            expanded = ZSTD_decompress_usingDict (expander, room, whole, frame, size,
                sqlite3_column_blob (find, 0), (size_t) sqlite3_column_bytes (find, 0));
    }
    sqlite3_finalize (find);
    return expanded;
}

static void
s_result (sqlite3_context *context, const void *frame, size_t size, bool is_text)
{
    unsigned long long whole = size? ZSTD_getFrameContentSize (frame, size): ZSTD_CONTENTSIZE_ERROR;
    int limit = sqlite3_limit (sqlite3_context_db_handle (context), SQLITE_LIMIT_LENGTH, -1);
    if (whole == ZSTD_CONTENTSIZE_UNKNOWN || whole == ZSTD_CONTENTSIZE_ERROR || whole > (unsigned) limit) {
        sqlite3_result_error (context, "stele_text: the value is neither a text nor a frame of one", -1);
        return;
    }
    ZSTD_DCtx *expander = ZSTD_createDCtx ();
    void *room = sqlite3_malloc64 (whole + 1);
    if (!expander || !room) {
        sqlite3_free (room);
        sqlite3_result_error_nomem (context);
    }
    else
    if (s_expand (context, expander, room, (size_t) whole, frame, size) != whole) {
        sqlite3_free (room);
        sqlite3_result_error (context, "stele_text: the frame is damaged, or its dictionary is not in this database", -1);
    }
    else
    if (is_text)
        sqlite3_result_text64 (context, room, whole, sqlite3_free, SQLITE_UTF8);
    else
        sqlite3_result_blob64 (context, room, whole, sqlite3_free);
    ZSTD_freeDCtx (expander);
}

static void
s_stele_text (sqlite3_context *context, int count, sqlite3_value **values)
{
    int encoding = count == 2? sqlite3_value_int (values [1]):
        sqlite3_value_type (values [0]) == SQLITE_BLOB? STELE_ENCODING_ZSTD_TEXT: STELE_ENCODING_PLAIN;
    if (sqlite3_value_type (values [0]) != SQLITE_BLOB || encoding == STELE_ENCODING_PLAIN) {
        sqlite3_result_value (context, values [0]);
        return;
    }
    const void *frame = sqlite3_value_blob (values [0]);
    s_result (context, frame, (size_t) sqlite3_value_bytes (values [0]), encoding == STELE_ENCODING_ZSTD_TEXT);
}

int
sqlite3_stelesqlite_init (sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
    (void) error;
    SQLITE_EXTENSION_INIT2 (api);
    int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;
    int rc = sqlite3_create_function (db, "stele_text", 1, flags, NULL, s_stele_text, NULL, NULL);
    return rc? rc: sqlite3_create_function (db, "stele_text", 2, flags, NULL, s_stele_text, NULL, NULL);
}
