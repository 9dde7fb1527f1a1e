# Interactive views: stele show, stele list --watch, stele top, completion in a shell
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import harness
from client import changed, command, created, metric, output, started

CLEAR = b"\x1b[H\x1b[2J"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, arguments, environment, rows=20, columns=100):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            #   The terminal has its size first
            while struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))[0] == 0:
                time.sleep(0.001)
            os.execve(arguments[0], arguments, dict(environment, TERM="xterm"))
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, patience):
        """What came, None at the end."""
        if not select.select([self.fd], [], [], patience)[0]:
            return b""
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return None
        self.seen += data
        return data or None

    def pictures(self):
        """Those that are complete."""
        parts = self.seen.split(CLEAR)[1:]
        return [part.split(b"\x1b7")[0].decode("utf-8", "replace") for part in parts if b"\x1b7" in part]

    def wait(self, condition, patience=harness.PATIENCE):
        deadline = time.monotonic() + patience
        while not condition(self):
            if time.monotonic() > deadline or self.read(0.2) is None:
                raise AssertionError("not seen on the terminal:\n%s" % self.seen.decode("utf-8", "replace")[-4000:])

    def type(self, text):
        os.write(self.fd, text)

    def end(self, patience=harness.PATIENCE):
        """Exit status, once it ends by itself."""
        deadline = time.monotonic() + patience
        while self.read(0.2) is not None:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Live(harness.BrokerTest):
    use_redis = False

    def terminal(self, *arguments, **options):
        return Terminal([harness.program("stele"), *arguments], self.broker.environment(), **options)

    def story(self):
        task = self.name("task")
        self.producer().publish(
            created(task, title="Watch me"), changed(task, "running"), output(task, "a line\n"),
            *[metric(task, "speed", value, unit="m/s") for value in (1, 2, 3, 4, 5, 6, 7, 8)],
            started(self.name("session"), task_id=task), command(self.name("session"), "make"),
            changed(task, "failed", error_message="no luck"))
        return task

    #   show

    def test_show_has_all_on_a_page(self):
        task = self.story()
        text = self.stele("show", task).decode()
        for part in (task, "Watch me", "Timeline", "no luck", "Outputs", "a line", "Sessions",
                     self.name("session"), "Metrics", "▁▂▃▄▅▆▇█  8 m/s  (8, 1 to 8)"):
            self.assertIn(part, text)
        whole = json.loads(self.stele("show", task, "--json"))
        self.assertEqual(whole["task"]["state"], "failed")
        self.assertEqual([row["state_to"] for row in whole["history"]], ["failed", "running", "queued"])
        self.assertEqual((len(whole["outputs"]), len(whole["sessions"]), len(whole["metrics"])), (1, 1, 8))

    def test_show_of_nothing_says_so(self):
        self.stele("show", "nobody knows it", status=1)
        self.assertIn("nobody knows it", self.stderr)

    #   list --watch

    def test_watch_shows_what_changes_and_quits_with_q(self):
        task = self.name("task")
        producer = self.producer()
        producer.publish(created(task, role=self.name("role")))
        terminal = self.terminal("list", "--role", self.name("role"), "--interval", "1")
        terminal.wait(lambda it: it.pictures() and "queued" in it.pictures()[-1])
        producer.publish(changed(task, "running"))
        terminal.wait(lambda it: "running" in it.pictures()[-1])
        terminal.type(b"q")
        self.assertEqual(terminal.end(), 0)
        self.assertIn(b"\x1b[?1049h", terminal.seen)
        self.assertTrue(terminal.seen.rstrip().endswith(b"\x1b[?1049l"), terminal.seen[-100:])

    def test_watch_without_a_terminal_goes_on_until_it_is_ended(self):
        task = self.story()
        process = harness.Process([harness.program("stele"), "list", "--watch", "--interval", "1"],
                                  env=self.broker.environment())
        process.wait_line(task)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)
        self.assertNotIn("\x1b", process.log())

    #   top

    def test_top_follows_the_size_of_the_terminal(self):
        self.story()
        terminal = self.terminal("top", rows=12, columns=60)
        terminal.wait(lambda it: it.pictures() and "stele top" in it.pictures()[-1] and "events" in it.pictures()[-1])
        width = lambda it: max(map(len, it.pictures()[-1].splitlines()))
        before = width(terminal)
        terminal.resize(40, 150)
        terminal.wait(lambda it: width(it) > max(60, before))
        terminal.type(b"q")
        self.assertEqual(terminal.end(), 0)

    def test_pictures_fit_the_terminal(self):
        """No more lines than it has, its own header first, and what is longer than a line is cut."""
        peer = self.producer()
        for number in range(40):
            task = "%s-%02d" % (self.name("a-task-with-a-long-id"), number)
            peer.publish(created(task, title="Über die Dächer, 屋根の上 " * 3, provider="a-provider", model="a-model-7"),
                         changed(task, "running"))
        for command, head in (("top", "stele top"), ("list -n 20 --interval 1", "tasks at position")):
            for rows, columns in ((24, 80), (20, 100), (20, 60), (8, 40)):
                terminal = self.terminal(*command.split(), rows=rows, columns=columns)
                terminal.wait(lambda it: len(it.pictures()) > 1 and "TASK" in it.pictures()[-1])
                lines = [re.sub("\x1b\\[[0-9;]*m", "", line.rstrip("\r"))
                         for line in terminal.pictures()[-1].split("\n")]
                terminal.type(b"q")
                self.assertEqual(terminal.end(), 0)
                self.assertLessEqual(len(lines), rows, (command, rows, columns))
                self.assertIn(head, lines[0])
                self.assertIn(b"\x1b[?7l", terminal.seen)           # Cut, not wrapped,
                self.assertTrue(terminal.seen.rstrip().endswith(b"\x1b[?1049l"))
                self.assertIn(b"\x1b[?7h", terminal.seen)           # until the end
                header = [line for line in lines if line.startswith("TASK")]
                self.assertEqual(len(header), 1, lines)
                if columns >= 80:
                    self.assertIn("TITLE", header[0][:columns], lines)
                    self.assertLessEqual(max(len(line) for line in lines if line.startswith("a-task")), columns)

    def test_top_waits_for_a_broker_that_is_away(self):
        terminal = self.terminal("top", "--timeout", "500")
        terminal.wait(lambda it: it.pictures())
        self.broker.stop()
        terminal.wait(lambda it: b"no answer" in it.seen)
        count = len(terminal.pictures())
        self.start_broker()
        terminal.wait(lambda it: len(it.pictures()) > count)
        terminal.type(b"\x03")
        self.assertEqual(terminal.end(), 0)

    def test_top_without_a_terminal_prints_pictures(self):
        task = self.story()
        text = self.stele("top", "--count", "1").decode()
        self.assertIn(task, text)
        self.assertNotIn("\x1b", text)
        stats = [json.loads(line) for line in self.stele("top", "--count", "2", "--json").splitlines()]
        self.assertEqual(len(stats), 2)
        self.assertIn("ingest", stats[0])

    #   completion

    def complete(self, *words):
        return self.stele("completion", "words", "--", *words).decode().splitlines()

    def test_completion_knows_commands_options_states_and_ids(self):
        task = self.story()
        self.assertEqual(self.complete("sta"), ["status", "stats"])
        self.assertIn("--state", self.complete("list", "--"))
        self.assertIn("--requests", self.complete("list", "--re"))
        self.assertEqual(self.complete("list", "--state", "fa"), ["failed"])
        self.assertEqual(self.complete("sessions", "--state", "pro"), ["processing"])
        self.assertEqual(self.complete("mode", ""), ["dual", "sqlite", "redis"])
        self.assertEqual(self.complete("export", "--table", "task_o"), ["task_outputs"])
        self.assertEqual(self.complete("export", "-f", "c"), ["csv"])
        self.assertEqual(self.complete("stats", "--by", "h"), ["hour"])
        self.assertEqual(self.complete("outputs", "--type", "di"), ["diagnostic"])
        self.assertEqual(self.complete("list", "--state=fa"), ["--state=failed"])
        self.assertEqual(self.complete("list", "--state=nonsense"), [])
        harness.wait_until(lambda: self.complete("--json", "get", task[:-1]) == [task], "the task's id")
        self.assertEqual(self.complete("ping", task[:-1]), [])

    def test_bash_completes_an_odd_id(self):
        task = self.name("odd $task's")
        self.producer().publish(created(task))
        self.assertEqual(self.bash("stele get odd", ["stele", "get", "odd"]), [task])

    def bash(self, line, words, breaks=" :="):
        """What bash offers, unquoted; on a slow machine the broker may have no time for an answer at once, and nothing is."""
        return harness.wait_until(lambda: self.bash_once(line, words, breaks), "words for %r" % line)

    def bash_once(self, line, words, breaks):
        """bash splits the line into words at its COMP_WORDBREAKS."""
        script = ('source <("$0" completion bash); stele () { "$STELE" "$@"; }; COMP_WORDBREAKS=$1; COMP_LINE=$2; '
                  'shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _stele; '
                  'for word in "${COMPREPLY[@]}"; do eval "printf \'%s\\\\n\' $word"; done')
        environment = dict(self.broker.environment(), STELE=harness.program("stele"))
        done = subprocess.run(["bash", "-c", script, harness.program("stele"), breaks, line, *words], env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        self.assertEqual(done.stderr, b"")
        return done.stdout.decode().splitlines()

    def test_bash_completes_ids_and_values_with_a_colon_or_an_equals_sign(self):
        start = self.name("a")
        self.producer().publish(created(start + ":7"), created(start + ":env=prod"), created(start + "\0:8"))
        #   readline replaces what follows the last break
        self.assertEqual(sorted(self.bash("stele get %s:" % start, ["stele", "get", start, ":", ""])), ["7", "env=prod"])
        self.assertEqual(sorted(self.bash("stele get %s:" % start, ["stele", "get", start, ":"])), ["7", "env=prod"])
        self.assertEqual(self.bash("stele get %s:env=p" % start, ["stele", "get", start, ":", "env", "=", "p"]), ["prod"])
        self.assertEqual(self.bash("stele get %s:e" % start, ["stele", "get", start + ":e"], " "), [start + ":env=prod"])
        self.assertEqual(self.bash("stele list --state=ru", ["stele", "list", "--state", "=", "ru"]), ["running"])
        self.assertEqual(self.bash("stele list --state ru", ["stele", "list", "--state", "ru"]), ["running"])
        self.assertEqual(self.complete("list", "--state=ru"), ["--state=running"])
        harness.wait_until(lambda: start + "\\x00:8" in self.complete("get", start), "the task with a NUL")

    def test_bash_completes_ids_with_colons_and_equals_signs(self):
        """In a real interactive bash, which splits words at ':' and '='."""
        name = self.name("t")
        ids = ["repo:%s/main" % name, "job=%s:nightly" % name]
        self.producer().publish(*[created(task) for task in ids])
        for typed, whole in (("get repo:t", ids[0]), ("get repo:", ids[0]), ("get rep", ids[0]), ("get job=t", ids[1]),
                             ("get job=%s:n" % name, ids[1]), ("list --state=fa", "--state=failed")):
            master, child = pty.openpty()
            bash = subprocess.Popen(
                ["bash", "--norc", "--noprofile", "-i"], stdin=child, stdout=child, stderr=child,
                env=dict(self.broker.environment(), TERM="dumb", PS1="",
                         PATH=harness.BUILD + os.pathsep + os.environ["PATH"]))
            os.close(child)
            self.addCleanup(bash.kill)
            output = []
            reader = threading.Thread(target=self.collect, args=(master, output), daemon=True)
            reader.start()
            os.write(master, b"source <(command stele completion bash); stele () { command stele \"$@\" || return; }\n")
            os.write(master, b"echo ready | tr a-z A-Z\n")
            harness.wait_until(lambda: "READY" in "".join(output), "the shell")
            os.write(master, b"echo > /dev/null " + b"; said () { printf '<%s>' \"$@\"; }; complete -F _stele said\n")
            os.write(master, b"said " + typed.encode() + b"\t\n")
            harness.wait_until(lambda: "<%s>" % whole in "".join(output), "%s from %s: %r" % (whole, typed, output))
            os.write(master, b"exit\n")
            bash.wait(harness.PATIENCE)
            reader.join(harness.PATIENCE)
            os.close(master)

    @staticmethod
    def collect(master, output):
        while True:
            try:
                output.append(os.read(master, 65536).decode("utf-8", "replace"))
            except OSError:
                return


if __name__ == "__main__":
    harness.main()
