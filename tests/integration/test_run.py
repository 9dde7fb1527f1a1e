# `stele run`: commands as tasks, with the real broker, real signals and no broker at all
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import pty
import select
import signal
import subprocess
import sys

import harness


class Run(harness.BrokerTest):
    use_redis = False

    def setUp(self):
        super().setUp()
        self.task = self.name("task")
        self.before = self.ask("ping")["position"]
        self.state = os.path.join(self.folder, self.name("state"))

    def environment(self, **more):
        return dict(self.broker.environment(), XDG_STATE_HOME=self.state, **more)

    hangs = False

    def patience(self):
        """`stele run` goes on alone after a second without an answer, which a broker on a slow machine may need.
        Much more is not possible: after 20 s it takes its own disk for hung."""
        return ["--timeout", "15000"] if self.broker.running() and not self.hangs else []

    def command(self, *words, options=()):
        return [harness.program("stele"), *self.patience(), "run", "--task", self.task, *options, "--", *words]

    def run_it(self, *words, options=(), status=0, input=None, env=None):
        """Run a command as a task; returns its stdout."""
        done = subprocess.run(self.command(*words, options=options), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=env or self.environment(), input=input,
                              timeout=harness.PATIENCE)
        self.stderr, self.status = done.stderr, done.returncode
        if status is not None:
            self.assertEqual(self.status, status, done.stderr)
        return done.stdout

    def start(self, *words, options=()):
        child = harness.Process(self.command(*words, options=options), env=self.environment())
        self.addCleanup(child.kill)
        return child

    def record(self, task=None):
        return self.ask("task.get", task_id=task or self.task)["task"]

    def states(self):
        return [event["state"] for event in self.read_events(self.before)
                if event["type"] == "task.state_changed" and event["task_id"] == self.task]

    def contents(self, *types):
        return [event["content"] for event in self.read_events(self.before)
                if event["type"] == "task.output_added" and event["task_id"] == self.task
                and event["output_type"] in types]

    def recorded(self, *types):
        return b"".join(part if isinstance(part, bytes) else part.encode()
                        for part in self.contents(*types))

    def spool(self):
        return glob.glob(os.path.join(self.state, "stele", "run", "*", "*.spool"))

    #   -- what is recorded --

    def test_a_command_is_a_task(self):
        out = self.run_it("sh", "-c", "echo out; echo err >&2; read line; echo got $line", input=b"in\n",
                          options=("--title", "A title", "--role", "builder", "--parent", "p1"))
        self.assertEqual((out, self.stderr), (b"out\ngot in\n", b"err\n"))
        record = self.record()
        self.assertEqual([record[key] for key in ("state", "title", "role", "parent_id", "attempt", "error_count")],
                         ["passed", "A title", "builder", "p1", 1, 0])
        self.assertEqual(record["description"], "sh -c 'echo out; echo err >&2; read line; echo got $line'")
        self.assertEqual(record["metadata"]["directory"], os.getcwd())
        self.assertEqual(self.recorded("stdout"), out)
        self.assertEqual(self.recorded("stderr"), b"err\n")
        metrics = {row["name"]: row for row in self.ask("task.metrics", task_id=self.task)["metrics"]}
        self.assertEqual(sorted(metrics), ["max_resident", "system_time", "user_time", "wall_time"])
        self.assertGreater(metrics["wall_time"]["value"], 0)
        self.assertGreater(metrics["max_resident"]["value"], 100000)
        self.assertEqual(self.ask("rejected.list")["rejected"], [])

    def test_the_exit_status_is_that_of_the_command(self):
        for words, status, state, error in (
                (["true"], 0, "passed", None),
                (["sh", "-c", "exit 3"], 3, "failed", "exit status 3"),
                (["sh", "-c", "exit 255"], 255, "failed", "exit status 255"),
                (["sh", "-c", "kill -9 $$"], 137, "failed", "killed by SIGKILL"),
                (["sh", "-c", "kill -15 $$"], 143, "failed", "killed by SIGTERM"),
                (["/no/such/command"], 127, "failed", "cannot be started: No such file or directory"),
                (["/etc/passwd"], 126, "failed", "cannot be started: Permission denied")):
            self.task = "%s-%s-%d" % (self.name("task"), words[0][1:3], status)
            self.run_it(*words, status=status)
            record = self.record()
            self.assertEqual((record["state"], record["last_error"] if error else None), (state, error))
            last = [event for event in self.read_events(self.before) if event.get("task_id") == self.task][-1]
            self.assertEqual(last["details"]["exit_status"], status)

    def test_a_script_without_an_interpreter_runs_as_from_a_shell(self):
        path = os.path.join(self.folder, self.name("script"))
        with open(path, "w") as file:
            file.write("echo $1\nexit 6\n")
        os.chmod(path, 0o755)
        self.assertEqual(self.run_it(path, "x", status=6), b"x\n")

    def test_the_command_runs_unrecorded_if_recording_is_impossible(self):
        done = subprocess.run(["prlimit", "--nofile=20", *self.command("sh", "-c", "echo x; exit 5")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment())
        self.assertEqual((done.returncode, done.stdout), (5, b"x\n"))
        self.assertIn(b"the command is not recorded", done.stderr)

    def test_outputs_are_recorded_while_the_command_runs(self):
        child = self.start("sh", "-c", "echo first; read line < %s; echo second" % self.fifo("go"))
        child.wait_line("first")
        harness.wait_until(lambda: self.recorded("stdout") == b"first\n", "the first output")
        self.assertEqual(self.record()["state"], "running")
        with open(self.fifo("go"), "w") as go:
            go.write("go\n")
        self.assertEqual(child.wait(), 0)
        self.assertEqual(self.recorded("stdout"), b"first\nsecond\n")

    def fifo(self, name):
        path = os.path.join(self.folder, self.name(name))
        if not os.path.exists(path):
            os.mkfifo(path)
        return path

    def test_binary_output_is_unchanged(self):
        path = os.path.join(self.folder, self.name("binary"))
        data = os.urandom(300000) + b"\0\xff\xc3"
        with open(path, "wb") as file:
            file.write(data)
        self.assertEqual(self.run_it("cat", path), data)
        self.assertEqual(self.recorded("stdout"), data)
        self.assertTrue(all(len(part) <= 65536 for part in self.contents("stdout")))

    def test_text_is_not_cut_within_a_character(self):
        text = "x" + "é€😀" * 30000
        path = os.path.join(self.folder, self.name("text"))
        with open(path, "w") as file:
            file.write(text)
        self.run_it("cat", path)
        parts = self.contents("stdout")
        self.assertGreater(len(parts), 2)
        self.assertEqual("".join(parts), text)              # TypeError if one is bytes

    def test_more_output_than_the_queue_holds_is_recorded_whole(self):
        size = 20 << 20
        child = subprocess.Popen(self.command("head", "-c", str(size), "/dev/zero"), env=self.environment(),
                                 stdout=subprocess.PIPE)
        passed = 0
        while part := child.stdout.read(1 << 20):
            passed += len(part)
        child.stdout.close()
        self.assertEqual((child.wait(), passed), (0, size))
        self.assertEqual(len(self.recorded("stdout", "diagnostic")), size)

    def test_merged_outputs_keep_their_order(self):
        script = "for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done"
        expected = "".join("out%d\nerr%d\n" % (i, i) for i in range(1, 10)).encode()
        self.assertEqual(self.run_it("sh", "-c", script, options=("--merge",)), expected)
        self.assertEqual(self.recorded("stdout"), expected)

    def test_only_the_end_of_the_output_or_none_is_recorded(self):
        out = self.run_it("seq", "100000", options=("--output", "tail:1000"))
        self.assertEqual(out[-7:], b"100000\n")
        self.assertEqual(self.recorded("stdout"), out[-1000:])
        self.assertEqual(self.recorded("diagnostic"), b"%d earlier bytes of stdout were not kept\n" % (len(out) - 1000))
        self.task += "-none"
        self.assertEqual(self.run_it("echo", "x", options=("--output", "none")), b"x\n")
        self.assertEqual(self.recorded("stdout"), b"")

    def test_a_reader_that_leaves_ends_the_command_as_without(self):
        child = subprocess.Popen(self.command("yes", options=("--output", "none")), stdout=subprocess.PIPE,
                                 env=self.environment())
        self.assertEqual(child.stdout.read(2), b"y\n")
        child.stdout.close()
        self.assertEqual(child.wait(harness.PATIENCE), 141)
        self.assertEqual(self.record()["last_error"], "killed by SIGPIPE")

    def test_a_process_left_behind_does_not_delay_the_end(self):
        path = self.fifo("left")
        out = self.run_it("sh", "-c", "read x < %s & echo started" % path)
        self.assertEqual(out, b"started\n")
        with open(path, "w"):                               # Opens only if the process is there
            pass

    def test_the_command_finds_its_task_and_is_the_parent_of_nested_ones(self):
        inner = self.name("inner")
        out = self.run_it("sh", "-c", 'echo $STELE_TASK; "$0" %s run --task %s -- echo in' % (" ".join(self.patience()), inner),
                          harness.program("stele"))
        self.assertEqual(out.decode(), "%s\nin\n" % self.task)
        self.assertEqual(self.record(inner)["parent_id"], self.task)

    def test_a_task_has_an_id_without_the_option(self):
        out = subprocess.run([harness.program("stele"), *self.patience(), "run", "--title", self.task, "--", "sh", "-c", "echo $STELE_TASK"],
                             stdout=subprocess.PIPE, env=self.environment(), check=True).stdout
        self.assertEqual(self.record(out.decode().strip())["title"], self.task)

    def test_wrong_usage_runs_nothing(self):
        path = os.path.join(self.folder, self.name("ran"))
        for options in (("--timeout", "x"), ("--output", "some"), ("--producer", ""), ("--title", "x" * 2000)):
            self.run_it("touch", path, options=options, status=os.EX_USAGE)
        self.assertFalse(os.path.exists(path))

    def test_completion(self):
        self.assertEqual(self.stele("completion", "words", "--", "run", "--ret").split(), [b"--retries"])
        self.assertEqual(self.stele("completion", "words", "--", "run", "--output", "").split(), [b"all", b"none", b"tail:"])

    #   -- attempts, time-outs, signals --

    def test_retries_are_attempts(self):
        path = os.path.join(self.folder, self.name("tries"))
        self.run_it("sh", "-c", "echo x >> %s; [ $(wc -l < %s) = 3 ]" % (path, path), options=("--retries", "5"))
        self.assertEqual(self.states()[1:], ["running", "failed", "queued"] * 2 + ["running", "passed"])
        self.assertEqual((self.record()["attempt"], self.record()["error_count"]), (3, 2))
        self.task += "-never"
        self.run_it("sh", "-c", "exit 9", options=("--retries", "1"), status=9)
        self.assertEqual((self.record()["attempt"], self.record()["state"]), (2, "failed"))

    def test_the_same_id_again_is_another_attempt(self):
        self.run_it("true")
        self.run_it("true")
        self.assertEqual((self.record()["attempt"], self.record()["state"]), (2, "passed"))
        self.assertEqual(self.ask("rejected.list")["rejected"], [])

    def test_timeout_ends_the_command_and_its_children(self):
        path = self.fifo("alive")
        self.run_it("sh", "-c", "sleep 1000 > %s & echo $!; wait" % path, status=143, options=("--timeout", "0.3"))
        self.assertEqual((self.record()["state"], self.record()["last_error"]),
                         ("timeout", "still running after 0.3 s: killed by SIGTERM"))

    def test_a_command_that_ignores_the_timeout_is_killed(self):
        path = self.name("trapped")
        for seconds in (0.2, 0.8, 3.2, 12.8, 51.2):
            self.task = "%s-%s" % (self.name("task"), seconds)
            trapped = os.path.join(self.folder, "%s-%s" % (path, seconds))
            self.run_it("sh", "-c", "trap '' TERM; touch %s; while :; do sleep 0.05; done" % trapped, status=None,
                        options=("--timeout", str(seconds), "--grace", "0.2"))
            if os.path.exists(trapped):             # Else the time-out was before the shell could ignore it
                break
        self.assertEqual((self.status, self.record()["state"], self.record()["last_error"]),
                         (137, "timeout", "still running after %s s: killed by SIGKILL" % seconds))

    def test_signals_are_passed_on(self):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)):
            self.task = "%s-%d" % (self.name("task"), number)
            child = self.start("sh", "-c", "echo ready; exec sleep 1000", options=("--retries", "3"))
            child.wait_line("ready")
            child.signal(number)
            self.assertEqual(child.wait(), status)
            self.assertEqual(self.record()["state"], "cancelled")
            self.assertEqual(self.record()["attempt"], 1)

    def test_an_ignored_signal_is_none(self):
        child = harness.Process(["nohup", *self.command("sh", "-c", "echo ready; read line < %s; exit 2" % self.fifo("go"))],
                                env=self.environment())
        self.addCleanup(child.kill)
        child.wait_line("ready")
        child.signal(signal.SIGHUP)
        with open(self.fifo("go"), "w") as go:
            go.write("go\n")
        self.assertEqual((child.wait(), self.record()["state"]), (2, "failed"))

    def test_a_command_that_handles_a_signal_decides_its_status(self):
        for code, state in ((7, "cancelled"), (0, "passed")):
            self.task = "%s-%d" % (self.name("task"), code)
            child = self.start("sh", "-c", "trap 'exit %d' TERM; echo ready; while :; do sleep 0.02; done" % code)
            child.wait_line("ready")
            child.signal(signal.SIGTERM)
            self.assertEqual((child.wait(), self.record()["state"]), (code, state))

    def test_a_stopped_run_is_paused(self):
        child = self.start("sh", "-c", "echo ready; while :; do sleep 0.02; done")
        harness.wait_until(lambda: self.recorded("stdout"), "the output")
        child.child.send_signal(signal.SIGTSTP)
        os.waitid(os.P_PID, child.child.pid, os.WSTOPPED)
        harness.wait_until(lambda: self.states()[-1:] == ["paused"], "the state paused")
        child.signal(signal.SIGCONT)
        harness.wait_until(lambda: self.states()[-1:] == ["running"], "the state running")
        child.signal(signal.SIGTERM)
        self.assertEqual(child.wait(), 143)

    def test_at_a_terminal_ctrl_c_reaches_the_command_once(self):
        #   The command takes the signal when it asks for it: a handler may run too early or too late for a test
        terminal = self.terminal("""import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("ready", flush=True)
signal.sigwait([signal.SIGINT])
print("caught", flush=True)
print("line=%s again=%d" % (input(), len(signal.sigpending())))
sys.exit(5)""")
        self.read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        self.read_until(terminal, b"caught")
        os.write(terminal, b"typed\n")
        self.read_until(terminal, b"exit status 5")
        self.assertIn(b"line=typed again=0", self.seen)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1]), 5)

    def terminal(self, script):
        self.seen = b""
        self.child, terminal = pty.fork()
        if self.child == 0:
            os.execve(self.command()[0], self.command(sys.executable, "-c", script), self.environment())
        self.addCleanup(os.close, terminal)
        return terminal                                     # Closed, it ends the command

    def read_until(self, terminal, text):
        """All that was shown so far is in self.seen."""
        while text not in self.seen:
            self.assertTrue(select.select([terminal], [], [], harness.PATIENCE)[0], self.seen)
            self.seen += os.read(terminal, 1000)

    def send_what_waits(self, *tasks):
        """The next run sends for two seconds what earlier ones have left: on a slow machine, one may not be enough."""
        def are_recorded():
            self.task += "-next"
            self.run_it("true")
            self.assertEqual(self.stderr, b"")
            answers = [self._answer("task.get", {"task_id": task}) for task in (*tasks, self.task)]
            return all(answer["ok"] and answer["task"]["state"] in ("passed", "failed") for answer in answers)
        harness.wait_until(are_recorded, "the tasks of earlier runs")

    #   -- without a broker --

    def without_broker(self):
        self.broker.stop()
        self.addCleanup(lambda: self.broker.running() or self.start_broker())

    def test_without_a_broker_nothing_is_lost(self):
        self.without_broker()
        first = self.task
        self.assertEqual(self.run_it("sh", "-c", "echo kept; exit 4", status=4), b"kept\n")
        self.assertIn(b"are durable in " + self.spool()[0].encode(), self.stderr)
        self.start_broker()
        self.send_what_waits(first)
        self.assertEqual(self.record(first)["state"], "failed")
        self.task = first
        self.assertEqual(self.recorded("stdout"), b"kept\n")

    def test_a_broker_that_hangs_delays_nothing_for_long(self):
        self.broker.signal(signal.SIGSTOP)
        self.addCleanup(self.broker.signal, signal.SIGCONT)
        self.hangs = True
        self.run_it("true")
        self.assertIn(b"are durable in", self.stderr)
        self.broker.signal(signal.SIGCONT)
        self.hangs = False
        self.send_what_waits(self.name("task"))
        self.assertEqual(self.record(self.name("task"))["state"], "passed")

    def test_a_damaged_spool_is_left_alone(self):
        self.run_it("true")
        with open(self.spool()[0], "r+b") as file:
            file.write(b"damaged")
        self.run_it("true")
        self.assertEqual((self.stderr, len(self.spool())), (b"", 2))

    def test_memory_does_not_grow_with_the_output(self):
        self.without_broker()
        child = subprocess.Popen(self.command("head", "-c", str(160 << 20), "/dev/zero"),
                                 env=self.environment(ASAN_OPTIONS="quarantine_size_mb=8"),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(child.returncode, 0)
        self.assertGreater(os.path.getsize(self.spool()[0]), 160 << 20)
        self.assertLess(usage.ru_maxrss, 128 << 10)         # KiB

    def test_runs_at_the_same_time_have_spools_of_their_own(self):
        self.without_broker()
        first = self.start("sh", "-c", "echo ready; read line < %s" % self.fifo("go"))
        first.wait_line("ready")
        harness.wait_until(self.spool, "the spool of the first run")
        self.task += "-second"
        self.run_it("echo", "second")
        self.assertEqual(len(self.spool()), 2)
        with open(self.fifo("go"), "w") as go:
            go.write("go\n")
        first.wait()
        self.start_broker()
        tasks = [self.name("task"), self.name("task") + "-second"]
        self.send_what_waits(*tasks)
        for task in tasks:
            self.assertEqual(self.record(task)["state"], "passed")

    def test_a_new_ledger_is_no_obstacle(self):
        self.run_it("true")
        self.without_broker()
        self.before = 0
        for path in glob.glob(self.broker.ledger + "*"):
            os.rename(path, path + ".old" + self.task)
        self.start_broker()
        self.run_it("true")
        self.assertIn(b"ledger", self.stderr)
        self.assertEqual(self.record()["state"], "passed")
        self.run_it("true")
        self.assertEqual(self.stderr, b"")

    def test_without_a_place_for_a_spool_it_works_with_a_broker(self):
        self.run_it("echo", "x", options=("--spool", "/dev/null/spool"))
        self.assertIn(b"cannot create the folder of the spool", self.stderr)
        self.assertEqual(self.record()["state"], "passed")

    def test_a_full_disk_does_not_stop_the_command(self):
        #   The limit of file sizes stands for the disk: the spool cannot grow beyond it
        self.without_broker()
        out = subprocess.run(["prlimit", "--fsize=100000", *self.command("head", "-c", "1000000", "/dev/zero")],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment())
        self.assertEqual((out.returncode, len(out.stdout)), (0, 1000000))
        self.assertIn(b"bytes of output were not recorded", out.stderr)

    def test_with_a_full_disk_the_broker_gets_the_end(self):
        self.run_it("true")                                 # The spool exists
        done = subprocess.run(["prlimit", "--fsize=12500", *self.command("sh", "-c", "seq 1000; exit 3")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment())
        self.assertEqual((done.returncode, len(done.stdout)), (3, 3893))
        self.assertEqual((self.record()["state"], self.record()["last_error"]), ("failed", "exit status 3"))
        self.task += "-next"
        self.run_it("true")
        self.assertEqual(self.stderr, b"")

    def test_a_killed_run_is_interrupted_and_the_command_continues(self):
        child = self.start("sh", "-c", "trap '' PIPE; echo ready; read line < %s; echo more; echo done > %s" % (
            self.fifo("go"), self.fifo("end")))
        child.wait_line("ready")
        harness.wait_until(lambda: self.recorded("stdout"), "the output")
        child.child.kill()
        child.child.wait()
        killed = self.task
        self.send_what_waits(killed)
        record = self.record(killed)
        self.assertEqual((record["state"], record["interrupted"]), ("failed", True))
        with open(self.fifo("go"), "w") as go:
            go.write("go\n")
        with open(self.fifo("end")) as end:
            self.assertEqual(end.read(), "done\n")


if __name__ == "__main__":
    harness.main()
