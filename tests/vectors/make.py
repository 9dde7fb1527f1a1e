#!/usr/bin/env python3
# make - write the test vectors: bytes of the protocol, and their decoded values
#
#   ./make.py          writes events.json and messages.json to its own folder
#
# The vectors are data: implementations in any language read the JSON. This program
# generates them with an encoder (msgpack for Python) that is independent of the
# broker's. JSON that represents msgpack has the form of doc/PROTOCOL.md, section 10.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import base64
import json
import os

import msgpack

TIME = 1764547200123456


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def as_json(value):
    if isinstance(value, bytes):
        return {"$bin": base64.b64encode(value).decode()}
    if isinstance(value, int) and not isinstance(value, bool) and value > 2**63 - 1:
        return {"$uint": str(value)}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"$float": "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, msgpack.Timestamp):
        return {"$ext": [-1, base64.b64encode(value.to_bytes()).decode()]}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and not (
                len(value) == 1 and next(iter(value)).startswith("$")):
            return {key: as_json(one) for key, one in value.items()}
        return {"$map": [[as_json(key), as_json(one)] for key, one in value.items()]}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    return value


def accepted(name, event, record=None, data=None):
    """'record': the event as the broker returns it, if that differs from what was sent."""
    vector = {"name": name, "bytes": (data or pack(event)).hex(), "event": as_json(event)}
    if record is not None:
        vector["record"] = as_json(record)
    return vector


def refused(name, data, code, field=None):
    if not isinstance(data, bytes):
        data = pack(data)
    vector = {"name": name, "bytes": data.hex(), "refused": code}
    if field:
        vector["field"] = field
    return vector


def created(**more):
    return dict({"type": "task.created", "time": TIME, "task_id": "t1", "title": "Fix it",
                 "description": "", "role": "coder"}, **more)


def changed(**more):
    return dict({"type": "task.state_changed", "time": TIME, "task_id": "t1", "state": "running"}, **more)


def output(content, **more):
    return dict({"type": "task.output_added", "time": TIME, "task_id": "t1", "output_type": "stdout",
                 "content": content}, **more)


def metric(value, **more):
    return dict({"type": "task.metric_recorded", "time": TIME, "task_id": "t1", "name": "cost",
                 "value": value}, **more)


def without(event, key):
    return {name: value for name, value in event.items() if name != key}


