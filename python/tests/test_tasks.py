#!/usr/bin/env python3
# test_tasks - task() as a block and as a decorator, against a real broker
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import asyncio
import os
import signal
import subprocess
import sys
import threading
import unittest

import harness
import stele_client as stele


class TasksTest(harness.BrokerTest):
    use_redis = False

    def setUp(self):
        super().setUp()
        stele.connect(endpoint=self.broker.events, requests=self.broker.requests)
        self.addCleanup(stele.disconnect)
        self.client = stele.Client(self.broker.requests, timeout=60)
        self.addCleanup(self.client.close)

    def states(self, task):
        return [change.state_to for change in self.client.history(task) if change.state_to]

    def last(self, task):
        return list(self.client.history(task))[-1]

    def script(self, text, **environment):
        child = harness.Process([sys.executable, "-c", "import stele_client as stele\n" + text],
                                env=dict(self.broker.environment(), **environment))
        self.addCleanup(child.kill)
        return child


class TestBlock(TasksTest):

    def test_block_is_the_life_of_a_task(self):
        with stele.task(title="Build the kernel", role="builder", model="m") as task:
            task.output("compiling\n")
            task.output(b"\xff", "artifact")
            task.metric("objects", 3120)
        record = self.client.task(task.id)
        self.assertEqual((record.state, record.title, record.role, record.model), ("passed", "Build the kernel", "builder", "m"))
        self.assertEqual(self.states(task.id), ["queued", "running", "passed"])
        self.assertEqual([row.content for row in self.client.outputs(task.id)], ["compiling\n", b"\xff"])
        self.assertEqual([row.value for row in self.client.metrics(task.id)], [3120])

    def test_exception_fails_the_task_with_its_traceback(self):
        def broken():
            raise ValueError("no luck")

        with self.assertRaises(ValueError):
            with stele.task("t-exception"):
                broken()
        last = self.last("t-exception")
        self.assertEqual((last.state_to, last.error_message, last.details["exception"]), ("failed", "ValueError: no luck", "ValueError"))
        self.assertIn("in broken", last.details["traceback"])

    def test_how_a_block_ends_is_the_state(self):
        for error, state, message in ((KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"), (SystemExit(3), "failed", "exit status 3"),
                                      (SystemExit(), "passed", None), (asyncio.CancelledError(), "cancelled", "CancelledError"),
                                      (ValueError("\udcff"), "failed", "ValueError: \\udcff")):
            with self.assertRaises(type(error)):
                with stele.task() as task:
                    raise error
            last = self.last(task.id)
            self.assertEqual((last.state_to, last.error_message), (state, message))

    def test_end_that_was_reported_stays(self):
        with stele.task() as task:
            task.state("paused")
            task.fail("3 tests failed", tests=3)
        self.assertEqual(self.states(task.id), ["queued", "running", "paused", "failed"])
        self.assertEqual(self.last(task.id).details, {"tests": 3})

    def test_end_that_cannot_be_sent_does_not_hide_the_outcome(self):
        with self.assertRaises(stele.InvalidEvent):
            with stele.task() as task:
                task.fail("3 tests failed", tests={1, 2, 3})
        self.assertEqual(self.last(task.id).details["exception"], "InvalidEvent")

    def test_task_that_exists_gets_another_attempt(self):
        for _ in range(2):
            with self.assertRaises(RuntimeError):
                with stele.task("t-again", title="Nightly"):
                    raise RuntimeError()
        with stele.task("t-again", title="Nightly"):
            pass
        record = self.client.task("t-again")
        self.assertEqual((record.state, record.attempt), ("passed", 3))

    def test_tasks_within_are_children(self):
        with stele.task() as parent:
            self.assertIs(stele.current_task(), parent)
            with stele.task() as child:
                with stele.task(parent="") as alone:
                    pass
            found = []

            def work():
                found.append(stele.current_task())
                with stele.task(parent=parent) as task:
                    found.append(task)

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        self.assertIsNone(stele.current_task())
        self.assertIsNone(found[0])
        self.assertEqual([self.client.task(task.id).parent_id for task in (parent, child, alone, found[1])],
                         [None, parent.id, None, parent.id])

    def test_many_threads_run_tasks(self):
        def work(number):
            for step in range(5):
                with stele.task("t-thread-%d-%d" % (number, step), role="threads"):
                    pass

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.client.count_tasks(roles="threads", states="passed"), 40)

    def test_long_output_is_split(self):
        with stele.task() as task:
            task.output(b"x" * (9 << 20))
        self.assertEqual(sum(len(row.content) for row in self.client.outputs(task.id, limit=2)), 9 << 20)

    def test_misspelt_field_and_second_use_are_errors(self):
        with self.assertRaisesRegex(TypeError, "did you mean 'model'"):
            stele.task("t", modle="m")
        with stele.task() as task:
            pass
        with self.assertRaisesRegex(RuntimeError, "has begun already"):
            task.__enter__()


