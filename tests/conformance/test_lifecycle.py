# Lifecycle of tasks: transitions, retries, placeholders and their effects (protocol section 3)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import time

import harness
from client import changed, command, created, metric, output, started

LIVING = ("queued", "starting", "running", "paused", "completing")
TERMINAL = ("passed", "failed", "error", "cancelled", "timeout")


class Lifecycle(harness.BrokerTest):
    use_redis = False

    def task(self, task_id):
        return self.ask("task.get", task_id=task_id)["task"]

    def test_any_living_state_goes_to_any_state(self):
        peer = self.producer()
        for origin in LIVING:
            for target in LIVING + TERMINAL:
                task = "%s-%s-%s" % (self.name("task"), origin, target)
                peer.publish(created(task, state=origin), changed(task, target))
                self.assertEqual(self.task(task)["state"], target)

    def test_terminal_state_goes_to_queued_and_to_itself_only(self):
        peer = self.producer()
        for origin in TERMINAL:
            task = "%s-%s" % (self.name("task"), origin)
            peer.publish(created(task), changed(task, origin), changed(task, origin))
            for target in LIVING + TERMINAL:
                if target not in ("queued", origin):
                    nak = peer.publish_refused(changed(task, target))
                    self.assertEqual(nak["code"], "illegal_transition", (origin, target))
            peer.publish(changed(task, "queued"), changed(task, "running"))
            self.assertEqual(self.task(task)["state"], "running")

    def test_same_state_again_is_recorded(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "running"), changed(task, "running"))
        rows = self.ask("task.history", task_id=task)["history"]
        self.assertEqual([(row.get("state_from"), row["state_to"]) for row in rows],
                         [(None, "queued"), ("queued", "running"), ("running", "running")])

    def test_update_with_a_state_follows_the_same_rules(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), {"type": "task.updated", "task_id": task, "state": "passed"})
        self.assertEqual(self.task(task)["state"], "passed")
        nak = peer.publish_refused({"type": "task.updated", "task_id": task, "state": "running"})
        self.assertEqual(nak["code"], "illegal_transition")
        peer.publish({"type": "task.updated", "task_id": task, "title": "After the end"})
        self.assertEqual(self.task(task)["title"], "After the end")

    def test_times_follow_the_states(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task, time=1000000))
        record = self.task(task)
        self.assertEqual(record["created_at"], 1000000)
        self.assertIsNone(record.get("started_at"))
        self.assertIsNone(record.get("completed_at"))
        peer.publish(changed(task, "starting", time=2000000), changed(task, "running", time=3000000),
                     changed(task, "running", time=4000000))
        self.assertEqual(self.task(task)["started_at"], 3000000)    # The first running
        peer.publish(changed(task, "failed", time=5000000, error_message="one"))
        record = self.task(task)
        self.assertEqual((record["completed_at"], record["updated_at"]), (5000000, 5000000))
        self.assertEqual((record["error_count"], record["last_error"]), (1, "one"))
        peer.publish(changed(task, "queued", time=6000000))         # Retry
        record = self.task(task)
        self.assertIsNone(record.get("completed_at"))
        self.assertEqual((record["started_at"], record["last_error"]), (3000000, "one"))
        peer.publish(changed(task, "running", time=7000000, error_message="two"),
                     changed(task, "passed", time=8000000))
        record = self.task(task)
        self.assertEqual((record["started_at"], record["completed_at"]), (3000000, 8000000))
        self.assertEqual((record["error_count"], record["last_error"]), (2, "two"))

    def test_state_change_carries_provider_and_model(self):
        task = self.name("task")
        self.producer().publish(created(task, provider="p", model="m"),
                                changed(task, "running", provider="p2", model="m2"))
        record = self.task(task)
        self.assertEqual((record["provider"], record["model"]), ("p2", "m2"))
        row = self.ask("task.history", task_id=task)["history"][-1]
        self.assertEqual((row["provider"], row["model"]), ("p2", "m2"))

    def test_defaults(self):
        task = self.name("task")
        self.producer().publish(created(task))
        record = self.task(task)
        self.assertEqual((record["state"], record["target_dir"], record["full_access"], record["user_id"]),
                         ("queued", ".", False, "default"))
        self.assertEqual(record["error_count"], 0)

    def test_created_twice_identical_is_a_duplicate(self):
        task = self.name("task")
        peer = self.producer()
        event = created(task, metadata={"b": 1, "a": [1, 2]}, time=5000000)
        peer.publish(event)
        head = self.ask("ping")["position"]
        peer.publish(event)
        self.producer(self.name("other")).publish(dict(event, metadata={"a": [1, 2], "b": 1}))
        self.assertEqual(self.ask("ping")["position"], head)
        self.assertEqual(len(self.ask("task.history", task_id=task)["history"]), 1)

    def test_created_twice_without_a_time_is_a_duplicate(self):
        event = created(self.name("task"))
        for first in (event, dict(event, task_id=event["task_id"] + "-2", time=5000000)):
            peer = self.producer(self.name(first["task_id"]))
            head = peer.publish(first)
            time.sleep(0.001)                   # So that the broker's time differs
            peer.publish({key: value for key, value in first.items() if key != "time"})
            self.assertEqual(self.ask("ping")["position"], head)

    def test_created_twice_with_another_time_is_a_duplicate(self):
        event = created(self.name("task"), time=5000000)
        peer = self.producer()
        head = peer.publish(event)
        peer.publish(dict(event, time=6000000))
        self.assertEqual(self.ask("ping")["position"], head)
        self.assertEqual(self.task(event["task_id"])["created_at"], 5000000)

    def test_created_twice_different_is_refused(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task, metadata={"a": 1}))
        for other in (created(task, metadata={"a": 2}), created(task, metadata={"a": 1}, title="Other"),
                      created(task), created(task, metadata={"a": 1}, user_id="ann")):
            self.assertEqual(peer.publish_refused(other)["code"], "task_exists")

    def test_first_event_before_created_makes_a_placeholder(self):
        peer = self.producer()
        for number, event in enumerate((changed("", "running"), output("", "text"), metric("", "n", 1),
                                        {"type": "task.updated", "task_id": "", "model": "m"})):
            task = "%s-%d" % (self.name("task"), number)
            peer.publish(dict(event, task_id=task))
            self.assertEqual(self.task(task)["task_id"], task)
            peer.publish(created(task, title="Late", time=5000000))
            record = self.task(task)
            self.assertEqual((record["title"], record["role"]), ("Late", "builder"))

    def test_created_late_keeps_the_state_that_was_reached(self):
        task = self.name("task")
        self.producer().publish(changed(task, "running", time=2000000), created(task, time=1000000))
        record = self.task(task)
        self.assertEqual((record["state"], record["started_at"]), ("running", 2000000))
        done = self.name("done")
        self.producer().publish(changed(done, "passed", time=2000000), created(done, time=1000000))
        self.assertEqual(self.task(done)["state"], "passed")

    def test_updated_changes_only_what_it_gives(self):
        task = self.name("task")
        self.producer().publish(
            created(task, model="m", metadata={"a": 1}),
            {"type": "task.updated", "task_id": task, "title": "New", "metadata": {"b": 2}})
        record = self.task(task)
        self.assertEqual((record["title"], record["model"], record["metadata"], record["role"]),
                         ("New", "m", {"b": 2}, "builder"))

    def test_session_states_may_go_anywhere(self):
        session = self.name("session")
        peer = self.producer()
        peer.publish(started(session, pid=7))
        self.assertEqual(self.ask("session.get", session_id=session)["session"]["state"], "initializing")
        for state in ("starting", "running", "waiting_input", "processing", "completed", "error",
                      "terminated", "running"):
            peer.publish({"type": "session.state_changed", "session_id": session, "state": state})
            self.assertEqual(self.ask("session.get", session_id=session)["session"]["state"], state)

    def test_session_placeholder_is_filled_in(self):
        session = self.name("session")
        peer = self.producer()
        peer.publish(command(session, "ls", exit_code=0))
        self.assertEqual(self.ask("session.get", session_id=session)["session"]["session_id"], session)
        peer.publish(started(session, cli_tool="zsh"))
        self.assertEqual(self.ask("session.get", session_id=session)["session"]["cli_tool"], "zsh")
        self.assertEqual(len(self.ask("session.commands", session_id=session)["commands"]), 1)

    def test_preferences_merge(self):
        user = self.name("user")
        peer = self.producer()
        peer.publish({"type": "preference.set", "user_id": user, "preferred_provider": "p"},
                     {"type": "preference.set", "user_id": user, "full_access_preferred": False,
                      "role_preferences": {"builder": "m"}})
        record = self.ask("preference.get", user_id=user)["preferences"]
        self.assertEqual((record["preferred_provider"], record["full_access_preferred"]), ("p", False))
        self.assertEqual(record["role_preferences"], {"builder": "m"})

    def test_preference_without_user_is_of_the_default_user(self):
        self.producer().publish({"type": "preference.set", "preferred_model": "x"})
        self.assertEqual(self.ask("preference.get", user_id="default")["preferences"]["preferred_model"], "x")


if __name__ == "__main__":
    harness.main()
