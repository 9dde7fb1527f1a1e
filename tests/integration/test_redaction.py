# Secrets in events: masked or refused before anything is stored, over every path
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import json
import os
import re
import shutil
import sqlite3

import msgpack
import zmq

import harness
import planted
import test_access
from client import created

LIMIT_TITLE = 1024                  # Bytes
FIELDS = ["description", "title", "metadata", "unknown", "content", "bytes", "command", "output", "error_message", "details", "key", "list"]


def event(number, text):
    """An event with the text in one of its fields, chosen by the number"""
    field = FIELDS[number % len(FIELDS)]
    task = "t%d" % number
    plain = {"type": "task.created", "task_id": task, "title": "t", "description": "d", "role": "r"}
    output = {"type": "task.output_added", "task_id": task, "output_type": "stdout", "content": text}
    command = {"type": "session.command_executed", "session_id": "s", "command": "c"}
    failed = {"type": "task.state_changed", "task_id": task, "state": "failed"}
    return {
        "description": dict(plain, description=text), "title": dict(plain, title=text[:1000]),
        "metadata": dict(plain, metadata={"a": [{"b": {"c": text}}]}), "unknown": dict(plain, something={"x": text}),
        "content": output, "bytes": dict(output, content=b"\xff\xfe" + text.encode() + b"\x00\xff"),
        "command": dict(command, command=text), "output": dict(command, output=text), "error_message": dict(failed, error_message=text),
        "details": dict(failed, details={"log": text}), "key": dict(failed, details={text: 1}), "list": dict(plain, tags=["a", text]),
    }[field]