class TestRecordFails(TasksTest):

    def test_strict_raises_refusals(self):
        with stele.task("t-strict", title="One"):
            pass
        with self.assertLogs("stele", "WARNING") as logged:
            with stele.task("t-strict", title="Another"):
                pass
            with self.assertRaisesRegex(stele.Refused, "task_exists"):
                with stele.task("t-strict", title="Another", strict=True):
                    pass
            with self.assertRaises(ValueError):     # The exception of the program is not hidden
                with stele.task("t-strict", title="Another", strict=True):
                    raise ValueError()
        self.assertIn("task_exists", "\n".join(logged.output))

    def test_broker_that_is_away_does_not_stop_the_program(self):
        stele.connect(endpoint=self.broker.events, requests=self.broker.requests)
        stele.default_publisher().ready(60)
        self.broker.signal(signal.SIGSTOP)
        try:
            with self.assertLogs("stele", "ERROR") as logged:
                for number in range(3):
                    with stele.task("t-away-%d" % number, wait=0.1):
                        pass
                with self.assertRaises(stele.BrokerTimeout):
                    with stele.task("t-away-3", wait=0.1, strict=True):
                        pass
        finally:
            self.broker.signal(signal.SIGCONT)
        self.assertEqual(len(logged.output), 1)     # Only the first task waits
        self.assertIn("t-away-0: not acked within 0.1 s", logged.output[0])
        stele.default_publisher().flush(60)
        self.assertEqual([self.client.task("t-away-%d" % number).state for number in range(4)], ["passed"] * 4)


class TestDecorator(TasksTest):

    def test_each_call_is_a_task(self):
        @stele.task(role="builder", id_from=lambda number: "t-square-%d" % number)
        def square(number):
            """Multiply.

            More text."""
            stele.current_task().output("working")
            return number * number

        @stele.task
        def plain():
            return stele.current_task()

        self.assertEqual([square(2), square(3)], [4, 9])
        record = self.client.task("t-square-3")
        self.assertEqual((record.state, record.role, record.description), ("passed", "builder", "Multiply."))
        self.assertTrue(record.title.endswith("square"))
        self.assertNotEqual(plain().id, plain().id)
        self.assertTrue(self.client.task(plain().id).title.endswith("plain"))

    def test_retries_are_attempts(self):
        seen = []

        @stele.task(id_from=lambda: "t-retries", retries=3, retry_on=(KeyError, OSError))
        def unsteady():
            seen.append(stele.current_task().attempt)
            if len(seen) < 3:
                raise OSError("attempt %d" % len(seen))
            return "done"

        self.assertEqual(unsteady(), "done")
        self.assertEqual(seen, [1, 2, 3])
        record = self.client.task("t-retries")
        self.assertEqual((record.state, record.attempt, record.error_count), ("passed", 3, 2))

    def test_exceptions_that_are_not_retried_and_too_many_are_raised(self):
        @stele.task(id_from=lambda error: "t-" + type(error).__name__, retries=1, retry_on=OSError)
        def broken(error):
            raise error

        for error, attempts in ((OSError(), 2), (KeyError("k"), 1)):
            with self.assertRaises(type(error)):
                broken(error)
            record = self.client.task("t-" + type(error).__name__)
            self.assertEqual((record.state, record.attempt), ("failed", attempts))

    def test_generator_is_refused(self):
        with self.assertRaisesRegex(TypeError, "is a generator"):
            @stele.task
            def generator():
                yield 1


class TestAsyncio(TasksTest):

    def test_block_and_decorator(self):
        @stele.task(id_from=lambda: "t-coroutine", retries=1)
        async def unsteady():
            await asyncio.sleep(0)
            if stele.current_task().attempt == 1:
                raise OSError("no luck")
            return 7

        async def worker(number):
            async with stele.task("t-async-%d" % number) as task:
                await asyncio.sleep(0)
                self.assertIs(stele.current_task(), task)

        async def main():
            async with stele.task("t-main"):
                await asyncio.gather(*[worker(number) for number in range(5)])
                return await unsteady()

        self.assertEqual(asyncio.run(main()), 7)
        for task in ["t-async-%d" % number for number in range(5)] + ["t-coroutine"]:
            record = self.client.task(task)
            self.assertEqual((record.state, record.parent_id), ("passed", "t-main"))
        self.assertEqual(self.client.task("t-coroutine").attempt, 2)

    def test_cancelled_task_is_cancelled(self):
        async def main():
            begun = asyncio.Event()

            async def work():
                async with stele.task("t-cancelled"):
                    begun.set()
                    await asyncio.Event().wait()

            running = asyncio.ensure_future(work())
            await begun.wait()
            running.cancel()
            await asyncio.wait([running])
            self.assertTrue(running.cancelled())

        asyncio.run(main())
        self.assertEqual(self.client.task("t-cancelled").state, "cancelled")

    def test_broker_that_is_away_does_not_stop_the_loop(self):
        async def block():
            async with stele.task("t-slow", wait=harness.PATIENCE):
                pass

        async def main():
            waiting = asyncio.ensure_future(block())
            while stele.default_publisher().pending < 4:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.assertFalse(waiting.done())
            self.broker.signal(signal.SIGCONT)
            await waiting

        stele.default_publisher().ready(60)
        self.broker.signal(signal.SIGSTOP)
        try:
            with self.assertNoLogs("stele", "ERROR"):
                asyncio.run(main())
        finally:
            self.broker.signal(signal.SIGCONT)
        self.assertEqual(self.client.task("t-slow").state, "passed")


