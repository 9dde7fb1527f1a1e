#!/usr/bin/env python3
# Publish tasks to whichever node of a cluster writes, until it is ended, with only pyzmq and msgpack.
#
#   ./publish.py ACKS              the addresses of the nodes come from STELE_EVENTS, separated by commas
#
# Each ack adds a line to the file ACKS: its time, the task, the position of the task's last event.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import itertools
import os
import sys
import time
import uuid

import msgpack
import zmq

ENDPOINTS = os.environ["STELE_EVENTS"].split(",")
PATIENCE_MS = 1000                          # Without an answer for this long, try another node
PRODUCER, INSTANCE = "publish.py", str(uuid.uuid4())
PAUSE = 0.002                               # Seconds between tasks, so that the example leaves the processor to others


class Away(Exception):
    """This node does not answer, does not write, or has to be greeted again."""


class Node:
    """A connection to one node."""

    def __init__(self, endpoint):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.LINGER = 0
        self.socket.connect(endpoint)

    def ask(self, **message):
        self.socket.send(msgpack.packb(message))
        if not self.socket.poll(PATIENCE_MS):
            raise Away(None)
        answer = msgpack.unpackb(self.socket.recv())
        if answer["op"] == "error":
            if answer["code"] not in ("not_writer", "no_hello"):
                sys.exit("%s: %s" % (answer["code"], answer["message"]))
            raise Away(answer.get("writer"))
        return answer

    def publish(self, sequence, events):
        """Returns the position of the ack that covers them."""
        answer = self.ask(op="publish", sequence=sequence, events=events)
        while answer["op"] != "ack" or answer["sequence"] < sequence + len(events) - 1:
            if answer["op"] == "nak":
                sys.exit("refused: %s" % answer["message"])
            if not self.socket.poll(PATIENCE_MS):
                raise Away(None)
            answer = msgpack.unpackb(self.socket.recv())
        return answer["position"]

    def close(self):
        self.socket.close()


def find_writer(endpoint=None):
    """Connect to the nodes in turn until one of them writes. Returns it, and its welcome."""
    for other in itertools.cycle(ENDPOINTS):
        node = Node(endpoint or other)
        try:
            return node, node.ask(op="hello", protocol=1, producer=PRODUCER, instance=INSTANCE)
        except Away as away:
            # A node that follows names the writer. Go only where the user wanted to go.
            writer = away.args[0]
            endpoint = writer if writer in ENDPOINTS and writer != endpoint else None
            node.close()
            time.sleep(0.02)


def life_of(task):
    return [
        {"type": "task.created", "task_id": task, "title": "Part of an example", "description": "", "role": "example"},
        {"type": "task.state_changed", "task_id": task, "state": "running"},
        {"type": "task.output_added", "task_id": task, "output_type": "stdout", "content": "it works\n"},
        {"type": "task.state_changed", "task_id": task, "state": "passed"},
    ]


def main():
    acks = open(sys.argv[1], "w", buffering=1)
    node, welcome = find_writer()
    sequence, run = welcome["sequence"], uuid.uuid4().hex[:6]
    for number in itertools.count(1):
        task = "%s-%d" % (run, number)
        events = life_of(task)
        last, position = sequence + len(events), None
        # Resend to the next writer what was not acked, with the same sequences: each event is stored once. If
        # its welcome covers them, they are durable, and only the ack was lost.
        while position is None and sequence < last:
            try:
                position = node.publish(last - len(events) + 1, events)
            except Away as away:
                node.close()
                node, welcome = find_writer(away.args[0])
                sequence = welcome["sequence"]
        sequence = last
        print(time.time(), task, position or "-", file=acks)
        time.sleep(PAUSE)


try:
    main()
except KeyboardInterrupt:
    pass
