# /ws: the messages of the earlier dashboard, and what RFC 6455 demands of a server
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import random
import signal
import socket
import subprocess
import threading
import unittest

import harness
import web

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Sockets(web.WebTest):
    def socket(self, **headers):
        peer = web.Socket(self.http.port, headers=headers)
        self.addCleanup(peer.close)
        return peer

    def submit(self, name, **fields):
        return self.post("/tasks", dict({"id": name, "title": "T", "description": "D", "role": "backend"}, **fields))

    def closed(self, peer, code):
        """The server ends the connection with that code, and then closes."""
        opcode, data = peer.receive()
        self.assertEqual((opcode, int.from_bytes(data, "big")), (CLOSE, code))
        peer.peer.shutdown(socket.SHUT_WR)
        self.assertIsNone(peer.receive())

    #   Messages

    def test_new_tasks_are_told_to_all_in_the_form_of_python(self):
        peers = [self.socket() for _ in range(3)]
        name = self.name("task") + "-é\U0001f600"
        self.submit(name, provider_override="p")
        wanted = {"type": "task_submitted", "task": {"id": name, "role": "backend", "branch": "auto/backend/" + name,
                  "state": "queued", "last_error": None, "provider": "p", "model": None}}
        for peer in peers:
            opcode, data = peer.receive()
            self.assertEqual(opcode, TEXT)
            text = data.decode("ascii")
            self.assertEqual(json.loads(text), wanted)
            self.assertEqual(text.lower(), json.dumps(wanted).lower())

    def test_every_task_is_told_once_and_in_order(self):
        peer = self.socket()
        name = self.name("task")
        for start in range(0, 600, 200):
            self.post("/v1/events", {"producer": name, "events": [
                event for i in range(start, start + 200) for event in (
                    {"type": "task.created", "task_id": "%s-%d" % (name, i), "title": "t", "description": "", "role": "r"},
                    {"type": "task.state_changed", "task_id": "%s-%d" % (name, i), "state": "running"})]})
        self.assertEqual([peer.message()["task"]["id"] for _ in range(600)], ["%s-%d" % (name, i) for i in range(600)])

    def test_text_comes_back(self):
        peer = self.socket()
        for text in ("", "hello", "ünï ✓", "x" * 125, "x" * 126, "x" * 65536):
            peer.send(TEXT, text.encode())
            self.assertEqual(peer.receive(), (TEXT, b"Echo: " + text.encode()))

    def test_message_in_fragments_is_one_and_a_ping_may_come_between(self):
        peer = self.socket()
        data = "aü✓\U0001f600".encode()
        pieces = [data[i:i + 1] for i in range(len(data))]
        peer.send(TEXT, pieces[0], final=False)
        for piece in pieces[1:-1]:
            peer.send(0, piece, final=False)
            peer.send(0, b"", final=False)
        peer.send(PING, b"are you there")
        self.assertEqual(peer.receive(), (PONG, b"are you there"))
        peer.send(0, pieces[-1])
        self.assertEqual(peer.receive(), (TEXT, b"Echo: " + data))

    def test_bytes_may_come_in_any_pieces_and_with_the_handshake(self):
        draw = random.Random(6455)
        data = b"".join(web.Socket.frame(TEXT, b"%d" % i * draw.randrange(40), mask=draw.randbytes(4)) for i in range(60))
        data += web.Socket.frame(CLOSE, (1000).to_bytes(2, "big"))
        head = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        for pieces in (0, 1, 7):
            with web.connect(self.http.port) as peer:
                whole = head + data
                for start in range(0, len(whole), pieces or len(whole)):
                    peer.sendall(whole[start:start + (pieces or len(whole))])
                received = b""
                while True:
                    more = peer.recv(65536)
                    if not more:
                        break
                    received += more
                    if received.endswith(b"\x88\x02\x03\xe8"):
                        peer.shutdown(socket.SHUT_WR)
            self.assertTrue(received.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
            self.assertEqual(received.count(b"Echo: "), 60)
            self.assertTrue(received.endswith(b"\x88\x02\x03\xe8"))

    #   The handshake

    def test_handshake_has_the_accept_of_the_rfc(self):
        peer = self.socket()
        self.assertEqual((peer.status, peer.headers["upgrade"], peer.headers["connection"]), (101, "websocket", "Upgrade"))
        self.assertEqual(peer.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertNotIn("sec-websocket-extensions", peer.headers)

    def test_handshake_that_is_wrong_is_refused(self):
        for headers, status in (({"Upgrade": None}, 426), ({"Upgrade": "h2c"}, 426), ({"Connection": "keep-alive"}, 426),
                                ({"Sec-WebSocket-Version": "8"}, 426), ({"Sec-WebSocket-Version": None}, 426),
                                ({"Sec-WebSocket-Key": None}, 400), ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ="}, 400),
                                ({"Sec-WebSocket-Key": "c2hvcnQ="}, 400), ({"Host": "evil.example"}, 421),
                                ({"Origin": "http://evil.example"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403)):
            with self.subTest(headers):
                peer = self.socket(**headers)
                self.assertEqual(peer.status, status)
                self.assertIsInstance(peer.body()["detail"], str)
                if status == 426:
                    self.assertEqual((peer.headers["upgrade"], peer.headers["sec-websocket-version"]), ("websocket", "13"))
        host = "localhost:%d" % self.http.port
        self.assertEqual(self.socket(Origin="http://" + host, **{"Sec-Fetch-Site": "same-origin"}).status, 101)
        self.assertEqual(self.request("HEAD", "/ws").status, 426)

    #   What ends a connection

    def test_frame_that_is_wrong_ends_the_connection(self):
        frame = web.Socket.frame
        for what, data, code in (
                ("no mask", frame(TEXT, b"x", mask=None), 1002), ("reserved bit", frame(TEXT, b"x", reserved=4), 1002),
                ("unknown opcode", frame(3), 1002), ("unknown control opcode", frame(11), 1002),
                ("continuation of nothing", frame(0, b"x"), 1002),
                ("message within a message", frame(TEXT, b"x", final=False) + frame(TEXT, b"y"), 1002),
                ("ping in fragments", frame(PING, final=False), 1002), ("ping too long", frame(PING, b"x" * 126), 1002),
                ("length not in its shortest form", b"\x81\xfe\x00\x7d\0\0\0\0", 1002),
                ("long length not in its shortest form", b"\x81\xff" + (65535).to_bytes(8, "big") + b"\0\0\0\0", 1002),
                ("length of 63 bits", b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", 1009),
                ("message too large", frame(TEXT, b"", size=65537), 1009),
                ("fragments too large", frame(TEXT, b"x" * 65536, final=False) + frame(0, b"y"), 1009),
                ("too many fragments", frame(TEXT, b"", final=False) + frame(0, b"", final=False) * 1024, 1009),
                ("not UTF-8", frame(TEXT, b"\xff"), 1007), ("cut character", frame(TEXT, "ü".encode()[:1]), 1007),
                ("surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007), ("bytes", frame(BINARY, b"x"), 1003),
                ("close of one byte", frame(CLOSE, b"\x03"), 1002), ("close with 1005", frame(CLOSE, b"\x03\xed"), 1002),
                ("close with 999", frame(CLOSE, b"\x03\xe7"), 1002), ("close not UTF-8", frame(CLOSE, b"\x03\xe8\xff"), 1007)):
            with self.subTest(what):
                peer = self.socket()
                peer.peer.sendall(data)
                self.closed(peer, code)

    def test_close_is_answered(self):
        for data, code in ((b"", 1000), ((1001).to_bytes(2, "big") + "bye ✓".encode(), 1001), ((4999).to_bytes(2, "big"), 4999)):
            peer = self.socket()
            peer.send(CLOSE, data)
            self.closed(peer, code)

    def test_end_without_a_close_is_an_end(self):
        self.wait_streams(0)                        # Those of earlier tests
        peer = self.socket()
        self.wait_streams(1)
        peer.close()
        self.wait_streams(0)

    def wait_streams(self, count):
        harness.wait_until(lambda: "\nstele_http_streams %d\n" % count in self.get("/metrics").body.decode(), "%d streams" % count)

    def test_client_that_sends_and_does_not_read_is_cut_off(self):
        peer = self.socket()
        peer.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        data = web.Socket.frame(TEXT, b"x" * 65536)
        with self.assertRaises(OSError):
            for _ in range(2000):                   # 131 MB; what the kernel and the server hold is less
                peer.peer.sendall(data)
        self.get("/healthz")

    def test_client_that_does_not_read_gets_everything_later(self):
        peer = self.socket()
        name = self.name("task")
        count = 5000                                # Of 1.2 kB each: more than the kernel and the server keep for it
        for start in range(0, count, 1000):
            self.post("/v1/events", {"producer": name, "events": [
                {"type": "task.created", "task_id": "%s-%d" % (name, i), "title": "t", "description": "", "role": "r" * 300,
                 "branch": "b" * 800} for i in range(start, start + 1000)]})
        self.assertEqual([peer.message()["task"]["id"] for _ in range(count)], ["%s-%d" % (name, i) for i in range(count)])

    def test_half_closed_stream_of_events_ends(self):
        self.wait_streams(0)                        # Those of earlier tests
        stream = web.Stream(self.http.port)
        self.assertEqual(stream.next()[0], "hello")
        #   It does not read, so that something is left to send when its side is shut down
        stream.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(2):                          # The kernel takes up to 4 MB
            self.post("/v1/events", {"producer": self.name("p"), "events": [
                {"type": "task.output_added", "task_id": "big", "output_type": "log", "content": "x" * 60000} for _ in range(50)]})
        stream.peer.shutdown(socket.SHUT_WR)
        self.wait_streams(0)
        self.submit(self.name("task"))
        stream.close()


class WithoutBroker(web.WebTest):
    with_broker = False

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.http.child.pid))

    def test_clients_that_left_before_the_handshake_are_forgotten(self):
        before = self.descriptors()
        request = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        peers = [web.connect(self.http.port) for _ in range(20)]
        for peer in peers:
            peer.sendall(request)
        harness.wait_until(lambda: self.descriptors() >= before + 20, "the connections")
        for peer in peers:
            peer.close()
        harness.wait_until(lambda: self.descriptors() <= before, "the end of the connections")


class Waiting(web.WebTest):
    def test_frames_that_wait_for_the_broker_are_all_read(self):
        head = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        data = b"".join(web.Socket.frame(TEXT, b"%05d" % i * 200) for i in range(300))      # 300 kB
        self.broker.signal(signal.SIGSTOP)
        try:
            peer = web.connect(self.http.port)
            self.addCleanup(peer.close)
            peer.sendall(head)
            peer.setblocking(False)
            sent = 0
            try:
                while sent < len(data):
                    sent += peer.send(data[sent:])
            except BlockingIOError:
                pass
            self.assertGreater(sent, 70000)
            self.get("/healthz")                    # It has read what it wants to
        finally:
            self.broker.signal(signal.SIGCONT)
        peer.settimeout(harness.PATIENCE)
        sender = threading.Thread(target=lambda: peer.sendall(data[sent:] + web.Socket.frame(CLOSE, b"\x03\xe8")))
        sender.start()
        received = b""
        while not received.endswith(b"\x88\x02\x03\xe8"):
            more = peer.recv(65536)
            self.assertTrue(more, "the connection ended after %d bytes" % len(received))
            received += more
        sender.join(harness.PATIENCE)
        self.assertEqual(received.count(b"Echo: "), 300)


class Tokens(web.WebTest):
    @classmethod
    def start_http(cls, **more):
        tokens = os.path.join(cls.folder, "tokens")
        cls.texts = {}
        for name, options in {"ann": ["--role", "query,publish", "--users", "ann"], "all": ["--role", "query"],
                              "writer": ["--role", "publish", "--users", "bob"]}.items():
            done = subprocess.run([harness.program("stele"), "token", "new", name, "--tokens", tokens, *options],
                                  stdout=subprocess.PIPE, check=True, timeout=harness.PATIENCE)
            cls.texts[name] = done.stdout.decode().strip()
        cls.http_arguments = ["--tokens", tokens]
        return super().start_http(**more)

    def bearer(self, name):
        return {"Authorization": "Bearer " + self.texts[name]}

    def socket(self, name, status=101):
        peer = web.Socket(self.http.port, headers=self.bearer(name) if name else {})
        self.addCleanup(peer.close)
        self.assertEqual(peer.status, status)
        return peer

    def test_socket_tells_what_its_token_may_see(self):
        self.socket(None, 401)
        self.socket("writer", 403)
        ann, all_ = self.socket("ann"), self.socket("all")
        for name, task in (("writer", "of-bob"), ("ann", "of-ann")):
            self.post("/tasks", {"id": task, "title": "T", "description": "D", "role": "r"}, headers=self.bearer(name))
        self.assertEqual([all_.message()["task"]["id"] for _ in range(2)], ["of-bob", "of-ann"])
        self.assertEqual(ann.message()["task"]["id"], "of-ann")
        self.assertEqual(self.get("/tasks", headers=self.bearer("ann")).json()[0]["id"], "of-ann")
        self.assertNotIn("of-bob", [task["id"] for task in self.get("/tasks", headers=self.bearer("ann")).json()])
        self.get("/tasks/of-bob", 404, headers=self.bearer("ann"))
        self.get("/api/tasks/history/of-bob", 404, headers=self.bearer("ann"))
        self.post("/api/tasks/outputs/of-bob", {"content": "x"}, 404, headers=self.bearer("ann"))

    def test_preferences_are_those_of_the_user_of_the_token(self):
        self.post("/api/preferences", {"preferred_model": "m"}, headers=self.bearer("ann"))
        own = self.get("/api/preferences", headers=self.bearer("ann")).json()
        self.assertEqual((own["user_id"], own["preferred_model"]), ("ann", "m"))
        self.post("/api/preferences?user_id=bob", {}, 403, headers=self.bearer("ann"))
        answer = self.post("/tasks", {"id": "preferred", "title": "T", "description": "D", "role": "r"}, headers=self.bearer("ann"))
        self.assertEqual(answer.json()["selected_model"], "m")


if __name__ == "__main__":
    unittest.main(verbosity=2)
