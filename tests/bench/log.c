/*  log - brokers that share a log in PostgreSQL, next to a broker of its own in the same run

    The pair of PostgreSQL, the brokers and the load share the processors and the disk of this machine.
    Ratios to the broker of its own are from alternating runs; no other node runs beside the writer in them.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"

#define REPEATS_MAX 9
#define LAG_SECONDS 6
#define PATIENCE_S 120
#define LEASE_MS "60000"            // A node on a busy machine keeps its role; take-overs here need no end of a lease

static uint64_t s_seed = 1000000;

//  A node: arguments of its broker in addition to those of every broker
typedef struct {
    bench_broker_t broker;
    char ledger [16], url [700];
    const char *arguments [8];
} s_node_t;

static void
s_node_start (bench_t *self, s_node_t *node, const char *name)
{
    snprintf (node->ledger, sizeof node->ledger, "%s.db", name);
    bench_postgres_url (self->options, node->url, sizeof node->url);
    memcpy (node->arguments, (const char *[]) { "--shared-log", node->url, "--node", name, "--shared-log-lease", LEASE_MS, NULL }, 7 * sizeof (char *));
    node->broker.arguments = node->arguments;
    bench_broker_start (&node->broker, self->options, node->ledger, NULL);
}

//  Seconds until the node has that position
static double
s_await (s_node_t *node, double position)
{
    double begin = bench_now ();
    while (bench_broker_stat (&node->broker, "position") < position) {
        if (bench_now () - begin > PATIENCE_S)
            bench_die ("%s does not follow", node->ledger);
        usleep (1000);
    }
    return bench_now () - begin;
}

static void
s_await_role (s_node_t *node, const char *role)
{
    char word [16] = "";
    for (double begin = bench_now (); strcmp (word, role); usleep (1000)) {
        if (bench_now () - begin > PATIENCE_S)
            bench_die ("%s does not become %s", node->ledger, role);
        bench_broker_word (&node->broker, "shared_log/role", word, sizeof word);
    }
}

//  -- one node against a broker of its own ------------------------------------------------

static bench_load_t
s_load (int producers, int batch, int depth, int64_t tasks)
{
    return (bench_load_t) {
        .workload = {
            .producers = producers, .batch = batch, .in_flight = 256, .tasks = tasks, .events_a_task = 6, .seed = ++s_seed
        },
        .depth = depth
    };
}

typedef struct { double rate, single_ms; } s_speed_t;

static s_speed_t
s_speed (bench_broker_t *broker)
{
    bench_load_t load = s_load (8, 100, 4, 40000);
    bench_load_result_t many = bench_publish (broker, &load, NULL);
    bench_broker_rest (broker);
    load = s_load (1, 1, 1, 500);
    bench_load_result_t single = bench_publish (broker, &load, NULL);
    return (s_speed_t) { (double) many.events / many.seconds, single.p50_us / 1e3 };
}

static void
s_compare (bench_t *self, s_node_t *node)
{
    double ratio [REPEATS_MAX], more [REPEATS_MAX];
    size_t count = 0;
    double lsn = bench_postgres_number ("SELECT pg_current_wal_lsn () - '0/0'");
    double begun = bench_broker_stat (&node->broker, "position");
    for (; count < (size_t) self->options->repeats && count < REPEATS_MAX; count++) {
        bench_broker_t own = { 0 };
        bench_ledger_remove ("own.db");
        bench_broker_start (&own, self->options, "own.db", NULL);
        s_speed_t alone = s_speed (&own);
        bench_broker_stop (&own);
        s_speed_t shared = s_speed (&node->broker);
        ratio [count] = shared.rate / alone.rate;
        more [count] = shared.single_ms - alone.single_ms;
        bench_report_note (self->report, "run %zu: 8 x 100: %.0f events/s, a broker of its own %.0f; one at a time, ack p50: "
            "%.2f ms, a broker of its own %.2f", count + 1, shared.rate, alone.rate, shared.single_ms, alone.single_ms);
    }
    bench_ledger_remove ("own.db");
    double events = bench_broker_stat (&node->broker, "position") - begun;
    lsn = bench_postgres_number ("SELECT pg_current_wal_lsn () - '0/0'") - lsn;
    bench_report_figure (self->report, bench_median (ratio, count), "x", 0.55, "at least", "8 x 100, to a broker of its own");
    bench_report_figure (self->report, bench_median (more, count), "ms", 0.6, "at most",
        "one at a time, ack p50, more than a broker of its own");
    bench_report_figure (self->report, lsn / events, "bytes", 75, "at most", "WAL of PostgreSQL an event, both loads");
    bench_report_figure (self->report, bench_broker_stat (&node->broker, "shared_log/append_us/p50") / 1e3, "ms", 0, NULL, "append, p50");
    bench_report_figure (self->report, bench_broker_stat (&node->broker, "shared_log/append_us/max") / 1e3, "ms", 30, "at most",
        "append, longest");
}

//  WAL of full batches alone: the figure above has a batch of one for each single event
static void
s_wal (bench_t *self, s_node_t *node)
{
    bench_load_t load = s_load (8, 100, 4, 40000);
    double lsn = bench_postgres_number ("SELECT pg_current_wal_lsn () - '0/0'");
    double batches = bench_broker_stat (&node->broker, "shared_log/number");
    bench_usage_t usage;
    bench_load_result_t result = bench_publish (&node->broker, &load, &usage);
    batches = bench_broker_stat (&node->broker, "shared_log/number") - batches;
    lsn = bench_postgres_number ("SELECT pg_current_wal_lsn () - '0/0'") - lsn;
    double events = (double) result.events;
    bench_report_figure (self->report, lsn / events, "bytes", 75, "at most", "WAL of PostgreSQL an event, 8 x 100");
    bench_report_note (self->report, "    %.0f events a batch; %.0f bytes an event as sent; CPU us/event: writer %.2f, broker %.2f",
        events / batches, result.event_bytes / events, usage.writer_s / events * 1e6, usage.cpu_s / events * 1e6);
}

//  -- followers ---------------------------------------------------------------------------

//  An empty ledger folds all of the log
static void
s_fold (bench_t *self, s_node_t *writer, s_node_t *follower)
{
    double position = bench_broker_stat (&writer->broker, "position"), begin = bench_now ();
    s_node_start (self, follower, "b");
    s_await (follower, position);
    double seconds = bench_now () - begin;
    double cpu_s = bench_usage (follower->broker.pid).writer_s;
    bench_report_figure (self->report, position / seconds, "events/s", 100000, "at least", "fold of the whole log, start included");
    bench_report_figure (self->report, position / cpu_s, "events/s", 0, NULL, "fold, per second of its processor time");
}

//  From the ack of the writer until a request to the follower that wants its position is answered
static void
s_lag (bench_t *self, s_node_t *writer, s_node_t *follower, int rate)
{
    bench_load_t load = s_load (8, 100, 4, (int64_t) rate * LAG_SECONDS / 6);
    load.rate = rate;
    bench_samples_t lag = { 0 };
    bench_loader_t *loader = bench_loader_start (&load, writer->broker.events);
    bench_probe_t *probe = bench_probe_new (writer->broker.events, "lag");
    bench_loader_go (loader);
    //  Not its beginning
    usleep (500000);
    for (double until = bench_now () + LAG_SECONDS - 2; bench_now () < until; usleep (1000)) {
        int64_t position = bench_probe_ack (probe, PATIENCE_S * 1000);
        double begin = bench_now ();
        if (position < 0 || !bench_broker_has (&follower->broker, position))
            bench_die ("no answer while the log is measured");
        bench_samples_add (&lag, (bench_now () - begin) * 1e6);
    }
    bench_probe_destroy (&probe);
    bench_load_result_t result = bench_loader_finish (&loader);
    bench_report_note (self->report, "%.0f events/s by the clock: ack p50 %.2f, p99 %.2f ms; %zu reads on the follower after an ack",
        (double) result.events / result.seconds, result.p50_us / 1e3, result.p99_us / 1e3, lag.count);
    bench_report_figure (self->report, bench_samples_percentile (&lag, 50) / 1e3, "ms", 0, NULL,
        "follower at %d events/s: from the ack to its answer, p50", rate);
    bench_report_figure (self->report, bench_samples_percentile (&lag, 99) / 1e3, "ms", 10, "at most",
        "follower at %d events/s: from the ack to its answer, p99", rate);
    bench_samples_clear (&lag);
}

//  -- take-over ---------------------------------------------------------------------------

//  The writer ends: seconds until the other node acks. Then it is started again, and follows.
static double
s_take_over (bench_t *self, s_node_t *writer, s_node_t *follower, const char *name, int number)
{
    bench_load_t load = s_load (8, 100, 4, 2000);
    bench_publish (&writer->broker, &load, NULL);
    s_await (follower, bench_broker_stat (&writer->broker, "position"));
    double begin = bench_now ();
    kill (writer->broker.pid, number);
    int64_t position = -1;
    bench_probe_t *probe = NULL;
    while (position < 0 && bench_now () - begin < PATIENCE_S) {
        probe = bench_probe_new (follower->broker.events, "take-over");
        position = bench_probe_ack (probe, 100);
        bench_probe_destroy (&probe);
        if (position < 0)
            usleep (2000);
    }
    double seconds = bench_now () - begin;
    bench_broker_kill (&writer->broker);
    s_node_start (self, writer, name);
    s_await_role (writer, "follower");
    s_await (writer, (double) position);
    return seconds;
}

static void
s_take_overs (bench_t *self, s_node_t *a, s_node_t *b)
{
    double killed [REPEATS_MAX], handed [REPEATS_MAX];
    size_t count = 0;
    for (; count < (size_t) self->options->repeats && count < REPEATS_MAX; count++) {
        killed [count] = s_take_over (self, a, b, "a", SIGKILL);
        handed [count] = s_take_over (self, b, a, "b", SIGTERM);
    }
    bench_report_figure (self->report, bench_median (killed, count), "s", 1, "at most", "writer killed (kill -9): first ack of the other node");
    bench_report_figure (self->report, killed [count - 1], "s", 0, NULL, "    the slowest of %zu", count);
    bench_report_figure (self->report, bench_median (handed, count), "s", 0.3, "at most", "writer ended (SIGTERM): first ack of the other node");
    bench_report_figure (self->report, handed [count - 1], "s", 0, NULL, "    the slowest of %zu", count);
}

static bool
s_can_share (const bench_options_t *options)
{
    char command [600];
    snprintf (command, sizeof command, "'%s' --ledger a.db --redis none --shared-log postgres: --check-config >>steled.log 2>&1",
        options->steled);
    return system (command) == 0;
}

void
bench_log (bench_t *self)
{
    s_node_t a = { 0 }, b = { 0 };
    bench_report_section (self->report, "log", "nodes that share a log in PostgreSQL, with a synchronous standby, all on this machine");
    const char *missing = s_can_share (self->options)? bench_postgres_start (self->options):
        "this broker has no shared log (configure --with-postgresql)";
    if (missing) {
        bench_report_note (self->report, "not measured: %s", missing);
        return;
    }
    s_node_start (self, &a, "a");
    s_await_role (&a, "writer");
    s_compare (self, &a);
    s_wal (self, &a);
    s_fold (self, &a, &b);
    s_lag (self, &a, &b, 5000);
    s_lag (self, &a, &b, 50000);
    s_take_overs (self, &a, &b);
    bench_broker_stop (&b.broker);
    bench_broker_stop (&a.broker);
    bench_postgres_stop ();
    bench_ledger_remove ("a.db");
    bench_ledger_remove ("b.db");
}
