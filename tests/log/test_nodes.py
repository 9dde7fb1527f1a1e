# test_nodes - brokers with one log: one writes, the others follow
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

import client
import harness
import nodes

#   Milliseconds: so long that only tests of its end meet it
LEASE = 600000


class Brokers(nodes.Case):
    def setUp(self):
        super().setUp()
        self.clients = client.Clients()
        self.addCleanup(self.clients.close)
        self.folder = os.path.join(self.pair.root, self.log)
        os.mkdir(self.folder)
        self.sequence = 0
        self.askers = {}

    def broker(self, name, url=None, lease=LEASE, redis=None, env=None, line="ready:", **settings):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder, exist_ok=True)
        broker = harness.Steled(folder, redis, env=env, line=line, settings=dict({
            "shared-log": url or self.pair.primary.url(), "shared-log-name": self.log, "shared-log-lease": lease,
            "node": name, "advertise": "ipc://%s/events" % folder}, **{
                key.replace("_", "-"): value for key, value in settings.items()}))
        self.addCleanup(broker.kill)
        return broker

    def ask(self, broker, op, **keys):
        asker = self.askers.setdefault(broker.requests, None) or self.clients.asker(broker.requests)
        self.askers[broker.requests] = asker
        return asker.ask(dict(keys, op=op))

    def shared(self, broker):
        """What the node says of the log: as of now, unless it has no time for an answer for long."""
        deadline = time.monotonic() + 10
        while True:
            part = self.ask(broker, "stats")["shared_log"]
            if (part and "age_ms" not in part) or time.monotonic() > deadline:
                return part
            time.sleep(0.02)

    def await_role(self, broker, role):
        """Its role as of now: while it has no time for an answer, it tells the one that it had."""
        return harness.wait_until(lambda: [part for part in [self.shared(broker)] if part["role"] == role and "age_ms" not in part],
                                  "role %s\n%s" % (role, broker.log()))

    def publish(self, producer, count=1):
        """Events about tasks of their own; returns the position of the last."""
        events = []
        for _ in range(count):
            self.sequence += 1
            events.append({"type": "task.created", "task_id": "t%d" % self.sequence, "title": "T", "description": "x" * 50,
                           "role": "r"})
        return producer.publish(*events)

    def depose(self, writer, follower):
        """The writer is stopped, and its session in PostgreSQL ended."""
        writer.signal(signal.SIGSTOP)
        self.pair.primary.sql("SELECT pg_terminate_backend (l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                              " WHERE l.locktype = 'advisory' AND l.granted")
        self.await_role(follower, "writer")

    def events(self, broker):
        events, after = [], 0
        while True:
            page = self.ask(broker, "events.read", after=after, limit=1000)["events"]
            if not page:
                return events
            events += page
            after = page[-1]["position"]

    def await_position(self, broker, position):
        harness.wait_until(lambda: self.ask(broker, "stats")["position"] >= position, "position %d" % position)

    def assert_equal(self, first, second):
        """Their ledgers have the same rows."""
        tables = ("commits_view", "tasks", "task_states", "task_history", "producers", "rejected_events", "words", "producer_fences")
        rows = []
        for broker in (first, second):
            with sqlite3.connect("file:%s?mode=ro" % broker.ledger, uri=True) as db:
                rows.append([db.execute("SELECT * FROM " + table).fetchall() for table in tables])
            db.close()
        for table, one, other in zip(tables, *rows):
            self.assertEqual(one, other, table)


class Follow(Brokers):
    def test_erased_task_is_erased_on_all_nodes(self):
        writer, follower = self.broker("a"), self.broker("b")
        producer = self.clients.producer(writer.events, "p")
        self.publish(producer, 3)
        secret = "named in person"
        producer.publish_refused({"type": "task.created", "task_id": "t2", "title": secret, "description": "", "role": "r", "state": 7})
        position = producer.publish(
            {"type": "task.output_added", "task_id": "t2", "output_type": "stdout", "content": secret},
            {"type": "task.state_changed", "task_id": "t2", "state": "failed", "last_error": secret})
        self.await_position(follower, position)
        refused = self.ask(follower, "task.erase", task_id="t2", reason="asked for")
        self.assertEqual(refused["error"]["code"], "not_writer", refused)
        erased = self.ask(writer, "task.erase", task_id="t2", reason="asked for")
        self.assertEqual((erased["ok"], erased["events"]), (True, 3), erased)
        self.await_position(follower, self.publish(producer))
        events = self.events(follower)
        self.assertEqual(events, self.events(writer))
        self.assertNotIn(secret, str(events) + str(self.ask(follower, "rejected.list")))
        self.assertEqual(self.ask(follower, "task.get", task_id="t2")["erased"]["position"], erased["erased_position"])
        self.assert_equal(writer, follower)

    def test_node_folds_what_another_one_writes(self):
        writer, follower = self.broker("a"), self.broker("b")
        self.assertEqual((self.shared(writer)["role"], self.shared(follower)["role"]), ("writer", "follower"))
        producer = self.clients.producer(writer.events, "p")
        for count in (1, 100, 20):
            self.publish(producer, count)
        producer.publish_refused({"type": "task.state_changed", "task_id": "t1"})
        position = self.publish(producer)
        self.await_position(follower, position)
        self.assertEqual(self.events(follower), self.events(writer))
        self.assert_equal(writer, follower)
        #   It answers questions, and names the writer to publishers
        self.assertEqual(self.ask(follower, "task.get", task_id="t7")["task"]["title"], "T")
        self.assertEqual(self.ask(follower, "producer.get", producer="p")["producer"]["sequence"], producer.sequence)
        answer = self.ask(follower, "publish", producer="q", events=[{"type": "task.updated", "task_id": "t1", "model": "m"}])
        self.assertEqual(answer["error"]["code"], "not_writer")
        other = self.clients.dealer(follower.events, "p")
        other.send({"op": "hello", "protocol": 1, "producer": "p", "instance": "i"})
        answer = other.receive()
        self.assertEqual((answer["op"], answer["code"], answer["writer"]), ("error", "not_writer", writer.events))

    def test_node_that_starts_later_folds_all_of_it(self):
        writer = self.broker("a")
        producer = self.clients.producer(writer.events, "p")
        for _ in range(30):
            position = self.publish(producer, 10)
        follower = self.broker("b", role="follower")
        self.await_position(follower, position)
        self.assert_equal(writer, follower)
        #   Again, after what it missed
        self.assertEqual(follower.stop(), 0)
        position = self.publish(producer, 10)
        follower = self.broker("b", role="follower")
        self.await_position(follower, position)
        self.assert_equal(writer, follower)

    def test_node_whose_disk_is_full_continues_when_there_is_room(self):
        writer, follower = self.broker("a"), self.broker("b")
        producer = self.clients.producer(writer.events, "p")
        position = self.publish(producer, 5)
        self.await_position(follower, position)
        size = os.path.getsize(follower.ledger + "-wal")
        resource.prlimit(follower.child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        producer.publish({"type": "task.output_added", "task_id": "t1", "output_type": "stdout",
                          "content": os.urandom(2 * size).hex()})
        harness.wait_until(lambda: self.shared(follower)["trouble"], "trouble")
        #   It does not lead, even if no other node does, and serves what it has
        writer.kill()
        follower.wait_line("File too large")
        self.assertEqual(self.events(follower)[-1]["position"], position)
        self.assertEqual(self.shared(follower)["role"], "follower")
        resource.prlimit(follower.child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.await_position(follower, position + 1)
        self.await_role(follower, "writer")
        self.assertEqual(len([line for line in follower.log().splitlines()
                              if "warning steled: shared log" in line and "File too large" in line]), 1)

    def test_follower_has_a_feed_and_a_search_of_its_own(self):
        writer, follower = self.broker("a"), self.broker("b")
        subscriber = self.clients.subscriber(follower.feed, "task.created/")
        subscriber.wait_joined()
        producer = self.clients.producer(writer.events, "p")
        position = producer.publish({"type": "task.created", "task_id": "t", "title": "needle", "description": "", "role": "r"})
        self.assertEqual(subscriber.next()[1]["position"], position)
        found = self.ask(follower, "task.list", text="needle", min_position=position)
        self.assertEqual([task["task_id"] for task in found["tasks"]], ["t"])

    def test_ledger_that_lost_its_end_folds_it_again(self):
        writer, follower = self.broker("a"), self.broker("b")
        producer = self.clients.producer(writer.events, "p")
        self.await_position(follower, self.publish(producer, 5))
        #   As after a power cut, which takes what was not synced: the high-water mark is ahead of the ledger
        self.assertEqual(follower.stop(), 0)
        shutil.copy(follower.ledger, self.folder + "/copy")
        follower = self.broker("b")
        position = self.publish(producer, 5)
        self.await_position(follower, position)
        self.assertEqual(follower.stop(), 0)
        shutil.copy(self.folder + "/copy", follower.ledger)
        self.askers.clear()
        follower = self.broker("b")
        self.await_position(follower, position)
        self.assert_equal(writer, follower)

    def test_ledger_of_another_log_is_refused(self):
        writer = self.broker("a")
        producer = self.clients.producer(writer.events, "p")
        self.publish(producer)
        writer.stop()
        self.log += "-other"
        self.publish(self.clients.producer(self.broker("c").events, "p"))
        with self.assertRaisesRegex(AssertionError, "the log is that of ledger .* this ledger is"):
            self.broker("a")

    def test_ledger_that_was_written_without_the_log_is_refused(self):
        writer, *followers = [self.broker(name, role=role) for name, role in (("a", "auto"), ("b", "follower"), ("c", "follower"))]
        position = self.publish(self.clients.producer(writer.events, "p"), 3)
        for follower in followers:
            self.await_position(follower, position)
        for broker in (writer, *followers):
            self.assertEqual(broker.stop(), 0)
        #   Events, or no more than a producer
        for name, events in (("a", 4), ("b", 0)):
            alone = harness.Steled(os.path.join(self.folder, name))
            self.addCleanup(alone.kill)
            producer = self.clients.producer(alone.events, "q")
            if events:
                self.publish(producer, events)
            self.assertEqual(alone.stop(), 0)
            with self.assertRaisesRegex(AssertionError, "[Ss]tart this node from a snapshot"):
                self.broker(name)
        #   The log is as it was, and continues without them
        self.askers.clear()
        writer, follower = self.broker("c"), self.broker("d")
        self.await_role(writer, "writer")
        self.assertEqual(self.publish(self.clients.producer(writer.events, "r")), position + 1)
        self.await_position(follower, position + 1)
        self.assert_equal(writer, follower)

    def test_ledger_without_events_that_has_a_producer_of_no_log_is_refused(self):
        writer = self.broker("a")
        self.assertEqual(writer.stop(), 0)
        for name in "ab":
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
            alone = harness.Steled(os.path.join(self.folder, name))
            self.addCleanup(alone.kill)
            self.clients.producer(alone.events, "q")
            self.assertEqual(alone.stop(), 0)
            #   The log would give the number of that producer to another one
            with self.assertRaisesRegex(AssertionError, "no events, but producers .*written without shared-log"):
                self.broker(name)
        #   Nor does such a ledger begin a log
        self.log += "-new"
        with self.assertRaisesRegex(AssertionError, "no events, but producers .*written without shared-log"):
            self.broker("a")
        self.assertEqual(self.pair.primary.sql("SELECT count(*) FROM stele_heads WHERE name = '%s'" % self.log), "0")

    def test_node_does_not_lead_on_a_log_that_lost_batches_with_their_epochs(self):
        heads = []
        for name in ("p", "q", "r"):
            writer = self.broker("a")
            producer = self.clients.producer(writer.events, name)
            position = self.publish(producer)
            self.assertEqual(writer.stop(), 0)
            heads.append(self.pair.primary.sql("SELECT epoch, number, position, hash FROM stele_heads WHERE name = '%s'" % self.log))
        follower = self.broker("b", role="follower")
        self.await_position(follower, position)
        self.assertEqual(follower.stop(), 0)
        #   As after a restore of PostgreSQL from a backup. Each node raises the epoch once, to one that it knows
        epoch, number, position, digest = heads[0].split("|")
        self.assertGreater(int(heads[2].split("|")[0]), int(epoch) + 1)
        self.pair.primary.sql("DELETE FROM stele_log WHERE ledger = '%s' AND number > %s" % (producer.welcome["ledger"], number))
        self.pair.primary.sql("UPDATE stele_heads SET epoch = %s, number = %s, safe = %s, position = %s, hash = '%s' WHERE name = '%s'"
                              % (epoch, number, number, position, digest, self.log))
        for name in "ab":
            with self.assertRaisesRegex(AssertionError, "have diverged: the log ends with batch %s, the ledger has batch" % number):
                self.broker(name)
            self.pair.primary.sql("UPDATE stele_heads SET seen = to_timestamp(0) WHERE name = '%s'" % self.log)

    def test_page_that_was_read_on_is_dropped_if_the_one_before_it_cannot_be_folded(self):
        writer = self.broker("a")
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        #   More than three pages of 256: the first note of a node comes before anything is read on
        for _ in range(900):
            self.publish(producer)
        self.pair.primary.sql("UPDATE stele_log SET format = 99 WHERE ledger = '%s' AND number = 400" % producer.welcome["ledger"])
        follower = self.broker("b", role="follower")
        follower.wait_line("upgrade this node")
        #   A page that continues elsewhere would end it: it looks at the log again meanwhile
        time.sleep(1)
        shared = self.shared(follower)
        self.assertEqual((shared["state"], shared["number"]), ("stopped", 399))

    def test_node_stops_at_a_batch_of_a_later_version_and_continues_after_the_upgrade(self):
        writer = self.broker("a")
        producer = self.clients.producer(writer.events, "p")
        self.ledger = producer.welcome["ledger"]
        before = self.publish(producer, 5)
        number = self.shared(writer)["number"]
        position = self.publish(producer, 5)
        set_format = "UPDATE stele_log SET format = %d WHERE ledger = '%s' AND number = %d"
        self.pair.primary.sql(set_format % (2, self.ledger, number + 1))
        follower = self.broker("b")
        follower.wait_line("upgrade this node")
        self.assertEqual((self.shared(follower)["number"], self.shared(follower)["role"]), (number, "follower"))
        #   It serves what it has, and does not lead, even if no other node does
        self.assertEqual(self.events(follower)[-1]["position"], before)
        writer.kill()
        harness.wait_until(lambda: "upgrade" in self.shared(follower)["trouble"], "the reason")
        self.assertEqual(self.shared(follower)["role"], "follower")
        #   What the upgrade does: it knows the format
        self.pair.primary.sql(set_format % (1, self.ledger, number + 1))
        follower.stop()
        self.askers.clear()
        follower = self.broker("b")
        self.await_role(follower, "writer")
        self.assertEqual(self.events(follower)[-1]["position"], position)


class Local(Brokers):
    """What each node does for itself."""

    def old_tasks(self, producer, *names):
        """They ended years ago."""
        day = "2024-01-0%dT00:00:00Z"
        for name in names:
            position = producer.publish(
                {"type": "task.created", "task_id": name, "title": "Old", "description": "", "role": "r", "time": day % 1},
                {"type": "task.state_changed", "task_id": name, "state": "passed", "time": day % 2})
        return position

    def await_archived(self, broker, count):
        harness.wait_until(lambda: self.ask(broker, "stats")["ledger"].get("archived_tasks") == count, "%d archived tasks" % count)

    def test_each_node_archives_and_recalls_by_itself(self):
        writer, follower = [self.broker(name, archive_after="1s") for name in "ab"]
        producer = self.clients.producer(writer.events, "p")
        number = self.old_tasks(producer, "x", "y")
        for broker in (writer, follower):
            self.await_archived(broker, 2)
        #   An archive of this node that cannot be read: it serves what it has until the archive is back, and does not lead
        archive = glob.glob(follower.ledger + "*2024")[0]
        os.rename(archive, archive + ".away")
        position = producer.publish({"type": "task.updated", "task_id": "x", "title": "Again"})
        harness.wait_until(lambda: "archive" in (self.shared(follower)["trouble"] or ""), "trouble")
        self.assertEqual(self.events(follower)[-1]["position"], number)
        os.rename(archive + ".away", archive)
        self.await_position(follower, position)
        self.assertEqual(self.events(follower), self.events(writer))
        self.assertEqual(self.ask(follower, "task.get", task_id="x")["task"]["title"], "Again")

    def test_each_node_archives_and_recalls_sessions_by_itself(self):
        writer, follower = [self.broker(name, archive_after="1s") for name in "ab"]
        producer = self.clients.producer(writer.events, "p")
        self.old_tasks(producer, "x")
        producer.publish(client.started("s", task_id="x", time="2024-01-02T00:00:00Z"))
        archived = lambda broker: self.ask(broker, "stats")["ledger"].get("archived_sessions")
        for broker in (writer, follower):
            harness.wait_until(lambda: archived(broker) == 1, "the session to move")
        position = producer.publish(client.command("s", "make"), client.session_changed("s", "completed"))
        self.await_position(follower, position)
        self.assertEqual(self.events(follower), self.events(writer))
        for broker in (writer, follower):
            session = self.ask(broker, "session.get", session_id="s")["session"]
            self.assertEqual((session["state"], session["command_count"]), ("completed", 1))

    def test_what_is_done_to_a_follower_is_in_its_own_log(self):
        writer, follower = self.broker("a"), self.broker("b")
        position = self.publish(self.clients.producer(writer.events, "p"))
        self.await_position(follower, position)
        self.assertTrue(self.ask(follower, "mode", mode="sqlite")["ok"])
        follower.wait_line("mode by local on this node: ok; not recorded in the ledger")
        self.assertTrue(self.ask(writer, "mode", mode="sqlite")["ok"])
        self.await_position(follower, position + 1)
        self.assertEqual([event["type"] for event in self.events(follower)[position:]], ["audit.recorded"])

    def test_ledger_that_was_left_in_mode_redis_is_refused(self):
        broker = self.broker("a")
        broker.stop()
        with sqlite3.connect(broker.ledger) as db:
            db.execute("INSERT INTO meta VALUES ('suspended', 1)")
        db.close()
        with self.assertRaisesRegex(AssertionError, "start it once without shared-log"):
            self.broker("a")


class Settings(Brokers):
    def refusal(self, *arguments):
        done = subprocess.run([harness.program("steled"), "--check-config", "--redis", "none", "--ledger", self.folder + "/ledger",
                               "--shared-log", self.pair.primary.url()] + list(arguments), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=harness.PATIENCE, universal_newlines=True)
        return done.stdout if done.returncode else ""

    def test_settings_that_do_not_fit_are_refused_before_the_start(self):
        self.assertEqual(self.refusal(), "")
        self.assertIn("mode takes dual or sqlite", self.refusal("--redis", "redis://localhost", "--mode", "redis"))
        self.assertIn("start without --accept-loss", self.refusal("--accept-loss"))
        self.assertIn("'a b' is not a name", self.refusal("--node", "a b"))
        self.assertEqual(self.refusal("--message-bytes", "134217728"), "")
        self.assertIn("message-bytes takes at most 134217728", self.refusal("--message-bytes", "134217729"))
        self.assertIn("takes none or postgres:CONNINFO", self.refusal("--shared-log", "mysql:x"))

    def test_node_that_only_follows_creates_no_log(self):
        with self.assertRaisesRegex(AssertionError, "there is no log of the name '%s'" % self.log):
            self.broker("a", role="follower")


class Retry(Brokers):
    def test_batch_takes_a_bounded_number_of_bytes_of_retried_events(self):
        writer, follower = self.broker("a"), self.broker("b")
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        for number in range(36):
            task = {"type": "task.state_changed", "task_id": "t%d" % number}
            producer.publish({"type": "task.created", "task_id": task["task_id"], "title": "T", "description": "", "role": "r"},
                             dict(task, state="passed"))
            producer.publish_refused(dict(task, state="running", details={"n": "x" * 1000000}))
            producer.publish(dict(task, state="queued"))
        answer = self.ask(writer, "rejected.retry", ids=list(range(1, 37)))
        #   32 MiB of them
        self.assertEqual((answer["accepted"], [(event["id"], event["code"]) for event in answer["rejected"]]),
                         (33, [(number, "too_large") for number in (34, 35, 36)]))
        answer = self.ask(writer, "rejected.retry", ids=[34, 35, 36])
        self.assertEqual((answer["accepted"], answer["rejected"]), (3, []))
        self.await_position(follower, answer["position"])
        self.assert_equal(writer, follower)


class Doubt(Brokers):
    def test_batch_whose_answer_was_lost_is_acked_once(self):
        proxy = self.proxy()
        writer = self.broker("a", url=proxy.url())
        producer = self.clients.producer(writer.events, "p")
        position = self.publish(producer, 10)
        number = self.shared(writer)["number"]
        #   The server commits, and the answer is lost
        proxy.hold_from = b"append"
        producer.send_events([{"type": "task.updated", "task_id": "t1", "model": "m"}])
        self.ledger = producer.welcome["ledger"]
        harness.wait_until(lambda: self.count("number = %d" % (number + 1)) == 1, "the commit")
        #   A message that arrives meanwhile is kept
        asker = self.clients.asker(writer.requests)
        asker.send({"op": "publish", "producer": "q", "events": [{"type": "task.updated", "task_id": "t2", "model": "m"}]})
        proxy.cut()
        self.assertEqual(producer.settle(), position + 1)
        self.assertEqual(asker.receive()["accepted"], 1)
        writer.wait_line("was appended before the connection was lost")
        follower = self.broker("b")
        self.await_position(follower, position + 2)
        self.assertEqual([event["position"] for event in self.events(follower)], list(range(1, position + 3)))
        self.assert_equal(writer, follower)

    def test_batch_that_was_not_sent_is_sent_again(self):
        proxy = self.proxy()
        writer = self.broker("a", url=proxy.url())
        producer = self.clients.producer(writer.events, "p")
        position = self.publish(producer, 10)
        for _ in range(3):
            proxy.cut()
            position += 1
            self.assertEqual(self.publish(producer), position)
        self.ledger = producer.welcome["ledger"]
        self.assertEqual(self.count("true"), self.shared(writer)["number"])

    def test_batch_that_the_ledger_cannot_take_is_folded_later(self):
        writer = self.broker("a")
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        position = self.publish(producer, 10)
        self.ledger = producer.welcome["ledger"]
        number = self.shared(writer)["number"]
        #   No file of the broker may grow: the log takes the batch, the ledger does not
        size = os.path.getsize(writer.ledger + "-wal")
        resource.prlimit(writer.child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        producer.send_events([{"type": "task.output_added", "task_id": "t1", "output_type": "stdout",
                               "content": os.urandom(2 * size).hex()}])
        asker = self.clients.asker(writer.requests)
        harness.wait_until(lambda: self.shared(writer)["number"] == number + 1, "the append")
        asker.send({"op": "publish", "producer": "q", "events": [{"type": "task.updated", "task_id": "t2", "model": "m"}]})
        writer.wait_line("holding back acks")
        self.assertEqual(self.count("number > %d" % number), 1)
        resource.prlimit(writer.child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        #   It is not decided again, and its ack holds. The producers are those of the ledger now
        self.assertEqual(producer.settle(), position + 1)
        self.assertEqual(asker.receive()["position"], position + 2)
        producer.send({"op": "ping"})
        self.assertEqual(producer.receive()["code"], "no_hello")
        self.assertEqual(producer.hello(lease_ms=3600000)["sequence"], 11)
        self.assertEqual(self.publish(producer), position + 3)
        follower = self.broker("b")
        self.await_position(follower, position + 3)
        self.assertEqual(len([event for event in self.events(follower) if event["type"] == "task.output_added"]), 1)
        self.assert_equal(writer, follower)

    def test_leases_do_not_end_while_no_server_can_be_reached(self):
        lease = 6000
        proxy = self.proxy()
        writer = self.broker("a", url=proxy.url(), shared_log_timeout=4000)
        producer = self.clients.producer(writer.events, "p", lease_ms=lease)
        position = producer.publish(
            {"type": "task.created", "task_id": "t", "title": "T", "description": "", "role": "r"},
            {"type": "task.state_changed", "task_id": "t", "state": "running"})
        proxy.close()
        socket = os.path.join(proxy.folder, ".s.PGSQL.5432")
        os.remove(socket)
        producer.send_events([{"type": "task.updated", "task_id": "t", "model": "m"}])
        writer.wait_line("holding back acks")
        #   Requests are answered for longer than the lease
        end = time.monotonic() + 1.5 * lease / 1000
        while time.monotonic() < end:
            self.assertEqual(self.ask(writer, "task.get", task_id="t")["task"]["state"], "running")
        os.symlink(os.path.join(self.pair.primary.folder, ".s.PGSQL.5432"), socket)
        self.assertEqual(producer.settle(), position + 1)
        self.assertEqual([event["type"] for event in self.events(writer)][:3],
                         ["task.created", "task.state_changed", "task.updated"])

    def test_standby_that_is_away_holds_acks_back(self):
        writer = self.broker("a", shared_log_timeout=4000)
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        position = self.publish(producer)
        self.pair.standby.stop()
        producer.send_events([{"type": "task.updated", "task_id": "t1", "model": "m"}])
        writer.wait_line("holding back acks")
        #   Questions are answered meanwhile
        self.assertEqual(self.ask(writer, "task.get", task_id="t1")["position"], position)
        self.pair.standby.start()
        self.pair.await_replication()
        self.assertEqual(producer.settle(), position + 1)
        self.ledger = producer.welcome["ledger"]
        self.assertEqual(self.count("last = %d AND first = %d" % (position + 1, position + 1)), 1)


if __name__ == "__main__":
    harness.main()
