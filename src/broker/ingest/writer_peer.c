/*  writer_peer - hello, publish, ping and goodbye of producers; their leases

    Protocol section 2.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "broker/access/access.h"
#include "broker/ingest/lead.h"
#include "broker/ingest/writer.h"
#include "fault/fault.h"
#include "base/clock.h"

static void
s_key_refusal (stele_pack_t *pack, const stele_refusal_t *refusal)
{
    stele_pack_key_string (pack, "code", stele_error_name (refusal->code));
    stele_pack_key_string (pack, "message", refusal->message);
    if (*refusal->field)
        stele_pack_key_string (pack, "field", refusal->field);
}

static void
s_error (stele_writer_t *self, const stele_refusal_t *refusal, int64_t expected)
{
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "error");
    s_key_refusal (self->pack, refusal);
    if (expected)
        stele_pack_key_integer (self->pack, "expected", expected);
    stele_pack_map_end (self->pack);
    self->counts.errors++;
}

static int
s_answer_error (stele_writer_t *self, const stele_refusal_t *refusal, int64_t expected)
{
    s_error (self, refusal, expected);
    if (refusal->code == STELE_EUNAUTHORIZED)
        stele_writer_denied (self, "publish", refusal);
    //  Not what happens to every producer in a restart, or to one that is too fast
    if (refusal->code != STELE_ENO_HELLO && refusal->code != STELE_EFENCED && refusal->code != STELE_EGAP
    &&  refusal->code != STELE_EWINDOW && refusal->code != STELE_EUNAUTHORIZED)
        stele_news_refused (self->news, NULL, refusal);
    stele_writer_answer (self)->is_error = true;
    return 0;
}

//  A fenced peer receives this once unasked, and in answer to each of its messages.
static void
s_send_fenced (const void *id, size_t size, void *arg)
{
    stele_writer_t *self = arg;
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EFENCED, NULL,
        "another instance of this producer has sent hello: this one is fenced, stop it");
    s_error (self, &refusal, 0);
    stele_writer_answer_to (self, id, size)->is_error = true;
}

//  Interrupt the tasks in progress of a producer, and count them in *count. Returns 0 or a storage error.
static int
s_interrupt (stele_writer_t *self, const stele_producer_t *producer, const char *reason, int64_t *count)
{
    *count = 0;
    if (strcmp (self->settings->interrupted, "none") == 0)
        return 0;
    int64_t most = self->settings->batch_events - self->batch_interrupted;
    int64_t interrupted = stele_ledger_interrupt (self->ledger, producer->id, reason, stele_clock_us (), most);
    if (interrupted < 0)
        return (int) interrupted;
    self->counts.interrupted += interrupted;
    self->counts.events += interrupted;
    self->batch_interrupted += interrupted;
    *count = interrupted;
    return interrupted == most;
}

//  For the log: 'now' is still the run that was replaced
static void
s_note_replaced (stele_writer_t *self, const stele_producer_t *now, size_t fenced, int64_t interrupted)
{
    if (fenced)
        stele_news_add (self->news, STELE_NEWS_FENCED, now->name, (int64_t) fenced,
            "producer %s: instance %s is fenced on %zu connection%s, a newer one has started", now->name,
            now->instance, fenced, fenced == 1? "": "s");
    if (interrupted)
        stele_news_add (self->news, STELE_NEWS_INTERRUPTED, now->name, interrupted,
            "producer %s: instance %s ended with tasks in progress, %lld task%s interrupted", now->name,
            now->instance, (long long) interrupted, interrupted == 1? "": "s");
}

//  A new run replaces the last one: fence its peers unless it sent goodbye, and interrupt its tasks in
//  progress unless that goodbye kept them. Returns 1 if some may be left for the next batch, 0, or a storage error.
static int
s_replace_run (stele_writer_t *self, stele_roster_entry_t *member, const char *instance)
{
    stele_producer_t *now = &member->now;
    if (!*now->instance)
        return 0;
    int code = 0;
    int64_t count = 0;
    bool said_goodbye = now->status == STELE_PRODUCER_LEFT || now->status == STELE_PRODUCER_ENDED;
    if (!said_goodbye)
        code = stele_ledger_fence (self->ledger, now->id, now->instance, stele_clock_us ());
    if (code == 0 && now->status != STELE_PRODUCER_LEFT) {
        char reason [1024];
        snprintf (reason, sizeof reason,
            "interrupted: producer %s came back as a new instance (%s); its run %s ended %s", now->name, instance,
            now->instance, said_goodbye? "while this task was in progress": "without a goodbye");
        code = s_interrupt (self, now, reason, &count);
    }
    if (code >= 0) {
        size_t fenced = stele_roster_fence (self->roster, member, instance, self->input->id, self->input->id_size,
            s_send_fenced, self);
        s_note_replaced (self, now, fenced, count);
    }
    return code;
}

static void
s_welcome (stele_writer_t *self, const stele_producer_t *producer)
{
    int64_t heartbeat_ms = self->settings->heartbeat_ms;
    if (producer->lease_ms && producer->lease_ms / 3 < heartbeat_ms)
        heartbeat_ms = producer->lease_ms / 3 > 0? producer->lease_ms / 3: 1;
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "welcome");
    stele_pack_key_integer (self->pack, "protocol", STELE_PROTOCOL);
    stele_pack_key_string (self->pack, "ledger", stele_ledger_id (self->ledger));
    stele_pack_key_integer (self->pack, "sequence", producer->sequence);
    stele_pack_key_integer (self->pack, "window", self->settings->window);
    stele_pack_key_integer (self->pack, "max_bytes", self->settings->message_bytes);
    stele_pack_key_integer (self->pack, "heartbeat_ms", heartbeat_ms);
    if (*self->previous_ledger_id)
        stele_pack_key_string (self->pack, "formerly", self->previous_ledger_id);
    //  An ack promises less in this mode
    if (self->redis_mode)
        stele_pack_key_string (self->pack, "mode", "redis");
    if (self->lead)
        stele_lead_key_node (self, self->pack);
    stele_pack_map_end (self->pack);
    stele_writer_answer (self);
}

//  A producer has acks of events that the ledger lacks. It sends hello without 'acked' once its
//  operator has accepted the loss.
static int
s_answer_behind (stele_writer_t *self, const stele_message_t *message, int64_t sequence)
{
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EBEHIND, "acked",
        "producer %s has acks up to sequence %lld, but the ledger ends at %lld: %lld event%s lost unless the"
        " right ledger is restored; to continue from %lld, send hello without acked",
        message->producer, (long long) message->acked, (long long) sequence,
        (long long) (message->acked - sequence), message->acked - sequence == 1? " is": "s are", (long long) sequence);
    stele_news_add (self->news, STELE_NEWS_BEHIND, message->producer, message->acked - sequence,
        "THE LEDGER IS BEHIND: %s", refusal.message);
    self->counts.behind++;
    self->counts.errors++;
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "error");
    s_key_refusal (self->pack, &refusal);
    stele_pack_key_string (self->pack, "ledger", stele_ledger_id (self->ledger));
    stele_pack_key_integer (self->pack, "sequence", sequence);
    stele_pack_key_integer (self->pack, "acked", message->acked);
    stele_pack_map_end (self->pack);
    stele_writer_answer (self);
    return 0;
}

//  A run of a key that is bound to users could have the tasks of others interrupted: by replacing the run that works on
//  them, by its end, or by its lease. 1: refused, in 'refusal'; 0, or a storage error.
static int
s_is_of_others (stele_writer_t *self, const stele_producer_t *producer, stele_refusal_t *refusal)
{
    const stele_identity_t *identity = self->identity;
    int shared = identity->user_count && producer->id?
        stele_ledger_producer_shared (self->ledger, producer->id, identity->users, identity->user_count): 0;
    if (shared == 1) {
        stele_refuse (refusal, STELE_EUNAUTHORIZED, "producer", "producer %s works on tasks of other users, whom the key '%.100s' may "
            "not act for: use a name of your own", producer->name, identity->name);
        stele_access_note_user (stele_writer_access (self), identity, refusal);
    }
    return shared;
}

static int
s_hello (stele_writer_t *self, const stele_message_t *message)
{
    stele_refusal_t refusal;
    if (stele_screen_name (self->screen, "instance", message->instance, &refusal))
        return s_answer_error (self, &refusal, 0);
    STELE_FAULT (hello_before);
    int code = stele_writer_begin (self);
    if (code)
        return code;
    stele_roster_entry_t *member = stele_roster_entry (self->roster, message->producer);
    if (!member)
        return stele_roster_error (self->roster);
    stele_roster_touch (self->roster, member);
    stele_producer_t *now = &member->now;
    int of_others = s_is_of_others (self, now, &refusal);
    if (of_others == 1) {
        stele_roster_unbind (self->roster, self->input->id, self->input->id_size);
        return s_answer_error (self, &refusal, 0);
    }
    if (of_others)
        return of_others;
    //  Also the present one: the newer one replaces it in several batches, between which the broker may have restarted
    int fenced = now->id? stele_ledger_fenced (self->ledger, now->id, message->instance): 0;
    if (fenced < 0)
        return fenced;
    if (fenced) {
        stele_refuse (&refusal, STELE_EFENCED, "instance",
            "instance %s of producer %s was fenced by a newer one: stop it, or restart it as a new instance",
            message->instance, message->producer);
        stele_news_add (self->news, STELE_NEWS_FENCED, message->producer, 1, "%s", refusal.message);
        return s_answer_error (self, &refusal, 0);
    }
    if (message->acked > now->sequence)
        return s_answer_behind (self, message, now->sequence);
    if (strcmp (now->instance, message->instance) != 0) {
        member->given_first = member->given_last = 0;
        code = s_replace_run (self, member, message->instance);
        self->full = code == 1;
        if (code)
            return code < 0? code: 0;
        stele_news_add (self->news, STELE_NEWS_NEW_RUN, message->producer, 0, "producer %s: new instance %s",
            message->producer, message->instance);
    }
    snprintf (now->instance, sizeof now->instance, "%s", message->instance);
    now->anonymous = message->anonymous;
    now->lease_ms = message->lease_ms;
    now->status = STELE_PRODUCER_PRESENT;
    now->seen_at = stele_clock_us ();
    code = stele_ledger_producer_save (self->ledger, now);
    if (code)
        return code;
    stele_connection_t *peer = stele_roster_bind (self->roster, self->input->id, self->input->id_size,
        member, message->instance);
    peer->restore = message->restore;
    peer->descriptor = self->input->connection;
    stele_roster_heard (self->roster, member);
    s_welcome (self, now);
    return 0;
}

static void
s_nak (stele_writer_t *self, size_t index, int64_t sequence, const stele_refusal_t *refusal)
{
    (void) index;
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "nak");
    stele_pack_key_integer (self->pack, "sequence", sequence);
    s_key_refusal (self->pack, refusal);
    stele_pack_map_end (self->pack);
    stele_writer_answer (self);
}

//  Acks are cumulative: for many messages of a peer in one batch only the last ack is sent. A few
//  messages are acked one by one, for peers that count their answers.
#define ACKS_ALONE 16

static void
s_ack (stele_writer_t *self, stele_connection_t *peer, int64_t sequence, int64_t position)
{
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "ack");
    stele_pack_key_integer (self->pack, "sequence", sequence);
    stele_pack_key_integer (self->pack, "position",
        position? position: stele_ledger_last (self->ledger));
    stele_pack_map_end (self->pack);
    stele_answer_t *ack = stele_writer_answer (self);
    ack->received_us = self->input->received_us;
    if (peer->ack_batch != self->batch_number) {
        peer->ack_batch = self->batch_number;
        peer->ack_count = 0;
    }
    if (++peer->ack_count > ACKS_ALONE) {
        peer->ack->superseded = true;
        ack->received_us = peer->ack->received_us;
    }
    peer->ack = ack;
}

int
stele_writer_check_sequence (const stele_writer_t *self, const stele_message_t *message,
    const stele_roster_entry_t *member, int64_t *expected, stele_refusal_t *refusal)
{
    if ((int64_t) message->event_count > self->settings->message_events)
        return stele_refuse (refusal, STELE_ETOO_LARGE, "events",
            "%zu events in one message, the limit is %lld: split it",
            message->event_count, (long long) self->settings->message_events);
    if (message->sequence > member->now.sequence + 1) {
        *expected = member->now.sequence + 1;
        return stele_refuse (refusal, STELE_EGAP, "sequence",
            "expected sequence %lld, got %lld: resend from there",
            (long long) *expected, (long long) message->sequence);
    }
    return 0;
}

//  Can the message be taken at all? 0, or the code in the refusal, with 'expected'.
static int
s_admit (stele_writer_t *self, const stele_message_t *message, const stele_roster_entry_t *member,
    int64_t *expected, stele_refusal_t *refusal)
{
    int64_t count = (int64_t) message->event_count;
    int code = stele_writer_check_sequence (self, message, member, expected, refusal);
    if (code)
        return code;
    //  Treated as a duplicate, it would be acked but not stored
    if (message->sequence <= member->given_last && message->sequence + count > member->given_first)
        return stele_refuse (refusal, STELE_EFENCED, "sequence",
            "sequences %lld to %lld were assigned to publish requests of producer %s: only one run can use the name",
            (long long) member->given_first, (long long) member->given_last, member->now.name);
    if (message->sequence + count - 1 - member->durable.sequence > self->settings->window)
        return stele_refuse (refusal, STELE_EWINDOW, "events",
            "more than %lld events unacked: wait for acks", (long long) self->settings->window);
    return 0;
}

static int
s_publish (stele_writer_t *self, stele_message_t *message, stele_connection_t *peer)
{
    message->restore = peer->restore;
    stele_roster_entry_t *member = peer->member;
    int64_t expected = 0;
    stele_refusal_t refusal;
    if (s_admit (self, message, member, &expected, &refusal))
        return s_answer_error (self, &refusal, expected);

    int64_t last = message->sequence + (int64_t) message->event_count - 1;
    int64_t skip = member->now.sequence + 1 - message->sequence;
    int64_t position = 0;
    if (skip < (int64_t) message->event_count) {
        int code = stele_writer_begin (self);
        if (code)
            return code;
        stele_roster_touch (self->roster, member);
        if (member->now.status != STELE_PRODUCER_PRESENT) {
            //  The lease expired, or another connection of this run said goodbye, but the producer is back
            member->now.status = STELE_PRODUCER_PRESENT;
            code = stele_ledger_producer_save (self->ledger, &member->now);
        }
        if (code == 0)
            code = stele_writer_store (self, message, (size_t) skip, member, s_nak, &position);
        if (code)
            return code;
        self->counts.duplicates += skip;
    }
    else
        self->counts.duplicates += (int64_t) message->event_count;
    s_ack (self, peer, last, position);
    return 0;
}

//  An anonymous run is over: if it owns nothing any more, its name leaves memory with this batch, and only its row stays
//  (protocol section 2, rule 15). In mode redis the elements need it. Returns 0 or a storage error.
static int
s_check_gone (stele_writer_t *self, stele_roster_entry_t *member)
{
    if (!member->now.anonymous || self->redis_mode)
        return 0;
    int owns = stele_ledger_producer_owns (self->ledger, member->now.id);
    if (owns)
        return owns < 0? owns: 0;
    member->now.status = STELE_PRODUCER_LEFT;
    *member->now.instance = 0;
    member->lease_until_us = 0;
    stele_roster_unbind_all (self->roster, member);
    return 0;
}

static int
s_goodbye (stele_writer_t *self, stele_connection_t *peer, bool keep)
{
    stele_roster_entry_t *member = peer->member;
    STELE_FAULT (goodbye_before);
    int code = stele_writer_begin (self);
    if (code)
        return code;
    stele_roster_touch (self->roster, member);
    member->now.status = keep? STELE_PRODUCER_LEFT: STELE_PRODUCER_ENDED;
    member->now.seen_at = stele_clock_us ();
    if (keep)
        member->lease_until_us = 0;
    code = s_check_gone (self, member);
    if (code == 0)
        code = stele_ledger_producer_save (self->ledger, &member->now);
    if (code == 0)
        stele_roster_unbind (self->roster, self->input->id, self->input->id_size);
    return code;
}

static int
s_too_large (stele_writer_t *self)
{
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_ETOO_LARGE, NULL,
        "the message has %zu bytes, the limit is %lld: split it",
        self->input->size, (long long) self->settings->message_bytes);
    return s_answer_error (self, &refusal, 0);
}

//  Is the sender allowed to publish? If its key was revoked, its connection needs a new hello; its lease
//  runs on, since it did not say goodbye.
static int
s_authorize (stele_writer_t *self, stele_refusal_t *refusal)
{
    int code = stele_access_check (stele_writer_access (self), self->input->identity, STELE_ROLE_PUBLISH, "publish", refusal);
    if (code)
        stele_roster_unbind (self->roster, self->input->id, self->input->id_size);
    return code;
}

//  May it use the name of that producer? Since keys change, each message is checked.
static int
s_authorize_name (stele_writer_t *self, const char *producer, stele_refusal_t *refusal)
{
    const stele_identity_t *identity = self->input->identity;
    return identity->producer_count == 0? 0:
        stele_access_check_producer (stele_writer_access (self), identity, producer, strlen (producer), refusal);
}

int
stele_writer_run_peer (stele_writer_t *self)
{
    const stele_input_t *input = self->input;
    stele_message_t message;
    stele_refusal_t refusal;
    if ((int64_t) input->size > self->settings->message_bytes)
        return s_too_large (self);
    int code = s_authorize (self, &refusal);
    if (code == 0)
        code = stele_message_decode (input->data, input->size, &message, &refusal);
    //  A refusal quotes the name
    if (code == 0 && message.op == STELE_OP_HELLO)
        code = stele_screen_name (self->screen, "producer", message.producer, &refusal);
    if (code == 0 && message.op == STELE_OP_HELLO)
        code = s_authorize_name (self, message.producer, &refusal);
    if (code)
        return s_answer_error (self, &refusal, 0);
    if (message.op == STELE_OP_HELLO)
        return s_hello (self, &message);

    stele_connection_t *peer = stele_roster_connection (self->roster, input->id, input->id_size);
    //  A routing id that moved to another connection does not bring its hello along
    if (!peer || peer->descriptor != input->connection) {
        stele_refuse (&refusal, STELE_ENO_HELLO, NULL,
            "this connection has not sent hello to this run of the broker: send hello, then resend"
            " the events after the sequence in the welcome");
        return s_answer_error (self, &refusal, 0);
    }
    if (peer->fenced) {
        s_send_fenced (input->id, input->id_size, self);
        return 0;
    }
    if (s_authorize_name (self, peer->member->now.name, &refusal)) {
        stele_roster_unbind (self->roster, input->id, input->id_size);
        return s_answer_error (self, &refusal, 0);
    }
    stele_roster_heard (self->roster, peer->member);
    switch (message.op) {
        case STELE_OP_PUBLISH:
            return s_publish (self, &message, peer);
        case STELE_OP_GOODBYE:
            return s_goodbye (self, peer, message.keep);
        default:
            stele_pack_clear (self->pack);
            stele_pack_map_begin (self->pack);
            stele_pack_key_string (self->pack, "op", "pong");
            stele_pack_map_end (self->pack);
            stele_writer_answer (self);
            return 0;
    }
}

int
stele_writer_expire_one (stele_writer_t *self, stele_roster_entry_t *member)
{
    member->lease_until_us = 0;
    STELE_FAULT (expire_before);
    int code = stele_writer_begin (self);
    if (code)
        return code;
    stele_roster_touch (self->roster, member);
    //  After a goodbye nothing is left to interrupt, and the run is not fenced
    bool said_goodbye = member->now.status == STELE_PRODUCER_ENDED;
    char reason [1024];
    snprintf (reason, sizeof reason, said_goodbye?
        "interrupted: producer %s (run %s) said goodbye, and did not return within its lease of %lld ms":
        "interrupted: producer %s (run %s) was silent for longer than its lease of %lld ms",
        member->now.name, member->now.instance, (long long) member->now.lease_ms);
    int64_t count;
    code = s_interrupt (self, &member->now, reason, &count);
    char also [64] = "";
    if (count > 0)
        snprintf (also, sizeof also, ", %lld task%s interrupted", (long long) count, count == 1? "": "s");
    stele_news_add (self->news, STELE_NEWS_LEASE, member->now.name, count > 0? count: 0,
        "producer %s: the lease of %lld ms of instance %s has run out%s", member->now.name,
        (long long) member->now.lease_ms, member->now.instance, also);
    if (code == 1) {
        self->full = true;
        stele_roster_expire_again (self->roster, member);
        return 0;
    }
    if (code == 0) {
        member->now.status = said_goodbye? STELE_PRODUCER_LEFT: STELE_PRODUCER_EXPIRED;
        member->now.seen_at = stele_clock_us ();
        code = stele_ledger_producer_save (self->ledger, &member->now);
    }
    if (code == 0)
        code = s_check_gone (self, member);
    if (code == 0 && member->now.anonymous)
        code = stele_ledger_producer_save (self->ledger, &member->now);
    STELE_FAULT (expire_after);
    return code;
}

int
stele_writer_expire (stele_writer_t *self)
{
    if (!self->inputs && !self->open)
        self->counts_before = self->counts;
    stele_roster_entry_t *member;
    while (!self->full && (member = stele_roster_expired (self->roster))) {
        int code = stele_writer_expire_one (self, member);
        if (code) {
            stele_writer_rollback (self);
            return code;
        }
    }
    return 0;
}

int64_t
stele_writer_interrupt_some (stele_writer_t *self)
{
    self->counts_before = self->counts;
    int64_t count = stele_writer_begin (self);
    if (count == 0)
        count = stele_ledger_interrupt (self->ledger, -1, "interrupted: the broker was restarted (rule: all)", stele_clock_us (),
            self->settings->batch_events);
    if (count < 0)
        return count;
    self->counts.interrupted += count;
    int code = stele_writer_commit (self);
    return code && !stele_lead_in_doubt (self->lead)? code: count;
}
