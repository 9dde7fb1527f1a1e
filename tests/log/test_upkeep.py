# test_upkeep - what an operator does with a log: list the nodes, verify it, trim it, add a node
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import subprocess

import harness
from test_nodes import Brokers


class Upkeep(Brokers):
    def stele(self, *arguments, status=0):
        done = subprocess.run([harness.program("stele")] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=harness.PATIENCE, universal_newlines=True)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def log_command(self, *arguments, status=0):
        return self.stele("log", *arguments, "--shared-log", self.pair.primary.url(), "--shared-log-name", self.log, status=status)

    def nodes(self, broker):
        return {node["node"]: node for node in self.shared(broker)["nodes"]}

    def start(self):
        """A writer with a follower; the writer has a repository with a snapshot. Returns (writer, follower, producer, position)."""
        self.repository = os.path.join(self.folder, "backup")
        writer, follower = self.broker("a", backup=self.repository), self.broker("b")
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        self.ledger = producer.welcome["ledger"]
        for _ in range(5):
            self.publish(producer, 2)
        self.stele("backup", "--requests", writer.requests)
        position = self.publish(producer, 2)
        #   A node notes once per second what it has: trim keeps what it had then
        harness.wait_until(lambda: [self.nodes(writer).get(name, {}).get("position") for name in "ab"] == [position] * 2, "the notes")
        return writer, follower, producer, position

    def test_nodes_are_listed_by_each_of_them(self):
        writer, follower = self.broker("a"), self.broker("b")
        position = self.publish(self.clients.producer(writer.events, "p"), 3)
        for broker in (writer, follower):
            harness.wait_until(lambda: [(node["role"], node["position"]) for node in self.nodes(broker).values()] ==
                               [("writer", position), ("follower", position)], "both nodes")
        self.assertEqual(self.nodes(follower)["a"]["endpoints"], writer.events)
        table = [line.split() for line in self.stele("nodes", "--requests", follower.requests).splitlines()]
        self.assertEqual(table[0][:3], ["NODE", "ROLE", "EPOCH"])
        self.assertEqual([(row[0], row[1], row[5]) for row in table[1:]],
                         [("a", "writer", str(position)), ("b", "follower", str(position))])
        #   One that has died is silent
        writer.kill()
        self.await_role(follower, "writer")
        harness.wait_until(lambda: self.nodes(follower)["a"]["silent_ms"] > 1500, "silence")

    def test_broker_without_a_shared_log_has_no_nodes(self):
        folder = os.path.join(self.folder, "alone")
        os.mkdir(folder)
        broker = harness.Steled(folder)
        self.addCleanup(broker.kill)
        self.assertIn("no setting shared-log", self.stele("nodes", "--requests", broker.requests, status=78))

    def test_new_node_starts_from_a_snapshot_of_a_log_that_was_trimmed(self):
        writer, follower, producer, position = self.start()
        number = json.loads(self.log_command("verify", "--json"))["number"]
        #   Only what the snapshot covers
        printed = self.log_command("trim", "--backup", self.repository, "--dry-run")
        upto = int(printed.split()[-1])
        self.assertTrue(0 < upto < number - 1, printed)
        self.assertEqual(self.count("number <= %d" % upto), upto)
        self.log_command("trim", "--backup", self.repository)
        self.assertEqual(self.count("number <= %d" % upto), 0)
        self.assertEqual(self.count("true"), number - upto)
        self.assertIn("after batch %d" % (upto + 1), self.log_command("verify"))
        #   Not from nothing, but from the snapshot
        with self.assertRaisesRegex(AssertionError, "the log begins with batch %d, this node has batches up to 0" % (upto + 1)):
            self.broker("c")
        os.mkdir(os.path.join(self.folder, "d"))
        path = os.path.join(self.folder, "d", os.path.basename(writer.ledger))
        self.assertIn("verified", self.stele("restore", "--snapshot", self.repository, path))
        new = self.broker("d")
        position = self.publish(producer, 2)
        self.await_position(new, position)
        self.assert_equal(writer, new)

    def test_ledger_that_was_restored_from_segments_has_no_place_in_the_log(self):
        writer, follower, producer, position = self.start()
        #   A stop backs up all of it
        self.assertEqual(writer.stop(), 0)
        os.mkdir(os.path.join(self.folder, "c"))
        self.stele("restore", self.repository, os.path.join(self.folder, "c", os.path.basename(writer.ledger)))
        with self.assertRaisesRegex(AssertionError, "does not continue position %d" % position):
            self.broker("c")

    def test_trim_keeps_what_a_node_lacks(self):
        writer, follower, producer, position = self.start()
        follower.stop()
        behind = self.noted("b")
        self.publish(producer)
        self.stele("backup", "--requests", writer.requests)
        self.publish(producer)
        harness.wait_until(lambda: self.noted("a") > behind, "the note of the writer, which is made once a second")
        self.assertTrue(int(self.log_command("trim", "--backup", self.repository, "--dry-run").split()[-1]) == behind)
        self.assertIn("has no snapshot of ledger", self.refused_trim("--backup", self.repository_of_another()))
        #   By force
        self.assertIn("needs --backup", self.log_command("trim", status=64))
        self.assertIn("needs --upto", self.log_command("trim", "--force", status=64))
        self.log_command("trim", "--force", "--upto", str(behind + 1))
        self.assertEqual(self.count("number <= %d" % (behind + 1)), 0)
        with self.assertRaisesRegex(AssertionError, "start it from a snapshot"):
            self.broker("b")

    def noted(self, node):
        return int(self.pair.primary.sql("SELECT number FROM stele_nodes WHERE ledger = '%s' AND node = '%s'" % (self.ledger, node)))

    def refused_trim(self, *arguments):
        return self.log_command("trim", *arguments, status=65)

    def repository_of_another(self):
        folder = os.path.join(self.folder, "other")
        os.mkdir(folder)
        broker = harness.Steled(folder, settings={"backup": folder + "/backup"})
        self.addCleanup(broker.kill)
        self.publish(self.clients.producer(broker.events, "p"))
        self.stele("backup", "--requests", broker.requests)
        return folder + "/backup"

    def lose(self, upto):
        """The log loses all batches after that one, as with a backup of PostgreSQL."""
        where = "WHERE ledger = '%s' AND number" % self.ledger
        self.pair.primary.sql("DELETE FROM stele_log %s > %d" % (where, upto))
        self.pair.primary.sql("UPDATE stele_heads SET (number, position, hash, safe) = (SELECT number, last, hash, number FROM stele_log "
                              "%s = %d), epoch = epoch + 1 WHERE ledger = '%s'" % (where, upto, self.ledger))

    def test_log_that_lost_acked_batches_continues_after_the_ledger_that_has_the_most(self):
        writer, follower, producer, position = self.start()
        heal = ("heal", "--ledger", writer.ledger)
        number = self.shared(writer)["number"]
        for broker in (follower, writer):
            self.assertEqual(broker.stop(), 0)
        self.askers.clear()
        self.assertIn("there is nothing to heal with it", self.log_command(*heal, status=65))
        before = self.pair.primary.sql("SELECT time FROM stele_log WHERE ledger = '%s' AND number = %d" % (self.ledger, number - 3))
        self.lose(number - 3)
        with self.assertRaisesRegex(AssertionError, "have diverged: the log ends with batch %d" % (number - 3)):
            self.broker("a")
        #   The log has gone on with another event
        update = "UPDATE stele_log SET time = %%d WHERE ledger = '%s' AND number = %d" % (self.ledger, number - 3)
        for time in (int(before) + 1, int(before) - 10000001):
            self.pair.primary.sql(update % time)
            self.assertIn("is another event in this ledger", self.log_command(*heal, status=65))
        #   The clock of its writer was behind: its ledger has the time of the commit before
        self.pair.primary.sql(update % (int(before) - 10000000))
        self.pair.primary.sql("UPDATE stele_heads SET seen = now() WHERE ledger = '%s'" % self.ledger)
        self.assertIn("a node leads", self.log_command(*heal, status=75))
        self.pair.primary.sql("UPDATE stele_heads SET seen = to_timestamp(0) WHERE ledger = '%s'" % self.ledger)
        #   PostgreSQL does not remove the older batches at first
        table = self.pair.primary.sql("SELECT tableoid::regclass FROM stele_log WHERE ledger = '%s' LIMIT 1" % self.ledger)
        self.pair.primary.sql("CREATE FUNCTION keep () RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;"
                              " CREATE TRIGGER keep BEFORE DELETE ON %s FOR EACH ROW EXECUTE FUNCTION keep ()" % table)
        self.assertIn("not now", self.log_command(*heal, status=69))
        self.assertEqual(self.count("true"), number - 3)
        self.pair.primary.sql("DROP FUNCTION keep CASCADE")
        self.assertIn("continues after batch", self.log_command(*heal))
        self.assertEqual(self.count("true"), 0)
        self.assertIn("there is nothing to heal with it", self.log_command(*heal, status=65))
        self.assertIn("is sound", self.log_command("verify"))
        writer, follower = self.broker("a"), self.broker("b")
        again = self.clients.producer(writer.events, "p", instance=producer.instance, lease_ms=3600000)
        self.assertEqual(again.welcome["sequence"], producer.acked)
        self.await_position(follower, self.publish(again))
        self.assert_equal(writer, follower)
        with self.assertRaisesRegex(AssertionError, "start it from a snapshot"):
            self.broker("c")

    def test_verify_finds_what_was_changed(self):
        writer, follower, producer, position = self.start()
        self.assertIn("is sound", self.log_command("verify"))
        number = self.shared(writer)["number"] - 1
        one = "UPDATE stele_log SET %s WHERE ledger = '" + self.ledger + "' AND number = " + str(number)
        self.pair.primary.sql(one % "last = last - 1")
        self.assertIn("batch %d of the log does not match" % number, self.log_command("verify", status=65))
        self.pair.primary.sql(one % "last = last + 1")
        self.pair.primary.sql(one % "format = 9")
        self.assertIn("has format 9", self.log_command("verify", status=76))
        self.pair.primary.sql(one % "format = 1")
        self.assertIn("is sound", self.log_command("verify"))
        self.pair.primary.sql("UPDATE stele_heads SET hash = sha256('x') WHERE ledger = '%s'" % self.ledger)
        self.assertIn("is not that of the end of the log", self.log_command("verify", status=65))
        self.assertIn("there is no log", self.stele(
            "log", "verify", "--shared-log", self.pair.primary.url(), "--shared-log-name", "none", status=66))
        self.assertIn("missing option", self.stele("log", "verify", status=64))


if __name__ == "__main__":
    harness.main()
