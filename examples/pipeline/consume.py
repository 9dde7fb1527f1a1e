#!/usr/bin/env python3
# Last stage: processes each committed event once, even if a stage dies in between.
#
#   ./consume.py PIPELINE-OUT REQUESTS OUTPUT UNTIL
#
# OUTPUT is a file with one line per event, its position first. One write stores the result
# and the position together, so that they cannot differ: the last line is where to resume.
# UNTIL is the position to stop at.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import sys

import msgpack
import zmq

outlet, requests, output, until = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

context = zmq.Context.instance()
stage = context.socket(zmq.PULL)
stage.connect(outlet)
broker = context.socket(zmq.REQ)
broker.setsockopt(zmq.LINGER, 0)
broker.setsockopt(zmq.RCVTIMEO, 10000)      # zmq.Again if the broker does not answer
broker.connect(requests)


def events_after(position):
    """Events of the ledger after a position."""
    while True:
        broker.send(msgpack.packb({"op": "events.read", "after": position, "limit": 100}))
        answer = msgpack.unpackb(broker.recv(), strict_map_key=False)
        if not answer["events"]:
            return
        for event in answer["events"]:
            yield event
            position = event["position"]


def events():
    """All events, from the ledger and the pipeline; some of them twice."""
    yield from events_after(done)           # Events sent while no consumer ran
    while True:
        event = msgpack.unpackb(stage.recv(), strict_map_key=False)
        if event["position"] > done + 1:
            yield from events_after(done)   # Events were lost in between
        yield event


def last_position():
    if not os.path.exists(output):
        return 0
    with open(output) as lines:
        return int(([0] + [line.split()[0] for line in lines])[-1])


done = last_position()
with open(output, "ab", buffering=0) as file:
    for event in events():
        if event["position"] > done:        # Otherwise it was processed already
            file.write(b"%d %s\n" % (event["position"], event["type"].encode()))
            done = event["position"]
        if done >= until:
            break
