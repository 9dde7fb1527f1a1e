/*  cmd_stats - stele stats: counts, rates, latencies, lags, sizes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <ctype.h>
#include <string.h>
#include "cli/ask.h"
#include "cli/page.h"

//  What people look for first; whatever else an answer has follows

static const char *const s_sections [] = {
    "tasks", "ledger", "redis", "ingest", "producers", "requests", "feed", "pipeline",
    "recovery", "consistency"
};

#define SECTION_COUNT (sizeof s_sections / sizeof s_sections [0])

static void
s_print_section (cli_t *self, const char *name, json_t *value)
{
    char title [64];
    snprintf (title, sizeof title, "%s", name);
    title [0] = (char) toupper ((unsigned char) title [0]);
    putchar ('\n');
    cli_page_heading (self, title, NULL);
    if (json_is_object (value))
        cli_page_members (self, value);
    else {
        json_t *section = json_pack ("{sO}", name, value);
        cli_page_members (self, section);
        json_decref (section);
    }
}

static void
s_print (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    json_object_del (answer, "ok");
    cli_page_heading (self, "Broker at", self->requests);
    cli_page_field (self, "position", answer, "position");
    json_object_del (answer, "position");
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        json_t *value = json_object_get (answer, s_sections [i]);
        if (value && !json_is_null (value))
            s_print_section (self, s_sections [i], value);
        json_object_del (answer, s_sections [i]);
    }
    const char *key;
    json_t *value;
    json_object_foreach (answer, key, value)
        s_print_section (self, key, value);
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args;
    (void) operands;
    return cli_ask_and_print (self, cli_request ("stats"), s_print, NULL);
}

const cli_command_t cli_cmd_stats = {
    .name = "stats",
    .summary = "counts, rates, latencies, lags and sizes of a broker",
    .usage = {
        .usage = "stele stats [OPTION]...",
        .about = "How the broker does: tasks by state, role and provider; what the ledger holds; how far "
                 "Redis is behind; how long acks take; who publishes; what the last recovery and the last "
                 "check found.",
        .examples =
            "  stele stats\n"
            "  stele stats --json | jq .redis.lag_events\n"
            "  watch -n 2 stele stats"
    },
    .run = s_run
};
