# test_doubt - an append whose outcome is not known is never an ack, and never appended twice
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import resource
import signal

import harness
import nodes
from test_nodes import Brokers

#   Milliseconds: of calls whose time-out is what is tested
SHORT = 4000


class Standby(nodes.Case):
    """The standby is away while an append waits for it."""

    def setUp(self):
        super().setUp()
        self.primary = self.pair.primary

    def take_standby_away(self):
        self.pair.standby.stop()
        self.addCleanup(self.bring_standby_back)

    def bring_standby_back(self):
        if not self.pair.standby.process:
            self.pair.standby.start()
            self.pair.await_replication()

    def send_and_wait_for_standby(self, writer):
        self.assertEqual(writer.ask("send 1 10"), "sent 1")
        waiting = "SELECT pid FROM pg_stat_activity WHERE application_name = 'steled a' AND wait_event = 'SyncRep'"
        return harness.wait_until(lambda: self.primary.sql(waiting), "an append that waits for the standby")

    def assert_resolved_once(self):
        """When the standby is back, the next leader finds the batch, and continues after it."""
        self.bring_standby_back()
        other = self.node("b", lease=1)
        harness.wait_until(lambda: other.ask("lead").startswith("leads"), "the lease")
        self.assertEqual(other.ask("renew"), "ok")
        reader = self.reader()
        self.assertEqual(reader.ask("safe"), "1")
        self.assertEqual(reader.read(1), ([(1, 1, 1, 1, 10)], "end 1"))
        self.assertRegex(other.ask("append 1 10"), "^durable 2 ")

    def test_append_without_a_standby_is_in_doubt(self):
        writer = self.writer(timeout=SHORT, lease=1)
        self.take_standby_away()
        self.assertRegex(writer.ask("append 1 10"), "^unavailable PostgreSQL did not answer within the time-out")
        self.assertRegex(writer.ask("append 1 10"), "^fenced this node does not lead")
        self.assertEqual(self.count("true"), 0)
        #   Each leader has to wait for it, too
        self.assertRegex(writer.ask("lead"), "^unavailable ")
        self.assertRegex(self.node("b", timeout=SHORT, lease=1).ask("lead"), "^unavailable ")
        self.assertEqual(self.reader().head()["safe"], 0)
        writer.kill()
        self.assert_resolved_once()

    def test_attempts_to_lead_leave_no_sessions(self):
        writer = self.writer(timeout=SHORT, lease=1)
        other = self.node("b", timeout=SHORT, lease=1)
        self.take_standby_away()
        self.assertRegex(writer.ask("append 1 10"), "^unavailable ")
        for _ in range(2):
            for node in (writer, other):
                self.assertRegex(node.ask("lead"), "^unavailable ")
        #   One remains: that of the append, which waits for the standby
        sessions = "SELECT count(*), max(wait_event) FROM pg_stat_activity WHERE application_name IN ('steled a', 'steled b')"
        harness.wait_until(lambda: self.primary.sql(sessions) == "1|SyncRep", "the end of the attempts")
        writer.kill()
        self.assert_resolved_once()

    def test_cancelled_wait_is_no_ack(self):
        writer = self.writer(lease=1)
        self.take_standby_away()
        pid = self.send_and_wait_for_standby(writer)
        self.assertEqual(writer.ask("poll"), "not yet")
        self.primary.sql("SELECT pg_cancel_backend(%s)" % pid)
        #   PostgreSQL reports success, with a warning
        self.assertRegex(writer.ask("wait"), "^unavailable canceling wait for synchronous replication")
        #   The row is visible, but no reader takes it
        harness.wait_until(lambda: self.count("true") == 1, "the row")
        reader = self.reader()
        self.assertEqual(reader.head()["number"], 1)
        self.assertEqual(reader.ask("safe"), "0")
        self.assert_resolved_once()

    def test_terminated_wait_is_no_ack(self):
        writer = self.writer(lease=1)
        self.take_standby_away()
        pid = self.send_and_wait_for_standby(writer)
        self.primary.sql("SELECT pg_terminate_backend(%s)" % pid)
        self.assertRegex(writer.ask("wait"), "^unavailable ")
        harness.wait_until(lambda: self.count("true") == 1, "the row")
        self.assertEqual(self.reader().head()["safe"], 0)
        self.assert_resolved_once()

    def test_commit_that_a_crash_left_without_a_standby_is_not_safe(self):
        writer = self.writer(lease=1)
        self.take_standby_away()
        self.send_and_wait_for_standby(writer)
        self.primary.kill()
        self.assertRegex(writer.ask("wait"), "^unavailable ")
        self.primary.start()
        #   Now the row is visible, and on no standby
        self.assertEqual(self.count("true"), 1)
        reader = self.reader()
        self.assertEqual(reader.ask("safe"), "0")
        #   A leader without the standby does not make it safe, even if its change of the head is visible
        self.assertRegex(self.node("b", timeout=SHORT, lease=1).ask("lead"), "^unavailable ")
        self.assertEqual(reader.head()["safe"], 0)
        self.assert_resolved_once()


