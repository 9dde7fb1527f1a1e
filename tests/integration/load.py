# load - producers that publish from threads, and record their acks
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import threading

from client import Clients, Silence, metric


class Load(threading.Thread):
    """One producer: publishes metrics 1, 2, 3 ... of its own task, keeps at most
    'window' unacked, and reconnects whenever the broker returns.

    'acked' is the last value that the broker acked. A broker that is silent for 'patience_ms' may
    be another run, or only slow: each time in vain is twice as long as the one before."""

    def __init__(self, endpoint, name, window=500, batch=10):
        super().__init__(daemon=True)
        self.endpoint = endpoint
        self.name = name
        self.window = window
        self.batch = batch
        self.acked = 0
        self.patience_ms = 1000
        self.peer = None
        self.limit = None               # Stop after that many acks
        self.error = None
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.start()

    def run(self):
        self.clients = Clients()
        try:
            while not self.done():
                try:
                    self._session()
                except Silence:         # The broker does not answer: say hello again
                    self.patience_ms = min(2 * self.patience_ms, 16000)
                finally:
                    self.peer.close()
        except Exception as error:      # The test checks it
            self.error = error
        finally:
            self.clients.close()

    def done(self):
        return self.stopping.is_set() or (self.limit is not None and self.acked >= self.limit)

    def _session(self):
        instance = self.peer.instance if self.peer else None
        self.peer = peer = self.clients.dealer(self.endpoint, self.name)
        if instance:
            peer.instance = instance
        peer.send({"op": "hello", "protocol": 1, "producer": self.name, "instance": peer.instance})
        welcome = peer.receive(self.patience_ms)
        if welcome["op"] != "welcome":
            raise AssertionError("no welcome: %r" % welcome)
        if welcome["sequence"] < self.acked:
            raise AssertionError("acked %d, but the broker has %d" % (self.acked, welcome["sequence"]))
        self._note(welcome["sequence"])
        sent = welcome["sequence"]
        while not self.done():
            while sent - self.acked + self.batch <= self.window and not self.done():
                values = range(sent + 1, sent + 1 + self.batch)
                peer.send({"op": "publish", "sequence": sent + 1,
                           "events": [metric("task-" + self.name, "n", value) for value in values]})
                sent += self.batch
                if peer.socket.poll(0):
                    break
            message = peer.receive(self.patience_ms)
            if message["op"] == "ack":
                self._note(message["sequence"])
                self.patience_ms = 1000
            elif message["op"] == "error" and message["code"] == "no_hello":
                return                  # A new run of the broker
            else:
                raise AssertionError("unexpected: %r" % message)

    def _note(self, sequence):
        with self.changed:
            self.acked = max(self.acked, sequence)
            self.changed.notify_all()

    def wait_acked(self, count, patience=60):
        """'patience' is for each further ack: how many events fit into a second depends on the machine."""
        with self.changed:
            while self.acked < count and not self.error:
                before = self.acked
                if not self.changed.wait_for(lambda: self.acked > before or self.error, patience):
                    raise AssertionError("%s: %d acked, and no more for %d s; wanted %d" % (
                        self.name, self.acked, patience, count))
        if self.error:
            raise self.error

    def finish(self, more=0):
        """Publish until 'more' further events are acked, then end."""
        self.limit = self.acked + more
        self.wait_acked(self.limit)
        self.join(60)
        if self.error:
            raise self.error
        assert not self.is_alive()
        return self.acked

    def stop(self):
        self.stopping.set()
        self.join(60)
