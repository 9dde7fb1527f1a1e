# A node of a shared log whose appends are answered late, and whose ledger fails for a moment meanwhile
#
# Needs a build with --enable-fault-points, and PostgreSQL (tests/log/postgres.py).
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os

import harness
import test_nodes

harness.BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)

UPDATE = {"type": "task.updated", "task_id": "t1", "model": "m"}


class LateAppend(test_nodes.Brokers):
    def start(self, fault):
        """A node that leads from its start, and one event of it."""
        self.assertEqual(self.broker("a").stop(), 0)
        self.proxy_ = self.proxy()
        self.writer_ = self.broker("a", url=self.proxy_.url(), shared_log_timeout=test_nodes.LEASE,
                                   env=dict(os.environ, STELE_FAULT=fault))
        self.await_role(self.writer_, "writer")
        producer = self.clients.producer(self.writer_.events, "p", lease_ms=3600000)
        self.await_announced()
        position = self.publish(producer)
        self.await_announced()
        return producer, position

    def await_announced(self):
        """The next append does not wait for the announcement of the last one, and passes the points as an append does."""
        harness.wait_until(lambda: self.pair.primary.sql("SELECT safe = number FROM stele_heads WHERE name = '%s'" % self.log) == "t",
                           "the announcement")

    def hold(self):
        """The answer of the next append."""
        self.proxy_.held.clear()
        self.proxy_.hold_from = b"\0append\0"

    def await_doubt(self):
        self.assertTrue(self.proxy_.held.wait(harness.PATIENCE))
        harness.wait_until(lambda: self.shared(self.writer_)["in_doubt"], "doubt")

    def test_requests_that_wait_for_a_doubt_are_answered_after_another_one(self):
        #   The fourth event is that of the second request
        producer, position = self.start("append_before:full:4")
        self.hold()
        producer.send_events([UPDATE])
        self.await_doubt()
        taken = self.ask(self.writer_, "stats")["ingest"]["messages"]
        askers = []
        for number in range(3):
            askers.append(self.clients.asker(self.writer_.requests))
            askers[-1].send({"op": "publish", "producer": "q", "events": [UPDATE]})
            harness.wait_until(lambda: self.ask(self.writer_, "stats")["ingest"]["messages"] == taken + number + 1, "the request")
        self.hold()
        self.proxy_.answers.set()
        self.assertEqual(producer.settle(), position + 1)
        self.writer_.wait_line("fault: append_before: full")
        self.await_doubt()
        self.proxy_.answers.set()
        for number, asker in enumerate(askers):
            self.assertEqual(asker.receive()["position"], position + 2 + number)

    def test_batch_that_the_ledger_could_not_take_is_folded(self):
        #   Each batch passes the point before and after its append: hello, an event, and this one
        producer, position = self.start("flush_before:full:5")
        epoch = self.shared(self.writer_)["epoch"]
        self.hold()
        producer.send_events([UPDATE])
        self.await_doubt()
        self.writer_.wait_line("fault: flush_before: full")
        self.proxy_.answers.set()
        self.assertEqual(producer.settle(), position + 1)
        #   SQLite may have rolled back by itself: what it has of the batch is not committed, and the batch comes from the log
        self.assertEqual(self.shared(self.writer_)["epoch"], epoch + 1)
        follower = self.broker("b")
        self.await_position(follower, position + 1)
        self.assert_equal(self.writer_, follower)


if __name__ == "__main__":
    harness.main()
