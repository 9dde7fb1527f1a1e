# Full disks: a small tmpfs and a small ext4 with the ledger on them, with any build
#
# Mounting needs root, and a kernel that allows it: otherwise skipped, with the reason.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import shutil
import subprocess
import unittest

import harness
from client import Silence, created, output
from faulty import FaultTest
from load import Load

MIB = 1 << 20


class Disk:
    """A separate file system, mounted on a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.mounted = False
        os.mkdir(folder)

    def mount(self, *arguments):
        done = subprocess.run(["mount", *arguments, self.folder], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise unittest.SkipTest("cannot mount: %s" % done.stdout.strip())
        self.mounted = True

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)
            self.mounted = False

    def free(self):
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_bsize


class Tmpfs(Disk):
    def __init__(self, folder, size):
        super().__init__(folder)
        self.mount("-t", "tmpfs", "-o", "size=%d" % size, "stele-test")

    def make_room(self, size):
        subprocess.run(["mount", "-o", "remount,size=%d" % size, self.folder], check=True)


class Ext4 (Disk):
    """Has the size of make_room; a file in it occupies the surplus at first."""

    def __init__(self, folder, size, whole):
        super().__init__(folder)
        image = folder + ".img"
        with open(image, "wb") as file:
            file.truncate(whole)
        mkfs = shutil.which("mkfs.ext4", path=os.environ["PATH"] + ":/sbin:/usr/sbin")
        if not mkfs:
            raise unittest.SkipTest("there is no mkfs.ext4")
        subprocess.run([mkfs, "-q", "-m", "0", image], check=True)
        self.mount("-o", "loop", image)
        self.ballast = os.path.join(folder, "ballast")
        with open(self.ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free() - size)

    def make_room(self, _):
        os.unlink(self.ballast)


class FullDiskTest(FaultTest):
    use_redis = False
    SMALL = 12 * MIB
    WHOLE = 160 * MIB

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root may mount a small disk to fill")
        super().setUpClass()

    @classmethod
    def start_broker(cls, **more):
        more.setdefault("ledger", "ledger.db")
        return super().start_broker(**more)

    def disk(self, kind, *arguments):
        disk = kind(os.path.join(self.folder, self._testMethodName[-20:]), self.SMALL, *arguments)
        self.addCleanup(disk.unmount)
        self.broker.kill()
        self._asker = None
        self.ledger = os.path.relpath(os.path.join(disk.folder, "ledger.db"), self.folder)
        self.start_broker(ledger=self.ledger)
        self.addCleanup(self.broker_home)
        return disk

    def broker_home(self):
        if self.broker.running():
            self.broker.stop()
        self.start_broker()

    def holding(self):
        def state():
            stats = self.ask("stats")["ingest"]
            return stats if stats["holding"] else None
        return harness.wait_until(state, "the broker to hold back")

    def codes(self):
        answer = json.loads(self.stele("--json", "health", status=None))
        return {finding["code"]: finding for finding in answer["findings"]}

    def assertHealth(self, status, *codes):
        """stele health ends with that status and has these findings. The disk is sampled every 10 s."""
        harness.wait_until(lambda: self.codes().keys() >= set(codes), "the findings " + " ".join(codes))
        self.assertEqual(self.status, status)
        self.assertIn("No space left on device", self.codes()["holding"]["message"])
        self.assertGreaterEqual(self.codes()["holding"]["for_ms"], 0)
        self.stele("ping")
        self.assertIn("acks are held back", self.stderr)

    def fill_up(self, peer):
        """Publish until no more acks arrive; the peer counts its acks."""
        while not self.ask("stats")["ingest"]["holding"]:
            peer.send_events([output(self.name("big"), os.urandom(30000)) for _ in range(20)])
            try:
                while not peer.settled():
                    peer.note(peer.receive(2000))
            except Silence:
                pass

    def full(self, disk, kill):
        task = self.name("task")
        self.producer(self.name("early")).publish(created(task))
        load = Load(self.broker.events, self.name("load"))
        self.addCleanup(load.stop)
        load.wait_acked(500)
        peer = self.producer()
        self.fill_up(peer)
        self.assertIn("No space left on device", self.holding()["trouble"])
        self.assertLess(disk.free(), MIB)
        self.assertHealth(1, "holding", "disk_low")
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "queued")
        with self.assertRaises(Silence):
            self.asker().ask({"op": "publish", "producer": self.name("rest"),
                              "events": [created(self.name("rest"))]}, 1500)
        acked = peer.acked
        if kill:
            self.restart(ledger=self.ledger)            # Still full
            self.assertGreaterEqual(self.ask("ping")["position"], acked + load.acked)
        disk.make_room(self.WHOLE)
        load.wait_acked(load.acked + 500)
        peer = self.producer(peer.name, instance=peer.instance)
        self.assertGreaterEqual(peer.welcome["sequence"], acked)
        peer.publish(output(self.name("big"), b"room again"))
        self.assertIs(self.ask("stats")["ingest"]["holding"], False)
        self.assertNotIn("holding", self.codes())
        load.finish()
        self.restart(ledger=self.ledger)
        self.assert_kept(load)
        self.assert_whole()
        rows = self.file().execute("SELECT count(*) FROM task_outputs_view WHERE task_id = ?",
                                   (self.name("big"),)).fetchone()[0]
        self.assertEqual(rows, peer.acked)

    def test_tmpfs(self):
        self.full(self.disk(Tmpfs), kill=False)

    def test_tmpfs_and_killed(self):
        self.full(self.disk(Tmpfs), kill=True)

    def test_ext4(self):
        self.full(self.disk(Ext4, self.WHOLE), kill=False)

    def test_ext4_and_killed(self):
        self.full(self.disk(Ext4, self.WHOLE), kill=True)


if __name__ == "__main__":
    harness.main()
