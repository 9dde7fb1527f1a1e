# test_writer - what only the node that leads does: Redis, the pipeline, the end of leases, interruptions
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import random
import signal
import socket
import sys
import threading
import unittest

import client
import harness
import test_kills
import test_nodes

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fault"))

from arena import Redis                     # noqa: E402
from judge import Judge                     # noqa: E402

FAKETIME = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + [""])[0]
QUEUE = 1000                                # Events by which the cursor of the pipeline is behind


class Proxy:
    """Passes on the bytes between a broker and a Redis; a test holds one of its transactions back."""

    def __init__(self, redis, path):
        self.redis, self.url = redis, "unix://" + path
        self.count = None                   # Hold back the EXEC of that number
        self.held = threading.Event()
        self.free = threading.Event()
        self.answer = None                  # To what was held back
        self.answered = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.redis.path)
            for way in (self._ask, self._answer):
                threading.Thread(target=way, args=(client, server), daemon=True).start()

    def _ask(self, client, server):
        try:
            while True:
                data = client.recv(65536)
                if not data:
                    break
                if self.count is not None and b"EXEC\r\n" in data:
                    self.count -= 1
                    if self.count == 0:
                        self.count = None
                        self.waiting = server
                        self.held.set()
                        self.free.wait()
                server.sendall(data)
        except OSError:
            pass
        server.close()

    def _answer(self, client, server):
        try:
            while True:
                data = server.recv(65536)
                if not data:
                    break
                if self.free.is_set() and self.waiting is server:
                    self.answer = data
                    self.answered.set()
                client.sendall(data)
        except OSError:
            pass
        client.close()

    def close(self):
        self.free.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Kept(test_kills.Loaded):
    def setUp(self):
        super().setUp()
        self.redis = Redis(self.folder)
        self.addCleanup(self.redis.stop)

    def story(self, producer, name):
        """A task that runs, one that has ended, and a session. Returns the last position."""
        return producer.publish(
            {"type": "task.created", "task_id": name, "title": "T", "description": "D", "role": "r"},
            {"type": "task.state_changed", "task_id": name, "state": "running"},
            {"type": "task.created", "task_id": name + "-ended", "title": "T", "description": "D", "role": "r"},
            {"type": "task.state_changed", "task_id": name + "-ended", "state": "cancelled"},
            client.started(name))

    def assert_redis(self, broker):
        """Redis has each field of each record that follows from the events of that node, and nothing else."""
        judge = Judge(None)
        events = self.events(broker)
        for event in events:
            judge.mirror.apply(event)
        #   The tasks are named after their producers
        judge.mirror.owners = {task: task.split("-")[0] for task in judge.mirror.tasks}
        self.redis.wait_position(events[-1]["position"])
        judge.look_at_redis(self.redis, self.ask(broker, "info")["ledger"])
        epoch = self.redis.call("GET", "{stele}:epoch").decode()
        self.assertEqual(epoch, "%s %d" % (self.ask(broker, "info")["ledger"], self.shared(broker)["epoch"]))


