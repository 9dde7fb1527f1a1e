/*  storage - stele storage: space on the disk, by table, by file and by day

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/shared/ask.h"
#include "cli/view/cell.h"
#include "cli/view/page.h"
#include "cli/view/value.h"
#include "wire/time.h"

typedef struct {
    int64_t days;
} args_t;

static const cli_option_t s_options [] = {
    { "days", 0, "N", "show the last N days, at most 366 (default: 14)", CLI_NUMBER, offsetof (args_t, days), 1, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_size_columns [] = {
    { "SPACE", CLI_CUT, 8 },
    { "SIZE", CLI_RIGHT, 0 },
    { "OF LEDGER", CLI_RIGHT | CLI_OPTIONAL | CLI_SPARE, 0 },
    CLI_COLUMNS_END
};

static const cli_column_t s_day_columns [] = {
    { "DAY", 0, 0 },
    { "EVENTS", CLI_RIGHT, 0 },
    { "SIZE", CLI_RIGHT | CLI_SPARE, 0 },
    CLI_COLUMNS_END
};

static int64_t
s_integer (const json_t *record, const char *key)
{
    return json_integer_value (json_object_get (record, key));
}

//  'whole' 0: it is not in the file of the ledger
static void
s_add_size (cli_table_t *table, const char *name, int64_t bytes, int64_t whole)
{
    if (bytes == 0)
        return;
    cli_table_word (table, name);
    cli_table_word (table, cli_format_size (bytes).text);
    cli_table_word (table, whole? cli_format_share ((double) bytes / (double) whole).text: NULL);
}

static void
s_print_sizes (const cli_t *self, const json_t *answer)
{
    cli_table_t *table = cli_table_new (s_size_columns, &self->style);
    int64_t whole = s_integer (answer, "file_bytes");
    json_t *part;
    size_t i;
    json_array_foreach (json_object_get (answer, "tables"), i, part)
        s_add_size (table, cli_value_string (part, "name"), s_integer (part, "bytes"), whole);
    s_add_size (table, "not measured", s_integer (answer, "unmeasured_bytes"), whole);
    s_add_size (table, "free in the file", s_integer (answer, "free_bytes"), whole);
    json_array_foreach (json_object_get (answer, "files"), i, part) {
        char name [64];
        snprintf (name, sizeof name, "file: %s", cli_value_string (part, "name"));
        s_add_size (table, name, s_integer (part, "bytes"), 0);
    }
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
}

//  From the first day with an event
static void
s_print_days (const cli_t *self, const json_t *days)
{
    cli_table_t *table = cli_table_new (s_day_columns, &self->style);
    json_t *day;
    size_t i;
    json_array_foreach (days, i, day) {
        char text [40];
        if (cli_table_rows (table) == 0 && s_integer (day, "events") == 0)
            continue;
        stele_time_print (s_integer (day, "day"), text, sizeof text);
        cli_table_text (table, text, strcspn (text, "T"));
        cli_table_word (table, cli_format_count (s_integer (day, "events")).text);
        cli_table_word (table, cli_format_size (s_integer (day, "bytes")).text);
    }
    if (cli_table_rows (table))
        putchar ('\n');
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
}

static void
s_print (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    cli_page_heading (self, "Ledger of", cli_format_size (s_integer (answer, "file_bytes")).text);
    cli_page_line (self, "measured", cli_format_time (s_integer (answer, "measured_at")).text);
    putchar ('\n');
    s_print_sizes (self, answer);
    s_print_days (self, json_object_get (answer, "days"));
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    json_t *request = cli_request ("storage");
    if (args->days)
        json_object_set_new (request, "days", json_integer (args->days));
    return cli_ask_and_print (self, request, s_print, NULL);
}

const cli_command_t cli_cmd_storage = {
    .name = "storage",
    .summary = "space on the disk, by table, by file and by day",
    .usage = {
        .usage = "stele storage [OPTION]...",
        .about =
            "Show how much of the ledger each table takes, with its indexes, largest first; the other files beside it; and how many "
            "events each of the last days (in UTC) added. The broker reads the whole file for it, at most once in five minutes. "
            "The sizes of days assume that all events are equally large.",
        .examples =
            "  stele storage --days 30\n"
            "  stele storage --json | jq '.tables[0]'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
