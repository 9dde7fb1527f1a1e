# The request storage: sizes of tables and files, and what each day added
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import datetime
import json
import os
import re
import sqlite3

import harness
from client import created

DAY = 86400 * 1000000


class Storage(harness.BrokerTest):
    use_redis = False
    settings = {"workers": 1}           # Each thread remembers what it measured

    def publish(self, count):
        name = self.name("task")
        events = [created("%s-%d" % (name, number)) for number in range(count)]
        events += [{"type": "task.output_added", "task_id": "%s-0" % name, "output_type": "log", "content": os.urandom(1000).hex()}
                   for _ in range(count)]
        return self.ask("publish", producer=name, events=events)["position"]

    def sql(self, *statements):
        file = sqlite3.connect(self.broker.ledger, isolation_level=None)
        rows = [file.execute(statement).fetchall() for statement in statements]
        file.close()
        return rows[-1]

    def test_tables_are_measured_with_their_indexes_and_remembered(self):
        self.publish(300)
        harness.wait_until(lambda: self.ask("stats")["search"]["lag_events"] == 0, "the followers")
        self.broker.stop()              # It remembers what other tests have measured
        self.start_broker()
        found = self.ask("storage")
        expected = self.sql("SELECT ifnull ((SELECT tbl_name FROM sqlite_schema s WHERE s.name = d.name), d.name), sum (pgsize)"
                            " FROM dbstat d GROUP BY 1")
        self.assertEqual({one["name"]: one["bytes"] for one in found["tables"]}, dict(expected))
        sizes = [one["bytes"] for one in found["tables"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertEqual(found["tables"][0]["name"], "task_outputs")
        self.assertEqual(found["unmeasured_bytes"], 0)
        self.assertEqual(sum(sizes) + found["free_bytes"], found["file_bytes"])
        self.publish(300)
        again = self.ask("storage")
        for key in ("tables", "file_bytes", "measured_at"):
            self.assertEqual(again[key], found[key])

    def test_files_are_those_beside_the_ledger(self):
        self.publish(10)
        for name, suffix in (("log", "-wal"), ("search", ".search"), ("rollup", ".rollup")):
            sizes = lambda: ([one["bytes"] for one in self.ask("storage")["files"] if one["name"] == name], [os.path.getsize(self.broker.ledger + suffix)])
            harness.wait_until(lambda: (lambda pair: pair[0] == pair[1])(sizes()), name)

    def test_days_have_the_events_that_were_committed_on_them(self):
        self.publish(20)
        self.broker.stop()
        #   The first three commits: ten, three and three days ago
        firsts = self.sql("SELECT first, last, time FROM commits ORDER BY first LIMIT 3")
        today = self.sql("SELECT max (time) FROM commits")[0][0] // DAY * DAY
        for (first, _, _), days in zip(firsts, (10, 3, 3)):
            self.sql("UPDATE commits SET time = %d WHERE first = %d" % (today - days * DAY + 5, first))
        events = [last - first + 1 for first, last, _ in firsts] + [0, 0]
        self.start_broker()
        found = self.ask("storage")
        head = self.ask("ping")["position"]
        days = {one["day"]: one["events"] for one in found["days"]}
        self.assertEqual(len(found["days"]), 14)
        self.assertEqual(sum(days.values()), head)
        now = max(days)                 # Midnight may have passed
        self.assertIn(now, (today, today + DAY))
        self.assertEqual((days[today - 10 * DAY], days[today - 3 * DAY], days[today - 9 * DAY]), (events[0], events[1] + events[2], 0))
        used = found["file_bytes"] - found["free_bytes"]
        self.assertAlmostEqual(sum(one["bytes"] for one in found["days"]), used, delta=len(days))
        self.assertEqual(len(self.ask("storage", days=2)["days"]), 2)
        self.assertLess(sum(one["events"] for one in self.ask("storage", days=2)["days"]), head)

    def test_the_command_shows_tables_files_and_days(self):
        self.publish(30)
        found = self.ask("storage")
        lines = self.stele("storage").decode().splitlines()
        rows = [re.split(r"  +", line) for line in lines]
        first = rows.index(["SPACE", "SIZE", "OF LEDGER"]) + 1
        self.assertEqual([row[0] for row in rows[first:first + len(found["tables"])]], [one["name"] for one in found["tables"]])
        share = 100 * found["tables"][0]["bytes"] / found["file_bytes"]
        self.assertEqual(rows[first][2], "%.2f %%" % share)
        self.assertTrue(any(row[0] == "file: log" and len(row) == 2 for row in rows))
        days = [one for one in self.ask("storage")["days"] if one["events"]]
        row = rows[[row[0] for row in rows].index("DAY") + 1]
        day = datetime.datetime.fromtimestamp(days[0]["day"] / 1e6, datetime.timezone.utc).strftime("%Y-%m-%d")
        self.assertEqual(row[:2], [day, format(days[0]["events"], ",")])
        answer = json.loads(self.stele("storage", "--days", "2", "--json"))
        self.assertEqual((len(answer["days"]), answer["tables"]), (2, found["tables"]))
        self.stele("storage", "--days", "367", status=None)
        self.assertIn("from 1 to 366", self.stderr)

    def test_number_of_days_is_bounded(self):
        for days in (0, 367):
            self.assertEqual(self.refused("storage", days=days)["field"], "days")


if __name__ == "__main__":
    harness.main()
