# test_append - one node appends, others read; who may lead
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import signal
import unittest

import harness
import nodes
import postgres


class Append(nodes.Case):
    def test_batches_are_read_in_order_with_their_positions(self):
        writer = self.writer()
        for number, events in enumerate((1, 100, 0, 3), 1):
            self.assertEqual(writer.ask("append %d 5000" % events), "durable %d 1" % number)
        reader = self.reader()
        batches, end = reader.read(4)
        self.assertEqual(batches, [(1, 1, 1, 1, 5000), (2, 2, 101, 1, 5000), (3, 102, 101, 1, 5000), (4, 102, 104, 1, 5000)])
        self.assertEqual(end, "end 4")
        self.assertEqual(reader.read(4), ([], "end 4"))

    def test_hashes_are_those_that_postgresql_computes(self):
        writer = self.writer()
        for _ in range(5):
            writer.ask("append 7 300")
        wrong = self.pair.primary.sql(
            "SELECT count(*) FROM (SELECT *, lag(hash, 1, sha256(convert_to('stele log %s', 'UTF8'))) OVER (ORDER BY number)"
            " AS previous FROM stele_log WHERE ledger = '%s') AS log WHERE hash <> sha256(previous || int8send(number) ||"
            " int8send(first) || int8send(last) || int8send(epoch) || int8send(time) || int4send(format) || batch)"
            % (self.ledger, self.ledger))
        self.assertEqual((wrong, self.count("true")), ("0", 5))

    def test_reader_learns_what_is_safe(self):
        writer = self.writer()
        reader = self.reader()
        self.assertEqual(reader.ask("safe"), "0")
        writer.ask("append 1 100")
        writer.ask("append 1 100")
        #   The second append says that the first one is safe; the announcement that the second one is, too
        self.assertEqual(reader.head()["safe"], 1)
        writer.ask("announce")
        self.assertEqual(reader.ask("await 2"), "2")
        #   One that connects later learns it from the head
        self.assertEqual(self.reader("late").head()["safe"], 2)

    def test_many_batches_are_read_in_pages(self):
        writer = self.writer()
        for _ in range(20):
            writer.ask("append 1 1000000")
        batches, end = self.reader().read(20)
        self.assertEqual(([batch[0] for batch in batches], end), (list(range(1, 21)), "end 20"))

    def test_batches_go_to_partitions_that_were_made_before(self):
        writer = self.writer()
        table = "stele_log_" + self.ledger.replace("-", "")
        self.assertEqual(self.pair.primary.sql(
            "SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid) FROM pg_inherits"
            " WHERE inhparent = '%s'::regclass" % table), "%s_0 %s_1" % (table, table))
        writer.ask("append 1 100")
        self.assertEqual(self.pair.primary.sql("SELECT count(*) FROM %s_0" % table), "1")

    def partitions(self):
        """The numbers of those of this log."""
        table = "stele_log_" + self.ledger.replace("-", "")
        rows = self.pair.primary.sql("SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = '%s'::regclass" % table)
        return sorted(int(row.split("_")[-1]) for row in rows.split())

    def writer_after(self, number):
        """A node that leads a log of so many batches, which have been trimmed."""
        writer = self.node("a")
        self.assertEqual(writer.ask("create %s 0" % self.ledger), "ok")
        self.pair.primary.sql("UPDATE stele_heads SET number = %d, safe = %d WHERE name = '%s'" % (number, number, self.log))
        self.assertEqual(writer.ask("lead"), "leads 1 %d 0" % number)
        return writer

    def test_writer_that_never_renews_makes_its_partitions(self):
        writer = self.writer_after(99997)
        self.assertEqual(self.partitions(), [0, 1])
        #   Each append is a sign of life, so nothing else is sent under load
        for number in range(99998, 100002):
            self.assertEqual(writer.ask("append 1 10"), "durable %d 1" % number)
        self.assertEqual(self.partitions(), [0, 1, 2])

    def test_partition_that_was_lost_with_a_primary_is_made_again(self):
        writer = self.writer_after(99998)
        self.pair.primary.sql("DROP TABLE stele_log_%s_1" % self.ledger.replace("-", ""))
        self.assertEqual(writer.ask("lead"), "leads 2 99998 0")
        for number in (99999, 100000):
            self.assertEqual(writer.ask("append 1 10"), "durable %d 2" % number)

    def test_partitions_are_made_while_the_log_is_read(self):
        writer = self.node("a")
        self.assertEqual(writer.ask("create %s 0" % self.ledger), "ok")
        #   As pg_dump does it, for as long as it takes
        sleeps = "pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        dump = harness.Process(postgres.unprivileged() + self.pair.primary.psql("SELECT count(*), pg_sleep(600) FROM stele_log"))
        harness.wait_until(lambda: self.pair.primary.sql("SELECT " + sleeps), "the query")
        self.addCleanup(dump.wait)
        self.addCleanup(self.pair.primary.sql, "SELECT pg_terminate_backend(pid) FROM (SELECT %s) AS sleeping" % sleeps)
        self.assertEqual(writer.ask("lead"), "leads 1 0 0")
        self.assertEqual(self.partitions(), [0, 1])
        self.assertEqual(writer.ask("append 1 10"), "durable 1 1")

    def test_log_of_another_ledger_is_refused(self):
        self.writer()
        other = self.node("b")
        self.assertRegex(other.ask("create 6a3c5fd5-7a0e-4c8e-8f51-000000000001 0"),
                         "^bad_ledger the log '%s' is that of ledger %s" % (self.log, self.ledger))

    def test_log_that_does_not_exist_is_not_led(self):
        self.writer()
        self.assertRegex(self.node("b", log="no-such-log").ask("lead"), "^not_found ")


