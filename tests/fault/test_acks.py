# Acks that are lost in transit, producers that die and return, two at once: no event is stored
# twice, no acked event is missing, and a gap is refused
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import random
import sys
import time
import uuid

import harness
from client import created, metric
from faulty import FaultTest, Proxy
from load import Load

PRODUCER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "producer.py")


class Acks(FaultTest):
    use_redis = False

    def setUp(self):
        super().setUp()
        self.random = random.Random(self.id())

    def proxy(self):
        proxy = Proxy(self.folder, self.broker.events, self.name("proxy")[-30:])
        self.addCleanup(proxy.stop)
        return proxy

    def expect_error(self, peer, code):
        error = peer.expect("error")
        self.assertEqual(error["code"], code, error)
        return error

    def test_acks_lost_with_the_connection_store_nothing_twice(self):
        proxy = self.proxy()
        loads = [Load(proxy.endpoint, "cut-%d" % n, window=300, batch=7) for n in range(4)]
        for _ in range(40):
            time.sleep(self.random.uniform(0, 0.06))
            if self.random.random() < 0.5:
                proxy.deaf()
                time.sleep(self.random.uniform(0, 0.03))
            proxy.cut()
        for load in loads:
            load.finish(100)
        self.assert_kept(*loads)
        self.assert_whole()

    def test_the_client_library_survives_the_same(self):
        proxy = self.proxy()
        lines = [json.dumps({"type": "task.metric_recorded", "task_id": self.name("task"),
                             "name": "n", "value": number}) for number in range(20000)]
        publish = harness.Process(
            [harness.program("stele"), "publish", self.path("\n".join(lines)), "--producer", "library"],
            env=dict(self.broker.environment(), STELE_EVENTS=proxy.endpoint))
        self.addCleanup(publish.kill)
        while publish.running():
            time.sleep(self.random.uniform(0, 0.03))
            proxy.deaf()
            time.sleep(self.random.uniform(0, 0.01))
            if proxy.cuts < 200:
                proxy.cut()
        proxy.cut()
        self.assertEqual(publish.wait(), 0, publish.log())
        self.assertGreater(proxy.cuts, 1)
        self.assertEqual(self.values(self.name("task")), list(range(20000)))

    def path(self, text):
        path = os.path.join(self.folder, self.name("lines"))
        with open(path, "w") as file:
            file.write(text + "\n")
        return path

    def kill_and_restart(self, instance_of):
        name = self.name("producer")
        path = os.path.join(self.folder, name)
        for turn in range(15):
            producer = harness.Process([sys.executable, PRODUCER, self.broker.events, name,
                                        instance_of(turn), path])
            self.addCleanup(producer.kill)
            harness.wait_until(lambda: os.path.exists(path) and len(self.acks(path)) > turn * 2,
                               "acks", harness.PATIENCE)
            time.sleep(self.random.uniform(0, 0.05))
            self.assertTrue(producer.running(), producer.log())
            producer.kill()
        acked = self.acks(path)
        self.assertEqual(acked, sorted(acked))          # A welcome covers every ack
        durable = self.producer(name).welcome["sequence"]
        self.assertGreaterEqual(durable, acked[-1])
        self.assertEqual(self.values("task-" + name), list(range(1, durable + 1)))

    def acks(self, path):
        with open(path, "rb") as file:
            return [int(line) for line in file.read().split(b"\n")[:-1]]

    def test_producer_killed_and_restarted_as_the_same_instance(self):
        instance = str(uuid.uuid4())
        self.kill_and_restart(lambda turn: instance)

    def test_producer_killed_and_restarted_as_a_new_instance(self):
        self.kill_and_restart(lambda turn: "run-%d" % turn)

    def test_two_instances_at_once_only_the_newer_one_stores(self):
        name, task = self.name("producer"), self.name("task")
        promised = []
        for turn in range(10):
            first = self.producer(name)
            values = range(turn * 1000, turn * 1000 + 20)
            first.publish(*[metric(task, "n", value) for value in values])
            promised += values
            second = self.producer(name)                # The first continues as usual
            for value in range(50):
                first.send_events([metric(task, "n", -1)])
                second.send_events([metric(task, "n", turn * 1000 + 100 + value)])
            second.settle()
            promised += range(turn * 1000 + 100, turn * 1000 + 150)
            for _ in range(51):                         # One at the takeover, and one for each message it sent
                self.expect_error(first, "fenced")
        self.assertEqual(self.values(task), promised)
        self.assertEqual(self.producer(name).welcome["sequence"], len(promised))

    def test_the_same_instance_twice_at_once_stores_each_sequence_once(self):
        name, task = self.name("producer"), self.name("task")
        one = self.producer(name)
        other = self.producer(name, instance=one.instance)
        for sequence in range(1, 301):
            for peer, value in ((one, sequence), (other, sequence + 0.5)):
                peer.send({"op": "publish", "sequence": sequence, "events": [metric(task, "n", value)]})
        one.sequence = other.sequence = 300
        one.settle()
        other.settle()
        values = self.values(task)
        self.assertEqual([int(value) for value in values], list(range(1, 301)))
        self.assertEqual(self.ask("ping")["position"], self.head_of_file())

    def head_of_file(self):
        return self.file().execute("SELECT max(last) FROM commits").fetchone()[0]

    def test_sequences_reused_with_other_content_change_nothing(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), *[metric(task, "n", value) for value in range(2, 11)])
        head = self.ask("ping")["position"]
        for first in (1, 5, 10):                        # All of it is stored
            peer.send({"op": "publish", "sequence": first,
                       "events": [metric(task, "n", -1) for _ in range(first, 11)]})
            ack = peer.receive()
            self.assertEqual((ack["op"], ack["sequence"], ack["position"]), ("ack", 10, head))
        peer.send({"op": "publish", "sequence": 8,      # Half of it is stored
                   "events": [metric(task, "n", value) for value in (-1, -1, -1, 11, 12)]})
        self.assertEqual(peer.receive(), {"op": "ack", "sequence": 12, "position": head + 2})
        self.assertEqual(self.values(task), list(range(2, 13)))

    def test_gaps_are_refused_and_closed_by_a_resend(self):
        task = self.name("task")
        peer = self.producer()
        for sequence in range(1, 200):
            if sequence % 10 == 5:
                continue                                # Lost in transit
            peer.send({"op": "publish", "sequence": sequence, "events": [metric(task, "n", sequence)]})
        expected = set()
        for _ in range(199 - 20 - 4):
            expected.add(self.expect_error(peer, "sequence_gap")["expected"])
        self.assertEqual(peer.acked, 4)
        self.assertEqual(expected, {5})                 # Nothing after the first gap was accepted
        self.assertEqual(self.values(task), [1, 2, 3, 4])
        for sequence in range(1, 200):
            peer.send({"op": "publish", "sequence": sequence, "events": [metric(task, "n", sequence)]})
        peer.sequence = 199
        peer.settle()
        self.assertEqual(self.values(task), list(range(1, 200)))

    def test_killed_broker_and_lost_acks_together(self):
        proxy = self.proxy()
        loads = [Load(proxy.endpoint, "both-%d" % n, window=200, batch=5) for n in range(3)]
        for _ in range(5):
            loads[0].wait_acked(loads[0].acked + 100)
            proxy.deaf()
            time.sleep(self.random.uniform(0, 0.02))
            self.restart()
            proxy.cut()
        for load in loads:
            load.finish(100)
        self.assert_kept(*loads)
        self.assert_whole()


if __name__ == "__main__":
    harness.main()
