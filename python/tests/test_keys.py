#!/usr/bin/env python3
# test_keys - the package with keys, and against brokers that refuse the connection
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import argparse
import asyncio
import logging
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

import zmq

import harness
import stele_client as stele
from keyed import Keyed, key_file, pair
from stele_client import aio

PATIENCE = 60


class KeysTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        logging.getLogger("stele").setLevel(logging.CRITICAL)
        os.environ.pop("STELE_KEY", None)
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.alice, cls.other = pair(), pair()

    def broker(self, *known, **options):
        broker = Keyed(*known, **options)
        self.addCleanup(broker.stop)
        return broker

    def file(self, own, server_key, **options):
        return key_file(os.path.join(self.folder, "key"), own, server_key, **options)

    def publish_and_ask(self, broker, key):
        with stele.Publisher("p", broker.endpoint, requests=broker.endpoint, key=key) as publisher:
            publisher.ready(PATIENCE)
            self.assertEqual(publisher.publish(stele.task_updated("t", title="T"), timeout=PATIENCE), 1)
        with stele.Client(broker.endpoint, timeout=PATIENCE, key=key) as client:
            self.assertEqual(client.ping(), 0)

    async def publish_and_ask_later(self, broker, key):
        async with aio.Publisher("p", broker.endpoint, requests=broker.endpoint, key=key) as publisher:
            await publisher.ready(PATIENCE)
            self.assertEqual(await publisher.publish(stele.task_updated("t", title="T"), timeout=PATIENCE), 1)
        async with aio.Client(broker.endpoint, timeout=PATIENCE, key=key) as client:
            self.assertEqual(await client.ping(), 0)

    def test_key_that_one_of_several_nodes_accepts_connects(self):
        own = pair()
        path = self.file(self.alice, own[0])
        nodes = [self.broker(own=own), self.broker(own=own), self.broker(self.alice[0], own=own)]

        def of(*brokers):
            return argparse.Namespace(endpoint=",".join(broker.endpoint for broker in brokers))

        def command(some, *arguments):
            return subprocess.run(
                [harness.program("stele"), *arguments, "--events", some.endpoint, "--requests", some.endpoint, "--key", path,
                 "--timeout", "%d" % (1000 * PATIENCE)],
                input=b'{"type": "task.updated", "task_id": "t", "title": "T"}', stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                timeout=2 * PATIENCE)

        self.publish_and_ask(of(nodes[0], nodes[2]), path)
        asyncio.run(self.publish_and_ask_later(of(nodes[0], nodes[2]), path))
        for arguments in (("publish", "--producer", "c", "-"), ("ping",)):
            done = command(of(nodes[0], nodes[2]), *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(command(of(*nodes[:2]), *arguments).returncode, 77)
        self.assertEqual([broker.seen for broker in nodes[:2]], [[], []])
        #   None accepts it: the waits end at once
        with self.assertRaises(stele.PermissionDenied):
            self.publish_and_ask(of(*nodes[:2]), path)
        with self.assertRaises(stele.PermissionDenied):
            asyncio.run(self.publish_and_ask_later(of(*nodes[:2]), path))
        with self.assertRaises(stele.PermissionDenied), stele.Client(of(*nodes[:2]).endpoint, PATIENCE, key=path) as client:
            client.ping()

    def test_named_writer_is_reached_only_with_the_server_key(self):
        own = pair()
        path = self.file(self.alice, own[0])
        same, another = self.broker(self.alice[0], own=own), self.broker(self.alice[0])
        for writer, reached in ((same, True), (another, False)):
            node = self.broker(self.alice[0], own=own, writer=writer.endpoint)
            done = subprocess.run(
                [harness.program("stele"), "publish", "--events", node.endpoint, "--requests", node.endpoint, "--key", path,
                 "--producer", "c", "--timeout", "%d" % (1000 * (PATIENCE if reached else 1)), "-"],
                input=b'{"type": "task.updated", "task_id": "t", "title": "T"}', stderr=subprocess.PIPE,
                stdout=subprocess.PIPE, timeout=2 * PATIENCE)
            self.assertEqual(done.returncode == 0, reached, done.stderr)
            publisher = stele.Publisher("p", node.endpoint, requests=node.endpoint, key=path)
            if reached:
                with publisher:
                    publisher.publish(stele.task_updated("t", title="T"), timeout=PATIENCE)
            else:
                with self.assertRaises(stele.SteleError), publisher:
                    publisher.publish(stele.task_updated("t", title="T"), timeout=1)
            self.assertEqual({message["producer"] for message in writer.seen if message["op"] == "hello"},
                             {"c", "p"} if reached else set())
            self.assertEqual(bool(writer.seen), reached)

    def test_file_object_and_environment_connect(self):
        broker = self.broker(self.alice[0])
        path = self.file(self.alice, broker.public)
        key = stele.Key.load(path)
        self.assertEqual((key.name, key.server_key), ("alice", broker.public))
        self.assertNotIn(self.alice[1], repr(key))
        for given in (path, key, stele.Key(*self.alice, broker.public)):
            self.publish_and_ask(broker, given)
            asyncio.run(self.publish_and_ask_later(broker, given))
        os.environ["STELE_KEY"] = path
        self.addCleanup(os.environ.pop, "STELE_KEY")
        self.publish_and_ask(broker, None)
        with stele.Client(broker.endpoint, timeout=PATIENCE, key="") as client, \
                self.assertRaisesRegex(stele.PermissionDenied, "needs a key"):
            client.ping()

    def test_key_without_query_follows_new_events_only(self):
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder)
        keys, names = os.path.join(folder, "keys"), ("events", "requests", "feed")
        for name, roles in (("root", "admin"), ("ear", "feed")):
            subprocess.run([harness.program("stele"), "key", "new", name, "--role", roles, "--keys", keys],
                           check=True, cwd=folder, capture_output=True)
        broker = harness.Steled(folder, arguments=["--keys", keys] + [word for name in names
                                                                      for word in ("--" + name, "tcp://127.0.0.1:*")])
        self.addCleanup(broker.stop)
        line = broker.wait_line("ready:")
        at = {name: re.search(name + r" (tcp://[0-9.:]+)", line).group(1) for name in names}
        options = {"feed": at["feed"], "requests": at["requests"], "key": os.path.join(folder, "ear.key_secret"),
                   "types": "task.updated"}
        with stele.Follower(0, **options) as follower, self.assertRaisesRegex(stele.RequestFailed, "role query"):
            next(iter(follower))

        async def next_later():
            async for event in aio.follow(None, **options):
                return event

        #   A follower is not connected at once
        done = threading.Event()

        def publish():
            with stele.Publisher("p", at["events"], key=os.path.join(folder, "root.key_secret")) as publisher:
                while not done.wait(0.01):
                    publisher.publish(stele.task_updated("t", title="T"), timeout=PATIENCE)

        publishing = threading.Thread(target=publish)
        publishing.start()
        try:
            with stele.Follower(None, **options) as follower, self.assertWarnsRegex(RuntimeWarning, "role query.*only new"):
                self.assertEqual(next(iter(follower))["task_id"], "t")
            with self.assertWarnsRegex(RuntimeWarning, "role query.*only new"):
                self.assertEqual(asyncio.run(asyncio.wait_for(next_later(), PATIENCE))["task_id"], "t")
        finally:
            done.set()
            publishing.join()

    #   Every way to connect reports the refusal, and none by a time-out

    def refusals(self, broker, key):
        """The texts of all of them"""
        publisher = stele.Publisher("p", broker.endpoint, requests=broker.endpoint, key=key)
        client = stele.Client(broker.endpoint, timeout=PATIENCE, key=key)
        follower = stele.Follower(0, feed=broker.feed, requests=broker.endpoint, key=key)
        follower._order.missing = False     # So that the feed is used first
        self.addCleanup(follower.close)
        with client:
            for call in (lambda: publisher.ready(PATIENCE),
                         lambda: publisher.publish(stele.task_updated("t", title="T"), timeout=PATIENCE),
                         lambda: publisher.flush(PATIENCE), client.ping, client.ping,
                         lambda: next(iter(follower)), lambda: next(iter(follower)), lambda: publisher.close(PATIENCE)):
                with self.assertRaises(stele.PermissionDenied) as caught:
                    call()
                yield str(caught.exception)

    async def refusals_later(self, broker, key):
        publisher = aio.Publisher("p", broker.endpoint, requests=broker.endpoint, key=key)
        client = aio.Client(broker.endpoint, timeout=PATIENCE, key=key)

        async def follow():
            async for _ in aio.follow(0, feed=broker.feed, requests=broker.endpoint, key=key):
                self.fail("an event")

        texts = []
        for call in (lambda: publisher.ready(PATIENCE),
                     lambda: publisher.publish(stele.task_updated("t", title="T"), timeout=PATIENCE),
                     lambda: publisher.flush(PATIENCE), client.ping, client.ping, follow, lambda: publisher.close(PATIENCE)):
            with self.assertRaises(stele.PermissionDenied) as caught:
                await call()
            texts.append(str(caught.exception))
        await client.close()
        return texts

    def expect_refusals(self, broker, key, words):
        texts = list(self.refusals(broker, key)) + asyncio.run(self.refusals_later(broker, key))
        self.assertEqual(len(texts), 15)
        for text in texts:
            self.assertIn(words, text)

    def test_unknown_key(self):
        broker = self.broker()
        self.expect_refusals(broker, self.file(self.alice, broker.public), "does not accept the key alice")

    def test_no_key_for_a_broker_with_keys(self):
        self.expect_refusals(self.broker(self.alice[0]), None, "needs a key")

    def test_key_for_a_broker_without_keys(self):
        self.expect_refusals(self.broker(keys=False), self.file(self.alice, self.other[0]), "uses no keys")

    def test_key_of_another_broker(self):
        self.expect_refusals(self.broker(self.alice[0]), self.file(self.alice, self.other[0]), "is not the server-key")

    def test_refused_publisher_continues_when_its_key_is_added(self):
        broker = self.broker()
        path = self.file(self.alice, broker.public)
        with stele.Publisher("p", broker.endpoint, requests=broker.endpoint, key=path) as publisher:
            receipt = publisher.send(stele.task_updated("t", title="T"))
            with self.assertRaises(stele.PermissionDenied):
                publisher.flush(PATIENCE)
            broker.known.add(self.alice[0])
            self.assertEqual(receipt.result(PATIENCE).position, 1)
            publisher.flush(PATIENCE)

    def test_refused_publisher_continues_later(self):
        async def run():
            broker = self.broker()
            path = self.file(self.alice, broker.public)
            async with aio.Publisher("p", broker.endpoint, requests=broker.endpoint, key=path) as publisher, \
                    aio.Client(broker.endpoint, timeout=PATIENCE, key=path) as client:
                receipt = await publisher.send(stele.task_updated("t", title="T"))
                with self.assertRaises(stele.PermissionDenied):
                    await client.ping()
                with self.assertRaises(stele.PermissionDenied):
                    await publisher.flush(PATIENCE)
                broker.known.add(self.alice[0])
                self.assertEqual((await asyncio.wait_for(receipt, PATIENCE)).position, 1)
                self.assertEqual(await client.ping(), 0)
        asyncio.run(run())

    #   Refused between connecting and sending: the request cannot be sent, and does not wait for ever

    def open_until_refused(self, client):
        def refused():
            socket = zmq.Socket.shadow(client._socket.underlying)
            harness.wait_until(lambda: not socket.poll(0, zmq.POLLOUT))

        def later():
            opened()
            refused()

        refused()
        opened, client._open = client._open, later

    def test_request_that_cannot_be_sent_is_refused(self):
        broker = self.broker()
        with stele.Client(broker.endpoint, timeout=PATIENCE, key=self.file(self.alice, broker.public)) as client:
            self.open_until_refused(client)
            with self.assertRaises(stele.PermissionDenied):
                client.ping()

    def test_request_that_cannot_be_sent_is_refused_later(self):
        broker = self.broker()
        path = self.file(self.alice, broker.public)

        async def run():
            async with aio.Client(broker.endpoint, timeout=PATIENCE, key=path) as client:
                self.open_until_refused(client)
                with self.assertRaises(stele.PermissionDenied):
                    await client.ping()
        asyncio.run(asyncio.wait_for(run(), 2 * PATIENCE))

    def test_wrong_file_is_refused_with_the_reason(self):
        def load(*arguments, **options):
            stele.Client("tcp://127.0.0.1:1", key=self.file(*arguments, **options)).close()

        for words, attempt in (
                ("No such file", lambda: stele.Client(key=os.path.join(self.folder, "none"))),
                ("chmod 600", lambda: load(self.alice, self.other[0], mode=0o644)),
                ("not that of its secret-key", lambda: load((self.other[0], self.alice[1]), self.other[0])),
                ("cannot be used", lambda: load(self.alice, "short"))):
            with self.assertRaisesRegex(stele.InvalidKey, words):
                attempt()
        for missing in ("public-key", "secret-key", "server-key"):
            path = self.file(self.alice, self.other[0])
            with open(path) as file:
                lines = [line for line in file if missing not in line]
            with open(path, "w") as file:
                file.writelines(lines)
            with self.assertRaisesRegex(stele.InvalidKey, "no " + missing):
                stele.Client(key=path)


if __name__ == "__main__":
    unittest.main()
