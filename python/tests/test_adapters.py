#!/usr/bin/env python3
# test_adapters - logging, pools, commands, and the callbacks of frameworks for agents, against a real broker
#
# The frameworks for agents are not installed: their adapters are called as their documentation describes the interfaces.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import unittest
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import harness
import stele_client as stele
from stele_client.adapters import subprocess as commands
from stele_client.adapters.futures import TaskExecutor
from stele_client.adapters.langchain import TaskCallbackHandler, task_callback_handler
from stele_client.adapters.logging import TaskHandler
from stele_client.adapters.openai_agents import TaskTracingProcessor


class AdapterTest(harness.BrokerTest):
    use_redis = False

    def setUp(self):
        super().setUp()
        stele.connect(endpoint=self.broker.events, requests=self.broker.requests)
        self.addCleanup(stele.disconnect)
        self.client = stele.Client(self.broker.requests, timeout=60)
        self.addCleanup(self.client.close)

    def children(self, parent):
        stele.default_publisher().flush(60)
        return {task.title: task for task in self.client.tasks(parent_id=parent)}

    def states(self, task):
        return [change.state_to for change in self.client.history(task) if change.state_to]

    def outputs(self, task):
        return [(row.output_type, row.content) for row in self.client.outputs(task)]


class TestLogging(AdapterTest):

    def test_records_are_outputs_of_the_current_task(self):
        logger = logging.getLogger("test-adapters")
        handler = TaskHandler(logging.INFO)
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.warning("before any task")
        with stele.task() as task:
            logger.info("begun %d", 1)
            logger.debug("not of this level")
            try:
                raise ValueError("no luck")
            except ValueError:
                logger.exception("failed")
        (kind, first), (_, second) = self.outputs(task.id)
        self.assertEqual((kind, first), ("log", "INFO begun 1\n"))
        self.assertIn("ValueError: no luck", second)

    def test_records_of_every_thread_go_to_a_task_that_was_given(self):
        logger = logging.getLogger("test-adapters-given")
        logger.propagate = False
        with stele.task() as task:
            logger.addHandler(TaskHandler(task=task))
            thread = threading.Thread(target=logger.warning, args=("from a thread",))
            thread.start()
            thread.join()
        self.assertEqual(self.outputs(task.id), [("log", "from a thread\n")])


def square(number):
    stele.current_task().output("working")
    return number * number


def broken():
    raise ValueError("no luck")


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


