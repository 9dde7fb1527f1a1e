/*  ingest_mode - the request to run in another mode

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/ingest/ingest_internal.h"
#include "broker/ingest/redis_mode.h"
#include "base/clock.h"

void
stele_ingest_say_mode (stele_ingest_t *self)
{
    int64_t now_us = stele_clock_steady_us ();
    self->mode_said_us = now_us;
    if (self->writer->mode == STELE_MODE_REDIS)
        zsys_warning ("MODE REDIS: PERSISTENCE IS OFF. Acks wait for Redis only, the ledger is not written, the feed "
            "and the history stand still at position %lld; %lld events are only in Redis. 'stele mode dual' brings "
            "them into the ledger", (long long) stele_ledger_head (self->writer->ledger),
            (long long) stele_writer_redis_mode_events (self->writer));
    else
        zsys_info ("mode %s, ledger at position %lld", stele_mode_word ((stele_mode_t) self->writer->mode),
            (long long) stele_ledger_head (self->writer->ledger));
}

//  Between batches: what has been taken is committed first, unless it is held back, then it
//  runs again in the mode that is set now.
int
stele_ingest_set_mode (stele_ingest_t *self, stele_mode_t wanted, stele_refusal_t *refusal)
{
    if (!self->writer->holding)
        stele_ingest_settle (self, 0);
    if (self->failed)
        return stele_refuse (refusal, STELE_EIO, "mode", "%s", self->writer->error_text);
    int code = stele_mode_switch (self->writer, wanted, refusal);
    if (self->writer->mode == STELE_MODE_REDIS && !stele_ledger_suspended (self->writer->ledger)) {
        snprintf (self->writer->error_text, sizeof self->writer->error_text, "%.500s", refusal->message);
        stele_ingest_fail (self);
    }
    self->retry_us = 0;
    stele_ingest_announce (self);
    stele_ingest_say_mode (self);
    return code;
}

void
stele_ingest_answer_mode (stele_ingest_t *self, zmq_msg_t *body)
{
    stele_refusal_t refusal = { 0 };
    stele_token_t token = stele_scan_find (zmq_msg_data (body), zmq_msg_size (body), "mode", NULL, NULL);
    int code = 0;
    if (token.kind != STELE_SCAN_END && token.kind != STELE_SCAN_NIL) {
        int wanted = token.kind == STELE_SCAN_TEXT? stele_mode_of (token.data, token.size): -1;
        code = wanted < 0?
            stele_refuse (&refusal, STELE_EBAD_REQUEST, "mode", "mode takes dual, sqlite or redis"):
            stele_ingest_set_mode (self, (stele_mode_t) wanted, &refusal);
    }
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, code? 2: 4);
    stele_pack_key_bool (self->pack, "ok", code == 0);
    if (code) {
        stele_pack_string (self->pack, "error");
        stele_pack_map (self->pack, 3);
        stele_pack_key_string (self->pack, "code", stele_error_name (refusal.code));
        stele_pack_key_string (self->pack, "message", refusal.message);
        stele_pack_key_string (self->pack, "field", "mode");
        return;
    }
    stele_pack_key_integer (self->pack, "position", stele_ledger_head (self->writer->ledger));
    stele_pack_key_string (self->pack, "mode", stele_mode_word ((stele_mode_t) self->writer->mode));
    stele_pack_key_integer (self->pack, "only_in_redis", stele_writer_redis_mode_events (self->writer));
}
