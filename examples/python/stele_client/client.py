"""Requests for programs with threads."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import os
import threading
from typing import Any, Iterator, Optional

import zmq

from .errors import BrokerTimeout, Closed, Forked, SteleError, request_failed
from .operations import Operations
from .wire import REQUESTS, address, check_permission, no_answer, open_socket, pack, unpack, without_none


class Client(Operations):
    """Sends requests to the broker. Any thread may call it; requests run one at a time.

    endpoint: of the broker's requests socket (default: STELE_REQUESTS, or port 5571 of this machine).
    timeout: seconds to wait for an answer; after a BrokerTimeout the client remains usable.
    """

    def __init__(self, endpoint: Optional[str] = None, timeout: float = 10.0, *,
                 context: Optional[zmq.Context] = None) -> None:
        self.timeout = timeout
        self._lock = threading.Lock()
        self._endpoint = address(endpoint, "STELE_REQUESTS", REQUESTS)
        self._pid = os.getpid()
        self._socket = open_socket(context or zmq.Context.instance(), zmq.REQ, self._endpoint)

    def close(self) -> None:
        if os.getpid() == self._pid:
            with self._lock:
                self._socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self.close()

    def _request(self, op: str, key: Optional[str], parameters: dict) -> Any:
        request = pack(dict(without_none(parameters), op=op))
        if os.getpid() != self._pid:
            raise Forked("Client")
        check_permission(self._endpoint)
        with self._lock:
            if self._socket.closed:
                raise Closed("the client is closed: create another one")
            try:
                self._socket.send(request)
                if not self._socket.poll(int(self.timeout * 1000)):
                    raise BrokerTimeout(no_answer(op, self._endpoint, self.timeout))
                answer = unpack(self._socket.recv())
            except zmq.ZMQError as cause:
                raise SteleError("cannot send %s to %s: %s" % (op, self._endpoint, cause)) from cause
        if not answer.get("ok"):
            raise request_failed(answer.get("error", {}))
        return answer if key is None else answer[key]

    def _pages(self, op: str, key: str, parameters: dict) -> Iterator[Any]:
        parameters = dict(parameters)
        while True:
            answer = self._request(op, None, parameters)
            yield from answer[key]
            if answer["next"] is None:
                return
            parameters["cursor"] = answer["next"]