class TestFutures(AdapterTest):

    def check_pool(self, pool):
        with stele.task() as around:
            with TaskExecutor(pool, role="pool") as executor:
                self.assertEqual(list(executor.map(square, [1, 2, 3])), [1, 4, 9])
                with self.assertRaises(ValueError):
                    executor.submit(broken).result(harness.PATIENCE)
        tasks = list(self.client.tasks(parent_id=around.id))
        self.assertEqual(sorted((task.title, task.state, task.role) for task in tasks),
                         [("broken", "failed", "pool")] + [("square", "passed", "pool")] * 3)
        for task in tasks:
            self.assertEqual(self.states(task.task_id)[:2], ["queued", "running"])
            self.assertEqual(len(self.states(task.task_id)), 3)
        failed, = [task for task in tasks if task.state == "failed"]
        self.assertIn("in broken", list(self.client.history(failed.task_id))[-1].details["traceback"])

    def test_threads(self):
        self.check_pool(ThreadPoolExecutor(2))

    def test_processes(self):
        self.check_pool(ProcessPoolExecutor(2))

    def test_processes_that_are_not_forked_get_the_options(self):
        self.check_pool(ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")))

    def test_call_that_is_cancelled_before_it_runs(self):
        release = threading.Event()
        with stele.task() as around, TaskExecutor(ThreadPoolExecutor(1)) as executor:
            executor.submit(release.wait, harness.PATIENCE)
            late = executor.submit(square, 2)
            self.assertTrue(late.cancel())
            release.set()
        self.assertEqual(self.children(around.id)["square"].state, "cancelled")

    def test_process_that_dies(self):
        with stele.task() as around, TaskExecutor(ProcessPoolExecutor(1)) as executor:
            with self.assertRaises(BrokenProcessPool):
                executor.submit(dies).result(harness.PATIENCE)
        self.assertEqual(self.children(around.id)["dies"].state, "failed")


class TestCommands(AdapterTest):

    def sh(self, script, **options):
        return commands.run(["sh", "-c", script], **options)

    def test_command_with_outputs(self):
        done = self.sh("cat; echo err >&2; echo $STELE_TASK", task_id="t-command", input=b"one\ntwo\xff\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"one\ntwo\xff\nt-command\n", b"err\n"))
        task = self.client.task("t-command")
        self.assertEqual((task.state, task.role, task.title), ("passed", "command", "sh -c 'cat; echo err >&2; echo $STELE_TASK'"))
        joined = {kind: b"".join(content if isinstance(content, bytes) else content.encode() for one, content in
                                 self.outputs("t-command") if one == kind) for kind in ("stdout", "stderr")}
        self.assertEqual(joined, {"stdout": done.stdout, "stderr": done.stderr})

    def end(self, task_id):
        last = list(self.client.history(task_id))[-1]
        return last.state_to, last.error_message, last.details

    def test_how_a_command_ends_is_the_state(self):
        self.assertEqual(self.sh("exit 3", task_id="t-status").returncode, 3)
        self.assertEqual(self.end("t-status"), ("failed", "exit status 3", {"exit_status": 3}))
        with self.assertRaises(subprocess.CalledProcessError):
            self.sh("kill -9 $$", task_id="t-signal", check=True)
        self.assertEqual(self.end("t-signal"), ("failed", "killed by SIGKILL", {"exit_status": 137, "signal": "SIGKILL"}))
        with self.assertRaises(FileNotFoundError):
            commands.run(["/no/such/command"], task_id="t-none")
        self.assertEqual(self.end("t-none")[0], "failed")

    def test_timeout(self):
        with self.assertRaises(subprocess.TimeoutExpired) as caught:
            commands.run([sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)"], task_id="t-timeout", timeout=0.5)
        self.assertEqual(self.end("t-timeout")[:2], ("timeout", "still running after 0.5 s"))
        self.assertEqual("".join(content for _, content in self.outputs("t-timeout")), caught.exception.output.decode())

    def test_outputs_are_recorded_while_it_runs(self):
        fifo = os.path.join(self.folder, "fifo")
        os.mkfifo(fifo)
        thread = threading.Thread(target=self.sh, args=("echo begun; cat %s" % fifo,), kwargs={"task_id": "t-streams"}, daemon=True)
        thread.start()
        harness.wait_until(lambda: any(event.get("content") == "begun\n" for event in self.read_events()), "the first output")
        with open(fifo, "w") as file:
            file.write("ended\n")
        thread.join(harness.PATIENCE)
        self.assertEqual(self.client.task("t-streams").state, "passed")
        self.assertEqual(self.outputs("t-streams"), [("stdout", "begun\n"), ("stdout", "ended\n")])


class SpanData(SimpleNamespace):
    """As agents.tracing.SpanData: a type, and export()"""

    def export(self):
        return vars(self)


class TestOpenAIAgents(AdapterTest):
    """The interface is that of agents.tracing.TracingProcessor, as its documentation describes it"""

    def span(self, span_id, parent, data, error=None):
        return SimpleNamespace(trace_id=self.trace.trace_id, span_id=span_id, parent_id=parent, span_data=data, error=error,
                               started_at=None, ended_at=None)

    def setUp(self):
        super().setUp()
        self.trace = SimpleNamespace(trace_id="trace_" + uuid.uuid4().hex, name="Support", group_id="chat-7", metadata={"customer": 3})

    def test_spans_are_tasks(self):
        processor = TaskTracingProcessor()
        agent = self.span("span_a", None, SpanData(type="agent", name="Triage"))
        generation = self.span("span_g", "span_a", SpanData(
            type="generation", model="m-1", input=[{"role": "user", "content": "Hi"}], output="Hello",
            usage={"input_tokens": 12, "output_tokens": 3}))
        function = self.span("span_f", "span_a", SpanData(type="function", name="look_up", input='{"id": 3}', output=None),
                             {"message": "no such customer", "data": {"id": 3}})
        processor.on_trace_start(self.trace)
        processor.on_span_start(agent)
        for span in (generation, function):
            processor.on_span_start(span)
            processor.on_span_end(span)
        processor.on_span_end(agent)
        processor.on_trace_end(self.trace)
        processor.force_flush()
        trace = self.client.task(self.trace.trace_id)
        self.assertEqual((trace.title, trace.role, trace.state, trace.metadata),
                         ("Support", "workflow", "passed", {"customer": 3, "group_id": "chat-7"}))
        found = {span: self.client.task(span) for span in ("span_a", "span_g", "span_f")}
        self.assertEqual([(task.title, task.role, task.state, task.parent_id) for task in found.values()],
                         [("Triage", "agent", "passed", self.trace.trace_id), ("generation", "generation", "passed", "span_a"),
                          ("look_up", "function", "failed", "span_a")])
        self.assertEqual((found["span_g"].model, found["span_f"].last_error), ("m-1", "no such customer"))
        self.assertEqual({(row.name, row.value, row.unit) for row in self.client.metrics("span_g")},
                         {("input_tokens", 12, "token"), ("output_tokens", 3, "token")})
        self.assertEqual(self.outputs("span_g"), [("diagnostic", '[{"role": "user", "content": "Hi"}]'), ("stdout", "Hello")])

    def test_trace_fails_with_its_outer_span(self):
        processor = TaskTracingProcessor(content=False)
        span = self.span("span_" + uuid.uuid4().hex, None, SpanData(type="response", response=SimpleNamespace(
            model="m-2", output="secret", usage=SimpleNamespace(input_tokens=5, output_tokens=1))), {"message": "limit", "data": None})
        processor.on_trace_start(self.trace)
        processor.on_span_start(span)
        processor.on_span_end(span)
        processor.on_trace_end(self.trace)
        processor.shutdown()
        self.assertEqual(self.client.task(self.trace.trace_id).state, "failed")
        self.assertEqual(self.client.task(span.span_id).model, "m-2")
        self.assertEqual(len(list(self.client.metrics(span.span_id))), 2)
        self.assertEqual(self.outputs(span.span_id), [])


class GraphInterrupt(Exception):
    """As langgraph.errors.GraphInterrupt"""


class TestLangChain(AdapterTest):
    """The interface is that of langchain_core.callbacks.BaseCallbackHandler, as its documentation describes it"""

    def test_runs_are_tasks(self):
        handler = task_callback_handler()
        chain, model, tool, retriever = (uuid.uuid4() for _ in range(4))
        handler.on_chain_start({}, {"question": "Why?"}, run_id=chain, parent_run_id=None, tags=["t"], metadata={"thread": 1}, name="Graph")
        handler.on_chat_model_start({"name": "ChatX"}, [[SimpleNamespace(type="human", content="Why?")]], run_id=model, parent_run_id=chain,
                                    metadata={"ls_provider": "acme", "ls_model_name": "m-3"}, invocation_params={})
        handler.on_llm_new_token("B", run_id=model, parent_run_id=chain)
        message = SimpleNamespace(usage_metadata={"input_tokens": 7, "output_tokens": 2, "input_token_details": {}})
        handler.on_llm_end(SimpleNamespace(generations=[[SimpleNamespace(text="Because", message=message)]], llm_output=None), run_id=model)
        handler.on_tool_start({"name": "search"}, "why", run_id=tool, parent_run_id=chain)
        handler.on_tool_error(ValueError("no network"), run_id=tool, parent_run_id=chain)
        handler.on_retriever_start(None, "why", run_id=retriever, parent_run_id=chain)
        handler.on_retriever_end([SimpleNamespace(page_content="text")], run_id=retriever)
        handler.on_agent_action(None, run_id=chain)
        handler.on_chain_end({"answer": "Because"}, run_id=chain)
        children = self.children(str(chain))
        self.assertEqual({title: (task.role, task.state) for title, task in children.items()},
                         {"ChatX": ("llm", "passed"), "search": ("tool", "failed"), "retriever": ("retriever", "passed")})
        self.assertEqual((children["ChatX"].provider, children["ChatX"].model, children["search"].last_error),
                         ("acme", "m-3", "ValueError: no network"))
        self.assertEqual({(row.name, row.value) for row in self.client.metrics(str(model))}, {("input_tokens", 7), ("output_tokens", 2)})
        task = self.client.task(str(chain))
        self.assertEqual((task.title, task.state, task.metadata), ("Graph", "passed", {"thread": 1, "tags": ["t"]}))
        self.assertEqual(self.outputs(str(chain)), [("diagnostic", '{"question": "Why?"}'), ("stdout", '{"answer": "Because"}')])

    def test_interrupt_of_a_graph_is_no_failure(self):
        handler, run = TaskCallbackHandler(content=False), uuid.uuid4()
        handler.on_chain_start(None, {}, run_id=run)
        handler.on_chain_error(GraphInterrupt("approve?"), run_id=run)
        stele.default_publisher().flush(60)
        self.assertEqual(self.client.task(str(run)).state, "passed")
        self.assertEqual(list(self.client.history(str(run)))[-1].details, {"interrupt": "approve?"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
