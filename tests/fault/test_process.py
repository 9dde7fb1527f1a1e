# What the system can do to the process: a clock that jumps, SIGSTOP, SIGTERM under load, no more
# files, no more memory
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

import harness
from client import Silence, changed, created, metric, output
from faulty import FaultTest
from load import Load

FAKETIME = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + [""])[0]


class Pinger(threading.Thread):
    """A producer with a lease and a running task, which only pings."""

    def __init__(self, test, name, lease_ms):
        super().__init__(daemon=True)
        self.peer = test.producer(name, lease_ms=lease_ms)
        self.task = "task-" + name
        self.peer.publish(created(self.task), changed(self.task, "running"))
        self.sent, self.longest = time.monotonic(), 0           # Between two pings
        self.ending = threading.Event()
        test.addCleanup(self.stop)
        self.start()

    def run(self):
        while not self.ending.wait(0.1):
            self.longest = max(self.longest, time.monotonic() - self.sent)
            self.peer.send({"op": "ping"})
            self.sent = time.monotonic()

    def stop(self):
        self.ending.set()
        self.join()


class Stopped(FaultTest):
    def interruptions(self, task):
        return sum(1 for row in self.ask("task.history", task_id=task)["history"] if row.get("interrupted"))

    def test_sigstop_longer_than_the_leases_interrupts_nobody_who_pings(self):
        for again in range(10):
            pingers = [Pinger(self, self.name("p%d-%d" % (n, again)), lease_ms=700) for n in range(5)]
            for _ in range(3):
                self.broker.signal(signal.SIGSTOP)
                time.sleep(2.5)
                self.broker.signal(signal.SIGCONT)
                time.sleep(0.5)
            interrupted = [pinger for pinger in pingers if self.interruptions(pinger.task)]
            for pinger in pingers:
                pinger.stop()
            if not interrupted:
                break
            #   Unless the test itself was late with its pings
            self.assertEqual([pinger.task for pinger in interrupted if pinger.longest < 0.35], [])
        self.assertEqual(interrupted, [])

    def test_sigstop_does_not_save_who_is_dead(self):
        dead = self.producer(lease_ms=700)
        task = self.name("task")
        dead.publish(created(task), changed(task, "running"))
        dead.close()
        self.broker.signal(signal.SIGSTOP)
        time.sleep(1.5)
        self.broker.signal(signal.SIGCONT)
        harness.wait_until(lambda: self.interruptions(task) == 1, "the interruption")

    def test_sigstop_under_load_loses_nothing(self):
        loads = [Load(self.broker.events, "stopped-%d" % n) for n in range(3)]
        for _ in range(3):
            loads[0].wait_acked(loads[0].acked + 200)
            self.broker.signal(signal.SIGSTOP)
            time.sleep(1.2)                             # Longer than a Load waits
            self.broker.signal(signal.SIGCONT)
        for load in loads:
            load.finish(100)
        self.assert_kept(*loads)
        self.assert_whole()
        self.wait_redis_right()


