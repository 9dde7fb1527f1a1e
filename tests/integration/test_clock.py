# A clock that is wrong, or was: health says so, and stuck reports no silence that cannot be
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import json
import os
import sqlite3
import unittest

import harness
from client import changed, created

FAKETIME = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + [""])[0]
IN_2099 = 4070908800 * 1000000


class ClockTest(harness.BrokerTest):
    use_redis = False

    def finding(self, code):
        answer = json.loads(self.stele("--json", "health", status=None))
        return next((finding for finding in answer["findings"] if finding["code"] == code), None)

    def wait_finding(self, code):
        harness.wait_until(lambda: self.finding(code), "the finding " + code)
        return self.finding(code)

    def stuck_row(self, task, silent="1"):
        lines = self.stele("stuck", "--silent", silent).decode().splitlines()
        return next((line.split() for line in lines if line.split()[:1] == [task]), None)


class Past(ClockTest):
    def test_ledger_ahead_of_the_clock_is_a_finding_and_hides_no_stuck_task(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "running"))
        self.assertIsNone(self.finding("clock_wrong"))
        self.broker.stop()
        with sqlite3.connect(os.path.join(self.folder, "ledger.db")) as file:
            file.execute("UPDATE commits SET time = ? WHERE first = (SELECT max(first) FROM commits)", (IN_2099,))
        file.close()
        self.start_broker()
        finding = self.wait_finding("clock_wrong")
        self.assertEqual((self.status, finding["level"]), (1, "degraded"))
        harness.wait_until(lambda: self.stuck_row(task), "the stuck task")
        self.assertEqual(self.stuck_row(task)[1], "?")
        self.assertIn("the clock", self.stderr)
        self.producer(self.name("next")).publish(created(self.name("next")))
        harness.wait_until(lambda: not self.finding("clock_wrong"), "the end of the finding")

    def test_events_ahead_of_the_clock_are_a_finding(self):
        self.producer(self.name("fast")).publish(dict(created(self.name("task")), time=IN_2099))
        finding = self.wait_finding("events_ahead")
        self.assertEqual(finding["level"], "info")
        self.assertIn(self.name("fast"), finding["message"])


@unittest.skipIf(harness.sanitized(), "a sanitizer has to come before any preloaded library")
class Step(ClockTest):
    @classmethod
    def start_broker(cls, **more):
        cls.offset = os.path.join(cls.folder, "offset")
        cls.set_clock(0)
        return super().start_broker(env=dict(
            os.environ, LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=cls.offset,
            FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1"), **more)

    @classmethod
    def set_clock(cls, seconds):
        with open(cls.offset + ".new", "w") as file:
            file.write("%+d\n" % seconds)
        os.rename(cls.offset + ".new", cls.offset)

    def test_clock_set_forward_makes_no_task_stuck(self):
        self.assertTrue(FAKETIME, "the package libfaketime is missing")
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "running"))
        self.set_clock(86400 * 365 * 30)
        finding = self.wait_finding("clock_stepped")
        self.assertIn("forward", finding["message"])
        self.assertIn("set forward by", self.broker.log())
        self.assertIsNone(self.stuck_row(task, "3600"))


if __name__ == "__main__":
    harness.main()
