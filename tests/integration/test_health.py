# stele health: healthy, degraded and down, each with its exit status and what to do
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import pty
import signal
import socket
import subprocess

import harness
from client import changed, created

#   They depend on the disk of this machine
OF_THE_DISK = {"disk_low", "disk_filling"}


class Health(harness.BrokerTest):
    def health(self, *arguments, status=None):
        """The answer in JSON; asserts that the exit status fits it."""
        answer = json.loads(self.stele("--json", "health", *arguments, status=None))
        self.assertEqual(self.status, {"healthy": 0, "degraded": 1, "down": 2}[answer["status"]], answer)
        for finding in answer["findings"]:
            self.assertTrue(finding["message"] and finding["hint"], finding)
            self.assertIn(finding["level"], ("info", "degraded", "down"))
        return answer

    def codes(self, *arguments):
        return {finding["code"] for finding in self.health(*arguments)["findings"]}

    def wait_code(self, code):
        return harness.wait_until(lambda: [finding for finding in self.health()["findings"] if finding["code"] == code],
                                  "the finding " + code)[0]

    def wait_no_code(self, code):
        harness.wait_until(lambda: code not in self.codes(), "no finding " + code)

    def test_of_a_live_broker(self):
        harness.wait_until(lambda: {finding["code"] for finding in self.health()["findings"]
                                    if finding["level"] != "info"} <= OF_THE_DISK, "no finding")
        first = self.stele("health", status=None).decode().splitlines()[0]
        self.assertRegex(first, r"^(healthy: position [0-9,]+, mode dual, up |degraded: )")

    def test_names_mode_redis(self):
        self.stele("mode", "redis", "--yes")
        self.addCleanup(lambda: self.stele("mode", "dual"))
        finding = self.wait_code("mode_redis")
        self.assertEqual(finding["level"], "degraded")
        self.assertIn("stele mode dual", finding["hint"])
        self.assertGreaterEqual(finding["for_ms"], 0)
        self.stele("ping")
        self.assertIn("persistence is off", self.stderr)
        self.assertEqual(json.loads(self.stele("--json", "ping"))["mode"], "redis")
        text = harness.wait_until(lambda: [text for text in [self.stele("health", status=None).decode().splitlines()]
                                           if self.status == 1], "the status")[0]
        self.assertRegex(text[0], r"^degraded: [0-9]+ findings?$")
        self.assertTrue(any(line.startswith("degraded: mode redis: persistence is off") for line in text), text)

    def test_mode_redis_needs_a_confirmation(self):
        self.stele("mode", "redis", status=os.EX_USAGE)
        self.assertIn("--yes", self.stderr)
        self.assertIn("acked events are only as safe as Redis is", self.stderr)
        self.assertEqual(self.ask("mode")["mode"], "dual")
        for answer, status, mode in ((b"no\n", 1, "dual"), (b"\n", 1, "dual"), (b"y\n", 0, "redis")):
            #   A terminal, on which somebody answers
            terminal, other = pty.openpty()
            os.write(terminal, answer)
            done = subprocess.run([harness.program("stele"), "mode", "redis"], stdin=other, capture_output=True,
                                  env=self.broker.environment(), timeout=harness.PATIENCE)
            os.close(terminal)
            os.close(other)
            self.assertEqual(done.returncode, status, done)
            self.assertIn(b"Set mode redis? [y/N]", done.stderr)
            self.assertEqual(self.ask("mode")["mode"], mode)
        self.stele("mode", "dual")

    def test_names_redis_that_is_away_and_answers_without_it(self):
        self.redis.kill()
        self.addCleanup(self.wait_no_code, "redis_away")
        self.addCleanup(self.redis.start)
        finding = self.wait_code("redis_away")
        self.assertEqual(finding["level"], "degraded")
        for words in (("check",), ("recover", "--active")):
            self.stele(*words, status=os.EX_TEMPFAIL)
            self.stele("--requests", "ipc://%s/nobody" % self.folder, "--timeout", "200", *words,
                       status=os.EX_UNAVAILABLE)
        self.assertRegex(finding["since"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_answers_while_redis_hangs(self):
        self.redis.process.signal(signal.SIGSTOP)
        self.addCleanup(self.redis.process.signal, signal.SIGCONT)
        self.producer().publish(created(self.name("task")))
        #   It answers within its time-out, or the status would be 2, now and later
        harness.wait_until(lambda: self.health() and self.status != 2, "an answer")

    def test_notes_rejected_events_without_a_bad_status(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), changed(task, "passed"))
        peer.publish_refused(changed(task, "running"))
        finding = self.wait_code("rejected")
        self.assertEqual(finding["level"], "info")

    def test_stuck_tasks_have_an_exit_status(self):
        task = self.name("task")
        self.stele("stuck", "--exit-code", "--silent", "86400")
        self.producer().publish(created(task), changed(task, "running"))
        harness.wait_until(lambda: task in self.stele("stuck", "--silent", "1").decode(), "a second of silence")
        self.stele("stuck", "--exit-code", "--silent", "1", status=1)
        self.stele("--json", "stuck", "--exit-code", "--silent", "1", status=1)

    def test_names_a_producer_that_is_gone_with_tasks_in_progress(self):
        broker = harness.Steled(harness.temporary_folder(), settings={"interrupted": "none"})
        self.addCleanup(broker.stop)
        peer = self.clients.producer(broker.events, "gone", lease_ms=100)
        peer.publish(created("task"), changed("task", "running"))
        self.broker, before = broker, self.broker
        try:
            finding = self.wait_code("producers_expired")
        finally:
            self.broker = before
        self.assertEqual(finding["level"], "degraded")
        self.assertIn("'gone', which still has tasks in progress", finding["message"])

    def test_notes_a_lease_that_ran_out(self):
        self.producer(lease_ms=100)
        self.clients.close()
        self.assertEqual(self.wait_code("producers_expired")["level"], "info")

    def test_disk_of_the_ledger_is_in_the_statistics(self):
        disk = self.ask("stats")["disk"]
        state = os.statvfs(self.folder)
        self.assertEqual(disk["size_bytes"], state.f_blocks * state.f_frsize)
        self.assertGreater(disk["free_bytes"], 0)
        self.assertGreaterEqual(disk["growth_bytes"], 0)

    def test_names_a_broker_that_is_not_there(self):
        for endpoint, words in (("ipc://%s/nobody" % self.folder, "no such socket"),
                                ("tcp://127.0.0.1:9", "connection refused")):
            #   Within 200 ms, a machine that is busy may not have tried
            answer = harness.wait_until(lambda: [answer for answer in [self.health("--requests", endpoint, "--timeout", "200")]
                                                 if "not_running" in [one["code"] for one in answer["findings"]]], "the reason")[0]
            self.assertEqual(answer["status"], "down")
            finding, = answer["findings"]
            self.assertIn(words, finding["message"])
            text = self.stele("health", "--requests", endpoint, "--timeout", "200", status=2).decode()
            self.assertEqual(text.splitlines()[0], "down: 1 finding")

    def test_names_a_process_that_does_not_answer(self):
        path = os.path.join(self.folder, "mute")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            finding, = self.health("--requests", "ipc://" + path, "--timeout", "200")["findings"]
        self.assertEqual(finding["code"], "no_answer")

    def test_says_that_permission_is_denied(self):
        folder = os.path.join(self.folder, self.name("closed"))
        os.mkdir(folder, 0o755)
        os.chmod(self.folder, 0o755)
        path = os.path.join(folder, "requests")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            os.chmod(path, 0o600)
            listener.listen()
            for command, status in (("health", 2), ("ping", os.EX_NOPERM)):
                words = ["--requests", "ipc://" + path, "--timeout", "200", command]
                if os.geteuid() == 0:
                    #   The superuser may connect to any socket: be somebody else
                    done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                                           harness.program("stele"), *words], capture_output=True, text=True)
                else:
                    os.chmod(path, 0)
                    done = subprocess.run([harness.program("stele"), *words], capture_output=True, text=True)
                self.assertEqual(done.returncode, status, done)
                self.assertIn("permission denied", done.stdout + done.stderr)


if __name__ == "__main__":
    harness.main()
