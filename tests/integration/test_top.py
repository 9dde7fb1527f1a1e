# stele top: fits the terminal, states its age, and shows something without a broker
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

import harness
from client import changed, created


class Terminal:
    """A program on a terminal of that size; view () is the last complete view, as lines."""

    def __init__(self, columns, lines, command, environment):
        self.master, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.child = subprocess.Popen(command, stdin=child, stdout=child, stderr=child,
                                      env=dict(environment, TERM="xterm"))
        os.close(child)
        self.output = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                self.output += os.read(self.master, 65536)
            except OSError:
                return

    def view(self):
        views = self.output.split(b"\033[H\033[2J")[1:]
        whole = [view.split(b"\0337")[0] for view in views if b"\0337" in view]
        text = whole[-1].decode() if whole else ""
        return re.sub(r"\033\[[0-9;?]*[A-Za-z]|\033[78]", "", text).replace("\r", "").splitlines()

    def wait(self, words):
        harness.wait_until(lambda: words in "\n".join(self.view()), words)
        return self.view()

    def end(self):
        if self.child.poll() is None:
            os.write(self.master, b"q")
        status = self.child.wait(harness.PATIENCE)
        self.reader.join(harness.PATIENCE)
        os.close(self.master)
        return status


class Top(harness.BrokerTest):
    def top(self, columns=80, lines=24, *arguments):
        terminal = Terminal(columns, lines, [harness.program("stele"), "top", *arguments], self.broker.environment())
        self.addCleanup(terminal.child.kill)
        return terminal

    def test_fits_every_terminal(self):
        for n in range(30):
            self.producer(self.name("p%d" % n)).publish(created(self.name("task-%d" % n)), changed(
                self.name("task-%d" % n), "running"))
        for columns, lines in ((20, 10), (40, 24), (60, 24), (80, 8), (120, 24), (200, 50)):
            terminal = self.top(columns, lines)
            terminal.wait("ago")
            view = terminal.wait("tasks ")
            self.assertEqual(terminal.end(), 0)
            self.assertLessEqual(len(view), lines)
            for line in view:
                self.assertLessEqual(len(line), columns, (columns, line))

    def test_shows_rates_of_the_last_seconds_and_not_since_the_start(self):
        terminal = self.top(160)
        terminal.wait(" 0 events/s")
        view = terminal.wait(" 0 commits/s")
        self.assertIn("ack since start", view[1])
        terminal.end()

    def test_shows_something_without_a_broker_and_states_its_age(self):
        self.broker.stop()
        self.addCleanup(lambda: self.broker.running() or self.start_broker())
        terminal = self.top()
        terminal.wait("no answer yet")
        self.start_broker()
        terminal.wait(" ago")
        self.broker.kill()
        view = terminal.wait("NO ANSWER for")
        self.assertIn("tasks ", "\n".join(view))        # The last view remains
        self.start_broker()
        terminal.wait(" ago")
        self.assertEqual(terminal.end(), 0)

    def test_without_a_terminal(self):
        self.assertIn("tasks ", self.stele("top", "--count", "1").decode())
        self.stele("top", "--count", "1", "--requests", "ipc://%s/nobody" % self.folder, "--timeout", "100",
                   status=os.EX_UNAVAILABLE)
        self.assertIn("no such socket", self.stderr)


if __name__ == "__main__":
    harness.main()
