# Secrets in requests: no refusal, no line of the log and no audit event quotes one
#
# The requests are generated from the table of operations: a secret in each parameter of each operation, for keys with
# different roles.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import subprocess

import msgpack
import zmq

import client
import harness
import keyed
import test_access
import test_users

#   One that fits into a quote, one that would be cut in it, and one that a mask of the message could not find any more
SECRETS = ("AK" + "IA" + "Q7W2E4R6T8Y1U3I5",
           "sk-" + "ant-api03-" + ("aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF" * 3)[:93] + "AA",
           "x" * 30 + " gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eFgh12")
#   Parts of them that must not be found anywhere either
PARTS = (SECRETS[0][:12], SECRETS[1][14:30], SECRETS[2][35:50])
KEYS = {"root": "admin", "reader": "query", "builder": "publish query", "gate": "gateway query publish", "counter": "metrics"}


class RequestsTest(harness.BrokerTest):

    @classmethod
    def start_broker(cls, **more):
        cls.keys = test_access.Keys(cls.folder)
        for name, roles in KEYS.items():
            cls.keys.add(name, roles, **({"producers": "ci"} if name == "builder" else {}))
        cls.keys.add("bound", "publish query", users="ann")
        cls.settings = {"keys": cls.keys.folder, "log": "json"}
        any_port = "tcp://127.0.0.1:*"
        return super().start_broker(arguments=("--events", any_port, "--requests", any_port, "--feed", any_port), **more)

    def setUp(self):
        super().setUp()
        line = self.broker.wait_line("ready:")
        self.at = {name: re.search(name + r" (tcp://[0-9.:]+)", line).group(1) for name in ("events", "requests")}
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)
        self.sockets = {}

    def socket(self, key, type, endpoint):
        socket = self.context.socket(type)
        socket.rcvtimeo = int(harness.PATIENCE * 1000)
        self.keys.apply(socket, key)
        socket.connect(self.at[endpoint])
        return socket

    def ask_as(self, key, message):
        if key not in self.sockets:
            self.sockets[key] = self.socket(key, zmq.REQ, "requests")
        self.sockets[key].send(msgpack.packb(message))
        return msgpack.unpackb(self.sockets[key].recv(), strict_map_key=False)

    def assert_unquoted(self, text, what):
        for part in PARTS:
            self.assertNotIn(part, text, what)


class TestNothingIsQuoted(RequestsTest):

    def requests(self, secret):
        """(operation, parameter, request), with the secret in that parameter"""
        for op, _, _, params in test_users.operations():
            if op in ("keys.reload", "mode", "recover"):
                params = []             # They would change the broker; what they take is tried below
            base = {name: ["x"] if kind == "ARRAY" else "x" for name, kind, need in params if need}
            for name, _, _ in params:
                yield op, name, dict(base, op=op, **{name: secret})
                yield op, name, dict(base, op=op, **{name: [secret]})
            for name in ("min_position", "timeout_ms", "request_id"):
                yield op, name, dict(base, op=op, **{name: secret})
            yield op, "an unknown name", dict(base, op=op, **{secret: 1})
            yield op, "actor", dict(base, op=op, actor=secret)
            for actor in ({"name": secret, "roles": []}, {"name": secret, "roles": ["query", "admin", "publish"]},
                          {"name": "x", "roles": [secret]}, {"name": "x", "users": [secret]}):
                yield op, "actor", dict(base, op=op, actor=actor)
        yield None, "op", {"op": secret}
        yield None, "op", {"op": [secret]}
        yield "mode", "mode", {"op": "mode", "mode": secret}
        yield "recover", "scope", {"op": "recover", "scope": secret}
        yield "publish", "an event", {"op": "publish", "producer": "ci", "events": [{"type": secret}, {secret: 1}, secret]}

    def test_no_refusal_log_line_or_audit_event_quotes_a_secret(self):
        refused = 0
        for secret in SECRETS:
            for op, name, request in self.requests(secret):
                for key in (*KEYS, "bound"):
                    answer = self.ask_as(key, request)
                    said = repr([answer.get("error"), answer.get("rejected"), answer.get("ignored")])
                    if op != "rejected.list":
                        self.assert_unquoted(said, (key, op, name))
                    refused += not answer["ok"]
        self.assertGreater(refused, 1000)
        for key in KEYS:
            socket = self.socket(key, zmq.DEALER, "events")
            for secret in SECRETS:
                for message in ({"op": secret}, {"op": "hello", "protocol": secret, "producer": secret, "instance": "i"},
                                {"op": "hello", "protocol": 1, "producer": secret, "instance": "i"},
                                {"op": "hello", "protocol": 1, "producer": "ci", "instance": secret}):
                    socket.send(msgpack.packb(message))
                    answer = msgpack.unpackb(socket.recv())
                    self.assertEqual(answer["op"], "error")
                    self.assert_unquoted(repr(answer), (key, message))
            socket.close()
        audit = self.ask_as("root", {"op": "audit.list", "limit": 1000})["events"]
        self.assertTrue(audit)
        self.assert_unquoted(repr(audit), "audit")
        self.assert_unquoted(repr(self.ask_as("root", {"op": "stats"})), "stats")
        self.assert_unquoted(repr(self.ask_as("root", {"op": "rejected.list", "limit": 1000})), "rejected events")
        self.broker.stop()
        self.assertIn("access_denied", self.broker.log())
        self.assert_unquoted(self.broker.log(), "log")
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    self.assert_unquoted(file.read().decode("latin-1"), name)


