/*  findings - problems of a broker, found in its statistics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/view/findings.h"
#include "cli/terminal/format.h"

#define OWNERS_MAX 50               // Names that are asked about
#define LATE_MS 1000                // An append to a shared log that takes so long

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

static bool
s_is_listed (const char *code)
{
#define FINDING_CODE(name) #name,
    static const char *const codes [] = { CLI_FINDINGS (FINDING_CODE) };
    for (size_t i = 0; i < sizeof codes / sizeof codes [0]; i++)
        if (strcmp (codes [i], code) == 0)
            return true;
    return false;
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
    assert (s_is_listed (code));
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

int
cli_findings_level_of (const json_t *findings, const char *code)
{
    for (size_t i = 0; i < json_array_size (findings); i++) {
        const json_t *finding = json_array_get (findings, i);
        if (strcmp (json_string_value (json_object_get (finding, "code")), code) == 0)
            return s_level_of (finding);
    }
    return -1;
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
    if (holding && strcmp (s_text (self, "shared_log", "state"), "in_doubt"))
        ADD ("holding", CLI_LEVEL_DEGRADED, s_number (self, "ingest", "holding_ms", -1),
            "free space on the disk, or give the ledger back to this broker alone: it retries by itself and loses "
            "nothing; producers keep their events until the ack",
            "acks are held back, because the ledger cannot be written: %s", s_text (self, "ingest", "trouble"));
    if (in_redis)
        ADD ("mode_redis", CLI_LEVEL_DEGRADED, s_number (self, "ingest", "mode_ms", -1),
            "'stele mode dual' writes them to the ledger",
            "mode redis: persistence is off; %s only in Redis",
            cli_format_counted (s_number (self, "ingest", "only_in_redis", 0), "acked event").text);
    int64_t behind = s_number (self, "ingest", "behind", 0);
    if (behind)
        ADD ("ledger_behind", CLI_LEVEL_DEGRADED, -1,
            "the ledger lost its end, or is an older copy: read 'A ledger that became shorter' in RELIABILITY.md "
            "before you continue",
            "producers had acks of events that the ledger does not have: %s answered ledger_behind since the broker "
            "started", cli_format_counted (behind, "hello").text);
}

//  Of a node that shares a log with others
static void
s_look_at_shared_log (const s_look_t *self)
{
    const json_t *log = json_object_get (self->stats, "shared_log");
    const char *state = s_text (self, "shared_log", "state"), *trouble = s_text (self, "shared_log", "trouble");
    int64_t state_ms = s_number (self, "shared_log", "state_ms", -1), lag_ms = s_number (self, "shared_log", "lag_ms", 0);
    //  An answer may only be late
    if (strcmp (state, "in_doubt") == 0 && state_ms >= LATE_MS)
        ADD ("log_in_doubt", CLI_LEVEL_DEGRADED, state_ms,
            "look at the primary of PostgreSQL and its synchronous standby: this node continues by itself when they answer, and "
            "nothing is lost", "acks are held back, because PostgreSQL does not confirm an append to the shared log: %s",
            s_text (self, "ingest", "trouble"));
    if (strcmp (state, "away") == 0)
        ADD ("log_away", CLI_LEVEL_DEGRADED, state_ms,
            "the message has the reason; this node serves what it has, and tries again by itself",
            "this node cannot follow or lead the shared log: %s", trouble);
    if (strcmp (state, "stopped") == 0 || strcmp (state, "full") == 0)
        ADD ("log_stopped", CLI_LEVEL_DEGRADED, state_ms, "do what the message names; this node serves what it has, and does not lead",
            "this node does not take what other nodes wrote: %s", trouble);
    else
    if (lag_ms > CLI_LOG_LAG_MS)
        ADD ("log_behind", CLI_LEVEL_DEGRADED, lag_ms, "look at the load and the disk of this machine: its answers are old meanwhile",
            "this node is %s (batches: %s) behind the shared log", cli_format_duration (lag_ms * 1000).text,
            cli_format_count (s_number (self, "shared_log", "lag_batches", 0)).text);
    if (json_is_true (json_object_get (log, "no_writer")))
        ADD ("log_no_writer", CLI_LEVEL_DEGRADED, -1, "start a node with 'role = auto'; 'stele health' on the nodes that run shows why "
            "they do not lead", "no node leads the shared log: no event is accepted");
    if (json_is_false (json_object_get (log, "replicated")))
        ADD ("log_unreplicated", CLI_LEVEL_DEGRADED, -1, "set synchronous_standby_names and synchronous_commit = on in PostgreSQL, remove "
            "shared-log-unreplicated, and restart this node", "commits of PostgreSQL wait for no standby: acks are lost with its primary");
}

static void
s_look_at_redis (const s_look_t *self)
{
    const char *state = s_text (self, "redis", "state");
    int64_t state_ms = s_number (self, "redis", "state_ms", -1);
    int64_t lag_ms = s_number (self, "redis", "lag_ms", 0), age_ms = s_number (self, "redis", "age_ms", 0);
    cli_short_t lag = cli_format_counted (s_number (self, "redis", "lag_events", 0), "event");
    if (strcmp (state, "away") == 0) {
        const char *error = s_text (self, "redis", "last_error"), *remedy = s_text (self, "redis", "remedy");
        char hint [400], in_error [400];
        //  The error ends with it, for the log: it is the hint here
        snprintf (in_error, sizeof in_error, " (%s)", remedy);
        const char *end = *remedy? strstr (error, in_error): NULL;
        int size = end? (int) (end - error): (int) strlen (error);
        snprintf (hint, sizeof hint, "%s; the broker reconnects and catches up by itself, and nothing is lost meanwhile",
            *remedy? remedy: *error? "the message has the reason": "start Redis, or correct the setting 'redis'");
        ADD ("redis_away", CLI_LEVEL_DEGRADED, state_ms, hint, "%.*s%s; live records there are %s old", size, error,
            size? "": "Redis is away: not connected yet", lag.text);
    }
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
            "Redis is %s (%s) behind the ledger", cli_format_duration (lag_ms * 1000).text, lag.text);
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
            "the index for searches is %s behind: 'list --search' may miss tasks (\"complete\": false)",
            cli_format_counted (lag, "event").text);
}

static void
s_look_at_rollup (const s_look_t *self)
{
    int64_t lag = s_number (self, "rollup", "lag_events", 0);
    int64_t limit = s_number (self, "rollup", "lag_limit", lag);
    if (strcmp (s_text (self, "rollup", "state"), "failing") == 0)
        ADD ("rollup_failing", CLI_LEVEL_DEGRADED, s_number (self, "rollup", "state_ms", -1),
            "read the log of the broker; LEDGER.rollup may be removed while the broker is stopped, it is rebuilt",
            "events are not counted per minute, hour and day");
    else
    if (lag > limit * CLI_ROLLUP_LAG)
        ADD ("rollup_behind", CLI_LEVEL_INFO, -1, "wait: it catches up by itself when fewer events arrive",
            "%s are not counted per minute, hour and day yet: 'stats --over' lacks them", cli_format_counted (lag, "event").text);
}

static void
s_look_at_segments (const s_look_t *self)
{
    int64_t lag_ms = s_number (self, "segments", "lag_ms", 0);
    if (strcmp (s_text (self, "segments", "state"), "failing") == 0)
        ADD ("segments_failing", CLI_LEVEL_DEGRADED, s_number (self, "segments", "state_ms", -1),
            "correct what the message names; the broker tries again every few seconds, and backs up everything since then",
            "events are not backed up: %s", s_text (self, "segments", "error"));
    else
    if (*s_text (self, "backup", "repository") && !*s_text (self, "segments", "state"))
        ADD ("segments_failing", CLI_LEVEL_INFO, -1,
            "look again; if it stays: the disk of the backups hangs (NFS?), mend it; a stop waits for it, too",
            "events are not backed up: writing to the folder of the backups does not come to an end");
    else
    if (lag_ms > CLI_SEGMENTS_LAG_MS)
        ADD ("segments_behind", CLI_LEVEL_DEGRADED, lag_ms,
            "look at the disk of the backups: it is slower than the events arrive, or does not answer",
            "the newest %s not backed up yet",
            cli_format_counted (s_number (self, "segments", "lag_events", 0), "event").text);
}

static void
s_look_at_seal (const s_look_t *self)
{
    const char *state = s_text (self, "seal", "state");
    if (strcmp (state, "contradicted") == 0)
        ADD ("seal_contradicted", CLI_LEVEL_DEGRADED, s_number (self, "seal", "state_ms", -1),
            "find out what was changed with 'stele verify LEDGER --repository DIR', and by whom; keep the checkpoints",
            "the history is no longer sealed, it contradicts what was sealed: %s", s_text (self, "seal", "error"));
    else
    if (strcmp (state, "failing") == 0)
        ADD ("seal_failing", CLI_LEVEL_DEGRADED, s_number (self, "seal", "state_ms", -1),
            "correct what the message names; the broker tries again every few seconds, and seals everything since then",
            "new events are not sealed: %s", s_text (self, "seal", "error"));
}

static void
s_look_at_erasures (const s_look_t *self)
{
    int64_t failing_ms = s_number (self, "ingest", "erase_failing_ms", -1);
    if (failing_ms > CLI_ERASE_MS)
        ADD ("erase_failing", CLI_LEVEL_DEGRADED, failing_ms,
            "end programs that read the file for long (sqlite3, 'stele verify'), or correct what the message names; the broker "
            "tries again within five minutes",
            "contents of erased tasks can still be read from a file: %s", s_text (self, "ingest", "erase_error"));
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

static void
s_look_at_backup (const s_look_t *self)
{
    int64_t age_s = s_number (self, "backup", "age_s", 0);
    const char *error = s_text (self, "backup", "last_error");
    if (*error)
        ADD ("backup_failing", CLI_LEVEL_DEGRADED, s_number (self, "backup", "failing_ms", -1),
            "the message has the reason; the broker tries again every ten minutes, and 'stele backup' does at once",
            "no snapshot of the ledger can be taken: %s", error);
    if (age_s > CLI_BACKUP_AGE_S)
        ADD ("backup_old", CLI_LEVEL_DEGRADED, -1,
            "look at the log of the broker for backup_failed; 'stele backup' takes a snapshot now",
            "the newest verified snapshot of the ledger is %s old", cli_format_age (age_s * 1000000).text);
}

static void
s_look_at_clocks (const s_look_t *self)
{
    int64_t ahead_ms = s_number (self, "ledger", "ahead_ms", 0), step_ms = s_number (self, "clock", "step_ms", 0);
    int64_t stepped_ms = s_number (self, "clock", "stepped_ms", 0), seen_ms = s_number (self, "clock", "seen_ms", 0);
    int64_t events = s_number (self, "clock", "events_ahead", 0);
    const char *name = s_text (self, "clock", "producer");
    if (ahead_ms > CLI_CLOCK_AHEAD_MS)
        ADD ("clock_wrong", CLI_LEVEL_DEGRADED, -1,
            "compare the clock of this machine with a right one ('timedatectl'); once it is right, the next event ends "
            "this, and order and promises do not depend on it",
            "the newest commit is %s ahead of the clock of this machine: the clock was wrong then, or is wrong now",
            cli_format_duration (ahead_ms * 1000).text);
    if (step_ms && stepped_ms < CLI_CLOCK_RECENT_MS)
        ADD ("clock_stepped", CLI_LEVEL_INFO, stepped_ms,
            "let the clock be kept by NTP or chrony; times of events before and after the step do not compare",
            "the clock of this machine was set %s by %s while the broker ran", step_ms < 0? "back": "forward",
            cli_format_duration ((step_ms < 0? -step_ms: step_ms) * 1000).text);
    if (events && seen_ms < CLI_CLOCK_RECENT_MS)
        ADD ("events_ahead", CLI_LEVEL_INFO, seen_ms,
            "correct the clock of the machine on which that producer runs, or what it gives as 'time'",
            "events are ahead of the clock of this machine, the last one by %s%s%s",
            cli_format_duration (s_number (self, "clock", "ahead_ms", 0) * 1000).text, *name? ", of producer ": "", name);
}

//  Producers of one kind: how many, and the one to name
typedef struct {
    int64_t count, ms;
    const char *name;
    bool owns;                      // One of them has tasks in progress: that one is named
} s_kind_t;

//  'prefer': this one is a better example than another that owns as much
static void
s_count (s_kind_t *self, const json_t *producer, int64_t ms, bool prefer)
{
    bool owns = json_is_true (json_object_get (producer, "owns"));
    if (self->count++ == 0 || (owns && !self->owns) || (owns == self->owns && prefer)) {
        self->name = json_string_value (json_object_get (producer, "producer"));
        self->ms = ms;
    }
    self->owns |= owns;
}

int64_t
cli_findings_silence_ms (const json_t *stats, const json_t *producer)
{
    const json_t *heard = json_object_get (producer, "silent_ms");
    //  Not heard since the broker started: at least for that long
    return json_is_integer (heard)? (int64_t) json_integer_value (heard):
        (int64_t) json_integer_value (json_object_get (stats, "uptime_s")) * 1000;
}

json_t *
cli_findings_owners_request (const json_t *stats)
{
    const json_t *producers = json_object_get (stats, "producers");
    json_t *names = json_array ();
    for (size_t i = 0; i < json_array_size (producers) && json_array_size (names) < OWNERS_MAX; i++) {
        const json_t *producer = json_array_get (producers, i);
        const char *status = json_string_value (json_object_get (producer, "status"));
        if (cli_findings_silence_ms (stats, producer) > CLI_SILENT_MS || (status && strcmp (status, "expired") == 0))
            json_array_append (names, json_object_get (producer, "producer"));
    }
    if (json_array_size (names))
        return json_pack ("{ss, so, s[sss]}", "op", "task.list", "producers", names,
            "states", "starting", "running", "completing");
    json_decref (names);
    return NULL;
}

void
cli_findings_set_owners (json_t *stats, const json_t *answer)
{
    const json_t *producers = json_object_get (stats, "producers"), *tasks = json_object_get (answer, "tasks");
    for (size_t i = 0; i < json_array_size (tasks); i++) {
        const json_t *owner = json_object_get (json_array_get (tasks, i), "producer");
        for (size_t j = 0; owner && j < json_array_size (producers); j++)
            if (json_equal (json_object_get (json_array_get (producers, j), "producer"), owner))
                json_object_set_new (json_array_get (producers, j), "owns", json_true ());
    }
}

static void
s_look_at_producers (const s_look_t *self)
{
    s_kind_t expired = { .count = 0 }, silent = { .count = 0 };
    const json_t *producers = json_object_get (self->stats, "producers");
    int64_t running = json_integer_value (json_object_get (json_object_get (json_object_get (self->stats, "tasks"),
        "by_state"), "running"));
    for (size_t i = 0; i < json_array_size (producers); i++) {
        const json_t *producer = json_array_get (producers, i);
        const char *status = json_string_value (json_object_get (producer, "status"));
        int64_t ms = cli_findings_silence_ms (self->stats, producer);
        if (!status || !json_string_value (json_object_get (producer, "producer")))
            continue;
        if (strcmp (status, "expired") == 0 && ms < CLI_EXPIRED_MS)
            s_count (&expired, producer, ms, ms < expired.ms);
        if (strcmp (status, "present") == 0 && ms > CLI_SILENT_MS && running)
            s_count (&silent, producer, ms, ms > silent.ms);
    }
    if (expired.count)
        ADD ("producers_expired", expired.owns? CLI_LEVEL_DEGRADED: CLI_LEVEL_INFO, expired.ms,
            "start it again: its tasks were interrupted, and 'stele list --interrupted' lists them",
            "the lease of %s ran out in the last 24 hours, %s '%s'%s", cli_format_counted (expired.count, "producer").text,
            expired.owns? "among them": "the last one", expired.name, expired.owns? ", which still has tasks in progress": "");
    if (silent.count)
        ADD ("producers_silent", silent.owns? CLI_LEVEL_DEGRADED: CLI_LEVEL_INFO, silent.ms,
            "'stele stuck' lists running tasks without events; a producer that ended without a goodbye has to be "
            "started again, or given a lease",
            "%s silent for more than %s, %s '%s'%s (%s running)", cli_format_counted (silent.count, "producer").text,
            cli_format_duration (CLI_SILENT_MS * 1000).text, silent.owns? "among them": "longest", silent.name,
            silent.owns? ", which has tasks in progress": "", cli_format_counted (running, "task").text);
}

static void
s_look_at_records (const s_look_t *self)
{
    int64_t rejected = s_number (self, "ledger", "rejected", 0), losses = s_number (self, "ledger", "losses", 0);
    if (losses)
        ADD ("losses", CLI_LEVEL_INFO, -1, "'stele info' names the positions",
            "losses of acked events that an operator accepted: %s", cli_format_count (losses).text);
    if (rejected)
        ADD ("rejected", CLI_LEVEL_INFO, -1, "'stele rejected' shows them, with the reasons",
            "%s kept for inspection", cli_format_counted (rejected, "refused event").text);
}

static void
s_look_at_access (const s_look_t *self)
{
    int64_t denied = s_number (self, "auth", "denied_lately", 0);
    if (denied >= CLI_DENIED_MANY)
        ADD ("denials", CLI_LEVEL_DEGRADED, -1, "the broker's log says whose ('access denied'); 'stele stats' counts the reasons",
            "%s accesses were denied in the last ten minutes", cli_format_count (denied).text);
}

json_t *
cli_findings (const json_t *stats, int64_t now_us)
{
    s_look_t look = { json_array (), stats, now_us };
    s_look_at_writer (&look);
    s_look_at_shared_log (&look);
    s_look_at_disk (&look);
    s_look_at_backup (&look);
    s_look_at_clocks (&look);
    s_look_at_redis (&look);
    s_look_at_search (&look);
    s_look_at_rollup (&look);
    s_look_at_segments (&look);
    s_look_at_seal (&look);
    s_look_at_erasures (&look);
    s_look_at_producers (&look);
    s_look_at_records (&look);
    s_look_at_access (&look);
    return look.findings;
}
