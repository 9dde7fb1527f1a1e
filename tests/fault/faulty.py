# faulty - shared by the fault tests: a proxy that loses data, and the checks after a fault
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import select
import socket
import sqlite3
import threading
import time

import harness


class Proxy(threading.Thread):
    """A proxy between peers and one socket of the broker, byte by byte.

    cut () breaks every connection, in the middle of any byte stream; deaf ()
    drops all bytes from the broker until the next cut. ZeroMQ reconnects
    by itself, as a new peer of the broker."""

    def __init__(self, folder, endpoint, name="proxy"):
        super().__init__(daemon=True)
        self.target = endpoint[len("ipc://"):]
        self.path = os.path.join(folder, name)
        self.endpoint = "ipc://" + self.path
        self.lock = threading.Lock()
        self.pairs = {}                 # each socket -> the other one
        self.upstream = set()           # those to the broker
        self.is_deaf = False
        self.cuts = 0
        self.wake, self.woken = socket.socketpair()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.ending = False
        self.start()

    def run(self):
        while not self.ending:
            with self.lock:
                sockets = [self.listener, self.woken] + list(self.pairs)
            try:
                readable = select.select(sockets, [], [], 1)[0]
            except (OSError, ValueError):               # cut () closed one of them in between
                continue
            for ready in readable:
                if ready is self.listener:
                    self._accept()
                elif ready is self.woken:
                    self.woken.recv(100)
                else:
                    self._pump(ready)

    def _accept(self):
        peer, _ = self.listener.accept()
        broker = socket.socket(socket.AF_UNIX)
        try:
            broker.connect(self.target)
        except OSError:                 # The broker is not there
            peer.close()
            broker.close()
            return
        with self.lock:
            self.pairs[peer], self.pairs[broker] = broker, peer
            self.upstream.add(broker)

    def _pump(self, source):
        with self.lock:
            target = self.pairs.get(source)
            if not target:
                return
            try:
                data = source.recv(65536)
                if data and not (self.is_deaf and source in self.upstream):
                    target.sendall(data)
            except OSError:
                data = b""
            if not data:
                self._close(source)

    def _close(self, source):
        target = self.pairs.pop(source)
        del self.pairs[target]
        self.upstream -= {source, target}
        source.close()
        target.close()

    def cut(self):
        with self.lock:
            for source in list(self.upstream):
                self._close(source)
            self.is_deaf = False
            self.cuts += 1
        self.wake.send(b"x")

    def deaf(self):
        with self.lock:
            self.is_deaf = True

    def stop(self):
        self.ending = True
        self.cut()
        self.join(harness.PATIENCE)
        for one in (self.listener, self.wake, self.woken):
            one.close()


class FaultTest(harness.BrokerTest):
    """A broker to inject faults into, and the checks afterwards."""

    def restart(self, **more):
        if self.broker.running():
            self.broker.kill()
        self._asker = None
        return self.start_broker(**more)

    def setUp(self):
        super().setUp()
        self.files = []
        self.addCleanup(self.close_files)

    def file(self):
        self.files.append(sqlite3.connect("file:%s?mode=ro" % self.broker.ledger, uri=True))
        return self.files[-1]

    def close_files(self):
        while self.files:
            self.files.pop().close()

    def values(self, task_id, name="n"):
        """Values of a metric, in the order of the log, from the file itself."""
        return [value for value, in self.file().execute(
            "SELECT value FROM task_metrics_view WHERE task_id = ? AND name = ? ORDER BY position",
            (task_id, name))]

    def assert_kept(self, *loads):
        """Every acked event of a Load is stored, and every stored one is there once, in order."""
        for load in loads:
            values = self.values("task-" + load.name)
            self.assertGreaterEqual(len(values), load.acked)
            self.assertEqual(values, list(range(1, len(values) + 1)), load.name)

    def assert_whole(self):
        """Positions have no gap, each event is stored once, every commit begins where the previous one ended."""
        file = self.file()
        self.assertEqual(file.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        head = 0
        for first, last in file.execute("SELECT first, last FROM commits ORDER BY first"):
            self.assertEqual(first, head + 1)
            head = last
        position = 0
        while True:
            events = self.ask("events.read", after=position, limit=1000)["events"]
            if not events:
                break
            self.assertEqual([event["position"] for event in events],
                             list(range(position + 1, position + 1 + len(events))))
            position = events[-1]["position"]
        self.assertGreaterEqual(position, head)

    def slowness(self):
        """What bounds of time are multiplied by: 1 on a machine where a request takes 10 ms or less."""
        asker, began, count = self.asker(), time.monotonic(), 20
        for _ in range(count):
            asker.ask({"op": "ping"})
        seconds = time.monotonic() - began
        asker.close()
        return max(1, seconds / count / 0.01)

    def redis_stats(self):
        return self.ask("stats")["redis"]

    def wait_redis_state(self, *states):
        return harness.wait_until(lambda: self.redis_stats().get("state") in states,
                                  "Redis to be %s" % " or ".join(states))

    def wait_redis_right(self, within=20):
        """Redis must become correct by itself, without a repair: within that many seconds on an idle machine, and here
        within four times as many, since others may begin to use it. Returns the seconds it took."""
        within *= 4 * self.slowness()
        began = time.monotonic()
        answer = {}
        asker = self.asker()

        def right():
            nonlocal answer
            answer = asker.ask({"op": "consistency.check"})
            stats = self.redis_stats()
            return answer.get("consistent") == 1.0 and stats.get("state") == "live" \
                and stats["lag_events"] == 0
        try:
            harness.wait_until(right, "Redis to be right", within)
        except AssertionError as error:
            print(self.broker.log()[-1500:])
            raise AssertionError("%s; %r; %r" % (error, answer, self.redis_stats()))
        return time.monotonic() - began
