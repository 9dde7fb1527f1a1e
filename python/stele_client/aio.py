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
import os
import time
from typing import Any, AsyncIterator, Callable, Collection, List, Mapping, Optional

import zmq
import zmq.asyncio

from .aio_client import Client as Client, let_go
from .dialog import Dialog, Receipt, Redact, log
from .errors import (BrokerTimeout, Forked, PermissionDenied, Refused, RequestFailed, SteleError, Unavailable,
                     not_acked)
from .follower import QUIET_MS, is_about
from .keys import AGAIN_S, KeyOption, Watch, find_key
from .nodes import WELCOME_S, Nodes
from .order import Order
from .publisher import ADVICE, LAST_S, PENDING_BYTES, PENDING_EVENTS
from .records import StoredEvent
from .refusals import Refusals
from .trouble import follows, reason
from .wire import EVENTS, FEED, address, check_permission, open_socket


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
        self._nodes = Nodes(address(endpoint, "STELE_EVENTS", EVENTS))
        self._key = find_key(key)
        self._context = context or zmq.asyncio.Context.instance()
        self._refused: Optional[PermissionDenied] = None
        self._again = 0.0                   # When to connect again, after a refusal or to another node; 0: not planned
        self._socket, self._watch = open_socket(self._context, zmq.DEALER, self._nodes, self._key)
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
            check_permission(self._nodes.current)
        why = follows(self._dialog.follows) or await asyncio.to_thread(
            reason, self._requests, self._dialog.ledger, timeout, self._key)
        return BrokerTimeout("%s by %s: %s" % (what, self._nodes, why))

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
            if self._nodes.several:
                timeout = min(timeout, WELCOME_S)
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
            self._check_node()
            if self._again and time.monotonic() >= self._again:
                await let_go()
                self._reconnect()
            self._settled.set()
            self._refusals.call()

    def _take_refusal(self, refused: Optional[PermissionDenied]) -> None:
        if refused is None:
            return
        self._again = time.monotonic() + AGAIN_S
        tried = self._nodes.all_tried
        if self._nodes.several:             # Another node may accept the key
            self._nodes.move()
        if not tried:
            return
        if self._refused is None:
            log.error("producer %s: %s", self._dialog.producer, refused)
        self._refused = refused

    def _check_node(self) -> None:
        """Connect to another node if this one is lost or silent, or is not the writer"""
        now, writer = time.monotonic(), self._dialog.writer
        if self._dialog.state == "open":
            self._nodes.moves = 0
        lost = self._nodes.several and (self._watch.lost or self._dialog.is_silent(now, self._nodes.patience))
        if not self._again and (writer is not None or lost):
            self._again = now + self._nodes.move(writer)

    def _reconnect(self) -> None:
        """libzmq may not try again after a refusal, and the operator of the broker may have added the key; or another node"""
        self._again = 0.0
        self._watch.close()
        self._socket.close()
        succeeded = self._watch.succeeded
        self._socket, self._watch = open_socket(self._context, zmq.DEALER, self._nodes, self._key)
        self._watch.succeeded = succeeded
        self._dialog.reconnect()


async def follow(after: Optional[int] = 0, *, types: Optional[Collection[str]] = None,
                 keep: Optional[Callable[[StoredEvent], bool]] = None, whole: bool = True,
                 task: Optional[str] = None,
                 feed: Optional[str] = None, requests: Optional[str] = None, key: KeyOption = None,
                 context: Optional[zmq.asyncio.Context] = None) -> AsyncIterator[StoredEvent]:
    """Every event after a position, once and in order, without end: see stele_client.Follower."""
    wanted = {types} if isinstance(types, str) else set(types or ())
    nodes = Nodes(address(feed, "STELE_FEED", FEED))
    check_permission(nodes.current)
    found = find_key(key)
    socket, watch = open_socket(context or zmq.asyncio.Context.instance(), zmq.SUB, nodes, found)
    client = Client(requests, key=found or "", context=context)

    def passes(event: StoredEvent) -> bool:
        return (not wanted or event["type"] in wanted) and is_about(event, task) and (keep is None or keep(event))

    try:
        order = Order(await client.ping() if after is None else after, whole, after is None, nodes.several)
        while True:
            if order.missing:
                try:
                    answer = await client.read_events(order.after, 1000, min_position=order.min_position)
                except (BrokerTimeout, Unavailable):
                    continue
                except RequestFailed as failure:
                    order.from_refusal(failure)
                    continue
                order.from_ledger(answer)
                for event in map(StoredEvent, answer["events"]):
                    if passes(event):
                        yield event
            elif not await _is_ready(socket, watch, nodes):
                order.suspect()
                if nodes.several:           # It is silent, lost, or refuses the key: the next one
                    await let_go()
                    watch.close()
                    socket.close()
                    await asyncio.sleep(nodes.move())
                    socket, watch = open_socket(context or zmq.asyncio.Context.instance(), zmq.SUB, nodes, found)
            else:
                nodes.moves = 0
                message = order.from_feed(*await socket.recv_multipart())
                if message is not None and passes(StoredEvent(message)):
                    yield StoredEvent(message)
    finally:
        watch.close()
        socket.close()
        await client.close()


async def _is_ready(socket: zmq.asyncio.Socket, watch: Watch, nodes: Nodes) -> bool:
    """Wait for the feed; False if events may have been missed. PermissionDenied if the broker refuses the connection"""
    if await _is_lost(watch, nodes):
        return False
    ready = asyncio.ensure_future(socket.poll(QUIET_MS))
    news = asyncio.ensure_future(watch.monitor.poll())
    try:
        await asyncio.wait([ready, news], return_when=asyncio.FIRST_COMPLETED)
    finally:
        news.cancel()
    try:
        lost = await _is_lost(watch, nodes)
    except PermissionDenied:
        ready.cancel()
        raise
    if lost:
        ready.cancel()
        return False
    return bool(await ready)


async def _is_lost(watch: Watch, nodes: Nodes) -> bool:
    refused = await watch.read_later()
    if refused and (not nodes.several or nodes.all_tried):
        raise refused
    return refused is not None or watch.lost