def raw_map(*parts):
    return bytes([0x80 | (len(parts) // 2)]) + b"".join(
        part if isinstance(part, bytes) else pack(part) for part in parts)


def events():
    full = created(state="queued", provider="p", model="m", branch="b", worktree_path="/w", base_branch="main",
                   commit_hash="0f" * 20, target_dir="src", full_access=True, provider_override="q",
                   repository_url="https://example.org/r.git", acceptance_criteria={"tests": ["a", "b"]},
                   metadata={"n": 1, "x": None}, parent_id="t0", user_id="ann")
    yield accepted("task.created, required fields", created())
    yield accepted("task.created, every field", full)
    yield accepted("task.created, id of 255 bytes", created(task_id="i" * 255))
    yield accepted("task.created, text of four-byte characters", created(title="\U0001f5ff stele \u00e9"))
    yield accepted("task.updated", {"type": "task.updated", "time": TIME, "task_id": "t1", "title": "Fix it well"})
    yield accepted("task.state_changed", changed())
    yield accepted("task.state_changed with an error and details",
                   changed(state="failed", provider="p", model="m", error_message="exit 1",
                           details={"log": [1, 2.5, True, None, "x"]}))
    yield accepted("task.output_added, text", output("line\n"))
    yield accepted("task.output_added, bytes that are not UTF-8", output(b"\xff\xfe\x00"))
    yield accepted("task.output_added, every field",
                   output("x", file_path="/o", file_size=2**63 - 1, mime_type="text/plain", commit_hash="c", branch="b"))
    yield accepted("task.metric_recorded, integer", metric(-5))
    yield accepted("task.metric_recorded, float", metric(0.1, unit="usd"))
    yield accepted("task.metric_recorded, 2^64-1", metric(2**64 - 1))
    yield accepted("session.started", {"type": "session.started", "time": TIME, "session_id": "s1", "cli_tool": "bash",
                                       "mode": "cli", "current_directory": "/", "state": "initializing", "pid": 4711,
                                       "authentication_required": False, "auth_prompt": "", "task_id": "t1"})
    yield accepted("session.state_changed", {"type": "session.state_changed", "time": TIME, "session_id": "s1",
                                             "state": "waiting_input"})
    yield accepted("session.command_executed", {"type": "session.command_executed", "time": TIME, "session_id": "s1",
                                                "command": "make", "output": b"\x80", "execution_time_ms": 12.5,
                                                "exit_code": -1})
    yield accepted("preference.set", {"type": "preference.set", "time": TIME, "user_id": "ann",
                                      "preferred_model": "m", "role_preferences": {"coder": "p"}})
    yield accepted("unknown keys are kept", changed(attempt=3, trace={"id": b"\x01", "$x": 1}))
    yield accepted("nil is absent", changed(error_message=None), changed())
    yield accepted("fields that only the broker sets are dropped", changed(position=7, interrupted=True), changed())
    yield accepted("time as RFC 3339 with an offset", changed(time="2025-12-01T01:00:00.123456+01:00"), changed())
    stamp = msgpack.Timestamp(TIME // 1000000, TIME % 1000000 * 1000)
    yield accepted("time as a msgpack timestamp of 64 bits", changed(time=stamp), changed())
    yield accepted("time as a msgpack timestamp of 96 bits", changed(time=stamp), changed(), data=raw_map(
        "type", "task.state_changed", "task_id", "t1", "state", "running", "time",
        b"\xc7\x0c\xff" + stamp.nanoseconds.to_bytes(4, "big") + stamp.seconds.to_bytes(8, "big")))
    yield accepted("integers in their longest form", {"type": "task.metric_recorded", "time": TIME, "task_id": "t1",
                                                      "name": "cost", "value": 1},
                   data=raw_map("type", "task.metric_recorded", "time", b"\xcf" + TIME.to_bytes(8, "big"),
                                "task_id", b"\xdb\x00\x00\x00\x02t1", "name", b"\xd9\x04cost",
                                "value", b"\xd3" + (1).to_bytes(8, "big")))

    deep = 1
    for _ in range(17):
        deep = [deep]
    yield refused("empty bytes", b"", "malformed")
    yield refused("an array", [1], "malformed")
    yield refused("an event that only the broker makes", {"type": "audit.recorded", "time": TIME, "who": "ann",
                                                          "operation": "mode", "outcome": "ok"},
                  "invalid_field", "type")
    yield refused("a map cut short", pack(created())[:-1], "malformed")
    yield refused("bytes after the map", pack(created()) + b"\x00", "malformed")
    yield refused("an array of 2^32-1 in five bytes", raw_map("type", b"\xdd\xff\xff\xff\xff"), "malformed")
    yield refused("the byte that msgpack never uses", raw_map("type", b"\xc1"), "malformed")
    yield refused("a key twice", raw_map("type", "task.state_changed", "task_id", "t1", "state", "running",
                                         "state", "passed"), "malformed")
    yield refused("a key that is not text", raw_map("type", "task.state_changed", 1, 2), "malformed")
    yield refused("text that is not UTF-8", raw_map("type", "task.state_changed", "task_id", b"\xa2\xc3\x28",
                                                    "state", "running"), "malformed")
    yield refused("nested 17 deep", changed(details={"x": deep}), "malformed")
    yield refused("no type", without(changed(), "type"), "missing_field", "type")
    yield refused("an unknown type", changed(type="task.vanished"), "unknown_type")
    yield refused("type is a number", changed(type=1), "invalid_field", "type")
    for event in (created(), changed(), output("x"), metric(1)):
        for key in event:
            if key not in ("type", "time"):
                yield refused("%s without %s" % (event["type"], key), without(event, key), "missing_field", key)
    yield refused("task.updated without a field to change", {"type": "task.updated", "task_id": "t1"}, "missing_field")
    yield refused("an empty id", changed(task_id=""), "invalid_field", "task_id")
    yield refused("an id of 256 bytes", changed(task_id="i" * 256), "too_large", "task_id")
    yield refused("a title of 1025 bytes", created(title="x" * 1025), "too_large", "title")
    yield refused("an unknown state", changed(state="happy"), "invalid_field", "state")
    yield refused("a state of another letter case", changed(state="Running"), "invalid_field", "state")
    yield refused("title is a number", created(title=5), "invalid_field", "title")
    yield refused("full_access is a number", created(full_access=1), "invalid_field", "full_access")
    yield refused("metadata is an array", created(metadata=[1]), "invalid_field", "metadata")
    yield refused("value is text", metric("1"), "invalid_field", "value")
    yield refused("content is a number", output(1), "invalid_field", "content")
    yield refused("file_size below 0", output("x", file_size=-1), "invalid_field", "file_size")
    yield refused("time is a float", changed(time=1.5), "invalid_field", "time")
    yield refused("time is not a date", changed(time="yesterday"), "invalid_field", "time")
    yield refused("time in the year 10000", changed(time=253402300800000000), "invalid_field", "time")


def messages():
    def vector(sender, name, value, **more):
        return dict({"name": name, "from": sender, "bytes": pack(value).hex(), "message": as_json(value)}, **more)

    yield vector("peer", "hello", {"op": "hello", "protocol": 1, "producer": "demo", "instance": "run-1"})
    yield vector("peer", "hello with a lease", {"op": "hello", "protocol": 1, "producer": "demo",
                                                "instance": "run-1", "lease_ms": 30000})
    yield vector("peer", "hello with a key of a later protocol",
                 {"op": "hello", "protocol": 1, "producer": "demo", "instance": "run-1", "colour": "red"})
    yield vector("peer", "publish of one event", {"op": "publish", "sequence": 1, "events": [changed()]})
    yield vector("peer", "publish of three events, a late sequence",
                 {"op": "publish", "sequence": 2**40, "events": [created(), changed(), metric(1)]})
    yield vector("peer", "ping", {"op": "ping"})
    yield vector("peer", "goodbye", {"op": "goodbye"})
    yield vector("peer", "goodbye that keeps tasks in progress", {"op": "goodbye", "keep": True})
    yield vector("peer", "goodbye with a keep that is no bool", {"op": "goodbye", "keep": 1},
                 refused="invalid_field", field="keep")
    yield vector("peer", "an unknown op", {"op": "dance"}, refused="unknown_op")
    yield vector("peer", "no op", {"sequence": 1}, refused="missing_field", field="op")
    yield vector("peer", "hello without a producer", {"op": "hello", "protocol": 1, "instance": "r"},
                 refused="missing_field", field="producer")
    yield vector("peer", "hello of another protocol", {"op": "hello", "protocol": 2, "producer": "p", "instance": "r"},
                 refused="unsupported_protocol")
    yield vector("peer", "publish without a sequence", {"op": "publish", "events": [changed()]},
                 refused="missing_field", field="sequence")
    yield vector("peer", "publish with sequence 0", {"op": "publish", "sequence": 0, "events": [changed()]},
                 refused="invalid_field", field="sequence")
    yield vector("peer", "publish of nothing", {"op": "publish", "sequence": 1, "events": []},
                 refused="invalid_field", field="events")
    yield vector("peer", "publish whose events are a map", {"op": "publish", "sequence": 1, "events": {}},
                 refused="invalid_field", field="events")
    yield vector("broker", "welcome", {"op": "welcome", "protocol": 1, "ledger": "147c8bc8-e87b-4079-873e-5af289693d17",
                                       "sequence": 41, "window": 65536, "max_bytes": 16777216, "heartbeat_ms": 2000})
    yield vector("broker", "ack", {"op": "ack", "sequence": 42, "position": 7})
    yield vector("broker", "nak", {"op": "nak", "sequence": 42, "code": "invalid_field",
                                   "message": "state is no state", "field": "state"})
    yield vector("broker", "pong", {"op": "pong"})
    yield vector("broker", "error, a gap", {"op": "error", "code": "sequence_gap", "message": "expected 42",
                                            "field": "sequence", "expected": 42})
    yield vector("broker", "error, fenced", {"op": "error", "code": "fenced", "message": "another instance took over"})


def write(name, vectors):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in vectors) + "\n]\n")


if __name__ == "__main__":
    write("events.json", events())
    write("messages.json", messages())
