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
from .nodes import Nodes, reads, writer_of
from .operations import Answer, Operations
from .wire import REQUESTS, address, check_permission, lost_answer, no_answer, open_socket, pack, send_now, unpack, without_none


class Client(Operations):
    """Sends requests to the broker. Any thread may call it; requests run one at a time.

    endpoint: of the broker's requests socket (default: STELE_REQUESTS, or port 5571 of this machine); or a list of those of
    the nodes that share a log, separated by commas. Any node answers questions; what only the writer executes is sent to
    the writer. If a connection is lost, requests that only read are sent to the next node; another one may have been executed,
    and raises BrokerTimeout.
    timeout: seconds to wait for an answer; after a BrokerTimeout the client remains usable.
    key: a file that 'stele key new' made, or a Key (default: STELE_KEY, or none; "" uses none). ipc needs none.
    """

    def __init__(self, endpoint: Optional[str] = None, timeout: float = 10.0, *,
                 key: KeyOption = None, context: "Optional[zmq.Context[Any]]" = None) -> None:
        self.timeout = timeout
        self._lock = threading.Lock()
        self._nodes = Nodes(address(endpoint, "STELE_REQUESTS", REQUESTS))
        self._writer: Optional[Client] = None   # To the node that writes, if this one does not
        self._silent = False                # The last request was not answered
        self._pid = os.getpid()
        self._key = find_key(key)
        self._context = context or zmq.Context.instance()
        self._open()

    def _open(self) -> None:
        self._opened_at = time.monotonic()
        self._socket, self._watch = open_socket(self._context, zmq.REQ, self._nodes, self._key)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._watch.monitor, zmq.POLLIN)

    def close(self) -> None:
        if os.getpid() == self._pid:
            with self._lock:
                self._close()
                if self._writer:
                    self._writer.close()

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
        check_permission(self._nodes.current)
        with self._lock:
            if self._socket.closed:
                raise Closed("the client is closed: create another one")
            answer = self._ask(op, request)
            if writer_of(answer) is not None:
                answer = self._ask_writer(op, request, answer)
        if not answer.get("ok"):
            raise request_failed(answer.get("error", {}))
        return answer

    def _ask_writer(self, op: str, request: bytes, answer: Answer) -> Answer:
        """The answer of the node that writes, or the last one of a node that does not; at most once of each node"""
        kept = self._writer is not None
        if self._writer is None:
            self._writer = Client(str(self._nodes), self.timeout, key=self._key or "", context=self._context)
        for _ in range(len(self._nodes.list) + 1):
            named = writer_of(answer)
            if named is None:
                break
            if not kept:                    # Else it is that of the last time, and probably still the writer
                self._writer._move(named)
            kept = False
            answer = self._writer._ask(op, request)
        return answer

    def _move(self, writer: Optional[str] = None) -> None:
        """Connect to the node that was named as the writer, or to the next"""
        self._close()
        pause = self._nodes.move(writer)
        time.sleep(min(pause, self.timeout))
        self._open()

    def _ask(self, op: str, request: bytes) -> Answer:
        deadline = time.monotonic() + self.timeout
        if self._nodes.several:
            self._watch.read()
            if self._silent or self._watch.lost:
                self._move()
        self._silent = True
        self._unsent: Optional[bytes] = request
        try:
            while not self._wait(deadline):
                if time.monotonic() >= deadline:
                    raise BrokerTimeout(no_answer(op, str(self._nodes), self.timeout))
                node = self._nodes.current
                self._move()
                if self._unsent is None and not reads(op):
                    raise BrokerTimeout(lost_answer(op, node))
                self._unsent = request
            answer: Answer = unpack(self._socket.recv())
        except zmq.ZMQError as cause:
            raise SteleError("cannot send %s to %s: %s" % (op, self._nodes, cause)) from cause
        self._silent = False
        self._nodes.moves = 0
        return answer

    def _send(self, request: bytes) -> None:
        self._unsent = None
        if not send_now(self._socket, request):
            self._close()
            self._open()
            send_now(self._socket, request)     # If it is refused again, the watch has the reason

    def _wait(self, deadline: float) -> bool:
        """Wait for an answer; False after the deadline, or if another node may answer. PermissionDenied if the broker refuses the
        connection"""
        while True:
            #   To one of several nodes only over a connection: what a socket has queued could be delivered while it is sent to
            #   another one
            if self._unsent is not None and (self._watch.connected or not self._nodes.several):
                self._send(self._unsent)
            due = deadline
            if self._nodes.several and not self._watch.connected:
                due = min(deadline, self._opened_at + self._nodes.patience)
            ready = dict(self._poller.poll(max(0, int((due - time.monotonic()) * 1000))))
            if self._socket in ready:
                return True
            refused = self._watch.read()
            if refused and (not self._nodes.several or self._nodes.all_tried):
                self._close()
                self._open()                # For the next request: libzmq may not try again
                raise refused
            if refused or self._watch.lost:
                return False
            if not ready and time.monotonic() >= due and not (due < deadline and self._watch.connected):
                return False
