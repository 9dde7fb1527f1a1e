# test_clients - libstele, the command line and the Python package find the node that writes by themselves
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import asyncio
import json
import os
import re
import subprocess
import threading
import unittest

import harness
import stele_client
import test_kills
from stele_client import aio

MS = "%d" % (1000 * harness.PATIENCE)


def created(name, number):
    return {"type": "task.created", "task_id": "%s-%d" % (name, number), "title": "T", "description": "", "role": "r"}


class Writer(threading.Thread):
    """Publishes tasks NAME-1, NAME-2 ... until it is told to stop, and ends when all of them are acked."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.name = name
        self.count = 0                      # Events that were given to the client
        self.stopping = threading.Event()
        self.failure = None
        self.start()

    def run(self):
        try:
            self.publish()
        except BaseException as error:      # Reported by the test
            self.failure = error

    def events(self):
        while not self.stopping.is_set():
            self.count += 1
            yield created(self.name, self.count)
            #   Not a proof: only less load
            self.stopping.wait(0.002)

    def end(self):
        self.stopping.set()
        self.join(3 * harness.PATIENCE)
        if self.failure or self.is_alive():
            raise AssertionError("%s: %r" % (self.name, self.failure or "did not end"))


class Command(Writer):
    """stele publish, or any command that publishes what it reads: libstele"""

    def __init__(self, name, endpoints, *arguments):
        self.command = [harness.program("stele"), "publish", "--producer", name, "--batch", "7", "--timeout", MS, *arguments, "-"]
        self.environment = dict(os.environ, STELE_EVENTS=endpoints["events"], STELE_REQUESTS=endpoints["requests"])
        super().__init__(name)

    def publish(self):
        process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=self.environment)
        try:
            for event in self.events():
                process.stdin.write(json.dumps(event).encode() + b"\n")
                process.stdin.flush()
            output = process.communicate(timeout=2 * harness.PATIENCE)[0].decode()
        finally:
            process.kill()
        if process.returncode:
            raise AssertionError("status %d: %s" % (process.returncode, output))


class Threads(Writer):
    def __init__(self, name, endpoints, spool=None):
        self.endpoints, self.spool = endpoints, spool
        self.receipts = []
        super().__init__(name)

    def publish(self):
        with stele_client.Publisher(self.name, self.endpoints["events"], requests=self.endpoints["requests"],
                                    spool=self.spool) as publisher:
            futures = [publisher.send(event) for event in self.events()]
            publisher.flush(2 * harness.PATIENCE)
        self.receipts = [future.result(0) for future in futures]


class Tasks(Threads):
    """asyncio"""

    def publish(self):
        async def publish():
            async with aio.Publisher(self.name, self.endpoints["events"], requests=self.endpoints["requests"]) as publisher:
                futures = []
                for event in self.events():
                    futures.append(await publisher.send(event))
                    await asyncio.sleep(0)
                await publisher.flush(2 * harness.PATIENCE)
                return [await future for future in futures]
        self.receipts = asyncio.run(publish())


class Nodes(test_kills.Loaded):
    def node(self, name, **settings):
        return self.broker(name, advertise_requests="ipc://%s/%s/requests" % (self.folder, name), **settings)

    def nodes(self, names="abc", **settings):
        return {name: self.node(name, **settings) for name in names}

    def endpoints(self, names="abc"):
        """Lists of their endpoints, after one of a node that is not there."""
        return {kind: ", ".join("ipc://%s/%s/%s" % (self.folder, name, kind) for name in ["gone"] + list(names))
                for kind in ("events", "requests", "feed")}

    def stele(self, endpoints, *arguments, input=None, timeout=MS):
        environment = dict(os.environ, STELE_EVENTS=endpoints["events"], STELE_REQUESTS=endpoints["requests"],
                           STELE_FEED=endpoints["feed"], NO_COLOR="1", HOME=self.folder)
        return subprocess.run([harness.program("stele"), "--timeout", timeout, *arguments], input=input, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment, timeout=5 * harness.PATIENCE)

    def of(self, broker):
        return {"events": broker.events, "requests": broker.requests, "feed": broker.feed}

    def sequence_of(self, broker, producer):
        answer = self.ask(broker, "producer.get", producer=producer)
        return answer["producer"]["sequence"] if answer["ok"] else 0

    def assert_stored(self, brokers, counts):
        """On all nodes: the tasks of each producer, once and in order."""
        head = max(self.ask(broker, "stats")["position"] for broker in brokers.values())
        for broker in brokers.values():
            self.await_position(broker, head)
        events = self.events(brokers["a"])
        for name, count in counts.items():
            self.assertEqual([event["task_id"] for event in events if event.get("task_id", "").startswith(name + "-")],
                             ["%s-%d" % (name, number) for number in range(1, count + 1)])
        for broker in brokers.values():
            self.assertEqual(self.events(broker), events)
        return {event["task_id"]: event["position"] for event in events}


class Publish(Nodes):
    def test_publishers_go_on_at_the_node_that_takes_over(self):
        brokers = self.nodes()
        endpoints = self.endpoints()
        writers = [Command("c", endpoints), Command("spooled", endpoints, "--spool", os.path.join(self.folder, "s")),
                   Threads("threads", endpoints), Threads("python", endpoints, os.path.join(self.folder, "p")),
                   Tasks("tasks", endpoints)]

        def await_progress():
            name = self.writer_of(brokers)
            before = {writer.name: self.sequence_of(brokers[name], writer.name) for writer in writers}
            harness.wait_until(lambda: all(writer.failure or self.sequence_of(brokers[name], writer.name) > before[writer.name]
                                           for writer in writers), "acks by " + name)
            return name

        for end in ("kill", "stop"):
            name = await_progress()
            brokers[name].kill() if end == "kill" else self.assertEqual(brokers[name].stop(), 0)
            self.askers.pop(brokers.pop(name).requests)
            await_progress()
            brokers[name] = self.node(name)
        for writer in writers:
            writer.end()
        positions = self.assert_stored(brokers, {writer.name: writer.count for writer in writers})
        for writer in writers[2:]:
            self.assertEqual([receipt.sequence for receipt in writer.receipts], list(range(1, writer.count + 1)))
            for number, receipt in enumerate(writer.receipts, 1):
                self.assertGreaterEqual(receipt.position or 1 << 62, positions["%s-%d" % (writer.name, number)])

    def test_publisher_with_one_endpoint_goes_to_the_writer_that_is_named(self):
        brokers = self.nodes("ab")
        self.await_role(brokers["b"], "follower")
        one = self.of(brokers["b"])
        lines = "".join(json.dumps(created("c", number)) + "\n" for number in range(1, 4)).encode()
        done = self.stele(one, "publish", "--producer", "c", "-", input=lines)
        self.assertEqual(done.returncode, 0, done.stderr)
        with stele_client.Publisher("p", one["events"], requests=one["requests"]) as publisher:
            publisher.publish(created("p", 1), timeout=harness.PATIENCE)
        done = self.stele(one, "run", "--task", "t", "--", "true")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn("t", self.assert_stored(brokers, {"c": 3, "p": 1}))

    def test_endpoint_of_another_kind_is_not_followed(self):
        brokers = {"a": self.broker("a", advertise="tcp://127.0.0.1:9"), "b": self.broker("b")}
        self.await_role(brokers["b"], "follower")
        with self.assertRaisesRegex(stele_client.BrokerTimeout, "no node of them writes; .*its writer is a \\(tcp://127.0.0.1:9\\)"):
            with stele_client.Publisher("p", brokers["b"].events, requests=brokers["b"].requests) as publisher:
                publisher.publish(created("p", 1), timeout=1)
        #   One of the own list is
        both = "%s,tcp://127.0.0.1:9,%s" % (brokers["b"].events, brokers["a"].events)
        with stele_client.Publisher("p", both, requests=brokers["b"].requests) as publisher:
            publisher.publish(created("p", 1), timeout=harness.PATIENCE)
        done = self.stele(dict(self.of(brokers["b"]), events=both), "publish", "--producer", "c", "-",
                          input=json.dumps(created("c", 1)).encode())
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_nodes_that_all_follow_end_a_wait_with_the_reason(self):
        brokers = self.nodes("a")
        brokers.update(self.nodes("bc", role="follower"))
        brokers["a"].kill()
        endpoints = self.endpoints("bc")
        done = self.stele(endpoints, "publish", "--producer", "c", "-", input=json.dumps(created("c", 1)).encode(), timeout="1000")
        self.assertEqual(done.returncode, 69)
        self.assertRegex(done.stderr.decode(), "no ack .*follows a shared log; its writer is a \\(ipc://.*/a/events\\)")
        with self.assertRaisesRegex(stele_client.BrokerTimeout, "no node of them writes; .*its writer is a"):
            with stele_client.Publisher("p", endpoints["events"], requests=endpoints["requests"]) as publisher:
                publisher.publish(created("p", 1), timeout=1)
        done = self.stele(endpoints, "rejected", "--retry", "1")
        self.assertEqual(done.returncode, 75)
        self.assertRegex(done.stderr.decode(), "this node follows the shared log; its writer is a")
        with stele_client.Client(endpoints["requests"], harness.PATIENCE) as client:
            with self.assertRaisesRegex(stele_client.RequestFailed, "not_writer: .*its writer is a"):
                client.retry_rejected(1)


if __name__ == "__main__":
    harness.main()
