#!/usr/bin/env python3
# test_dialog - the producer's side without a socket: sequences, disturbances, resending
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import unittest
from datetime import datetime, timedelta, timezone

from stele_client import dialog, errors, events, nodes, operations, order, wire


def event(number):
    return {"type": "task.updated", "task_id": "t", "title": str(number)}


class TestNodes(unittest.TestCase):
    def test_list_goes_round_and_a_named_writer_is_visited(self):
        self.assertEqual(nodes.split(" tcp://a:1 , ipc:///b,c"), ["tcp://a:1", "ipc:///b,c"])
        one = nodes.Nodes("tcp://a:1")
        self.assertFalse(one.several)
        one.move("ipc:///x, tcp://b:1")
        self.assertEqual((one.current, one.several), ("tcp://b:1", True))
        one.move()
        self.assertEqual((one.current, one.several), ("tcp://a:1", False))
        for unusable in ("", "ipc:///x", "inproc://x", "tcp://"):
            one.move(unusable)
            self.assertEqual(one.current, "tcp://a:1")
        both = nodes.Nodes("tcp://a:1,ipc:///b")
        self.assertEqual(both.move("ipc:///b"), 0)
        self.assertEqual(both.current, "ipc:///b")
        self.assertGreater(both.move("tcp://c:1"), 0)
        self.assertEqual(both.current, "tcp://a:1")
        pauses = [both.move() for _ in range(100)]
        self.assertEqual((pauses, pauses[-1]), (sorted(pauses), nodes.PAUSE_MAX_S))


