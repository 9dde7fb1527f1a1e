# test_access - keys and roles: who is let in on each socket, and what each role may do (protocol section 14)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re
import shutil
import signal
import stat
import time
import unittest

import zmq

import client
from harness import PATIENCE, BrokerTest, Process, program, temporary_folder, wait_until

#   Each role, and those that it includes
ROLES = {
    "publish": {"publish"},
    "query": {"query", "metrics"},
    "feed": {"feed"},
    "operate": {"operate", "query", "metrics"},
    "admin": {"admin", "operate", "query", "metrics", "publish", "feed"},
    "gateway": {"gateway"},
    "metrics": {"metrics"},
}
#   The role that an operation needs, unless it is query
NEEDS = {
    "ping": None, "info": None, "stats": "metrics", "storage": "metrics", "publish": "publish", "producer.get": "publish",
    "task.recover": "operate", "rejected.retry": "operate", "recover": "operate", "consistency.check": "operate",
    "backup": "operate", "backup.list": "metrics",
    "mode": "admin", "keys.reload": "admin", "task.erase": "admin",
}
#   How long a silence is taken for an answer: a subscription or a message that is not allowed has none
SILENCE_MS = 300


class Keys:
    """A folder of keys, and sockets that use them."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "keys")
        os.mkdir(self.folder, 0o700)
        self.pairs = {}
        self.server = self.pair()
        self.write("server.key_secret", "metadata\n    name = \"server\"\ncurve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n"
                   % self.server, 0o600)

    @staticmethod
    def pair():
        return tuple(key.decode() for key in zmq.curve_keypair())

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def add(self, name, roles="", **more):
        """A key of a client; 'more' are further entries, such as producers."""
        self.pairs.setdefault(name, self.pair())
        lines = ["metadata", '    name = "%s"' % name, '    roles = "%s"' % roles]
        lines += ['    %s = "%s"' % (key.replace("_", "-"), value) for key, value in more.items()]
        self.write(name + ".key", "\n".join(lines + ["curve", '    public-key = "%s"' % self.pairs[name][0], ""]))

    def remove(self, name):
        os.unlink(os.path.join(self.folder, name + ".key"))

    def apply(self, socket, name):
        public, secret = self.pairs[name] if name else self.pair()
        socket.curve_publickey = public.encode()
        socket.curve_secretkey = secret.encode()
        socket.curve_serverkey = self.server[0].encode()


class AccessTest(BrokerTest):
    use_redis = False
    more = ()

    @classmethod
    def start_broker(cls, **more):
        if not hasattr(cls, "keys"):
            cls.keys = Keys(cls.folder)
            cls.make_keys(cls.keys)
        any_port = ("--events", "tcp://127.0.0.1:*", "--requests", "tcp://127.0.0.1:*", "--feed", "tcp://127.0.0.1:*",
                    "--pipeline-in", "tcp://127.0.0.1:*", "--pipeline-out", "tcp://127.0.0.1:*", "--keys", cls.keys.folder)
        broker = super().start_broker(arguments=any_port + tuple(cls.more), **more)
        line = broker.wait_line("ready:")
        for name in ("events", "requests", "feed"):
            setattr(broker, name, re.search(name + r" (tcp://[0-9.:]+)", line).group(1))
        cls.context = zmq.Context()
        cls.addClassCleanup(cls.context.destroy, 0)
        asker = cls.peer(client.Asker, broker.requests, "root", zmq.REQ)
        endpoints = asker.ask({"op": "info"})["endpoints"]
        broker.pipeline_in, broker.pipeline_out = endpoints["pipeline-in"], endpoints["pipeline-out"]
        asker.close()
        return broker

    @classmethod
    def make_keys(cls, keys):
        keys.add("root", "admin")

    @classmethod
    def peer(cls, kind, endpoint, name, type, plain=False):
        """A client with the key of that name; None: a key that the broker does not have."""
        class Secured:
            def socket(self, type):
                socket = cls.context.socket(type)
                if not plain:
                    cls.keys.apply(socket, name)
                return socket
        peer = kind(Secured(), type, endpoint) if kind in (client.Peer, client.Asker) else kind(Secured(), endpoint, *type)
        return peer

    def connect(self, kind, endpoint, name, type, **more):
        peer = self.peer(kind, endpoint, name, type, **more)
        self.addCleanup(peer.close)
        return peer

    def asker_of(self, name, **more):
        return self.connect(client.Asker, self.broker.requests, name, zmq.REQ, **more)

    def producer_of(self, name, producer):
        return self.connect(client.Producer, self.broker.events, name, (producer,))

    def subscriber_of(self, name, *topics):
        return self.connect(client.Subscriber, self.broker.feed, name, topics)

    def reload(self):
        return self.asker_of("root").ask({"op": "keys.reload"})

    def assert_unauthorized(self, answer):
        self.assertFalse(answer["ok"], answer)
        self.assertEqual(answer["error"]["code"], "unauthorized", answer)
        return answer["error"]["message"]

    def assert_silent(self, peer, patience_ms=SILENCE_MS):
        self.assertEqual(peer.socket.poll(patience_ms), 0, "a message came where none was allowed")


event = client.created


class Matrix(AccessTest):
    @classmethod
    def make_keys(cls, keys):
        super().make_keys(keys)
        keys.add("nothing")
        for role in ROLES:
            keys.add("may-" + role, role)

    def operations(self):
        """The broker's own list."""
        message = self.asker_of("root").ask({"op": "no-such"})["error"]["message"]
        return message.split("there are ", 1)[1].split()

    def test_each_operation_with_each_role(self):
        operations = self.operations()
        self.assertIn("keys.reload", operations)
        self.assertLessEqual(set(NEEDS), set(operations))
        for name, has in [("nothing", set())] + [("may-" + role, has) for role, has in ROLES.items()]:
            asker = self.asker_of(name)
            for op in operations:
                needs = NEEDS.get(op, "query")
                with self.subTest(op=op, key=name):
                    answer = asker.ask({"op": op, "task_id": "none", "session_id": "none", "table": "tasks", "producer": "p",
                                        "events": []})
                    if needs is None or needs in has:
                        self.assertNotEqual(answer.get("error", {}).get("code"), "unauthorized", answer)
                    else:
                        message = self.assert_unauthorized(answer)
                        self.assertIn(op, message)
                        self.assertIn(needs, message)
                        self.assertIn(name, message)

    def test_what_is_wrong_is_not_explained_to_whoever_may_not_ask(self):
        self.assert_unauthorized(self.asker_of("nothing").ask({"op": "task.get", "task_id": 3}))

    def test_publish_by_the_events_socket(self):
        for name, has in [("nothing", set())] + [("may-" + role, has) for role, has in ROLES.items()]:
            with self.subTest(key=name):
                producer = self.producer_of(name, "of-" + name)
                producer.send({"op": "hello", "protocol": 1, "producer": "of-" + name, "instance": "i"})
                answer = producer.receive()
                if "publish" in has:
                    self.assertEqual(answer["op"], "welcome")
                else:
                    self.assertEqual((answer["op"], answer["code"]), ("error", "unauthorized"), answer)

    def test_feed(self):
        for name, has in [("nothing", set())] + [("may-" + role, has) for role, has in ROLES.items()]:
            with self.subTest(key=name):
                subscriber = self.subscriber_of(name)
                if "feed" in has:
                    subscriber.wait_joined()
                else:
                    self.assert_silent(subscriber, 1200)    # Heartbeats come every second

    def test_pipeline(self):
        pull = {}
        for role in ROLES:
            pull[role] = self.connect(client.Peer, self.broker.pipeline_out, "may-" + role, zmq.PULL)
        push = {}
        for role, has in ROLES.items():
            push[role] = self.connect(client.Peer, self.broker.pipeline_in, "may-" + role, zmq.PUSH)
            push[role].send(event("piped-" + role))
        asker = self.asker_of("root")
        for role, has in ROLES.items():
            if "publish" in has:
                wait_until(lambda: asker.ask({"op": "task.get", "task_id": "piped-" + role})["ok"], "the event of " + role)
        for role, has in ROLES.items():
            found = asker.ask({"op": "task.get", "task_id": "piped-" + role})["ok"]
            self.assertEqual(found, "publish" in has, role)
        #   Those that may pull share the events; the others get none
        for role, has in ROLES.items():
            if "feed" not in has:
                self.assert_silent(pull[role], 100)

    def test_denials_are_counted_and_logged_once(self):
        asker = self.asker_of("nothing")
        for _ in range(20):
            self.assert_unauthorized(asker.ask({"op": "mode"}))
        auth = self.asker_of("root").ask({"op": "stats"})["auth"]
        self.assertGreaterEqual(auth["denied"]["role"], 20)
        self.assertGreaterEqual(auth["denied_lately"], 20)
        self.assertEqual(auth["keys"], 2 + len(ROLES))
        lines = [line for line in self.broker.log().split("\n") if "access denied" in line and "'nothing'" in line]
        self.assertEqual(len(lines), 1, lines)


