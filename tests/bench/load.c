/*  load - a process that publishes encoded messages and measures acks

    Speaks the protocol through libzmq alone. Closed loop: every producer keeps 'depth' messages
    unacked. Open loop (rate): messages are sent by the clock, independent of acks. The latency
    of a message is from its sending to the first ack that covers its last event.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>
#include "bench.h"
#include "wire/pack.h"
#include "wire/scan.h"

#define PATIENCE_MS 60000

struct bench_loader {
    pid_t pid;
    int to_child, from_child;
};

typedef struct {
    void *socket;
    bench_messages_t messages;
    size_t sent, acked;             // Messages
    double *sent_at;
} s_producer_t;

typedef struct {
    const bench_load_t *load;
    void *context;
    s_producer_t *producers;
    zmq_pollitem_t *items;
    bench_samples_t latencies;
    bench_load_result_t result;
    size_t open;                    // Unacked messages
} s_load_t;

//  Text of a key in an answer, or a default.
static const char *
s_text (const char *data, size_t size, const char *key, char *buffer, size_t room)
{
    stele_token_t token = stele_scan_find (data, size, key, NULL, NULL);
    snprintf (buffer, room, "%.*s", token.kind == STELE_SCAN_TEXT? (int) token.size: 0, token.data);
    return buffer;
}

static void
s_connect (s_load_t *self, s_producer_t *producer, const char *endpoint, int index)
{
    int none = 0, patience = PATIENCE_MS;
    producer->socket = zmq_socket (self->context, ZMQ_DEALER);
    assert (producer->socket);
    zmq_setsockopt (producer->socket, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt (producer->socket, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt (producer->socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt (producer->socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    bench_secure (producer->socket);
    if (zmq_connect (producer->socket, endpoint) != 0)
        bench_die ("cannot connect to %s: %s", endpoint, zmq_strerror (errno));
    char name [64], answer [1024];
    snprintf (name, sizeof name, "bench-%llu-%d", (unsigned long long) self->load->workload.seed, index);
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map (pack, 4);
    stele_pack_key_string (pack, "op", "hello");
    stele_pack_key_integer (pack, "protocol", 1);
    stele_pack_key_string (pack, "producer", name);
    stele_pack_key_string (pack, "instance", "1");
    zmq_send (producer->socket, stele_pack_data (pack), stele_pack_size (pack), 0);
    stele_pack_destroy (&pack);
    int size = zmq_recv (producer->socket, answer, sizeof answer, 0);
    char op [32];
    if (size <= 0 || strcmp (s_text (answer, (size_t) size, "op", op, sizeof op), "welcome") != 0)
        bench_die ("no welcome for %s", name);
}

static void
s_prepare (s_load_t *self, const char *endpoint)
{
    int count = self->load->workload.producers;
    self->context = zmq_ctx_new ();
    self->producers = calloc ((size_t) count, sizeof *self->producers);
    self->items = calloc ((size_t) count, sizeof *self->items);
    assert (self->context && self->producers && self->items);
    for (int i = 0; i < count; i++) {
        s_producer_t *producer = &self->producers [i];
        producer->messages = bench_workload_messages (&self->load->workload, i);
        producer->sent_at = calloc (producer->messages.count + 1, sizeof *producer->sent_at);
        assert (producer->sent_at);
        s_connect (self, producer, endpoint, i);
        self->items [i] = (zmq_pollitem_t) { producer->socket, 0, ZMQ_POLLIN, 0 };
        self->open += producer->messages.count;
        self->result.events += producer->messages.events;
        self->result.messages += (int64_t) producer->messages.count;
        self->result.event_bytes += (double) producer->messages.event_bytes;
    }
}

static void
s_send (s_producer_t *producer)
{
    const bench_messages_t *messages = &producer->messages;
    size_t begin = producer->sent? messages->ends [producer->sent - 1]: 0;
    producer->sent_at [producer->sent] = bench_now ();
    if (zmq_send (producer->socket, messages->bytes + begin, messages->ends [producer->sent] - begin, 0) < 0)
        bench_die ("cannot send: %s", zmq_strerror (errno));
    producer->sent++;
}

//  Read the broker's messages to one producer.
static void
s_hear (s_load_t *self, s_producer_t *producer)
{
    char answer [4096], op [32], message [512];
    int size;
    while ((size = zmq_recv (producer->socket, answer, sizeof answer, ZMQ_DONTWAIT)) > 0) {
        s_text (answer, (size_t) size, "op", op, sizeof op);
        if (strcmp (op, "nak") == 0) {
            if (self->result.naks++ == 0)
                fprintf (stderr, "bench: first nak: %s\n",
                    s_text (answer, (size_t) size, "message", message, sizeof message));
            continue;
        }
        if (strcmp (op, "ack") != 0)
            bench_die ("the broker sent %s: %s", op,
                s_text (answer, (size_t) size, "message", message, sizeof message));
        int64_t sequence = stele_scan_find (answer, (size_t) size, "sequence", NULL, NULL).integer;
        double now = bench_now ();
        while (producer->acked < producer->sent
        &&     producer->messages.last [producer->acked] <= sequence) {
            bench_samples_add (&self->latencies, (now - producer->sent_at [producer->acked]) * 1e6);
            producer->acked++;
            self->open--;
        }
    }
}

static void
s_fill (s_load_t *self, s_producer_t *producer)
{
    while (producer->sent < producer->messages.count
    &&     producer->sent - producer->acked < (size_t) self->load->depth)
        s_send (producer);
}

static void
s_wait (s_load_t *self, long timeout_ms)
{
    int count = self->load->workload.producers;
    int ready = zmq_poll (self->items, count, timeout_ms);
    if (ready == 0 && timeout_ms == PATIENCE_MS)
        bench_die ("no ack in %d s, %zu messages are unacked", PATIENCE_MS / 1000, self->open);
    for (int i = 0; i < count && ready > 0; i++) {
        if (!(self->items [i].revents & ZMQ_POLLIN))
            continue;
        ready--;
        s_hear (self, &self->producers [i]);
        if (self->load->rate == 0)
            s_fill (self, &self->producers [i]);
    }
}

static void
s_closed_loop (s_load_t *self)
{
    for (int i = 0; i < self->load->workload.producers; i++)
        s_fill (self, &self->producers [i]);
    while (self->open > 0)
        s_wait (self, PATIENCE_MS);
}

static void
s_open_loop (s_load_t *self)
{
    double begin = bench_now ();
    double step = self->load->workload.batch / self->load->rate;
    int64_t next = 0;
    int count = self->load->workload.producers;
    while (self->open > 0) {
        double now = bench_now ();
        while (next < self->result.messages && begin + (double) next * step <= now) {
            s_producer_t *producer = &self->producers [next % count];
            if (producer->sent < producer->messages.count)
                s_send (producer);
            next++;
        }
        bool all = next >= self->result.messages;
        for (int i = 0; all && i < count; i++)
            while (self->producers [i].sent < self->producers [i].messages.count)
                s_send (&self->producers [i]);
        s_wait (self, all? PATIENCE_MS: 1);
    }
}

static void
s_child (const bench_load_t *load, const char *endpoint, int input, int output)
{
    s_load_t self = { .load = load };
    s_prepare (&self, endpoint);
    char byte = 'r';
    if (write (output, &byte, 1) != 1 || read (input, &byte, 1) != 1)
        _exit (1);
    double cpu_s = bench_usage (getpid ()).cpu_s, begin = bench_now ();
    if (load->rate > 0)
        s_open_loop (&self);
    else
        s_closed_loop (&self);
    self.result.seconds = bench_now () - begin;
    self.result.cpu_s = bench_usage (getpid ()).cpu_s - cpu_s;
    self.result.p50_us = bench_samples_percentile (&self.latencies, 50);
    self.result.p99_us = bench_samples_percentile (&self.latencies, 99);
    self.result.p999_us = bench_samples_percentile (&self.latencies, 99.9);
    self.result.max_us = bench_samples_percentile (&self.latencies, 100);
    if (write (output, &self.result, sizeof self.result) != sizeof self.result)
        _exit (1);
    for (int i = 0; i < load->workload.producers; i++)
        zmq_close (self.producers [i].socket);
    _exit (0);
}

bench_loader_t *
bench_loader_start (const bench_load_t *load, const char *endpoint)
{
    bench_loader_t *self = calloc (1, sizeof *self);
    int down [2], up [2];
    assert (self);
    if (pipe (down) != 0 || pipe (up) != 0)
        bench_die ("no pipe: %s", strerror (errno));
    fflush (NULL);
    self->pid = fork ();
    if (self->pid < 0)
        bench_die ("cannot fork: %s", strerror (errno));
    if (self->pid == 0) {
        close (down [1]);
        close (up [0]);
        s_child (load, endpoint, down [0], up [1]);
    }
    close (down [0]);
    close (up [1]);
    self->to_child = down [1];
    self->from_child = up [0];
    char byte;
    if (read (self->from_child, &byte, 1) != 1)
        bench_die ("the load generator ended before it started");
    return self;
}

void
bench_loader_go (bench_loader_t *self)
{
    if (write (self->to_child, "g", 1) != 1)
        bench_die ("the load generator has ended");
}

bench_load_result_t
bench_loader_finish (bench_loader_t **self_p)
{
    bench_loader_t *self = *self_p;
    bench_load_result_t result;
    if (read (self->from_child, &result, sizeof result) != sizeof result)
        bench_die ("the load generator failed");
    waitpid (self->pid, NULL, 0);
    close (self->to_child);
    close (self->from_child);
    free (self);
    *self_p = NULL;
    return result;
}

bench_load_result_t
bench_publish (bench_broker_t *broker, const bench_load_t *load, bench_usage_t *usage)
{
    bench_loader_t *loader = bench_loader_start (load, broker->events);
    bench_usage_t before = bench_usage (broker->pid);
    bench_loader_go (loader);
    bench_load_result_t result = bench_loader_finish (&loader);
    if (usage) {
        *usage = bench_usage (broker->pid);
        usage->cpu_s -= before.cpu_s;
        usage->written_bytes -= before.written_bytes;
        usage->writer_s -= before.writer_s;
        usage->io_s -= before.io_s;
        usage->cache_s -= before.cache_s;
        usage->search_s -= before.search_s;
        usage->rollup_s -= before.rollup_s;
        usage->backup_s -= before.backup_s;
        usage->seal_s -= before.seal_s;
        usage->others_s -= before.others_s;
    }
    return result;
}
