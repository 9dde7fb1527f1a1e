#!/usr/bin/env python3
# seeds - write the seeds of the fuzz targets, from the test vectors and by hand
#
#   ./seeds.py          writes the folders of seeds/ next to it
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re

import msgpack

HERE = os.path.dirname(os.path.abspath(__file__))

REQUESTS = [
    {"op": "ping"}, {"op": "info"}, {"op": "stats"}, {"op": "task.status", "task_id": "a"},
    {"op": "task.get", "task_id": "a", "at": 3}, {"op": "task.get", "task_id": "a", "at": 5000000000000},
    {"op": "task.list", "states": ["failed", "queued"], "roles": "coder", "order": "updated_desc", "limit": 1, "total": True},
    {"op": "task.list", "user_id": "ann", "parent_id": "a", "date_from": 1, "date_to": "2026-01-01T00:00:00Z", "offset": 1},
    {"op": "task.list", "search": "first \"words here\" -x OR ti* NEAR(", "has_error": True},
    {"op": "task.list", "at": 4, "providers": ["x"], "models": ["m"], "order": "completed_asc"},
    {"op": "task.history", "task_id": "a", "types": ["task.created"], "order": "desc", "limit": 2},
    {"op": "task.outputs", "task_id": "a", "types": "stdout"}, {"op": "task.metrics", "task_id": "a", "names": ["cost"]},
    {"op": "session.list", "states": "initializing", "task_id": "a"}, {"op": "session.get", "session_id": "s"},
    {"op": "session.commands", "session_id": "s", "order": "desc"}, {"op": "preference.get", "user_id": "ann"},
    {"op": "events.read", "after": 2, "limit": 3, "types": ["task.created", "preference.set"]},
    {"op": "audit.list", "who": "local", "operation": "mode", "outcome": "ok", "from": 1, "to": 2, "limit": 3},
    {"op": "rejected.list", "producer": "p", "open": True}, {"op": "stats.tasks", "group_by": "role", "from": 0, "to": 10},
    {"op": "task.stuck", "silent_s": 1}, {"op": "backup.list"}, {"op": "nonsense"}, {"op": 1}, [], {"op": "task.list", "cursor": "AAAA"},
]

LINES = [
    '{"type":"task.created","time":"2026-01-31T23:59:59.123456Z","task_id":"a","title":"t","description":"d","role":"r"}',
    '{"type":"task.output_added","task_id":"a","output_type":"stdout","content":{"$bin":"//4A"}}',
    '{"type":"task.metric_recorded","task_id":"a","name":"n","value":{"$float":"NaN"},"x":{"$uint":"18446744073709551615"}}',
    '{"type":"task.updated","task_id":"a","metadata":{"$map":[[1,"one"],[null,[true,false,-1.5e300]]]},"e":{"$ext":[5,"AQI="]}}',
    '{"a":"\\u0041\\ud83d\\ude00\\n\\"","b":[[[[[[]]]]]],"c":1e5,"d":-0.0,"e":12345678901234567890}',
]

CONFIGS = [
    "database = \"/var/lib/stele/ledger.db\"\nredis = \"redis://127.0.0.1:6379/0\"\n",
    "window = 100\nlegacy-keys = yes\ninterrupted = none\n", "# a comment\nmessage-bytes = -1\n", "nothing = 1\n",
    "events = tcp://127.0.0.1:*\n    child = 1\n", "window\n", "window = 9999999999999999999999\n",
]

RULES = [
    "# a comment\n[badge]\nkeyword = \"badge \"\nregex = badge ([0-9]{6})\ncase = ignore\nboundary = yes\n",
    "[github-token]\nenabled = no\n", "[b]\nkeyword = abc\nback = 200\nentropy = 3.5\nregex = (?:a|b)*abc(?=x)\n",
    "[c]\nkeyword = aaa\nregex = (a+)+$\n", "[d]\nkeyword = ab\n", "[e]\nkeyword = abc\nregex = (\n", "regex = x\n",
]


HEADS = [
    "GET /v1/tasks?states=running%2Cfailed&limit=10&search=a+b HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip;q=0.5, br\r\n\r\n",
    "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:5580\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}",
    "GET http://[::1]:80/v1/tasks/a%2Fb/outputs/7 HTTP/1.1\r\nHost: [::1]:80\r\nRange: bytes=0-99\r\nIf-None-Match: \"x\"\r\nConnection: close\r\n\r\n",
    "GET /v1/stream?view=tasks HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 17\r\nSec-Fetch-Site: same-origin\r\nOrigin: http://localhost\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "GET /%",
]


def frame(opcode, data=b"", final=True, mask=b"\x01\x02\x03\x04"):
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes([(0x80 if final else 0) | opcode]) + size + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


FRAMES = [
    ("text and close", frame(1, "ünï ✓".encode()) + frame(8, b"\x03\xe8bye")), ("binary", frame(2, bytes(range(200)))),
    ("fragments around a ping", frame(1, b"a", False) + frame(9, b"p") + frame(0, b"", False) + frame(0, "é".encode())),
    ("pong and empty close", frame(10) + frame(8)), ("long", frame(1, b"x" * 300)), ("close of a byte", frame(8, b"\x03")),
    ("64 bits", b"\x81\xff" + (70000).to_bytes(8, "big") + b"\1\2\3\4xyz"), ("no mask", b"\x81\x01x"),
]


def write(target, seeds):
    folder = os.path.join(HERE, "seeds", target)
    os.makedirs(folder, exist_ok=True)
    for number, (name, data) in enumerate(seeds):
        name = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
        with open(os.path.join(folder, "%02d-%s" % (number, name)), "wb") as file:
            file.write(data)


def vectors(name):
    with open(os.path.join(HERE, "../vectors", name), encoding="utf-8") as file:
        return [(one["name"], bytes.fromhex(one["bytes"])) for one in json.load(file)]


def dictionary():
    """Words of the protocol, for every target"""
    with open(os.path.join(HERE, "../../doc/PROTOCOL.md"), encoding="utf-8") as file:
        words = set(re.findall(r"\b[a-z]+(?:[._][a-z]+)*\b", file.read()))
    known = sorted(word for word in words if "_" in word or "." in word) + sorted(
        ["op", "type", "time", "role", "state", "title", "value", "unit", "name", "limit", "cursor", "order", "search", "at"])
    with open(os.path.join(HERE, "stele.dict"), "w", encoding="utf-8") as file:
        file.write("# Words of the protocol, as msgpack strings and bare; written by seeds.py\n")
        for word in known:
            head = bytes([0xa0 + len(word)]) if len(word) < 32 else bytes([0xd9, len(word)])
            file.write('"\\x%s%s"\n"%s"\n' % (head.hex() if len(head) == 1 else head[:1].hex() + "\\x" + head[1:].hex(), word, word))


if __name__ == "__main__":
    write("event", vectors("events.json"))
    write("message", vectors("messages.json"))
    write("request", [(one.get("op", "") if isinstance(one, dict) and isinstance(one["op"], str) else "odd", msgpack.packb(one))
                      for one in REQUESTS])
    write("json", [("line", line.encode()) for line in LINES])
    write("config", [("config", text.encode()) for text in CONFIGS])
    write("rules", [("rules", text.encode()) for text in RULES])
    write("http", [("head", text.encode()) for text in HEADS])
    write("websocket", FRAMES)
    dictionary()
