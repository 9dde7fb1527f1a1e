/*  router_mailboxes - requests to the mailboxes of other actors, and their answers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/common/answer.h"
#include "broker/common/mode.h"
#include "broker/operations/audit.h"
#include "broker/requests/router_internal.h"
#include "wire/map.h"

#define GATHER_MS 500
#define RECORD_MS 60000             // The writer may hold back while storage takes no writes

static int
s_mail (stele_router_t *self, stele_mailbox_t mailbox, uint64_t token, zframe_t **body_p,
    const stele_identity_t *identity, const char *peer)
{
    zframe_t *frame = zframe_new (&token, sizeof token);
    zframe_t *sender = stele_sender_frame (identity, peer);
    int rc = zframe_send (&frame, self->mailboxes [mailbox], ZFRAME_MORE | ZFRAME_DONTWAIT);
    if (rc == 0)
        rc = zframe_send (body_p, self->mailboxes [mailbox], ZFRAME_MORE | ZFRAME_DONTWAIT);
    if (rc == 0)
        rc = zframe_send (&sender, self->mailboxes [mailbox], ZFRAME_DONTWAIT);
    zframe_destroy (&frame);
    zframe_destroy (&sender);
    return rc;
}

//  -- audit events of requests to the cache: the writer records its own --------------------

static void
s_begin_audit (stele_router_t *self, stele_request_t *request, const char *peer)
{
    stele_delegate_t delegate;
    stele_refusal_t refusal;
    const void *data = zframe_data (request->body);
    size_t size = zframe_size (request->body);
    const stele_identity_t *identity = stele_delegate_identity (&delegate, request->identity, data, size, &refusal);
    if (identity && stele_audit_begin (identity, peer, data, size, self->pack))
        request->audit = zframe_new (stele_pack_data (self->pack), stele_pack_size (self->pack));
}

//  Send the event of a request with that answer to the writer. Returns 0, or -1.
static int
s_mail_audit (stele_router_t *self, const stele_request_t *request, const void *answer, size_t size)
{
    stele_pack_t *event = stele_pack_new ();
    stele_map_t begun = { zframe_data (request->audit), zframe_size (request->audit) };
    stele_audit_finish (&begun, answer, size, event);
    stele_audit_mail (stele_pack_data (event), stele_pack_size (event), NULL, 0, self->pack);
    zframe_t *body = zframe_new (stele_pack_data (self->pack), stele_pack_size (self->pack));
    int rc = s_mail (self, STELE_MAILBOX_WRITER, request->token, &body, &stele_identity_local, "");
    zframe_destroy (&body);
    stele_pack_destroy (&event);
    return rc;
}

//  The answer of the cache: record it first if it has to be, else forward it
static void
s_take_answer (stele_router_t *self, stele_request_t *request, zframe_t **answer_p)
{
    stele_router_hide_answer (self, request, answer_p);
    const void *answer = zframe_data (*answer_p);
    size_t size = zframe_size (*answer_p);
    if (!request->audit || !stele_audit_answers (answer, size) || s_mail_audit (self, request, answer, size))
        stele_router_forward (self, request, answer_p);
    else {
        request->state = STELE_PENDING_AUDITED;
        request->answer = *answer_p;
        *answer_p = NULL;
        stele_router_set_time (self, request, RECORD_MS);
    }
}

//  The answer of the writer to the event of a request that is done
static void
s_take_recorded (stele_router_t *self, stele_request_t *request, zframe_t *recorded)
{
    int64_t position = 0;
    stele_refusal_t refusal;
    int code = stele_answer_read (zframe_data (recorded), zframe_size (recorded), &position);
    if (code == 0)
        stele_router_forward (self, request, &request->answer);
    else {
        stele_refuse (&refusal, code, NULL, "%s is done, but could not be recorded in the ledger: %s",
            request->operation->name, stele_error_text (code));
        stele_router_refuse (self, request, &refusal);
    }
}

void
stele_router_audit_expired (stele_router_t *self, const stele_request_t *request, const stele_refusal_t *refusal)
{
    if (!request->audit)
        return;
    stele_pack_t *answer = stele_pack_new ();
    stele_answer_refuse (answer, refusal, NULL, 0);
    s_mail_audit (self, request, stele_pack_data (answer), stele_pack_size (answer));
    stele_pack_destroy (&answer);
}

//  -- mailboxes -----------------------------------------------------------------------

void
stele_router_mail (stele_router_t *self, stele_mailbox_t mailbox, stele_request_t *request,
    int64_t time_ms)
{
    stele_refusal_t refusal;
    if (!self->mailboxes [mailbox]) {
        if (mailbox == STELE_MAILBOX_BACKUP)
            stele_refuse (&refusal, STELE_EUNAVAILABLE, "backup",
                "this broker has no folder for backups: set 'backup' to one, and restart it");
        else
            stele_refuse (&refusal, STELE_EUNAVAILABLE, "redis",
                "%s needs Redis, but this broker runs without it", request->operation->name);
        stele_router_refuse (self, request, &refusal);
        return;
    }
    request->state = STELE_PENDING_MAILED;
    stele_router_set_time (self, request, time_ms);
    const char *peer = zframe_meta (request->body, "Peer-Address");
    peer = peer? peer: "";
    if (mailbox != STELE_MAILBOX_WRITER)
        s_begin_audit (self, request, peer);
    if (s_mail (self, mailbox, request->token, &request->body, request->identity, peer)) {
        stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL,
            "the %s has too many requests: try again", stele_mailbox_names [mailbox]);
        stele_router_refuse (self, request, &refusal);
    }
}

void
stele_router_gather (stele_router_t *self, stele_request_t *request)
{
    request->state = STELE_PENDING_GATHERING;
    stele_router_set_time (self, request, GATHER_MS);
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", stele_operations [STELE_OPERATION_STATS].name);
    stele_pack_map_end (self->pack);
    for (int i = 0; i < STELE_MAILBOX_COUNT; i++) {
        if (!self->mailboxes [i])
            continue;
        zframe_t *body = zframe_new (stele_pack_data (self->pack), stele_pack_size (self->pack));
        s_mail (self, i, request->token, &body, request->identity, "");
        zframe_destroy (&body);
    }
}

void
stele_router_wake (stele_router_t *self, stele_mailbox_t follower)
{
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "catch_up");
    stele_pack_map_end (self->pack);
    zframe_t *body = zframe_new (stele_pack_data (self->pack), stele_pack_size (self->pack));
    s_mail (self, follower, 0, &body, &stele_identity_local, "");
    zframe_destroy (&body);
}

//  A part that is not one map would make all statistics unreadable

static bool
s_is_map (zframe_t *frame)
{
    stele_map_t map;
    return stele_map_open (&map, zframe_data (frame), zframe_size (frame)) == 0;
}

static void
s_remember_part (stele_router_t *self, stele_mailbox_t mailbox, zframe_t *part)
{
    zframe_destroy (&self->parts [mailbox]);
    self->parts [mailbox] = zframe_dup (part);
    self->parts_us [mailbox] = zclock_usecs ();
}

//  Statistics, unlike the answer of an operation, have no "ok"

static bool
s_is_part (zframe_t *answer)
{
    return stele_scan_find (zframe_data (answer), zframe_size (answer), "ok", NULL, NULL).kind
        == STELE_SCAN_END;
}

static void
s_take_part (stele_router_t *self, stele_mailbox_t mailbox, stele_request_t *request,
    zframe_t **part_p)
{
    zframe_destroy (&request->parts [mailbox]);
    s_remember_part (self, mailbox, *part_p);
    request->parts [mailbox] = *part_p;
    *part_p = NULL;
    for (int i = 0; i < STELE_MAILBOX_COUNT; i++)
        if (self->mailboxes [i] && !request->parts [i])
            return;
    stele_router_queue (self, request);
}

//  Keep the entries of the answer to a consistency.check, and its time

static void
s_remember_check (stele_router_t *self, zframe_t *answer)
{
    int64_t position = 0;
    if (stele_answer_read (zframe_data (answer), zframe_size (answer), &position))
        return;
    stele_pack_clear (self->pack);
    stele_scan_t scan = stele_scan_start (zframe_data (answer), zframe_size (answer));
    uint32_t count = stele_scan_next (&scan).count;
    size_t mark = stele_pack_open_map (self->pack);
    size_t kept = 1;
    stele_pack_key_integer (self->pack, "time", zclock_time () * 1000);
    for (uint32_t i = 0; i < count; i++) {
        stele_token_t key = stele_scan_next (&scan);
        const void *value;
        size_t size;
        stele_scan_skip (&scan, &value, &size);
        if (key.size == 2 && memcmp (key.data, "ok", 2) == 0)
            continue;
        stele_pack_text (self->pack, key.data, key.size);
        stele_pack_packed (self->pack, value, size);
        kept++;
    }
    stele_pack_close (self->pack, mark, kept);
    zframe_destroy (&self->consistency);
    self->consistency = zframe_new (stele_pack_data (self->pack), stele_pack_size (self->pack));
}

//  The answer to "mode" contains the mode, whichever client requested it

static void
s_remember_mode (stele_router_t *self, zframe_t *answer)
{
    stele_token_t mode = stele_scan_find (zframe_data (answer), zframe_size (answer), "mode", NULL, NULL);
    int code = mode.kind == STELE_SCAN_TEXT? stele_mode_of (mode.data, mode.size): -1;
    if (code >= 0)
        self->mode = code;
}

static bool
s_is (const stele_request_t *request, stele_operation_id_t id)
{
    return request->operation == &stele_operations [id];
}

bool
stele_router_take_from_mailbox (stele_router_t *self, stele_mailbox_t mailbox)
{
    zmsg_t *frames = zmsg_recv_nowait (self->mailboxes [mailbox]);
    if (!frames)
        return false;
    zframe_t *token = zmsg_pop (frames);
    zframe_t *answer = zmsg_pop (frames);
    stele_request_t *request = NULL;
    bool readable = false;
    if (answer && zframe_size (token) == sizeof (uint64_t) && s_is_map (answer)) {
        uint64_t number;
        memcpy (&number, zframe_data (token), sizeof number);
        request = stele_pending_find (self->pending, number);
        readable = true;
    }
    //  Also from an answer that came too late for its request
    if (readable && !request && mailbox == STELE_MAILBOX_WRITER)
        s_remember_mode (self, answer);
    if (readable && (!request || request->state == STELE_PENDING_QUEUED
    || request->state == STELE_PENDING_WORKING) && s_is_part (answer))
        s_remember_part (self, mailbox, answer);
    else
    if (request && request->state == STELE_PENDING_GATHERING)
        s_take_part (self, mailbox, request, &answer);
    else
    if (request && request->state == STELE_PENDING_MAILED) {
        if (s_is (request, STELE_OPERATION_CONSISTENCY_CHECK))
            s_remember_check (self, answer);
        if (s_is (request, STELE_OPERATION_MODE))
            s_remember_mode (self, answer);
        s_take_answer (self, request, &answer);
    }
    else
    if (request && request->state == STELE_PENDING_AUDITED && mailbox == STELE_MAILBOX_WRITER)
        s_take_recorded (self, request, answer);
    zframe_destroy (&token);
    zframe_destroy (&answer);
    zmsg_destroy (&frames);
    return true;
}
