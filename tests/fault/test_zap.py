# The ZAP actor ends while clients are connected: nothing is served after that, and the broker stops
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re
import shutil
import unittest

import zmq

import client
import harness
from sweep import points
from test_access import Keys

BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)


class Zap(unittest.TestCase):
    def setUp(self):
        if not points(BUILD):
            self.skipTest("%s was not configured with --enable-fault-points" % BUILD)
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.keys = Keys(self.folder)
        self.keys.add("root", "admin")
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)

    def socket(self, type):
        socket = self.context.socket(type)
        self.keys.apply(socket, "root")
        return socket

    def start(self, **fault):
        tcp = "tcp://127.0.0.1:*"
        process = harness.Process([
            os.path.join(BUILD, "steled"), "--ledger", os.path.join(self.folder, "ledger.db"), "--redis", "none", "--events", tcp,
            "--requests", tcp, "--feed", tcp, "--keys", self.keys.folder], env=dict(os.environ, **fault))
        line = process.wait_line("ready:")
        self.addCleanup(process.kill)
        return process, *[re.search(name + r" (tcp://[0-9.:]+)", line).group(1) for name in ("events", "requests")]

    def test_nothing_is_served_after_its_end(self):
        broker, events, requests = self.start(STELE_FAULT="zap_ends")
        producer = client.Producer(self, events, "p")
        producer.hello()
        producer.publish(client.created("before"))
        asker = client.Asker(self, zmq.REQ, requests)
        self.assertTrue(asker.ask({"op": "ping"})["ok"])
        third = client.Asker(self, zmq.REQ, requests)           # Kept, so that its connection is made
        third.send({"op": "ping"})
        broker.wait_line("ZAP actor")
        for number in range(100):
            producer.send_events([client.created("after-%d" % number)])
        asker.send({"op": "ping"})
        self.assertEqual(broker.wait(), 74, broker.log())
        while producer.socket.poll(0):
            message = producer.receive()
            self.assertEqual((message["op"], message["code"]), ("error", "unauthorized"), message)
        if asker.socket.poll(0):
            self.assertEqual(asker.receive()["error"]["code"], "unauthorized")
        broker, _, requests = self.start()
        asker = client.Asker(self, zmq.REQ, requests)
        events = asker.ask({"op": "events.read"})["events"]
        self.assertEqual([event.get("task_id") for event in events if event["type"] != "audit.recorded"], ["before"])
        self.assertEqual({event["operation"] for event in events[1:]}, {"access.denied"} if events[1:] else set())


if __name__ == "__main__":
    harness.main()
