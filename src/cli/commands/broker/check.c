/*  check - stele check: compare Redis with the ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include "cli/shared/ask.h"
#include "cli/shared/page.h"
#include "cli/shared/value.h"
#include "cli/terminal/text.h"

#define CHECK_TIMEOUT_MS 600000

typedef struct {
    bool repair;
} args_t;

static const cli_option_t s_options [] = {
    { "repair", 0, NULL, "correct the differences in Redis", CLI_FLAG, offsetof (args_t, repair), 0, NULL },
    CLI_OPTIONS_END
};

static int64_t
s_count (const json_t *answer, const char *key)
{
    return json_integer_value (json_object_get (answer, key));
}

static int64_t
s_differing (const json_t *answer)
{
    return s_count (answer, "missing") + s_count (answer, "extra") + s_count (answer, "mismatched");
}

static void
s_print (const cli_t *self, const json_t *answer)
{
    int64_t differing = s_differing (answer);
    cli_colour_t colour = differing? CLI_RED: CLI_GREEN;
    cli_style_begin (&self->style, stdout, colour);
    fputs (differing? "not consistent": "consistent", stdout);
    cli_style_end (&self->style, stdout, colour);
    const json_t *share = json_object_get (answer, "consistent");
    printf (": %s checked, %s missing, %s extra, %s mismatched",
        cli_format_count (s_count (answer, "checked")).text,
        cli_format_count (s_count (answer, "missing")).text,
        cli_format_count (s_count (answer, "extra")).text,
        cli_format_count (s_count (answer, "mismatched")).text);
    if (json_is_number (share))
        printf (" (%s)", cli_format_share (json_number_value (share)).text);
    putchar ('\n');
    if (differing)
        printf ("%s repaired\n", cli_format_count (s_count (answer, "repaired")).text);

    const json_t *examples = json_object_get (answer, "examples");
    for (size_t i = 0; i < json_array_size (examples); i++) {
        const json_t *example = json_array_get (examples, i);
        size_t size;
        char *text = cli_value_text ("", example, &size);
        cli_text_print_lines (stdout, text, size, 2, 1);
        free (text);
    }
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    (void) operands;
    const args_t *args = arguments;
    json_t *request = cli_request ("consistency.check");
    if (args->repair)
        json_object_set_new (request, "repair", json_true ());
    json_t *answer = cli_ask_long (self, request, CHECK_TIMEOUT_MS);
    if (!answer)
        return cli_redis_status (self);
    if (self->json)
        cli_print_answer (self);
    else
        s_print (self, answer);
    bool consistent = s_differing (answer) <= s_count (answer, "repaired");
    json_decref (answer);
    return consistent? EX_OK: CLI_NO;
}

const cli_command_t cli_cmd_check = {
    .name = "check",
    .summary = "compare Redis with the ledger",
    .usage = {
        .usage = "stele check [OPTION]...",
        .about = "Compare every live record in Redis with the ledger, at one position. A record that differs is "
                 "missing in Redis, extra there, or mismatched in a field.",
        .after = "Exit status: 0 if nothing differs or everything was repaired, 1 if differences remain; 75 if Redis is "
                 "away, 78 if the broker does not use Redis (it runs without, or in another mode than dual), 69 if no "
                 "broker answers.",
        .examples =
            "  stele check\n"
            "  stele check --repair"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .run = s_run
};
