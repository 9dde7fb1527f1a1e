/*  http - section http: requests, streams and scrapes through stele-http

    The broker has Redis, as in most installations. Differences and ratios are measured in turn with what they
    are compared with, several times; their medians count.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>
#include "bench.h"
#include "wire/pack.h"

#define TASKS     12000             // Stored beforehand: 72,000 events
#define PRODUCERS 64
#define REPEATS_MAX 15
#define STREAMS   1000
#define RATE      1000              // Events per second
#define STREAM_S  6
#define SLOW      1000
#define MISSED    50000

typedef struct {
    bench_t *bench;
    bench_broker_t broker;
    pid_t server;
    int port;
    uint64_t seed, draws;
    int64_t number;                 // Of the next stream
    char path [200];
} s_http_t;

static uint64_t s_seed = 900000;

//  The path of the status of a random task
static const char *
s_status_path (void *arg)
{
    s_http_t *self = arg;
    char id [37];
    self->draws = self->draws * 6364136223846793005u + 1442695040888963407u;
    bench_task_id (self->seed, (int) ((self->draws >> 33) % PRODUCERS), (int64_t) ((self->draws >> 40) % (TASKS / PRODUCERS)), id);
    snprintf (self->path, sizeof self->path, "/v1/tasks/%s/status", id);
    return self->path;
}

static const char *
s_list_path (void *arg)
{
    static const char *const roles [] = { "coder", "reviewer", "planner", "tester" };
    s_http_t *self = arg;
    snprintf (self->path, sizeof self->path, "/v1/tasks?states=passed&roles=%s&limit=50", roles [self->draws++ & 3]);
    return self->path;
}

//  A stream of one task of the load that is going to run
static const char *
s_stream_path (void *arg)
{
    s_http_t *self = arg;
    char id [37];
    bench_task_id (s_seed, 0, self->number++, id);
    snprintf (self->path, sizeof self->path, "/v1/stream?task_id=%s", id);
    return self->path;
}

static const char *
s_changes_path (void *arg)
{
    (void) arg;
    return "/v1/stream?view=tasks";
}

static const char *
s_all_path (void *arg)
{
    (void) arg;
    return "/v1/stream";
}

//  -- requests -----------------------------------------------------------------------------------

//  p50 in ms of a status by ZeroMQ
static double
s_plain_ms (s_http_t *self, int count)
{
    bench_samples_t samples = { 0 };
    stele_pack_t *pack = stele_pack_new ();
    void *socket = zmq_socket (bench_context, ZMQ_REQ);
    zmq_setsockopt (socket, ZMQ_LINGER, &(int) { 0 }, sizeof (int));
    zmq_setsockopt (socket, ZMQ_RCVTIMEO, &(int) { 10000 }, sizeof (int));
    zmq_connect (socket, self->broker.requests);
    for (int i = 0; i < count; i++) {
        char id [37];
        snprintf (id, sizeof id, "%.36s", s_status_path (self) + strlen ("/v1/tasks/"));
        stele_pack_clear (pack);
        stele_pack_map (pack, 2);
        stele_pack_key_string (pack, "op", "task.status");
        stele_pack_key_string (pack, "task_id", id);
        zmq_msg_t answer;
        zmq_msg_init (&answer);
        double begin = bench_now ();
        zmq_send (socket, stele_pack_data (pack), stele_pack_size (pack), 0);
        if (zmq_msg_recv (&answer, socket, 0) < 0)
            bench_die ("no answer to task.status");
        bench_samples_add (&samples, (bench_now () - begin) * 1e3);
        zmq_msg_close (&answer);
    }
    zmq_close (socket);
    stele_pack_destroy (&pack);
    double p50 = bench_samples_percentile (&samples, 50);
    bench_samples_clear (&samples);
    return p50;
}

static double
s_http_ms (s_http_t *self, int count, double percent)
{
    bench_samples_t samples = { 0 };
    int peer = bench_web_connect (self->port);
    for (int i = 0; i < count; i++)
        bench_samples_add (&samples, bench_web_get (peer, s_status_path (self), NULL) / 1e3);
    close (peer);
    double value = bench_samples_percentile (&samples, percent);
    bench_samples_clear (&samples);
    return value;
}

typedef struct { double rate, http_us, broker_us; } s_rate_t;

//  Answers per second, and the processor time of each
static s_rate_t
s_rate (s_http_t *self, int conns, bench_path_fn *path)
{
    bench_samples_t samples = { 0 };
    const double seconds = 1.5;
    double http_s = bench_usage (self->server).cpu_s, broker_s = bench_usage (self->broker.pid).cpu_s;
    s_rate_t result = { .rate = bench_web_load (self->port, conns, seconds, path, self, &samples) };
    double count = result.rate * seconds / 1e6;
    result.http_us = (bench_usage (self->server).cpu_s - http_s) / count;
    result.broker_us = (bench_usage (self->broker.pid).cpu_s - broker_s) / count;
    bench_samples_clear (&samples);
    return result;
}

static void
s_rates (s_http_t *self, size_t repeats, int conns, bench_path_fn *path, double goal, const char *what)
{
    bench_report_t *report = self->bench->report;
    double rates [REPEATS_MAX], http_us [REPEATS_MAX], broker_us [REPEATS_MAX];
    for (size_t i = 0; i < repeats; i++) {
        s_rate_t one = s_rate (self, conns, path);
        rates [i] = one.rate;
        http_us [i] = one.http_us;
        broker_us [i] = one.broker_us;
    }
    bench_report_figure (report, bench_median (rates, repeats), "/s", goal, "goal", "%s, %d connections", what, conns);
    bench_report_figure (report, bench_median (http_us, repeats), "us", 0, NULL, "%s: processor time of stele-http", what);
    bench_report_figure (report, bench_median (broker_us, repeats), "us", 0, NULL, "%s: processor time of the broker", what);
}

static void
s_requests (s_http_t *self, size_t repeats)
{
    bench_report_t *report = self->bench->report;
    double more [REPEATS_MAX], plain [REPEATS_MAX];
    for (size_t i = 0; i < repeats; i++) {
        plain [i] = s_plain_ms (self, 2000);
        more [i] = s_http_ms (self, 2000, 50) - plain [i];
    }
    bench_report_figure (report, bench_median (plain, repeats), "ms", 0, NULL, "task.status by ZeroMQ, p50");
    bench_report_figure (report, bench_median (more, repeats), "ms", 0.15, "goal", "status by HTTP, p50, more than that");
    s_rates (self, repeats, 32, s_status_path, 10000, "status");
    s_rates (self, repeats, 16, s_list_path, 1000, "list of 50");
}

//  Connections that sent a part of a head, and nothing more
static void
s_slow (s_http_t *self, size_t repeats)
{
    static int peers [SLOW];
    double ratios [REPEATS_MAX];
    for (size_t i = 0; i < repeats; i++) {
        double alone = s_http_ms (self, 2000, 99);
        for (int k = 0; k < SLOW; k++) {
            peers [k] = bench_web_connect (self->port);
            if (write (peers [k], "GET /v1/tasks HTTP/1.1\r\nHost: loc", 33) != 33)
                bench_die ("cannot send half a head");
        }
        ratios [i] = s_http_ms (self, 2000, 99) / alone;
        for (int k = 0; k < SLOW; k++)
            close (peers [k]);
    }
    bench_report_figure (self->bench->report, bench_median (ratios, repeats), "x", 2, "goal",
        "status p99 beside %d slow connections", SLOW);
}

static void
s_scrape (s_http_t *self, size_t repeats)
{
    double ms [REPEATS_MAX];
    const char *body = NULL;
    int peer = bench_web_connect (self->port);
    for (size_t i = 0; i < repeats; i++) {
        usleep (1100000);               // Statistics of the broker that are not older than a second are not asked for again
        ms [i] = bench_web_get (peer, "/metrics", &body) / 1e3;
    }
    int series = 0, buckets = 0;
    for (const char *line = body; line && *line; line = strchr (line, '\n')? strchr (line, '\n') + 1: NULL) {
        size_t name = strcspn (line, "{ \n");
        series += *line != '#';
        buckets += *line != '#' && memmem (line, name, "_duration_seconds", 17) != NULL;
    }
    close (peer);
    bench_report_figure (self->bench->report, bench_median (ms, repeats), "ms", 5, "goal", "scrape of /metrics");
    bench_report_figure (self->bench->report, series - buckets, "series", 200, "goal", "series, without those of histograms");
    bench_report_figure (self->bench->report, buckets, "series", 0, NULL, "series of histograms");
}

//  -- streams --------------------------------------------------------------------------------------

typedef struct { double ack_ms, event_ms, cores, mb, messages; } s_streamed_t;

//  A load of RATE events per second beside streams; NULL: beside none
static s_streamed_t
s_stream (s_http_t *self, int count, bench_path_fn *path)
{
    bench_load_t load = {
        .workload = {
            .producers = 1, .batch = 10, .in_flight = STREAMS, .events_a_task = 6, .seed = ++s_seed, .tasks = RATE * STREAM_S / 6
        },
        .depth = 100, .rate = RATE
    };
    bench_samples_t samples = { 0 };
    bench_loader_t *loader = bench_loader_start (&load, self->broker.events);
    self->number = 0;
    bench_streams_t *streams = path? bench_streams_open (self->port, self->broker.feed, count, path, self, ""): NULL;
    if (streams)
        bench_streams_read (streams, 1, INT64_MAX, NULL);
    bench_usage_t before = bench_usage (self->server);
    bench_loader_go (loader);
    double begin = bench_now ();
    s_streamed_t result = { 0 };
    if (streams)
        result.messages = (double) bench_streams_read (streams, STREAM_S + 1, INT64_MAX, &samples) - count;
    double seconds = bench_now () - begin;
    bench_usage_t after = bench_usage (self->server);
    result.ack_ms = bench_loader_finish (&loader).p99_us / 1e3;
    result.event_ms = bench_samples_percentile (&samples, 99) / 1e3;
    result.cores = (after.cpu_s - before.cpu_s) / seconds;
    result.mb = after.resident_bytes / 1e6;
    bench_samples_clear (&samples);
    if (streams)
        bench_streams_close (&streams);
    return result;
}

static void
s_streams (s_http_t *self, size_t repeats)
{
    bench_report_t *report = self->bench->report;
    double acks [REPEATS_MAX], events [REPEATS_MAX], cores [REPEATS_MAX], mb = 0, messages = 0;
    for (size_t i = 0; i < repeats; i++) {
        double alone_ms = s_stream (self, 0, NULL).ack_ms;
        s_streamed_t one = s_stream (self, STREAMS, s_stream_path);
        acks [i] = one.ack_ms / alone_ms;
        events [i] = one.event_ms;
        cores [i] = one.cores;
        mb = one.mb;
        messages = one.messages;
    }
    bench_report_note (report, "%d streams beside %d events/s, each of one task (%.0f messages)", STREAMS, RATE, messages);
    bench_report_figure (report, bench_median (events, repeats), "ms", 100, "goal", "streams of a task: from commit to client, p99");
    bench_report_figure (report, bench_median (cores, repeats), "cores", 0.15, "goal", "streams of a task: stele-http");
    bench_report_figure (report, mb, "MB", 32, "goal", "streams of a task: memory of stele-http");
    bench_report_figure (report, bench_median (acks, repeats), "x", 1.2, "goal", "streams of a task: ack p99, to without streams");
    s_streamed_t changes = s_stream (self, STREAMS, s_changes_path);
    bench_report_figure (report, changes.cores, "cores", 0, NULL, "streams of changed tasks (view=tasks): stele-http");
    bench_report_figure (report, changes.mb, "MB", 0, NULL, "streams of changed tasks: memory of stele-http");
    s_streamed_t all = s_stream (self, 50, s_all_path);
    bench_report_figure (report, all.cores, "cores", 0, NULL, "50 streams of all events (%.0f messages): stele-http", all.messages);
    bench_report_figure (report, all.event_ms, "ms", 0, NULL, "50 streams of all events: from commit to client, p99");
}

static void
s_resume (s_http_t *self, size_t repeats)
{
    double seconds [REPEATS_MAX], cpu_s [REPEATS_MAX];
    int64_t head = (int64_t) bench_broker_stat (&self->broker, "position");
    for (size_t i = 0; i < repeats; i++) {
        char last [64];
        snprintf (last, sizeof last, "Last-Event-ID: %" PRId64 "\r\n", head - MISSED);
        double begin = bench_now (), before_s = bench_usage (self->server).cpu_s + bench_usage (self->broker.pid).cpu_s;
        bench_streams_t *stream = bench_streams_open (self->port, self->broker.feed, 1, s_all_path, self, last);
        //  One more: hello
        if (bench_streams_read (stream, 60, MISSED + 1, NULL) < MISSED + 1)
            bench_die ("%d missed events did not come within a minute", MISSED);
        seconds [i] = bench_now () - begin;
        cpu_s [i] = bench_usage (self->server).cpu_s + bench_usage (self->broker.pid).cpu_s - before_s;
        bench_streams_close (&stream);
    }
    bench_report_figure (self->bench->report, bench_median (seconds, repeats), "s", 1, "goal", "%d missed events resumed", MISSED);
    bench_report_figure (self->bench->report, bench_median (cpu_s, repeats), "s", 0, NULL, "the same: processor time of both");
}

//  -- all ------------------------------------------------------------------------------------------

void
bench_http (bench_t *self)
{
    s_http_t http = { .bench = self, .seed = ++s_seed, .draws = 1 };
    size_t repeats = (size_t) (self->options->repeats < REPEATS_MAX? self->options->repeats: REPEATS_MAX);
    bench_report_section (self->report, "http", "stele-http beside a broker with Redis; medians");
    if (!bench_http_is_there (self->options)) {
        bench_report_note (self->report, "stele-http was not built");
        return;
    }
    bench_redis_t *redis = bench_redis_start (NULL);
    bench_load_t load = {
        .workload = {
            .producers = PRODUCERS, .batch = 100, .in_flight = 4096, .tasks = TASKS, .events_a_task = 6, .seed = http.seed
        },
        .depth = 2
    };
    bench_ledger_remove ("http.db");
    bench_broker_start (&http.broker, self->options, "http.db", redis);
    bench_publish (&http.broker, &load, NULL);
    bench_broker_rest (&http.broker);
    http.server = bench_http_start (&http.broker, &http.port);
    s_requests (&http, repeats);
    s_slow (&http, repeats);
    s_scrape (&http, repeats);
    s_streams (&http, repeats);
    s_resume (&http, repeats);
    bench_http_stop (&http.server);
    bench_broker_stop (&http.broker);
    bench_redis_stop (&redis);
    bench_ledger_remove ("http.db");
}
