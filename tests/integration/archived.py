# archived - a stream of old tasks of every kind, and all that a broker answers about them
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import random
import sqlite3

import harness
from client import changed, command, created, metric, output, session_changed, started

DAY = 86400 * 1000000
BASE = 1704067200 * 1000000             # 2024-01-01T00:00:00Z
ROLES = ("builder", "tester", "writer")
ENDS = ("passed", "failed", "error", "cancelled", "timeout")
ORDERS = ("created_desc", "created_asc", "updated_desc", "updated_asc", "completed_desc", "completed_asc")


class Life:
    """The events of one task, in their order."""

    def __init__(self, number, rng):
        self.id = ("550e79d1-5b22-48da-8389-%012x" % number) if number % 3 else "task-%03d" % number
        self.rng = rng
        self.time = BASE + (number * 16 + rng.randrange(16)) * DAY
        self.ends = number % 8 != 5
        self.events = list(self._events(number))

    def at(self, event):
        self.time += self.rng.randrange(1, 4000000)
        return dict(event, time=self.time)

    def _events(self, number):
        rng = self.rng
        first = created(self.id, title="Task %d of the archive" % number, role=ROLES[number % 3],
                        description="mend the %s %s" % (rng.choice(("pump", "valve")), "again " * (number % 5) * 100),
                        metadata={"number": number}, **({"user_id": "ann"} if number % 4 == 1 else {}))
        if number % 5 == 0 and number:
            first["parent_id"] = "task-000"
        if number % 7 == 3:                                     # A placeholder first
            yield self.at(output(self.id, "before it was created"))
        yield self.at(first)
        for attempt in range(1 + (number % 6 == 2)):
            if attempt:
                yield self.at(changed(self.id, "queued", details={"reason": "again"}))
            yield self.at(changed(self.id, "running", provider="acme", model="m%d" % (number % 2)))
            yield self.at({"type": "task.updated", "task_id": self.id, "title": "Renamed %d.%d" % (number, attempt),
                           "branch": "b%d" % attempt})
            for line in range(number % 4):
                yield self.at(output(self.id, "line %d %s" % (line, "x" * rng.choice((10, 3000, 30000)))))
            yield self.at(metric(self.id, "tokens", rng.randrange(10000), unit="1"))
            if self.ends:
                end = ENDS[number % len(ENDS)]
                yield self.at(changed(self.id, end, **({} if end == "passed" else {"error_message": "broke %d" % number})))
        if number % 9 == 4:
            yield self.at(metric(self.id, "after-the-end", 1.5))


def stream(count, seed=20):
    """Lives of tasks, and all their events, of several tasks at a time interleaved, with sessions."""
    rng = random.Random(seed)
    lives = [Life(number, rng) for number in range(count)]
    queues, events = [list(life.events) for life in lives], []
    while any(queues):
        active = [queue for queue in queues if queue][:6]
        events.append(rng.choice(active).pop(0))
        if len(events) % 40 == 7:
            life = rng.choice(lives)
            session, time = "session-%d" % len(events), life.time
            events += [started(session, task_id=life.id, time=time), command(session, "make", exit_code=1, time=time + 1),
                       session_changed(session, "completed", time=time + 2)]
    return lives, events


