#!/usr/bin/env python3
# Show the nodes of a cluster, and compare what was acked with what each of them has.
#
#   ./compare.py ACKS TIME NAME=ENDPOINT ...
#
# Waits for acks in the file ACKS (see publish.py) after TIME, then until each node has what was acked; reads all
# events from each node through its requests endpoint. Ends with 1 if an acked event is missing, is not at the
# position of its ack, or if two nodes differ.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import sys
import time

import msgpack
import zmq

PATIENCE = 60                               # Seconds
ACKS, SINCE = sys.argv[1], float(sys.argv[2])
NODES = dict(word.split("=", 1) for word in sys.argv[3:])
DEADLINE = time.monotonic() + PATIENCE


def wait_until(condition, what):
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > DEADLINE:
            sys.exit("waited %d s in vain for %s" % (PATIENCE, what))
        time.sleep(0.02)


def ask(endpoint, **request):
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.LINGER, socket.RCVTIMEO = 0, 1000 * PATIENCE
    socket.connect(endpoint)
    socket.send(msgpack.packb(request))
    try:
        return msgpack.unpackb(socket.recv())
    finally:
        socket.close()


def acked():
    """(time, task, position or "-") of each ack so far."""
    with open(ACKS) as file:
        return [(float(when), task, position) for when, task, position in
                (line.split() for line in file if line.endswith("\n"))]


def show_nodes():
    print("  %-6s %-9s %6s %9s %9s" % ("NODE", "ROLE", "EPOCH", "BATCH", "POSITION"))
    for name, endpoint in NODES.items():
        stats = ask(endpoint, op="stats")
        shared = stats["shared_log"]
        print("  %-6s %-9s %6d %9d %9d" % (name, shared["role"], shared["epoch"], shared["number"], stats["position"]))


def events_of(endpoint, head):
    events, after = [], 0
    while after < head:
        page = ask(endpoint, op="events.read", after=after, limit=1000)["events"]
        events += [event for event in page if event["position"] <= head]
        after = page[-1]["position"]
    return events


def compare(acks):
    head = max(int(position) for _, _, position in acks if position != "-")
    for name, endpoint in NODES.items():
        wait_until(lambda: ask(endpoint, op="stats")["position"] >= head, "position %d on %s" % (head, name))
    first, *others = NODES
    events = events_of(NODES[first], head)
    for name in others:
        if events_of(NODES[name], head) != events:
            sys.exit("the events of %s and %s differ" % (first, name))
    passed = [(event["task_id"], event["position"]) for event in events if event.get("state") == "passed"]
    places = dict(passed)
    wrong = [task for _, task, position in acks
             if (task not in places if position == "-" else places.get(task) != int(position))]
    if wrong or len(places) != len(passed):
        sys.exit("%d acked tasks are not where their acks said: %s" % (len(wrong), " ".join(wrong[:5])))
    print("  %d tasks acked so far: each is on %s, once, at the position of its ack (%d events)"
          % (len(acks), ", ".join(NODES), len(events)))


def longest_pause(acks):
    times = [SINCE] + [when for when, _, _ in acks if when > SINCE]
    return max(after - before for before, after in zip(times, times[1:]))


# The first of them may have been under way at that time
acks = wait_until(lambda: len([when for when, _, _ in acked() if when > SINCE]) > 20 and acked(), "acks")
print("  longest pause between two acks since then: %.2f s\n" % longest_pause(acks))
show_nodes()
print()
compare(acks)
