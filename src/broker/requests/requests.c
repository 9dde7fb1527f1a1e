/*  requests - the actor around the router and its workers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "broker/common/actor.h"
#include "broker/requests/router.h"
#include "broker/requests/requests.h"
#include "broker/requests/worker.h"
#include "base/memory.h"
#include "base/thread.h"
#include "wire/map.h"

#define WORKERS_MAX 256

typedef struct {
    zsock_t *pipe;
    stele_router_t *router;
    zactor_t **workers;
    size_t worker_count;
} s_requests_t;

//  Start one and wait until it has opened the ledger

static int
s_start_worker (s_requests_t *self, const stele_query_args_t *args, stele_refusal_t *refusal)
{
    char identity [32];
    snprintf (identity, sizeof identity, "worker-%zu", self->worker_count + 1);
    stele_worker_args_t worker_args = {
        .requests = args,
        .identity = identity
    };
    zactor_t *worker = stele_actor_new (stele_worker, &worker_args);
    if (!worker)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, "workers",
            "cannot start a thread: %s; set fewer workers, or raise the limit of memory or of tasks",
            strerror (errno));
    STELE_TSAN_ACQUIRE (&worker_args);
    self->workers [self->worker_count++] = worker;
    char *status = NULL, *reason = NULL;
    zstr_recvx (worker, &status, &reason, NULL);
    int rc = 0;
    if (status && streq (status, "READY"))
        stele_router_add_worker (self->router, identity);
    else
        rc = stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "%s",
            reason? reason: "interrupted");
    zstr_free (&status);
    zstr_free (&reason);
    return rc;
}

static int
s_start (s_requests_t *self, const stele_query_args_t *args, stele_refusal_t *refusal)
{
    self->router = stele_router_new (args, refusal);
    if (!self->router)
        return -1;
    size_t count = (size_t) args->settings->workers;
    if (count > WORKERS_MAX)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "workers",
            "workers takes at most %d, not %zu", WORKERS_MAX, count);
    self->workers = stele_memory_new (count * sizeof *self->workers);
    int rc = 0;
    while (rc == 0 && self->worker_count < count)
        rc = s_start_worker (self, args, refusal);
    return rc;
}

static void
s_stop (s_requests_t *self)
{
    //  Refuse the pending requests first: a worker may take a while to end its query
    stele_router_destroy (&self->router);
    for (size_t i = 0; i < self->worker_count; i++)
        zactor_destroy (&self->workers [i]);
    free (self->workers);
}

static void
s_set_endpoints (s_requests_t *self, zmsg_t *command)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    stele_pack_map_begin (pack);
    for (size_t count = zmsg_size (command) / 2; count; count--) {
        char *name = zmsg_popstr (command);
        char *endpoint = zmsg_popstr (command);
        stele_pack_key_string (pack, name, endpoint);
        zstr_free (&name);
        zstr_free (&endpoint);
    }
    stele_pack_map_end (pack);
    stele_router_set_endpoints (self->router, stele_pack_data (pack), stele_pack_size (pack));
    stele_pack_destroy (&pack);
}

static void
s_set_recovery (s_requests_t *self, zmsg_t *command)
{
    zframe_t *frame = zmsg_first (command);
    stele_map_t map;
    assert (frame && stele_map_open (&map, zframe_data (frame), zframe_size (frame)) == 0);
    stele_router_set_recovery (self->router, map.data, map.size);
}

//  Returns false when it is time to stop

static bool
s_take_command (s_requests_t *self)
{
    zmsg_t *command = zmsg_recv (self->pipe);
    if (!command)
        return false;
    char *name = zmsg_popstr (command);
    bool stop = streq (name, "$TERM");
    if (streq (name, "ENDPOINTS"))
        s_set_endpoints (self, command);
    else
    if (streq (name, "RECOVERY"))
        s_set_recovery (self, command);
    else
        assert (stop);
    zstr_free (&name);
    zmsg_destroy (&command);
    return !stop;
}

void
stele_requests (zsock_t *pipe, void *args)
{
    stele_query_args_t copy = *(stele_query_args_t *) args;
    s_requests_t self = { .pipe = pipe };
    stele_refusal_t refusal = { 0 };
    int rc = s_start (&self, &copy, &refusal);
    zsock_signal (pipe, 0);
    stele_thread_name ("requests");
    if (rc)
        zstr_sendx (pipe, "FAILED", refusal.message, NULL);
    else {
        char *endpoint = stele_router_endpoint (self.router);
        zstr_sendx (pipe, "READY", endpoint, NULL);
        zstr_free (&endpoint);
        //  Answer nothing before the endpoints are known: 'info' reports them
        bool going = s_take_command (&self);
        while (going)
            going = !stele_router_step (self.router, pipe) || s_take_command (&self);
    }
    s_stop (&self);
    STELE_TSAN_RELEASE (copy.settings);
}
