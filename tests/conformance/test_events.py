# Events: every type and field without loss, and every refusal (protocol sections 1, 3, 8)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import math
import os
import time

import msgpack

import harness
from client import changed, command, created, metric, output, pack, started

NOON = 1767268800 * 1000000             # 2026-01-01T12:00:00Z

#   Everything that a map may contain: keys, kinds of value, numbers at the limits
MAP = {
    "": "empty key", "é": "ü", "zebra": 1, "apple": 2, "nested": {"list": [1, [2, {"deep": None}]]},
    "smallest": -2**63, "largest": 2**63 - 1, "beyond": 2**64 - 1, "exact": 2**53 + 1,
    "float": 0.1, "whole": 3.0, "tiny": 5e-324, "huge": 1.7976931348623157e308, "minus": -0.0,
    "yes": True, "no": False, "nothing": None, "bytes": b"\x00\xff\xfe", "empty": {}, "none": [],
    "text": "nul \x00, tab \t, quote \", four bytes \U0001f680", "infinite": math.inf,
    "below": -math.inf, "$bin": "not bytes", "time": msgpack.ExtType(42, b"ext"),
}

EVERY_FIELD = [
    {"type": "task.created", "time": NOON, "user_id": "ann", "title": "Title \U0001f680",
     "description": "Line\nline \x00 end", "role": "builder", "state": "starting",
     "provider": "openai", "model": "o3", "branch": "b", "worktree_path": "/w",
     "base_branch": "main", "commit_hash": "0123abc", "target_dir": "src", "full_access": True,
     "provider_override": "other", "repository_url": "https://example.org/r.git",
     "acceptance_criteria": {"tests": ["a", "b"]}, "metadata": MAP, "parent_id": "the-parent"},
    {"type": "task.updated", "time": NOON + 1, "user_id": "bob", "title": "T2", "description": "D2",
     "role": "tester", "state": "running", "provider": "p2", "model": "m2", "branch": "b2",
     "worktree_path": "/w2", "base_branch": "dev", "commit_hash": "c2", "target_dir": ".",
     "full_access": False, "provider_override": "o2", "repository_url": "r2",
     "acceptance_criteria": MAP, "metadata": {}, "parent_id": "other-parent"},
    {"type": "task.state_changed", "time": NOON + 2, "user_id": "ann", "state": "failed",
     "provider": "p3", "model": "m3", "error_message": "no\x00luck", "details": MAP},
    {"type": "task.output_added", "time": NOON + 3, "user_id": "ann", "output_type": "artifact",
     "content": "text", "file_path": "/a/b", "file_size": 2**62, "mime_type": "text/plain",
     "commit_hash": "c", "branch": "b"},
    {"type": "task.metric_recorded", "time": NOON + 4, "user_id": "ann", "name": "cost",
     "value": 0.25, "unit": "USD"},
    {"type": "session.started", "time": NOON + 5, "user_id": "ann", "cli_tool": "sh", "mode": "tty",
     "current_directory": "/", "state": "waiting_input", "pid": 4194304,
     "authentication_required": True, "auth_prompt": "Password:", "task_id": "some-task"},
    {"type": "session.state_changed", "time": NOON + 6, "user_id": "ann", "state": "processing"},
    {"type": "session.command_executed", "time": NOON + 7, "user_id": "ann", "command": "ls -l",
     "output": "out", "execution_time_ms": 12.5, "exit_code": -11},
    {"type": "preference.set", "time": NOON + 8, "preferred_provider": "p", "preferred_model": "m",
     "full_access_preferred": True, "role_preferences": MAP},
]


