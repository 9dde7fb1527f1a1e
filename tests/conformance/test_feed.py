# The feed: topics, order, heartbeats, large content (protocol section 5)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import socket

import zmq

import harness
from client import Peer, Silence, changed, command, created, metric, output, started


class Feed(harness.BrokerTest):
    use_redis = False

    def joined(self, *topics):
        return self.subscriber(*topics).wait_joined()

    def test_every_type_has_its_topic(self):
        task, session, user = self.name("task"), self.name("session"), self.name("user")
        feed = self.joined()
        events = [created(task), {"type": "task.updated", "task_id": task, "title": "T"},
                  changed(task, "running"), output(task, "out"), metric(task, "n", 1),
                  started(session, task_id=task),
                  {"type": "session.state_changed", "session_id": session, "state": "running"},
                  command(session, "ls", output="a\n"),
                  {"type": "preference.set", "user_id": user, "preferred_model": "m"}]
        last = self.producer().publish(*events)
        seen = [feed.next() for _ in events]
        ids = [task] * 5 + [session] * 3 + [user]
        self.assertEqual([topic for topic, _ in seen],
                         ["%s/%s" % (event["type"], key) for event, key in zip(events, ids)])
        self.assertEqual([event["position"] for _, event in seen],
                         list(range(last - len(events) + 1, last + 1)))
        #   The same maps as events.read returns
        self.assertEqual([event for _, event in seen], self.read_events(last - len(events)))

    def test_preference_of_nobody_is_of_the_default_user(self):
        feed = self.joined("preference.")
        self.producer().publish({"type": "preference.set", "preferred_model": "m"})
        self.assertEqual(feed.next()[0], "preference.set/default")

    def test_subscriptions_select_by_prefix(self):
        one, other = self.name("one"), self.name("other")
        sessions = self.joined("session.")
        states = self.joined("task.state_changed/")
        mine = self.joined("task.created/" + one, "task.state_changed/" + one)
        self.producer().publish(created(one), started(self.name("s")), changed(one, "running"),
                                created(other), changed(other, "running"), changed(one, "passed"))
        self.assertEqual(sessions.next()[1]["session_id"], self.name("s"))
        self.assertEqual([states.next()[1]["task_id"] for _ in range(3)], [one, other, one])
        self.assertEqual([mine.next()[1].get("state") for _ in range(3)], ["queued", "running", "passed"])

    def test_every_position_is_seen_once_and_in_order(self):
        feed = self.joined()
        peers = [self.producer(self.name("p%d" % n)) for n in range(3)]
        head = self.ask("ping")["position"]
        for number in range(100):                       # As many as the feed queues for a slow reader
            for peer in peers:
                peer.send_events([metric(self.name("task"), "n", number)])
        for peer in peers:
            peer.settle()
        positions = [feed.next()[1]["position"] for _ in range(300)]
        self.assertEqual(positions, list(range(head + 1, head + 301)))

    def test_refused_events_are_not_in_the_feed(self):
        feed = self.joined()
        peer = self.producer()
        peer.publish_refused({"type": "no.such"})
        position = peer.publish(created(self.name("task")))
        self.assertEqual(feed.next()[1]["position"], position)

    def test_idle_feed_sends_heartbeats_with_the_head(self):
        feed = self.subscriber("heartbeat")
        for _ in range(2):
            topic, body = feed.next(heartbeats=True)
            self.assertEqual(topic, "heartbeat")
            self.assertEqual(body["position"], self.ask("ping")["position"])

    def test_content_over_64_kib_is_left_out(self):
        task, session = self.name("task"), self.name("session")
        feed = self.joined()
        kept, large = "x" * 65536, "x" * 65537
        head = self.producer().publish(
            output(task, kept), output(task, large), output(task, b"y" * 100000),
            command(session, "c", output=kept), command(session, "c", output=large)) - 5
        events = [feed.next()[1] for _ in range(5)]
        self.assertEqual([event.get("content", event.get("output")) for event in events],
                         [kept, None, None, kept, None])
        self.assertEqual([event.get("content_omitted") for event in events],
                         [None, 65537, 100000, None, 65537])
        whole = self.read_events(head)                  # Fetch it
        self.assertEqual([event.get("content", event.get("output")) for event in whole],
                         [kept, large, b"y" * 100000, kept, large])
        self.assertFalse(any("content_omitted" in event for event in whole))

    def test_late_subscriber_fetches_what_it_missed(self):
        task = self.name("task")
        peer = self.producer()
        head = peer.publish(created(task)) - 1
        peer.publish(changed(task, "starting"))
        #   The feed follows the log after the ack: the subscriber is late once both were sent
        harness.wait_until(lambda: self.ask("stats")["feed"]["position"] == head + 2, "the feed to have sent both")
        feed = self.joined()
        peer.publish(changed(task, "running"))
        first = feed.next()[1]["position"]
        missed = [event for event in self.read_events(head) if event["position"] < first]
        self.assertEqual([event["position"] for event in missed], [head + 1, head + 2])

    def test_unsubscribing_ends_it(self):
        feed = self.joined("task.created/")
        self.producer().publish(created(self.name("one")))
        self.assertEqual(feed.next()[1]["task_id"], self.name("one"))
        feed.socket.setsockopt(zmq.UNSUBSCRIBE, b"task.created/")
        feed.wait_joined()
        self.producer().publish(created(self.name("two")))
        with self.assertRaises(Silence):
            feed.next(300)

    def raw_subscriber(self):
        """A peer with its own ZMTP 3.0, to send what no ZeroMQ socket would."""
        peer = socket.socket(socket.AF_UNIX)
        self.addCleanup(peer.close)
        peer.settimeout(harness.PATIENCE)
        peer.connect(self.broker.feed[len("ipc://"):])
        peer.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
        ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"
        peer.sendall(b"\x04" + bytes([len(ready)]) + ready)
        received = b""
        while b"READY" not in received:
            received += peer.recv(1000)
        return peer

    def test_what_a_subscriber_sends_harms_nobody(self):
        feed = self.joined()
        for bodies in ([b"\x00never 1"], [b"\x00never 2"], [b"\x00never 3"],
                       [b"", b"\x07garbage", b"\x01task.", b"\x01task.", b"\x00task."],
                       [b"\x01" + b"x" * 200] * 3):
            peer = self.raw_subscriber()
            for body in bodies:
                peer.sendall(b"\x00" + bytes([len(body)]) + body)
            feed.wait_joined()
            position = self.producer().publish(metric(self.name("task"), "n", 1))
            self.assertEqual(feed.next()[1]["position"], position)

    def test_a_message_that_is_too_large_costs_only_its_sender(self):
        feed = self.joined()
        peer = self.clients.keep(Peer(self.clients.context, zmq.XSUB, self.broker.feed))
        peer.send_bytes(b"\x01" + b"x" * 100000)
        feed.wait_joined()
        position = self.producer().publish(metric(self.name("task"), "n", 1))
        self.assertEqual(feed.next()[1]["position"], position)


if __name__ == "__main__":
    harness.main()
