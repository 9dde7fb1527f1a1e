"""Requests for asyncio."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import asyncio
import itertools
import os
import struct
import time
from typing import Any, Dict, List, Mapping, Optional

import zmq
import zmq.asyncio

from .aio_operations import Operations
from .errors import BrokerTimeout, Closed, Forked, SteleError, request_failed
from .keys import KeyOption, find_key
from .nodes import Nodes, reads, writer_of
from .operations import Answer
from .wire import REQUESTS, address, check_permission, lost_answer, no_answer, open_socket, pack, unpack, without_none


async def let_go() -> None:
    """Before a socket is closed: run what pyzmq has scheduled for it"""
    for _ in range(2):
        await asyncio.sleep(0)


class _Lost(Exception):
    """The connection to a node is lost; 'sent': requests may have been executed"""

    def __init__(self, sent: bool, node: str) -> None:
        self.sent, self.node = sent, node


class Client(Operations):
    """See stele_client.Client. Any number of requests may run at once."""

    def __init__(self, endpoint: Optional[str] = None, timeout: float = 10.0, *,
                 key: KeyOption = None, context: Optional[zmq.asyncio.Context] = None) -> None:
        self.timeout = timeout
        self._nodes = Nodes(address(endpoint, "STELE_REQUESTS", REQUESTS))
        self._writer: Optional[Client] = None   # To the node that writes, if this one does not
        self._pid = os.getpid()
        self._key = find_key(key)
        self._context = context or zmq.asyncio.Context.instance()
        self._numbers = itertools.count(1)
        self._received_at = 0.0             # The last answer, to whichever request
        self._pause_until = 0.0             # Before another node is connected
        self._waiting: Dict[bytes, "asyncio.Future[Answer]"] = {}
        self._open()

    def _open(self) -> None:
        self._ready = asyncio.Event()       # There is a connection
        self._stale = False                 # The broker refused the connection: libzmq may not try again; or the node is lost
        self._socket, self._watch = open_socket(self._context, zmq.DEALER, self._nodes, self._key)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run()), loop.create_task(self._watch_for_refusals())]

    def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if not self._socket.closed:
            self._watch.close()
            self._socket.close()

    async def close(self) -> None:
        self._close()
        await asyncio.wait(self._tasks)
        if self._writer:
            await self._writer.close()

    async def _watch_for_refusals(self) -> None:
        while True:
            await self._watch.monitor.poll()
            refused = await self._watch.read_later()
            if self._watch.connected:
                self._ready.set()
            if self._nodes.several and (refused or self._watch.lost) and not (refused and self._nodes.all_tried):
                self._leave()
            elif refused:
                self._stale = True
                self._fail(refused)

    def _fail(self, error: Exception) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)

    def _leave(self) -> None:
        """The node is lost: the next request connects to another one, and so do those that wait, if they may"""
        if not self._stale:
            self._stale = True
            self._fail(_Lost(True, self._nodes.current))
            self._socket.disconnect(self._nodes.current)
            self._pause_until = time.monotonic() + self._nodes.move()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, kind: Any, value: Any, trace: Any) -> None:
        await self.close()

    async def _run(self) -> None:
        while True:
            frames = await self._socket.recv_multipart()
            self._received_at = time.monotonic()
            future = self._waiting.get(frames[0])
            if future and not future.done() and len(frames) == 3:
                future.set_result(unpack(frames[2]))

    async def _request(self, op: str, parameters: Mapping[str, Any]) -> Answer:
        request = pack(dict(without_none(parameters), op=op))
        if os.getpid() != self._pid:
            raise Forked("Client")
        if self._socket.closed:
            raise Closed("the client is closed: create another one")
        check_permission(self._nodes.current)
        answer = await self._ask(op, request)
        if writer_of(answer) is not None:
            answer = await self._ask_writer(op, request, answer)
        if not answer.get("ok"):
            raise request_failed(answer.get("error", {}))
        return answer

    async def _ask_writer(self, op: str, request: bytes, answer: Answer) -> Answer:
        """See stele_client.Client."""
        kept = self._writer is not None
        if self._writer is None:
            self._writer = Client(str(self._nodes), self.timeout, key=self._key or "", context=self._context)
        writer = self._writer
        for _ in range(len(self._nodes.list) + 1):
            named = writer_of(answer)
            if named is None:
                break
            if not kept and not writer._stale:
                writer._stale = True
                writer._fail(_Lost(True, writer._nodes.current))
                writer._nodes.move(named)
            kept = False
            answer = await writer._ask(op, request)
        return answer

    async def _ask(self, op: str, request: bytes) -> Answer:
        deadline = time.monotonic() + self.timeout
        while True:
            if self._stale:
                await asyncio.sleep(max(0.0, min(deadline, self._pause_until) - time.monotonic()))
            if self._stale:
                await let_go()
            if self._stale:                 # No other request has done it meanwhile
                self._close()
                self._open()
            try:
                return await self._ask_node(op, request, deadline)
            except _Lost as lost:
                if time.monotonic() >= deadline:
                    raise BrokerTimeout(no_answer(op, str(self._nodes), self.timeout)) from None
                if lost.sent and not reads(op):
                    raise BrokerTimeout(lost_answer(op, lost.node)) from None

    async def _wait_for_connection(self, future: "asyncio.Future[Answer]", deadline: float) -> None:
        """To one of several nodes a request is sent only over a connection: what a socket has queued could be delivered while it
        is sent to another one. _Lost: this node cannot be reached."""
        node, ready = self._nodes.current, asyncio.ensure_future(self._ready.wait())
        patience = min(self._nodes.patience, max(0.0, deadline - time.monotonic()))
        waits: List[asyncio.Future[Any]] = [future, ready]
        await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not future.done() and not self._watch.connected:
            self._leave()
        if future.done():
            error = future.exception()
            raise _Lost(False, node) if isinstance(error, _Lost) or error is None else error

    async def _ask_node(self, op: str, request: bytes, deadline: float) -> Answer:
        #   The frames of a correlating REQ socket: a number, the delimiter, the body
        number = struct.pack("=I", next(self._numbers) & 0xffffffff)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        sent_at = time.monotonic()
        try:
            if self._nodes.several and not self._watch.connected:
                await self._wait_for_connection(future, deadline)
            await self._send([number, b"", request])
            answer = await asyncio.wait_for(future, max(0.0, deadline - time.monotonic()))
        except asyncio.TimeoutError:
            if self._nodes.several and self._received_at < sent_at:
                self._leave()               # It is silent: the next request asks another node
            raise BrokerTimeout(no_answer(op, str(self._nodes), self.timeout)) from None
        except zmq.ZMQError as cause:
            raise SteleError("cannot send %s to %s: %s" % (op, self._nodes, cause)) from cause
        finally:
            del self._waiting[number]
        self._nodes.moves = 0
        return answer

    async def _send(self, frames: List[bytes]) -> None:
        for again in (True, False):
            try:
                await self._socket.send_multipart(frames, zmq.NOBLOCK)
                return
            except zmq.Again:               # The broker refused the connection meanwhile: libzmq has given it up
                if again:                   # Else the watch has the reason
                    self._close()
                    self._open()
