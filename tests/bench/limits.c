/*  limits - the disk, a bare SQLite writer, ZeroMQ, Redis

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <hiredis/hiredis.h>
#include <sqlite3.h>
#include <zmq.h>
#include "bench.h"
#include "wire/scan.h"

//  -- disk ------------------------------------------------------------------------------

static double
s_sync_pages (int file, int count, bench_samples_t *samples)
{
    static char page [4096];
    memset (page, 'x', sizeof page);
    for (int i = 0; i < count; i++) {
        double begin = bench_now ();
        if (pwrite (file, page, sizeof page, (off_t) i * 4096) != 4096 || fdatasync (file) != 0)
            bench_die ("cannot write to the working folder: %s", strerror (errno));
        bench_samples_add (samples, (bench_now () - begin) * 1e6);
    }
    return bench_samples_percentile (samples, 50);
}

double
bench_limit_sync (bench_report_t *report)
{
    int count = 1500;
    int file = open ("sync", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0)
        bench_die ("cannot write to the working folder: %s", strerror (errno));
    bench_samples_t append = { 0 }, again = { 0 };
    double appended = s_sync_pages (file, count, &append);
    double overwritten = s_sync_pages (file, count, &again);
    if (report) {
        bench_report_figure (report, appended, "us", 0, NULL, "fdatasync of an appended page, p50");
        bench_report_figure (report, overwritten, "us", 0, NULL, "fdatasync of an overwritten page, p50");
        bench_report_figure (report, bench_samples_percentile (&again, 99), "us", 0, NULL,
            "fdatasync of an overwritten page, p99");
    }
    bench_samples_clear (&append);
    bench_samples_clear (&again);
    close (file);
    unlink ("sync");
    return overwritten;
}

//  -- a bare writer of blobs ------------------------------------------------------------

static void
s_exec (sqlite3 *db, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec (db, sql, NULL, NULL, &error) != SQLITE_OK)
        bench_die ("bare writer: %s", error);
}

//  Encoded events of the workload, cut from a message.
typedef struct { const char *data; size_t size; } s_blob_t;

static s_blob_t *
s_blobs (bench_messages_t *messages, size_t *count)
{
    bench_workload_t workload = {
        .producers = 1, .batch = 10000, .in_flight = 256, .tasks = 5000, .events_a_task = 6, .seed = 7
    };
    *messages = bench_workload_messages (&workload, 0);
    s_blob_t *blobs = calloc ((size_t) messages->events, sizeof *blobs);
    assert (blobs);
    *count = 0;
    for (size_t i = 0; i < messages->count; i++) {
        size_t begin = i? messages->ends [i - 1]: 0;
        const void *events;
        size_t size;
        stele_token_t array = stele_scan_find (messages->bytes + begin, messages->ends [i] - begin,
            "events", &events, &size);
        stele_scan_t scan = stele_scan_start (events, size);
        stele_scan_next (&scan);
        for (uint32_t n = 0; n < array.count; n++, ++*count)
            stele_scan_skip (&scan, (const void **) &blobs [*count].data, &blobs [*count].size);
    }
    return blobs;
}

typedef struct {
    sqlite3 *db;
    sqlite3_stmt *insert;
    bench_messages_t messages;
    s_blob_t *blobs;
    size_t count, next;
} s_writer_t;

static s_writer_t
s_writer_open (int checkpoint_pages)
{
    s_writer_t self = { 0 };
    char sql [80];
    bench_ledger_remove ("blobs.db");
    if (sqlite3_open ("blobs.db", &self.db) != SQLITE_OK)
        bench_die ("cannot open the bare writer's file");
    snprintf (sql, sizeof sql, "PRAGMA wal_autocheckpoint = %d", checkpoint_pages);
    s_exec (self.db, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA secure_delete = OFF;"
        "CREATE TABLE log (position INTEGER PRIMARY KEY, event BLOB NOT NULL)");
    s_exec (self.db, sql);
    sqlite3_prepare_v2 (self.db, "INSERT INTO log (event) VALUES (?1)", -1, &self.insert, NULL);
    self.blobs = s_blobs (&self.messages, &self.count);
    return self;
}

//  One transaction.
static void
s_writer_commit (s_writer_t *self, int events)
{
    s_exec (self->db, "BEGIN IMMEDIATE");
    for (int i = 0; i < events; i++, self->next = (self->next + 1) % self->count) {
        const s_blob_t *blob = &self->blobs [self->next];
        sqlite3_bind_blob (self->insert, 1, blob->data, (int) blob->size, SQLITE_STATIC);
        sqlite3_step (self->insert);
        sqlite3_reset (self->insert);
    }
    s_exec (self->db, "COMMIT");
}

static void
s_writer_close (s_writer_t *self)
{
    sqlite3_finalize (self->insert);
    sqlite3_close (self->db);
    bench_ledger_remove ("blobs.db");
    bench_messages_clear (&self->messages);
    free (self->blobs);
}

double
bench_limit_blobs (int batch, double seconds)
{
    s_writer_t writer = s_writer_open (10000);
    int64_t done = 0;
    double begin = bench_now ();
    for (; bench_now () - begin < seconds; done += batch)
        s_writer_commit (&writer, batch);
    double rate = (double) done / (bench_now () - begin);
    s_writer_close (&writer);
    return rate;
}

//  A batch is due every batch / rate seconds; all due batches form one transaction.
double
bench_limit_blobs_p99 (int batch, double rate, double seconds)
{
    //  SQLite's default length of the log: shorter pauses
    s_writer_t writer = s_writer_open (1000);
    bench_samples_t samples = { 0 };
    double step = batch / rate, begin = bench_now ();
    int64_t done = 0, all = (int64_t) (seconds / step);
    while (done < all) {
        int64_t due = (int64_t) ((bench_now () - begin) / step);
        if (due > all)
            due = all;
        if (due <= done) {
            double rest = begin + (double) (done + 1) * step - bench_now ();
            if (rest > 0)
                usleep ((useconds_t) (rest * 1e6));
            continue;
        }
        s_writer_commit (&writer, (int) (due - done) * batch);
        double now = bench_now ();
        for (; done < due; done++)
            bench_samples_add (&samples, (now - begin - (double) (done + 1) * step) * 1e6);
    }
    double p99 = bench_samples_percentile (&samples, 99);
    bench_samples_clear (&samples);
    s_writer_close (&writer);
    return p99;
}

static void
s_writers (bench_t *self)
{
    static const int batches [] = { 1, 100, 1000 };
    for (int i = 0; i < 3; i++)
        bench_report_figure (self->report, bench_limit_blobs (batches [i], 1.5), "events/s", 0, NULL,
            "bare SQLite blobs, batches of %d", batches [i]);
    for (int i = 1; i < 3; i++) {
        bench_rows_t rows = bench_limit_rows (batches [i], 10000);
        bench_report_figure (self->report, rows.bare, "events/s", 0, NULL,
            "bare SQLite own rows, batches of %d", batches [i]);
        bench_report_figure (self->report, rows.room, "events/s", rows.bare, "bare own rows",
            "ledger room alone, batches of %d", batches [i]);
        if (i == 2)
            bench_report_figure (self->report, rows.decode, "events/s", 0, NULL, "decoding alone");
    }
}

//  -- ZeroMQ ----------------------------------------------------------------------------

#define ROUNDS  5000
#define STREAM_MESSAGES  300000

//  A ROUTER that echoes ROUNDS messages, then acks every thousandth of a stream.
static void
s_echo (const char *endpoint)
{
    void *context = zmq_ctx_new ();
    void *router = zmq_socket (context, ZMQ_ROUTER);
    zmq_setsockopt (router, ZMQ_RCVHWM, &(int) { 10000 }, sizeof (int));
    if (zmq_bind (router, endpoint) != 0)
        _exit (1);
    char id [64], body [1024];
    for (int i = 0; i < ROUNDS + STREAM_MESSAGES && router; i++) {
        int id_size = zmq_recv (router, id, sizeof id, 0);
        int size = zmq_recv (router, body, sizeof body, 0);
        if (i >= ROUNDS && (i - ROUNDS) % 1000 != 999)
            continue;
        zmq_send (router, id, (size_t) id_size, ZMQ_SNDMORE);
        zmq_send (router, body, (size_t) size, 0);
    }
    zmq_recv (router, id, sizeof id, 0);
    _exit (0);
}

typedef struct { double round_trip_us, round_trip_p99_us, rate; } s_zeromq_t;

static s_zeromq_t
s_zeromq (const bench_options_t *options, int stream)
{
    char endpoint [64] = "ipc://echo", body [200] = { 0 };
    static int number;
    if (options->tcp)
        snprintf (endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", 19000 + ((int) getpid () + number++) % 1000);
    fflush (NULL);
    pid_t pid = fork ();
    if (pid == 0)
        s_echo (endpoint);
    void *dealer = zmq_socket (bench_context, ZMQ_DEALER);
    zmq_setsockopt (dealer, ZMQ_LINGER, &(int) { 0 }, sizeof (int));
    zmq_setsockopt (dealer, ZMQ_SNDHWM, &(int) { 10000 }, sizeof (int));
    zmq_setsockopt (dealer, ZMQ_RCVTIMEO, &(int) { 20000 }, sizeof (int));
    zmq_connect (dealer, endpoint);
    bench_samples_t samples = { 0 };
    s_zeromq_t result = { 0 };
    for (int i = 0; i < ROUNDS; i++) {
        double begin = bench_now ();
        zmq_send (dealer, body, sizeof body, 0);
        if (zmq_recv (dealer, body, sizeof body, 0) < 0)
            bench_die ("no echo over %s", endpoint);
        if (i > 100)
            bench_samples_add (&samples, (bench_now () - begin) * 1e6);
    }
    result.round_trip_us = bench_samples_percentile (&samples, 50);
    result.round_trip_p99_us = bench_samples_percentile (&samples, 99);
    double begin = bench_now ();
    for (int i = 0; i < stream; i++)
        zmq_send (dealer, body, sizeof body, 0);
    for (int i = 0; i < stream / 1000; i++)
        if (zmq_recv (dealer, body, sizeof body, 0) < 0)
            bench_die ("no acks over %s", endpoint);
    result.rate = stream / (bench_now () - begin);
    bench_samples_clear (&samples);
    zmq_close (dealer);
    kill (pid, SIGKILL);
    waitpid (pid, NULL, 0);
    return result;
}

double
bench_limit_round_trip (const bench_options_t *options)
{
    return s_zeromq (options, 0).round_trip_us;
}

//  -- Redis -----------------------------------------------------------------------------

static void
s_redis (bench_t *self)
{
    bench_redis_t *server = bench_redis_start (NULL);
    if (!server) {
        bench_report_note (self->report, "redis-server is not installed: figures with Redis are left out");
        return;
    }
    redisContext *redis = redisConnectUnix (bench_redis_socket (server));
    int64_t done = 0;
    double begin = bench_now ();
    while (bench_now () - begin < 1.5) {
        redisAppendCommand (redis, "MULTI");
        for (int i = 0; i < 100; i++)
            redisAppendCommand (redis, "HSET key:%d id %d title %s state %s role %s provider %s model %s"
                " created_at %lld updated_at %lld position %lld repository_url %s",
                (int) ((done + i) % 10000), i, "some words that name what is to be done here", "running",
                "coder", "anthropic", "model-large-2", 1750000000000000LL, 1750000000000000LL,
                (long long) done, "https://git.example/team/project.git");
        redisAppendCommand (redis, "EXEC");
        for (int i = 0; i < 102; i++) {
            void *reply = NULL;
            if (redisGetReply (redis, &reply) != REDIS_OK)
                bench_die ("Redis: %s", redis->errstr);
            freeReplyObject (reply);
        }
        done += 100;
    }
    bench_report_figure (self->report, (double) done / (bench_now () - begin), "HSET/s", 0, NULL,
        "Redis, MULTI of 100 HSET of 10 fields");
    redisFree (redis);
    bench_redis_stop (&server);
}

void
bench_limits (bench_t *self)
{
    bench_report_section (self->report, "limits", "the components on this machine, one at a time");
    bench_limit_sync (self->report);
    s_writers (self);
    s_zeromq_t zeromq = s_zeromq (self->options, STREAM_MESSAGES);
    bench_report_figure (self->report, zeromq.round_trip_us, "us", 0, NULL, "ZeroMQ round trip, p50");
    bench_report_figure (self->report, zeromq.round_trip_p99_us, "us", 0, NULL, "ZeroMQ round trip, p99");
    bench_report_figure (self->report, zeromq.rate, "msg/s", 0, NULL, "ZeroMQ DEALER to ROUTER, 200 bytes");
    s_redis (self);
}
