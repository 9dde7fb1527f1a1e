# kill -9 at random times: no acked event is lost, no event is stored twice
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import unittest

import harness
from killing import Killing


class Kill(unittest.TestCase):
    def test_kill_at_random_times_loses_nothing(self):
        with Killing(os.environ.get("SEED")) as killing:
            cycles = int(os.environ.get("CYCLES", "300"))
            killing.cycle_until(cycles, seconds=90, least=20)
            print("figures: " + killing.report())


if __name__ == "__main__":
    harness.main()
