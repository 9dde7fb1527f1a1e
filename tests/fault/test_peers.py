# Peers that behave badly, hundreds at once: other peers are not affected, and the broker's memory
# stays within the bound that doc/RELIABILITY.md states
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import random
import socket
import struct
import threading
import time

import zmq

import harness
from client import Producer, changed, created, metric, output, pack, unpack
from faulty import FaultTest
from load import Load

MEBI = 1 << 20


class PeersTest(FaultTest):
    settings = {"pipeline-in": "", "pipeline-out": ""}

    @classmethod
    def start_broker(cls, **more):
        cls.settings = {"pipeline-in": "tcp://127.0.0.1:*", "pipeline-out": "tcp://127.0.0.1:*"}
        return super().start_broker(arguments=["--events", "tcp://127.0.0.1:*", "--requests",
                                               "tcp://127.0.0.1:*", "--feed", "tcp://127.0.0.1:*"], **more)

    def setUp(self):
        super().setUp()
        self.random = random.Random(self.id())
        line = self.broker.wait_line("ready")
        for name in ("events", "requests", "feed"):     # On any free port, which the log shows
            setattr(self.broker, name, line.split(name + " ", 1)[1].split(",")[0].split(";")[0])
        endpoints = self.ask("info")["endpoints"]
        self.inlet, self.outlet = endpoints["pipeline-in"], endpoints["pipeline-out"]
        self.all = [self.broker.events, self.broker.requests, self.broker.feed, self.inlet, self.outlet]

    def tcp(self, endpoint):
        host, port = endpoint[len("tcp://"):].rsplit(":", 1)
        one = socket.create_connection((host, int(port)), harness.PATIENCE)
        self.addCleanup(one.close)
        return one

    def greet(self, one, kind, routing_id=b""):
        """The first bytes of a ZeroMQ peer: greeting of ZMTP 3.0, NULL mechanism, READY."""
        one.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\x00" + bytes(31))
        properties = b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
        if routing_id:
            properties += b"\x08Identity" + struct.pack(">I", len(routing_id)) + routing_id
        command = b"\x05READY" + properties
        one.sendall(b"\x04" + bytes([len(command)]) + command)
        said = b""                                      # libzmq accepts no message before its own READY
        while b"READY" not in said and b"ERROR" not in said:
            more = one.recv(4096)
            if not more:
                return
            said += more

    def rss(self):
        with open("/proc/%d/status" % self.broker.child.pid) as file:
            for line in file:
                if line.startswith("VmRSS"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def assert_others_go_on(self):
        """A new producer, client and subscriber that behave well."""
        name = "%s-%d" % (self.name("good"), self.random.randrange(1 << 30))
        subscriber = self.subscriber("task.created/" + name).wait_joined()
        bound, began = 20 * self.slowness(), time.monotonic()
        position = self.producer(name).publish(created(name), changed(name, "running"))
        answer = self.ask("task.get", task_id=name, min_position=position)
        self.assertEqual(answer["task"]["state"], "running")
        topic, event = subscriber.next()
        self.assertEqual(event["task_id"], name)
        self.assertLess(time.monotonic() - began, bound)
        for peer in (subscriber,):
            peer.close()


class RoutingIds(PeersTest):
    """Peers that choose their routing id (section 1 of the protocol)."""

    def fixed(self, routing_id):
        """A producer with that routing id, which has not sent hello."""
        peer = self.clients.keep(Producer.__new__(Producer))
        peer.socket = self.clients.context.socket(zmq.DEALER)
        peer.socket.setsockopt(zmq.LINGER, 0)
        peer.socket.setsockopt(zmq.IDENTITY, routing_id)
        peer.socket.connect(self.broker.events)
        peer.closed, peer.name, peer.instance = False, self.name("p"), str(self.random.random())
        peer.sequence = peer.acked = peer.position = 0
        peer.naks, peer.answers = {}, []
        return peer

    def read(self, one):
        """The next message on a raw connection, unpacked."""
        head = b""
        while len(head) < 2:
            head += one.recv(2 - len(head))
        self.assertEqual(head[0], 0)
        body = b""
        while len(body) < head[1]:
            body += one.recv(head[1] - len(body))
        return unpack(body)

    def test_the_next_run_with_the_same_routing_id_is_not_fenced(self):
        last = None
        for _ in range(5):
            peer = self.fixed(b"orchestrator-1")
            peer.hello()
            peer.send({"op": "ping"})
            self.assertEqual(peer.receive()["op"], "pong")          # Nothing between welcome and pong
            task = self.name("task") + peer.instance
            self.assertGreater(peer.publish(created(task)), last or 0)
            last = peer.position
            peer.close()

    def test_a_new_run_replaces_a_connection_that_is_dead(self):
        dead = self.tcp(self.broker.events)
        self.greet(dead, b"DEALER", b"orchestrator-2")
        hello = pack({"op": "hello", "protocol": 1, "producer": self.name("p"), "instance": "dead"})
        dead.sendall(bytes([0, len(hello)]) + hello)
        self.assertEqual(self.read_welcome(dead)["op"], "welcome")
        peer = self.fixed(b"orchestrator-2")            # The other side never closes
        peer.hello()
        peer.send({"op": "ping"})
        self.assertEqual(peer.receive()["op"], "pong")
        dead.setblocking(False)
        with self.assertRaises(BlockingIOError):        # It got no message for the other run
            dead.recv(1000)
        dead.close()
        peer.send({"op": "ping"})
        self.assertEqual(peer.receive()["op"], "pong")

    def read_welcome(self, one):
        """A welcome is longer than 127 bytes, perhaps more than 255."""
        data = b""
        while b"window" not in data:
            data += one.recv(4096)
        return unpack(data[2:] if data[0] == 0 else data[9:])

    def test_a_connection_does_not_speak_for_the_one_before(self):
        peer = self.fixed(b"orchestrator-3")
        peer.hello()
        position = peer.publish(created(self.name("mine")))
        thief = self.tcp(self.broker.events)
        self.greet(thief, b"DEALER", b"orchestrator-3")
        publish = pack({"op": "publish", "sequence": 2, "events": [
            {"type": "task.state_changed", "task_id": self.name("mine"), "state": "failed"}]})
        thief.sendall(bytes([0, len(publish)]) + publish)
        data = b""
        while b"no_hello" not in data:
            more = thief.recv(4096)
            self.assertNotEqual(more, b"")
            data += more
        self.assertEqual(self.ask("ping")["position"], position)
        #   The same run on a new connection
        again = self.fixed(b"orchestrator-3")
        again.instance = peer.instance
        self.assertEqual(again.hello()["sequence"], 1)
        self.assertGreater(again.publish(changed(self.name("mine"), "running")), position)

    def test_other_requests_are_answered_too(self):
        for _ in range(3):
            asker = self.clients.context.socket(zmq.DEALER)
            asker.setsockopt(zmq.LINGER, 0)
            asker.setsockopt(zmq.IDENTITY, b"asker")
            asker.connect(self.broker.requests)
            asker.send_multipart([b"", pack({"op": "ping"})])
            self.assertTrue(asker.poll(harness.PATIENCE * 1000))
            self.assertIs(unpack(asker.recv_multipart()[1])["ok"], True)
            self.addCleanup(asker.close)                # The earlier ones stay connected


class Garbage(PeersTest):
    def test_garbage_on_every_socket_hurts_nobody(self):
        good = Load(self.broker.events, "garbage")
        self.addCleanup(good.stop)
        before = self.rss()
        for turn in range(40):
            for endpoint in self.all:
                one = self.tcp(endpoint)
                what = turn % 8
                try:
                    if what == 0:
                        one.sendall(self.random.randbytes(self.random.randrange(1, 5000)))
                    elif what == 1:
                        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    elif what == 2:                     # Half a greeting
                        one.sendall(b"\xff" + bytes(8) + b"\x7f\x03")
                    elif what == 3:                     # A frame that announces 2^63 - 1 bytes
                        self.greet(one, b"DEALER")
                        one.sendall(b"\x02" + struct.pack(">Q", (1 << 63) - 1) + b"x")
                    elif what == 4:                     # A command of 4 GiB
                        self.greet(one, b"SUB")
                        one.sendall(b"\x06" + struct.pack(">Q", 1 << 32) + b"x" * 1000)
                    elif what == 5:                     # Garbage after a valid start
                        self.greet(one, b"REQ")
                        one.sendall(self.random.randbytes(2000))
                    elif what == 6:                     # The wrong kind of socket
                        self.greet(one, b"PUB")
                        one.sendall(b"\x00\x05hello" * 100)
                    elif what == 7:                     # Half a message, then closed
                        self.greet(one, b"DEALER")
                        one.sendall(b"\x01\x00\x02" + struct.pack(">Q", 100000) + b"x" * 500)
                        one.close()
                except (BrokenPipeError, ConnectionResetError):
                    pass                                # It was disconnected, as it should be
        self.assert_others_go_on()
        good.finish(200)
        self.assert_kept(good)
        self.assertLess(self.rss() - before, 100 * MEBI)

    def test_garbage_in_messages_is_answered_or_dropped(self):
        dealer = self.dealer()
        asker = self.clients.context.socket(zmq.DEALER)
        asker.connect(self.broker.requests)
        pusher = self.clients.pusher(self.inlet)
        self.addCleanup(asker.close, 0)
        for turn in range(300):
            data = self.random.randbytes(self.random.randrange(0, 300))
            frames = [self.random.randbytes(self.random.randrange(0, 30))
                      for _ in range(self.random.randrange(0, 5))]
            dealer.socket.send_multipart(frames + [data])
            asker.send_multipart(frames + [data])
            asker.send_multipart([b"", data])
            pusher.socket.send_multipart(frames + [data])
        errors = 0
        while errors < 250:                             # A peer that reads gets all of them
            self.assertEqual(dealer.receive()["op"], "error")
            errors += 1
        self.assert_others_go_on()
        self.assert_whole()

    def test_hundreds_that_connect_and_say_nothing(self):
        before = self.rss()
        silent = [self.tcp(endpoint) for endpoint in self.all for _ in range(60)]
        for one in silent[::2]:
            self.greet(one, b"DEALER")                  # A valid start, then nothing
        self.assert_others_go_on()
        grown = self.rss() - before
        print("figures: %d silent peers, %.0f KiB each" % (len(silent), grown / 1024 / len(silent)))
        self.assertLess(grown, 100 * MEBI)
        #   A connection without a greeting is closed after a while
        silent[1].settimeout(harness.PATIENCE)
        while silent[1].recv(1000):
            pass


class Unread(PeersTest):
    def deaf(self, kind, endpoint, count):
        sockets = []
        for _ in range(count):
            one = self.clients.context.socket(kind)
            one.setsockopt(zmq.RCVHWM, 1)
            #   Not with a peer that sends much: the kernel drops what such a buffer cannot hold, together
            #   with the acknowledgements of TCP, until both directions stall
            if kind == zmq.SUB:
                one.setsockopt(zmq.RCVBUF, 4096)
            one.setsockopt(zmq.SNDHWM, 0)
            one.setsockopt(zmq.LINGER, 0)
            if kind == zmq.SUB:
                one.setsockopt(zmq.SUBSCRIBE, b"")
            one.connect(endpoint)
            sockets.append(one)
        self.addCleanup(lambda: [one.close() for one in sockets])
        return sockets

    def request_stats(self):
        """What the requests are; if there are many, no worker may be free in time to tell it."""
        return harness.wait_until(lambda: [answer["requests"] for answer in [self._answer("stats", {})] if answer["ok"]],
                                  "statistics")[0]

    def quiet(self, what):
        """Wait until 'what' () stays the same for a while: nothing more is in transit."""
        last, since = what(), time.monotonic()
        deadline = since + harness.PATIENCE
        while time.monotonic() - since < 1 and time.monotonic() < deadline:
            now = what()
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.05)
        return last

    def test_request_clients_that_read_no_answers(self):
        task = self.name("task")
        self.producer().publish(created(task))
        peer = self.producer(self.name("large"))
        for _ in range(4):
            peer.publish(output(task, os.urandom(2 * MEBI)))
        before = self.rss()
        request = pack({"op": "task.outputs", "task_id": task})
        deaf = [self.tcp(self.broker.requests) for _ in range(60)]
        for one in deaf:
            self.greet(one, b"DEALER")                  # Reads not a byte after that

        def withheld():
            #   60 * 20 * 8 MiB, and again when a slow machine has refused all the rest as late
            stats = self.request_stats()
            if not stats["withheld"] and not stats["queued"]:
                for one in deaf:
                    one.sendall((b"\x01\x00\x00" + bytes([len(request)]) + request) * 20)
            return stats["withheld"] > 0
        harness.wait_until(withheld, "an answer that is withheld")
        self.quiet(lambda: [self.request_stats()[name] for name in ("withheld", "unread_bytes")])
        stats = self.request_stats()
        grown = self.rss() - before
        print("figures: 60 deaf clients asked for 9.6 GB: %d MiB unread, resident memory grew by %d MiB" % (
            stats["unread_bytes"] // MEBI, grown // MEBI))
        self.assertGreater(stats["withheld"], 0)
        self.assertLessEqual(stats["unread_bytes"], 260 * MEBI)
        self.assertLess(grown, 600 * MEBI)
        self.assert_others_go_on()
        #   A client that reads gets small answers, and large ones as soon as there is room
        self.assertEqual(len(self.ask("task.history", task_id=task)["history"]), 1)

    def test_request_clients_that_vanish(self):
        task = self.name("task")
        self.producer().publish(created(task), output(task, os.urandom(MEBI)))
        request = pack({"op": "task.outputs", "task_id": task})
        for _ in range(10):
            gone = self.deaf(zmq.DEALER, self.broker.requests, 30)
            for one in gone:
                for _ in range(3):
                    one.send_multipart([b"", request])
            gone += self.deaf(zmq.REQ, self.broker.requests, 30)
            for one in gone[30:]:
                one.send(request)
            self.ask("ping")
            for one in gone:
                one.close()
        self.assert_others_go_on()
        harness.wait_until(lambda: self.request_stats()["unread_bytes"] < 8 * MEBI,
                           "the answers of those that are gone to be dropped")

    def test_subscribers_that_never_read(self):
        before = self.rss()
        self.deaf(zmq.SUB, self.broker.feed, 100)
        time.sleep(0.5)
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task))
        for number in range(60):
            peer.send_events([output(task, os.urandom(60000)) for _ in range(100)])
            peer.settle()                               # 360 MB in all
        self.quiet(lambda: self.ask("stats")["feed"]["lag_events"])
        stats = self.ask("stats")["feed"]
        grown = self.rss() - before
        print("figures: 100 deaf subscribers, 6000 events of 60 kB: %d MiB unread, "
              "resident memory grew by %d MiB" % (stats["unread_bytes"] // MEBI, grown // MEBI))
        self.assertLessEqual(stats["unread_bytes"], 300 * MEBI)
        self.assertLess(grown, 700 * MEBI)
        self.assert_others_go_on()

    def test_producers_that_never_read_acks(self):
        before = self.rss()
        deaf = self.deaf(zmq.DEALER, self.broker.events, 50)
        for number, one in enumerate(deaf):
            one.send(pack({"op": "hello", "protocol": 1, "producer": self.name("deaf%d" % number),
                           "instance": "1"}))
            for sequence in range(1, 1001):
                one.send(pack({"op": "publish", "sequence": sequence,
                               "events": [metric(self.name("deaf"), "n", sequence)]}))
            for _ in range(1000):
                one.send(b"\xc1")                       # Each causes one error
        self.assert_others_go_on()
        harness.wait_until(lambda: len(self.values(self.name("deaf"))) == 50000, "all of the events")
        grown = self.rss() - before
        print("figures: 50 deaf producers, 50,000 acks and errors each left unread: resident memory grew "
              "by %d MiB" % (grown // MEBI))
        self.assertLess(grown, 300 * MEBI)
        self.assert_whole()

    def test_next_stage_that_never_reads(self):
        before = self.rss()
        self.deaf(zmq.PULL, self.outlet, 1)
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task))
        for number in range(50):
            peer.send_events([output(task, os.urandom(4 * MEBI))])
            peer.settle()
        self.quiet(lambda: self.ask("stats")["pipeline"]["position"])
        stats = self.ask("stats")["pipeline"]
        grown = self.rss() - before
        print("figures: a deaf next stage, 200 MiB of events: resident memory grew by %d MiB" % (grown // MEBI))
        self.assertIs(stats["blocked"], True)
        self.assertLess(grown, 250 * MEBI)
        self.assert_others_go_on()


class Late(FaultTest):
    """Each event is acked separately, over a socket whose buffers hold some thousand acks."""
    use_redis = False
    settings = {"batch-events": "16"}

    def test_acks_of_a_producer_that_reads_late_are_not_forgotten(self):
        #   More than the buffers and libzmq's queue hold; the last ack must still arrive
        count = 30000
        one = self.clients.context.socket(zmq.DEALER)
        self.addCleanup(one.close)
        one.setsockopt(zmq.RCVHWM, 1)
        one.setsockopt(zmq.SNDHWM, 0)
        one.setsockopt(zmq.LINGER, 0)
        one.connect(self.broker.events)
        one.send(pack({"op": "hello", "protocol": 1, "producer": self.name("late"), "instance": "1"}))
        for sequence in range(1, count + 1):
            one.send(pack({"op": "publish", "sequence": sequence,
                           "events": [metric(self.name("late"), "n", sequence)]}))
        harness.wait_until(lambda: self.ask("info")["position"] == count, "all of the events")
        self.assertGreater(self.ask("stats")["ingest"]["undeliverable"], 1000)
        last = 0
        while last < count:
            self.assertTrue(one.poll(harness.PATIENCE * 1000), "the ack of %d is the last" % last)
            answer = unpack(one.recv())
            if answer["op"] == "ack":
                last = answer["sequence"]


class Crowd(PeersTest):
    def test_hundreds_of_all_kinds_at_once(self):
        task = self.name("task")
        self.producer().publish(created(task), *[output(task, os.urandom(50000)) for _ in range(20)])
        good = [Load(self.broker.events, "crowd-%d" % n) for n in range(2)]
        for load in good:
            self.addCleanup(load.stop)
        before = self.rss()
        ending = threading.Event()

        def bad(seed):
            chance = random.Random(seed)
            context = zmq.Context()
            kinds = ((zmq.DEALER, self.broker.events), (zmq.DEALER, self.broker.requests),
                     (zmq.SUB, self.broker.feed), (zmq.PUSH, self.inlet), (zmq.REQ, self.broker.requests))
            while not ending.is_set():
                sockets = []
                for _ in range(60):
                    kind, endpoint = chance.choice(kinds)
                    one = context.socket(kind)
                    one.setsockopt(zmq.LINGER, 0)
                    one.setsockopt(zmq.RCVHWM, 1)
                    if kind == zmq.SUB:
                        one.setsockopt(zmq.SUBSCRIBE, b"")
                    one.connect(endpoint)
                    sockets.append(one)
                    if kind == zmq.SUB:
                        continue
                    for _ in range(1 if kind == zmq.REQ else 10):
                        one.send_multipart(chance.choice((
                            [chance.randbytes(50)], [b""], [b"", b"\xc1"],
                            [b"", pack({"op": "task.outputs", "task_id": task})],
                            [pack({"op": "hello", "protocol": 1, "producer": "bad", "instance": str(chance.random())})],
                            [pack({"op": "publish", "sequence": 10 ** 6, "events": [{}]})]))[-1 if kind == zmq.REQ else 0:])
                ending.wait(chance.uniform(0, 0.3))
                for one in sockets:
                    one.close()
            context.term()

        threads = [threading.Thread(target=bad, args=(seed,)) for seed in range(5)]
        for thread in threads:
            thread.start()
        try:
            deadline = time.monotonic() + 8
            while time.monotonic() < deadline:
                self.assert_others_go_on()
                for load in good:
                    load.wait_acked(load.acked + 10)
        finally:
            ending.set()
            for thread in threads:
                thread.join()
        for load in good:
            load.finish(50)
        self.assert_kept(*good)
        self.assert_whole()
        grown = self.rss() - before
        print("figures: 300 bad peers at a time for 8 s: resident memory grew by %d MiB" % (grown // MEBI))
        self.assertLess(grown, 500 * MEBI)
        self.assertEqual(self.broker.stop(), 0, self.broker.log()[-2000:])
        self.start_broker()


if __name__ == "__main__":
    harness.main()
