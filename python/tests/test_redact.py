#!/usr/bin/env python3
# test_redact - masking in the Python package: the same rules, the same masks as the broker
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import sqlite3
import unittest

import harness
import planted
import stele_client as stele

RULES = os.path.join(harness.SRC, "src", "redact", "redact.rules")
KEY = bytes(range(32))


class RedactorTest(unittest.TestCase):

    def setUp(self):
        self.redactor = stele.Redactor(RULES, key=KEY, installed=False)

    def test_planted_secrets_are_masked(self):
        for number, secret in enumerate(planted.secrets(300, seed=30)):
            text = planted.around(secret.text, number)
            for content in (text, b"\xff" + text.encode()):
                event = self.redactor(stele.task_output_added("t", "stdout", content, extra={"x": {"y": [text]}}))
                self.assertNotIn(secret.value, repr(event), secret.rule)
                self.assertNotIn(repr(secret.value)[1:-1], repr(event), secret.rule)
                self.assertEqual({one["field"] for one in event["redacted"]}, {"content", "x"})

    def test_values_that_are_secrets_by_their_name_are_masked(self):
        for secret in planted.written():
            self.assertNotIn(secret.value, self.redactor(stele.task_output_added("t", "stdout", secret.text))["content"], secret.text)
        for pair in planted.PAIRS:
            event = self.redactor(stele.task_output_added("t", "stdout", "x", extra={"env": dict([pair])}))
            self.assertNotIn(pair[1], repr(event), pair)

    def test_what_only_looks_like_a_secret_is_left_alone(self):
        for text in planted.alike():
            event = stele.task_output_added("t", "stdout", text)
            self.assertEqual(self.redactor(event), event)
        event = stele.task_output_added("t", "stdout", "x", extra={"env": {"PWD": "/workspace/repo"}, "logprobs": [{"token": "\u0444\u0443\u043d\u043a\u0446\u0438\u044f"}]})
        self.assertEqual(self.redactor(event), event)

    def test_keys_values_with_their_keys_and_lists(self):
        secret = planted.secrets(40, seed=31)[38].value
        event = self.redactor({"type": "x", "m": {secret: 1, "PGPASSWORD": "hunter2"}, "redacted": [{"n": 1}]})
        self.assertNotIn("hunter2", repr(event))
        self.assertNotIn(secret, repr(event))
        self.assertEqual(event["redacted"], [{"n": 1}, {"field": "m", "rule": "github-token", "n": 1},
                                             {"field": "m", "rule": "password-variable", "n": 1}])
        self.assertEqual(self.redactor(event), event)

    def test_ids_are_refused(self):
        with self.assertRaises(ValueError):
            self.redactor(stele.task_state_changed(planted.secrets(40, seed=32)[38].value, "running"))

    def test_a_wrong_rule_is_refused(self):
        for text in ("x = 1", "[a]\nkeyword = abc", "[a]\nregex = x", "[a]\nkeyword = abc\nregex = ("):
            with self.assertRaises(ValueError):
                stele.redact.read_rules(text)


class PublisherTest(harness.BrokerTest):
    settings = {"redact": "off"}

    def test_a_secret_does_not_leave_the_producer(self):
        secret = planted.secrets(40, seed=33)[38]
        redactor = stele.Redactor(RULES, key=KEY, installed=False)
        with stele.Publisher("p", self.broker.events, redact=redactor) as publisher:
            publisher.publish(stele.task_created("t", "t", secret.text, "r"))
        event = self.read_events()[0]
        self.assertRegex(event["description"], "\u00abredacted:github-token:[0-9a-f]{8}\u00bb")
        self.assertEqual(event["redacted"], [{"field": "description", "rule": "github-token", "n": 1}])

    def test_the_mark_is_that_of_the_broker_under_the_same_key(self):
        secret = planted.secrets(40, seed=34)[38]
        self.broker.stop()
        file = sqlite3.connect(self.broker.ledger)
        key = file.execute("SELECT value FROM meta WHERE key = 'redaction_key'").fetchone()[0]
        file.close()
        self.start_broker(settings={"redact": "mask"})
        self.ask("publish", producer="q", events=[stele.task_created("u", "t", secret.text, "r")])
        mine = stele.Redactor(RULES, key=key, installed=False)(stele.task_created("u", "t", secret.text, "r"))
        self.assertEqual(self.ask("task.get", task_id="u")["task"]["description"], mine["description"])


if __name__ == "__main__":
    harness.main()
