# Leases, new instances and goodbye: which tasks are interrupted (protocol sections 2, 3)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import signal
import time

import harness
from client import changed, created, metric, output


class Pings:
    """Pings of a producer with a task that runs. If the test itself was late with one, the lease may end."""

    def __init__(self, test, number, lease_ms):
        self.task = "%s-%d" % (test.name("task"), number)
        self.peer = test.producer("%s-%d" % (test.name("producer"), number), lease_ms=lease_ms)
        self.peer.publish(created(self.task), changed(self.task, "running"))
        self.sent, self.longest = time.monotonic(), 0

    def send_after(self, seconds):
        time.sleep(seconds)
        self.was_late(0)
        self.peer.send({"op": "ping"})
        self.sent = time.monotonic()

    def was_late(self, seconds):
        """Was it so long, at least once, that no ping was sent?"""
        self.longest = max(self.longest, time.monotonic() - self.sent)
        return self.longest > seconds


class Base(harness.BrokerTest):
    use_redis = False
    settings = {"lease-grace": 300}

    def state(self, task_id):
        return self.ask("task.get", task_id=task_id)["task"]["state"]

    def wait_state(self, task_id, state):
        harness.wait_until(lambda: self.state(task_id) == state, "%s to be %s" % (task_id, state))

    def last_history(self, task_id):
        return self.ask("task.history", task_id=task_id)["history"][-1]

    def producer_status(self, producer=None):
        return self.ask("producer.get", producer=producer or self.name("producer"))["producer"]["status"]

    def assert_stays_running(self, task_id, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.assertEqual(self.state(task_id), "running")
            time.sleep(0.02)


class Leases(Base):
    def test_lease_that_runs_out_interrupts_running_tasks(self):
        running, queued, done = self.name("running"), self.name("queued"), self.name("done")
        peer = self.producer(lease_ms=200)
        head = peer.publish(created(running), changed(running, "running"), created(queued),
                            created(done), changed(done, "passed"))
        self.wait_state(running, "failed")
        self.assertEqual((self.state(queued), self.state(done)), ("queued", "passed"))
        row = self.last_history(running)
        self.assertEqual((row["state_from"], row["state_to"]), ("running", "failed"))
        self.assertTrue(row["error_message"])
        record = self.ask("task.get", task_id=running)["task"]
        self.assertEqual((record["last_error"], record["error_count"], record["interruptions"]),
                         (row["error_message"], 0, 1))
        self.assertTrue(record["completed_at"])
        event = self.read_events(head)[0]               # It is in the ledger like any other event
        self.assertEqual((event["type"], event["task_id"], event["state"]),
                         ("task.state_changed", running, "failed"))

    def test_a_broker_that_stood_still_takes_no_lease_away(self):
        """Shorter than a second, longer than the lease: the pings wait in its sockets."""
        for number in range(20):
            pings = Pings(self, number, lease_ms=400)
            for _ in range(6):
                self.broker.signal(signal.SIGSTOP)
                for _ in range(7):
                    pings.send_after(0.1)
                self.broker.signal(signal.SIGCONT)
                for _ in range(2):
                    pings.send_after(0.05)
            if self.state(pings.task) == "running":
                break
            self.assertTrue(pings.was_late(0.2), "it was interrupted, although it pinged in time")
        self.assertEqual(self.state(pings.task), "running", "the test was always late itself")
        self.wait_state(pings.task, "failed")           # It still ends

    def test_pings_keep_a_lease(self):
        for number in range(20):
            pings = Pings(self, number, lease_ms=1000)
            deadline = time.monotonic() + 2.5
            state = "running"
            while state == "running" and time.monotonic() < deadline:
                pings.send_after(0.05)
                self.assertEqual(pings.peer.receive()["op"], "pong")
                state = self.state(pings.task)
            if state == "running":
                break
            self.assertTrue(pings.was_late(0.7), "it was interrupted, although it pinged in time")
        self.assertEqual(state, "running", "the test was always late itself")
        self.wait_state(pings.task, "failed")           # Then silence

    def test_heartbeat_of_the_welcome_is_within_the_lease(self):
        self.assertLess(self.producer(lease_ms=900).welcome["heartbeat_ms"], 900)

    def test_without_a_lease_silence_means_nothing(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), changed(task, "running"))
        peer.close()
        self.assert_stays_running(task, 0.7)

    def test_goodbye_that_keeps_its_tasks_ends_the_lease(self):
        task = self.name("task")
        peer = self.producer(lease_ms=1500)             # Longer than the goodbye takes
        peer.publish(created(task), changed(task, "running"))
        peer.send({"op": "goodbye", "keep": True})
        self.assert_stays_running(task, 2.2)

    def test_new_instance_after_a_keeping_goodbye_interrupts_nothing_and_fences_nobody(self):
        task = self.name("task")
        first = self.producer()
        first.publish(created(task), changed(task, "running"))
        first.send({"op": "goodbye", "keep": True})
        self.producer().send({"op": "goodbye", "keep": True})
        self.assertEqual(self.state(task), "running")
        self.producer(instance=first.instance).publish(changed(task, "passed"))

    def test_goodbye_lets_the_lease_run_on(self):
        running, done = self.name("running"), self.name("done")
        peer = self.producer(lease_ms=1500)             # Longer than the goodbye takes
        peer.publish(created(running), changed(running, "running"), created(done), changed(done, "passed"))
        peer.send({"op": "goodbye"})
        self.wait_state(running, "failed")
        self.assertIs(self.ask("task.get", task_id=running)["task"]["interrupted"], True)
        self.assertIn("goodbye", self.last_history(running)["error_message"])
        self.assertEqual(self.state(done), "passed")
        self.assertEqual(self.producer_status(), "left")
        self.producer()
        self.producer(instance=peer.instance, lease_ms=60000)     # The run that said goodbye is not fenced

    def test_goodbye_without_a_lease_leaves_its_tasks_to_the_next_instance(self):
        task = self.name("task")
        first = self.producer()
        first.publish(created(task), changed(task, "running"))
        first.send({"op": "goodbye"})
        harness.wait_until(lambda: self.producer_status() == "left", "the goodbye")
        self.assertEqual(self.state(task), "running")
        self.producer()
        self.wait_state(task, "failed")
        self.assertIn("in progress", self.last_history(task)["error_message"])
        self.producer(instance=first.instance)

    def test_same_instance_returns_after_goodbye_and_interrupts_nothing(self):
        task = self.name("task")
        first = self.producer(lease_ms=60000)
        first.publish(created(task), changed(task, "running"))
        first.send({"op": "goodbye"})
        self.producer(instance=first.instance).publish(changed(task, "completing"), changed(task, "passed"))
        self.assertNotIn("interruptions", self.ask("task.get", task_id=task)["task"])

    def test_goodbye_takes_a_bool(self):
        peer = self.producer()
        peer.send({"op": "goodbye", "keep": "yes"})
        error = peer.expect("error")
        self.assertEqual((error["code"], error["field"]), ("invalid_field", "keep"))
        peer.publish(created(self.name("task")))                # It did not end the run

    def test_work_in_progress_is_interrupted_and_other_states_stay(self):
        states = {"queued": "queued", "starting": "failed", "running": "failed", "paused": "paused",
                  "completing": "failed", "passed": "passed"}
        for way in ("instance", "lease", "goodbye"):
            tasks = {state: "%s-%s-%s" % (self.name("task"), way, state) for state in states}
            name = self.name("producer-" + way)
            peer = self.producer(name, **({} if way == "instance" else {"lease_ms": 200}))
            peer.publish(*[created(tasks[state], state=state) for state in states])
            if way == "goodbye":
                peer.send({"op": "goodbye"})
            elif way == "instance":
                self.producer(name)
            for state, after in states.items():
                self.wait_state(tasks[state], after)
            self.assertEqual({state: self.state(tasks[state]) for state in states}, states)
            row = self.last_history(tasks["completing"])
            self.assertEqual((row["state_from"], row["state_to"], row["interrupted"]), ("completing", "failed", True))

    def test_a_task_belongs_to_who_set_its_state_last(self):
        task, planner, worker = self.name("task"), self.name("planner"), self.name("worker")
        self.producer(planner).publish(created(task, state="starting"))
        self.producer(worker).publish(changed(task, "completing"))
        self.producer(planner).publish({"type": "task.updated", "task_id": task, "title": "no state, no owner"})
        self.producer(planner)
        self.assertEqual(self.state(task), "completing")
        self.producer(planner).publish({"type": "task.updated", "task_id": task, "state": "starting"})
        self.producer(worker)
        self.assertEqual(self.state(task), "starting")
        self.producer(planner)
        self.wait_state(task, "failed")

    def test_a_task_of_a_retried_event_belongs_to_its_producer(self):
        task, name = self.name("task"), self.name("producer")
        self.producer(self.name("other")).publish(created(task, state="passed"))
        self.producer(name).publish_refused(changed(task, "running"))
        row = self.ask("rejected.list", producer=name)["rejected"][-1]
        self.producer(self.name("other")).publish(changed(task, "queued"))
        self.assertEqual(self.ask("rejected.retry", id=row["id"])["accepted"], 1)
        self.assertEqual(self.state(task), "running")
        self.producer(name)
        self.wait_state(task, "failed")

    def test_stele_publish_keeps_what_it_reports(self):
        task, name = self.name("task"), self.name("producer")
        for event in (created(task), changed(task, "starting"), changed(task, "running"), metric(task, "n", 1)):
            self.stele("publish", "--producer", name, "-", input=json.dumps(event).encode())
        self.assertEqual(self.producer_status(name), "left")
        record = self.ask("task.get", task_id=task)["task"]
        self.assertEqual((record["state"], record.get("interruptions")), ("running", None))

    def test_a_producer_of_requests_only_has_no_run_that_dies(self):
        task, name = self.name("task"), self.name("producer")
        self.ask("publish", producer=name, events=[created(task), changed(task, "running")])
        self.producer(name)
        self.assertEqual(self.state(task), "running")
        self.producer(name)                             # The run before it died
        self.wait_state(task, "failed")

    def test_restored_tasks_in_progress_belong_to_nobody(self):
        task = self.name("task")
        peer = self.producer()
        peer.hello(restore=True)
        peer.publish(created(task, state="starting"), changed(task, "completing"))
        self.producer()
        self.assertEqual(self.state(task), "completing")

    def test_interruptions_are_counted_apart_and_attempts_are_numbered(self):
        task, name = self.name("task"), self.name("producer")
        self.producer(name).publish(created(task), changed(task, "running"))
        for number in (1, 2, 3):
            peer = self.producer(name)
            self.wait_state(task, "failed")
            peer.publish(changed(task, "queued"), changed(task, "running"), output(task, "x"),
                         metric(task, "n", number))
        peer.publish(changed(task, "failed", error_message="mine"))
        record = self.ask("task.get", task_id=task)["task"]
        self.assertEqual((record["interruptions"], record["error_count"], record["attempt"]), (3, 1, 4))
        self.assertEqual(record["last_error"], "mine")
        rows = self.ask("task.history", task_id=task)["history"]
        self.assertEqual([row["attempt"] for row in rows], [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
        self.assertEqual([row["attempt"] for row in self.ask("task.outputs", task_id=task)["outputs"]], [2, 3, 4])
        self.assertEqual([row["attempt"] for row in self.ask("task.metrics", task_id=task, order="desc",
                                                             limit=2)["metrics"]], [4, 3])
        for row in rows:                                        # The record as of each event
            past = self.ask("task.get", task_id=task, at=row["id"])["task"]
            before = [one for one in rows if one["id"] <= row["id"]]
            self.assertEqual((past["attempt"], past.get("interruptions", 0), past["error_count"]),
                             (row["attempt"], sum(one.get("interrupted", False) for one in before),
                              sum("error_message" in one and not one.get("interrupted") for one in before)))

    def test_an_interruption_is_no_error_in_a_list(self):
        task, name = self.name("task"), self.name("producer")
        self.producer(name).publish(created(task), changed(task, "running"))
        self.producer(name)
        self.wait_state(task, "failed")
        for has_error, found in ((True, False), (False, True)):
            tasks = self.ask("task.list", has_error=has_error, limit=1000)["tasks"]
            self.assertEqual(task in [one["task_id"] for one in tasks], found)

    def test_interrupted_task_says_so_until_its_next_state(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "running"))
        again = self.producer()
        self.wait_state(task, "failed")
        self.assertIs(self.ask("task.get", task_id=task)["task"]["interrupted"], True)
        self.assertIs(self.last_history(task)["interrupted"], True)
        again.publish(changed(task, "queued"))
        self.assertNotIn("interrupted", self.ask("task.get", task_id=task)["task"])

    def test_new_instance_interrupts_the_tasks_of_the_old_one(self):
        mine, other = self.name("mine"), self.name("other")
        self.producer().publish(created(mine), changed(mine, "running"))
        self.producer(self.name("neighbour")).publish(created(other), changed(other, "running"))
        self.producer()
        self.wait_state(mine, "failed")
        self.assertTrue(self.last_history(mine)["error_message"])
        self.assertEqual(self.state(other), "running")

    def test_interruptions_are_one_error_whatever_run_they_were_of(self):
        name = self.name("many")
        tasks = [self.name("task%d" % number) for number in range(3)]
        for task in tasks:
            self.producer(name).publish(created(task), changed(task, "running"))
        self.producer(name)
        for task in tasks:
            self.wait_state(task, "failed")
        groups = [group for group in self.ask("stats.tasks", group_by="error", limit=1000)["groups"]
                  if name in (group["error"] or "")]
        self.assertEqual([(group["error"], group["failed"]) for group in groups],
                         [("interrupted: producer %s came back as a new instance" % name, 3)])

    def test_same_instance_again_interrupts_nothing(self):
        task = self.name("task")
        first = self.producer()
        first.publish(created(task), changed(task, "running"))
        first.close()
        again = self.producer(instance=first.instance)
        again.publish(changed(task, "running"))
        self.assertEqual(self.state(task), "running")

    def test_a_task_belongs_to_who_set_it_running(self):
        task = self.name("task")
        self.producer(self.name("planner")).publish(created(task))
        self.producer(self.name("worker")).publish(changed(task, "running"))
        self.producer(self.name("planner")).publish(created(self.name("another")))
        self.assertEqual(self.state(task), "running")
        self.producer(self.name("worker"))
        self.wait_state(task, "failed")

    def test_the_truth_returns_after_an_interruption(self):
        for state in ("running", "passed", "paused", "timeout"):
            task = "%s-%s" % (self.name("task"), state)
            name = "%s-%s" % (self.name("producer"), state)
            self.producer(name).publish(created(task), changed(task, "running"))
            again = self.producer(name)
            self.wait_state(task, "failed")
            again.publish(changed(task, state))
            self.assertEqual(self.state(task), state)

    def test_a_producers_own_failure_is_no_interruption(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), changed(task, "failed", error_message="mine"))
        self.assertEqual(peer.publish_refused(changed(task, "passed"))["code"], "illegal_transition")
        self.assertEqual(peer.publish_refused(changed(task, "paused", interrupted=True))["code"],
                         "illegal_transition")


