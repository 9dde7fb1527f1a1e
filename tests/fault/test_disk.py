# Disks that fail: what cannot be written is not acked, and acked events stay
#
# Needs a build with --enable-fault-points: the rules of
# STELE_FAULT_DISK (src/fault/disk.h) make the calls of the broker and of SQLite
# fail. Other builds skip it. test_disk_full.py fills real disks, with any build.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import signal
import subprocess
import sys
import unittest

import zmq

import harness
from client import Peer, Silence, changed, created, metric, output, pack, unpack
from faulty import FaultTest
from load import Load

STOPPED = 74                    # Storage failed
NOT_STARTED = 78


def setUpModule():
    for build in (os.environ.get("STELE_FAULT_BUILD"), harness.BUILD):
        steled = os.path.join(build or "", "steled")
        if os.path.exists(steled) and subprocess.run(
                [steled, "--fault-points"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            harness.BUILD = build
            return
    raise unittest.SkipTest("there is no build with --enable-fault-points")


class DiskTest(FaultTest):
    use_redis = False

    @classmethod
    def start_broker(cls, rules="", **more):
        return super().start_broker(env=dict(os.environ, STELE_FAULT_DISK=rules), **more)

    def setUp(self):
        super().setUp()
        self.flag = os.path.join(self.folder, self.name("flag"))

    def restart(self, rules="", **more):
        return super().restart(rules=rules, **more)

    def load(self, **options):
        load = Load(self.broker.events, self.name("load"), **options)
        self.addCleanup(load.stop)
        return load

    def fail_from_now_on(self):
        open(self.flag, "w").close()

    def recover(self):
        os.unlink(self.flag)

    def big(self, count, size=30000):
        """Events that cannot be compressed."""
        task = self.name("big")
        return [output(task, os.urandom(size)) for _ in range(count)]

    def publish_to_the_end(self, peer, *messages):
        """Wait until the broker has acked all of it, or has ended."""
        for events in messages:
            peer.send_events(events)
            while self.broker.running() and not peer.settled():
                try:
                    peer.note(peer.receive(100))
                except Silence:
                    pass

    def holding(self):
        asker = self.asker()

        def state():
            answer = asker.ask({"op": "stats"})
            self.assertIn("ingest", answer, "%r\n%s" % (answer, self.broker.log()))
            return answer["ingest"] if answer["ingest"]["holding"] else None
        return harness.wait_until(state, "the broker to hold back")

    def ledger_bytes(self, suffix):
        return os.stat(self.broker.ledger + suffix).st_size


class StopTest(DiskTest):
    """An I/O error: the state of the disk is unknown, so the broker stops."""

    def stops(self, call, suffix, says):
        self.restart("%s@%s:EIO:while=%s" % (call, suffix, self.flag))
        load = self.load()
        load.wait_acked(200)
        self.fail_from_now_on()
        self.assertEqual(self.broker.wait(), STOPPED, self.broker.log())
        self.recover()
        name = self.broker.ledger + suffix.replace(".db", "")
        self.assertIn("cannot %s %s: Input/output error (errno 5" % (says, name), self.broker.log())
        self.restart()
        load.wait_acked(load.acked + 200)
        load.finish()
        self.assert_kept(load)
        self.assert_whole()

    def test_sync_fails(self):
        self.stops("sync", "-wal", "sync")

    def test_write_fails(self):
        self.stops("write", "-wal", "write")

    def test_publish_by_request(self):
        """It was never reported as durable."""
        self.restart("sync@-wal:EIO:while=" + self.flag)
        self.fail_from_now_on()
        try:
            answer = self.asker().ask({"op": "publish", "producer": self.name("rest"),
                                       "events": [metric(self.name("task"), "n", 1)]})
            self.assertIs(answer["ok"], False, answer)
            self.assertEqual(answer["error"]["code"], "unavailable", answer)
        finally:
            self.assertEqual(self.broker.wait(), STOPPED, self.broker.log())
        self.recover()
        self.restart()
        self.assertLessEqual(len(self.values(self.name("task"))), 1)
        self.ask("publish", producer=self.name("rest"), sequence=1,
                 events=[metric(self.name("task"), "n", 1)])
        self.assertEqual(self.values(self.name("task")), [1])

    def checkpoint_stops(self, rule):
        """More than a thousand pages, then idle: a checkpoint runs."""
        self.restart("%s:EIO:while=%s" % (rule, self.flag))
        peer = self.producer()
        self.fail_from_now_on()
        self.publish_to_the_end(peer, self.big(150), self.big(150))
        self.assertEqual(self.broker.wait(), STOPPED, self.broker.log())
        self.assertIn("cannot", self.broker.log())
        self.assertIn(self.broker.ledger + ": Input/output error (errno 5", self.broker.log())
        self.recover()
        self.restart()
        rows = self.file().execute("SELECT count(*) FROM task_outputs_view WHERE task_id = ?",
                                   (self.name("big"),)).fetchone()[0]
        self.assertGreaterEqual(rows, peer.acked)
        self.assert_whole()

    def test_checkpoint_cannot_write(self):
        self.checkpoint_stops("write@ledger.db")

    def test_checkpoint_cannot_sync(self):
        self.checkpoint_stops("sync@ledger.db")

    def test_checkpoint_cannot_sync_and_a_shell_is_open(self):
        """The shell keeps SQLite's shared memory, which records that all pages were copied, although the disk
        lost them: the next start must not trust it and restart the log over them."""
        self.restart("sync@ledger.db:EIO:while=" + self.flag)
        shell = subprocess.Popen(
            [sys.executable, "-c", "import sqlite3, sys; file = sqlite3.connect (sys.argv [1], uri=True);"
             "file.execute ('SELECT count(*) FROM tasks').fetchall (); print ('open', flush=True); input ()",
             "file:%s?mode=ro" % self.broker.ledger], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(shell.stdout.readline(), b"open\n")
            peer = self.producer()
            self.fail_from_now_on()
            with open(self.broker.ledger, "rb") as file:
                refused = file.read()
            self.publish_to_the_end(peer, self.big(150), self.big(150))
            self.assertEqual(self.broker.wait(), STOPPED, self.broker.log())
            with open(self.broker.ledger, "r+b") as file:
                self.assertNotEqual(file.read(), refused)
                file.seek(0)
                file.write(refused)
                file.truncate()
            self.recover()
            self.restart()
            self.publish_to_the_end(self.producer(self.name("more")), self.big(20))
        finally:
            shell.communicate(b"\n")
        rows = self.file().execute("SELECT count(*) FROM task_outputs_view WHERE task_id = ?",
                                   (self.name("big"),)).fetchone()[0]
        self.assertGreaterEqual(rows, peer.acked + 20)
        self.assert_whole()

    def test_checkpoint_cannot_resize(self):
        self.checkpoint_stops("truncate@ledger.db")


class RedisModeTest(DiskTest):
    """Mode redis, which is meant for such disks."""
    use_redis = True

    def redis_mode_without_room(self):
        self.restart("write@-wal:ENOSPC:while=" + self.flag)
        peer = self.producer()
        peer.publish(created(self.name("a")))
        self.fail_from_now_on()
        self.assertEqual(self.ask("mode", mode="redis")["mode"], "redis")
        for task in "bcd":
            peer.publish(created(self.name(task)))
        self.broker.kill()
        self.recover()
        return peer

    def is_home(self, peer):
        mine = [event["task_id"] for event in self.read_events() if event.get("task_id", "").endswith(self.name(""))]
        self.assertEqual(mine, [self.name(task) for task in "abcd"])
        self.assertEqual(self.producer(instance=peer.instance).welcome["sequence"], 4)

    def test_without_room_for_its_mark_it_is_known_to_the_next_start(self):
        peer = self.redis_mode_without_room()
        self.redis.process.signal(signal.SIGSTOP)
        try:
            with self.assertRaisesRegex(AssertionError, "left in mode redis"):
                self.restart()
        finally:
            self.redis.process.signal(signal.SIGCONT)
        self.restart()
        self.is_home(peer)
        #   Then it is over
        self.restart(redis=None)
        self.is_home(peer)

    def test_a_recovery_that_breaks_off_goes_on_where_it_was(self):
        peer = self.redis_mode_without_room()
        broken_off = 0
        for write in (2, 3, 4, 5, 6):
            try:
                self.restart("write@-wal:ENOSPC:%d+" % write)
            except AssertionError:
                broken_off += 1
                with self.assertRaisesRegex(AssertionError, "left in mode redis"):
                    self.restart(redis=None)
        self.assertGreater(broken_off, 1)
        self.restart()
        self.is_home(peer)


class HoldTest(DiskTest):
    """Disk full: the broker holds back, answers requests, and continues by itself."""

    def holds_back(self, rule, says):
        self.restart("%s:while=%s" % (rule, self.flag))
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task), changed(task, "running"))
        load = self.load()
        load.wait_acked(200)
        self.fail_from_now_on()
        stats = self.holding()
        self.assertIn(says, stats["trouble"])
        #   Requests are still answered, with what is durable
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "running")
        head = self.ask("ping")["position"]
        rest = self.asker()
        rest.send({"op": "publish", "producer": self.name("rest"),
                   "events": [metric(self.name("rest-task"), "n", 1)]})
        with self.assertRaises(Silence):
            rest.receive(1500)
        acked = load.acked
        self.assertLessEqual(acked, head)
        self.assertTrue(self.ask("stats")["ingest"]["holding"])
        self.assertEqual(self.ask("ping")["position"], head)
        self.recover()
        load.wait_acked(acked + 200)
        answer = rest.receive()
        self.assertIs(answer["ok"], True, answer)
        self.assertIs(self.ask("stats")["ingest"]["holding"], False)
        self.assertIsNone(self.ask("stats")["ingest"]["trouble"])
        self.broker.wait_line("storage takes writes again")
        self.assertEqual(self.broker.log().count("storage cannot take writes"), 1, self.broker.log())
        load.finish()
        self.assert_kept(load)
        self.assertEqual(self.values(self.name("rest-task")), [1])
        self.assert_whole()

    def test_no_space(self):
        self.holds_back("write@-wal:ENOSPC", "No space left on device")

    def test_quota(self):
        self.holds_back("write@-wal:EDQUOT", "Disk quota exceeded")

    def test_no_space_for_shared_memory(self):
        """The shared memory grows per 4,000 pages of the log: the log is copied into the file and restarted."""
        self.assertEqual(self.broker.stop(), 0)
        self.restart("write@-shm:ENOSPC:while=" + self.flag)
        peer = self.producer()
        self.fail_from_now_on()
        for _ in range(4):
            peer.publish(*self.big(200))
        self.broker.wait_line("ledger.db-shm: No space left on device")
        self.broker.wait_line("storage takes writes again")
        self.recover()
        self.restart()
        rows = self.file().execute("SELECT count(*) FROM task_outputs_view WHERE task_id = ?",
                                   (self.name("big"),)).fetchone()[0]
        self.assertEqual(rows, 800)
        self.assert_whole()

    def test_checkpoint_without_room(self):
        """The log grows, acks do not wait."""
        self.restart("write@ledger.db:ENOSPC:while=" + self.flag)
        self.fail_from_now_on()
        peer = self.producer()
        peer.publish(*self.big(200))
        self.broker.wait_line("upkeep of the ledger is postponed")
        peer.publish(*self.big(200))
        self.assertGreater(self.ledger_bytes("-wal"), 400 * 30000)
        self.recover()
        peer.publish(*self.big(10))
        harness.wait_until(lambda: self.ledger_bytes("") > 400 * 30000, "the log to be folded in")
        self.assert_whole()

    def test_checkpoint_without_descriptors(self):
        """No connection for the checkpoint thread: the writer runs the checkpoint over its own."""
        self.restart("open@ledger.db:EMFILE:while=" + self.flag)
        self.fail_from_now_on()
        before = self.ledger_bytes("")
        peer = self.producer()
        peer.publish(*self.big(200))
        harness.wait_until(lambda: self.ledger_bytes("") > before + 200 * 30000, "the log to be folded in")
        self.recover()
        self.assert_whole()

    def test_short_writes(self):
        self.restart("write@-wal:short")
        load = self.load()
        load.wait_acked(500)
        load.finish()
        self.restart()
        self.assert_kept(load)
        self.assert_whole()

    def test_short_write_then_no_space(self):
        """Writes of a rolled back batch are no part of the log."""
        self.restart("write@-wal:short:60,write@-wal:ENOSPC:61-63,"
                     "write@-wal:short:150,write@-wal:ENOSPC:151-152")
        load = self.load()
        #   A loaded machine makes larger batches, so it needs more events for the same number of writes
        harness.wait_until(lambda: self.broker.log().count("storage takes writes again") == 2,
                           "the disk to be full twice")
        load.wait_acked(load.acked + 200)
        load.finish()
        self.restart()
        self.assert_kept(load)
        self.assert_whole()

    def test_stop_while_holding(self):
        self.restart("write@-wal:ENOSPC:while=" + self.flag)
        load = self.load()
        load.wait_acked(200)
        self.fail_from_now_on()
        self.holding()
        self.broker.signal(signal.SIGTERM)
        self.assertEqual(self.broker.wait(), 0, self.broker.log())
        self.assertNotIn("storage takes writes again", self.broker.log())
        self.recover()
        self.restart()
        load.wait_acked(load.acked + 200)
        load.finish()
        self.assert_kept(load)
        self.assert_whole()

    def test_kill_while_holding(self):
        self.restart("write@-wal:ENOSPC:while=" + self.flag)
        load = self.load()
        load.wait_acked(200)
        self.fail_from_now_on()
        self.holding()
        self.restart("write@-wal:ENOSPC:while=" + self.flag)     # Still full
        self.assertGreaterEqual(len(self.values("task-" + load.name)), load.acked)
        self.recover()
        load.wait_acked(load.acked + 200)
        load.finish()
        self.assert_kept(load)
        self.assert_whole()


