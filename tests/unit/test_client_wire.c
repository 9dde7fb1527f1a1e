/*  test_client_wire - a client against a scripted broker

    For situations that a real broker does not produce on demand: lost acks, silence, a
    restart with fewer events. The test plays the broker, on a ROUTER.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "talk.h"
#include "stele_client.h"

#define TIMEOUT_MS 60000

static char s_folder [] = "/tmp/test_client_wire.XXXXXX";
static char s_endpoint [128];

//  -- the scripted broker ---------------------------------------------------------

typedef struct {
    zsock_t *socket;
    zframe_t *address;              // Sender of the last message
} broker_t;

static broker_t
s_broker_new (int type)
{
    broker_t broker = { zsock_new (type), NULL };
    zsock_set_linger (broker.socket, 0);
    zsock_set_rcvtimeo (broker.socket, TIMEOUT_MS);
    //  A name that was just unbound may take a moment to be free
    assert_true (zsock_bind (broker.socket, "%s", s_endpoint) >= 0);
    return broker;
}

static void
s_broker_destroy (broker_t *broker)
{
    zframe_destroy (&broker->address);
    zsock_unbind (broker->socket, "%s", s_endpoint);
    zsock_destroy (&broker->socket);
}

//  The next message that is not a ping
static json_t *
s_receive (broker_t *broker)
{
    while (true) {
        zframe_destroy (&broker->address);
        broker->address = zframe_recv (broker->socket);
        if (!broker->address)
            fail_msg ("the client sent no message");
        zframe_t *body = zframe_recv (broker->socket);
        json_t *message = talk_unpack (zframe_data (body), zframe_size (body));
        zframe_destroy (&body);
        if (strcmp (talk_text (message, "op"), "ping") != 0)
            return message;
        json_decref (message);
    }
}

static void
s_send (broker_t *broker, const char *json)
{
    stele_pack_t *pack = talk_pack ("%s", json);
    zframe_send (&broker->address, broker->socket, ZFRAME_MORE | ZFRAME_REUSE);
    zmq_send (zsock_resolve (broker->socket), stele_pack_data (pack), stele_pack_size (pack), 0);
    stele_pack_destroy (&pack);
}

static void
s_welcome (broker_t *broker, int sequence)
{
    json_t *hello = s_receive (broker);
    assert_string_equal (talk_text (hello, "op"), "hello");
    assert_string_equal (talk_text (hello, "producer"), "p");
    assert_int_equal (strlen (talk_text (hello, "instance")), 36);
    json_decref (hello);
    char text [200];
    snprintf (text, sizeof text, "{'op':'welcome','protocol':1,'ledger':'L','sequence':%d,"
        "'window':1000,'max_bytes':100000,'heartbeat_ms':500}", sequence);
    s_send (broker, text);
}

static void
s_expect_publish (broker_t *broker, int sequence, int count)
{
    json_t *publish = s_receive (broker);
    assert_string_equal (talk_text (publish, "op"), "publish");
    assert_int_equal (talk_number (publish, "sequence"), sequence);
    assert_int_equal (json_array_size (talk_at (publish, "events")), count);
    json_decref (publish);
}

//  -- the client ------------------------------------------------------------------

static stele_client_t *
s_client_new (void)
{
    stele_client_t *client = stele_client_new ("p");
    stele_client_set_events_endpoint (client, s_endpoint);
    stele_client_set_requests_endpoint (client, s_endpoint);
    return client;
}

static int64_t
s_publish (stele_client_t *client, int count)
{
    int64_t number = 0;
    for (int i = 0; i < count; i++) {
        stele_event_t *event = stele_event_new ("task.updated");
        stele_event_set_string (event, "task_id", "t");
        number = stele_client_publish (client, &event, TIMEOUT_MS);
        assert_null (event);
    }
    return number;
}

static void
test_client_acks_lost_with_connection_are_replaced_by_welcome (void **state)
{
    (void) state;
    stele_client_t *client = s_client_new ();
    broker_t broker = s_broker_new (ZMQ_ROUTER);
    assert_int_equal (s_publish (client, 3), 3);
    s_welcome (&broker, 0);
    s_expect_publish (&broker, 1, 3);
    s_broker_destroy (&broker);

    broker = s_broker_new (ZMQ_ROUTER);
    s_publish (client, 2);
    s_welcome (&broker, 2);
    assert_int_equal (stele_client_wait (client, 2, TIMEOUT_MS), 0);
    s_expect_publish (&broker, 3, 3);
    assert_int_equal (stele_client_wait (client, 3, 0), STELE_ETIMEOUT);
    s_send (&broker, "{'op':'ack','sequence':5,'position':5}");
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), 0);
    assert_int_equal (stele_client_poll (client), 0);
    assert_int_equal (stele_client_close (client, false, TIMEOUT_MS), 0);
    stele_client_destroy (&client);
    json_t *goodbye = s_receive (&broker);
    assert_string_equal (talk_text (goodbye, "op"), "goodbye");
    assert_null (json_object_get (goodbye, "keep"));
    json_decref (goodbye);
    s_broker_destroy (&broker);
}

static void
test_client_silent_broker_gets_hello_on_new_connection (void **state)
{
    (void) state;
    stele_client_t *client = s_client_new ();
    broker_t broker = s_broker_new (ZMQ_ROUTER);
    s_publish (client, 1);
    s_welcome (&broker, 0);
    zframe_t *before = zframe_dup (broker.address);
    s_expect_publish (&broker, 1, 1);
    //  Without acks and pongs it sends hello again, then opens another connection
    json_t *message = NULL;
    do {
        json_decref (message);
        message = s_receive (&broker);
        assert_string_equal (talk_text (message, "op"), "hello");
    } while (zframe_eq (before, broker.address));
    json_decref (message);
    s_send (&broker, "{'op':'welcome','protocol':1,'ledger':'L','sequence':1,"
        "'window':1000,'max_bytes':100000,'heartbeat_ms':500}");
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), 0);
    zframe_destroy (&before);
    stele_client_destroy (&client);
    s_broker_destroy (&broker);
}

typedef struct {
    int acked, refused;
    int64_t last;
} receipts_t;

static void
s_on_receipt (const stele_receipt_t *receipt, void *arg)
{
    receipts_t *receipts = (receipts_t *) arg;
    if (receipt->fate == STELE_ACKED) {
        receipts->acked++;
        receipts->last = receipt->number;
    }
    else {
        receipts->refused++;
        assert_int_equal (receipt->number, 2);
        assert_int_equal (receipt->code, STELE_EILLEGAL);
        assert_string_equal (receipt->message, "no way");
    }
}

static void
test_client_refusal_is_reported_and_remembered (void **state)
{
    (void) state;
    stele_client_t *client = s_client_new ();
    receipts_t receipts = { 0, 0, 0 };
    stele_client_on_receipt (client, s_on_receipt, &receipts);
    broker_t broker = s_broker_new (ZMQ_ROUTER);
    s_publish (client, 3);
    s_welcome (&broker, 0);
    s_expect_publish (&broker, 1, 3);
    s_send (&broker, "{'op':'nak','sequence':2,'code':'illegal_transition','message':'no way'}");
    assert_int_equal (stele_client_wait (client, 2, TIMEOUT_MS), STELE_EILLEGAL);
    assert_int_equal (stele_client_poll (client), 2);
    s_send (&broker, "{'op':'ack','sequence':3,'position':2}");
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), 0);
    assert_int_equal (receipts.refused, 1);
    assert_int_equal (receipts.last, 3);
    assert_int_equal (stele_client_refused (client), 1);
    assert_int_equal (stele_client_wait (client, 1, 0), 0);
    assert_int_equal (stele_client_wait (client, 2, 0), STELE_EILLEGAL);
    stele_client_destroy (&client);
    s_broker_destroy (&broker);
}

static void
test_client_fenced_ends (void **state)
{
    (void) state;
    stele_client_t *client = s_client_new ();
    broker_t broker = s_broker_new (ZMQ_ROUTER);
    s_publish (client, 1);
    s_welcome (&broker, 0);
    s_expect_publish (&broker, 1, 1);
    s_send (&broker, "{'op':'error','code':'fenced','message':'another one'}");
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), STELE_EFENCED);
    assert_string_equal (stele_client_error (client), "another one");
    assert_int_equal (stele_client_wait (client, 1, TIMEOUT_MS), STELE_EFENCED);
    assert_int_equal (stele_client_poll (client), STELE_EFENCED);
    assert_int_equal (s_publish (client, 1), STELE_EFENCED);
    stele_client_destroy (&client);
    s_broker_destroy (&broker);
}

static void
test_client_too_large_event_is_refused_before_it_has_a_number (void **state)
{
    (void) state;
    stele_client_t *client = s_client_new ();
    broker_t broker = s_broker_new (ZMQ_ROUTER);
    s_publish (client, 1);
    s_welcome (&broker, 0);
    s_expect_publish (&broker, 1, 1);
    s_send (&broker, "{'op':'ack','sequence':1,'position':1}");
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), 0);
    char *content = (char *) calloc (1, 100000);
    stele_event_t *event = stele_event_new ("task.output_added");
    stele_event_set_bytes (event, "content", content, 100000);
    assert_int_equal (stele_client_publish (client, &event, TIMEOUT_MS), STELE_ETOO_LARGE);
    assert_null (event);
    event = stele_event_new ("task.output_added");
    stele_event_set_bytes (event, "content", content, 90000);
    assert_int_equal (stele_client_publish (client, &event, TIMEOUT_MS), 2);
    s_expect_publish (&broker, 2, 1);
    free (content);
    stele_client_destroy (&client);
    s_broker_destroy (&broker);
}

static void
test_client_no_broker_times_out_and_keeps_the_event (void **state)
{
    (void) state;
    stele_client_t *client = s_client_new ();
    int64_t number;
    int64_t published = 0;
    stele_event_t *event;
    //  Twice the window that is assumed before the first welcome
    do {
        event = stele_event_new ("task.updated");
        number = stele_client_publish (client, &event, 20);
        published += number > 0;
    } while (number > 0);
    assert_int_equal (number, STELE_ETIMEOUT);
    assert_non_null (event);
    assert_int_equal (published, 2 * 65536);
    stele_event_destroy (&event);
    int64_t start_ms = zclock_mono ();
    assert_int_equal (stele_client_flush (client, 20), STELE_ETIMEOUT);
    stele_client_destroy (&client);
    assert_null (client);
    assert_true (zclock_mono () - start_ms < TIMEOUT_MS);
}

//  -- follow ----------------------------------------------------------------------

static void
s_feed (zsock_t *feed, const char *topic, const char *json)
{
    stele_pack_t *pack = talk_pack ("%s", json);
    zmq_send (zsock_resolve (feed), topic, strlen (topic), ZMQ_SNDMORE);
    zmq_send (zsock_resolve (feed), stele_pack_data (pack), stele_pack_size (pack), 0);
    stele_pack_destroy (&pack);
}

static void
test_client_live_subscription_delivers_what_the_feed_has (void **state)
{
    (void) state;
    zsock_t *feed = zsock_new_xpub (NULL);
    assert_true (zsock_bind (feed, "%s", s_endpoint) >= 0);
    zsock_set_rcvtimeo (feed, TIMEOUT_MS);
    stele_client_t *client = stele_client_new (NULL);
    stele_client_set_feed_endpoint (client, s_endpoint);
    stele_client_set_requests_endpoint (client, "ipc:///nonexistent");
    assert_int_equal (stele_client_follow (client, "", STELE_FOLLOW_LIVE), 0);
    zframe_t *subscription = zframe_recv (feed);
    assert_non_null (subscription);
    zframe_destroy (&subscription);
    s_feed (feed, "heartbeat", "{'position':6,'ledger':'L'}");
    s_feed (feed, "task.updated/t", "{'type':'task.updated','task_id':'t','time':1,'position':7}");
    //  Of later versions: ignored
    s_feed (feed, "unknown", "{'size':9}");
    s_feed (feed, "heartbeat", "{'position':7,'ledger':'L','checkpoint':'a note'}");
    //  Lost, and left out: neither is read from the ledger
    s_feed (feed, "task.output_added/t", "{'type':'task.output_added','task_id':'t','time':1,'output_type':'log',"
        "'content_omitted':70000,'position':10}");
    s_feed (feed, "task.updated/t", "{'type':'task.updated','task_id':'t','time':1,'position':10}");
    s_feed (feed, "heartbeat", "{'position':12,'ledger':'L'}");
    s_feed (feed, "task.updated/t", "{'type':'task.updated','task_id':'t','time':1,'position':13}");
    s_feed (feed, "heartbeat", "{'position':11,'ledger':'L'}");
    stele_event_t *event = NULL;
    for (int64_t position = 7; position <= 13; position += 3) {
        assert_int_equal (stele_client_next (client, TIMEOUT_MS, &event), 0);
        assert_int_equal (stele_event_position (event), position);
        assert_int_equal (stele_event_has (event, "content_omitted"), position == 10);
        stele_event_destroy (&event);
    }
    assert_int_equal (stele_client_next (client, TIMEOUT_MS, &event), STELE_EBEHIND);
    assert_non_null (strstr (stele_client_error (client), "ends at position 11, and had 12"));
    stele_client_destroy (&client);
    zsock_destroy (&feed);
}

static void
test_client_invalid_endpoint_is_reported (void **state)
{
    (void) state;
    stele_client_t *client = stele_client_new ("p");
    stele_client_set_events_endpoint (client, "nowhere");
    stele_client_set_requests_endpoint (client, "nowhere");
    stele_client_set_feed_endpoint (client, "nowhere");
    char *answer;
    assert_int_equal (stele_client_request_json (client, "{\"op\":\"ping\"}", 100, &answer),
        STELE_EINVALID_FIELD);
    assert_int_equal (stele_client_follow (client, "", 0), STELE_EINVALID_FIELD);
    //  Detected by the sender, before or after the event is handed over
    int64_t number = s_publish (client, 1);
    if (number > 0)
        number = stele_client_flush (client, TIMEOUT_MS);
    assert_int_equal (number, STELE_EINVALID_FIELD);
    assert_true (strlen (stele_client_error (client)) > 0);
    stele_client_destroy (&client);
}

//  -- request ----------------------------------------------------------------------

//  An actor that answers each request with the request itself, but "late" only with the next one
static void
s_responder (zsock_t *pipe, void *args)
{
    (void) args;
    broker_t broker = s_broker_new (ZMQ_ROUTER);
    zpoller_t *poller = zpoller_new (pipe, broker.socket, NULL);
    zmsg_t *late = NULL;
    zsock_signal (pipe, 0);
    while (zpoller_wait (poller, -1) == broker.socket) {
        zmsg_t *message = zmsg_recv (broker.socket);
        zframe_t *body = zmsg_last (message);
        json_t *request = talk_unpack (zframe_data (body), zframe_size (body));
        bool is_late = strcmp (talk_text (request, "op"), "late") == 0;
        json_decref (request);
        if (is_late) {
            late = message;
            continue;
        }
        if (late)
            zmsg_send (&late, broker.socket);
        zmsg_send (&message, broker.socket);
    }
    zmsg_destroy (&late);
    zpoller_destroy (&poller);
    s_broker_destroy (&broker);
}

static void
test_client_request_timed_out_does_not_block_the_next (void **state)
{
    (void) state;
    stele_client_t *client = s_client_new ();
    char *answer = NULL;
    assert_int_equal (stele_client_request_json (client, "{\"op\":\"unanswered\"}", 20, &answer),
        STELE_ETIMEOUT);
    zactor_t *responder = zactor_new (s_responder, NULL);
    assert_int_equal (stele_client_request_json (client, "{\"op\":\"late\"}", 500, &answer),
        STELE_ETIMEOUT);
    assert_null (answer);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (stele_client_request_json (client, "{\"op\":\"soon\"}",
            TIMEOUT_MS, &answer), 0);
        assert_string_equal (answer, "{\"op\":\"soon\"}");
        free (answer);
    }
    zactor_destroy (&responder);
    stele_client_destroy (&client);
}

static void
test_client_request_bad_json_is_malformed (void **state)
{
    (void) state;
    stele_client_t *client = s_client_new ();
    char *answer = NULL;
    assert_int_equal (stele_client_request_json (client, "{\"op\":", 50, &answer),
        STELE_EMALFORMED);
    assert_null (answer);
    stele_client_destroy (&client);
}

static int
s_setup (void **state)
{
    (void) state;
    if (!mkdtemp (s_folder))
        return -1;
    snprintf (s_endpoint, sizeof s_endpoint, "ipc://%s/broker", s_folder);
    return 0;
}

static int
s_teardown (void **state)
{
    (void) state;
    zsys_shutdown ();
    zdir_t *folder = zdir_new (s_folder, NULL);
    zdir_remove (folder, true);
    zdir_destroy (&folder);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_client_acks_lost_with_connection_are_replaced_by_welcome),
        cmocka_unit_test (test_client_silent_broker_gets_hello_on_new_connection),
        cmocka_unit_test (test_client_refusal_is_reported_and_remembered),
        cmocka_unit_test (test_client_fenced_ends),
        cmocka_unit_test (test_client_too_large_event_is_refused_before_it_has_a_number),
        cmocka_unit_test (test_client_no_broker_times_out_and_keeps_the_event),
        cmocka_unit_test (test_client_live_subscription_delivers_what_the_feed_has),
        cmocka_unit_test (test_client_invalid_endpoint_is_reported),
        cmocka_unit_test (test_client_request_timed_out_does_not_block_the_next),
        cmocka_unit_test (test_client_request_bad_json_is_malformed)
    };
    return cmocka_run_group_tests (tests, s_setup, s_teardown);
}
