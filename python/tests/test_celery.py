#!/usr/bin/env python3
# test_celery - a Celery app on a real Redis, with real workers, one of which is killed
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import importlib
import os
import signal
import sys
import unittest
import warnings

import harness
import stele_client as stele

APP = """
import os, signal, time
from celery import Celery
from celery.exceptions import Ignore
import stele_client as stele
from stele_client.adapters import celery as stele_celery

app = Celery("app", broker=os.environ["QUEUE"], backend=os.environ["QUEUE"])
app.conf.update(task_default_queue=os.environ.get("QUEUE_NAME", "celery"), worker_prefetch_multiplier=1, broker_connection_retry=False)
stele_celery.install(producer="celery-test", lease_ms=int(os.environ["LEASE_MS"]))

@app.task
def add(a, b):
    stele.current_task().output("adding")
    return a + b

@app.task
def broken():
    raise ValueError("no luck")

@app.task(bind=True, max_retries=2)
def unsteady(self):
    if self.request.retries < 2:
        raise self.retry(exc=OSError("attempt %d" % self.request.retries), countdown=0)
    return "done"

@app.task
def parent():
    add.delay(1, 1)
    with stele.task("within-" + stele.current_task().id):
        pass

@app.task
def wait(path):
    open(path, "w").close()
    time.sleep(600)

@app.task
def dies():
    os.kill(os.getpid(), signal.SIGKILL)

@app.task
def ignores():
    raise Ignore()

@app.task(soft_time_limit=1)
def slow():
    time.sleep(600)
"""


class CeleryTest(harness.BrokerTest):
    queue = "celery"
    lease_ms = 60000        # Longer than Celery takes to notice a process that died, however busy the machine is

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(cls.folder, "celery_app.py"), "w") as file:
            file.write(APP)
        cls.environment = {"QUEUE": "redis+socket://" + cls.redis.path, "QUEUE_NAME": cls.queue, "LEASE_MS": str(cls.lease_ms),
                           "STELE_EVENTS": cls.broker.events, "STELE_REQUESTS": cls.broker.requests}
        cls.start_worker()
        saved = dict(os.environ)
        cls.addClassCleanup(lambda: (os.environ.clear(), os.environ.update(saved)))
        os.environ.update(cls.environment)
        sys.path.insert(0, cls.folder)
        cls.addClassCleanup(sys.path.remove, cls.folder)
        cls.addClassCleanup(stele.disconnect)
        sys.modules.pop("celery_app", None)
        importlib.invalidate_caches()
        warnings.simplefilter("ignore", DeprecationWarning)        # Of kombu and Celery
        cls.app = importlib.import_module("celery_app")
        cls.addClassCleanup(cls.app.app.close)
        cls.client = stele.Client(cls.broker.requests, timeout=60)
        cls.addClassCleanup(cls.client.close)

    @classmethod
    def start_worker(cls):
        """A worker with two processes, all in a process group of their own"""
        cls.worker = harness.Process(
            ["setsid", sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-c", "2", "-l", "INFO", "-n", cls.queue,
             "--without-gossip", "--without-mingle", "--without-heartbeat"],
            env=dict(os.environ, PYTHONPATH=cls.folder + ":" + os.environ.get("PYTHONPATH", ""), **cls.environment), cwd=cls.folder)
        cls.addClassCleanup(cls.end_worker)
        cls.worker.wait_line("ready.")

    @classmethod
    def end_worker(cls):
        if cls.worker.running():
            os.killpg(cls.worker.child.pid, signal.SIGKILL)
        cls.worker.wait()

    def wait_state(self, result, *states):
        def ended():
            try:
                task = self.client.task(result.id)
            except stele.NotFound:
                return None
            return task if task.state in states else None

        try:
            return harness.wait_until(ended, "task %s to be %s" % (result.id, states))
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, self.worker.log())) from None

    def states(self, task_id):
        return [change.state_to for change in self.client.history(task_id) if change.state_to]


