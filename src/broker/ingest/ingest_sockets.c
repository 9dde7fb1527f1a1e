/*  ingest_sockets - the actor that writes: receive and send messages, frame by frame

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "broker/access/identity_frame.h"
#include "broker/common/answer.h"
#include "broker/common/endpoint.h"
#include "broker/ingest/ingest_internal.h"
#include "broker/operations/operations.h"
#include "fault/fault.h"
#include "base/clock.h"

//  A message from this size is offered to the thread that compresses ahead, and so are those after it
#define OFFER_FROM      4096
//  Most messages, and bytes, that are received ahead of the one that is stored
#define AHEAD_MAX       8
#define AHEAD_BYTES     (4 * 1024 * 1024)

//  The limits hold before any byte of a peer is interpreted.
zsock_t *
stele_ingest_bind (stele_ingest_t *self, int type, const char *endpoint, stele_refusal_t *refusal)
{
    zsock_t *socket = zsock_new (type);
    assert (socket);
    zsock_set_maxmsgsize (socket, (int) (self->settings->message_bytes * 2));
    zsock_set_handshake_ivl (socket, 10000);
    //  libzmq 4.3.4 loses messages if a peer closes an ipc:// connection while this side is at its
    //  high-water mark: it treats the hang-up as an error before it reads the rest. Producers with
    //  acks resend; the pipeline has no acks, so it has no high-water mark.
    bool without_acks = type == ZMQ_PULL && strncmp (endpoint, "ipc://", 6) == 0;
    zsock_set_rcvhwm (socket, without_acks? 0: 100);
    zsock_set_sndhwm (socket, 10000);
    zsock_set_linger (socket, 1000);
    zsock_set_backlog (socket, 1024);
    if (type == ZMQ_ROUTER) {
        zsock_set_router_mandatory (socket, 1);
        //  A connection with the routing id of another one replaces it (protocol, section 1)
        zsock_set_router_handover (socket, 1);
    }
    stele_access_t *guard = stele_access_guard (self->settings->access, socket, endpoint, STELE_ACCESS_MESSAGES);
    if (type == ZMQ_ROUTER)
        self->events_guard = guard;
    else
        self->pipeline_guard = guard;
    if (stele_endpoint_bind (socket, self->settings, type == ZMQ_ROUTER? "events": "pipeline-in", endpoint, refusal))
        zsock_destroy (&socket);
    return socket;
}

//  -- receiving --------------------------------------------------------------------

//  Receive all frames of the next message. Returns their number, 0 if none waits; frames beyond
//  'max' are dropped.
static int
s_recv (zsock_t *socket, zmq_msg_t *frames, int max)
{
    void *handle = zsock_resolve (socket);
    int count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init (&frame);
        if (zmq_msg_recv (&frame, handle, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (&frame);
            break;
        }
        more = zmq_msg_more (&frame);
        if (count < max)
            frames [count] = frame;
        else
            zmq_msg_close (&frame);
        count++;
    }
    return count;
}

static void
s_close (zmq_msg_t *frames, int count, int max)
{
    for (int i = 0; i < count && i < max; i++)
        zmq_msg_close (&frames [i]);
}

static stele_input_t *
s_input (stele_source_t source, zmq_msg_t *id, zmq_msg_t *token, zmq_msg_t *body)
{
    return stele_input_new (source, id? zmq_msg_data (id): NULL, id? zmq_msg_size (id): 0,
        token? zmq_msg_data (token): NULL, token? zmq_msg_size (token): 0,
        body? zmq_msg_data (body): NULL, body? zmq_msg_size (body): 0);
}

//  Who sent it, and from where, if the socket needs keys
static void
s_take_sender (stele_input_t *input, stele_access_t *guard, zmq_msg_t *frame)
{
    if (!guard)
        return;
    const char *peer = zmq_msg_gets (frame, "Peer-Address");
    input->identity = stele_access_sender (guard, zmq_msg_gets (frame, "User-Id"));
    snprintf (input->peer, sizeof input->peer, "%s", peer? peer: "");
}

//  Receive one message of the events socket, [id][body], or NULL. With other frames the body is
//  empty, which is refused as malformed.
static stele_input_t *
s_receive (stele_ingest_t *self)
{
    zmq_msg_t frames [2];
    int count = s_recv (self->events, frames, 2);
    if (count == 0)
        return NULL;
    stele_input_t *input = s_input (STELE_FROM_PEER, &frames [0], NULL, count == 2? &frames [1]: NULL);
    //  Two connections can have the same routing id, one after the other
    input->connection = count == 2? zmq_msg_get (&frames [1], ZMQ_SRCFD): -1;
    s_take_sender (input, self->events_guard, &frames [count == 2]);
    s_close (frames, count, 2);
    return input;
}

//  A message that is too large will be refused, so it is not offered.
static void
s_offer (stele_ingest_t *self, stele_input_t *input)
{
    if (input->size >= OFFER_FROM && input->size <= (size_t) self->settings->message_bytes)
        stele_ledger_offer (self->writer->ledger, input->data, input->size);
}

//  The next message. If it is large, also receive some that follow it: another thread compresses
//  their texts while the writer stores the messages before them.
static stele_input_t *
s_next (stele_ingest_t *self)
{
    stele_input_t *input = self->ahead;
    if (input) {
        self->ahead = input->next;
        input->next = NULL;
        self->ahead_count--;
        self->ahead_bytes -= input->size;
    }
    else
    if ((input = s_receive (self)))
        s_offer (self, input);
    if (!input || input->size < OFFER_FROM)
        return input;
    stele_input_t **last = &self->ahead;
    while (*last)
        last = &(*last)->next;
    while (self->ahead_count < AHEAD_MAX && self->ahead_bytes < AHEAD_BYTES && (*last = s_receive (self))) {
        s_offer (self, *last);
        self->ahead_count++;
        self->ahead_bytes += (*last)->size;
        last = &(*last)->next;
    }
    return input;
}

bool
stele_ingest_take_event (stele_ingest_t *self, int *code)
{
    int64_t begun_ns = stele_clock_steady_ns ();
    stele_input_t *input = s_next (self);
    if (!input)
        return false;
    self->writer->stages.receive += stele_clock_steady_ns () - begun_ns;
    const void *data = input->data;
    bool offered = input->size >= OFFER_FROM;
    *code = stele_writer_take (self->writer, input);
    if (offered)
        stele_ledger_done (self->writer->ledger, data);
    return true;
}

void
stele_ingest_drop_ahead (stele_ingest_t *self)
{
    while (self->ahead) {
        stele_input_t *input = self->ahead;
        self->ahead = input->next;
        stele_ledger_done (self->writer->ledger, input->data);
        free (input);
    }
    self->ahead_count = 0;
    self->ahead_bytes = 0;
}

bool
stele_ingest_take_pipeline (stele_ingest_t *self, int *code)
{
    if (!self->pipeline)
        return false;
    zmq_msg_t frames [1];
    int count = s_recv (self->pipeline, frames, 1);
    if (count == 0)
        return false;
    stele_input_t *input = s_input (STELE_FROM_PIPELINE, NULL, NULL, &frames [0]);
    s_take_sender (input, self->pipeline_guard, &frames [0]);
    *code = stele_writer_take (self->writer, input);
    s_close (frames, count, 1);
    return true;
}

void
stele_ingest_answer (stele_ingest_t *self, const stele_input_t *request)
{
    void *handle = zsock_resolve (self->mailbox);
    zmq_send (handle, request->id, request->id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send (handle, request->token, request->token_size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send (handle, stele_pack_data (self->pack), stele_pack_size (self->pack), ZMQ_DONTWAIT);
}

//  Answer into the pack what does not depend on a commit; false: the writer has to take it
static bool
s_answers_now (stele_ingest_t *self, stele_operation_id_t operation)
{
    stele_refusal_t refusal;
    if (operation == STELE_OPERATION_STATS) {
        stele_pack_clear (self->pack);
        stele_writer_pack_stats (self->writer, self->pack);
        return true;
    }
    if (!self->writer->holding || self->writer->batch_bytes < STELE_BATCH_BYTES)
        return false;
    stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL,
        "storage cannot take writes, and many requests wait for it already: try again (%s)",
        self->writer->error_text);
    stele_answer_refuse (self->pack, &refusal, NULL, 0);
    return true;
}

//  One message of the mailbox. [id][token][body] and, from the router, [identity]; from our own actors only.
bool
stele_ingest_take_request (stele_ingest_t *self, int *code)
{
    zmq_msg_t frames [4];
    int count = s_recv (self->mailbox, frames, 4);
    if (count == 0)
        return false;
    if (count == 3 || count == 4) {
        stele_input_t *input = s_input (STELE_FROM_MAILBOX, &frames [0], &frames [1], &frames [2]);
        if (count == 4) {
            input->identity = stele_identity_of_bytes (zmq_msg_data (&frames [3]), zmq_msg_size (&frames [3]));
            stele_peer_of_bytes (zmq_msg_data (&frames [3]), zmq_msg_size (&frames [3]), input->peer);
        }
        stele_operation_id_t operation = stele_operation_id (input->data, input->size);
        if (operation == STELE_OPERATION_MODE)
            self->mode_request = input;
        else
        if (s_answers_now (self, operation)) {
            stele_ingest_answer (self, input);
            free (input);
        }
        else
            *code = stele_writer_take (self->writer, input);
    }
    s_close (frames, count, 4);
    return true;
}

//  -- answering --------------------------------------------------------------------

#ifdef STELE_WITH_FAULTS
//  Each kind of answer has its own fault point: {"op": "ack", ... starts with the op.
static void
s_pass (const stele_answer_t *answer, bool sent)
{
    bool named = answer->size >= 8 && answer->to == STELE_FROM_PEER;
    if (answer->to == STELE_FROM_MAILBOX)
        stele_fault_hit (sent? STELE_FAULT_AT_answer_after: STELE_FAULT_AT_answer_before);
    else
    if (named && memcmp (answer->data + 4, "\xa3" "ack", 4) == 0)
        stele_fault_hit (sent? STELE_FAULT_AT_ack_after: STELE_FAULT_AT_ack_before);
    else
    if (named && memcmp (answer->data + 4, "\xa3" "nak", 4) == 0)
        stele_fault_hit (sent? STELE_FAULT_AT_nak_after: STELE_FAULT_AT_nak_before);
    else
    if (named && memcmp (answer->data + 4, "\xa7" "wel", 4) == 0)
        stele_fault_hit (sent? STELE_FAULT_AT_welcome_after: STELE_FAULT_AT_welcome_before);
}
#else
#define s_pass(answer, sent) ((void) 0)
#endif

static void
s_send_answer (stele_ingest_t *self, const stele_answer_t *answer)
{
    void *handle = zsock_resolve (answer->to == STELE_FROM_PEER? self->events: self->mailbox);
    int flags = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    bool counted = answer->is_error && answer->to == STELE_FROM_PEER;
    bool fits = !counted || stele_send_quota_fits (self->errors, answer->id, answer->id_size, answer->size);
    //  If the peer is gone, it resends and is answered as a duplicate. If it does not read, a later
    //  ack suffices, since acks are cumulative.
    if (!fits || zmq_send (handle, answer->id, answer->id_size, flags) < 0) {
        self->writer->counts.undeliverable++;
        if (fits && errno == EAGAIN && answer->received_us && answer->to == STELE_FROM_PEER)
            stele_roster_ack_pending (self->writer->roster, answer->id, answer->id_size);
        return;
    }
    if (counted) {
        zframe_t *frame = zframe_new (answer->data, answer->size);
        stele_send_quota_send (self->errors, answer->id, answer->id_size, &frame, self->events);
        return;
    }
    if (answer->token_size)
        zmq_send (handle, answer->token, answer->token_size, flags);
    zmq_send (handle, answer->data, answer->size, ZMQ_DONTWAIT);
}

void
stele_ingest_send_answers (stele_ingest_t *self)
{
    int64_t begun_ns = stele_clock_steady_ns ();
    int64_t now_us = begun_ns / 1000;
    for (const stele_answer_t *answer = self->writer->answers; answer; answer = answer->next) {
        if (answer->superseded)
            continue;
        s_pass (answer, false);
        s_send_answer (self, answer);
        s_pass (answer, true);
        if (answer->received_us)
            stele_histogram_record (self->writer->ack_us, now_us - answer->received_us);
    }
    stele_writer_sent (self->writer);
    self->writer->stages.ack += stele_clock_steady_ns () - begun_ns;
}

bool
stele_ingest_flush_ack (const void *id, size_t size, const stele_roster_entry_t *member, void *arg)
{
    stele_ingest_t *self = arg;
    void *handle = zsock_resolve (self->events);
    if (zmq_send (handle, id, size, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return errno != EAGAIN;
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "ack");
    stele_pack_key_integer (self->pack, "sequence", member->durable.sequence);
    //  Not what an open batch decides, which is in doubt: its positions may become those of other events
    stele_pack_key_integer (self->pack, "position", self->writer->open? self->writer->batch_after: stele_ledger_last (self->writer->ledger));
    stele_pack_map_end (self->pack);
    zmq_send (handle, stele_pack_data (self->pack), stele_pack_size (self->pack), ZMQ_DONTWAIT);
    return true;
}
