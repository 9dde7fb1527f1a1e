# The file of counts over time: lost, torn, of another ledger, killed while it is written, a wrong clock, a restore, modes
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import shutil
import sqlite3

import harness
import series
from client import created
from series import DAY, HOUR

IN_2099 = 4070908800 * 1000000


class File(series.SeriesTest):
    @property
    def path(self):
        return self.broker.ledger + ".rollup"

    def sql(self, path, *statements):
        file = sqlite3.connect(path, isolation_level=None)
        rows = [file.execute(statement).fetchall() for statement in statements]
        file.close()
        return rows[-1]

    def compare(self, start):
        self.compare_all(start - DAY, start + 2 * DAY, "hour", "day")


class Lost(File):
    def tear(self):
        """Garbage in the middle of the file: pages of its tables."""
        with open(self.path, "r+b") as file:
            file.seek(os.path.getsize(self.path) // 2)
            file.write(os.urandom(8192))

    def test_file_that_does_not_fit_is_rebuilt_with_the_reason(self):
        start = series.now() - 3 * HOUR
        self.publish(series.agent_runs(3, 120, start, HOUR) + series.workflow(4, 120, start, HOUR))
        self.compare(start)
        self.broker.stop()
        for change, words in (
                (lambda: os.unlink(self.path), "is missing"),
                (self.tear, "is (damaged|not usable)"),
                (lambda: os.truncate(self.path, os.path.getsize(self.path) // 3), "is (damaged|not usable)"),
                (lambda: self.sql(self.path, "PRAGMA user_version = 99"), "is not usable"),
                (lambda: self.sql(self.path, "UPDATE meta SET value = 'another' WHERE key = 'ledger_id'"), "is not usable"),
                (lambda: self.sql(self.path, "UPDATE meta SET value = 999999 WHERE key = 'position'"), "is not usable")):
            with self.subTest(words):
                change()
                self.start_broker()
                self.assertRegex(self.broker.wait_line("rollup: the file of counts"), words + " and is rebuilt")
                self.compare(start)
                self.broker.stop()
        self.start_broker()
        self.folded()
        self.assertNotIn("rollup:", self.broker.log())

    def test_readers_follow_to_the_file_that_replaces_a_damaged_one(self):
        self.publish([created(self.name("one"))], self.name("one"))
        before = self.series()["series"][0]["total"]["created"]
        inode = os.stat(self.path).st_ino
        #   The follower finds the damage when it writes, and makes another file
        self.sql(self.path, "PRAGMA writable_schema = ON", "UPDATE meta SET value = x'00' WHERE key = 'position'",
                 "UPDATE counts SET counts = x'ff'")
        self.publish([created(self.name("two"))], self.name("two"))
        harness.wait_until(lambda: os.path.exists(self.path) and os.stat(self.path).st_ino != inode, "another file")
        self.folded()
        self.assertEqual(self.series()["series"][0]["total"]["created"], before + 1)


class Killed(File):
    def test_nothing_is_counted_twice_after_a_kill_while_counting(self):
        start, events = series.now() - 3 * HOUR, []
        self.publish([created(self.name("first"), time=start)])
        self.folded()
        #   It has counted a portion, and waits for the file, when it is killed
        lock = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(lock.close)
        lock.execute("BEGIN IMMEDIATE")
        self.publish(series.agent_runs(5, 200, start, HOUR), self.name("agents"))
        self.assertEqual(self.ask("stats")["rollup"]["position"], 1)
        self.broker.kill()
        lock.execute("ROLLBACK")
        self.start_broker()
        self.folded()
        #   And between portions
        self.publish(series.workflow(6, 800, start, HOUR), self.name("workflow"))
        self.broker.kill()
        self.start_broker()
        self.compare(start)


class Clock(File):
    def test_steps_dropped_while_the_clock_was_ahead_are_counted_again(self):
        start = series.now() - 3 * HOUR
        self.publish(series.agent_runs(7, 150, start, HOUR))
        self.compare(start)
        self.broker.stop()
        newest, = self.sql(self.broker.ledger, "SELECT first, time FROM commits ORDER BY first DESC LIMIT 1")
        self.sql(self.broker.ledger, "UPDATE commits SET time = %d WHERE first = %d" % (IN_2099, newest[0]))
        os.unlink(self.path)
        self.start_broker()
        answer = self.series(**{"from": start, "to": start + DAY, "step": "hour"})
        self.assertGreater(answer["since"], start)
        self.assertEqual(answer["series"][0]["points"], [])
        self.broker.stop()
        self.sql(self.broker.ledger, "UPDATE commits SET time = %d WHERE first = %d" % (newest[1], newest[0]))
        self.start_broker()
        self.publish([created(self.name("next"))], self.name("next"))
        self.broker.wait_line("was made while the clock was ahead and is rebuilt")
        self.compare(start)


class Restored(File):
    @classmethod
    def start_broker(cls, **more):
        return super().start_broker(**dict({"arguments": ("--backup", os.path.join(cls.folder, "repository"))}, **more))

    def test_restored_ledger_has_its_own_counts(self):
        start = series.now() - 3 * HOUR
        self.publish(series.workflow(8, 60, start, HOUR))
        position = self.ask("ping")["position"]
        self.publish(series.agent_runs(9, 60, start, HOUR), self.name("later"))
        self.folded()
        self.broker.stop()
        shutil.copy(self.path, os.path.join(self.folder, "part.db.rollup"))     # A copy that belongs to the whole ledger
        self.stele("restore", os.path.join(self.folder, "repository"), os.path.join(self.folder, "part.db"), "--at", str(position))
        self.start_broker(ledger="part.db", arguments=())
        self.assertEqual(self.ask("ping")["position"], position)
        self.compare(start)


class Modes(File):
    use_redis = True

    def test_events_of_mode_redis_count_once_they_are_in_the_ledger(self):
        start = series.now() - 3 * HOUR
        self.publish(series.workflow(10, 30, start, HOUR), self.name("before"))
        self.folded()
        self.stele("mode", "--yes", "redis")
        self.publish(series.workflow(11, 30, start, HOUR), self.name("during"))
        answer = self.ask("stats.series", **{"from": start, "to": start + DAY})
        self.assertEqual((answer["series"][0]["total"]["created"], answer["mode"]), (30, "redis"))
        self.stele("mode", "--yes", "dual")
        self.compare(start)
        self.assertEqual(self.series(**{"from": start, "to": start + DAY})["series"][0]["total"]["created"], 60)


if __name__ == "__main__":
    harness.main()
