/*  prometheus - the statistics of the broker as metrics of Prometheus or OpenMetrics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/view/findings.h"
#include "cli/view/prometheus.h"
#include "stele_library.h"

#define BUCKET_FIRST 64             // Microseconds; each bucket is twice the one before

//  -- single numbers: a row each ----------------------------------------------------------------------

//  X (name, type, part, key, divisor, help): the number 'key' of the part of 'stats', absent if it is. A part
//  "" is the answer itself.
#define METRICS(X) \
    X ("uptime_seconds",               GAUGE,   "",         "uptime_s",      1, "Time since the broker was started") \
    X ("ledger_position",              GAUGE,   "ledger",   "position",      1, "Position of the last committed event") \
    X ("ledger_size_bytes",            GAUGE,   "ledger",   "size_bytes",    1, "Size of the ledger file") \
    X ("ledger_wal_size_bytes",        GAUGE,   "ledger",   "wal_bytes",     1, "Size of the write-ahead log") \
    X ("ledger_commits",               COUNTER, "ledger",   "commits",       1, "Transactions of the ledger since it was created") \
    X ("ledger_rejected_open",         GAUGE,   "ledger",   "rejected",      1, "Refused events that no retry has accepted") \
    X ("ledger_losses",                COUNTER, "ledger",   "losses",        1, "Losses of acked events that an operator accepted") \
    X ("ledger_ahead_seconds",         GAUGE,   "ledger",   "ahead_ms",   1000, "How far the newest commit is ahead of the clock") \
    X ("disk_free_bytes",              GAUGE,   "disk",     "free_bytes",    1, "Free space of the disk of the ledger") \
    X ("disk_size_bytes",              GAUGE,   "disk",     "size_bytes",    1, "Size of the disk of the ledger") \
    X ("disk_full_in_seconds",         GAUGE,   "disk",     "full_in_s",     1, "Time until the disk is full as it fills now; absent if it does not fill") \
    X ("sessions",                     GAUGE,   "sessions", "total",         1, "Sessions in the ledger") \
    X ("producers",                    GAUGE,   "",         "producers_total", 1, "Producers that have ever published") \
    X ("ingest_events",                COUNTER, "ingest",   "events",        1, "Events committed since the start") \
    X ("ingest_duplicates",            COUNTER, "ingest",   "duplicates",    1, "Events that were durable already") \
    X ("ingest_rejected",              COUNTER, "ingest",   "rejected",      1, "Events that broke a rule") \
    X ("ingest_interrupted",           COUNTER, "ingest",   "interrupted",   1, "Tasks that the broker marked as interrupted") \
    X ("ingest_batches",               COUNTER, "ingest",   "batches",       1, "Batches of events") \
    X ("ingest_messages",              COUNTER, "ingest",   "messages",      1, "Messages of producers") \
    X ("ingest_received_bytes",        COUNTER, "ingest",   "bytes",         1, "Bytes of those messages") \
    X ("ingest_errors",                COUNTER, "ingest",   "errors",        1, "Messages that were not accepted as a whole") \
    X ("ingest_behind",                COUNTER, "ingest",   "behind",        1, "Hellos of producers that were acked more than the ledger has") \
    X ("ingest_undeliverable",         COUNTER, "ingest",   "undeliverable", 1, "Answers whose producer was gone") \
    X ("ingest_held_back",             COUNTER, "ingest",   "held_back",     1, "Times that the ledger could not be written") \
    X ("ingest_holding",               GAUGE,   "ingest",   "holding",       1, "1 while the ledger cannot be written and acks are held back") \
    X ("ingest_peers",                 GAUGE,   "ingest",   "peers",         1, "Connections of producers") \
    X ("only_in_redis_events",         GAUGE,   "ingest",   "only_in_redis", 1, "Events that the ledger does not have yet (mode redis)") \
    X ("redis_lag_seconds",            GAUGE,   "redis",    "lag_ms",     1000, "How far Redis is behind the ledger") \
    X ("redis_applied",                COUNTER, "redis",    "applied",       1, "Records written to Redis") \
    X ("redis_batches",                COUNTER, "redis",    "batches",       1, "Transactions of Redis") \
    X ("redis_rebuilds",               COUNTER, "redis",    "rebuilds",      1, "Times that the records in Redis were rebuilt") \
    X ("redis_reconnects",             COUNTER, "redis",    "reconnects",    1, "Connections to Redis after the first") \
    X ("redis_errors",                 COUNTER, "redis",    "errors",        1, "Errors of Redis") \
    X ("redis_evicted",                COUNTER, "redis",    "evicted",       1, "Keys that Redis dropped by itself") \
    X ("redis_repaired",               COUNTER, "redis",    "repaired",      1, "Records that the background check corrected") \
    X ("segments_lag_seconds",         GAUGE,   "segments", "lag_ms",     1000, "Time since the backup has had every event; 0: it has all") \
    X ("seal_lag_seconds",             GAUGE,   "seal",     "lag_ms",     1000, "Time since the last checkpoint, while events wait for the next") \
    X ("requests_waiting",             GAUGE,   "requests", "waiting",       1, "Requests that wait for a position") \
    X ("requests_queued",              GAUGE,   "requests", "queued",        1, "Requests that wait for a worker") \
    X ("requests_working",             GAUGE,   "requests", "working",       1, "Requests that are being answered") \
    X ("requests_dropped",             COUNTER, "requests", "dropped",       1, "Requests that were dropped") \
    X ("requests_withheld",            COUNTER, "requests", "withheld",      1, "Answers that were withheld from clients that do not read") \
    X ("feed_published",               COUNTER, "feed",     "published",     1, "Messages of the feed") \
    X ("feed_left_out",                COUNTER, "feed",     "left_out",      1, "Events that were not published because subscribers do not read") \
    X ("feed_subscriptions",           GAUGE,   "feed",     "topics",        1, "Topics that are subscribed to") \
    X ("backup_snapshots",             GAUGE,   "backup",   "snapshots",     1, "Verified snapshots of the ledger in the repository") \
    X ("backup_snapshot_age_seconds",  GAUGE,   "backup",   "age_s",         1, "Age of the newest verified snapshot; alert above 93600 (26 hours)") \
    X ("backup_snapshot_position",     GAUGE,   "backup",   "snapshot_position", 1, "Position up to which the newest verified snapshot has events") \
    X ("backup_failing_seconds",       GAUGE,   "backup",   "failing_ms", 1000, "For how long no snapshot can be taken; absent if the last one was") \
    X ("recovery_interrupted_tasks",   GAUGE,   "recovery", "interrupted",   1, "Tasks that the last start marked as interrupted") \
    X ("consistency_ratio",            GAUGE,   "consistency", "consistent", 1, "Share of the records in Redis without a difference, by the last check")

typedef struct {
    FILE *file;
    bool openmetrics;
    const json_t *stats;
} s_print_t;

void
cli_prometheus_begin (FILE *file, bool openmetrics, const char *name, cli_metric_t type, const char *help)
{
    static const char *const words [] = { "gauge", "counter", "histogram" };
    const char *suffix = type == CLI_COUNTER && !openmetrics? "_total": "";
    fprintf (file, "# HELP stele_%s%s %s\n# TYPE stele_%s%s %s\n", name, suffix, help, name, suffix, words [type]);
}

//  false counts as 0, true as 1
static bool
s_number (const json_t *value, double *number)
{
    if (json_is_number (value))
        *number = json_number_value (value);
    else
    if (json_is_boolean (value))
        *number = json_is_true (value);
    else
        return false;
    return true;
}

static const json_t *
s_part (const s_print_t *self, const char *part)
{
    return *part? json_object_get (self->stats, part): self->stats;
}

static void
s_print_numbers (const s_print_t *self)
{
    static const struct { const char *name; cli_metric_t type; const char *part, *key; int divisor; const char *help; } rows [] = {
#define METRIC_ROW(name, type, part, key, divisor, help) { name, CLI_##type, part, key, divisor, help },
        METRICS (METRIC_ROW)
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows [0]; i++) {
        double number;
        if (!s_number (json_object_get (s_part (self, rows [i].part), rows [i].key), &number))
            continue;
        cli_prometheus_begin (self->file, self->openmetrics, rows [i].name, rows [i].type, rows [i].help);
        fprintf (self->file, "stele_%s%s %.15g\n", rows [i].name, rows [i].type == CLI_COUNTER? "_total": "",
            number / rows [i].divisor);
    }
}

//  -- numbers by a word of a closed set ---------------------------------------------------------------------

//  An object of numbers: a label per key
static void
s_print_map (const s_print_t *self, const char *name, cli_metric_t type, const char *help, const char *label,
    const json_t *map, double divisor)
{
    const char *key;
    json_t *value;
    double number;
    if (json_object_size (map) == 0)
        return;
    cli_prometheus_begin (self->file, self->openmetrics, name, type, help);
    json_object_foreach ((json_t *) map, key, value)
        if (s_number (value, &number))
            fprintf (self->file, "stele_%s%s{%s=\"%s\"} %.15g\n", name, type == CLI_COUNTER? "_total": "", label, key,
                number / divisor);
}

//  1 for the word that holds, 0 for the others
static void
s_print_word (const s_print_t *self, const char *name, const char *help, const char *label, const char *word,
    const char *const *words)
{
    if (!word)
        return;
    cli_prometheus_begin (self->file, self->openmetrics, name, CLI_GAUGE, help);
    for (; *words; words++)
        fprintf (self->file, "stele_%s{%s=\"%s\"} %d\n", name, label, *words, strcmp (*words, word) == 0);
}

static const char *
s_text (const s_print_t *self, const char *part, const char *key)
{
    return json_string_value (json_object_get (json_object_get (self->stats, part), key));
}

static void
s_print_words (const s_print_t *self)
{
    static const char *const modes [] = { "dual", "sqlite", "redis", NULL };
    static const char *const states [] = { "live", "catching_up", "rebuilding", "away", "off", NULL };
    s_print_map (self, "tasks", CLI_GAUGE, "Tasks by state", "state",
        json_object_get (json_object_get (self->stats, "tasks"), "by_state"), 1);
    s_print_word (self, "ingest_mode", "What acks wait for", "mode", s_text (self, "ingest", "mode"), modes);
    s_print_map (self, "ingest_stage_seconds", CLI_COUNTER, "How the time of the writer was spent", "stage",
        json_object_get (json_object_get (self->stats, "ingest"), "stages_us"), 1e6);
    s_print_word (self, "redis_state", "State of the records in Redis", "state", s_text (self, "redis", "state"), states);
    s_print_map (self, "recovery_seconds", CLI_GAUGE, "Time of the last start, by phase", "phase",
        json_object_get (json_object_get (self->stats, "recovery"), "seconds"), 1);
    s_print_map (self, "request_errors", CLI_COUNTER, "Requests that were refused, by code", "code",
        json_object_get (json_object_get (self->stats, "requests"), "by_error"), 1);
    s_print_map (self, "auth_denied", CLI_COUNTER, "Accesses that were denied, by reason", "reason",
        json_object_get (json_object_get (self->stats, "auth"), "denied"), 1);
}

//  The same key of several parts
static void
s_print_parts (const s_print_t *self, const char *name, const char *help, const char *label, const char *key,
    const char *const *parts)
{
    double number;
    cli_prometheus_begin (self->file, self->openmetrics, name, CLI_GAUGE, help);
    for (; *parts; parts++)
        if (s_number (json_object_get (json_object_get (self->stats, *parts), key), &number))
            fprintf (self->file, "stele_%s{%s=\"%s\"} %.15g\n", name, label, *parts, number);
}

//  -- histograms -------------------------------------------------------------------------------------------------

static void
s_print_histogram (const s_print_t *self, const char *name, const char *label, const char *word, const json_t *histogram)
{
    const json_t *buckets = json_object_get (histogram, "buckets");
    const char *lead = word? label: "", *equals = word? "=\"": "", *end = word? "\"": "";
    if (!json_is_array (buckets))
        return;
    if (!word)
        word = "";
    for (size_t i = 0; i < json_array_size (buckets); i++)
        fprintf (self->file, "stele_%s_bucket{%s%s%s%s%sle=\"%.9g\"} %lld\n", name, lead, equals, word, end, *lead? ",": "",
            (double) ((int64_t) BUCKET_FIRST << i) / 1e6, (long long) json_integer_value (json_array_get (buckets, i)));
    long long count = (long long) json_integer_value (json_object_get (histogram, "count"));
    fprintf (self->file, "stele_%s_bucket{%s%s%s%s%sle=\"+Inf\"} %lld\n", name, lead, equals, word, end, *lead? ",": "", count);
    const char *open = *lead? "{": "", *close = *lead? "}": "";
    fprintf (self->file, "stele_%s_sum%s%s%s%s%s%s %.15g\n", name, open, lead, equals, word, end, close,
        (double) json_integer_value (json_object_get (histogram, "sum")) / 1e6);
    fprintf (self->file, "stele_%s_count%s%s%s%s%s%s %lld\n", name, open, lead, equals, word, end, close, count);
}

static void
s_print_histograms (const s_print_t *self)
{
    const json_t *ack = json_object_get (json_object_get (self->stats, "ingest"), "ack_us");
    const json_t *by_op = json_object_get (json_object_get (self->stats, "requests"), "by_op");
    const char *op;
    json_t *counts;
    if (json_is_object (ack)) {
        cli_prometheus_begin (self->file, self->openmetrics, "ingest_ack_duration_seconds", CLI_HISTOGRAM,
            "Time from the arrival of a message to its ack");
        s_print_histogram (self, "ingest_ack_duration_seconds", NULL, NULL, ack);
    }
    if (json_object_size (by_op) == 0)
        return;
    cli_prometheus_begin (self->file, self->openmetrics, "requests", CLI_COUNTER, "Requests, by operation");
    json_object_foreach ((json_t *) by_op, op, counts)
        fprintf (self->file, "stele_requests_total{op=\"%s\"} %lld\n", op,
            (long long) json_integer_value (json_object_get (counts, "count")));
    cli_prometheus_begin (self->file, self->openmetrics, "request_duration_seconds", CLI_HISTOGRAM,
        "Time of requests, by operation");
    json_object_foreach ((json_t *) by_op, op, counts)
        s_print_histogram (self, "request_duration_seconds", "op", op, counts);
}

//  -- all of it -------------------------------------------------------------------------------------------------

static void
s_print_findings (const s_print_t *self, const json_t *findings)
{
    size_t count;
    int level = (int) cli_findings_level (findings, &count);
    cli_prometheus_begin (self->file, self->openmetrics, "health_level", CLI_GAUGE,
        "The gravest finding of stele health: 0 healthy, 1 degraded, 2 down");
    fprintf (self->file, "stele_health_level %d\n", level);
    cli_prometheus_begin (self->file, self->openmetrics, "finding", CLI_GAUGE,
        "Findings of stele health: 0 absent, 1 noted, 2 degraded, 3 down");
#define FINDING_LINE(code) \
    fprintf (self->file, "stele_finding{code=\"" #code "\"} %d\n", cli_findings_level_of (findings, #code) + 1);
    CLI_BROKER_FINDINGS (FINDING_LINE)
}

void
cli_prometheus_print (FILE *file, bool openmetrics, const json_t *stats, const json_t *findings)
{
    static const char *const followers [] = { "redis", "feed", "pipeline", "search", "rollup", "segments", "seal", NULL };
    static const char *const sockets [] = { "requests", "feed", NULL };
    s_print_t self = { file, openmetrics, stats };
    cli_prometheus_begin (file, openmetrics, "build_info", CLI_GAUGE, "Version of the program that reports");
    fprintf (file, "stele_build_info{version=\"" STELE_VERSION "\"} 1\n");
    cli_prometheus_begin (file, openmetrics, "up", CLI_GAUGE, "1 if the broker answers");
    fprintf (file, "stele_up %d\n", stats != NULL);
    s_print_findings (&self, findings);
    if (!stats)
        return;
    s_print_numbers (&self);
    s_print_words (&self);
    s_print_parts (&self, "follower_position", "The last event that a follower has processed", "follower", "position", followers);
    s_print_parts (&self, "follower_lag_events", "Events that a follower is behind the ledger", "follower", "lag_events", followers);
    s_print_parts (&self, "unread_bytes", "Bytes that clients have not read yet", "socket", "unread_bytes", sockets);
    s_print_histograms (&self);
}
