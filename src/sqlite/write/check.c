/*  check - verify the file at a start

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fault/fault.h"
#include "sqlite/sql/event_tables.h"
#include "sqlite/write/ledger_internal.h"

#define PAGES_MAX 8192              // A file of up to 32 MiB is checked as a whole

//  The verdict of integrity_check has a title line
static int
s_refuse_damaged (const char *path, const char *verdict, stele_refusal_t *refusal)
{
    char what [512];
    const char *line = strncmp (verdict, "***", 3) == 0? strchr (verdict, '\n'): NULL;
    snprintf (what, sizeof what, "%s", line? line + 1: verdict);
    for (char *at = strpbrk (what, "\r\n"); at; at = strpbrk (at, "\r\n"))
        *at = ' ';
    char *copy = stele_ledger_rescued_copy (path);
    int code = copy?
        stele_refuse (refusal, STELE_ELEDGER, "ledger", "%s is damaged: %s: %s is a copy that an earlier run saved; "
            "if it has what you need, put it in its place, or recover what is left with the .recover command of sqlite3",
            path, what, copy):
        stele_refuse (refusal, STELE_ELEDGER, "ledger",
            "%s is damaged: %s: restore a copy, or recover what is left with the .recover command of sqlite3", path, what);
    free (copy);
    return code;
}

//  Run a statement whose first row is 'ok' or a description of the damage.
static int
s_check_by (stele_ledger_t *self, const char *path, const char *sql, stele_refusal_t *refusal)
{
    sqlite3_stmt *stmt = stele_sql_prepare (self->db, sql);
    int rc = stmt? sqlite3_step (stmt): sqlite3_errcode (self->db);
    const char *verdict = rc == SQLITE_ROW? (const char *) sqlite3_column_text (stmt, 0): NULL;
    int code = 0;
    //  A page that could not be read, or for which there was no memory, is not damaged
    const char *reason = verdict? strstr (verdict, "error code="): NULL;
    if (!verdict || reason) {
        code = stele_sql_code (reason? atoi (reason + strlen ("error code=")): sqlite3_errcode (self->db));
        code = stele_ledger_fail (self, code);
        stele_refuse (refusal, code, "ledger", "cannot check %s: %s", path, self->error);
    }
    else
    if (strcmp (verdict, "ok") != 0)
        code = s_refuse_damaged (path, verdict, refusal);
    sqlite3_finalize (stmt);
    return code;
}

#define NEWEST 1024
#define NEWEST_EVENTS(name, table, subject) " UNION ALL SELECT position FROM " table " WHERE position >" \
    " (SELECT last FROM commits ORDER BY first DESC LIMIT 1) - " STELE_SQL_CODE (NEWEST)

//  A start does not read a large file from end to end: it checks the small tables, those that every start
//  needs, and that the newest events are all there, unless some of them may be archived.
static const char *const s_bounded_checks [] = {
    "PRAGMA quick_check (meta)", "PRAGMA quick_check (vocabulary)", "PRAGMA quick_check (producer_rows)",
    "PRAGMA quick_check (followers)", "PRAGMA quick_check (dictionaries)",
    "SELECT iif (count (*) = min (" STELE_SQL_CODE (NEWEST) ", ifnull ((SELECT max (last) FROM commits WHERE first ="
        " (SELECT max (first) FROM commits)), 0))"
        " OR (SELECT max (position) FROM archives) > (SELECT last FROM commits ORDER BY first DESC LIMIT 1) - "
        STELE_SQL_CODE (NEWEST) ", 'ok', 'events are missing among the newest')"
        " FROM (SELECT 0 AS position WHERE false" STELE_EVENT_TABLES (NEWEST_EVENTS) ")"
};

int
stele_ledger_check (stele_ledger_t *self, const char *path, stele_check_t check, stele_refusal_t *refusal)
{
    int code = 0;
    if (check == STELE_CHECK_FULL)
        code = s_check_by (self, path, "PRAGMA integrity_check (1)", refusal);
    else
    if (check == STELE_CHECK_QUICK) {
        int64_t pages = 0;
        code = stele_sql_integer_into (self->db, "PRAGMA page_count", 0, &pages);
        if (code) {
            code = stele_ledger_fail (self, code);
            stele_refuse (refusal, code, "ledger", "cannot check %s: %s", path, self->error);
        }
        if (code == 0 && pages <= PAGES_MAX)
            code = s_check_by (self, path, "PRAGMA quick_check (1)", refusal);
        for (size_t i = 0; pages > PAGES_MAX && code == 0
             && i < sizeof s_bounded_checks / sizeof s_bounded_checks [0]; i++)
            code = s_check_by (self, path, s_bounded_checks [i], refusal);
    }
    if (check != STELE_CHECK_NONE)
        STELE_FAULT (check_after);
    return code;
}