class Connection(nodes.Case):
    """The connection of the writer is cut: the server runs on, and has a standby."""

    def setUp(self):
        super().setUp()
        self.cutter = self.proxy()
        self.cut_writer = self.writer(url=self.cutter.url())

    def test_append_that_was_not_sent_is_not_there(self):
        self.cutter.cut()
        self.assertRegex(self.cut_writer.ask("append 1 10"), "^unavailable ")
        self.assertEqual(self.cut_writer.ask("lead"), "leads 2 0 0")
        self.assertEqual(self.cut_writer.ask("append 1 10"), "durable 1 2")

    def test_append_whose_answer_was_lost_is_there_once(self):
        self.assertEqual(self.cut_writer.ask("append 1 10"), "durable 1 1")
        self.cutter.answers.clear()
        self.assertEqual(self.cut_writer.ask("send 5 10"), "sent 2")
        self.assertTrue(self.cutter.held.wait(harness.PATIENCE))
        self.cutter.cut()
        self.assertRegex(self.cut_writer.ask("wait"), "^unavailable ")
        self.assertEqual(self.cut_writer.ask("lead"), "leads 2 2 6")
        self.assertEqual(self.cut_writer.ask("append 1 10"), "durable 3 2")
        self.assertEqual([batch[:3] for batch in self.reader().read(3)[0]], [(1, 1, 1), (2, 2, 6), (3, 7, 7)])

    def test_lead_whose_answer_was_lost_is_repeated(self):
        self.cutter.answers.clear()
        self.cut_writer.tell("lead")
        self.assertTrue(self.cutter.held.wait(harness.PATIENCE))
        self.cutter.cut()
        self.assertRegex(self.cut_writer.answer(), "^unavailable ")
        self.assertRegex(self.cut_writer.ask("lead"), "^leads [23] 0 0")

    def test_batch_that_takes_longer_than_the_time_out_over_a_slow_connection_is_read(self):
        self.assertEqual(self.cut_writer.ask("append 1 3000000"), "durable 1 1")
        reader = self.reader(url=self.cutter.url(), timeout=SHORT)
        #   64 KiB at a time
        self.cutter.pause_s = 0.1
        self.assertEqual(reader.read(1), ([(1, 1, 1, 1, 3000000)], "end 1"))

    def test_idle_connection_that_was_cut_is_replaced(self):
        reader = self.reader(url=self.cutter.url())
        self.cutter.cut()
        self.assertRegex(self.cut_writer.ask("renew"), "^unavailable ")
        self.assertEqual(self.cut_writer.ask("lead"), "leads 2 0 0")
        self.assertEqual(self.cut_writer.ask("append 2 10"), "durable 1 2")
        harness.wait_until(lambda: not reader.ask("head").startswith("unavailable"), "another connection")
        self.assertEqual(reader.read(1), ([(1, 1, 2, 2, 10)], "end 1"))