class ArchiveTest(harness.BrokerTest):
    """A ledger with old tasks. archive () restarts the broker, so that all tasks that can be archived are."""

    use_redis = False
    tasks = 40

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lives, cls.events = stream(cls.tasks)
        cls.clients = cls.producers()
        peer = cls.clients.producer(cls.broker.events, "old", lease_ms=600000)
        for first in range(0, len(cls.events), 50):
            peer.publish(*cls.events[first:first + 50])
        cls.archivable = {life.id for life in cls.lives if life.ends}
        cls.clients.close()

    @staticmethod
    def producers():
        from client import Clients
        return Clients()

    @classmethod
    def restart(cls, *arguments, **more):
        if cls.broker.running():
            cls.broker.stop()
        return cls.start_broker(arguments=("--interrupted", "none") + arguments, **more)

    def archive(self, expected=None, **more):
        """Move everything that can be moved."""
        self._asker = None
        self.restart("--archive-after", "90d", **more)
        expected = len(self.archivable) if expected is None else expected
        #   Each task can be the first of an archive
        patience = harness.PATIENCE + 5 * expected
        harness.wait_until(lambda: self.archived() == expected, "%d archived tasks" % expected, patience)
        harness.wait_until(lambda: not self.sessions_left(), "their sessions to be archived", patience)

    def die(self, fault, *arguments, meanwhile=None):
        """Start a broker that dies at that fault point by itself, at the latest after 'meanwhile ()'."""
        text = "fault: %s" % fault.split(":")[0]
        self._asker = None
        try:
            self.restart(*arguments, env=dict(os.environ, STELE_FAULT=fault))
        except AssertionError as before_ready:
            self.assertIn(text, str(before_ready))
            return
        if meanwhile:
            meanwhile()
        self.assertNotEqual(self.broker.wait(), 0)
        self.broker.wait_line(text)

    def archived(self):
        return self.ask("stats")["ledger"].get("archived_tasks", 0)

    def sessions_left(self):
        """Sessions that could be archived. (All of the tests are old.)"""
        return self.rows("SELECT session_id FROM cli_sessions s JOIN archived_tasks x ON x.task_id = s.task_id")

    def rows(self, sql, path=None):
        """A query of the file of the ledger alone."""
        db = sqlite3.connect("file:%s?mode=ro" % (path or self.broker.ledger), uri=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def archives(self):
        return sorted(path for path in glob.glob(self.broker.ledger + ".archive-*") if path[-4:].isdigit())

    def pages(self, op, key, **keys):
        """All rows of an operation with pages."""
        rows = []
        while True:
            answer = self.ask(op, **keys)
            rows += answer[key]
            if not answer.get("next"):
                return rows
            keys["cursor"] = answer["next"]

    def answers(self):
        """Everything that can be asked about the tasks, by name."""
        head = self.ask("ping")["position"]
        found = {}
        for life in self.lives:
            for at in (None, head // 2, head - 3):
                answer = self.asker().ask(dict({"op": "task.get", "task_id": life.id}, **({"at": at} if at else {})))
                found["get", life.id, at] = (answer["ok"], answer.get("task"))
            for op, key in (("task.history", "history"), ("task.outputs", "outputs"), ("task.metrics", "metrics")):
                found[op, life.id] = self.pages(op, key, task_id=life.id, limit=2)
                found[op, life.id, "desc"] = self.pages(op, key, task_id=life.id, limit=3, order="desc")
        for order in ORDERS:
            found["list", order] = self.pages("task.list", "tasks", order=order, limit=7)
            found["total", order] = self.ask("task.list", order=order, limit=1, total=True)["total"]
        for number, filters in enumerate((
                {"states": ["failed", "passed"]}, {"roles": ["tester"]}, {"user_id": "ann"}, {"user_id": "default"},
                {"parent_id": "task-000"}, {"models": ["m1"]}, {"search": "valve"}, {"contains": "Renamed 1"},
                {"has_error": True}, {"at": head // 2}, {"producers": ["old"]},
                {"completed_from": BASE + 100 * DAY, "completed_to": BASE + 450 * DAY},
                {"updated_from": BASE + 30 * DAY, "updated_to": BASE + 60 * DAY, "states": ["error"]})):
            for order in (ORDERS[number % 6], ORDERS[(number + 3) % 6]):
                found["list", order, number] = self.pages("task.list", "tasks", order=order, limit=7, **filters)
            found["total", number] = self.ask("task.list", limit=1, total=True, **filters)["total"]
        for group in ("state", "role", "model", "day", "error"):
            found["report", group] = self.ask("stats.tasks", group_by=group, limit=100, slowest=5)
        for name in ("tasks", "task_history", "task_outputs", "task_metrics", "cli_sessions", "cli_session_commands"):
            found["table", name] = self.pages("table.read", "rows", table=name, limit=9)
            found["table", name, "at"] = self.pages("table.read", "rows", table=name, limit=9, at=head // 2)
        found["events"] = self.read_events()
        found["some events"] = self.read_events(types=["task.state_changed"])
        found["commands"] = self.pages("command.list", "commands", limit=5)
        found["failed commands"] = self.pages("command.list", "commands", failed=True, limit=5)
        found["sessions"] = self.pages("session.list", "sessions", limit=5)
        found["ended sessions"] = self.pages("session.list", "sessions", states=["completed"], limit=5)
        for session in found["sessions"]:
            found["session", session["session_id"]] = self.ask("session.get", session_id=session["session_id"])["session"]
            found["commands", session["session_id"]] = self.pages("session.commands", "commands", session_id=session["session_id"])
            found["times", session["session_id"]] = self.ask("session.times", session_id=session["session_id"])["times"]
            found["of task", session["task_id"]] = self.pages("session.list", "sessions", task_id=session["task_id"], limit=2)
        found["export"] = [line for line in self.stele("export", "-").split(b"\n") if line]
        found["csv"] = self.stele("export", "--table", "tasks", "--format", "csv", "--state", "failed", "-")
        return found

    def assert_same(self, before, after):
        self.maxDiff = 3000
        self.assertEqual(list(before), list(after))
        for name in before:
            self.assertEqual(before[name], after[name], name)
