# The judge is reliable: it detects two brokers that deliberately break the promise
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import unittest

import harness
from disk import reason_against
from judge import Verdict
from killing import Killing
from power import Power
from sweep import points

BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)


class Controls(unittest.TestCase):
    def setUp(self):
        if not points(BUILD):
            self.skipTest("%s was not configured with --enable-fault-points" % BUILD)

    def assert_caught(self, cycles, within):
        """The judge must report an event as lost that was acked, or sent on the feed, within
        that many cycles."""
        with self.assertRaises(Verdict) as caught:
            cycles.cycle_until(within)
        self.assertTrue(caught.exception.kinds() & {"lost", "feed"}, str(caught.exception))
        print("figures: caught in cycle %d: %s" % (cycles.count() + 1, str(caught.exception).split("\n", 1)[0]))

    def test_ack_before_commit_is_caught_by_kill_9(self):
        with Killing(os.environ.get("SEED"), BUILD, fault="ack_before_commit", evidence=False,
                     rates=(20000,)) as killing:
            self.assert_caught(killing, 200)

    def test_commits_that_are_not_synced_are_caught_by_a_power_cut(self):
        reason = reason_against()
        if reason:
            self.skipTest(reason)
        with Power(os.environ.get("SEED"), BUILD, fault="sync_normal", evidence=False) as power:
            self.assert_caught(power, 30)


if __name__ == "__main__":
    harness.main()
