# Migration of values that are odd: text, numbers, times, sizes, ids, and sessions in Redis
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import math
import sqlite3

import harness
from earlier import Incumbent, microseconds
from test_migrate import MigrateTest


class ValueTest(MigrateTest):
    def setUp(self):
        super().setUp()
        self.db = Incumbent(self.source, tasks=0).db

    def put(self, table="tasks", **row):
        if table == "tasks":
            row = dict({"title": "t", "description": "d", "role": "r", "state": "queued",
                        "created_at": "2025-01-01 00:00:00.25", "updated_at": "2025-01-01 00:00:00.25"}, **row)
        self.db.execute("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join(row), ", ".join("?" * len(row))),
                        list(row.values()))

    def step(self, id, state, second=0, **more):
        self.put("task_history", task_id=id, state_to=state, timestamp="2025-01-01 00:00:%02d" % second, **more)

    def assertVerified(self, *more):
        text = self.stele("--json", "migrate", "--from-sqlite", self.source, "--verify", *more)
        self.assertEqual(json.loads(text.splitlines()[-1])["differences"], 0)

    def test_an_id_with_nul_stays_whole(self):
        for id, title in (("a\0b", "nul"), ("a", "plain"), ("a\0c", "other"), ("\0", "only")):
            self.put(id=id, title=title)
            self.step(id, "queued")
            self.step(id, "running", 1, state_from="queued", details=json.dumps({"of": title}))
            self.put("task_outputs", task_id=id, output_type="log", content="out of " + title, timestamp="2025-01-01 00:00:02")
        self.db.execute("UPDATE tasks SET state = 'running'")
        self.put("task_outputs", task_id="x\0y", output_type="log", content="an orphan", timestamp="2025-01-01 00:00:02")
        report, pushed = self.migrate()
        self.assertEqual((report["tasks"], report["failed"], pushed["refused"]), (4, 0, 0))
        for id, title in (("a\0b", "nul"), ("a", "plain"), ("a\0c", "other"), ("\0", "only")):
            self.assertEqual(self.task(id)["title"], title)
            self.assertEqual([row.get("details") for row in self.history(id)], [None, {"of": title}])
            self.assertEqual([row["content"] for row in self.ask("task.outputs", task_id=id)["outputs"]], ["out of " + title])
        self.assertEqual(self.ask("task.outputs", task_id="x\0y")["outputs"][0]["content"], "an orphan")
        self.assertVerified()
        _, pushed = self.migrate()
        self.assertEqual(pushed["accepted"], 0)

    def test_an_id_that_is_too_long_or_no_text_keeps_its_rows(self):
        ids = ["x" * 300, "x" * 301, b"\xff\xfe", "\u00e9" * 128]
        for number, id in enumerate(ids):
            self.put(id=id, title="t%d" % number)
            self.step(id, "queued")
            self.put("task_outputs", task_id=id, output_type="log", content="o%d" % number, timestamp="2025-01-01 00:00:02")
        report, pushed = self.migrate()
        self.assertEqual((report["failed"], pushed["refused"]), (0, 0))
        tasks = self.ask("task.list", limit=100)["tasks"]
        self.assertEqual(sorted(task["title"] for task in tasks), ["t0", "t1", "t2", "t3"])
        for task in tasks:
            outputs = self.ask("task.outputs", task_id=task["task_id"])["outputs"]
            self.assertEqual([row["content"] for row in outputs], ["o" + task["title"][1:]])
            self.assertIn("its own is kept", self.said(task["task_id"]))
            kept = self.ask("task.get", task_id=task["task_id"])["task"]["metadata"]["migrated"]["id"]
            self.assertEqual(kept, ids[int(task["title"][1:])])
        self.assertVerified()

    def test_numbers_that_are_not_finite_stay_what_they_are(self):
        self.put(id="a", metadata='{"big": 18446744073709551615, "more": 1e999, "nan": NaN}')
        values = [math.inf, -math.inf, 1e308, -0.0, 5e-324, 2 ** 53 + 1]
        for second, value in enumerate(values):
            self.put("task_metrics", task_id="a", metric_name="m", metric_value=value, timestamp="2025-01-01 00:00:%02d" % second)
        self.db.execute("CREATE TABLE other AS SELECT * FROM task_metrics")
        self.db.execute("DROP TABLE task_metrics")
        self.db.execute("ALTER TABLE other RENAME TO task_metrics")
        self.put("task_metrics", task_id="a", metric_name="none", metric_value=None, timestamp="2025-01-01 00:00:30")
        self.put("task_metrics", task_id="a", metric_name="text", metric_value="inf", timestamp="2025-01-01 00:00:31")
        self.migrate()
        rows = self.ask("task.metrics", task_id="a")["metrics"]
        self.assertEqual([row["value"] for row in rows[:6]], [float(value) for value in values])
        self.assertTrue(math.isnan(rows[6]["value"]))
        self.assertEqual(rows[7]["value"], math.inf)
        self.assertIn("no value: set to NaN", self.said("a"))
        self.assertEqual(self.task("a")["metadata"], {"big": "18446744073709551615", "more": "1e999", "nan": "NaN"})
        self.assertVerified()

    def test_half_a_surrogate_pair_loses_no_record(self):
        self.put(id="json", metadata='{"mine": "cut \\ud83d", "whole": "\\ud83d\\ude80", "back": "\\\\ud83d"}')
        self.db.execute("INSERT INTO tasks (id, title, description, role, created_at) VALUES"
                        " ('raw', CAST (x'63757420eda0bd' AS TEXT), CAST (x'ff6f6b' AS TEXT), 'r', '2025-01-01')")
        self.db.execute("INSERT INTO task_outputs (task_id, output_type, content, timestamp) VALUES"
                        " ('raw', 'log', CAST (x'eda0bd' AS TEXT), '2025-01-01')")
        report, pushed = self.migrate()
        self.assertEqual((report["failed"], pushed["refused"]), (0, 0))
        metadata = self.task("json")["metadata"]
        self.assertEqual([metadata[key] for key in ("mine", "whole", "back")], ["cut \ufffd", "\U0001f680", "\\ud83d"])
        self.assertIn("\\ud83d", metadata["migrated"]["metadata"])
        self.assertIn("half a surrogate pair", self.said("json"))
        task = self.task("raw")
        self.assertEqual((task["title"], task["description"]), ("cut \ufffd", "\ufffdok"))
        self.assertEqual(task["metadata"]["migrated"], {"title": b"cut \xed\xa0\xbd", "description": b"\xffok"})
        self.assertEqual(self.ask("task.outputs", task_id="raw")["outputs"][0]["content"], b"\xed\xa0\xbd")
        self.assertVerified()

    def test_text_over_its_limit_is_cut_and_the_rest_is_an_output(self):
        title, description = "\u00e9" * 600, "d" * (1048576 + 100000)
        error, content = "e" * 1048580, "c" * (8388608 * 2 + 5)
        huge = json.dumps({"k": "v" * 1100000})
        self.put(id="a", title=title, description=description, metadata=huge, state="failed", last_error=error, error_count=1,
                 completed_at="2025-01-01 00:00:05", worktree_path="w" * 70000)
        self.step("a", "queued")
        self.step("a", "failed", 5, state_from="queued", error_message=error)
        self.put("task_outputs", task_id="a", output_type="stdout", content=content, timestamp="2025-01-01 00:00:02")
        report, pushed = self.migrate()
        self.assertEqual((report["failed"], pushed["refused"]), (0, 0))
        task = self.task("a")
        rests = {}
        rows, cursor = [], {}
        while cursor is not None:
            answer = self.ask("task.outputs", task_id="a", **cursor)
            rows += answer["outputs"]
            cursor = {"cursor": answer["next"]} if answer["next"] is not None else None
        for row in rows:
            of = row.get("migrated", {}).get("rest_of", "content")
            rests[of] = rests.get(of, "") + row["content"]
        self.assertEqual(task["title"] + rests["tasks.title"], title)
        self.assertEqual(task["description"] + rests["tasks.description"], description)
        self.assertEqual(task["worktree_path"] + rests["tasks.worktree_path"], "w" * 70000)
        self.assertEqual(rests["tasks.metadata"], huge)
        self.assertEqual(rests["content"] + rests["task_outputs.content"], content)
        self.assertEqual(task["last_error"] + rests["task_history.error_message"], error)
        self.assertEqual(task["metadata"]["migrated"]["title"], title)
        self.assertIn("cut, the rest becomes an output", self.said("a"))
        self.assertVerified()
        head = self.ask("ping")["position"]
        self.db.execute("INSERT INTO tasks (id, title, description, role) VALUES ('b', 't', 'd', 'r')")
        self.migrate()
        self.assertEqual(self.ask("ping")["position"], head + 1)

    def test_skip_leaves_out_what_cannot_be_published_and_lists_it(self):
        self.put(id="good")
        self.put("cli_sessions", session_id="s", cli_tool="x", mode="m", current_directory="/", created_at="2025-01-01 00:00:00",
                 auth_prompt="p" * 9000000)
        self.db.execute("UPDATE user_preferences SET preferred_provider = 'p'")
        report, = self.migrate(status=65)
        self.assertEqual((report["failed"], self.ask("ping")["position"]), (1, 0))
        self.assertIn("--skip leaves them out", self.stderr)
        report, pushed = self.migrate("--skip")
        self.assertEqual((report["failed"], pushed["refused"]), (1, 0))
        self.assertIn("skipped, since it cannot be published", self.said("s"))
        self.assertEqual(self.task("good")["state"], "queued")

    def test_times_in_every_common_form(self):
        moment = microseconds("2025-01-01 00:00:00")
        forms = ["2025-01-01T05:30:00+0530", "2025-01-01T05:30:00+05:30", "20250101T000000Z", "20250101T000000",
                 "20250101T053000+0530", "2025-01-01T01:00:00+01", "2025-01-01 00:00", "2025-01-01T00:00Z", "20250101",
                 "2025-01-01 00:00:00 UTC", "2025-01-01 00:00:00,000", "2024-12-31 19:00:00 -0500", "1735689600",
                 "1735689600.0", 1735689600, 20250101, "20250101000000", 1735689600000, "2025-01-01T00:00:00.000000000000Z", " 2025-01-01 "]
        for number, form in enumerate(forms):
            self.put(id="t%d" % number, created_at=form, updated_at=None)
        for number, form in enumerate(("2025-13-01", "yesterday", "2025-01-01 25:00:00", "2025-01-01T00:00:00+99:00", "2025")):
            self.put(id="bad%d" % number, created_at=form, updated_at="2025-01-01 00:00:00")
        self.migrate()
        for number, form in enumerate(forms):
            self.assertEqual(self.task("t%d" % number)["created_at"], moment, form)
        for number in range(5):
            task = self.task("bad%d" % number)
            self.assertEqual(task["created_at"], moment)
            self.assertIn("created_at", task["metadata"]["migrated"])
            self.assertIn("is not a time", self.said("bad%d" % number))
        self.assertVerified()

    def test_times_that_go_back_give_no_negative_duration(self):
        self.put(id="a", state="passed", started_at="2024-12-31 00:00:00.5", completed_at="2024-12-30 00:00:00.5")
        self.step("a", "queued")
        self.step("a", "running", 1, state_from="queued")
        self.step("a", "passed", 2, state_from="running")
        self.migrate()
        task = self.task("a")
        self.assertLessEqual(task["created_at"], task["started_at"])
        self.assertLessEqual(task["started_at"], task["completed_at"])
        times = [row["timestamp"] for row in self.history("a")]
        self.assertEqual(times, sorted(times))
        kept = task["metadata"]["migrated"]
        self.assertEqual((kept["started_at"][:10], kept["completed_at"][:10]), ("2024-12-31", "2024-12-30"))
        self.assertIn("earlier than what came before it", self.said("a"))
        self.assertVerified()

    def test_guesses_of_sessions_and_preferences_are_reported(self):
        self.put("cli_sessions", session_id="s", cli_tool="x", mode="m", current_directory="/", state="running",
                 created_at="2025-01-01 00:00:00", terminated_at="2025-01-01 00:01:00")
        self.put("user_preferences", user_id=None, preferred_provider="p", created_at=None)
        self.put("task_outputs", task_id="gone", output_type="", content="x", timestamp=None)
        self.migrate()
        self.assertIn("it is not over, but has a time of its end", self.said("s"))
        self.assertIn("preferences without a user", " / ".join(line["odd"] for line in self.odd))
        self.assertIn("no created_at", " / ".join(line["odd"] for line in self.odd if line["table"] == "user_preferences"))


