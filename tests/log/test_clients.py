# test_clients - libstele, the command line and the Python package find the node that writes by themselves
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import asyncio
import json
import os
import re
import signal
import subprocess
import threading

import harness
import stele_client
import test_kills
import zmq
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
        options = ["--timeout", timeout] if timeout else []
        return subprocess.run([harness.program("stele"), *options, *arguments], input=input, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment, timeout=5 * harness.PATIENCE)

    def record(self, task, endpoints):
        """stele run; returns its messages: it waits a moment only for a node."""
        done = self.stele(endpoints, "run", "--task", task, "--", "true", timeout=None)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def of(self, broker):
        return {"events": broker.events, "requests": broker.requests, "feed": broker.feed}

    def sequence_of(self, broker, producer):
        answer = self.ask(broker, "producer.get", producer=producer)
        return answer["producer"]["sequence"] if answer["ok"] else 0

    def assert_waits_in_vain(self, endpoints, why):
        """A publisher of Python reports that no node writes."""
        publisher = stele_client.Publisher("p", endpoints["events"], requests=endpoints["requests"])
        publisher.send(created("p", 1))

        def flush():
            with self.assertRaises(stele_client.BrokerTimeout) as raised:
                publisher.flush(0.5)
            return re.search("no node of them writes; .*" + why, str(raised.exception))

        harness.wait_until(flush, why)
        with self.assertRaises(stele_client.BrokerTimeout):
            publisher.close(0)

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
    def test_publishers_continue_at_the_node_that_takes_over(self):
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

    def test_publishers_leave_a_writer_that_is_stopped(self):
        brokers = self.nodes("ab", lease=3000)
        endpoints = self.endpoints("ab")
        writers = [Command("c", endpoints, "--spool", os.path.join(self.folder, "s")), Threads("threads", endpoints),
                   Tasks("tasks", endpoints)]
        name = self.writer_of(brokers)
        harness.wait_until(lambda: all(self.sequence_of(brokers[name], writer.name) for writer in writers), "acks")
        brokers[name].signal(signal.SIGSTOP)
        other = self.writer_of({node: broker for node, broker in brokers.items() if node != name})
        before = {writer.name: self.sequence_of(brokers[other], writer.name) for writer in writers}
        harness.wait_until(lambda: all(writer.failure or self.sequence_of(brokers[other], writer.name) > before[writer.name]
                                       for writer in writers), "acks by " + other)
        brokers[name].signal(signal.SIGCONT)
        for writer in writers:
            writer.end()
        self.assert_stored(brokers, {writer.name: writer.count for writer in writers})

    def test_publisher_with_one_endpoint_goes_to_the_writer_that_is_named(self):
        brokers = self.nodes("ab")
        self.await_role(brokers["b"], "follower")
        one = self.of(brokers["b"])
        lines = "".join(json.dumps(created("c", number)) + "\n" for number in range(1, 4)).encode()
        done = self.stele(one, "publish", "--producer", "c", "-", input=lines)
        self.assertEqual(done.returncode, 0, done.stderr)
        with stele_client.Publisher("p", one["events"], requests=one["requests"]) as publisher:
            publisher.publish(created("p", 1), timeout=harness.PATIENCE)
        #   While no node was there; the list that begins with the same endpoint finds its spool
        away = {kind: endpoints.partition(",")[0] for kind, endpoints in self.endpoints().items()}
        self.assertIn(b"next 'stele run' sends them", self.record("early", away))
        for task, endpoints in (("t", one), ("u", self.endpoints("ba"))):
            harness.wait_until(lambda: self.record(task, endpoints) == b"", "the end of " + task)
        harness.wait_until(lambda: self.ask(brokers["a"], "task.get", task_id="early")["ok"] or self.record("u", endpoints) is None,
                           "the spool")
        self.assertLessEqual({"early", "t", "u"}, set(self.assert_stored(brokers, {"c": 3, "p": 1})))

    def test_endpoint_of_another_kind_is_not_followed(self):
        brokers = {"a": self.broker("a", advertise="tcp://127.0.0.1:9"), "b": self.broker("b")}
        self.await_role(brokers["b"], "follower")
        self.assert_waits_in_vain(self.of(brokers["b"]), "its writer is a \\(tcp://127.0.0.1:9\\)")
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

        def publish():
            done = self.stele(endpoints, "publish", "--producer", "c", "-", input=json.dumps(created("c", 1)).encode(),
                              timeout="1000")
            self.assertEqual(done.returncode, 69)
            return re.search("no ack .*follows a shared log; its writer is a \\(ipc://.*/a/events\\)", done.stderr.decode())

        #   It waits a moment only for the reason
        harness.wait_until(publish, "the reason")
        self.assert_waits_in_vain(endpoints, "its writer is a")
        done = self.stele(endpoints, "rejected", "--retry", "1")
        self.assertEqual(done.returncode, 75)
        self.assertRegex(done.stderr.decode(), "this node follows the shared log; its writer is a")
        with stele_client.Client(endpoints["requests"], harness.PATIENCE) as client:
            with self.assertRaisesRegex(stele_client.RequestFailed, "not_writer: .*its writer is a"):
                client.retry_rejected(1)