class Restart(Base):
    """Effect of a restart of the broker, for each rule."""

    def restart(self, **more):
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.start_broker(**more)

    def two_running(self, lease_ms=2000):
        with_lease, without = self.name("with-lease"), self.name("without")
        self.producer(self.name("a"), lease_ms=lease_ms).publish(
            created(with_lease), changed(with_lease, "running"))
        self.producer(self.name("b")).publish(created(without), changed(without, "running"))
        return with_lease, without

    def test_rule_owner_lets_the_lease_run_on(self):
        with_lease, without = self.two_running()
        self.restart()
        self.wait_state(with_lease, "failed")           # Its producer never returned
        self.assertEqual(self.state(without), "running")

    def test_rule_owner_remembers_a_goodbye_and_whether_it_keeps(self):
        tasks = {}
        for name, lease_ms, keep in (("lease", 4000, False), ("none", None, False), ("keep", 4000, True)):
            task = tasks[name] = self.name(name)
            more = {"lease_ms": lease_ms} if lease_ms else {}
            peer = self.producer(self.name("producer-" + name), **more)
            peer.publish(created(task, state="starting"))
            peer.send(dict({"op": "goodbye"}, **({"keep": True} if keep else {})))
            harness.wait_until(lambda: self.producer_status(self.name("producer-" + name)) == "left", "the goodbye")
        self.restart()
        self.assertEqual([self.producer_status(self.name("producer-" + name)) for name in tasks], ["left"] * 3)
        self.wait_state(tasks["lease"], "failed")       # The lease runs on over the restart
        self.assertEqual([self.state(tasks[name]) for name in ("none", "keep")], ["starting"] * 2)
        for name in ("none", "keep"):
            self.producer(self.name("producer-" + name))
        self.wait_state(tasks["none"], "failed")
        self.assertEqual(self.state(tasks["keep"]), "starting")

    def test_rule_all_fails_work_in_progress_and_nothing_else(self):
        states = ("queued", "starting", "running", "paused", "completing")
        tasks = [self.name(state) for state in states]
        self.producer().publish(*[created(task, state=state) for task, state in zip(tasks, states)])
        self.restart(arguments=["--interrupted", "all"])
        self.assertEqual([self.state(task) for task in tasks], ["queued", "failed", "failed", "paused", "failed"])
        self.restart()

    def test_rule_owner_goes_on_with_a_producer_that_comes_back(self):
        task = self.name("task")
        peer = self.producer(lease_ms=60000)
        peer.publish(created(task), changed(task, "running"))
        self.restart()
        peer.send({"op": "publish", "sequence": 3, "events": [changed(task, "running")]})
        self.assertEqual(peer.expect("error")["code"], "no_hello")
        self.assertEqual(peer.hello(lease_ms=60000)["sequence"], 2)
        peer.publish(changed(task, "completing"))
        self.assertEqual(self.state(task), "completing")

    def test_rule_all_fails_every_running_task_at_the_start(self):
        with_lease, without = self.two_running()
        self.restart(arguments=["--interrupted", "all"])
        self.assertEqual((self.state(with_lease), self.state(without)), ("failed", "failed"))
        self.restart()

    def test_rule_none_touches_nothing(self):
        #   At no time: before, at and after a start
        self.restart(arguments=["--interrupted", "none"])
        with_lease, without = self.two_running(lease_ms=100)
        self.assert_stays_running(with_lease, 0.3)
        self.restart(arguments=["--interrupted", "none"])
        self.producer(self.name("b"))
        self.assert_stays_running(with_lease, 0.7)
        self.assert_stays_running(without, 0.1)
        self.restart()


if __name__ == "__main__":
    harness.main()
