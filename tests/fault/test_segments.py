# Backups under faults: kill -9 at every write of the repository, at any moment, and a full disk
#
# Mounting a small disk needs root, and a kernel that allows it: otherwise skipped, with the reason.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import random
import unittest

import harness
from client import output
from load import Load
from sweep import points
from test_backup_segments import SAME_ROWS, Segments as Base, rows
from test_disk_full import MIB, Tmpfs

FAULT_BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)


class SegmentsUnderFaults(Base):
    def verify(self):
        """Wait for the backup, stop, and compare: every byte of the segments, and a replay with the ledger."""
        head = self.ask("info")["position"]
        harness.wait_until(lambda: self.part()["position"] >= head, "the backup of all events")
        self.stop()
        head = rows(self.broker.ledger, "SELECT max (last) FROM commits")[0][0]
        self.assertEqual(self.check(), ([], head))
        path, _ = self.replay()
        for sql in SAME_ROWS:
            self.assertEqual(rows(path, sql), rows(self.broker.ledger, sql), sql)

    def loaded(self, name):
        load = Load(self.broker.events, name, window=200, batch=20)
        self.addCleanup(load.stop)
        return load

    def test_kills_at_any_moment_leave_a_repository_that_continues(self):
        dice = random.Random(os.environ.get("SEED"))
        load = self.loaded("load")
        for _ in range(8):
            load.wait_acked(load.acked + dice.randrange(1, 5000))
            self.broker.kill()
            self.assertEqual(self.check()[0], [])
            self.backed_up()
        load.finish(100)
        self.verify()

    def test_kills_at_every_write_leave_a_repository_that_continues(self):
        names = [name for name in points(FAULT_BUILD) if name.startswith("repository_")]
        if not names:
            self.skipTest("%s was not configured with --enable-fault-points" % FAULT_BUILD)
        self.stop()
        program, harness.program = harness.program, lambda name: os.path.join(FAULT_BUILD, name)
        self.addCleanup(setattr, harness, "program", program)
        load = self.loaded("load")
        for name in names:
            for count in (1, 2):
                #   Which may come before it is ready
                self.start_broker(env=dict(os.environ, STELE_FAULT="%s:kill:%d" % (name, count)), line="fault: %s: kill" % name)
                self.broker.wait()
                self.assertEqual(self.check()[0], [], name)
        self.backed_up()
        load.finish(100)
        self.verify()

    def test_full_disk_of_the_repository_holds_no_ack_back(self):
        if os.geteuid() != 0:
            self.skipTest("only root may mount a small disk to fill")
        self.stop()
        disk = Tmpfs(os.path.join(self.folder, "disk"), 4 * MIB)
        self.addCleanup(disk.unmount)
        self.repository = os.path.join(disk.folder, "repository")
        self.segments = os.path.join(self.repository, "segments")
        self.backed_up()
        producer = self.producer()
        for number in range(12):
            producer.publish(output("t", random.Random(number).randbytes(MIB // 2)))
        harness.wait_until(lambda: self.part()["state"] == "failing", "the disk to be full")
        self.assertIn("No space left on device", self.part()["error"])
        self.assertIn("segments_failing", self.stele("--json", "health", status=None).decode())
        before = self.check()
        self.assertEqual(before[0], [])         # What was there before is still good
        position = producer.publish(output("t", b"acked while the disk is full"))
        disk.make_room(64 * MIB)
        harness.wait_until(lambda: self.part()["position"] >= position, "the backup to continue")
        self.verify()


del Base                                        # Its own tests are not repeated here
for inherited in [name for name in dir(SegmentsUnderFaults) if name.startswith("test_")]:
    if inherited not in vars(SegmentsUnderFaults):
        setattr(SegmentsUnderFaults, inherited, None)


if __name__ == "__main__":
    unittest.main(verbosity=2)
