/*  sessions - which sessions belong to the task of a subscription

    Of the events of a session, only session.started names its task. The task of a session that
    is not known yet is requested from the broker, once.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SESSIONS_H_INCLUDED
#define STELE_SESSIONS_H_INCLUDED

#include "client/request.h"
#include "wire/map.h"

typedef struct stele_sessions stele_sessions_t;

typedef enum { STELE_SESSION_UNKNOWN, STELE_SESSION_OURS, STELE_SESSION_OTHER } stele_sessions_answer_t;

/*  Caller owns return value.                                                */
stele_sessions_t *
    stele_sessions_new (const char *task_id);

void
    stele_sessions_destroy (stele_sessions_t **self_p);

/*  Does this event, of a type session.*, belong to the task? UNKNOWN: request it. */
stele_sessions_answer_t
    stele_sessions_match (stele_sessions_t *self, const stele_map_t *event);

/*  Request the task of the session of an event with that position, through a requester that has no other
    request in flight, and wait for it until deadline_ms (wait.h). Returns 0 (stele_sessions_match knows the session then),
    STELE_ETIMEOUT (call it again for the same event), or the code of a failure.  */
int
    stele_sessions_request (stele_sessions_t *self, stele_requester_t *requester, const stele_map_t *event,
        int64_t position, int64_t deadline_ms, stele_refusal_t *refusal);

#endif
