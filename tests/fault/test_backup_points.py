# kill -9, errors and full disks at every step of a snapshot and of a restore
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import json
import os
import subprocess

import harness
from client import changed, created, output
from faulty import FaultTest
from sweep import points
from test_disk_full import Tmpfs

harness.BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)


class BackupPoints(FaultTest):
    use_redis = False

    @classmethod
    def setUpClass(cls):
        cls.points = points(harness.BUILD)
        super().setUpClass()

    @classmethod
    def start_broker(cls, fault=None, disk=None, **more):
        cls.repository = os.path.join(cls.folder, "repository")
        arguments = ("--backup", cls.repository, "--backup-lag", "1") + tuple(more.pop("arguments", ()))
        env = dict(os.environ, STELE_FAULT=fault or "", STELE_FAULT_DISK=disk or "") if fault or disk else None
        return super().start_broker(arguments=arguments, env=env, **more)

    def setUp(self):
        super().setUp()
        self.assertTrue(self.points, "%s was not configured with --enable-fault-points" % harness.BUILD)
        self.restart()
        self.publish(3)
        self.archive()

    def archive(self):
        """Have an archive with one more task."""
        before, time = self.archived(), 1700000000000000
        task = "%s-%d" % (self.name("old"), before)
        self.producer().publish(*[dict(event, time=time) for event in (
            created(task), changed(task, "running"), changed(task, "passed"))])
        self.restart(arguments=("--archive-after", "90d"))
        harness.wait_until(lambda: self.archived() > before, "the task to be archived")

    def archived(self):
        return self.asker().ask({"op": "stats"})["ledger"].get("archived_tasks", 0)

    def publish(self, count):
        peer = self.producer()
        for number in range(count):
            task = "%s-%d-%d" % (self.name("task"), peer.sequence, number)
            peer.publish(created(task), changed(task, "running"), output(task, os.urandom(20000).hex()))

    def listed(self):
        lines = self.stele("--json", "backup", "list", self.repository).splitlines()
        return [json.loads(line) for line in lines]

    def restore(self, name, env=None, status=0):
        path = os.path.join(self.folder, name)
        done = subprocess.run([harness.program("stele"), "--json", "restore", self.repository, path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE,
                              env=dict(os.environ, **(env or {})))
        self.assertEqual(done.returncode, status, done.stderr)
        return path, done

    def test_kill_at_every_step_of_a_snapshot(self):
        steps = [name for name in self.points if name.startswith("snapshot_")]
        self.assertGreaterEqual(len(steps), 6)
        self.stele("backup")
        for step in steps:
            with self.subTest(step=step):
                kept = [line["snapshot"] for line in self.listed() if line["sound"]]
                self.assertTrue(kept)
                self.publish(1)
                self.archive()
                self.restart(fault="%s:kill" % step, arguments=("--backup-daily", "1", "--backup-weekly", "1",
                                                                "--backup-monthly", "1"))
                self.stele("--timeout", "2000", "backup", status=None)
                self.assertNotEqual(self.broker.wait(), 0)
                self.broker.wait_line("fault: %s: kill" % step)
                #   What counts is whole, and one of these that counted before is there, or a newer one
                sound = [line["snapshot"] for line in self.listed() if line["sound"]]
                self.assertTrue(sound)
                if step not in ("snapshot_published", "snapshot_removed"):
                    self.assertEqual(sound, kept)
                self.restart()
                self.assert_whole()
                self.stele("backup")
                for folder in ("snapshots", "archives"):
                    self.assertEqual(glob.glob(os.path.join(self.repository, folder, "*.part")), [])
                self.assertEqual(len(os.listdir(os.path.join(self.repository, "archives"))), 1)
                newest = self.listed()[0]
                self.assertTrue(newest["sound"])
                path, _ = self.restore("after-%s.db" % step)
                os.unlink(path)

    def test_errors_of_the_copy_are_reported_and_delay_no_ack(self):
        self.stele("backup")
        kept = self.listed()
        for error in ("error", "full", "busy", "nomem"):
            with self.subTest(error=error):
                self.restart(fault="snapshot_copy:%s" % error)
                self.stele("backup", status=74)
                self.publish(1)
                self.assertIn(b"backup_failing", self.stele("--json", "health", status=1))
                self.assertEqual([line["snapshot"] for line in self.listed()], [line["snapshot"] for line in kept])
                self.assertEqual(glob.glob(os.path.join(self.repository, "snapshots", "*.part")), [])

    def test_copy_is_given_up_when_the_log_is_too_long_and_begins_again(self):
        #   The file of the log ends with up to 256 KiB that are not in use
        slow, limit = os.path.join(self.folder, "slow"), 4 * 8000000 + 300000
        with open(slow, "w"):
            pass
        self.publish(60)
        self.restart(settings={"wal-bytes": "8000000"}, disk="write@.part:sleep=150:while=" + slow)
        backup = subprocess.Popen([harness.program("stele"), "backup"], env=self.broker.environment(), stdout=subprocess.DEVNULL)
        self.addCleanup(backup.kill)
        harness.wait_until(lambda: glob.glob(os.path.join(self.repository, "snapshots", "*copy*.part")), "the copy to begin")
        task, peer = self.name("task"), self.producer("large")
        peer.publish(created(task))
        while os.path.getsize(self.broker.ledger + "-wal") <= limit:
            peer.publish(output(task, os.urandom(500000).hex()))
        line = self.broker.wait_line("backup: begins again")
        self.assertRegex(line, r"the write-ahead log has \d{8,} bytes")
        os.unlink(slow)
        self.assertEqual(backup.wait(harness.PATIENCE), 0)
        self.assertTrue(self.listed()[0]["sound"])
        self.assertGreater(self.listed()[0]["position"], 120)

    def test_kill_at_every_step_of_a_restore(self):
        self.stele("backup")
        for step in [name for name in self.points if name.startswith("restore_")]:
            with self.subTest(step=step):
                name = "killed-at-%s.db" % step
                path, _ = self.restore(name, env={"STELE_FAULT": "%s:kill" % step}, status=-9)
                self.assertFalse(os.path.exists(path))
                self.restore(name)
                self.assertEqual(glob.glob(path + ".restoring*"), [])
                self.assertEqual(len(glob.glob(path + ".archive-2023")), 1)


class SmallRepository(FaultTest):
    """A repository on a disk that has no room for a snapshot."""

    use_redis = False

    @classmethod
    def start_broker(cls, **more):
        cls.disk = Tmpfs(os.path.join(cls.folder, "disk"), 1 << 20)
        cls.addClassCleanup(cls.disk.unmount)
        cls.addClassCleanup(cls._end_broker)    # Before: it would write into the folder under the disk
        return super().start_broker(arguments=("--backup", os.path.join(cls.disk.folder, "repository")), **more)

    def test_snapshot_without_room_is_refused_and_delays_no_ack(self):
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task), *[output(task, os.urandom(50000).hex()) for _ in range(40)])
        self.stele("backup", status=74)
        self.assertRegex(self.stderr, r"bytes left|No space left")
        self.broker.wait_line("backup failed")
        peer.publish(changed(task, "running"))
        self.assertIn(b"backup_failing", self.stele("--json", "health", status=1))
        self.disk.make_room(64 << 20)
        self.stele("backup")
        self.assertNotIn(b"backup_failing", self.stele("--json", "health", status=None))


if __name__ == "__main__":
    harness.main()
