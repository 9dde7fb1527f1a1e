# An export, imported into an empty ledger, gives an identical ledger
#
# Over a generated stream with every type of event, the sample that is shipped, and every
# stream of the folder STELE_DATA that is there.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import csv
import glob
import io
import json
import os
import random
import shutil
import signal
import subprocess
import unittest

import harness
from client import Clients
from stream import read_bytes

TABLES = ("tasks", "task_history", "task_outputs", "task_metrics", "cli_sessions",
          "cli_session_commands")


def generated(seed, tasks=60):
    """Events of every type in an order that no orchestrator would choose."""
    dice = random.Random(seed)
    texts = ["", "plain", "two\nlines", 'a "quote", and a comma', "\u00e9\u4e2d\U0001f600", "nul \0 in it",
             "tab\tcr\r\nend", "$bin", "x" * 5000, "\u202e\x1b[31m", " leading", "trailing ", "=1+1"]
    now = [1_700_000_000_000_000]

    def moment():
        #   Clocks go back at times
        now[0] += dice.choice([1, 1000, 1_000_000, 60_000_000, -500_000])
        return now[0]

    def extra(event):
        if dice.random() < 0.3:
            event["x_" + dice.choice("abc")] = dice.choice(
                [1, -1.5, 0.1, 2 ** 63 + 5, True, [1, {"deep": [b"\x00\xff", None]}], {"$bin": "text"},
                 {1: "one"}, float("inf"), b"bytes", "\u00fc", {"extra": 1}, 1e300, 5e-324])
        if dice.random() < 0.1:
            event["extra"] = {"content_encoding": dice.choice(texts)}
        if dice.random() < 0.4:
            event["user_id"] = dice.choice(["anna", "default", "\u00f6"])
        return event

    def fields(event):
        for key in ("provider", "model", "branch", "worktree_path", "base_branch", "commit_hash",
                    "target_dir", "provider_override", "repository_url"):
            if dice.random() < 0.3:
                event[key] = dice.choice(texts)[:1000]
        if dice.random() < 0.3:
            event["full_access"] = dice.random() < 0.5
        if dice.random() < 0.3:
            event["metadata"] = {"n": dice.choice([1, 1.0, 0.1, -0.0, None, "t"]), "l": [[], {}]}
        if dice.random() < 0.3:
            event["parent_id"] = "task-%d" % dice.randrange(tasks)
        return event

    events = []
    states = ["queued", "starting", "running", "paused", "completing", "passed", "failed", "error",
              "cancelled", "timeout"]
    sessions = ["initializing", "starting", "running", "waiting_input", "processing", "completed",
                "error", "terminated"]
    for _ in range(tasks * 25):
        task = "task-%d" % dice.randrange(tasks)
        session = "session-%d" % dice.randrange(tasks)
        kind = dice.randrange(20)
        event = {"time": moment()}
        if kind < 4:
            event.update(type="task.created", task_id=task, title=dice.choice(texts)[:1000],
                         description=dice.choice(texts), role=dice.choice(["coder", "tester", "\u00e9"]))
            fields(event)
            if dice.random() < 0.3:
                event["state"] = dice.choice(states)
        elif kind < 6:
            event.update(type="task.updated", task_id=task, title="again")
            fields(event)
            if dice.random() < 0.3:
                event["state"] = dice.choice(states)
        elif kind < 11:
            event.update(type="task.state_changed", task_id=task, state=dice.choice(states))
            if dice.random() < 0.4:
                event["error_message"] = dice.choice(texts)
            if dice.random() < 0.3:
                event["details"] = {"code": dice.choice([1, 2.5, b"\x80"])}
            if dice.random() < 0.3:
                event["provider"] = dice.choice(["p1", "p2"])
        elif kind < 13:
            content = dice.choice(texts + [b"", b"\x00\xff\xfe bytes", dice.randbytes(3000), "log line\n" * 3000])
            event.update(type="task.output_added", task_id=task, content=content,
                         output_type=dice.choice(["stdout", "stderr", "log", "artifact", "commit", "diagnostic"]))
            if dice.random() < 0.3:
                event.update(file_path="a/b", file_size=2 ** 62, mime_type="text/plain")
        elif kind < 15:
            event.update(type="task.metric_recorded", task_id=task, name="m",
                         value=dice.choice([0, 1, 1.0, -3, 0.1, 1e300, float("nan"), float("-inf"), 2 ** 64 - 1, -2 ** 63]))
        elif kind == 15:
            event.update(type="session.started", session_id=session, cli_tool="sh", mode="auto",
                         current_directory="/", task_id=task)
            if dice.random() < 0.5:
                event.update(pid=7, authentication_required=True, state=dice.choice(sessions))
        elif kind == 16:
            event.update(type="session.state_changed", session_id=session, state=dice.choice(sessions))
        elif kind < 19:
            event.update(type="session.command_executed", session_id=session, command=dice.choice(texts),
                         output=dice.choice(texts + [b"\xff\x00"]), exit_code=dice.choice([0, 1, -11]))
            if dice.random() < 0.5:
                event["execution_time_ms"] = dice.choice([1, 2.5])
        else:
            event.update(type="preference.set", preferred_model=dice.choice(texts)[:100])
            if dice.random() < 0.5:
                event["role_preferences"] = {"coder": {"n": 0.1}}
        events.append(extra(event))
    #   Some that run at the end
    return events + [{"type": "task.state_changed", "task_id": "run-%d" % number, "state": "running",
                      "time": moment()} for number in range(4)]


