/*  export_tables - the tables that can be exported: requests, and columns of CSV

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_EXPORT_TABLES_H_INCLUDED
#define STELE_CLI_EXPORT_TABLES_H_INCLUDED

/*  How a filter of tasks applies to a row                                   */
typedef enum {
    CLI_ROW_ALWAYS,                 // It does not belong to a task
    CLI_ROW_IS_TASK,
    CLI_ROW_IS_SESSION,
    CLI_ROW_NAMES_TASK              // Or a session
} cli_row_kind_t;

typedef struct {
    const char *name;
    const char *op, *rows;          // Request, and the array of its answer
    const char *const *columns;     // Of CSV, up to NULL; NULL: no CSV
    cli_row_kind_t kind;
} cli_export_table_t;

enum { CLI_EXPORT_EVENTS, CLI_EXPORT_TASKS, CLI_EXPORT_PREFERENCES = 7, CLI_EXPORT_REJECTED, CLI_EXPORT_AUDIT, CLI_EXPORT_TABLES };

/*  By the numbers above                                                     */
extern const cli_export_table_t cli_export_tables [CLI_EXPORT_TABLES];

#endif
