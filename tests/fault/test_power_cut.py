# Power cuts: acked events are on the disk
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import unittest

import harness
from disk import reason_against
from power import Power


class PowerCut(unittest.TestCase):
    def test_power_cut_under_load_loses_nothing(self):
        reason = reason_against()
        if reason:
            self.skipTest(reason)
        with Power(os.environ.get("SEED")) as power:
            cycles = int(os.environ.get("CYCLES", "50"))
            power.cycle_until(cycles, seconds=60, least=5)
            print("figures: " + power.report())


if __name__ == "__main__":
    harness.main()
