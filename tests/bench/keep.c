/*  keep - section keep: backup, restore, verify and archive of a filled ledger

    Acks beside a backup and beside the archive are compared with those of the same load without, in turn.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

#define LEDGER "keep.db"
#define REPOSITORY "repository"
#define EVENTS_A_TASK 6
#define BACKUP_RATE 2000.0          // Events per second beside a backup
#define BACKUP_SECONDS 12
#define ARCHIVE_TASKS 50000         // Of the load beside the archive
#define REPEATS_MAX 9

static uint64_t s_seed = 3000000;

//  -- programs ----------------------------------------------------------------------------

static pid_t
s_stele (const bench_t *self, const char *const *arguments)
{
    char path [600];
    const char *slash = strrchr (self->options->steled, '/'), *argv [16] = { path };
    snprintf (path, sizeof path, "%.*sstele", slash? (int) (slash + 1 - self->options->steled): 0, self->options->steled);
    for (int i = 0; arguments [i]; i++)
        argv [i + 1] = arguments [i];
    return bench_spawn (argv, "stele.log");
}

typedef struct { double seconds, cpu_s; } s_run_t;

static s_run_t
s_wait (pid_t pid, double begin)
{
    int status;
    struct rusage usage;
    if (wait4 (pid, &status, 0, &usage) != pid || !WIFEXITED (status) || WEXITSTATUS (status) != 0)
        bench_die ("a command failed: see stele.log");
    return (s_run_t) { bench_now () - begin, (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6 };
}

#define RUN(self, ...) s_wait (s_stele (self, (const char *const []) { __VA_ARGS__, NULL }), bench_now ())

static double
s_size (const char *path)
{
    struct stat status;
    return stat (path, &status) == 0? (double) status.st_size: 0;
}

//  -- loads -------------------------------------------------------------------------------

static bench_load_t
s_load (int producers, int batch, int in_flight, int64_t tasks, double rate)
{
    return (bench_load_t) {
        .workload = {
            .producers = producers, .batch = batch, .in_flight = in_flight, .tasks = tasks, .events_a_task = EVENTS_A_TASK,
            .seed = ++s_seed
        },
        .depth = 2, .rate = rate
    };
}

static void
s_start (bench_t *self, bench_broker_t *broker, const char *const *arguments)
{
    broker->arguments = arguments;
    bench_broker_start (broker, self->options, LEDGER, NULL);
}

//  -- backup ------------------------------------------------------------------------------

//  A load by the clock, beside a backup or not. *wal: the longest write-ahead log; *backup_s: how long the backup took
static bench_load_result_t
s_beside_backup (bench_t *self, bench_broker_t *broker, bool backup, double *wal, double *backup_s)
{
    bench_load_t load = s_load (4, 1, 64, (int64_t) (BACKUP_RATE * BACKUP_SECONDS / EVENTS_A_TASK), BACKUP_RATE);
    bench_broker_rest (broker);
    bench_loader_t *loader = bench_loader_start (&load, broker->events);
    double begin = bench_now ();
    double ended = 0;
    pid_t pid = backup? s_stele (self, (const char *const []) { "--requests", broker->requests, "--timeout", "600000", "backup", NULL }): 0;
    bench_loader_go (loader);
    for (double until = begin + BACKUP_SECONDS; bench_now () < until; usleep (200000)) {
        double bytes = s_size (LEDGER "-wal");
        *wal = bytes > *wal? bytes: *wal;
        siginfo_t info = { .si_pid = 0 };
        if (backup && ended == 0 && waitid (P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid)
            ended = bench_now ();
    }
    bench_load_result_t result = bench_loader_finish (&loader);
    if (backup) {
        *backup_s = s_wait (pid, begin).seconds;
        if (ended > 0)
            *backup_s = ended - begin;
    }
    return result;
}

static void
s_backup (bench_t *self, bench_broker_t *broker)
{
    double p99 [REPEATS_MAX], wal = 0, unused = 0, longest_us = 0, backup_s = 0;
    size_t count = 0;
    for (; count < (size_t) self->options->repeats && count < REPEATS_MAX; count++) {
        bench_load_result_t alone = s_beside_backup (self, broker, false, &unused, &unused);
        bench_load_result_t beside = s_beside_backup (self, broker, true, &wal, &backup_s);
        p99 [count] = beside.p99_us / alone.p99_us;
        longest_us = beside.max_us > longest_us? beside.max_us: longest_us;
        bench_report_note (self->report, "run %zu: ack p50, p99, max: %.2f, %.1f, %.0f ms; beside the backup, which took %.1f s: %.2f, "
            "%.1f, %.0f", count + 1, alone.p50_us / 1e3, alone.p99_us / 1e3, alone.max_us / 1e3, backup_s, beside.p50_us / 1e3,
            beside.p99_us / 1e3, beside.max_us / 1e3);
    }
    bench_report_figure (self->report, bench_median (p99, count), "x", 1.25, "at most", "ack p99 beside a backup, to that without");
    bench_report_figure (self->report, longest_us / 1e3, "ms", 60, "at most", "longest ack beside a backup");
    bench_report_figure (self->report, wal / 1e6, "MB", 128, "at most", "longest write-ahead log beside a backup");
}

//  -- commands without a broker -----------------------------------------------------------

static void
s_rate (bench_t *self, const char *name, s_run_t run, double events, double goal)
{
    bench_report_figure (self->report, events / run.seconds, "events/s", goal, "at least", "%s", name);
    bench_report_note (self->report, "    %.2f s, %.2f s of CPU: %.2f us per event", run.seconds, run.cpu_s, run.cpu_s / events * 1e6);
}

static void
s_commands (bench_t *self, double events)
{
    s_rate (self, "stele verify", RUN (self, "verify", LEDGER), events, 500000);
    s_rate (self, "stele verify --events-only", RUN (self, "verify", "--events-only", LEDGER), events, 0);
    s_run_t run = RUN (self, "restore", REPOSITORY, "restored.db");
    bench_report_figure (self->report, run.seconds, "s", 15, "at most", "restore of %.2f GB", s_size ("restored.db") / 1e9);
    bench_ledger_remove ("restored.db");
    if (rename (REPOSITORY "/snapshots", "snapshots"))
        bench_die ("there are no snapshots");
    run = RUN (self, "restore", REPOSITORY, "replayed.db");
    bench_report_figure (self->report, events / run.cpu_s, "events/s", 200000, "at least", "replay of segments, per second of CPU");
    bench_report_note (self->report, "    %.1f s, with the check of the result", run.seconds);
    bench_ledger_remove ("replayed.db");
    if (rename ("snapshots", REPOSITORY "/snapshots"))
        bench_die ("cannot move the snapshots back");
}

//  -- archive -----------------------------------------------------------------------------

static bench_load_result_t
s_beside_archive (bench_t *self, bool archive, double *moved)
{
    bench_broker_t broker = { 0 };
    s_start (self, &broker, archive? (const char *const []) { "--archive-after", "1s", NULL }: NULL);
    bench_load_t load = s_load (8, 100, 256, ARCHIVE_TASKS, 0);
    bench_load_result_t result = bench_publish (&broker, &load, NULL);
    *moved = archive? bench_broker_stat (&broker, "archive/moved"): 0;
    bench_broker_stop (&broker);
    return result;
}

static void
s_archive (bench_t *self)
{
    double p99 [REPEATS_MAX], moved, all = 0;
    size_t count = 0;
    for (; count < (size_t) self->options->repeats && count < REPEATS_MAX; count++) {
        bench_load_result_t alone = s_beside_archive (self, false, &moved);
        bench_load_result_t beside = s_beside_archive (self, true, &moved);
        p99 [count] = beside.p99_us / alone.p99_us;
        all += moved;
        bench_report_note (self->report, "run %zu: %.0f events/s, ack p50, p99: %.1f, %.1f ms; while %.0f tasks were archived: %.0f; %.1f, "
            "%.1f", count + 1, (double) alone.events / alone.seconds, alone.p50_us / 1e3, alone.p99_us / 1e3, moved,
            (double) beside.events / beside.seconds, beside.p50_us / 1e3, beside.p99_us / 1e3);
    }
    bench_report_figure (self->report, bench_median (p99, count), "x", 1.1, "at most", "ack p99 beside the archive, to that without");
    bench_report_figure (self->report, all, "tasks", 0, NULL, "archived meanwhile");
}

//  ----------------------------------------------------------------------------------------

void
bench_keep (bench_t *self)
{
    bench_broker_t broker = { 0 };
    bench_report_section (self->report, "keep", "backup, restore, verify and archive");
    s_start (self, &broker, (const char *const []) { "--backup", REPOSITORY, "--seal", "unsigned", NULL });
    bench_load_t load = s_load (64, 100, 4096, self->options->scale, 0);
    bench_load_result_t filled = bench_publish (&broker, &load, NULL);
    bench_broker_rest (&broker);
    bench_report_figure (self->report, s_size (LEDGER) / 1e6, "MB", 0, NULL, "the ledger of %.0f events", (double) filled.events);
    bench_usage_t usage = bench_usage (broker.pid);
    bench_report_figure (self->report, usage.seal_s / (double) filled.events * 1e6, "us", 1, "at most", "sealing, CPU per event");
    bench_report_figure (self->report, usage.backup_s / (double) filled.events * 1e6, "us", 0, NULL, "segments, CPU per event");
    s_backup (self, &broker);
    double events = bench_broker_stat (&broker, "position");
    bench_broker_stop (&broker);
    s_commands (self, events);
    s_archive (self);
}
