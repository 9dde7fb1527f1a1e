# Interrupted tasks: whatever happens to orchestrator and broker, a task that was in progress when its
# orchestrator died ends in the right state, with exactly one interruption in its history
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import time
import uuid

import harness
from client import changed, created
from faulty import FaultTest

LEASE_MS = 400


class Interrupted(FaultTest):
    settings = {"lease-grace": 800}

    def setUp(self):
        super().setUp()
        self.task = self.name("task")
        self.instance = str(uuid.uuid4())

    def orchestrator(self, instance=None, lease_ms=LEASE_MS):
        keys = {"lease_ms": lease_ms} if lease_ms else {}
        return self.producer(instance=instance or self.instance, **keys)

    def orchestrator_dies(self, lease_ms=LEASE_MS, state="running"):
        """An orchestrator with a task in progress, which has died."""
        peer = self.orchestrator(lease_ms=lease_ms)
        peer.publish(created(self.task), changed(self.task, state))
        peer.close()

    def orchestrator_says_goodbye(self, lease_ms=LEASE_MS, **keys):
        """An orchestrator that ends in good order, and leaves a task in progress."""
        peer = self.orchestrator(lease_ms=lease_ms)
        peer.publish(created(self.task), changed(self.task, "running"))
        peer.send(dict({"op": "goodbye"}, **keys))
        harness.wait_until(lambda: self.producer_status() != "present", "the goodbye")
        peer.close()

    def producer_status(self):
        return self.ask("producer.get", producer=self.name("producer"))["producer"]["status"]

    def history(self):
        return self.ask("task.history", task_id=self.task)["history"]

    def state(self):
        return self.ask("task.get", task_id=self.task)["task"]["state"]

    def wait_state(self, state):
        harness.wait_until(lambda: self.state() == state, "the task to be " + state)

    def assert_story(self, *states, interruptions):
        """The states in the history: the same in SQLite, in Redis and by replay."""
        rows = self.history()
        self.assertEqual([row["state_to"] for row in rows], list(states))
        self.assertEqual(sum(1 for row in rows if row.get("interrupted")), interruptions)
        for row in rows:
            if row.get("interrupted"):
                self.assertIn(row["state_from"], ("starting", "running", "completing"))
                self.assertEqual(row["state_to"], "failed")
                self.assertIn("interrupted", row["error_message"])
        record = self.ask("task.get", task_id=self.task)["task"]
        self.assertEqual(record["state"], states[-1])
        self.assertEqual(record.get("interrupted", False), bool(rows[-1].get("interrupted")))
        attempts = 1 + sum((row["state_from"], row["state_to"]) == ("failed", "queued") for row in rows[1:])
        self.assertEqual([record["attempt"], rows[-1]["attempt"]], [attempts] * 2)
        self.assertEqual((record["error_count"], record.get("interruptions", 0)), (0, interruptions))
        self.wait_redis_right()
        live = self.redis.text_hash("{stele}:task:" + self.task)
        self.assertEqual((live["state"], live["error_count"], live.get("interruptions", "0"), live["attempt"]),
                         (states[-1], "0", str(interruptions), str(attempts)))

    def pass_time(self, seconds):
        """Wait longer than leases and grace, so that every expected interruption has happened."""
        time.sleep(seconds)

    #   The orchestrator returns as the same instance

    def test_same_instance_in_time_is_no_interruption(self):
        self.orchestrator_dies(lease_ms=20000)
        self.orchestrator(lease_ms=20000).publish(changed(self.task, "passed"))
        self.assert_story("queued", "running", "passed", interruptions=0)

    def test_same_instance_too_late_says_the_truth(self):
        self.orchestrator_dies()
        self.wait_state("failed")
        peer = self.orchestrator()
        peer.publish(changed(self.task, "running"), changed(self.task, "passed"))
        self.assert_story("queued", "running", "failed", "running", "passed", interruptions=1)

    def test_same_instance_too_late_whose_task_had_passed(self):
        #   The event was in transit when the lease expired
        self.orchestrator_dies()
        passed = changed(self.task, "passed", time=int(time.time() * 1000000))
        self.wait_state("failed")
        self.orchestrator().publish(passed)
        self.assert_story("queued", "running", "failed", "passed", interruptions=1)

    def test_same_instance_without_a_lease_is_never_interrupted(self):
        self.orchestrator_dies(lease_ms=None)
        self.restart()
        self.pass_time(1.5)
        self.assert_story("queued", "running", interruptions=0)
        self.orchestrator(lease_ms=None).publish(changed(self.task, "passed"))
        self.assert_story("queued", "running", "passed", interruptions=0)

    #   ... as a new instance

    def test_new_instance_interrupts_once(self):
        self.orchestrator_dies(lease_ms=20000)
        for _ in range(3):                              # It crashes in a loop
            self.orchestrator(str(uuid.uuid4()), lease_ms=20000).close()
        self.assert_story("queued", "running", "failed", interruptions=1)

    def test_new_instance_after_the_lease_ran_out_interrupts_no_second_time(self):
        self.orchestrator_dies()
        self.wait_state("failed")
        self.orchestrator(str(uuid.uuid4()))
        self.pass_time(1)
        self.assert_story("queued", "running", "failed", interruptions=1)

    def test_new_instance_that_knows_the_task_passed(self):
        self.orchestrator_dies(lease_ms=20000)
        self.orchestrator(str(uuid.uuid4()), lease_ms=20000).publish(changed(self.task, "passed"))
        self.assert_story("queued", "running", "failed", "passed", interruptions=1)

    def test_new_instance_that_tries_again(self):
        self.orchestrator_dies(lease_ms=20000)
        peer = self.orchestrator(str(uuid.uuid4()), lease_ms=20000)
        peer.publish(changed(self.task, "queued"), changed(self.task, "running"),
                     changed(self.task, "passed"))
        self.assertEqual(peer.publish_refused(changed(self.task, "running"))["code"],
                         "illegal_transition")
        self.assert_story("queued", "running", "failed", "queued", "running", "passed", interruptions=1)

    def test_the_old_instance_has_nothing_to_say_any_more(self):
        old = self.orchestrator(lease_ms=20000)
        old.publish(created(self.task), changed(self.task, "running"))
        self.orchestrator(str(uuid.uuid4()), lease_ms=20000)
        old.send_events([changed(self.task, "passed")])
        self.assertEqual(old.expect("error")["code"], "fenced")
        self.assertEqual(old.expect("error")["code"], "fenced")
        self.assert_story("queued", "running", "failed", interruptions=1)

    #   ... never

    def test_never_again_is_interrupted_when_the_lease_runs_out(self):
        self.orchestrator_dies()
        self.wait_state("failed")
        self.pass_time(1)
        self.assert_story("queued", "running", "failed", interruptions=1)

    #   The broker restarts in between

    def test_broker_killed_while_the_orchestrator_is_dead(self):
        self.orchestrator_dies()
        self.restart()
        self.wait_state("failed")
        self.restart()
        self.pass_time(1.5)
        self.assert_story("queued", "running", "failed", interruptions=1)

    def test_broker_killed_again_and_again_until_the_grace_is_over(self):
        self.orchestrator_dies()
        for _ in range(5):
            self.restart()
        self.wait_state("failed")
        self.assert_story("queued", "running", "failed", interruptions=1)

    def test_broker_killed_around_the_interruption_interrupts_once(self):
        self.orchestrator_dies()
        for wait in (0.3, 0.6, 0.75, 0.8, 0.85, 0.9, 1.2):
            self.restart()
            time.sleep(wait)
        self.wait_state("failed")
        self.assert_story("queued", "running", "failed", interruptions=1)

    def test_broker_killed_and_the_same_instance_returns_in_time(self):
        self.orchestrator_dies(lease_ms=20000)
        self.restart()
        self.orchestrator(lease_ms=20000).publish(changed(self.task, "passed"))
        self.restart()
        self.pass_time(1)
        self.assert_story("queued", "running", "passed", interruptions=0)

    def test_broker_killed_and_a_new_instance_comes(self):
        self.orchestrator_dies()
        self.restart()
        self.orchestrator(str(uuid.uuid4()))
        self.restart()
        self.pass_time(1.5)
        self.assert_story("queued", "running", "failed", interruptions=1)

    def test_broker_killed_after_the_interruption_and_the_truth_comes(self):
        self.orchestrator_dies()
        self.wait_state("failed")
        self.restart()
        self.orchestrator().publish(changed(self.task, "passed"))
        self.restart()
        self.assert_story("queued", "running", "failed", "passed", interruptions=1)

    def test_broker_down_for_longer_than_the_lease_gives_the_orchestrator_time(self):
        lease_ms = 3000
        peer = self.orchestrator(lease_ms=lease_ms)
        peer.publish(created(self.task), changed(self.task, "running"))
        self.broker.kill()
        self.pass_time(2 * lease_ms / 1000)
        self.restart(settings={"lease-grace": 20000})
        peer = self.orchestrator(lease_ms=lease_ms)
        peer.publish(changed(self.task, "passed"))
        self.assert_story("queued", "running", "passed", interruptions=0)
        self.restart()

    #   An orchestrator that said goodbye, and left a task in progress

    def test_goodbye_and_the_broker_killed_interrupts_once_when_the_lease_ends(self):
        self.orchestrator_says_goodbye()
        for wait in (0.3, 0.75, 0.85, 1.2):
            self.restart()
            self.pass_time(wait)
        self.wait_state("failed")
        self.orchestrator(str(uuid.uuid4()))
        self.orchestrator()                             # A run that said goodbye is never fenced
        self.assert_story("queued", "running", "failed", interruptions=1)

    def test_goodbye_without_a_lease_and_the_broker_killed_waits_for_the_next_instance(self):
        self.orchestrator_says_goodbye(lease_ms=None)
        self.restart()
        self.pass_time(1.2)
        self.assert_story("queued", "running", interruptions=0)
        self.orchestrator(str(uuid.uuid4()), lease_ms=None)
        self.restart()
        self.orchestrator(str(uuid.uuid4()), lease_ms=None).publish(changed(self.task, "queued"))
        self.assert_story("queued", "running", "failed", "queued", interruptions=1)

    def test_goodbye_and_the_same_instance_returns_after_the_broker_was_killed(self):
        self.orchestrator_says_goodbye(lease_ms=20000)
        self.restart()
        self.orchestrator(lease_ms=20000).publish(changed(self.task, "passed"))
        self.restart()
        self.assert_story("queued", "running", "passed", interruptions=0)

    def test_goodbye_that_keeps_and_the_broker_killed_interrupts_nothing(self):
        self.orchestrator_says_goodbye(lease_ms=3000, keep=True)
        self.restart()
        self.pass_time(4.5)
        self.orchestrator(str(uuid.uuid4())).send({"op": "goodbye", "keep": True})
        self.restart()
        self.assert_story("queued", "running", interruptions=0)

    #   Other states of work in progress

    def test_starting_and_completing_are_interrupted_once(self):
        for state in ("starting", "completing"):
            with self.subTest(state=state):
                self.task = self.name("task-" + state)
                self.orchestrator_dies(state=state)
                self.restart()
                self.wait_state("failed")
                self.restart()
                self.orchestrator(str(uuid.uuid4())).publish(changed(self.task, "queued"))
                self.assert_story("queued", state, "failed", "queued", interruptions=1)
                self.instance = str(uuid.uuid4())

    def test_queued_and_paused_stay_and_are_found_by_the_next_run(self):
        for state in ("queued", "paused"):
            with self.subTest(state=state):
                self.task = self.name("task-" + state)
                self.orchestrator_dies(state=state)
                self.restart()
                self.pass_time(1.2)
                self.orchestrator(str(uuid.uuid4())).publish(changed(self.task, "running"), changed(self.task, "passed"))
                self.assert_story("queued", state, "running", "passed", interruptions=0)
                self.instance = str(uuid.uuid4())

    #   Redis at an upgrade

    def test_redis_that_an_earlier_version_filled_is_rebuilt_without_an_alarm(self):
        self.orchestrator_dies()
        self.wait_state("failed")
        self.wait_redis_right()
        self.broker.kill()
        key = "{stele}:task:" + self.task
        self.redis.call("DEL", "{stele}:layout")
        self.redis.call("HDEL", key, "attempt", "interruptions")
        self.redis.call("HSET", key, "error_count", "1")
        self.restart()
        self.assert_story("queued", "running", "failed", interruptions=1)
        self.assertEqual(self.ask("stats")["redis"]["repaired"], 0)

    #   The other rules

    def test_rule_all_interrupts_once_a_start(self):
        self.orchestrator_dies(lease_ms=None)
        self.restart(arguments=["--interrupted", "all"])
        self.restart(arguments=["--interrupted", "all"])
        self.assert_story("queued", "running", "failed", interruptions=1)
        self.orchestrator(lease_ms=None).publish(changed(self.task, "passed"))
        self.restart(arguments=["--interrupted", "all"])
        self.assert_story("queued", "running", "failed", "passed", interruptions=1)
        self.restart()


if __name__ == "__main__":
    harness.main()
