"""Publisher, Client and follow for asyncio.

    async with aio.Publisher("build-farm") as publisher:
        await publisher.publish(stele.task_state_changed("build-7", "running"))

    async with aio.Client() as client:
        async for task in client.tasks(states=["running"]):
            ...

    async for event in aio.follow(after=0):
        ...
"""
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
from typing import Any, AsyncIterator, Callable, Collection, Dict, List, Mapping, Optional

import zmq
import zmq.asyncio

from .dialog import Dialog, Receipt, Redact, log
from .errors import (BrokerTimeout, Closed, Forked, PermissionDenied, Refused, RequestFailed, SteleError, Unavailable,
                     not_acked, request_failed)
from .follower import QUIET_MS, is_about
from .keys import AGAIN_S, KeyOption, Watch, find_key
from .aio_operations import Operations
from .operations import Answer
from .order import Order
from .publisher import ADVICE, LAST_S, PENDING_BYTES, PENDING_EVENTS
from .records import StoredEvent
from .refusals import Refusals
from .trouble import reason
from .wire import (EVENTS, FEED, REQUESTS, address, check_permission, no_answer, open_socket, pack, unpack, without_none)


class Outcome(asyncio.Future[Receipt]):
    """The future of an event. 'seen': the program has asked for its outcome."""

    seen = False

    def result(self) -> Receipt:
        self.seen = True
        return super().result()

    def exception(self) -> Optional[BaseException]:
        self.seen = True
        return super().exception()

    def __await__(self) -> Any:
        try:
            return (yield from super().__await__())
        finally:
            self.seen = self.done() and not self.cancelled()

    __iter__ = __await__