class Answers(Brokers):
    """The log takes a batch, and its answer is lost: what the batch answers is answered, and only that."""

    def setUp(self):
        super().setUp()
        self.cutter = self.proxy()
        self.cut_writer = self.broker("a", url=self.cutter.url())

    def await_append(self):
        """The batch after those that the writer knows to be in the log."""
        harness.wait_until(lambda: self.count("number = %d" % (self.known + 1)) == 1, "the commit")

    def start(self):
        """Returns the producer of an event, and its position. The answer of the next append is held back."""
        producer = self.clients.producer(self.cut_writer.events, "p", lease_ms=3600000)
        position = self.publish(producer)
        self.ledger = producer.welcome["ledger"]
        self.known = self.shared(self.cut_writer)["number"]
        self.cutter.hold_from = b"append"
        return producer, position

    def request_that_loses_its_answer(self):
        """A request without a sequence: whoever sent it again would publish twice. Another node leads meanwhile."""
        other = self.broker("b")
        position = self.start()[1]
        self.await_position(other, position)
        asker = self.clients.asker(self.cut_writer.requests)
        asker.send({"op": "publish", "producer": "q", "events": [{"type": "task.updated", "task_id": "t1", "title": "Once"}]})
        self.await_append()
        self.end_session()
        self.await_role(other, "writer")
        return other, position, asker

    def locks(self, what):
        return self.pair.primary.sql("SELECT %s FROM pg_locks WHERE locktype = 'advisory' AND granted" % what)

    def end_session(self):
        self.locks("pg_terminate_backend (pid)")

    def assert_published_once(self, asker, position, *brokers):
        answer = asker.receive()
        self.assertEqual((answer["ok"], answer.get("position"), answer.get("accepted")), (True, position + 1, 1), answer)
        for broker in brokers:
            self.await_position(broker, position + 1)
            self.assertEqual([event["position"] for event in self.events(broker) if event.get("title") == "Once"], [position + 1])

    def test_request_is_answered_when_another_node_leads(self):
        other, position, asker = self.request_that_loses_its_answer()
        self.cutter.cut()
        self.assert_published_once(asker, position, self.cut_writer, other)
        self.await_role(self.cut_writer, "follower")
        last = self.publish(self.clients.producer(other.events, "r"))
        self.assertEqual(last, position + 2)
        self.await_position(self.cut_writer, last)
        self.assert_equal(self.cut_writer, other)

    def test_request_is_answered_when_another_node_has_led(self):
        other, position, asker = self.request_that_loses_its_answer()
        self.assertEqual(self.publish(self.clients.producer(other.events, "r")), position + 2)
        other.signal(signal.SIGKILL)
        other.wait()
        harness.wait_until(lambda: self.locks("count(*)") == "0", "the end of its session")
        self.cutter.cut()
        self.assert_published_once(asker, position, self.cut_writer)
        self.await_role(self.cut_writer, "writer")
        self.assertEqual(self.publish(self.clients.producer(self.cut_writer.events, "s")), position + 3)
        self.assertEqual([event["position"] for event in self.events(self.cut_writer)], list(range(1, position + 4)))

    def test_message_that_arrives_meanwhile_is_answered_when_the_ledger_cannot_take_the_batch(self):
        producer, position = self.start()
        size = os.path.getsize(self.cut_writer.ledger + "-wal")
        producer.send_events([{"type": "task.output_added", "task_id": "t1", "output_type": "stdout",
                               "content": os.urandom(2 * size).hex()}])
        self.await_append()
        #   Whether this node leads is not answered either: a message arrives while the batch is in doubt
        self.cutter.hold_from = b"lead"
        self.cutter.cut()
        harness.wait_until(lambda: self.shared(self.cut_writer)["in_doubt"], "doubt")
        self.assertTrue(self.cutter.held.wait(harness.PATIENCE))
        taken = self.ask(self.cut_writer, "stats")["ingest"]["messages"]
        asker = self.clients.asker(self.cut_writer.requests)
        asker.send({"op": "publish", "producer": "q", "events": [{"type": "task.updated", "task_id": "t1", "model": "m"}]})
        harness.wait_until(lambda: self.ask(self.cut_writer, "stats")["ingest"]["messages"] == taken + 1, "the message")
        #   The log has the batch. No file of the broker may grow, so the ledger does not take it
        resource.prlimit(self.cut_writer.child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        self.cutter.cut()
        self.assertEqual(producer.settle(), position + 1)
        #   A node that cannot write follows, so the message is not executed
        answer = asker.receive()
        self.assertEqual(answer.get("error", {}).get("code"), "not_writer", answer)
        resource.prlimit(self.cut_writer.child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.await_role(self.cut_writer, "writer")
        self.assertEqual(self.publish(self.clients.producer(self.cut_writer.events, "r")), position + 2)
        self.assertEqual([event["position"] for event in self.events(self.cut_writer)], list(range(1, position + 3)))


if __name__ == "__main__":
    harness.main()
