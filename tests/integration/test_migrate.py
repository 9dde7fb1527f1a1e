# Migration of the records of an earlier system
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import harness
from client import Clients, created
from earlier import Earlier, microseconds

SAME = ("title", "description", "role", "state", "provider", "model", "branch", "user_id", "error_count",
        "last_error")
TIMES = ("created_at", "updated_at", "started_at", "completed_at")


class MigrateTest(harness.BrokerTest):
    """Each test has a ledger of its own."""

    use_redis = False

    def setUp(self):
        super().setUp()
        self.place = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.shared = self.broker
        self.broker = harness.Steled(self.place)
        self.addCleanup(self.broker.stop)
        self.source = os.path.join(self.place, "earlier.db")

    def migrate(self, *more, status=0):
        """Lines of what it says; the last but one is the report."""
        text = self.stele("--json", "migrate", "--verbose", "--from-sqlite", self.source, *more, status=status)
        lines = [json.loads(line) for line in text.splitlines()]
        self.odd = [line for line in lines if "odd" in line and "table" in line]
        return lines[len(self.odd):]

    def said(self, id):
        return " / ".join(line["odd"] for line in self.odd if line["id"] == id)

    def task(self, id):
        return self.ask("task.get", task_id=id)["task"]

    def history(self, id):
        return self.ask("task.history", task_id=id, limit=1000)["history"]

    def digests(self):
        found = {}
        for name in os.listdir(self.place):
            if name.startswith("earlier.db"):
                with open(os.path.join(self.place, name), "rb") as file:
                    found[name] = hashlib.sha256(file.read()).hexdigest()
        return found