class Strangers(AccessTest):
    def test_a_stranger_and_a_plain_client_get_nothing(self):
        for name, plain in ((None, False), ("root", True)):
            for endpoint, kind in ((self.broker.events, zmq.DEALER), (self.broker.requests, zmq.DEALER),
                                   (self.broker.feed, zmq.SUB), (self.broker.pipeline_out, zmq.PULL),
                                   (self.broker.pipeline_in, zmq.PUSH)):
                with self.subTest(plain=plain, endpoint=endpoint):
                    peer = self.connect(client.Peer, endpoint, name, kind, plain=plain)
                    if kind == zmq.SUB:
                        peer.socket.setsockopt(zmq.SUBSCRIBE, b"")
                    elif kind == zmq.DEALER:
                        peer.socket.send_multipart([b"", client.pack({"op": "ping"})])
                    elif kind == zmq.PUSH:
                        peer.send(event("of-a-stranger"))
                    self.assert_silent(peer, SILENCE_MS if kind != zmq.PUSH else 1)
        self.assertFalse(self.asker_of("root").ask({"op": "task.get", "task_id": "of-a-stranger"})["ok"])
        root = self.asker_of("root")
        wait_until(lambda: root.ask({"op": "stats"})["auth"]["denied"]["unknown"] >= 4, "the denials")

    def test_a_key_that_names_another_client_is_not_that_client(self):
        #   User-Id is what the broker's ZAP actor says, not what a peer claims
        socket = self.context.socket(zmq.REQ)
        self.keys.add("claims")
        self.reload()
        self.keys.apply(socket, "claims")
        socket.setsockopt(zmq.METADATA, b"X-User-Id:" + self.keys.pairs["root"][0].encode())
        socket.connect(self.broker.requests)
        self.addCleanup(socket.close, 0)
        socket.send(client.pack({"op": "mode"}))
        self.assertTrue(socket.poll(PATIENCE * 1000))
        self.assert_unauthorized(client.unpack(socket.recv()))


