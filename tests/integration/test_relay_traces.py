# Traces of stele-relay: attempts and commands as spans of OTLP, checked against the fields of opentelemetry-proto
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import hashlib
import json
import re

import harness
import receiver
from client import changed, command, created, metric, started

#   Messages of opentelemetry/proto: field name in JSON -> kind. A list has one element kind; a 64-bit integer is text of digits.
MESSAGES = {
    "Request": {"resourceSpans": ["ResourceSpans"]},
    "ResourceSpans": {"resource": "Resource", "scopeSpans": ["ScopeSpans"], "schemaUrl": "text"},
    "Resource": {"attributes": ["KeyValue"], "droppedAttributesCount": "uint32"},
    "ScopeSpans": {"scope": "Scope", "spans": ["Span"], "schemaUrl": "text"},
    "Scope": {"name": "text", "version": "text", "attributes": ["KeyValue"], "droppedAttributesCount": "uint32"},
    "Span": {"traceId": "16 bytes", "spanId": "8 bytes", "parentSpanId": "8 bytes", "traceState": "text", "flags": "uint32",
             "name": "text", "kind": "0..5", "startTimeUnixNano": "uint64", "endTimeUnixNano": "uint64", "attributes": ["KeyValue"],
             "status": "Status", "events": ["Event"], "links": ["Link"]},
    "Status": {"message": "text", "code": "0..2"},
    "KeyValue": {"key": "text", "value": "AnyValue"},
    "AnyValue": {"stringValue": "text", "intValue": "int64", "doubleValue": "double", "boolValue": "bool"},
}


def check(value, kind):
    """The value, read as this kind, or an AssertionError"""
    if isinstance(kind, list):
        assert isinstance(value, list), (value, kind)
        return [check(item, kind[0]) for item in value]
    if kind in MESSAGES:
        assert isinstance(value, dict) and set(value) <= set(MESSAGES[kind]), (value, kind)
        read = {name: check(item, MESSAGES[kind][name]) for name, item in value.items()}
        if kind == "AnyValue":
            assert len(read) == 1, value
            return list(read.values())[0]
        return read
    if kind in ("uint64", "int64"):
        assert isinstance(value, str) and re.fullmatch(r"-?\d+" if kind == "int64" else r"\d+", value), value
        return int(value)
    if kind.endswith(" bytes"):
        assert re.fullmatch("[0-9a-f]{%d}" % (2 * int(kind.split()[0])), value) and int(value, 16), value
        return value
    if ".." in kind:
        low, high = kind.split("..")
        assert type(value) is int and int(low) <= value <= int(high), value
        return value
    assert isinstance(value, {"text": str, "double": float, "bool": bool, "uint32": int}[kind]), (value, kind)
    return value


def digest(text, size):
    return hashlib.sha256(text.encode()).hexdigest()[:2 * size]


class Span:
    def __init__(self, request):
        message = check(request.json, "Request")
        (resource,) = message["resourceSpans"]
        (scope,) = resource["scopeSpans"]
        (span,) = scope["spans"]
        self.resource = {pair["key"]: pair["value"] for pair in resource["resource"]["attributes"]}
        self.attributes = {pair["key"]: pair["value"] for pair in span["attributes"]}
        assert len(self.attributes) == len(span["attributes"])
        self.trace, self.id, self.parent, self.name = span["traceId"], span["spanId"], span.get("parentSpanId"), span["name"]
        self.start, self.end, self.status = span["startTimeUnixNano"], span["endTimeUnixNano"], span["status"]
        assert self.start <= self.end


