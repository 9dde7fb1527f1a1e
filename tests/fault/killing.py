# killing - cycles of: run under load, kill -9 at a random moment, verify
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import collections
import random
import signal
import time

from arena import Arena
from visitor import Visitor

#   After that many cycles a ledger is verified as a whole and abandoned.
ROUND = 30
#   Events per second of all producers: one of these
RATES = (500, 2000, 2000, 10000)
#   Kinds of cycles, and their weights
KINDS = {
    "load": 10,         # Under load, at any time
    "recovery": 4,      # During a start
    "rebuild": 3,       # While Redis is rebuilt after it was emptied
    "redis": 2,         # Redis is killed too, and restarts empty
    "stop": 2,          # During an orderly stop
    "producers": 3,     # The producers are killed too, and return as a new run
    "mode": 2,          # In mode redis, and on the way back
    "checkpoint": 1,    # During a checkpoint: with a long log and no other work
}


class Killing:
    """'fault' is the STELE_FAULT of every broker; 'say' is called with a report after each round."""

    def __init__(self, seed=None, build=None, fault=None, say=None, evidence=True, rates=RATES):
        self.seed = int(seed) if seed else random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(self.seed)
        self.build, self.fault, self.say = build, fault, say
        self.evidence, self.rates = evidence, rates
        self.cycles = collections.Counter()
        self.rounds = self.acked = self.events = self.feed = 0
        self.slowest = 0.0
        print("seed %d" % self.seed, flush=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Exception):
            print("seed %d, round %d, %s" % (self.seed, self.rounds + 1, self.report()), flush=True)

    def count(self):
        return sum(self.cycles.values())

    def report(self):
        return "%d kills (%s), %d ledgers, %d events acked, %d stored, %d heard on the feed, " \
               "Redis at the head %.2f s after a start at most, seed %d" % (
                   self.count(), ", ".join("%d %s" % (n, kind) for kind, n in sorted(self.cycles.items())),
                   self.rounds, self.acked, self.events, self.feed, self.slowest, self.seed)

    def cycle_until(self, cycles, seconds=None, least=0):
        """At most so many, and no longer than that many seconds after the first 'least' of them."""
        until = None if seconds is None else time.monotonic() + seconds
        while self.count() < cycles and not self._enough(until, least):
            self.round(min(ROUND, cycles - self.count()), until, least)
            if self.say:
                self.say(self.report())

    def _enough(self, until, least):
        return until is not None and time.monotonic() > until and self.count() >= least

    def round(self, cycles, until=None, least=0):
        """One ledger, from the first event to the last check."""
        with Arena(self.random.randrange(1 << 32), self.build,
                   producers=self.random.choice((4, 16, 48)),
                   rate=self.random.choice(self.rates),
                   evidence=self.evidence) as arena:
            arena.start_load()
            for number in range(cycles):
                if self._enough(until, least):
                    break
                kind = arena.random.choices(list(KINDS), KINDS.values())[0]
                getattr(self, "_" + kind)(arena)
                arena.hear()
                arena.judge_file()
                self.cycles[kind] += 1
                if number % 10 == 9:
                    arena.start(self.fault)
                    arena.judge_all()
                    arena.kill()
            arena.start(self.fault)
            arena.finish()
            self.rounds += 1
            self.acked += arena.judge.promises.acked_total()
            self.events += len(arena.judge.digests)
            self.feed += arena.judge.feed_count
            self.slowest = max(self.slowest, arena.slowest)

    def _sleep(self, arena, most_s):
        time.sleep(arena.random.random() * most_s)

    def _load(self, arena):
        arena.start(self.fault)
        self._sleep(arena, 0.15)
        arena.kill()

    def _recovery(self, arena):
        arena.start(self.fault, wait=False)
        self._sleep(arena, 0.04)
        arena.kill()

    def _rebuild(self, arena):
        arena.redis.call("FLUSHALL")
        arena.start(self.fault)
        self._sleep(arena, 0.05)
        arena.kill()

    def _redis(self, arena):
        arena.start(self.fault)
        self._sleep(arena, 0.05)
        arena.redis.kill()
        self._sleep(arena, 0.05)
        if arena.random.random() < 0.5:
            arena.redis.start()
            self._sleep(arena, 0.05)
        arena.kill()
        if not arena.redis.process:
            arena.redis.start()

    def _stop(self, arena):
        arena.start(self.fault)
        self._sleep(arena, 0.05)
        arena.broker.signal(signal.SIGTERM)
        self._sleep(arena, 0.02)
        arena.kill()

    def _producers(self, arena):
        arena.start(self.fault)
        self._sleep(arena, 0.1)
        if arena.random.random() < 0.5:
            arena.kill_load()
            self._sleep(arena, 0.02)
            arena.kill()
        else:
            arena.kill()
            arena.kill_load()
        arena.start_load()

    def _mode(self, arena):
        arena.start(self.fault)
        arena.ask("mode", mode="redis")
        self._sleep(arena, 0.15)
        way = arena.random.choice(("kill", "dual", "stop"))
        if way == "dual":
            arena.tell("mode", mode="dual")
        elif way == "stop":
            arena.broker.signal(signal.SIGTERM)
        if way != "kill":
            self._sleep(arena, 0.03)
        arena.kill()
        if arena.random.random() < 0.5:
            self._recovery(arena)               # Once more, during the way back
        arena.start(self.fault)                 # Acked events are in the ledger again
        arena.kill()

    def _checkpoint(self, arena):
        arena.start(self.fault)
        arena.rest()
        Visitor(arena).visit(steps=("bulk",))
        self._sleep(arena, 0.06)
        arena.kill()
        arena.resume()
