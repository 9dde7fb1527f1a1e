/*  task_table - tasks as rows of a table

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TASK_TABLE_H_INCLUDED
#define STELE_TASK_TABLE_H_INCLUDED

#include <jansson.h>
#include "cli/terminal/table.h"

/*  A table with the time of that field: created_at, updated_at or completed_at.
    Caller owns return value.                                                */
cli_table_t *
    cli_tasks_table (const char *time_key, const cli_style_t *style);

/*  A row, with the same field.                                              */
void
    cli_tasks_row (cli_table_t *table, const json_t *task, const char *time_key);

#endif