class TestProcesses(TasksTest):

    def test_three_lines_are_a_program(self):
        child = self.script("with stele.task('t-script') as t: t.output('hello')\n")
        self.assertEqual(child.wait(), 0, child.log())
        self.assertEqual(self.client.task("t-script").state, "passed")
        producer = self.client.task("t-script").producer
        harness.wait_until(lambda: self.client.request("producer.get", producer=producer)["producer"]["status"] == "left")

    def test_named_producer(self):
        child = self.script("stele.connect('nightly')\nwith stele.task('t-named'): pass\n")
        self.assertEqual(child.wait(), 0, child.log())
        self.assertEqual(self.client.task("t-named").producer, "nightly")

    def test_surrounding_task_of_the_environment_is_the_parent(self):
        child = self.script("with stele.task('t-within'): pass\n", STELE_TASK="t-outside")
        self.assertEqual(child.wait(), 0, child.log())
        self.assertEqual(self.client.task("t-within").parent_id, "t-outside")

    def test_killed_program_leaves_an_interrupted_task(self):
        child = self.script("stele.connect(lease_ms=2000)\n"
                            "with stele.task('t-killed') as t:\n    t.wait(); print('running', flush=True)\n    import time; time.sleep(600)\n")
        child.wait_line("running")
        child.kill()
        harness.wait_until(lambda: self.client.task("t-killed").interrupted, "the lease to expire")
        self.assertEqual(self.client.task("t-killed").state, "failed")

    def test_child_process_has_a_publisher_of_its_own(self):
        with stele.task("t-fork") as task:
            child = os.fork()
            if child == 0:
                try:
                    with stele.task("t-forked"):
                        stele.current_task().output("of the child")
                    task.__exit__(None, None, None)     # Leaves the block of the parent
                    os._exit(0)
                finally:
                    os._exit(1)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            task.wait()
            self.assertEqual(self.client.task("t-fork").state, "running")
        self.assertEqual(self.states("t-fork"), ["queued", "queued", "running", "passed"])
        record = self.client.task("t-forked")
        self.assertEqual((record.state, record.parent_id), ("passed", "t-fork"))
        self.assertNotEqual(record.producer, self.client.task("t-fork").producer)

    def test_program_without_a_broker_ends_and_reports_it(self):
        child = self.script("stele.default.LAST_S = 0.1\nwith stele.task('t', wait=0.1): print('worked')\n",
                            STELE_EVENTS="ipc://%s/nobody" % self.folder, STELE_REQUESTS="ipc://%s/nobody" % self.folder)
        self.assertEqual(child.wait(), 0)
        for words in ("worked", "task t: not acked within 0.1 s", "4 events are not acked yet"):
            self.assertIn(words, child.log())


class TestReadme(TasksTest):
    """The examples of README.md do what it says"""

    def example(self, heading, number=0):
        with open(os.path.join(harness.SRC, "python", "README.md"), encoding="utf-8") as file:
            section = file.read().split("\n## %s\n" % heading)[1].split("\n## ")[0]
        return section.split("```python\n")[1 + number].split("```")[0]

    def run_example(self, *heading, before="", after=""):
        child = self.script(before + self.example(*heading) + after)
        self.assertEqual(child.wait(), 0, child.log())
        return child.log()

    def test_three_lines(self):
        self.run_example("Record a task in three lines")
        self.assertEqual(self.client.task("build-7").state, "passed")

    def test_decorator(self):
        self.run_example("Record a task in three lines", 1, after="build('kernel')\n")
        self.assertEqual([row.content for row in self.client.outputs("build-kernel")], ["building kernel\n"])

    def test_resume(self):
        dead = stele.Publisher("build-farm", self.broker.events)
        dead.publish(stele.task_created("r-1", "t", "", "builder"), stele.task_state_changed("r-1", "running"),
                     stele.task_created("r-2", "t", "", "builder", state="failed"))
        dead._stop(False, False)        # As a crash
        self.run_example("Resume after a crash")
        self.assertEqual([self.client.task(task).state for task in ("r-1", "r-2")], ["queued", "failed"])

    def test_every_error_is_described(self):
        with open(os.path.join(harness.SRC, "python", "README.md"), encoding="utf-8") as file:
            section = file.read().split("\n## Errors\n")[1].split("\n## ")[0]
        for name, error in vars(stele.errors).items():
            if isinstance(error, type) and issubclass(error, Exception):
                self.assertIn("`%s`" % name, section)
                self.assertIs(getattr(stele, name), error)


if __name__ == "__main__":
    unittest.main(verbosity=2)
