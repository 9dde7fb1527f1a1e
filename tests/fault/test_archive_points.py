# kill -9, errors and full disks at every step of a move to an archive, and of the way back
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import sqlite3

import harness
from archived import BASE, DAY, ArchiveTest
from client import changed, created, output
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

    def die(self, fault, *arguments):
        """Start a broker that dies there by itself."""
        text = "fault: %s" % fault.split(":")[0]
        try:
            self.restart(*arguments, env=dict(os.environ, STELE_FAULT=fault))
        except AssertionError as before_ready:
            self.assertIn(text, str(before_ready))
            return
        self.assertNotEqual(self.broker.wait(), 0)
        self.broker.wait_line(text)

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
                         output(task_id, os.urandom(3000).hex(), time=time + 2), changed(task_id, "failed", time=time + 3))
        type(self).archivable = self.archivable | set(ids)
        return ids

    def state(self):
        """What must not change: the log, the tasks, and how they are counted."""
        events = self.read_events()
        self.assertEqual([event["position"] for event in events], list(range(1, len(events) + 1)))
        return (events, self.pages("task.list", "tasks", order="updated_desc", limit=7),
                self.pages("table.read", "rows", table="task_history", limit=100), self.ask("stats")["tasks"])

    def assert_whole(self, expected):
        """In the files: each event once, in the ledger or in the archive that a stub names."""
        self.broker.stop()
        db = sqlite3.connect(self.broker.ledger)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        tables = ("task_history", "task_outputs", "task_metrics")
        here = sum(db.execute("SELECT count (*) FROM " + table).fetchone()[0] for table in tables + (
            "cli_session_history", "cli_session_commands", "user_preference_history", "audit_events"))
        self.assertEqual(here + db.execute("SELECT ifnull (sum (events), 0) FROM archived_tasks").fetchone()[0], expected)
        for year, tasks in db.execute("SELECT id, tasks FROM archives").fetchall():
            db.execute("ATTACH ? AS a", ("%s.archive-%d" % (self.broker.ledger, year),))
            self.assertEqual(db.execute("PRAGMA a.integrity_check").fetchone()[0], "ok")
            self.assertEqual(db.execute("SELECT count (*) FROM archived_tasks x JOIN a.tasks t ON t.id = x.id"
                                        " AND t.task_id = x.task_id WHERE x.archive = ?", (year,)).fetchone()[0], tasks)
            self.assertEqual(db.execute("SELECT sum (e) FROM (%s)" % " UNION ALL ".join(
                "SELECT count (*) AS e FROM a.%s e JOIN archived_tasks x ON x.id = e.position - e.task_back"
                " AND x.archive = %d" % (table, year) for table in tables)).fetchone()[0] or 0,
                db.execute("SELECT ifnull (sum (events), 0) FROM archived_tasks WHERE archive = ?", (year,)).fetchone()[0])
            self.assertEqual(db.execute("SELECT count (*) FROM archived_tasks x JOIN main.tasks t ON t.id = x.id").fetchone()[0], 0)
            db.execute("DETACH a")
        db.close()

    def test_kill_at_every_step_of_a_move(self):
        steps = [name for name in self.points if name.startswith("archive_")]
        self.assertGreaterEqual(len(steps), 4)
        for step in steps + COMMIT:
            with self.subTest(step=step):
                self.old(step)
                before = self.state()
                self.die("%s:kill" % step, *AGE)
                self.restart()
                self._asker = None
                self.assertEqual(self.state(), before)
                #   And in the middle of it
                self.die("%s:kill:2" % step, *AGE)
                self.restart()
                self._asker = None
                self.assertEqual(self.state(), before)
                self.archive()
                self.assertEqual(self.state(), before)
                self.assert_whole(len(before[0]))

    def test_kill_at_every_step_of_the_way_back(self):
        steps = [name for name in self.points if name.startswith("recall_")]
        self.assertGreaterEqual(len(steps), 2)
        for step in steps + COMMIT:
            with self.subTest(step=step):
                ids = self.old(step)
                self.archive()
                before = self.state()
                #   The hello is committed before the fault is armed: the event's own commit is the next one
                skip = 1 if step.startswith("recall_") else 2
                self.restart(env=dict(os.environ, STELE_FAULT="%s:kill:%d" % (step, skip)))
                self._asker = None
                peer = self.producer(self.name("retry") + step)
                peer.send_events([changed(ids[0], "queued")])
                self.assertNotEqual(self.broker.wait(), 0)
                self.broker.wait_line("fault: %s" % step)
                self.restart()
                self._asker = None
                again = self.clients.producer(self.broker.events, self.name("retry") + step, instance=peer.instance)
                durable = again.sequence == 1
                if not durable:
                    self.assertEqual(self.state()[0], before[0])
                    again.publish(changed(ids[0], "queued"))
                events = self.state()[0]
                self.assertEqual(events[:-1], before[0])
                self.assertEqual((events[-1]["task_id"], events[-1]["state"]), (ids[0], "queued"))
                self.assertEqual(durable, step in ("commit_after", "high_water_before", "high_water_after"))
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

    def test_event_about_a_task_in_a_missing_archive_is_kept(self):
        ids = self.old("missing")
        self.archive()
        path = self.broker.ledger + ".archive-2024"
        os.rename(path, path + ".aside")
        nak = self.producer().publish_refused(changed(ids[0], "queued"))
        self.assertEqual(nak["code"], "unavailable")
        self.assertIn(path, nak["message"])
        os.rename(path + ".aside", path)
        number = self.ask("rejected.list")["rejected"][-1]["id"]
        self.assertEqual(self.ask("rejected.retry", id=number)["accepted"], 1)
        self.assertEqual(self.ask("task.get", task_id=ids[0])["task"]["state"], "queued")
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
        self.broker.wait_line("tasks are moved again")
        self.assertEqual(self.read_events()[:-1], before)
        #   Before its disk goes
        self.broker.stop()


if __name__ == "__main__":
    harness.main()
