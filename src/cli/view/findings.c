/*  findings - problems of a broker, found in its statistics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/view/findings.h"
#include "cli/terminal/format.h"

typedef struct {
    json_t *findings;
    const json_t *stats;
    int64_t now_us;
} s_look_t;

static const char *const s_levels [] = { "info", "degraded", "down" };

const char *
cli_level_word (cli_level_t level)
{
    return s_levels [level];
}

static int
s_level_of (const json_t *finding)
{
    const char *word = json_string_value (json_object_get (finding, "level"));
    for (int level = CLI_LEVEL_DOWN; level > 0; level--)
        if (word && strcmp (word, s_levels [level]) == 0)
            return level;
    return CLI_LEVEL_INFO;
}

void
cli_finding_add (json_t *findings, const char *code, cli_level_t level, int64_t now_us, int64_t for_ms,
    const char *hint, const char *format, ...)
{
    char *message = NULL;
    va_list args;
    va_start (args, format);
    if (vasprintf (&message, format, args) < 0)
        abort ();
    va_end (args);
    json_t *finding = json_pack ("{ss, ss, ss#, ss}", "code", code, "level", s_levels [level],
        "message", message, strlen (message), "hint", hint);
    if (!finding)                       // A text of the broker that is not UTF-8
        finding = json_pack ("{ss, ss, ss, ss}", "code", code, "level", s_levels [level],
            "message", code, "hint", hint);
    if (for_ms >= 0) {
        json_object_set_new (finding, "since", json_string (cli_format_time (now_us - for_ms * 1000).text));
        json_object_set_new (finding, "for_ms", json_integer (for_ms));
    }
    free (message);
    //  The gravest first
    size_t at = 0;
    while (at < json_array_size (findings) && s_level_of (json_array_get (findings, at)) >= (int) level)
        at++;
    json_array_insert_new (findings, at, finding);
}

cli_level_t
cli_findings_level (const json_t *findings, size_t *count)
{
    int gravest = CLI_LEVEL_INFO;
    *count = 0;
    for (size_t i = 0; i < json_array_size (findings); i++) {
        int level = s_level_of (json_array_get (findings, i));
        *count += level > CLI_LEVEL_INFO;
        if (level > gravest)
            gravest = level;
    }
    return (cli_level_t) gravest;
}

//  -- parts of the statistics ----------------------------------------------------------

//  'otherwise' if it is absent or not a number
static int64_t
s_number (const s_look_t *self, const char *part, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get (json_object_get (self->stats, part), key);
    return json_is_integer (value)? json_integer_value (value): otherwise;
}

static const char *
s_text (const s_look_t *self, const char *part, const char *key)
{
    const char *text = json_string_value (json_object_get (json_object_get (self->stats, part), key));
    return text? text: "";
}

#define ADD(code, level, for_ms, hint, ...) \
    cli_finding_add (self->findings, code, level, self->now_us, for_ms, hint, __VA_ARGS__)

static void
s_look_at_writer (const s_look_t *self)
{
    int64_t age_ms = json_integer_value (json_object_get (self->stats, "age_ms"));
    if (age_ms)
        ADD ("writer_stalled", CLI_LEVEL_DEGRADED, age_ms,
            "look at the disk of the ledger: a sync or a write that does not return stalls all acks",
            "the writer did not answer for %s: no event is acked meanwhile", cli_format_duration (age_ms * 1000).text);
    bool in_redis = strcmp (s_text (self, "ingest", "mode"), "redis") == 0;
    bool holding = json_is_true (json_object_get (json_object_get (self->stats, "ingest"), "holding"));
    if (holding && in_redis)
        ADD ("holding", CLI_LEVEL_DEGRADED, s_number (self, "ingest", "holding_ms", -1),
            "start the same Redis again, with its data: it retries by itself and loses nothing",
            "acks are held back, because acks of mode redis wait for Redis: %s", s_text (self, "ingest", "trouble"));
    else
    if (holding)
        ADD ("holding", CLI_LEVEL_DEGRADED, s_number (self, "ingest", "holding_ms", -1),
            "free space on the disk, or give the ledger back to this broker alone: it retries by itself and loses "
            "nothing; producers keep their events until the ack",
            "acks are held back, because the ledger cannot be written: %s", s_text (self, "ingest", "trouble"));
    if (in_redis)
        ADD ("mode_redis", CLI_LEVEL_DEGRADED, s_number (self, "ingest", "mode_ms", -1),
            "'stele mode dual' writes them to the ledger",
            "mode redis: persistence is off; %s acked events are only in Redis",
            cli_format_count (s_number (self, "ingest", "only_in_redis", 0)).text);
    int64_t behind = s_number (self, "ingest", "behind", 0);
    if (behind)
        ADD ("ledger_behind", CLI_LEVEL_DEGRADED, -1,
            "the ledger lost its end, or is an older copy: read 'A ledger that became shorter' in RELIABILITY.md "
            "before you continue",
            "producers had acks of events that the ledger does not have: %s of their hellos were answered "
            "ledger_behind since the broker started", cli_format_count (behind).text);
}

static void
s_look_at_redis (const s_look_t *self)
{
    const char *state = s_text (self, "redis", "state");
    int64_t state_ms = s_number (self, "redis", "state_ms", -1);
    int64_t lag_ms = s_number (self, "redis", "lag_ms", 0), age_ms = s_number (self, "redis", "age_ms", 0);
    cli_short_t lag = cli_format_count (s_number (self, "redis", "lag_events", 0));
    if (strcmp (state, "away") == 0)
        ADD ("redis_away", CLI_LEVEL_DEGRADED, state_ms,
            "start Redis, or correct the setting 'redis': the broker reconnects and catches up by itself; nothing is "
            "lost meanwhile",
            "Redis is away: %s; live records there are %s events old",
            *s_text (self, "redis", "last_error")? s_text (self, "redis", "last_error"): "not connected yet",
            lag.text);
    else
    if (strcmp (state, "rebuilding") == 0)
        ADD ("redis_rebuilding", CLI_LEVEL_DEGRADED, state_ms, "wait: it ends by itself",
            "the records in Redis are being rebuilt from the ledger and are not complete yet");
    else
    if (age_ms > CLI_REDIS_LAG_MS)
        ADD ("redis_stalled", CLI_LEVEL_DEGRADED, age_ms, "look at Redis: it accepted a command and does not answer",
            "Redis has not answered for %s", cli_format_duration (age_ms * 1000).text);
    else
    if (lag_ms > CLI_REDIS_LAG_MS)
        ADD ("redis_behind", CLI_LEVEL_DEGRADED, lag_ms,
            "look at the load of Redis and of this machine; lists and histories are read from the ledger and are current",
            "Redis is %s (%s events) behind the ledger", cli_format_duration (lag_ms * 1000).text, lag.text);
}

static void
s_look_at_search (const s_look_t *self)
{
    int64_t lag = s_number (self, "search", "lag_events", 0);
    int64_t limit = s_number (self, "search", "lag_limit", lag);
    if (strcmp (s_text (self, "search", "state"), "failing") == 0)
        ADD ("search_failing", CLI_LEVEL_DEGRADED, s_number (self, "search", "state_ms", -1),
            "read the log of the broker; LEDGER.search may be removed while the broker is stopped, it is rebuilt",
            "the index for searches cannot be updated");
    else
    if (lag > limit * CLI_SEARCH_LAG)
        ADD ("search_behind", CLI_LEVEL_INFO, -1, "wait: it catches up by itself when fewer events arrive",
            "the index for searches is %s events behind: 'list --search' may miss tasks (\"complete\": false)",
            cli_format_count (lag).text);
}

static void
s_look_at_disk (const s_look_t *self)
{
    int64_t left = s_number (self, "disk", "free_bytes", -1), size = s_number (self, "disk", "size_bytes", 0);
    int64_t full_in_s = s_number (self, "disk", "full_in_s", -1);
    int64_t wal = s_number (self, "ledger", "wal_bytes", 0);
    int64_t wal_limit = s_number (self, "ledger", "wal_limit", wal);
    static const char *const hint = "free space, or move the ledger to a larger disk while the broker is stopped; on a "
        "full disk acks are held back and nothing is lost";
    if (left >= 0 && (left < CLI_DISK_FREE_MIN || (double) left < CLI_DISK_FREE_SHARE * (double) size))
        ADD ("disk_low", CLI_LEVEL_DEGRADED, -1, hint, "the disk of the ledger has only %s of %s left",
            cli_format_size (left).text, cli_format_size (size).text);
    if (left >= 0 && full_in_s >= 0 && full_in_s < CLI_DISK_FULL_IN_S)
        ADD ("disk_filling", CLI_LEVEL_DEGRADED, -1, hint,
            "the disk of the ledger will be full in %s: %s left, %s per second less",
            cli_format_duration (full_in_s * 1000000).text, cli_format_size (left).text,
            cli_format_size (s_number (self, "disk", "growth_bytes", 0)).text);
    if (wal > wal_limit * CLI_WAL_MAX)
        ADD ("wal_long", CLI_LEVEL_DEGRADED, -1,
            "end programs that read the ledger for long (sqlite3, a backup); then the file is shortened",
            "the write-ahead log of the ledger has %s: a reader keeps it from being copied into the ledger",
            cli_format_size (wal).text);
}

//  Of a kind of producers: the first name, and how many
static void
s_look_at_producers (const s_look_t *self)
{
    int64_t expired = 0, silent = 0, expired_ms = 0, silent_ms = 0;
    const char *expired_name = "", *silent_name = "";
    const json_t *producers = json_object_get (self->stats, "producers");
    int64_t running = json_integer_value (json_object_get (json_object_get (json_object_get (self->stats, "tasks"),
        "by_state"), "running"));
    for (size_t i = 0; i < json_array_size (producers); i++) {
        const json_t *producer = json_array_get (producers, i);
        const char *status = json_string_value (json_object_get (producer, "status"));
        const char *name = json_string_value (json_object_get (producer, "producer"));
        const json_t *heard = json_object_get (producer, "silent_ms");
        //  Not heard since the broker started: at least for that long
        int64_t ms = json_is_integer (heard)? json_integer_value (heard):
            json_integer_value (json_object_get (self->stats, "uptime_s")) * 1000;
        if (!status || !name)
            continue;
        if (strcmp (status, "expired") == 0 && ms < CLI_EXPIRED_MS && (expired++ == 0 || ms < expired_ms)) {
            expired_name = name;
            expired_ms = ms;
        }
        if (strcmp (status, "present") == 0 && ms > CLI_SILENT_MS && running && (silent++ == 0 || ms > silent_ms)) {
            silent_name = name;
            silent_ms = ms;
        }
    }
    if (expired)
        ADD ("producers_expired", CLI_LEVEL_INFO, expired_ms,
            "start it again: its tasks were interrupted, and 'stele list --interrupted' lists them",
            "the lease of %s producers ran out in the last 24 hours, the last one '%s'",
            cli_format_count (expired).text, expired_name);
    if (silent)
        ADD ("producers_silent", CLI_LEVEL_INFO, silent_ms,
            "'stele stuck' lists running tasks without events; a producer that ended without a goodbye has to be "
            "started again, or given a lease",
            "%s producers have been silent for more than %s while %s tasks are running, longest '%s'",
            cli_format_count (silent).text, cli_format_duration (CLI_SILENT_MS * 1000).text,
            cli_format_count (running).text, silent_name);
}

static void
s_look_at_records (const s_look_t *self)
{
    int64_t rejected = s_number (self, "ledger", "rejected", 0), losses = s_number (self, "ledger", "losses", 0);
    if (losses)
        ADD ("losses", CLI_LEVEL_INFO, -1, "'stele info' names the positions",
            "%s losses of acked events were accepted by an operator", cli_format_count (losses).text);
    if (rejected)
        ADD ("rejected", CLI_LEVEL_INFO, -1, "'stele rejected' shows them, with the reasons",
            "%s refused events are kept for inspection", cli_format_count (rejected).text);
}

json_t *
cli_findings (const json_t *stats, int64_t now_us)
{
    s_look_t look = { json_array (), stats, now_us };
    s_look_at_writer (&look);
    s_look_at_disk (&look);
    s_look_at_redis (&look);
    s_look_at_search (&look);
    s_look_at_producers (&look);
    s_look_at_records (&look);
    return look.findings;
}
