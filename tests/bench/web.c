/*  web - clients of stele-http: one request at a time, many connections, streams of events

    All in one thread, which costs less than the server. Answers have a Content-Length; streams are read as
    they come.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <zmq.h>
#include "bench.h"
#include "wire/scan.h"

#define PATIENCE_S   20
#define BUFFER       (1 << 20)      // The largest answer that is measured: a page of 50 tasks has 30 KB

static char s_buffer [BUFFER];

int
bench_web_connect (int port)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit (RLIMIT_NOFILE, &limit);
    }
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((uint16_t) port) };
    address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    int peer = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer < 0 || connect (peer, (struct sockaddr *) &address, sizeof address) != 0)
        bench_die ("cannot connect to stele-http: %s", strerror (errno));
    const struct timeval patience = { PATIENCE_S, 0 };
    setsockopt (peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt (peer, IPPROTO_TCP, TCP_NODELAY, &(int) { 1 }, sizeof (int));
    return peer;
}

void
bench_web_send (int peer, const char *path, const char *fields)
{
    char request [512];
    int size = snprintf (request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, fields);
    if (send (peer, request, (size_t) size, MSG_NOSIGNAL) != size)
        bench_die ("cannot send a request: %s", strerror (errno));
}

//  The whole answer is in the buffer, at least up to its size. Returns that size, 0 if it is not known yet.
static size_t
s_answer_size (const char *buffer, size_t size)
{
    const char *end = memmem (buffer, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    const char *length = memmem (buffer, (size_t) (end - buffer), "Content-Length: ", 16);
    if (memcmp (buffer, "HTTP/1.1 200 ", 13) != 0 || !length)
        bench_die ("stele-http answers: %.*s", 300, buffer);
    return (size_t) (end + 4 - buffer) + strtoul (length + 16, NULL, 10);
}

double
bench_web_get (int peer, const char *path, const char **body)
{
    size_t size = 0, whole = 0;
    double begin = bench_now ();
    bench_web_send (peer, path, "");
    while (!whole || size < whole) {
        ssize_t got = recv (peer, s_buffer + size, sizeof s_buffer - 1 - size, 0);
        if (got <= 0)
            bench_die ("no answer to GET %s: %s", path, got? strerror (errno): "closed");
        size += (size_t) got;
        whole = whole? whole: s_answer_size (s_buffer, size);
    }
    double us = (bench_now () - begin) * 1e6;
    s_buffer [size] = 0;
    if (body)
        *body = strstr (s_buffer, "\r\n\r\n") + 4;
    return us;
}

//  -- many connections ---------------------------------------------------------------------------

typedef struct {
    int peer;
    double sent_at;
    size_t got, whole;
    char head [1024];               // The begin of an answer, until its size is known
} s_conn_t;

//  Returns whether the answer is complete
static bool
s_take (s_conn_t *conn)
{
    ssize_t got = recv (conn->peer, s_buffer, sizeof s_buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0)
        bench_die ("a connection was closed");
    if (!conn->whole) {
        size_t part = sizeof conn->head - conn->got < (size_t) got? sizeof conn->head - conn->got: (size_t) got;
        memcpy (conn->head + conn->got, s_buffer, part);
        conn->whole = s_answer_size (conn->head, conn->got + part);
    }
    conn->got += (size_t) got;
    return conn->whole && conn->got >= conn->whole;
}

double
bench_web_load (int port, int count, double seconds, bench_path_fn *next, void *arg, bench_samples_t *samples)
{
    s_conn_t *conns = calloc ((size_t) count, sizeof *conns);
    struct epoll_event events [64];
    int loop = epoll_create1 (EPOLL_CLOEXEC);
    int64_t answers = 0;
    for (int i = 0; i < count; i++) {
        conns [i].peer = bench_web_connect (port);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &conns [i] };
        epoll_ctl (loop, EPOLL_CTL_ADD, conns [i].peer, &event);
        conns [i].sent_at = bench_now ();
        bench_web_send (conns [i].peer, next (arg), "");
    }
    double begin = bench_now ();
    while (bench_now () - begin < seconds) {
        int ready = epoll_wait (loop, events, 64, PATIENCE_S * 1000);
        if (ready <= 0)
            bench_die ("stele-http does not answer");
        for (int i = 0; i < ready; i++) {
            s_conn_t *conn = events [i].data.ptr;
            if (!s_take (conn))
                continue;
            answers++;
            bench_samples_add (samples, (bench_now () - conn->sent_at) * 1e6);
            conn->got = conn->whole = 0;
            conn->sent_at = bench_now ();
            bench_web_send (conn->peer, next (arg), "");
        }
    }
    double rate = (double) answers / (bench_now () - begin);
    for (int i = 0; i < count; i++)
        close (conns [i].peer);
    close (loop);
    free (conns);
    return rate;
}

//  -- streams ------------------------------------------------------------------------------------

#define MARK       "\ndata: "        // Once in each message
#define MARK_SIZE  7
#define KEPT       (1 << 17)        // Positions whose time of arrival is kept

typedef struct {
    int peer;
    size_t tail_size;
    char tail [MARK_SIZE];          // The end of what was read, where a mark may begin
} s_stream_t;

struct bench_streams {
    int loop, count;
    s_stream_t *streams;
    void *feed;
    double *committed_at;           // By position: when the feed had it
    int64_t messages;
};

bench_streams_t *
bench_streams_open (int port, const char *feed, int count, bench_path_fn *next, void *arg, const char *fields)
{
    bench_streams_t *self = calloc (1, sizeof *self);
    self->streams = calloc ((size_t) count, sizeof *self->streams);
    self->committed_at = calloc (KEPT, sizeof *self->committed_at);
    self->loop = epoll_create1 (EPOLL_CLOEXEC);
    self->count = count;
    self->feed = zmq_socket (bench_context, ZMQ_SUB);
    zmq_setsockopt (self->feed, ZMQ_RCVHWM, &(int) { 0 }, sizeof (int));
    zmq_setsockopt (self->feed, ZMQ_LINGER, &(int) { 0 }, sizeof (int));
    zmq_setsockopt (self->feed, ZMQ_SUBSCRIBE, "", 0);
    zmq_connect (self->feed, feed);
    int descriptor = -1;
    size_t size = sizeof descriptor;
    zmq_getsockopt (self->feed, ZMQ_FD, &descriptor, &size);
    epoll_ctl (self->loop, EPOLL_CTL_ADD, descriptor, &(struct epoll_event) { .events = EPOLLIN });
    for (int i = 0; i < count; i++) {
        self->streams [i].peer = bench_web_connect (port);
        bench_web_send (self->streams [i].peer, next (arg), fields);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &self->streams [i] };
        epoll_ctl (self->loop, EPOLL_CTL_ADD, self->streams [i].peer, &event);
    }
    return self;
}

//  What the broker announces at the same moment to its own subscribers
static void
s_read_feed (bench_streams_t *self)
{
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    while (zmq_msg_recv (&frame, self->feed, ZMQ_DONTWAIT) >= 0) {
        if (zmq_msg_more (&frame))
            continue;
        stele_token_t position = stele_scan_find (zmq_msg_data (&frame), zmq_msg_size (&frame), "position", NULL, NULL);
        if (position.kind == STELE_SCAN_INTEGER)
            self->committed_at [position.integer % KEPT] = bench_now ();
    }
    zmq_msg_close (&frame);
}

//  The line before a mark, "id: POSITION"
static void
s_sample (const bench_streams_t *self, const char *data, const char *mark, bench_samples_t *samples)
{
    const char *at = mark;
    int64_t position = 0, factor = 1;
    for (; at > data && at [-1] >= '0' && at [-1] <= '9'; at--, factor *= 10)
        position += (at [-1] - '0') * factor;
    double committed_at = self->committed_at [position % KEPT];
    if (at - data >= 4 && memcmp (at - 4, "id: ", 4) == 0 && committed_at > 0)
        bench_samples_add (samples, (bench_now () - committed_at) * 1e6);
}

static void
s_read_stream (bench_streams_t *self, s_stream_t *stream, const char *data, size_t size, bench_samples_t *samples)
{
    //  A mark that was cut is counted, and not sampled
    char seam [2 * MARK_SIZE];
    size_t part = size < MARK_SIZE - 1? size: MARK_SIZE - 1;
    memcpy (seam, stream->tail, stream->tail_size);
    memcpy (seam + stream->tail_size, data, part);
    self->messages += stream->tail_size && memmem (seam, stream->tail_size + part, MARK, MARK_SIZE);
    for (const char *at = data; (at = memmem (at, size - (size_t) (at - data), MARK, MARK_SIZE)) != NULL; at += MARK_SIZE) {
        self->messages++;
        if (samples)
            s_sample (self, data, at, samples);
    }
    if (size >= MARK_SIZE - 1) {
        stream->tail_size = MARK_SIZE - 1;
        memcpy (stream->tail, data + size - stream->tail_size, stream->tail_size);
    }
    else {
        size_t all = stream->tail_size + size, cut = all > MARK_SIZE - 1? all - (MARK_SIZE - 1): 0;
        memmove (seam, seam + cut, all - cut);
        memcpy (stream->tail, seam, all - cut);
        stream->tail_size = all - cut;
    }
}

int64_t
bench_streams_read (bench_streams_t *self, double seconds, int64_t upto, bench_samples_t *samples)
{
    struct epoll_event events [256];
    for (double begin = bench_now (), left; (left = seconds - (bench_now () - begin)) > 0 && self->messages < upto;) {
        int ready = epoll_wait (self->loop, events, 256, (int) (left * 1000) + 1);
        s_read_feed (self);
        for (int i = 0; i < ready; i++) {
            s_stream_t *stream = events [i].data.ptr;
            if (!stream)
                continue;
            ssize_t got = recv (stream->peer, s_buffer, sizeof s_buffer, MSG_DONTWAIT);
            if (got == 0 || (got < 0 && errno != EAGAIN))
                bench_die ("a stream was closed");
            if (got > 0)
                s_read_stream (self, stream, s_buffer, (size_t) got, samples);
        }
    }
    return self->messages;
}

void
bench_streams_close (bench_streams_t **self_p)
{
    bench_streams_t *self = *self_p;
    for (int i = 0; i < self->count; i++)
        close (self->streams [i].peer);
    close (self->loop);
    zmq_close (self->feed);
    free (self->committed_at);
    free (self->streams);
    free (self);
    *self_p = NULL;
}