class Publisher:
    """See stele_client.Publisher. Create it inside a running loop, and use it in that loop."""

    def __init__(self, producer: str, endpoint: Optional[str] = None, *,
                 instance: Optional[str] = None, lease_ms: Optional[int] = None, anonymous: bool = False,
                 on_refused: Optional[Callable[[Receipt], None]] = None,
                 redact: Optional[Redact] = None, requests: Optional[str] = None, key: KeyOption = None,
                 context: Optional[zmq.asyncio.Context] = None) -> None:
        loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._dialog = Dialog(producer, instance, lease_ms, redact, anonymous)
        self._refusals = Refusals(on_refused)
        self._requests = requests
        self._address = address(endpoint, "STELE_EVENTS", EVENTS)
        self._key = find_key(key)
        self._context = context or zmq.asyncio.Context.instance()
        self._refused: Optional[PermissionDenied] = None
        self._again = 0.0                   # When to connect again after a refusal; 0: there was none
        self._socket, self._watch = open_socket(self._context, zmq.DEALER, self._address, self._key)
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._closed = False
        self._task = loop.create_task(self._run())

    @property
    def instance(self) -> str:
        return self._dialog.instance

    @property
    def pending(self) -> int:
        return len(self._dialog)

    async def ready(self, timeout: Optional[float] = 30.0) -> None:
        """See stele_client.Publisher.ready."""
        self._check_process()
        await self._wait_for(lambda: self._refused or self._dialog.ledger is not None or self._dialog.error, timeout)
        if self._dialog.error:
            raise self._dialog.error
        if self._dialog.ledger is None:
            raise await self._timeout("no welcome within %g s" % (timeout or 0), timeout)

    async def send(self, event: Mapping[str, Any]) -> "asyncio.Future[Receipt]":
        """Send an event; the future has its Receipt when it is durable or refused.

        Waits only while too many events are unacked.
        """
        self._check_process()
        await self._wait_for(lambda: self._refused or self._has_room(), None)
        if self._refused and not self._has_room():
            raise self._refused
        future = Outcome(loop=asyncio.get_running_loop())

        def resolve(receipt: Optional[Receipt], error: Optional[SteleError]) -> None:
            self._refusals.add(future, receipt, error)
            if not future.done():
                if receipt is not None:
                    future.set_result(receipt)
                else:
                    future.set_exception(error or SteleError("not settled"))
                    asyncio.Future.exception(future)    # Avoid a warning if the caller does not wait for it

        self._dialog.add(event, resolve)
        self._changed.set()
        return future

    async def publish(self, *events: Mapping[str, Any], timeout: Optional[float] = 30.0) -> int:
        """See stele_client.Publisher.publish."""
        async def settle() -> List[Receipt]:
            futures = [await self.send(event) for event in events]
            for future in futures:
                await self._wait_for(lambda: self._refused or future.done(), None)
                if self._refused and not future.done():
                    raise self._refused
            return [await future for future in futures]

        try:
            receipts = await asyncio.wait_for(settle(), timeout)
        except asyncio.TimeoutError:
            raise await self._timeout("not acked within %g s" % (timeout or 0), timeout) from None
        refused = [receipt for receipt in receipts if receipt.refused]
        if refused:
            raise Refused(refused)
        return max([receipt.position or 0 for receipt in receipts], default=0)

    async def flush(self, timeout: Optional[float] = 30.0) -> None:
        """See stele_client.Publisher.flush."""
        self._check_process()
        if not await self._wait_settled(timeout):
            raise await self._timeout(not_acked(self.pending), timeout)
        self._refusals.raise_unseen()

    async def close(self, timeout: float = 30.0, *, keep: bool = False) -> None:
        """See stele_client.Publisher.close."""
        if os.getpid() != self._pid or self._closed:
            return
        settled = False
        try:
            settled = await self._wait_settled(timeout)
        finally:
            left = self.pending
            await self._stop(settled or keep, keep)
        if not settled:
            raise await self._timeout(not_acked(left), timeout)
        self._refusals.raise_unseen()

    async def __aenter__(self) -> "Publisher":
        return self

    async def __aexit__(self, kind: Any, value: Any, trace: Any) -> None:
        if kind is None:
            await self.close()
        elif os.getpid() == self._pid and not self._closed:
            try:
                await self._wait_settled(LAST_S)
            finally:
                left = self.pending
                await self._stop(False, False)
            log.warning("producer %s: the run ends by %s, without a goodbye; %s", self._dialog.producer, kind.__name__,
                        not_acked(left) if left else "all events are acked")

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise Forked("Publisher", ADVICE)

    async def _timeout(self, what: str, timeout: Optional[float]) -> SteleError:
        """The exception for a wait in vain, with the reason if the broker gives one"""
        if self._refused:
            return self._refused
        if self._dialog.ledger is None:
            check_permission(self._address)
        why = await asyncio.to_thread(reason, self._requests, self._dialog.ledger, timeout, self._key)
        return BrokerTimeout("%s by %s: %s" % (what, self._address, why))

    def _has_room(self) -> bool:
        return self._dialog.error is not None or (
            len(self._dialog) < PENDING_EVENTS and self._dialog.bytes < PENDING_BYTES)

    async def _wait_settled(self, timeout: Optional[float]) -> bool:
        await self._wait_for(lambda: self._refused or len(self._dialog) == 0, timeout)
        return len(self._dialog) == 0

    async def _wait_for(self, condition: Callable[[], Any], timeout: Optional[float]) -> bool:
        async def wait() -> None:
            while not condition():
                self._settled.clear()
                await self._settled.wait()

        if condition():
            return True
        try:
            await asyncio.wait_for(wait(), timeout)
        except asyncio.TimeoutError:
            return False
        return True

    async def _stop(self, goodbye: bool, keep: bool) -> None:
        self._closed = True
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._send(self._dialog.close(goodbye, keep))
        self._settled.set()
        self._refusals.call()
        self._watch.close()
        self._socket.close(linger=1000)

    async def _send(self, messages: List[bytes]) -> None:
        try:
            for message in messages:
                await self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:                   # No limit: the broker refused the connection, and libzmq has given it up
            self._again = time.monotonic() + AGAIN_S

    async def _run(self) -> None:
        try:
            await self._loop()
        except Exception as cause:          # An internal error: fail all waiters
            self._dialog.fail(SteleError("publisher ended: %r" % cause))
            self._settled.set()
            raise

    async def _loop(self) -> None:
        while True:
            self._changed.clear()
            now = time.monotonic()
            if not self._again:
                await self._send(self._dialog.outgoing(now))
            timeout = self._again - now if self._again else self._dialog.timeout(now)
            waits = [asyncio.ensure_future(self._socket.poll(max(0, int(timeout * 1000)) + 1)),
                     asyncio.ensure_future(self._watch.monitor.poll()), asyncio.ensure_future(self._changed.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            self._take_refusal(await self._watch.read_later())
            while await self._socket.poll(0):
                (data,) = await self._socket.recv_multipart()
                self._refused = None
                self._dialog.received(data, time.monotonic())
            if self._again and time.monotonic() >= self._again:
                self._reconnect()
            self._settled.set()
            self._refusals.call()

    def _take_refusal(self, refused: Optional[PermissionDenied]) -> None:
        if refused is None:
            return
        if self._refused is None:
            log.error("producer %s: %s", self._dialog.producer, refused)
        self._refused = refused
        self._again = time.monotonic() + AGAIN_S

    def _reconnect(self) -> None:
        """libzmq may not try again after a refusal; the operator of the broker may have added the key"""
        self._again = 0.0
        self._watch.close()
        self._socket.close()
        succeeded = self._watch.succeeded
        self._socket, self._watch = open_socket(self._context, zmq.DEALER, self._address, self._key)
        self._watch.succeeded = succeeded
        self._dialog.reconnect()


class Client(Operations):
    """See stele_client.Client. Any number of requests may run at once."""

    def __init__(self, endpoint: Optional[str] = None, timeout: float = 10.0, *,
                 key: KeyOption = None, context: Optional[zmq.asyncio.Context] = None) -> None:
        self.timeout = timeout
        self._endpoint = address(endpoint, "STELE_REQUESTS", REQUESTS)
        self._pid = os.getpid()
        self._key = find_key(key)
        self._context = context or zmq.asyncio.Context.instance()
        self._numbers = itertools.count(1)
        self._waiting: Dict[bytes, "asyncio.Future[Answer]"] = {}
        self._open()

    def _open(self) -> None:
        self._stale = False                 # The broker refused the connection: libzmq may not try again
        self._socket, self._watch = open_socket(self._context, zmq.DEALER, self._endpoint, self._key)
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

    async def _watch_for_refusals(self) -> None:
        while True:
            await self._watch.monitor.poll()
            refused = await self._watch.read_later()
            if refused:
                self._stale = True
                for future in self._waiting.values():
                    if not future.done():
                        future.set_exception(refused)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, kind: Any, value: Any, trace: Any) -> None:
        await self.close()

    async def _run(self) -> None:
        while True:
            frames = await self._socket.recv_multipart()
            future = self._waiting.get(frames[0])
            if future and not future.done() and len(frames) == 3:
                future.set_result(unpack(frames[2]))

    async def _request(self, op: str, parameters: Mapping[str, Any]) -> Answer:
        request = pack(dict(without_none(parameters), op=op))
        if os.getpid() != self._pid:
            raise Forked("Client")
        if self._socket.closed:
            raise Closed("the client is closed: create another one")
        check_permission(self._endpoint)
        if self._stale:
            self._close()
            self._open()
        #   The frames of a correlating REQ socket: a number, the delimiter, the body
        number = struct.pack("=I", next(self._numbers) & 0xffffffff)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send([number, b"", request])
            answer: Answer = await asyncio.wait_for(future, self.timeout)
        except asyncio.TimeoutError:
            raise BrokerTimeout(no_answer(op, self._endpoint, self.timeout)) from None
        except zmq.ZMQError as cause:
            raise SteleError("cannot send %s to %s: %s" % (op, self._endpoint, cause)) from cause
        finally:
            del self._waiting[number]
        if not answer.get("ok"):
            raise request_failed(answer.get("error", {}))
        return answer

    async def _send(self, frames: List[bytes]) -> None:
        try:
            await self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:                   # The broker refused the connection meanwhile: libzmq has given it up
            self._close()
            self._open()
            await self._socket.send_multipart(frames)


async def follow(after: Optional[int] = 0, *, types: Optional[Collection[str]] = None,
                 keep: Optional[Callable[[StoredEvent], bool]] = None, whole: bool = True,
                 task: Optional[str] = None,
                 feed: Optional[str] = None, requests: Optional[str] = None, key: KeyOption = None,
                 context: Optional[zmq.asyncio.Context] = None) -> AsyncIterator[StoredEvent]:
    """Every event after a position, once and in order, without end: see stele_client.Follower."""
    wanted = {types} if isinstance(types, str) else set(types or ())
    endpoint = address(feed, "STELE_FEED", FEED)
    check_permission(endpoint)
    found = find_key(key)
    socket, watch = open_socket(context or zmq.asyncio.Context.instance(), zmq.SUB, endpoint, found)
    client = Client(requests, key=found or "", context=context)

    def passes(event: StoredEvent) -> bool:
        return (not wanted or event["type"] in wanted) and is_about(event, task) and (keep is None or keep(event))

    try:
        order = Order(await client.ping() if after is None else after, whole, after is None)
        while True:
            if order.missing:
                try:
                    answer = await client.read_events(order.after, 1000)
                except (BrokerTimeout, Unavailable):
                    continue
                except RequestFailed as failure:
                    order.from_refusal(failure)
                    continue
                order.from_ledger(answer)
                for event in map(StoredEvent, answer["events"]):
                    if passes(event):
                        yield event
            elif not await _is_ready(socket, watch):
                order.suspect()
            else:
                message = order.from_feed(*await socket.recv_multipart())
                if message is not None and passes(StoredEvent(message)):
                    yield StoredEvent(message)
    finally:
        watch.close()
        socket.close()
        await client.close()


async def _is_ready(socket: zmq.asyncio.Socket, watch: Watch) -> bool:
    """Wait for the feed; PermissionDenied if the broker refuses the connection"""
    refused = await watch.read_later()
    if refused:
        raise refused
    ready = asyncio.ensure_future(socket.poll(QUIET_MS))
    news = asyncio.ensure_future(watch.monitor.poll())
    try:
        await asyncio.wait([ready, news], return_when=asyncio.FIRST_COMPLETED)
    finally:
        news.cancel()
    refused = await watch.read_later()
    if refused:
        ready.cancel()
        raise refused
    return bool(await ready)
