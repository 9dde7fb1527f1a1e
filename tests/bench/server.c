/*  server - a broker and a Redis to measure

    All files are in the working folder, so that names are short enough for sockets.

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
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <hiredis/hiredis.h>
#include <zmq.h>
#include "bench.h"
#include "wire/pack.h"
#include "wire/scan.h"

#define START_S 120

struct bench_redis {
    pid_t pid;
    char socket [32];
};

pid_t
bench_spawn (const char *const *argv, const char *log)
{
    fflush (NULL);
    pid_t pid = fork ();
    if (pid < 0)
        bench_die ("cannot fork: %s", strerror (errno));
    if (pid > 0)
        return pid;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    int file = open (log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file >= 0) {
        dup2 (file, STDOUT_FILENO);
        dup2 (file, STDERR_FILENO);
    }
    execvp (argv [0], (char *const *) argv);
    _exit (127);
}

static void
s_end (pid_t *pid, int number)
{
    if (*pid > 0) {
        kill (*pid, number);
        waitpid (*pid, NULL, 0);
    }
    *pid = 0;
}

//  -- Redis -----------------------------------------------------------------------------

bench_redis_t *
bench_redis_start (const char *const *arguments)
{
    static int number;
    bench_redis_t *self = calloc (1, sizeof *self);
    assert (self);
    snprintf (self->socket, sizeof self->socket, "redis-%d.sock", ++number);
    const char *argv [32] = {
        "redis-server", "--port", "0", "--unixsocket", self->socket, "--save", "", "--dir", "."
    };
    int count = 9;
    for (int i = 0; arguments && arguments [i] && count < 31; i++)
        argv [count++] = arguments [i];
    self->pid = bench_spawn (argv, "redis.log");
    for (double until = bench_now () + 10; bench_now () < until; usleep (20000)) {
        redisContext *redis = redisConnectUnix (self->socket);
        bool ready = redis && !redis->err;
        if (redis)
            redisFree (redis);
        if (ready)
            return self;
        if (waitpid (self->pid, NULL, WNOHANG) == self->pid)
            break;
    }
    free (self);
    return NULL;
}

void
bench_redis_stop (bench_redis_t **self_p)
{
    if (!*self_p)
        return;
    s_end (&(*self_p)->pid, SIGKILL);
    unlink ((*self_p)->socket);
    free (*self_p);
    *self_p = NULL;
}

const char *
bench_redis_socket (const bench_redis_t *self)
{
    return self->socket;
}

pid_t
bench_redis_pid (const bench_redis_t *self)
{
    return self->pid;
}

//  -- the broker ------------------------------------------------------------------------

static void
s_ask_open (bench_broker_t *self)
{
    int none = 0, yes = 1, patience = 2000;
    self->ask = zmq_socket (bench_context, ZMQ_REQ);
    assert (self->ask);
    zmq_setsockopt (self->ask, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt (self->ask, ZMQ_REQ_RELAXED, &yes, sizeof yes);
    zmq_setsockopt (self->ask, ZMQ_REQ_CORRELATE, &yes, sizeof yes);
    zmq_setsockopt (self->ask, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt (self->ask, ZMQ_RECONNECT_IVL, &(int) { 5 }, sizeof (int));
    bench_secure (self->ask);
    zmq_connect (self->ask, self->requests);
}

//  The answer to an operation, as of that position or later. Caller closes the message.
static bool
s_ask_at (bench_broker_t *self, const char *op, int64_t position, zmq_msg_t *answer)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map (pack, 2);
    stele_pack_key_string (pack, "op", op);
    stele_pack_key_integer (pack, "min_position", position);
    zmq_send (self->ask, stele_pack_data (pack), stele_pack_size (pack), 0);
    stele_pack_destroy (&pack);
    zmq_msg_init (answer);
    if (zmq_msg_recv (answer, self->ask, 0) >= 0)
        return true;
    zmq_msg_close (answer);
    return false;
}

static bool
s_ask (bench_broker_t *self, const char *op, zmq_msg_t *answer)
{
    return s_ask_at (self, op, 0, answer);
}

bool
bench_broker_has (bench_broker_t *self, int64_t position)
{
    for (double until = bench_now () + 60; bench_now () < until;) {
        zmq_msg_t answer;
        if (!s_ask_at (self, "ping", position, &answer))
            continue;
        bool has = stele_scan_find (zmq_msg_data (&answer), zmq_msg_size (&answer), "position", NULL, NULL).integer >= position;
        zmq_msg_close (&answer);
        if (has)
            return true;
    }
    return false;
}

void
bench_broker_start (bench_broker_t *self, const bench_options_t *options, const char *ledger,
    const bench_redis_t *redis)
{
    static int number;
    char url [600] = "none";
    self->options = options;
    snprintf (self->ledger, sizeof self->ledger, "%s", ledger);
    number++;
    if (options->tcp) {
        int port = 20000 + (int) (getpid () * 7 + number * 3) % 12000;
        snprintf (self->events, sizeof self->events, "tcp://127.0.0.1:%d", port);
        snprintf (self->requests, sizeof self->requests, "tcp://127.0.0.1:%d", port + 1);
        snprintf (self->feed, sizeof self->feed, "tcp://127.0.0.1:%d", port + 2);
    }
    else {
        snprintf (self->events, sizeof self->events, "ipc://events-%d", number);
        snprintf (self->requests, sizeof self->requests, "ipc://requests-%d", number);
        snprintf (self->feed, sizeof self->feed, "ipc://feed-%d", number);
    }
    if (redis)
        snprintf (url, sizeof url, "unix://%s/%s", options->dir, bench_redis_socket (redis));
    const char *argv [32] = {
        options->steled, "--ledger", ledger, "--redis", url, "--events", self->events,
        "--requests", self->requests, "--feed", self->feed
    };
    int count = 11;
    for (int i = 0; self->arguments && self->arguments [i] && count < 29; i++)
        argv [count++] = self->arguments [i];
    if (bench_keys) {
        argv [count++] = "--keys";
        argv [count++] = BENCH_KEYS;
    }
    self->pid = bench_spawn (argv, "steled.log");
    s_ask_open (self);
    for (double until = bench_now () + START_S; bench_now () < until;) {
        zmq_msg_t answer;
        if (s_ask (self, "ping", &answer)) {
            zmq_msg_close (&answer);
            return;
        }
        if (waitpid (self->pid, NULL, WNOHANG) == self->pid)
            break;
    }
    bench_die ("%s does not answer: see %s/steled.log", options->steled, options->dir);
}

static void
s_broker_end (bench_broker_t *self, int number)
{
    if (self->ask)
        zmq_close (self->ask);
    self->ask = NULL;
    s_end (&self->pid, number);
}

void
bench_broker_stop (bench_broker_t *self)
{
    s_broker_end (self, SIGTERM);
}

void
bench_broker_kill (bench_broker_t *self)
{
    s_broker_end (self, SIGKILL);
}

//  -- stele-http ------------------------------------------------------------------------

static void
s_http_path (const bench_options_t *options, char *path, size_t size)
{
    const char *slash = strrchr (options->steled, '/');
    snprintf (path, size, "%.*sstele-http", slash? (int) (slash + 1 - options->steled): 0, options->steled);
}

bool
bench_http_is_there (const bench_options_t *options)
{
    char path [600];
    s_http_path (options, path, sizeof path);
    return access (path, X_OK) == 0;
}

pid_t
bench_http_start (const bench_broker_t *broker, int *port)
{
    char path [600], line [1024];
    s_http_path (broker->options, path, sizeof path);
    const char *argv [] = {
        path, "--listen", "127.0.0.1:0", "--requests", broker->requests, "--feed", broker->feed, NULL
    };
    unlink ("http.log");
    pid_t pid = bench_spawn (argv, "http.log");
    for (double until = bench_now () + START_S; bench_now () < until; usleep (20000)) {
        FILE *log = fopen ("http.log", "r");
        const char *url = NULL;
        while (log && !url && fgets (line, sizeof line, log))
            url = strstr (line, "ready: http://127.0.0.1:");
        if (log)
            fclose (log);
        if (url) {
            *port = atoi (url + strlen ("ready: http://127.0.0.1:"));
            return pid;
        }
    }
    bench_die ("%s does not start: see %s/http.log", path, broker->options->dir);
}

void
bench_http_stop (pid_t *pid)
{
    s_end (pid, SIGTERM);
}

//  -- statistics ------------------------------------------------------------------------

//  Walk "a/b/c" through maps; token of the last.
static stele_token_t
s_stat (bench_broker_t *self, const char *path, zmq_msg_t *answer)
{
    stele_token_t token = { .kind = STELE_SCAN_END };
    if (!s_ask (self, "stats", answer)) {
        zmq_msg_init (answer);
        return token;
    }
    const void *data = zmq_msg_data (answer);
    size_t size = zmq_msg_size (answer);
    while (*path) {
        char key [48];
        size_t length = strcspn (path, "/");
        snprintf (key, sizeof key, "%.*s", (int) length, path);
        token = stele_scan_find (data, size, key, &data, &size);
        path += length + (path [length] == '/');
        if (token.kind == STELE_SCAN_END || (*path && token.kind != STELE_SCAN_MAP))
            return (stele_token_t) { .kind = STELE_SCAN_END };
    }
    return token;
}

double
bench_broker_stat (bench_broker_t *self, const char *path)
{
    zmq_msg_t answer;
    stele_token_t token = s_stat (self, path, &answer);
    double value = token.kind == STELE_SCAN_INTEGER? (double) token.integer:
        token.kind == STELE_SCAN_REAL? token.real: -1;
    zmq_msg_close (&answer);
    return value;
}

void
bench_broker_rest (bench_broker_t *self)
{
    //  Longer than the polling interval of a follower
    const struct timespec moment = { 0, 300000000 };
    int quiet = 0;
    for (int i = 0; i < 200 && quiet < 5; i++) {
        double cpu_s = bench_usage (self->pid).cpu_s;
        nanosleep (&moment, NULL);
        quiet = bench_usage (self->pid).cpu_s - cpu_s < 0.015? quiet + 1: 0;
    }
}

void
bench_broker_word (bench_broker_t *self, const char *path, char *word, size_t size)
{
    zmq_msg_t answer;
    stele_token_t token = s_stat (self, path, &answer);
    snprintf (word, size, "%.*s", token.kind == STELE_SCAN_TEXT? (int) token.size: 0,
        token.kind == STELE_SCAN_TEXT? token.data: "");
    zmq_msg_close (&answer);
}

void
bench_ledger_remove (const char *ledger)
{
    static const char *const tails [] = { "", "-wal", "-shm", ".lock", ".high-water" };
    char path [300];
    for (size_t i = 0; i < sizeof tails / sizeof tails [0]; i++) {
        snprintf (path, sizeof path, "%s%s", ledger, tails [i]);
        unlink (path);
    }
}