def same(one, other):
    """Equal, with values of the same kinds: 1, 1.0 and True differ, NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other))
    return one == other


class Lossless(harness.BrokerTest):
    use_redis = False

    def back(self, *events):
        """Publish; returns the events as the ledger returns them, without positions."""
        head = self.ask("ping")["position"]
        self.producer().publish(*events)
        read = self.read_events(head)
        self.assertEqual([event.pop("position") for event in read],
                         list(range(head + 1, head + 1 + len(events))))
        return read

    def assert_back(self, *events):
        for sent, read in zip(events, self.back(*events)):
            if sent["type"] == "task.created":
                sent = dict({"state": "queued"}, **sent)
            self.assertEqual(sorted(read), sorted(sent))            # Nothing lost, nothing added
            for key in sent:
                self.assertTrue(same(sent[key], read[key]), "%s %s: %.200r came back as %.200r" % (
                    sent["type"], key, sent[key], read[key]))

    def with_ids(self, event):
        kind = event["type"].split(".")[0]
        key = {"task": "task_id", "session": "session_id", "preference": "user_id"}[kind]
        return dict(event, **{key: self.name(kind)})

    def test_every_field_of_every_type_comes_back(self):
        self.assert_back(*[self.with_ids(event) for event in EVERY_FIELD])

    def test_smallest_event_of_every_type_comes_back(self):
        task, session = self.name("task"), self.name("session")
        events = [created(task), {"type": "task.updated", "task_id": task, "model": "m"},
                  changed(task, "running"), output(task, ""), metric(task, "", 0),
                  started(session), {"type": "session.state_changed", "session_id": session,
                                     "state": "completed"},
                  command(session, ""), {"type": "preference.set", "preferred_model": ""}]
        before = time.time() * 1e6
        read = self.back(*events)
        for event in read:                              # The broker sets the time
            self.assertTrue(before - 5e6 < event["time"] < time.time() * 1e6 + 5e6)
        for sent, got in zip(events, read):
            for key in sent:
                self.assertTrue(same(sent[key], got[key]), (key, got))

    def test_unknown_keys_are_kept(self):
        extra = {"x-colour": "blue", "x_map": MAP, "x_uint": 2**64 - 1, "x_bytes": b"\x00\xff",
                 "x_list": [1, 2.5, None], "ключ": True}
        self.assert_back(*[dict(self.with_ids(event), **extra) for event in EVERY_FIELD])

    def test_content_text_comes_back_as_text_and_bytes_as_bytes(self):
        task, session = self.name("task"), self.name("session")
        contents = ["", "plain", "nul \x00 inside", "\x00", "\U0001f680" * 1000, "\x1b[31mred\x1b[0m\r\n",
                    "long " * 200000, b"", b"\x00\x01\xff", bytes(range(256)) * 4000, b"text in bytes"]
        self.assert_back(*[output(task, content, time=NOON) for content in contents],
                         *[command(session, "c", output=content, time=NOON) for content in contents])
        rows = self.ask("task.outputs", task_id=task)["outputs"]
        self.assertTrue(same([row["content"] for row in rows], contents))
        rows = self.ask("session.commands", session_id=session)["commands"]
        self.assertTrue(same([row["output"] for row in rows], contents))

    def test_content_of_the_largest_size_comes_back(self):
        content = "0123456789abcdef" * (8 * 1024 * 1024 // 16)
        self.assert_back(output(self.name("task"), content, time=NOON))

    def test_content_that_does_not_compress_comes_back(self):
        content = os.urandom(1000000)
        self.assert_back(output(self.name("task"), content, time=NOON))

    def test_metric_values_come_back_as_they_were(self):
        task = self.name("task")
        values = [0, 1, -1, 2**53 + 1, 2**63 - 1, -2**63, 2**63, 2**64 - 1, 0.0, -0.0, 0.1, 1.0, 1e300,
                  5e-324, math.inf, -math.inf, math.nan]
        self.assert_back(*[metric(task, "n", value, time=NOON) for value in values])
        rows = self.ask("task.metrics", task_id=task)["metrics"]
        self.assertTrue(same([row["value"] for row in rows], values), rows)

    def test_long_command_with_long_output_comes_back(self):
        session = self.name("session")
        event = command(session, "make " + "all " * 200, output="a line\n" * 300)
        self.producer().publish(started(session), event)
        row = self.ask("session.commands", session_id=session)["commands"][0]
        self.assertEqual((row["command"], row["output"]), (event["command"], event["output"]))

    def test_numbers_of_commands_come_back(self):
        session = self.name("session")
        self.assert_back(*[command(session, "c", time=NOON, execution_time_ms=ms, exit_code=code)
                           for ms, code in ((0, 0), (1.5, -1), (2**53 + 1, 255), (0.0, -2**31))])

    def test_maps_come_back_with_every_kind_of_key(self):
        keys = {1: "int", -1: "minus", "1": "text"}
        self.assert_back(changed(self.name("task"), "running", time=NOON, details={"map": keys}))

    def test_time_in_any_form_comes_back_in_microseconds(self):
        task = self.name("task")
        forms = [(NOON + 123456, NOON + 123456), (0, 0), (-1, -1),
                 (msgpack.Timestamp(1767268800, 123456789), NOON + 123456),
                 (msgpack.Timestamp(1767268800, 0), NOON),
                 ("2026-01-01T12:00:00Z", NOON), ("2026-01-01T12:00:00.5Z", NOON + 500000),
                 ("2026-01-01T12:00:00.123456Z", NOON + 123456),
                 ("2026-01-01T12:00:00.123456789Z", NOON + 123456),
                 ("2026-01-01T14:30:00+02:30", NOON), ("2026-01-01T07:00:00-05:00", NOON),
                 ("1969-12-31T23:59:59Z", -1000000), ("2024-02-29T00:00:00Z", 1709164800 * 1000000)]
        read = self.back(*[metric(task, "n", 1, time=form) for form, _ in forms])
        self.assertEqual([event["time"] for event in read], [time_us for _, time_us in forms])

    def test_nil_is_as_if_absent(self):
        task = self.name("task")
        read = self.back(created(task, parent_id=None, metadata=None, state=None, time=NOON))
        self.assertNotIn("parent_id", read[0])
        record = self.ask("task.get", task_id=task)["task"]
        self.assertEqual(record["state"], "queued")
        self.assertIsNone(record.get("parent_id"))

    def test_a_producer_cannot_use_the_words_of_the_broker(self):
        head = self.ask("ping")["position"]
        self.producer().publish(dict(created(self.name("task")), position=1, interrupted=True))
        event = self.read_events(head)[0]
        self.assertEqual(event["position"], head + 1)
        self.assertNotIn("interrupted", event)

    def test_ids_of_any_text_are_found_again(self):
        for number, task in enumerate(("a b", "a/b/c", "é\U0001f680", "x" * 255, "%", "'; --", "a\x00b", "\n")):
            task = task if len(task) > 250 else task + str(number)
            self.producer(self.name("producer%d" % number)).publish(created(task, time=NOON))
            self.assertEqual(self.ask("task.get", task_id=task)["task"]["task_id"], task)


class Refusals(harness.BrokerTest):
    """Each nak names its code; invalid_field names its field."""
    use_redis = False

    def refuse(self, event, code, field=None):
        peer = self.producer()
        head = self.ask("ping")["position"]
        nak = peer.publish_refused(event)
        self.assertEqual(nak["code"], code, "%r: %r" % (event, nak))
        if field:
            self.assertEqual(nak.get("field"), field, "%r: %r" % (event, nak))
        self.assertEqual(self.ask("ping")["position"], head)
        row = self.rejected(peer.name)[-1]
        self.assertEqual((row["code"], row["sequence"]), (code, nak["sequence"]))
        self.assertEqual(row.get("field"), nak.get("field"))
        return row

    def rejected(self, producer):
        rows, cursor = [], None
        while True:
            answer = self.ask("rejected.list", producer=producer, cursor=cursor)
            rows += answer["rejected"]
            cursor = answer["next"]
            if cursor is None:
                return rows

    def test_unknown_type(self):
        for kind in ("task.danced", "", "task", "TASK.CREATED", "task.created "):
            row = self.refuse({"type": kind, "task_id": "t"}, "unknown_type")
            #   Those that a producer can publish
            self.assertRegex(row["message"], "use task.created, .* or preference.set$")

    def test_type_missing_or_no_text(self):
        self.refuse({"task_id": "t"}, "missing_field", "type")
        self.refuse({"type": 7, "task_id": "t"}, "invalid_field", "type")

    def test_each_required_field_missing(self):
        task, session = self.name("task"), self.name("session")
        for event in (created(task), changed(task, "running"), output(task, "x"), metric(task, "n", 1),
                      started(session), {"type": "session.state_changed", "session_id": session,
                                         "state": "running"}, command(session, "ls")):
            for key in event:
                if key != "type":
                    less = {name: value for name, value in event.items() if name != key}
                    self.refuse(less, "missing_field", key)
        self.refuse({"type": "task.updated", "task_id": task}, "missing_field")
        self.refuse({"type": "task.updated", "title": "T"}, "missing_field", "task_id")
        self.refuse({"type": "preference.set", "user_id": "u"}, "missing_field")

    def test_each_field_of_the_wrong_kind(self):
        wrong = {
            "task_id": (7, b"bytes", {}, "", True), "title": (7, b"bytes", []), "description": (1.5,),
            "role": (True,), "user_id": (7, ""), "provider": (7,), "model": ([],), "branch": (7,),
            "worktree_path": (7,), "base_branch": (7,), "commit_hash": (7,), "target_dir": (7,),
            "full_access": (1, "yes"), "provider_override": (7,), "repository_url": (7,),
            "acceptance_criteria": ("text", [1]), "metadata": ("{}", 7), "parent_id": (7, ""),
            "state": ("dancing", 1, ""), "time": ("yesterday", 1.5, True, {}, "2026-13-01T00:00:00Z",
                                                  "2026-01-01T25:00:00Z", msgpack.ExtType(42, b"abcd")),
        }
        for field, values in wrong.items():
            for value in values:
                self.refuse(dict(created(self.name("task")), **{field: value}), "invalid_field", field)

    def test_each_field_of_the_wrong_kind_in_other_events(self):
        task, session = self.name("task"), self.name("session")
        for event, field, values in (
                (changed(task, "running"), "state", ("initializing", 1, b"running")),
                (changed(task, "running"), "error_message", (7, b"bytes")),
                (changed(task, "running"), "details", ("text", [1])),
                (output(task, "x"), "output_type", ("stdin", 1)),
                (output(task, "x"), "content", (7, {}, [b"x"])),
                (output(task, "x"), "file_path", (7,)),
                (output(task, "x"), "file_size", (-1, 1.5, "1", 2**64 - 1)),
                (output(task, "x"), "mime_type", (7,)),
                (metric(task, "n", 1), "name", (7,)),
                (metric(task, "n", 1), "value", ("1", True, {})),
                (metric(task, "n", 1), "unit", (7,)),
                (started(session), "session_id", (7, "")),
                (started(session), "cli_tool", (7,)), (started(session), "mode", (7,)),
                (started(session), "current_directory", (7,)),
                (started(session), "state", ("queued",)),
                (started(session), "pid", (-1, "1", 1.5)),
                (started(session), "authentication_required", (1,)),
                (started(session), "auth_prompt", (7,)), (started(session), "task_id", (7, "")),
                ({"type": "session.state_changed", "session_id": session}, "state", ("passed", 7)),
                (command(session, "ls"), "command", (7, b"ls")),
                (command(session, "ls"), "output", (7,)),
                (command(session, "ls"), "execution_time_ms", ("1", True)),
                (command(session, "ls"), "exit_code", ("0", 1.5)),
                ({"type": "preference.set", "preferred_model": "m"}, "preferred_provider", (7,)),
                ({"type": "preference.set"}, "preferred_model", (7,)),
                ({"type": "preference.set"}, "full_access_preferred", ("no",)),
                ({"type": "preference.set"}, "role_preferences", ("text",))):
            for value in values:
                self.refuse(dict(event, **{field: value}), "invalid_field", field)

    def test_over_a_limit(self):
        task = self.name("task")
        self.refuse(created("x" * 256), "too_large")
        self.refuse(created(task, title="x" * 1025), "too_large")
        self.refuse(created(task, title="é" * 513), "too_large")    # Limits are in bytes
        self.refuse(created(task, description="x" * (1024 * 1024 + 1)), "too_large")
        self.refuse(output(task, "x" * (8 * 1024 * 1024 + 1)), "too_large")
        self.refuse(output(task, bytes(8 * 1024 * 1024 + 1)), "too_large")
        self.producer().publish(created(task, title="x" * 1024, description="x" * (1024 * 1024)))

    def test_malformed(self):
        for event in (7, "text", None, [created("t")], b"bytes"):
            self.refuse(event, "malformed")
        deep = 1
        for _ in range(40):
            deep = [deep]
        self.refuse(created(self.name("task"), metadata={"deep": deep}), "malformed")
        self.refuse(dict(created(self.name("task")), x_unknown=deep), "malformed")

    def test_a_key_twice(self):
        raw = msgpack.packb(created(self.name("task")))
        twice = b"\x86" + raw[1:] + pack("title") + pack("Another")
        peer = self.producer()
        peer.send_bytes(b"\x83" + pack("op") + pack("publish") + pack("sequence") + pack(1)
                        + pack("events") + b"\x91" + twice)
        peer.sequence = 1
        peer.settle()
        self.assertEqual(peer.naks[1]["code"], "malformed")

    def test_malformed_text_is_refused_and_kept_as_it_came(self):
        bad = created(self.name("task"), title=b"\xff\xfe")
        raw = msgpack.packb(bad, use_bin_type=False)        # Bytes as str: not UTF-8
        peer = self.producer()
        peer.send_bytes(b"\x83" + pack("op") + pack("publish") + pack("sequence") + pack(1)
                        + pack("events") + b"\x91" + raw)
        peer.sequence = 1
        peer.settle()
        self.assertEqual(peer.naks[1]["code"], "malformed")
        for text in (b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\x80", b"a\xe2\x82"):
            raw = msgpack.packb(dict(bad, title=text), use_bin_type=False)
            peer.sequence += 1
            peer.send_bytes(b"\x83" + pack("op") + pack("publish") + pack("sequence")
                            + pack(peer.sequence) + pack("events") + b"\x91" + raw)
            peer.settle()
            self.assertEqual(peer.naks[peer.sequence]["code"], "malformed", text)

    def test_illegal_transition_and_task_exists(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "passed"))
        self.refuse(changed(task, "running"), "illegal_transition")
        self.refuse(created(task, title="Another"), "task_exists")

    def test_rejected_event_is_kept_whole(self):
        event = dict(created(self.name("task")), state="dancing", metadata={"n": 2**64 - 1, "b": b"\xff"})
        self.assertEqual(self.refuse(event, "invalid_field", "state")["event"], event)


if __name__ == "__main__":
    harness.main()
