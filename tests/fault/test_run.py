# Kill `stele run` at random moments, and the broker now and then: what was durable is recorded once
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import random
import subprocess
import time

import harness
from faulty import FaultTest

CYCLES = int(os.environ.get("STELE_RUN_CYCLES", "60"))
LAST = 400
SCRIPT = "i=0; while [ $i -lt %d ]; do i=$((i + 1)); echo $i; done" % LAST
EMPTY_BYTES = 12288


class RunKilled(FaultTest):
    use_redis = False

    def start(self, task, *words):
        return harness.Process(
            [harness.program("stele"), "run", "--quiet", "--task", task, "--", *words],
            env=dict(self.broker.environment(), XDG_STATE_HOME=os.path.join(self.folder, "state")))

    def waiting(self):
        return [path for path in glob.glob(os.path.join(self.folder, "state", "stele", "run", "*", "*.spool"))
                if os.path.getsize(path) > EMPTY_BYTES]

    def test_killed_at_random_moments(self):
        chance = random.Random(self.id())
        done, killed, brokers = set(), set(), 0
        for cycle in range(CYCLES):
            task = "task-%d" % cycle
            child = self.start(task, "sh", "-c", SCRIPT)
            time.sleep(chance.uniform(0, 0.1))
            if self.broker.running():
                if chance.random() < 0.2:
                    self.broker.kill()
                    brokers += 1
            elif chance.random() < 0.5:
                self.restart()
            if chance.random() < 0.3:
                self.assertEqual(child.wait(), 0)
            child.kill()
            (done if child.child.returncode == 0 else killed).add(task)
        if not self.broker.running():
            self.restart()
        for _ in range(10):
            self.assertEqual(self.start("drain", "true").wait(), 0)
            if not self.waiting():
                break
        self.assertEqual(self.waiting(), [])
        self.check(done, killed)
        print("figures: %d runs killed, %d ended, %d brokers killed, 0 lost, 0 twice" % (
            len(killed), len(done), brokers))

    def test_wait_for_a_broker_that_is_away_may_be_long(self):
        self.broker.kill()
        #   Longer than for a disk that does not answer
        done = subprocess.run([harness.program("stele"), "--timeout", "21000", "run", "--task", "t", "--", "true"],
                              env=dict(self.broker.environment(), XDG_STATE_HOME=os.path.join(self.folder, "away")),
                              stderr=subprocess.PIPE, timeout=2 * harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"the next 'stele run' sends them", done.stderr)
        self.restart()

    def settled(self, task):
        record = self.ask("task.get", task_id=task)["task"]
        return record["state"] in ("passed", "queued") or record.get("interrupted", False)

    def check(self, done, killed):
        whole = "".join("%d\n" % number for number in range(1, LAST + 1))
        events = self.read_events()
        for task in done | killed:
            mine = [event for event in events if event.get("task_id") == task]
            output = "".join(event["content"] for event in mine if event["type"] == "task.output_added")
            states = [event["state"] for event in mine if event["type"] == "task.state_changed"
                      and not event.get("interrupted")]
            self.assertLessEqual(sum(event["type"] == "task.created" for event in mine), 1)
            self.assertEqual(output, whole[:len(output)], task)             # Once each, in order, without a gap
            self.assertLessEqual(len(states), 3)
            if task in done:
                self.assertEqual((states, output), (["queued", "running", "passed"], whole), task)
            elif mine:
                #   By the next run of its spool, or when its lease of 30 s ends
                harness.wait_until(lambda: self.settled(task), "the end of %s" % task)
        self.assertEqual(self.ask("rejected.list")["rejected"], [])
        self.assertTrue(done and killed)


if __name__ == "__main__":
    harness.main()