class TestTasks(CeleryTest):

    def test_task_that_succeeds(self):
        result = self.app.add.delay(2, b=3)
        task = self.wait_state(result, "passed")
        self.assertEqual((task.title, task.description, task.role), ("celery_app.add", "celery_app.add(2,) {'b': 3}", "celery"))
        self.assertEqual([row.content for row in self.client.outputs(result.id)], ["adding"])
        self.assertEqual(self.states(result.id), ["queued", "running", "passed"])
        self.assertTrue(task.producer.startswith("celery-test-"))

    def test_exception(self):
        task = self.wait_state(self.app.broken.delay(), "failed")
        self.assertEqual(task.last_error, "ValueError: no luck")
        details = list(self.client.history(task.task_id))[-1].details
        self.assertEqual(details["exception"], "ValueError")
        self.assertIn("in broken", details["traceback"])

    def test_retries_are_attempts(self):
        task = self.wait_state(self.app.unsteady.delay(), "passed")
        self.assertEqual((task.attempt, task.error_count, task.last_error), (3, 2, "OSError: attempt 1"))
        self.assertEqual(self.states(task.task_id), ["queued", "running", "failed"] * 2 + ["queued", "running", "passed"])

    def test_tasks_that_a_task_calls_are_its_children(self):
        result = self.app.parent.delay()
        self.wait_state(result, "passed")
        def passed():
            children = list(self.client.tasks(parent_id=result.id, states="passed"))
            return children if len(children) == 2 else None

        children = harness.wait_until(passed, "two children to pass")
        self.assertEqual({task.title for task in children}, {"celery_app.add", "within-" + result.id})

    def test_revoked_before_and_while_it_runs(self):
        path = os.path.join(self.folder, "revoked")
        running = self.app.wait.delay(path)
        self.wait_state(running, "running")
        running.revoke(terminate=True, signal="SIGKILL")
        self.assertEqual(self.wait_state(running, "cancelled", "failed").last_error, "terminated by SIGKILL")
        later = self.app.add.apply_async((1, 1), countdown=8)
        self.app.app.control.revoke(later.id, reply=True, limit=1, timeout=60)      # Before it begins
        self.assertEqual(self.wait_state(later, "cancelled").last_error, "revoked")

    def test_task_that_has_expired(self):
        task = self.wait_state(self.app.add.apply_async((1, 1), countdown=0.5, expires=0.1), "timeout")
        self.assertEqual(task.last_error, "expired")

    def test_process_that_dies(self):
        task = self.wait_state(self.app.dies.delay(), "failed")
        self.assertTrue(task.last_error.startswith("WorkerLostError: "), task)

    def test_task_that_is_ignored_or_exceeds_its_soft_limit(self):
        slow = self.app.slow.delay()
        self.assertEqual(self.wait_state(self.app.ignores.delay(), "cancelled").last_error, "the task ended by Ignored")
        self.assertTrue(self.wait_state(slow, "timeout").last_error.startswith("SoftTimeLimitExceeded"))

    def test_task_that_is_called_without_a_worker(self):
        result = self.app.add.apply(args=(1, 2))
        self.assertEqual(self.wait_state(result, "passed").description, "celery_app.add(1, 2)")

    def test_many_tasks(self):
        results = [self.app.add.delay(number, 1) for number in range(50)]
        for result in results:
            self.wait_state(result, "passed")
        self.assertEqual([self.states(result.id) for result in results], [["queued", "running", "passed"]] * 50)


class TestKilledWorker(CeleryTest):
    queue = "doomed"
    lease_ms = 4000

    def test_tasks_of_a_killed_worker_are_interrupted(self):
        path = os.path.join(self.folder, "begun")
        result = self.app.wait.delay(path)
        self.wait_state(result, "running")
        self.end_worker()
        task = self.wait_state(result, "failed")
        self.assertTrue(task.interrupted)


if __name__ == "__main__":
    unittest.main(verbosity=2)
