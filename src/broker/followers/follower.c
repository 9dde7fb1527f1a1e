/*  follower - actors that follow the log: the loop that they share

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "base/clock.h"
#include "base/thread.h"
#include "base/tsan.h"
#include "broker/common/endpoint.h"
#include "broker/common/poll.h"
#include "broker/common/log.h"
#include "broker/followers/follower.h"
#include "wire/scan.h"

//  Longest time to wait until libzmq has closed a socket
#define AGAIN_MS      5000
#define AGAIN_STEP_MS 5

#define SAMPLE_MS 250               // Shortest time over which the rate of events is measured
#define LOADED 5000                 // Events per second: fewer leave room for followers
#define REST 2                      // Times as long as the last portion took
#define REST_MAX_MS 2000            // A portion that takes long waited for a disk, or the process was stopped

static void
s_take (stele_follower_t *self, const stele_announcement_t *announcement)
{
    if (announcement->head > self->head)
        self->head = announcement->head;
    self->leads = announcement->leads;
    self->epoch = announcement->epoch;
}

static int
s_open (stele_follower_t *self, zsock_t *pipe, const stele_follower_args_t *args, const char *name,
    stele_refusal_t *refusal)
{
    char endpoint [80];
    self->settings = args->settings;
    s_take (self, &args->begin);
    self->pipe = pipe;
    self->pack = stele_pack_new ();
    assert (self->pack);
    self->mailbox = zsock_new (ZMQ_ROUTER);
    self->heads = zsock_new (ZMQ_SUB);
    assert (self->mailbox && self->heads);
    zsock_set_rcvhwm (self->mailbox, 0);
    zsock_set_sndhwm (self->mailbox, 0);
    zsock_set_conflate (self->heads, 1);
    zsock_set_subscribe (self->heads, "");
    int rc = zsock_bind (self->mailbox, "%s", stele_settings_inproc (self->settings, name, endpoint));
    assert (rc == 0);
    rc = zsock_connect (self->heads, "%s", stele_settings_inproc (self->settings, "head", endpoint));
    assert (rc == 0);
    self->reader = stele_reader_open (self->settings->ledger, refusal);
    return self->reader? 0: refusal->code;
}

static void
s_close (stele_follower_t *self)
{
    stele_reader_close (&self->reader);
    stele_pack_destroy (&self->pack);
    zstr_free (&self->endpoint);
    zsock_destroy (&self->mailbox);
    zsock_destroy (&self->heads);
}

static void
s_receive_heads (stele_follower_t *self)
{
    stele_announcement_t latest;
    while (zmq_recv (zsock_resolve (self->heads), &latest, sizeof latest, ZMQ_DONTWAIT) == sizeof latest)
        s_take (self, &latest);
}

int
stele_follower_bind (stele_follower_t *self, zsock_t *socket, const char *setting, const char *endpoint,
    stele_refusal_t *refusal)
{
    int code = stele_endpoint_bind (socket, self->settings, setting, endpoint, refusal);
    for (int ms = 0; code && self->endpoint && ms < AGAIN_MS; ms += AGAIN_STEP_MS) {
        zclock_sleep (AGAIN_STEP_MS);
        code = stele_endpoint_bind (socket, self->settings, setting, endpoint, refusal);
    }
    if (code == 0 && !self->endpoint)
        self->endpoint = zsock_last_endpoint (socket);
    return code;
}

void
stele_follower_read (stele_follower_t *self, const char *name, int64_t position, int code)
{
    if (code < 0 && !self->unreadable)
        stele_log_warning ("unreadable", "%s: cannot read the ledger after position %lld, retrying: %s",
            name, (long long) position, stele_reader_error (self->reader));
    else
    if (code >= 0 && self->unreadable)
        stele_log_info ("readable", "%s: can read the ledger again", name);
    self->unreadable = code < 0;
}

void
stele_follower_sample (stele_follower_t *self, int64_t now_ms)
{
    int64_t passed_ms = now_ms - self->sampled_ms;
    if (passed_ms < SAMPLE_MS)
        return;
    self->loaded = self->sampled_ms && (self->head - self->sampled_head) * 1000 / passed_ms >= LOADED;
    self->sampled_ms = now_ms;
    self->sampled_head = self->head;
}

int64_t
stele_follower_rest_ms (const stele_follower_t *self, int64_t begun_ms)
{
    int64_t rest_ms = self->loaded? (stele_clock_steady_ms () - begun_ms) * REST: 0;
    return rest_ms < REST_MAX_MS? rest_ms: REST_MAX_MS;
}

bool
stele_follower_is_catch_up (zmsg_t *request)
{
    zmsg_first (request);           // [id][token][body], and who requests it
    zmsg_next (request);
    zframe_t *body = zmsg_next (request);
    stele_token_t op = stele_scan_find (zframe_data (body), zframe_size (body), "op", NULL, NULL);
    return op.kind == STELE_SCAN_TEXT && op.size == 8 && memcmp (op.data, "catch_up", 8) == 0;
}

zmsg_t *
stele_follower_request (stele_follower_t *self)
{
    if (!(zsock_events (self->mailbox) & ZMQ_POLLIN))
        return NULL;
    zmsg_t *request = zmsg_recv (self->mailbox);
    if (request && zmsg_size (request) != 3 && zmsg_size (request) != 4)
        zmsg_destroy (&request);
    return request;
}

void
stele_follower_answer (stele_follower_t *self, zmsg_t **request)
{
    //  [id][token] and the answer in place of the rest
    while (zmsg_size (*request) > 2) {
        zframe_t *frame = zmsg_last (*request);
        zmsg_remove (*request, frame);
        zframe_destroy (&frame);
    }
    zmsg_addmem (*request, stele_pack_data (self->pack), stele_pack_size (self->pack));
    zmsg_send (request, self->mailbox);
}

static void
s_answer_mailbox (stele_follower_t *self, const stele_follower_class_t *class)
{
    if (class->answer_mailbox) {
        class->answer_mailbox (self);
        return;
    }
    zmsg_t *request;
    while ((request = stele_follower_request (self))) {
        stele_pack_clear (self->pack);
        class->pack_stats (self);
        stele_follower_answer (self, &request);
    }
}

//  Returns false at the end of the actor.
static bool
s_command (stele_follower_t *self, bool *draining)
{
    char *command = zstr_recv (self->pipe);
    bool runs = command && strneq (command, "$TERM");
    if (runs && streq (command, "DRAIN"))
        *draining = true;
    zstr_free (&command);
    return runs;
}

static void
s_loop (stele_follower_t *self, const stele_follower_class_t *class)
{
    bool draining = false;
    int wait_ms = 0;
    while (true) {
        zmq_pollitem_t items [5] = {
            { zsock_resolve (self->pipe), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->mailbox), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->heads), 0, self->ignore_heads? 0: ZMQ_POLLIN, 0 }
        };
        memcpy (items + 3, self->watched, sizeof self->watched);
        if (stele_poll (items, 3 + self->watched_count, wait_ms) < 0)
            break;
        if ((items [0].revents & ZMQ_POLLIN) && !s_command (self, &draining))
            break;
        s_receive_heads (self);
        s_answer_mailbox (self, class);
        wait_ms = class->step (self);
        if (draining && (!class->drained || class->drained (self))) {
            draining = false;
            zstr_send (self->pipe, "DRAINED");
        }
    }
}

void
stele_follower_run (stele_follower_t *self, const stele_follower_class_t *class,
    zsock_t *pipe, const stele_follower_args_t *args)
{
    stele_refusal_t refusal = { 0 };
    zsock_signal (pipe, 0);
    stele_thread_name (class->name);
    int code = s_open (self, pipe, args, class->name, &refusal);
    if (code == 0)
        code = class->open (self, &refusal);
    if (code)
        zstr_sendx (pipe, "FAILED", refusal.message, NULL);
    else {
        zstr_sendx (pipe, "READY", self->endpoint? self->endpoint: "", NULL);
        s_loop (self, class);
    }
    class->close (self);
    s_close (self);
    STELE_TSAN_RELEASE (self->settings);
}
