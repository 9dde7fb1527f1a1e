# kill -9 at any moment loses nothing that was acked, and stores nothing twice
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import random
import sqlite3

import harness
from client import changed, created
from load import Load


class Crash(harness.BrokerTest):
    def assert_ledger_is_whole(self, loads):
        promised = [load.acked for load in loads]       # Before reading: acks go on meanwhile
        file = sqlite3.connect("file:%s?mode=ro" % self.broker.ledger, uri=True)
        try:
            self.assertEqual(file.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            rows = file.execute("SELECT position FROM task_history UNION ALL"
                                " SELECT position FROM task_metrics ORDER BY position")
            positions = [row[0] for row in rows]
            self.assertEqual(positions, list(range(1, len(positions) + 1)))
            for load, acked in zip(loads, promised):
                values = [row[0] for row in file.execute(
                    "SELECT value FROM task_metrics_view WHERE task_id = ? ORDER BY position",
                    ("task-" + load.name,))]
                self.assertEqual(values, list(range(1, len(values) + 1)))   # Once each, in order
                self.assertGreaterEqual(len(values), acked)
        finally:
            file.close()

    def test_kill_under_load(self):
        loads = [Load(self.broker.events, "crash-%d" % n) for n in range(3)]
        self.addCleanup(lambda: [load.stop() for load in loads])
        random.seed(1)
        for _ in range(5):
            for load in loads:
                load.wait_acked(load.acked + random.randint(100, 2000))
            self.broker.kill()
            self.start_broker()
            self.assert_ledger_is_whole(loads)
        for load in loads:
            load.finish(500)
        self.assert_ledger_is_whole(loads)
        self.redis.wait_position(self.ask("ping")["position"])
        answer = self.ask("consistency.check")
        self.assertEqual((answer["missing"], answer["extra"], answer["mismatched"]), (0, 0, 0), answer)

    def test_kill_and_restart_keeps_states_and_refusals(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), changed(task, "running"))
        peer.publish_refused({"type": "no.such"})
        peer.publish(changed(task, "passed"))
        self.broker.kill()
        self.start_broker()
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "passed")
        rows = self.ask("rejected.list", producer=peer.name)["rejected"]
        self.assertEqual([(row["sequence"], row["code"]) for row in rows], [(3, "unknown_type")])
        self.assertEqual(self.producer(instance=peer.instance).welcome["sequence"], 4)

    def test_recovery_is_reported(self):
        self.producer().publish(created(self.name("task")))
        self.broker.kill()
        self.start_broker()
        recovery = harness.wait_until(lambda: self.ask("stats")["recovery"], "a recovery report")
        self.assertGreaterEqual(recovery["restored"]["queued"], 1)
        self.assertEqual(recovery["interrupted"], 0)
        self.assertGreater(recovery["seconds"]["total"], 0)


if __name__ == "__main__":
    harness.main()
