# harness - run the real programs in a temporary folder, stop them, leave nothing behind
#
# Every test class gets a temporary folder with a private redis-server on a
# unix socket, a ledger, and a steled on ipc:// endpoints. So tests can run in
# parallel, and next to any other Redis or broker on the machine.
#
# make check sets the environment. To run a test by hand, from the root of the sources:
#
#   PYTHONPATH=tests/integration:tests/conformance python3 tests/conformance/test_feed.py
#
#   STELE_BUILD   folder of the programs steled and stele (default: build)
#   STELE_SRC     folder of the sources
#   STELE_DATA    folder of recorded streams (default: ../shared/data beside the sources)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import client

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.abspath(os.environ.get("STELE_SRC", os.path.join(HERE, "..", "..")))
BUILD = os.path.abspath(os.environ.get("STELE_BUILD", os.path.join(SRC, "build")))
DATA = os.environ.get("STELE_DATA", os.path.join(SRC, "..", "shared", "data"))


#   Seconds. Normally nothing takes that long; on a loaded machine or with a sanitizer it may.
PATIENCE = 120

#   A shell starts background jobs with SIGINT ignored, and children inherit that: a program
#   that a test interrupts would never stop. With a handler here, children start with the default.
signal.signal(signal.SIGINT, signal.default_int_handler)


def program(name):
    return os.path.join(BUILD, name)


def sanitized():
    """Does the broker run under a sanitizer? Sanitizers conflict with a preloaded library,
    and reserve huge amounts of address space."""
    for path in glob.glob(os.path.join(BUILD, "config.status")):
        with open(path) as file:
            return "-fsanitize" in file.read()
    return False


def wait_until(condition, what="the condition", patience=PATIENCE):
    """Return the first true value of condition (). Only for changes without
    a notification (a key in Redis, the end of a process). A KeyError is no
    value: a part of the statistics is empty until its actor has answered once."""
    deadline = time.monotonic() + patience
    while True:
        missing = ""
        try:
            value = condition()
        except KeyError as error:
            value, missing = None, ", there is no %s" % error
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("waited %d s in vain for %s%s" % (patience, what, missing))
        time.sleep(0.005)


def temporary_folder():
    """A folder with a name short enough for unix sockets."""
    folder = tempfile.mkdtemp(prefix="stele-")
    if len(folder) > 60:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="stele-", dir="/tmp")
    return folder


#   Signals that end a program
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGKILL)


class Process:
    """A child process whose output is collected line by line."""

    def __init__(self, command, env=None, cwd=None, stdin=None):
        self.command = command
        self.expected = False               # Its end: the test sent a signal, or waited for it
        self.lines = []
        self.changed = threading.Condition()
        self.child = subprocess.Popen(
            command, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=env, cwd=cwd)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        self.child.stdout.close()
        with self.changed:
            self.lines.append(None)         # End of its output
            self.changed.notify_all()

    def log(self):
        with self.changed:
            return "\n".join(line for line in self.lines if line is not None)

    def wait_line(self, text, patience=PATIENCE):
        """Return the first line with the text; AssertionError if the program ends before."""
        seen = 0
        deadline = time.monotonic() + patience
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    if line is None:
                        raise AssertionError("%s ended with status %d without saying '%s':\n%s" % (
                            self.command[0], self.child.wait(PATIENCE), text, self.log_locked()))
                    if text in line:
                        return line
                seen = len(self.lines)
                if not self.changed.wait(max(0, deadline - time.monotonic())):
                    raise AssertionError("%s did not say '%s' in %d s:\n%s" % (
                        self.command[0], text, patience, self.log_locked()))

    def log_locked(self):
        return "\n".join(line for line in self.lines if line is not None)

    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        """Returns after a SIGSTOP when the program has stopped."""
        self.expected = self.expected or number in ENDING
        self.child.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self.child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def wait(self, patience=PATIENCE):
        self.expected = True
        try:
            status = self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError("%s did not end in %d s:\n%s" % (
                self.command[0], patience, self.log()))
        self.reader.join(patience)
        return status

    def stop(self):
        """SIGTERM and wait; returns the exit status."""
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        if self.running():
            self.signal(signal.SIGKILL)
        self.wait()


