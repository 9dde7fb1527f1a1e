# kill -9 and errors at every step of an erasure and of stele compact: done once, or not at all
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import sqlite3
import subprocess

import harness
from archived import BASE, DAY, ArchiveTest
from client import changed, command, created, output, session_changed, started
from sweep import points

harness.BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)

AGE = ("--archive-after", "90d")
COMMIT = ["flush_before", "commit_before", "commit_after", "high_water_before", "high_water_after"]
NEEDLE = "Zwiebelfisch"
MANY = 1200                     # Outputs that are erased in steps,
STEPS = ("erase_step", "erase_stepped")     # with these points
EVENTS = 6                      # Others of a task and its session


def session_of(task):
    """Its events."""
    session = task + "-session"
    return [started(session, task_id=task, current_directory="/" + NEEDLE, time=BASE + 1),
            command(session, NEEDLE, output=NEEDLE, time=BASE + 2), session_changed(session, "completed", time=BASE + 3)]


class Points(ArchiveTest):
    tasks = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.points = points(harness.BUILD)

    def setUp(self):
        super().setUp()
        self.assertTrue(self.points, "%s was not configured with --enable-fault-points" % harness.BUILD)

    def archived_task(self, name, outputs=1):
        """A task of its own in an archive, with a session."""
        self._asker = None
        if not self.broker.running():
            self.restart()
        task = "%s-%s" % (self.name("task"), name)
        self.producer(self.name("producer") + name).publish(
            created(task, time=BASE, description=NEEDLE), changed(task, "running", time=BASE + 1),
            *[output(task, NEEDLE + os.urandom(3000 // outputs).hex(), time=BASE + 2) for _ in range(outputs)],
            changed(task, "failed", time=BASE + 3, error_message=NEEDLE), *session_of(task))
        type(self).archivable = self.archivable | {task}
        self.archive()
        return task

    def found(self):
        """Files that have the needle, without the ledger itself: its free pages may (stele compact)."""
        names = []
        for path in glob.glob(self.broker.ledger + "*"):
            try:
                with open(path, "rb") as file:
                    if path != self.broker.ledger and NEEDLE.encode() in file.read():
                        names.append(path)
            except FileNotFoundError:                           # Made again meanwhile
                pass
        return names

    def hold(self, step, number=1):
        """An environment in which the first one that gets there, or that one, waits until 'release'."""
        self.held = os.path.join(self.folder, "held")
        with open(self.held, "w"):
            pass
        return dict(os.environ, STELE_FAULT="%s:hold=%s:%d" % (step, self.held, number))

    def release(self):
        os.unlink(self.held)

    def erasures(self, task):
        return [event for event in self.ask("audit.list", operation="task.erase")["events"] if event["target"] == task]

    def wait_erased(self, task):
        harness.wait_until(lambda: "erasing" not in self.ask("task.get", task_id=task)["erased"], "all outputs to be erased")

    def assert_erased(self, task, events):
        """Once: the events are all there, one audit event, nothing left in the files, and the history verifies."""
        self.wait_erased(task)
        self.assertEqual(len(self.erasures(task)), 1)
        after = self.read_events()
        self.assertEqual([event["position"] for event in after], list(range(1, len(after) + 1)))
        self.assertEqual(len([event for event in after if "erased_leaf" in event
                              and (event.get("task_id") == task or event.get("session_id") == task + "-session")]), events)
        harness.wait_until(lambda: not self.found(), "the files to be scrubbed")
        type(self).archivable = self.archivable - {task}
        self.assertEqual(self.archived(), len(self.archivable))
        self.broker.stop()
        subprocess.run([harness.program("stele"), "verify", self.broker.ledger], check=True, stdout=subprocess.DEVNULL,
                       timeout=harness.PATIENCE)

    def kill_at(self, step):
        outputs = MANY if step in STEPS else 1
        task = self.archived_task(step, outputs)
        before = self.read_events()
        self.die("%s:kill" % step, *AGE,
                 meanwhile=lambda: self.asker().send({"op": "task.erase", "task_id": task, "reason": "r"}))
        self.restart(*AGE)
        self._asker = None
        if not self.erasures(task):
            self.assertEqual(self.read_events(), before)
        else:
            self.wait_erased(task)
        self.ask("task.erase", task_id=task, reason="r")
        self.assert_erased(task, EVENTS + outputs)


class ErasePoints(Points):
    def test_kill_at_every_step(self):
        steps = [name for name in self.points if name.startswith("erase_")]
        self.assertEqual(len(steps), 4)
        for step in steps + COMMIT:
            with self.subTest(step=step):
                self.kill_at(step)

    def erase_while_archived(self, step, **keys):
        """The copy of that step still has the contents, and does not count."""
        self._asker = None
        if not self.broker.running():
            self.restart()
        task = "%s-%d" % (self.name("task"), step)
        self.producer(task).publish(created(task, time=BASE, **keys), changed(task, "running", time=BASE + 1),
                                    changed(task, "failed", time=BASE + 3), *(session_of(task) if step == 2 else []))
        self.restart(*AGE, env=self.hold("archive_copied", step))
        self._asker = None
        copies = lambda: [path for path in self.found() if ".archive-2024" in path]
        harness.wait_until(copies, "the copy")
        self.ask("task.erase", task_id=task, reason="r")
        self.release()
        harness.wait_until(lambda: not self.found(), "the copy to be scrubbed")
        after = "after-" + task
        self.producer(after).publish(created(after, time=BASE), changed(after, "passed", time=BASE + 1))
        #   (The next look at all tasks may be in an hour)
        self._asker = None
        self.restart(*AGE)
        type(self).archivable = self.archivable | {after, task}
        harness.wait_until(lambda: self.archived() == len(self.archivable) - 1, "the others to move")
        self.assert_erased(task, EVENTS if step == 2 else 3)

    def test_task_that_is_erased_while_it_is_archived(self):
        self.erase_while_archived(1, description=NEEDLE)

    def test_task_that_is_erased_while_its_session_is_archived(self):
        self.erase_while_archived(2)

    def test_task_that_is_erased_while_a_backup_is_taken(self):
        """The copy of the ledger says that the task is in the archive, which is copied later and no longer has it."""
        task = self.archived_task("backup")
        repository = os.path.join(self.folder, "repository")
        self.restart(*AGE, "--backup", repository, env=self.hold("snapshot_verified"))
        self._asker = None
        harness.wait_until(lambda: glob.glob(repository + "/snapshots/*check.part"), "the copy of the ledger")
        erased = self.ask("task.erase", task_id=task, reason="r")["erased_position"]
        harness.wait_until(lambda: not self.found(), "the files to be scrubbed")
        self.release()
        snapshots = lambda: [int(os.path.basename(path)[:16]) for path in glob.glob(repository + "/snapshots/*.json")]
        harness.wait_until(snapshots, "a snapshot")
        self.assertEqual([position >= erased for position in snapshots()], [True])
        self.assert_erased(task, EVENTS + 1)
        subprocess.run([harness.program("stele"), "backup", "check", "--full", repository], check=True, stdout=subprocess.DEVNULL,
                       timeout=harness.PATIENCE)

    def test_errors_are_retried(self):
        for step in ("erase_before", "erase_step", "scrub_before"):
            for error in ("full", "busy", "nomem"):
                with self.subTest(step=step, error=error):
                    outputs = MANY if step in STEPS else 1
                    task = self.archived_task(step + error, outputs)
                    self.restart(*AGE, env=dict(os.environ, STELE_FAULT="%s:%s:1" % (step, error)))
                    self._asker = None
                    self.ask("task.erase", task_id=task, reason="r")
                    self.broker.wait_line("fault: %s" % step)
                    self.assert_erased(task, EVENTS + outputs)

    def test_compact_and_a_restore_erase_what_is_left(self):
        repository = os.path.join(self.folder, "rest")
        task = self.archived_task("rest", MANY)
        self.restart(*AGE, "--backup", repository)
        self._asker = None
        self.stele("backup")
        self.restart(*AGE, "--backup", repository, "--backup-lag", "1", env=dict(os.environ, STELE_FAULT="erase_step:busy:2+"))
        self._asker = None
        self.assertIs(self.ask("task.erase", task_id=task, reason="r")["erasing"], True)
        left = "SELECT count(*) FROM task_outputs WHERE content != '(erased)'"
        harness.wait_until(lambda: self.rows(left)[0][0] == MANY - 500, "the first step")
        harness.wait_until(lambda: "erase_error" in self.ask("stats")["ingest"], "the failure to be reported")
        head = self.ask("ping")["position"]
        harness.wait_until(lambda: self.ask("stats")["segments"]["position"] >= head, "the segments")
        #   From the snapshot before it and these; then from a snapshot with some of the outputs
        for name in ("replayed.db", "copied.db"):
            new = os.path.join(self.folder, name)
            subprocess.run([harness.program("stele"), "restore", repository, new], check=True, stdout=subprocess.DEVNULL,
                           timeout=harness.PATIENCE)
            self.assertEqual(self.rows(left, new)[0][0], 0)
            self.stele("backup")
        self.broker.stop()
        self.assertEqual(self.rows(left)[0][0], MANY - 500)
        subprocess.run([harness.program("stele"), "compact", self.broker.ledger], check=True, stdout=subprocess.DEVNULL,
                       timeout=harness.PATIENCE)
        self.assertEqual(self.rows(left)[0][0], 0)
        self.restart(*AGE)
        self._asker = None
        self.assert_erased(task, EVENTS + MANY)

    def test_kill_at_every_step_of_compact(self):
        steps = [name for name in self.points if name.startswith("compact_")]
        self.assertEqual(len(steps), 3)
        task = self.archived_task("compact")
        self.ask("task.erase", task_id=task, reason="r")
        before = self.read_events()
        type(self).archivable = self.archivable - {task}
        for step in steps:
            with self.subTest(step=step):
                self.broker.stop()
                done = subprocess.run([harness.program("stele"), "compact", self.broker.ledger], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, env=dict(os.environ, STELE_FAULT="%s:kill" % step),
                                      timeout=harness.PATIENCE)
                self.assertNotEqual(done.returncode, 0)
                self.restart()
                self._asker = None
                self.assertEqual(self.read_events(), before)
        self.broker.stop()
        subprocess.run([harness.program("stele"), "compact", self.broker.ledger], check=True, stdout=subprocess.DEVNULL,
                       timeout=harness.PATIENCE)
        db = sqlite3.connect(self.broker.ledger)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        self.assertEqual(db.execute("PRAGMA freelist_count").fetchone()[0], 0)
        db.close()
        self.restart()
        self._asker = None
        self.assertEqual(self.read_events(), before)


#   A start scrubs too, if there were erasures: each of the next two is the first one of its ledger

class BeforeTheScrub(Points):
    def test_kill_before_the_scrub(self):
        self.kill_at("scrub_before")


class AfterTheScrub(Points):
    def test_kill_after_the_scrub(self):
        self.kill_at("scrub_after")


if __name__ == "__main__":
    harness.main()
