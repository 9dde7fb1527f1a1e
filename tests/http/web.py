# web - start stele-http for a test, and talk to it: raw bytes, requests, streams
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import http.client
import json
import socket
import ssl
import urllib.parse

import harness


def wait_known(url):
    """Wait until the server there knows its broker: without one, it is ready after half a second, too."""
    kind = http.client.HTTPSConnection if url.startswith("https") else http.client.HTTPConnection
    more = {"context": ssl._create_unverified_context()} if url.startswith("https") else {}

    def known():
        peer = kind("127.0.0.1", int(url.rsplit(":", 1)[1]), timeout=harness.PATIENCE, **more)
        peer.request("GET", "/readyz")
        status = json.loads(peer.getresponse().read())["status"]
        peer.close()
        return status != "down"
    harness.wait_until(known, "the server at %s to know its broker" % url)


class Server(harness.Process):
    """stele-http on a free port, ready when the constructor returns."""

    def __init__(self, requests, feed, arguments=(), listen="127.0.0.1:0", env=None):
        super().__init__([harness.program("stele-http"), "--listen", listen, "--requests", requests, "--feed", feed]
                         + list(arguments), env=env)
        try:
            line = self.wait_line("ready: ")
        except AssertionError:
            self.kill()
            raise
        self.url = line.split("ready: ")[1].split(",")[0]
        self.port = int(self.url.rsplit(":", 1)[1]) if self.url.startswith("http") else None


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers          # Names in lower case
        self.body = body

    def json(self):
        return json.loads(self.body)


def connect(port):
    peer = socket.create_connection(("127.0.0.1", port), harness.PATIENCE)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def exchange(port, data, pieces=0, finish=False, head=False):
    """Send bytes (in pieces of that size), read until the server closes. Returns the answers, and whether
    it closed in good order. 'finish' shuts down our side after the bytes."""
    with connect(port) as peer:
        closed = True
        try:
            for start in range(0, len(data), pieces or len(data)):
                peer.sendall(data[start:start + (pieces or len(data))])
            if finish:
                peer.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass                        # Refused before all was sent: the answer is there
        received = b""
        while True:
            try:
                more = peer.recv(65536)
            except ConnectionResetError:
                closed = False
                break
            if not more:
                break
            received += more
    return parse(received, head), closed


def parse(data, head=False):
    """All answers in the bytes; each has a Content-Length."""
    answers = []
    while data:
        lines, _, data = data.partition(b"\r\n\r\n")
        first, *fields = lines.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1", first
        headers = {}
        for field in fields:
            name, _, value = field.partition(": ")
            assert name.lower() not in headers, "%s twice" % name
            headers[name.lower()] = value
        size = 0 if head else int(headers["content-length"])
        assert len(data) >= size, "an answer is cut"
        answers.append(Answer(int(status), headers, data[:size]))
        data = data[size:]
    return answers


class WebTest(harness.BrokerTest):
    """A broker, and stele-http in front of it."""

    use_redis = False
    with_broker = True
    http_arguments = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.http = None
        cls.addClassCleanup(cls._end_http)
        cls.start_http()

    @classmethod
    def start_broker(cls, **more):
        return super().start_broker(**more) if cls.with_broker else None

    @classmethod
    def start_http(cls, **more):
        if cls.with_broker:
            requests, feed = cls.broker.requests, cls.broker.feed
        else:
            requests, feed = "ipc://%s/nothing" % cls.folder, "ipc://%s/nothing-too" % cls.folder
        cls.http = Server(requests, feed, arguments=cls.http_arguments, **more)
        if cls.with_broker:
            wait_known(cls.http.url)
        return cls.http

    @classmethod
    def _end_http(cls):
        if cls.http and cls.http.running():
            status = cls.http.stop()
            if status != 0:
                raise AssertionError("stele-http ended with status %d:\n%s" % (status, cls.http.log()))

    def request(self, method, path, body=None, headers=(), query=None, port=None):
        """One request by http.client. A body that is not bytes is sent as JSON."""
        peer = http.client.HTTPConnection("127.0.0.1", port or self.http.port, timeout=harness.PATIENCE)
        headers = dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        if query:
            path += "?" + urllib.parse.urlencode(query)
        peer.request(method, path, body, headers)
        answer = peer.getresponse()
        result = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        peer.close()
        return result

    def get(self, path, status=200, **more):
        answer = self.request("GET", path, **more)
        self.assertEqual(answer.status, status, "%s: %s" % (path, answer.body[:500]))
        return answer

    def post(self, path, body=None, status=200, **more):
        answer = self.request("POST", path, {} if body is None else body, **more)
        self.assertEqual(answer.status, status, "%s: %s" % (path, answer.body[:500]))
        return answer


