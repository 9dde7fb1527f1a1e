# What a start is given: endpoints, a configuration, closed descriptors, a service manager
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

import zmq

import harness
from client import created, pack, unpack


class StartTest(unittest.TestCase):
    """A folder of its own; steled runs in it."""

    def setUp(self):
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, *arguments, **settings):
        """steled with endpoints in the folder; settings replace them."""
        chosen = {"ledger": "stele.db", "redis": "none"}
        chosen.update({name: "ipc://" + self.path(name) for name in ("events", "requests", "feed")})
        chosen.update({name.replace("_", "-"): value for name, value in settings.items()})
        return [harness.program("steled"), *arguments] + \
            ["--%s=%s" % item for item in chosen.items()]

    def run_steled(self, *arguments, env=None, **settings):
        return subprocess.run(self.command(*arguments, **settings), cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.PATIENCE,
                              universal_newlines=True, env=env)

    def start(self, *arguments, env=None, **settings):
        broker = harness.Process(self.command(*arguments, **settings), cwd=self.folder, env=env)
        self.addCleanup(broker.kill)
        broker.line = broker.wait_line("ready:")
        return broker

    def stele(self, *arguments, **more):
        return subprocess.run([harness.program("stele"), *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=harness.PATIENCE, universal_newlines=True, **more)


class Endpoints(StartTest):
    def refused(self, reason, *arguments, **settings):
        before = sorted(os.listdir(self.folder))
        done = self.run_steled(*arguments, **settings)
        self.assertEqual(done.returncode, os.EX_CONFIG, done.stdout)
        self.assertIn("cannot start: ", done.stdout)
        self.assertIn(reason, done.stdout)
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        return done.stdout

    def test_wrong_endpoints_are_refused_and_nothing_is_created(self):
        for endpoint in ("tcp://127.0.0.1:99999", "tcp://127.0.0.1:8087x", "tcp://127.0.0.1", ">tcp://127.0.0.1:17999",
                         "@tcp://127.0.0.1:17999", "tcp://::1:17999", "udp://127.0.0.1:17999", "17999", "ipc://",
                         "ipc://" + self.path("x" * 108), "ipc:///no/such/folder/socket",
                         "tcp://no-such-host.invalid:17999", "tcp://127.0.0.1:17998,tcp://127.0.0.1:17999"):
            for setting in ("events", "requests", "feed", "pipeline-in", "pipeline-out"):
                self.refused(setting + ":", **{setting: endpoint})

    def test_a_file_that_is_no_socket_stays(self):
        with open(self.path("notes.txt"), "w") as file:
            file.write("precious\n")
        os.mkdir(self.path("folder"))
        os.symlink(self.path("notes.txt"), self.path("link"))
        for name in ("notes.txt", "folder", "link"):
            for setting in ("events", "requests", "feed", "pipeline-in", "pipeline-out"):
                self.refused("is not a socket", **{setting: "ipc://" + self.path(name)})
                self.refused("is not a socket", **{setting: "ipc://" + name})
        with open(self.path("notes.txt")) as file:
            self.assertEqual(file.read(), "precious\n")

    def test_the_ledger_is_not_a_socket(self):
        for suffix in ("", "-wal", "-shm", ".lock", ".high-water", ".search", ".rollup"):
            self.refused("the ledger", requests="ipc://" + self.path("stele.db" + suffix))
            self.refused("the ledger", feed="ipc://stele.db" + suffix)
        self.start().stop()
        for suffix in ("", ".lock", ".high-water"):
            self.refused("the ledger", requests="ipc://stele.db" + suffix)
        self.assertEqual(self.start().stop(), 0)

    def test_one_endpoint_for_two_settings_is_refused(self):
        self.refused("events and feed have the same endpoint", feed="ipc://" + self.path("events"))
        self.refused("events and feed have the same endpoint", feed="ipc://events")
        os.mkdir(self.path("sub"))
        self.refused("events and feed have the same endpoint", feed="ipc://sub/../events")
        self.refused("events and requests have the same endpoint", "--insecure",
                     events="tcp://*:17999", requests="tcp://127.0.0.1:17999")
        self.refused("events and requests have the same endpoint", "--insecure",
                     events="tcp://0.0.0.0:17999", requests="tcp://*:17999")
        self.refused("requests and pipeline-out have the same endpoint", requests="tcp://localhost:17999",
                     pipeline_out="tcp://127.0.0.1:17999")

    def test_what_is_reported_is_where_it_listens(self):
        broker = self.start(events="tcp://127.0.0.1:*", requests="tcp://localhost:*", feed="tcp://[::1]:*")
        found = re.search(r"events (\S+), requests (\S+), feed (\S+);", broker.line)
        events, requests, feed = found.groups()
        for endpoint, host in ((events, r"127\.0\.0\.1"), (requests, r"(127\.0\.0\.1|\[::1\])"), (feed, r"\[::1\]")):
            self.assertRegex(endpoint, r"^tcp://%s:[0-9]+$" % host)
        done = self.stele("--requests", requests, "--json", "info")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"feed":"%s"' % feed, done.stdout.replace(" ", ""))
        self.assertEqual(broker.stop(), 0)

    def test_ipv6_and_names_work(self):
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            port = probe.getsockname()[1]
        broker = self.start(requests="tcp://[::1]:%d" % port)
        self.assertIn("requests tcp://[::1]:%d," % port, broker.line)
        self.assertEqual(self.stele("--requests", "tcp://[::1]:%d" % port, "ping").returncode, 0)
        broker.stop()
        broker = self.start(requests="tcp://localhost:%d" % port)
        self.assertEqual(self.stele("--requests", "tcp://localhost:%d" % port, "ping").returncode, 0)
        broker.stop()
        broker = self.start(requests="tcp://lo:%d" % port)          # A network interface
        self.assertEqual(self.stele("--requests", "tcp://127.0.0.1:%d" % port, "ping").returncode, 0)
        broker.stop()

    def test_a_socket_of_a_dead_broker_is_replaced_one_in_use_is_not(self):
        broker = self.start()
        second = self.run_steled(ledger="second.db")
        self.assertEqual(second.returncode, os.EX_CONFIG)
        self.assertIn("events: cannot listen on ipc://%s: Address already in use" % self.path("events"), second.stdout)
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("second")], [])
        broker.kill()
        self.assertEqual(self.start().stop(), 0)

    def test_a_port_in_use_is_refused_before_a_ledger_is_created(self):
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "[::1]")):
            with socket.socket(family) as other:
                other.bind((host.strip("[]"), 0))
                other.listen(1)
                port = other.getsockname()[1]
                for setting in ("events", "requests", "feed", "pipeline-in", "pipeline-out"):
                    self.refused("%s: cannot listen on tcp://%s:%d: Address already in use" % (setting, host, port),
                                 **{setting: "tcp://%s:%d" % (host, port)})
        self.refused("Cannot assign requested address", "--insecure", events="tcp://192.0.2.1:17999")

    def test_clients_refuse_wrong_endpoints(self):
        for option, endpoint in (("--requests", "tcp://127.0.0.1:99999"), ("--requests", ">ipc://x"),
                                 ("--events", "tcp://127.0.0.1:*"), ("--feed", "5572")):
            done = self.stele(option, endpoint, "ping")
            self.assertEqual(done.returncode, os.EX_USAGE)
            self.assertIn(option, done.stderr)
            self.assertIn(endpoint, done.stderr)
        done = self.stele("ping", env=dict(os.environ, STELE_REQUESTS="tcp://127.0.0.1:8087x"))
        self.assertEqual(done.returncode, os.EX_USAGE)
        self.assertIn("STELE_REQUESTS", done.stderr)


