/*  replay - stele replay: the log again, as JSON Lines

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "cli/shared/ask.h"

typedef struct {
    int64_t after, limit;
    cli_list_t types;
} args_t;

static const cli_option_t s_options [] = {
    { "after", 0, "N", "begin behind the event at position N (0: from the start)",
        CLI_NUMBER, offsetof (args_t, after), 0, NULL },
    { "limit", 'n', "N", "at most N events", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "type", 0, "TYPE", "only events of this type, task.state_changed say",
        CLI_LIST, offsetof (args_t, types), 0, NULL },
    CLI_OPTIONS_END
};

/*  Print the members of the answer's array "events", each on a line, as the text has
    them: so that no number loses a digit on the way. Returns how many.       */
static int64_t
s_print_events (const char *text)
{
    const char *start = strstr (text, "\"events\":[");
    if (!start)
        return 0;
    int64_t count = 0;
    int depth = 0;
    bool quoted = false;
    const char *event = NULL;
    for (const char *c = start + strlen ("\"events\":["); *c; c++) {
        if (quoted) {
            if (*c == '\\')
                c++;
            else
            if (*c == '"')
                quoted = false;
        }
        else
        if (*c == '"')
            quoted = true;
        else
        if (*c == '{' || *c == '[') {
            if (depth++ == 0)
                event = c;
        }
        else
        if (*c == '}' || *c == ']') {
            if (depth-- == 0)
                break;              // The end of the array
            if (depth == 0 && event) {
                fwrite (event, 1, (size_t) (c + 1 - event), stdout);
                putchar ('\n');
                count++;
            }
        }
    }
    cli_flush_stdout ();
    return count;
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
    int64_t after = args->after;
    int64_t left = args->limit? args->limit: INT64_MAX;
    int64_t head = -1;              // What is committed while this runs is not waited for
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
    .summary = "the log again, as JSON Lines",
    .usage = {
        .usage = "stele replay [OPTION]... --after N",
        .about = "Events as they were committed, in order, up to the head: one JSON object a line, which "
                 "'stele publish' takes. With or without --json.",
        .examples =
            "  stele replay --after 0 | zstd > everything.jsonl.zst\n"
            "  stele replay --after 0 --type task.state_changed | jq -r .state | sort | uniq -c\n"
            "  stele replay --after 0 | stele publish --events tcp://other:5570 --producer copy --sequence 1 --restore"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
