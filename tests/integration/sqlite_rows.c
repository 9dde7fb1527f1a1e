/*  sqlite_rows - load the extension of SQLite and print the rows of one query, for tests in Python

        sqlite_rows LEDGER EXTENSION SQL [PARAMETER]

    A build with sanitizers makes an extension that only a program of the same build can load, so
    Python's sqlite3 cannot. One line per row, the values separated by spaces: "-" for NULL, a letter
    for the type (i, t, b) and the bytes in hexadecimal. Exit status 1 with the error of SQLite on
    standard error.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <sqlite3.h>
#include <stdio.h>

static void
s_print (sqlite3_stmt *statement, int column)
{
    int type = sqlite3_column_type (statement, column);
    if (type == SQLITE_NULL) {
        putchar ('-');
        return;
    }
    putchar (type == SQLITE_INTEGER? 'i': type == SQLITE_BLOB? 'b': 't');
    const unsigned char *bytes = sqlite3_column_blob (statement, column);
    for (int i = 0; i < sqlite3_column_bytes (statement, column); i++)
        printf ("%02x", bytes [i]);
}

static int
s_rows (sqlite3 *ledger, const char *sql, const char *parameter)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2 (ledger, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK && parameter)
        rc = sqlite3_bind_text (statement, 1, parameter, -1, SQLITE_STATIC);
    while (rc == SQLITE_OK && (rc = sqlite3_step (statement)) == SQLITE_ROW) {
        for (int column = 0; column < sqlite3_column_count (statement); column++) {
            if (column)
                putchar (' ');
            s_print (statement, column);
        }
        putchar ('\n');
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_DONE)
        fprintf (stderr, "%s\n", sqlite3_errmsg (ledger));
    sqlite3_finalize (statement);
    return rc == SQLITE_DONE? 0: 1;
}

int
main (int argc, char **argv)
{
    if (argc < 4 || argc > 5) {
        fprintf (stderr, "usage: sqlite_rows LEDGER EXTENSION SQL [PARAMETER]\n");
        return 2;
    }
    sqlite3 *ledger = NULL;
    char *error = NULL;
    int rc = sqlite3_open_v2 (argv [1], &ledger, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config (ledger, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_load_extension (ledger, argv [2], NULL, &error);
    if (rc != SQLITE_OK)
        fprintf (stderr, "%s\n", error? error: sqlite3_errmsg (ledger));
    else
        rc = s_rows (ledger, argv [3], argc == 5? argv [4]: NULL);
    sqlite3_free (error);
    sqlite3_close (ledger);
    return rc == SQLITE_OK? 0: 1;
}
