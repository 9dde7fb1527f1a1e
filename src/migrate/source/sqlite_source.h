/*  sqlite_source - shared by the files that convert an earlier system's database

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SQLITE_SOURCE_H_INCLUDED
#define STELE_SQLITE_SOURCE_H_INCLUDED

#include "sqlite/sqlite_file.h"
#include "migrate/convert.h"
#include "migrate/duplicates.h"
#include "migrate/timeline.h"

/*  Possible columns of the time of a row                                    */
#define SQLITE_TIMES "timestamp created_at recorded_at time changed_at executed_at"

typedef struct {
    stele_migrate_t *migrate;
    stele_sqlite_file_t *source;
    const char *task_key, *session_key;     // Columns with their ids
    int64_t fallback_us;                    // Time of records without any time
    int64_t without_id;                     // Rows without an id so far
    duplicates_t *duplicates;               // Ids of the table that is being read
    const char *key;                        // Columns that may hold the id
    const char *otherwise;                  // Id of a row without one; NULL: a generated one
    bool is_queue;                          // The one-table generation: tasks have agent_type and status
} sqlite_source_t;

//  The task or session that rows of other tables belong to
typedef struct {
    sqlite_source_t *source;
    timeline_t *timeline;                   // NULL: no such record
    const char *id;
    const json_t *key;                      // Its id as in the source; NULL: none
    json_t *user;
    json_t *steps;                          // Rows of its history, as [time, columns]
    int64_t last_us;                        // Time of the previous row
} sqlite_owner_t;

/*  The columns of a row by their names, for convert_start. Caller owns return value. */
json_t *
    sqlite_columns (const stele_sqlite_file_row_t *row);

/*  The same of the row to import, after the last row of its id; sets 'others' for
    convert_keep_others. NULL: more rows of that id follow.                  */
json_t *
    sqlite_resolve (sqlite_source_t *self, const stele_sqlite_file_row_t *row, json_t **others);
#define SQLITE_RULE "the one updated last (of equal ones the last row)"

/*  Set the id that names a record in reports.                               */
void
    sqlite_set_id (convert_t *convert, const char *id);

/*  The id in the ledger of a record with that id: the same, if it is valid there; else one made of its
    hash. NULL: it has none. Caller frees return value.                      */
char *
    sqlite_id_of (const json_t *value);

/*  Take the id of a record; generate one if there is none. Sets 'key' to the id as in the source (NULL:
    none). Caller owns both.                                                 */
char *
    sqlite_take_id (sqlite_source_t *self, convert_t *convert, const char *column, json_t **key);

/*  Take the time of a row; that of the previous row if it has none.         */
int64_t
    sqlite_take_row_time (convert_t *convert, const char *names, sqlite_owner_t *owner);

/*  Take the user of a row; 'user' (that of its owner, NULL: none) if it has none. */
void
    sqlite_take_user (convert_t *convert, json_t *event, const json_t *user);

/*  Take a required field; set 'otherwise' and report it if it is missing.   */
void
    sqlite_require (convert_t *convert, json_t *event, const char *field, const char *names,
        const char *otherwise);

/*  Read the rows of a table, if it exists, that belong to an owner. Returns 0 or a code. */
int
    sqlite_rows_of (sqlite_source_t *self, const char *table, const char *column, stele_sqlite_file_fn *fn,
        sqlite_owner_t *owner);

/*  Convert a session, whose id was taken. Used for Redis too, where the source has no file. */
int
    sqlite_convert_session (sqlite_source_t *self, convert_t *convert, const char *id, const json_t *key);

/*  Take the owner's id of a row whose owner does not exist. Caller frees return value. */
char *
    sqlite_orphan (sqlite_owner_t *owner, convert_t *convert, const char *column, const char *what);

/*  Convert rows to events: those of a whole table (arg is the source), and those whose owner
    does not exist (arg is an owner).                                        */
stele_sqlite_file_fn sqlite_take_task, sqlite_take_session, sqlite_take_preference;
stele_sqlite_file_fn sqlite_orphan_step, sqlite_orphan_output, sqlite_orphan_metric, sqlite_orphan_command;

#endif
