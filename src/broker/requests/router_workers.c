/*  router_workers - requests to idle workers, and their answers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/clock.h"
#include "broker/common/mode.h"
#include "broker/requests/router_internal.h"

//  Point reads delay all other requests: time for them in one step; and how long the workers get
//  them all after one took too long, because of a slow disk or a large record
#define READING_US  2000
#define TOO_LONG_US 10000
#define REST_US     1000000

//  Point reads that wait together go to one worker: it asks Redis for all of them at once, and three threads wake
//  up once instead of once for each
#define TOGETHER 16

static void
s_pack_frame (stele_router_t *self, const char *key, zframe_t *map)
{
    stele_pack_key (self->pack, key);
    if (map)
        stele_pack_packed (self->pack, zframe_data (map), zframe_size (map));
    else
        stele_pack_map (self->pack, 0);
}

//  The last statistics of an actor that did not answer in time, because Redis hangs for example,
//  with their age

static void
s_pack_old_part (stele_router_t *self, stele_mailbox_t mailbox)
{
    zframe_t *part = self->parts [mailbox];
    stele_scan_t scan = stele_scan_start (zframe_data (part), zframe_size (part));
    uint32_t count = stele_scan_next (&scan).count;
    stele_pack_key (self->pack, stele_mailbox_names [mailbox]);
    stele_pack_map (self->pack, count + 1);
    stele_pack_packed (self->pack, scan.next, (size_t) (scan.end - scan.next));
    stele_pack_string (self->pack, "age_ms");
    stele_pack_integer (self->pack, (zclock_usecs () - self->parts_us [mailbox]) / 1000);
}

static void
s_pack_requests (stele_router_t *self)
{
    stele_pack_t *pack = self->pack;
    stele_pack_key (pack, "requests");
    stele_pack_map_begin (pack);
    stele_request_stats_pack (self->stats, pack);
    stele_pack_key_integer (pack, "waiting",
        (int64_t) stele_pending_count (self->pending, STELE_PENDING_WAITING));
    stele_pack_key_integer (pack, "indexing",
        (int64_t) stele_pending_count (self->pending, STELE_PENDING_INDEXING));
    stele_pack_key_integer (pack, "queued",
        (int64_t) stele_pending_count (self->pending, STELE_PENDING_QUEUED));
    stele_pack_key_integer (pack, "working",
        (int64_t) stele_pending_count (self->pending, STELE_PENDING_WORKING));
    stele_pack_key_integer (pack, "dropped", self->dropped);
    stele_pack_key_integer (pack, "withheld", self->withheld);
    stele_pack_key_integer (pack, "unread_bytes", (int64_t) stele_send_quota_total (self->quota));
    stele_pack_map_end (pack);
}

//  The context of stats.c; NULL: none

static zframe_t *
s_context (stele_router_t *self, stele_request_t *request)
{
    bool all = stele_route_informs (request->operation->route);
    if (!all && self->mode == STELE_MODE_DUAL)
        return NULL;
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "mode", stele_mode_word ((stele_mode_t) self->mode));
    for (int i = 0; all && i < STELE_MAILBOX_COUNT; i++)
        if (request->parts [i] || !self->parts [i])
            s_pack_frame (self, stele_mailbox_names [i], request->parts [i]);
        else
            s_pack_old_part (self, i);
    if (all) {
        s_pack_frame (self, "endpoints", self->endpoints);
        s_pack_frame (self, "recovery", self->recovery);
        s_pack_frame (self, "consistency", self->consistency);
        s_pack_requests (self);
        if (self->args.settings->access) {
            stele_pack_key (self->pack, "auth");
            stele_access_pack_stats (self->args.settings->access, self->pack);
        }
    }
    stele_pack_map_end (self->pack);
    return zframe_new (stele_pack_data (self->pack), stele_pack_size (self->pack));
}

//  Takes ownership of the frame. After an error it sends nothing more.
static void
s_send_frame (stele_router_t *self, zframe_t *frame, bool more, int *rc)
{
    if (*rc == 0)
        *rc = zframe_send (&frame, self->workers, ZFRAME_DONTWAIT | (more? ZFRAME_MORE: 0));
    zframe_destroy (&frame);
}

//  [identity][tokens][][context], and [body][key] of each
static int
s_send_to_worker (stele_router_t *self, const char *identity, stele_request_t **requests, size_t count)
{
    uint64_t tokens [TOGETHER];
    for (size_t i = 0; i < count; i++)
        tokens [i] = requests [i]->token;
    //  zsock_events makes the socket process connections: a worker that has just connected is
    //  known only after that
    zsock_events (self->workers);
    int rc = 0;
    s_send_frame (self, zframe_from (identity), true, &rc);
    s_send_frame (self, zframe_new (tokens, count * sizeof tokens [0]), true, &rc);
    s_send_frame (self, zframe_new_empty (), true, &rc);
    zframe_t *context = s_context (self, requests [0]);
    s_send_frame (self, context? context: zframe_new_empty (), true, &rc);
    for (size_t i = 0; i < count; i++) {
        s_send_frame (self, requests [i]->body, true, &rc);
        requests [i]->body = NULL;
        s_send_frame (self, stele_identity_frame (requests [i]->identity), i + 1 < count, &rc);
    }
    return rc;
}

//  Its last answer was withheld, and it has not read the earlier ones since: do no work for it

static bool
s_reads_nothing (stele_router_t *self, stele_request_t *request)
{
    zframe_t *id = zmsg_first (request->envelope);
    if (!stele_send_quota_stuck (self->quota, zframe_data (id), zframe_size (id)))
        return false;
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL,
        "earlier answers were not read: read them, then send the request again");
    stele_router_refuse (self, request, &refusal);
    self->withheld++;
    return true;
}

bool
stele_router_answers (stele_router_t *self, stele_request_t *request)
{
    if (request->operation->route != STELE_ROUTE_POINT || !self->query.reader || self->reading_us > READING_US)
        return false;
    int64_t begun_us = stele_clock_steady_us ();
    if (begun_us < self->reads_from_us)
        return false;
    if (s_reads_nothing (self, request))
        return true;
    zframe_t *answer = stele_query_reply (&self->query, request->identity, request->body, self->pack);
    int64_t now_us = stele_clock_steady_us ();
    self->reading_us += now_us - begun_us;
    if (now_us - begun_us > TOO_LONG_US)
        self->reads_from_us = now_us + REST_US;
    stele_router_forward (self, request, &answer);
    zframe_destroy (&answer);
    return true;
}

//  Take the next request from the queue, and the point reads after it if it is one
static size_t
s_take_together (stele_router_t *self, stele_request_t *requests [TOGETHER])
{
    size_t count = 0;
    const stele_request_t *next;
    while (count < TOGETHER && (next = stele_fair_queue_peek (self->queue))
        && (count == 0 || (requests [0]->operation->route == STELE_ROUTE_POINT && next->operation->route == STELE_ROUTE_POINT))) {
        stele_request_t *request = stele_fair_queue_next (self->queue);
        if (s_reads_nothing (self, request))
            continue;
        request->state = STELE_PENDING_WORKING;
        stele_router_set_time (self, request, self->args.settings->request_ms + 1000);
        requests [count++] = request;
    }
    return count;
}

void
stele_router_feed_workers (stele_router_t *self)
{
    stele_request_t *requests [TOGETHER];
    while (stele_fair_queue_size (self->queue) && zlist_size (self->idle)) {
        size_t count = s_take_together (self, requests);
        if (count == 0)
            continue;
        char *identity = zlist_pop (self->idle);
        if (s_send_to_worker (self, identity, requests, count)) {
            stele_refusal_t refusal;
            stele_refuse (&refusal, STELE_EINTERNAL, NULL, "worker %s is gone", identity);
            for (size_t i = 0; i < count; i++)
                stele_router_refuse (self, requests [i], &refusal);
        }
        freen (identity);
    }
}

void
stele_router_queue (stele_router_t *self, stele_request_t *request)
{
    request->state = STELE_PENDING_QUEUED;
    stele_router_set_time (self, request, self->args.settings->request_ms + 1000);
    stele_fair_queue_add (self->queue, request);
}

bool
stele_router_take_from_worker (stele_router_t *self)
{
    zmsg_t *frames = zmsg_recv_nowait (self->workers);
    if (!frames)
        return false;
    //  [identity][tokens][], and the answer to each
    char *identity = zmsg_popstr (frames);
    zlist_push (self->idle, identity);      // The one with the warmest caches first
    freen (identity);
    zframe_t *tokens = zmsg_pop (frames), *empty = zmsg_pop (frames);
    zframe_destroy (&empty);
    size_t count = zframe_size (tokens) / sizeof (uint64_t);
    assert (zmsg_size (frames) == count);
    for (size_t i = 0; i < count; i++) {
        uint64_t token;
        memcpy (&token, zframe_data (tokens) + i * sizeof token, sizeof token);
        zframe_t *answer = zmsg_pop (frames);
        stele_request_t *request = stele_pending_find (self->pending, token);
        if (request)
            stele_router_forward (self, request, &answer);
        zframe_destroy (&answer);
    }
    zframe_destroy (&tokens);
    zmsg_destroy (&frames);
    return true;
}
