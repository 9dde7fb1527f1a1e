# Migration of both generations of an earlier system: all rows, later copies, Redis after SQLite, verification
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import datetime
import json
import shutil
import sqlite3
import zoneinfo

import harness
from client import created
from earlier import Incumbent, Queue, microseconds
from test_migrate import MigrateTest

SECOND = 1000000
PLAIN = ("title", "description", "role", "state", "provider", "model", "base_branch", "last_error", "error_count",
         "target_dir")


def same_time(source, ledger):
    """A time of whole seconds is any time within that second."""
    if source is None or ledger is None:
        return source is None and ledger is None
    time = microseconds(source)
    return ledger // SECOND == time // SECOND if time % SECOND == 0 else ledger == time


class AgainTest(MigrateTest):
    def table(self, name):
        rows, cursor = [], None
        while True:
            answer = self.ask("table.read", table=name, limit=1000, **({"cursor": cursor} if cursor else {}))
            rows += answer["rows"]
            cursor = answer["next"]
            if cursor is None:
                return rows

    def by_task(self, name, id="task_id"):
        found = {}
        for row in self.table(name):
            found.setdefault(row[id], []).append(row)
        return found

    def assertNoNegativeDurations(self, tasks, history):
        for id, (task,) in tasks.items():
            times = [row["timestamp"] for row in history[id]]
            self.assertEqual(times, sorted(times), id)
            begun = task.get("started_at", task["created_at"])
            self.assertLessEqual(task["created_at"], begun, id)
            self.assertLessEqual(begun, task.get("completed_at", begun), id)

    def assertAll(self, source):
        """Every row of the source is in the ledger, with its fields, in its order, and no other."""
        tasks, history = self.by_task("tasks"), self.by_task("task_history")
        outputs, metrics = self.by_task("task_outputs"), self.by_task("task_metrics")
        wanted = {table: {} for table in ("task_history", "task_outputs", "task_metrics")}
        for table, rows in wanted.items():
            for row in source.rows(table, "id"):
                rows.setdefault(row["task_id"], []).append(row)
        self.assertEqual(set(tasks), {row["id"] for row in source.rows("tasks")})
        for row in source.rows("tasks"):
            id = row["id"]
            (task,) = tasks[id]
            for key in PLAIN:
                self.assertEqual(task.get(key), row[key], (id, key))
            self.assertEqual(task.get("full_access", False), bool(row["full_access"]), id)
            self.assertEqual(task.get("acceptance_criteria", {}), json.loads(row["acceptance_criteria"]), id)
            self.assertTrue(same_time(row["created_at"], task["created_at"]), id)
            self.assertTrue(same_time(row["completed_at"], task.get("completed_at")), id)
            rows = [(step["state_from"], step["state_to"], step["error_message"], step["provider"])
                    for step in wanted["task_history"][id]]
            told = [(step.get("state_from"), step["state_to"], step.get("error_message"), step.get("provider"))
                    for step in history[id]]
            #   The event of the creation also has the task's provider, if no change has one
            self.assertEqual([step[0:3] for step in told], [step[0:3] for step in rows], id)
            self.assertEqual([step[3] for step in told[1:]], [step[3] for step in rows[1:]], id)
            for step, ledger in zip(wanted["task_history"][id], history[id]):
                self.assertTrue(same_time(step["timestamp"], ledger["timestamp"]), (id, step, ledger))
            for table, found, keys in (
                    ("task_outputs", outputs, (("output_type", "output_type"), ("content", "content"))),
                    ("task_metrics", metrics, (("metric_name", "name"), ("metric_value", "value"), ("unit", "unit")))):
                rows = wanted[table].get(id, [])
                self.assertEqual([[step[key] for key, _ in keys] for step in rows],
                                 [[step.get(key) for _, key in keys] for step in found.get(id, [])], id)
                for step, ledger in zip(rows, found.get(id, [])):
                    self.assertTrue(same_time(step["timestamp"], ledger["timestamp"]), (id, step, ledger))
        self.assertNoNegativeDurations(tasks, history)

    def verify(self, status=0, **where):
        option = "--from-redis" if where.get("redis") else "--from-sqlite"
        text = self.stele("--json", "migrate", option, where.get("redis", self.source), "--verify", status=status)
        lines = [json.loads(line) for line in text.splitlines()]
        return lines[:-1], lines[-1]


