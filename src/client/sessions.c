/*  sessions - which sessions belong to the task of a subscription

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <czmq.h>
#include "base/memory.h"
#include "client/sessions.h"
#include "wire/pack.h"

#define SESSIONS_MAX        65536   // Above this many, all are forgotten, and requested again
#define SESSIONS_REQUEST_MS  5000   // Then the request is sent again

struct stele_sessions {
    char *task_id;
    zhashx_t *known;                // By session id; the value points to s_ours or s_other
    bool requested;
    int64_t requested_ms;
};

static stele_sessions_answer_t s_ours = STELE_SESSION_OURS, s_other = STELE_SESSION_OTHER;

stele_sessions_t *
stele_sessions_new (const char *task_id)
{
    stele_sessions_t *self = STELE_NEW (stele_sessions_t);
    self->task_id = stele_memory_copy (task_id, strlen (task_id));
    self->known = zhashx_new ();
    assert (self->known);
    return self;
}

void
stele_sessions_destroy (stele_sessions_t **self_p)
{
    stele_sessions_t *self = *self_p;
    if (!self)
        return;
    zhashx_destroy (&self->known);
    free (self->task_id);
    free (self);
    *self_p = NULL;
}

//  Note the task that a map has, an event or a record
static stele_sessions_answer_t
s_note (stele_sessions_t *self, const char *session_id, const stele_map_t *map)
{
    char task_id [256];
    bool ours = stele_map_text (map, "task_id", task_id, sizeof task_id) && strcmp (task_id, self->task_id) == 0;
    if (zhashx_size (self->known) >= SESSIONS_MAX)
        zhashx_purge (self->known);
    zhashx_update (self->known, session_id, ours? &s_ours: &s_other);
    return ours? STELE_SESSION_OURS: STELE_SESSION_OTHER;
}

stele_sessions_answer_t
stele_sessions_match (stele_sessions_t *self, const stele_map_t *event)
{
    char session_id [256], type [64];
    if (!stele_map_text (event, "type", type, sizeof type)
    ||  !stele_map_text (event, "session_id", session_id, sizeof session_id))
        return STELE_SESSION_OTHER;
    if (strcmp (type, "session.started") == 0)
        return s_note (self, session_id, event);
    const stele_sessions_answer_t *known = zhashx_lookup (self->known, session_id);
    return known? *known: STELE_SESSION_UNKNOWN;
}

static int
s_send (stele_sessions_t *self, stele_requester_t *requester, const char *session_id, int64_t position,
    stele_refusal_t *refusal)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "session.get");
    stele_pack_key_string (pack, "session_id", session_id);
    //  Redis may not have the session yet
    stele_pack_key_integer (pack, "min_position", position);
    stele_pack_map_end (pack);
    int rc = stele_requester_send (requester, stele_pack_data (pack), stele_pack_size (pack), refusal);
    stele_pack_destroy (&pack);
    self->requested = rc == 0;
    self->requested_ms = zclock_mono ();
    return rc;
}

static int
s_read_answer (stele_sessions_t *self, const char *session_id, const stele_map_t *answer, stele_refusal_t *refusal)
{
    stele_map_t session, error = { NULL, 0 };
    if (stele_map_map (answer, "session", &session)) {
        s_note (self, session_id, &session);
        return 0;
    }
    int code = stele_map_map (answer, "error", &error)? stele_map_code (&error, "code"): STELE_EMALFORMED;
    if (code == STELE_ENOT_FOUND) {
        //  A session of another user
        zhashx_update (self->known, session_id, &s_other);
        return 0;
    }
    char text [256] = "";
    if (code != STELE_EMALFORMED)
        stele_map_message (&error, text, sizeof text);
    return stele_refuse (refusal, code, NULL, "session.get: %.200s", text);
}

//  Wait for the answer until deadline_ms, at most SESSIONS_REQUEST_MS from the request
static int
s_receive (stele_sessions_t *self, stele_requester_t *requester, const char *session_id, int64_t deadline_ms,
    stele_refusal_t *refusal)
{
    int64_t end_ms = self->requested_ms + SESSIONS_REQUEST_MS;
    zmq_msg_t answer;
    zmq_msg_init (&answer);
    int rc = stele_requester_receive (requester, deadline_ms < end_ms? deadline_ms: end_ms, &answer, refusal);
    if (rc != STELE_ETIMEOUT || zclock_mono () >= end_ms) {
        self->requested = false;
        if (rc)
            stele_requester_reset (requester);
    }
    stele_map_t message;
    if (rc == 0) {
        stele_map_open (&message, zmq_msg_data (&answer), zmq_msg_size (&answer));
        rc = s_read_answer (self, session_id, &message, refusal);
    }
    zmq_msg_close (&answer);
    return rc;
}

int
stele_sessions_request (stele_sessions_t *self, stele_requester_t *requester, const stele_map_t *event,
    int64_t position, int64_t deadline_ms, stele_refusal_t *refusal)
{
    char session_id [256] = "";
    stele_map_text (event, "session_id", session_id, sizeof session_id);
    int rc;
    do {
        rc = self->requested? 0: s_send (self, requester, session_id, position, refusal);
        if (rc == 0)
            rc = s_receive (self, requester, session_id, deadline_ms, refusal);
        //  The connection to one of several nodes was lost
        if (rc == STELE_EUNAVAILABLE && !stele_requester_socket (requester))
            rc = STELE_ETIMEOUT;
    } while (rc == STELE_ETIMEOUT && zclock_mono () < deadline_ms);
    return rc;
}