class CheckConfig(StartTest):
    def check(self, text, *arguments):
        with open(self.path("steled.conf"), "w") as file:
            file.write(text)
        before = sorted(os.listdir(self.folder))
        done = subprocess.run([harness.program("steled"), "--config", "steled.conf", "--check-config", *arguments],
                              cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=harness.PATIENCE, universal_newlines=True)
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        return done.returncode, done.stdout

    def test_valid_settings_end_with_0(self):
        status, text = self.check("redis = none\nworkers = 3\nevents = \"ipc://events\"\n")
        self.assertEqual((status, text), (0, "steled.conf: the settings are valid\n"))

    def test_wrong_ones_name_the_line(self):
        for text, reason in (
                ("#  a comment\n\nworkers = many\n", "steled.conf: line 3: workers "),
                ("redis = none\nworker = 3\n", "steled.conf: line 2: unknown setting 'worker'"),
                ("redis = none\n    workers = 3\n", "steled.conf: line 1: "),
                ("mode = fast\n", "steled.conf: line 1: mode takes dual, sqlite or redis"),
                ("events = \"tcp://127.0.0.1:99999\"\n", "events: 'tcp://127.0.0.1:99999'"),
                ("ledger = \"/no/such/folder/stele.db\"\n", "/no/such/folder/"),
                ("redis = \"localhost\"\n", "redis://"),
                ("mode = redis\nredis = none\n", "mode redis needs Redis, but the setting redis is none")):
            status, output = self.check(text)
            self.assertEqual(status, os.EX_CONFIG, text + output)
            self.assertIn(reason, output)

    def test_options_are_checked_too(self):
        status, text = self.check("redis = none\n", "--feed", "tcp://127.0.0.1:x")
        self.assertEqual(status, os.EX_CONFIG)
        self.assertIn("feed: 'tcp://127.0.0.1:x'", text)

    def test_the_example_is_valid(self):
        with open(os.path.join(harness.SRC, "doc", "steled.conf.example")) as file:
            text = file.read()
        #   Every setting, with its default
        text = re.sub(r"^#([a-z-]+ = .*)$", r"\1", text, flags=re.M)
        status, output = self.check(text)
        self.assertEqual(status, 0, output)

    def test_a_password_is_not_printed(self):
        for url in ("redis://app:s3cret@host:port/0", "redis://app:s3cret@localhost/x", "unix://app:s3cret@run/x"):
            status, text = self.check('redis = "%s"\n' % url)
            self.assertEqual(status, os.EX_CONFIG)
            self.assertNotIn("s3cret", text)


