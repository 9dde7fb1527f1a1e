# Keys that are bound to users: two users who try to see each other, by every request and socket
#
# The requests are generated from the tables of the broker: every operation, with each of its parameters, for each role and
# user. All texts of a user's records hold the user's name, so that a record that leaks is found anywhere in an answer.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import subprocess
import unittest

import zmq

import client
import harness
from client import changed, created, metric, output, started

TCP = "tcp://127.0.0.1:*"
USERS = ("ann", "bob")
#   name: options of stele key new
KEYS = {
    "ann": ["--role", "publish,query,feed", "--users", "ann"],
    "bob": ["--role", "publish,query,feed", "--users", "bob"],
    "both": ["--role", "publish,query,feed", "--users", "ann,bob"],
    "ann-query": ["--role", "query", "--users", "ann"],
    "ann-publish": ["--role", "publish", "--users", "ann"],
    "ann-metrics": ["--role", "metrics", "--users", "ann"],
    "ann-admin": ["--role", "admin", "--users", "ann"],
    "root": ["--role", "admin"],
    "gate": ["--role", "gateway,query,publish"],
    "gate-ann": ["--role", "gateway,query", "--users", "ann"],
}
BOUND = {name for name, options in KEYS.items() if "--users" in options}


class KeyContext(zmq.Context):
    """Sockets that connect with the key in a file of stele key new."""

    path = None

    def socket(self, kind):
        socket = super().socket(kind)
        if self.path:
            with open(self.path) as file:
                text = file.read()
            for option, name in ((zmq.CURVE_SERVERKEY, "server-key"), (zmq.CURVE_PUBLICKEY, "public-key"),
                                 (zmq.CURVE_SECRETKEY, "secret-key")):
                socket.setsockopt(option, re.search(r'%s\s*=\s*"([^"]*)"' % name, text).group(1).encode())
        return socket


def operations():
    """Name, role, scope and parameters (name, kind, required) of each operation"""
    folder = os.path.join(harness.SRC, "src", "broker", "operations")
    with open(os.path.join(folder, "operations.h")) as file:
        table = file.read().split("#define STELE_OPERATIONS(X)")[1].split("\n\n")[0]
    with open(os.path.join(folder, "scope.h")) as file:
        scopes = dict(re.findall(r"X \((\w+),\s+(\w+)\)", file.read()))
    for row in table.split("X (")[1:]:
        constant, name, _, role = re.match(r'(\w+),\s*"([^"]*)",\s*(\w+),\s*(\w+)', row).groups()
        params = [(param, kind, need == "NEEDS") for need, param, kind in
                  re.findall(r'(NEEDS|TAKES) \("(\w+)", (\w+)\)', row)]
        yield name, role, scopes[constant], params


#   Roles that a key with that role has too
INCLUDES = {"publish": {"PUBLISH"}, "query": {"QUERY", "METRICS"}, "feed": {"FEED"}, "metrics": {"METRICS"},
            "gateway": {"GATEWAY"}, "admin": {"PUBLISH", "QUERY", "FEED", "METRICS", "OPERATE", "ADMIN"}}


def roles(key):
    return {"ANY"}.union(*(INCLUDES[role] for role in KEYS[key][1].split(",")))


def values(param, kind, who):
    """Values to try for a parameter, naming records of 'who'"""
    by_name = {"states": [["running", "failed", "completed"]], "types": [[]], "order": ["updated_desc", "completed_asc", "desc"],
               "group_by": ["state", "role", "provider", "model", "hour", "day", "error"], "silent_s": [0],
               "table": ["tasks", "task_history", "task_outputs", "task_metrics", "cli_sessions", "cli_session_commands"]}
    by_kind = {"ID": [who + "-1", who + "-2"], "NAME": [who + "-1"], "TEXT": [who + "-1", who], "TEXTS": [[who + "-1"]],
               "BOOL": [True, False], "TIME": [3, 12, 1764547203000000, "2099-01-01T00:00:00Z"], "NUMBER": [1, 5]}
    return by_name.get(param, by_kind.get(kind, [1]))