class Traces(receiver.RelayTest):
    def otlp(self, **settings):
        return self.relay({"tempo": dict({"kind": "otlp", "url": self.receiver.url("/v1/traces")}, **settings)})

    def spans(self, count):
        self.receiver.wait(lambda requests: len([r for r in requests if r.answer == 200]) >= count)
        return [Span(request) for request in self.receiver.requests if request.answer == 200]

    def test_attempts_are_spans(self):
        self.otlp()
        root, task = self.name("root"), self.name("task")
        time = 1790000000000000
        at = lambda event, seconds: dict(event, time=time + seconds * 1000000)
        self.producer("orchestrator-1").publish(
            at(created(root, title="All of it"), 0), at(changed(root, "running"), 1),
            at(created(task, title="Fix it", role="coder", parent_id=root, user_id="ann", provider="acme", model="acme-small"), 2),
            at(changed(task, "running"), 3), at(metric(task, "input_tokens", 10), 4), at(metric(task, "input_tokens", 5), 4),
            at(metric(task, "cost", 0.5), 4), at(metric(task, "gen_ai.usage.cached", 3), 4),
            at(changed(task, "failed", error_message="1 test failed"), 5),
            at(changed(task, "queued"), 6), at(changed(task, "running", model="acme-large"), 8), at(metric(task, "tokens_out", 7), 9),
            at(changed(task, "passed"), 10), at(changed(task, "passed"), 11), at(changed(root, "cancelled"), 12))
        first, second, last = sorted(self.spans(3), key=lambda span: span.end)
        self.assertEqual((first.trace, first.id, first.parent), (digest(root, 16), digest(task + "#1", 8), digest(root + "#1", 8)))
        self.assertEqual((first.name, first.start, first.end), ("Fix it", (time + 3000000) * 1000, (time + 5000000) * 1000))
        self.assertEqual(first.status, {"code": 2, "message": "1 test failed"})
        self.assertEqual(first.resource, {"service.name": "orchestrator-1", "stele.ledger": self.ask("info")["ledger"]})
        self.assertLessEqual({
            "stele.task.id": task, "stele.task.role": "coder", "stele.task.state": "failed", "stele.task.attempt": 1, "user.id": "ann",
            "gen_ai.provider.name": "acme", "gen_ai.request.model": "acme-small", "gen_ai.usage.input_tokens": 15, "stele.metric.cost": 0.5,
            "gen_ai.usage.cached": 3}.items(), first.attributes.items())
        self.assertEqual((second.id, second.parent, second.status), (digest(task + "#2", 8), first.parent, {"code": 1}))
        self.assertEqual((second.start, second.end), ((time + 8000000) * 1000, (time + 10000000) * 1000))
        self.assertEqual(second.attributes["gen_ai.request.model"], "acme-large")
        self.assertEqual(second.attributes["gen_ai.usage.output_tokens"], 7)
        self.assertNotIn("gen_ai.usage.input_tokens", second.attributes)
        self.assertEqual((last.trace, last.id, last.parent, last.status), (digest(root, 16), digest(root + "#1", 8), None, {}))

    def test_commands_are_child_spans(self):
        self.otlp()
        task, session, alone = self.name("task"), self.name("session"), self.name("alone")
        self.producer().publish(
            created(task, parent_id=self.name("unknown")), changed(task, "running"), started(session, task_id=task),
            command(session, "make check", execution_time_ms=1500, exit_code=2), started(alone), command(alone, "ls"))
        spans = {span.name: span for span in self.spans(2)}
        make, ls = spans["make"], spans["ls"]
        self.assertEqual((make.trace, make.parent), (digest(self.name("unknown"), 16), digest(task + "#1", 8)))
        self.assertEqual((make.end - make.start, make.status), (1500000000, {"code": 2, "message": "exit status 2"}))
        self.assertEqual(make.attributes["process.command_line"], "make check")
        self.assertEqual(make.attributes["process.exit.code"], 2)
        self.assertEqual((ls.trace, ls.parent, ls.status), (digest(alone, 16), None, {}))
        self.assertEqual(ls.attributes["stele.session.cli_tool"], "bash")

    def test_odd_times_and_names_make_spans_that_collectors_take(self):
        self.otlp()
        session = self.name("session")
        events = [started(session)] + [command(session, name, execution_time_ms=took) for name, took in (
            ("", 1), ("a", 1e18), ("b", 1e300), ("c", float("nan")), ("d", float("inf")))]
        for name, time in (("old", -10 ** 12), ("late", 253402300000 * 10 ** 6)):
            task = self.name(name)
            events += [created(task, time=time), changed(task, "running", time=time), changed(task, "passed", time=time + 1)]
        self.producer().publish(*events)
        for span in self.spans(7):
            self.assertTrue(span.name)
            self.assertLess(span.end, 2 ** 63)

    def test_circle_of_parents_ends(self):
        self.otlp()
        a, b = self.name("a"), self.name("b")
        self.producer().publish(created(a, parent_id=b), created(b, parent_id=a), changed(a, "passed"))
        self.assertEqual(self.spans(1)[0].parent, digest(b + "#1", 8))

    def test_rejected_span_is_a_dead_letter(self):
        answers = iter([503, (200, {}, json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}).encode()), 400])
        self.receiver.behave = lambda request: next(answers, 200)
        relay = self.otlp(parallel=1)
        tasks = [self.name(name) for name in "abc"]
        for task in tasks:                          # One after another: the answers are in this order
            self.producer().publish(created(task), changed(task, "passed"))
        rows = relay.wait_status(lambda rows: rows["tempo"]["dead"] == 2 and rows["tempo"]["delivered"] == 1)
        self.assertEqual(rows["tempo"]["failures"], 3)
        reasons = [json.loads(line)["reason"] for line in relay.run("--json", "dead", "list", "tempo").splitlines()]
        self.assertEqual(sorted(reasons), ["status 400", "the collector rejected the span: too old"])

    def test_user_filter_selects_spans(self):
        self.otlp(users="ann")
        for user in ("bob", "ann"):
            self.producer(self.name(user)).publish(created(self.name(user + "-task"), user_id=user), changed(self.name(user + "-task"), "passed"))
        self.assertEqual([span.attributes["stele.task.id"] for span in self.spans(1)], [self.name("ann-task")])


if __name__ == "__main__":
    harness.main()
