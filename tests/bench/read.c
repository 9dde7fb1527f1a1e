/*  read - latencies of requests on a filled ledger

    Clients with one outstanding request each, like REQ sockets, all in one thread,
    which costs less than the requests.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "bench.h"
#include "wire/pack.h"
#include "wire/scan.h"

#define CLIENTS_MAX 16

typedef struct {
    bench_t *bench;
    bench_broker_t *broker;
    int64_t tasks;                  // Of the seed, per producer of the fill
    uint64_t seed;
    uint64_t draws;
    int64_t failed;
} s_read_t;

static uint64_t
s_draw (s_read_t *self)
{
    self->draws = self->draws * 6364136223846793005u + 1442695040888963407u;
    return self->draws >> 33;
}

//  A request about a random task, or a list of a random state and role.
static void
s_request (s_read_t *self, const char *op, stele_pack_t *pack)
{
    static const char *const roles [] = { "coder", "reviewer", "planner", "tester" };
    stele_pack_clear (pack);
    if (strcmp (op, "task.list") == 0) {
        stele_pack_map (pack, 4);
        stele_pack_key_string (pack, "states", "passed");
        stele_pack_key_string (pack, "roles", roles [s_draw (self) & 3]);
        stele_pack_key_integer (pack, "limit", 50);
    }
    else {
        char id [37];
        bench_task_id (self->seed, (int) (s_draw (self) % 64),
            (int64_t) (s_draw (self) % (uint64_t) self->tasks), id);
        stele_pack_map (pack, 2);
        stele_pack_key_string (pack, "task_id", id);
    }
    stele_pack_key_string (pack, "op", op);
}

static void
s_hear (s_read_t *self, void *socket)
{
    zmq_msg_t answer;
    zmq_msg_init (&answer);
    if (zmq_msg_recv (&answer, socket, 0) < 0)
        bench_die ("a request was not answered: %s", zmq_strerror (errno));
    stele_token_t ok = stele_scan_find (zmq_msg_data (&answer), zmq_msg_size (&answer), "ok", NULL, NULL);
    if (ok.kind != STELE_SCAN_BOOL || !ok.integer)
        self->failed++;
    zmq_msg_close (&answer);
}

static void
s_measure (s_read_t *self, const char *op, int clients, double seconds, bench_samples_t *samples)
{
    zmq_pollitem_t items [CLIENTS_MAX];
    double sent_at [CLIENTS_MAX];
    stele_pack_t *pack = stele_pack_new ();
    for (int i = 0; i < clients; i++) {
        void *socket = zmq_socket (bench_context, ZMQ_REQ);
        assert (socket);
        zmq_setsockopt (socket, ZMQ_LINGER, &(int) { 0 }, sizeof (int));
        zmq_setsockopt (socket, ZMQ_RCVTIMEO, &(int) { 10000 }, sizeof (int));
        zmq_connect (socket, self->broker->requests);
        items [i] = (zmq_pollitem_t) { socket, 0, ZMQ_POLLIN, 0 };
        s_request (self, op, pack);
        sent_at [i] = bench_now ();
        zmq_send (socket, stele_pack_data (pack), stele_pack_size (pack), 0);
    }
    double begin = bench_now ();
    int open = clients;
    while (open > 0) {
        if (zmq_poll (items, clients, 10000) <= 0)
            bench_die ("no answer to %s in 10 s", op);
        for (int i = 0; i < clients; i++) {
            if (!(items [i].revents & ZMQ_POLLIN))
                continue;
            s_hear (self, items [i].socket);
            double now = bench_now ();
            //  The first requests include connecting
            if (now - begin > 0.1)
                bench_samples_add (samples, (now - sent_at [i]) * 1e6);
            if (now - begin > seconds) {
                open--;
                continue;
            }
            s_request (self, op, pack);
            sent_at [i] = bench_now ();
            zmq_send (items [i].socket, stele_pack_data (pack), stele_pack_size (pack), 0);
        }
    }
    for (int i = 0; i < clients; i++)
        zmq_close (items [i].socket);
    stele_pack_destroy (&pack);
}

static void
s_report (s_read_t *self, const char *when, double seconds)
{
    static const char *const ops [] = { "task.status", "task.get", "task.history", "task.list" };
    static const int clients [] = { 1, 16 };
    for (size_t op = 0; op < sizeof ops / sizeof ops [0]; op++) {
        char line [200];
        snprintf (line, sizeof line, "%-14s %-16s", ops [op], when);
        bench_report_mute (self->bench->report, true);
        for (size_t i = 0; i < 2; i++) {
            bench_samples_t samples = { 0 };
            s_measure (self, ops [op], clients [i], seconds, &samples);
            double p50 = bench_samples_percentile (&samples, 50) / 1e3;
            double p99 = bench_samples_percentile (&samples, 99) / 1e3;
            bench_report_figure (self->bench->report, p50, "ms", 0, NULL, "%s %s, %d clients, p50",
                ops [op], when, clients [i]);
            bench_report_figure (self->bench->report, p99, "ms", 0, NULL, "%s %s, %d clients, p99",
                ops [op], when, clients [i]);
            snprintf (line + strlen (line), sizeof line - strlen (line),
                "  %2d clients: p50 %6.3f, p99 %6.3f ms", clients [i], p50, p99);
            bench_samples_clear (&samples);
        }
        bench_report_mute (self->bench->report, false);
        bench_report_note (self->bench->report, "%s", line);
    }
}

//  A load that outlasts the requests.
static bench_loader_t *
s_load_start (s_read_t *self, double rate, double seconds)
{
    bench_load_t load = {
        .workload = {
            .producers = 64, .batch = 100, .in_flight = 4096, .events_a_task = 6,
            .tasks = (int64_t) (rate * seconds / 6), .seed = self->seed + 100000
        },
        .depth = 2
    };
    bench_loader_t *loader = bench_loader_start (&load, self->broker->events);
    bench_loader_go (loader);
    return loader;
}

void
bench_read (bench_t *self, bench_broker_t *broker, int64_t tasks, uint64_t seed, double rate)
{
    s_read_t read = { .bench = self, .broker = broker, .tasks = tasks / 64, .seed = seed, .draws = seed };
    bench_report_section (self->report, "read",
        "requests about random tasks, lists of 50 by state and role, newest first");
    s_report (&read, "alone", 0.6);
    bench_loader_t *loader = s_load_start (&read, rate, 14);
    s_report (&read, "under full load", 0.6);
    bench_loader_finish (&loader);
    if (read.failed)
        bench_report_note (self->report, "%lld requests were refused", (long long) read.failed);
}