class Deaf(threading.Thread):
    """A node that ends the connection when a request arrives."""

    def __init__(self, endpoint):
        super().__init__(daemon=True)
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.bind(endpoint)
        self.start()

    def run(self):
        self.socket.recv_multipart()
        self.socket.close(0)

    def end(self):
        self.join(harness.PATIENCE)
        self.context.term()


class Requests(Nodes):
    def setUp(self):
        super().setUp()
        self.brokers = self.nodes("ab")
        self.await_role(self.brokers["b"], "follower")
        producer = self.clients.producer(self.brokers["a"].events, "p")
        producer.publish_refused({"type": "task.state_changed", "task_id": "t1"})
        self.await_position(self.brokers["b"], self.publish(producer))

    def test_nodes_tell_their_names_roles_and_epochs(self):
        for name, role in (("a", "writer"), ("b", "follower")):
            info, stats = self.ask(self.brokers[name], "info"), self.shared(self.brokers[name])
            for answer in (info, stats):
                self.assertEqual((answer["node"], answer["role"], answer["epoch"]), (name, role, 1))
        self.assertEqual(stats["requests"], self.brokers["a"].requests)
        peer = self.clients.dealer(self.brokers["a"].events, "q")
        peer.send({"op": "hello", "protocol": 1, "producer": "q", "instance": "i"})
        welcome = peer.receive()
        self.assertEqual((welcome["node"], welcome["role"], welcome["epoch"]), ("a", "writer", 1))
        self.brokers["a"].kill()
        self.await_role(self.brokers["b"], "writer")
        info = self.ask(self.brokers["b"], "info")
        self.assertEqual((info["node"], info["role"], info["epoch"]), ("b", "writer", 2))

    def test_writes_go_to_the_writer_and_reads_stay(self):
        #   One endpoint: the writer is named; a list: it would be found in any case
        for producer, endpoints in (("one", self.of(self.brokers["b"])), ("list", self.endpoints("ba"))):
            done = self.stele(endpoints, "rejected", "--retry", "1")
            self.assertEqual(done.returncode, 65, done.stderr)      # Done, and refused again
            self.assertEqual(self.stele(endpoints, "get", "t1").returncode, 0)
            with stele_client.Client(endpoints["requests"], harness.PATIENCE) as client:
                for number in (1, 2):
                    answer = client.publish(producer, [created(producer, number)], number)
                    self.assertEqual(answer["sequence"], number)
                self.assertEqual(client.info()["node"], "b")

        async def publish():
            async with aio.Client(self.brokers["b"].requests, harness.PATIENCE) as client:
                answers = await asyncio.gather(*[client.publish("r%d" % number, [created("r", number)]) for number in range(5)])
                self.assertEqual([answer["accepted"] for answer in answers], [1] * 5)
                self.assertEqual((await client.info())["node"], "b")
        asyncio.run(publish())

    def test_client_continues_at_another_node(self):
        endpoints = self.endpoints("ba")["requests"]

        async def use():
            async with aio.Client(endpoints, harness.PATIENCE) as later:
                with stele_client.Client(endpoints, harness.PATIENCE) as client:
                    self.assertEqual(client.info()["node"], "b")
                    self.assertEqual((await later.info())["node"], "b")
                    self.brokers["b"].kill()
                    self.assertEqual(client.info()["node"], "a")
                    answers = await asyncio.gather(*[later.info() for _ in range(5)])
                    self.assertEqual({answer["node"] for answer in answers}, {"a"})
        asyncio.run(use())

    def test_only_reads_are_sent_again_after_a_lost_connection(self):
        deaf = "ipc://%s/deaf" % self.folder
        endpoints = {kind: "%s,%s" % (deaf, endpoint) for kind, endpoint in self.of(self.brokers["a"]).items()}

        def python(op, *arguments):
            with stele_client.Client(endpoints["requests"], harness.PATIENCE) as client:
                return getattr(client, op)(*arguments)

        def later(op, *arguments):
            async def use():
                async with aio.Client(endpoints["requests"], harness.PATIENCE) as client:
                    return await getattr(client, op)(*arguments)
            return asyncio.run(use())

        def while_deaf(call, *arguments):
            node = Deaf(deaf)
            try:
                return call(*arguments)
            finally:
                node.end()

        lost = "the connection to %s was lost before the answer.* may have been executed" % deaf
        for call in (python, later):
            self.assertEqual(while_deaf(call, "info")["node"], "a")
            with self.assertRaisesRegex(stele_client.BrokerTimeout, lost):
                while_deaf(call, "retry_rejected", 1)
        done = while_deaf(self.stele, endpoints, "get", "t1")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = while_deaf(self.stele, endpoints, "rejected", "--retry", "1")
        self.assertEqual(done.returncode, 75)
        self.assertRegex(done.stderr.decode(), lost)


