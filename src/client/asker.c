/*  asker - send a request to a node that can execute it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "base/memory.h"
#include "client/asker.h"
#include "client/request.h"
#include "wire/map.h"
#include "stele_error.h"

struct stele_asker {
    stele_requester_t *requester;
    stele_requester_t *writer;      // To the node that writes, where the other one is not
};

stele_asker_t *
stele_asker_new (const char *endpoints, const stele_key_t *key)
{
    stele_asker_t *self = STELE_NEW (stele_asker_t);
    self->requester = stele_requester_new (endpoints, key);
    self->writer = stele_requester_new (endpoints, key);
    return self;
}

void
stele_asker_destroy (stele_asker_t **self_p)
{
    stele_asker_t *self = *self_p;
    if (!self)
        return;
    stele_requester_destroy (&self->requester);
    stele_requester_destroy (&self->writer);
    free (self);
    *self_p = NULL;
}

//  Does the request only read, so that it may be executed twice?
static bool
s_reads (const void *request, size_t size)
{
    static const char *const reads [] = { "ping", "info", "stats", ".get", ".list", ".read", ".status", ".statuses",
        ".history", ".outputs", ".metrics", ".stuck", ".commands", ".times", ".tasks", ".series", "storage" };
    char op [64];
    stele_map_t map;
    if (stele_map_open (&map, request, size) != 0 || !stele_map_text (&map, "op", op, sizeof op))
        return false;
    const char *dot = strchr (op, '.');
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
        if (strcmp (reads [i], dot? dot: op) == 0)
            return true;
    return false;
}

//  Send a request to a node and wait for the answer, which goes into an initialized message
static int
s_ask (stele_requester_t *requester, const void *request, size_t size, int64_t deadline_ms, zmq_msg_t *answer,
    stele_refusal_t *refusal)
{
    int rc;
    do {
        rc = stele_requester_send (requester, request, size, refusal);
        if (rc == 0)
            rc = stele_requester_receive (requester, deadline_ms, answer, refusal);
        //  With several nodes: the next one answers
    } while (rc == STELE_EUNAVAILABLE && !stele_requester_socket (requester) && s_reads (request, size)
        && zclock_mono () < deadline_ms);
    if (rc != 0)
        stele_requester_reset (requester);
    return rc;
}

//  Has a node refused the request because it is not the writer? Then the endpoints that it names, or "".
static bool
s_names_writer (zmq_msg_t *answer, char *writer, size_t size)
{
    stele_map_t map, error;
    if (stele_map_open (&map, zmq_msg_data (answer), zmq_msg_size (answer)) != 0 || !stele_map_map (&map, "error", &error)
    ||  stele_map_code (&error, "code") != STELE_ENOT_WRITER)
        return false;
    if (!stele_map_text (&error, "writer", writer, size))
        *writer = 0;
    return true;
}

//  The node does not write: send the request to the one that does, at most once to each node of the list. The answer
//  remains that of the last one. A connection to the writer is kept beside that for other requests.
static int
s_ask_writer (stele_asker_t *self, const void *request, size_t size, int64_t deadline_ms, zmq_msg_t *answer,
    stele_refusal_t *refusal)
{
    char writer [1024];
    stele_endpoints_t *nodes = stele_requester_endpoints (self->writer);
    size_t left = stele_endpoints_count (nodes) + 1;
    //  An open connection is that of the last time, and probably still to the writer
    bool move = !stele_requester_socket (self->writer);
    int rc = 0;
    while (rc == 0 && left-- > 0 && s_names_writer (answer, writer, sizeof writer)) {
        if (move && !stele_endpoints_go (nodes, writer))
            stele_endpoints_next (nodes);
        if (move)
            stele_requester_reset (self->writer);
        move = true;
        rc = s_ask (self->writer, request, size, deadline_ms, answer, refusal);
    }
    return rc;
}

int
stele_asker_ask (stele_asker_t *self, const void *request, size_t size, int64_t deadline_ms, zmq_msg_t *answer,
    stele_refusal_t *refusal)
{
    char writer [1024];
    int rc = s_ask (self->requester, request, size, deadline_ms, answer, refusal);
    if (rc == 0 && s_names_writer (answer, writer, sizeof writer))
        rc = s_ask_writer (self, request, size, deadline_ms, answer, refusal);
    return rc;
}
