/*  fold - apply the batches of a shared log to the ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "broker/ingest/fold.h"
#include "ledger/erase.h"
#include "proof/erased.h"
#include "wire/event/decisions.h"
#include "wire/event/event_codec.h"

//  Of the ledger: number and epoch, big-endian, and the hash
typedef struct {
    uint64_t number, epoch;
    unsigned char hash [STELE_BATCH_HASH];
} s_mark_t;

struct stele_fold {
    stele_ledger_t *ledger;
    stele_record_t *event;
    stele_erased_t *hashes;         // Of the events of tasks that are erased here, too
    const stele_batch_t *batch;
    stele_refusal_t *refusal;
};

stele_fold_t *
stele_fold_new (stele_ledger_t *ledger)
{
    stele_fold_t *self = STELE_NEW (stele_fold_t);
    self->ledger = ledger;
    self->event = stele_record_new ();
    assert (self->event);
    self->hashes = stele_erased_new ();
    return self;
}

void
stele_fold_destroy (stele_fold_t **self_p)
{
    assert (self_p);
    if (!*self_p)
        return;
    stele_record_destroy (&(*self_p)->event);
    stele_erased_destroy (&(*self_p)->hashes);
    free (*self_p);
    *self_p = NULL;
}

int
stele_fold_mark (stele_ledger_t *ledger, const stele_batch_t *batch)
{
    s_mark_t mark = { htobe64 ((uint64_t) batch->number), htobe64 ((uint64_t) batch->epoch), { 0 } };
    memcpy (mark.hash, batch->hash, sizeof mark.hash);
    return stele_ledger_log_mark (ledger, &mark, sizeof mark);
}

int
stele_fold_end (stele_ledger_t *ledger, const char *ledger_id, stele_batch_end_t *end, stele_refusal_t *refusal)
{
    s_mark_t mark;
    int found = stele_ledger_log_marked (ledger, &mark, sizeof mark);
    if (found < 0)
        return stele_refuse (refusal, found, "ledger", "%s", stele_ledger_error (ledger));
    if (strcmp (stele_ledger_id (ledger), ledger_id))
        return stele_refuse (refusal, STELE_ELEDGER, "shared-log", "the log is that of ledger %s, this ledger is %s: set shared-log-name to the "
            "name of its own log, or start this node from a snapshot", ledger_id, stele_ledger_id (ledger));
    stele_batch_start (end, ledger_id, stele_ledger_head (ledger));
    if (!found)
        return 0;
    end->number = (int64_t) be64toh (mark.number);
    end->epoch = (int64_t) be64toh (mark.epoch);
    memcpy (end->hash, mark.hash, sizeof end->hash);
    return 0;
}

//  -- operations --------------------------------------------------------------------------

static int
s_diverged (stele_fold_t *self, const char *what, int64_t number)
{
    const char *why = self->refusal->code? self->refusal->message: "its outcome is another one";
    char reason [sizeof self->refusal->message];
    snprintf (reason, sizeof reason, "%s", why);
    return stele_refuse (self->refusal, STELE_ELEDGER, "shared-log", "batch %" PRId64 " of the log does not fit the ledger of this "
        "node, at %s %" PRId64 " (%s): start this node from a snapshot, and report this", self->batch->number, what, number, reason);
}

static int
s_event (stele_fold_t *self, const stele_decision_t *decision)
{
    int64_t expected = stele_ledger_last (self->ledger) + 1, position = 0;
    bool sent = decision->kind == STELE_DECIDED_SENT;
    stele_record_clear (self->event);
    int code = (sent? stele_event_decode_record: stele_event_decode_restored) (decision->event, decision->event_size,
        self->event, self->refusal);
    if (code == 0 && sent && !stele_record_has (self->event, STELE_TIME))
        stele_record_set_integer (self->event, STELE_TIME, decision->values [1].integer);
    int64_t erased = code? code: stele_ledger_erase_again (self->ledger, self->event, stele_erased_hash, self->hashes, self->refusal);
    code = erased < 0? (int) erased: 0;
    if (code == 0)
        code = stele_ledger_append (self->ledger, self->event, decision->values [0].integer, &position, self->refusal);
    if (code == 1 && position == expected)
        return 0;
    //  The task is in an archive of this node that cannot be read
    if (code == STELE_EUNAVAILABLE)
        return code;
    return code < 0 && self->refusal->code != code? code: s_diverged (self, "position", expected);
}

static int
s_refused (stele_fold_t *self, const stele_decision_t *decision)
{
    const stele_token_t *values = decision->values;
    stele_refusal_t why = { 0 };
    char name [80];
    int64_t id = 0;
    if (stele_decision_text (decision, 3, name, sizeof name)
    ||  stele_decision_text (decision, 4, why.field, sizeof why.field)
    ||  stele_decision_text (decision, 5, why.message, sizeof why.message))
        return s_diverged (self, "refused event", values [0].integer);
    why.code = stele_error_code (name);
    //  A later version may refuse for reasons of its own
    if (strcmp (stele_error_name (why.code), name))
        return STELE_EPROTOCOL;
    int code = stele_ledger_reject (self->ledger, values [1].integer, values [2].integer, &why, values [6].integer,
        values [7].data, values [7].size, &id);
    return code? code: id == values [0].integer? 0: s_diverged (self, "refused event", values [0].integer);
}

static int
s_producer (stele_fold_t *self, const stele_decision_t *decision)
{
    const stele_token_t *values = decision->values;
    stele_producer_t producer, stored;
    memset (&producer, 0, sizeof producer);
    if (stele_decision_text (decision, 1, producer.name, sizeof producer.name)
    ||  stele_decision_text (decision, 2, producer.instance, sizeof producer.instance))
        return s_diverged (self, "producer", values [0].integer);
    int found = stele_ledger_producer_find (self->ledger, producer.name, &stored);
    if (found < 0)
        return found;
    producer.id = found? stored.id: 0;
    producer.anonymous = values [3].integer;
    producer.sequence = values [4].integer;
    producer.lease_ms = values [5].integer;
    producer.status = (stele_producer_status_t) values [6].integer;
    producer.seen_at = values [7].integer;
    int code = stele_ledger_producer_save (self->ledger, &producer);
    return code? code: producer.id == values [0].integer? 0: s_diverged (self, "producer", values [0].integer);
}

static int
s_fence (stele_fold_t *self, const stele_decision_t *decision)
{
    char instance [STELE_LIMIT_ID + 1];
    if (stele_decision_text (decision, 1, instance, sizeof instance))
        return s_diverged (self, "producer", decision->values [0].integer);
    return stele_ledger_fence (self->ledger, decision->values [0].integer, instance, decision->values [2].integer);
}

static int
s_cursor (stele_fold_t *self, const stele_decision_t *decision)
{
    char name [80];
    if (stele_decision_text (decision, 0, name, sizeof name))
        return s_diverged (self, "a cursor at position", decision->values [1].integer);
    return stele_ledger_follower_save (self->ledger, name, decision->values [1].integer, decision->values [2].integer);
}

static int
s_note (stele_fold_t *self, const stele_decision_t *decision)
{
    char key [80];
    const char *why;
    const stele_token_t *value = &decision->values [1];
    if (stele_decision_text (decision, 0, key, sizeof key) || stele_scan_check (value->data, value->size, value->size, &why))
        return s_diverged (self, "a note of", self->batch->number);
    return stele_ledger_replay_note (self->ledger, key, value->data, value->size);
}

static int
s_apply (stele_fold_t *self, const stele_decision_t *decision)
{
    const stele_token_t *values = decision->values;
    switch (decision->kind) {
        case STELE_DECIDED_EVENT:
        case STELE_DECIDED_SENT:
            return s_event (self, decision);
        case STELE_DECIDED_REFUSAL:
            return s_refused (self, decision);
        case STELE_DECIDED_RETRY:
            return stele_ledger_rejected_done (self->ledger, values [0].integer, values [1].integer, values [2].integer);
        case STELE_DECIDED_PRODUCER:
            return s_producer (self, decision);
        case STELE_DECIDED_SEQUENCE:
            return stele_ledger_producer_advance (self->ledger, values [0].integer, values [1].integer);
        case STELE_DECIDED_FENCE:
            return s_fence (self, decision);
        case STELE_DECIDED_CURSOR:
            return s_cursor (self, decision);
        case STELE_DECIDED_NOTE:
            return s_note (self, decision);
        //  No default: the compiler reports an operation without a case
    }
    return STELE_EPROTOCOL;
}

//  -- a batch -----------------------------------------------------------------------------

static int
s_later (stele_fold_t *self, int kind)
{
    return stele_refuse (self->refusal, STELE_EPROTOCOL, "shared-log", "batch %" PRId64 " of the log has an operation (%d) that this version "
        "does not know: upgrade this node; it then continues", self->batch->number, kind);
}

static int
s_operations (stele_fold_t *self, const void *data, size_t size)
{
    stele_scan_t scan;
    size_t count;
    if (stele_decisions_open (data, size, &scan, &count))
        return stele_refuse (self->refusal, STELE_ELEDGER, "shared-log", "batch %" PRId64 " of the log is not a list of operations",
            self->batch->number);
    int code = 0;
    for (size_t i = 0; i < count && code == 0; i++) {
        stele_decision_t decision;
        code = stele_decisions_next (&scan, &decision);
        if (code == 0)
            code = s_apply (self, &decision);
        if (code == STELE_EPROTOCOL)
            return s_later (self, (int) decision.kind);
    }
    if (code == 0 && stele_ledger_last (self->ledger) != self->batch->last)
        return s_diverged (self, "its last position,", self->batch->last);
    return code;
}

int
stele_fold_batch (stele_fold_t *self, const stele_batch_t *batch, stele_refusal_t *refusal)
{
    size_t size;
    memset (refusal, 0, sizeof *refusal);
    self->batch = batch;
    self->refusal = refusal;
    void *operations = stele_batch_expand (batch, &size, refusal);
    if (!operations)
        return refusal->code;
    int code = stele_ledger_begin (self->ledger);
    if (code == 0)
        code = s_operations (self, operations, size);
    if (code == 0)
        code = stele_fold_mark (self->ledger, batch);
    if (code == 0)
        code = stele_ledger_commit (self->ledger, batch->time_us);
    if (code) {
        if (refusal->code != code)
            stele_refuse (refusal, code, "ledger", "%s", stele_ledger_error (self->ledger));
        stele_ledger_rollback (self->ledger);
    }
    free (operations);
    return code;
}