class LeaseTest(DiskTest):
    """While the broker held back it did not listen: that time does not count against producers."""

    def interruptions(self, task):
        return [event for event in self.ask("task.history", task_id=task)["history"]
                if (event.get("error_message") or "").startswith("interrupted:")]

    def hold(self, peer, lease_ms):
        """The broker holds back for longer than the lease of a producer that only pings."""
        task = self.name("task")
        peer.hello(lease_ms=lease_ms)
        peer.publish(created(task), changed(task, "running"))
        self.fail_from_now_on()
        self.producer_without_answer()
        self.holding()
        for _ in range(3 * lease_ms // 2 // 250):
            peer.send({"op": "ping"})
            with self.assertRaises(Silence):
                peer.receive(250)
        return task

    def producer_without_answer(self):
        other = self.dealer()
        other.send({"op": "hello", "protocol": 1, "producer": self.name("other"), "instance": "1"})

    def test_silence_of_the_broker_interrupts_nobody(self):
        self.restart("write@-wal:ENOSPC:while=" + self.flag)
        peer = self.clients.dealer(self.broker.events, self.name("producer"))
        task = self.hold(peer, 4000)
        self.recover()
        harness.wait_until(lambda: not self.ask("stats")["ingest"]["holding"], "writes")
        peer.send({"op": "ping"})
        peer.expect("pong")
        self.assertEqual(self.interruptions(task), [])
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "running")

    def test_lease_that_runs_out_without_room_interrupts_once(self):
        self.restart("write@-wal:ENOSPC:while=" + self.flag)
        peer = self.clients.dealer(self.broker.events, self.name("producer"))
        task = self.name("task")
        peer.hello(lease_ms=3000)
        peer.publish(created(task), changed(task, "running"))
        self.fail_from_now_on()
        self.holding()                      # Caused by the lease alone
        with self.assertRaises(AssertionError):
            harness.wait_until(lambda: not self.ask("stats")["ingest"]["holding"], "writes", 3)
        self.assertEqual(self.broker.log().count("storage cannot take writes"), 1, self.broker.log())
        self.recover()
        harness.wait_until(lambda: self.interruptions(task), "the interruption")
        self.assertEqual(len(self.interruptions(task)), 1)
        self.restart()
        self.assertEqual(len(self.interruptions(task)), 1)