class IncumbentTest(AgainTest):
    def test_three_thousand_tasks_no_row_is_invented(self):
        source = Incumbent(self.source)
        report, pushed = self.migrate()
        rows = sum(len(source.rows(table)) for table in ("task_history", "task_outputs", "task_metrics", "user_preferences"))
        self.assertEqual((report["tasks"], report["events"], pushed["accepted"], pushed["refused"]), (3000, rows, rows, 0))
        self.assertEqual([event for event in self.read_events() if event["type"] == "task.updated"], [])
        self.assertAll(source)
        differences, counts = self.verify()
        self.assertEqual((differences, counts["differences"]), ([], 0))
        self.assertGreater(counts["fields"], 30000)

    def test_guesses_are_one_line_a_kind_and_verbose_prints_all(self):
        Incumbent(self.source, tasks=300).db.close()
        text = self.stele("migrate", "--from-sqlite", self.source, "--dry-run").decode()
        lines = [line for line in text.splitlines() if "started_at is missing" in line]
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"^tasks, \d+ times \(task-\d+, task-\d+, task-\d+, \.\.\.\): ")
        every = self.stele("migrate", "--from-sqlite", self.source, "--dry-run", "--verbose").decode()
        self.assertGreater(len([line for line in every.splitlines() if "started_at is missing" in line]), 200)
        kinds = [json.loads(line) for line in self.stele(
            "--json", "migrate", "--from-sqlite", self.source, "--dry-run").splitlines()]
        self.assertTrue(any(kind.get("count", 0) > 200 and len(kind["examples"]) == 3 for kind in kinds[:-1]))

    def test_a_later_copy_is_a_delta(self):
        source = Incumbent(self.source, tasks=400)
        self.migrate()
        head = self.ask("ping")["position"]
        for number in range(0, 400, 3):
            id = "task-%05d" % number
            state = source.states[id]
            if state in source.OVER:
                source.change(id, "queued")
            source.change(id, "running", provider="gemini")
            source.output(id, "later %d" % number)
            source.change(id, "failed", "again %d" % number)
        for number in range(400, 430):
            source.life(number)
        source.db.execute("UPDATE tasks SET branch = 'b', updated_at = '2027-01-01 00:00:00' WHERE id = 'task-00001'")
        rows = sum(len(source.rows(table)) for table in ("task_history", "task_outputs", "task_metrics", "user_preferences"))
        report, pushed = self.migrate()
        self.assertEqual(pushed["refused"], 0)
        #   The update of the branch, and the later updated_at of its task
        self.assertEqual(self.ask("ping")["position"], rows + 2)
        self.assertEqual(pushed["accepted"], rows + 2 - head)
        self.assertEqual(self.task("task-00001")["branch"], "b")
        self.source, source.path = self.source, None
        for _ in range(2):
            _, pushed = self.migrate()
            self.assertEqual(pushed["accepted"], 0)
        self.assertEqual(self.ask("ping")["position"], rows + 2)
        source.db.execute("UPDATE tasks SET branch = NULL WHERE id = 'task-00001'")
        tasks = self.by_task("tasks")
        for row in source.rows("tasks"):
            for key in PLAIN:
                self.assertEqual(tasks[row["id"]][0].get(key), row[key], (row["id"], key))
        self.assertEqual(self.verify()[1]["differences"], 0)

    def test_changed_fields_of_a_session_come_over(self):
        source = Incumbent(self.source, tasks=3)
        source.db.executescript(
            "DROP TABLE IF EXISTS cli_sessions; CREATE TABLE cli_sessions (session_id PRIMARY KEY, state, cli_tool, mode, current_directory, pid,"
            " auth_prompt, task_id, created_at, updated_at, completed_at);")
        for id, state, end in (("open", "running", None), ("over", "completed", "2025-01-01 00:02:00")):
            source.db.execute(
                "INSERT INTO cli_sessions (session_id, state, cli_tool, mode, current_directory, pid, task_id, created_at,"
                " updated_at, completed_at) VALUES (?, ?, 'claude', 'cli', '/src', 7, 'task-00001', '2025-01-01 00:00:00',"
                " '2025-01-01 00:01:00', ?)", (id, state, end))
        source.db.commit()
        self.migrate()
        before = {id: self.ask("session.get", session_id=id)["session"] for id in ("open", "over")}
        source.db.execute("UPDATE cli_sessions SET task_id = 'task-00002', current_directory = '/other', auth_prompt = 'key?',"
                          " pid = NULL")
        source.db.commit()
        report, pushed = self.migrate()
        self.assertEqual((pushed["accepted"], pushed["refused"]), (4, 0))
        for id in ("open", "over"):
            session = self.ask("session.get", session_id=id)["session"]
            self.assertEqual(session, dict(before[id], task_id="task-00002", current_directory="/other", auth_prompt="key?",
                                           pid=7, position=session["position"]))
        self.assertEqual(self.migrate()[1]["accepted"], 0)

    def test_a_ledger_that_is_newer_keeps_its_state(self):
        source = Incumbent(self.source, tasks=20)
        self.migrate()
        self.producer().publish({"type": "task.state_changed", "task_id": "task-00001", "state": "queued"},
                                {"type": "task.state_changed", "task_id": "task-00001", "state": "passed"})
        source.change("task-00001", "failed", "old")
        source.db.execute("UPDATE tasks SET title = 'old' WHERE id = 'task-00001'")
        self.migrate()
        self.assertIn("the ledger has a newer record", self.said("task-00001"))
        self.assertIn("older than the state in the ledger: kept as an output", self.said("task-00001"))
        task = self.task("task-00001")
        self.assertEqual((task["state"], task["title"]), ("passed", "Task task-00001 \u00e9\u4e2d"))
        self.assertGreater(task["updated_at"], microseconds("2026-01-01 00:00:00"))
        kept = self.ask("task.outputs", task_id="task-00001", types="diagnostic")["outputs"]
        self.assertEqual([(row["migrated"]["state"], row["migrated"]["error_message"]) for row in kept], [("failed", "old")])
        head = self.ask("ping")["position"]
        self.migrate()
        self.assertEqual(self.ask("ping")["position"], head)

    def test_a_placeholder_gets_its_record(self):
        Incumbent(self.source, tasks=10).db.close()
        self.producer().publish({"type": "task.state_changed", "task_id": "task-00007", "state": "running"})
        report, pushed = self.migrate()
        self.assertEqual(pushed["refused"], 0)
        task = self.task("task-00007")
        self.assertEqual((task["title"], task["state"]), ("Task task-00007 \u00e9\u4e2d", "running"))
        self.assertEqual(self.ask("stats")["tasks"]["total"], 10)

    def test_a_creation_before_the_second_turns_is_told_once(self):
        source = Incumbent(self.source, tasks=0, start=datetime.datetime(2025, 1, 1, 0, 0, 0, 999990))
        source.create("a")
        #   The row of the history came after the second turned
        source.db.execute("UPDATE task_history SET timestamp = datetime (timestamp, '+1 second')")
        self.migrate()
        (only,) = self.history("a")
        self.assertEqual((only["state_to"], only["type"]), ("queued", "task.created"))

    def test_rows_out_of_order_are_sorted(self):
        source = Incumbent(self.source, tasks=0)
        source.create("a")
        for state in ("running", "paused", "running", "passed"):
            source.now += datetime.timedelta(seconds=5)
            source.change("a", state)
        wanted = [row["state_to"] for row in source.rows("task_history", "id")]
        #   A restored dump has them the other way round
        source.db.execute("UPDATE task_history SET id = 1000 - id")
        self.migrate()
        self.assertEqual([row["state_to"] for row in self.history("a")], wanted)
        self.assertEqual(self.history("a")[0]["state_to"], "queued")
        self.assertNotIn("starts from", self.said("a"))

    def test_work_that_is_not_over_is_said_and_can_be_interrupted(self):
        source = Incumbent(self.source, tasks=0)
        for id, state in (("r", "running"), ("s", "starting"), ("c", "completing"), ("p", "paused"), ("q", "queued")):
            source.create(id)
            source.change(id, state)
        self.migrate()
        self.assertIn("3 tasks are still at work", self.stderr)
        self.assertEqual(self.task("r")["state"], "running")
        self.broker.stop()
        self.broker = harness.Steled(self.place)
        self.addCleanup(self.broker.stop)
        self.assertEqual(self.task("r")["state"], "running")
        report, pushed = self.migrate("--interrupt")
        self.assertEqual((report["interrupted"], pushed["accepted"], pushed["refused"]), (3, 3, 0))
        for id in "rsc":
            task = self.task(id)
            self.assertEqual((task["state"], task["interrupted"]), ("failed", True))
            self.assertIn("in the earlier system when it was migrated", task["last_error"])
        self.assertEqual((self.task("p")["state"], self.task("q")["state"]), ("paused", "queued"))
        self.migrate("--interrupt")
        self.assertEqual((self.task("r")["error_count"], self.task("r")["interruptions"]), (0, 1))
        self.assertEqual(self.verify()[1]["differences"], 0)

    def test_verify_names_what_differs(self):
        source = Incumbent(self.source, tasks=50)
        self.migrate()
        source.db.execute("UPDATE tasks SET title = 'other' WHERE id < 'task-00010'")
        source.db.execute("UPDATE tasks SET completed_at = '2025-01-01 00:00:00' WHERE id = 'task-00020'")
        source.db.execute("UPDATE task_outputs SET content = 'other' WHERE id = 1")
        source.db.execute("DELETE FROM task_history WHERE id = 2")
        source.create("new")
        differences, counts = self.verify(status=1)
        kinds = {line["kind"].split(":")[0]: line["count"] for line in differences}
        self.assertEqual(kinds["title differs"], 10)
        self.assertEqual(kinds["completed_at differs"], 1)
        self.assertEqual(kinds["not in the ledger"], 1)
        self.assertEqual(kinds["a row of the source is not in the ledger"], 1)
        self.assertEqual(kinds["a row is only in the ledger"], 1)
        self.assertGreater(counts["differences"], 13)
        text = self.stele("migrate", "--from-sqlite", self.source, "--verify", status=1).decode()
        self.assertEqual(len([line for line in text.splitlines() if "title differs" in line]), 1)
        self.stele("migrate", "--from-sqlite", self.source, "--verify", "--dry-run", status=64)


