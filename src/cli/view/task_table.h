/*  task_table - columns of stele list; the fields come from sqlite/read/tasks.c

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TASK_TABLE_H_INCLUDED
#define STELE_TASK_TABLE_H_INCLUDED

#include <jansson.h>
#include "cli/terminal/table.h"

/*  Columns of a table of tasks, with the time of that field: created_at, updated_at or
    completed_at.                                                            */
const cli_column_t *
    cli_tasks_columns (const char *time_key);

/*  Add a row, with the same field.                                          */
void
    cli_tasks_row (cli_table_t *table, const json_t *task, const char *time_key);

#endif
