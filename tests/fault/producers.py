# producers - many producers in one process, which record what they sent and what was promised
#
#   producers.py --endpoint EP --file F [--seed N] [--producers N] [--rate N] [--run N]
#
# Each event is written to F before it is sent. Each answer of the broker is written to F and
# synced before the next step. The judge verifies the broker against F.
# F is a sequence of msgpack arrays:
#
#   [SENT,    producer, run, sequence, outcome, event]     event as its bytes
#   [ACK,     producer, run, sequence, position]
#   [NAK,     producer, run, sequence, code]
#   [WELCOME, producer, run, sequence]
#
# 'run' counts the runs of this program with the same producers: the memory of an earlier one
# is lost, as in a crashed producer. 'outcome' is the expected outcome of the event
# by the rules of doc/PROTOCOL.md.
#
# On SIGUSR1 they wait until everything is settled, print "settled N." and pause, until SIGUSR2.
# On SIGTERM they wait until everything is settled, say goodbye and end. The status is 3 if
# the broker broke a promise or a rule.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import argparse
import collections
import os
import random
import signal
import sys
import time
import uuid

import msgpack
import zmq

from client import pack, unpack
from events import Story

SENT, ACK, NAK, WELCOME = 0, 1, 2, 3
HELLO_AGAIN_S = 0.1
PING_AFTER_S = 0.05


class Broken(Exception):
    """The broker broke a promise or a rule."""


class File:
    """The file of what was sent and promised."""

    def __init__(self, path):
        self.handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.parts = []

    def add(self, *record):
        self.parts.append(msgpack.packb(record, use_bin_type=True))

    def write(self, sync=False):
        data = b"".join(self.parts)
        self.parts.clear()
        while data:
            data = data[os.write(self.handle, data):]
        if sync:
            os.fdatasync(self.handle)


class Producer:
    def __init__(self, context, endpoint, name, run, seed, file, window):
        self.name, self.run, self.file, self.window = name, run, file, window
        self.instance = str(uuid.uuid4())
        self.story = Story("%s/%s/%d" % (seed, name, run), name, run)
        self.unacked = collections.deque()      # (sequence, event), in order
        self.next = None                        # Sequence of the next new event; None: no welcome yet
        self.acked = 0
        self.live = False
        self.spoke = self.heard = 0.0
        self.socket = context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 0), (zmq.RECONNECT_IVL, 3), (zmq.RECONNECT_IVL_MAX, 20)):
            self.socket.setsockopt(option, value)
        self.socket.connect(endpoint)
        self.hello()

    def send(self, data):
        try:
            self.socket.send(data, zmq.DONTWAIT)
        except zmq.Again:
            pass                                # Lost, as may happen on any way to the broker

    def hello(self):
        self.live = False
        self.spoke = time.monotonic()
        self.send(pack({"op": "hello", "protocol": 1, "producer": self.name,
                        "instance": self.instance}))

    def take(self, data):
        """Process one message of the broker. True if it promises something."""
        self.heard = time.monotonic()
        message = unpack(data)
        return getattr(self, "_" + str(message["op"]))(message)

    def _welcome(self, message):
        sequence = message["sequence"]
        if sequence < self.acked:
            raise Broken("LOST: %s has acks up to %d, the broker welcomes it at %d" % (
                self.name, self.acked, sequence))
        if self.next is None:
            self.next = sequence + 1
        elif sequence >= self.next:
            raise Broken("%s sent %d events, the broker has %d" % (
                self.name, self.next - 1, sequence))
        self.file.add(WELCOME, self.name, self.run, sequence)
        self._settled(sequence)
        self.live = True
        self._publish(list(self.unacked))
        return True

    def _ack(self, message):
        if self.next is None or message["sequence"] >= self.next:
            raise Broken("%s: an ack of what was not sent: %r" % (self.name, message))
        self.file.add(ACK, self.name, self.run, message["sequence"], message["position"])
        self._settled(message["sequence"])
        return True

    def _nak(self, message):
        self.file.add(NAK, self.name, self.run, message["sequence"], message["code"])
        return True

    def _pong(self, message):
        return False

    def _error(self, message):
        if message["code"] == "no_hello":
            if self.live or time.monotonic() - self.spoke > HELLO_AGAIN_S:
                self.hello()
            return False
        raise Broken("%s: %r" % (self.name, message))

    def _settled(self, sequence):
        self.acked = max(self.acked, sequence)
        while self.unacked and self.unacked[0][0] <= sequence:
            self.unacked.popleft()

    def _publish(self, events):
        #   In pieces, like a producer that sends what it has at the moment
        while events:
            count = min(len(events), self.story.random.randint(1, 40))
            head = msgpack.Packer()
            self.send(b"\x83\xa2op\xa7publish\xa8sequence" + head.pack(events[0][0]) +
                      b"\xa6events" + head.pack_array_header(count) +
                      b"".join(event for _, event in events[:count]))
            self.spoke = time.monotonic()
            events = events[count:]

    def fill(self, allowance):
        """Send at most that many new events; returns their number."""
        room = min(self.window - len(self.unacked), allowance)
        if not self.live or room <= 0:
            return 0
        new = []
        for _ in range(min(room, self.story.random.choice((1, 1, 2, 5, 10, 25)))):
            outcome, event = self.story.next(self.next)
            event = pack(event)
            self.file.add(SENT, self.name, self.run, self.next, outcome, event)
            new.append((self.next, event))
            self.next += 1
        self.file.write()                       # Before it is sent
        self.unacked.extend(new)
        self._publish(new)
        return len(new)

    def tick(self, now):
        """Messages may have been lost with the broker: ask for its state."""
        if not self.live:
            if now - self.spoke > HELLO_AGAIN_S:
                self.hello()
        elif self.unacked and now - max(self.spoke, self.heard) > PING_AFTER_S:
            self.spoke = now
            self.send(pack({"op": "ping"}))


