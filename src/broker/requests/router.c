/*  router - route each request from its arrival to its answer

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include "broker/common/announcement.h"
#include "broker/common/endpoint.h"
#include "broker/common/envelope.h"
#include "broker/common/mode.h"
#include "broker/common/standing.h"
#include "broker/requests/router_internal.h"
#include "base/memory.h"
#include "fault/fault.h"

#define PENDING_MAX 10000
#define PENDING_BYTES_MAX (256 * 1024 * 1024)
#define UNREAD_MAX 10000            // Answers that one peer may leave unread: as many as can be pending
#define UNREAD_BYTES_MAX (16 * 1024 * 1024)         // and their bytes, or one answer
#define UNREAD_ALL_MAX (256 * 1024 * 1024)          // Bytes that all peers together may leave unread
#define TAKEN_AT_ONCE 64            // From one socket, before the next one
#define WAIT_MS_DEFAULT 5000
#define WAIT_MS_MAX 60000
#define COMMIT_MS 60000             // The writer may hold back while storage takes no writes

const char *const stele_mailbox_names [STELE_MAILBOX_COUNT] = {
#define MAILBOX_NAME(constant, name) name,
    STELE_MAILBOXES (MAILBOX_NAME)
#undef MAILBOX_NAME
};

static void s_route (stele_router_t *self, stele_request_t *request);

static void
s_reached (stele_request_t *request, void *self)
{
    s_route (self, request);
}

static void
s_set_head (stele_router_t *self, int64_t head)
{
    if (head <= self->head)
        return;
    self->head = head;
    stele_pending_reach (self->pending, STELE_PENDING_WAITING, head, s_reached, self);
}

//  -- requests ---------------------------------------------------------------------------

//  Redis is written by the node that leads a shared log: the writer of one that follows names it in its refusal
static bool
s_follows (const stele_router_t *self)
{
    const stele_settings_t *settings = self->args.settings;
    return strneq (settings->shared_log, "none") && !atomic_load (&settings->standing->leads);
}

static void
s_route (stele_router_t *self, stele_request_t *request)
{
    switch (request->operation->route) {
        case STELE_ROUTE_WRITER:
            stele_router_mail (self, STELE_MAILBOX_WRITER, request, COMMIT_MS);
            break;
        case STELE_ROUTE_CACHE:
            stele_router_mail (self, s_follows (self)? STELE_MAILBOX_WRITER: STELE_MAILBOX_CACHE, request,
                self->args.settings->request_ms * 6);
            break;
        case STELE_ROUTE_BACKUP:
            stele_router_mail (self, STELE_MAILBOX_BACKUP, request, self->args.settings->request_ms);
            break;
        case STELE_ROUTE_GATHER:
            stele_router_gather (self, request);
            break;
        default:
            if (request->operation == &stele_operations [STELE_OPERATION_STATS_SERIES])
                stele_router_wake (self, STELE_MAILBOX_ROLLUP);
            if (!stele_router_waits_for_index (self, request))
                stele_router_queue (self, request);
            break;
    }
}

static const stele_operation_t *
s_check (stele_router_t *self, zframe_t *body, stele_params_t *params, stele_ignored_t *ignored)
{
    size_t size = zframe_size (body);
    if (size <= (size_t) self->args.settings->message_bytes)
        return stele_operation_check (params, zframe_data (body), size, ignored);
    stele_params_start (params, NULL, 0);
    stele_params_fail (params, STELE_ETOO_LARGE, NULL,
        "the request has %zu bytes, more than message-bytes %" PRId64, size,
        self->args.settings->message_bytes);
    return NULL;
}

//  The value of "ignored" in the answer; NULL: nothing was ignored

static zframe_t *
s_ignored_frame (stele_router_t *self, const stele_ignored_t *ignored, bool quoted)
{
    if (ignored->count == 0)
        return NULL;
    stele_pack_clear (self->pack);
    stele_pack_array (self->pack, ignored->count);
    for (size_t i = 0; i < ignored->count; i++)
        stele_pack_string (self->pack, quoted? ignored->names [i]: "(not quoted)");
    return zframe_new (stele_pack_data (self->pack), stele_pack_size (self->pack));
}

//  May the sender request that, in its own name or for the actor of the request? 0, or the code in the refusal,
//  in place of any other: what is wrong with a request that is not allowed is not explained.

static int
s_authorize (stele_router_t *self, const stele_identity_t **key, const stele_operation_t *operation, zframe_t *body,
    stele_params_t *params)
{
    stele_delegate_t delegate;
    stele_refusal_t refusal = { 0 };
    stele_access_t *access = self->args.settings->access;
    const stele_identity_t *identity = *key;
    if (params->has_actor) {
        if (*key == &stele_identity_local)
            *key = &stele_identity_local_gateway;
        if (stele_access_check (access, *key, STELE_ROLE_GATEWAY, "actor", &refusal) == 0)
            identity = stele_delegate_identity (&delegate, *key, zframe_data (body), zframe_size (body), &refusal);
        if (refusal.code == 0)
            stele_router_check_name (self, identity->name, &refusal);
    }
    if (refusal.code == 0)
        stele_access_check (access, identity, operation->role, operation->name, &refusal);
    stele_params_t scope = { .identity = identity };
    if (refusal.code == 0 && stele_operation_check_scope (operation, &scope)) {
        refusal = scope.refusal;
        stele_access_note_user (access, identity, &refusal);
    }
    if (refusal.code)
        params->refusal = refusal;
    if (refusal.code == STELE_EUNAUTHORIZED)
        stele_router_denied (self, *key, operation, body, &refusal);
    return refusal.code;
}

static void
s_accept (stele_router_t *self, const stele_identity_t *identity, zmsg_t **envelope_p, zframe_t **body_p)
{
    stele_params_t params;
    stele_ignored_t ignored = { .count = 0 };
    const stele_operation_t *operation = s_check (self, *body_p, &params, &ignored);
    bool denied = operation && s_authorize (self, &identity, operation, *body_p, &params);
    //  The writer masks the events of a publish; of the rest, only what is quoted matters
    bool publishes = operation == &stele_operations [STELE_OPERATION_PUBLISH];
    const char *secret = denied || (publishes && params.refusal.code == 0 && ignored.count == 0)? NULL:
        stele_router_secret (self, operation, *body_p);
    if (denied || params.refusal.code) {
        if (secret)
            stele_router_hide (&params.refusal, secret);
        stele_router_turn_away (self, *envelope_p, operation, &params.refusal);
        return;
    }
    stele_request_t *request = stele_pending_add (self->pending, envelope_p, body_p);
    if (!request) {
        stele_params_fail (&params, STELE_EUNAVAILABLE, NULL,
            "too many requests are waiting for their answers: try again");
        stele_router_turn_away (self, *envelope_p, operation, &params.refusal);
        return;
    }
    request->operation = operation;
    request->identity = identity;
    request->ignored = s_ignored_frame (self, &ignored, secret == NULL);
    request->secret = publishes? NULL: secret;
    request->arrived_us = zclock_usecs ();
    request->min_position = params.min_position;
    request->wait_ms = params.timeout_ms < 0? WAIT_MS_DEFAULT:
        params.timeout_ms < WAIT_MS_MAX? params.timeout_ms: WAIT_MS_MAX;
    if (request->min_position > self->head) {
        request->state = STELE_PENDING_WAITING;
        self->waits = true;
        stele_router_set_time (self, request, request->wait_ms);
    }
    else
    if (!stele_router_answers (self, request))
        s_route (self, request);
}

//  zmsg_recv has no access to the properties of a message, but its frames have

static const stele_identity_t *
s_sender (stele_router_t *self, zframe_t *frame)
{
    return self->guard? stele_access_sender (self->guard, zframe_meta (frame, "User-Id")): &stele_identity_local;
}

static bool
s_take_from_peer (stele_router_t *self)
{
    zmsg_t *frames = zmsg_recv_nowait (self->peers);
    if (!frames)
        return false;
    STELE_FAULT (request_taken);
    const stele_identity_t *identity = s_sender (self, zmsg_last (frames));
    zmsg_t *envelope;
    zframe_t *body;
    stele_refusal_t refusal;
    int rc = stele_envelope_open (&frames, &envelope, &body, &refusal);
    if (rc == 0)
        s_accept (self, identity, &envelope, &body);
    else
    if (envelope)
        stele_router_turn_away (self, envelope, NULL, &refusal);
    else
        self->dropped++;
    zframe_destroy (&body);
    zmsg_destroy (&envelope);
    return true;
}

static void
s_expired (stele_request_t *request, void *arg)
{
    stele_router_t *self = arg;
    stele_refusal_t refusal;
    switch (request->state) {
        case STELE_PENDING_GATHERING:
        case STELE_PENDING_INDEXING:
            stele_router_queue (self, request);
            return;
        case STELE_PENDING_WAITING:
            stele_refuse (&refusal, STELE_ETIMEOUT, "min_position",
                "position %" PRId64 " was not reached within %" PRId64 " ms: the head is %" PRId64,
                request->min_position, request->wait_ms, self->head);
            break;
        case STELE_PENDING_QUEUED:
            stele_fair_queue_remove (self->queue, request);
            stele_refuse (&refusal, STELE_ETIMEOUT, NULL,
                "no worker was free in time: send fewer requests at once, or raise workers");
            break;
        case STELE_PENDING_AUDITED:
            stele_refuse (&refusal, STELE_ETIMEOUT, NULL,
                "%s is done, but storage takes no writes: it will be recorded in the ledger when it does",
                request->operation->name);
            break;
        case STELE_PENDING_MAILED:
            stele_refuse (&refusal, STELE_ETIMEOUT, NULL,
                "%s was not answered in time; it may still be done", request->operation->name);
            stele_router_audit_expired (self, request, &refusal);
            break;
        default:
            stele_refuse (&refusal, STELE_ETIMEOUT, NULL,
                "%s was not done in time", request->operation->name);
            break;
    }
    stele_router_refuse (self, request, &refusal);
}

//  -- sockets -----------------------------------------------------------------------------

static bool
s_take_head (stele_router_t *self)
{
    zframe_t *frame = zframe_recv_nowait (self->heads);
    if (!frame)
        return false;
    stele_announcement_t latest;
    if (zframe_size (frame) == sizeof latest) {
        memcpy (&latest, zframe_data (frame), sizeof latest);
        s_set_head (self, latest.head);
    }
    zframe_destroy (&frame);
    return true;
}

static int
s_timeout_ms (const stele_router_t *self)
{
    int64_t earliest = stele_pending_earliest (self->pending);
    if (earliest == INT64_MAX)
        return -1;
    int64_t left = earliest - zclock_usecs ();
    return left <= 0? 0: (int) (left / 1000) + 1;
}

bool
stele_router_step (stele_router_t *self, zsock_t *pipe)
{
    zsock_t *sockets [] = { pipe, self->peers, self->workers, self->heads, self->index };
    enum { PIPE, PEERS, WORKERS, HEADS, INDEX, MAILBOXES };
    zmq_pollitem_t items [MAILBOXES + STELE_MAILBOX_COUNT];
    memset (items, 0, sizeof items);
    int count = 0;
    for (; count < MAILBOXES; count++)
        items [count].socket = zsock_resolve (sockets [count]);
    for (int i = 0; i < STELE_MAILBOX_COUNT; i++)
        if (self->mailboxes [i])
            items [count++].socket = zsock_resolve (self->mailboxes [i]);
    for (int i = 0; i < count; i++)
        items [i].events = ZMQ_POLLIN;
    //  Unless a request waits for it, a new head is read along with the next request
    if (self->waits && stele_pending_count (self->pending, STELE_PENDING_WAITING) == 0)
        self->waits = false;
    if (!self->waits)
        items [HEADS].events = 0;
    if (self->indexing && stele_pending_count (self->pending, STELE_PENDING_INDEXING) == 0)
        self->indexing = false;
    if (!self->indexing)
        items [INDEX].events = 0;
    if (zmq_poll (items, count, s_timeout_ms (self)) == -1)
        return errno == ETERM;      // Else a signal, which others handle

    self->reading_us = 0;
    for (int i = 0; i < TAKEN_AT_ONCE && s_take_head (self); i++) {}
    if (self->indexing)
        stele_router_take_indexed (self);
    for (int i = 0; i < TAKEN_AT_ONCE && stele_router_take_from_worker (self); i++) {}
    for (int mailbox = 0; mailbox < STELE_MAILBOX_COUNT; mailbox++)
        if (self->mailboxes [mailbox])
            for (int i = 0; i < TAKEN_AT_ONCE
                && stele_router_take_from_mailbox (self, mailbox); i++) {}
    s_set_head (self, self->answered);
    if (items [PEERS].revents)
        for (int i = 0; i < TAKEN_AT_ONCE && s_take_from_peer (self); i++) {}
    s_set_head (self, self->answered);
    stele_pending_expire (self->pending, zclock_usecs (), s_expired, self);
    stele_router_feed_workers (self);
    return items [PIPE].revents != 0;
}

static int
s_bind (stele_router_t *self, stele_refusal_t *refusal)
{
    const stele_settings_t *settings = self->args.settings;
    char endpoint [80];
    self->workers = zsock_new (ZMQ_ROUTER);
    assert (self->workers);
    zsock_set_router_mandatory (self->workers, 1);
    zsock_set_linger (self->workers, 0);
    int rc = zsock_bind (self->workers, "%s",
        stele_settings_inproc (settings, "workers", endpoint));
    assert (rc == 0);

    self->peers = zsock_new (ZMQ_ROUTER);
    assert (self->peers);
    zsock_set_router_mandatory (self->peers, 1);
    //  A connection with the routing id of another one replaces it (protocol, section 1)
    zsock_set_router_handover (self->peers, 1);
    zsock_set_sndhwm (self->peers, UNREAD_MAX);
    //  Twice the limit, so that a request that is a little too large gets an answer
    int64_t bytes_max = settings->message_bytes * 2;
    zmq_setsockopt (zsock_resolve (self->peers), ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
    zsock_set_handshake_ivl (self->peers, 10000);
    zsock_set_backlog (self->peers, 1024);
    zsock_set_linger (self->peers, 500);
    self->guard = stele_access_guard (settings->access, self->peers, settings->requests, STELE_ACCESS_MESSAGES);
    return stele_endpoint_bind (self->peers, settings, "requests", settings->requests, refusal);
}

//  To the last value of a PUB of another actor
static zsock_t *
s_subscribe (stele_router_t *self, const char *name)
{
    char endpoint [80];
    zsock_t *socket = zsock_new (ZMQ_SUB);
    assert (socket);
    zsock_set_conflate (socket, 1);
    zsock_set_subscribe (socket, "");
    int rc = zsock_connect (socket, "%s", stele_settings_inproc (self->args.settings, name, endpoint));
    assert (rc == 0);
    return socket;
}

static void
s_connect (stele_router_t *self)
{
    const stele_settings_t *settings = self->args.settings;
    char endpoint [80];
    self->heads = s_subscribe (self, "head");
    self->index = s_subscribe (self, "indexed");
    for (int i = 0; i < STELE_MAILBOX_COUNT; i++) {
        if ((i == STELE_MAILBOX_CACHE && !self->args.has_cache)
        ||  (i == STELE_MAILBOX_PIPELINE && !self->args.has_pipeline)
        ||  ((i == STELE_MAILBOX_SEGMENTS || i == STELE_MAILBOX_BACKUP) && !*settings->backup)
        ||  (i == STELE_MAILBOX_ARCHIVE && !*settings->archive_after)
        ||  (i == STELE_MAILBOX_SEAL && !*settings->seal))
            continue;
        self->mailboxes [i] = zsock_new (ZMQ_DEALER);
        assert (self->mailboxes [i]);
        zsock_set_linger (self->mailboxes [i], 0);
        int rc = zsock_connect (self->mailboxes [i], "%s",
            stele_settings_inproc (settings, stele_mailbox_names [i], endpoint));
        assert (rc == 0);
    }
}

//  -- the class ------------------------------------------------------------------------------

stele_router_t *
stele_router_new (const stele_query_args_t *args, stele_refusal_t *refusal)
{
    stele_router_t *self = STELE_NEW (stele_router_t);
    self->args = *args;
    self->head = args->head;
    self->mode = args->has_cache? stele_mode_initial (args->settings): STELE_MODE_SQLITE;
    self->pending = stele_pending_new (PENDING_MAX, PENDING_BYTES_MAX);
    self->stats = stele_request_stats_new ();
    self->quota = stele_send_quota_new (UNREAD_BYTES_MAX, UNREAD_ALL_MAX);
    self->pack = stele_pack_new ();
    assert (self->pack);
    self->queue = stele_fair_queue_new ();
    self->idle = zlist_new ();
    assert (self->idle);
    zlist_autofree (self->idle);
    if ((!args->has_cache && stele_query_open (&self->query, args, refusal)) || stele_router_open_secrets (self, refusal)
    ||  s_bind (self, refusal))
        stele_router_destroy (&self);
    else
        s_connect (self);
    return self;
}

static void
s_refuse_stopping (stele_request_t *request, void *self)
{
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL,
        "the broker is stopping; %s may still have been done", request->operation->name);
    stele_router_refuse (self, request, &refusal);
}

void
stele_router_destroy (stele_router_t **self_p)
{
    assert (self_p);
    stele_router_t *self = *self_p;
    if (!self)
        return;
    stele_pending_each (self->pending, s_refuse_stopping, self);
    stele_endpoint_release (self->peers);
    zsock_destroy (&self->peers);
    zsock_destroy (&self->workers);
    zsock_destroy (&self->heads);
    zsock_destroy (&self->index);
    for (int i = 0; i < STELE_MAILBOX_COUNT; i++)
        zsock_destroy (&self->mailboxes [i]);
    stele_fair_queue_destroy (&self->queue);
    zlist_destroy (&self->idle);
    stele_pending_destroy (&self->pending);
    stele_request_stats_destroy (&self->stats);
    stele_send_quota_destroy (&self->quota);
    stele_pack_destroy (&self->pack);
    if (self->redactor)
        stele_redactor_destroy (&self->redactor);
    stele_query_close (&self->query);
    zframe_destroy (&self->endpoints);
    zframe_destroy (&self->recovery);
    zframe_destroy (&self->consistency);
    for (int i = 0; i < STELE_MAILBOX_COUNT; i++)
        zframe_destroy (&self->parts [i]);
    free (self);
    *self_p = NULL;
}

char *
stele_router_endpoint (const stele_router_t *self)
{
    return zsock_last_endpoint (self->peers);
}

void
stele_router_add_worker (stele_router_t *self, const char *identity)
{
    zlist_append (self->idle, (void *) identity);
}

void
stele_router_set_endpoints (stele_router_t *self, const void *map, size_t size)
{
    zframe_destroy (&self->endpoints);
    self->endpoints = zframe_new (map, size);
}

void
stele_router_set_recovery (stele_router_t *self, const void *map, size_t size)
{
    zframe_destroy (&self->recovery);
    self->recovery = zframe_new (map, size);
}