class SqliteTest(MigrateTest):
    def assertRecord(self, row):
        record = self.task(row["id"])
        for key in SAME:
            self.assertEqual(record.get(key), row[key], (key, row["id"], self.said(row["id"])))
        for key in TIMES:
            wanted = None if row[key] is None else microseconds(row[key])
            self.assertEqual(record.get(key), wanted, (key, row["id"], self.said(row["id"])))
        for key in ("acceptance_criteria", "metadata"):
            self.assertEqual(record.get(key), json.loads(row[key]) if row[key] else None)

    def assertHistory(self, source, row):
        """Every row of the source is there, in its order, with its states and times."""
        rows = [step for step in self.history(row["id"])
                if step["type"] != "task.updated" and not step.get("migrated", {}).get("inserted")]
        wanted = [step for step in source.rows("task_history", "id") if step["task_id"] == row["id"]]
        told = []
        for step in rows:
            kept = step.get("migrated", {}).get("timestamp")
            when = step["timestamp"] if kept is None else microseconds(kept.rstrip("Z"))
            told.append((step.get("state_from"), step["state_to"], when, step.get("error_message")))
        expected = [(step["state_from"], step["state_to"], microseconds(step["timestamp"]), step["error_message"])
                    for step in wanted]
        #   The creation is told once, with the time of the record: a time of whole seconds is any within the second
        if told[0][2] % 1000000 == 0 and expected[0][2] // 1000000 == told[0][2] // 1000000:
            expected[0] = told[0]
        self.assertEqual(told, expected)

    def test_records_and_history_are_those_of_the_source(self):
        for seed in (1, 2):
            if os.path.exists(self.source):
                os.unlink(self.source)
            source = Earlier(self.source, seed)
            before = self.digests()
            report, pushed = self.migrate()
            self.assertEqual(self.digests(), before)
            self.assertEqual(report["tasks"], 40)
            self.assertEqual((pushed["refused"], pushed["bad_lines"], pushed["accepted"]), (0, 0, report["events"]))
            #   This program writes a record a little after the row of its history
            self.assertEqual({re.sub("'.*'|(started|completed)_at", "*", line["odd"]) for line in self.odd}, {
                "unknown table with 1 rows: skipped",
                "a row of its history is within two seconds of *: moved to that time, its own is kept in migrated.timestamp",
                "updated_at is later than its last event: an update was inserted"})
            for row in source.rows("tasks"):
                self.assertRecord(row)
                self.assertHistory(source, row)
                outputs = self.ask("task.outputs", task_id=row["id"], limit=1000)["outputs"]
                self.assertEqual(
                    [(o["output_type"], o["content"], o["timestamp"]) for o in outputs],
                    [(o["output_type"], o["content"], microseconds(o["timestamp"]))
                     for o in source.rows("task_outputs") if o["task_id"] == row["id"]])
                metrics = self.ask("task.metrics", task_id=row["id"], limit=1000)["metrics"]
                self.assertEqual(
                    [(m["name"], m["value"], m["unit"], m["timestamp"]) for m in metrics],
                    [(m["metric_name"], m["metric_value"], m["metric_unit"], microseconds(m["timestamp"]))
                     for m in source.rows("task_metrics") if m["task_id"] == row["id"]])
            for row in source.rows("cli_sessions"):
                record = self.ask("session.get", session_id=row["session_id"])["session"]
                for key in ("task_id", "cli_tool", "mode", "state", "pid", "current_directory", "command_count"):
                    self.assertEqual(record[key], row[key])
                for key in ("created_at", "updated_at", "completed_at"):
                    self.assertEqual(record.get(key), microseconds(row[key]) if row[key] else None)
                commands = self.ask("session.commands", session_id=row["session_id"])["commands"]
                self.assertEqual([c["command"] for c in commands], ["ls", "make"])
            for row in source.rows("user_preferences"):
                record = self.ask("preference.get", user_id=row["user_id"])["preferences"]
                self.assertEqual(record["role_preferences"], json.loads(row["role_preferences"]))
                self.assertEqual(record["full_access_preferred"], bool(row["full_access_preferred"]))
                self.assertEqual([record["created_at"], record["updated_at"]],
                                 [microseconds(row["created_at"]), microseconds(row["updated_at"])])
            source.db.close()
            #   The next seed has other ids of tasks; sessions and users are set again
            self.broker.stop()
            os.unlink(self.broker.ledger)
            for name in os.listdir(self.place):
                if name.startswith("ledger.db"):
                    os.unlink(os.path.join(self.place, name))
            self.broker = harness.Steled(self.place)
            self.addCleanup(self.broker.stop)

    def test_events_are_in_the_order_of_their_times(self):
        Earlier(self.source).db.close()
        self.migrate()
        times = [event["time"] for event in self.read_events() if "migrated" not in event]
        self.assertEqual(times, sorted(times))

    def test_a_dry_run_publishes_nothing(self):
        Earlier(self.source).db.close()
        report, = self.migrate("--dry-run")
        self.assertGreater(report["events"], 100)
        self.assertEqual(self.ask("ping")["position"], 0)

    def test_a_log_that_was_not_merged_is_read_and_left_alone(self):
        source = Earlier(self.source, wal=True)
        self.assertGreater(os.path.getsize(self.source + "-wal"), 0)
        before = self.digests()
        #   Its -shm belongs to the program that has it open; without that program there is none
        held = {name: digest for name, digest in before.items() if not name.endswith("-shm")}
        for name in held:
            shutil.copy(os.path.join(self.place, name), os.path.join(self.place, name.replace("earlier", "crashed")))
        copy = os.path.join(self.place, "crashed.db")
        names = sorted(os.listdir(self.place))
        self.source, original = copy, self.source
        report, pushed = self.migrate()
        self.assertEqual(report["tasks"], 40)
        self.assertEqual(sorted(os.listdir(self.place)), names)
        self.assertEqual(pushed["refused"], 0)
        self.source = original
        self.assertEqual(self.digests(), before)
        source.db.close()

    def test_a_read_only_folder_is_enough(self):
        Earlier(self.source, wal=True).db.close()
        folder = os.path.join(self.place, "locked")
        os.mkdir(folder)
        os.rename(self.source, os.path.join(folder, "earlier.db"))
        self.source = os.path.join(folder, "earlier.db")
        os.chmod(self.source, 0o400)
        os.chmod(folder, 0o500)
        self.addCleanup(os.chmod, folder, 0o700)
        report, _ = self.migrate()
        self.assertEqual(report["tasks"], 40)

    def test_run_again_it_stores_nothing_twice(self):
        Earlier(self.source).db.close()
        report, pushed = self.migrate()
        head = self.ask("ping")["position"]
        self.assertRegex(self.stderr, r"^\d+ tasks are still at work .*\n$")
        again, pushed_again = self.migrate()
        self.assertIn("was complete already", self.stderr)
        self.assertEqual(again, report)
        self.assertEqual((pushed_again["accepted"], pushed_again["duplicates"]), (0, report["events"]))
        self.assertEqual(self.ask("ping")["position"], head)

    def test_killed_in_the_middle_and_run_again_it_is_complete(self):
        Earlier(self.source, tasks=400).db.close()
        subscriber = self.subscriber("")
        subscriber.wait_joined()
        child = subprocess.Popen([harness.program("stele"), "migrate", "--from-sqlite", self.source],
                                 env=self.broker.environment(), stdout=subprocess.DEVNULL)
        subscriber.next()
        child.send_signal(signal.SIGKILL)
        child.wait()
        report, pushed = self.migrate()
        self.assertRegex(self.stderr, "was (started before|complete already)")
        self.assertEqual(self.ask("ping")["position"], report["events"])
        self.assertEqual(pushed["accepted"] + pushed["duplicates"], report["events"])

    def test_the_events_may_go_to_a_file_and_be_imported(self):
        source = Earlier(self.source)
        path = os.path.join(self.place, "events.jsonl")
        self.migrate("--to", path, "--dry-run", status=64)
        self.assertFalse(os.path.exists(path))
        report, = self.migrate("--to", path)
        self.assertIn("%d events written to %s" % (report["events"], path), self.stderr.replace(",", ""))
        self.assertEqual(self.ask("ping")["position"], 0)
        self.stele("import", path)
        for row in source.rows("tasks"):
            self.assertRecord(row)
        source.db.close()

    def test_what_is_no_database_is_said(self):
        with open(self.source, "w") as file:
            file.write("no database at all, but long enough to look into" * 100)
        self.migrate(status=65)
        self.source += ".missing"
        self.migrate(status=66)
        sqlite3.connect(self.source).execute("CREATE TABLE other (a)")
        self.migrate(status=65)
        self.assertIn("earlier system", self.stderr)
        self.assertEqual([name for name in os.listdir("/tmp") if name.startswith("stele-migrate-")
                          and os.stat("/tmp/" + name).st_mtime > time.time() - 0.001], [])

    def test_a_ledger_is_no_source(self):
        self.producer().publish(created("a"))
        self.broker.stop()
        self.source = self.broker.ledger
        self.migrate(status=65)
        self.assertIn("it is a ledger of Stele; use 'stele export'", self.stderr)