class Redis:
    """A private redis-server, and a minimal client of it."""

    def __init__(self, folder, name="redis", options=()):
        self.folder = folder
        self.path = os.path.join(folder, name + ".sock")
        self.url = "unix://" + self.path
        self.options = list(options)
        self.process = None
        self.connection = None
        self.start()

    def start(self):
        self.process = Process([
            "redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.folder,
            "--save", "", "--appendonly", "no", "--loglevel", "notice"] + self.options)
        self.process.wait_line("ready to accept connections at " + self.path)
        self.connection = None

    def call(self, *words):
        """Send one command. Returns bytes, int, list or None; raises an error reply."""
        if self.connection is None:
            peer = socket.socket(socket.AF_UNIX)
            peer.settimeout(PATIENCE)
            peer.connect(self.path)
            self.connection = (peer, peer.makefile("rb"))
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        request = b"*%d\r\n" % len(parts)
        for part in parts:
            request += b"$%d\r\n%s\r\n" % (len(part), part)
        self.connection[0].sendall(request)
        return self._reply()

    def _reply(self):
        line = self.connection[1].readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.connection[1].read(size + 2)[:-2]
        count = int(rest)
        return None if count < 0 else [self._reply() for _ in range(count)]

    def hash(self, key):
        flat = self.call("HGETALL", key)
        return dict(zip(flat[0::2], flat[1::2]))

    def text_hash(self, key):
        return {name.decode(): value.decode() for name, value in self.hash(key).items()}

    def wait_position(self, position, prefix="{stele}"):
        wait_until(lambda: int(self.call("GET", prefix + ":position") or 0) >= position,
                   "Redis to reach position %d" % position)

    def disconnect(self):
        if self.connection:
            self.connection[1].close()
            self.connection[0].close()
            self.connection = None

    def stop(self):
        self.disconnect()
        if self.process:
            self.process.stop()
            self.process = None

    def kill(self):
        self.disconnect()
        self.process.kill()
        self.process = None


class Steled(Process):
    """The broker, ready when the constructor returns, or else as soon as its log has 'line'.

    'settings' are written to a config file; 'arguments' are added to the
    command line, and 'prefix' is put in front of it (prlimit, for example)."""

    def __init__(self, folder, redis=None, settings=None, arguments=(), ledger="ledger.db",
                 prefix=(), env=None, line="ready:"):
        self.folder = folder
        self.ledger = os.path.join(folder, ledger)
        self.events = "ipc://" + os.path.join(folder, "events")
        self.requests = "ipc://" + os.path.join(folder, "requests")
        self.feed = "ipc://" + os.path.join(folder, "feed")
        command = [program("steled")]
        if settings:
            path = os.path.join(folder, "steled.conf")
            with open(path, "w") as file:
                for name, value in settings.items():
                    file.write('%s = "%s"\n' % (name, value))
            command += ["--config", path]
        command += [
            "--ledger", self.ledger, "--events", self.events,
            "--requests", self.requests, "--feed", self.feed,
            "--redis", redis.url if redis else "none"]
        super().__init__(list(prefix) + command + list(arguments), env=env)
        try:
            self.wait_line(line)                # Not "Address already in use"
        except AssertionError:
            self.kill()
            raise

    def environment(self):
        """The environment in which `stele` and the examples find this broker."""
        return dict(os.environ, STELE_EVENTS=self.events, STELE_REQUESTS=self.requests,
                    STELE_FEED=self.feed, NO_COLOR="1")


