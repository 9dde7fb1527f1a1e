/*  client - the class stele_client of include/stele_client.h

    Settings, and the three parts of a client, each created when it is first needed:
    publish/publisher.h, request.h, subscription.h.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <czmq.h>
#include "client/event.h"
#include "client/connection/permission.h"
#include "client/connection/fork.h"
#include "client/connection/key.h"
#include "client/publish/publisher.h"
#include "client/request.h"
#include "client/subscription.h"
#include "client/trouble.h"
#include "client/connection/wait.h"
#include "stele_client.h"
#include "base/clock.h"
#include "base/memory.h"
#include "redact/redactor.h"
#include "wire/json/json.h"

#define CLIENT_PRODUCER_MAX     255
#define CLIENT_BATCH_EVENTS     500
#define CLIENT_BATCH_EVENTS_MAX 10000
#define CLIENT_BATCH_DELAY_MS   2

struct _stele_client_t {
    int generation;                 // Of the process that created it (fork.h)
    char *producer;                 // NULL: does not publish
    char *instance;
    char *events;
    char *requests;
    char *feed;
    bool key_chosen;                // By stele_client_set_key, else by the environment
    stele_key_t *key;               // NULL: none
    int64_t lease_ms;
    int64_t first_sequence;
    size_t batch_events;
    bool restore, anonymous;
    int64_t batch_delay_ms;
    char *spool;                    // Path; NULL: none
    int64_t spool_bytes_max;
    bool accept_loss;
    stele_redactor_t *redactor;     // NULL: events are published as they are
    stele_receipt_fn *receipt_fn;
    void *receipt_arg;
    stele_publisher_t *publisher;
    stele_requester_t *requester;
    stele_subscription_t *subscription;
    stele_refusal_t refusal;        // Of the last failure
};

static void
s_set (char **text_p, const char *text)
{
    assert (text);
    free (*text_p);
    *text_p = stele_memory_copy (text, strlen (text));
}

static bool
s_forked (const stele_client_t *self)
{
    return self->generation != stele_fork_generation ();
}

//  Returns 0, or STELE_EUNAVAILABLE in a child of the process that created the client
static int
s_check_fork (stele_client_t *self)
{
    if (!s_forked (self))
        return 0;
    return stele_refuse (&self->refusal, STELE_EUNAVAILABLE, NULL, "this client belongs to the parent "
        "process, and cannot be used after fork: create another one in the child%s",
        self->producer? ", with a producer name of its own": "");
}

//  Load the key that the environment names, before the first connection. Returns 0 or the code of a failure
static int
s_check_key (stele_client_t *self)
{
    const char *path = self->key_chosen? NULL: secure_getenv ("STELE_KEY");
    if (path && *path)
        return stele_client_set_key (self, path);
    self->key_chosen = true;
    return 0;
}

//  An endpoint that the environment names, as it does for the programs, or the default
static void
s_set_endpoint (char **text_p, const char *variable, const char *endpoint)
{
    const char *chosen = secure_getenv (variable);
    s_set (text_p, chosen && *chosen? chosen: endpoint);
}

stele_client_t *
stele_client_new (const char *producer)
{
    stele_client_t *self = STELE_NEW (stele_client_t);
    self->generation = stele_fork_generation ();
    if (producer)
        s_set (&self->producer, producer);
    zuuid_t *instance = zuuid_new ();
    assert (instance);
    s_set (&self->instance, zuuid_str_canonical (instance));
    zuuid_destroy (&instance);
    s_set_endpoint (&self->events, "STELE_EVENTS", STELE_DEFAULT_EVENTS);
    s_set_endpoint (&self->requests, "STELE_REQUESTS", STELE_DEFAULT_REQUESTS);
    s_set_endpoint (&self->feed, "STELE_FEED", STELE_DEFAULT_FEED);
    self->batch_events = CLIENT_BATCH_EVENTS;
    self->batch_delay_ms = CLIENT_BATCH_DELAY_MS;
    self->spool_bytes_max = STELE_SPOOL_BYTES_MAX;
    return self;
}

void
stele_client_destroy (stele_client_t **self_p)
{
    assert (self_p);
    stele_client_t *self = *self_p;
    if (!self)
        return;
    if (s_forked (self)) {
        //  The thread and the sockets are those of the parent: leave them to it
        stele_publisher_abandon (&self->publisher);
    }
    else {
        stele_publisher_destroy (&self->publisher);
        stele_requester_destroy (&self->requester);
        stele_subscription_destroy (&self->subscription);
    }
    free (self->producer);
    free (self->instance);
    free (self->events);
    free (self->requests);
    free (self->feed);
    free (self->spool);
    stele_key_destroy (&self->key);
    if (self->redactor)
        stele_redactor_destroy (&self->redactor);
    free (self);
    *self_p = NULL;
}

const char *
stele_client_error (const stele_client_t *self)
{
    return self->refusal.message;
}

//  -- settings ------------------------------------------------------------------

void
stele_client_set_events_endpoint (stele_client_t *self, const char *endpoint)
{
    assert (!self->publisher);
    s_set (&self->events, endpoint);
}

void
stele_client_set_requests_endpoint (stele_client_t *self, const char *endpoint)
{
    assert (!self->requester && !self->subscription);
    s_set (&self->requests, endpoint);
}

void
stele_client_set_feed_endpoint (stele_client_t *self, const char *endpoint)
{
    assert (!self->subscription);
    s_set (&self->feed, endpoint);
}

int
stele_client_set_key (stele_client_t *self, const char *path)
{
    assert (!self->publisher && !self->requester && !self->subscription);
    stele_key_t *key = path? stele_key_load (path, &self->refusal): NULL;
    if (path && !key)
        return self->refusal.code;
    stele_key_destroy (&self->key);
    self->key = key;
    self->key_chosen = true;
    return 0;
}

void
stele_client_set_instance (stele_client_t *self, const char *instance)
{
    assert (!self->publisher);
    s_set (&self->instance, instance);
}

void
stele_client_set_lease (stele_client_t *self, int64_t lease_ms)
{
    assert (!self->publisher && lease_ms >= 0);
    self->lease_ms = lease_ms;
}

void
stele_client_set_batch (stele_client_t *self, size_t events_max, int64_t delay_ms)
{
    assert (!self->publisher && events_max > 0 && delay_ms >= 0);
    self->batch_events = events_max < CLIENT_BATCH_EVENTS_MAX? events_max: CLIENT_BATCH_EVENTS_MAX;
    self->batch_delay_ms = delay_ms;
}

void
stele_client_set_first_sequence (stele_client_t *self, int64_t sequence)
{
    assert (!self->publisher && sequence > 0);
    self->first_sequence = sequence;
}

void
stele_client_set_restore (stele_client_t *self, bool restore)
{
    assert (!self->publisher);
    self->restore = restore;
}

void
stele_client_set_anonymous (stele_client_t *self)
{
    assert (!self->publisher);
    self->anonymous = true;
}


void
stele_client_set_spool (stele_client_t *self, const char *path)
{
    assert (!self->publisher);
    s_set (&self->spool, path);
}

void
stele_client_set_spool_max (stele_client_t *self, int64_t bytes_max)
{
    assert (!self->publisher && bytes_max > 0);
    self->spool_bytes_max = bytes_max;
}

char *
stele_client_spool_producer (const char *path)
{
    char producer [256];
    return stele_spool_owner (path, producer)? stele_memory_copy (producer, strlen (producer)): NULL;
}

void
stele_client_set_accept_loss (stele_client_t *self)
{
    assert (!self->publisher);
    self->accept_loss = true;
}

int
stele_client_set_redact (stele_client_t *self, const char *rules_file, const void *key)
{
    if (self->redactor)
        stele_redactor_destroy (&self->redactor);
    self->redactor = stele_redactor_new (rules_file, key, &self->refusal);
    return self->redactor? 0: self->refusal.code;
}

//  -- publish -------------------------------------------------------------------

void
stele_client_on_receipt (stele_client_t *self, stele_receipt_fn *fn, void *arg)
{
    self->receipt_fn = fn;
    self->receipt_arg = arg;
    if (self->publisher)
        stele_publisher_on_receipt (self->publisher, fn, arg);
}

static int
s_check_producer (stele_client_t *self)
{
    if (!self->producer)
        return stele_refuse (&self->refusal, STELE_EINVALID_FIELD, "producer", "this client has no producer "
            "and publishes nothing: create it with the name of one, stele_client_new (NAME)");
    size_t size = strlen (self->producer);
    if (size == 0 || size > CLIENT_PRODUCER_MAX)
        return stele_refuse (&self->refusal, STELE_EINVALID_FIELD, "producer", "the name of the producer has "
            "%zu bytes: 1 to %d are allowed", size, CLIENT_PRODUCER_MAX);
    return 0;
}

//  Returns 0, or the code of a client that cannot publish, or whose spool cannot be opened
static int
s_start_publisher (stele_client_t *self)
{
    int code = s_check_fork (self);
    if (code || self->publisher)
        return code;
    code = s_check_producer (self);
    if (code == 0)
        code = s_check_key (self);
    if (code)
        return code;
    stele_spool_t *spool = NULL;
    if (self->spool) {
        spool = stele_spool_open (self->spool, self->producer, self->spool_bytes_max, &self->refusal);
        if (!spool)
            return self->refusal.code;
    }
    stele_sender_settings_t settings = {
        .endpoint = self->events,
        .key = self->key,
        .dialog = {
            .producer = self->producer,
            .instance = self->instance,
            .lease_ms = self->lease_ms,
            .first_sequence = spool? 0: self->first_sequence,
            .delay_ms = self->batch_delay_ms,
            .batch_events = self->batch_events,
            .restore = self->restore,
            .anonymous = self->anonymous,
            .accept_loss = self->accept_loss
        }
    };
    self->publisher = stele_publisher_new (&settings, &spool);
    stele_publisher_on_receipt (self->publisher, self->receipt_fn, self->receipt_arg);
    return 0;
}

//  Give an event without a time the current one: the broker would use the time of its arrival,
//  which is late if no broker was reachable.
static void
s_stamp (stele_event_t *event)
{
    if (!stele_event_has (event, "time"))
        stele_event_set_integer (event, "time", stele_clock_us ());
}

//  Mask the secrets of an event. Returns 0, or STELE_ESECRET if one is in an id.
static int
s_redact (stele_client_t *self, stele_event_t *event)
{
    size_t size, count;
    const void *data = stele_event_data (event, &size);
    if (stele_redactor_event (self->redactor, data, size) == 0)
        return 0;
    const stele_finding_t *findings = stele_redactor_findings (self->redactor, &count);
    for (size_t i = 0; i < count; i++)
        if (findings [i].in_id)
            return stele_refuse (&self->refusal, STELE_ESECRET, findings [i].field, "%s contains a secret (rule %s), and an id "
                "cannot be masked: choose another one", findings [i].field, findings [i].rule);
    data = stele_redactor_masked (self->redactor, &size);
    stele_event_assign (event, data, size);
    return 0;
}

static int64_t
s_publish_spooled (stele_client_t *self, stele_event_t **events, size_t count)
{
    stele_spool_event_t *bytes = stele_memory_new (count * sizeof *bytes);
    for (size_t i = 0; i < count; i++)
        bytes [i].data = stele_event_data (events [i], &bytes [i].size);
    int64_t number = stele_publisher_spool (self->publisher, bytes, count, &self->refusal);
    free (bytes);
    return number;
}

int64_t
stele_client_publish_all (stele_client_t *self, stele_event_t **events, size_t count,
    int timeout_ms)
{
    assert (events && count > 0);
    int64_t number = s_start_publisher (self);
    for (size_t i = 0; i < count; i++)
        s_stamp (events [i]);
    for (size_t i = 0; i < count && self->redactor && number == 0; i++)
        number = s_redact (self, events [i]);
    if (number == 0 && self->spool)
        number = s_publish_spooled (self, events, count);
    size_t accepted = self->spool && number > 0? count: 0;
    while (number >= 0 && accepted < count) {
        size_t size;
        const void *data = stele_event_data (events [accepted], &size);
        number = stele_publisher_put (self->publisher, data, size, timeout_ms, &self->refusal);
        if (number > 0)
            stele_event_destroy (&events [accepted++]);
    }
    //  Events that may be retried stay the caller's
    bool retry = number == STELE_ETIMEOUT || number == STELE_EFULL
        || (number == STELE_EUNAUTHORIZED && self->publisher && !stele_publisher_ended (self->publisher));
    for (size_t i = 0; i < count && !retry; i++)
        stele_event_destroy (&events [i]);
    return number;
}

int64_t
stele_client_publish (stele_client_t *self, stele_event_t **event_p, int timeout_ms)
{
    assert (event_p && *event_p);
    return stele_client_publish_all (self, event_p, 1, timeout_ms);
}

//  The publisher, started if there is something to publish. NULL: there is nothing, or *code is
//  that of the failure.
static stele_publisher_t *
s_publisher (stele_client_t *self, int *code)
{
    *code = self->publisher || self->spool? s_start_publisher (self): s_check_fork (self);
    return *code? NULL: self->publisher;
}

int
stele_client_ready (stele_client_t *self, int timeout_ms)
{
    int code = s_start_publisher (self);
    return code? code: stele_publisher_ready (self->publisher, timeout_ms, &self->refusal);
}

int
stele_client_wait (stele_client_t *self, int64_t number, int timeout_ms)
{
    int code = s_start_publisher (self);
    return code? code: stele_publisher_wait (self->publisher, number, timeout_ms, &self->refusal);
}

int
stele_client_flush (stele_client_t *self, int timeout_ms)
{
    int code;
    stele_publisher_t *publisher = s_publisher (self, &code);
    return publisher? stele_publisher_flush (publisher, timeout_ms, &self->refusal): code;
}

int
stele_client_close (stele_client_t *self, bool keep, int timeout_ms)
{
    int code;
    stele_publisher_t *publisher = s_publisher (self, &code);
    if (!publisher)
        return code;
    code = stele_publisher_flush (publisher, timeout_ms, &self->refusal);
    //  Events that ended tasks may be lost now: then this run ends as by a crash
    bool settled = stele_publisher_unsettled (publisher) == 0;
    stele_publisher_leave (publisher, keep? STELE_GOODBYE_KEEP: settled? STELE_GOODBYE: STELE_GOODBYE_NONE);
    return code;
}

int64_t
stele_client_poll (stele_client_t *self)
{
    int code;
    stele_publisher_t *publisher = s_publisher (self, &code);
    return publisher? stele_publisher_poll (publisher, &self->refusal): code;
}

zsock_t *
stele_client_socket (stele_client_t *self)
{
    return s_start_publisher (self)? NULL: stele_publisher_socket (self->publisher);
}

int64_t
stele_client_refused (const stele_client_t *self)
{
    return self->publisher? stele_refusals_count (stele_publisher_refusals (self->publisher)): 0;
}

bool
stele_client_refusal (const stele_client_t *self, int64_t index, stele_receipt_t *receipt)
{
    const stele_refused_t *refused = self->publisher?
        stele_refusals_at (stele_publisher_refusals (self->publisher), index): NULL;
    if (!refused)
        return false;
    *receipt = (stele_receipt_t) {
        .fate = STELE_REFUSED, .number = refused->number, .code = refused->code, .message = refused->message
    };
    return true;
}

//  -- request -------------------------------------------------------------------

//  The answer goes into an initialized message
static int
s_request (stele_client_t *self, const void *request, size_t size, int timeout_ms,
    zmq_msg_t *answer)
{
    int rc = s_check_fork (self);
    if (rc == 0)
        rc = s_check_key (self);
    if (rc == 0)
        rc = stele_permission_check (self->requests, &self->refusal);
    if (rc)
        return rc;
    if (!self->requester)
        self->requester = stele_requester_new (self->requests, self->key);
    rc = stele_requester_send (self->requester, request, size, &self->refusal);
    if (rc == 0)
        rc = stele_requester_receive (self->requester, stele_wait_deadline (timeout_ms), answer,
            &self->refusal);
    if (rc != 0)
        stele_requester_reset (self->requester);
    return rc;
}

int
stele_client_request (stele_client_t *self, const void *request, size_t request_size,
    int timeout_ms, void **answer, size_t *answer_size)
{
    zmq_msg_t message;
    zmq_msg_init (&message);
    int rc = s_request (self, request, request_size, timeout_ms, &message);
    if (rc == 0) {
        size_t size = zmq_msg_size (&message);
        *answer = stele_memory_copy (zmq_msg_data (&message), size);
        *answer_size = size;
    }
    zmq_msg_close (&message);
    return rc;
}

int
stele_client_request_json (stele_client_t *self, const char *request,
    int timeout_ms, char **answer)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    zmq_msg_t message;
    zmq_msg_init (&message);
    char *text = NULL;
    int rc = stele_json_parse_pack (request, strlen (request), pack, &self->refusal);
    if (rc == 0)
        rc = s_request (self, stele_pack_data (pack), stele_pack_size (pack), timeout_ms, &message);
    if (rc == 0) {
        text = stele_json_print (zmq_msg_data (&message), zmq_msg_size (&message), true);
        if (!text)
            rc = stele_refuse (&self->refusal, STELE_EMALFORMED, NULL,
                "the answer has no JSON form, since it contains text that is not UTF-8");
    }
    if (rc == 0)
        *answer = text;
    zmq_msg_close (&message);
    stele_pack_destroy (&pack);
    return rc;
}

char *
stele_client_trouble (stele_client_t *self, int timeout_ms)
{
    stele_refusal_t refusal = { 0 };
    if (self->producer && stele_permission_check (self->events, &refusal))
        return stele_memory_copy (refusal.message, strlen (refusal.message));
    //  The text of the failure that the caller asks about must remain
    stele_refusal_t failure = self->refusal;
    static const unsigned char stats [] = "\x81\xa2" "op" "\xa5" "stats";
    zmq_msg_t answer;
    zmq_msg_init (&answer);
    int rc = s_request (self, stats, sizeof stats - 1, timeout_ms, &answer);
    char *text = NULL;
    if (rc == 0)
        text = stele_trouble_text (self->requests, zmq_msg_data (&answer), zmq_msg_size (&answer));
    else
    if (rc == STELE_EUNAUTHORIZED)
        text = stele_memory_copy (self->refusal.message, strlen (self->refusal.message));
    zmq_msg_close (&answer);
    self->refusal = failure;
    return text;
}

//  -- subscribe -----------------------------------------------------------------

static int
s_follow (stele_client_t *self, const char *topic, const char *task_id, int64_t after)
{
    int code = s_check_fork (self);
    if (code == 0)
        code = s_check_key (self);
    if (code == 0)
        code = stele_permission_check (self->feed, &self->refusal);
    if (code)
        return code;
    stele_subscription_destroy (&self->subscription);
    self->subscription = stele_subscription_new (self->feed, self->requests, self->key, topic, task_id,
        after, &self->refusal);
    return self->subscription? 0: self->refusal.code;
}

int
stele_client_follow (stele_client_t *self, const char *topic, int64_t after)
{
    assert (topic && after >= STELE_FOLLOW_LIVE);
    return s_follow (self, topic, NULL, after);
}

int
stele_client_follow_ledger (stele_client_t *self, const char *ledger, const char *topic, int64_t after)
{
    assert (ledger && *ledger && topic && after >= 0);
    int code = s_follow (self, topic, NULL, after);
    if (code == 0)
        stele_subscription_expect (self->subscription, ledger);
    return code;
}

int64_t
stele_client_followed (const stele_client_t *self)
{
    return self->subscription? stele_subscription_position (self->subscription): -1;
}

int
stele_client_follow_task (stele_client_t *self, const char *task_id, int64_t after)
{
    assert (task_id && after >= STELE_FOLLOW_LIVE);
    return s_follow (self, "", task_id, after);
}

int
stele_client_fd (stele_client_t *self)
{
    return s_check_fork (self) == 0 && self->subscription? stele_subscription_fd (self->subscription): -1;
}

int
stele_client_next (stele_client_t *self, int timeout_ms, stele_event_t **event)
{
    int code = s_check_fork (self);
    if (code == 0 && !self->subscription)
        code = stele_refuse (&self->refusal, STELE_EINVALID_FIELD, "topic",
            "there is no subscription: call stele_client_follow first");
    if (code)
        return code;
    return stele_subscription_next (self->subscription, timeout_ms, event, &self->refusal);
}
