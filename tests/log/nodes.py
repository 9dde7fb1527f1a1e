# nodes - nodes of a shared log: programs that run the commands of log_tool
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import subprocess
import time
import unittest
import uuid

import harness
import postgres

#   Milliseconds. Long enough that no lease ends and no call times out by chance; tests of an end or a
#   time-out choose their own.
LEASE = 600000
TIMEOUT = 1000 * harness.PATIENCE


class Node:
    def __init__(self, url, log, name, lease=LEASE, timeout=TIMEOUT, unreplicated=False):
        command = [harness.program("tests/log/log_tool"), url, log, name, str(lease), str(timeout)]
        self.process = harness.Process(command + (["unreplicated"] if unreplicated else []), stdin=subprocess.PIPE)
        self.seen = 0
        self.ready = self.answer()

    def answer(self):
        """The next line of its output."""
        deadline = time.monotonic() + 2 * harness.PATIENCE
        with self.process.changed:
            while len(self.process.lines) <= self.seen:
                if not self.process.changed.wait(max(0, deadline - time.monotonic())):
                    raise AssertionError("no answer:\n" + self.process.log_locked())
            self.seen += 1
            line = self.process.lines[self.seen - 1]
        if line is None:
            raise AssertionError("the node has ended:\n" + self.process.log())
        return line

    def tell(self, command):
        self.process.child.stdin.write(command.encode() + b"\n")
        self.process.child.stdin.flush()

    def ask(self, command):
        self.tell(command)
        return self.answer()

    def read(self, upto):
        """The batches that it reads: (number, first, last, epoch, size); and the last line."""
        self.tell("read %d" % upto)
        batches = []
        while True:
            line = self.answer()
            if not line.startswith("batch "):
                return batches, line
            batches.append(tuple(int(word) for word in line.split()[1:]))

    def head(self):
        names = ("ledger", "epoch", "number", "position", "safe", "writer", "expired")
        values = self.ask("head").split()
        return {name: value if name in ("ledger", "writer") else int(value) for name, value in zip(names, values)}

    def kill(self):
        self.process.kill()
        self.process.child.stdin.close()


class Case(unittest.TestCase):
    """One primary and its synchronous standby for all tests of a file; a log of its own for each test."""

    pair = None

    @classmethod
    def setUpClass(cls):
        if Case.pair is None:
            Case.pair = postgres.Pair()
            unittest.addModuleCleanup(Case.pair.close)

    def setUp(self):
        self.ledger = str(uuid.uuid4())
        self.log = "log-" + self.ledger[:8]

    def node(self, name, url=None, log=None, **options):
        node = Node(url or self.pair.primary.url(), log or self.log, name, **options)
        self.addCleanup(node.kill)
        self.assertEqual(node.ready, "ready")
        return node

    def proxy(self):
        proxy = postgres.Proxy(self.pair.primary, "proxy-" + self.log)
        self.addCleanup(proxy.close)
        return proxy

    def writer(self, name="a", **options):
        """A node that leads a new log."""
        node = self.node(name, **options)
        self.assertEqual(node.ask("create %s 0" % self.ledger), "ok")
        self.assertEqual(node.ask("lead"), "leads 1 0 0")
        return node

    def reader(self, name="r", **options):
        """A node that has read nothing yet."""
        node = self.node(name, **options)
        self.assertEqual(node.head()["ledger"], self.ledger)
        self.assertEqual(node.ask("forget %s 0" % self.ledger), "ok")
        return node

    def count(self, where):
        return int(self.pair.primary.sql(
            "SELECT count(*) FROM stele_log WHERE ledger = '%s' AND %s" % (self.ledger, where)))
