# power - cycles of: run under load on a separate disk, cut its power, verify
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import collections
import os
import random
import shutil
import signal
import time

import harness
from arena import Arena
from disk import Disk

ROUND = 25


class Power:
    def __init__(self, seed=None, build=None, fault=None, say=None, evidence=True):
        self.seed = int(seed) if seed else random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(self.seed)
        self.build, self.fault, self.say, self.evidence = build, fault, say, evidence
        self.ends = collections.Counter()       # How the broker ended after the cuts
        self.cycles = self.acked = self.rounds = 0
        self.disk = self.arena = None
        print("seed %d" % self.seed, flush=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Exception) and self.arena and self.evidence:
            print("kept in " + self.arena.keep(), flush=True)
        self._leave()

    def _leave(self):
        if self.arena:
            self.arena.close()
        if self.disk:
            self.disk.close()
            shutil.rmtree(self.folder, ignore_errors=True)
        self.arena = self.disk = None

    def count(self):
        return self.cycles

    def report(self):
        return "%d power cuts (the broker ended by: %s), %d ledgers, %d events acked, seed %d" % (
            self.cycles, ", ".join("%d %s" % (n, end) for end, n in sorted(self.ends.items())),
            self.rounds, self.acked, self.seed)

    def cycle_until(self, cycles, seconds=None, least=0):
        """At most so many, and no longer than that many seconds after the first 'least' of them."""
        until = None if seconds is None else time.monotonic() + seconds
        while self.cycles < cycles and not self._enough(until, least):
            self._round(min(ROUND, cycles - self.cycles), until, least)
            if self.say:
                self.say(self.report())

    def _enough(self, until, least):
        return until is not None and time.monotonic() > until and self.cycles >= least

    def _round(self, cycles, until, least):
        self.folder = harness.temporary_folder()
        self.disk = Disk(self.folder)
        self.arena = arena = Arena(self.random.randrange(1 << 32), self.build, store=self.disk.path,
                                   producers=self.random.choice((4, 16)),
                                   rate=self.random.choice((1000, 3000, 10000)))
        arena.start_load()
        for number in range(cycles):
            if self._enough(until, least):
                break
            arena.start(self.fault)
            time.sleep(self.random.random() * 0.3)
            self._cut(arena)
            arena.judge_file()
            self.cycles += 1
            if number % 5 == 4:
                arena.start(self.fault)
                arena.judge_all()
                arena.kill()
        arena.start(self.fault)
        arena.finish()
        self.acked += arena.judge.promises.acked_total()
        self.rounds += 1
        self._leave()

    def _cut(self, arena):
        if self.random.random() < 0.6:
            self._stop(arena.broker)
            self.disk.cut()
            end = "the cut"
            arena.kill()
        else:
            end = self._cut_while_it_runs(arena)
        self.ends[end] += 1
        self.disk.restore()

    @staticmethod
    def _stop(broker):
        """Stop all its threads first: in a real power cut the processor stops too."""
        broker.signal(signal.SIGSTOP)
        tasks = "/proc/%d/task" % broker.child.pid

        def stopped(task):
            try:
                with open(os.path.join(tasks, task, "stat")) as file:
                    return file.read().rsplit(")", 1)[1].split()[0] in "TD"
            except FileNotFoundError:
                return True
        harness.wait_until(lambda: all(stopped(task) for task in os.listdir(tasks)), "SIGSTOP")

    def _cut_while_it_runs(self, arena):
        """The broker detects by itself that it cannot write. Its messages after the cut do not
        count, and its producers are stopped: an fdatasync that runs while ext4 is shut down may
        report success although the data is not on the disk (seen without Stele in one of
        ten cuts, Linux 6.18), which no program can detect."""
        promises = arena.judge.promises
        before = promises.size()
        arena.hear()
        self.disk.cut()
        deadline = time.monotonic() + 5
        while arena.broker.running() and time.monotonic() < deadline:
            time.sleep(0.005)
        end = "a signal, 5 s after the cut"
        if not arena.broker.running():
            end = "itself, status %d" % arena.broker.wait()
        arena.kill(hear=False)
        arena.kill_load()
        promises.disregard(before)
        arena.start_load()
        return end
