/*  router_answers - send answers and refusals to the peers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/common/answer.h"
#include "broker/common/denied.h"
#include "broker/common/mode.h"
#include "broker/requests/router_internal.h"
#include "fault/fault.h"
#include "wire/map.h"

void
stele_router_set_time (stele_router_t *self, stele_request_t *request, int64_t time_ms)
{
    stele_pending_set_deadline (self->pending, request, zclock_usecs () + time_ms * 1000);
}

//  In mode redis, the refusal of a request that reads the ledger also names the mode

static zframe_t *
s_refusal_frame (stele_router_t *self, const stele_operation_t *operation, const stele_refusal_t *refusal)
{
    bool in_redis = operation && operation->handler && self->mode == STELE_MODE_REDIS;
    stele_answer_refuse (self->pack, refusal, in_redis? stele_mode_word (STELE_MODE_REDIS): NULL, 0);
    return zframe_new (stele_pack_data (self->pack), stele_pack_size (self->pack));
}

//  Answers that a peer does not read must not fill the memory

static void
s_withhold (stele_router_t *self, zframe_t **answer_p)
{
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL,
        "this answer of %zu bytes exceeds the limit together with those that were not read: "
        "read them, then send the request again, or request less", zframe_size (*answer_p));
    zframe_destroy (answer_p);
    *answer_p = s_refusal_frame (self, NULL, &refusal);
    self->withheld++;
}

//  Send without blocking: a peer that has disconnected, or does not read, loses its answer

static void
s_send (stele_router_t *self, zmsg_t *envelope, zframe_t **answer_p)
{
    zframe_t *peer = zframe_dup (zmsg_first (envelope));
    const void *id = zframe_data (peer);
    size_t id_size = zframe_size (peer);
    if (!stele_send_quota_fits (self->quota, id, id_size, zframe_size (*answer_p)))
        s_withhold (self, answer_p);
    int rc = 0;
    zframe_t *frame;
    while (rc == 0 && (frame = zmsg_pop (envelope))) {
        rc = zframe_send (&frame, self->peers, ZFRAME_MORE | ZFRAME_DONTWAIT);
        zframe_destroy (&frame);
    }
    if (rc == 0)
        rc = stele_send_quota_send (self->quota, id, id_size, answer_p, self->peers);
    if (rc)
        self->dropped++;
    zframe_destroy (answer_p);
    zframe_destroy (&peer);
}

void
stele_router_hide_answer (stele_router_t *self, const stele_request_t *request, zframe_t **answer_p)
{
    stele_map_t map = { zframe_data (*answer_p), zframe_size (*answer_p) }, error;
    int64_t position;
    stele_refusal_t refusal = { .code = request->secret? stele_answer_read (map.data, map.size, &position): 0 };
    if (refusal.code == 0)
        return;
    if (stele_map_map (&map, "error", &error))
        stele_map_text (&error, "field", refusal.field, sizeof refusal.field);
    stele_router_hide (&refusal, request->secret);
    zframe_destroy (answer_p);
    *answer_p = s_refusal_frame (self, request->operation, &refusal);
}

void
stele_router_turn_away (stele_router_t *self, zmsg_t *envelope, const stele_operation_t *operation,
    const stele_refusal_t *refusal)
{
    zframe_t *answer = s_refusal_frame (self, operation, refusal);
    stele_request_stats_record (self->stats, operation, refusal->code, -1);
    s_send (self, envelope, &answer);
}

void
stele_router_denied (stele_router_t *self, const stele_identity_t *identity, const stele_operation_t *operation,
    zframe_t *frame, const stele_refusal_t *refusal)
{
    stele_denied_note (self->args.settings->denied, identity->name, zframe_meta (frame, "Peer-Address"), operation? operation->name: "request", refusal);
}

//  Whoever refused it: the answer has the reason
static void
s_note_denial (stele_router_t *self, stele_request_t *request, zframe_t *answer)
{
    stele_refusal_t refusal = { .code = STELE_EUNAUTHORIZED };
    stele_map_t map = { zframe_data (answer), zframe_size (answer) }, error;
    if (stele_map_map (&map, "error", &error))
        stele_map_message (&error, refusal.message, sizeof refusal.message);
    //  The last frame of the envelope, the empty one, came from the peer; the first is of libzmq
    stele_router_denied (self, request->identity, request->operation, zmsg_last (request->envelope), &refusal);
}

static void
s_finish (stele_router_t *self, stele_request_t *request, int code, zframe_t **answer_p)
{
    if (code == STELE_EUNAUTHORIZED)
        s_note_denial (self, request, *answer_p);
    stele_request_stats_record (self->stats, request->operation, code, zclock_usecs () - request->arrived_us);
    STELE_FAULT (request_answer_before);
    s_send (self, request->envelope, answer_p);
    stele_pending_remove (self->pending, request);
}

void
stele_router_refuse (stele_router_t *self, stele_request_t *request,
    const stele_refusal_t *refusal)
{
    zframe_t *answer = s_refusal_frame (self, request->operation, refusal);
    s_finish (self, request, refusal->code, &answer);
}

//  Name what the request had and its operation does not take: a misspelt filter would look like
//  one that everything passes

static void
s_add_ignored (stele_router_t *self, stele_request_t *request, zframe_t **answer_p)
{
    stele_answer_extend (zframe_data (*answer_p), zframe_size (*answer_p), "ignored",
        zframe_data (request->ignored), zframe_size (request->ignored), self->pack);
    zframe_destroy (answer_p);
    *answer_p = zframe_new (stele_pack_data (self->pack), stele_pack_size (self->pack));
}

void
stele_router_forward (stele_router_t *self, stele_request_t *request, zframe_t **answer_p)
{
    int64_t position = 0;
    int code = stele_answer_read (zframe_data (*answer_p), zframe_size (*answer_p), &position);
    if (code)
        stele_router_hide_answer (self, request, answer_p);
    if (code == 0 && request->ignored)
        s_add_ignored (self, request, answer_p);
    s_finish (self, request, code, answer_p);
    //  In mode redis the positions of the writer are not visible to readers yet
    if (self->mode != STELE_MODE_REDIS && position > self->answered)
        self->answered = position;
}
