# client - an independent client of STELE/1
#
# Written from doc/PROTOCOL.md alone, with only pyzmq and msgpack: if this client
# works, a client in any other language will.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import time
import uuid

import msgpack
import zmq

#   Longest time for an answer; a loaded machine or a sanitizer needs some of it.
PATIENCE_MS = 120000


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def unpack(data):
    return msgpack.unpackb(data, raw=False, strict_map_key=False)


class Silence(AssertionError):
    """No message arrived in time."""


class Peer:
    """A socket that sends and receives msgpack maps."""

    def __init__(self, context, kind, endpoint):
        self.socket = context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        if kind == zmq.REQ:
            self.socket.setsockopt(zmq.REQ_RELAXED, 1)
            self.socket.setsockopt(zmq.REQ_CORRELATE, 1)
        self.socket.connect(endpoint)
        self.closed = False

    def send(self, value):
        self.send_bytes(pack(value))

    def send_bytes(self, data):
        self.socket.send(data)

    def receive_frames(self, patience_ms=PATIENCE_MS):
        if not self.socket.poll(patience_ms):
            raise Silence("nothing came in %d ms" % patience_ms)
        return self.socket.recv_multipart()

    def receive(self, patience_ms=PATIENCE_MS):
        frames = self.receive_frames(patience_ms)
        assert len(frames) == 1, "a message is one frame, not %d" % len(frames)
        return unpack(frames[0])

    def close(self):
        if not self.closed:
            self.closed = True
            self.socket.close()


class Asker(Peer):
    """Requests (section 4)."""

    def ask(self, request, patience_ms=PATIENCE_MS):
        return self.ask_bytes(pack(request), patience_ms)

    def ask_bytes(self, data, patience_ms=PATIENCE_MS):
        self.send_bytes(data)
        return self.receive(patience_ms)


class Subscriber(Peer):
    """The feed (section 5)."""

    def __init__(self, context, endpoint, *topics):
        super().__init__(context, zmq.SUB, endpoint)
        for topic in topics or ("",):
            self.subscribe(topic)

    def subscribe(self, topic):
        self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())

    def wait_joined(self):
        """Subscriptions arrive in order: after a heartbeat, the feed has them all."""
        self.subscribe("heartbeat")
        while self.receive_frames()[0] != b"heartbeat":
            pass
        return self

    def next(self, patience_ms=PATIENCE_MS, heartbeats=False):
        """Topic and map of the next event; heartbeats are skipped."""
        deadline = time.monotonic() + patience_ms / 1000
        while True:
            left = max(0, int((deadline - time.monotonic()) * 1000))
            topic, body = self.receive_frames(left)
            if heartbeats or topic != b"heartbeat":
                return topic.decode(), unpack(body)


class Producer(Peer):
    """Durable publish (section 2)."""

    def __init__(self, context, endpoint, name=None, instance=None):
        super().__init__(context, zmq.DEALER, endpoint)
        self.name = name
        self.instance = instance or str(uuid.uuid4())
        self.welcome = None
        self.sequence = 0           # Last sequence that was sent
        self.acked = 0              # Last durable sequence
        self.position = 0           # Of the last ack
        self.naks = {}              # sequence -> nak
        self.answers = []           # Acks and naks, in the order of arrival

    def hello(self, **keys):
        self.send(dict({"op": "hello", "protocol": 1, "producer": self.name,
                        "instance": self.instance}, **keys))
        self.welcome = self.expect("welcome")
        self.sequence = self.acked = self.welcome["sequence"]
        return self.welcome

    def expect(self, op, patience_ms=PATIENCE_MS):
        """Expect this message as the next one that is not an ack, nak or pong."""
        while True:
            message = self.receive(patience_ms)
            self.note(message)
            if message["op"] == op:
                return message
            if message["op"] not in ("ack", "nak", "pong"):
                raise AssertionError("expected %s, got %r" % (op, message))

    def note(self, message):
        if message["op"] == "ack":
            if message["sequence"] >= self.acked:
                self.acked = message["sequence"]
                self.position = message["position"]
            self.answers.append(message)
        elif message["op"] == "nak":
            assert message["sequence"] > self.acked, "nak after the ack that covers it: %r" % message
            self.naks[message["sequence"]] = message
            self.answers.append(message)

    def send_events(self, events, sequence=None):
        """Send one publish, without waiting."""
        if sequence is None:
            sequence = self.sequence + 1
        self.send({"op": "publish", "sequence": sequence, "events": list(events)})
        self.sequence = max(self.sequence, sequence + len(events) - 1)

    def settle(self, patience_ms=PATIENCE_MS):
        """Wait until every event is acked or refused; returns the position of the last ack."""
        while not self.settled():
            message = self.receive(patience_ms)
            if message["op"] == "error":
                raise AssertionError("broker says %r" % message)
            self.note(message)
        return self.position

    def settled(self):
        return all(number in self.naks for number in range(self.acked + 1, self.sequence + 1))

    def publish(self, *events):
        """Publish and wait until every event is durable; none may be refused."""
        first = self.sequence + 1
        self.send_events(events)
        self.settle()
        refused = [self.naks[n] for n in range(first, self.sequence + 1) if n in self.naks]
        if refused:
            raise AssertionError("refused: %.500r" % refused)
        return self.position

    def publish_refused(self, event):
        """Publish one event that must be refused; returns its nak."""
        self.send_events([event])
        self.settle()
        if self.sequence not in self.naks:
            raise AssertionError("not refused: %.500r" % (event,))
        return self.naks[self.sequence]


class Clients:
    """Creates clients, and closes them all."""

    def __init__(self):
        self.context = zmq.Context()
        self.peers = []

    def keep(self, peer):
        self.peers.append(peer)
        return peer

    def dealer(self, endpoint, name=None):
        return self.keep(Producer(self.context, endpoint, name))

    def producer(self, endpoint, name, instance=None, **hello):
        peer = self.keep(Producer(self.context, endpoint, name, instance))
        peer.hello(**hello)
        return peer

    def asker(self, endpoint):
        return self.keep(Asker(self.context, zmq.REQ, endpoint))

    def subscriber(self, endpoint, *topics):
        return self.keep(Subscriber(self.context, endpoint, *topics))

    def pusher(self, endpoint):
        return self.keep(Peer(self.context, zmq.PUSH, endpoint))

    def puller(self, endpoint):
        return self.keep(Peer(self.context, zmq.PULL, endpoint))

    def close(self):
        for peer in self.peers:
            peer.close()
        self.context.term()


#   Events with the required fields, for tests

def created(task_id, **keys):
    return dict({"type": "task.created", "task_id": task_id, "title": "A task",
                 "description": "What is to be done", "role": "builder"}, **keys)


def changed(task_id, state, **keys):
    return dict({"type": "task.state_changed", "task_id": task_id, "state": state}, **keys)


def output(task_id, content, **keys):
    return dict({"type": "task.output_added", "task_id": task_id, "output_type": "stdout",
                 "content": content}, **keys)


def metric(task_id, name, value, **keys):
    return dict({"type": "task.metric_recorded", "task_id": task_id, "name": name,
                 "value": value}, **keys)


def started(session_id, **keys):
    return dict({"type": "session.started", "session_id": session_id, "cli_tool": "bash",
                 "mode": "cli", "current_directory": "/src"}, **keys)


def session_changed(session_id, state, **keys):
    return dict({"type": "session.state_changed", "session_id": session_id, "state": state}, **keys)


def command(session_id, line, **keys):
    return dict({"type": "session.command_executed", "session_id": session_id,
                 "command": line}, **keys)