class Redises(Kept):
    def test_redis_is_kept_by_the_node_that_leads(self):
        writer, follower = [self.broker(name, redis=self.redis) for name in "ab"]
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        position = self.story(producer, "p-one")
        self.await_position(follower, position)
        self.assert_redis(writer)
        harness.wait_until(lambda: self.ask(writer, "task.status", task_id="p-one", min_position=position)["source"] == "redis",
                           "the status from Redis")
        #   The other one reads its ledger, and writes nothing
        self.assertEqual(self.ask(follower, "task.status", task_id="p-one", min_position=position)["source"], "sqlite")
        self.assertEqual(self.ask(follower, "stats")["redis"]["state"], "off")
        self.assertEqual(self.ask(follower, "recover")["error"]["code"], "not_writer")
        self.assertEqual(self.ask(writer, "mode", mode="redis")["error"]["code"], "unavailable")
        self.assertEqual(self.ask(writer, "mode")["mode"], "dual")
        writer.kill()
        self.await_role(follower, "writer")
        producer = self.clients.producer(follower.events, "p", instance=producer.instance, lease_ms=3600000)
        position = self.story(producer, "p-two")
        self.assert_redis(follower)
        self.assertNotIn("copy", follower.log())
        self.askers.clear()
        writer = self.broker("a", redis=self.redis)
        self.await_position(writer, position)
        self.assertEqual(self.ask(writer, "stats")["redis"]["state"], "off")
        #   It hands Redis over when it stops
        self.assertEqual(follower.stop(), 0)
        self.await_role(writer, "writer")
        producer = self.clients.producer(writer.events, "p", instance=producer.instance, lease_ms=3600000)
        self.story(producer, "p-three")
        self.assert_redis(writer)

    def test_writer_that_was_stopped_in_a_rebuild_writes_nothing_when_it_continues(self):
        proxy = Proxy(self.redis, os.path.join(self.folder, "proxy"))
        self.addCleanup(proxy.close)
        writer, follower = self.broker("a", redis=proxy), self.broker("b", redis=self.redis)
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        position = self.story(producer, "p-one")
        self.await_position(follower, position)
        self.assert_redis(writer)
        #   The first transaction takes hold, the second one removes what is there
        proxy.count = 2
        self.redis.call("FLUSHALL")
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        self.depose(writer, follower)
        self.assert_redis(follower)
        proxy.free.set()
        self.assertTrue(proxy.answered.wait(harness.PATIENCE))
        self.assertTrue(proxy.answer.endswith(b"*-1\r\n"), proxy.answer)
        self.assert_redis(follower)
        writer.signal(signal.SIGCONT)
        self.await_role(writer, "follower")
        self.story(self.clients.producer(follower.events, "p", instance=producer.instance, lease_ms=3600000), "p-two")
        self.assert_redis(follower)


class Kills(Kept):
    def test_redis_equals_the_ledger_of_the_writer_after_kills_and_stops(self):
        seed = random.SystemRandom().randrange(1 << 32)
        print("seed %d" % seed)
        kinds = ["kill", "stop", "pause", "pause"]
        random.Random(seed).shuffle(kinds)
        brokers = {name: self.broker(name, redis=self.redis) for name in "ab"}
        publishers = self.start_publishers(brokers)
        for kind in kinds:
            self.await_acks(publishers)
            name = self.writer_of(brokers)
            broker = brokers[name]
            if kind == "pause":
                self.depose(broker, brokers["b" if name == "a" else "a"])
                broker.signal(signal.SIGCONT)
                self.await_role(broker, "follower")
            else:
                broker.kill() if kind == "kill" else self.assertEqual(broker.stop(), 0)
                self.askers.pop(broker.requests, None)
                brokers[name] = self.broker(name, redis=self.redis)
        self.await_acks(publishers)
        self.end(publishers)
        self.assert_redis(brokers[self.writer_of(brokers)])


class Pipeline(test_nodes.Brokers):
    def piped(self, name):
        return self.broker(name, pipeline_out="ipc://%s/%s-out" % (self.folder, name))

    def pull(self, name):
        return self.clients.puller("ipc://%s/%s-out" % (self.folder, name))

    def take(self, puller, upto):
        """The positions that arrive, up to that one."""
        positions = []
        while not positions or positions[-1] < upto:
            positions.append(puller.receive()["position"])
        return positions

    def test_only_the_node_that_leads_pushes_and_the_next_one_continues(self):
        writer, follower = self.piped("a"), self.piped("b")
        pullers = {name: self.pull(name) for name in "ab"}
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        for _ in range(12):
            position = self.publish(producer, 200)
        self.assertEqual(self.take(pullers["a"], position), list(range(1, position + 1)))
        saved = position - QUEUE
        harness.wait_until(lambda: self.ask(writer, "stats")["pipeline"]["saved"] == saved, "the cursor")
        #   The cursor is in the log
        harness.wait_until(lambda: self.ask(follower, "stats")["pipeline"]["position"] == saved, "the cursor on the other node")
        self.assertEqual(self.ask(follower, "stats")["pipeline"]["pushed"], 0)
        writer.kill()
        self.await_role(follower, "writer")
        producer = self.clients.producer(follower.events, "p", instance=producer.instance, lease_ms=3600000)
        last = self.publish(producer, 5)
        self.assertEqual(self.take(pullers["b"], last), list(range(saved + 1, last + 1)))


