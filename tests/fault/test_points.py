# kill -9 at every fault point of the program, and again in the recovery that follows
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import unittest

import harness
from sweep import Sweep, points

BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)


class Points(unittest.TestCase):
    def test_kill_at_every_point_and_again_in_the_recovery_loses_nothing(self):
        names = points(BUILD)
        if not names:
            self.skipTest("%s was not configured with --enable-fault-points" % BUILD)
        self.assertGreaterEqual(len(names), 40)
        sweep = Sweep(BUILD, os.environ.get("SEED"))
        self.addCleanup(sweep.close)
        print("seed %d" % sweep.seed)
        sweep.all_points()
        print("figures: " + sweep.report())
        self.assertEqual(sweep.unreached, [], "never reached")
        self.assertGreaterEqual(sweep.again, len(names) * 3 // 4)


if __name__ == "__main__":
    harness.main()
