/*  erase_rows - replace what rows of events say by the hashes of their lines

    All hashes are made before the first row is changed: the line of a task.created is made from its row of tasks and from
    later rows.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ERASE_ROWS_H_INCLUDED
#define STELE_ERASE_ROWS_H_INCLUDED

#include "ledger/erase.h"
#include "sqlite/write/ledger_internal.h"

//  As an SQL expression
#define STELE_SQL_ERASED "'" STELE_ERASED_TEXT "'"

//  Outputs that are erased in one transaction: the writer does nothing else meanwhile, some 20 ms
#define STELE_ERASE_STEP 500

//  Outputs come last: of many, only some are erased at once (erase_rest.c)
typedef enum {
    STELE_ERASE_HISTORY, STELE_ERASE_METRICS, STELE_ERASE_SESSIONS, STELE_ERASE_COMMANDS, STELE_ERASE_OUTPUTS, STELE_ERASE_TABLES
} stele_erase_table_t;

typedef struct stele_erase_event stele_erase_event_t;
typedef struct {
    stele_ledger_t *ledger;         // Borrowed, as the function
    stele_leaf_fn *fn;
    void *arg;
    stele_erase_event_t *events;
    size_t count;                   // Events that were found
    size_t room, next;
    sqlite3_stmt *updates [STELE_ERASE_TABLES];
    stele_record_t *record;         // Of one column with JSON
} stele_erase_rows_t;

/*  Free what was found                                                      */
void
    stele_erase_rows_clear (stele_erase_rows_t *self);

/*  Add the events of a task in one table, after that position, that are not erased yet. Returns 0 or a storage error. */
int
    stele_erase_rows_find (stele_erase_rows_t *self, stele_erase_table_t table, int64_t task, int64_t after);

/*  Add those of at most 'most' outputs from *position on, along the links to older ones. *position: where to continue, 0: there are
    no more. Returns 0 or a storage error.                                   */
int
    stele_erase_rows_follow_outputs (stele_erase_rows_t *self, int64_t *position, int most);

/*  In the open transaction, erase what was found. Returns 0 or a storage error. */
int
    stele_erase_rows_run (stele_erase_rows_t *self);

/*  For a statement that is run once; NULL with the code of a storage error  */
sqlite3_stmt *
    stele_erase_prepare (stele_ledger_t *ledger, const char *sql, int *code);

#endif
