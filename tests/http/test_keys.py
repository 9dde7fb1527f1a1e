# stele-http in front of a broker with keys: its own key, and what it says when that is refused
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re
import subprocess
import unittest

import harness
import web

TCP = "tcp://127.0.0.1:*"


class KeysTest(web.WebTest):
    @classmethod
    def stele_(cls, *arguments):
        return subprocess.run([harness.program("stele"), *arguments], check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE).stdout.decode().strip()

    @classmethod
    def new_key(cls, name, roles):
        path = os.path.join(cls.folder, name + ".key_secret")
        cls.stele_("key", "new", name, "--keys", cls.keys, "--role", roles, "--out", path)
        return path

    @classmethod
    def start_broker(cls, **more):
        cls.keys = os.path.join(cls.folder, "keys")
        cls.key = cls.new_key("http", "gateway,admin")
        cls.settings = {"keys": cls.keys, "http-key": cls.key}
        super().start_broker(arguments=["--requests", TCP, "--feed", TCP, "--http", "127.0.0.1:0"], **more)
        line = cls.broker.wait_line("steled: ready")
        for name in ("requests", "feed"):
            setattr(cls.broker, name, line.split(name + " ", 1)[1].split(",")[0].split(";")[0])
        return cls.broker

    @classmethod
    def start_http(cls, **more):
        line = cls.broker.wait_line("info stele-http: ready: ")
        cls.port = int(re.search(r"http://127\.0\.0\.1:(\d+)", line).group(1))
        web.wait_known("http://127.0.0.1:%d" % cls.port)

    def other(self, *arguments):
        server = web.Server(self.broker.requests, self.broker.feed, arguments=arguments)
        self.addCleanup(server.stop)
        return server

    def wait_finding(self, server, code, words):
        """Requests and the feed are refused one after the other."""
        def found():
            answer = self.request("GET", "/readyz", port=server.port)
            return answer.status == 503 and any(one["code"] == code and words in one["message"] for one in answer.json()["findings"])
        harness.wait_until(found, "the finding " + code)

    def reload(self):
        self.broker.signal(1)

    def test_child_connects_with_its_key(self):
        stream = web.Stream(self.port)
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], "hello")
        position = self.post("/v1/events", {"producer": "p", "events": [
            {"type": "preference.set", "user_id": "u", "preferred_model": "m"}]}, port=self.port).json()["position"]
        heard = 0
        while heard < position:                         # After audit events of this moment, if there are some
            heard = stream.next()[1]["position"]
        self.assertEqual(heard, position)
        harness.wait_until(lambda: self.request("GET", "/readyz", port=self.port).json()["ready"], "ready")

    def test_keys_are_read_again(self):
        self.new_key("later", "query")
        answer = self.post("/v1/keys/reload", port=self.port).json()
        self.assertEqual(answer["added"], ["later"])
        self.assertEqual(self.post("/v1/keys/reload", port=self.port).json()["added"], [])

    def test_no_key_is_said(self):
        server = self.other()
        server.wait_line("needs a key, and this client has none")
        self.wait_finding(server, "no_permission", "needs a key")
        answer = self.get("/v1/tasks", 503, port=server.port).json()
        self.assertIn("does not let this server in", answer["detail"])

    def test_unknown_key_is_said_and_tried_again(self):
        path = self.new_key("unknown", "gateway,admin")
        server = self.other("--key", path)
        server.wait_line("does not accept the key unknown")
        self.wait_finding(server, "no_permission", "does not accept the key unknown")
        self.wait_finding(server, "no_feed", "does not accept the key unknown")
        self.assertIn("stele_up 0\n", self.get("/metrics", port=server.port).body.decode())
        self.reload()
        harness.wait_until(lambda: self.request("GET", "/readyz", port=server.port).status == 200, "the key to be accepted")
        server.wait_line("lets this server in now")
        stream = web.Stream(server.port)
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], "hello")
        self.assertEqual(server.log().count("does not accept"), 2, "once for requests, once for the feed")

    def test_key_without_the_feed_is_said(self):
        path = self.new_key("deaf", "gateway,query")
        self.reload()
        self.broker.wait_line("added deaf")
        server = self.other("--key", path)
        self.wait_finding(server, "no_feed", "lacks the role")
        harness.wait_until(lambda: self.request("GET", "/v1/tasks", port=server.port).status == 200, "the tasks")

    def test_key_without_the_role_gateway_is_said(self):
        path = self.new_key("plain", "feed,query")
        tokens = os.path.join(self.folder, "tokens")
        text = self.stele_("token", "new", "t", "--role", "query", "--tokens", tokens)
        self.reload()
        self.broker.wait_line("added plain")
        server = self.other("--key", path, "--tokens", tokens)
        server.wait_line("make its key with the role gateway")
        bearer = {"Authorization": "Bearer " + text}
        self.assertIn("role gateway", self.get("/readyz", 503, port=server.port, headers=bearer).json()["findings"][0]["message"])
        self.get("/v1/tasks", 403, port=server.port, headers=bearer)

    def test_admin_token_of_a_key_that_is_no_admin_names_both(self):
        path = self.new_key("narrow", "gateway,query,feed")
        tokens = os.path.join(self.folder, "tokens-of-narrow")
        text = self.stele_("token", "new", "chief", "--role", "admin", "--tokens", tokens)
        self.reload()
        self.broker.wait_line("added narrow")
        server = self.other("--key", path, "--tokens", tokens)
        bearer = {"Authorization": "Bearer " + text}
        harness.wait_until(lambda: self.request("GET", "/v1/tasks", port=server.port, headers=bearer).status == 200, "the broker")
        detail = self.request("PUT", "/v1/mode", {"mode": "dual"}, port=server.port, headers=bearer).json()["detail"]
        self.assertIn("the token 'chief' and the key of the HTTP server, 'narrow', must both have it", detail)

    def test_revoked_key_is_said(self):
        path = self.new_key("revoked", "gateway,admin")
        self.reload()
        self.broker.wait_line("added revoked")
        server = self.other("--key", path)
        harness.wait_until(lambda: self.request("GET", "/readyz", port=server.port).status == 200, "the key to be accepted")
        self.stele_("key", "revoke", "revoked", "--keys", self.keys)
        self.reload()
        self.broker.wait_line("revoked revoked")
        self.wait_finding(server, "no_permission", "the key 'revoked'")

    def test_http_needs_a_key_where_there_are_keys(self):
        arguments = ["--ledger", os.path.join(self.folder, "x.db"), "--redis", "none", "--keys", self.keys, "--http", "127.0.0.1:0"]
        good = ["--http-key", self.key]
        for more, status in (([], 78), (good, 0), (good + ["--http-key", "/nonexistent"], 78), (good + ["--tokens", "/nonexistent"], 78)):
            done = subprocess.run([harness.program("steled"), "--check-config", *arguments, *more], capture_output=True)
            self.assertEqual(done.returncode, status, done.stderr)
            if status:
                self.assertIn(b"/nonexistent" if more else b"stele key new http", done.stderr)

    def test_what_needs_no_key_is_not_served_to_all_of_the_machine(self):
        tokens = os.path.join(self.folder, "tokens-of-check")
        self.stele_("token", "new", "x", "--role", "query", "--tokens", tokens)
        ipc = ["--requests", "ipc:///tmp/r", "--feed", "ipc:///tmp/f"]
        http = ["--http", "127.0.0.1:0"]
        keys = ["--keys", self.keys]
        for arguments, status in ((keys + http + ipc, 78), (keys + http + ipc[:2] + ["--http-key", self.key], 78),
                                  (keys + http + ipc[2:] + ["--http-key", self.key], 78),
                                  (keys + http + ipc + ["--tokens", tokens], 0), (keys + http + ipc + ["--insecure"], 0),
                                  (keys + ["--http", "unix:" + os.path.join(self.folder, "h")] + ipc, 0), (http + ipc, 0)):
            done = subprocess.run([harness.program("steled"), "--check-config", "--ledger", os.path.join(self.folder, "y.db"),
                                   "--redis", "none", *arguments], capture_output=True, timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, status, (arguments, done.stderr))
            if status:
                for way_out in (b"stele token new", b"unix:PATH", b"insecure = yes"):
                    self.assertIn(way_out, done.stderr)
        broker = harness.Steled(self.folder, arguments=[*keys, *http, "--ledger", os.path.join(self.folder, "z.db"), "--redis",
                                "none", "--events", "ipc://%s/e" % self.folder, "--requests", "ipc://%s/r" % self.folder,
                                "--feed", "ipc://%s/f" % self.folder, "--insecure"])
        self.addCleanup(broker.stop)
        broker.wait_line("insecure: whoever reaches")

    def test_file_that_is_no_key_is_refused(self):
        done = subprocess.run([harness.program("stele-http"), "--listen", "127.0.0.1:0", "--key", "/nonexistent"], capture_output=True)
        self.assertEqual(done.returncode, 78)
        self.assertIn(b"/nonexistent", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
