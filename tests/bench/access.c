/*  access - section access: what keys cost, next to the same load without them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>
#include "bench.h"
#include "broker/access/access.h"

#define REPEATS_MAX 15
#define CHECKS 2000000

const bench_keys_t *bench_keys;

void
bench_secure (void *socket)
{
    if (!bench_keys)
        return;
    zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, bench_keys->server, sizeof bench_keys->server);
    zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, bench_keys->public, sizeof bench_keys->public);
    zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, bench_keys->secret, sizeof bench_keys->secret);
}

static void
s_write (const char *name, const char *roles, const char *public_key, const char *secret_key)
{
    char path [80];
    snprintf (path, sizeof path, BENCH_KEYS "/%s", name);
    FILE *file = fopen (path, "w");
    if (!file)
        bench_die ("cannot write %s: %s", path, strerror (errno));
    fprintf (file, "metadata\n%scurve\n    public-key = \"%s\"\n", roles, public_key);
    if (secret_key)
        fprintf (file, "    secret-key = \"%s\"\n", secret_key);
    fclose (file);
    chmod (path, 0600);
}

static void
s_make_keys (bench_keys_t *keys)
{
    char secret [41];
    mkdir (BENCH_KEYS, 0700);
    zmq_curve_keypair (keys->server, secret);
    s_write ("server.key_secret", "", keys->server, secret);
    zmq_curve_keypair (keys->public, keys->secret);
    s_write ("bench.key", "    roles = \"admin\"\n", keys->public, NULL);
}

typedef struct { double rate, p50_us, cpu_us; } s_run_t;

static s_run_t
s_run (const bench_options_t *options, const bench_keys_t *keys, const bench_load_t *load)
{
    bench_broker_t broker = { 0 };
    bench_usage_t usage;
    bench_keys = keys;
    bench_ledger_remove ("access.db");
    bench_broker_start (&broker, options, "access.db", NULL);
    bench_load_result_t result = bench_publish (&broker, load, &usage);
    bench_broker_stop (&broker);
    bench_keys = NULL;
    bench_ledger_remove ("access.db");
    return (s_run_t) { (double) result.events / result.seconds, result.p50_us, usage.cpu_s * 1e6 / (double) result.events };
}

//  Find the sender of a message, and check its role
static double
s_check_ns (const bench_keys_t *keys)
{
    stele_refusal_t refusal;
    stele_access_t *access = stele_access_new (BENCH_KEYS, &refusal);
    if (!access)
        bench_die ("%s", refusal.message);
    int refused = 0;
    double begun = bench_cpu_us ();
    for (int i = 0; i < CHECKS; i++)
        refused += stele_access_check (access, stele_access_sender (access, keys->public), STELE_ROLE_PUBLISH, "publish",
            &refusal) != 0;
    double ns = (bench_cpu_us () - begun) * 1e3 / CHECKS;
    assert (refused == 0);
    stele_access_destroy (&access);
    return ns;
}

void
bench_access (bench_t *self)
{
    bench_options_t options = *self->options;
    options.tcp = true;             // Keys are for tcp alone
    bench_keys_t keys;
    s_make_keys (&keys);
    bench_load_t many = {
        .workload = { .producers = 64, .batch = 100, .in_flight = 4096, .tasks = 40000, .events_a_task = 6, .seed = 880000 },
        .depth = 2
    }, one = {
        .workload = { .producers = 1, .batch = 1, .in_flight = 256, .tasks = 400, .events_a_task = 6, .seed = 890000 }, .depth = 1
    };
    double ratio [REPEATS_MAX], added_us [REPEATS_MAX], cpu_us [REPEATS_MAX], check_ns [REPEATS_MAX];
    size_t count = (size_t) (options.repeats < REPEATS_MAX? options.repeats: REPEATS_MAX);
    bench_report_section (self->report, "access", "keys (CURVE over tcp) next to none, in turn; medians of the pairs");
    for (size_t i = 0; i < count; i++) {
        many.workload.seed++;
        one.workload.seed++;
        s_run_t plain = s_run (&options, NULL, &many), keyed = s_run (&options, &keys, &many);
        s_run_t plain_one = s_run (&options, NULL, &one), keyed_one = s_run (&options, &keys, &one);
        ratio [i] = keyed.rate / plain.rate;
        cpu_us [i] = keyed.cpu_us - plain.cpu_us;
        added_us [i] = keyed_one.p50_us - plain_one.p50_us;
        check_ns [i] = s_check_ns (&keys);
        bench_report_note (self->report, "run %zu: 64 x 100, %.0f and %.0f events/s with keys (%.2f x); one at a time, ack p50 %.0f "
            "and %.0f us; role check %.0f ns", i + 1, plain.rate, keyed.rate, ratio [i], plain_one.p50_us, keyed_one.p50_us,
            check_ns [i]);
    }
    bench_report_figure (self->report, bench_median (ratio, count), "x", 0.8, "at least", "64 x 100, events/s with keys to without");
    bench_report_figure (self->report, bench_median (cpu_us, count), "us", 0, NULL, "64 x 100, CPU per event that keys add");
    bench_report_figure (self->report, bench_median (added_us, count), "us", 30, "at most", "one at a time, what keys add to ack p50");
    bench_report_figure (self->report, bench_median (check_ns, count), "ns", 100, "at most", "sender and role of a message");
}
