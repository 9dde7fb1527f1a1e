"""Requests for programs with threads."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import threading
from typing import Any, Iterator, Optional

import zmq

from .errors import BrokerTimeout, request_failed
from .operations import Operations
from .wire import REQUESTS, address, pack, unpack, without_none


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
        self._socket = (context or zmq.Context.instance()).socket(zmq.REQ)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.REQ_RELAXED, 1)
        self._socket.setsockopt(zmq.REQ_CORRELATE, 1)
        self._socket.connect(self._endpoint)

    def close(self) -> None:
        with self._lock:
            self._socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self.close()

    def _request(self, op: str, key: Optional[str], parameters: dict) -> Any:
        request = pack(dict(without_none(parameters), op=op))
        with self._lock:
            self._socket.send(request)
            if not self._socket.poll(int(self.timeout * 1000)):
                raise BrokerTimeout("no answer to %s from %s within %g s: is steled running?"
                                    % (op, self._endpoint, self.timeout))
            answer = unpack(self._socket.recv())
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