class Restrictions(AccessTest):
    @classmethod
    def make_keys(cls, keys):
        super().make_keys(keys)
        keys.add("builder", "publish query", producers="build-* ci")
        keys.add("listener", "feed", topics="task.created/")
        keys.add("gate", "gateway publish query")
        keys.add("bound", "gateway query", users="alice")

    def test_names_of_producers(self):
        asker = self.asker_of("builder")
        for name, allowed in (("build-1", True), ("build-", True), ("ci", True), ("ci2", False), ("xbuild-1", False),
                              ("other", False)):
            with self.subTest(name=name):
                producer = self.producer_of("builder", name)
                producer.send({"op": "hello", "protocol": 1, "producer": name, "instance": "i"})
                answer = producer.receive()
                self.assertEqual(answer["op"], "welcome" if allowed else "error", answer)
                answer = asker.ask({"op": "publish", "producer": name, "events": [event("by-" + name)]})
                self.assertEqual(answer["ok"], allowed, answer)
                answer = asker.ask({"op": "producer.get", "producer": name})
                self.assertEqual(answer["ok"], allowed, answer)
        push = self.connect(client.Peer, self.broker.pipeline_in, "builder", zmq.PUSH)
        push.send(event("piped"))
        root = self.asker_of("root")
        wait_until(lambda: root.ask({"op": "stats"})["auth"]["denied"]["producer"] >= 10, "the denial of the pipeline")
        self.assertFalse(root.ask({"op": "task.get", "task_id": "piped"})["ok"])

    def test_topics(self):
        listener = self.subscriber_of("listener", "task.created/", "task.state_changed/").wait_joined()
        producer = self.producer_of("root", "topics")
        producer.hello()
        producer.send_events([event("heard"), {"type": "task.state_changed", "task_id": "heard", "state": "queued"},
                              event("heard-too")])
        producer.settle()
        self.assertEqual(producer.naks, {})
        self.assertEqual([listener.next()[0] for _ in range(2)], ["task.created/heard", "task.created/heard-too"])

    def test_a_gateway_acts_for_others(self):
        gate = self.asker_of("gate")
        answer = gate.ask({"op": "task.list", "actor": {"name": "ann", "roles": ["query"]}})
        self.assertTrue(answer["ok"], answer)
        self.assertNotIn("ignored", answer)
        message = self.assert_unauthorized(gate.ask({"op": "task.list", "actor": {"name": "ann", "roles": ["publish"]}}))
        self.assertIn("gate/ann", message)
        #   The key itself has no such role
        self.assert_unauthorized(gate.ask({"op": "mode", "actor": {"name": "ann", "roles": ["admin"]}}))
        self.assert_unauthorized(gate.ask({"op": "task.list", "actor": {"name": "ann"}}))
        for wrong in (3, {"roles": ["query"]}, {"name": "", "roles": ["query"]}, {"name": "a", "roles": ["no-such"]},
                      {"name": "a", "users": [3]}, {"name": "a", "roles": ["query"], "users": []},
                      {"name": "a", "roles": ["query"], "users": ["u" * 256]}, {"name": "a\0b", "roles": ["query"]},
                      {"name": "a" * 256, "roles": ["query"]}):
            self.assertEqual(gate.ask({"op": "task.list", "actor": wrong})["error"]["code"], "bad_request", wrong)
        self.assert_unauthorized(self.asker_of("builder").ask({"op": "task.list", "actor": {"name": "ann", "roles": ["query"]}}))
        bound = self.asker_of("bound")
        self.assert_unauthorized(bound.ask({"op": "task.list", "actor": {"name": "b", "roles": ["query"], "users": ["bob"]}}))
        self.assertTrue(bound.ask({"op": "task.list", "actor": {"name": "a", "roles": ["query"], "users": ["alice", "bob"]}})["ok"])


