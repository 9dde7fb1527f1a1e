# receiver - a receiver of webhooks and traces that counts, fails, hangs and closes, and a relay that sends to it
#
# The signature is verified here with Python's own hmac.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import harness

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CLOSE, HANG = "close", "hang"


def verify(headers, body, secret=SECRET):
    """Is one of the signatures (Standard Webhooks) that of this secret?"""
    text = b"%s.%s." % (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode())
    key = base64.b64decode(secret[len("whsec_"):])
    mine = base64.b64encode(hmac.new(key, text + body, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest("v1," + mine, given) for given in headers["webhook-signature"].split(" "))


class Request:
    def __init__(self, handler, number):
        self.number, self.path, self.headers = number, handler.path, handler.headers
        self.body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.json = json.loads(self.body)
        self.at = time.monotonic()
        self.answer = None

    def __getattr__(self, name):                # position, type, task_id … of the event
        return self.json.get(name)


class Receiver:
    """behave (request) returns a status, (status, headers), (status, headers, body), CLOSE or HANG; by default 200."""

    def __init__(self, certificate=None):
        self.behave = lambda request: 200
        self.requests = []
        self.changed = threading.Condition()
        self.released = threading.Event()       # Ends every HANG
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver._take(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 128

            def handle_error(self, *_):         # The relay was killed
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def url(self, path="/hook"):
        return "%s://127.0.0.1:%d%s" % (self.scheme, self.server.server_address[1], path)

    def _take(self, handler):
        with self.changed:
            request = Request(handler, len(self.requests))
            self.requests.append(request)
            self.changed.notify_all()
        answer = self.behave(request)
        if answer == HANG:
            self.released.wait(harness.PATIENCE)
        if answer in (CLOSE, HANG):
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers, body = self._parts(answer)
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        with self.changed:
            request.answer = status
            self.changed.notify_all()

    @staticmethod
    def _parts(answer):
        parts = answer if isinstance(answer, tuple) else (answer,)
        return parts + ({}, b"")[len(parts) - 1:]

    def wait(self, condition, what="the requests"):
        """Wait until condition (the requests so far) is true, and return its value."""
        deadline = time.monotonic() + harness.PATIENCE
        with self.changed:
            while True:
                value = condition(self.requests)
                if value:
                    return value
                if not self.changed.wait(max(0, deadline - time.monotonic())):
                    raise AssertionError("waited in vain for %s: %r" % (what, [
                        (r.path, r.position, r.answer) for r in self.requests][-20:]))

    def delivered(self, path="/hook"):
        """Positions that were answered with 2xx, in the order of the requests."""
        return [r.position for r in self.requests if r.path == path and r.answer and r.answer < 300]

    def wait_delivered(self, count, path="/hook"):
        self.wait(lambda _: len(self.delivered(path)) >= count, "%d deliveries" % count)
        return self.delivered(path)

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Relay(harness.Process):
    """stele-relay, with a configuration and a state in 'folder'. 'targets': settings by name."""

    def __init__(self, folder, broker, targets, wait=True, **settings):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.state = folder, os.path.join(folder, "relay.db")
        self.config = os.path.join(folder, "relay.conf")
        self.write(broker, targets, **settings)
        super().__init__([harness.program("stele-relay"), "--config", self.config], env=plain())
        if wait:
            self.wait_line("ready:")
            self.wait_begun()

    def write(self, broker, targets, **settings):
        secret = os.path.join(self.folder, "secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(SECRET + "\n")
        settings = dict({"requests": broker.requests, "feed": broker.feed, "state": self.state}, **settings)
        with open(self.config, "w") as file:
            for name, value in settings.items():
                file.write('%s = "%s"\n' % (name, value))
            file.write("target\n")
            for name, target in targets.items():
                target = dict({"retry-min-ms": 20, "retry-max-ms": 100}, **target)
                if target.get("kind") != "otlp":
                    target.setdefault("secret", secret)
                file.write("    %s\n" % name)
                for setting, value in target.items():
                    file.write('        %s = "%s"\n' % (setting, value))

    def run(self, *arguments, status=0):
        done = subprocess.run([harness.program("stele-relay"), "--config", self.config, *arguments], env=plain(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        if status is not None:
            assert done.returncode == status, (arguments, done)
        return done.stdout.decode()

    def status(self):
        """The rows of 'status' by target; {} before the state exists"""
        text = self.run("--json", "status", status=None)
        return {row["target"]: row for row in json.loads(text)["targets"]} if text else {}

    def wait_status(self, condition):
        """Returns the status for which the condition is true."""
        def look():
            rows = self.status()
            if condition(rows):
                return rows
            time.sleep(0.05)                    # Each look is a process
        return harness.wait_until(look, "the status")

    def wait_begun(self):
        """Every target has a position."""
        self.wait_status(lambda rows: rows and all(row["position"] >= 0 for row in rows.values()))


class RelayTest(harness.BrokerTest):
    """A broker for the class; a receiver and relays for the test."""

    use_redis = False

    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)
        self.relays = []

    def tearDown(self):
        for relay in self.relays:
            if relay.running():
                self.assertEqual(relay.stop(), 0, relay.log())
            self.assertNotIn(SECRET[10:], relay.log())

    def relay(self, targets=None, **settings):
        folder = os.path.join(self.folder, self.name("relay"))
        relay = Relay(folder, self.broker, targets or {"hook": {"url": self.receiver.url()}}, **settings)
        self.addCleanup(relay.kill)
        self.relays.append(relay)
        return relay

    def target(self, path="/hook", **settings):
        return dict({"url": self.receiver.url(path)}, **settings)


def plain():
    """The environment without proxies"""
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