class SlowTest(DiskTest):
    """A slow disk: a client with a large request waits for it, the others do not."""

    def test_one_that_asks_for_much_holds_up_nobody(self):
        names = [self.name("slow%d" % number) for number in range(2000)]
        self.restart()
        peer = self.producer()
        for first in range(0, len(names), 500):
            peer.publish(*[created(name, description=os.urandom(300).hex()) for name in names[first:first + 500]])
        #   Then nothing is cached in memory
        self.restart(",".join("read@%s:sleep=20:while=%s" % (suffix, self.flag) for suffix in (".db", "-wal")))
        many = self.clients.keep(Peer(self.clients.context, zmq.DEALER, self.broker.requests))
        self.ask("ping")
        self.fail_from_now_on()
        asked = names[::40]
        for name in asked:
            many.socket.send_multipart([b"", pack({"op": "task.status", "task_id": name})])
        self.ask("ping")
        answered = 0
        while many.socket.poll(0):
            many.receive_frames()
            answered += 1
        self.assertLess(answered, len(asked))
        self.recover()
        for _ in range(len(asked) - answered):
            self.assertIs(unpack(many.receive_frames()[-1])["ok"], True)


class OpenTest(DiskTest):
    """A failure at start prevents the start and is reported; the next start succeeds."""

    def leave_a_log(self):
        """A ledger whose last run was killed between a write and its sync."""
        self.restart("sync@-wal:kill:40")
        load = self.load()
        self.assertEqual(self.broker.wait(), -signal.SIGKILL, self.broker.log())
        load.stop()
        return load

    def refuses(self, rule, says):
        with self.assertRaises(AssertionError) as raised:
            self.restart(rule)
        self.assertIn("steled: cannot start: ", str(raised.exception))
        self.assertIn(says, str(raised.exception))

    def test_log_of_a_killed_run_is_synced_before_it_counts(self):
        load = self.leave_a_log()
        self.refuses("sync@-wal:EIO:1", "cannot sync")
        self.refuses("write@ledger.db:EIO:1", "cannot write")
        self.refuses("sync@ledger.db:EIO:1", "cannot sync")
        self.restart()
        self.assert_kept(load)
        self.assert_whole()

    def test_start_without_room_answers_requests(self):
        load = self.leave_a_log()
        self.restart("write@ledger.db:ENOSPC,write@-wal:ENOSPC")
        self.assertGreaterEqual(self.ask("ping")["position"], load.acked)
        self.restart()
        self.assert_kept(load)
        self.assert_whole()

    def test_files_that_cannot_be_opened(self):
        load = self.leave_a_log()
        self.refuses("open@ledger.db:EMFILE", "Too many open files")
        self.refuses("open@-wal:EIO", "Input/output error")
        self.refuses("open@.lock:EROFS", "the file system is read-only")
        self.refuses("read@ledger.db:EIO", "Input/output error")
        self.refuses("read@-wal:EIO", "Input/output error")
        self.restart()
        self.assert_kept(load)
        self.assert_whole()

    def test_new_ledger_without_room(self):
        for rule in ("write@-wal:ENOSPC", "write@-wal:ENOSPC:3+", "sync@-wal:EIO", "open@new.db:ENOSPC"):
            self.broker.kill()
            with self.assertRaises(AssertionError) as raised:
                self.start_broker(rules=rule, ledger="new.db")
            self.assertIn("steled: cannot start: ", str(raised.exception))
        self.start_broker(ledger="new.db")
        self.producer().publish(created(self.name("task")))
        self.assert_whole()


