/*  clock - times, latencies, resource usage of a process

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "bench.h"

double
bench_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

double
bench_cpu_us (void)
{
    struct timespec used;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &used);
    return (double) used.tv_sec * 1e6 + (double) used.tv_nsec / 1e3;
}

void
bench_samples_add (bench_samples_t *self, double us)
{
    if (self->count == self->room) {
        self->room = self->room? self->room * 2: 4096;
        self->us = realloc (self->us, self->room * sizeof *self->us);
        assert (self->us);
    }
    self->us [self->count++] = (float) us;
}

static int
s_compare_float (const void *a, const void *b)
{
    float x = *(const float *) a, y = *(const float *) b;
    return (x > y) - (x < y);
}

double
bench_samples_percentile (bench_samples_t *self, double percent)
{
    if (self->count == 0)
        return 0;
    qsort (self->us, self->count, sizeof *self->us, s_compare_float);
    size_t index = (size_t) (percent / 100 * (double) self->count);
    return self->us [index < self->count? index: self->count - 1];
}

void
bench_samples_clear (bench_samples_t *self)
{
    free (self->us);
    *self = (bench_samples_t) { 0 };
}

static int
s_compare_double (const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

double
bench_median (double *values, size_t count)
{
    qsort (values, count, sizeof *values, s_compare_double);
    return count? values [count / 2]: 0;
}

//  Of "NAME: VALUE" lines of a file in /proc
static double
s_proc_value (const char *path, const char *name)
{
    FILE *file = fopen (path, "r");
    if (!file)
        return 0;
    char line [256];
    double value = 0;
    while (fgets (line, sizeof line, file))
        if (strncmp (line, name, strlen (name)) == 0 && line [strlen (name)] == ':')
            value = atof (line + strlen (name) + 1);
    fclose (file);
    return value;
}

//  Nanoseconds on a processor, the first number of schedstat
static double
s_thread_seconds (pid_t pid, const char *thread, char *name, size_t size)
{
    char path [320];
    snprintf (path, sizeof path, "/proc/%d/task/%s/comm", (int) pid, thread);
    FILE *file = fopen (path, "r");
    if (!file || !fgets (name, (int) size, file))
        *name = 0;
    if (file)
        fclose (file);
    snprintf (path, sizeof path, "/proc/%d/task/%s/schedstat", (int) pid, thread);
    file = fopen (path, "r");
    double ns = 0;
    if (file) {
        if (fscanf (file, "%lf", &ns) != 1)
            ns = 0;
        fclose (file);
    }
    return ns / 1e9;
}

bench_usage_t
bench_usage (pid_t pid)
{
    bench_usage_t usage = { 0 };
    char path [64];
    snprintf (path, sizeof path, "/proc/%d/io", (int) pid);
    usage.written_bytes = s_proc_value (path, "write_bytes");
    snprintf (path, sizeof path, "/proc/%d/status", (int) pid);
    usage.resident_bytes = s_proc_value (path, "VmRSS") * 1024;
    usage.resident_max_bytes = s_proc_value (path, "VmHWM") * 1024;
    snprintf (path, sizeof path, "/proc/%d/task", (int) pid);
    DIR *dir = opendir (path);
    if (!dir)
        return usage;
    for (struct dirent *entry = readdir (dir); entry; entry = readdir (dir)) {
        if (*entry->d_name == '.')
            continue;
        char name [64];
        double seconds = s_thread_seconds (pid, entry->d_name, name, sizeof name);
        if (strncmp (name, "writer", 6) == 0)
            usage.writer_s += seconds;
        else
        if (strstr (name, "ZMQ"))
            usage.io_s += seconds;
        else
        if (strncmp (name, "cache", 5) == 0)
            usage.cache_s += seconds;
        else
        if (strncmp (name, "search", 6) == 0)
            usage.search_s += seconds;
        else
        if (strncmp (name, "rollup", 6) == 0)
            usage.rollup_s += seconds;
        else
        if (strncmp (name, "segments", 8) == 0)
            usage.backup_s += seconds;
        else
        if (strncmp (name, "seal", 4) == 0)
            usage.seal_s += seconds;
    }
    closedir (dir);
    //  With threads that have ended, like those of checkpoints
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid (pid, &clock) == 0 && clock_gettime (clock, &time) == 0)
        usage.cpu_s = (double) time.tv_sec + (double) time.tv_nsec / 1e9;
    usage.others_s = usage.cpu_s - usage.writer_s - usage.io_s - usage.cache_s - usage.search_s
        - usage.rollup_s - usage.backup_s - usage.seal_s;
    return usage;
}

void
bench_die (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fputs ("bench: ", stderr);
    vfprintf (stderr, format, args);
    fputc ('\n', stderr);
    va_end (args);
    exit (1);
}