class Follow(Nodes):
    def test_followers_continue_at_another_node_from_their_position(self):
        brokers = self.nodes()
        self.await_role(brokers["b"], "follower")
        endpoints = self.endpoints("bc")
        producer = self.clients.producer(brokers["a"].events, "p", lease_ms=3600000)
        self.publish(producer, 20)
        command = harness.Process([harness.program("stele"), "follow", "--after", "0", "--json"],
                                  env=dict(os.environ, STELE_FEED=endpoints["feed"], STELE_REQUESTS=endpoints["requests"]))
        self.addCleanup(command.kill)
        topic = harness.Process([harness.program("stele"), "follow", "--after", "0", "--json", "task.created/"],
                                env=dict(os.environ, STELE_FEED=endpoints["feed"], STELE_REQUESTS=endpoints["requests"]))
        self.addCleanup(topic.kill)
        seen = {"threads": [], "tasks": []}

        def follow():
            with stele_client.Follower(0, feed=endpoints["feed"], requests=endpoints["requests"]) as follower:
                for event in follower:
                    seen["threads"].append(event["position"])

        async def follow_later():
            async for event in aio.follow(0, feed=endpoints["feed"], requests=endpoints["requests"]):
                seen["tasks"].append(event["position"])

        for run in (follow, lambda: asyncio.run(follow_later())):
            threading.Thread(target=run, daemon=True).start()

        def await_all(position):
            def positions(process):
                return [json.loads(line)["position"] for line in list(process.lines) if line and line.startswith("{")]
            every = list(range(1, position + 1))
            for what, get in (("stele follow", lambda: positions(command)), ("a topic", lambda: positions(topic)),
                              ("threads", lambda: seen["threads"]), ("asyncio", lambda: seen["tasks"])):
                harness.wait_until(lambda: len(get()) >= position, "%s: %d events" % (what, position))
                self.assertEqual(get(), every, what)

        await_all(20)
        #   They are at b; what is published while it goes away comes from c
        self.publish(producer, 20)
        brokers["b"].kill()
        await_all(self.publish(producer, 20))
        await_all(self.publish(producer, 1))
        #   c goes away, and b comes back
        brokers["b"] = self.node("b")
        self.assertEqual(brokers["c"].stop(), 0)
        await_all(self.publish(producer, 20))


if __name__ == "__main__":
    harness.main()
