/*  test_requests - tests of the actor stele_requests: real sockets, a real ledger, and the
    mailboxes of the other actors played by the test

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <unistd.h>
#include "talk.h"
#include "broker/common/actor.h"
#include "broker/common/denied.h"
#include "broker/access/identity_frame.h"
#include "broker/requests/requests.h"
#include "ledger/ledger.h"
#include "ledger/text_index.h"
#include "wire/event/event_codec.h"

#define PATIENCE_MS 20000           // For what has to come; never waited for in full

typedef struct {
    char folder [64];
    char path [128];
    stele_ledger_t *ledger;
    stele_settings_t *settings;
    stele_query_args_t args;
    zactor_t *actor;
    char *endpoint;
    zsock_t *head, *indexed, *writer, *feed, *cache, *search;
    json_t *answer;                 // The last one
} s_world_t;

//  -- a broker whose other actors are played by the test ---------------------------------------

static void
s_append (s_world_t *self, const char *json)
{
    stele_pack_t *pack = talk_pack ("%s", json);
    stele_record_t *event = stele_record_new ();
    stele_refusal_t refusal = { 0 };
    int64_t position;
    assert_int_equal (stele_event_decode_record (stele_pack_data (pack), stele_pack_size (pack),
        event, &refusal), 0);
    assert_int_equal (stele_ledger_begin (self->ledger), 0);
    assert_int_equal (stele_ledger_append (self->ledger, event, 0, &position, &refusal), 1);
    assert_int_equal (stele_ledger_commit (self->ledger, 1), 0);
    stele_record_destroy (&event);
    stele_pack_destroy (&pack);
}

static zsock_t *
s_bind (s_world_t *self, int type, const char *name)
{
    char endpoint [80];
    zsock_t *socket = zsock_new (type);
    zsock_set_rcvtimeo (socket, PATIENCE_MS);
    zsock_set_linger (socket, 0);
    assert_int_equal (zsock_bind (socket, "%s",
        stele_settings_inproc (self->settings, name, endpoint)), 0);
    return socket;
}

static int
s_setup (void **state)
{
    zsys_handler_set (NULL);
    s_world_t *self = calloc (1, sizeof *self);
    strcpy (self->folder, "/tmp/stele-requests-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/ledger.db", self->folder);
    stele_refusal_t refusal = { 0 };
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_QUICK, &refusal);
    if (!self->ledger)
        fail_msg ("%s", refusal.message);
    s_append (self, "{'type':'task.state_changed','time':1,'task_id':'a','state':'running'}");

    self->settings = stele_settings_new ();
    char redis [160];
    snprintf (redis, sizeof redis, "unix://%s/no-redis.sock", self->folder);
    assert_int_equal (stele_settings_set (self->settings, "ledger", self->path, NULL), 0);
    assert_int_equal (stele_settings_set (self->settings, "redis", redis, NULL), 0);
    assert_int_equal (stele_settings_set (self->settings, "requests", "tcp://127.0.0.1:*",
        NULL), 0);
    self->head = s_bind (self, ZMQ_PUB, "head");
    self->indexed = s_bind (self, ZMQ_PUB, "indexed");
    self->writer = s_bind (self, ZMQ_ROUTER, "writer");
    self->feed = s_bind (self, ZMQ_ROUTER, "feed");
    self->cache = s_bind (self, ZMQ_ROUTER, "cache");
    self->search = s_bind (self, ZMQ_ROUTER, "search");
    self->args.settings = self->settings;
    self->args.ledger_id = stele_ledger_id (self->ledger);
    self->args.started_at_us = zclock_time () * 1000;
    self->args.head = 1;
    *state = self;
    return 0;
}

static void
s_start_as (s_world_t *self, const char *expected)
{
    self->actor = stele_actor_new (stele_requests, &self->args);
    char *status = NULL;
    zstr_free (&self->endpoint);
    zstr_recvx (self->actor, &status, &self->endpoint, NULL);
    assert_string_equal (status, expected);
    zstr_free (&status);
}

static void
s_start (s_world_t *self)
{
    s_start_as (self, "READY");
    zstr_sendx (self->actor, "ENDPOINTS", "events", "tcp://e", "feed", "tcp://f", NULL);
}

static int
s_teardown (void **state)
{
    s_world_t *self = *state;
    zactor_destroy (&self->actor);
    zstr_free (&self->endpoint);
    zsock_destroy (&self->head);
    zsock_destroy (&self->indexed);
    zsock_destroy (&self->writer);
    zsock_destroy (&self->feed);
    zsock_destroy (&self->cache);
    zsock_destroy (&self->search);
    json_decref (self->answer);
    stele_ledger_close (&self->ledger);
    stele_settings_destroy (&self->settings);
    static const char *const endings [] = { "", "-wal", "-shm", "-journal", ".lock", ".high-water" };
    for (size_t i = 0; i < sizeof endings / sizeof endings [0]; i++) {
        char path [160];
        snprintf (path, sizeof path, "%s%s", self->path, endings [i]);
        unlink (path);
    }
    assert_int_equal (rmdir (self->folder), 0);
    free (self);
    return 0;
}

//  -- peers ---------------------------------------------------------------------------

static zsock_t *
s_peer (s_world_t *self, int type)
{
    zsock_t *peer = zsock_new (type);
    zsock_set_rcvtimeo (peer, PATIENCE_MS);
    zsock_set_linger (peer, 0);
    assert_int_equal (zsock_connect (peer, "%s", self->endpoint), 0);
    return peer;
}

static void
s_send (zsock_t *peer, const char *json)
{
    stele_pack_t *pack = talk_pack ("%s", json);
    zframe_t *frame = zframe_new (stele_pack_data (pack), stele_pack_size (pack));
    assert_int_equal (zframe_send (&frame, peer, 0), 0);
    stele_pack_destroy (&pack);
}

//  The same from a DEALER, which has to send the delimiter itself

static void
s_send_delimited (zsock_t *peer, const char *json)
{
    zframe_t *empty = zframe_new_empty ();
    assert_int_equal (zframe_send (&empty, peer, ZFRAME_MORE), 0);
    s_send (peer, json);
}

//  The last frame of the next message

static json_t *
s_receive (s_world_t *self, zsock_t *peer)
{
    zmsg_t *message = zmsg_recv (peer);
    assert_non_null (message);
    zframe_t *body = zmsg_last (message);
    json_decref (self->answer);
    self->answer = talk_unpack (zframe_data (body), zframe_size (body));
    zmsg_destroy (&message);
    return self->answer;
}

static json_t *
s_ask (s_world_t *self, zsock_t *peer, const char *json)
{
    s_send (peer, json);
    return s_receive (self, peer);
}

static void
s_assert_error (s_world_t *self, const char *code)
{
    assert_true (json_is_false (talk_at (self->answer, "ok")));
    assert_string_equal (talk_text (self->answer, "error/code"), code);
    assert_true (json_string_length (talk_at (self->answer, "error/message")) > 5);
}

static void
s_assert_still_answers (s_world_t *self)
{
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    assert_true (talk_is_ok (s_ask (self, peer, "{'op':'ping'}")));
    zsock_destroy (&peer);
}

static void
s_say (zsock_t *publisher, int64_t position)
{
    zframe_t *frame = zframe_new (&position, sizeof position);
    zframe_send (&frame, publisher, 0);
}

//  -- mailboxes -------------------------------------------------------------------------

//  Take the next request of a mailbox, [id][token][request][identity], and return it without the identity

static zmsg_t *
s_take (zsock_t *mailbox, const char *op)
{
    zmsg_t *mail = zmsg_recv (mailbox);
    assert_non_null (mail);
    assert_int_equal (zmsg_size (mail), 4);
    zframe_t *identity = zmsg_last (mail);
    assert_ptr_equal (stele_identity_of_frame (identity), &stele_identity_local);
    zmsg_remove (mail, identity);
    zframe_destroy (&identity);
    zframe_t *body = zmsg_last (mail);
    json_t *request = talk_unpack (zframe_data (body), zframe_size (body));
    assert_string_equal (talk_text (request, "op"), op);
    json_decref (request);
    return mail;
}

static void
s_reply (zsock_t *mailbox, zmsg_t **mail_p, const char *json)
{
    zframe_t *body = zmsg_last (*mail_p);
    zmsg_remove (*mail_p, body);
    zframe_destroy (&body);
    stele_pack_t *pack = talk_pack ("%s", json);
    zmsg_addmem (*mail_p, stele_pack_data (pack), stele_pack_size (pack));
    stele_pack_destroy (&pack);
    assert_int_equal (zmsg_send (mail_p, mailbox), 0);
}

//  Take the audit event of a request to the cache and reply that it is durable
static void
s_record (s_world_t *self)
{
    zmsg_t *mail = s_take (self->writer, "audit");
    s_reply (self->writer, &mail, "{'ok':true,'position':9}");
}

//  Request statistics until they show that a request waits for its position: requests of several
//  peers arrive in any order

static void
s_until_one_waits (s_world_t *self, zsock_t *peer)
{
    do {
        s_send (peer, "{'op':'stats'}");
        zmsg_t *mail = s_take (self->writer, "stats");
        s_reply (self->writer, &mail, "{'ingest':{}}");
        mail = s_take (self->feed, "stats");
        s_reply (self->feed, &mail, "{}");
        mail = s_take (self->search, "stats");
        s_reply (self->search, &mail, "{}");
        s_receive (self, peer);
    } while (talk_number (self->answer, "requests/waiting") == 0);
}

//  -- tests -------------------------------------------------------------------------------

static void
test_requests_malformed_and_the_next_are_answered (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    static const char *const bodies [] = {
        "", "\xc1", "hello", "\x93\x01\x02\x03", "\x80", "\x81\xa2op\xa4ping\x01",
        "\x81\xa2op\x01", "\xdf\xff\xff\xff\xff", "\x81\xa2op\xa2\xff\xfe"
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies [0]; i++) {
        zframe_t *frame = zframe_new (bodies [i], strlen (bodies [i]));
        assert_int_equal (zframe_send (&frame, peer, 0), 0);
        s_receive (self, peer);
        s_assert_error (self, "bad_request");
    }
    s_ask (self, peer, "{'op':'no.such'}");
    s_assert_error (self, "unknown_op");
    s_ask (self, peer, "{'op':'task.get'}");
    s_assert_error (self, "bad_request");
    assert_string_equal (talk_text (self->answer, "error/field"), "task_id");
    s_ask (self, peer, "{'op':'ping','min_position':-1}");
    s_assert_error (self, "bad_request");
    s_ask (self, peer, "{'op':'ping'}");
    assert_true (talk_is_ok (self->answer));
    assert_int_equal (talk_number (self->answer, "position"), 1);
    zsock_destroy (&peer);
}

static void
test_requests_odd_envelopes_are_answered (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_DEALER);
    s_send (peer, "{'op':'ping'}");                 //  No delimiter
    s_receive (self, peer);
    s_assert_error (self, "bad_request");
    zstr_sendx (peer, "", "one", "two", NULL);      //  Two bodies
    s_receive (self, peer);
    s_assert_error (self, "bad_request");
    zstr_sendx (peer, "", NULL);                    //  No body
    s_receive (self, peer);
    s_assert_error (self, "bad_request");
    zstr_sendm (peer, "route");                     //  An envelope of its own comes back
    s_send_delimited (peer, "{'op':'ping'}");
    zmsg_t *message = zmsg_recv (peer);
    assert_int_equal (zmsg_size (message), 3);
    assert_true (zframe_streq (zmsg_first (message), "route"));
    zmsg_destroy (&message);
    zsock_destroy (&peer);

    peer = s_peer (self, ZMQ_REQ);
    zsock_set_req_correlate (peer, 1);
    assert_true (talk_is_ok (s_ask (self, peer, "{'op':'ping'}")));
    zsock_destroy (&peer);
}

static void
test_requests_too_large_is_refused (void **state)
{
    s_world_t *self = *state;
    assert_int_equal (stele_settings_set (self->settings, "message-bytes", "1000", NULL), 0);
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    char text [1500];
    memset (text, 'x', sizeof text - 1);
    text [sizeof text - 1] = '\0';
    char request [1600];
    snprintf (request, sizeof request, "{'op':'ping','pad':'%s'}", text);
    s_ask (self, peer, request);
    s_assert_error (self, "too_large");
    zsock_destroy (&peer);
}

static void
test_requests_min_position_waits_for_the_head (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ), *other = s_peer (self, ZMQ_REQ);
    assert_true (talk_is_ok (s_ask (self, peer, "{'op':'ping','min_position':1}")));
    s_send (peer, "{'op':'task.get','task_id':'a','min_position':2,'timeout_ms':60000}");
    //  The waiting request delays no other, and stats show it
    s_until_one_waits (self, other);

    s_append (self, "{'type':'task.state_changed','time':2,'task_id':'a','state':'passed'}");
    s_say (self->head, 2);
    s_receive (self, peer);
    assert_true (talk_is_ok (self->answer));
    assert_int_equal (talk_number (self->answer, "position"), 2);
    assert_string_equal (talk_text (self->answer, "task/state"), "passed");
    zsock_destroy (&peer);
    zsock_destroy (&other);
}

static void
test_requests_min_position_not_reached_times_out (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    s_ask (self, peer, "{'op':'ping','min_position':7,'timeout_ms':30}");
    s_assert_error (self, "timeout");
    assert_string_equal (talk_text (self->answer, "error/message"),
        "position 7 was not reached within 30 ms: the head is 1");
    s_ask (self, peer, "{'op':'ping','min_position':7,'timeout_ms':0}");
    s_assert_error (self, "timeout");
    assert_true (talk_is_ok (s_ask (self, peer, "{'op':'ping'}")));
    zsock_destroy (&peer);
}

static void
test_requests_publish_goes_to_the_writer (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    s_send (peer, "{'op':'publish','producer':'p','events':[]}");
    zmsg_t *mail = s_take (self->writer, "publish");
    s_assert_still_answers (self);
    s_reply (self->writer, &mail, "{'ok':true,'position':1,'accepted':0,'odd':[1,{'x':2}]}");
    s_receive (self, peer);
    assert_int_equal (talk_number (self->answer, "odd/1/x"), 2);

    s_send (peer, "{'op':'rejected.retry','id':3}");
    mail = s_take (self->writer, "rejected.retry");
    s_reply (self->writer, &mail, "{'ok':false,'error':{'code':'not_found','message':'no such'}}");
    s_receive (self, peer);
    s_assert_error (self, "not_found");
    zsock_destroy (&peer);
}

//  No wrong request reaches a mailbox; the answer names parameters that the operation does not take
static void
test_requests_to_mailboxes_are_checked (void **state)
{
    s_world_t *self = *state;
    self->args.has_cache = true;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    static const char *const requests [] [2] = {
        { "{'op':'task.recover','task_id':5}", "task_id" }, { "{'op':'task.recover'}", "task_id" },
        { "{'op':'recover','scope':{}}", "scope" }, { "{'op':'consistency.check','repair':1}", "repair" },
        { "{'op':'publish','events':[]}", "producer" }, { "{'op':'publish','producer':'p','events':7}", "events" },
        { "{'op':'rejected.retry','ids':[1,'x']}", "ids" }, { "{'op':'producer.get'}", "producer" }
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests [0]; i++) {
        s_ask (self, peer, requests [i] [0]);
        s_assert_error (self, "bad_request");
        assert_string_equal (talk_text (self->answer, "error/field"), requests [i] [1]);
    }
    s_send (peer, "{'op':'recover','bogus':1}");
    zmsg_t *mail = s_take (self->cache, "recover");
    s_reply (self->cache, &mail, "{'ok':true,'position':1,'restored':0}");
    s_record (self);
    s_receive (self, peer);
    assert_int_equal (talk_number (self->answer, "restored"), 0);
    assert_int_equal (json_array_size (talk_at (self->answer, "ignored")), 1);
    assert_string_equal (talk_text (self->answer, "ignored/0"), "bogus");

    //  A refusal has no "ignored"
    s_send (peer, "{'op':'recover','bogus':1}");
    mail = s_take (self->cache, "recover");
    s_reply (self->cache, &mail, "{'ok':false,'error':{'code':'unavailable','message':'Redis is away'}}");
    s_record (self);
    s_receive (self, peer);
    assert_null (talk_at (self->answer, "ignored"));
    zsock_destroy (&peer);
}

//  Field of the event in a mail to the writer; the caller frees it
static char *
s_audited (zmsg_t *mail, const char *path)
{
    zframe_t *body = zmsg_last (mail);
    json_t *request = talk_unpack (zframe_data (body), zframe_size (body));
    char *text = strdup (talk_text (request, path));
    json_decref (request);
    return text;
}

static void
test_requests_that_changed_something_are_answered_once_that_is_recorded (void **state)
{
    s_world_t *self = *state;
    self->args.has_cache = true;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    s_send (peer, "{'op':'task.recover','task_id':'t','request_id':'r'}");
    zmsg_t *mail = s_take (self->cache, "task.recover");
    s_reply (self->cache, &mail, "{'ok':true,'position':1,'task':{}}");
    mail = s_take (self->writer, "audit");
    static const char *const fields [] [2] = {
        { "event/type", "audit.recorded" }, { "event/who", "local" }, { "event/operation", "task.recover" },
        { "event/target", "t" }, { "event/peer", "127.0.0.1" }, { "event/outcome", "ok" }, { "event/request_id", "r" }
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields [0]; i++) {
        char *text = s_audited (mail, fields [i] [0]);
        assert_string_equal (text, fields [i] [1]);
        free (text);
    }
    //  Not before that
    s_assert_still_answers (self);
    assert_int_equal (zsock_events (peer) & ZMQ_POLLIN, 0);
    s_reply (self->writer, &mail, "{'ok':true,'position':9}");
    s_receive (self, peer);
    assert_int_equal (talk_number (self->answer, "position"), 1);

    //  The writer cannot: it is said
    s_send (peer, "{'op':'recover'}");
    mail = s_take (self->cache, "recover");
    s_reply (self->cache, &mail, "{'ok':true,'position':1,'restored':0}");
    mail = s_take (self->writer, "audit");
    s_reply (self->writer, &mail, "{'ok':false,'error':{'code':'unavailable','message':'full'}}");
    s_receive (self, peer);
    s_assert_error (self, "unavailable");
    assert_non_null (strstr (talk_text (self->answer, "error/message"), "recover is done, but could not be recorded"));
    zsock_destroy (&peer);
}

static void
test_requests_to_the_cache_that_take_too_long_are_recorded (void **state)
{
    s_world_t *self = *state;
    self->args.has_cache = true;
    self->settings->request_ms = 20;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    s_send (peer, "{'op':'recover','scope':'all'}");
    zmsg_t *late = s_take (self->cache, "recover");
    zmsg_t *mail = s_take (self->writer, "audit");
    char *outcome = s_audited (mail, "event/outcome"), *target = s_audited (mail, "event/target");
    assert_string_equal (outcome, "timeout");
    assert_string_equal (target, "all");
    s_receive (self, peer);
    s_assert_error (self, "timeout");
    //  Answers that come after that are of no request any more
    s_reply (self->writer, &mail, "{'ok':true,'position':9}");
    s_reply (self->cache, &late, "{'ok':true,'position':1,'restored':3}");
    s_assert_still_answers (self);
    free (outcome);
    free (target);
    zsock_destroy (&peer);
}

static void
test_requests_that_are_not_allowed_are_noted_as_refused_access (void **state)
{
    s_world_t *self = *state;
    self->args.has_cache = true;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    for (int i = 0; i < 2; i++) {
        s_send (peer, "{'op':'recover'}");
        zmsg_t *mail = s_take (self->cache, "recover");
        s_reply (self->cache, &mail, "{'ok':false,'error':{'code':'unauthorized','message':'recover needs operate'}}");
        s_receive (self, peer);
        s_assert_error (self, "unauthorized");
    }
    //  Not an event of its own
    assert_int_equal (zsock_events (self->writer) & ZMQ_POLLIN, 0);
    stele_denied_peer_t denial;
    assert_true (stele_denied_take (self->settings->denied, 1, &denial));
    assert_string_equal (denial.who, "local");
    assert_string_equal (denial.peer, "127.0.0.1");
    assert_string_equal (denial.operation, "recover");
    assert_string_equal (denial.message, "recover needs operate");
    assert_int_equal (denial.count, 2);
    zsock_destroy (&peer);
}

static void
test_requests_of_redis_without_redis_are_unavailable (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    static const char *const requests [] = {
        "{'op':'recover','scope':'all'}", "{'op':'task.recover','task_id':'a'}",
        "{'op':'consistency.check'}"
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests [0]; i++) {
        s_ask (self, peer, requests [i]);
        s_assert_error (self, "unavailable");
    }
    zsock_destroy (&peer);
}

static void
test_requests_stats_gather_and_remember (void **state)
{
    s_world_t *self = *state;
    self->args.has_cache = true;
    s_start (self);
    stele_pack_t *recovery = talk_pack ("{'restored':5}");
    zsock_send (self->actor, "sb", "RECOVERY", stele_pack_data (recovery),
        stele_pack_size (recovery));
    stele_pack_destroy (&recovery);

    zsock_t *peer = s_peer (self, ZMQ_REQ);
    s_send (peer, "{'op':'consistency.check'}");
    zmsg_t *mail = s_take (self->cache, "consistency.check");
    s_reply (self->cache, &mail, "{'ok':true,'position':1,'checked':4,'consistent':1.0}");
    assert_true (talk_is_ok (s_receive (self, peer)));

    //  The feed does not answer: the statistics of the others are there without it
    s_send (peer, "{'op':'stats'}");
    mail = s_take (self->writer, "stats");
    s_reply (self->writer, &mail, "{'ingest':{'events':3},'producers':{}}");
    mail = s_take (self->cache, "stats");
    s_reply (self->cache, &mail, "{'state':'live'}");
    mail = s_take (self->search, "stats");
    s_reply (self->search, &mail, "{'lag_events':7}");
    s_receive (self, peer);
    assert_true (talk_is_ok (self->answer));
    assert_int_equal (talk_number (self->answer, "ingest/events"), 3);
    assert_string_equal (talk_text (self->answer, "redis/state"), "live");
    assert_int_equal (talk_number (self->answer, "search/lag_events"), 7);
    assert_int_equal (json_object_size (talk_at (self->answer, "feed")), 0);
    assert_int_equal (talk_number (self->answer, "recovery/restored"), 5);
    assert_int_equal (talk_number (self->answer, "consistency/checked"), 4);
    assert_true (talk_number (self->answer, "consistency/time") > 0);
    assert_null (talk_at (self->answer, "consistency/ok"));
    assert_int_equal (talk_number (self->answer, "requests/by_op/consistency.check/count"), 1);

    //  Its late answer does no harm
    mail = s_take (self->feed, "stats");
    s_reply (self->feed, &mail, "{'late':true}");
    s_ask (self, peer, "{'op':'info'}");
    assert_string_equal (talk_text (self->answer, "endpoints/feed"), "tcp://f");
    assert_string_equal (talk_text (self->answer, "mode"), "dual");
    zsock_destroy (&peer);
}

static void
test_requests_status_with_redis_away_is_from_sqlite (void **state)
{
    s_world_t *self = *state;
    self->args.has_cache = true;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    s_ask (self, peer, "{'op':'task.status','task_id':'a'}");
    assert_string_equal (talk_text (self->answer, "source"), "sqlite");
    assert_string_equal (talk_text (self->answer, "task/state"), "running");
    zsock_destroy (&peer);
}

//  After a slow read, which any read may be on a busy machine, the router leaves the next ones to workers
//  for a second: without workers they time out
static void
s_ask_router (s_world_t *self, zsock_t *peer, const char *json)
{
    do
        s_ask (self, peer, json);
    while (talk_at (self->answer, "error/code") && streq (talk_text (self->answer, "error/code"), "timeout"));
}

//  Answered by the router itself: there is no worker
static void
test_requests_status_without_redis_waits_for_no_worker (void **state)
{
    s_world_t *self = *state;
    self->settings->workers = 0;
    self->settings->request_ms = 1000;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    s_ask_router (self, peer, "{'op':'task.status','task_id':'a'}");
    assert_string_equal (talk_text (self->answer, "source"), "sqlite");
    assert_string_equal (talk_text (self->answer, "task/state"), "running");
    assert_int_equal (talk_number (self->answer, "position"), 1);
    s_ask_router (self, peer, "{'op':'task.status','task_id':'b'}");
    s_assert_error (self, "not_found");
    s_ask_router (self, peer, "{'op':'task.status'}");
    s_assert_error (self, "bad_request");
    //  Later commits are visible
    s_append (self, "{'type':'task.state_changed','time':2,'task_id':'a','state':'passed'}");
    s_ask_router (self, peer, "{'op':'task.status','task_id':'a'}");
    assert_string_equal (talk_text (self->answer, "task/state"), "passed");
    zsock_destroy (&peer);
}

//  After a request has waited for its position it goes to a worker
static void
test_requests_status_waits_for_the_head (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *waiting = s_peer (self, ZMQ_REQ), *peer = s_peer (self, ZMQ_REQ);
    s_send (waiting, "{'op':'task.status','task_id':'a','min_position':2,'timeout_ms':20000}");
    s_until_one_waits (self, peer);
    s_append (self, "{'type':'task.state_changed','time':2,'task_id':'a','state':'passed'}");
    //  An answer from the ledger shows the router the new head
    s_ask (self, peer, "{'op':'task.status','task_id':'a'}");
    assert_int_equal (talk_number (self->answer, "position"), 2);
    s_receive (self, waiting);
    assert_string_equal (talk_text (self->answer, "task/state"), "passed");
    zsock_destroy (&peer);
    zsock_destroy (&waiting);
}

//  Say that the index is at 'indexed', until a search waits for it: positions reach the router in any order
static void
s_until_a_search_waits (s_world_t *self, zsock_t *peer, int64_t head, int64_t indexed)
{
    while (true) {
        s_say (self->head, head);
        s_say (self->indexed, indexed);
        s_send (peer, "{'op':'task.list','search':'a','min_position':1}");
        zmq_pollitem_t items [] = {
            { zsock_resolve (peer), 0, ZMQ_POLLIN, 0 }, { zsock_resolve (self->search), 0, ZMQ_POLLIN, 0 }
        };
        assert_true (zmq_poll (items, 2, PATIENCE_MS) > 0);
        if (!items [0].revents)
            break;
        assert_true (talk_is_ok (s_receive (self, peer)));
    }
    zmsg_t *mail = s_take (self->search, "catch_up");
    zmsg_destroy (&mail);
}

static void
test_requests_search_waits_for_the_index (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *searching = s_peer (self, ZMQ_REQ), *peer = s_peer (self, ZMQ_REQ);
    s_until_a_search_waits (self, searching, 1000000, 1);
    //  No other list waits
    assert_true (talk_is_ok (s_ask (self, peer, "{'op':'task.list'}")));
    s_say (self->indexed, 1000000 - STELE_SEARCH_TAIL);
    assert_true (talk_is_ok (s_ask (self, peer, "{'op':'ping'}")));
    zmq_pollitem_t item = { zsock_resolve (searching), 0, ZMQ_POLLIN, 0 };
    assert_int_equal (zmq_poll (&item, 1, 0), 0);
    s_say (self->indexed, 1000000 - STELE_SEARCH_TAIL / 4);
    assert_true (talk_is_ok (s_receive (self, searching)));
    assert_string_equal (talk_text (self->answer, "tasks/0/task_id"), "a");

    //  The index fails: a search is answered without it
    s_until_a_search_waits (self, searching, 2000000, 1000000);
    s_say (self->indexed, -1);
    assert_true (talk_is_ok (s_receive (self, searching)));
    zsock_destroy (&searching);
    zsock_destroy (&peer);
}

static void
test_requests_search_waits_no_longer_than_a_request_may_take (void **state)
{
    s_world_t *self = *state;
    assert_int_equal (stele_settings_set (self->settings, "request-ms", "100", NULL), 0);
    s_start (self);
    zsock_t *searching = s_peer (self, ZMQ_REQ);
    s_until_a_search_waits (self, searching, 1000000, 1);
    assert_true (talk_is_ok (s_receive (self, searching)));
    zsock_destroy (&searching);
}

static void
test_requests_many_at_once_are_all_answered (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_DEALER);
    for (int i = 0; i < 500; i++)
        s_send_delimited (peer, i % 2? "{'op':'ping'}": "{'op':'task.get','task_id':'a'}");
    for (int i = 0; i < 500; i++)
        assert_true (talk_is_ok (s_receive (self, peer)));
    zsock_destroy (&peer);
}

static void
test_requests_client_that_vanishes_does_no_harm (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *peer = s_peer (self, ZMQ_DEALER);
    for (int i = 0; i < 50; i++)
        s_send_delimited (peer, "{'op':'publish','producer':'p','events':[]}");
    zmsg_t *mail = s_take (self->writer, "publish");
    zsock_destroy (&peer);
    s_reply (self->writer, &mail, "{'ok':true,'position':1}");
    for (int i = 0; i < 49; i++) {
        mail = s_take (self->writer, "publish");
        s_reply (self->writer, &mail, "{'ok':true,'position':1}");
    }
    s_assert_still_answers (self);
}

static void
test_requests_client_that_does_not_read_does_no_harm (void **state)
{
    s_world_t *self = *state;
    char *content = malloc (100001);
    memset (content, 'x', 100000);
    content [100000] = '\0';
    stele_record_t *record = stele_record_new ();
    record->type = STELE_TASK_OUTPUT_ADDED;
    stele_record_set_integer (record, STELE_TIME, 1);
    stele_record_set_text (record, STELE_TASK_ID, "a", 1);
    stele_record_set_word (record, STELE_OUTPUT_TYPE, STELE_VOCABULARY_OUTPUT_TYPE,
        STELE_OUTPUT_LOG);
    stele_record_set_text (record, STELE_CONTENT, content, 100000);
    int64_t position;
    stele_refusal_t refusal;
    assert_int_equal (stele_ledger_begin (self->ledger), 0);
    assert_int_equal (stele_ledger_append (self->ledger, record, 0, &position, &refusal), 1);
    assert_int_equal (stele_ledger_commit (self->ledger, 1), 0);
    stele_record_destroy (&record);
    free (content);

    s_start (self);
    zsock_t *deaf = s_peer (self, ZMQ_DEALER);
    zsock_set_rcvhwm (deaf, 1);
    for (int i = 0; i < 600; i++)
        s_send_delimited (deaf, "{'op':'task.outputs','task_id':'a'}");
    for (int i = 0; i < 10; i++)
        s_assert_still_answers (self);
    zsock_destroy (&deaf);
}

static void
test_requests_stop_answers_what_is_pending (void **state)
{
    s_world_t *self = *state;
    s_start (self);
    zsock_t *waiting = s_peer (self, ZMQ_REQ), *publishing = s_peer (self, ZMQ_REQ);
    s_send (waiting, "{'op':'ping','min_position':9,'timeout_ms':60000}");
    s_send (publishing, "{'op':'publish','producer':'p','events':[]}");
    zmsg_t *mail = s_take (self->writer, "publish");
    zmsg_destroy (&mail);
    zsock_t *peer = s_peer (self, ZMQ_REQ);
    s_until_one_waits (self, peer);
    zactor_destroy (&self->actor);
    s_receive (self, waiting);
    s_assert_error (self, "unavailable");
    s_receive (self, publishing);
    s_assert_error (self, "unavailable");
    zsock_destroy (&peer);
    zsock_destroy (&waiting);
    zsock_destroy (&publishing);
}

static void
test_requests_endpoint_in_use_fails_the_start (void **state)
{
    s_world_t *self = *state;
    zsock_t *occupant = zsock_new (ZMQ_REP);
    int port = zsock_bind (occupant, "tcp://127.0.0.1:*");
    char endpoint [64];
    snprintf (endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    assert_int_equal (stele_settings_set (self->settings, "requests", endpoint, NULL), 0);
    s_start_as (self, "FAILED");
    assert_non_null (strstr (self->endpoint, endpoint));
    zsock_destroy (&occupant);
}

static void
test_requests_ledger_not_there_fails_the_start (void **state)
{
    s_world_t *self = *state;
    assert_int_equal (stele_settings_set (self->settings, "ledger", "/nowhere/at-all.db", NULL), 0);
    s_start_as (self, "FAILED");
    assert_true (strlen (self->endpoint) > 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_requests_malformed_and_the_next_are_answered),
        TEST (test_requests_odd_envelopes_are_answered),
        TEST (test_requests_too_large_is_refused),
        TEST (test_requests_min_position_waits_for_the_head),
        TEST (test_requests_min_position_not_reached_times_out),
        TEST (test_requests_publish_goes_to_the_writer),
        TEST (test_requests_that_changed_something_are_answered_once_that_is_recorded),
        TEST (test_requests_to_the_cache_that_take_too_long_are_recorded),
        TEST (test_requests_that_are_not_allowed_are_noted_as_refused_access),
        TEST (test_requests_to_mailboxes_are_checked),
        TEST (test_requests_of_redis_without_redis_are_unavailable),
        TEST (test_requests_stats_gather_and_remember),
        TEST (test_requests_status_with_redis_away_is_from_sqlite),
        TEST (test_requests_status_without_redis_waits_for_no_worker),
        TEST (test_requests_status_waits_for_the_head),
        TEST (test_requests_search_waits_for_the_index),
        TEST (test_requests_search_waits_no_longer_than_a_request_may_take),
        TEST (test_requests_many_at_once_are_all_answered),
        TEST (test_requests_client_that_vanishes_does_no_harm),
        TEST (test_requests_client_that_does_not_read_does_no_harm),
        TEST (test_requests_stop_answers_what_is_pending),
        TEST (test_requests_endpoint_in_use_fails_the_start),
        TEST (test_requests_ledger_not_there_fails_the_start)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