class RedactionTest(harness.BrokerTest):
    settings = {}

    @classmethod
    def setUpClass(cls):
        pass

    def start(self, **settings):
        self.addCleanup(type(self).doClassCleanups)
        type(self).settings = {name.replace("_", "-"): value for name, value in settings.items()}
        harness.BrokerTest.setUpClass.__func__(type(self))
        self.redis.call("CONFIG", "SET", "rdbcompression", "no")

    def stored(self):
        """Every byte that is kept anywhere: files, Redis, log, and what is compressed there, by way of an export"""
        self.redis.wait_position(self.ask("ping")["position"])
        self.redis.call("SAVE")
        export = os.path.join(self.folder, "export.jsonl")
        self.stele("export", "--force", export)
        rejected = self.stele("--json", "rejected")
        self.broker.stop()
        parts = {"log": self.broker.log().encode(), "rejected": rejected}
        for path in glob.glob(os.path.join(self.folder, "*")):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    parts[os.path.basename(path)] = file.read()
        return parts

    def assert_gone(self, secrets):
        for name, data in self.stored().items():
            for secret in secrets:
                for form in (secret.value.encode(), json.dumps(secret.value)[1:-1].encode()):
                    self.assertNotIn(form, data, "%s of %s is in %s" % (secret.value, secret.rule, name))

    def rejected(self):
        return self.ask("rejected.list", limit=1000)["rejected"]

    #   The paths

    def test_planted_secrets_reach_no_store(self):
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder)
        self.start(pipeline_in="ipc://" + os.path.join(folder, "in"))
        secrets = planted.secrets(500)
        texts = [planted.around(secret.text, number) for number, secret in enumerate(secrets)]
        events = [event(number, text) for number, text in enumerate(texts)]
        peer = self.producer("p")
        peer.publish(*events[:200])
        self.ask("publish", producer="q", events=events[200:300])
        push = self.clients.pusher(type(self).settings["pipeline-in"])
        push.send({"events": events[300:400]})
        lines = b"".join(json.dumps(one).encode() + b"\n" for one in
                         [dict(one, content="%s" % texts[400 + n]) if isinstance(one.get("content"), bytes) else one
                          for n, one in enumerate(events[400:450])])
        path = os.path.join(self.folder, "..", os.path.basename(self.folder) + ".jsonl")
        self.addCleanup(os.remove, path)
        with open(path, "wb") as file:
            file.write(lines)
        harness.wait_until(lambda: self.ask("ping")["position"] >= 400, "the pipeline")
        self.stele("publish", "--producer", "lines", "--restore", path)
        #   Refused ones: an unknown type, a key twice, bytes that are not msgpack
        for number in range(450, 490):
            wrong = dict(event(number, texts[number]), type="task.nonsense")
            self.assertEqual(self.ask("publish", producer="r", events=[wrong])["rejected"][0]["code"], "unknown_type")
        for number in range(490, 500):
            push.send_bytes(b"\xc1" + texts[number].encode())
        harness.wait_until(lambda: len(self.rejected()) == 50, "the refused messages")
        seen = self.read_events()
        self.assertEqual(len(seen), 450)
        by_rule = {}
        for one in seen:
            self.assertTrue(one.get("redacted"), one)
            for finding in one["redacted"]:
                self.assertEqual(sorted(finding), ["field", "n", "rule"])
                by_rule[finding["rule"]] = by_rule.get(finding["rule"], 0) + finding["n"]
        #   The text index takes events in hundreds
        peer.publish(*[event(12 * number, "filler") for number in range(1000, 1600)])
        harness.wait_until(lambda: self.ask("stats")["search"]["position"] >= 450, "the text index")
        totals = self.ask("stats")["ingest"]["redactions"]
        self.assertEqual((totals["mode"], totals["events"]), ("mask", 500))
        self.assertGreaterEqual(totals["secrets"], 500)
        self.assertEqual(totals["exceeded"], 0)
        self.assert_gone(secrets)

    def test_mode_redis_masks_before_redis(self):
        self.start(mode="redis")
        secrets = planted.secrets(60, seed=7)
        self.producer("p").publish(*[event(number, secret.text) for number, secret in enumerate(secrets)])
        self.redis.call("SAVE")
        with open(os.path.join(self.folder, "dump.rdb"), "rb") as file:
            dump = file.read()
        self.assertIn(b"redacted", dump)
        for secret in secrets:
            self.assertNotIn(secret.value.encode(), dump)
        self.broker.kill()
        self.start_broker()
        self.assertEqual(len(self.read_events()), 60)
        self.stele("mode", "--yes", "dual")
        self.assert_gone(secrets)

    def test_events_that_an_earlier_run_left_in_redis_are_masked_when_they_are_recovered(self):
        self.start(mode="redis", redact="off")
        secret = planted.secrets(40, seed=8)[38]
        peer = self.producer("p")
        peer.publish(event(0, secret.text))
        peer.publish_refused({"type": "task.nonsense", "x": secret.text})
        self.broker.kill()
        self.start_broker(settings={"redact": "mask"})
        self.assertEqual([one["rule"] for one in self.read_events()[0]["redacted"]], [secret.rule])
        self.assertNotIn(secret.value, repr(self.rejected()))

    def test_a_migration_is_masked(self):
        self.start()
        secret = planted.secrets(40, seed=9)[38]
        source = os.path.join(self.folder, "old.sqlite")
        file = sqlite3.connect(source)
        file.execute("CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT, description TEXT, role TEXT, state TEXT, created_at TEXT)")
        file.execute("INSERT INTO tasks VALUES ('m1', 'old', ?, 'r', 'queued', '2026-01-01T00:00:00Z')", (secret.text,))
        file.commit()
        file.close()
        self.stele("migrate", "--from-sqlite", source, status=None)
        os.remove(source)
        record = self.ask("task.get", task_id="m1")["task"]
        self.assertIn("\u00abredacted:%s:" % secret.rule, record["description"])
        self.assert_gone([secret])

    #   What a mask looks like

    def test_the_same_secret_has_the_same_mask_and_is_listed(self):
        self.start()
        one, other = planted.secrets(40, seed=3)[38], planted.secrets(40, seed=4)[38]
        feed = self.subscriber("task.").wait_joined()
        self.producer("p").publish(
            {"type": "task.created", "task_id": "a", "title": "x " + one.value + " y", "description": other.value, "role": "r",
             "metadata": {"env": {"T": one.value, one.value: "k"}}})
        record = self.ask("task.get", task_id="a")["task"]
        mask = record["title"].split(" ")[1]
        self.assertRegex(mask, "^\u00abredacted:github-token:[0-9a-f]{8}\u00bb$")
        self.assertEqual(record["metadata"], {"env": {"T": mask, mask: "k"}})
        self.assertNotEqual(record["description"], mask)
        redacted = [{"field": "title", "rule": "github-token", "n": 1}, {"field": "description", "rule": "github-token", "n": 1},
                    {"field": "metadata", "rule": "github-token", "n": 2}]
        self.assertEqual(self.read_events()[0]["redacted"], redacted)
        self.assertEqual(self.ask("task.history", task_id="a")["history"][0]["redacted"], redacted)
        self.assertEqual(json.loads(self.stele("replay"))["redacted"], redacted)
        self.assertEqual(feed.next()[1]["redacted"], redacted)
        self.broker.stop()
        self.start_broker()
        peer = self.producer("p2")
        peer.publish({"type": "task.output_added", "task_id": "a", "output_type": "stdout", "content": one.value.encode()})
        self.assertEqual(self.ask("task.outputs", task_id="a")["outputs"][0]["content"], mask.encode())

    def test_a_task_that_is_created_again_is_a_duplicate(self):
        self.start()
        secret = planted.secrets(40, seed=5)[38]
        again = {"type": "task.created", "task_id": "a", "title": "t", "description": secret.text, "role": "r"}
        self.producer("p").publish(again)
        answer = self.ask("publish", producer="q", events=[again])
        self.assertEqual((answer["accepted"], answer["duplicates"]), (0, 1))
        other = dict(again, description=planted.secrets(40, seed=6)[38].text)
        self.assertEqual(self.ask("publish", producer="q", events=[other])["rejected"][0]["code"], "task_exists")

    def test_masks_in_an_export_are_imported_unchanged(self):
        self.start()
        secrets = planted.secrets(100, seed=10)
        self.producer("p").publish(*[event(number, secret.text) for number, secret in enumerate(secrets)])
        first = self.stele("replay")
        self.ask("publish", producer="copy", restore=True, events=[
            dict(one, task_id=one["task_id"] + "-copy") for one in self.read_events() if "task_id" in one])
        totals = self.ask("stats")["ingest"]["redactions"]
        self.assertEqual(totals["events"], 100)
        self.assertTrue(self.stele("replay").startswith(first))

    def test_audit_events_are_masked(self):
        self.start()
        secret = planted.secrets(40, seed=20)[38]
        self.ask("rejected.retry", id=1, request_id=secret.value)
        self.assertRegex(self.ask("audit.list")["events"][0]["request_id"], "^\u00abredacted:%s:[0-9a-f]{8}\u00bb$" % secret.rule)
        self.assert_gone([secret])

    def test_a_name_is_checked_before_a_refusal_quotes_it(self):
        self.start()
        secret = planted.secrets(40, seed=21)[38]
        self.broker.stop()
        keys = test_access.Keys(self.folder)
        keys.add("root", "admin")
        keys.add("builder", "publish query", producers="ci")
        self.start_broker(arguments=("--events", "tcp://127.0.0.1:*", "--requests", "tcp://127.0.0.1:*", "--feed",
                                     "tcp://127.0.0.1:*", "--keys", keys.folder))
        line = self.broker.wait_line("ready:")
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        for name, type, message in (
                ("events", zmq.DEALER, {"op": "hello", "protocol": 1, "producer": secret.value, "instance": "i"}),
                ("requests", zmq.REQ, {"op": "publish", "producer": secret.value, "events": [event(0, "x")]})):
            socket = context.socket(type)
            self.addCleanup(socket.close, 0)
            keys.apply(socket, "builder")
            socket.connect(re.search(name + r" (tcp://[0-9.:]+)", line).group(1))
            socket.send(msgpack.packb(message))
            self.assertTrue(socket.poll(1000 * harness.PATIENCE))
            answer = repr(msgpack.unpackb(socket.recv()))
            self.assertIn("contains_secret", answer)
            self.assertNotIn(secret.value, answer)
        self.assertNotIn(secret.value, self.broker.log())

    def test_a_malformed_pipeline_message_is_masked(self):
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder)
        path = "ipc://" + os.path.join(folder, "in")
        self.start(pipeline_in=path)
        #   108 bytes: the byte of the length is a letter
        key = "sk-" + "ant-api03-" + ("aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF" * 3)[:93] + "AA"
        self.assertEqual(len(key), 108)
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        socket = context.socket(zmq.PUSH)
        self.addCleanup(socket.close)
        socket.connect(path)
        socket.send(msgpack.packb({"events": [dict(created("a"), title=key)]}) + b"\0")
        harness.wait_until(self.rejected, "the rejected message")
        self.assertNotIn(key, repr(self.rejected()))
        self.assertIn("redacted:", repr(self.rejected()))

    def test_a_mask_that_exceeds_a_limit_does_not_stop_a_recovery(self):
        self.start(mode="redis", redact="off")
        key = "AK" + "IA" + "Q7W2E4R6T8Y1U3I5"
        self.producer("p").publish(dict(event(0, "x"), title=key + " " + "x" * (LIMIT_TITLE - 21)))
        self.broker.kill()
        self.start_broker(settings={"mode": "dual", "redact": "mask"})
        title = self.read_events()[0]["title"]
        self.assertRegex(title, "^\u00abredacted:[0-9a-f]{7}\u00bb x")
        self.assertEqual(len(title.encode()), LIMIT_TITLE)

    def test_a_list_of_findings_that_came_with_the_event_is_continued(self):
        self.start()
        secret = planted.secrets(40, seed=11)[38]
        mine = [{"field": "content", "rule": "of-the-client", "n": 3}]
        base = {"type": "task.output_added", "task_id": "a", "output_type": "stdout"}
        self.producer("p").publish(dict(base, content=secret.text, redacted=mine), dict(base, content="x", redacted=mine),
                                   dict(base, content="x", redacted=[secret.value]))
        found = [one["redacted"] for one in self.read_events()]
        self.assertEqual(found[0], mine + [{"field": "content", "rule": "github-token", "n": 1}])
        self.assertEqual(found[1], mine)
        self.assertEqual(found[2], [{"field": "redacted", "rule": "github-token", "n": 1}])

    #   Modes

    def test_ids_and_names_are_refused(self):
        self.start()
        secret = planted.secrets(40, seed=12)[38]
        peer = self.producer("p")
        refused = peer.publish_refused({"type": "task.state_changed", "task_id": secret.value, "state": "running"})
        answer = self.ask("publish", producer="q", events=[
            {"type": "task.state_changed", "task_id": secret.value, "state": "running"}])
        error = answer["rejected"][0]
        self.assertEqual((error["code"], error["field"]), ("contains_secret", "task_id"))
        self.assertNotIn(secret.value, repr(answer) + repr(refused))
        kept = self.rejected()[-1]
        self.assertIn("\u00abredacted:", kept["event"]["task_id"])
        retried = self.ask("rejected.retry", id=kept["id"])
        self.assertEqual(retried["rejected"][0]["code"], "contains_secret")
        self.assertEqual(self.refused("publish", producer=secret.value, events=[event(0, "x")])["code"], "contains_secret")
        dealer = self.dealer()
        dealer.send({"op": "hello", "protocol": 1, "producer": secret.value, "instance": "i"})
        self.assertEqual(dealer.receive()["code"], "contains_secret")
        self.assert_gone([secret])

    def test_refuse_names_the_field_and_the_rule(self):
        self.start(redact="refuse")
        secrets = planted.secrets(30, seed=13)
        for number, secret in enumerate(secrets):
            answer = self.ask("publish", producer="q", events=[event(number, secret.text)])
            error = answer["rejected"][0]
            self.assertEqual(error["code"], "contains_secret")
            self.assertIn(secret.rule, error["message"])
            self.assertNotIn(secret.value, repr(answer))
        self.assertEqual(self.ask("ping")["position"], 0)
        #   A retry stores it as it was kept: with the mask
        self.assertEqual(self.ask("rejected.retry", id=self.rejected()[0]["id"])["accepted"], 1)
        self.assert_gone(secrets)

    def test_report_stores_and_counts(self):
        self.start(redact="report")
        secret = planted.secrets(40, seed=14)[38]
        self.producer("p").publish(event(0, secret.text))
        self.assertEqual(self.read_events()[0]["description"], secret.text)
        self.assertEqual(self.ask("stats")["ingest"]["redactions"]["by_rule"], {secret.rule: 1})
        self.broker.wait_line("rule " + secret.rule)
        self.assertNotIn(secret.value, self.broker.log())

    def test_off_changes_nothing(self):
        self.start(redact="off")
        secret = planted.secrets(40, seed=15)[38]
        self.producer("p").publish(event(0, secret.text))
        self.assertNotIn("redacted", self.read_events()[0])
        self.assertEqual(self.ask("stats")["ingest"]["redactions"]["mode"], "off")

    def test_values_that_are_secrets_by_their_name_are_masked(self):
        self.start()
        written = planted.written()
        pairs = [event(12 * (1000 + number), "x") for number in range(len(planted.PAIRS))]
        for one, pair in zip(pairs, planted.PAIRS):
            one["metadata"] = {"env": dict([pair])}
        peer = self.producer("p")
        peer.publish(*[event(number, secret.text) for number, secret in enumerate(written)])
        peer.publish(*pairs)
        for one in self.read_events():
            self.assertTrue(one.get("redacted"), one)
        self.assert_gone(written + [planted.Secret("", "", value) for _, value in planted.PAIRS])

    #   False alarms, rules of users

    def test_what_only_looks_like_a_secret_is_left_alone(self):
        self.start()
        texts = planted.alike()
        events = [event(number, text) for number, text in enumerate(texts)]
        self.producer("p").publish(*events)
        self.assertEqual([one["redacted"] for one in self.read_events() if "redacted" in one], [])
        self.assertEqual(self.ask("stats")["ingest"]["redactions"]["events"], 0)

    def test_a_rule_file_adds_replaces_and_disables(self):
        folder = harness.temporary_folder()
        path = os.path.join(folder, "mine.rules")
        self.addCleanup(lambda: (os.remove(path), os.rmdir(folder)))
        with open(path, "w") as file:
            file.write('[badge]\nkeyword = "badge "\ncase = ignore\nregex = badge ([0-9]{6})\n[github-token]\nenabled = no\n'
                       '[bomb]\nkeyword = aaa\nregex = (?:a+)+b\n')
        self.start(redact_rules=path)
        secret = planted.secrets(40, seed=16)[38]
        self.producer("p").publish(event(0, "Badge 123456, " + secret.value), event(4, "a" * 1000000))
        first, second = self.read_events()
        self.assertRegex(first["description"], "^Badge \u00abredacted:badge:[0-9a-f]{8}\u00bb, " + secret.value + "$")
        self.assertEqual(len(second["content"]), 1000000)
        self.assertGreater(self.ask("stats")["ingest"]["redactions"]["exceeded"], 0)
        self.broker.wait_line("rule bomb took too long")

    def test_a_wrong_rule_file_is_refused_at_the_start(self):
        self.start()
        path = os.path.join(self.folder, "wrong.rules")
        with open(path, "w") as file:
            file.write("[x]\nkeyword = abc\nregex = (\n")
        self.broker.stop()
        with self.assertRaisesRegex(AssertionError, "rule x: its regex is not valid"):
            self.start_broker(settings={"redact-rules": path})

    #   stele scan

    def test_scan_finds_what_an_earlier_setting_stored(self):
        self.start(redact="off")
        secrets = planted.secrets(100, seed=17)
        self.ask("publish", producer="p", events=[event(number, secret.text) for number, secret in enumerate(secrets)]
                 + [{"type": "task.nonsense", "x": secrets[0].text}])
        ledger = self.stele("--json", "scan", self.broker.ledger, status=1)
        broker = self.stele("--json", "scan", status=1)
        for said in (ledger, broker):
            lines = [json.loads(line) for line in said.splitlines()]
            self.assertEqual([one["position"] for one in lines if "position" in one], list(range(1, 101)))
            self.assertEqual([one["rule"] for one in lines], [secret.rule for secret in secrets] + [secrets[0].rule])
            self.assertEqual(lines[-1]["rejected"], 1)
            self.assertEqual(lines[38]["subject"], "t38")
            self.assertRegex(lines[38]["mark"], "^[0-9a-f]{8}$")
            for secret in secrets:
                self.assertNotIn(json.dumps(secret.value)[1:-1].encode(), said)
        table = self.stele("scan", "--after", "99", status=1).decode()
        self.assertIn("2 secrets in 2 of 2 events", self.stderr)
        self.assertEqual(len(table.splitlines()), 3, table)
        self.assertRegex(table, "^ *POSITION +SUBJECT ")
        #   The marks are those of the masks that this ledger gets from now on
        self.broker.stop()
        self.start_broker(settings={"redact": "mask"})
        self.ask("publish", producer="p", events=[event(1200, secrets[38].text)])
        self.assertIn(json.loads(ledger.splitlines()[38])["mark"], self.read_events(after=100)[0]["description"])

    def test_scan_through_the_broker_reads_bytes_and_all_pages(self):
        self.start(redact="off")
        secret = planted.secrets(40, seed=19)[38]
        output = {"type": "task.output_added", "task_id": "t", "output_type": "stdout"}
        peer = self.producer("p")
        peer.publish(*[dict(output, content="x")] * 1500, dict(output, content=b"\xff\xfe" + secret.value.encode()))
        self.ask("publish", producer="p2", events=[{"type": "task.nonsense", "x": secret.text}] * 1100)
        lines = [json.loads(line) for line in self.stele("--json", "scan", status=1).splitlines()]
        self.assertEqual([one.get("position") for one in lines[:1]], [1501])
        self.assertEqual([one["rejected"] for one in lines[1:]], list(range(1, 1101)))

    def test_scan_of_a_clean_ledger_finds_nothing(self):
        self.start()
        self.producer("p").publish(*[event(n, secret.text) for n, secret in enumerate(planted.secrets(100, seed=18))])
        self.assertEqual(self.stele("scan"), b"")
        self.broker.stop()
        self.assertEqual(self.stele("scan", self.broker.ledger), b"")
        self.stele("scan", self.broker.ledger + ".no", status=66)


if __name__ == "__main__":
    harness.main()
