"""Requests for programs with threads."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import os
import threading
import time
from typing import Any, Mapping, Optional

import zmq

from .errors import BrokerTimeout, Closed, Forked, SteleError, request_failed
from .keys import KeyOption, find_key
from .operations import Answer, Operations
from .wire import REQUESTS, address, check_permission, no_answer, open_socket, pack, unpack, without_none


class Client(Operations):
    """Sends requests to the broker. Any thread may call it; requests run one at a time.

    endpoint: of the broker's requests socket (default: STELE_REQUESTS, or port 5571 of this machine).
    timeout: seconds to wait for an answer; after a BrokerTimeout the client remains usable.
    key: a file that 'stele key new' made, or a Key (default: STELE_KEY, or none; "" uses none). ipc needs none.
    """

    def __init__(self, endpoint: Optional[str] = None, timeout: float = 10.0, *,
                 key: KeyOption = None, context: "Optional[zmq.Context[Any]]" = None) -> None:
        self.timeout = timeout
        self._lock = threading.Lock()
        self._endpoint = address(endpoint, "STELE_REQUESTS", REQUESTS)
        self._pid = os.getpid()
        self._key = find_key(key)
        self._context = context or zmq.Context.instance()
        self._open()

    def _open(self) -> None:
        self._socket, self._watch = open_socket(self._context, zmq.REQ, self._endpoint, self._key)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._watch.monitor, zmq.POLLIN)

    def close(self) -> None:
        if os.getpid() == self._pid:
            with self._lock:
                self._close()

    def _close(self) -> None:
        if not self._socket.closed:
            self._watch.close()
            self._socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self.close()

    def _request(self, op: str, parameters: Mapping[str, Any]) -> Answer:
        request = pack(dict(without_none(parameters), op=op))
        if os.getpid() != self._pid:
            raise Forked("Client")
        check_permission(self._endpoint)
        with self._lock:
            if self._socket.closed:
                raise Closed("the client is closed: create another one")
            try:
                self._send(request)
                if not self._wait():
                    raise BrokerTimeout(no_answer(op, self._endpoint, self.timeout))
                answer: Answer = unpack(self._socket.recv())
            except zmq.ZMQError as cause:
                raise SteleError("cannot send %s to %s: %s" % (op, self._endpoint, cause)) from cause
        if not answer.get("ok"):
            raise request_failed(answer.get("error", {}))
        return answer

    def _send(self, request: bytes) -> None:
        try:
            self._socket.send(request, zmq.NOBLOCK)
        except zmq.Again:                   # The broker refused the connection meanwhile: libzmq has given it up
            self._close()
            self._open()
            self._socket.send(request)

    def _wait(self) -> bool:
        """Wait for an answer; PermissionDenied if the broker refuses the connection"""
        deadline = time.monotonic() + self.timeout
        while True:
            ready = dict(self._poller.poll(max(0, int((deadline - time.monotonic()) * 1000))))
            if self._socket in ready or not ready:
                return bool(ready)
            refused = self._watch.read()
            if refused:
                self._close()
                self._open()                # For the next request: libzmq may not try again
                raise refused
