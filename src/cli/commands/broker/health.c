/*  health - stele health: problems of the broker, and their remedies

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "cli/run/relay_status.h"
#include "cli/shared/ask.h"
#include "cli/view/findings.h"
#include "cli/shared/reach.h"
#include "cli/view/value.h"
#include "cli/terminal/text.h"

#define HEALTH_MS 2000              // All of it: monitoring calls it often
#define REACH_MS 200
#define OWNERS_MS 500               // If the list takes longer, the findings are only noted

typedef struct {
    const char *relay;
} s_args_t;

static const cli_option_t s_options [] = {
    { "relay", 0, "FILE", "include the targets of stele-relay with this configuration (default: STELE_RELAY, or none)", CLI_TEXT,
        offsetof (s_args_t, relay), 0, NULL },
    CLI_OPTIONS_END
};

//  Why there were no statistics
static void
s_add_failure (cli_t *self, json_t *findings, int code, int timeout_ms)
{
    int64_t now_us = stele_clock_us ();
    char why [200];
    if (code != STELE_ETIMEOUT && code != STELE_EUNAUTHORIZED) {
        cli_finding_add (findings, "no_statistics", CLI_LEVEL_DOWN, now_us, -1, "read the log of the broker",
            "%s gives no statistics: %s", self->requests, self->why);
        return;
    }
    cli_reach_t reach = cli_reach (self->requests, self->key, REACH_MS, why, sizeof why);
    if (reach == CLI_REACH_KEY || (code == STELE_EUNAUTHORIZED && reach == CLI_REACH_ACCEPTS)) {
        cli_finding_add (findings, "no_permission", CLI_LEVEL_DOWN, now_us, -1,
            "use a key with the role metrics: --key FILE, or STELE_KEY", "%s", code == STELE_EUNAUTHORIZED? self->why: why);
        return;
    }
    switch (reach) {
        case CLI_REACH_PERMISSION:
            cli_finding_add (findings, "no_permission", CLI_LEVEL_DOWN, now_us, -1,
                "run this as the user of the broker, or as a member of its group", "%s: %s", self->requests, why);
            break;
        case CLI_REACH_ACCEPTS:
            cli_finding_add (findings, "no_answer", CLI_LEVEL_DOWN, now_us, timeout_ms,
                "read the log of the broker; --timeout MS waits longer", "%s: %s within %s ms", self->requests, why,
                cli_format_count (timeout_ms).text);
            break;
        default:
            cli_finding_add (findings, "not_running", CLI_LEVEL_DOWN, now_us, -1,
                "start the broker with 'steled', or give its endpoint: --requests ENDPOINT, or STELE_REQUESTS",
                "%s: %s", self->requests, why);
    }
}

static void
s_print_finding (const cli_t *self, const json_t *finding)
{
    const char *level = cli_value_string (finding, "level");
    cli_colour_t colour = strcmp (level, "info") == 0? CLI_PLAIN: strcmp (level, "down") == 0? CLI_RED: CLI_YELLOW;
    cli_style_begin (&self->style, stdout, colour);
    printf ("%s", level);
    cli_style_end (&self->style, stdout, colour);
    printf (": ");
    const char *message = cli_value_string (finding, "message");
    cli_text_print (stdout, message, strlen (message), 0, CLI_CUT_END);
    if (cli_value_string (finding, "since"))
        printf (", since %s (%s)", cli_value_string (finding, "since"), cli_format_duration (
            (int64_t) json_integer_value (json_object_get (finding, "for_ms")) * 1000).text);
    printf (". To do: %s [%s]\n", cli_value_string (finding, "hint"), cli_value_string (finding, "code"));
}

//  Of the target that is furthest behind, if it is known
static void
s_print_relay_lag (const json_t *relay)
{
    const json_t *targets = json_object_get (relay, "targets");
    int64_t most = -1;
    for (size_t i = 0; i < json_array_size (targets); i++) {
        const json_t *lag = json_object_get (json_array_get (targets, i), "lag_events");
        if (json_is_integer (lag) && json_integer_value (lag) > most)
            most = json_integer_value (lag);
    }
    if (most >= 0)
        printf (", relay lag %s", cli_format_counted (most, "event").text);
}

static void
s_print (const cli_t *self, const json_t *stats, const json_t *relay, const json_t *findings)
{
    size_t count;
    cli_level_t level = cli_findings_level (findings, &count);
    cli_colour_t colour = level == CLI_LEVEL_INFO? CLI_GREEN: level == CLI_LEVEL_DOWN? CLI_RED: CLI_YELLOW;
    cli_style_begin (&self->style, stdout, colour);
    fputs (level == CLI_LEVEL_INFO? "healthy": cli_level_word (level), stdout);
    cli_style_end (&self->style, stdout, colour);
    if (level != CLI_LEVEL_INFO)
        printf (": %zu finding%s", count, count == 1? "": "s");
    else {
        const char *mode = cli_value_string (json_object_get (stats, "ingest"), "mode");
        printf (": position %s, mode %s, up %s", cli_format_count (
            json_integer_value (json_object_get (stats, "position"))).text, mode? mode: "unknown",
            cli_format_duration (json_integer_value (json_object_get (stats, "uptime_s")) * 1000000).text);
        s_print_relay_lag (relay);
    }
    putchar ('\n');
    for (size_t i = 0; i < json_array_size (findings); i++)
        s_print_finding (self, json_array_get (findings, i));
}

static void
s_print_json (const json_t *stats, json_t *relay, json_t *findings)
{
    size_t count;
    cli_level_t level = cli_findings_level (findings, &count);
    json_t *answer = json_pack ("{ss, sO}", "status", level == CLI_LEVEL_INFO? "healthy": cli_level_word (level),
        "findings", findings);
    if (stats)
        json_object_set (answer, "position", json_object_get (stats, "position"));
    if (relay)
        json_object_set (answer, "relay", relay);
    json_dumpf (answer, stdout, JSON_COMPACT);
    putchar ('\n');
    json_decref (answer);
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) operands;
    const char *config = ((s_args_t *) args)->relay? ((s_args_t *) args)->relay: getenv ("STELE_RELAY");
    bool with_relay = config && *config;
    cli_child_t child;
    int code = 0, timeout_ms = cli_timeout (self, HEALTH_MS - REACH_MS - OWNERS_MS);
    int64_t until_ms = stele_clock_steady_ms () + timeout_ms + OWNERS_MS;
    if (with_relay)                     // It runs beside the requests, and needs time to start and to end
        cli_relay_status_start (&child, config, timeout_ms / 4 * 3 + 1);
    json_t *stats = cli_try (self, cli_request ("stats"), timeout_ms, &code);
    json_t *request = stats? cli_findings_owners_request (stats): NULL;
    if (request) {
        int unanswered;
        json_t *answer = cli_try (self, request, OWNERS_MS, &unanswered);
        cli_findings_set_owners (stats, answer);
        json_decref (answer);
    }
    json_t *findings = stats? cli_findings (stats, stele_clock_us ()): json_array ();
    if (!stats)
        s_add_failure (self, findings, code, timeout_ms);
    char *text = with_relay? cli_relay_status_read (&child, until_ms): NULL;
    json_t *relay = text? cli_findings_of_relay (findings, stats, text, stele_clock_us ()): NULL;
    free (text);
    if (self->json)
        s_print_json (stats, relay, findings);
    else
        s_print (self, stats, relay, findings);
    cli_flush_stdout ();
    size_t count;
    int status = (int) cli_findings_level (findings, &count);
    json_decref (findings);
    json_decref (relay);
    json_decref (stats);
    return status;
}

const cli_command_t cli_cmd_health = {
    .name = "health",
    .summary = "problems of the broker, and their remedies",
    .usage = {
        .usage = "stele health [OPTION]...",
        .about =
            "Print the health of the broker, and one line per finding: what is wrong, since when, and what to do. For "
            "people, scripts and monitoring: it needs no Redis, writes nothing and ends within 2 seconds.\n"
            "\n"
            "Degraded: acks are held back, the writer stalls, mode redis, Redis away or more than 10 s behind, the "
            "index for searches or the counts over time failing, hellos answered ledger_behind, less than 5 % or 256 MiB of the disk free, the disk full within 4 hours "
            "as it fills now, a write-ahead log of more than 128 MiB. With --relay also: stele-relay away, its state not known, a target failing, disabled, with dead letters "
            "or more than 60 s behind.\n"
            "Only noted: refused events, accepted losses, producers whose lease ran out or that are silent while tasks "
            "run (degraded if they have tasks in progress), an index for searches more than 100,000 events behind, 2,000,000 events that are not in the counts over time.",
        .after = "Exit status: 0 healthy (perhaps with notes), 1 degraded, 2 down: no broker answers, or this user may "
                 "not ask it; 64 wrong usage. With --json, one object: status, findings [{code, level, message, hint, "
                 "since, for_ms}], position, and relay with --relay, as 'stele-relay status --json' prints it.",
        .examples =
            "  stele health\n"
            "  stele health --relay /etc/stele/relay.conf\n"
            "  stele health --json | jq -r '.findings[].message'\n"
            "  stele health >/dev/null || mail -s 'stele is not well' operator"
    },
    .options = s_options,
    .args_size = sizeof (s_args_t),
    .run = s_run
};