class Subscribers(AccessTest):
    @classmethod
    def make_keys(cls, keys):
        super().make_keys(keys)
        keys.add("feeder", "feed")

    def topics(self):
        return self.asker_of("root").ask({"op": "stats"})["feed"]["topics"]

    def test_topics_end_with_their_subscriptions_and_connections(self):
        def count(expected):
            wait_until(lambda: self.topics() == expected, "%d topics" % expected)
        one = self.subscriber_of("feeder", "heartbeat").wait_joined()
        other = self.subscriber_of("feeder", "task.", "heartbeat").wait_joined()
        count(2)
        for number in range(200):
            topic = b"task.created/%d" % number
            one.socket.setsockopt(zmq.SUBSCRIBE, topic)
            one.socket.setsockopt(zmq.UNSUBSCRIBE, topic)
        one.subscribe("task.")
        one.subscribe("last")
        count(3)
        #   The same topic of two connections of one key
        one.socket.setsockopt(zmq.UNSUBSCRIBE, b"task.")
        one.socket.setsockopt(zmq.UNSUBSCRIBE, b"last")
        count(2)
        producer = self.producer_of("root", "counted")
        producer.hello()
        producer.publish(event("counted"))
        self.assertEqual(other.next()[0], "task.created/counted")
        other.close()
        count(1)
        one.close()
        count(0)
        root = self.asker_of("root")
        published = root.ask({"op": "stats"})["feed"]["published"]
        position = producer.publish(event("unheard"))
        wait_until(lambda: root.ask({"op": "stats"})["feed"]["position"] >= position, "the feed")
        self.subscriber_of("feeder").wait_joined()
        self.assertEqual(root.ask({"op": "stats"})["feed"]["published"], published)

    def test_user_of_more_bytes_than_any_is_refused(self):
        self.keys.add("long", "feed", users="u" * 20000)
        self.addCleanup(self.keys.remove, "long")
        self.assertIn("255 bytes", self.reload()["error"]["message"])


