/*  task_table - columns of stele list; the fields come from sqlite/read/tasks.c

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/view/cell.h"
#include "cli/view/task_table.h"

#define COLUMNS(time) { \
    { "TASK", CLI_CUT | CLI_ID, 16 }, \
    { "STATE", 0, 0 }, \
    { "ROLE", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 8 }, \
    { "PROVIDER", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 8 }, \
    { "MODEL", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 8 }, \
    { time, CLI_OPTIONAL | CLI_SPARE_LATE, 0 }, \
    { "AGE", CLI_RIGHT | CLI_OPTIONAL, 0 }, \
    { "PRODUCER", CLI_CUT | CLI_OPTIONAL | CLI_SPARE, 8 }, \
    { "ERRORS", CLI_RIGHT | CLI_OPTIONAL | CLI_SPARE, 0 }, \
    { "TITLE", CLI_CUT | CLI_OPTIONAL | CLI_SPARE_LATE, 12 }, \
    CLI_COLUMNS_END \
}

static const cli_column_t s_created [] = COLUMNS ("CREATED");
static const cli_column_t s_updated [] = COLUMNS ("UPDATED");
static const cli_column_t s_completed [] = COLUMNS ("COMPLETED");

const cli_column_t *
cli_tasks_columns (const char *time_key)
{
    return strcmp (time_key, "updated_at") == 0? s_updated:
        strcmp (time_key, "completed_at") == 0? s_completed: s_created;
}

void
cli_tasks_row (cli_table_t *table, const json_t *task, const char *time_key)
{
    cli_cell (table, task, "task_id");
    cli_cell_state (table, task, "state");
    cli_cell (table, task, "role");
    cli_cell (table, task, "provider");
    cli_cell (table, task, "model");
    cli_cell_time (table, task, time_key);
    cli_cell_age (table, task, time_key);
    cli_cell (table, task, "producer");
    if (json_integer_value (json_object_get (task, "error_count")))
        cli_cell (table, task, "error_count");
    else
        cli_table_word (table, NULL);
    cli_cell (table, task, "title");
}