class Descriptors(StartTest):
    """Standard input, output or error are closed, each alone and all of them."""

    CLOSED = ("<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-")

    def shell(self, command, closed):
        return subprocess.run(["sh", "-c", 'exec "$@" ' + closed, "sh", *command], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)

    def test_a_spool_holds_only_events(self):
        nobody = "ipc://" + self.path("nobody")
        for number, closed in enumerate(self.CLOSED):
            spool = self.path("spool%d" % number)
            with open(self.path("one.jsonl"), "w") as file:
                file.write('{"type":"task.created","task_id":"t%d","title":"x","description":"","role":"r"}\n' % number)
            done = self.shell([harness.program("stele"), "--events", nobody, "--requests", nobody, "-t", "200", "publish",
                               "--spool", spool, "-p", "p%d" % number, "one.jsonl"], closed)
            self.assertEqual(done.returncode, 0, (closed, done.stderr))
        broker = self.start()
        for number in range(len(self.CLOSED)):
            done = self.stele("--events", "ipc://" + self.path("events"), "--requests", "ipc://" + self.path("requests"),
                              "publish", "--spool", self.path("spool%d" % number), "-p", "p%d" % number,
                              stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("1 event", done.stderr + done.stdout)
        self.assertEqual(broker.stop(), 0)

    def test_a_ledger_holds_no_log(self):
        for number, closed in enumerate(self.CLOSED):
            ledger = "ledger%d.db" % number
            command = self.command("--log-level", "debug", ledger=ledger)
            child = subprocess.Popen(["sh", "-c", 'exec "$@" ' + closed, "sh", *command], cwd=self.folder,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(child.wait)
            self.addCleanup(child.kill)
            done = self.stele("--events", "ipc://" + self.path("events"), "publish", "-p", "p", "-",
                              input='{"type":"task.created","task_id":"t","title":"x","description":"","role":"r"}\n')
            self.assertEqual(done.returncode, 0, done.stderr)
            standard = [os.readlink("/proc/%d/fd/%d" % (child.pid, fd)) for fd in range(3)]
            self.assertEqual(standard, ["/dev/null" if fd or "<&-" in closed else standard[0] for fd in range(3)])
            child.send_signal(signal.SIGTERM)
            self.assertEqual(child.wait(harness.PATIENCE), 0)
            for name in os.listdir(self.folder):
                if name.startswith(ledger):
                    with open(self.path(name), "rb") as file:
                        self.assertNotIn(b"steled: ", file.read(), (closed, name))


class Service(StartTest):
    """NOTIFY_SOCKET, WATCHDOG_USEC and JOURNAL_STREAM, as systemd sets them."""

    def listen(self):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(self.path("notify"))
        manager.settimeout(harness.PATIENCE)
        self.addCleanup(manager.close)
        return manager

    def test_ready_watchdog_and_stopping(self):
        manager = self.listen()
        broker = self.start(env=dict(os.environ, NOTIFY_SOCKET=self.path("notify"), WATCHDOG_USEC="200000"))
        self.assertIn(b"READY=1", manager.recv(200))
        for _ in range(3):
            self.assertEqual(manager.recv(200), b"WATCHDOG=1")
        broker.signal(signal.SIGHUP)
        broker.wait_line("reloaded")
        self.assertEqual(manager.recv(200), b"WATCHDOG=1")
        broker.signal(signal.SIGTERM)
        while manager.recv(200) == b"WATCHDOG=1":
            pass
        self.assertEqual(broker.wait(), 0)

    def test_no_watchdog_of_another_process(self):
        manager = self.listen()
        broker = self.start(env=dict(os.environ, NOTIFY_SOCKET=self.path("notify"), WATCHDOG_USEC="20000",
                                     WATCHDOG_PID="1"))
        self.assertIn(b"READY=1", manager.recv(200))
        broker.stop()
        self.assertEqual(manager.recv(200), b"STOPPING=1")

    def first_line(self, is_journal):
        """The first line that steled writes to a stream, which JOURNAL_STREAM names or not."""
        read, write = os.pipe()
        status = os.fstat(write)
        stream = "%d:%d" % (status.st_dev, status.st_ino + (0 if is_journal else 1))
        child = subprocess.Popen(self.command(), cwd=self.folder, stderr=write, stdin=subprocess.DEVNULL,
                                 env=dict(os.environ, JOURNAL_STREAM=stream))
        os.close(write)
        with open(read, encoding="utf-8") as file:
            first = line = file.readline()
            while "ready:" not in line:
                line = file.readline()
            child.send_signal(signal.SIGTERM)
            file.read()
        self.assertEqual(child.wait(harness.PATIENCE), 0)
        return first

    def test_the_journal_gets_priorities(self):
        self.assertRegex(self.first_line(True), r"^<6>steled: mode ")
        self.assertRegex(self.first_line(False), r"^20\d\d-.* info steled: mode ")

    def test_the_unit_is_valid(self):
        unit = os.path.join(harness.SRC, "doc", "steled.service.in")
        with open(unit) as file:
            text = file.read()
        for line in ("Type=notify", "WatchdogSec=", "TimeoutStartSec=infinity", "ExecReload=", "StateDirectory=stele"):
            self.assertIn(line, text)
        prevented = re.search(r"^RestartPreventExitStatus=(.*)$", text, re.M).group(1).split()
        self.assertEqual(sorted(prevented), ["64", "65", "78"])


if __name__ == "__main__":
    harness.main()