class Producers:
    def __init__(self, args):
        self.rate = args.rate
        self.file = File(args.file)
        self.context = zmq.Context()
        self.poller = zmq.Poller()
        self.all = [Producer(self.context, args.endpoint, "p%d" % n, args.run, args.seed,
                             self.file, args.window) for n in range(args.producers)]
        self.by_socket = {producer.socket: producer for producer in self.all}
        for producer in self.all:
            self.poller.register(producer.socket, zmq.POLLIN)
        self.stopping = self.resting = False
        self.paused = self.said = 0             # Counters

    def receive(self):
        promised = False
        for socket, _ in self.poller.poll(5):
            producer = self.by_socket[socket]
            while True:
                try:
                    data = socket.recv(zmq.DONTWAIT)
                except zmq.Again:
                    break
                promised |= bool(producer.take(data))
        if promised:
            self.file.write(sync=True)          # Before the next step

    def step(self, allowance):
        self.receive()
        now = time.monotonic()
        sent = 0
        start = random.randrange(len(self.all))
        for producer in self.all[start:] + self.all[:start]:
            if not (self.stopping or self.resting) and sent < allowance:
                sent += producer.fill(allowance - sent)
            producer.tick(now)
        return sent

    def settled(self):
        return all(producer.live and not producer.unacked for producer in self.all)

    def run(self):
        allowance, last = 0.0, time.monotonic()
        while not (self.stopping and self.settled()):
            now = time.monotonic()
            allowance = min(allowance + (now - last) * self.rate, self.rate / 10)
            last = now
            allowance -= self.step(int(allowance))
            if self.paused > self.said and self.settled():
                self.said = self.paused
                print("settled %d." % self.said, flush=True)
        for producer in self.all:
            producer.send(pack({"op": "goodbye"}))
            producer.socket.setsockopt(zmq.LINGER, 1000)
            producer.socket.close()
        self.context.term()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--run", type=int, default=0)
    parser.add_argument("--producers", type=int, default=16)
    parser.add_argument("--window", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20000, help="events a second, of all")
    producers = Producers(parser.parse_args())

    def control(number, frame):
        if number == signal.SIGTERM:
            producers.stopping = True
        producers.resting = number == signal.SIGUSR1
        producers.paused += producers.resting
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, control)
    print("begun", flush=True)
    try:
        producers.run()
    except Broken as broken:
        print(broken, flush=True)
        os._exit(3)


if __name__ == "__main__":
    main()