class UsersTest(harness.BrokerTest):
    @classmethod
    def start_broker(cls, **more):
        folder = os.path.join(cls.folder, "keys")
        cls.keys = {name: os.path.join(cls.folder, name + ".key_secret") for name in KEYS}
        for name, options in KEYS.items():
            subprocess.run([harness.program("stele"), "key", "new", name, "--keys", folder, *options,
                            "--out", cls.keys[name]], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        cls.settings = {"keys": folder, "backup": os.path.join(cls.folder, "repository")}
        return super().start_broker(arguments=["--events", TCP, "--requests", TCP, "--feed", TCP], **more)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        line = cls.broker.wait_line("ready")
        for name in ("events", "requests", "feed"):
            setattr(cls.broker, name, line.split(name + " ", 1)[1].split(",")[0].split(";")[0])

    def setUp(self):
        super().setUp()
        self.by_key = {}

    def as_key(self, name):
        """Clients that connect with that key"""
        if name not in self.by_key:
            clients = client.Clients()
            clients.context.term()
            clients.context = KeyContext()
            clients.context.path = self.keys[name]
            self.addCleanup(clients.close)
            self.by_key[name] = clients, clients.asker(self.broker.requests)
        return self.by_key[name][0]

    def ask_as(self, key, op, **keys):
        self.as_key(key)
        return self.by_key[key][1].ask(dict(keys, op=op))

    def run_as(self, key, *arguments, status=0):
        done = subprocess.run([harness.program("stele"), "--key", self.keys[key], *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.broker.environment(), timeout=harness.PATIENCE * 5)
        self.assertEqual(done.returncode, status, (arguments, done.stdout, done.stderr))
        return done.stdout.decode() + done.stderr.decode()

    def story(self, who):
        """Records of a user, published with the user's key; none names the user_id."""
        one, two = who + "-1", who + "-2"
        if self.ask_as("root", "task.get", task_id=one)["ok"]:
            return
        peer = self.as_key(who).producer(self.broker.events, who + "-producer")
        peer.publish(
            created(one, title=one, description=who, role=one, provider=one, model=one, metadata={who: who}),
            changed(one, "running"), created(two, title=two, description="", role=one, parent_id=one),
            changed(two, "running"), output(one, who), metric(one, one, 1),
            changed(one, "failed", error_message=one), started(one, task_id=one, cli_tool=who),
            client.command(one, who, exit_code=1), {"type": "preference.set", "preferred_model": one})
        self.redis.wait_position(peer.position)

    def both(self):
        for who in USERS:
            self.story(who)

    # -- requests ------------------------------------------------------------------------

    def requests(self, params, who):
        """The required parameters with values of ann, and each parameter with those of 'who'"""
        required = {name: "ann-1" if name != "table" else "tasks" for name, _, need in params if need}
        yield required
        for name, kind, _ in params:
            for value in values(name, kind, who):
                yield dict(required, **{name: value})

    def test_every_operation_for_every_role_and_user(self):
        self.both()
        for op, role, scope, params in operations():
            for key in KEYS:
                bound = key in BOUND
                for request in self.requests(params, "ann"):
                    if op == "publish":
                        continue        # Below
                    if key == "root" and op in ("mode", "recover", "rejected.retry", "keys.reload"):
                        continue        # They would change the broker for the other tests
                    answer = self.ask_as(key, op, **request)
                    what = (key, op, request, answer)
                    if role not in roles(key) or (bound and scope == "UNBOUND"):
                        self.assertEqual(answer.get("error", {}).get("code"), "unauthorized", what)
                    else:
                        self.assertNotEqual(answer.get("error", {}).get("code"), "unauthorized", what)
                    if bound and key not in ("bob", "both"):
                        self.assertNotIn("bob", repr(answer), what)

    def assert_alike(self, key, op, other, none, **more):
        """What the broker records of itself comes at any time: if it was between the answers, they are of two moments."""
        for _ in range(20):
            answers = (repr(self.ask_as(key, op, **other, **more)).replace("bob", "zap"),
                       repr(self.ask_as(key, op, **none, **more)))
            if answers[0] == answers[1]:
                return
        self.assertEqual(*answers, (key, op, other))

    def test_a_record_of_another_user_is_like_none(self):
        self.both()
        for op, _, scope, params in operations():
            if scope != "READS":
                continue
            for other, none in zip(self.requests(params, "bob"), self.requests(params, "zap")):
                if other == none:
                    continue
                for key in ("ann", "ann-query"):
                    self.assert_alike(key, op, other, none)

    def test_the_user_sees_what_is_there(self):
        self.both()
        for who in USERS:
            one = who + "-1"
            status = harness.wait_until(lambda: [status for status in [self.ask_as(who, "task.status", task_id=one)]
                                                 if status["source"] == "redis"], "the status from Redis")[0]
            self.assertEqual(status["task"]["user_id"], who)
            self.assertEqual(self.ask_as(who, "task.list", roles=[one, "other"], total=True)["total"], 2)
            found = self.ask_as(who, "task.list", search=who, roles=[one])["tasks"]
            self.assertEqual({row["task_id"] for row in found}, {one, who + "-2"})
            self.assertEqual(self.ask_as(who, "preference.get")["preferences"]["preferred_model"], one)
            self.assertEqual([row["session_id"] for row in self.ask_as(who, "session.list", task_id=one)["sessions"]], [one])
            events = self.ask_as(who, "events.read")["events"]
            self.assertEqual(len([event for event in events if who + "-" in repr(event)]), 10)
            self.assertEqual(self.ask_as(who, "info")["users"], [who])
        self.assertEqual(self.ask_as("both", "task.list", roles=["ann-1", "bob-1"], total=True)["total"], 4)
        self.assertNotIn("users", self.ask_as("root", "info"))

    def test_a_gateway_that_acts_for_a_user_sees_as_much(self):
        self.both()
        actor = {"name": "carl", "roles": ["query", "publish"], "users": ["ann"]}
        for op, _, scope, params in operations():
            if scope != "READS":
                continue
            for other, none in zip(self.requests(params, "bob"), self.requests(params, "zap")):
                if other != none:
                    self.assert_alike("gate", op, other, none, actor=actor)
        self.assertEqual(self.ask_as("gate", "task.get", task_id="bob-1", actor=actor)["error"]["code"], "not_found")
        self.assertTrue(self.ask_as("gate", "task.get", task_id="bob-1")["ok"])
        answer = self.ask_as("gate", "publish", producer=self.name("producer"), actor=actor,
                             events=[changed("bob-1", "queued"), created(self.name("task"))])
        self.assertEqual((answer["accepted"], [row["code"] for row in answer["rejected"]]), (1, ["unauthorized"]))
        self.assertEqual(self.ask_as("root", "task.get", task_id=self.name("task"))["task"]["user_id"], "ann")
        #   One that is bound itself acts for no others
        for users in (["bob"], ["bob", "ann"], []):
            answer = self.ask_as("gate-ann", "task.list", actor=dict(actor, users=users))
            self.assertNotIn("bob-1", repr(answer), users)

    def test_cursors_of_another_user(self):
        self.both()
        for op, keys in (("task.list", {}), ("task.list", {"order": "updated_asc"}), ("task.list", {"search": "bob"}),
                         ("events.read", {}), ("table.read", {"table": "tasks"}), ("table.read", {"table": "task_history"}),
                         ("session.list", {}), ("command.list", {})):
            answer = self.ask_as("bob", op, limit=1, **keys)
            cursor = {"after" if op == "events.read" else "cursor": answer["next"]} if answer["next"] else {}
            self.assertNotIn("bob", repr(self.ask_as("ann", op, **keys, **cursor)))

    # -- events --------------------------------------------------------------------------

    FOREIGN = (changed("bob-1", "running"), changed("bob-1", "running", user_id="ann"), output("bob-1", "x"),
               metric("bob-2", "n", 1), created("bob-1"), created("of-ann", parent_id="bob-1"),
               {"type": "task.updated", "task_id": "ann-1", "parent_id": "bob-2"}, started("bob-1"), started("new", task_id="bob-1"),
               client.command("bob-1", "ls"), created("of-bob", user_id="bob"), created("of-default", user_id="default"),
               {"type": "preference.set", "user_id": "bob", "preferred_model": "m"})

    def test_events_of_another_user_are_refused_and_not_kept(self):
        self.both()
        peer = self.as_key("ann").producer(self.broker.events, self.name("producer"))
        before = self.ask_as("root", "ping")["position"]
        denied = self.ask_as("root", "stats")["auth"]["denied"]["user"]
        for event in self.FOREIGN:
            self.assertEqual(peer.publish_refused(event)["code"], "unauthorized", event)
        answer = self.ask_as("ann", "publish", producer=self.name("request"), events=list(self.FOREIGN))
        self.assertEqual(([row["code"] for row in answer["rejected"]], answer["accepted"]),
                         (["unauthorized"] * len(self.FOREIGN), 0))
        self.assertEqual(self.ask_as("ann", "stats")["error"]["code"], "unauthorized")
        self.assertEqual(self.ask_as("root", "stats")["auth"]["denied"]["user"], denied + 2 * len(self.FOREIGN) + 1)
        self.broker.wait_line("access denied: the key 'ann': ")
        entry = harness.wait_until(lambda: self.ask_as("root", "audit.list", who="ann", operation="access.denied")["events"],
                                   "the audit event")[0]
        self.assertEqual((entry["peer"], entry["outcome"]), ("127.0.0.1", "unauthorized"))
        stored = self.ask_as("root", "events.read", after=before)["events"]
        self.assertEqual([event["type"] for event in stored if event["type"] != "audit.recorded"], [])
        rejected = self.ask_as("root", "rejected.list", producer=peer.name)["rejected"]
        self.assertEqual([(row["code"], row["event"]) for row in rejected], [("unauthorized", b"")] * len(self.FOREIGN))
        retried = self.ask_as("root", "rejected.retry", ids=[row["id"] for row in rejected])
        self.assertEqual((retried["accepted"], len(retried["rejected"])), (0, len(self.FOREIGN)))

    #   Refused for another reason, before or after it is compared with the users
    WRONG = ({"type": "task.output_added", "task_id": "bob-1", "output_type": "log"}, changed("bob-1", "unknown"),
             {"type": "preference.set", "preferred_model": 7}, created("ann-1", title="another"))

    def test_no_refused_event_of_a_bound_key_is_kept_for_a_retry(self):
        self.both()
        peer = self.as_key("ann").producer(self.broker.events, self.name("producer"))
        codes = [peer.publish_refused(event)["code"] for event in self.WRONG]
        self.assertNotIn("unauthorized", codes)
        rejected = self.ask_as("root", "rejected.list", producer=peer.name)["rejected"]
        self.assertEqual([(row["code"], row["event"]) for row in rejected], [(code, b"") for code in codes])
        retried = self.ask_as("root", "rejected.retry", ids=[row["id"] for row in rejected])
        self.assertEqual((retried["accepted"], {row["code"] for row in retried["rejected"]}), (0, {"malformed"}))
        self.assertIn("not kept", retried["rejected"][0]["message"])
        #   Those of other keys are
        root = self.as_key("root").producer(self.broker.events, self.name("root"))
        root.publish_refused(self.WRONG[0])
        row, = self.ask_as("root", "rejected.list", producer=root.name)["rejected"]
        self.assertEqual(row["event"], self.WRONG[0])

    def test_no_hello_takes_over_a_producer_that_works_for_others(self):
        task, name = self.name("task"), self.name("producer")
        bob = self.as_key("bob").producer(self.broker.events, name)
        bob.publish(created(task), changed(task, "running"))
        ann = self.as_key("ann").dealer(self.broker.events)
        for instance in ("another", bob.instance):
            ann.send({"op": "hello", "protocol": 1, "producer": name, "instance": instance, "lease_ms": 1})
            error = ann.receive()
            self.assertEqual((error["op"], error["code"], error["field"]), ("error", "unauthorized", "producer"))
        bob.publish(output(task, "still here"))
        self.assertEqual(self.ask_as("bob", "task.get", task_id=task)["task"]["state"], "running")
        #   One that may act for both, and one of a producer without tasks of others
        both = self.as_key("both").dealer(self.broker.events)
        both.send({"op": "hello", "protocol": 1, "producer": name, "instance": "of both"})
        self.assertEqual(both.receive()["op"], "welcome")
        ann.send({"op": "hello", "protocol": 1, "producer": name, "instance": "of ann"})
        self.assertEqual(ann.receive()["op"], "welcome")

    def test_a_task_that_is_created_later_takes_no_session(self):
        task, session = self.name("task"), self.name("session")
        root = self.as_key("root").producer(self.broker.events, self.name("root"))
        root.publish(started(session, task_id=task), client.command(session, "ls"))
        bob = self.as_key("bob").producer(self.broker.events, self.name("bob"))
        bob.publish(created(task))
        self.assertEqual(self.ask_as("bob", "session.commands", session_id=session)["error"]["code"], "not_found")
        self.assertEqual(bob.publish_refused(client.command(session, "ls"))["field"], "session_id")
        seen = self.ask_as("bob", "events.read", types=["session.started", "session.command_executed"], limit=1000)["events"]
        self.assertNotIn(session, [event["session_id"] for event in seen])

    def test_run_records_for_the_user_that_is_given(self):
        task, state = self.name("run"), os.path.join(self.folder, "state-of-run")
        run = lambda *options: self.run_as("both", "run", "--task", task, "--spool", state, *options)
        words = ("--", "sh", "-c", "echo one; echo two >&2")
        #   Every event is refused for the same reason, which is printed once
        self.assertEqual(run(*words).count("the key is bound to several users"), 1)
        self.assertFalse(self.ask_as("root", "task.get", task_id=task)["ok"])
        self.assertEqual(run("--user", "bob", *words), "one\ntwo\n")
        record = self.ask_as("bob", "task.get", task_id=task)["task"]
        self.assertEqual((record["user_id"], record["state"]), ("bob", "passed"))
        self.assertEqual(run("--task", task + "-2", "--user", "carol", *words).count("user_id is not a user of this key"), 1)
        self.assertFalse(self.ask_as("ann", "task.get", task_id=task)["ok"])

    def test_a_missing_user_is_filled_in(self):
        peer = self.as_key("ann").producer(self.broker.events, self.name("producer"))
        peer.publish(created(self.name("new")), changed(self.name("new"), "queued"))
        task = self.ask_as("root", "task.get", task_id=self.name("new"))["task"]
        self.assertEqual(task["user_id"], "ann")
        history = self.ask_as("root", "task.history", task_id=self.name("new"))["history"]
        self.assertEqual({row["user_id"] for row in history}, {"ann"})
        #   A key of several users has to name it, but for what exists
        team = self.as_key("both").producer(self.broker.events, self.name("team"))
        self.assertEqual(team.publish_refused(created(self.name("none")))["field"], "user_id")
        team.publish(output(self.name("new"), "x"), created(self.name("named"), user_id="bob"))
        self.assertEqual(self.ask_as("root", "task.outputs", task_id=self.name("new"))["outputs"][0]["user_id"], "ann")
        root = self.as_key("root").producer(self.broker.events, self.name("root"))
        root.publish(created(self.name("default")))
        self.assertEqual(self.ask_as("root", "task.get", task_id=self.name("default"))["task"]["user_id"], "default")

    # -- the feed ------------------------------------------------------------------------

    def test_the_feed_has_events_of_the_users_only(self):
        root = self.as_key("root").producer(self.broker.events, self.name("root"))
        feeds = {}
        for key, topics in (("ann", ("task.", "@")), ("bob", ("", )), ("both", ("@", "task.created/")), ("root", ("",))):
            feeds[key] = self.as_key(key).subscriber(self.broker.feed, *topics).wait_joined()
        spy = self.as_key("ann").subscriber(self.broker.feed, "@bob/", "@", "@ann").wait_joined()
        one = self.name("task")
        for who in ("ann", "bob", "default"):
            root.publish(created(who + one, user_id=who), changed(who + one, "running"))
        root.publish(created("end" + one, user_id="ann"), created("end" + one + "-bob", user_id="bob"))
        end = "end" + one

        def heard(key, until):
            topics = []
            while not topics or not topics[-1].endswith(until):
                topics.append(feeds[key].next()[0])
            #   Without the refusals of earlier tests, which are recorded some time later
            return [topic for topic in topics if not topic.startswith("audit.recorded/")]

        self.assertEqual(heard("ann", "/" + end), ["@ann/task.created/ann" + one, "@ann/task.state_changed/ann" + one,
                                                  "@ann/task.created/" + end])
        self.assertEqual(heard("bob", "-bob"), ["@bob/task.created/bob" + one, "@bob/task.state_changed/bob" + one,
                                               "@bob/task.created/" + end + "-bob"])
        self.assertEqual(heard("both", "-bob"), ["@ann/task.created/ann" + one, "@bob/task.created/bob" + one,
                                                "@ann/task.created/" + end, "@bob/task.created/" + end + "-bob"])
        self.assertEqual(heard("root", end + "-bob"), [
            "task.created/ann" + one, "task.state_changed/ann" + one, "task.created/bob" + one,
            "task.state_changed/bob" + one, "task.created/default" + one, "task.state_changed/default" + one,
            "task.created/" + end, "task.created/" + end + "-bob"])
        #   Two heartbeats later nothing of bob's has come
        for _ in range(2):
            topic, body = spy.next(heartbeats=True)
            self.assertEqual(topic, "heartbeat", body)

    def test_stele_follow_needs_no_topics_of_users(self):
        self.both()
        root = self.as_key("root").producer(self.broker.events, self.name("root"))
        for arguments in ((), ("task.",), ("task.created/",)):
            follow = harness.Process([harness.program("stele"), "follow", "--json", "--after", "0", "--key", self.keys["ann"],
                                      "--timeout", "60000", *arguments], env=self.broker.environment())
            try:
                follow.wait_line('"task_id":"ann-2"')
                last = self.name("task") + "".join(arguments).replace("/", "")
                root.publish(created("bob" + last, user_id="bob"), created(last, user_id="ann"))
                follow.wait_line('"task_id":"%s"' % last)
                self.assertNotIn("bob", follow.log())
            finally:
                follow.kill()

    # -- the command line ----------------------------------------------------------------

    def test_exports_have_the_rows_of_the_users(self):
        self.both()
        for table in ("", "tasks", "task_history", "task_outputs", "task_metrics", "cli_sessions",
                      "cli_session_commands", "user_preferences"):
            text = self.run_as("ann", "export", *(("--table", table) if table else ()), "-")
            self.assertIn("ann", text, table)
            self.assertNotIn("bob", text, table)
        self.assertIn("not bound to users", self.run_as("ann", "export", "--table", "rejected_events", "-", status=77))
        for command in (["list"], ["list", "--search", "bob"], ["sessions"], ["stuck", "--silent", "1"], ["replay"]):
            self.assertNotIn("bob", self.run_as("ann", *command), command)
        self.assertIn("there is no task", self.run_as("ann", "get", "bob-1", status=1))

    # -- modes ---------------------------------------------------------------------------

    def test_in_mode_redis_the_user_is_stored_too(self):
        self.both()
        task = self.name("task")
        peer = self.as_key("ann").producer(self.broker.events, self.name("producer"))
        self.assertTrue(self.ask_as("root", "mode", mode="redis")["ok"])
        try:
            peer.publish(created(task))
            self.assertEqual(peer.publish_refused(changed("bob-1", "queued"))["code"], "unauthorized")
            #   A Redis that is slow for a moment is not asked for a second
            status = harness.wait_until(lambda: [self.ask_as("ann", "task.status", task_id=task)["task"]], "the status from Redis")[0]
            self.assertEqual(status["user_id"], "ann")
            self.assertEqual(self.ask_as("bob", "task.status", task_id=task)["error"]["code"], "not_found")
        finally:
            self.assertTrue(self.ask_as("root", "mode", mode="dual")["ok"])
        self.assertEqual(self.ask_as("ann", "task.get", task_id=task)["task"]["user_id"], "ann")
        self.assertEqual(self.ask_as("bob", "task.get", task_id=task)["error"]["code"], "not_found")


if __name__ == "__main__":
    unittest.main()
