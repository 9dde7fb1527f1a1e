# Recorded streams, published by `stele`, are in the ledger, in Redis and in the feed as they were
#
# The sample that is shipped, and every stream of the folder STELE_DATA that is there.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import json
import os
import sqlite3
import threading
import unittest

import harness
from client import Clients
from stream import Stream

NOT_LIVE = {"description", "acceptance_criteria", "metadata"}
TERMINAL_TTL_S = 86400


class Listener(threading.Thread):
    """A subscriber to everything: positions as the feed brings them."""

    def __init__(self, endpoint):
        super().__init__()
        self.clients = Clients()
        self.feed = self.clients.subscriber(endpoint, "")
        self.positions = []
        self.until = None
        self.feed.wait_joined()
        self.start()

    def run(self):
        #   Until a heartbeat says that there is no more
        while True:
            topic, body = self.feed.next(heartbeats=True)
            if topic != "heartbeat":
                self.positions.append(body["position"])
            elif self.until is not None and body["position"] >= self.until:
                return

    def finish(self, until):
        self.until = until
        self.join()
        self.clients.close()
        return self.positions


class Recorded:
    """The tests; a class for each file follows."""

    path = None
    producer_name = "recorded"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stream = Stream(cls.path)
        listener = Listener(cls.broker.feed)
        runner = cls()
        cls.said = runner.stele("--json", "publish", "--producer", cls.producer_name, "-",
                                input=cls.stream.data)
        cls.feed_positions = listener.finish(len(cls.stream.events))
        cls.redis.wait_position(len(cls.stream.events))

    def runTest(self):
        pass

    def pages(self, op, key, **parameters):
        rows, cursor = [], None
        while True:
            answer = self.ask(op, limit=1000, cursor=cursor, **parameters)
            rows += answer[key]
            cursor = answer["next"]
            if cursor is None:
                return rows

    def rows_without(self, rows, *keys):
        return [{key: value for key, value in row.items() if key not in keys} for row in rows]

    def test_every_event_is_accepted(self):
        counts = json.loads(self.said.splitlines()[-1])
        self.assertEqual(counts["accepted"], len(self.stream.events), counts)
        self.assertEqual(self.ask("rejected.list")["rejected"], [])
        self.assertEqual(self.ask("ping")["position"], len(self.stream.events))

    def test_the_log_is_the_file(self):
        #   stele publishes in order, so position n is line n
        for line, event in zip(self.stream.events, self.read_events()):
            self.assertEqual(event["type"], line["type"])
            for key, value in line.items():
                if key != "time":
                    self.assertEqual(event[key], value)

    def test_tasks(self):
        tasks = {task["task_id"]: task for task in self.pages("task.list", "tasks")}
        self.assertEqual(tasks.keys(), self.stream.tasks.keys())
        for task_id, expected in self.stream.tasks.items():
            self.assertTrue(tasks[task_id].pop("producer"))
            self.assertEqual(tasks[task_id], expected)

    def test_histories_outputs_metrics(self):
        for task_id in self.stream.tasks:
            rows = self.pages("task.history", "history", task_id=task_id)
            self.assertEqual(self.rows_without(rows, "type", "changes"), self.stream.history[task_id])
            for op, key, expected in (("task.outputs", "outputs", self.stream.outputs),
                                      ("task.metrics", "metrics", self.stream.metrics)):
                rows = self.pages(op, key, task_id=task_id)
                wanted = [dict({"user_id": "default"}, **row) for row in expected[task_id]]
                self.assertEqual(rows, self.rows_without(wanted, "time"))

    def test_sessions_and_their_commands(self):
        sessions = {row["session_id"]: row for row in self.pages("session.list", "sessions")}
        self.assertEqual(sessions.keys(), self.stream.sessions.keys())
        for session_id, expected in self.stream.sessions.items():
            record = sessions[session_id]
            self.assertEqual({key: record.get(key) for key in expected}, expected)
            rows = self.pages("session.commands", "commands", session_id=session_id)
            wanted = [dict({"user_id": "default"}, **row) for row in self.stream.commands[session_id]]
            self.assertEqual(rows, self.rows_without(wanted, "time"))

    def test_preferences(self):
        for user, expected in self.stream.preferences.items():
            record = self.ask("preference.get", user_id=user)["preferences"]
            self.assertEqual({key: record.get(key) for key in expected}, expected)

    def test_the_file_has_every_position_once_and_every_table_its_rows(self):
        file = sqlite3.connect("file:%s?mode=ro" % self.broker.ledger, uri=True)
        self.addCleanup(file.close)
        tables = ("task_history", "task_outputs", "task_metrics", "cli_session_history",
                  "cli_session_commands", "user_preference_history")
        for table in tables:
            count, = file.execute("SELECT count(*) FROM " + table).fetchone()
            self.assertEqual(count, self.stream.tables[table], table)
        rows = file.execute(" UNION ALL ".join("SELECT position FROM " + table for table in tables)
                            + " ORDER BY position")
        self.assertEqual([row[0] for row in rows], list(range(1, len(self.stream.events) + 1)))
        states = dict(file.execute("SELECT task_id, state FROM task_summary"))
        self.assertEqual(states, {key: task["state"] for key, task in self.stream.tasks.items()})
        self.assertEqual(file.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        first, last = 1, 0
        for first, last_of_commit in file.execute("SELECT first, last FROM commits ORDER BY first"):
            self.assertEqual(first, last + 1)
            last = last_of_commit
        self.assertEqual(last, len(self.stream.events))

    def test_redis_has_the_live_record_of_every_task(self):
        for task_id, task in self.stream.tasks.items():
            live = self.redis.text_hash("{stele}:task:" + task_id)
            expected = {key: str(value) for key, value in task.items()
                        if key not in NOT_LIVE and key != "full_access"}
            live.pop("full_access")
            self.assertTrue(live.pop("producer"))
            self.assertEqual(live, expected)
        members = set()
        for key in self.redis.call("KEYS", "{stele}:tasks:*"):
            for member in self.redis.call("ZRANGE", key, 0, -1):
                members.add((key.decode().rsplit(":", 1)[1], member.decode()))
        self.assertEqual(members, {(task["state"], key) for key, task in self.stream.tasks.items()})
        answer = self.ask("consistency.check")
        self.assertEqual((answer["missing"], answer["extra"], answer["mismatched"]), (0, 0, 0), answer)

    def test_the_feed_carried_every_position_once(self):
        #   A subscriber that was too slow fetches what it missed (section 5)
        self.assertEqual(self.feed_positions, sorted(set(self.feed_positions)))
        seen = set(self.feed_positions)
        missing = [n for n in range(1, len(self.stream.events) + 1) if n not in seen]
        fetched = set()
        for position in missing:
            if position not in fetched:
                answer = self.ask("events.read", after=position - 1, limit=1000)
                fetched |= {event["position"] for event in answer["events"]}
        self.assertEqual(set(missing) - fetched, set())

    def test_publishing_again_with_the_same_sequences_changes_nothing(self):
        before = self.ask("stats")["tasks"]
        head = self.ask("ping")["position"]
        peer = self.producer(self.producer_name)
        self.assertEqual(peer.welcome["sequence"], len(self.stream.events))
        for start in range(0, len(self.stream.events), 1000):
            chunk = self.stream.events[start:start + 1000]
            peer.send_events(chunk, sequence=start + 1)
            self.assertGreaterEqual(peer.expect("ack")["sequence"], start + len(chunk))
        self.assertEqual(peer.naks, {})
        peer.send({"op": "goodbye", "keep": True})
        said = self.stele("--json", "publish", "--producer", self.producer_name, "--sequence", "1", "-",
                          input=self.stream.data)
        counts = json.loads(said.splitlines()[-1])
        self.assertEqual((counts["accepted"], counts["duplicates"]), (0, len(self.stream.events)))
        self.assertEqual(self.ask("ping")["position"], head)
        self.assertEqual(self.ask("stats")["tasks"], before)

    def test_a_restart_changes_nothing(self):
        #   Named to run early or late: everything above holds before and after it
        before = self.ask("stats")["tasks"]
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.start_broker()
        self.assertEqual(self.ask("stats")["tasks"], before)
        self.assertEqual(self.ask("ping")["position"], len(self.stream.events))


def load_tests(loader, tests, pattern):
    suite = unittest.TestSuite()
    paths = [os.path.join(harness.SRC, "examples", "sample.jsonl")]
    for kind in ("*.jsonl", "*.jsonl.zst"):
        paths += sorted(glob.glob(os.path.join(harness.DATA, kind)))
    for path in paths:
        name = os.path.basename(path).split(".")[0].replace("-", "_")
        case = type(name, (Recorded, harness.BrokerTest), {"path": path})
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite


if __name__ == "__main__":
    harness.main()
