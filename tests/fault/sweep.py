# sweep - kill -9 at every fault point of the program, and again in the recovery that follows
#
# The points are those that `steled --fault-points` lists in a build with fault points
# (src/fault/points.h). A point that is never reached is a failure: dying there would be
# untested.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import random
import signal
import subprocess
import time

import harness
from arena import Arena
from visitor import ALL, Visitor

#   Passed once in the life of a broker, so it cannot die there later
ONCE = ("open_", "migrate_", "check_", "identify_", "interrupt_all_", "start_", "stop_", "close_",
        "rebuild_before", "rebuild_finish", "rebuild_after", "compare_", "recover_", "expire_",
        "sweep_", "retry_", "checkpoint_", "again_", "rollback_", "repository_")
#   Reached with a new ledger only
NEW = ("migrate_", "identify_")
#   Reached during a rebuild of Redis only
EMPTY = ("rebuild_",)
#   Additional requirements of a point
WITH = {
    "rollback_before": {"fault": "commit_before:busy:5"},
    "rollback_after": {"fault": "commit_before:busy:5"},
    "again_before": {"fault": "commit_before:busy:5"},
    "interrupt_all_before": {"arguments": ("--interrupted", "all")},
    "interrupt_all_after": {"arguments": ("--interrupted", "all")},
}
#   Needs more events, or more time: a subscriber must have found the new broker
SLOW = ("cursor_", "feed_", "rollup_")
#   Reached after many writes, when the broker is idle
IDLE = ("checkpoint_",)
#   Reached when finished tasks expire in Redis
OLD = ("sweep_",)
#   test_backup_points.py, test_archive_points.py, test_erase_points.py and test_seal.py kill at these
ELSEWHERE = ("snapshot_", "restore_", "archive_", "recall_", "erase_", "scrub_", "compact_", "seal_")
#   Reached with backups only
BACKUP = ("repository_",)
TERMINAL_TTL_S = 1
#   After that many points a ledger is verified as a whole and abandoned
ROUND = 10
#   Points passed during a start: a second death, during the recovery from the first
RECOVERY = ("open_before", "open_locked", "open_configured", "check_after", "open_after",
            "start_ingest", "start_followers", "start_requests", "start_ready",
            "redis_connected", "redis_aligned", "welcome_before", "begin_after", "commit_before",
            "commit_after", "exec_before", "exec_sent", "exec_after")


def points(build):
    """Names of the points; none if the build has no fault points."""
    done = subprocess.run([os.path.join(build, "steled"), "--fault-points"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
    return done.stdout.split() if done.returncode == 0 else []


class Sweep:
    def __init__(self, build, seed=None):
        self.build = build
        self.seed = int(seed) if seed else random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(self.seed)
        self.reached, self.again = set(), 0
        self.unreached = []
        self.arena = None

    def keep(self):
        return self.arena.keep() if self.arena else "nowhere"

    def close(self):
        if self.arena:
            self.arena.close()
            self.arena = None

    def _new_arena(self):
        self.close()
        self.arena = Arena(self.random.randrange(1 << 32), self.build, producers=8, rate=2000,
                           settings={"terminal-ttl": TERMINAL_TTL_S, "lease-grace": 50, "heartbeat": 50},
                           pipeline=True)
        self.arena.start_load()
        self.here = 0

    def all_points(self):
        """Test every point; a failure names it."""
        for name in points(self.build):
            if name.startswith(ELSEWHERE):
                continue
            try:
                self.kill_at(name)
            except AssertionError as error:
                raise AssertionError("killed at %s, seed %d, kept in %s: %s" % (
                    name, self.seed, self.keep(), error)) from error
        self.finish()

    def report(self):
        return "killed at %d of %d places, and %d times again in the recovery, seed %d" % (
            len(self.reached), len(points(self.build)), self.again, self.seed)

    def finish(self):
        """Verify this ledger as a whole, and abandon it."""
        if self.arena:
            self.arena.start()
            self.arena.finish()
            self.close()

    def kill_at(self, point):
        """Two deaths and a recovery. False if the point was not passed."""
        if self.arena is None or point.startswith(NEW) or self.here >= ROUND:
            self.finish()
            self._new_arena()
        self.here += 1
        count = 1 if point.startswith(ONCE) else self.random.choice((1, 2, 7, 30))
        #   On a slow machine it may be passed later than one waits for most of them
        died = self._live(point, count) or (count > 1 and self._live(point, 1)) or self._live(point, 1, longer=20)
        self.arena.judge_file()
        if not died:
            self.unreached.append(point)
            return False
        self.reached.add(point)
        second = point if point in RECOVERY or point.startswith(("migrate_", "identify_", "rebuild_")) \
            else self.random.choice(RECOVERY)
        self.again += self._live(second, 1, through=False)
        self.arena.judge_file()
        self.arena.start()
        self.arena.judge_all()
        self.arena.kill()
        return True

    def _live(self, point, count, through=True, longer=1):
        """One run of the broker, through all steps in 'through'. True if it died at the point. Every wait for that ends
        after some time, 'longer' times as much on request: whether a point is passed is known of those that are."""
        arena, more = self.arena, WITH.get(point, {})
        if point.startswith(EMPTY) and through:
            arena.redis.call("FLUSHALL")
        if point.startswith(OLD) and through:
            arena.start()
            arena.wait_acked(200)
            arena.kill()
            time.sleep(1.5 * TERMINAL_TTL_S)
        rules = [more["fault"]] if "fault" in more else []
        arguments = more.get("arguments", ())
        if point.startswith(BACKUP):
            arguments = ("--backup", os.path.join(arena.folder, "repository"), "--backup-lag", "1")
        broker = arena.start(",".join(rules + ["%s:kill:%d" % (point, count)]), wait=False, arguments=arguments)
        if broker.ready_or_dead():
            if not through:
                self._until(broker, 3)
            elif Visitor(arena).visit(("bulk",) * point.startswith(IDLE) + ALL):
                self._until(broker, longer * (3 if point.startswith(SLOW) else 0.1))
                if point.startswith(IDLE):
                    arena.rest()
                    self._until(broker, longer * 2)
                    arena.resume()
                if broker.running():
                    broker.signal(signal.SIGTERM)
                    self._until(broker, harness.PATIENCE)
        if broker.running():
            broker.kill()
            arena.hear()
            return False
        arena.hear()
        return broker.died()

    @staticmethod
    def _until(broker, seconds):
        deadline = time.monotonic() + seconds
        while broker.running() and time.monotonic() < deadline:
            time.sleep(0.005)