class TornTest(DiskTest):
    """Killed during a write, a commit and a checkpoint."""

    def start_anew(self, rules):
        """After an orderly stop, with no other process on the ledger, a start writes nothing
        that could be torn."""
        self.close_files()
        self.assertEqual(self.broker.stop(), 0)
        self.restart(rules)

    def test_torn_write_to_the_log(self):
        loads = []
        for n in (1, 2, 3, 50, 51, 52, 99, 250):
            with self.subTest(n=n):
                self.start_anew("write@-wal:torn:%d" % n)
                loads.append(Load(self.broker.events, self.name("load-%d" % n)))
                self.assertEqual(self.broker.wait(), -signal.SIGKILL)
                loads[-1].stop()
                self.restart()
                self.assert_kept(*loads)
                self.assert_whole()

    def test_torn_checkpoint(self):
        for n in (1, 2, 500, 1000):
            with self.subTest(n=n):
                self.start_anew("write@ledger.db:torn:%d" % n)
                peer = self.producer(self.name("producer-%d" % n))
                self.publish_to_the_end(peer, self.big(150), self.big(150))
                self.assertEqual(self.broker.wait(), -signal.SIGKILL)
                self.restart()
                rows = self.file().execute("SELECT sequence FROM producers WHERE name = ?",
                                           (peer.name,)).fetchone()[0]
                self.assertGreaterEqual(rows, peer.acked)
                self.assert_whole()


if __name__ == "__main__":
    harness.main()