class Changes(AccessTest):
    def test_a_revoked_key_publishes_nothing_more(self):
        self.keys.add("loader", "publish feed query")
        self.assertEqual(self.reload()["added"], ["loader"])
        producer = self.producer_of("loader", "loader")
        producer.hello()
        producer.send_events([event("load-0")])
        producer.receive()
        self.keys.remove("loader")
        answer = self.reload()
        self.assertEqual((answer["revoked"], answer["added"], answer["changed"]), (["loader"], [], []))
        refused = None
        sent = 1
        while not refused:                  # Under load: some may have been taken before
            producer.send_events([event("load-%d" % sent)])
            sent += 1
            message = producer.receive()
            refused = message if message["op"] == "error" else None
        self.assertEqual(refused["code"], "unauthorized")
        self.assertIn("loader", refused["message"])
        root = self.asker_of("root")
        head = root.ask({"op": "ping"})["position"]
        for _ in range(50):
            producer.send_events([event("late-%d" % sent)])
            self.assertEqual(producer.receive()["code"], "unauthorized")
        producer.send({"op": "hello", "protocol": 1, "producer": "loader", "instance": "other"})
        self.assertEqual(producer.receive()["code"], "unauthorized")
        #   That it was refused is recorded, now or a moment later
        stored = root.ask({"op": "events.read", "after": head})["events"]
        self.assertEqual([one for one in stored if one["type"] != "audit.recorded"], [])
        self.broker.wait_line("revoked loader")

    def test_a_key_that_was_revoked_before_the_start_is_named(self):
        self.keys.add("gone", "publish")
        self.keys.add("torn", "publish")
        for name in ("gone", "torn"):
            os.rename(os.path.join(self.keys.folder, name + ".key"),
                      os.path.join(self.keys.folder, name + ".revoked-20260101T000000Z"))
        with open(os.path.join(self.keys.folder, "torn.revoked-20260101T000000Z"), "w") as file:
            file.write("nonsense")
        self.broker.stop()
        self.start_broker()
        self.assertTrue(self.reload()["ok"])
        self.asker_of("gone").send({"op": "ping"})
        self.broker.wait_line("access denied: a connection from 127.0.0.1: a connection: the key 'gone' was revoked")
        root = self.asker_of("root")
        self.assertGreater(root.ask({"op": "stats"})["auth"]["denied"]["revoked"], 0)
        wait_until(lambda: root.ask({"op": "audit.list", "who": "gone"})["events"], "the audit event")
        self.keys.add("gone", "publish")        # Valid again
        self.reload()
        self.assertTrue(self.asker_of("gone").ask({"op": "ping"})["ok"])

    def test_a_revoked_subscriber_hears_nothing_more(self):
        self.keys.add("ear", "feed")
        self.keys.add("other-ear", "feed")
        self.reload()
        ear = self.subscriber_of("ear").wait_joined()
        other = self.subscriber_of("other-ear").wait_joined()
        self.keys.remove("ear")
        self.reload()
        self.broker.wait_line("every subscriber has to connect again")
        producer = self.producer_of("root", "ear")
        producer.hello()
        #   The other one connects again by itself
        name = 0
        while not other.socket.poll(100) or other.receive_frames()[0] == b"heartbeat":
            producer.send_events([event("heard-%d" % name)])
            name += 1
        #   What was before is on its way to it: heartbeats, and that root read the keys again
        while ear.socket.poll(SILENCE_MS):
            self.assertIn(ear.receive_frames()[0], (b"heartbeat", b"audit.recorded/root"))
        self.assert_silent(ear, 1200)                   # They come every second

    def test_a_key_that_is_renewed_ends_the_old_one(self):
        self.keys.add("renewed", "query")
        self.reload()
        old = self.asker_of("renewed")
        self.assertTrue(old.ask({"op": "task.list"})["ok"])
        del self.keys.pairs["renewed"]
        self.keys.add("renewed", "query")
        self.assertEqual(self.reload()["changed"], ["renewed"])
        self.assert_unauthorized(old.ask({"op": "task.list"}))
        self.assertTrue(self.asker_of("renewed").ask({"op": "task.list"})["ok"])

    def test_sighup_reads_the_keys_again(self):
        self.keys.add("hup", "query")
        self.broker.signal(signal.SIGHUP)
        self.broker.wait_line("added hup")
        self.assertTrue(self.asker_of("hup").ask({"op": "task.list"})["ok"])

    def test_an_expired_key_is_refused(self):
        until = time.time() + 2
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(until)) + "Z"
        self.keys.add("brief", "query", not_after=text)
        self.reload()
        brief = self.asker_of("brief")
        wait_until(lambda: not brief.ask({"op": "task.list"})["ok"], "the end of the key")
        self.assertIn("was valid until", self.assert_unauthorized(brief.ask({"op": "task.list"})))
        self.assertGreaterEqual(time.time(), int(until))
        self.assert_silent(self.asker_of("brief"), 1)

    def test_a_folder_that_is_wrong_changes_nothing(self):
        self.keys.add("kept", "query")
        self.reload()
        path = self.keys.write("broken.key", "metadata\n    roles = \"no-such\"\n")
        try:
            answer = self.asker_of("root").ask({"op": "keys.reload"})
            self.assertFalse(answer["ok"])
            self.assertIn("broken.key", answer["error"]["message"])
        finally:
            os.unlink(path)
        self.assertTrue(self.asker_of("kept").ask({"op": "task.list"})["ok"])


