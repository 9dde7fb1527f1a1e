# visitor - runs the operations with fault points that the producers do not use
#
# It records its events like the producers, under its own names. It runs
# until the broker is dead, or all steps are done; it verifies nothing.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import time
import uuid

import zmq

import client
from client import pack, unpack
from events import EITHER, REFUSED, STORED
from producers import ACK, NAK, SENT, WELCOME, File

PATIENCE_S = 60
#   Every step, in a sensible order, except "bulk"
ALL = ("guests", "requests", "leases", "redis")


class Gone(Exception):
    """The broker has died: pending requests will not be answered."""


class Guest:
    """One connection of a producer, driven step by step."""

    def __init__(self, visitor, name, instance=None):
        self.visitor, self.name = visitor, name
        self.sequence = 0
        self.socket = visitor.connect(zmq.DEALER, visitor.arena.broker.events)
        self.instance = instance or str(uuid.uuid4())

    def hello(self, **keys):
        self.say(dict({"op": "hello", "protocol": 1, "producer": self.name,
                       "instance": self.instance}, **keys))
        self.sequence = self.wait("welcome")["sequence"]

    def say(self, message):
        self.socket.send(pack(message), zmq.DONTWAIT)

    def wait(self, op):
        while True:
            message = unpack(self.visitor.receive(self.socket))
            self.visitor.note(self.name, message)
            if message["op"] == op:
                return message

    def publish(self, *events, outcome=STORED):
        first = self.sequence + 1
        for event in events:
            self.sequence += 1
            event["uid"] = "%s/0/%d" % (self.name, self.sequence)
            self.visitor.file.add(SENT, self.name, 0, self.sequence, outcome, pack(event))
        self.visitor.file.write()
        self.say({"op": "publish", "sequence": first, "events": list(events)})
        while self.wait("ack")["sequence"] < self.sequence:
            pass


class Visitor:
    def __init__(self, arena):
        self.arena = arena
        self.file = File(arena.promised)
        self.sockets = []

    def connect(self, kind, endpoint):
        socket = self.arena.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(endpoint)
        self.sockets.append(socket)
        return socket

    def receive(self, socket):
        deadline = time.monotonic() + PATIENCE_S
        while not socket.poll(20):
            if not self.arena.broker.running():
                raise Gone()
            if time.monotonic() > deadline:
                raise AssertionError("no answer in %d s" % PATIENCE_S)
        return socket.recv()

    def note(self, name, message):
        if message["op"] == "ack":
            self.file.add(ACK, name, 0, message["sequence"], message["position"])
        elif message["op"] == "nak":
            self.file.add(NAK, name, 0, message["sequence"], message["code"])
        elif message["op"] == "welcome":
            self.file.add(WELCOME, name, 0, message["sequence"])
        self.file.write(sync=True)

    def ask(self, op, **keys):
        socket = self.connect(zmq.REQ, self.arena.broker.requests)
        socket.send(pack(dict(keys, op=op)))
        return unpack(self.receive(socket))

    def operate(self, op, **keys):
        """A request that is recorded: once it is answered, the judge expects its audit event."""
        request_id = self._name(op)
        answer = self.ask(op, request_id=request_id, **keys)
        if answer.get("ok"):
            self.arena.judge.audited.add(request_id)
        return answer

    def visit(self, steps=ALL):
        """False if the broker died in between."""
        try:
            for step in steps:
                getattr(self, step)()
            return True
        except Gone:
            return False
        finally:
            for socket in self.sockets:
                socket.close()
            self.sockets.clear()

    def _name(self, what):
        return "%s-%s" % (what, uuid.uuid4().hex[:12])

    def bulk(self):
        """Enough events to make a checkpoint due as soon as the broker is idle."""
        guest = Guest(self, self._name("bulk"))
        guest.hello()
        guest.publish(client.output("task-" + guest.name, os.urandom(5000000)))

    def guests(self):
        """A new run fences the previous one and interrupts its tasks; a goodbye; a refusal."""
        name = self._name("guest")
        guest = Guest(self, name)
        guest.hello()
        tasks = ["task-%s-%d" % (name, n) for n in range(3)]
        guest.publish(*[client.changed(task, "running") for task in tasks])
        guest.publish({"type": "task.created"}, outcome=REFUSED)
        again = Guest(self, name)
        again.hello()
        again.publish(client.changed(tasks[0], "passed"))       # The true outcome becomes known
        again.publish(client.changed(tasks[0], "paused"), outcome=EITHER)   # Refused, until the retry
        again.publish(client.changed(tasks[0], "queued"))
        again.say({"op": "goodbye"})

    def requests(self):
        name = self._name("request")
        event = client.created("task-" + name, uid="%s/0/1" % name)
        self.file.add(WELCOME, name, 0, 0)
        self.file.add(SENT, name, 0, 1, STORED, pack(event))
        self.file.write()
        answer = self.ask("publish", producer=name, sequence=1, events=[event])
        if answer.get("ok"):
            self.file.add(ACK, name, 0, 1, answer["position"])
            self.file.write(sync=True)
        rejected = self.ask("rejected.list", open=True, limit=1000).get("rejected", [])
        if rejected:
            self.operate("rejected.retry", ids=[row["id"] for row in rejected])
        for op in ("ping", "info", "stats", "task.list"):
            self.ask(op)

    def leases(self):
        guest = Guest(self, self._name("leased"))
        guest.hello(lease_ms=100)
        guest.publish(client.changed("task-" + guest.name, "running"))
        deadline = time.monotonic() + PATIENCE_S
        while self.ask("task.get", task_id="task-" + guest.name)["task"]["state"] == "running":
            if time.monotonic() > deadline:
                raise AssertionError("the lease did not run out")
            time.sleep(0.05)

    def redis(self):
        self.operate("recover", scope="active")
        self.operate("consistency.check", repair=True)
        self.ask("task.status", task_id="shared-0")
