# The examples do what they describe
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

import harness
from client import created

EXAMPLES = os.path.join(harness.SRC, "examples")


class Examples(harness.BrokerTest):
    use_redis = False

    def example(self, *command, status=0):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.broker.environment(), cwd=self.folder, timeout=harness.PATIENCE * 2)
        text = done.stdout.decode()
        self.assertEqual(done.returncode, status, text)
        return text

    def script(self, name, *arguments):
        return self.example(sys.executable, os.path.join(EXAMPLES, name), *arguments)

    def built(self, name, *arguments):
        return self.example(harness.program(os.path.join("examples", name)), *arguments)

    def test_publish_and_query_in_python(self):
        for _ in range(2):                              # The second run is another task
            task = self.name("python%d" % _)
            self.assertIn("durable up to sequence", self.script("publish.py", task))
            text = self.script("query.py", task)
            self.assertIn("%s is passed" % task, text)
            self.assertIn("greetings = 1", text)
            self.assertIn(task, self.script("query.py"))

    def test_publish_event_in_c(self):
        task = self.name("c")
        self.assertIn("durable up to event 4", self.built("publish_event", task))
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "passed")

    def test_follow_changes_in_c(self):
        task = self.name("follow")
        self.script("publish.py", task)
        lines = self.built("follow_changes", "0", "2").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(all(" running " in line or " passed " in line for line in lines), lines)

    def test_embed_broker_in_c(self):
        ledger = os.path.join(self.folder, "embedded.db")
        lines = self.built("embed_broker", ledger).splitlines()
        answer = json.loads(lines[-1])
        self.assertEqual([row["state_to"] for row in answer["history"]], ["queued", "running", "passed"])

    def test_pipeline(self):
        text = self.example("bash", os.path.join(EXAMPLES, "pipeline", "run.sh"), harness.BUILD)
        self.assertIn("1000 of 1000 events arrived exactly once", text)


class Resume(harness.BrokerTest):
    use_redis = False

    def start(self, *arguments):
        run = harness.Process([sys.executable, os.path.join(EXAMPLES, "resume.py"), *arguments],
                              env=self.broker.environment())
        self.addCleanup(run.kill)
        return run

    def test_killed_run_is_resumed_every_time(self):
        states = lambda: [self.ask("task.get", task_id="resume-%d" % n)["task"]["state"] for n in (1, 2, 3)]
        for _ in range(5):
            run = self.start("60")
            run.wait_line("running ")
            run.kill()
        run = self.start("60")
        self.assertEqual(run.wait_line("resuming "), "resuming resume-1: " + self.ask(
            "task.get", task_id="resume-1")["task"]["last_error"])
        run.wait_line("running resume-1")
        run.signal(signal.SIGINT)           # Ends by KeyboardInterrupt: no goodbye either
        run.wait()
        self.assertIn("the run ends by KeyboardInterrupt, without a goodbye", run.log())
        last = self.start("0")
        self.assertEqual(last.wait(), 0, last.log())
        self.assertIn("resuming resume-1", last.log())
        self.assertEqual(states(), ["passed"] * 3)
        again = self.start("0")
        self.assertEqual(again.wait(), 0, again.log())
        self.assertEqual(again.log().count("is passed already"), 3)


class Stage(harness.BrokerTest):
    use_redis = False
    arguments = ("--pipeline-out", "tcp://127.0.0.1:*")

    def test_stage_in_c_works_on_each_task(self):
        stage = harness.Process([harness.program("examples/pipeline/stage"),
                                 self.ask("info")["endpoints"]["pipeline-out"], "100"], env=self.broker.environment())
        self.addCleanup(stage.kill)
        tasks = ["stage-%d" % number for number in range(100)]
        self.producer().publish(*[created(task) for task in tasks])
        self.assertEqual(stage.wait(), 0, stage.log())
        self.assertEqual([self.ask("task.get", task_id=task)["task"]["state"] for task in tasks], ["passed"] * 100)
        self.assertEqual(self.ask("producer.get", producer="stage")["producer"]["sequence"], 200)


class Quickstart(unittest.TestCase):
    def setUp(self):
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment = dict(os.environ, STELE_BUILD=harness.BUILD, TMPDIR=self.folder, NO_COLOR="1")
        self.environment.pop("STELE_REDIS", None)
        self.command = ["bash", os.path.join(EXAMPLES, "quickstart.sh")]

    def test_without_a_terminal_shows_the_story_and_leaves_only_the_ledger(self):
        #   Nobody sits at a terminal: it ends by itself
        done = subprocess.run(self.command, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.PATIENCE * 2)
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 0, text)
        for words in ("csv-export/tests", "49 events", "a comma in a product name splits the field"):
            self.assertIn(words, text)
        made, = os.listdir(self.folder)
        self.assertTrue(os.path.exists(os.path.join(self.folder, made, "tasks.db")))
        self.assertFalse([name for name in os.listdir(os.path.join(self.folder, made))
                          if name.startswith(("redis", "events", "requests"))])

    def test_without_exit_goes_on_until_it_is_stopped(self):
        quickstart = harness.Process(self.command + ["--stay"], env=self.environment)
        self.addCleanup(quickstart.kill)
        line = quickstart.wait_line("export STELE_REQUESTS=")
        endpoint = re.search(r"STELE_REQUESTS=(\S+)", line).group(1)
        quickstart.wait_line("stele --help")
        done = subprocess.run([harness.program("stele"), "ping"], timeout=harness.PATIENCE,
                              stdout=subprocess.DEVNULL, env=dict(self.environment, STELE_REQUESTS=endpoint))
        self.assertEqual(done.returncode, 0)
        quickstart.signal(signal.SIGTERM)
        self.assertEqual(quickstart.wait(), 143)
        self.assertIn("the ledger remains in", quickstart.log())

    def test_with_a_file_of_ones_own(self):
        path = os.path.join(self.folder, "mine.jsonl")
        with open(path, "w") as file:
            file.write('{"type":"task.created","task_id":"mine","title":"T","description":"D","role":"r"}\n')
        done = subprocess.run(self.command + [path, "--exit"], env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=harness.PATIENCE * 2)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        self.assertIn("mine", done.stdout.decode())

    def test_with_a_file_that_is_not_there(self):
        done = subprocess.run(self.command + ["/no/such.jsonl"], env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    harness.main()