class Terminated(FaultTest):
    settings = {"drain-ms": 3000}

    #   drain-ms, plus the time that sockets have for their last messages
    BOUND_S = 3 + 5

    def terminate(self):
        bound = self.BOUND_S * max(self.slowness(), 5 if harness.sanitized() else 1)
        began = time.monotonic()
        self.broker.signal(signal.SIGTERM)
        self.assertEqual(self.broker.wait(), 0, self.broker.log())
        self.assertLess(time.monotonic() - began, bound)

    def test_sigterm_under_load_loses_nothing(self):
        loads = [Load(self.broker.events, "term-%d" % n, batch=n + 1) for n in range(6)]
        for _ in range(4):
            for load in loads:
                load.wait_acked(load.acked + 50)
            self.terminate()
            self.start_broker()
        for load in loads:
            load.finish(50)
        self.assert_kept(*loads)
        self.assert_whole()
        self.wait_redis_right()

    def test_sigterm_with_a_redis_that_hangs_ends_in_time(self):
        load = Load(self.broker.events, "hung")
        load.wait_acked(200)
        self.redis.process.signal(signal.SIGSTOP)
        try:
            load.wait_acked(load.acked + 500)
            self.terminate()
        finally:
            self.redis.process.signal(signal.SIGCONT)
        self.start_broker()
        load.finish(50)
        self.assert_kept(load)
        self.wait_redis_right()

    def test_sigterm_with_peers_that_read_nothing_ends_in_time(self):
        task = self.name("task")
        self.producer().publish(created(task), *[output(task, "x" * 100000) for _ in range(50)])
        deaf = []
        for n in range(20):
            peer = self.clients.context.socket(harness.client.zmq.DEALER)
            peer.setsockopt(harness.client.zmq.RCVHWM, 1)
            peer.setsockopt(harness.client.zmq.LINGER, 0)
            peer.connect(self.broker.requests)
            for _ in range(20):
                peer.send_multipart([b"", harness.client.pack({"op": "task.outputs", "task_id": task})])
            deaf.append(peer)
        self.addCleanup(lambda: [peer.close() for peer in deaf])
        self.subscriber()                               # And a subscriber that never reads
        self.producer(self.name("more")).publish(*[output(task, "y" * 50000) for _ in range(200)])
        self.terminate()
        self.start_broker()

    def test_sigterm_while_it_starts_ends(self):
        self.broker.stop()
        for wait in (0, 0.005, 0.01, 0.02, 0.05):
            broker = harness.Process([harness.program("steled"), "--ledger", self.broker.ledger,
                                      "--events", self.broker.events, "--requests", self.broker.requests,
                                      "--feed", self.broker.feed, "--redis", self.redis.url])
            time.sleep(wait)
            broker.signal(signal.SIGTERM)
            self.assertIn(broker.wait(), (0, -signal.SIGTERM), broker.log())
        self.start_broker()


class FileSize(FaultTest):
    """RLIMIT_FSIZE: a write beyond it is a full disk, not the end of the process."""

    use_redis = False

    def test_a_file_at_its_limit_holds_acks_back_until_there_is_room(self):
        self.broker.stop()
        self.start_broker(prefix=[shutil.which("prlimit"), "--fsize=%d:unlimited" % (1 << 20)])
        load = Load(self.broker.events, "fsize", batch=100)
        self.broker.wait_line("warning steled: storage cannot take writes, holding back acks")
        harness.wait_until(lambda: self.ask("stats")["ingest"]["holding"], "the writer to hold back")
        self.assertIn("File too large", self.ask("stats")["ingest"]["trouble"])
        self.assertTrue(self.broker.running())
        acked = load.acked
        subprocess.run([shutil.which("prlimit"), "--pid", str(self.broker.child.pid), "--fsize=unlimited"], check=True)
        self.broker.wait_line("info steled: storage takes writes again")
        load.wait_acked(acked + 1000)
        load.finish(100)
        self.assert_kept(load)
        self.assert_whole()
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.start_broker()

    def test_a_stop_while_it_holds_back_loses_nothing_acked(self):
        self.broker.stop()
        self.start_broker(prefix=[shutil.which("prlimit"), "--fsize=%d:unlimited" % (2 << 20)])
        load = Load(self.broker.events, "fsize-stop", batch=100)
        self.broker.wait_line("warning steled: storage cannot take writes, holding back acks")
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.start_broker()
        load.finish(1000)
        self.assert_kept(load)
        self.assert_whole()


class Signals(FaultTest):
    """Signals that do not stop the broker, and those that end an export."""

    use_redis = False

    def test_hang_up_and_broken_pipe_do_not_end_it(self):
        load = Load(self.broker.events, "signals")
        for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ) * 3:
            load.wait_acked(load.acked + 200)
            self.broker.signal(number)
        load.wait_acked(load.acked + 200)
        self.broker.wait_line("SIGHUP: reading the settings again")
        load.finish(10)
        self.assert_kept(load)
        self.broker.signal(signal.SIGHUP)
        self.broker.signal(signal.SIGTERM)
        self.broker.signal(signal.SIGHUP)               # A hurry is SIGTERM or SIGINT
        self.assertEqual(self.broker.wait(), 0)
        self.assertNotIn("stopped without waiting", self.broker.log())
        self.start_broker()

    def test_an_export_that_a_signal_ends_leaves_nothing(self):
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task))
        for _ in range(10):
            peer.publish(*[metric(task, "n", value) for value in range(5000)])
        target = os.path.join(self.folder, "export.jsonl")
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGQUIT):
            while self.end_export(target, number) == 0 or os.path.exists(target):
                os.unlink(target)                       # It had finished before
            self.assertEqual(glob.glob(target + "*"), [], number)

    def end_export(self, target, number):
        """The status of an export that gets that signal, unless it has finished before."""
        export = harness.Process([harness.program("stele"), "-t", "500", "export", target],
                                 env=self.broker.environment())
        harness.wait_until(lambda: glob.glob(target + "*"), "the temporary file")
        self.broker.signal(signal.SIGSTOP)              # So that it does not finish
        try:
            export.signal(number)
            return export.wait()
        finally:
            self.broker.signal(signal.SIGCONT)


