# test_doubt - an append whose outcome is not known is never an ack, and never appended twice
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import harness
import nodes

#   Milliseconds: of calls whose time-out is what is tested
SHORT = 1500


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

    def test_idle_connection_that_was_cut_is_replaced(self):
        reader = self.reader(url=self.cutter.url())
        self.cutter.cut()
        self.assertRegex(self.cut_writer.ask("renew"), "^unavailable ")
        self.assertEqual(self.cut_writer.ask("lead"), "leads 2 0 0")
        self.assertEqual(self.cut_writer.ask("append 2 10"), "durable 1 2")
        harness.wait_until(lambda: not reader.ask("head").startswith("unavailable"), "another connection")
        self.assertEqual(reader.read(1), ([(1, 1, 2, 2, 10)], "end 1"))


if __name__ == "__main__":
    harness.main()