class DualTest(AgainTest):
    """SQLite first, Redis after it: the order of the specification."""

    use_redis = True

    def test_keys_after_the_database_bring_what_is_newer(self):
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(hours=10)
        source = Incumbent(self.source, tasks=300, start=now)
        self.redis.call("FLUSHALL")
        source.put_keys(self.redis)
        self.migrate()
        head = self.ask("ping")["position"]
        text = self.stele("--json", "migrate", "--from-redis", self.redis.url)
        self.assertEqual(json.loads(text.splitlines()[-1])["accepted"], 0)
        self.assertEqual(self.ask("ping")["position"], head)
        self.assertAll(source)
        self.assertEqual(self.verify(redis=self.redis.url)[1]["differences"], 0)
        #   The keys go on after the copy of the database
        copy = self.source + ".copy"
        shutil.copy(self.source, copy)
        ids = [id for id, state in source.states.items() if state == "queued"][:5]
        for id in ids:
            source.change(id, "running", provider="gemini")
        over = next(id for id, state in source.states.items() if state == "passed")
        source.change(over, "queued")
        source.put_keys(self.redis)
        self.redis.call("SETEX", "task_status:only", 86400, json.dumps(
            {"id": "only", "role": "r", "branch": "auto/r/only", "state": "running", "last_error": None, "provider": None,
             "model": None}))
        for run in range(3):
            text = self.stele("--json", "migrate", "--from-redis", self.redis.url)
            accepted = json.loads(text.splitlines()[-1])["accepted"]
            self.assertEqual(accepted > 0, run == 0)
        for id in ids:
            task = self.task(id)
            self.assertEqual((task["state"], task["provider"], task["title"]), ("running", "gemini", "Task %s \u00e9\u4e2d" % id))
        self.assertEqual(self.task(over)["state"], "queued")
        self.assertEqual(self.task("only")["state"], "running")
        self.source = copy
        self.stele("migrate", "--from-sqlite", copy)
        self.assertEqual(self.task(ids[0])["state"], "running")

    def test_words_that_redis_does_not_have_are_no_change(self):
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(hours=1)
        source = Incumbent(self.source, tasks=0, start=now)
        self.redis.call("FLUSHALL")
        for id, state, word in (("a", "timeout", "failed"), ("b", "paused", "running"), ("c", "completing", "running")):
            source.create(id)
            source.change(id, state)
            source.keys[id][1]["state"] = word
        source.put_keys(self.redis)
        self.migrate()
        head = self.ask("ping")["position"]
        self.stele("migrate", "--from-redis", self.redis.url)
        self.assertEqual(self.ask("ping")["position"], head)
        self.assertEqual([self.task(id)["state"] for id in "abc"], ["timeout", "paused", "completing"])


