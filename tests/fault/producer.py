#!/usr/bin/env python3
# A producer to be killed: publishes metrics whose value is their sequence, and records its acks
#
#   ./producer.py ENDPOINT NAME INSTANCE FILE
#
# Appends one line per ack to FILE, synced before the next step. Runs until it is killed.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import sys

import client

WINDOW = 200

endpoint, name, instance, path = sys.argv[1:5]
peer = client.Clients().dealer(endpoint, name)
peer.instance = instance
file = open(path, "ab", buffering=0)


def keep(sequence):
    file.write(b"%d\n" % sequence)
    os.fsync(file.fileno())


sent = peer.hello()["sequence"]
keep(sent)
while True:
    while sent - peer.acked < WINDOW:
        peer.send({"op": "publish", "sequence": sent + 1, "events": [
            client.metric("task-" + name, "n", value) for value in range(sent + 1, sent + 6)]})
        sent += 5
    message = peer.receive()
    if message["op"] != "ack":
        sys.exit("unexpected: %r" % message)
    peer.note(message)
    keep(peer.acked)