class Stream:
    """Server-Sent Events, as a browser's EventSource reads them (WHATWG HTML, section 9.2)."""

    def __init__(self, port, path="/v1/stream", last=None, headers=()):
        self.peer = connect(port)
        fields = "" if last is None else "Last-Event-ID: %s\r\n" % last
        fields += "".join("%s: %s\r\n" % field for field in dict(headers).items())
        self.peer.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path, fields)).encode())
        self.file = self.peer.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while True:
            line = self.file.readline().decode().rstrip("\r\n")
            if not line:
                break
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value
        self.last = last                # Of the last message that was complete

    def next(self):
        """The next message: its event, and its data as JSON. None at the end of the connection."""
        event, data, last = "message", [], self.last
        while True:
            try:
                line = self.file.readline()
            except (ConnectionResetError, socket.timeout):
                return None
            if not line.endswith(b"\n"):
                return None             # Cut: what came of the message does not count
            line = line[:-1].decode()
            if not line:
                if data:
                    self.last = last
                    return event, json.loads("\n".join(data))
                self.last = last
                continue
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "id":
                last = value
            elif name == "data":
                data.append(value)

    def close(self):
        self.file.close()
        self.peer.close()


class Socket:
    """A client of a WebSocket (RFC 6455) that can also send what a correct one never would."""

    def __init__(self, port, path="/ws", headers=()):
        fields = {"Host": "localhost:%d" % port, "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
                  "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        fields.update(headers)
        self.peer = connect(port)
        self.file = self.peer.makefile("rb")
        self.peer.sendall(("GET %s HTTP/1.1\r\n%s\r\n" % (path, "".join(
            "%s: %s\r\n" % field for field in fields.items() if field[1] is not None))).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            assert line, "the connection ended in the handshake"
            head += line
        first, *lines = head.decode().split("\r\n")[:-2]
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    def body(self):
        """Of an answer that is no handshake."""
        return json.loads(self.file.read(int(self.headers["content-length"])))

    @staticmethod
    def frame(opcode, data=b"", final=True, mask=b"\x01\x02\x03\x04", reserved=0, size=None):
        size = len(data) if size is None else size
        head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
        bit = 0x80 if mask else 0
        head += (bytes([bit | size]) if size < 126 else bytes([bit | 126]) + size.to_bytes(2, "big") if size < 65536
                 else bytes([bit | 127]) + size.to_bytes(8, "big"))
        return head + (mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)) if mask else data)

    def send(self, opcode, data=b"", **how):
        self.peer.sendall(self.frame(opcode, data, **how))

    def receive(self):
        """The next frame: opcode and data. None at the end of the connection."""
        try:
            head = self.file.read(2)
            if len(head) < 2:
                return None
            assert head[0] & 0xf0 == 0x80 and head[1] < 128, "the server sends whole frames without a mask"
            size = head[1]
            if size > 125:
                size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
            return head[0] & 15, self.file.read(size)
        except ConnectionResetError:
            return None

    def message(self):
        """The next message as JSON; pings are answered."""
        while True:
            opcode, data = self.receive()
            if opcode == 9:
                self.send(10, data)
            else:
                assert opcode == 1, (opcode, data)
                return json.loads(data)

    def close(self):
        self.file.close()
        self.peer.close()