class QueueTest(AgainTest):
    STATES = {"pending": "queued", "assigned": "starting", "in_progress": "running", "completed": "passed", "failed": "failed"}

    def moment(self, text, zone):
        if text is None:
            return None
        local = datetime.datetime.fromisoformat(text).replace(tzinfo=zone)
        return (local - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)

    def check(self, source, zone):
        tasks, history, outputs = self.by_task("tasks"), self.by_task("task_history"), self.by_task("task_outputs")
        for row in source.rows():
            (task,) = tasks[row["id"]]
            status = row["status"]
            begun = row["assigned_at"] if status in ("in_progress", "completed", "failed") else None
            self.assertEqual(
                [task.get(key) for key in ("title", "description", "role", "state", "last_error", "error_count")],
                [row["description"], row["description"], row["agent_type"], self.STATES[status], row["error"],
                 int(status == "failed")])
            self.assertEqual([task.get(key) for key in ("created_at", "started_at", "completed_at")],
                             [self.moment(text, zone) for text in (row["created_at"], begun, row["completed_at"])], row)
            migrated = task["metadata"]["migrated"]
            self.assertEqual((migrated["priority"], migrated.get("assigned_to")), (row["priority"], row["assigned_to"]))
            context = dict(task["metadata"])
            del context["migrated"]
            self.assertEqual(context, json.loads(row["context"]))
            self.assertEqual([output["content"] for output in outputs.get(row["id"], [])],
                             [row["result"]] if row["result"] else [])
            if status == "assigned":
                self.assertEqual(history[row["id"]][-1]["timestamp"], self.moment(row["assigned_at"], zone))
        self.assertEqual(len(tasks), len(source.rows()))
        self.assertNoNegativeDurations(tasks, history)

    def test_the_one_table_with_local_times(self):
        source = Queue(self.source)
        report, pushed = self.migrate("--zone", "America/New_York")
        self.assertEqual((report["tasks"], pushed["refused"]), (2000, 0))
        self.check(source, zoneinfo.ZoneInfo("America/New_York"))
        text = self.stele("--json", "migrate", "--from-sqlite", self.source, "--zone", "America/New_York", "--verify")
        self.assertEqual(json.loads(text.splitlines()[-1])["differences"], 0)
        source.db.execute("UPDATE tasks SET status = 'completed', completed_at = '2026-01-01T00:00:00', result = 'done'"
                          " WHERE status = 'in_progress' AND rowid % 2")
        for run in range(3):
            _, pushed = self.migrate("--zone", "America/New_York")
            self.assertEqual((pushed["accepted"] > 0, pushed["refused"]), (run == 0, 0))
        self.check(source, zoneinfo.ZoneInfo("America/New_York"))

    def test_without_a_zone_it_is_utc_with_a_warning(self):
        source = Queue(self.source, tasks=50)
        self.migrate()
        self.assertTrue(any("--zone" in line["odd"] for line in self.odd))
        self.check(source, datetime.timezone.utc)
        self.migrate("--zone", "UTC", "--dry-run")
        self.assertFalse(any("--zone" in line["odd"] for line in self.odd))
        self.migrate("--zone", "Nowhere/Atlantis", "--dry-run", status=64)

    def test_a_zone_may_be_an_offset(self):
        source = Queue(self.source, tasks=50)
        self.migrate("--zone", "+05:30")
        self.check(source, datetime.timezone(datetime.timedelta(hours=5, minutes=30)))

    def test_an_hour_that_occurs_twice_is_said(self):
        source = Queue(self.source, tasks=0)
        source.db.execute("INSERT INTO tasks (id, description, created_at) VALUES ('a', 'd', '2025-10-26T02:30:00')")
        source.db.execute("INSERT INTO tasks (id, description, created_at) VALUES ('b', 'd', '2025-03-30T02:30:00')")
        self.migrate("--zone", "Europe/Berlin")
        self.assertEqual(self.task("a")["created_at"], microseconds("2025-10-26 00:30:00"))
        self.assertIn("occurs twice or never", self.said("a"))
        self.assertIn("occurs twice or never", self.said("b"))


if __name__ == "__main__":
    harness.main()