class Files(FaultTest):
    """No more file descriptors."""

    use_redis = True
    FILES = 160

    @classmethod
    def start_broker(cls, **more):
        prefix = [shutil.which("prlimit"), "--nofile=%d:%d" % (cls.FILES, cls.FILES)]
        return super().start_broker(prefix=prefix, **more)

    def flood(self, endpoint, count):
        path = endpoint[len("ipc://"):]
        sockets = []
        for _ in range(count):
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            try:
                one.connect(path)
                sockets.append(one)
                self.addCleanup(one.close)
            except BlockingIOError:                     # The queue of the listener is full
                one.close()
            except ConnectionRefusedError:
                self.fail("the broker is gone:\n" + self.broker.log())
        return sockets

    def test_out_of_files_peers_that_are_there_go_on_and_others_come_later(self):
        load = Load(self.broker.events, "files")
        load.wait_acked(100)
        self.ask("ping")
        floods = [self.flood(endpoint, 200)
                  for endpoint in (self.broker.events, self.broker.requests, self.broker.feed)]
        harness.wait_until(lambda: len(os.listdir("/proc/%d/fd" % self.broker.child.pid)) >= self.FILES - 18,
                           "the files to be used up")
        load.wait_acked(load.acked + 1000)
        self.ask("stats")
        late = self.asker()
        late.send({"op": "ping"})                       # Waits in the queue of the listener
        self.redis.kill()                               # Redis cannot be reached again either
        self.redis.start()
        load.wait_acked(load.acked + 1000)
        for sockets in floods:
            for one in sockets:
                one.close()
        self.assertIs(late.receive()["ok"], True)
        load.finish(10)
        self.assert_kept(load)
        self.assert_whole()
        self.wait_redis_right()
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.start_broker()


@unittest.skipIf(harness.sanitized(), "a sanitizer takes more address space than any limit")
class Memory(FaultTest):
    """No more address space: the broker ends, or libzmq closes the connection whose message has
    no room. The ledger is never wrong."""

    use_redis = False

    def test_out_of_memory_ends_the_broker_and_loses_nothing(self):
        started = short = 0
        #   In steps, so that the first with which it starts leaves little room: whether messages pile up in a larger one
        #   depends on the machine
        for megabytes in (60, 150, 300, *range(450, 1000, 25)):     # It starts with 520 or so
            self.broker.stop()
            limit = megabytes << 20
            prefix = [shutil.which("prlimit"), "--as=%d:%d" % (limit, limit), "--core=0:0"]
            try:
                self.start_broker(prefix=prefix)
            except AssertionError as error:
                #   Too little to start: it reports that, or PCRE2 10.42 crashes (NULL) before there is a line
                self.assertRegex(str(error), "steled: cannot start|out of memory: could not allocate|ready:':\\n$")
                self.start_broker()
                continue
            started += 1
            loads = [Load(self.broker.events, "memory-%d-%d" % (megabytes, n)) for n in range(2)]
            harness.wait_until(lambda: loads[0].acked >= 20 or not self.broker.running(), "20 acks, or the end")
            short += not (self.eat() if self.broker.running() else self.assert_ended())
            for load in loads:
                load.stopping.set()
            for load in loads:
                load.join(harness.PATIENCE)
            self.restart()
            self.assert_kept(*loads)
            self.assert_whole()
            if started == 2:
                break
        self.assertEqual(started, 2)
        self.assertGreater(short, 0)

    def eat(self):
        """Send large messages and requests with large, unread answers, until the broker ends, has
        received them all, or has been silent for long: its libzmq closed the connections. Returns
        whether it has received them all."""
        content = "x" * (7 << 20)
        peers = [self.clients.dealer(self.broker.events, self.name("eater%d" % n)) for n in range(3)]
        try:
            for peer in peers:
                peer.hello()
        except Silence:                                 # There was no room for that either
            return False if self.broker.running() else self.assert_ended()
        for _ in range(8):
            for peer in peers:
                peer.send_events([output(self.name("task"), content)])
        for _ in range(40):
            self.asker().send({"op": "task.outputs", "task_id": self.name("task"), "limit": 1})
        heard = time.monotonic()
        for peer in peers:
            while self.broker.running() and not peer.settled() and time.monotonic() < heard + 15:
                if peer.socket.poll(100):
                    peer.note(peer.receive())
                    heard = time.monotonic()
        received = all(peer.settled() for peer in peers)
        for peer in peers:
            peer.close()
        return received if self.broker.running() else self.assert_ended()

    def assert_ended(self):
        """It has ended as it does without memory. Returns False, as 'eat' does."""
        status = self.broker.wait()
        #   SIGSEGV: czmq 4.2.1 destroys a frame that it could not allocate
        self.assertIn(status, (-signal.SIGABRT, -signal.SIGSEGV, os.EX_IOERR, os.EX_OSERR),
                      self.broker.log()[-2000:])
        return False