class SessionKeyTest(MigrateTest):
    use_redis = True

    def setUp(self):
        super().setUp()
        self.redis.call("FLUSHALL")

    def test_session_keys_are_sessions(self):
        session = {"id": "s1", "provider": "claude", "process_id": 77, "user_id": "bob", "created_at": "2025-01-01T00:00:00.5",
                   "last_activity": "2025-01-01T00:10:00.5", "status": "idle", "history": [{"type": "command", "content": "ls"}],
                   "metadata": {}, "working_directory": "/src", "error_count": 0, "last_error": None, "command_count": 1}
        self.redis.call("SETEX", "cli_session:s1", 3600, json.dumps(session))
        self.redis.call("SADD", "cli_sessions:index", "s1")
        self.redis.call("SETEX", "task_status:s1", 86400, json.dumps({"id": "s1", "role": "r", "state": "queued"}))
        self.redis.call("SETEX", "task_status:cut", 86400, '{"id":"cut","role":"r","state":"running","last_error":"x \\ud83d"}')
        #   What a broker of Stele keeps is no task of an earlier system, whatever the pattern
        self.redis.call("MSET", "{other}:ledger", "0" * 32, "{other}:position", 7, "{other}:task:x", "{}", "{other}:holder", "y")
        for pattern in ([], ["--pattern", "*"]):
            text = self.stele("--json", "migrate", "--verbose", "--from-redis", self.redis.url, *pattern)
            self.odd = [json.loads(line) for line in text.splitlines() if b'"odd":' in line and b'"table"' in line]
        report = json.loads(text.splitlines()[-2])
        self.assertEqual((report["tasks"], report["cli_sessions"]), (2, 1))
        record = self.ask("session.get", session_id="s1")["session"]
        self.assertEqual([record[key] for key in ("cli_tool", "pid", "user_id", "current_directory", "state")],
                         ["claude", 77, "bob", "/src", "waiting_input"])
        self.assertEqual((record["created_at"], record["updated_at"]),
                         (microseconds("2025-01-01 00:00:00.5"), microseconds("2025-01-01 00:10:00.5")))
        self.assertEqual(self.ask("session.list")["sessions"][0]["session_id"], "s1")
        self.assertEqual(self.task("s1")["state"], "queued")
        self.assertEqual(self.ask("stats")["tasks"]["total"], 2)
        task = self.task("cut")
        self.assertEqual((task["state"], task["role"], task["last_error"]), ("running", "r", "x \ufffd"))
        self.assertIn("\\ud83d", task["metadata"]["migrated"]["value"])
        self.assertIn("half a surrogate pair", self.said("cut"))
        self.assertIn("neither a task nor a session", self.said("cli_sessions:index"))


if __name__ == "__main__":
    harness.main()