class OddTest(MigrateTest):
    """A source with the faults of years."""

    def make(self, *statements, schema="CREATE TABLE tasks (id TEXT, title TEXT, description TEXT, role TEXT,"
             " state TEXT, created_at TEXT, updated_at TEXT, started_at TEXT, completed_at TEXT, error_count INTEGER,"
             " last_error TEXT, priority INTEGER, metadata TEXT);"
             "CREATE TABLE task_history (id INTEGER PRIMARY KEY, task_id TEXT, state_from TEXT, state_to TEXT,"
             " timestamp TEXT, error_message TEXT)"):
        db = sqlite3.connect(self.source)
        db.executescript(schema)
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
        db.commit()
        db.close()

    def insert(self, table="tasks", **row):
        return ("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join(row), ", ".join("?" * len(row))),
                list(row.values()))

    def row(self, id, **more):
        return self.insert(**dict(dict(id=id, title="t", description="d", role="r", state="queued",
                                       created_at="2025-01-01 00:00:00", error_count=0), **more))

    def test_unknown_states_are_taken_for_others_and_kept(self):
        self.make(self.row("a", state="in_review", started_at="2025-01-01 00:00:05",
                           updated_at="2025-01-01 00:01:00"),
                  self.row("b", state="TaskState.PASSED", completed_at="2025-01-01 00:01:00"),
                  self.row("b2", state="TaskState.PASSED", completed_at="2025-01-01 00:01:00"),
                  self.row("c", state="success", completed_at="2025-01-01 00:01:00"),
                  self.insert("task_history", task_id="a", state_from="queued", state_to="pondering",
                              timestamp="2025-01-01 00:00:03"))
        self.migrate()
        self.assertEqual(self.task("a")["state"], "paused")
        self.assertEqual(self.task("a")["metadata"]["migrated"]["state"], "in_review")
        self.assertIn("in_review", self.said("a"))
        self.assertIn("pondering", [row.get("migrated", {}).get("state_to") for row in self.history("a")])
        self.assertEqual(self.task("b")["state"], "passed")
        self.assertIn("'TaskState.PASSED' is another spelling of passed", self.said("b"))
        self.assertIn("is another spelling of passed", self.said("b2"))
        self.assertEqual(self.task("c")["state"], "passed")
        self.assertEqual(self.task("c")["metadata"]["migrated"]["state"], "success")

    def test_unknown_columns_are_kept_in_metadata(self):
        self.make(self.row("a", priority=7, metadata='{"mine":1}'), self.row("b", priority=3, metadata="no json {"),
                  self.row("c", metadata='["a","b"]'), self.row("d", priority=1, metadata='{"$bin":"text"}'))
        self.migrate()
        self.assertEqual(self.task("a")["metadata"], {"mine": 1, "migrated": {"priority": 7}})
        self.assertEqual(self.task("b")["metadata"], {"migrated": {"priority": 3, "metadata": "no json {"}})
        self.assertEqual(self.task("c")["metadata"], {"items": ["a", "b"]})
        self.assertEqual(self.task("d")["metadata"]["migrated"],
                         {"priority": 1, "metadata": {"$bin": "text"}})

    def test_missing_columns_have_defaults_that_are_said(self):
        self.make("INSERT INTO tasks VALUES (5, 'running')", schema="CREATE TABLE tasks (id INTEGER, state TEXT)")
        self.migrate()
        task = self.task("5")
        self.assertEqual((task["state"], task["title"], task["role"]), ("running", "5", "unknown"))
        for word in ("title", "role", "description", "created_at"):
            self.assertIn(word, self.said("5"))

    def test_times_of_every_form_are_read(self):
        moment = 1735689600_000000
        for id, value in (("a", "2025-01-01 00:00:00"), ("b", "2025-01-01T00:00:00.000000Z"),
                          ("c", "2025-01-01 02:00:00+02:00"), ("d", "2025-01-01 00:00:00.0"), ("e", "2025-01-01"),
                          ("f", "1735689600"), ("g", "yesterday")):
            pass
        self.make(self.row("a"), self.row("b", created_at="2025-01-01T00:00:00.000000Z"),
                  self.row("c", created_at="2025-01-01 02:00:00+02:00"), self.row("d", created_at="2025-01-01"),
                  self.row("e", created_at="yesterday", updated_at="2025-01-01 00:00:00"))
        self.migrate()
        for id in "abcde":
            self.assertEqual(self.task(id)["created_at"], moment, id)
        self.assertEqual(self.task("e")["metadata"]["migrated"]["created_at"], "yesterday")

    def test_a_task_without_history_is_created_and_changed(self):
        self.make(self.row("a", state="failed", started_at="2025-01-01 00:00:10", error_count=1, last_error="boom",
                           completed_at="2025-01-01 00:01:00", updated_at="2025-01-01 00:01:00.5"))
        self.migrate()
        self.assertEqual(self.said("a"), "no history leads to its state: the changes are inserted, with the times of its record"
                         " / updated_at is later than its last event: an update was inserted")
        self.assertEqual([row["state_to"] for row in self.history("a") if row["type"] != "task.updated"],
                         ["queued", "running", "failed"])
        task = self.task("a")
        self.assertEqual((task["error_count"], task["last_error"]), (1, "boom"))
        self.assertEqual([task[key] - task["created_at"] for key in ("started_at", "completed_at", "updated_at")],
                         [10_000_000, 60_000_000, 60_500_000])

    def test_a_history_that_contradicts_its_record_is_mended(self):
        def step(task, before, after, second, error=None):
            return self.insert("task_history", task_id=task, state_from=before, state_to=after,
                               timestamp="2025-01-01 00:00:%02d" % second, error_message=error)
        self.make(
            #   Left failed without a retry, and ended in a state that no row tells of
            self.row("a", state="passed", completed_at="2025-01-01 00:01:00", error_count=1, last_error="one"),
            step("a", None, "queued", 0), step("a", "queued", "failed", 1, "one"), step("a", "failed", "running", 2),
            #   Fewer errors counted than told, another last one
            self.row("b", state="failed", completed_at="2025-01-01 00:00:03", error_count=1, last_error="other"),
            step("b", "queued", "failed", 1, "one"), step("b", "failed", "queued", 2),
            step("b", "queued", "failed", 3, "two"),
            #   More errors counted than told
            self.row("c", state="running", error_count=3, last_error="last"), step("c", "queued", "running", 1))
        report, pushed = self.migrate()
        self.assertEqual(pushed["refused"], 0)
        task = self.task("a")
        self.assertEqual((task["state"], task["error_count"], task["last_error"]), ("passed", 1, "one"))
        self.assertEqual(task["completed_at"] - task["created_at"], 60_000_000)
        task = self.task("b")
        self.assertEqual((task["state"], task["error_count"], task["last_error"]), ("failed", 1, "other"))
        self.assertIn("one", [row.get("migrated", {}).get("error_message") for row in self.history("b")])
        self.assertIn("two", [row.get("migrated", {}).get("error_message") for row in self.history("b")])
        task = self.task("c")
        self.assertEqual((task["state"], task["error_count"], task["last_error"]), ("running", 3, "last"))
        for id in "abc":
            self.assertNotEqual(self.said(id), "")

    def test_what_the_row_of_the_creation_says_stays_with_it(self):
        self.make(self.row("a"), self.row("b", state="running", updated_at="2025-01-01 00:00:05"),
                  self.row("c", state="passed"), "ALTER TABLE task_history ADD COLUMN details",
                  self.insert("task_history", task_id="a", state_to="queued", timestamp="2025-01-01 00:00:00",
                              details='{"by":"x"}'))
        self.migrate()
        (created,) = self.history("a")
        self.assertEqual((created["state_to"], created["migrated"]), ("queued", {"details": {"by": "x"}}))
        self.assertEqual(self.said("a"), "")
        #   There is no history to take times from
        self.assertIn("started_at is missing: taken from updated_at", self.said("b"))
        self.assertIn("completed_at is missing: taken from created_at", self.said("c"))

    def test_an_empty_error_is_none(self):
        self.make(self.row("a", state="running", last_error="", started_at="2025-01-01 00:00:01"),
                  self.row("b", state="running", last_error=None, started_at="2025-01-01 00:00:01"),
                  self.row("c", state="running", last_error="", started_at="2025-01-01 00:00:01", error_count=None),
                  self.insert("task_history", task_id="a", state_from="queued", state_to="running",
                              timestamp="2025-01-01 00:00:01", error_message=""))
        self.migrate()
        for id in "abc":
            task = self.task(id)
            self.assertEqual((task["state"], task["error_count"], task.get("last_error")), ("running", 0, None))
            self.assertNotIn("error", self.said(id))

    def test_rows_without_their_task_come_along(self):
        self.make(self.insert("task_history", task_id="gone", state_to="running", timestamp="2025-01-01 00:00:00"))
        report, pushed = self.migrate()
        self.assertEqual((report["task_history"], pushed["accepted"]), (1, 1))
        self.assertIn("no such task", self.said("gone"))
        self.assertEqual(self.ask("task.outputs", task_id="gone")["outputs"][0]["migrated"]["state_to"], "running")

    def test_text_that_is_too_long_or_no_text_is_kept_whole(self):
        self.make(self.row("a", title="\u00e9" * 600), self.row("b", description=b"\xff\x00\xfe"))
        report, pushed = self.migrate()
        self.assertEqual(pushed["refused"], 0)
        self.assertEqual(self.task("a")["title"], "\u00e9" * 512)
        self.assertEqual(self.task("a")["metadata"]["migrated"]["title"], "\u00e9" * 600)
        self.assertEqual(self.task("b")["metadata"]["migrated"]["description"], b"\xff\x00\xfe")

    def test_json_with_the_words_of_python_is_read(self):
        mine = {"a": [float("nan"), float("-inf")], "b": "\\\" NaN, \\"}
        self.make(self.row("a", metadata=json.dumps(mine)), self.row("b", metadata='{"a":NaN'))
        self.migrate()
        self.assertEqual(self.task("a")["metadata"], {"a": ["NaN", "-Infinity"], "b": mine["b"]})
        self.assertIn("metadata has 2 of NaN", self.said("a"))
        self.assertEqual(self.task("b")["metadata"], {"migrated": {"metadata": '{"a":NaN'}})

    def test_of_rows_with_one_id_the_one_updated_last_stands(self):
        self.make(self.row("a", state="passed", completed_at="2025-01-02 00:00:00", updated_at="2025-01-02 00:00:00",
                           duplicates="mine"),
                  self.row("a", state="queued", title="older", updated_at="2025-01-01 00:00:00"),
                  self.row("same"), self.row("same"),
                  self.insert("task_history", task_id="a", state_from="queued", state_to="passed",
                              timestamp="2025-01-02 00:00:00"),
                  self.insert("cli_sessions", session_id="s", cli_tool="one", created_at="2025-01-01"),
                  self.insert("cli_sessions", session_id="s", cli_tool="two", created_at="2025-01-01"),
                  self.insert("user_preferences", user_id="u", preferred_provider="one", updated_at="2025-01-02"),
                  self.insert("user_preferences", user_id="u", preferred_provider="two", updated_at="2025-01-01"),
                  schema="CREATE TABLE tasks (id, title, description, role, state, created_at, updated_at, started_at,"
                  " completed_at, error_count, duplicates); CREATE TABLE task_history (id INTEGER PRIMARY KEY,"
                  " task_id, state_from, state_to, timestamp); CREATE TABLE user_preferences (user_id,"
                  " preferred_provider, created_at, updated_at); CREATE TABLE cli_sessions (session_id, cli_tool,"
                  " state, created_at)")
        dry, = self.migrate("--dry-run")
        said = self.odd
        report, pushed = self.migrate()
        self.assertEqual((dry, said), (report, self.odd))
        self.assertEqual((pushed["refused"], report["tasks"], report["failed"]), (0, 4, 0))
        for id in ("a", "same", "s", "u"):
            self.assertEqual(self.said(id).count("2 records have this id"), 1, id)
        task = self.task("a")
        self.assertEqual((task["state"], task["title"]), ("passed", "t"))
        kept = task["metadata"]["migrated"]
        self.assertEqual([(row["state"], row["title"]) for row in kept["duplicates"]], [("queued", "older")])
        self.assertEqual(kept["duplicates_"], "mine")
        self.assertEqual([row["state_to"] for row in self.history("a")], ["queued", "passed"])
        self.assertEqual(len(self.task("same")["metadata"]["migrated"]["duplicates"]), 1)
        self.assertEqual(self.ask("session.get", session_id="s")["session"]["cli_tool"], "two")
        self.assertEqual(self.ask("preference.get", user_id="u")["preferences"]["preferred_provider"], "one")
        kept = [event["migrated"]["duplicates"] for event in self.read_events()
                if event["type"] in ("session.started", "preference.set") and "migrated" in event]
        self.assertEqual([kept[0][0].get("cli_tool"), kept[1][0].get("preferred_provider")], ["one", "two"])
        self.migrate()
        self.assertIn("was complete already", self.stderr)


