/*  replay - stele replay: print committed events as JSON Lines

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "cli/files/rows.h"
#include "cli/shared/ask.h"
#include "cli/shared/words.h"

typedef struct {
    int64_t after, limit;
    int64_t tail;
    cli_list_t types;
} args_t;

static const cli_option_t s_options [] = {
    { "after", 0, "N", "start after position N (default: 0, from the first event)",
        CLI_NUMBER, offsetof (args_t, after), 0, NULL },
    { "limit", 'n', "N", "print at most N events", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "tail", 0, "N", "print the last N events", CLI_NUMBER, offsetof (args_t, tail), 1, NULL },
    { "type", 0, "TYPE", "only events of this type, e.g. task.state_changed",
        CLI_LIST, offsetof (args_t, types), 0, NULL },
    CLI_OPTIONS_END
};

//  Copied from the text of the answer, so that no number loses a digit
static void
s_print_events (const char *text)
{
    cli_rows_t rows = cli_rows_start (text, "events");
    const char *event;
    size_t size;
    while (cli_rows_next (&rows, &event, &size)) {
        fwrite (event, 1, size, stdout);
        putchar ('\n');
    }
    cli_flush_stdout ();
}

static int64_t
s_last_position (const json_t *events)
{
    const json_t *last = json_array_get (events, json_array_size (events) - 1);
    return json_integer_value (json_object_get (last, "position"));
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    if (cli_check_words ("replay", "an event type", &args->types, STELE_VOCABULARY_EVENT_TYPE))
        return EX_USAGE;
    if (args->tail && (args->after || args->limit || args->types.count))
        return cli_usage_error ("replay", "--tail cannot be used with --after, --limit or --type");
    int64_t after = args->after;
    if (args->tail) {
        json_t *answer = cli_ask (self, cli_request ("ping"));
        if (!answer)
            return self->status;
        int64_t position = json_integer_value (json_object_get (answer, "position"));
        after = position > args->tail? position - args->tail: 0;
        json_decref (answer);
    }
    int64_t left = args->limit? args->limit: INT64_MAX;
    int64_t head = -1;              // Of the first answer: later events are not printed
    while (left && (head < 0 || after < head)) {
        json_t *request = cli_request ("events.read");
        json_object_set_new (request, "after", json_integer (after));
        json_object_set_new (request, "limit",
            json_integer (left < CLI_PAGE_ROWS? left: CLI_PAGE_ROWS));
        cli_request_list (request, "types", &args->types);
        json_t *answer = cli_ask (self, request);
        if (!answer)
            return self->status;
        const json_t *events = json_object_get (answer, "events");
        if (head < 0)
            head = json_integer_value (json_object_get (answer, "head"));
        size_t count = json_array_size (events);
        if (count) {
            s_print_events (self->text);
            left -= (int64_t) count;
            after = s_last_position (events);
        }
        json_decref (answer);
        if (count == 0)
            break;
    }
    return EX_OK;
}

const cli_command_t cli_cmd_replay = {
    .name = "replay",
    .summary = "print committed events as JSON Lines",
    .usage = {
        .usage = "stele replay [OPTION]...",
        .about = "Print events in the order in which they were committed, up to the head: one JSON object per line, "
                 "as 'stele publish' reads it, with or without --json.",
        .examples =
            "  stele replay --after 0 | zstd > everything.jsonl.zst\n"
            "  stele replay --after 0 --type task.state_changed | jq -r .state | sort | uniq -c\n"
            "  stele replay --after 0 | stele publish --events tcp://other:5570 --producer copy --sequence 1 --restore"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
