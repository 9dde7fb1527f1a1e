# stele-http as a program, and as a child of steled; metrics; limits
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

import harness
import web


def child_of(pid):
    """Process ids of stele-http whose parent is that one."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % name) as file:
                words = file.read().rpartition(")")
                if "stele-http" in words[0] and int(words[2].split()[1]) == pid:
                    found.append(int(name))
        except (OSError, ValueError):
            pass
    return found


class Child(web.WebTest):
    with_broker = True
    arguments = ("--http", "127.0.0.1:0")

    @classmethod
    def start_http(cls, **more):
        cls.http = None
        line = cls.broker.wait_line("info stele-http: ready: ")
        cls.port = int(re.search(r"http://127\.0\.0\.1:(\d+)", line).group(1))
        web.wait_known("http://127.0.0.1:%d" % cls.port)

    def test_broker_runs_it_starts_it_again_and_stops_it(self):
        harness.wait_until(lambda: self.request("GET", "/readyz", port=self.port).status == 200, "the broker to be ready")
        first, = child_of(self.broker.child.pid)
        os.kill(first, signal.SIGKILL)
        self.broker.wait_line("stele-http ended with signal 9")
        harness.wait_until(lambda: child_of(self.broker.child.pid) not in ([], [first]), "a new child")
        harness.wait_until(lambda: self.broker.log().count("stele-http: ready: ") == 2, "the new child to be ready")
        self.ask("ping")
        second, = child_of(self.broker.child.pid)
        self.assertEqual(self.broker.stop(), 0)
        self.assertFalse(os.path.exists("/proc/%d" % second))
        self.start_broker()
        self.broker.wait_line("stele-http: ready: ")

    def test_child_ends_with_a_broker_that_is_killed(self):
        child, = child_of(self.broker.child.pid)
        self.broker.child.send_signal(signal.SIGKILL)       # The child keeps the pipe of its output open for a moment
        self.broker.wait()
        harness.wait_until(lambda: not os.path.exists("/proc/%d" % child), "the child to end")
        self.start_broker()
        self.broker.wait_line("stele-http: ready: ")

    def test_address_in_use_leaves_the_broker_running(self):
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder)
        other = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(other.close)
        taken = "127.0.0.1:%d" % other.getsockname()[1]
        broker = harness.Steled(folder, arguments=("--http", taken))
        self.addCleanup(broker.stop)
        broker.wait_line("cannot listen on " + taken)
        broker.wait_line("the broker continues without it")
        self.assertEqual(child_of(broker.child.pid), [])
        self.assertTrue(broker.running())


class Program(web.WebTest):
    with_broker = False

    def run_it(self, *arguments):
        done = subprocess.run([harness.program("stele-http"), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=harness.PATIENCE)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_help_and_version(self):
        status, out, err = self.run_it("--help")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("--listen ADDRESS", out)
        status, out, _ = self.run_it("--version")
        self.assertRegex(out, r"^stele-http \d+\.\d+\.\d+$")

    def test_wrong_use_is_status_64(self):
        for arguments in (["--bogus"], ["extra"], ["--log", "zsys"], ["--log-level", "x"]):
            self.assertEqual(self.run_it(*arguments)[0], 64, arguments)

    def test_addresses_that_are_refused_are_status_78(self):
        taken = "127.0.0.1:%d" % self.http.port
        for address, words in (("0.0.0.0:0", "other machines"), ("[::]:0", "other machines"), ("192.0.2.1:80", "other machines"),
                               ("nonsense", "ADDRESS:PORT"), ("localhost:http", "ADDRESS:PORT"), ("127.0.0.1:99999", "ADDRESS:PORT"),
                               ("unix:", "path"), ("unix:/nonexistent/x", "No such file"), (taken, "in use")):
            with self.subTest(address):
                status, _, err = self.run_it("--listen", address)
                self.assertEqual(status, 78, err)
                self.assertIn(words, err)

    def test_unix_socket_is_private_and_removed(self):
        path = os.path.join(self.folder, "http")
        for _ in range(2):
            server = web.Server("ipc:///nothing", "ipc:///nothing", listen="unix:" + path)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(path)
                peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                self.assertTrue(peer.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertEqual(self.run_it("--listen", "unix:" + path)[0], 78)
            server.kill()               # Leaves the socket, which the next one replaces
        server = web.Server("ipc:///nothing", "ipc:///nothing", listen="unix:" + path)
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(path))

    def test_added_host_is_served(self):
        server = web.Server("ipc:///nothing", "ipc:///nothing", arguments=("--host", "stele.example.org"))
        self.addCleanup(server.stop)
        for host, status in ((b"stele.example.org", 200), (b"STELE.example.org:443", 200), (b"example.org", 421)):
            answers, _ = web.exchange(server.port, b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
            self.assertEqual(answers[0].status, status)

    def test_without_a_broker_it_says_so_and_answers(self):
        answer = self.get("/v1/tasks", 503)
        self.assertEqual(answer.headers["retry-after"], "1")
        self.assertEqual(answer.json()["code"], "unavailable")
        ready = self.get("/readyz", 503).json()
        self.assertEqual((ready["ready"], ready["status"], ready["findings"][0]["code"]), (False, "down", "not_running"))
        text = self.get("/metrics").body.decode()
        self.assertIn("\nstele_up 0\n", text)
        self.assertIn("\nstele_health_level 2\n", text)
        self.get("/healthz")

    def test_slow_heads_are_given_up_and_delay_nobody(self):
        slow = [web.connect(self.http.port) for _ in range(300)]
        for peer in slow:
            peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        for _ in range(20):
            self.get("/healthz")
        for peer in slow:
            answer = b""
            while True:
                more = peer.recv(1000)
                if not more:
                    break
                answer += more
            self.assertTrue(answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), answer)
            peer.close()


class Metrics(web.WebTest):
    def scrape(self, accept=None):
        """The type and the text, with statistics: without an answer of the broker in time there are none."""
        answer = harness.wait_until(lambda: [answer for answer in [self.get("/metrics", headers={"Accept": accept} if accept else {})]
                                             if b"\nstele_up 1\n" in answer.body], "statistics")[0]
        return answer.headers["content-type"], answer.body.decode()

    def samples(self, text):
        found = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                self.assertNotIn(name, found)
                found[name] = float(value)
        return found

    def test_metrics_of_both_forms(self):
        self.post("/v1/events", {"producer": "m", "events": [
            {"type": "task.created", "task_id": "t%d" % i, "title": "t", "description": "", "role": "secret-role"} for i in range(5)]})
        #   Statistics are cached for a second
        harness.wait_until(lambda: 'stele_tasks{state="queued"} 5\n' in self.scrape()[1], "the new tasks")
        kind, text = self.scrape()
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        found = self.samples(text)
        self.assertEqual(found["stele_up"], 1)
        self.assertEqual(found['stele_tasks{state="queued"}'], 5)
        self.assertEqual(found["stele_ingest_events_total"], 5)
        self.assertEqual(found['stele_ingest_mode{mode="dual"}'], 0)
        self.assertEqual(found['stele_redis_state{state="off"}'], 1)
        self.assertNotIn("secret-role", text)
        self.assertLess(len([name for name in found if "_bucket" not in name]), 300)
        kind, opened = self.scrape("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        self.assertTrue(kind.startswith("application/openmetrics-text"))
        self.assertTrue(opened.endswith("# EOF\n"))
        self.assertIn("# TYPE stele_ingest_events counter\n", opened)
        self.assertIn("\nstele_ingest_events_total ", opened)
        self.assertIn("# TYPE stele_ingest_events_total counter\n", text)

    def test_every_sample_has_help_and_type(self):
        _, text = self.scrape()
        types = dict(re.findall(r"# TYPE (\S+) (\S+)", text))
        self.assertEqual(set(types), set(re.findall(r"# HELP (\S+)", text)))
        for name in self.samples(text):
            base = name.partition("{")[0]
            family = next((base[:len(base) - len(end)] for end in ("_bucket", "_sum", "_count")
                           if base.endswith(end) and types.get(base[:len(base) - len(end)]) == "histogram"), base)
            self.assertIn(family, types)

    def test_histograms_are_cumulative_and_counted(self):
        for _ in range(5):
            self.get("/v1/tasks")
        count = 'stele_request_duration_seconds_count{op="task.list"}'
        harness.wait_until(lambda: self.samples(self.scrape()[1]).get(count, 0) >= 5, "the requests to be counted")
        found = self.samples(self.scrape()[1])
        for prefix in ('stele_request_duration_seconds_bucket{op="task.list",', "stele_ingest_ack_duration_seconds_bucket{"):
            buckets = [(float(re.search('le="([^"]*)"', name).group(1).replace("+Inf", "inf")), value)
                       for name, value in found.items() if name.startswith(prefix)]
            self.assertEqual(buckets, sorted(buckets))
            self.assertEqual([bound for bound, _ in buckets][:2], [0.000064, 0.000128])
            self.assertEqual(sorted(value for _, value in buckets), [value for _, value in buckets])
        self.assertGreater(found['stele_request_duration_seconds_sum{op="task.list"}'], 0)

    def test_stele_stats_prints_the_same(self):
        said = self.stele("stats", "--prometheus").decode()
        _, text = self.scrape()
        names = lambda text: set(line.rpartition(" ")[0] for line in text.splitlines() if line and not line.startswith("#"))
        missing = set(name for name in names(said) if "op=" not in name) - names(text)
        self.assertEqual(missing, set())
        self.assertGreater(len(names(said)), 60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