class TestWhatIsSaid(RequestsTest):

    def test_a_refusal_says_why_it_does_not_quote(self):
        error = self.ask_as("root", {"op": "task.get", "task_id": SECRETS[0]})["error"]
        self.assertEqual(error["code"], "not_found")
        self.assertIn("aws-access-key", error["message"])
        error = self.ask_as("gate", {"op": "task.list", "actor": {"name": SECRETS[0], "roles": ["query"]}})["error"]
        self.assertEqual((error["code"], error["field"]), ("contains_secret", "actor"))
        #   A request that is not refused may have one, to search for it
        self.assertEqual(self.ask_as("root", {"op": "task.list", "search": SECRETS[0]})["tasks"], [])

    def scan_as(self, key, status):
        path = keyed.key_file(os.path.join(self.folder, key + ".key_secret"), self.keys.pairs[key], self.keys.server[0], key)
        done = subprocess.run([harness.program("stele"), "scan", "--key", path, "--requests", self.at["requests"]],
                              capture_output=True, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr.decode()

    def test_scan_looks_through_the_events_of_the_user(self):
        #   More than a page of another user lies between
        self.assertTrue(self.ask_as("bound", {"op": "publish", "producer": "p", "events": [client.created("mine")]})["ok"])
        self.ask_as("root", {"op": "publish", "producer": "q", "events": [client.created("other-%d" % n) for n in range(1100)]})
        self.assertTrue(self.ask_as("bound", {"op": "publish", "producer": "p", "events": [client.created("last")]})["ok"])
        text = self.scan_as("bound", 0)
        self.assertIn("0 secrets in 0 of 2 events", text)
        self.assertIn("bound to users", text)
        self.assertNotIn("bound to users", self.scan_as("reader", 0))
        self.assertIn("events.read needs the role query", self.scan_as("counter", 77))

    def test_the_log_names_the_event_with_a_secret(self):
        answer = self.ask_as("root", {"op": "publish", "producer": "ci-7", "events": [
            client.created("the-task"), client.created("another", description="key %s here" % SECRETS[0])]})
        line = json.loads(self.broker.wait_line('"event":"secrets"'))
        self.assertEqual({key: line[key] for key in ("rule", "field", "secrets", "subject", "producer", "position")},
                         {"rule": "aws-access-key", "field": "description", "secrets": 1, "subject": "another",
                          "producer": "ci-7", "position": answer["position"]})
        self.assertIn("in description of another, from producer ci-7, at position %d" % answer["position"], line["message"])
        #   One that is refused has no position
        self.ask_as("root", {"op": "publish", "producer": "ci-8", "events": [
            dict(client.created("third", description=SECRETS[2]), state="nonsense")]})
        line = json.loads(self.broker.wait_line('"rule":"github-token"'))
        self.assertEqual((line["subject"], line["producer"], line["position"]), ("third", "ci-8", 0))


if __name__ == "__main__":
    harness.main()