class Interruptions(test_nodes.Brokers):
    def start_task(self, broker, **hello):
        producer = self.clients.producer(broker.events, "p", **hello)
        return producer.publish({"type": "task.created", "task_id": "t", "title": "T", "description": "", "role": "r"},
                                {"type": "task.state_changed", "task_id": "t", "state": "running"})

    def state(self, broker):
        return self.ask(broker, "task.get", task_id="t")["task"]["state"]

    def test_rule_all_applies_to_a_start_of_all_nodes_and_not_to_a_take_over(self):
        writer, follower = self.broker("a", interrupted="all"), self.broker("b", interrupted="all")
        self.await_position(follower, self.start_task(writer, lease_ms=3600000))
        writer.kill()
        self.await_role(follower, "writer")
        self.askers.clear()
        writer = self.broker("a", interrupted="all")
        self.assertEqual(self.state(follower), "running")
        #   The writer is killed, and the other node starts again before it has led
        writer.kill()
        follower.kill()
        self.askers.clear()
        writer = self.broker("a", interrupted="all")
        self.await_role(writer, "writer")
        self.assertEqual(self.state(writer), "running")
        #   Nobody led when this one starts
        writer.stop()
        self.askers.clear()
        follower = self.broker("b", interrupted="all")
        self.assertEqual(self.state(follower), "failed")
        self.assertTrue(self.ask(follower, "task.get", task_id="t")["task"]["interrupted"])

    def start_many(self, proxy, interrupted="owner", **hello):
        """Tasks of one producer that are more than two batches may interrupt. Returns (writer, follower, position)."""
        writer = self.broker("a", url=proxy.url(), batch_events=10, lease_grace=1000, interrupted=interrupted)
        follower = self.broker("b", batch_events=10, lease_grace=1000, interrupted=interrupted)
        producer = self.clients.producer(writer.events, "p", **hello)
        self.ledger = producer.welcome["ledger"]
        for number in range(25):
            position = producer.publish(
                {"type": "task.created", "task_id": "many%d" % number, "title": "T", "description": "", "role": "r"},
                {"type": "task.state_changed", "task_id": "many%d" % number, "state": "running"})
        return writer, follower, position

    def kill_after_two(self, proxy, writer, follower, begin):
        """Of the batches that 'begin' leads to, the log has two when the writer is killed."""
        proxy.hold_from = b"\0append\0"
        begin()
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        proxy.held.clear()
        proxy.hold_from = b"\0append\0"
        proxy.answers.set()
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        writer.kill()
        self.await_role(follower, "writer")

    def assert_interrupted(self, broker, after):
        """All of them, once, in batches of at most ten."""
        events = [event for event in self.events(broker) if event.get("interrupted")]
        self.assertEqual(sorted(event["task_id"] for event in events), sorted("many%d" % number for number in range(25)))
        sizes = self.pair.primary.sql("SELECT last - first + 1 FROM stele_log WHERE ledger = '%s' AND last >= first AND first > %d"
                                      " ORDER BY number" % (self.ledger, after)).split()
        self.assertLessEqual(max(map(int, sizes)), 10, sizes)

    def test_new_run_interrupts_many_tasks_in_several_batches_through_a_take_over(self):
        proxy = self.proxy()
        writer, follower, position = self.start_many(proxy)
        new = self.clients.dealer(writer.events, "p")
        instance = self.ask(writer, "producer.get", producer="p")["producer"]["instance"]
        hello = {"op": "hello", "protocol": 1, "producer": "p", "instance": "new"}
        self.kill_after_two(proxy, writer, follower, lambda: new.send(hello))
        self.assertLess(len([event for event in self.events(follower) if event.get("interrupted")]), 25)
        #   The old run is fenced by the first of them
        old = self.clients.dealer(follower.events, "p")
        old.send(dict(hello, instance=instance))
        self.assertEqual(old.receive()["code"], "fenced")
        again = self.clients.producer(follower.events, "p", instance="new")
        self.assert_interrupted(follower, position)
        self.assertGreater(self.publish(again), position + 25)

    def test_end_of_a_lease_interrupts_many_tasks_in_several_batches_through_a_take_over(self):
        proxy = self.proxy()
        writer, follower, position = self.start_many(proxy, lease_ms=3000)
        self.kill_after_two(proxy, writer, follower, lambda: None)
        harness.wait_until(lambda: self.ask(follower, "stats")["position"] >= position + 25, "the rest")
        self.assert_interrupted(follower, position)
        self.assertEqual(self.ask(follower, "producer.get", producer="p")["producer"]["status"], "expired")

    def end_all(self):
        """Of both nodes, with tasks of 'start_many'. Returns the position, and a proxy for the next start."""
        proxy = self.proxy()
        writer, follower, position = self.start_many(proxy, interrupted="all", lease_ms=3600000)
        follower.kill()
        writer.kill()
        #   Nobody leads as soon as PostgreSQL has noticed that
        harness.wait_until(lambda: self.pair.primary.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") == "0",
                           "the end of its session")
        self.askers.clear()
        proxy.held.clear()
        return position, proxy

    def test_rule_all_interrupts_many_tasks_in_several_batches(self):
        position, _ = self.end_all()
        writer = self.broker("a", batch_events=10, interrupted="all")
        self.assert_interrupted(writer, position)
        self.assertEqual(self.ask(writer, "stats")["ingest"]["interrupted"], 25)

    def test_rule_all_goes_on_when_the_connection_is_lost_between_its_batches(self):
        position, proxy = self.end_all()
        proxy.hold_from = b"\0append\0"
        writer = self.broker("a", url=proxy.url(), line="", batch_events=10, interrupted="all")
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        proxy.held.clear()
        proxy.hold_from = b"\0append\0"
        proxy.answers.set()
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        proxy.cut()
        writer.wait_line("ready:")
        self.assert_interrupted(writer, position)
        self.assertEqual(self.ask(writer, "stats")["ingest"]["interrupted"], 25)

    def test_stop_while_rule_all_waits_for_an_append(self):
        _, proxy = self.end_all()
        proxy.hold_from = b"\0append\0"
        writer = self.broker("a", url=proxy.url(), shared_log_timeout=test_nodes.LEASE, line="", batch_events=10, interrupted="all")
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        self.assertEqual(writer.stop(), 0)

    @unittest.skipIf(harness.sanitized(), "a sanitizer has to come before any preloaded library")
    def test_time_in_which_a_node_followed_does_not_extend_leases(self):
        self.assertTrue(FAKETIME, "the package libfaketime is missing")
        clock = os.path.join(self.folder, "clock")
        with open(clock, "w") as file:
            file.write("+0")
        env = dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=clock, FAKETIME_NO_CACHE="1")
        first, other = self.broker("a", env=env), self.broker("b")
        #   The first one has led, so it has listened to producers
        position = self.start_task(first, instance="i", lease_ms=3600000)
        self.depose(first, other)
        first.signal(signal.SIGCONT)
        self.await_role(first, "follower")
        #   It follows for a day
        with open(clock + ".new", "w") as file:
            file.write("+1d")
        os.rename(clock + ".new", clock)
        harness.wait_until(lambda: self.ask(first, "stats")["uptime_s"] > 80000, "a day")
        self.clients.producer(other.events, "p", instance="i", lease_ms=3000)
        other.signal(signal.SIGSTOP)
        self.await_position(first, position)
        other.kill()
        self.await_role(first, "writer")
        #   With the day added, the lease would not end
        harness.wait_until(lambda: self.state(first) == "failed", "the end of the lease")
        self.assertEqual(self.ask(first, "stats")["ingest"]["interrupted"], 1)


if __name__ == "__main__":
    harness.main()
