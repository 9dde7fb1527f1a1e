# The state of stele-relay: positions, other ledgers, damaged files; its configuration, keys and certificates
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import re
import shutil
import sqlite3
import subprocess

import harness
import receiver
from client import created


class Positions(receiver.RelayTest):
    def ledger(self, name):
        self.broker.stop()
        self.start_broker(ledger=name)

    def test_other_ledger_needs_a_reset(self):
        relay = self.relay()
        self.producer().publish(*[created(self.name("task%d" % n)) for n in range(3)])
        self.receiver.wait_delivered(3)
        self.ledger("other.db")
        self.addCleanup(self.ledger, "ledger.db")
        first = self.producer().publish(*[created(self.name("new%d" % n)) for n in range(9)]) - 8
        relay.wait_line("run 'stele-relay reset hook'")
        self.assertIn("another ledger", relay.wait_status(lambda rows: rows["hook"]["state"] == "failing")["hook"]["error"])
        self.assertEqual(len(self.receiver.requests), 3)
        relay.run("reset", "hook", str(first + 1))
        self.assertEqual(set(self.receiver.wait_delivered(10)[3:]), set(range(first + 2, first + 9)))
        relay.run("reset", "hook", "999999")            # There is no such position: as now
        relay.wait_status(lambda rows: rows["hook"]["position"] == first + 8)
        self.assertEqual(len(self.receiver.requests), 10)

    def test_ledger_that_returns_needs_no_reset(self):
        relay = self.relay()
        self.producer().publish(created(self.name("one")))
        self.receiver.wait_delivered(1)
        relay.stop()
        self.ledger("third.db")
        relay = self.relay(wait=False)
        relay.wait_line("another ledger")
        relay.stop()
        self.ledger("ledger.db")
        relay = self.relay()
        self.assertEqual(relay.wait_status(lambda rows: rows["hook"]["state"] == "live")["hook"].get("error"), None)
        self.producer().publish(created(self.name("two")))
        self.receiver.wait_delivered(2)

    def test_accepted_loss_continues_before_it(self):
        relay = self.relay()
        self.producer().publish(created(self.name("kept")))
        self.broker.stop()
        for path in glob.glob(self.broker.ledger + "*"):
            shutil.copy(path, os.path.join(self.folder, "copy-" + os.path.basename(path)))
        self.start_broker()
        self.producer().publish(created(self.name("lost")), created(self.name("lost too")))
        self.receiver.wait_delivered(3)
        self.broker.stop()
        shutil.copy(os.path.join(self.folder, "copy-ledger.db"), self.broker.ledger)
        for end in ("-wal", "-shm"):
            if os.path.exists(self.broker.ledger + end):
                os.remove(self.broker.ledger + end)
        self.start_broker(arguments=["--accept-loss"])
        relay.wait_line("the end of the ledger was lost: continuing after position")
        before = len(self.receiver.delivered())
        self.producer().publish(created(self.name("new")))
        self.receiver.wait(lambda requests: any(r.task_id == self.name("new") for r in requests))
        self.assertNotEqual(*(self.receiver.requests[n].headers["webhook-id"].rsplit("-", 1)[0] for n in (0, -1)))
        self.assertGreater(len(self.receiver.requests), before)

    def test_state_that_cannot_be_written_stops_deliveries(self):
        relay = self.relay()
        os.rename(relay.folder, relay.folder + ".away")
        self.producer().publish(created(self.name("one")))
        self.receiver.wait_delivered(1)                 # It had started before
        relay.wait_line("cannot write the state")
        last = self.producer(self.name("again")).publish(*[created(self.name("task%d" % n)) for n in range(20)])
        feed = self.subscriber("heartbeat")
        for _ in range(3):                              # Every other subscriber has those events long before the last one
            feed.next(heartbeats=True)
        self.assertEqual(len(self.receiver.requests), 1)
        os.rename(relay.folder + ".away", relay.folder)
        relay.wait_line("can be written again")
        self.assertEqual(max(self.receiver.wait_delivered(21)), last)
        self.assertEqual(len(self.receiver.requests), 21)

    def test_undelivered_events_survive_a_state_that_cannot_be_read(self):
        self.receiver.behave = lambda request: 500
        relay = self.relay()
        last = self.producer().publish(*[created(self.name("task%d" % n)) for n in range(5)])
        relay.wait_status(lambda rows: rows["hook"]["pending"] == 5)
        relay.stop()
        self.receiver.behave = lambda request: 200
        self.rename(relay.state, "pending", "away")
        relay = self.relay(wait=False)
        relay.wait_line("cannot read the state")
        self.rename(relay.state, "away", "pending")
        self.assertEqual(set(self.receiver.wait_delivered(5)), set(range(last - 4, last + 1)))

    def rename(self, path, table, name):
        db = sqlite3.connect(path, timeout=harness.PATIENCE)
        db.execute("ALTER TABLE %s RENAME TO %s" % (table, name))
        db.close()

    def test_damaged_state_is_refused(self):
        relay = self.relay()
        relay.stop()
        with open(relay.state, "r+b") as file:
            file.truncate(5000)
        broken = self.relay(wait=False)
        self.assertEqual(broken.wait(), 65)
        self.assertIn("is damaged: move it away", broken.log())
        os.rename(relay.state, relay.state + ".broken")
        relay = self.relay({"hook": self.target(**{"from": "beginning"})})
        self.receiver.wait_delivered(self.ask("ping")["position"])

    def test_foreign_file_is_refused(self):
        folder = os.path.join(self.folder, self.name("relay"))
        os.makedirs(folder)
        subprocess.run(["sqlite3", os.path.join(folder, "relay.db"), "CREATE TABLE mine (x)"], check=True)
        relay = self.relay(wait=False)
        self.assertEqual(relay.wait(), 74)
        self.assertIn("is not a state of this version", relay.log())

    def test_second_relay_is_refused(self):
        self.relay()
        second = self.relay(wait=False)
        self.assertEqual(second.wait(), 75)
        self.assertIn("another stele-relay uses the state", second.log())

    def test_configuration_is_checked(self):
        hook = self.target()
        good = self.relay()
        open_file = os.path.join(self.folder, "open")
        with open(open_file, "w") as file:
            file.write(receiver.SECRET)
        os.chmod(open_file, 0o644)
        for target, text in (
                ({"kind": "mail"}, "kind takes webhook or otlp, not 'mail'"), ({"url": "ftp://x"}, "url takes https or http"),
                ({"url": "https://me:pw@x/"}, "must not have a user"), ({"types": "task.state"}, "'task.state' is not a type of event"),
                ({"states": "done"}, "'done' is not a state"), ({"parallel": "0"}, "parallel takes an integer from 1 to 64, not '0'"),
                ({"colour": "red"}, "unknown setting 'colour'"), ({"secret": ""}, "a webhook is signed"),
                ({"secret": open_file}, "others may read"), ({"secret": self.broker.ledger}, "is not a file of secrets"),
                ({"from": "here"}, "from takes now or beginning"), ({"kind": "otlp", "secret": "x"}, "traces have no secret"),
                ({"retry-min-ms": 500, "retry-max-ms": 400}, "retry-min-ms is greater")):
            with self.subTest(text):
                good.write(self.broker, {"hook": dict(hook, **target)})
                done = subprocess.run(good.command + ["--check-config"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertEqual(done.returncode, 78)
                self.assertIn(text, done.stdout.decode())
        broken = self.relay({"hook": dict(hook, secret=open_file)}, wait=False, state=good.state + "2")
        self.assertEqual(broken.wait(), 78)
        self.assertIn("target hook: others may read", broken.log())
        good.write(self.broker, {"hook": hook})
        self.assertEqual(good.run("--check-config"), "")
        for words in (["now"], ["dead"], ["dead", "list"], ["dead", "list", "none"], ["reset", "hook"], ["reset", "hook", "-3"],
                      ["dead", "retry", "hook", "x"], ["enable"], ["enable", "hook", "more"]):
            good.run(*words, status=64)


class Guarded(receiver.RelayTest):
    """Keys, users, TLS"""

    @classmethod
    def start_broker(cls, **more):
        keys = os.path.join(cls.folder, "keys")
        cls.keys = {}
        for name, options in (("ann", ["--users", "ann"]), ("all", [])):
            cls.keys[name] = os.path.join(cls.folder, name + ".key_secret")
            subprocess.run([harness.program("stele"), "key", "new", name, "--keys", keys, "--role", "query,feed", *options, "--out",
                            cls.keys[name]], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        cls.settings = {"keys": keys}
        broker = super().start_broker(arguments=["--requests", "tcp://127.0.0.1:*", "--feed", "tcp://127.0.0.1:*"], **more)
        line = broker.wait_line("ready:")
        broker.requests, broker.feed = (re.search(r"%s (tcp://[^\s,;]+)" % word, line).group(1) for word in ("requests", "feed"))
        return broker

    def ask(self, op, **keys):
        raise AssertionError("needs a key")

    def test_key_with_users_sees_only_theirs(self):
        relay = self.relay({"hook": self.target()}, key=self.keys["ann"])
        producer = self.producer()
        positions = [producer.publish(created(self.name(user + str(n)), user_id=user)) for n in range(3) for user in ("ann", "bob")]
        self.assertEqual(set(self.receiver.wait_delivered(3)), set(positions[::2]))
        relay.wait_status(lambda rows: rows["hook"]["position"] >= positions[-1])      # That of an event of bob

    def test_certificate_is_verified(self):
        pem, key = os.path.join(self.folder, "c.pem"), os.path.join(self.folder, "c.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                        pem, "-subj", "/CN=receiver", "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                       stderr=subprocess.DEVNULL)
        secure = receiver.Receiver((pem, key))
        self.addCleanup(secure.stop)
        relay = self.relay({"trusts": {"url": secure.url("/trusts"), "ca": pem}, "doubts": {"url": secure.url("/doubts"), "attempts": 2}},
                           key=self.keys["all"])
        self.producer().publish(created(self.name("task")))
        secure.wait_delivered(1, "/trusts")
        self.assertIn("certificate", relay.wait_status(lambda rows: rows["doubts"]["dead"] == 1)["doubts"]["error"])
        self.assertEqual(secure.delivered("/doubts"), [])


if __name__ == "__main__":
    harness.main()