class TestDialog(unittest.TestCase):

    def setUp(self):
        self.now = 100.0
        self.dialog = dialog.Dialog("p", "run")
        self.settled = []

    def add(self, *numbers):
        for number in numbers:
            self.dialog.add(event(number), lambda *result, number=number: self.settled.append((number, *result)))

    def out(self, seconds=0.0):
        self.now += seconds
        return [wire.unpack(message) for message in self.dialog.outgoing(self.now)]

    def receive(self, op, **keys):
        self.dialog.received(wire.pack(dict(keys, op=op)), self.now)

    def welcome(self, sequence=0, ledger="L", window=100, max_bytes=1 << 20):
        self.receive("welcome", protocol=1, ledger=ledger, sequence=sequence, window=window,
                   max_bytes=max_bytes, heartbeat_ms=1000)

    def open(self, **welcome):
        self.assertEqual([m["op"] for m in self.out()], ["hello"])
        self.welcome(**welcome)

    def titles(self, message):
        return [one["title"] for one in message["events"]]

    def test_first_sends_hello_then_continues_after_the_welcome(self):
        self.add(1, 2)
        self.open(sequence=41)
        publish, = self.out()
        self.assertEqual((publish["op"], publish["sequence"], self.titles(publish)), ("publish", 42, ["1", "2"]))
        self.receive("ack", sequence=43, position=7)
        self.assertEqual([(n, r.sequence, r.position, r.refused, e) for n, r, e in self.settled],
                         [(1, 42, 7, False, None), (2, 43, 7, False, None)])
        self.assertEqual(len(self.dialog), 0)
        self.assertEqual(self.dialog.bytes, 0)

    def test_nak_settles_with_the_ack_as_refused(self):
        self.open()
        self.add(1, 2)
        self.out()
        self.receive("nak", sequence=2, code="invalid_field", message="no", field="title")
        self.assertEqual(self.settled, [])
        self.receive("ack", sequence=2, position=1)
        self.assertEqual([(n, r.code, r.field) for n, r, e in self.settled],
                         [(1, None, None), (2, "invalid_field", "title")])

    def test_node_that_is_not_the_writer_names_it_until_the_next_connection(self):
        self.open()
        self.add(1, 2)
        self.out()
        self.receive("ack", sequence=1, position=1)
        for _ in range(2):                  # Each message in flight is answered
            self.receive("error", code="not_writer", message="follows", writer="tcp://b:1")
        self.assertEqual((self.dialog.writer, self.dialog.follows, self.dialog.error), ("tcp://b:1", "follows", None))
        self.dialog.reconnect()
        self.assertIsNone(self.dialog.writer)
        hello, = self.out()
        self.assertEqual((hello["op"], hello["instance"], hello["acked"]), ("hello", "run", 1))
        self.receive("error", code="not_writer", message="follows")
        self.assertEqual(self.dialog.writer, "")
        self.dialog.reconnect()
        self.out()
        self.welcome(sequence=1)
        self.assertIsNone(self.dialog.follows)
        publish, = self.out()
        self.assertEqual((publish["sequence"], self.titles(publish)), (2, ["2"]))

    def test_silence_counts_from_the_first_message_without_an_answer(self):
        self.assertFalse(self.dialog.is_silent(self.now, 1))
        self.out()
        self.assertFalse(self.dialog.is_silent(self.now + 0.9, 1))
        self.assertTrue(self.dialog.is_silent(self.now + 1, 1))
        self.welcome()
        self.now += 1000                    # Nothing was asked
        self.assertFalse(self.dialog.is_silent(self.now, 1))
        self.add(1)
        self.out()
        self.out(dialog.SILENCE_S)          # The ping that follows does not count as the first
        self.assertFalse(self.dialog.is_silent(self.now + 1, 1))
        self.assertTrue(self.dialog.is_silent(self.now + nodes.SILENT_S - dialog.SILENCE_S, 1))

    def test_restarted_broker_gets_only_missing_events(self):
        self.open()
        self.add(1, 2, 3)
        self.out()
        self.receive("error", code="no_hello", message="who are you")
        hello, = self.out()
        self.assertEqual(hello["op"], "hello")
        self.receive("error", code="no_hello", message="sent twice")
        self.assertEqual(self.out(), [])
        self.welcome(sequence=2)
        self.assertEqual([n for n, _, _ in self.settled], [1, 2])
        publish, = self.out()
        self.assertEqual((publish["sequence"], self.titles(publish)), (3, ["3"]))

    def test_resent_and_new_events_keep_their_order(self):
        self.open()
        self.add(1, 2)
        self.out()
        self.add(3)
        self.receive("error", code="sequence_gap", message="gap", expected=1)
        self.out()
        self.welcome(sequence=0)
        publish, = self.out()
        self.assertEqual((publish["sequence"], self.titles(publish)), (1, ["1", "2", "3"]))

    def test_window_is_kept(self):
        self.open(window=2)
        self.add(1, 2, 3)
        publish, = self.out()
        self.assertEqual(len(publish["events"]), 2)
        self.receive("ack", sequence=1, position=1)
        publish, = self.out()
        self.assertEqual((publish["sequence"], self.titles(publish)), (3, ["3"]))

    def test_message_limit_is_kept_and_a_larger_event_is_invalid(self):
        self.add("x" * 3000, 1)
        self.open(max_bytes=1000)
        publish, = self.out()
        self.assertEqual((publish["sequence"], self.titles(publish)), (1, ["1"]))
        self.assertIsInstance(self.settled[0][2], errors.InvalidEvent)
        with self.assertRaises(errors.InvalidEvent):
            self.add("x" * 1000)
        for number in range(30):
            self.add("y" * 100)
        for message in self.dialog.outgoing(self.now):
            self.assertLessEqual(len(message), 1000)

    def test_no_answer_to_hello_sends_it_again(self):
        self.assertEqual([m["op"] for m in self.out()], ["hello"])
        self.assertEqual(self.out(1), [])
        self.assertEqual([m["op"] for m in self.out(dialog.HANDSHAKE_S)], ["hello"])

    def test_silence_while_acks_are_due_sends_a_ping(self):
        self.open()
        self.assertEqual(self.out(60), [])
        self.add(1)
        self.assertEqual([m["op"] for m in self.out()], ["publish"])
        self.assertLessEqual(self.dialog.timeout(self.now), dialog.SILENCE_S)
        self.assertEqual([m["op"] for m in self.out(dialog.SILENCE_S)], ["ping"])
        self.receive("pong")
        self.assertEqual(self.out(), [])

    def test_lease_is_requested_and_renewed_by_pings(self):
        self.dialog = dialog.Dialog("p", "run", 3000)
        hello, = self.out()
        self.assertEqual(hello["lease_ms"], 3000)
        self.welcome()
        self.assertLessEqual(self.dialog.timeout(self.now), 1.0)
        self.assertEqual([m["op"] for m in self.out(1)], ["ping"])

    def test_fenced_ends_everything(self):
        self.open()
        self.add(1)
        self.out()
        self.add(2)
        self.receive("error", code="fenced", message="another run")
        self.assertEqual([(n, type(e)) for n, _, e in self.settled], [(1, errors.Fenced), (2, errors.Fenced)])
        with self.assertRaises(errors.Fenced):
            self.add(3)

    def test_ledger_that_lost_acked_events_ends_the_dialog(self):
        for welcome in ({"sequence": 4}, {"sequence": 5, "ledger": "M"}):
            self.setUp()
            self.open()
            self.add(1, 2, 3, 4, 5)
            self.out()
            self.receive("ack", sequence=5, position=5)
            self.receive("error", code="no_hello", message="")
            hello, = self.out()
            self.assertEqual(hello["acked"], 5)
            self.welcome(**welcome)
            self.assertIsInstance(self.dialog.error, errors.LedgerBehind)

    def test_ledger_that_lost_no_event_of_the_producer_continues(self):
        self.open()
        self.receive("error", code="no_hello", message="")
        self.out()
        self.receive("welcome", protocol=1, ledger="M", formerly="L", sequence=0, window=100, max_bytes=1000,
                   heartbeat_ms=1000)
        self.add(1)
        self.assertEqual([m["op"] for m in self.out()], ["publish"])

    def test_follower_of_another_ledger_fails(self):
        follower = order.Order(0, True)
        follower.from_feed(b"heartbeat", wire.pack({"position": 0, "ledger": "L"}))
        with self.assertRaises(errors.LedgerBehind):
            follower.from_feed(b"heartbeat", wire.pack({"position": 9, "ledger": "M"}))

    def test_follower_ignores_what_it_does_not_know(self):
        follower = order.Order(4, True)
        follower.from_ledger({"head": 4, "next": None})
        self.assertIsNone(follower.from_feed(b"heartbeat", wire.pack({"position": 4, "ledger": "L", "checkpoint": "a note\n"})))
        self.assertIsNone(follower.from_feed(b"unknown", wire.pack({"size": 9})))
        self.assertEqual(follower.from_feed(b"task.updated/t", wire.pack({"position": 5})), {"position": 5})

    def test_follower_without_query_delivers_what_the_feed_has(self):
        refusal = errors.RequestFailed({"code": "unauthorized", "message": "events.read needs the role query"})
        with self.assertRaises(errors.RequestFailed):
            order.Order(0, True).from_refusal(refusal)
        follower = order.Order(5, True, from_now=True)
        with self.assertRaises(errors.RequestFailed):
            follower.from_refusal(errors.RequestFailed({"code": "internal"}))
        with self.assertWarnsRegex(RuntimeWarning, "role query.*only new events"):
            follower.from_refusal(refusal)
        for message, delivered in (({"position": 5}, False), ({"position": 7}, True), ({"position": 7}, False),
                                   ({"position": 9, "content_omitted": 70000}, True)):
            self.assertEqual(follower.from_feed(b"task.updated/t", wire.pack(message)), message if delivered else None)
        follower.from_feed(b"heartbeat", wire.pack({"position": 12, "ledger": "L"}))
        self.assertFalse(follower.missing)
        with self.assertRaises(errors.LedgerBehind):
            follower.from_feed(b"heartbeat", wire.pack({"position": 11, "ledger": "L"}))

    def test_sequences_of_another_client_are_detected(self):
        self.open()
        self.receive("error", code="no_hello", message="")
        self.add(1)
        self.out()
        self.welcome(sequence=9)
        self.assertIsInstance(self.dialog.error, errors.Fenced)

    def test_goodbye_settles_remaining_events(self):
        self.open()
        self.add(1)
        self.assertEqual([wire.unpack(m) for m in self.dialog.close(True)], [{"op": "goodbye"}])
        self.assertIsInstance(self.settled[0][2], errors.Closed)

    def test_goodbye_is_sent_only_if_it_is_wanted(self):
        self.open()
        self.assertEqual(self.dialog.close(False), [])

    def test_goodbye_may_keep_the_tasks(self):
        self.open()
        self.assertEqual(wire.unpack(self.dialog.close(True, True)[0]), {"op": "goodbye", "keep": True})

    def test_event_gets_the_time_at_which_it_is_added(self):
        before = wire.now()
        self.add(1)
        self.dialog.add(dict(event(2), time=datetime(2026, 1, 1, tzinfo=timezone.utc)), lambda *_: None)
        after = wire.now()
        self.open()
        publish, = self.out(12)             # No broker until then
        first, second = publish["events"]
        self.assertTrue(before <= first["time"] <= after, first)
        self.assertEqual(second["time"], 1767225600000000)

    def test_seconds_and_floats_are_refused_as_times(self):
        for value in (1772000000, 1772000000000, 1772000000.5, 0):
            with self.assertRaisesRegex(errors.InvalidEvent, "microseconds since 1970; use datetime.now"):
                self.dialog.add(dict(event(1), time=value), lambda *_: None)
        self.dialog.add(dict(event(1), time=1772000000000000), lambda *_: None)
        with self.assertRaisesRegex(ValueError, "created_from: 1772000000 is not a time"):
            operations.known({"created_from": 1772000000})

    def test_misspelt_field_is_refused(self):
        with self.assertRaisesRegex(TypeError, "task.state_changed has no field 'providr': did you mean 'provider'"):
            events.task_state_changed("t", "running", providr="acme")
        with self.assertRaisesRegex(TypeError, "extra="):
            events.task_created("t", "", "", "r", zzz=1)
        self.assertEqual(events.task_updated("t", title="x", extra={"zzz": 1}),
                         {"type": "task.updated", "task_id": "t", "title": "x", "zzz": 1})

    def test_refusals_ends_and_reconnections_are_logged(self):
        with self.assertLogs("stele", "INFO") as logged:
            self.open()
            self.add(1)
            self.out()
            self.receive("nak", sequence=1, code="invalid_field", message="no", field="title")
            self.receive("ack", sequence=1, position=1)
            self.receive("error", code="no_hello", message="")
            self.out()
            self.welcome(sequence=1)
            self.receive("error", code="fenced", message="another run")
        self.assertEqual([(record.levelname, record.getMessage()) for record in logged.records], [
            ("INFO", "producer p: connected to ledger L, at sequence 0"),
            ("WARNING", "producer p: event refused: task.updated t: invalid_field: no"),
            ("WARNING", "producer p: connected again, at sequence 1; events to send: 0"),
            ("ERROR", "producer p has ended, all events are acked: fenced: another run")])

    def test_event_that_msgpack_cannot_encode_is_invalid(self):
        for value in (object(), 1 << 80, datetime(2026, 1, 1)):
            with self.assertRaises(errors.InvalidEvent):
                self.dialog.add({"type": "task.updated", "x": value}, lambda *_: None)

    def test_time_is_exact_microseconds(self):
        time = datetime(2026, 1, 31, 23, 59, 59, 123456, timezone(timedelta(hours=1)))
        self.assertEqual(wire.unpack(wire.pack({"time": time}))["time"], 1769900399123456)


if __name__ == "__main__":
    unittest.main(verbosity=2)
