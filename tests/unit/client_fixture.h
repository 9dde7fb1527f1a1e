/*  client_fixture - a broker on a ledger in a folder of its own, and clients of it, for tests

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef CLIENT_FIXTURE_H_INCLUDED
#define CLIENT_FIXTURE_H_INCLUDED

#include <czmq.h>
#include "talk.h"
#include "stele_broker.h"
#include "stele_client.h"

#define TIMEOUT_MS 60000

//  -- a broker on a ledger in a folder of its own ----------------------------------

typedef struct {
    char folder [64];
    char events [128], requests [128], feed [128], ledger [128];
    zactor_t *actor;
} broker_t;

//  Returns NULL, or the reason why it does not start. Caller owns return value.
static inline char *
s_broker_try (broker_t *broker)
{
    broker->actor = zactor_new (stele_broker, NULL);
    zstr_sendx (broker->actor, "SET", "ledger", broker->ledger, NULL);
    zstr_sendx (broker->actor, "SET", "redis", "none", NULL);
    zstr_sendx (broker->actor, "SET", "events", broker->events, NULL);
    zstr_sendx (broker->actor, "SET", "requests", broker->requests, NULL);
    zstr_sendx (broker->actor, "SET", "feed", broker->feed, NULL);
    zstr_sendx (broker->actor, "START", NULL);
    char *status = NULL, *detail = NULL;
    zstr_recvx (broker->actor, &status, &detail, NULL);
    bool ready = status && streq (status, "READY");
    zstr_free (&status);
    if (ready)
        zstr_free (&detail);
    return detail;
}

static inline void
s_broker_start (broker_t *broker)
{
    int64_t deadline_ms = zclock_mono () + TIMEOUT_MS;
    char *why;
    while ((why = s_broker_try (broker))) {
        zactor_destroy (&broker->actor);
        //  An inproc name is free only after libzmq's reaper thread has closed the socket
        if (!strstr (why, "in use") || zclock_mono () > deadline_ms)
            fail_msg ("the broker does not start: %s", why);
        zstr_free (&why);
    }
}

static inline broker_t *
s_broker_new (const char *transport)
{
    broker_t *broker = (broker_t *) zmalloc (sizeof (broker_t));
    snprintf (broker->folder, sizeof broker->folder, "/tmp/test_client.XXXXXX");
    assert_non_null (mkdtemp (broker->folder));
    snprintf (broker->events, sizeof broker->events, "%s://%s/e", transport, broker->folder);
    snprintf (broker->requests, sizeof broker->requests, "%s://%s/r", transport, broker->folder);
    snprintf (broker->feed, sizeof broker->feed, "%s://%s/f", transport, broker->folder);
    snprintf (broker->ledger, sizeof broker->ledger, "%s/ledger.db", broker->folder);
    s_broker_start (broker);
    return broker;
}

static inline void
s_broker_restart (broker_t *broker)
{
    zactor_destroy (&broker->actor);
    s_broker_start (broker);
}

static inline void
s_broker_destroy (broker_t *broker)
{
    zactor_destroy (&broker->actor);
    zdir_t *folder = zdir_new (broker->folder, NULL);
    zdir_remove (folder, true);
    zdir_destroy (&folder);
    free (broker);
}

//  -- clients ------------------------------------------------------------------------

static inline stele_client_t *
s_client_new (const broker_t *broker, const char *producer)
{
    stele_client_t *client = stele_client_new (producer);
    stele_client_set_events_endpoint (client, broker->events);
    stele_client_set_requests_endpoint (client, broker->requests);
    stele_client_set_feed_endpoint (client, broker->feed);
    return client;
}

static inline int64_t
s_publish_state (stele_client_t *client, const char *task, const char *state)
{
    stele_event_t *event = stele_event_new ("task.state_changed");
    stele_event_set_string (event, "task_id", task);
    stele_event_set_string (event, "state", state);
    return stele_client_publish (client, &event, TIMEOUT_MS);
}

#endif
