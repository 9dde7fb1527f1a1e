# Durable publish: hello, acks, duplicates, gaps, windows, fencing (protocol section 2)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import uuid

import harness
from client import PATIENCE_MS, changed, created, metric, pack


class Publish(harness.BrokerTest):
    use_redis = False

    def expect_error(self, peer, code):
        error = peer.expect("error")
        self.assertEqual(error["code"], code, error)
        self.assertIsInstance(error["message"], str)
        self.assertTrue(error["message"])
        return error

    def test_hello_new_producer_is_welcomed(self):
        peer = self.producer()
        welcome = peer.welcome
        self.assertEqual(welcome["protocol"], 1)
        self.assertEqual(welcome["sequence"], 0)
        self.assertEqual(welcome["window"], 65536)
        self.assertGreaterEqual(welcome["max_bytes"], 1024)
        self.assertGreater(welcome["heartbeat_ms"], 0)
        self.assertEqual(str(uuid.UUID(welcome["ledger"])), welcome["ledger"].lower())
        self.assertEqual(welcome["ledger"], self.ask("info")["ledger"])

    def test_hello_known_producer_goes_on_after_its_last_sequence(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "starting"))
        self.assertEqual(self.producer().welcome["sequence"], 2)

    def test_hello_same_instance_twice_is_welcomed_twice(self):
        peer = self.producer()
        peer.publish(created(self.name("task")))
        self.assertEqual(peer.hello()["sequence"], 1)
        peer.publish(changed(self.name("task"), "running"))

    def test_hello_acked_that_the_ledger_has_changes_nothing(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), changed(task, "starting"))
        for acked in (0, 1, 2, None):
            self.assertEqual(peer.hello(acked=acked)["sequence"], 2)
        self.assertNotIn("formerly", peer.welcome)

    def test_hello_acked_that_the_ledger_lacks_is_told_and_changes_nothing(self):
        task = self.name("task")
        first = self.producer()
        first.publish(created(task), changed(task, "running"))
        second = self.dealer()
        hello = {"op": "hello", "protocol": 1, "producer": self.name("producer"), "instance": "second"}
        second.send(dict(hello, acked=3))
        error = self.expect_error(second, "ledger_behind")
        self.assertEqual((error["sequence"], error["acked"], error["ledger"]),
                         (2, 3, self.ask("info")["ledger"]))
        first.publish(changed(task, "paused"))                  # Not fenced, not interrupted
        second.send({"op": "publish", "sequence": 4, "events": [changed(task, "running")]})
        self.expect_error(second, "no_hello")
        second.send(hello)
        self.assertEqual(second.expect("welcome")["sequence"], 3)
        self.expect_error(first, "fenced")

    def test_hello_other_protocol_is_refused(self):
        peer = self.dealer()
        peer.send({"op": "hello", "protocol": 2, "producer": "p", "instance": "i"})
        self.expect_error(peer, "unsupported_protocol")

    def test_hello_missing_or_invalid_key_is_refused(self):
        good = {"op": "hello", "protocol": 1, "producer": self.name("p"), "instance": "i"}
        for key in ("protocol", "producer", "instance"):
            peer = self.dealer()
            peer.send({name: value for name, value in good.items() if name != key})
            error = peer.expect("error")
            self.assertIn(error["code"], ("missing_field", "unsupported_protocol"), (key, error))
        for key, value in (("producer", 7), ("producer", ""), ("instance", b"bytes"),
                           ("lease_ms", -1), ("lease_ms", "soon"), ("acked", -1), ("acked", "all"),
                           ("producer", "x" * 256)):
            peer = self.dealer()
            peer.send(dict(good, **{key: value}))
            error = peer.expect("error")
            self.assertIn(error["code"], ("invalid_field", "too_large"), (key, value, error))
        peer = self.dealer()                            # The valid message is accepted
        peer.send(good)
        peer.expect("welcome")

    def test_publish_is_acked_with_sequence_and_position(self):
        peer = self.producer()
        head = self.ask("ping")["position"]
        task = self.name("task")
        peer.send_events([created(task)])
        ack = peer.expect("ack")
        self.assertEqual((ack["sequence"], ack["position"]), (1, head + 1))
        peer.send_events([changed(task, "starting"), changed(task, "running"), metric(task, "n", 1)])
        peer.settle()
        self.assertEqual((peer.acked, peer.position), (4, head + 4))
        self.assertEqual([event["position"] for event in self.read_events(head)],
                         list(range(head + 1, head + 5)))

    def test_publish_many_messages_are_acked_cumulatively(self):
        peer = self.producer()
        head = self.ask("ping")["position"]
        for number in range(2000):
            peer.send_events([metric(self.name("task"), "n", number)])
        peer.settle()
        self.assertEqual((peer.acked, peer.position), (2000, head + 2000))
        sequences = [answer["sequence"] for answer in peer.answers]
        self.assertEqual(sequences, sorted(sequences))
        values = [event["value"] for event in self.read_events(head)]
        self.assertEqual(values, list(range(2000)))     # In the order of sending

    def test_publish_largest_message_is_taken(self):
        peer = self.producer()
        peer.publish(*[metric(self.name("task"), "n", n) for n in range(10000)])
        peer.send_events([metric(self.name("task"), "n", n) for n in range(10001)])
        self.expect_error(peer, "too_large")

    def test_publish_without_events_or_sequence_is_an_error(self):
        peer = self.producer()
        for message, codes in (
                ({"op": "publish", "sequence": 1}, ("missing_field",)),
                ({"op": "publish", "events": []}, ("missing_field",)),
                ({"op": "publish", "sequence": "1", "events": []}, ("invalid_field",)),
                ({"op": "publish", "sequence": 0, "events": [created("x")]}, ("invalid_field",)),
                ({"op": "publish", "sequence": -1, "events": [created("x")]}, ("invalid_field",)),
                ({"op": "publish", "sequence": 1, "events": {}}, ("invalid_field",))):
            peer.send(message)
            error = peer.expect("error")
            self.assertIn(error["code"], codes, message)
        peer.publish(created(self.name("task")))

    def test_publish_again_is_a_duplicate_and_acked_again(self):
        peer = self.producer()
        task = self.name("task")
        events = [created(task), changed(task, "running"), metric(task, "n", 1)]
        peer.publish(*events)
        head = self.ask("ping")["position"]
        peer.send_events(events, sequence=1)
        ack = peer.expect("ack")
        self.assertGreaterEqual(ack["sequence"], 3)
        self.assertEqual(ack["position"], head)
        self.assertEqual(self.ask("ping")["position"], head)
        #   Half duplicate, half new: only the new half is stored
        peer.send_events(events[1:] + [metric(task, "n", 2)], sequence=2)
        peer.settle()
        self.assertEqual((peer.acked, peer.position), (4, head + 1))

    def test_publish_duplicate_with_other_content_is_still_a_duplicate(self):
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task))
        peer.send_events([changed(task, "running")], sequence=1)
        peer.expect("ack")
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "queued")

    def test_publish_beyond_the_next_sequence_is_a_gap(self):
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task))
        head = self.ask("ping")["position"]
        peer.send({"op": "publish", "sequence": 5, "events": [changed(task, "running")]})
        self.assertEqual(self.expect_error(peer, "sequence_gap")["expected"], 2)
        self.assertEqual(self.ask("ping")["position"], head)
        peer.publish(changed(task, "running"))          # Sequence 2, as expected

    def test_resend_after_reconnect_is_stored_once(self):
        task = self.name("task")
        events = [created(task)] + [metric(task, "n", n) for n in range(20)]
        first = self.producer()
        first.send_events(events)
        first.close()                                   # Acks lost, or never sent
        second = self.producer(instance=first.instance)
        second.sequence = len(events)
        second.send_events(events, sequence=1)
        second.settle()
        values = [row["value"] for row in self.ask("task.metrics", task_id=task)["metrics"]]
        self.assertEqual(values, list(range(20)))

    def test_nak_leaves_the_events_around_it(self):
        peer = self.producer()
        task = self.name("task")
        peer.send_events([created(task), {"type": "no.such"}, changed(task, "running")])
        peer.settle()
        self.assertEqual(list(peer.naks), [2])
        self.assertEqual(peer.naks[2]["code"], "unknown_type")
        self.assertTrue(peer.naks[2]["message"])
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "running")
        self.assertEqual(self.producer().welcome["sequence"], 3)    # Its sequence is used
        rows = self.ask("rejected.list", producer=peer.name)["rejected"]
        self.assertEqual([(row["sequence"], row["code"]) for row in rows], [(2, "unknown_type")])

    def test_nak_alone_in_a_message_uses_its_sequence(self):
        peer = self.producer()
        self.assertEqual(peer.publish_refused({"type": "no.such"})["sequence"], 1)
        self.assertEqual(peer.publish_refused({"type": "no.such"})["sequence"], 2)
        peer.publish(created(self.name("task")))
        self.assertEqual(peer.acked, 3)

    def test_second_instance_fences_the_first(self):
        first = self.producer()
        first.publish(created(self.name("task")))
        second = self.producer()
        self.assertEqual(second.welcome["sequence"], 1)
        self.expect_error(first, "fenced")
        head = self.ask("ping")["position"]
        first.send_events([changed(self.name("task"), "running")])
        self.expect_error(first, "fenced")
        self.assertEqual(self.ask("ping")["position"], head)
        second.publish(changed(self.name("task"), "starting"))

    def test_fenced_instance_stays_fenced_on_a_new_connection(self):
        first = self.producer()
        self.producer()
        again = self.dealer()
        again.send({"op": "hello", "protocol": 1, "producer": first.name, "instance": first.instance})
        self.expect_error(again, "fenced")

    def test_no_hello_is_an_error(self):
        for message in ({"op": "publish", "sequence": 1, "events": [created("x")]}, {"op": "ping"}):
            peer = self.dealer()
            peer.send(message)
            self.expect_error(peer, "no_hello")

    def test_unknown_op_is_an_error(self):
        peer = self.producer()
        peer.send({"op": "dance"})
        self.expect_error(peer, "unknown_op")
        peer.publish(created(self.name("task")))

    def test_malformed_message_is_an_error_and_the_next_one_is_taken(self):
        peer = self.producer()
        for data in (b"", b"\xc1", b"\x81", pack([1, 2]), pack("publish"), pack({"op": "ping"}) + b"\x00",
                     b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", pack({"sequence": 1}),
                     b"\x81\xa2op\xa4\xff\xfe\xfd\xfc", b"\x82\xa2op\xa4ping\xa2op\xa4ping"):
            peer.send_bytes(data)
            error = peer.expect("error")
            self.assertIn(error["code"], ("malformed", "missing_field", "unknown_op"), data)
        peer.publish(created(self.name("task")))

    def test_ping_is_answered_by_pong(self):
        peer = self.producer()
        peer.send({"op": "ping"})
        self.assertEqual(peer.receive()["op"], "pong")

    def test_unknown_keys_of_messages_are_ignored(self):
        peer = self.producer(colour="blue")
        peer.send({"op": "ping", "colour": "blue"})
        self.assertEqual(peer.receive()["op"], "pong")
        peer.send({"op": "publish", "sequence": 1, "events": [created(self.name("task"))], "colour": 1})
        self.assertEqual(peer.expect("ack")["sequence"], 1)

    def test_producers_do_not_share_sequences(self):
        one, other = self.producer(self.name("one")), self.producer(self.name("other"))
        for number in range(50):
            one.send_events([metric(self.name("task"), "one", number)])
            other.send_events([metric(self.name("task"), "other", number)])
        one.settle()
        other.settle()
        self.assertEqual((one.acked, other.acked), (50, 50))
        for name in ("one", "other"):
            rows = self.ask("task.metrics", task_id=self.name("task"), names=[name])["metrics"]
            self.assertEqual([row["value"] for row in rows], list(range(50)))

    def test_goodbye_leaves_in_good_order(self):
        peer = self.producer()
        peer.publish(created(self.name("task")))
        peer.send({"op": "goodbye"})
        self.assertEqual(self.producer().welcome["sequence"], 1)

    def test_what_is_acked_is_in_the_file(self):
        import sqlite3
        peer = self.producer()
        position = peer.publish(created(self.name("task")))
        file = sqlite3.connect("file:%s?mode=ro" % self.broker.ledger, uri=True)
        self.addCleanup(file.close)
        rows = file.execute("SELECT task_id FROM task_history_view WHERE position = ?", (position,))
        self.assertEqual(rows.fetchall(), [(self.name("task"),)])


class Window(harness.BrokerTest):
    use_redis = False
    settings = {"window": 100}

    def test_window_is_in_the_welcome(self):
        self.assertEqual(self.producer().welcome["window"], 100)

    def test_more_than_the_window_is_an_error_and_stores_nothing(self):
        peer = self.producer()
        head = self.ask("ping")["position"]
        events = [metric(self.name("task"), "n", n) for n in range(101)]
        peer.send({"op": "publish", "sequence": 1, "events": events})
        error = peer.receive(PATIENCE_MS)
        self.assertEqual((error["op"], error["code"]), ("error", "window_exceeded"), error)
        self.assertEqual(self.ask("ping")["position"], head)
        peer.publish(*events[:100])                     # As many as the window are allowed


if __name__ == "__main__":
    harness.main()
