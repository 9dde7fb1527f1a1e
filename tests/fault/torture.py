# torture - the faults of make check-fault, over and over
#
#   torture.py [--cycles N] [--seed N] [--only kill|power|points]
#
# N kills (10,000), with one power cut per fifty of them and one sweep over all fault points
# per thousand. Ends at the first broken promise: the printed seed repeats the
# random choices, and the ledger and all promises
# are kept.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import argparse
import os
import random
import sys
import time
import traceback

import harness
from disk import reason_against
from killing import Killing
from power import Power
from sweep import Sweep

PLAIN = harness.BUILD
FAULTY = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)


def say(text):
    print(time.strftime("%H:%M:%S ") + text, flush=True)


def kill(seed, cycles):
    with Killing(seed, PLAIN, say=say) as killing:
        killing.cycle_until(cycles)
        return killing.report()


def power(seed, cycles):
    with Power(seed, PLAIN, say=say) as cuts:
        cuts.cycle_until(max(1, cycles // 50))
        return cuts.report()


def points(seed, cycles):
    lots = random.Random(seed)
    report = ""
    for _ in range(max(1, cycles // 1000)):
        sweep = Sweep(FAULTY, lots.randrange(1 << 32))
        try:
            sweep.all_points()
            if sweep.unreached:
                raise AssertionError("never reached: " + ", ".join(sweep.unreached))
        finally:
            sweep.close()
        report = sweep.report()
        say(report)
    return report


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", choices=("kill", "power", "points"))
    args = parser.parse_args()
    say("seed %d, %d cycles" % (args.seed, args.cycles))
    passed, failed = 0, 0
    for name, part in (("kill", kill), ("power", power), ("points", points)):
        if args.only and name != args.only:
            continue
        reason = reason_against() if name == "power" else None
        if reason:
            say("power: skipped: " + reason)
            continue
        try:
            say("%s: passed: %s" % (name, part(args.seed, args.cycles)))
            passed += 1
        except Exception as error:
            traceback.print_exc()
            say("%s: FAILED, seed %d: %s" % (name, args.seed, error))
            failed += 1
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