class BrokerTest(unittest.TestCase):
    """One broker (and Redis, unless use_redis is False) for the tests of a class.

    The tests of a class share it: each uses its own ids and producers
    (self.name ("task") is unique to the test)."""

    use_redis = True
    settings = {}
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = temporary_folder()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.redis = None
        if cls.use_redis:
            cls.redis = Redis(cls.folder)
            cls.addClassCleanup(lambda: cls.redis.stop())
        cls.broker = None
        cls.addClassCleanup(cls._end_broker)
        cls.broker = cls.start_broker()

    @classmethod
    def start_broker(cls, **more):
        """Start it (again, after stop or kill) on the same folder."""
        options = {"redis": cls.redis, "settings": cls.settings, "arguments": cls.arguments}
        options.update(more)
        cls._assert_alive()
        cls.broker = Steled(cls.folder, **options)
        return cls.broker

    @classmethod
    def _assert_alive(cls):
        """The broker runs, or has ended as the test wanted."""
        if cls.broker and not cls.broker.expected and not cls.broker.running():
            status = cls.broker.wait()
            raise AssertionError("steled ended by itself, with status %d:\n%s" % (status, cls.broker.log()))

    @classmethod
    def _end_broker(cls):
        cls._assert_alive()
        if cls.broker and cls.broker.running():
            status = cls.broker.stop()
            if status != 0:
                raise AssertionError("steled ended with status %d:\n%s" % (status, cls.broker.log()))

    def setUp(self):
        self.clients = client.Clients()
        self.addCleanup(self.clients.close)

    def name(self, what):
        return "%s-%s" % (what, self.id().rsplit(".", 1)[-1])

    #   Clients of the protocol, closed when the test ends.

    def producer(self, name=None, **options):
        """A producer that has said hello."""
        return self.clients.producer(self.broker.events, name or self.name("producer"), **options)

    def dealer(self):
        """A peer of the events socket that has not sent a message yet."""
        return self.clients.dealer(self.broker.events)

    def asker(self):
        return self.clients.asker(self.broker.requests)

    def subscriber(self, *topics):
        return self.clients.subscriber(self.broker.feed, *topics)

    def _answer(self, op, keys):
        if not getattr(self, "_asker", None) or self._asker.closed:
            self._asker = self.asker()
        return self._asker.ask(dict(keys, op=op))

    def ask(self, op, **keys):
        """Send a request that must succeed; returns the answer. Statistics have the parts that
        every broker has: those of an actor that is busy at the start may come later."""
        parts = ("ingest", "redis", "feed", "search", "rollup") if op == "stats" else ()

        def answered():
            answer = self._answer(op, keys)
            return answer if all(answer.get(part) for part in parts) or answer.get("ok") is not True else None
        answer = wait_until(answered, "an answer with all parts")
        self.assertIs(answer.get("ok"), True, "%s %r: %r" % (op, keys, answer))
        self.assertIsInstance(answer["position"], int)
        return answer

    def live_status(self, task_id, **keys):
        """The answer to task.status from Redis: after 50 ms without an answer of Redis, it comes from the ledger for a second."""
        def live():
            answer = self._answer("task.status", dict(keys, task_id=task_id))
            return answer if answer.get("source") == "redis" else None
        return wait_until(live, "the status of %s from Redis" % task_id)

    def refused(self, op, **keys):
        """Send a request that must fail; returns its error."""
        answer = self._answer(op, keys)
        self.assertIs(answer.get("ok"), False, "%s %r: %r" % (op, keys, answer))
        self.assertIsInstance(answer["error"]["message"], str)
        self.assertNotEqual(answer["error"]["message"], "")
        return answer["error"]

    def read_events(self, after=0, **keys):
        """All events of the ledger after a position, page by page."""
        events = []
        while True:
            answer = self.ask("events.read", after=after, limit=1000, **keys)
            if not answer["events"]:
                return events
            events += answer["events"]
            after = events[-1]["position"]

    def stele(self, *arguments, input=None, status=0):
        """Run the command-line client on this broker; returns its stdout (bytes)."""
        done = subprocess.run([program("stele"), *arguments], input=input,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.broker.environment(), timeout=PATIENCE * 5)
        if status is not None:
            self.assertEqual(done.returncode, status, "stele %s\n%s\n%s" % (
                " ".join(arguments), done.stdout.decode("utf-8", "replace")[-2000:],
                done.stderr.decode("utf-8", "replace")[-2000:]))
        self.stderr = done.stderr.decode("utf-8", "replace")
        self.status = done.returncode
        return done.stdout


def main():
    unittest.main(verbosity=2)
