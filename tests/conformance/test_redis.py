# The live records in Redis, key by key (protocol section 7)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json

import harness
from client import changed, command, created, metric, output, started

NOT_LIVE = {"description", "acceptance_criteria", "metadata"}


def as_redis(value):
    """The forms that a value of a record may have in a hash."""
    if isinstance(value, bool):
        return {"1", "true"} if value else {"0", "false"}
    return {str(value)}


class Layout(harness.BrokerTest):

    def publish(self, *events):
        position = self.producer().publish(*events)
        self.redis.wait_position(position)
        return position

    def assert_hash_is(self, task_id):
        record = self.ask("task.get", task_id=task_id)["task"]
        live = self.redis.text_hash("{stele}:task:" + task_id)
        expected = {key: value for key, value in record.items()
                    if key not in NOT_LIVE and value is not None}
        self.assertEqual(set(live), set(expected))
        for key, value in expected.items():
            self.assertIn(live[key], as_redis(value), key)
        return live

    def test_ledger_and_position(self):
        position = self.publish(created(self.name("task")))
        self.assertEqual(self.redis.call("GET", "{stele}:ledger").decode(), self.ask("info")["ledger"])
        self.assertEqual(int(self.redis.call("GET", "{stele}:position")), position)

    def test_task_with_every_field(self):
        task = self.name("task")
        position = self.publish(created(
            task, time=1000, user_id="ann", title="T \U0001f680", provider="p", model="m", branch="b",
            worktree_path="/w", base_branch="main", commit_hash="c", target_dir="src",
            full_access=True, provider_override="o", repository_url="u",
            acceptance_criteria={"a": 1}, metadata={"b": 2}, parent_id="parent"))
        live = self.assert_hash_is(task)
        self.assertEqual(live["state"], "queued")
        self.assertEqual(live["created_at"], "1000")
        self.assertEqual(live["position"], str(position))
        self.assertEqual(live["parent_id"], "parent")

    def test_task_through_its_life(self):
        task = self.name("task")
        self.publish(created(task, time=1000))
        for event in (changed(task, "running", time=2000), output(task, "text", time=2500),
                      metric(task, "n", 1, time=2600),
                      changed(task, "failed", time=3000, error_message="no\x00luck"),
                      changed(task, "queued", time=4000),
                      {"type": "task.updated", "task_id": task, "title": "New", "time": 5000},
                      changed(task, "passed", time=6000)):
            position = self.publish(event)
            live = self.assert_hash_is(task)
            self.assertEqual(live["position"], str(position))

    def test_placeholder_has_only_what_is_known(self):
        task = self.name("task")
        self.publish(changed(task, "running"))
        live = self.assert_hash_is(task)
        self.assertNotIn("title", live)

    def test_a_task_is_in_the_set_of_its_state_only(self):
        task = self.name("task")
        self.publish(created(task, time=1000))
        states = ("queued", "starting", "running", "paused", "completing", "passed", "queued", "error")
        for number, state in enumerate(states):
            self.publish(changed(task, state, time=2000 + number))
            for other in set(states):
                score = self.redis.call("ZSCORE", "{stele}:tasks:" + other, task)
                if other == state:
                    self.assertEqual(float(score), 2000 + number, state)
                else:
                    self.assertIsNone(score, (state, other))

    def test_terminal_task_expires_and_a_retry_stays(self):
        task = self.name("task")
        key = "{stele}:task:" + task
        self.publish(created(task))
        self.assertEqual(self.redis.call("TTL", key), -1)
        self.publish(changed(task, "passed"))
        self.assertTrue(86000 < self.redis.call("TTL", key) <= 86400)
        self.publish(changed(task, "queued"))
        self.assertEqual(self.redis.call("TTL", key), -1)

    def test_session(self):
        session = self.name("session")
        position = self.publish(started(session, pid=7, task_id="t", time=1000),
                                command(session, "ls", exit_code=0))
        record = self.ask("session.get", session_id=session)["session"]
        live = self.redis.text_hash("{stele}:session:" + session)
        for key, value in record.items():
            if value is not None:
                self.assertIn(live.get(key), as_redis(value), key)
        self.assertEqual(live["position"], str(position))

    def test_ids_of_any_text(self):
        for number, task in enumerate(("a b\r\n", "é\U0001f680", "{x}", "a\x00b", "*")):
            self.producer(self.name("p%d" % number)).publish(created(task))
            self.redis.wait_position(self.ask("ping")["position"])
            self.assertEqual(self.redis.hash(b"{stele}:task:" + task.encode())[b"task_id"], task.encode())

    def test_no_legacy_keys_unless_asked_for(self):
        task = self.name("task")
        self.publish(created(task))
        self.assertIsNone(self.redis.call("GET", "task_status:" + task))

    def test_no_other_keys(self):
        self.publish(created(self.name("task")))
        for key in self.redis.call("KEYS", "*"):
            self.assertTrue(key.startswith(b"{stele}:"), key)


class Options(harness.BrokerTest):
    """Prefix, legacy keys and a short retention of terminal tasks."""
    settings = {"terminal-ttl": 1, "legacy-keys": "yes", "redis-prefix": "other"}

    def publish(self, *events):
        position = self.producer().publish(*events)
        self.redis.wait_position(position, prefix="other")
        return position

    def test_legacy_key(self):
        task = self.name("task")
        self.publish(created(task, role="tester", provider="p"),
                     changed(task, "running", error_message="hm"))
        value = json.loads(self.redis.call("GET", "task_status:" + task))
        self.assertEqual(
            {key: value.get(key) for key in ("id", "role", "branch", "state", "last_error", "provider", "model")},
            {"id": task, "role": "tester", "branch": "auto/tester/" + task, "state": "running",
             "last_error": "hm", "provider": "p", "model": None})
        self.assertTrue(86000 < self.redis.call("TTL", "task_status:" + task) <= 86400)
        self.publish(changed(task, "passed"))
        self.assertEqual(json.loads(self.redis.call("GET", "task_status:" + task))["state"], "passed")

    def test_prefix(self):
        task = self.name("task")
        self.publish(created(task))
        self.assertEqual(self.redis.text_hash("other:task:" + task)["state"], "queued")
        self.assertIsNone(self.redis.call("GET", "{stele}:position"))

    def test_terminal_task_leaves_with_its_set(self):
        done, living = None, self.name("living")
        self.publish(created(living))
        #   It is there for a second only
        for number in range(60):
            done = "%s-%d" % (self.name("done"), number)
            self.producer(self.name("p%d" % number)).publish(created(done), changed(done, "passed"))
            self.redis.wait_position(self.ask("ping")["position"], prefix="other")
            if self.redis.call("ZSCORE", "other:tasks:passed", done) is not None:
                break
        else:
            self.fail("no task was in the set of its state")
        harness.wait_until(lambda: not self.redis.call("EXISTS", "other:task:" + done), "the hash to go")
        harness.wait_until(lambda: self.redis.call("ZSCORE", "other:tasks:passed", done) is None,
                           "the id to leave the set")
        self.assertEqual(self.redis.call("EXISTS", "other:task:" + living), 1)
        answer = self.ask("task.status", task_id=done)  # Not lost
        self.assertEqual((answer["source"], answer["task"]["state"]), ("sqlite", "passed"))


if __name__ == "__main__":
    harness.main()