class Ledger:
    """What a broker says of all that it has."""

    def __init__(self, test):
        head = test.ask("ping")["position"]
        self.events = test.read_events()
        self.tables = {table: test.table(table, head) for table in TABLES}
        users = {event.get("user_id", "default") for event in self.events if event["type"] == "preference.set"}
        self.preferences = [test.ask("preference.get", user_id=user)["preferences"] for user in sorted(users)]
        self.counts = test.ask("stats")["tasks"]


class MovementTest(harness.BrokerTest):
    use_redis = False

    def table(self, table, at, limit=1000):
        rows, cursor = [], None
        while True:
            answer = self.ask("table.read", table=table, at=at, limit=limit, cursor=cursor)
            rows += answer["rows"]
            cursor = answer["next"]
            if cursor is None:
                return rows

    def other(self):
        """Another broker, with an empty ledger, and this test's words for it."""
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        broker = harness.Steled(folder)
        self.addCleanup(broker.stop)
        there = MovementTest("runTest")
        there.broker = broker
        there.clients = Clients()
        self.addCleanup(there.clients.close)
        return there

    def runTest(self):
        pass

    def file(self, name):
        return os.path.join(self.folder, "%s-%s" % (self.id().rsplit(".", 1)[-1], name))

    def assertSame(self, one, other):
        #   NaN is not equal to itself: the text is
        self.assertEqual(len(one.events), len(other.events))
        for event, again in zip(one.events, other.events):
            self.assertEqual(repr(event), repr(again))
        for table in TABLES:
            self.assertEqual(repr(one.tables[table]), repr(other.tables[table]), table)
        self.assertEqual(one.preferences, other.preferences)
        self.assertEqual(one.counts, other.counts)

    def import_and_compare(self, command=("import",)):
        first = self.file("first.jsonl")
        self.stele("export", first)
        there = self.other()
        there.stele(*command, first)
        before, after = Ledger(self), Ledger(there)
        self.assertSame(before, after)
        self.assertEqual(there.ask("rejected.list")["rejected"], [])
        second = self.file("second.jsonl")
        there.stele("export", second)
        with open(first, "rb") as one, open(second, "rb") as other:
            self.assertTrue(one.read() == other.read(), "the second export differs")
        return first, there


