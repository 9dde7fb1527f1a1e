# kill -9, errors and full disks at every step of a move to an archive, and of the way back
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import sqlite3

import harness
from archived import BASE, DAY, ArchiveTest
from client import changed, command, created, output, session_changed, started
from sweep import points
from test_disk_full import MIB, Tmpfs

harness.BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)

AGE = ("--archive-after", "90d")
#   Of the transactions of the ledger: the first one of a run is the move, the first one of an event the way back
COMMIT = ["flush_before", "commit_before", "commit_after", "high_water_before", "high_water_after"]
ERRORS = ("full", "busy", "nomem")


class ArchivePoints(ArchiveTest):
    tasks = 9

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.points = points(harness.BUILD)

    def setUp(self):
        super().setUp()
        self.assertTrue(self.points, "%s was not configured with --enable-fault-points" % harness.BUILD)

    def old(self, name):
        """Ended tasks of its own, each in another year."""
        self._asker = None
        if not self.broker.running():
            self.restart()
        ids = ["%s-%s-%d" % (self.name("task"), name, number) for number in range(3)]
        peer = self.producer(self.name("producer") + name)
        for number, task_id in enumerate(ids):
            time = BASE + (1 + number * 370) * DAY
            peer.publish(created(task_id, time=time), changed(task_id, "running", time=time + 1),
                         output(task_id, os.urandom(3000).hex(), time=time + 2), changed(task_id, "failed", time=time + 3),
                         started(task_id + "-session", task_id=task_id, time=time + 1),
                         command(task_id + "-session", "make", exit_code=1, time=time + 2),
                         session_changed(task_id + "-session", "completed", time=time + 3))
        type(self).archivable = self.archivable | set(ids)
        return ids

    def state(self):
        """What must not change: the log, the tasks and sessions, and how they are counted."""
        events = self.read_events()
        self.assertEqual([event["position"] for event in events], list(range(1, len(events) + 1)))
        return (events, self.pages("task.list", "tasks", order="updated_desc", limit=7),
                self.pages("table.read", "rows", table="task_history", limit=100), self.ask("stats")["tasks"],
                self.pages("session.list", "sessions", limit=7), self.pages("command.list", "commands", limit=7),
                self.ask("stats")["sessions"])

    def moved(self, ids):
        """How many of these tasks, and of their sessions, are archived."""
        return self.rows("SELECT (SELECT count (*) FROM archived_tasks WHERE task_id IN (%s)),"
                         " (SELECT count (*) FROM archived_sessions WHERE session_id IN (%s))"
                         % (", ".join("'%s'" % task for task in ids), ", ".join("'%s-session'" % task for task in ids)))[0]

    def assert_whole(self, expected):
        """In the files: each event once, in the ledger or in the archive that a stub names."""
        self.broker.stop()
        db = sqlite3.connect(self.broker.ledger)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        here = sum(db.execute("SELECT count (*) FROM " + table).fetchone()[0] for table in (
            "task_history", "task_outputs", "task_metrics", "cli_session_history", "cli_session_commands",
            "user_preference_history", "audit_events"))
        stubs = sum(db.execute("SELECT ifnull (sum (events), 0) FROM " + table).fetchone()[0]
                    for table in ("archived_tasks", "archived_sessions"))
        self.assertEqual(here + stubs, expected)
        for year, tasks, sessions in db.execute("SELECT id, tasks, sessions FROM archives").fetchall():
            db.execute("ATTACH ? AS a", ("%s.archive-%d" % (self.broker.ledger, year),))
            self.assertEqual(db.execute("PRAGMA a.integrity_check").fetchone()[0], "ok")
            self.assert_stubs(db, year, tasks, "tasks", "task_id", "e.position - e.task_back",
                              ("task_history", "task_outputs", "task_metrics"))
            self.assert_stubs(db, year, sessions, "sessions", "session_id", "e.session",
                              ("cli_session_history", "cli_session_commands"))
            db.execute("DETACH a")
        db.close()

    def assert_stubs(self, db, year, count, kind, name, key, tables):
        """The archive has what the stubs say of tasks, or sessions, and the ledger itself has none of them."""
        table = {"tasks": "tasks", "sessions": "cli_sessions"}[kind]
        self.assertEqual(db.execute("SELECT count (*) FROM archived_%s x JOIN a.%s t ON t.id = x.id AND t.%s = x.%s WHERE x.archive = ?"
                                    % (kind, table, name, name), (year,)).fetchone()[0], count)
        self.assertEqual(db.execute("SELECT sum (e) FROM (%s)" % " UNION ALL ".join(
            "SELECT count (*) AS e FROM a.%s e JOIN archived_%s x ON x.id = %s AND x.archive = %d" % (one, kind, key, year)
            for one in tables)).fetchone()[0] or 0,
            db.execute("SELECT ifnull (sum (events), 0) FROM archived_%s WHERE archive = ?" % kind, (year,)).fetchone()[0])
        self.assertEqual(db.execute("SELECT count (*) FROM archived_%s x JOIN main.%s t ON t.id = x.id"
                                    % (kind, table)).fetchone()[0], 0)

    def test_kill_at_every_step_of_a_move(self):
        steps = [name for name in self.points if name.startswith("archive_")]
        self.assertGreaterEqual(len(steps), 4)
        #   Without any others, three tasks and then three sessions are one move each
        self.archive()
        for step in steps + COMMIT:
            with self.subTest(step=step):
                ids = self.old(step)
                before = self.state()
                #   In the first move; after it, in that of the second task; after the third one, in that of a session
                for number, tasks in ((1, 0), (2, 1), (3, 3)):
                    self.die("%s:kill:%d" % (step, number), *AGE)
                    self.restart()
                    self._asker = None
                    self.assertEqual(self.state(), before)
                    if step in steps:
                        self.assertEqual(self.moved(ids), (tasks, 0))
                self.archive()
                self.assertEqual(self.state(), before)
                self.assert_whole(len(before[0]))

    def test_kill_at_every_step_of_the_way_back(self):
        steps = [name for name in self.points if name.startswith("recall_")]
        self.assertGreaterEqual(len(steps), 2)
        for step in steps + COMMIT:
            for session in (False, True):
                with self.subTest(step=step, session=session):
                    self.kill_on_the_way_back(step, session)

    def kill_on_the_way_back(self, step, session):
        name = "%s-%s" % (step, session)
        ids = self.old(name)
        self.archive()
        before = self.state()
        #   (The session is old, and moves again)
        late = session_changed(ids[0] + "-session", "running", time=BASE + 2 * DAY) if session else changed(ids[0], "queued")
        subject = "session_id" if session else "task_id"
        #   The hello is committed before the fault is armed: the event's own commit is the next one
        skip = 1 if step.startswith("recall_") else 2
        self.restart(env=dict(os.environ, STELE_FAULT="%s:kill:%d" % (step, skip)))
        self._asker = None
        peer = self.producer(self.name("retry") + name)
        peer.send_events([late])
        self.assertNotEqual(self.broker.wait(), 0)
        self.broker.wait_line("fault: %s" % step)
        self.restart()
        self._asker = None
        again = self.clients.producer(self.broker.events, self.name("retry") + name, instance=peer.instance)
        durable = again.sequence == 1
        if not durable:
            self.assertEqual(self.state()[0], before[0])
            again.publish(late)
        events = self.state()[0]
        self.assertEqual(events[:-1], before[0])
        self.assertEqual((events[-1][subject], events[-1]["state"]), (late[subject], late["state"]))
        self.assertEqual(durable, step in ("commit_after", "high_water_before", "high_water_after"))
        if not session:
            type(self).archivable = self.archivable - {ids[0]}
        self.assert_whole(len(events))

    def test_errors_of_a_step_are_retried(self):
        for step in ("archive_copy", "archive_move"):
            for error in ERRORS:
                with self.subTest(step=step, error=error):
                    self.old(step + error)
                    before = self.state()
                    self.archive(env=dict(os.environ, STELE_FAULT="%s:%s:1" % (step, error)))
                    self.broker.wait_line("fault: %s" % step)
                    self.assertEqual(self.state(), before)
                    self.assert_whole(len(before[0]))

    def test_errors_of_the_way_back_are_retried(self):
        for error in ERRORS:
            with self.subTest(error=error):
                ids = self.old(error)
                self.archive()
                self.restart(env=dict(os.environ, STELE_FAULT="recall_before:%s:1" % error))
                self._asker = None
                position = self.producer(self.name("retry") + error).publish(changed(ids[0], "queued"))
                self.broker.wait_line("fault: recall_before")
                self.assertEqual(len(self.state()[0]), position)
                type(self).archivable = self.archivable - {ids[0]}
                self.assert_whole(position)

    def test_event_about_a_task_or_session_in_a_missing_archive_is_kept(self):
        ids = self.old("missing")
        session = ids[0] + "-session"
        self.archive()
        path = self.broker.ledger + ".archive-2024"
        os.rename(path, path + ".aside")
        nak = self.producer().publish_refused(changed(ids[0], "queued"))
        self.assertEqual(nak["code"], "unavailable")
        self.assertIn(path, nak["message"])
        nak = self.producer().publish_refused(session_changed(session, "running"))
        self.assertEqual((nak["code"], nak["field"]), ("unavailable", "session_id"))
        self.assertIn("the session is in the archive " + path, nak["message"])
        os.rename(path + ".aside", path)
        for rejected in self.ask("rejected.list")["rejected"][-2:]:
            self.assertEqual(self.ask("rejected.retry", id=rejected["id"])["accepted"], 1)
        self.assertEqual(self.ask("task.get", task_id=ids[0])["task"]["state"], "queued")
        self.assertEqual(self.ask("session.get", session_id=session)["session"]["state"], "running")
        type(self).archivable = self.archivable - {ids[0]}
        self.assert_whole(len(self.state()[0]))


class SmallDisk(ArchiveTest):
    """An archive on a disk that has no room for it."""

    tasks = 9

    def test_full_disk_of_an_archive_loses_nothing(self):
        disk = Tmpfs(os.path.join(self.folder, "disk"), MIB // 8)
        self.addCleanup(disk.unmount)
        path = os.path.join(disk.folder, "archive")
        open(path, "w").close()
        os.symlink(path, self.broker.ledger + ".archive-2024")
        before = self.read_events()
        self.restart(*AGE)
        self._asker = None
        line = self.broker.wait_line("cannot move tasks")
        self.assertIn(".archive-2024", line)
        self.assertEqual(self.read_events(), before)
        self.producer().publish(created("meanwhile"))
        disk.make_room(64 * MIB)
        harness.wait_until(lambda: self.archived() == len(self.archivable), "the tasks to move")
        self.broker.wait_line("what is old is moved again")
        self.assertEqual(self.read_events()[:-1], before)
        #   Before its disk goes
        self.broker.stop()


if __name__ == "__main__":
    harness.main()
