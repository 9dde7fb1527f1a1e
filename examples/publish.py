#!/usr/bin/env python3
# Publish the life of one task, durably, with only pyzmq and msgpack.
#
#   ./publish.py [TASK]            the broker's address comes from STELE_EVENTS
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import sys
import uuid

import msgpack
import zmq

endpoint = os.environ.get("STELE_EVENTS", "tcp://127.0.0.1:5570")
task = sys.argv[1] if len(sys.argv) > 1 else "example-" + uuid.uuid4().hex[:8]

broker = zmq.Context.instance().socket(zmq.DEALER)
broker.setsockopt(zmq.LINGER, 1000)         # Give the goodbye time to leave at the end
broker.connect(endpoint)


def send(message):
    broker.send(msgpack.packb(message))


def receive(timeout_ms=5000):
    if not broker.poll(timeout_ms):
        sys.exit("no answer from %s: is steled running?" % endpoint)
    return msgpack.unpackb(broker.recv())


# The producer is the permanent name of this program, the instance is this run of it.
send({"op": "hello", "protocol": 1, "producer": "publish.py", "instance": str(uuid.uuid4())})
welcome = receive()
if welcome["op"] != "welcome":
    sys.exit("refused: %s" % welcome["message"])

events = [
    {"type": "task.created", "task_id": task, "title": "Say hello", "role": "example",
     "description": "Three lines of output and a number", "metadata": {"made by": "publish.py"}},
    {"type": "task.state_changed", "task_id": task, "state": "running"},
    {"type": "task.output_added", "task_id": task, "output_type": "stdout", "content": "hello, world\n"},
    {"type": "task.metric_recorded", "task_id": task, "name": "greetings", "value": 1},
    {"type": "task.state_changed", "task_id": task, "state": "passed"},
]

# Sequences continue after the broker's last one of this producer. After a crash, send
# the same events with the same sequences again: the broker recognizes duplicates and
# stores each event once.
first = welcome["sequence"] + 1
last = first + len(events) - 1
send({"op": "publish", "sequence": first, "events": events})

# An ack covers every event up to its sequence: they are on the disk now.
# A nak refuses one event permanently, with the reason.
durable = welcome["sequence"]
while durable < last:
    answer = receive()
    if answer["op"] == "ack":
        durable = answer["sequence"]
        print("durable up to sequence %d, position %d" % (durable, answer["position"]))
    elif answer["op"] == "nak":
        print("refused, sequence %d: %s (%s)" % (answer["sequence"], answer["message"], answer["code"]))
        durable = max(durable, answer["sequence"])
    else:
        sys.exit("%s: %s" % (answer.get("code", answer["op"]), answer.get("message", "")))

#   A clean end. Without keep, a task that is still in progress would be interrupted when the next run begins
send({"op": "goodbye", "keep": True})
print("task %s" % task)
