# test_failover - the primary is lost: what was acked is in the log of the promoted standby
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import harness
import nodes
import postgres


class Failover(nodes.Case):
    def setUp(self):
        super().setUp()
        #   Each test uses up a pair
        self.pair = postgres.Pair()
        self.addCleanup(self.pair.close)

    @classmethod
    def setUpClass(cls):
        pass

    def url(self, options=""):
        return "postgres:host=%s,%s user=postgres dbname=postgres %s" % (
            self.pair.primary.folder, self.pair.standby.folder, options)

    def test_acked_batches_survive_the_loss_of_the_primary(self):
        writer = self.writer(url=self.url())
        for _ in range(50):
            self.assertRegex(writer.ask("append 2 500"), "^durable ")
        #   Some more, of which the crash interrupts one
        for _ in range(5000):
            writer.tell("append 2 500")
        acked = harness.wait_until(lambda: writer.seen + 20 < len(writer.process.lines), "acks") and 50
        self.pair.primary.kill()
        answer = "durable"
        while answer.startswith("durable"):
            answer = writer.answer()
            acked += answer.startswith("durable")
        self.assertRegex(answer, "^unavailable ")
        self.assertLess(acked, 5050)
        self.pair.promote()
        #   It waits for no standby now: allowed by name only
        self.assertRegex(self.node("b", url=self.url()).ask("lead"), "^unauthorized ")
        other = self.node("b", url=self.url(), unreplicated=True)
        words = harness.wait_until(lambda: [other.ask("lead")], "the end of the session")[0].split()
        self.assertEqual(words[:2], ["leads", "2"])
        self.assertIn(int(words[2]), (acked, acked + 1))
        batches, end = self.reader(url=self.url()).read(int(words[2]))
        self.assertEqual([batch[0] for batch in batches], list(range(1, int(words[2]) + 1)))
        self.assertEqual(end, "end " + words[2])

    def test_primary_that_comes_back_as_it_was_shows_readers_nothing_that_no_standby_had(self):
        #   The last batch is on the primary alone
        writer, reader = self.writer(url=self.url()), self.reader(url=self.url())
        self.assertEqual(writer.ask("append 1 10"), "durable 1 1")
        self.assertEqual(writer.ask("announce"), "ok")
        self.assertEqual(reader.ask("await 1"), "1")
        self.assertEqual(reader.read(1)[1], "end 1")
        self.pair.standby.stop()
        self.assertEqual(writer.ask("send 1 20"), "sent 2")
        harness.wait_until(lambda: self.pair.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1",
                           "an append that waits for the standby")
        writer.kill()
        old = self.pair.primary
        old.kill()
        self.pair.standby.start()
        self.pair.promote()
        other = self.node("b", url=self.pair.primary.url(), unreplicated=True)
        self.assertRegex(harness.wait_until(lambda: other.ask("lead"), "the lead"), "^leads 2 1 1")
        for number in (2, 3):
            self.assertEqual(other.ask("append 1 30"), "durable %d 2" % number)
        self.assertEqual(other.ask("announce"), "ok")
        harness.wait_until(lambda: not reader.ask("head").startswith("unavailable"), "the new primary")
        self.assertEqual(reader.ask("await 3"), "3")
        #   The old one comes back as it was, and the reader meets it first
        old.start()
        self.pair.primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'steled r'")
        for _ in range(2):
            batches, end = reader.read(3)
            self.assertEqual(batches, [])
            self.assertRegex(end, "^unavailable ")
        self.assertEqual(reader.head()["number"], 2)
        self.assertEqual(reader.ask("safe"), "1")
        #   It ends, and the reader continues with what is in the log
        old.stop()
        harness.wait_until(lambda: reader.ask("head").split()[2:3] == ["3"], "the new primary")
        self.assertEqual(reader.ask("safe"), "3")
        self.assertEqual([batch[4] for batch in reader.read(3)[0]], [30, 30])

    def test_control_without_synchronous_commits_is_caught_by_the_hashes(self):
        writer = self.writer(url=self.url("options='-c synchronous_commit=local'"), unreplicated=True)
        for number in (1, 2):
            self.assertEqual(writer.ask("append 1 10"), "durable %d 1" % number)
        last = self.pair.primary.sql("SELECT pg_current_wal_lsn()")
        harness.wait_until(lambda: self.pair.standby.sql("SELECT pg_last_wal_replay_lsn() >= '%s'" % last) == "t", "the standby")
        reader = self.reader(url=self.url())
        #   The standby is cut off: what is acked now is on the primary alone
        self.pair.standby.configure(primary_conninfo="host=/nowhere")
        harness.wait_until(lambda: self.pair.primary.sql("SELECT count(*) FROM pg_stat_replication") == "0", "no standby")
        for number in (3, 4):
            self.assertEqual(writer.ask("append 1 10"), "durable %d 1" % number)
        writer.ask("announce")
        self.assertEqual(reader.ask("await 4"), "4")
        self.assertEqual(reader.read(4)[1], "end 4")
        self.pair.primary.kill()
        self.pair.promote()
        other = self.node("b", url=self.url(), unreplicated=True)
        self.assertEqual(other.ask("lead"), "leads 2 2 2")
        for number in (3, 4, 5):
            self.assertEqual(other.ask("append 1 10"), "durable %d 2" % number)
        #   The numbers fit, the hashes do not
        self.assertEqual(harness.wait_until(lambda: reader.ask("head").split()[2:3] == ["5"], "the new primary"), True)
        self.assertEqual(reader.read(5)[0], [])
        self.assertRegex(reader.read(5)[1], "^bad_ledger the hash of batch 5 of the log does not match")


if __name__ == "__main__":
    harness.main()