@unittest.skipUnless(FAKETIME, "libfaketime is not installed")
@unittest.skipIf(harness.sanitized(), "a sanitizer has to come before any preloaded library")
class Clock(FaultTest):
    """The wall clock jumps; the steady one does not."""

    settings = {"terminal-ttl": 86400}

    @classmethod
    def start_broker(cls, **more):
        cls.offset = os.path.join(cls.folder, "offset")
        cls.set_clock(0)
        return super().start_broker(env=dict(
            os.environ, LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=cls.offset,
            FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1"), **more)

    @classmethod
    def set_clock(cls, seconds):
        with open(cls.offset + ".new", "w") as file:
            file.write("%+d\n" % seconds)
        os.rename(cls.offset + ".new", cls.offset)

    def times(self):
        return [time for time, in self.file().execute("SELECT time FROM commits ORDER BY first")]

    def test_jumps_interrupt_nobody_and_order_is_by_position(self):
        pinger = Pinger(self, self.name("pinger"), lease_ms=20000)         # Less than any of the jumps
        load = Load(self.broker.events, "clock")
        for seconds in (3600, -3600, 86400 * 2, -86400 * 400, 0):
            self.set_clock(seconds)
            load.wait_acked(load.acked + 300)
            time.sleep(0.3)
            answer = self.ask("stats")
            self.assertGreaterEqual(answer["redis"]["lag_ms"], 0)
            self.assertGreaterEqual(answer["uptime_s"], 0)
        load.finish(10)
        rows = self.ask("task.history", task_id=pinger.task)["history"]
        self.assertEqual([row["state_to"] for row in rows], ["queued", "running"])
        times = self.times()
        self.assertGreater(max(times), (time.time() + 86400) * 1000000)     # The clock did jump
        self.assertLess(abs(times[-1] / 1000000 - time.time()), 3600)       # And the times recovered
        self.assert_kept(load)
        self.assert_whole()
        self.wait_redis_right()
        self.set_clock(-86400 * 30)                     # It starts in the past of its ledger
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.start_broker()
        self.wait_redis_right()

    def test_requests_wait_by_the_steady_clock(self):
        for seconds in (86400, -86400, 0):
            asker = self.asker()
            began = time.monotonic()
            asker.send({"op": "ping", "min_position": 10 ** 9, "timeout_ms": 700})
            self.set_clock(seconds)
            self.assertEqual(asker.receive()["error"]["code"], "timeout")
            self.assertGreater(time.monotonic() - began, 0.69)

    def test_finished_tasks_are_in_redis_after_the_clock_is_right_again(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "passed"))
        self.wait_redis_right()
        self.set_clock(86400 * 3)
        self.producer(self.name("other")).publish(created(self.name("new")))
        time.sleep(11)                                  # The next sweep
        self.set_clock(0)
        self.wait_redis_right(90)


if __name__ == "__main__":
    harness.main()
