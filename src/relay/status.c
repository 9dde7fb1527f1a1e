/*  status - how far each target is, for people, for scripts and for Prometheus

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cli/terminal/table.h"
#include "relay/run.h"
#include "relay/source.h"
#include "relay/state.h"
#include "relay/status.h"
#include "wire/time.h"

typedef struct {
    const relay_target_settings_t *settings;
    relay_cursor_t cursor;
    int64_t pending, dead;
    int64_t oldest;                 // Position of the first event that is not delivered; 0: none is pending
    int64_t lag;                    // Events that are not delivered or not looked at; -1: the broker does not answer
    int64_t lag_ms;                 // Since the time of the oldest of them; 0: there is none; -1: not known
    const char *word;               // live, behind, failing, disabled
} s_target_t;

typedef struct {
    bool running;
    int64_t head;                   // -1: the broker does not answer
    char error [512];               // Why it does not
    s_target_t *targets;
    size_t count;
} s_status_t;

static void
s_count_pending (const relay_pending_t *pending, void *arg)
{
    s_target_t *target = arg;
    if (target->pending++ == 0)
        target->oldest = pending->position;
}

static void
s_count_dead (const relay_dead_t *dead, void *arg)
{
    (void) dead;
    ++*(int64_t *) arg;
}

static int64_t
s_head (s_status_t *self, relay_source_t *source)
{
    json_t *request = json_pack ("{ss}", "op", "ping"), *answer = NULL;
    int64_t head = -1;
    if (relay_source_ask (source, request, &answer) == 0)
        head = json_integer_value (json_object_get (answer, "position"));
    else
        snprintf (self->error, sizeof self->error, "%s", relay_source_error (source));
    json_decref (request);
    json_decref (answer);
    return head;
}

//  Since the time of the first event after a position that this key may read; unchanged if there is none. Returns 0 or a code.
static int
s_read_lag (relay_source_t *source, int64_t position, int64_t *lag_ms)
{
    json_t *request = json_pack ("{ss, sI, si}", "op", "events.read", "after", (json_int_t) position, "limit", 1), *answer = NULL;
    int64_t time_us;
    int code = relay_source_ask (source, request, &answer);
    const char *time = json_string_value (json_object_get (json_array_get (json_object_get (answer, "events"), 0), "time"));
    if (time && stele_time_parse (time, strlen (time), &time_us) == 0) {
        int64_t now_us = stele_clock_us ();
        *lag_ms = now_us > time_us? (now_us - time_us) / 1000: 0;
    }
    json_decref (request);
    json_decref (answer);
    return code;
}

static void
s_read_lags (s_status_t *self, relay_source_t *source)
{
    int code = 0;
    for (size_t i = 0; i < self->count; i++) {
        s_target_t *target = &self->targets [i];
        target->lag_ms = target->lag == 0? 0: -1;
        if (target->lag > 0 && code == 0)
            code = s_read_lag (source, target->oldest? target->oldest - 1: target->cursor.position, &target->lag_ms);
    }
}

//  Returns 0, or -1 with a message on stderr
static int
s_read (s_status_t *self, const relay_settings_t *settings, int64_t timeout_ms)
{
    stele_refusal_t refusal;
    relay_state_t *state = relay_state_open (settings->state, false, &refusal);
    if (!state) {
        fprintf (stderr, "stele-relay: %s\n", refusal.message);
        return -1;
    }
    self->running = relay_is_running (settings);
    relay_source_t *source = relay_source_new (settings);
    relay_source_set_timeout (source, timeout_ms);
    self->head = s_head (self, source);
    self->count = settings->count;
    self->targets = stele_memory_new (settings->count * sizeof *self->targets);
    for (size_t i = 0; i < settings->count; i++) {
        s_target_t *target = &self->targets [i];
        target->settings = &settings->targets [i];
        if (relay_state_cursor (state, target->settings->name, false, &target->cursor) == 0) {
            relay_state_pending (state, target->settings->name, s_count_pending, target);
            relay_state_dead (state, target->settings->name, false, s_count_dead, &target->dead);
        }
        else
            target->cursor.position = -1;
        bool begun = *target->cursor.ledger && self->head >= 0;
        target->lag = begun? self->head - target->cursor.position + target->pending: -1;
        target->word = target->cursor.disabled? "disabled": *target->cursor.error? "failing": target->lag == 0? "live": "behind";
    }
    s_read_lags (self, source);
    relay_source_destroy (&source);
    relay_state_close (&state);
    return 0;
}

static void
s_print_json (const s_status_t *self)
{
    json_t *targets = json_array ();
    for (size_t i = 0; i < self->count; i++) {
        const s_target_t *target = &self->targets [i];
        const relay_cursor_t *cursor = &target->cursor;
        char time [40];
        json_t *row = json_pack ("{ss, ss, sI, sI, sI, sI, sI}", "target", target->settings->name, "state", target->word, "position",
            (json_int_t) cursor->position, "pending", (json_int_t) target->pending, "dead", (json_int_t) target->dead, "delivered",
            (json_int_t) cursor->delivered, "failures", (json_int_t) cursor->failures);
        if (target->lag >= 0)
            json_object_set_new (row, "lag_events", json_integer (target->lag));
        if (target->lag_ms >= 0)
            json_object_set_new (row, "lag_ms", json_integer (target->lag_ms));
        if (*cursor->error)
            json_object_set_new (row, "error", json_string (cursor->error));
        if (cursor->delivered_us > 0) {
            stele_time_print (cursor->delivered_us, time, sizeof time);
            json_object_set_new (row, "delivered_at", json_string (time));
        }
        json_array_append_new (targets, row);
    }
    json_t *status = json_pack ("{sb, so}", "running", self->running, "targets", targets);
    if (self->head >= 0)
        json_object_set_new (status, "head", json_integer (self->head));
    else
        json_object_set_new (status, "error", json_string (self->error));
    json_dumpf (status, stdout, JSON_COMPACT);
    puts ("");
    json_decref (status);
}

static void
s_print_table (const s_status_t *self)
{
    static const cli_column_t columns [] = {
        { "TARGET", CLI_CUT, 12 }, { "STATE", 0, 0 }, { "LAG", CLI_RIGHT, 0 }, { "PENDING", CLI_RIGHT, 0 }, { "DEAD", CLI_RIGHT, 0 },
        { "DELIVERED", CLI_RIGHT, 0 }, { "LAST", CLI_OPTIONAL, 0 }, CLI_COLUMNS_END
    };
    cli_style_t style = cli_style_of (stdout);
    cli_table_t *table = cli_table_new (columns, &style);
    int64_t now_us = stele_clock_us ();
    for (size_t i = 0; i < self->count; i++) {
        const s_target_t *target = &self->targets [i];
        const relay_cursor_t *cursor = &target->cursor;
        cli_table_word (table, target->settings->name);
        cli_table_colour (table, strcmp (target->word, "live") == 0? CLI_GREEN: strcmp (target->word, "behind") == 0? CLI_YELLOW: CLI_RED,
            target->word);
        cli_table_word (table, target->lag < 0? "-": cli_format_count (target->lag).text);
        cli_table_word (table, cli_format_count (target->pending).text);
        cli_table_word (table, cli_format_count (target->dead).text);
        cli_table_word (table, cli_format_count (cursor->delivered).text);
        cli_table_word (table, cursor->delivered_us? cli_format_age (now_us - cursor->delivered_us).text: NULL);
        if (*cursor->error)
            cli_table_note (table, CLI_RED, cursor->error, strlen (cursor->error));
    }
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
    if (self->head < 0)
        fprintf (stderr, "stele-relay: the broker does not answer: LAG is not known\n");
    if (!self->running)
        fprintf (stderr, "stele-relay: no relay runs with this state\n");
}

int
relay_status_print (const relay_settings_t *settings, bool json, int64_t timeout_ms)
{
    s_status_t status = { 0 };
    if (s_read (&status, settings, timeout_ms) != 0)
        return 2;
    bool attention = status.head < 0;
    for (size_t i = 0; i < status.count; i++)
        attention |= status.targets [i].cursor.disabled || *status.targets [i].cursor.error || status.targets [i].dead > 0;
    if (json)
        s_print_json (&status);
    else
        s_print_table (&status);
    free (status.targets);
    return !status.running? 2: attention;
}

//  -- metrics ---------------------------------------------------------------------------------------

static void
s_head_of (const char *name, const char *type, const char *help)
{
    printf ("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

//  The values of s_rows, in this order; below 0: not known
static double
s_value (const s_target_t *target, size_t row)
{
    const relay_cursor_t *cursor = &target->cursor;
    const double values [] = { (double) target->lag, (double) target->pending, (double) target->dead, (double) cursor->delivered,
        (double) cursor->failures, cursor->disabled, *cursor->error != 0, (double) cursor->delivered_us / 1e6, (double) target->lag_ms / 1e3 };
    return values [row];
}

int
relay_status_metrics (const relay_settings_t *settings, int64_t timeout_ms)
{
    static const struct { const char *name, *type, *help; } rows [] = {
        { "stele_relay_lag_events", "gauge", "Events that are not delivered, or not looked at yet" },
        { "stele_relay_pending", "gauge", "Events that are read and not delivered" },
        { "stele_relay_dead_letters", "gauge", "Events that could not be delivered" },
        { "stele_relay_delivered_total", "counter", "Events delivered" },
        { "stele_relay_failures_total", "counter", "Requests that failed" },
        { "stele_relay_disabled", "gauge", "1: the target answered 410, and gets nothing more" },
        { "stele_relay_failing", "gauge", "1: the last request failed, or the ledger is another one" },
        { "stele_relay_last_delivery_timestamp_seconds", "gauge", "When an event was delivered last; 0: never" },
        { "stele_relay_lag_seconds", "gauge", "Since the time of the oldest event that is not delivered; 0: there is none" },
    };
    s_status_t status = { 0 };
    if (s_read (&status, settings, timeout_ms) != 0)
        return EX_NOINPUT;
    s_head_of ("stele_relay_up", "gauge", "Is a relay running with this state?");
    printf ("stele_relay_up %d\n", status.running);
    for (size_t row = 0; row < sizeof rows / sizeof rows [0]; row++) {
        s_head_of (rows [row].name, rows [row].type, rows [row].help);
        for (size_t i = 0; i < status.count; i++)
            if (s_value (&status.targets [i], row) >= 0)
                printf ("%s{target=\"%s\"} %.15g\n", rows [row].name, status.targets [i].settings->name,
                    s_value (&status.targets [i], row));
    }
    free (status.targets);
    return EX_OK;
}
