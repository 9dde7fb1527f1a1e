/*  archive_file - the archives of a ledger: files of its schema that hold the tasks of one year

    LEDGER.archive-2026 has the tasks of the ledger that ended in 2026 (UTC) and were moved there, and their sessions. The ledger
    decides which of its rows count (sql/008-archive.sql, sql/011-sessions.sql). One connection at a time writes it, that of the
    archiver, or after an erasure the one of a scrub; readers attach it, read-only. Its words and dictionaries have the numbers
    that they have in the ledger, so rows are copied as they are. Its application_id is another one, so that no broker starts on it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ARCHIVE_FILE_H_INCLUDED
#define STELE_ARCHIVE_FILE_H_INCLUDED

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "model/refusal.h"

//  'STLA'
#define STELE_ARCHIVE_APPLICATION_ID 0x53544C41

//  SQLite attaches at most that many files to a connection (SQLITE_MAX_ATTACHED). Tasks of a further year move to the archive of
//  the nearest one (archiver.c).
#define STELE_ARCHIVES_MAX 10

//  Tasks that ended in other years stay in the ledger
#define STELE_ARCHIVE_YEAR_MIN 1970
#define STELE_ARCHIVE_YEAR_MAX 9999

/*  Path of the archive of a year. Caller frees return value with sqlite3_free; NULL: out of memory. */
char *
    stele_archive_path (const char *ledger, int64_t year);

/*  Open an archive to write to it; it is migrated if necessary, and created with 'ledger_id' noted in it, unless that is NULL.
    NULL: the reason is in the refusal, which names the file. Caller closes return value. */
sqlite3 *
    stele_archive_open (const char *path, mode_t mode, const char *ledger_id, stele_refusal_t *refusal);

/*  Around whatever writes or checkpoints an archive while a broker works: SQLite up to 3.51.2 can lose pages if two connections do
    so at the same moment (https://sqlite.org/wal.html, "The WAL-Reset Bug"). False: another thread has it, and 'wait' is
    false.                                                                   */
bool
    stele_archive_begin (bool wait);
void
    stele_archive_end (void);

/*  Check that the file, attached or opened under that name of a schema, is the archive with this id, in the format of
    this version. Returns 0, or a code with a refusal that names the file.   */
int
    stele_archive_check (sqlite3 *db, const char *schema, const char *path, const char *archive_id,
        stele_refusal_t *refusal);

/*  A value of its table meta. Returns 0 or a code; "" if there is none.     */
int
    stele_archive_note (sqlite3 *db, const char *schema, const char *key, char *value, size_t size);

/*  Year (UTC) of a time in microseconds.                                    */
int64_t
    stele_archive_year (int64_t time_us);

/*  -- copies of tasks and sessions ------------------------------------------- */

/*  Copies the rows of tasks, or of sessions, between two connections whose main databases have the same schema */
typedef struct stele_task_copy stele_task_copy_t;

/*  'sessions': of sessions, otherwise of tasks. 'replace': rows that the target has already are replaced; otherwise they are an
    error. NULL: the statements could not be prepared. The connections are borrowed. */
stele_task_copy_t *
    stele_task_copy_new (sqlite3 *from, sqlite3 *to, bool sessions, bool replace);
void
    stele_task_copy_destroy (stele_task_copy_t **self_p);

/*  Read all rows of the task, or session, with that key from the source. Returns the number of its events, or a code;
    STELE_ELEDGER: the source does not have it.                              */
int64_t
    stele_task_copy_read (stele_task_copy_t *self, int64_t key);

/*  Copy them, in the open transaction of the target. Returns the same.      */
int64_t
    stele_task_copy_run (stele_task_copy_t *self, int64_t key);

//  SQL: the positions p of the events of task ?1 in one of the event tables, newest first. 'last' is a column of
//  states_plain.
#define STELE_TASK_CHAIN(table, last) \
    "WITH RECURSIVE c (p) AS (SELECT " last " FROM main.states_plain WHERE task = ?1 AND " last " IS NOT NULL" \
    " UNION ALL SELECT e.position - e.previous_back FROM c JOIN main." table " e ON e.position = c.p" \
    " WHERE e.previous_back IS NOT NULL) "

//  X (table, last): the event tables of a task
#define STELE_TASK_CHAINS(X) \
    X ("task_history", "last_history") \
    X ("task_outputs", "last_output") \
    X ("task_metrics", "last_metric")

//  The same of session ?1; 'last' is a column of cli_sessions
#define STELE_SESSION_CHAIN(table, last) \
    "WITH RECURSIVE c (p) AS (SELECT " last " FROM main.cli_sessions WHERE id = ?1 AND " last " IS NOT NULL" \
    " UNION ALL SELECT e.previous FROM c JOIN main." table " e ON e.position = c.p WHERE e.previous IS NOT NULL) "

#define STELE_SESSION_CHAINS(X) \
    X ("cli_session_history", "last_history") \
    X ("cli_session_commands", "last_command")

#endif
