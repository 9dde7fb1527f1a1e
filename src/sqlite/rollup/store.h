/*  store - add what was counted to the file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_STORE_H_INCLUDED
#define STELE_STORE_H_INCLUDED

#include "sqlite/rollup/fold.h"
#include "sqlite/sql/sql.h"

//  Tables of the file besides meta. 'step', 'by' and 'key' are those of rollup_place_t, counts is in the form of
//  counts.h. The fingerprint 0 is "other".
#define ROLLUP_SCHEMA \
    "INSERT INTO meta VALUES ('rejected', 0), ('newest', 0);" \
    "CREATE TABLE counts (step INTEGER NOT NULL, by INTEGER NOT NULL, time INTEGER NOT NULL, key INTEGER NOT NULL," \
    " counts BLOB NOT NULL, PRIMARY KEY (step, by, time, key)) STRICT, WITHOUT ROWID;" \
    "CREATE TABLE failures (step INTEGER NOT NULL, time INTEGER NOT NULL, fingerprint INTEGER NOT NULL," \
    " count INTEGER NOT NULL, PRIMARY KEY (step, time, fingerprint)) STRICT, WITHOUT ROWID;" \
    "CREATE TABLE fingerprints (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL UNIQUE, first INTEGER NOT NULL," \
    " last INTEGER NOT NULL, task1 INTEGER NOT NULL, task2 INTEGER NOT NULL, task3 INTEGER NOT NULL) STRICT;"

typedef enum {
    ROLLUP_FIND, ROLLUP_KEYS, ROLLUP_PUT, ROLLUP_FAIL_ADD, ROLLUP_FAIL_KEYS, ROLLUP_FAIL_PUT,
    ROLLUP_PRINT_FIND, ROLLUP_PRINT_NEW, ROLLUP_PRINT_MOVE, ROLLUP_STATEMENTS
} rollup_statement_t;

typedef struct {
    sqlite3 *db;                    // Borrowed
    sqlite3_stmt *statements [ROLLUP_STATEMENTS];
    rollup_counts_t counts;         // A row while it is changed
    unsigned char *bytes;           // Its form
    size_t room;
    int64_t fingerprints;           // Number of rows; -1: not counted yet
    int64_t pruned [STELE_STEP_COUNT];  // Earlier rows are deleted
} rollup_store_t;

//  Prepare its statements. Returns 0 or a code. Close it in either case, before the connection.
int
    rollup_store_open (rollup_store_t *self, sqlite3 *db);
void
    rollup_store_close (rollup_store_t *self);

//  In an open transaction: add the cells and failures of a portion, and delete what is not kept any more. Returns 0 or a code.
int
    rollup_store_add (rollup_store_t *self, const rollup_fold_t *fold);

#endif
