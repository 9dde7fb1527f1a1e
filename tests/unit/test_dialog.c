/*  test_dialog - what a producer says, with the broker's words written by hand

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
} desk_t;

static desk_t *
s_desk_new (int64_t first_sequence, size_t batch_events)
{
    desk_t *desk = (desk_t *) zmalloc (sizeof (desk_t));
    stele_dialog_settings_t settings = {
        .producer = "p", .instance = "i", .first_sequence = first_sequence,
        .delay_ms = 2, .batch_events = batch_events
    };
    desk->now_ms = START_MS;
    desk->dialog = stele_dialog_new (&settings, desk->now_ms);
    desk->pack = stele_pack_new ();
    desk->out = zsock_new (ZMQ_PAIR);
    desk->in = zsock_new (ZMQ_PAIR);
    zsock_set_sndhwm (desk->out, 0);
    zsock_set_rcvhwm (desk->in, 0);
    //  A new name each time: a closed socket keeps its own for a moment
    static int desks = 0;
    desks++;
    assert_int_equal (zsock_bind (desk->in, "inproc://desk-%d", desks), 0);
    assert_int_equal (zsock_connect (desk->out, "inproc://desk-%d", desks), 0);
    return desk;
}

static void
s_desk_destroy (desk_t *desk)
{
    stele_dialog_destroy (&desk->dialog);
    stele_pack_destroy (&desk->pack);
    zsock_destroy (&desk->in);
    zsock_destroy (&desk->out);
    free (desk);
}

//  Put events: each an empty map
static void
s_put (desk_t *desk, int count)
{
    for (int i = 0; i < count; i++) {
        zmq_msg_t event;
        zmq_msg_init_size (&event, 1);
        memcpy (zmq_msg_data (&event), "\x80", 1);
        stele_dialog_put (desk->dialog, &event, desk->now_ms);
        zmq_msg_close (&event);
    }
}

static void
s_answer (desk_t *desk, const char *json)
{
    stele_pack_t *pack = talk_pack ("%s", json);
    stele_dialog_receive (desk->dialog, stele_pack_data (pack), stele_pack_size (pack),
        desk->now_ms);
    stele_pack_destroy (&pack);
}

static void
s_welcome (desk_t *desk, int64_t sequence, int64_t window)
{
    char json [256];
    snprintf (json, sizeof json, "{'op':'welcome','protocol':1,'ledger':'L','sequence':%" PRId64
        ",'window':%" PRId64 ",'max_bytes':4096,'heartbeat_ms':2000}", sequence, window);
    s_answer (desk, json);
}

//  The next message is that one; NULL: there is none
static void
s_expect (desk_t *desk, const char *op, int64_t sequence, size_t count)
{
    if (!stele_dialog_pack_next (desk->dialog, desk->now_ms, desk->pack)) {
        assert_null (op);
        return;
    }
    json_t *said = talk_unpack (stele_pack_data (desk->pack), stele_pack_size (desk->pack));
    if (!op)
        fail_msg ("said %s, nothing was due", talk_text (said, "op"));
    assert_string_equal (talk_text (said, "op"), op);
    if (strcmp (op, "publish") == 0) {
        assert_int_equal (talk_number (said, "sequence"), sequence);
        assert_int_equal (json_array_size (talk_at (said, "events")), count);
    }
    json_decref (said);
}

//  The next notice but welcomes
static stele_notice_t
s_notice (desk_t *desk)
{
    stele_notice_t notice = { 0 };
    stele_notices_send (stele_dialog_notices (desk->dialog), zsock_resolve (desk->out));
    do {
        int size = zmq_recv (zsock_resolve (desk->in), &notice, sizeof notice, ZMQ_DONTWAIT);
        if (size < 0)
            fail_msg ("the application is told nothing");
    } while (notice.kind == STELE_NOTICE_WELCOME);
    return notice;
}

static void
s_expect_acked (desk_t *desk, int64_t number)
{
    stele_notice_t notice = s_notice (desk);
    assert_int_equal (notice.kind, STELE_NOTICE_ACKED);
    assert_int_equal (notice.number, number);
}

static void
s_expect_ended (desk_t *desk, int code)
{
    stele_notice_t notice = s_notice (desk);
    assert_int_equal (notice.kind, STELE_NOTICE_ENDED);
    assert_int_equal (notice.code, code);
    assert_true (stele_dialog_ended (desk->dialog));
    s_put (desk, 1);
    s_expect (desk, NULL, 0, 0);
}

//  Greeted and welcomed, with so many events sent in one batch
static desk_t *
s_desk_sent (int64_t durable, int count)
{
    desk_t *desk = s_desk_new (0, 1000);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, durable, 100);
    s_put (desk, count);
    stele_dialog_flush (desk->dialog);
    s_expect (desk, "publish", durable + 1, (size_t) count);
    s_expect (desk, NULL, 0, 0);
    return desk;
}

//  -- batches --------------------------------------------------------------------

static void
test_dialog_before_welcome_sends_nothing (void **state)
{
    (void) state;
    desk_t *desk = s_desk_new (0, 2);
    s_put (desk, 5);
    s_expect (desk, NULL, 0, 0);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_expect (desk, NULL, 0, 0);
    s_welcome (desk, 7, 100);
    s_expect (desk, "publish", 8, 2);
    s_expect (desk, "publish", 10, 2);
    s_expect (desk, "publish", 12, 1);
    s_desk_destroy (desk);
}

static void
test_dialog_partial_batch_waits_for_delay (void **state)
{
    (void) state;
    desk_t *desk = s_desk_new (0, 3);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 0, 100);
    s_expect (desk, NULL, 0, 0);
    s_put (desk, 4);
    s_expect (desk, "publish", 1, 3);
    s_expect (desk, NULL, 0, 0);
    assert_int_equal (stele_dialog_deadline (desk->dialog, desk->now_ms), desk->now_ms + 2);
    desk->now_ms += 2;
    s_expect (desk, "publish", 4, 1);
    s_desk_destroy (desk);
}

static void
test_dialog_window_full_waits_for_ack (void **state)
{
    (void) state;
    desk_t *desk = s_desk_new (0, 10);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 0, 15);
    s_put (desk, 40);
    s_expect (desk, "publish", 1, 10);
    s_expect (desk, "publish", 11, 5);
    desk->now_ms += 100;
    s_expect (desk, NULL, 0, 0);
    s_answer (desk, "{'op':'ack','sequence':3,'position':3}");
    s_expect (desk, "publish", 16, 3);
    s_expect (desk, NULL, 0, 0);
    s_desk_destroy (desk);
}

static void
test_dialog_large_events_make_small_batches (void **state)
{
    (void) state;
    desk_t *desk = s_desk_new (0, 10);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 0, 100);
    const size_t sizes [] = { 900, 900, 3900, 900 };
    for (size_t i = 0; i < 4; i++) {
        zmq_msg_t event;
        zmq_msg_init_size (&event, sizes [i]);
        memset (zmq_msg_data (&event), 0, sizes [i]);
        memcpy (zmq_msg_data (&event), "\xc5", 1);      // A string of bytes, that long
        ((unsigned char *) zmq_msg_data (&event)) [1] = (unsigned char) ((sizes [i] - 3) >> 8);
        ((unsigned char *) zmq_msg_data (&event)) [2] = (unsigned char) (sizes [i] - 3);
        stele_dialog_put (desk->dialog, &event, desk->now_ms);
        zmq_msg_close (&event);
    }
    stele_dialog_flush (desk->dialog);
    s_expect (desk, "publish", 1, 2);
    s_expect (desk, "publish", 3, 1);
    s_expect (desk, "publish", 4, 1);
    s_desk_destroy (desk);
}

//  -- acks and naks ----------------------------------------------------------------

static void
test_dialog_acks_not_taken_are_merged (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 10);
    s_answer (desk, "{'op':'ack','sequence':3,'position':30}");
    s_answer (desk, "{'op':'ack','sequence':7,'position':70}");
    s_answer (desk, "{'op':'ack','sequence':5,'position':50}");
    stele_notice_t notice = s_notice (desk);
    assert_int_equal (notice.kind, STELE_NOTICE_ACKED);
    assert_int_equal (notice.number, 7);
    assert_int_equal (notice.position, 70);
    assert_int_equal (notice.through, 7);
    assert_int_equal (notice.settled, 7);
    assert_false (notice.duplicate);
    assert_int_equal (stele_notices_send (stele_dialog_notices (desk->dialog),
        zsock_resolve (desk->out)), true);
    assert_int_equal (zmq_recv (zsock_resolve (desk->in), &notice, sizeof notice,
        ZMQ_DONTWAIT), -1);
    s_desk_destroy (desk);
}

static void
test_dialog_nak_before_ack_is_told_first (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (100, 6);
    s_answer (desk, "{'op':'nak','sequence':105,'code':'task_exists','message':'why'}");
    s_answer (desk, "{'op':'nak','sequence':105,'code':'task_exists','message':'again'}");
    s_answer (desk, "{'op':'ack','sequence':106,'position':9}");
    stele_notice_t notice = s_notice (desk);
    assert_int_equal (notice.kind, STELE_NOTICE_REFUSED);
    assert_int_equal (notice.number, 5);
    assert_int_equal (notice.code, STELE_EEXISTS);
    assert_string_equal (notice.message, "why");
    assert_int_equal (notice.through, 0);
    assert_int_equal (notice.settled, 1);
    notice = s_notice (desk);
    assert_int_equal (notice.kind, STELE_NOTICE_ACKED);
    assert_int_equal (notice.number, 6);
    assert_int_equal (notice.settled, 6);
    s_desk_destroy (desk);
}

static void
test_dialog_nak_after_ack_is_told (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 2);
    s_answer (desk, "{'op':'ack','sequence':2,'position':2}");
    s_answer (desk, "{'op':'nak','sequence':1,'code':'malformed','message':''}");
    s_expect_acked (desk, 2);
    stele_notice_t notice = s_notice (desk);
    assert_int_equal (notice.kind, STELE_NOTICE_REFUSED);
    assert_int_equal (notice.number, 1);
    assert_int_equal (notice.settled, 2);
    s_desk_destroy (desk);
}

static void
test_dialog_garbage_is_ignored (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 2);
    stele_dialog_receive (desk->dialog, "\xdf\xff\xff\xff\xff", 5, desk->now_ms);
    stele_dialog_receive (desk->dialog, "", 0, desk->now_ms);
    s_answer (desk, "[1]");
    s_answer (desk, "{}");
    s_answer (desk, "{'op':7}");
    s_answer (desk, "{'op':'ack'}");
    s_answer (desk, "{'op':'ack','sequence':'1'}");
    s_answer (desk, "{'op':'nak','sequence':-3}");
    s_answer (desk, "{'op':'song','sequence':1}");
    s_answer (desk, "{'op':'error','code':'never heard of'}");
    s_answer (desk, "{'op':'ack','sequence':2,'position':2,'extra':{'a':[1]}}");
    s_expect_acked (desk, 2);
    s_desk_destroy (desk);
}

//  -- coming back --------------------------------------------------------------------

static void
test_dialog_new_connection_resends_what_is_later (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (10, 8);
    s_answer (desk, "{'op':'ack','sequence':12,'position':1}");
    s_expect_acked (desk, 2);
    stele_dialog_handshake (desk->dialog);
    s_put (desk, 2);
    s_expect (desk, "hello", 0, 0);
    s_expect (desk, NULL, 0, 0);
    s_welcome (desk, 15, 100);
    s_expect_acked (desk, 5);
    s_expect (desk, "publish", 16, 5);
    s_desk_destroy (desk);
}

static void
test_dialog_no_hello_greets_once (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 3);
    s_answer (desk, "{'op':'error','code':'no_hello','message':''}");
    s_answer (desk, "{'op':'error','code':'no_hello','message':''}");
    s_expect (desk, "hello", 0, 0);
    s_answer (desk, "{'op':'error','code':'no_hello','message':''}");
    s_expect (desk, NULL, 0, 0);
    s_welcome (desk, 0, 100);
    s_expect (desk, "publish", 1, 3);
    s_desk_destroy (desk);
}

static void
test_dialog_gap_resends_from_expected_once (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 9);
    s_answer (desk, "{'op':'error','code':'sequence_gap','message':'','expected':4}");
    s_answer (desk, "{'op':'error','code':'sequence_gap','message':'','expected':4}");
    s_expect (desk, NULL, 0, 0);
    desk->now_ms += 100;
    s_expect (desk, "publish", 4, 6);
    s_expect (desk, NULL, 0, 0);
    s_desk_destroy (desk);
}

static void
test_dialog_gap_before_acked_ends (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 9);
    s_answer (desk, "{'op':'ack','sequence':5,'position':5}");
    s_expect_acked (desk, 5);
    s_answer (desk, "{'op':'error','code':'sequence_gap','message':'','expected':4}");
    s_expect_ended (desk, STELE_EGAP);
    s_desk_destroy (desk);
}

static void
test_dialog_window_exceeded_goes_on_with_ack (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 4);
    s_answer (desk, "{'op':'error','code':'window_exceeded','message':''}");
    desk->now_ms += 100;
    s_expect (desk, NULL, 0, 0);
    s_answer (desk, "{'op':'ack','sequence':1,'position':1}");
    s_expect (desk, "publish", 2, 3);
    s_desk_destroy (desk);
}

static void
test_dialog_too_large_message_is_split (void **state)
{
    (void) state;
    desk_t *desk = s_desk_new (0, 4);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 0, 100);
    s_put (desk, 4);
    s_expect (desk, "publish", 1, 4);
    s_answer (desk, "{'op':'error','code':'too_large','message':''}");
    desk->now_ms += 100;
    s_expect (desk, "publish", 1, 2);
    s_expect (desk, "publish", 3, 2);
    s_answer (desk, "{'op':'error','code':'malformed','message':''}");
    desk->now_ms += 100;
    s_expect (desk, "publish", 1, 1);
    s_answer (desk, "{'op':'error','code':'malformed','message':'hopeless'}");
    s_expect_ended (desk, STELE_EMALFORMED);
    s_desk_destroy (desk);
}

//  Messages that were on their way are no reason to go on splitting
static void
test_dialog_too_large_messages_are_split_once (void **state)
{
    (void) state;
    desk_t *desk = s_desk_new (0, 4);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 0, 100);
    s_put (desk, 12);
    for (int first = 1; first < 12; first += 4)
        s_expect (desk, "publish", first, 4);
    for (int i = 0; i < 3; i++) {
        s_answer (desk, "{'op':'error','code':'too_large','message':''}");
        desk->now_ms += 10;
    }
    desk->now_ms += 100;
    s_expect (desk, "publish", 1, 2);
    s_desk_destroy (desk);
}

static void
test_dialog_silent_acks_greet_then_wait_longer (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 4);
    desk->now_ms += 6000;
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 2, 100);
    s_expect_acked (desk, 2);
    s_expect (desk, "publish", 3, 2);
    desk->now_ms += 6000;
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 2, 100);
    s_expect (desk, "publish", 3, 2);
    desk->now_ms += 6000;
    s_expect (desk, "ping", 0, 0);
    desk->now_ms += 6000;
    s_expect (desk, "hello", 0, 0);
    s_desk_destroy (desk);
}

static void
test_dialog_idle_pings (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 1);
    s_answer (desk, "{'op':'ack','sequence':1,'position':1}");
    desk->now_ms += 1999;
    s_expect (desk, NULL, 0, 0);
    desk->now_ms += 1;
    s_expect (desk, "ping", 0, 0);
    s_expect (desk, NULL, 0, 0);
    s_desk_destroy (desk);
}

//  -- sequences ------------------------------------------------------------------------

static void
test_dialog_first_sequence_durable_is_duplicate (void **state)
{
    (void) state;
    desk_t *desk = s_desk_new (1, 100);
    s_put (desk, 2);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 3, 100);
    stele_notice_t notice = s_notice (desk);
    assert_int_equal (notice.kind, STELE_NOTICE_ACKED);
    assert_int_equal (notice.number, 2);
    assert_true (notice.duplicate);
    s_put (desk, 3);
    notice = s_notice (desk);
    assert_int_equal (notice.number, 3);
    assert_true (notice.duplicate);
    stele_dialog_flush (desk->dialog);
    s_expect (desk, "publish", 4, 2);
    s_answer (desk, "{'op':'ack','sequence':5,'position':50}");
    notice = s_notice (desk);
    assert_int_equal (notice.number, 5);
    assert_false (notice.duplicate);
    s_desk_destroy (desk);
}

static void
test_dialog_first_sequence_not_reached_ends (void **state)
{
    (void) state;
    desk_t *desk = s_desk_new (5, 100);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 3, 100);
    s_expect_ended (desk, STELE_EGAP);
    s_desk_destroy (desk);
}

static void
test_dialog_acked_events_lost_ends (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 9);
    s_answer (desk, "{'op':'ack','sequence':5,'position':5}");
    s_expect_acked (desk, 5);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 4, 100);
    s_expect_ended (desk, STELE_EBEHIND);
    s_desk_destroy (desk);
}

static void
test_dialog_other_ledger_ends (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 1);
    s_answer (desk, "{'op':'welcome','protocol':1,'ledger':'M','sequence':0,'window':9,"
        "'max_bytes':4096,'heartbeat_ms':2000}");
    s_expect_ended (desk, STELE_ELEDGER);
    s_desk_destroy (desk);
}

static void
test_dialog_sequence_of_another_ends (void **state)
{
    (void) state;
    desk_t *desk = s_desk_sent (0, 3);
    s_put (desk, 4);
    stele_dialog_handshake (desk->dialog);
    s_expect (desk, "hello", 0, 0);
    s_welcome (desk, 4, 100);
    s_expect_ended (desk, STELE_EFENCED);
    s_desk_destroy (desk);
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
        desk_t *desk = s_desk_sent (0, 1);
        s_answer (desk, errors [i].json);
        s_expect_ended (desk, errors [i].code);
        assert_false (stele_dialog_pack_goodbye (desk->dialog, desk->pack));
        s_desk_destroy (desk);
    }
}

//  -- with a spool --------------------------------------------------------------

typedef struct {
    int count;                      // Of calls
    int64_t offset;
    char ledger [16];
    int code;                       // To return
} kept_t;

static int
s_keep (int64_t offset, const char *ledger, void *arg)
{
    kept_t *self = arg;
    self->count++;
    self->offset = offset;
    snprintf (self->ledger, sizeof self->ledger, "%s", ledger);
    return self->code;
}

//  A dialog whose spool had acked and given these sequences at that ledger; three events wait
static desk_t *
s_desk_spooled (kept_t *kept, const char *ledger, int64_t acked, int64_t given, bool accept_loss)
{
    desk_t *desk = s_desk_new (0, 9);
    stele_dialog_settings_t settings = {
        .producer = "p", .instance = "i", .delay_ms = 2, .batch_events = 9,
        .keep_offset = s_keep, .keep_arg = kept, .ledger = ledger, .acked = acked, .given = given,
        .accept_loss = accept_loss
    };
    stele_dialog_destroy (&desk->dialog);
    desk->dialog = stele_dialog_new (&settings, desk->now_ms);
    s_put (desk, 3);
    stele_dialog_handshake (desk->dialog);
    return desk;
}

//  The hello says that; 0: nothing
static void
s_expect_hello_acked (desk_t *desk, int64_t acked)
{
    assert_true (stele_dialog_pack_next (desk->dialog, desk->now_ms, desk->pack));
    json_t *said = talk_unpack (stele_pack_data (desk->pack), stele_pack_size (desk->pack));
    assert_string_equal (talk_text (said, "op"), "hello");
    assert_int_equal (json_integer_value (json_object_get (said, "acked")), acked);
    json_decref (said);
}

static void
test_dialog_spool_that_met_no_broker_keeps_its_offset_first (void **state)
{
    (void) state;
    kept_t kept = { 0 };
    desk_t *desk = s_desk_spooled (&kept, NULL, 0, 0, false);
    s_expect_hello_acked (desk, 0);
    s_welcome (desk, 40, 100);
    assert_int_equal (kept.count, 1);
    assert_int_equal (kept.offset, 40);
    assert_string_equal (kept.ledger, "L");
    s_expect (desk, "publish", 41, 3);
    s_desk_destroy (desk);
}

static void
test_dialog_spool_that_cannot_keep_its_offset_sends_nothing (void **state)
{
    (void) state;
    kept_t kept = { .code = STELE_EIO };
    desk_t *desk = s_desk_spooled (&kept, NULL, 0, 0, false);
    s_expect_hello_acked (desk, 0);
    s_welcome (desk, 40, 100);
    s_expect_ended (desk, STELE_EIO);
    s_desk_destroy (desk);
}

static void
test_dialog_spool_resumed_sends_what_the_broker_lacks (void **state)
{
    (void) state;
    kept_t kept = { 0 };
    desk_t *desk = s_desk_spooled (&kept, "L", 40, 43, false);
    s_expect_hello_acked (desk, 40);
    s_welcome (desk, 42, 100);
    assert_int_equal (kept.count, 0);
    s_expect_acked (desk, 2);
    s_expect (desk, "publish", 43, 1);
    s_desk_destroy (desk);
}

static void
test_dialog_spool_behind_the_broker_goes_on_after_it (void **state)
{
    (void) state;
    kept_t kept = { 0 };
    desk_t *desk = s_desk_spooled (&kept, "L", 40, 43, false);
    s_expect_hello_acked (desk, 40);
    s_welcome (desk, 44, 100);
    assert_int_equal (kept.offset, 44);
    s_expect (desk, "publish", 45, 3);
    s_desk_destroy (desk);
}

static void
test_dialog_spool_at_a_ledger_behind_ends (void **state)
{
    (void) state;
    kept_t kept = { 0 };
    desk_t *desk = s_desk_spooled (&kept, "L", 40, 43, false);
    s_expect_hello_acked (desk, 40);
    s_answer (desk, "{'op':'error','code':'ledger_behind','message':'m','sequence':39,'acked':40}");
    s_expect_ended (desk, STELE_EBEHIND);
    s_desk_destroy (desk);
    //  A broker that does not know 'acked'
    desk = s_desk_spooled (&kept, "L", 40, 43, false);
    s_expect_hello_acked (desk, 40);
    s_welcome (desk, 39, 100);
    s_expect_ended (desk, STELE_EBEHIND);
    s_desk_destroy (desk);
}

static void
test_dialog_spool_with_accepted_loss_goes_on_where_the_broker_is (void **state)
{
    (void) state;
    kept_t kept = { 0 };
    desk_t *desk = s_desk_spooled (&kept, "L", 40, 43, true);
    s_expect_hello_acked (desk, 0);
    s_welcome (desk, 39, 100);
    assert_int_equal (kept.offset, 39);
    s_expect (desk, "publish", 40, 3);
    s_desk_destroy (desk);
    //  Accepted, but nothing was lost: no event is sent a second time
    kept.count = 0;
    desk = s_desk_spooled (&kept, "L", 40, 43, true);
    s_expect_hello_acked (desk, 0);
    s_welcome (desk, 43, 100);
    assert_int_equal (kept.count, 0);
    s_expect_acked (desk, 3);
    s_expect (desk, NULL, 0, 0);
    s_desk_destroy (desk);
}

static void
test_dialog_spool_at_another_ledger_ends (void **state)
{
    (void) state;
    kept_t kept = { 0 };
    desk_t *desk = s_desk_spooled (&kept, "M", 0, 3, false);
    s_expect_hello_acked (desk, 0);
    s_welcome (desk, 0, 100);
    s_expect_ended (desk, STELE_ELEDGER);
    s_desk_destroy (desk);
}

static void
test_dialog_ledger_renamed_after_a_loss_goes_on (void **state)
{
    (void) state;
    kept_t kept = { 0 };
    desk_t *desk = s_desk_spooled (&kept, "M", 40, 43, false);
    s_expect_hello_acked (desk, 40);
    s_answer (desk, "{'op':'welcome','protocol':1,'ledger':'L','formerly':'M','sequence':40,"
        "'window':100,'max_bytes':4096,'heartbeat_ms':2000}");
    assert_int_equal (kept.offset, 40);
    assert_string_equal (kept.ledger, "L");
    s_expect (desk, "publish", 41, 3);
    stele_dialog_handshake (desk->dialog);
    s_expect_hello_acked (desk, 40);
    s_answer (desk, "{'op':'welcome','protocol':1,'ledger':'K','formerly':'L','sequence':40,"
        "'window':100,'max_bytes':4096,'heartbeat_ms':2000}");
    s_expect (desk, "publish", 41, 3);
    s_desk_destroy (desk);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_dialog_before_welcome_sends_nothing),
        cmocka_unit_test (test_dialog_partial_batch_waits_for_delay),
        cmocka_unit_test (test_dialog_window_full_waits_for_ack),
        cmocka_unit_test (test_dialog_large_events_make_small_batches),
        cmocka_unit_test (test_dialog_acks_not_taken_are_merged),
        cmocka_unit_test (test_dialog_nak_before_ack_is_told_first),
        cmocka_unit_test (test_dialog_nak_after_ack_is_told),
        cmocka_unit_test (test_dialog_garbage_is_ignored),
        cmocka_unit_test (test_dialog_new_connection_resends_what_is_later),
        cmocka_unit_test (test_dialog_no_hello_greets_once),
        cmocka_unit_test (test_dialog_gap_resends_from_expected_once),
        cmocka_unit_test (test_dialog_gap_before_acked_ends),
        cmocka_unit_test (test_dialog_window_exceeded_goes_on_with_ack),
        cmocka_unit_test (test_dialog_too_large_message_is_split),
        cmocka_unit_test (test_dialog_too_large_messages_are_split_once),
        cmocka_unit_test (test_dialog_silent_acks_greet_then_wait_longer),
        cmocka_unit_test (test_dialog_idle_pings),
        cmocka_unit_test (test_dialog_first_sequence_durable_is_duplicate),
        cmocka_unit_test (test_dialog_first_sequence_not_reached_ends),
        cmocka_unit_test (test_dialog_acked_events_lost_ends),
        cmocka_unit_test (test_dialog_other_ledger_ends),
        cmocka_unit_test (test_dialog_sequence_of_another_ends),
        cmocka_unit_test (test_dialog_fatal_error_ends),
        cmocka_unit_test (test_dialog_spool_that_met_no_broker_keeps_its_offset_first),
        cmocka_unit_test (test_dialog_spool_that_cannot_keep_its_offset_sends_nothing),
        cmocka_unit_test (test_dialog_spool_resumed_sends_what_the_broker_lacks),
        cmocka_unit_test (test_dialog_spool_behind_the_broker_goes_on_after_it),
        cmocka_unit_test (test_dialog_spool_at_a_ledger_behind_ends),
        cmocka_unit_test (test_dialog_spool_with_accepted_loss_goes_on_where_the_broker_is),
        cmocka_unit_test (test_dialog_spool_at_another_ledger_ends),
        cmocka_unit_test (test_dialog_ledger_renamed_after_a_loss_goes_on)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
