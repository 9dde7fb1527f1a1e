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
from typing import Any, AsyncIterator, Callable, Collection, Dict, Mapping, Optional

import zmq
import zmq.asyncio

from .dialog import Dialog, Receipt, Redact, log
from .errors import (BrokerTimeout, Closed, Forked, Refused, SteleError, Unavailable, not_acked, request_failed)
from .follower import QUIET_MS, is_about
from .operations import Operations
from .order import Order
from .publisher import ADVICE, LAST_S, PENDING_BYTES, PENDING_EVENTS
from .refusals import Refusals
from .trouble import reason
from .wire import (EVENTS, FEED, REQUESTS, address, check_permission, open_socket, pack, unpack, without_none)


class Outcome(asyncio.Future):
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
                 instance: Optional[str] = None, lease_ms: Optional[int] = None,
                 on_refused: Optional[Callable[[Receipt], None]] = None,
                 redact: Optional[Redact] = None, requests: Optional[str] = None, context: Optional[zmq.asyncio.Context] = None) -> None:
        loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._dialog = Dialog(producer, instance, lease_ms, redact)
        self._refusals = Refusals(on_refused)
        self._requests = requests
        self._address = address(endpoint, "STELE_EVENTS", EVENTS)
        self._socket = open_socket(context or zmq.asyncio.Context.instance(), zmq.DEALER, self._address)
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
        welcome = await self._wait_for(lambda: self._dialog.ledger is not None or self._dialog.error, timeout)
        if self._dialog.error:
            raise self._dialog.error
        if not welcome:
            raise await self._timeout("no welcome within %g s" % (timeout or 0), timeout)

    async def send(self, event: Mapping[str, Any]) -> "asyncio.Future[Receipt]":
        """Send an event; the future has its Receipt when it is durable or refused.

        Waits only while too many events are unacked.
        """
        self._check_process()
        await self._wait_for(lambda: self._dialog.error or (
            len(self._dialog) < PENDING_EVENTS and self._dialog.bytes < PENDING_BYTES), None)
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
        async def settle() -> list:
            return [await future for future in [await self.send(event) for event in events]]

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
        if not await self._wait_for(lambda: len(self._dialog) == 0, timeout):
            raise await self._timeout(not_acked(self.pending), timeout)
        self._refusals.raise_unseen()

    async def close(self, timeout: float = 30.0, *, keep: bool = False) -> None:
        """See stele_client.Publisher.close."""
        if os.getpid() != self._pid or self._closed:
            return
        settled = False
        try:
            settled = await self._wait_for(lambda: len(self._dialog) == 0, timeout)
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
                await self._wait_for(lambda: len(self._dialog) == 0, LAST_S)
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
        if self._dialog.ledger is None:
            check_permission(self._address)
        why = await asyncio.to_thread(reason, self._requests, self._dialog.ledger, timeout)
        return BrokerTimeout("%s by %s: %s" % (what, self._address, why))

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
        for message in self._dialog.close(goodbye, keep):
            await self._socket.send(message)
        self._settled.set()
        self._refusals.call()
        self._socket.close(linger=1000)

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
            for message in self._dialog.outgoing(now):
                await self._socket.send(message)
            timeout = self._dialog.timeout(now)
            poll = asyncio.ensure_future(self._socket.poll(int(timeout * 1000) + 1))
            more = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait([poll, more], return_when=asyncio.FIRST_COMPLETED)
            finally:
                poll.cancel()
                more.cancel()
            while await self._socket.poll(0):
                (data,) = await self._socket.recv_multipart()
                self._dialog.received(data, time.monotonic())
            self._settled.set()
            self._refusals.call()


class Client(Operations):
    """See stele_client.Client. Any number of requests may run at once."""

    def __init__(self, endpoint: Optional[str] = None, timeout: float = 10.0, *,
                 context: Optional[zmq.asyncio.Context] = None) -> None:
        self.timeout = timeout
        self._endpoint = address(endpoint, "STELE_REQUESTS", REQUESTS)
        self._pid = os.getpid()
        self._socket = open_socket(context or zmq.asyncio.Context.instance(), zmq.DEALER, self._endpoint)
        self._numbers = itertools.count(1)
        self._waiting: Dict[bytes, "asyncio.Future[dict]"] = {}
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self._socket.close()

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

    async def _request(self, op: str, key: Optional[str], parameters: dict) -> Any:
        request = pack(dict(without_none(parameters), op=op))
        if os.getpid() != self._pid:
            raise Forked("Client")
        if self._socket.closed:
            raise Closed("the client is closed: create another one")
        check_permission(self._endpoint)
        #   The frames of a correlating REQ socket: a number, the delimiter, the body
        number = struct.pack("=I", next(self._numbers) & 0xffffffff)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_multipart([number, b"", request])
            answer = await asyncio.wait_for(future, self.timeout)
        except asyncio.TimeoutError:
            raise BrokerTimeout("no answer to %s from %s within %g s: is steled running?"
                                % (op, self._endpoint, self.timeout)) from None
        except zmq.ZMQError as cause:
            raise SteleError("cannot send %s to %s: %s" % (op, self._endpoint, cause)) from cause
        finally:
            del self._waiting[number]
        if not answer.get("ok"):
            raise request_failed(answer.get("error", {}))
        return answer if key is None else answer[key]

    async def _pages(self, op: str, key: str, parameters: dict) -> AsyncIterator[Any]:
        parameters = dict(parameters)
        while True:
            answer = await self._request(op, None, parameters)
            for row in answer[key]:
                yield row
            if answer["next"] is None:
                return
            parameters["cursor"] = answer["next"]


async def follow(after: Optional[int] = 0, *, types: Optional[Collection[str]] = None,
                 keep: Optional[Callable[[Dict[str, Any]], bool]] = None, whole: bool = True,
                 task: Optional[str] = None,
                 feed: Optional[str] = None, requests: Optional[str] = None,
                 context: Optional[zmq.asyncio.Context] = None) -> AsyncIterator[Dict[str, Any]]:
    """Every event after a position, once and in order, without end: see stele_client.Follower."""
    wanted = {types} if isinstance(types, str) else set(types or ())
    endpoint = address(feed, "STELE_FEED", FEED)
    check_permission(endpoint)
    socket = open_socket(context or zmq.asyncio.Context.instance(), zmq.SUB, endpoint)
    client = Client(requests, context=context)

    def passes(event: Dict[str, Any]) -> bool:
        return (not wanted or event["type"] in wanted) and is_about(event, task) and (keep is None or keep(event))

    try:
        order = Order(await client.ping() if after is None else after, whole)
        while True:
            if order.missing:
                try:
                    answer = await client.read_events(order.after, 1000)
                except (BrokerTimeout, Unavailable):
                    continue
                order.from_ledger(answer)
                for event in answer["events"]:
                    if passes(event):
                        yield event
            elif not await socket.poll(QUIET_MS):
                order.missing = True
            else:
                event = order.from_feed(*await socket.recv_multipart())
                if event is not None and passes(event):
                    yield event
    finally:
        socket.close()
        await client.close()