class Lead(nodes.Case):
    def test_one_node_leads_until_it_resigns(self):
        writer = self.writer()
        other = self.node("b")
        self.assertEqual(other.ask("lead"), "other a")
        writer.ask("append 3 10")
        self.assertEqual(writer.ask("resign"), "ok")
        self.assertRegex(writer.ask("append 1 10"), "^fenced ")
        self.assertEqual(other.ask("lead"), "leads 2 1 3")
        self.assertEqual(other.ask("append 1 10"), "durable 2 2")

    def test_node_leads_at_once_when_the_session_of_the_writer_ends(self):
        writer = self.writer()
        writer.ask("append 1 10")
        other = self.node("b")
        self.assertEqual(other.ask("lead"), "other a")
        writer.kill()
        #   The lease of ten minutes is not over
        harness.wait_until(lambda: other.ask("lead") == "leads 2 1 1", "the end of the session")

    def test_stopped_writer_that_continues_is_fenced(self):
        writer = self.writer(lease=1000)
        writer.ask("append 1 10")
        writer.process.signal(signal.SIGSTOP)
        other = self.node("b", lease=1000)
        harness.wait_until(lambda: other.ask("lead") == "leads 2 1 1", "the end of the lease")
        for _ in range(20):
            other.ask("append 1 10")
        writer.process.signal(signal.SIGCONT)
        self.assertRegex(writer.ask("append 1 10"), "^fenced ")
        self.assertEqual(self.count("epoch = 1"), 1)
        self.assertEqual(self.count("number > 1 AND epoch = 2"), 20)

    def test_writer_with_the_lock_of_a_stopped_one_does_not_lose_it(self):
        stopped = self.writer(lease=1000)
        stopped.process.signal(signal.SIGSTOP)
        writer = self.node("b", lease=nodes.LEASE)
        harness.wait_until(lambda: writer.ask("lead") == "leads 2 0 0", "the end of the lease")
        stopped.kill()
        #   Its session ends, but it did not write any more: no other node may lead for that
        other = self.node("c")
        self.assertEqual(writer.ask("append 1 10"), "durable 1 2")
        self.assertEqual(other.ask("lead"), "other b")
        #   The writer gets the lock with its next sign of life
        harness.wait_until(lambda: writer.ask("renew") == "ok" and self.pair.primary.sql(
            "SELECT locked FROM stele_heads WHERE name = '%s'" % self.log) == "t", "the lock")
        writer.kill()
        harness.wait_until(lambda: other.ask("lead") == "leads 3 1 1", "the end of the session")

    def test_writers_that_fight_leave_no_gap(self):
        fighters = [self.writer("n0", lease=1)] + [self.node("n%d" % i, lease=1) for i in (1, 2)]
        appended = []
        for turn in range(60):
            fighter = fighters[turn % 3]
            if fighter.ask("lead").startswith("leads"):
                #   The one before appends, too, without having noticed
                answers = [fighter.ask("append 1 10"), fighters[(turn + 2) % 3].ask("append 1 10")]
                appended += [int(answer.split()[1]) for answer in answers if answer.startswith("durable")]
        self.assertEqual(appended, list(range(1, len(appended) + 1)))
        batches, end = self.reader().read(len(appended))
        self.assertEqual([batch[0] for batch in batches], appended)
        epochs = [batch[3] for batch in batches]
        self.assertEqual(epochs, sorted(epochs))
        self.assertGreater(epochs[-1], 10)


