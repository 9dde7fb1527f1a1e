/*  ingest_mode - the operation mode: report the mode, or set another

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/clock.h"
#include "broker/common/answer.h"
#include "broker/common/log.h"
#include "broker/ingest/ingest_internal.h"
#include "broker/ingest/redis_mode.h"
#include "broker/operations/audit.h"

void
stele_ingest_say_mode (stele_ingest_t *self)
{
    int64_t now_us = stele_clock_steady_us ();
    self->mode_said_us = now_us;
    if (self->writer->mode == STELE_MODE_REDIS)
        stele_log_warning ("mode", "MODE REDIS: PERSISTENCE IS OFF. Acks wait for Redis only, the ledger is not written, the feed "
            "and the history remain at position %lld; %lld events are only in Redis. 'stele mode dual' writes "
            "them to the ledger", (long long) stele_ledger_head (self->writer->ledger),
            (long long) stele_writer_redis_mode_events (self->writer));
    else
        stele_log_info ("mode", "mode %s, ledger at position %lld", stele_mode_word ((stele_mode_t) self->writer->mode),
            (long long) stele_ledger_head (self->writer->ledger));
}

int
stele_ingest_set_mode (stele_ingest_t *self, stele_mode_t wanted, stele_refusal_t *refusal)
{
    if (self->failed)
        return stele_refuse (refusal, STELE_EIO, "mode", "%s", self->writer->error_text);
    int code = stele_mode_switch (self->writer, wanted, refusal);
    self->mode_failed = self->writer->mode == STELE_MODE_REDIS && !stele_ledger_suspended (self->writer->ledger);
    if (self->mode_failed)
        snprintf (self->writer->error_text, sizeof self->writer->error_text, "%.500s", refusal->message);
    return code;
}

void
stele_ingest_answer_mode (stele_ingest_t *self)
{
    stele_params_t params;
    const stele_input_t *request = self->mode_request;
    stele_params_start (&params, request->data, request->size);
    params.identity = stele_delegate_identity (&self->writer->delegate, request->identity, request->data,
        request->size, &params.refusal);
    if (params.refusal.code == 0)
        stele_operation_check_scope (&stele_operations [STELE_OPERATION_MODE], &params);
    stele_span_t word = stele_params_text (&params, "mode");
    int wanted = word.text? stele_mode_of (word.text, word.size): -1;
    stele_refusal_t refusal = { 0 };
    if (word.text && wanted < 0)
        stele_params_refuse (&params, "mode", "dual, sqlite or redis");
    else
    if (params.refusal.code == 0 && word.text && stele_ingest_set_mode (self, (stele_mode_t) wanted, &refusal))
        stele_params_fail (&params, refusal.code, refusal.field, "%s", refusal.message);
    if (params.refusal.code) {
        stele_answer_refuse (self->pack, &params.refusal, NULL, 0);
        return;
    }
    stele_pack_clear (self->pack);
    stele_answer_begin (self->pack, stele_ledger_head (self->writer->ledger));
    stele_pack_key_string (self->pack, "mode", stele_mode_word ((stele_mode_t) self->writer->mode));
    stele_pack_key_integer (self->pack, "only_in_redis", stele_writer_redis_mode_events (self->writer));
    stele_pack_map_end (self->pack);
}

bool
stele_ingest_audit_mode (stele_ingest_t *self, bool waits, int *code)
{
    stele_writer_t *writer = self->writer;
    const stele_input_t *request = self->mode_request;
    const void *answer = stele_pack_data (self->pack);
    size_t answer_size = stele_pack_size (self->pack);
    stele_refusal_t refusal;
    const stele_identity_t *identity = stele_delegate_identity (&writer->delegate, request->identity, request->data,
        request->size, &refusal);
    if (!identity || !stele_audit_answers (answer, answer_size)
    ||  !stele_audit_begin (identity, request->peer, request->data, request->size, writer->pack))
        return false;
    stele_map_t begun = { stele_pack_data (writer->pack), stele_pack_size (writer->pack) };
    stele_audit_finish (&begun, answer, answer_size, writer->audit);
    *code = stele_writer_take_audit (writer, waits? request: NULL, stele_pack_data (writer->audit), stele_pack_size (writer->audit),
        answer, answer_size);
    return true;
}