class RedisTest(MigrateTest):
    use_redis = True

    def migrate(self, *more, status=0):
        text = self.stele("--json", "migrate", "--verbose", "--from-redis", self.redis.url, *more, status=status)
        lines = [json.loads(line) for line in text.splitlines()]
        self.odd = [line for line in lines if "odd" in line and "table" in line]
        return lines[len(self.odd):]

    def setUp(self):
        super().setUp()
        self.redis.call("FLUSHALL")

    def put(self, id, ttl=86400, **fields):
        row = dict({"id": id, "role": "coder", "branch": None, "state": "running", "last_error": None,
                    "provider": "claude", "model": None}, **fields)
        self.redis.call("SET", "task_status:" + id, json.dumps(row))
        if ttl:
            self.redis.call("EXPIRE", "task_status:" + id, ttl)

    def test_keys_become_tasks(self):
        for number in range(50):
            self.put("t-%02d" % number, state=["queued", "running", "passed"][number % 3], branch="b")
        self.put("bad", state="failed", last_error="boom", ttl=3600)
        before = {key: self.redis.call("GET", key) for key in self.redis.call("KEYS", "task_status:*")}
        started = time.time()
        report, pushed = self.migrate()
        self.assertEqual((report["tasks"], pushed["refused"]), (51, 0))
        self.assertEqual({line["odd"].split(":")[0] for line in self.odd},
                         {"a key has no title and no description", "a key has no times"})
        for number in range(50):
            task = self.task("t-%02d" % number)
            self.assertEqual((task["state"], task["branch"], task["provider"], task["role"]),
                             (["queued", "running", "passed"][number % 3], "b", "claude", "coder"))
        task = self.task("bad")
        self.assertEqual((task["state"], task["last_error"], task["error_count"]), ("failed", "boom", 1))
        #   It expires a day after it was written
        self.assertAlmostEqual(task["updated_at"] / 1e6, started + 3600 - 86400, delta=60)
        after = {key: self.redis.call("GET", key) for key in self.redis.call("KEYS", "task_status:*")}
        self.assertEqual(after, before)
        again, pushed = self.migrate()
        self.assertEqual((again["producer"], pushed["accepted"]), (report["producer"], 0))

    def test_an_empty_error_is_none(self):
        self.put("a", last_error="")
        self.put("b", state="queued", error_message="")
        self.put("c", last_error="", error_message="boom")
        self.migrate()
        for id, errors in (("a", (0, None)), ("b", (0, None)), ("c", (1, "boom"))):
            task = self.task(id)
            self.assertEqual((task["error_count"], task.get("last_error")), errors)
            self.assertNotIn("metadata", {key for key in task if task[key]})

    def test_odd_keys_are_said_and_kept(self):
        self.put("a", state="pondering", extra=[1])
        self.put("b", ttl=None, role=None)
        self.redis.call("SET", "task_status:c", "no json")
        self.redis.call("HSET", "task_status:d", "a", "b")
        self.redis.call("SET", "task_status:e", '{"id":"other","state":"queued","role":"r"}')
        self.redis.call("SET", "unrelated", "x")
        report, pushed = self.migrate()
        self.assertEqual((report["tasks"], pushed["refused"]), (4, 0))
        self.assertEqual(self.task("a")["metadata"]["migrated"], {"state": "pondering", "extra": [1]})
        self.assertEqual(self.task("b")["role"], "unknown")
        self.assertEqual(self.task("c")["metadata"]["migrated"]["value"], "no json")
        self.assertEqual(self.task("other")["state"], "queued")
        self.assertIn("not a string", self.said("task_status:d"))

    def test_json_with_the_words_of_python_is_read(self):
        self.put("a", state="passed", score=float("nan"), best=[float("inf"), "say \"NaN\""])
        report, pushed = self.migrate()
        task = self.task("a")
        self.assertEqual((task["state"], task["role"], pushed["refused"]), ("passed", "coder", 0))
        self.assertEqual(task["metadata"]["migrated"], {"score": "NaN", "best": ["Infinity", "say \"NaN\""]})
        self.assertIn("its value has 2 of NaN", self.said("a"))

    def test_a_value_of_another_type_is_none_and_kept(self):
        self.put("a", branch=["x"], last_error={"a": 1}, role=7)
        self.put("b", state=["x"], title={"b": 1})
        report, pushed = self.migrate()
        task = self.task("a")
        self.assertEqual((task.get("branch"), task.get("last_error"), task["error_count"], task["role"]),
                         (None, None, 0, "7"))
        self.assertEqual(task["metadata"]["migrated"], {"branch": ["x"], "last_error": {"a": 1}})
        for text in ("branch is not text", "last_error is not text: kept in migrated.last_error", "role is a number"):
            self.assertIn(text, self.said("a"))
        task = self.task("b")
        self.assertEqual((task["state"], task["title"]), ("queued", "b"))
        self.assertEqual(task["metadata"]["migrated"], {"state": ["x"], "title": {"b": 1}})
        self.assertIn("state is not text", self.said("b"))

    def test_of_keys_with_one_id_the_one_of_that_name_stands(self):
        def put(name, **row):
            self.redis.call("SET", "task_status:" + name, json.dumps(dict(row, role="r")))
            self.redis.call("EXPIRE", "task_status:" + name, 86400)
        put("dup1", id="dup", state="passed")
        put("dup2", id="dup", state="failed", last_error="boom")
        put("x", id="x", state="running", extra={"$bin": "!"})
        put("y", id="x", state="failed", extra={"$ref": 1})
        dry, = self.migrate("--dry-run")
        said = [line for line in self.odd if "records have this id" in line["odd"]]
        report, pushed = self.migrate()
        self.assertEqual(said, [line for line in self.odd if "records have this id" in line["odd"]])
        self.assertEqual([line["id"] for line in said], ["dup", "x"])
        self.assertEqual((dry["failed"], pushed["refused"], report["tasks"]), (0, 0, 4))
        task = self.task("dup")
        self.assertEqual((task["state"], task["last_error"]), ("failed", "boom"))
        self.assertEqual(task["metadata"]["migrated"]["duplicates"],
                         [{"key": "task_status:dup1", "value": {"id": "dup", "state": "passed", "role": "r"}}])
        task = self.task("x")
        self.assertEqual(task["state"], "running")
        self.assertEqual(task["metadata"]["migrated"]["extra"], {"$bin": "!"})
        self.assertEqual(task["metadata"]["migrated"]["duplicates"][0]["value"]["extra"], {"$ref": 1})

    def test_a_key_without_an_id_is_named(self):
        self.put("")
        self.put("a")
        report, = self.migrate(status=65)
        self.assertEqual((report["failed"], self.ask("ping")["position"]), (1, 0))
        self.assertIn("1 record cannot be published", self.stderr)
        self.assertEqual({line["id"] for line in self.odd}, {"task_status:", "a"})
        self.assertEqual(self.said("task_status:").count("cannot be published"), 1)

    def test_a_pattern_limits_the_keys_and_a_dry_run_publishes_nothing(self):
        self.put("a-1")
        self.put("b-1")
        report, = self.migrate("--pattern", "task_status:a*", "--dry-run")
        self.assertEqual((report["tasks"], self.ask("ping")["position"]), (1, 0))

    def test_a_redis_that_is_not_there_is_said(self):
        self.stele("migrate", "--from-redis", "unix:///nowhere/redis.sock", status=69)
        self.stele("migrate", "--from-redis", "http://x", status=64)


if __name__ == "__main__":
    harness.main()
