# cycles - what the rounds of killing.py and power.py have in common
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import random
import time


class Cycles:
    """'fault' is the STELE_FAULT of every broker; 'say' is called with a report after each round.

    A subclass has ROUND, the most cycles of one ledger, count(), round(cycles) and report(), and asks enough()
    before each cycle of a round."""

    def __init__(self, seed=None, build=None, fault=None, say=None, evidence=True):
        self.seed = int(seed) if seed else random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(self.seed)
        self.build, self.fault, self.say, self.evidence = build, fault, say, evidence
        self.until, self.least = None, 0
        print("seed %d" % self.seed, flush=True)

    def cycle_until(self, cycles, seconds=None, least=0):
        """At most so many, and no longer than that many seconds after the first 'least' of them."""
        self.until = None if seconds is None else time.monotonic() + seconds
        self.least = least
        while self.count() < cycles and not self.enough():
            self.round(min(self.ROUND, cycles - self.count()))
            if self.say:
                self.say(self.report())

    def enough(self):
        return self.until is not None and time.monotonic() > self.until and self.count() >= self.least