class Start(unittest.TestCase):
    def setUp(self):
        self.folder = temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.keys = Keys(self.folder)
        self.keys.add("root", "admin")

    def command(self, *arguments):
        return [program("steled"), "--redis", "none", "--ledger", os.path.join(self.folder, "l.db"), "--events",
                "ipc://" + self.folder + "/e", "--requests", "ipc://" + self.folder + "/r", "--feed",
                "ipc://" + self.folder + "/f"] + list(arguments)

    def refused(self, *arguments):
        for check in (("--check-config",), ()):
            process = Process(self.command(*arguments, *check))
            self.assertEqual(process.wait(), 78, process.log())
        self.assertFalse(os.path.exists(os.path.join(self.folder, "l.db")))
        return process.log()

    def test_an_open_endpoint_without_keys_is_refused(self):
        for endpoint in ("tcp://*:*", "tcp://0.0.0.0:*", "tcp://[::]:*"):
            for name in ("events", "requests", "feed", "pipeline-in", "pipeline-out"):
                log = self.refused("--" + name, endpoint)
                self.assertIn("stele key new", log)
                self.assertIn("insecure", log)
        process = Process(self.command("--events", "tcp://0.0.0.0:*", "--insecure"))
        process.wait_line("ready:")
        self.assertIn("insecure", process.log())
        self.assertEqual(process.stop(), 0)
        os.unlink(os.path.join(self.folder, "l.db"))
        process = Process(self.command("--events", "tcp://0.0.0.0:*", "--keys", self.keys.folder))
        process.wait_line("ready:")
        self.assertEqual(process.stop(), 0)

    def test_modes_that_let_others_in_are_refused(self):
        keys = ("--keys", self.keys.folder)
        for path, mode in ((self.keys.folder, 0o770), (self.keys.folder, 0o707),
                           (self.keys.folder + "/root.key", 0o666), (self.keys.folder + "/server.key_secret", 0o604)):
            before = stat.S_IMODE(os.stat(path).st_mode)
            os.chmod(path, mode)
            self.assertIn("chmod", self.refused(*keys))
            os.chmod(path, before)
        #   The group may read a secret, of the broker as of a client
        os.chmod(self.keys.folder + "/server.key_secret", 0o640)
        process = Process(self.command("--keys", self.keys.folder, "--check-config"))
        self.assertEqual(process.wait(), 0, process.log())
        self.assertIn("no-such", self.refused("--keys", self.folder + "/no-such"))
        self.keys.write("server.key_secret", "curve\n", 0o600)
        self.assertIn("public-key", self.refused(*keys))

    def test_wrong_key_files_are_refused(self):
        public = Keys.pair()[0]
        for entries, what in (('roles = "qury"', "qury"), ('producer = "a"', "producer"), ('users = ""', "users"),
                              ('users = " "', "users"), ("users =", "users"), ('topics = ""', "topics"),
                              ('producers = ""', "producers"), ('users = "a" "b"', "line 2"), ("users = 'a' b", "line 2"),
                              ('users = "%s"' % ("u" * 256), "255"), ('users = "a %s"' % ("u" * 20000), "255"),
                              ('producers = "%s"' % ("p" * 256), "255"), ('topics = "%s"' % ("t" * 320), "319"),
                              ('not-after = "soon"', "not-after"), ('name = "other"', "other"),
                              ('secret-key = "%s"' % public, "secret-key")):
            self.keys.write("bad.key", 'metadata\n    %s\ncurve\n    public-key = "%s"\n' % (entries, public), 0o600)
            self.assertIn(what, self.refused("--keys", self.keys.folder))
        self.keys.write("bad.key", 'curve\n    public-key = "%s"\n' % self.keys.pairs["root"][0])
        self.assertIn("root", self.refused("--keys", self.keys.folder))

    def test_the_mode_of_ipc_sockets(self):
        process = Process(self.command("--ipc-mode", "0660"))
        process.wait_line("ready:")
        for name in "erf":
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.folder, name)).st_mode), 0o660)
        self.assertEqual(process.stop(), 0)


if __name__ == "__main__":
    unittest.main()
