#!/usr/bin/env python3
# Query the broker for tasks and their history, with only pyzmq and msgpack.
#
#   ./query.py                     the newest tasks
#   ./query.py TASK                one task: its state, history and metrics
#
# The broker's address comes from STELE_REQUESTS.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import sys
from datetime import datetime, timezone

import msgpack
import zmq

endpoint = os.environ.get("STELE_REQUESTS", "tcp://127.0.0.1:5571")

broker = zmq.Context.instance().socket(zmq.REQ)
broker.setsockopt(zmq.LINGER, 0)
broker.setsockopt(zmq.REQ_RELAXED, 1)       # Allow a new request if an answer never came
broker.setsockopt(zmq.REQ_CORRELATE, 1)     # And never mistake a late answer for the new one
broker.connect(endpoint)


def request(op, **parameters):
    broker.send(msgpack.packb({"op": op, **parameters}))
    if not broker.poll(5000):
        sys.exit("no answer from %s: is steled running?" % endpoint)
    answer = msgpack.unpackb(broker.recv(), strict_map_key=False)
    if not answer["ok"]:
        sys.exit("%s: %s" % (answer["error"]["code"], answer["error"]["message"]))
    return answer


def clock(microseconds):
    time = datetime.fromtimestamp(microseconds / 1e6, timezone.utc)
    return time.strftime("%Y-%m-%d %H:%M:%S")


def shown(text):
    """The text without control characters, since any producer may have written it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def show_tasks():
    answer = request("task.list", limit=20, total=True)
    for task in answer["tasks"]:
        print("%s  %-10s %-30s %s" % (clock(task["created_at"]), task["state"], shown(task["task_id"]),
                                      shown(task.get("title", ""))))
    print("%d of %d tasks, at position %d" % (len(answer["tasks"]), answer["total"], answer["position"]))


def show_task(task_id):
    # The live record: from Redis if the broker uses one
    answer = request("task.status", task_id=task_id)
    task = answer["task"]
    print("%s is %s (from %s)" % (shown(task_id), task["state"], answer["source"]))
    if "last_error" in task:
        print("last error: %s (errors %d, interruptions %d)"
              % (shown(task["last_error"]), task["error_count"], task.get("interruptions", 0)))
    # The history, page by page
    cursor = None
    while True:
        answer = request("task.history", task_id=task_id, cursor=cursor)
        for row in answer["history"]:
            print("%s  %-10s -> %-10s %s" % (clock(row["timestamp"]), row.get("state_from", ""),
                                             row["state_to"], shown(row.get("error_message", ""))))
        cursor = answer["next"]
        if cursor is None:
            break
    for row in request("task.metrics", task_id=task_id)["metrics"]:
        print("%s  %s = %s %s" % (clock(row["timestamp"]), shown(row["name"]), row["value"],
                                  shown(row.get("unit", ""))))


if len(sys.argv) > 1:
    show_task(sys.argv[1])
else:
    show_tasks()
