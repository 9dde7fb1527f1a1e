/*  writer_erase - task.erase: remove the contents of a task, and record it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "base/clock.h"
#include "broker/common/answer.h"
#include "broker/ingest/writer.h"
#include "ledger/erase.h"
#include "proof/erased.h"

//  'events' are those of this request: the audit event has them, and stele verify compares their sum. 'rest': say whether
//  there are some whose contents are still there.
static void
s_pack (stele_writer_t *self, const stele_span_t *id, const stele_erasure_t *erasure, int64_t events, bool rest)
{
    stele_pack_clear (self->pack);
    stele_answer_begin (self->pack, stele_ledger_last (self->ledger));
    stele_pack_key (self->pack, "task_id");
    stele_pack_text (self->pack, id->text, id->size);
    stele_pack_key_integer (self->pack, "first_position", erasure->task);
    stele_pack_key_integer (self->pack, "time", erasure->time_us);
    stele_pack_key_integer (self->pack, "erased_position", erasure->position);
    stele_pack_key_string (self->pack, "reason", erasure->reason);
    stele_pack_key_integer (self->pack, "events", events);
    if (rest)
        stele_pack_key_bool (self->pack, "erasing", true);
    stele_pack_map_end (self->pack);
}

static void
s_read_reason (stele_params_t *params, stele_erasure_t *erasure)
{
    stele_span_t reason = stele_params_text (params, "reason");
    if (params->refusal.code == 0 && (reason.size == 0 || reason.size > STELE_LIMIT_REASON || memchr (reason.text, 0, reason.size)))
        stele_params_fail (params, STELE_EBAD_REQUEST, "reason", "reason takes 1 to %d bytes of text: why the task has to be erased",
            STELE_LIMIT_REASON);
    else
    if (params->refusal.code == 0)
        memcpy (erasure->reason, reason.text, reason.size);
}

int
stele_writer_run_erase (stele_writer_t *self, stele_params_t *params)
{
    stele_erasure_t erasure = { .time_us = stele_clock_us () };
    stele_span_t id = stele_params_id (params, "task_id");
    s_read_reason (params, &erasure);
    if (self->redis_mode)
        stele_params_fail (params, STELE_EUNAVAILABLE, NULL, "no task can be erased in mode redis: set mode dual first");
    if (params->refusal.code)
        return stele_writer_audit_refusal (self, params);
    int code = stele_writer_begin (self);
    if (code)
        return code;
    stele_erased_t *hashes = stele_erased_new ();
    int64_t erased = stele_ledger_erase (self->ledger, id.text, id.size, stele_erased_hash, hashes, &erasure, &params->refusal);
    stele_erased_destroy (&hashes);
    if (erased < 0 && params->refusal.code == erased)
        return stele_writer_audit_refusal (self, params);
    if (erased < 0)
        return (int) erased;
    if (erasure.position > stele_ledger_last (self->ledger)) {
        s_pack (self, &id, &erasure, erased, false);
        code = stele_writer_audit_request (self, params, self->pack);
    }
    if (code == 0) {
        s_pack (self, &id, &erasure, erasure.events, erasure.rest);
        stele_writer_answer (self);
    }
    return code;
}

int
stele_writer_erase_step (stele_writer_t *self)
{
    if (stele_ledger_erase_wait_ms (self->ledger) != 0)
        return 0;
    stele_erased_t *hashes = stele_erased_new ();
    int code = stele_ledger_erase_step (self->ledger, stele_erased_hash, hashes);
    stele_erased_destroy (&hashes);
    return code == STELE_EIO? code: 0;
}
