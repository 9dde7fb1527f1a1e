/*  commands - what an operator does with targets and dead letters

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <jansson.h>
#include "cli/terminal/table.h"
#include "relay/commands.h"
#include "relay/state.h"
#include "wire/time.h"

#define USAGE(...) (fprintf (stderr, "stele-relay: " __VA_ARGS__), fputs ("\nTry 'stele-relay --help'.\n", stderr), EX_USAGE)

//  -- dead letters ------------------------------------------------------------------------------

static void
s_add_row (const relay_dead_t *dead, void *arg)
{
    cli_table_t *table = arg;
    char position [24];
    snprintf (position, sizeof position, "%" PRId64, dead->position);
    cli_table_word (table, position);
    cli_table_word (table, cli_format_time (dead->dead_us).text);
    cli_table_word (table, cli_format_count (dead->attempts).text);
    cli_table_word (table, dead->subject);
    cli_table_word (table, dead->retry? "waits for its retry": dead->reason);
}

static void
s_print_line (const relay_dead_t *dead, void *arg)
{
    char time [40];
    stele_time_print (dead->dead_us, time, sizeof time);
    json_t *row = json_pack ("{ss, sI, ss, ss, sI, ss, ss, sb}", "target", (const char *) arg, "position", (json_int_t) dead->position,
        "ledger", dead->ledger, "subject", dead->subject, "attempts", (json_int_t) dead->attempts, "time", time, "reason", dead->reason,
        "retry", dead->retry);
    json_dumpf (row, stdout, JSON_COMPACT);
    puts ("");
    json_decref (row);
}

static int
s_list (relay_state_t *state, const char *target, bool json)
{
    static const cli_column_t columns [] = {
        { "POSITION", CLI_RIGHT, 0 }, { "TIME", 0, 0 }, { "REQUESTS", CLI_RIGHT, 0 }, { "EVENT", CLI_CUT | CLI_ID, 16 },
        { "REASON", CLI_CUT, 16 }, CLI_COLUMNS_END
    };
    if (json)
        return relay_state_dead (state, target, false, s_print_line, (void *) target);
    cli_style_t style = cli_style_of (stdout);
    cli_table_t *table = cli_table_new (columns, &style);
    int rc = relay_state_dead (state, target, false, s_add_row, table);
    if (rc == 0)
        cli_table_flush (table, stdout);
    if (rc == 0 && cli_table_rows (table) == 0)
        fputs ("stele-relay: no dead letters\n", stderr);
    cli_table_destroy (&table);
    return rc;
}

//  0: all of them; -1: not a position
static int64_t
s_position (const char *text)
{
    char *end;
    if (!text || strcmp (text, "all") == 0)
        return 0;
    long long position = strtoll (text, &end, 10);
    return *text >= '1' && *text <= '9' && !*end? position: -1;
}

static int
s_dead (relay_state_t *state, const char *verb, const char *target, const char *which, bool json)
{
    int64_t position = s_position (which), count;
    if (position < 0)
        return USAGE ("'%s' is not a position: give the number of an event, or all", which);
    if (strcmp (verb, "list") == 0)
        return which? USAGE ("unexpected argument '%s'", which): s_list (state, target, json);
    //  A drop is not undone: the word all has to be written
    if (strcmp (verb, "drop") == 0 && !which)
        return USAGE ("dead drop takes a target, and the position of an event or all");
    if (strcmp (verb, "drop") != 0 && strcmp (verb, "retry") != 0)
        return USAGE ("'%s' is not something to do with dead letters: use list, retry or drop", verb);
    count = strcmp (verb, "drop") == 0? relay_state_drop (state, target, position): relay_state_retry (state, target, position);
    if (count < 0)
        return STELE_EIO;
    printf ("%s%s\n", cli_format_counted (count, "dead letter").text, strcmp (verb, "drop") == 0? " dropped": " to be retried");
    return count > 0? EX_OK: EX_NOINPUT;
}

//  -- targets ---------------------------------------------------------------------------------------

static int
s_reset (relay_state_t *state, const char *target, const char *where)
{
    char *end = NULL;
    int64_t after = strcmp (where, "now") == 0? -1: strcmp (where, "beginning") == 0? 0: strtoll (where, &end, 10);
    if (after < -1 || (end && (*end || end == where || *where == '-')))
        return USAGE ("'%s' is not a place: give now, beginning, or the position of the last event that is not to be sent", where);
    return relay_state_edit (state, target, true, after);
}

int
relay_command (const relay_settings_t *settings, const cli_operands_t *operands, bool json)
{
    const char *const *words = operands->items;
    size_t count = operands->count;
    bool dead = strcmp (words [0], "dead") == 0, enable = strcmp (words [0], "enable") == 0, reset = strcmp (words [0], "reset") == 0;
    if (!dead && !enable && !reset)
        return USAGE ("'%s' is not a command: use status, metrics, dead, enable, reset or secret", words [0]);
    if (count < 2u + dead + reset || count > 2u + 2 * dead + reset)
        return USAGE ("%s", dead? "dead takes list, retry or drop, a target, and for retry and drop a position or all": enable?
            "enable takes a target": "reset takes a target, and now, beginning or a position");
    const char *target = words [1 + dead];
    if (!relay_settings_find (settings, target))
        return USAGE ("the configuration has no target '%s'", target);
    stele_refusal_t refusal;
    relay_state_t *state = relay_state_open (settings->state, false, &refusal);
    if (!state) {
        fprintf (stderr, "stele-relay: %s\n", refusal.message);
        return EX_NOINPUT;
    }
    int rc = dead? s_dead (state, words [1], target, count > 3? words [3]: NULL, json):
        reset? s_reset (state, target, words [2]): relay_state_edit (state, target, false, 0);
    if (rc == STELE_ENOT_FOUND)
        fprintf (stderr, "stele-relay: the target '%s' is new: the relay has not run with it yet\n", target);
    else
    if (rc < 0)
        fprintf (stderr, "stele-relay: cannot use the state '%s': %s\n", settings->state, relay_state_error (state));
    relay_state_close (&state);
    return rc < 0? EX_IOERR: rc;
}
