/*  probe - a producer of one event at a time, which may be refused

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

struct bench_probe {
    void *socket;
    const char *name;
    int64_t sequence;               // Of the last event; -1: no welcome yet
};

bench_probe_t *
bench_probe_new (const char *endpoint, const char *name)
{
    bench_probe_t *self = calloc (1, sizeof *self);
    assert (self);
    self->name = name;
    self->sequence = -1;
    self->socket = zmq_socket (bench_context, ZMQ_DEALER);
    assert (self->socket);
    zmq_setsockopt (self->socket, ZMQ_LINGER, &(int) { 0 }, sizeof (int));
    if (zmq_connect (self->socket, endpoint) != 0)
        bench_die ("cannot connect to %s: %s", endpoint, zmq_strerror (errno));
    return self;
}

void
bench_probe_destroy (bench_probe_t **self_p)
{
    zmq_close ((*self_p)->socket);
    free (*self_p);
    *self_p = NULL;
}

//  Send a message, and return that integer of the answer if it has that op; -1: it is another one, or there is none
static int64_t
s_call (bench_probe_t *self, stele_pack_t *pack, const char *op, const char *key, int timeout_ms)
{
    char answer [4096];
    zmq_setsockopt (self->socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_send (self->socket, stele_pack_data (pack), stele_pack_size (pack), 0);
    stele_pack_destroy (&pack);
    int size = zmq_recv (self->socket, answer, sizeof answer, 0);
    if (size <= 0 || size > (int) sizeof answer)
        return -1;
    stele_token_t found = stele_scan_find (answer, (size_t) size, "op", NULL, NULL);
    if (found.kind != STELE_SCAN_TEXT || found.size != strlen (op) || memcmp (found.data, op, found.size))
        return -1;
    return stele_scan_find (answer, (size_t) size, key, NULL, NULL).integer;
}

static void
s_hello (bench_probe_t *self, int timeout_ms)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "hello");
    stele_pack_key_integer (pack, "protocol", 1);
    stele_pack_key_string (pack, "producer", self->name);
    stele_pack_key_string (pack, "instance", "1");
    stele_pack_map_end (pack);
    self->sequence = s_call (self, pack, "welcome", "sequence", timeout_ms);
}

int64_t
bench_probe_ack (bench_probe_t *self, int timeout_ms)
{
    char id [64];
    if (self->sequence < 0)
        s_hello (self, timeout_ms);
    if (self->sequence < 0)
        return -1;
    snprintf (id, sizeof id, "%s-%lld", self->name, (long long) ++self->sequence);
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "publish");
    stele_pack_key_integer (pack, "sequence", self->sequence);
    stele_pack_key (pack, "events");
    stele_pack_array (pack, 1);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "type", "task.created");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_key_string (pack, "title", "Probe");
    stele_pack_key_string (pack, "description", "");
    stele_pack_key_string (pack, "role", "probe");
    stele_pack_map_end (pack);
    stele_pack_map_end (pack);
    return s_call (self, pack, "ack", "position", timeout_ms);
}
