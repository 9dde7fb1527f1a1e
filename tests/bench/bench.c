/*  bench - options, and which sections run

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>
#include "bench.h"

void *bench_context;

static const char s_usage [] =
    "Usage: bench --steled PROGRAM [OPTION]...\n"
    "Measure a broker, and its components on the same disk (doc/PERFORMANCE.md).\n"
    "\n"
    "  --steled PROGRAM   the broker\n"
    "  --dir DIR          create the working folder there, on the disk to measure (default: .)\n"
    "  --only SECTIONS    limits, publish, shapes, redact, access, growth, size, read, recovery, http,\n"
    "                     keep, log, peers, goals\n"
    "  --case TEXT        in publish, only cases whose name contains TEXT, e.g. '64 x 100'\n"
    "  --scale TASKS      number of tasks for growth, size, read and recovery (default: 1000000)\n"
    "  --stream FILE      also publish this recorded stream (JSON Lines, .zst)\n"
    "  --json FILE        also write the figures as JSON; -: instead of the page\n"
    "  --repeats N        repeat the measurements for the goals N times (default: 3)\n"
    "  --tcp              endpoints on 127.0.0.1 instead of ipc\n"
    "  --full             run every case, including long ones\n"
    "  --peers            also measure another system that stores before it acks: Redis Streams\n"
    "  --keep             keep the working folder, with the filled ledger\n";

static int
s_remove (const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void) status;
    (void) type;
    (void) ftw;
    remove (path);
    return 0;
}

static void
s_enter (bench_options_t *options, const char *where)
{
    static char steled [PATH_MAX], stream [PATH_MAX], json [PATH_MAX];
    if (!realpath (options->steled, steled))
        bench_die ("no program %s", options->steled);
    options->steled = steled;
    if (options->stream) {
        if (!realpath (options->stream, stream))
            bench_die ("no stream %s", options->stream);
        options->stream = stream;
    }
    if (options->json && *options->json != '/' && strcmp (options->json, "-") != 0) {
        char here [PATH_MAX / 2];
        if (!getcwd (here, sizeof here))
            bench_die ("no working folder");
        snprintf (json, sizeof json, "%s/%s", here, options->json);
        options->json = json;
    }
    char folder [PATH_MAX];
    snprintf (folder, sizeof folder, "%s/bench-XXXXXX", where);
    if (!mkdtemp (folder) || chdir (folder) != 0 || !getcwd (options->dir, sizeof options->dir))
        bench_die ("cannot create a working folder in %s: %s", where, strerror (errno));
}

static bool
s_wanted (const bench_options_t *options, const char *section)
{
    return !options->only || strstr (options->only, section);
}

static void
s_run (const bench_options_t *options, bool peers)
{
    bench_t self = { .options = options, .report = bench_report_new (options) };
    bench_context = zmq_ctx_new ();
    if (s_wanted (options, "limits"))
        bench_limits (&self);
    if (s_wanted (options, "publish"))
        bench_publish_section (&self);
    if (s_wanted (options, "shapes"))
        bench_shapes (&self);
    if (s_wanted (options, "redact"))
        bench_redact (&self);
    if (s_wanted (options, "access"))
        bench_access (&self);
    if (s_wanted (options, "growth") || s_wanted (options, "size") || s_wanted (options, "read")
    ||  s_wanted (options, "recovery"))
        bench_filled (&self);
    if (s_wanted (options, "http"))
        bench_http (&self);
    //  Takes minutes: only if asked for
    if (options->only && strstr (options->only, "keep"))
        bench_keep (&self);
    if (s_wanted (options, "log"))
        bench_log (&self);
    if (peers || (options->only && strstr (options->only, "peers")))
        bench_peers (&self);
    if (s_wanted (options, "goals"))
        bench_goals (&self);
    bench_report_finish (self.report);
    bench_report_destroy (&self.report);
    zmq_ctx_destroy (bench_context);
}

int
main (int argc, char **argv)
{
    bench_options_t options = { .scale = 1000000, .repeats = 3 };
    const char *where = ".";
    int peers = 0, tcp = 0, full = 0, keep = 0, option;
    const struct option longs [] = {
        { "steled", required_argument, NULL, 's' }, { "dir", required_argument, NULL, 'd' },
        { "only", required_argument, NULL, 'o' }, { "scale", required_argument, NULL, 'n' },
        { "case", required_argument, NULL, 'c' }, { "stream", required_argument, NULL, 'r' }, { "json", required_argument, NULL, 'j' },
        { "repeats", required_argument, NULL, 'm' }, { "tcp", no_argument, &tcp, 1 },
        { "full", no_argument, &full, 1 }, { "peers", no_argument, &peers, 1 },
        { "keep", no_argument, &keep, 1 }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
    };
    while ((option = getopt_long (argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
            case 's': options.steled = optarg; break;
            case 'd': where = optarg; break;
            case 'o': options.only = optarg; break;
            case 'c': options.only_case = optarg; break;
            case 'n': options.scale = atoll (optarg); break;
            case 'r': options.stream = optarg; break;
            case 'j': options.json = optarg; break;
            case 'm': options.repeats = atoi (optarg); break;
            case 'h': fputs (s_usage, stdout); return 0;
            case 0: break;
            default: fputs (s_usage, stderr); return 64;
        }
    }
    if (!options.steled || options.scale < 1000 || options.repeats < 1 || optind < argc) {
        fputs (s_usage, stderr);
        return 64;
    }
    options.tcp = tcp;
    options.full = full;
    options.keep = keep;
    s_enter (&options, where);
    s_run (&options, peers);
    if (!keep && chdir ("..") == 0)
        nftw (options.dir, s_remove, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
