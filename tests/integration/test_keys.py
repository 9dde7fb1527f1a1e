# stele key, stele --key: make and revoke keys, connect with one, and be told why not
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import threading
import unittest

import harness
from keyed import Keyed, key_file, pair

EVENT = b'{"type":"task.updated","task_id":"t","title":"T"}\n'


class KeysTest(unittest.TestCase):

    def setUp(self):
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder)
        self.keys = os.path.join(self.folder, "keys")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("STELE_")}
        self.environment["STELE_KEYS"] = self.keys

    def stele(self, *arguments, input=None, status=0):
        done = subprocess.run([harness.program("stele"), *arguments], input=input, capture_output=True, cwd=self.folder,
                              env=self.environment, timeout=harness.PATIENCE)
        self.stderr = done.stderr.decode()
        self.status = done.returncode
        if status is not None:
            self.assertEqual(self.status, status, self.stderr)
        return done.stdout.decode()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def read(self, *names):
        with open(self.path(*names)) as file:
            return dict(re.findall(r'^ +([a-z-]+) = "(.*)"$', file.read(), re.M))

    def mode(self, *names):
        return stat.S_IMODE(os.stat(self.path(*names)).st_mode)


class TestKey(KeysTest):

    def test_new_makes_the_files_of_both_sides(self):
        lines = self.stele("key", "new", "alice", "--role", "publish,query", "--role", "feed", "--producers", "build-*,ci",
                           "--topics", "task.", "--users", "alice,bob", "--not-after", "2199-01-01").splitlines()
        self.assertEqual(len(lines), 3)
        for word, line in zip(("stele key reload", "copy it there", "STELE_KEY"), lines):
            self.assertIn(word, line)
        self.assertIn("set 'keys' of steled", self.stderr)
        broker, client = self.read("keys", "alice.key"), self.read("alice.key_secret")
        self.assertEqual({name: value for name, value in broker.items() if name != "public-key"}, {
            "name": "alice", "roles": "publish query feed", "producers": "build-* ci", "topics": "task.",
            "users": "alice bob", "not-after": "2199-01-01T00:00:00Z"})
        server, public = self.read("keys", "server.key_secret"), self.read("keys", "server.pub")
        self.assertEqual(client["server-key"], public["public-key"])
        self.assertEqual((server["public-key"], client["public-key"]), (public["public-key"], broker["public-key"]))
        self.assertNotIn("secret-key", public)
        self.assertEqual((self.mode("keys"), self.mode("keys", "server.key_secret"), self.mode("alice.key_secret")),
                         (0o700, 0o600, 0o600))
        self.stele("key", "new", "bob", "--role", "query", "--out", "b")
        self.assertEqual(self.stderr, "")
        self.assertEqual(self.read("b")["server-key"], public["public-key"])

    def test_new_overwrites_nothing(self):
        self.stele("key", "new", "alice", "--role", "query")
        before = self.read("alice.key_secret")
        self.stele("key", "new", "alice", "--role", "query", "--out", "other", status=73)
        self.assertIn("there is a key 'alice' already", self.stderr)
        self.stele("key", "new", "bob", "--role", "query", "--out", "alice.key_secret", status=73)
        self.assertEqual(self.read("alice.key_secret"), before)
        self.assertFalse(os.path.exists(self.path("other")))
        self.assertEqual([key["name"] for key in json.loads(self.stele("key", "list", "--json"))["keys"]], ["alice"])

    def test_new_to_stdout(self):
        text = self.stele("key", "new", "alice", "--role", "query", "--out", "-")
        self.assertIn("secret-key", text)
        self.assertIn("stele key reload", self.stderr)

    def test_add_takes_a_public_key_or_a_file_with_it(self):
        public, secret = pair()
        text = self.stele("key", "add", "alice", public, "--role", "query")
        self.assertIn(self.read("keys", "server.pub")["public-key"], text)
        self.assertEqual(self.read("keys", "alice.key")["public-key"], public)
        path = key_file(self.path("own"), pair(), public)
        self.stele("key", "add", "bob", path, "--role", "query")
        self.assertNotIn("secret-key", self.read("keys", "bob.key"))
        self.stele("key", "add", "carol", public, "--role", "query", status=73)
        self.assertIn("the key 'alice' has this public key already", self.stderr)
        self.stele("key", "add", "carol", "neither", "--role", "query", status=66)

    def test_list_and_show_have_states(self):
        self.stele("key", "list", status=66)
        self.stele("key", "new", "alice", "--role", "publish")
        self.stele("key", "new", "bob", "--role", "query,feed", "--users", "bob")
        with open(self.path("keys", "old.key"), "w") as file:
            file.write('metadata\n roles = "query"\n not-after = "2020-01-01T00:00:00Z"\ncurve\n public-key = "%s"\n' % pair()[0])
        with open(self.path("keys", "broken.key"), "w") as file:
            file.write("nonsense\n")
        #   The broker refuses each of these, and with it the folder
        wrong = {"misspelt": (' roles = "publish query fed"', "no role 'fed'"), "unknown": (' role = "query"', "has 'role'"),
                 "bound": (' roles = "query"\n users = ""', "users is empty"), "renamed": (' name = "other"', "has the name 'other'")}
        for name, (line, _) in wrong.items():
            with open(self.path("keys", name + ".key"), "w") as file:
                file.write('metadata\n%s\n not-after = "2020-01-01T00:00:00Z"\ncurve\n public-key = "%s"\n' % (line, pair()[0]))
        self.stele("key", "new", "open", "--role", "query")
        os.chmod(self.path("keys", "open.key"), 0o664)
        self.stele("key", "revoke", "alice")
        keys = {key["name"]: key for key in json.loads(self.stele("key", "list", "--all", "--json"))["keys"]}
        for name, words in dict({name: words for name, (_, words) in wrong.items()}, open="chmod go-w").items():
            self.assertIn(words, self.stele("key", "show", name))
            self.assertIn(words, keys[name]["error"])
            self.assertEqual(keys.pop(name)["state"], "invalid")
        self.assertEqual({name: key["state"] for name, key in keys.items()},
                         {"alice": "revoked", "bob": "valid", "broken": "invalid", "old": "expired"})
        self.assertEqual((keys["bob"]["roles"], keys["bob"]["users"]), (["query", "feed"], ["bob"]))
        table = self.stele("key", "list")
        self.assertRegex(table, r"(?m)^bob +valid +query feed +bob")
        self.assertIn("line 1", table)
        self.assertNotIn("alice", table)
        self.assertRegex(self.stele("key", "show", "bob"), "(?m)^ *users +bob$")
        self.stele("key", "show", "nobody", status=1)

    def test_revoke_keeps_a_record_and_frees_the_name(self):
        self.stele("key", "new", "alice", "--role", "publish")
        public = self.read("keys", "alice.key")["public-key"]
        self.assertIn("stele key reload", self.stele("key", "revoke", "alice"))
        left = os.listdir(self.path("keys"))
        self.assertNotIn("alice.key", left)
        (record,) = [name for name in left if name.startswith("alice.")]
        self.assertRegex(record, r"^alice\.revoked-[0-9]{8}T[0-9]{6}Z$")
        self.assertEqual(self.read("keys", record)["public-key"], public)
        self.stele("key", "revoke", "alice", status=1)
        self.stele("key", "new", "alice", "--role", "publish", "--out", "again")
        self.assertNotEqual(self.read("keys", "alice.key")["public-key"], public)

    def test_wrong_use_is_refused(self):
        for words, arguments in (
                ("is not an action", ["make"]), ("missing argument", ["new"]), ("missing argument", ["add", "a"]),
                ("unexpected argument", ["list", "a"]), ("missing option: --role", ["new", "a"]),
                ("is not a role", ["new", "a", "--role", "root"]), ("name of a key", ["new", "../a", "--role", "query"]),
                ("name of a key", ["new", "a" * 65, "--role", "query"]), ("reserved", ["new", "server", "--role", "query"]),
                ("in the past", ["new", "a", "--role", "query", "--not-after", "2020-01-01"]),
                ("a space", ["new", "a", "--role", "query", "--users", "a b"]),
                ("at most 255 bytes", ["new", "a", "--role", "query", "--users", "b," + "u" * 256]),
                ("at most 255 bytes", ["new", "a", "--role", "query", "--users", b"\xff"]),
                ("at most 255 bytes", ["new", "a", "--role", "query", "--producers", "p" * 256]),
                ("at most 319 bytes", ["new", "a", "--role", "query", "--topics", "t" * 320]),
                *(("it is empty", ["new", "a", "--role", "query", option, value])
                  for option in ("--users", "--producers", "--topics") for value in ("", ",", ",,"))):
            self.stele("key", *arguments, status=64)
            self.assertIn(words, self.stderr)
        self.assertFalse(os.path.exists(self.keys))
        del self.environment["STELE_KEYS"]
        self.stele("key", "list", status=64)
        self.assertIn("--keys DIR", self.stderr)

    def test_files_belong_to_the_owner_of_the_folder(self):
        owner = 12345 if os.geteuid() == 0 else os.geteuid()
        os.mkdir(self.path("state"))
        os.chown(self.path("state"), owner, -1)
        self.stele("key", "new", "alice", "--role", "query", "--keys", self.path("state", "keys"))
        owners = {os.stat(self.path("state", "keys", *name)).st_uid
                  for name in ((), ("alice.key",), ("server.key_secret",), ("server.pub",))}
        self.assertEqual((owners, os.stat(self.path("alice.key_secret")).st_uid), ({owner}, os.geteuid()))

    def test_owner_of_the_folder_gets_no_other_file(self):
        """The owner puts a link to a file of root in place of each key as soon as it appears."""
        victim, state = self.path("victim"), self.path("state")
        with open(victim, "w") as file:
            file.write("not a key")
        owner = 12345 if os.geteuid() == 0 else os.geteuid()
        os.chmod(self.folder, 0o755)
        os.mkdir(state)
        os.chown(state, owner, -1)
        self.stele("key", "new", "first", "--role", "query", "--keys", state + "/keys")
        child = os.fork()
        if child == 0:
            try:
                os.setuid(owner)
                for number in range(15):
                    path = "%s/keys/k%d.key" % (state, number)
                    while not os.path.lexists(path):
                        pass
                    os.unlink(path)
                    os.symlink(victim, path)
            finally:
                os._exit(0)
        try:
            for number in range(15):
                self.stele("key", "new", "k%d" % number, "--role", "query", "--keys", state + "/keys")
                self.assertEqual(os.stat(victim).st_uid, os.geteuid())
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
        with open(victim) as file:
            self.assertEqual(file.read(), "not a key")

    def test_folder_that_is_replaced_meanwhile_gets_the_key(self):
        """A link to another folder takes the place of the folder as soon as the command has opened it."""
        self.stele("key", "new", "first", "--role", "query")
        for number in range(2000):              # Reading them takes a while
            os.link(self.path("keys", "first.key"), self.path("keys", "k%d.key" % number))
        os.mkdir(self.path("victim"))
        child = subprocess.Popen([harness.program("stele"), "key", "new", "second", "--role", "query"], cwd=self.folder,
                                 env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(child.stderr.close)
        fds = "/proc/%d/fd/" % child.pid

        def is_open():
            for name in os.listdir(fds):
                try:
                    if os.readlink(fds + name) == os.path.realpath(self.keys):
                        return True
                except OSError:
                    pass
            return child.poll() is not None
        while not is_open():
            pass
        os.rename(self.keys, self.path("real"))
        os.symlink("victim", self.keys)
        self.assertEqual(child.wait(harness.PATIENCE), 0, child.stderr.read())
        self.assertEqual(os.listdir(self.path("victim")), [])
        self.assertIn("second.key", os.listdir(self.path("real")))

    def test_folder_that_others_may_write_is_refused(self):
        os.mkdir(self.keys)
        os.chmod(self.keys, 0o770)
        self.stele("key", "new", "alice", "--role", "query", status=78)
        self.assertIn("chmod go-w", self.stderr)
        self.assertEqual(os.listdir(self.keys), [])


class TestConnections(KeysTest):

    def broker(self, *known, **options):
        broker = Keyed(*known, **options)
        self.addCleanup(broker.stop)
        self.environment.update(STELE_EVENTS=broker.endpoint, STELE_REQUESTS=broker.endpoint, STELE_FEED=broker.feed)
        return broker

    def make_key(self):
        """Its client's file, its public key, and the pair of the broker"""
        self.stele("key", "new", "alice", "--role", "admin")
        server = self.read("keys", "server.key_secret")
        return (self.path("alice.key_secret"), self.read("keys", "alice.key")["public-key"],
                (server["public-key"], server["secret-key"]))

    def test_commands_connect_with_the_key(self):
        path, public, server = self.make_key()
        broker = self.broker(public, own=server)
        self.stele("--key", path, "ping")
        self.environment["STELE_KEY"] = path
        self.stele("list")
        self.stele("publish", "-", input=EVENT)
        self.assertIn("keys", self.stele("key", "reload"))
        self.assertIn("keys.reload", [message["op"] for message in broker.seen])

    #   A time-out longer than the patience of the test: only a refusal that is noticed ends the command

    def expect_refused(self, words, *options):
        for arguments in (["ping"], ["list"], ["follow"], ["publish", "-"], ["stats"], ["key", "reload"]):
            self.stele(*options, "--timeout", "600000", *arguments, input=EVENT, status=77)
            self.assertIn(words, self.stderr)
        text = self.stele(*options, "--timeout", "600000", "health", status=2)
        self.assertIn(words, text)

    def test_refusals_have_the_reason_and_the_way_out(self):
        path, public, server = self.make_key()
        self.broker(own=server)
        self.expect_refused("does not accept the key alice", "--key", path)
        self.assertIn("role metrics", self.stele("--key", path, "health", status=2))
        self.expect_refused("needs a key")
        self.broker(keys=False)
        self.expect_refused("uses no keys", "--key", path)
        self.broker(public)
        self.expect_refused("is not the server-key", "--key", path)

    def test_broker_that_closes_before_its_greeting_needs_a_key(self):
        #   As a broker with keys does that is quicker than the client, which then gets no reason
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        greeting = b"\xff\0\0\0\0\0\0\0\1\x7f\3\1" + b"CURVE".ljust(20, b"\0") + bytes(32)

        def serve():
            while True:
                try:
                    peer = server.accept()[0]
                except OSError:
                    return                  # It was shut down
                with peer:
                    peer.sendall(greeting[:10])
                    got = b""
                    while len(got) < 11:
                        data = peer.recv(64)
                        if not data:
                            break
                        got += data
                    if len(got) == 11:      # The peer waits for the mechanism, and has not sent its own
                        peer.sendall(greeting[10:])
                        peer.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown, socket.SHUT_RDWR)
        self.environment["STELE_REQUESTS"] = "tcp://127.0.0.1:%d" % server.getsockname()[1]

        def finding_of_the_key():           # It comes with an event of the socket, of which a slow machine is late
            findings = json.loads(self.stele("--json", "--timeout", "100", "health", status=2))["findings"]
            return [finding for finding in findings if finding["code"] == "no_permission"]
        finding, = harness.wait_until(finding_of_the_key, "the finding")
        for words in ("needs a key", "--key FILE"):
            self.assertIn(words, finding["message"] + finding["hint"])
            harness.wait_until(lambda: self.stele("--timeout", "100", "list", status=None) == "" and self.status == 77, "the status")
            self.assertIn(words, self.stderr)

    def test_key_file_that_is_none_is_reported(self):
        self.broker(keys=False)
        self.stele("--key", self.path("none"), "ping", status=66)
        self.assertIn("No such file", self.stderr)
        path, _, _ = self.make_key()
        os.chmod(path, 0o644)
        self.stele("--key", path, "publish", "-", input=EVENT, status=77)
        self.assertIn("chmod 600", self.stderr)
        self.stele("--key", self.path("keys", "alice.key"), "ping", status=65)
        self.assertIn("NAME.key_secret", self.stderr)

    def test_spool_keeps_events_until_the_key_is_accepted(self):
        path, public, server = self.make_key()
        broker = self.broker(own=server)
        self.environment["STELE_KEY"] = path
        self.stele("--timeout", "600000", "publish", "--spool", "s", "-", input=EVENT * 1000)
        self.assertIn("does not accept the key alice", self.stderr)
        self.assertIn("events are durable", self.stderr)
        self.assertEqual(broker.seen, [])
        broker.known.add(public)
        self.assertIn("1,000 accepted", self.stele("publish", "--spool", "s"))

    def test_completion_knows_actions_and_roles(self):
        self.assertEqual(self.stele("completion", "words", "--", "key", "re").split(), ["revoke", "reload"])
        self.assertEqual(self.stele("completion", "words", "--", "key", "new", "--role", "p").split(), ["publish"])
        self.assertEqual(self.stele("completion", "words", "--", "--ke").split(), ["--key"])