class GeneratedTest(MovementTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        clients = Clients()
        peer = clients.producer(cls.broker.events, "generator")
        events = generated(7)
        for start in range(0, len(events), 100):
            peer.send_events(events[start:start + 100])
        while peer.expect("ack")["sequence"] < len(events):
            pass
        #   Its running tasks are interrupted by the broker, and the truth comes back for some
        again = clients.producer(cls.broker.events, "generator", instance="another")
        answer = clients.asker(cls.broker.requests).ask({"op": "events.read", "after": 0, "limit": 10})
        assert answer["ok"]
        interrupted = []
        after = 0
        asker = clients.asker(cls.broker.requests)
        while True:
            answer = asker.ask({"op": "events.read", "after": after, "limit": 1000})
            interrupted += [event["task_id"] for event in answer["events"] if event.get("interrupted")]
            after = answer["next"]
            if after is None:
                break
        assert interrupted
        again.send_events([{"type": "task.state_changed", "task_id": task, "state": "passed"}
                           for task in interrupted[::2]], sequence=len(events) + 1)
        again.expect("ack")
        clients.close()

    def test_import_into_an_empty_ledger_gives_an_equal_one(self):
        first, there = self.import_and_compare()
        said = json.loads(there.stele("--json", "import", first).splitlines()[-1])
        self.assertEqual((said["accepted"], said["duplicates"]), (0, said["events"]))
        self.assertTrue(any(event.get("interrupted") for event in there.read_events()))

    def test_publish_into_an_empty_ledger_gives_an_equal_one(self):
        self.import_and_compare(("publish",))

    def test_publish_as_a_producer_with_restore_gives_an_equal_one(self):
        self.import_and_compare(("publish", "--producer", "copy", "--sequence", "1", "--restore"))

    def test_import_from_a_pipe_is_that_of_the_file(self):
        whole = self.stele("export", "-")
        there = self.other()
        there.stele("import", "-", input=whole)
        path = self.file("whole.jsonl")
        with open(path, "wb") as file:
            file.write(whole)
        said = json.loads(there.stele("--json", "import", path).splitlines()[-1])
        self.assertEqual(said["accepted"], 0)
        self.assertEqual(there.stele("export", "-"), whole)

    def test_import_killed_in_the_middle_and_run_again_gives_an_equal_ledger(self):
        whole = self.stele("export", "-")
        path = self.file("whole.jsonl")
        with open(path, "wb") as file:
            file.write(whole)
        there = self.other()
        subscriber = there.subscriber("")
        subscriber.wait_joined()
        child = subprocess.Popen([harness.program("stele"), "import", "--batch", "1", path],
                                 env=there.broker.environment(), stdout=subprocess.DEVNULL)
        subscriber.next()
        child.send_signal(signal.SIGKILL)
        child.wait()
        there.stele("import", path)
        self.assertNotIn("has other events too", there.stderr)
        self.assertEqual(there.stele("export", "-"), whole)
        self.assertSame(Ledger(self), Ledger(there))

    def test_import_beside_other_events_says_what_that_means(self):
        there = self.other()
        lines = self.stele("export", "-").splitlines(keepends=True)[:20]
        there.stele("import", "-", input=b"".join(lines[:10]), status=None)
        self.assertNotIn("has other events too", there.stderr)
        there.stele("import", "-", input=b"".join(lines), status=None)
        self.assertIn("the ledger has other events too", there.stderr)
        there.stele("import", "-", input=b"".join(lines), status=None)
        self.assertNotIn("has other events too", there.stderr)

    def test_import_does_not_make_anybody_own_running_tasks(self):
        there = self.other()
        line = (b'{"type":"task.state_changed","task_id":"r","state":"running","time":"2026-01-01T00:00:00Z"}\n')
        there.stele("publish", "--producer", "p", "--restore", input=line)
        there.clients.producer(there.broker.events, "p", instance="one")
        there.clients.producer(there.broker.events, "p", instance="two")
        self.assertEqual(there.ask("task.get", task_id="r")["task"]["state"], "running")

    def test_restore_takes_interrupted_only_where_a_broker_writes_it(self):
        there = self.other()
        for event in ({"type": "task.state_changed", "task_id": "a", "state": "running", "interrupted": True},
                      {"type": "task.state_changed", "task_id": "a", "state": "failed", "interrupted": 1}):
            answer = there.ask("publish", producer="x", events=[event], restore=True)
            self.assertEqual([row["code"] for row in answer["rejected"]], ["invalid_field"])
        event = {"type": "task.state_changed", "task_id": "a", "state": "failed", "interrupted": True}
        there.ask("publish", producer="x", events=[event])
        self.assertNotIn("interrupted", there.ask("task.get", task_id="a")["task"])
        event["task_id"] = "b"
        there.ask("publish", producer="x", events=[event], restore=True)
        self.assertIs(there.ask("task.get", task_id="b")["task"]["interrupted"], True)

    def test_tables_at_a_position_are_those_of_a_ledger_that_ends_there(self):
        events = self.read_events()
        for at in (1, len(events) // 3, len(events) // 2):
            there = self.other()
            path = self.file("part-%d.jsonl" % at)
            self.stele("export", "--at", str(at), path)
            there.stele("import", path)
            self.assertEqual(there.ask("ping")["position"], at)
            for table in TABLES:
                self.assertEqual(repr(self.table(table, at, limit=7)), repr(there.table(table, at)), (table, at))
            for table in TABLES + ("user_preferences",):
                here = self.stele("export", "--table", table, "--at", str(at), "-")
                self.assertEqual(here, there.stele("export", "--table", table, "-"), table)

    def test_csv_of_every_table_says_what_the_records_say(self):
        head = self.ask("ping")["position"]
        for table in TABLES:
            text = self.stele("export", "--table", table, "--format", "csv", "-").decode()
            self.assertIn("\r\n", text)
            rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
            lines = self.stele("export", "--table", table, "-").splitlines()
            records = [json.loads(line) for line in lines]
            self.assertEqual(len(rows), len(self.table(table, head)))
            self.assertEqual(len(rows), len(records))
            for row, record in zip(rows, records):
                extra = json.loads(row.pop("extra", "") or "{}")
                for key, value in record.items():
                    if key not in row:
                        self.assertEqual(repr(extra[key]), repr(value))
                    elif isinstance(value, dict) and list(value) == ["$bin"]:
                        self.assertEqual(row[key], value["$bin"])
                        self.assertEqual(row[key + "_encoding"], "base64")
                    elif isinstance(value, dict) and list(value) in (["$uint"], ["$float"]):
                        self.assertEqual(row[key], list(value.values())[0])
                    elif isinstance(value, str):
                        self.assertEqual(row[key], value)
                    else:
                        self.assertEqual(repr(json.loads(row[key])), repr(value))
                self.assertEqual({key for key in row if row[key]} - set(record)
                                 - {"content_encoding", "output_encoding"}, set())

    def test_csv_lines_end_with_cr_lf_and_an_empty_text_is_quoted(self):
        text = self.stele("export", "--table", "tasks", "--format", "csv", "-")
        self.assertTrue(text.startswith(b"task_id,state,title,"))
        self.assertTrue(text.endswith(b"\r\n"))
        self.assertIn(b',"",', text)

    def test_filters_take_the_tasks_that_pass_and_what_belongs_to_them(self):
        head = self.ask("ping")["position"]
        tasks = {task["task_id"]: task for task in self.table("tasks", head)}
        wanted = {key for key, task in tasks.items() if task["state"] == "failed"}
        sessions = {row["session_id"] for row in self.table("cli_sessions", head)
                    if row.get("task_id") in wanted}
        self.assertTrue(wanted and sessions and len(wanted) < len(tasks))
        listed = [json.loads(line)["task_id"] for line in
                  self.stele("export", "--table", "tasks", "--state", "failed", "-").splitlines()]
        self.assertEqual(set(listed), wanted)
        events = [json.loads(line) for line in self.stele("export", "--state", "failed", "-").splitlines()]
        expected = [event for event in self.read_events()
                    if (event["session_id"] in sessions if "session_id" in event
                        else event.get("task_id") in wanted)]
        self.assertEqual([(e["type"], e.get("task_id")) for e in events],
                         [(e["type"], e.get("task_id")) for e in expected])
        one = sorted(wanted)[0]
        rows = self.stele("export", "--table", "task_history", "--task", one, "-").splitlines()
        self.assertEqual([json.loads(row)["id"] for row in rows],
                         [row["id"] for row in self.table("task_history", head) if row["task_id"] == one])

    def test_a_file_that_exists_is_left_alone_without_force(self):
        path = self.file("kept")
        with open(path, "w") as file:
            file.write("mine")
        self.stele("export", path, status=73)
        self.assertIn("--force", self.stderr)
        with open(path) as file:
            self.assertEqual(file.read(), "mine")
        said = json.loads(self.stele("--json", "export", "--force", path))
        self.assertEqual(said["position"], self.ask("ping")["position"])
        with open(path, "rb") as file:
            self.assertEqual(len(file.read().splitlines()), said["rows"])
        self.assertEqual([name for name in os.listdir(self.folder) if name.endswith(".part")], [])

    def test_an_export_that_fails_leaves_no_file(self):
        path = self.file("never")
        self.stele("export", "--table", "no_such", path, status=64)
        self.stele("export", "--at", "999999", path, status=64)
        for option, word in (("--state", "Failed"), ("--state", ""), ("--type", "task.create")):
            self.stele("export", option, word, path, status=64)
            self.assertIn(word or option, self.stderr)
        self.stele("--requests", "ipc:///nowhere", "--timeout", "100", "export", path, status=69)
        self.stele("export", os.path.join(self.folder, "no", "folder"), status=73)
        self.assertEqual([name for name in os.listdir(self.folder) if "never" in name], [])

    def test_a_reader_that_goes_away_ends_the_export(self):
        child = subprocess.Popen([harness.program("stele"), "export", "-"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=self.broker.environment())
        child.stdout.read(10)
        child.stdout.close()
        self.assertEqual(child.stderr.read(), b"")
        child.stderr.close()
        self.assertEqual(child.wait(), -signal.SIGPIPE)

    def test_refused_events_are_a_table_of_their_own(self):
        rows = [json.loads(line) for line in
                self.stele("export", "--table", "rejected_events", "-").splitlines()]
        self.assertTrue(rows)
        self.assertEqual({row["code"] for row in rows} - {"illegal_transition", "task_exists"}, set())


class Recorded(MovementTest):
    path = None

    def test_import_into_an_empty_ledger_gives_an_equal_one(self):
        self.stele("publish", "-", input=read_bytes(self.path))
        self.import_and_compare()


def load_tests(loader, tests, pattern):
    suite = unittest.TestSuite()
    suite.addTests(loader.loadTestsFromTestCase(GeneratedTest))
    paths = [os.path.join(harness.SRC, "examples", "sample.jsonl")]
    for kind in ("*.jsonl", "*.jsonl.zst"):
        paths += sorted(glob.glob(os.path.join(harness.DATA, kind)))
    for path in paths:
        name = os.path.basename(path).split(".")[0].replace("-", "_")
        suite.addTests(loader.loadTestsFromTestCase(type(name, (Recorded,), {"path": path})))
    return suite


if __name__ == "__main__":
    harness.main()
