#!/usr/bin/env python3
# First stage: pushes events of tasks, without waiting for acks.
#
#   ./produce.py ENDPOINT [TASKS]
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import sys

import msgpack
import zmq

endpoint = sys.argv[1]
tasks = int(sys.argv[2]) if len(sys.argv) > 2 else 250

context = zmq.Context()
stage = context.socket(zmq.PUSH)
stage.connect(endpoint)

for number in range(tasks):
    task = "item-%04d" % number
    stage.send(msgpack.packb({"type": "task.created", "task_id": task, "title": "Item %d" % number,
                              "description": "One of %d" % tasks, "role": "item"}))
    # Several events may share a message
    stage.send(msgpack.packb({"events": [
        {"type": "task.state_changed", "task_id": task, "state": "running"},
        {"type": "task.metric_recorded", "task_id": task, "name": "square", "value": number * number},
        {"type": "task.state_changed", "task_id": task, "state": "passed"},
    ]}))

stage.close()
context.term()                              # Waits until every message is sent
print("produced %d events" % (4 * tasks))
