/*  sqlite_source - what the files that read an earlier system's database share

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

/*  Names that the time of a row may have                                    */
#define SQLITE_TIMES "timestamp created_at recorded_at time changed_at executed_at"

typedef struct {
    stele_migrate_t *migrate;
    stele_sqlite_file_t *source;
    const char *task_key, *session_key;     // Columns with their ids
    int64_t fallback_us;                    // A time for what has none at all
    int64_t numberless;                     // Rows without an id
    duplicates_t *duplicates;                       // Ids of the table that is read
    const char *key;                        // Columns that may hold them
    const char *otherwise;                  // The id of a row without one; NULL: it gets its own
} sqlite_source_t;

//  A row of a task or a session that belongs to it
typedef struct {
    sqlite_source_t *source;
    timeline_t *timeline;                         // NULL: its task is not there
    const char *id;
    json_t *user;
    int64_t last_us;                        // Time of the row before
} sqlite_owner_t;

/*  The columns of a row by their names, for convert_start.                  */
json_t *
    sqlite_columns (const stele_sqlite_file_row_t *row);

/*  The same once no other row of that id is to come: the one that stands, and 'others'
    for convert_keep_others. NULL: there are more.                           */
json_t *
    sqlite_settle (sqlite_source_t *self, const stele_sqlite_file_row_t *row, json_t **others);
#define SQLITE_RULE "the one updated last (of equal ones the last row)"

/*  Name a record, for what is said about it.                                */
void
    sqlite_name (convert_t *convert, const char *id);

/*  The id of a record; one without gets a number. Caller frees return value. */
char *
    sqlite_take_id (sqlite_source_t *self, convert_t *convert, const char *column);

/*  The time of a row, that of the row before where it has none.             */
int64_t
    sqlite_take_moment (convert_t *convert, const char *names, sqlite_owner_t *owner);

/*  Its user, or else that of its owner.                                     */
void
    sqlite_take_user (convert_t *convert, json_t *event, const json_t *user);

/*  A field that an event has to have.                                       */
void
    sqlite_require (convert_t *convert, json_t *event, const char *field, const char *names,
        const char *otherwise);

/*  Rows of a table that belong to an id, where there is such a table.       */
int
    sqlite_rows_of (sqlite_source_t *self, const char *table, const char *column, const char *id,
        stele_sqlite_file_fn *fn, sqlite_owner_t *owner);

/*  Whose row it is, though there is no such record. Caller frees return value. */
char *
    sqlite_orphan (sqlite_owner_t *owner, convert_t *convert, const char *column, const char *what);

/*  Rows as events: of the whole table (arg is the source), and of those whose owner is not
    there (arg is an owner).                                                 */
stele_sqlite_file_fn sqlite_take_task, sqlite_take_session, sqlite_take_preference;
stele_sqlite_file_fn sqlite_orphan_step, sqlite_orphan_output, sqlite_orphan_metric, sqlite_orphan_command;

#endif
