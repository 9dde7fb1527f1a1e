# The length of the write-ahead log: under load, while a reader holds it, after kill -9, and at rest
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import sqlite3
import subprocess
import sys

import harness
from client import created, output

LIMIT = 8000000
#   A commit that began below the limit, and the zeros that are appended ahead
SLACK = 4000000

READER = """
import sqlite3, sys, time
ledger = sqlite3.connect(sys.argv[1], isolation_level=None)
ledger.execute("BEGIN")
ledger.execute("SELECT count(*) FROM commits").fetchone()
print("reading", flush=True)
time.sleep(1000)
"""


class LogLength(harness.BrokerTest):
    use_redis = False
    settings = {"wal-bytes": str(LIMIT)}

    def length(self):
        return os.path.getsize(self.broker.ledger + "-wal")

    def publish(self, peer, megabytes):
        """Texts that cannot be compressed. Returns the longest log."""
        longest = 0
        for _ in range(megabytes):
            peer.publish(*[output(self.task, os.urandom(5000).hex()) for _ in range(150)])
            longest = max(longest, self.length())
            self.published += 150
        return longest

    def assert_kept(self):
        count, cursor = 0, None
        while True:
            answer = self.ask("task.outputs", task_id=self.task, limit=1000, **({"cursor": cursor} if cursor else {}))
            count, cursor = count + len(answer["outputs"]), answer["next"]
            if not cursor:
                break
        self.assertEqual(count, self.published)

    def start_reader(self):
        """In another process, which ends like the broker: closing the last connection empties the log."""
        reader = subprocess.Popen([sys.executable, "-c", READER, self.broker.ledger], stdout=subprocess.PIPE)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        self.assertEqual(reader.stdout.readline(), b"reading\n")
        return reader

    def test_length_of_the_log(self):
        self.task, self.published = self.name("task"), 0
        peer = self.producer()
        peer.publish(created(self.task))
        self.assertEqual(self.ask("stats")["ledger"]["wal_limit"], LIMIT)
        self.assertLess(self.publish(peer, 30), LIMIT + SLACK)

        #   A reader holds it
        reader = self.start_reader()
        self.publish(peer, 30)
        self.assertGreater(self.length(), 2 * LIMIT)
        health = self.stele("--json", "health", status=1)
        self.assertIn(b"wal_long", health)

        #   Killed with it
        self.broker.kill()
        reader.kill()
        reader.wait()
        self.assertGreater(self.length(), 2 * LIMIT)
        self.start_broker()
        self.assert_kept()

        #   A reader holds it once more; at rest its file is shortened
        reader = self.start_reader()
        peer = self.producer("again")
        self.publish(peer, 20)
        self.assertGreater(self.length(), 2 * LIMIT)
        reader.kill()
        reader.wait()
        harness.wait_until(lambda: self.length() <= LIMIT, "the log to be shortened")
        self.assert_kept()

        #   And by the next commits, if there is no rest
        reader = self.start_reader()
        self.publish(peer, 20)
        self.assertGreater(self.length(), 2 * LIMIT)
        reader.kill()
        reader.wait()
        for _ in range(100):
            self.publish(peer, 1)
            if self.length() <= LIMIT + SLACK:
                break
        self.assertLessEqual(self.length(), LIMIT + SLACK)
        self.assert_kept()
        self.assertEqual(self.broker.stop(), 0)
        ledger = sqlite3.connect(self.broker.ledger)
        self.assertEqual(ledger.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        ledger.close()


if __name__ == "__main__":
    harness.main()
