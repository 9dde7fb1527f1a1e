/*  writer_audit - append events of the type audit.recorded

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "base/clock.h"
#include "broker/common/answer.h"
#include "broker/common/denied.h"
#include "broker/common/log.h"
#include "broker/ingest/lead.h"
#include "broker/ingest/writer.h"
#include "broker/operations/audit.h"
#include "wire/event/event_codec.h"
#include "wire/time.h"

#define DENIALS_ONCE 100            // Most that are recorded in one batch

int
stele_writer_audit (stele_writer_t *self, const void *event, size_t size)
{
    int code = stele_writer_begin (self);
    if (code)
        return code;
    stele_refusal_t refusal = { 0 };
    int64_t position;
    //  A client chose some of its texts: request_id, an actor, what a refusal quotes
    stele_screen_kept_fit (self->screen, &event, &size);
    stele_record_clear (self->event);
    code = stele_event_decode_restored (event, size, self->event, &refusal);
    if (code == 0)
        code = stele_ledger_append (self->ledger, self->event, 0, &position, &refusal);
    //  The actors of this broker pack them within the limits
    if (code < 0 && refusal.code == code) {
        stele_log_error ("audit_failed", "an audit event could not be recorded: %s", refusal.message);
        return 0;
    }
    if (code < 0)
        return code;
    self->counts.audited++;
    self->batch_events++;
    return 0;
}

//  A node that follows a shared log writes no event: it reports what was done to this node in its own log
static void
s_log_audit (const stele_map_t *event)
{
    char texts [3] [200] = { "", "", "" };
    static const stele_field_t fields [] = { STELE_WHO, STELE_OPERATION, STELE_OUTCOME };
    for (size_t i = 0; i < 3; i++)
        stele_map_text (event, stele_field_name (fields [i]), texts [i], sizeof texts [i]);
    stele_log_warning ("audit", "%s by %s on this node: %s; not recorded in the ledger, since this node follows", texts [1], texts [0],
        texts [2]);
}

int
stele_writer_audit_request (stele_writer_t *self, const stele_params_t *params, const stele_pack_t *answer)
{
    stele_pack_t *begun = stele_pack_new ();
    stele_audit_begin (params->identity, self->input->peer, params->map, params->size, begun);
    stele_map_t map = { stele_pack_data (begun), stele_pack_size (begun) };
    stele_audit_finish (&map, stele_pack_data (answer), stele_pack_size (answer), self->audit);
    stele_pack_destroy (&begun);
    return stele_writer_audit (self, stele_pack_data (self->audit), stele_pack_size (self->audit));
}

int
stele_writer_audit_refusal (stele_writer_t *self, stele_params_t *params)
{
    stele_answer_refuse (self->pack, &params->refusal, NULL, 0);
    int code = stele_audit_answers (stele_pack_data (self->pack), stele_pack_size (self->pack))?
        stele_writer_audit_request (self, params, self->pack): 0;
    if (code == 0)
        stele_writer_answer (self);
    return code;
}

int
stele_writer_run_audit (stele_writer_t *self, stele_params_t *params)
{
    stele_map_t map = { params->map, params->size }, event, answer;
    if (!stele_map_map (&map, "event", &event))
        return 0;
    int code = 0;
    if (stele_lead_leads (self->lead))
        code = stele_writer_audit (self, event.data, event.size);
    else
        s_log_audit (&event);
    if (code || self->input->id_size == 0)
        return code;
    stele_pack_clear (self->pack);
    if (stele_map_map (&map, "answer", &answer))
        stele_pack_packed (self->pack, answer.data, answer.size);
    else {
        stele_answer_begin (self->pack, stele_ledger_last (self->ledger));
        stele_pack_map_end (self->pack);
    }
    stele_writer_answer (self);
    return 0;
}

int
stele_writer_take_audit (stele_writer_t *self, const stele_input_t *request, const void *event, size_t size,
    const void *answer, size_t answer_size)
{
    stele_pack_t *message = stele_pack_new ();
    stele_audit_mail (event, size, answer, answer_size, message);
    stele_input_t *input = stele_input_new (STELE_FROM_MAILBOX, request? request->id: NULL,
        request? request->id_size: 0, request? request->token: NULL, request? request->token_size: 0,
        stele_pack_data (message), stele_pack_size (message));
    stele_pack_destroy (&message);
    return stele_writer_take (self, input);
}

//  As text: in a map, an integer would not be recognised as a time (protocol section 10)
static void
s_pack_time (stele_pack_t *pack, const char *key, int64_t time_us)
{
    char text [32];
    stele_time_print (time_us, text, sizeof text);
    stele_pack_key_string (pack, key, text);
}

static int
s_take_denial (stele_writer_t *self, const stele_denied_peer_t *denial)
{
    stele_pack_t *details = stele_pack_new ();
    stele_pack_map_begin (details);
    stele_pack_key_string (details, "message", denial->message);
    s_pack_time (details, "first", denial->first_us);
    s_pack_time (details, "last", denial->last_us);
    stele_pack_map_end (details);
    stele_audit_t audit = {
        .who = denial->who, .operation = "access.denied", .target = denial->operation, .peer = denial->peer,
        .outcome = stele_error_name (denial->code), .count = denial->count,
        .details = { stele_pack_data (details), stele_pack_size (details) }
    };
    stele_audit_pack (&audit, self->audit);
    stele_pack_destroy (&details);
    return stele_writer_take_audit (self, NULL, stele_pack_data (self->audit), stele_pack_size (self->audit), NULL, 0);
}

int
stele_writer_audit_denials (stele_writer_t *self)
{
    stele_denied_peer_t denial;
    int code = 0;
    int64_t now_us = stele_clock_steady_us ();
    for (int i = 0; i < DENIALS_ONCE && code == 0; i++) {
        if (!stele_denied_take (self->settings->denied, now_us, &denial))
            break;
        code = s_take_denial (self, &denial);
    }
    return code;
}

//  Pack the event of a loss: 'arg' is the pack
static int
s_pack_loss (const stele_lost_t *lost, void *arg)
{
    stele_pack_t *details = stele_pack_new ();
    stele_pack_map_begin (details);
    stele_pack_key_integer (details, "first", lost->first);
    stele_pack_key_integer (details, "last", lost->last);
    stele_pack_key_integer (details, "rejected", lost->rejected);
    stele_pack_key_string (details, "evidence", lost->evidence);
    stele_pack_map_end (details);
    stele_audit_t audit = {
        .who = stele_identity_local.name, .operation = "accept-loss", .target = lost->ledger_id, .outcome = "ok",
        .details = { stele_pack_data (details), stele_pack_size (details) }
    };
    stele_audit_pack (&audit, arg);
    stele_pack_destroy (&details);
    return 1;
}

int
stele_writer_audit_loss (stele_writer_t *self)
{
    if (!stele_ledger_loss (self->ledger))
        return 0;
    int code = stele_reader_losses (stele_ledger_reader (self->ledger), 1, s_pack_loss, self->audit);
    if (code == 0)
        code = stele_writer_take_audit (self, NULL, stele_pack_data (self->audit), stele_pack_size (self->audit), NULL, 0);
    if (code == 0)
        code = stele_writer_commit (self);
    return stele_error_is_transient (code)? 0: code;
}
