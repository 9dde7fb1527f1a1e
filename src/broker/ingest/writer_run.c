/*  writer_run - run a message in the open batch, or all of a batch that was rolled back

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/common/denied.h"
#include "broker/ingest/lead.h"
#include "broker/ingest/writer.h"
#include "broker/operations/operations.h"
#include "fault/fault.h"

//  A batch that storage does not take runs again and again: what was refused in it counts once
stele_access_t *
stele_writer_access (stele_writer_t *self)
{
    return ++self->checks > self->input->checks? self->settings->access: NULL;
}

void
stele_writer_denied (stele_writer_t *self, const char *operation, const stele_refusal_t *refusal)
{
    if (++self->denials > self->input->denials)
        stele_denied_note (self->settings->denied, self->identity->name, self->input->peer, operation, refusal);
}

//  May a node that follows a shared log run it? It changes nothing that the log has: where the tasks of this ledger
//  are kept, and what is written to the program's log instead of the ledger.
static bool
s_is_local (const stele_input_t *input)
{
    if (input->source != STELE_FROM_MAILBOX)
        return false;
    stele_operation_id_t operation = stele_operation_id (input->data, input->size);
    return operation == STELE_OPERATION_PRODUCER_GET || operation == STELE_OPERATION_ARCHIVE || operation == STELE_OPERATION_AUDIT;
}

static int
s_run (stele_writer_t *self, stele_input_t *input)
{
    input->again = self->full;
    if (self->full)
        return 0;
    self->input = input;
    self->checks = self->denials = 0;
    self->identity = input->identity;
    int code;
    if (!stele_lead_leads (self->lead) && !s_is_local (input))
        code = stele_lead_refuse (self);
    else
    if (input->source == STELE_FROM_PEER)
        code = stele_writer_run_peer (self);
    else
    if (input->source == STELE_FROM_MAILBOX)
        code = stele_writer_run_request (self);
    else
        code = stele_writer_run_pipeline (self);
    self->input = NULL;
    input->again = self->full;
    input->checks = self->checks > input->checks? self->checks: input->checks;
    input->denials = self->denials > input->denials? self->denials: input->denials;
    if (code)
        stele_writer_rollback (self);
    return code;
}

int
stele_writer_take (stele_writer_t *self, stele_input_t *input)
{
    if (!self->inputs && !self->open)
        self->counts_before = self->counts;
    *self->inputs_tail = input;
    self->inputs_tail = &input->next;
    //  One that waited for this batch has been counted
    if (!input->again) {
        self->counts.messages++;
        self->counts.bytes += (int64_t) input->size;
    }
    self->batch_bytes += input->size;
    STELE_FAULT (input_taken);
    return self->holding? 0: s_run (self, input);
}

int
stele_writer_take_later (stele_writer_t *self)
{
    int code = 0;
    while (self->later && code == 0) {
        stele_input_t *input = self->later;
        self->later = input->next;
        input->next = NULL;
        code = stele_writer_take (self, input);
    }
    return code;
}

int
stele_writer_again (stele_writer_t *self)
{
    STELE_FAULT (again_before);
    if (stele_lead_is_unsettled (self->lead)) {
        int resolved = stele_lead_resolve (self);
        if (resolved == 1)
            return stele_writer_finish (self, 0);
        if (resolved == STELE_EUNAVAILABLE)
            return STELE_EBUSY;
        if (resolved)
            return self->open? stele_writer_finish (self, resolved): resolved;
    }
    for (stele_input_t *input = self->inputs; input; input = input->next) {
        int code = s_run (self, input);
        if (code)
            return code;
    }
    stele_roster_entry_t *member = stele_roster_next (self->roster, NULL);
    for (; member; member = stele_roster_next (self->roster, member)) {
        int code = member->expiring && stele_lead_leads (self->lead)? stele_writer_expire_one (self, member): 0;
        if (code) {
            stele_writer_rollback (self);
            return code;
        }
    }
    return stele_writer_commit (self);
}