class Unreplicated(nodes.Case):
    def test_log_is_not_led_where_commits_are_not_synchronous(self):
        local = self.node("a", url=self.pair.primary.url("options='-c synchronous_commit=local'"))
        local.ask("create %s 0" % self.ledger)
        self.assertRegex(local.ask("lead"), "^unauthorized .*synchronous_commit = local.* shared-log-unreplicated = yes")
        self.addCleanup(lambda: self.pair.primary.configure(synchronous_standby_names="standby"))
        self.pair.primary.configure(synchronous_standby_names="")
        self.assertRegex(self.node("a").ask("lead"), "^unauthorized .*synchronous_standby_names = ''")
        asked = self.node("c", unreplicated=True)
        self.assertEqual(asked.ask("lead"), "leads 1 0 0")
        self.assertEqual(asked.ask("append 1 10"), "durable 1 1")

    def test_append_is_refused_when_the_standby_is_taken_out_of_the_settings(self):
        writer = self.writer()
        self.assertEqual(writer.ask("append 1 10"), "durable 1 1")
        self.addCleanup(lambda: self.pair.primary.configure(synchronous_standby_names="standby"))
        self.pair.primary.configure(synchronous_standby_names="")
        self.assertRegex(writer.ask("append 1 10"), "^unavailable synchronous_standby_names was emptied")
        self.assertEqual(self.count("true"), 1)

    def test_append_is_refused_when_commits_are_not_synchronous_any_more(self):
        writer = self.writer()
        self.addCleanup(lambda: self.pair.primary.configure(synchronous_commit="on", fsync="on"))
        for count, (name, value) in enumerate((("synchronous_commit", "local"), ("fsync", "off")), 1):
            self.assertRegex(writer.ask("append 1 10"), "^durable %d " % count)
            self.pair.primary.configure(**{name: value})
            self.assertRegex(writer.ask("append 1 10"), "^unavailable .*synchronous_commit or fsync is not on any more")
            self.assertRegex(writer.ask("lead"), "^unauthorized .*%s = %s" % (name, value))
            self.assertEqual(self.count("true"), count)
            self.pair.primary.configure(**{name: "on"})
            self.assertRegex(writer.ask("lead"), "^leads %d %d " % (count + 1, count))


class Settings(unittest.TestCase):
    def refusal(self, url, log="log", name="a"):
        node = nodes.Node(url, log, name)
        self.addCleanup(node.kill)
        return node.ready

    def test_wrong_settings_are_refused_by_name(self):
        self.assertRegex(self.refusal("mysql:host=x"), "^invalid_field shared-log: shared-log takes none or postgres:CONNINFO")
        self.assertRegex(self.refusal("postgres:", log="a b"), "^invalid_field shared-log-name: 'a b' is not a name")
        self.assertRegex(self.refusal("postgres:", name=""), "^invalid_field node: ")

    def test_server_that_does_not_answer_is_unavailable(self):
        node = nodes.Node("postgres:host=/nowhere", "log", "a")
        self.addCleanup(node.kill)
        for command in ("lead", "head", "create 6a3c5fd5-7a0e-4c8e-8f51-000000000001 0", "read 1"):
            self.assertRegex(node.ask(command), "^unavailable .*/nowhere")


if __name__ == "__main__":
    harness.main()
