# The alerts of examples/monitoring that need a small disk, or a build with fault points
#
# The others are in tests/http/test_alerts.py.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import unittest

import alerts
import harness
from client import created, output
from sweep import points
from test_disk_full import MIB, Tmpfs

BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)


class Full(alerts.AlertTest):
    """The disk of the ledger: large at first, then full"""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root may mount a small disk to fill")
        super().setUpClass()

    @classmethod
    def start_broker(cls, **more):
        cls.disk = Tmpfs(os.path.join(cls.folder, "disk"), 1024 * MIB)
        cls.addClassCleanup(cls.disk.unmount)
        cls.addClassCleanup(cls._end_broker)    # Before: it saves a ledger that is not there any more, and fails
        return super().start_broker(ledger="disk/ledger.db", **more)

    def test_disk_is_low_and_then_full(self):
        #   The free space is measured every ten seconds
        harness.wait_until(lambda: self.value("stele_disk_size_bytes") == 1024 * MIB, "the size of the disk")
        before, peer = self.scrape(), self.producer()
        self.assertEqual((self.finding("disk_low"), self.finding("disk_filling")), (0, 0))
        self.disk.make_room(12 * MIB)
        self.wait_finding("disk_low", 2)
        self.assert_fires(before, "SteleDiskFull")
        peer.publish(created(self.name("task")))
        while not self.ask("stats")["ingest"]["holding"]:
            peer.send_events([output(self.name("task"), os.urandom(30000).hex()) for _ in range(20)])
            harness.wait_until(lambda: peer.socket.poll(0) or self.ask("stats")["ingest"]["holding"], "an ack, or none any more")
            while peer.socket.poll(0):
                peer.note(peer.receive())
        self.wait_finding("holding", 2)
        #   The files beside the ledger cannot be written either
        self.assert_fires(before, "SteleDiskFull", "SteleHoldingBack", ignored=["SteleSearchBehind"])
        self.disk.make_room(1024 * MIB)
        peer.settle()
        harness.wait_until(lambda: self.finding("holding") == 0 and self.finding("disk_low") == 0, "room to be known")


class Stalled(alerts.AlertTest):
    """A commit does not return for a while"""

    @classmethod
    def setUpClass(cls):
        if not points(BUILD):
            raise unittest.SkipTest("%s was not configured with --enable-fault-points" % BUILD)
        super().setUpClass()

    @classmethod
    def start_broker(cls, **more):
        build, harness.BUILD = harness.BUILD, BUILD
        try:
            return super().start_broker(env=dict(os.environ, STELE_FAULT="commit_before:sleep=30000:2"), **more)
        finally:
            harness.BUILD = build

    def test_sync_does_not_return(self):
        before, peer = self.scrape(), self.producer()
        for number in range(2):
            peer.send_events([created("%s-%d" % (self.name("task"), number))])
            harness.wait_until(lambda: peer.socket.poll(0) or self.finding("writer_stalled"), "an ack, or the finding")
        self.wait_finding("writer_stalled", 2)
        self.assert_fires(before, "SteleWriterStalled")
        self.broker.kill()


if __name__ == "__main__":
    harness.main()
