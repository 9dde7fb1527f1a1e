#!/usr/bin/env python3
# test_vectors - the bytes of tests/vectors decode to their values, and this client sends the same
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import base64
import inspect
import json
import os
import unittest

import msgpack
import stele_client
from stele_client import dialog, events, wire

HERE = os.path.dirname(os.path.abspath(__file__))
BUILDERS = {
    "task.created": stele_client.task_created, "task.updated": stele_client.task_updated,
    "task.state_changed": stele_client.task_state_changed,
    "task.output_added": stele_client.task_output_added,
    "task.metric_recorded": stele_client.task_metric_recorded,
    "session.started": stele_client.session_started,
    "session.state_changed": stele_client.session_state_changed,
    "session.command_executed": stele_client.session_command_executed,
    "preference.set": stele_client.preference_set,
}


def vectors(name):
    with open(os.path.join(HERE, "../../tests/vectors", name), encoding="utf-8") as file:
        return json.load(file)


def value(text):
    """The forms of section 10 of the protocol"""
    if isinstance(text, list):
        return [value(one) for one in text]
    if not isinstance(text, dict):
        return text
    if len(text) == 1:
        (key, inner), = text.items()
        if key == "$bin":
            return base64.b64decode(inner)
        if key == "$uint":
            return int(inner)
        if key == "$float":
            return float(inner)
        if key == "$ext":
            data = base64.b64decode(inner[1])
            return msgpack.Timestamp.from_bytes(data) if inner[0] == -1 else msgpack.ExtType(inner[0], data)
        if key == "$map":
            return {value(one): value(other) for one, other in inner}
    return {key: value(one) for key, one in text.items()}


class TestVectors(unittest.TestCase):

    def test_bytes_decode_to_the_values(self):
        count = 0
        for vector in vectors("events.json") + vectors("messages.json"):
            meaning = vector.get("event", vector.get("message"))
            if meaning is not None:
                with self.subTest(vector["name"]):
                    self.assertEqual(wire.unpack(bytes.fromhex(vector["bytes"])), value(meaning))
                    count += 1
        self.assertGreater(count, 30)

    def test_builders_build_the_events(self):
        for vector in vectors("events.json"):
            if "event" in vector and None not in vector["event"].values():
                event = value(vector["event"])
                builder = BUILDERS[event["type"]]
                fields = set(events.OPTIONAL[event["type"]] + events.COMMON) | set(inspect.signature(builder).parameters)
                keys = {key: one for key, one in event.items() if key in fields}
                extra = {key: one for key, one in event.items() if key not in fields}
                with self.subTest(vector["name"]):
                    self.assertEqual(builder(**keys, extra=extra), event)

    def test_dialog_sends_the_messages(self):
        known = {vector["name"]: value(vector["message"]) for vector in vectors("messages.json")}
        sent = wire.unpack(dialog.Dialog("demo", "run-1").outgoing(0)[0])
        self.assertEqual(sent, known["hello"])
        producer = dialog.Dialog("demo", "run-1", 30000)
        self.assertEqual(wire.unpack(producer.outgoing(0)[0]), known["hello with a lease"])
        producer.received(wire.pack(dict(known["welcome"], sequence=0)), 0)
        for event in known["publish of one event"]["events"]:
            producer.add(event, lambda *_: None)
        self.assertEqual(wire.unpack(producer.outgoing(0)[0]), known["publish of one event"])

    def test_dialog_processes_the_messages_of_the_broker(self):
        known = {vector["name"]: bytes.fromhex(vector["bytes"]) for vector in vectors("messages.json")}
        settled = []
        producer = dialog.Dialog("demo", "run-1")
        producer.outgoing(0)
        producer.received(known["welcome"], 0)
        for _ in range(2):
            producer.add({"type": "task.updated"}, lambda receipt, error: settled.append((receipt, error)))
        producer.outgoing(0)
        producer.received(known["pong"], 0)
        producer.received(known["nak"], 0)
        producer.received(known["ack"], 0)
        (receipt, error), = settled
        self.assertEqual((receipt.sequence, receipt.position, receipt.code, receipt.field, error),
                         (42, 7, "invalid_field", "state", None))
        producer.received(known["error, a gap"], 0)
        self.assertEqual(producer.state, "new")
        producer.outgoing(0)
        producer.received(known["error, fenced"], 0)
        self.assertIsInstance(settled[1][1], stele_client.Fenced)


if __name__ == "__main__":
    unittest.main(verbosity=2)
