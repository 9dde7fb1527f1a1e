# Operations: each one of the broker, sent with every possible error
# (protocol section 4)
#
# The operations are those that the broker lists when it gets an unknown one, their parameters
# those of doc/PROTOCOL.md: a new operation is tested as soon as it exists, and fails here until
# it is documented and has an example of its required parameters below.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re

import harness
from client import changed, created, started

#   Values that no parameter takes; and for those that take text or numbers, the other ones
NEVER = ({"x": 1}, b"bytes")
NUMBERS = ("limit", "slowest", "after", "offset", "silent_s", "output_offset", "output_length", "sequence", "days")
BOOLS = ("has_error", "interrupted", "total", "open", "failed", "repair", "restore", "start")

#   Of these one is enough
ALTERNATIVES = {"rejected.retry": ("id", "ids")}


def documented():
    """The operations of the tables in section 4: name -> [(parameter, is required)]."""
    with open(os.path.join(harness.SRC, "doc", "PROTOCOL.md"), encoding="utf-8") as file:
        section = re.search(r"^## 4\..*?^## 5\.", file.read(), re.S | re.M).group(0)
    operations = {}
    for table in re.findall(r"^\| op \| parameters \|.*?\n\n", section, re.S | re.M):
        for row in table.splitlines()[2:]:
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            if len(cells) < 2:
                continue
            names = re.findall(r"([a-z_]+)(\?)?", re.sub(r"\(.*?\)", "", cells[1]))
            operations[cells[0]] = [(name, not optional) for name, optional in names if name != "or"]
    return operations


def wrong_values(name):
    if name in NUMBERS:
        return NEVER + ("ten", 1.5, True, [1])
    if name in BOOLS:
        return NEVER + ("yes", 1, [True])
    if name in ("events", "id", "ids", "at") or name.endswith(("from", "to")):
        return NEVER + ("text",)
    if name == "cursor":
        return NEVER + (1.5, [1])
    return NEVER + (7, True, 1.5)


class Operations(harness.BrokerTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.parameters = documented()

    @classmethod
    def start_broker(cls, **more):
        return super().start_broker(arguments=("--backup", os.path.join(cls.folder, "repository")), **more)

    def operations(self):
        message = self.refused("no.such")["message"]
        names = message.split("there are ", 1)[1].split()
        self.assertGreater(len(names), 20)
        #   Of brokers with keys (section 14): test_access.py
        return [name for name in names if name != "keys.reload"]

    def examples(self):
        """The required parameters of each operation, with values that are answered."""
        self.producer(self.name("p")).publish(
            created("t"), changed("t", "running"), created(self.name("e")), changed(self.name("e"), "passed"), started("s"),
            {"type": "preference.set", "user_id": "default", "preferred_provider": "x"})
        self.ask("publish", producer=self.name("q"), events=[{"type": "no.such"}])
        task, session = {"task_id": "t"}, {"session_id": "s"}
        return {
            "task.status": task, "task.statuses": {"task_ids": ["t"]}, "task.get": task, "task.history": task, "task.outputs": task,
            "task.metrics": task, "task.recover": task, "task.erase": {"task_id": self.name("e"), "reason": "r"}, "session.get": session,
            "session.commands": session, "table.read": {"table": "tasks"},
            "publish": {"producer": self.name("q"), "events": [created("u")]},
            "producer.get": {"producer": self.name("p")},
            "rejected.retry": {"id": self.ask("rejected.list")["rejected"][0]["id"]}}

    def assert_bad(self, field, op, keys):
        error = self.refused(op, **keys)
        self.assertEqual((error["code"], error.get("field")), ("bad_request", field), (op, keys, error))

    def test_every_operation_is_documented_and_the_other_way_round(self):
        self.assertEqual(sorted(self.operations()), sorted(self.parameters))

    def test_wrong_types_are_refused_with_their_field(self):
        examples = self.examples()
        for op in self.operations():
            for name, _ in self.parameters[op]:
                for value in wrong_values(name):
                    self.assert_bad(name, op, dict(examples.get(op, {}), **{name: value}))
            for name in ("min_position", "timeout_ms"):
                for value in ("x", -1, 1.5, True, {}):
                    self.assert_bad(name, op, dict(examples.get(op, {}), **{name: value}))
            for value in (7, True, {}, b"bytes", "x" * 256):
                self.assert_bad("request_id", op, dict(examples.get(op, {}), request_id=value))

    def test_missing_fields_are_refused_with_their_field(self):
        examples = self.examples()
        for op in self.operations():
            required = [name for name, is_required in self.parameters[op] if is_required]
            alternatives = ALTERNATIVES.get(op, ())
            self.assertTrue(set(examples.get(op, ())) <= set(required), op)
            for name in required:
                keys = {key: value for key, value in examples[op].items()
                        if key != name and key not in alternatives}
                field = alternatives[0] if alternatives else name
                self.assert_bad(field, op, keys)
                self.assert_bad(field, op, dict(keys, **{name: None}))

    def test_unknown_keys_are_named_as_ignored(self):
        examples = self.examples()
        for op in self.operations():
            keys = examples.get(op, {})
            answer = self.ask(op, misspelt=1, **keys)
            self.assertEqual(answer["ignored"], ["misspelt"], (op, answer))
            answer = self.ask(op, **dict(keys, **{"k%d" % number: {} for number in range(40)}))
            self.assertEqual(len(answer["ignored"]), 16, op)
            answer = self.ask(op, min_position=0, timeout_ms=1000, request_id="r", **keys)
            self.assertNotIn("ignored", answer, op)

    def test_optional_parameters_that_are_nil_count_as_absent(self):
        examples = self.examples()
        for op in self.operations():
            keys = {name: None for name, is_required in self.parameters[op]
                    if not is_required or op in ALTERNATIVES}
            answer = self.ask(op, **dict(keys, **examples.get(op, {})))
            self.assertNotIn("ignored", answer, op)


if __name__ == "__main__":
    harness.main()
