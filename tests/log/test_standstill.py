# test_standstill - nodes answer and end while PostgreSQL answers nothing, and while they fold
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import sqlite3
import struct

import harness
import test_nodes
import test_take_over
from test_nodes import LEASE


class Follower(test_nodes.Brokers):
    def test_follower_whose_batches_do_not_come_answers_and_stops(self):
        writer, proxy = self.broker("a"), self.proxy()
        producer = self.clients.producer(writer.events, "p")
        position = self.publish(producer)
        follower = self.broker("b", url=proxy.url(), shared_log_timeout=LEASE)
        self.await_position(follower, position)
        proxy.hold_from = b"\0page\0"
        position = self.publish(producer, 5)
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        #   These are answers of the actor that follows
        self.assertEqual(self.ask(follower, "producer.get", producer="p")["producer"]["sequence"], 1)
        self.assertEqual(self.shared(follower)["role"], "follower")
        proxy.answers.set()
        self.await_position(follower, position)
        proxy.held.clear()
        proxy.hold_from = b"\0page\0"
        self.publish(producer)
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        self.assertEqual(follower.stop(), 0)


class Writer(test_nodes.Brokers):
    def renumber(self, broker, number):
        """The last batch that the log and the ledger of a broker that has stopped have gets that number."""
        self.pair.primary.sql("UPDATE stele_heads SET number = %d, safe = %d WHERE name = '%s'" % (number, number, self.log))
        db = sqlite3.connect(broker.ledger)
        mark = db.execute("SELECT value FROM meta WHERE key = 'log'").fetchone()[0]
        db.execute("UPDATE meta SET value = ? WHERE key = 'log'", (struct.pack(">q", number) + mark[8:],))
        db.commit()
        db.close()

    def test_writer_whose_new_table_is_not_made_answers_and_stops(self):
        proxy = self.proxy()
        writer = self.broker("a", url=proxy.url(), shared_log_timeout=LEASE)
        self.publish(self.clients.producer(writer.events, "p"))
        self.assertEqual(writer.stop(), 0)
        self.askers.clear()
        #   Two batches later, one needs the table of those from 200,000 on
        self.renumber(writer, 99998)
        writer = self.broker("a", url=proxy.url(), shared_log_timeout=LEASE)
        self.await_role(writer, "writer")
        producer = self.clients.producer(writer.events, "q")
        position = self.publish(producer)
        self.assertEqual(self.shared(writer)["number"], 100000)
        proxy.hold_from = b"CREATE TABLE"
        producer.send_events([{"type": "task.updated", "task_id": "t1", "model": "m"}])
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        harness.wait_until(lambda: self.shared(writer)["in_doubt"], "the answer of the actor that writes")
        proxy.answers.set()
        self.assertEqual(producer.settle(), position + 1)
        self.assertEqual(self.shared(writer)["doubts"], 0)


class TakeOver(test_take_over.Between):
    def hold_fold(self):
        """The writer leads again, and the batches of the other node, which it has to fold first, do not come."""
        proxy, writer, producer = self.lose_connection()
        position = self.lead_between()
        proxy.held.clear()
        proxy.hold_from = b"page\0"
        proxy.answers.set()
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        return proxy, writer, position

    def send_late(self, broker):
        asker = self.clients.asker(broker.requests)
        asker.send({"op": "publish", "producer": "late", "events": [
            {"type": "task.created", "task_id": "late", "title": "T", "description": "", "role": "r"}]})
        return asker

    def test_node_answers_while_it_folds_and_decides_after_that(self):
        proxy, writer, position = self.hold_fold()
        asker = self.send_late(writer)
        harness.wait_until(lambda: self.shared(writer)["role"] == "follower", "the answer of the actor that writes")
        self.assertTrue(self.ask(writer, "stats")["ingest"]["holding"])
        proxy.answers.set()
        self.assertEqual(asker.receive()["position"], position + 1)
        self.assertEqual(self.shared(writer)["role"], "writer")

    def test_node_stops_while_it_folds(self):
        proxy, writer, position = self.hold_fold()
        self.send_late(writer)
        self.assertEqual(writer.stop(), 0)
        proxy.close()
        #   What it has not acked is not in the log
        other = self.broker("c")
        self.await_role(other, "writer")
        self.assertEqual(self.events(other)[-1]["position"], position)


class Start(test_nodes.Brokers):
    def test_empty_node_stops_while_the_server_does_not_answer(self):
        proxy = self.proxy()
        #   Not the connection: that has a time-out of its own, of three seconds
        proxy.hold_from = b"head\0SELECT"
        node = self.broker("a", url=proxy.url(), shared_log_timeout=LEASE, line="")
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        self.assertEqual(node.stop(), 0)
        node.wait_line("stopped before the start was complete")

    def test_empty_node_reports_progress_and_stops_before_it_has_all(self):
        writer, proxy = self.broker("a"), self.proxy()
        self.publish(self.clients.producer(writer.events, "p"), 20)
        number = self.shared(writer)["number"]
        proxy.hold_from = b"page\0"
        node = self.broker("b", url=proxy.url(), shared_log_timeout=LEASE, line="this node has batch 0 of %d" % number)
        self.assertEqual(node.stop(), 0)
        proxy.close()
        node = self.broker("b")
        self.assertEqual(self.shared(node)["number"], number)
        self.assert_equal(writer, node)


if __name__ == "__main__":
    harness.main()
