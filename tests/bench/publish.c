/*  publish - durable events per second, latencies of acks, time per stage

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "bench.h"

typedef struct {
    int producers, batch, depth, in_flight;
    int64_t tasks;
    bool redis;
    bool full;                      // Only with --full
    bool half;                      // Also at half load
} s_case_t;

static const s_case_t s_cases [] = {
    {  1,    1,   1,  256,   700, false, false, true },
    {  1,    1,  16,  256,  4000, false, false, false },
    {  1,    1, 256,  256, 40000, false, false, false },
    {  1,   10,   8,  256, 10000, false, true,  false },
    {  1,  100,   8,  256, 40000, false, false, true },
    {  1, 1000,   4,  256, 40000, false, false, false },
    {  8,    1,   1,  256,  2000, false, true,  false },
    {  8,   10,   8,  256, 20000, false, true,  false },
    {  8,  100,   4,  256, 40000, false, false, true },
    {  8, 1000,   2, 4096, 60000, false, true,  false },
    { 64,    1,   1,  256, 10000, false, false, true },
    { 64,    1,  16,  256, 30000, false, true,  false },
    { 64,   10,   4,  256, 40000, false, true,  false },
    { 64,  100,   2,  256, 60000, false, false, true },
    { 64,  100,   2, 4096, 60000, false, false, true },
    { 64, 1000,   1, 4096, 80000, false, true,  false },
    {  1,    1,   1,  256,   700, true,  false, false },
    { 64,  100,   2,  256, 60000, true,  false, true },
    { 64,  100,   2, 4096, 60000, true,  true,  false },
};

static uint64_t s_seed = 100;

static bench_load_t
s_load (const s_case_t *which)
{
    bench_load_t load = {
        .workload = {
            .producers = which->producers, .batch = which->batch, .in_flight = which->in_flight,
            .tasks = which->tasks, .events_a_task = 6, .seed = ++s_seed
        },
        .depth = which->depth
    };
    return load;
}

//  CPU microseconds per event of the broker's threads, and of the load generator.
static void
s_report_cpu (bench_t *self, const bench_usage_t *usage, const bench_load_result_t *result,
    double redis_s, const char *name)
{
    double scale = 1e6 / (double) result->events;
    bench_report_note (self->report, "    CPU us/event: broker %.2f = writer %.2f + I/O %.2f + cache %.2f"
        " + search %.2f + rollup %.2f + segments %.2f + seal %.2f + others %.2f; redis-server %.2f; load generator %.2f;"
        " written %.0f bytes/event",
        usage->cpu_s * scale, usage->writer_s * scale, usage->io_s * scale, usage->cache_s * scale,
        usage->search_s * scale, usage->rollup_s * scale, usage->backup_s * scale, usage->seal_s * scale,
        usage->others_s * scale, redis_s * scale, result->cpu_s * scale, usage->written_bytes / (double) result->events);
    bench_report_figure (self->report, usage->cpu_s * scale, "us", 0, NULL, "%s, broker CPU an event", name);
    bench_report_figure (self->report, usage->written_bytes / (double) result->events, "bytes",
        result->event_bytes / (double) result->events, "payload", "%s, written to disk an event", name);
}

//  The writer's time per stage, by its own clock: microseconds per event.
static void
s_report_stages (bench_t *self, bench_broker_t *broker)
{
    static const char *const stages [] = { "receive", "decode", "store", "commit", "ack", "checkpoint" };
    char line [256] = "";
    double events = bench_broker_stat (broker, "ingest/events");
    for (size_t i = 0; i < sizeof stages / sizeof stages [0]; i++) {
        char path [64];
        snprintf (path, sizeof path, "ingest/stages_us/%s", stages [i]);
        double us = bench_broker_stat (broker, path);
        if (us >= 0)
            snprintf (line + strlen (line), sizeof line - strlen (line), "%s%s %.2f",
                *line? ", ": "", stages [i], us / events);
    }
    if (*line)
        bench_report_note (self->report, "    writer's time, us/event: %s", line);
}

//  Seconds until Redis is at the head.
static double
s_wait_aligned (bench_broker_t *broker)
{
    double begin = bench_now ();
    while (bench_now () - begin < 60) {
        double head = bench_broker_stat (broker, "ledger/position");
        if (head >= 0 && bench_broker_stat (broker, "redis/position") >= head)
            break;
    }
    return bench_now () - begin;
}

static void
s_half_load (bench_t *self, bench_broker_t *broker, const s_case_t *which, double full, const char *name)
{
    bench_load_t load = s_load (which);
    bench_broker_rest (broker);
    load.rate = full / 2;
    //  About five seconds of it
    int64_t tasks = (int64_t) (load.rate * 5 / 6);
    load.workload.tasks = tasks > which->producers * 2? tasks: which->producers * 2;
    bench_load_result_t result = bench_publish (broker, &load, NULL);
    bench_report_note (self->report, "    at half load (%.0f events/s): ack p50 %.2f, p99 %.2f, p99.9 %.2f ms",
        (double) result.events / result.seconds, result.p50_us / 1e3, result.p99_us / 1e3, result.p999_us / 1e3);
    bench_report_figure (self->report, result.p50_us / 1e3, "ms", 0, NULL, "%s, half load, ack p50", name);
    bench_report_figure (self->report, result.p99_us / 1e3, "ms", 0, NULL, "%s, half load, ack p99", name);
    bench_report_figure (self->report, result.p999_us / 1e3, "ms", 0, NULL, "%s, half load, ack p99.9", name);
}

static void
s_one (bench_t *self, const s_case_t *which, double blobs)
{
    char name [64];
    snprintf (name, sizeof name, "%d x %d, depth %d, %d in flight%s", which->producers, which->batch,
        which->depth, which->in_flight, which->redis? ", Redis": "");
    const char *wanted = self->options->only_case;
    if (wanted? !strstr (name, wanted): which->full && !self->options->full)
        return;
    bench_broker_t broker = { 0 };
    bench_redis_t *redis = which->redis? bench_redis_start (NULL): NULL;
    if (which->redis && !redis)
        return;
    bench_ledger_remove ("publish.db");
    bench_broker_start (&broker, self->options, "publish.db", redis);
    bench_load_t load = s_load (which);
    bench_usage_t usage;
    double redis_s = redis? bench_usage (bench_redis_pid (redis)).cpu_s: 0;
    bench_load_result_t result = bench_publish (&broker, &load, &usage);
    double rate = (double) result.events / result.seconds;
    bench_report_note (self->report, "%-42s %7.0f events/s  %.2f x bare blobs  ack p50 %.2f, p99 %.2f, p99.9 %.2f ms",
        name, rate, rate / blobs, result.p50_us / 1e3, result.p99_us / 1e3, result.p999_us / 1e3);
    bench_report_mute (self->report, true);
    bench_report_figure (self->report, rate, "events/s", blobs, "bare blobs", "%s", name);
    bench_report_figure (self->report, result.p50_us / 1e3, "ms", 0, NULL, "%s, ack p50", name);
    bench_report_figure (self->report, result.p99_us / 1e3, "ms", 0, NULL, "%s, ack p99", name);
    bench_report_figure (self->report, result.p999_us / 1e3, "ms", 0, NULL, "%s, ack p99.9", name);
    redis_s = redis? bench_usage (bench_redis_pid (redis)).cpu_s - redis_s: 0;
    s_report_cpu (self, &usage, &result, redis_s, name);
    s_report_stages (self, &broker);
    if (redis) {
        double aligned = s_wait_aligned (&broker);
        bench_report_note (self->report, "    Redis at the head after %.2f s", aligned);
        bench_report_figure (self->report, aligned, "s", 0, NULL, "%s, until Redis has all", name);
    }
    if (which->half)
        s_half_load (self, &broker, which, rate, name);
    bench_report_mute (self->report, false);
    bench_broker_stop (&broker);
    bench_redis_stop (&redis);
    bench_ledger_remove ("publish.db");
}

static void
s_stream (bench_t *self)
{
    bench_broker_t broker = { 0 };
    bench_ledger_remove ("publish.db");
    bench_broker_start (&broker, self->options, "publish.db", NULL);
    bench_load_t load = {
        .workload = {
            .producers = 8, .batch = 100, .tasks = 8, .seed = ++s_seed, .stream = self->options->stream
        },
        .depth = 4
    };
    bench_usage_t usage;
    bench_load_result_t result = bench_publish (&broker, &load, &usage);
    bench_report_figure (self->report, (double) result.events / result.seconds, "events/s", 0, NULL,
        "recorded stream, 8 x 100");
    bench_report_figure (self->report, result.event_bytes / result.seconds / 1e6, "MB/s", 0, NULL,
        "recorded stream, payload");
    s_report_cpu (self, &usage, &result, 0, "recorded stream");
    bench_report_figure (self->report, bench_broker_stat (&broker, "ledger/size_bytes") / result.event_bytes,
        "", 0, NULL, "recorded stream, file to payload");
    bench_broker_stop (&broker);
    bench_ledger_remove ("publish.db");
}

void
bench_publish_section (bench_t *self)
{
    bench_report_section (self->report, "publish",
        "producers x events per message; each with its own ledger");
    double blobs = bench_limit_blobs (100, 1.0);
    bench_report_figure (self->report, blobs, "events/s", 0, NULL, "bare blobs, batches of 100, now");
    for (size_t i = 0; i < sizeof s_cases / sizeof s_cases [0]; i++)
        s_one (self, &s_cases [i], blobs);
    if (self->options->stream)
        s_stream (self);
}
