/*  filled - sections growth and size: a ledger that fills up

    One ledger is filled to 'scale' tasks; on the way the cost of an event is measured at every
    power of ten. The sections size, read and recovery then use the filled ledger.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include "bench.h"

#define CHUNK 50000                 // Tasks that the load generator encodes at a time
#define PROBE 10000                 // Tasks per measurement of growth,
#define PROBES 5                    // of which the median counts

static bool
s_wanted (const bench_t *self, const char *section)
{
    return !self->options->only || strstr (self->options->only, section);
}

static bench_load_result_t
s_fill (bench_broker_t *broker, int64_t tasks, uint64_t seed, bench_usage_t *usage)
{
    bench_load_t load = {
        .workload = {
            .producers = 64, .batch = 100, .in_flight = 4096, .tasks = tasks,
            .events_a_task = 6, .seed = seed
        },
        .depth = 2
    };
    return bench_publish (broker, &load, usage);
}

typedef struct {
    double rate, writer_us, written;    // Events per second; CPU and bytes per event
} s_probe_t;

//  Followers that still process the previous load would share the processor with the writer
static s_probe_t
s_probe (bench_broker_t *broker, uint64_t seed)
{
    bench_usage_t usage;
    bench_broker_rest (broker);
    bench_load_result_t result = s_fill (broker, PROBE, seed, &usage);
    double events = (double) result.events;
    //  Others: checkpoint threads
    return (s_probe_t) {
        events / result.seconds, (usage.writer_s + usage.io_s + usage.others_s) * 1e6 / events,
        usage.written_bytes / events
    };
}

//  The same with a small ledger
static s_probe_t
s_probe_first (bench_t *self, uint64_t seed)
{
    bench_broker_t broker = { 0 };
    bench_ledger_remove ("first.db");
    bench_broker_start (&broker, self->options, "first.db", NULL);
    s_fill (&broker, PROBE, seed, NULL);
    s_probe_t probe = s_probe (&broker, seed + 1);
    bench_broker_stop (&broker);
    bench_ledger_remove ("first.db");
    return probe;
}

//  In turn, since the speed of a machine changes within minutes. Returns events per second.
static double
s_measure (bench_t *self, bench_broker_t *broker, int64_t stored, uint64_t *seed)
{
    double rate [PROBES], writer_us [PROBES], written [PROBES], to_first_us [PROBES], to_first_rate [PROBES];
    for (int i = 0; i < PROBES; i++) {
        s_probe_t probe = s_probe (broker, (*seed)++);
        bench_broker_rest (broker);
        s_probe_t first = s_probe_first (self, *seed);
        *seed += 2;
        rate [i] = probe.rate;
        writer_us [i] = probe.writer_us;
        written [i] = probe.written;
        to_first_us [i] = probe.writer_us / first.writer_us;
        to_first_rate [i] = probe.rate / first.rate;
    }
    double median = bench_median (rate, PROBES);
    bench_report_figure (self->report, median, "events/s", 0, NULL, "%lld tasks stored", (long long) stored);
    bench_report_figure (self->report, bench_median (to_first_rate, PROBES), "x", 0, NULL,
        "%lld tasks stored, to the events/s at 10000 tasks", (long long) stored);
    bench_report_figure (self->report, bench_median (writer_us, PROBES), "us", 0, NULL,
        "%lld tasks stored, writer's CPU an event", (long long) stored);
    bench_report_figure (self->report, bench_median (to_first_us, PROBES), "x", 0, NULL,
        "%lld tasks stored, to the CPU at 10000 tasks", (long long) stored);
    bench_report_figure (self->report, bench_median (written, PROBES), "bytes", 0, NULL,
        "%lld tasks stored, written an event", (long long) stored);
    return median;
}

//  Sum of a column of dbstat over tables or indexes.
static double
s_dbstat (sqlite3 *db, const char *where)
{
    char sql [400];
    snprintf (sql, sizeof sql, "SELECT sum (pgsize) FROM dbstat WHERE %s", where);
    sqlite3_stmt *stmt;
    double value = 0;
    if (sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step (stmt) == SQLITE_ROW)
        value = sqlite3_column_double (stmt, 0);
    sqlite3_finalize (stmt);
    return value;
}

static double
s_file_size (const char *ledger, const char *tail)
{
    char path [300];
    struct stat status;
    snprintf (path, sizeof path, "%s%s", ledger, tail);
    return stat (path, &status) == 0? (double) status.st_size: 0;
}

static void
s_size (bench_t *self, bench_broker_t *broker, double tasks, double bytes_a_task)
{
    bench_usage_t usage = bench_usage (broker->pid);
    double wal = s_file_size (broker->ledger, "-wal");
    bench_broker_stop (broker);
    double file = s_file_size (broker->ledger, "");
    bench_report_section (self->report, "size", "six-event tasks, indexes included");
    bench_report_figure (self->report, file / tasks, "bytes", bytes_a_task, "payload",
        "bytes a task");
    sqlite3 *db;
    if (sqlite3_open_v2 (broker->ledger, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK) {
        double all = s_dbstat (db, "1"), indexes = s_dbstat (db,
            "name LIKE 'sqlite_autoindex%' OR name IN (SELECT name FROM sqlite_schema WHERE type = 'index')");
        if (all > 0)
            bench_report_figure (self->report, indexes / all * 100, "%", 0, NULL, "index share of the file");
        sqlite3_stmt *stmt = NULL;
        sqlite3_prepare_v2 (db, "SELECT name, sum (pgsize) FROM dbstat GROUP BY name"
            " HAVING sum (pgsize) > 100000 ORDER BY 2 DESC", -1, &stmt, NULL);
        while (stmt && sqlite3_step (stmt) == SQLITE_ROW)
            bench_report_note (self->report, "  %8.1f bytes per task in %s",
                sqlite3_column_double (stmt, 1) / tasks, (const char *) sqlite3_column_text (stmt, 0));
        sqlite3_finalize (stmt);
    }
    sqlite3_close (db);
    bench_report_figure (self->report, wal / 1e6, "MB", 0, NULL, "write-ahead log, at its longest");
    bench_report_figure (self->report, usage.resident_max_bytes / 1048576, "MiB", 0, NULL,
        "memory of the broker while it filled, most");
}

//  Fill up to 'scale' tasks; every power of ten from 100,000 on, and the end, is measured. A
//  remainder of tasks per producer is left out. Returns events per second of the last measurement.
static double
s_grow (bench_t *self, bench_broker_t *broker, uint64_t seed, double *bytes_a_task)
{
    int64_t scale = self->options->scale, stored = 0, next = PROBE;
    while (true) {
        int64_t until = next < scale? next: scale;
        while (stored < until) {
            int64_t tasks = until - stored < CHUNK? until - stored: CHUNK;
            bench_load_result_t result = s_fill (broker, tasks, seed++, NULL);
            *bytes_a_task = result.event_bytes / (double) result.events * 6;
            stored += tasks;
        }
        next *= 10;
        if (stored < scale && (stored == PROBE || stored + PROBES * PROBE >= scale))
            continue;
        double rate = s_measure (self, broker, stored, &seed);
        stored += PROBES * PROBE;
        if (stored >= scale)
            return rate;
    }
}

void
bench_filled (bench_t *self)
{
    bench_broker_t broker = { 0 };
    const uint64_t seed = 5000;
    double bytes_a_task = 0;
    bench_ledger_remove ("filled.db");
    bench_broker_start (&broker, self->options, "filled.db", NULL);
    double empty = bench_usage (broker.pid).resident_bytes / 1048576;
    bench_report_section (self->report, "growth", "cost of an event by size of the ledger, 64 x 100, 4096 in flight");
    double rate = s_grow (self, &broker, seed, &bytes_a_task);
    double tasks = bench_broker_stat (&broker, "tasks/total");
    s_size (self, &broker, tasks, bytes_a_task);
    bench_report_figure (self->report, empty, "MiB", 0, NULL, "memory at rest, empty ledger");
    bench_broker_start (&broker, self->options, "filled.db", NULL);
    bench_report_figure (self->report, bench_usage (broker.pid).resident_bytes / 1048576, "MiB", 0, NULL,
        "memory at rest, filled ledger");
    //  The first fill, of PROBE tasks, has known ids
    if (s_wanted (self, "read"))
        bench_read (self, &broker, PROBE < self->options->scale? PROBE: self->options->scale, seed, rate);
    bench_broker_stop (&broker);
    if (s_wanted (self, "recovery"))
        bench_recovery (self, &broker, self->options->scale / 10);
    if (!self->options->keep)
        bench_ledger_remove ("filled.db");
}
