# Bounds of one client: requests per second of a token and of an address, connections of an address
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re
import socket
import subprocess
import unittest

import harness
import web

RATE, BURST = 2, 10


class LimitsTest(web.WebTest):
    """No broker is needed: what is counted is refused before it, and /v1/tasks is 503 where it is not."""

    with_broker = False
    rate = RATE

    @classmethod
    def start_http(cls, **more):
        cls.tokens = os.path.join(cls.folder, "tokens")
        cls.texts = {name: cls.new_token(name) for name in ("ann", "bob", "cleo", "dora")}
        cls.http_arguments = ["--tokens", cls.tokens, "--rate", str(cls.rate)]
        return super().start_http(**more)

    @classmethod
    def new_token(cls, name):
        done = subprocess.run([harness.program("stele"), "token", "new", name, "--tokens", cls.tokens, "--role", "query,metrics"],
                              stdout=subprocess.PIPE, timeout=harness.PATIENCE, check=True)
        return done.stdout.decode().strip()

    def by(self, name, path="/v1/recover", method="GET"):
        """Status of a request with that token, and of it the answer. GET /v1/recover is 405: it costs no work."""
        return self.request(method, path, headers={"Authorization": "Bearer " + self.texts[name]} if name else {})

    def until_429(self, name, path="/v1/recover"):
        """The statuses up to the first 429, and that answer."""
        statuses = []
        for _ in range(20 * BURST):
            answer = self.by(name, path)
            if answer.status == 429:
                return statuses, answer
            statuses.append(answer.status)
        self.fail("no request was refused: %s" % statuses)


class Requests(LimitsTest):
    def test_a_token_is_refused_beyond_its_rate_and_others_are_not(self):
        statuses, refused = self.until_429("ann")
        self.assertGreaterEqual(len(statuses), BURST)
        self.assertEqual(set(statuses), {405})
        self.assertEqual(refused.headers["retry-after"], "1")
        problem = refused.json()
        self.assertIn("more than 2 requests per second", problem["detail"])
        self.assertEqual(self.by("bob").status, 405)
        harness.wait_until(lambda: self.by("ann").status == 405, "ann to be served again")

    def test_refused_requests_do_not_count(self):
        self.until_429("cleo")
        for _ in range(5 * BURST):
            self.by("cleo")
        #   If each of them counted, after 25 seconds
        harness.wait_until(lambda: self.by("cleo").status == 405, "cleo to be served again", 15)

    def test_streams_are_counted(self):
        for _ in range(20 * BURST):
            stream = web.Stream(self.http.port, headers={"Authorization": "Bearer " + self.texts["dora"]})
            self.addCleanup(stream.close)
            if stream.status == 429:
                return
        self.fail("no stream was refused")

    def test_an_address_without_a_token_is_bounded_too(self):
        statuses, refused = self.until_429(None, "/healthz")
        self.assertEqual(set(statuses), {200})
        self.assertIn("from this address without a token", refused.json()["detail"])
        harness.wait_until(lambda: self.by("cleo").status == 405, "a token of this address to be served")


class Refused(LimitsTest):
    """What is refused before its path is looked at is counted like all else: by the rate, and in the metrics by route."""

    def refused(self, head, status, *texts):
        """Send it until the rate is exceeded: the answers before have that status."""
        for _ in range(20 * BURST):
            answer, = web.exchange(self.http.port, head)[0]
            if answer.status == 429:
                return
            self.assertEqual(answer.status, status, answer.body)
            for text in texts:
                self.assertIn(text, answer.json()["detail"])
        self.fail("no request was refused with 429")

    def counted(self, path, method="GET"):
        text = self.request("GET", "/metrics", headers={"Authorization": "Bearer " + self.texts["dora"]}).body.decode()
        return int(re.search(r'^stele_http_requests_total{route="%s %s",code="4xx"} ([0-9]+)$' % (method, path), text, re.M).group(1))

    def test_wrong_host(self):
        self.refused(b"GET /v1/stuck HTTP/1.1\r\nHost: a.example.org\r\nConnection: close\r\n\r\n", 421, "http-host of steled", "--host")
        self.assertGreaterEqual(self.counted("/v1/stuck"), BURST)

    def test_large_body(self):
        self.refused(b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 100000000\r\n\r\n" % self.texts["ann"].encode(), 413, "a message to the broker")
        self.assertGreaterEqual(self.counted("/v1/events", "POST"), BURST)

    def test_body_without_a_token(self):
        #   From an address of its own: those without a token share one rate
        for _ in range(20 * BURST):
            with socket.create_connection(("127.0.0.1", self.http.port), harness.PATIENCE, source_address=("127.0.0.8", 0)) as peer:
                peer.sendall(b"POST /v1/tasks/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n")
                status = int(peer.makefile("rb").readline().split()[1])
            if status == 429:
                break
            self.assertEqual(status, 401)
        else:
            self.fail("no body was refused with 429")
        self.assertGreaterEqual(self.counted("/v1/tasks/search", "POST"), BURST)


class Connections(LimitsTest):
    rate = 100000

    def test_an_address_has_256_connections(self):
        peers = [web.connect(self.http.port) for _ in range(256)]
        for peer in peers:
            self.addCleanup(peer.close)
        peers[255].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(peers[255].recv(1000).startswith(b"HTTP/1.1 200 "))
        with web.connect(self.http.port) as one_more:
            received = b""
            while more := one_more.recv(1000):
                received += more
        answers = web.parse(received)
        self.assertEqual([answer.status for answer in answers], [503])
        self.assertEqual(answers[0].headers["retry-after"], "1")
        #   An address of its own
        with socket.create_connection(("127.0.0.1", self.http.port), harness.PATIENCE, source_address=("127.0.0.9", 0)) as other:
            other.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(other.recv(1000).startswith(b"HTTP/1.1 200 "))
        peers.pop().close()
        harness.wait_until(self.is_served, "a place to be free")

    def is_served(self):
        try:
            return self.request("GET", "/healthz").status == 200
        except OSError:
            return False

    def test_a_unix_socket_has_no_such_bound(self):
        path = os.path.join(self.folder, "http")
        server = web.Server("ipc:///nothing", "ipc:///nothing", listen="unix:" + path,
                            arguments=["--tokens", self.tokens, "--socket-mode", "0660", "--rate", "1"])
        self.addCleanup(server.stop)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o660)
        peers = []
        for _ in range(300):
            peer = socket.socket(socket.AF_UNIX)
            self.addCleanup(peer.close)
            peer.settimeout(harness.PATIENCE)
            peer.connect(path)
            peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            peers.append(peer)
        for peer in peers:
            self.assertTrue(peer.recv(1000).startswith(b"HTTP/1.1 200 "))


if __name__ == "__main__":
    unittest.main(verbosity=2)
