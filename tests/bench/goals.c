/*  goals - ratios to the limits of this machine, and which goals they meet

    The goals that are ratios are measured here, limit and broker in turn, several times; the
    median of the ratios counts. The others are figures of the sections that ran before.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "bench.h"

#define REPEATS_MAX 15

typedef struct {
    bench_t *bench;
    double blobs [REPEATS_MAX], rows [REPEATS_MAX], redis [REPEATS_MAX], single [REPEATS_MAX];
    double half_p99_ms [REPEATS_MAX];
    double bare_p99_ms [REPEATS_MAX];       // Of bare blobs at that rate
} s_goals_t;

static uint64_t s_seed = 700000;

static double
s_rate (bench_t *self, bool with_redis, double *half_p99_ms)
{
    bench_broker_t broker = { 0 };
    bench_redis_t *redis = with_redis? bench_redis_start (NULL): NULL;
    if (with_redis && !redis)
        return 0;
    bench_load_t load = {
        .workload = {
            .producers = 64, .batch = 100, .in_flight = 4096, .tasks = 60000, .events_a_task = 6, .seed = ++s_seed
        },
        .depth = 2
    };
    bench_ledger_remove ("goals.db");
    bench_broker_start (&broker, self->options, "goals.db", redis);
    bench_load_result_t result = bench_publish (&broker, &load, NULL);
    double rate = (double) result.events / result.seconds;
    if (half_p99_ms) {
        bench_broker_rest (&broker);
        load.rate = rate / 2;
        load.workload.seed = ++s_seed;
        load.workload.tasks = (int64_t) (load.rate * 4 / 6);
        *half_p99_ms = bench_publish (&broker, &load, NULL).p99_us / 1e3;
    }
    bench_broker_stop (&broker);
    bench_redis_stop (&redis);
    bench_ledger_remove ("goals.db");
    return rate;
}

//  Submit to ack of one event at a time, against one sync and one round trip.
static double
s_single (bench_t *self)
{
    bench_broker_t broker = { 0 };
    bench_load_t load = {
        .workload = {
            .producers = 1, .batch = 1, .in_flight = 256, .tasks = 500, .events_a_task = 6, .seed = ++s_seed
        },
        .depth = 1
    };
    double limit = bench_limit_sync (NULL) + bench_limit_round_trip (self->options);
    bench_ledger_remove ("goals.db");
    bench_broker_start (&broker, self->options, "goals.db", NULL);
    bench_load_result_t result = bench_publish (&broker, &load, NULL);
    bench_broker_stop (&broker);
    bench_ledger_remove ("goals.db");
    return result.p50_us / limit;
}

static void
s_measure (s_goals_t *self)
{
    bench_t *bench = self->bench;
    for (int i = 0; i < bench->options->repeats && i < REPEATS_MAX; i++) {
        double blobs = bench_limit_blobs (100, 1.0), rows = bench_limit_rows (100, 10000).bare;
        double rate = s_rate (bench, false, &self->half_p99_ms [i]);
        self->bare_p99_ms [i] = bench_limit_blobs_p99 (100, rate / 2, 4) / 1e3;
        double redis = s_rate (bench, true, NULL);
        self->blobs [i] = rate / blobs;
        self->rows [i] = rate / rows;
        self->redis [i] = redis / rate;
        self->single [i] = s_single (bench);
        bench_report_note (bench->report, "run %d: blobs %.0f, own rows %.0f, broker %.0f, with Redis %.0f events/s;"
            " half load p99 %.1f ms, bare blobs %.1f ms; one at a time %.2f x", i + 1, blobs, rows, rate, redis,
            self->half_p99_ms [i], self->bare_p99_ms [i], self->single [i]);
    }
}

//  'less': smaller is better. NAN means "not measured in this run".
static void
s_goal (bench_t *self, const char *what, double value, double least, double aim, bool less, const char *unit)
{
    if (value == 0 || isnan (value)) {
        bench_report_note (self->report, "%-64s %8g %8g %10s", what, least, aim, "-");
        return;
    }
    bool met = less? value <= least: value >= least, aimed = less? value <= aim: value >= aim;
    bench_report_note (self->report, "%-64s %8g %8g %10.3g %-5s %s", what, least, aim, value, unit,
        aimed? "aim met": met? "met": "NOT MET");
    bench_report_mute (self->report, true);
    bench_report_figure (self->report, value, unit, least, "at least", "%s", what);
    bench_report_mute (self->report, false);
}

static double
s_from (bench_t *self, const char *section, const char *name)
{
    return bench_report_value (self->report, section, name);
}

static double
s_larger (double a, double b)
{
    return a > b? a: b;
}

void
bench_goals (bench_t *self)
{
    s_goals_t goals = { .bench = self };
    size_t count = (size_t) (self->options->repeats < REPEATS_MAX? self->options->repeats: REPEATS_MAX);
    bench_report_section (self->report, "goals", "64 producers x 100 events, 4096 tasks in flight; medians");
    s_measure (&goals);
    bench_report_note (self->report, "%-64s %8s %8s %10s", "goal", "at least", "aim", "measured");
    s_goal (self, "events/s to bare blobs at batches of 100", bench_median (goals.blobs, count), 0.5, 0.9, false, "x");
    s_goal (self, "events/s to bare own rows at batches of 100", bench_median (goals.rows, count), 0.8, 1.0, false, "x");
    s_goal (self, "events/s with Redis to without", bench_median (goals.redis, count), 0.6, 0.9, false, "x");
    s_goal (self, "one at a time, ack p50 to sync + round trip", bench_median (goals.single, count), 2, 1.2, true, "x");
    s_goal (self, "ack p99 at half load", bench_median (goals.half_p99_ms, count), 10, 3, true, "ms");
    double bare_ms = bench_median (goals.bare_p99_ms, count);
    bench_report_note (self->report, "%-64s %8s %8s %10.3g ms", "  bare blobs at that rate, without decoding and indexes",
        "", "", bare_ms);
    bench_report_mute (self->report, true);
    bench_report_figure (self->report, bare_ms, "ms", 0, NULL, "bare blobs by the clock, p99 at that rate");
    bench_report_mute (self->report, false);
    char name [80];
    snprintf (name, sizeof name, "%lld tasks stored, to the CPU at 10000 tasks", (long long) self->options->scale);
    s_goal (self, "cost an event, all stored to 10000 tasks", s_from (self, "growth", name), 1.5, 1.1, true, "x");
    s_goal (self, "bytes a task, indexes included", s_from (self, "size", "bytes a task"), 1000, 800, true, "bytes");
    s_goal (self, "index share of the file", s_from (self, "size", "index share of the file"), 20, 10, true, "%");
    s_goal (self, "task.status p99, alone", s_from (self, "read", "task.status alone, 1 clients, p99"), 0.5, 0.2, true, "ms");
    s_goal (self, "task.status p99, under full load",
        s_from (self, "read", "task.status under full load, 1 clients, p99"), 5, 1, true, "ms");
    s_goal (self, "task.history and task.list p99",
        s_larger (s_from (self, "read", "task.history alone, 1 clients, p99"),
            s_from (self, "read", "task.list alone, 1 clients, p99")), 5, 1, true, "ms");
    s_goal (self, "recovery of what is active, Redis empty", s_from (self, "recovery", "Redis empty: Redis has what is active"), 5, 2, true, "s");
    s_goal (self, "memory at rest, all stored", s_from (self, "size", "memory at rest, filled ledger"), 256, 64, true, "MiB");
}
