/*  test_dialog - the producer's side of the protocol, against hand-written messages of a broker

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "talk.h"
#include "client/publish/dialog.h"
#include "stele_error.h"

#define START_MS 1000000

typedef struct {
    stele_dialog_t *dialog;
    stele_pack_t *pack;
    zsock_t *out;                   // Notices go in here ...
    zsock_t *in;                    // ... and come out here
    int64_t now_ms;
} fixture_t;

static fixture_t *
s_fixture_new (int64_t first_sequence, size_t batch_events)
{
    fixture_t *fixture = (fixture_t *) zmalloc (sizeof (fixture_t));
    stele_dialog_settings_t settings = {
        .producer = "p", .instance = "i", .first_sequence = first_sequence,
        .delay_ms = 2, .batch_events = batch_events
    };
    fixture->now_ms = START_MS;
    fixture->dialog = stele_dialog_new (&settings, fixture->now_ms);
    fixture->pack = stele_pack_new ();
    fixture->out = zsock_new (ZMQ_PAIR);
    fixture->in = zsock_new (ZMQ_PAIR);
    zsock_set_sndhwm (fixture->out, 0);
    zsock_set_rcvhwm (fixture->in, 0);
    //  A new name each time: a closed socket keeps its name for a moment
    static int fixtures = 0;
    fixtures++;
    assert_int_equal (zsock_bind (fixture->in, "inproc://fixture-%d", fixtures), 0);
    assert_int_equal (zsock_connect (fixture->out, "inproc://fixture-%d", fixtures), 0);
    return fixture;
}

static void
s_fixture_destroy (fixture_t *fixture)
{
    stele_dialog_destroy (&fixture->dialog);
    stele_pack_destroy (&fixture->pack);
    zsock_destroy (&fixture->in);
    zsock_destroy (&fixture->out);
    free (fixture);
}

//  Add events, each an empty map
static void
s_put (fixture_t *fixture, int count)
{
    for (int i = 0; i < count; i++) {
        zmq_msg_t event;
        zmq_msg_init_size (&event, 1);
        memcpy (zmq_msg_data (&event), "\x80", 1);
        stele_dialog_put (fixture->dialog, &event, fixture->now_ms);
        zmq_msg_close (&event);
    }
}

static void
s_receive (fixture_t *fixture, const char *json)
{
    stele_pack_t *pack = talk_pack ("%s", json);
    stele_dialog_receive (fixture->dialog, stele_pack_data (pack), stele_pack_size (pack),
        fixture->now_ms);
    stele_pack_destroy (&pack);
}

static void
s_welcome (fixture_t *fixture, int64_t sequence, int64_t window)
{
    char json [256];
    snprintf (json, sizeof json, "{'op':'welcome','protocol':1,'ledger':'L','sequence':%" PRId64
        ",'window':%" PRId64 ",'max_bytes':4096,'heartbeat_ms':2000}", sequence, window);
    s_receive (fixture, json);
}

//  Expect that message next; NULL: none is due
static void
s_expect (fixture_t *fixture, const char *op, int64_t sequence, size_t count)
{
    if (!stele_dialog_pack_next (fixture->dialog, fixture->now_ms, fixture->pack)) {
        assert_null (op);
        return;
    }
    json_t *message = talk_unpack (stele_pack_data (fixture->pack), stele_pack_size (fixture->pack));
    if (!op)
        fail_msg ("sent %s, but no message was due", talk_text (message, "op"));
    assert_string_equal (talk_text (message, "op"), op);
    if (strcmp (op, "publish") == 0) {
        assert_int_equal (talk_number (message, "sequence"), sequence);
        assert_int_equal (json_array_size (talk_at (message, "events")), count);
    }
    json_decref (message);
}

//  The next notice that is not a welcome
static stele_notice_t
s_notice (fixture_t *fixture)
{
    stele_notice_t notice = { 0 };
    stele_notices_send (stele_dialog_notices (fixture->dialog), zsock_resolve (fixture->out));
    do {
        int size = zmq_recv (zsock_resolve (fixture->in), &notice, sizeof notice, ZMQ_DONTWAIT);
        if (size < 0)
            fail_msg ("the application received no notice");
    } while (notice.kind == STELE_NOTICE_WELCOME);
    return notice;
}

static void
s_expect_acked (fixture_t *fixture, int64_t number)
{
    stele_notice_t notice = s_notice (fixture);
    assert_int_equal (notice.kind, STELE_NOTICE_ACKED);
    assert_int_equal (notice.number, number);
}

static void
s_expect_ended (fixture_t *fixture, int code)
{
    stele_notice_t notice = s_notice (fixture);
    assert_int_equal (notice.kind, STELE_NOTICE_ENDED);
    assert_int_equal (notice.code, code);
    assert_true (stele_dialog_ended (fixture->dialog));
    s_put (fixture, 1);
    s_expect (fixture, NULL, 0, 0);
}

//  After the handshake, with that number of events sent in one batch
static fixture_t *
s_fixture_sent (int64_t durable, int count)
{
    fixture_t *fixture = s_fixture_new (0, 1000);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, durable, 100);
    s_put (fixture, count);
    stele_dialog_flush (fixture->dialog);
    s_expect (fixture, "publish", durable + 1, (size_t) count);
    s_expect (fixture, NULL, 0, 0);
    return fixture;
}

//  -- batches --------------------------------------------------------------------

static void
test_dialog_before_welcome_sends_nothing (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_new (0, 2);
    s_put (fixture, 5);
    s_expect (fixture, NULL, 0, 0);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_expect (fixture, NULL, 0, 0);
    s_welcome (fixture, 7, 100);
    s_expect (fixture, "publish", 8, 2);
    s_expect (fixture, "publish", 10, 2);
    s_expect (fixture, "publish", 12, 1);
    s_fixture_destroy (fixture);
}

static void
test_dialog_partial_batch_waits_for_delay (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_new (0, 3);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 0, 100);
    s_expect (fixture, NULL, 0, 0);
    s_put (fixture, 4);
    s_expect (fixture, "publish", 1, 3);
    s_expect (fixture, NULL, 0, 0);
    assert_int_equal (stele_dialog_deadline (fixture->dialog, fixture->now_ms), fixture->now_ms + 2);
    fixture->now_ms += 2;
    s_expect (fixture, "publish", 4, 1);
    s_fixture_destroy (fixture);
}

static void
test_dialog_window_full_waits_for_ack (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_new (0, 10);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 0, 15);
    s_put (fixture, 40);
    s_expect (fixture, "publish", 1, 10);
    s_expect (fixture, "publish", 11, 5);
    fixture->now_ms += 100;
    s_expect (fixture, NULL, 0, 0);
    s_receive (fixture, "{'op':'ack','sequence':3,'position':3}");
    s_expect (fixture, "publish", 16, 3);
    s_expect (fixture, NULL, 0, 0);
    s_fixture_destroy (fixture);
}

static void
s_put_sized (fixture_t *fixture, size_t size)
{
    zmq_msg_t event;
    zmq_msg_init_size (&event, size);
    memset (zmq_msg_data (&event), 0, size);
    memcpy (zmq_msg_data (&event), "\xc5", 1);      // A string of bytes, that long
    ((unsigned char *) zmq_msg_data (&event)) [1] = (unsigned char) ((size - 3) >> 8);
    ((unsigned char *) zmq_msg_data (&event)) [2] = (unsigned char) (size - 3);
    stele_dialog_put (fixture->dialog, &event, fixture->now_ms);
    zmq_msg_close (&event);
}

static void
test_dialog_large_events_make_small_batches (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_new (0, 10);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 0, 100);
    const size_t sizes [] = { 900, 900, 3900, 900 };
    for (size_t i = 0; i < 4; i++)
        s_put_sized (fixture, sizes [i]);
    stele_dialog_flush (fixture->dialog);
    s_expect (fixture, "publish", 1, 2);
    s_expect (fixture, "publish", 3, 1);
    s_expect (fixture, "publish", 4, 1);
    s_fixture_destroy (fixture);
}

static int
s_keep_in_file (int64_t number, const void *event, size_t size, const char *why, char *name, size_t name_size, void *arg)
{
    assert_non_null (event);
    assert_int_equal (number, 2);
    assert_int_equal (size, 3900);
    assert_non_null (strstr (why, "3900 bytes"));
    snprintf (name, name_size, "spool.rejected");
    ++*(int *) arg;
    return 0;
}

//  The broker returns with a lower message-bytes than when the event was accepted
static void
test_dialog_event_that_has_become_too_large_is_set_aside (void **state)
{
    (void) state;
    for (int acked = 0; acked < 2; acked++) {
        int kept = 0;
        stele_dialog_settings_t settings = {
            .producer = "p", .instance = "i", .batch_events = 10, .set_aside = s_keep_in_file, .keep_arg = &kept
        };
        fixture_t *fixture = s_fixture_new (0, 10);
        stele_dialog_destroy (&fixture->dialog);
        fixture->dialog = stele_dialog_new (&settings, fixture->now_ms);
        stele_dialog_handshake (fixture->dialog);
        s_expect (fixture, "hello", 0, 0);
        s_receive (fixture, "{'op':'welcome','protocol':1,'ledger':'L','sequence':0,'window':100,'max_bytes':3000,"
            "'heartbeat_ms':1000}");
        s_put (fixture, 1);
        s_put_sized (fixture, 3900);
        s_put (fixture, 1);
        stele_dialog_flush (fixture->dialog);
        s_expect (fixture, "publish", 1, 1);
        s_expect (fixture, "publish", 2, 1);
        assert_true (stele_pack_size (fixture->pack) < 200);        // A note in its place
        s_expect (fixture, NULL, 0, 0);
        //  Sent again after a new connection, kept once
        stele_dialog_handshake (fixture->dialog);
        s_expect (fixture, "hello", 0, 0);
        s_receive (fixture, "{'op':'welcome','protocol':1,'ledger':'L','sequence':1,'window':100,'max_bytes':3000,"
            "'heartbeat_ms':1000}");
        s_expect (fixture, "publish", 2, 1);
        s_receive (fixture, acked? "{'op':'ack','sequence':2,'position':1}":
            "{'op':'nak','sequence':2,'code':'unknown_type','message':'no'}");
        assert_int_equal (kept, 1);
        stele_notice_t notice;
        do
            notice = s_notice (fixture);
        while (notice.kind != STELE_NOTICE_REFUSED);
        assert_int_equal (notice.number, 2);
        assert_int_equal (notice.code, STELE_ETOO_LARGE);
        assert_non_null (strstr (notice.message, "kept in spool.rejected"));
        s_expect (fixture, "publish", 3, 1);
        s_fixture_destroy (fixture);
    }
}

//  -- acks and naks ----------------------------------------------------------------

static void
test_dialog_unread_acks_are_merged (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 10);
    s_receive (fixture, "{'op':'ack','sequence':3,'position':30}");
    s_receive (fixture, "{'op':'ack','sequence':7,'position':70}");
    s_receive (fixture, "{'op':'ack','sequence':5,'position':50}");
    stele_notice_t notice = s_notice (fixture);
    assert_int_equal (notice.kind, STELE_NOTICE_ACKED);
    assert_int_equal (notice.number, 7);
    assert_int_equal (notice.position, 70);
    assert_int_equal (notice.through, 7);
    assert_int_equal (notice.settled, 7);
    assert_false (notice.duplicate);
    assert_int_equal (stele_notices_send (stele_dialog_notices (fixture->dialog),
        zsock_resolve (fixture->out)), true);
    assert_int_equal (zmq_recv (zsock_resolve (fixture->in), &notice, sizeof notice,
        ZMQ_DONTWAIT), -1);
    s_fixture_destroy (fixture);
}

static void
test_dialog_nak_before_ack_is_reported_first (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (100, 6);
    s_receive (fixture, "{'op':'nak','sequence':105,'code':'task_exists','message':'why\\u001b\\u202e!'}");
    s_receive (fixture, "{'op':'nak','sequence':105,'code':'task_exists','message':'again'}");
    s_receive (fixture, "{'op':'ack','sequence':106,'position':9}");
    stele_notice_t notice = s_notice (fixture);
    assert_int_equal (notice.kind, STELE_NOTICE_REFUSED);
    assert_int_equal (notice.number, 5);
    assert_int_equal (notice.code, STELE_EEXISTS);
    assert_string_equal (notice.message, "why?" "?!");
    assert_int_equal (notice.through, 0);
    assert_int_equal (notice.settled, 1);
    notice = s_notice (fixture);
    assert_int_equal (notice.kind, STELE_NOTICE_ACKED);
    assert_int_equal (notice.number, 6);
    assert_int_equal (notice.settled, 6);
    s_fixture_destroy (fixture);
}

static void
test_dialog_nak_after_ack_is_reported (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 2);
    s_receive (fixture, "{'op':'ack','sequence':2,'position':2}");
    s_receive (fixture, "{'op':'nak','sequence':1,'code':'malformed','message':''}");
    s_expect_acked (fixture, 2);
    stele_notice_t notice = s_notice (fixture);
    assert_int_equal (notice.kind, STELE_NOTICE_REFUSED);
    assert_int_equal (notice.number, 1);
    assert_int_equal (notice.settled, 2);
    s_fixture_destroy (fixture);
}

static void
test_dialog_garbage_is_ignored (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 2);
    stele_dialog_receive (fixture->dialog, "\xdf\xff\xff\xff\xff", 5, fixture->now_ms);
    stele_dialog_receive (fixture->dialog, "", 0, fixture->now_ms);
    s_receive (fixture, "[1]");
    s_receive (fixture, "{}");
    s_receive (fixture, "{'op':7}");
    s_receive (fixture, "{'op':'ack'}");
    s_receive (fixture, "{'op':'ack','sequence':'1'}");
    s_receive (fixture, "{'op':'nak','sequence':-3}");
    s_receive (fixture, "{'op':'song','sequence':1}");
    s_receive (fixture, "{'op':'error','code':'never heard of'}");
    s_receive (fixture, "{'op':'ack','sequence':2,'position':2,'extra':{'a':[1]}}");
    s_expect_acked (fixture, 2);
    s_fixture_destroy (fixture);
}

//  -- disturbances -------------------------------------------------------------------

static void
test_dialog_new_connection_resends_later_events (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (10, 8);
    s_receive (fixture, "{'op':'ack','sequence':12,'position':1}");
    s_expect_acked (fixture, 2);
    stele_dialog_handshake (fixture->dialog);
    s_put (fixture, 2);
    s_expect (fixture, "hello", 0, 0);
    s_expect (fixture, NULL, 0, 0);
    s_welcome (fixture, 15, 100);
    s_expect_acked (fixture, 5);
    s_expect (fixture, "publish", 16, 5);
    s_fixture_destroy (fixture);
}

static void
test_dialog_no_hello_restarts_handshake_once (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 3);
    s_receive (fixture, "{'op':'error','code':'no_hello','message':''}");
    s_receive (fixture, "{'op':'error','code':'no_hello','message':''}");
    s_expect (fixture, "hello", 0, 0);
    s_receive (fixture, "{'op':'error','code':'no_hello','message':''}");
    s_expect (fixture, NULL, 0, 0);
    s_welcome (fixture, 0, 100);
    s_expect (fixture, "publish", 1, 3);
    s_fixture_destroy (fixture);
}

static void
test_dialog_gap_resends_from_expected_once (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 9);
    s_receive (fixture, "{'op':'error','code':'sequence_gap','message':'','expected':4}");
    s_receive (fixture, "{'op':'error','code':'sequence_gap','message':'','expected':4}");
    s_expect (fixture, NULL, 0, 0);
    fixture->now_ms += 100;
    s_expect (fixture, "publish", 4, 6);
    s_expect (fixture, NULL, 0, 0);
    s_fixture_destroy (fixture);
}

static void
test_dialog_gap_before_acked_ends (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 9);
    s_receive (fixture, "{'op':'ack','sequence':5,'position':5}");
    s_expect_acked (fixture, 5);
    s_receive (fixture, "{'op':'error','code':'sequence_gap','message':'','expected':4}");
    s_expect_ended (fixture, STELE_EGAP);
    s_fixture_destroy (fixture);
}

static void
test_dialog_window_exceeded_continues_with_ack (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 4);
    s_receive (fixture, "{'op':'error','code':'window_exceeded','message':''}");
    fixture->now_ms += 100;
    s_expect (fixture, NULL, 0, 0);
    s_receive (fixture, "{'op':'ack','sequence':1,'position':1}");
    s_expect (fixture, "publish", 2, 3);
    s_fixture_destroy (fixture);
}

static void
test_dialog_too_large_message_is_split (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_new (0, 4);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 0, 100);
    s_put (fixture, 4);
    s_expect (fixture, "publish", 1, 4);
    s_receive (fixture, "{'op':'error','code':'too_large','message':''}");
    fixture->now_ms += 100;
    s_expect (fixture, "publish", 1, 2);
    s_expect (fixture, "publish", 3, 2);
    s_receive (fixture, "{'op':'error','code':'malformed','message':''}");
    fixture->now_ms += 100;
    s_expect (fixture, "publish", 1, 1);
    s_receive (fixture, "{'op':'error','code':'malformed','message':'hopeless'}");
    s_expect_ended (fixture, STELE_EMALFORMED);
    s_fixture_destroy (fixture);
}

//  Errors of messages that were in flight cause no further splitting
static void
test_dialog_too_large_messages_are_split_once (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_new (0, 4);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 0, 100);
    s_put (fixture, 12);
    for (int first = 1; first < 12; first += 4)
        s_expect (fixture, "publish", first, 4);
    for (int i = 0; i < 3; i++) {
        s_receive (fixture, "{'op':'error','code':'too_large','message':''}");
        fixture->now_ms += 10;
    }
    fixture->now_ms += 100;
    s_expect (fixture, "publish", 1, 2);
    s_fixture_destroy (fixture);
}

static void
test_dialog_missing_acks_restart_handshake_with_backoff (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 4);
    fixture->now_ms += 6000;
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 2, 100);
    s_expect_acked (fixture, 2);
    s_expect (fixture, "publish", 3, 2);
    fixture->now_ms += 6000;
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 2, 100);
    s_expect (fixture, "publish", 3, 2);
    fixture->now_ms += 6000;
    s_expect (fixture, "ping", 0, 0);
    fixture->now_ms += 6000;
    s_expect (fixture, "hello", 0, 0);
    s_fixture_destroy (fixture);
}

static void
test_dialog_idle_pings (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 1);
    s_receive (fixture, "{'op':'ack','sequence':1,'position':1}");
    fixture->now_ms += 1999;
    s_expect (fixture, NULL, 0, 0);
    fixture->now_ms += 1;
    s_expect (fixture, "ping", 0, 0);
    s_expect (fixture, NULL, 0, 0);
    s_fixture_destroy (fixture);
}

//  -- sequences ------------------------------------------------------------------------

static void
test_dialog_first_sequence_durable_is_duplicate (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_new (1, 100);
    s_put (fixture, 2);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 3, 100);
    stele_notice_t notice = s_notice (fixture);
    assert_int_equal (notice.kind, STELE_NOTICE_ACKED);
    assert_int_equal (notice.number, 2);
    assert_true (notice.duplicate);
    s_put (fixture, 3);
    notice = s_notice (fixture);
    assert_int_equal (notice.number, 3);
    assert_true (notice.duplicate);
    stele_dialog_flush (fixture->dialog);
    s_expect (fixture, "publish", 4, 2);
    s_receive (fixture, "{'op':'ack','sequence':5,'position':50}");
    notice = s_notice (fixture);
    assert_int_equal (notice.number, 5);
    assert_false (notice.duplicate);
    s_fixture_destroy (fixture);
}

static void
test_dialog_first_sequence_not_reached_ends (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_new (5, 100);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 3, 100);
    s_expect_ended (fixture, STELE_EGAP);
    s_fixture_destroy (fixture);
}

static void
test_dialog_acked_events_lost_ends (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 9);
    s_receive (fixture, "{'op':'ack','sequence':5,'position':5}");
    s_expect_acked (fixture, 5);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 4, 100);
    s_expect_ended (fixture, STELE_EBEHIND);
    s_fixture_destroy (fixture);
}

static void
test_dialog_other_ledger_ends (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 1);
    s_receive (fixture, "{'op':'welcome','protocol':1,'ledger':'M','sequence':0,'window':9,"
        "'max_bytes':4096,'heartbeat_ms':2000}");
    s_expect_ended (fixture, STELE_ELEDGER);
    s_fixture_destroy (fixture);
}

static void
test_dialog_sequence_of_another_ends (void **state)
{
    (void) state;
    fixture_t *fixture = s_fixture_sent (0, 3);
    s_put (fixture, 4);
    stele_dialog_handshake (fixture->dialog);
    s_expect (fixture, "hello", 0, 0);
    s_welcome (fixture, 4, 100);
    s_expect_ended (fixture, STELE_EFENCED);
    s_fixture_destroy (fixture);
}

static void
test_dialog_fatal_error_ends (void **state)
{
    (void) state;
    const struct { const char *json; int code; } errors [] = {
        { "{'op':'error','code':'fenced','message':'gone'}", STELE_EFENCED },
        { "{'op':'error','code':'unauthorized','message':'gone'}", STELE_EUNAUTHORIZED },
        { "{'op':'error','code':'unsupported_protocol','message':'gone'}", STELE_EPROTOCOL },
        { "{'op':'welcome','protocol':2,'ledger':'L','sequence':0,'window':9,'max_bytes':4096}",
          STELE_EPROTOCOL },
        { "{'op':'welcome','protocol':1}", STELE_EPROTOCOL }
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors [0]; i++) {
        fixture_t *fixture = s_fixture_sent (0, 1);
        s_receive (fixture, errors [i].json);
        s_expect_ended (fixture, errors [i].code);
        assert_false (stele_dialog_pack_next (fixture->dialog, 1000000, fixture->pack));
        s_fixture_destroy (fixture);
    }
}

//  -- with a spool --------------------------------------------------------------

typedef struct {
    int count;                      // Of calls
    int64_t offset;
    char ledger [16];
    int code;                       // To return
} stored_t;

static int
s_store (int64_t offset, const char *ledger, void *arg)
{
    stored_t *self = arg;
    self->count++;
    self->offset = offset;
    snprintf (self->ledger, sizeof self->ledger, "%s", ledger);
    return self->code;
}

//  A dialog with a spool that had acked and given these sequences at that ledger; three events wait
static fixture_t *
s_fixture_spooled (stored_t *stored, const char *ledger, int64_t acked, int64_t given, bool accept_loss)
{
    fixture_t *fixture = s_fixture_new (0, 9);
    stele_dialog_settings_t settings = {
        .producer = "p", .instance = "i", .delay_ms = 2, .batch_events = 9,
        .keep_offset = s_store, .keep_arg = stored, .ledger = ledger, .acked = acked, .given = given,
        .accept_loss = accept_loss
    };
    stele_dialog_destroy (&fixture->dialog);
    fixture->dialog = stele_dialog_new (&settings, fixture->now_ms);
    s_put (fixture, 3);
    stele_dialog_handshake (fixture->dialog);
    return fixture;
}

//  Expect a hello with that 'acked'; 0: without
static void
s_expect_hello_acked (fixture_t *fixture, int64_t acked)
{
    assert_true (stele_dialog_pack_next (fixture->dialog, fixture->now_ms, fixture->pack));
    json_t *message = talk_unpack (stele_pack_data (fixture->pack), stele_pack_size (fixture->pack));
    assert_string_equal (talk_text (message, "op"), "hello");
    assert_int_equal (json_integer_value (json_object_get (message, "acked")), acked);
    json_decref (message);
}

static void
test_dialog_spool_that_met_no_broker_keeps_its_offset_first (void **state)
{
    (void) state;
    stored_t stored = { 0 };
    fixture_t *fixture = s_fixture_spooled (&stored, NULL, 0, 0, false);
    s_expect_hello_acked (fixture, 0);
    s_welcome (fixture, 40, 100);
    assert_int_equal (stored.count, 1);
    assert_int_equal (stored.offset, 40);
    assert_string_equal (stored.ledger, "L");
    s_expect (fixture, "publish", 41, 3);
    s_fixture_destroy (fixture);
}

static void
test_dialog_spool_that_cannot_keep_its_offset_sends_nothing (void **state)
{
    (void) state;
    stored_t stored = { .code = STELE_EIO };
    fixture_t *fixture = s_fixture_spooled (&stored, NULL, 0, 0, false);
    s_expect_hello_acked (fixture, 0);
    s_welcome (fixture, 40, 100);
    s_expect_ended (fixture, STELE_EIO);
    s_fixture_destroy (fixture);
}

static void
test_dialog_spool_resumed_sends_missing_events (void **state)
{
    (void) state;
    stored_t stored = { 0 };
    fixture_t *fixture = s_fixture_spooled (&stored, "L", 40, 43, false);
    s_expect_hello_acked (fixture, 40);
    s_welcome (fixture, 42, 100);
    assert_int_equal (stored.count, 0);
    s_expect_acked (fixture, 2);
    s_expect (fixture, "publish", 43, 1);
    s_fixture_destroy (fixture);
}

static void
test_dialog_spool_behind_the_broker_continues_after_it (void **state)
{
    (void) state;
    stored_t stored = { 0 };
    fixture_t *fixture = s_fixture_spooled (&stored, "L", 40, 43, false);
    s_expect_hello_acked (fixture, 40);
    s_welcome (fixture, 44, 100);
    assert_int_equal (stored.offset, 44);
    s_expect (fixture, "publish", 45, 3);
    s_fixture_destroy (fixture);
}

static void
test_dialog_spool_with_a_shorter_ledger_ends (void **state)
{
    (void) state;
    stored_t stored = { 0 };
    fixture_t *fixture = s_fixture_spooled (&stored, "L", 40, 43, false);
    s_expect_hello_acked (fixture, 40);
    s_receive (fixture, "{'op':'error','code':'ledger_behind','message':'m','sequence':39,'acked':40}");
    s_expect_ended (fixture, STELE_EBEHIND);
    s_fixture_destroy (fixture);
    //  A broker that ignores 'acked'
    fixture = s_fixture_spooled (&stored, "L", 40, 43, false);
    s_expect_hello_acked (fixture, 40);
    s_welcome (fixture, 39, 100);
    s_expect_ended (fixture, STELE_EBEHIND);
    s_fixture_destroy (fixture);
}

static void
test_dialog_spool_with_accepted_loss_continues_after_the_broker (void **state)
{
    (void) state;
    stored_t stored = { 0 };
    fixture_t *fixture = s_fixture_spooled (&stored, "L", 40, 43, true);
    s_expect_hello_acked (fixture, 0);
    s_welcome (fixture, 39, 100);
    assert_int_equal (stored.offset, 39);
    s_expect (fixture, "publish", 40, 3);
    s_fixture_destroy (fixture);
    //  Accepted, but nothing was lost: no event is sent twice
    stored.count = 0;
    fixture = s_fixture_spooled (&stored, "L", 40, 43, true);
    s_expect_hello_acked (fixture, 0);
    s_welcome (fixture, 43, 100);
    assert_int_equal (stored.count, 0);
    s_expect_acked (fixture, 3);
    s_expect (fixture, NULL, 0, 0);
    s_fixture_destroy (fixture);
}

static void
test_dialog_spool_at_another_ledger_ends (void **state)
{
    (void) state;
    stored_t stored = { 0 };
    fixture_t *fixture = s_fixture_spooled (&stored, "M", 0, 3, false);
    s_expect_hello_acked (fixture, 0);
    s_welcome (fixture, 0, 100);
    s_expect_ended (fixture, STELE_ELEDGER);
    s_fixture_destroy (fixture);
}

static void
test_dialog_ledger_renamed_after_a_loss_continues (void **state)
{
    (void) state;
    stored_t stored = { 0 };
    fixture_t *fixture = s_fixture_spooled (&stored, "M", 40, 43, false);
    s_expect_hello_acked (fixture, 40);
    s_receive (fixture, "{'op':'welcome','protocol':1,'ledger':'L','formerly':'M','sequence':40,"
        "'window':100,'max_bytes':4096,'heartbeat_ms':2000}");
    assert_int_equal (stored.offset, 40);
    assert_string_equal (stored.ledger, "L");
    s_expect (fixture, "publish", 41, 3);
    stele_dialog_handshake (fixture->dialog);
    s_expect_hello_acked (fixture, 40);
    s_receive (fixture, "{'op':'welcome','protocol':1,'ledger':'K','formerly':'L','sequence':40,"
        "'window':100,'max_bytes':4096,'heartbeat_ms':2000}");
    s_expect (fixture, "publish", 41, 3);
    s_fixture_destroy (fixture);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_dialog_before_welcome_sends_nothing),
        cmocka_unit_test (test_dialog_partial_batch_waits_for_delay),
        cmocka_unit_test (test_dialog_window_full_waits_for_ack),
        cmocka_unit_test (test_dialog_large_events_make_small_batches),
        cmocka_unit_test (test_dialog_event_that_has_become_too_large_is_set_aside),
        cmocka_unit_test (test_dialog_unread_acks_are_merged),
        cmocka_unit_test (test_dialog_nak_before_ack_is_reported_first),
        cmocka_unit_test (test_dialog_nak_after_ack_is_reported),
        cmocka_unit_test (test_dialog_garbage_is_ignored),
        cmocka_unit_test (test_dialog_new_connection_resends_later_events),
        cmocka_unit_test (test_dialog_no_hello_restarts_handshake_once),
        cmocka_unit_test (test_dialog_gap_resends_from_expected_once),
        cmocka_unit_test (test_dialog_gap_before_acked_ends),
        cmocka_unit_test (test_dialog_window_exceeded_continues_with_ack),
        cmocka_unit_test (test_dialog_too_large_message_is_split),
        cmocka_unit_test (test_dialog_too_large_messages_are_split_once),
        cmocka_unit_test (test_dialog_missing_acks_restart_handshake_with_backoff),
        cmocka_unit_test (test_dialog_idle_pings),
        cmocka_unit_test (test_dialog_first_sequence_durable_is_duplicate),
        cmocka_unit_test (test_dialog_first_sequence_not_reached_ends),
        cmocka_unit_test (test_dialog_acked_events_lost_ends),
        cmocka_unit_test (test_dialog_other_ledger_ends),
        cmocka_unit_test (test_dialog_sequence_of_another_ends),
        cmocka_unit_test (test_dialog_fatal_error_ends),
        cmocka_unit_test (test_dialog_spool_that_met_no_broker_keeps_its_offset_first),
        cmocka_unit_test (test_dialog_spool_that_cannot_keep_its_offset_sends_nothing),
        cmocka_unit_test (test_dialog_spool_resumed_sends_missing_events),
        cmocka_unit_test (test_dialog_spool_behind_the_broker_continues_after_it),
        cmocka_unit_test (test_dialog_spool_with_a_shorter_ledger_ends),
        cmocka_unit_test (test_dialog_spool_with_accepted_loss_continues_after_the_broker),
        cmocka_unit_test (test_dialog_spool_at_another_ledger_ends),
        cmocka_unit_test (test_dialog_ledger_renamed_after_a_loss_continues)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