class TestBroker(KeysTest):
    """The way of an operator, with the broker itself"""

    def start(self):
        any_port = [word for name in ("events", "requests", "feed") for word in ("--" + name, "tcp://127.0.0.1:*")]
        broker = harness.Steled(self.folder, arguments=any_port + ["--keys", self.keys])
        self.addCleanup(broker.stop)
        line = broker.wait_line("ready:")
        for name in ("events", "requests", "feed"):
            self.environment["STELE_" + name.upper()] = re.search(name + r" (tcp://[0-9.:]+)", line).group(1)
        return broker

    def test_from_the_first_key_to_its_revocation(self):
        self.stele("key", "new", "alice", "--role", "publish,query,feed", "--producers", "build-*")
        self.stele("key", "new", "root", "--role", "admin")
        self.start()
        self.environment["STELE_KEY"] = self.path("alice.key_secret")
        event = b'{"type":"task.created","task_id":"t","title":"T","description":"","role":"coder"}\n'
        self.assertIn("1 accepted", self.stele("publish", "--producer", "build-1", "-", input=event))
        self.assertIn("coder", self.stele("list"))
        self.assertEqual(json.loads(self.stele("--json", "follow", "--after", "0", "--count", "1"))["task_id"], "t")
        self.stele("publish", "--producer", "other", "-", input=event, status=77)
        self.assertIn("other", self.stderr)
        self.assertNotIn("made for this run", self.stderr)
        self.stele("publish", "-", input=event, status=77)
        self.assertRegex(self.stderr, "(?s)publish-[0-9a-f]+ was made for this run: use --producer NAME.*may not publish as producer")
        self.stele("key", "reload", status=77)
        self.assertIn("role admin", self.stderr)
        self.stele("publish", "--producer", "other", "--spool", "s", "-", input=event)
        self.assertIn("'alice'", self.stderr)

        self.stele("key", "revoke", "alice")
        self.stele("list")
        self.stele("key", "new", "bob", "--role", "query")
        self.assertRegex(self.stele("--key", self.path("root.key_secret"), "key", "reload"), r"(?s)added +bob.*revoked +alice")
        self.stele("list", status=77)
        self.assertIn("does not accept the key alice", self.stderr)
        self.assertIn("coder", self.stele("--key", self.path("bob.key_secret"), "list"))
        self.stele("--timeout", "600000", "--key", self.path("bob.key_secret"), "follow", status=77)
        self.assertIn("lacks the role", self.stderr)

    def test_run_sends_nothing_of_another_key(self):
        for team, producers in (("a", "a-*"), ("b", "run-*")):
            self.stele("key", "new", team, "--role", "publish,query", "--users", team, "--producers", producers)
        self.start()
        self.environment["XDG_STATE_HOME"] = self.path("state")
        a, b = (("--key", self.path(team + ".key_secret")) for team in "ab")
        self.stele(*a, "run", "--task", "of-a", "--", "true")
        self.assertRegex(self.stderr, "the key 'a' may not publish as producer 'run-.*durable in .*@a/")
        self.stele(*b, "run", "--task", "of-b", "--", "true")
        self.assertEqual(json.loads(self.stele(*b, "--json", "list"))["tasks"][0]["task_id"], "of-b")
        self.assertEqual(len(json.loads(self.stele(*b, "--json", "list"))["tasks"]), 1)

    def test_key_without_query_follows_new_events_only(self):
        self.stele("key", "new", "root", "--role", "admin")
        self.stele("key", "new", "ear", "--role", "feed", "--topics", "task.")
        self.start()
        root, ear = (("--key", self.path(name + ".key_secret")) for name in ("root", "ear"))
        self.stele(*root, "publish", "-", input=EVENT)
        self.stele(*ear, "follow", "task.", "--after", "0", status=77)
        self.assertRegex(self.stderr, "events.read needs the role query.*without --after")
        follow = harness.Process([harness.program("stele"), *ear, "--json", "follow", "task.", "--count", "2"], env=self.environment)
        self.addCleanup(follow.kill)
        self.assertRegex(follow.wait_line("warning"), "needs the role query.*only new events.*missing")
        #   The command is not connected at once
        harness.wait_until(lambda: self.stele(*root, "publish", "-", input=EVENT) and not follow.running(), "two events")
        self.assertEqual(follow.wait(), 0)
        positions = [json.loads(line)["position"] for line in follow.log().splitlines()[1:]]
        self.assertEqual(positions, [positions[0], positions[0] + 1])
        self.assertGreater(positions[0], 1)

    def test_lines_that_a_refused_run_did_not_spool_are_reported(self):
        self.stele("key", "new", "reader", "--role", "query")
        self.start()
        with subprocess.Popen([harness.program("stele"), "--key", self.path("reader.key_secret"), "publish", "--spool", "s", "-"],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0,
                              cwd=self.folder, env=self.environment) as run:
            try:
                while run.poll() is None:       # The broker refuses the run after its first line
                    run.stdin.write(EVENT)
            except BrokenPipeError:
                pass
            stderr = run.stderr.read().decode()
            self.assertEqual(run.wait(harness.PATIENCE), 77)
        self.assertIn("role publish", stderr)
        self.assertRegex(stderr, "Line [0-9]+ and the following ones are not in s")

    def test_every_role_and_restriction_that_is_written_is_read(self):
        roles = "publish,query,feed,operate,admin,gateway,metrics"
        self.stele("key", "new", "all", "--role", roles, "--producers", "a*,b", "--topics", "task.", "--users", "u,v",
                   "--not-after", "+1d")
        for role in roles.split(","):
            self.stele("key", "new", role, "--role", role)
        self.start()
        self.stele("--key", self.path("admin.key_secret"), "ping")
        self.assertIn("8", self.stele("--key", self.path("admin.key_secret"), "key", "reload"))


if __name__ == "__main__":
    unittest.main()
