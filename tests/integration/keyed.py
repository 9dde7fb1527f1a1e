# keyed - a broker with keys (CURVE), scripted: it answers little, and lets in whom a test wants
#
# It has its own context, as a process of its own would.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import threading

import msgpack
import zmq
from zmq.utils import z85

ENFORCE_DOMAIN = 93

WELCOME = {"op": "welcome", "protocol": 1, "ledger": "L", "sequence": 0, "window": 1000, "max_bytes": 100000,
           "heartbeat_ms": 500, "mode": "dual"}


def pair():
    """Public and secret key, as text"""
    return tuple(key.decode() for key in zmq.curve_keypair())


def key_file(path, own, server_key, name="alice", mode=0o600):
    with open(path, "w") as file:
        os.chmod(path, mode)
        file.write('metadata\n    name = "%s"\n    server-key = "%s"\ncurve\n    public-key = "%s"\n    secret-key = "%s"\n'
                   % (name, server_key, *own))
    return path


class Keyed:
    """known: the public keys that it accepts; with keys=False it uses none. writer: it follows the node there."""

    def __init__(self, *known, own=None, keys=True, writer=None):
        self.writer = writer
        self.known = set(known)
        self.public, self.secret = own or pair()
        self.seen = []                      # Requests and messages, and who sent them
        self._context = zmq.Context()
        self._keys = keys
        self._zap = self._context.socket(zmq.REP)
        self._zap.bind("inproc://zeromq.zap.01")
        self._router = self._bind(zmq.ROUTER)
        self._feed = self._bind(zmq.XPUB)
        self.endpoint = self._router.last_endpoint.decode()
        self.feed = self._feed.last_endpoint.decode()
        self._stop_send, self._stop_receive = (self._context.socket(zmq.PAIR) for _ in range(2))
        self._stop_receive.bind("inproc://stop")
        self._stop_send.connect("inproc://stop")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _bind(self, kind):
        socket = self._context.socket(kind)
        if self._keys:
            socket.zap_domain = b"stele"
            socket.setsockopt(ENFORCE_DOMAIN, 1)
            socket.curve_server = True
            socket.curve_secretkey = self.secret.encode()
        socket.bind("tcp://127.0.0.1:*")
        return socket

    def stop(self):
        self._stop_send.send(b"")
        self._thread.join()
        self._context.destroy(linger=0)

    def _run(self):
        poller = zmq.Poller()
        for socket in (self._zap, self._router, self._feed, self._stop_receive):
            poller.register(socket, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._stop_receive in ready:
                return
            if self._zap in ready:
                version, number, _, _, _, _, key = self._zap.recv_multipart()
                known = z85.encode(key).decode() in self.known
                self._zap.send_multipart([version, number, b"200" if known else b"400", b"", b"who" if known else b"", b""])
            if self._router in ready:
                self._answer(self._router.recv_multipart())
            if self._feed in ready:
                self._feed.recv()
                self._feed.send_multipart([b"heartbeat", msgpack.packb({"position": 0, "ledger": "L"})])

    def _answer(self, frames):
        message = msgpack.unpackb(frames[-1])
        op = message["op"]
        self.seen.append(message)
        refusal = {"code": "not_writer", "message": "follows", "writer": self.writer}
        if self.writer and len(frames) == 2:
            answer = dict(refusal, op="error")
        elif self.writer and op == "publish":
            answer = {"ok": False, "error": refusal}
        elif op == "hello":
            answer = WELCOME
        elif op == "publish":
            answer = {"op": "ack", "sequence": message["sequence"] + len(message["events"]) - 1, "position": 1}
        elif len(frames) == 2:
            return
        else:
            answer = {"ok": True, "position": 0, "head": 0, "tasks": [], "events": [], "next": None, "keys": 3}
        self._router.send_multipart(frames[:-1] + [msgpack.packb(answer)])
