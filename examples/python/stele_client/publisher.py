"""Durable publish for programs with threads.

A background thread owns the socket and runs the dialog (acks, pings that renew a lease,
resending after a restart of the broker), so any thread may call a Publisher.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillWaiting
from typing import Any, List, Mapping, Optional

import zmq

from .dialog import Dialog, Receipt
from .errors import BrokerTimeout, Refused, SteleError, not_acked
from .wire import EVENTS, address

PENDING_EVENTS = 100000     # Most unsettled events; send waits for room
PENDING_BYTES = 128 << 20


class Publisher:
    """Publishes events as one producer, with acks.

    producer: permanent name of the orchestrator; sequences continue after the broker's last one.
    endpoint: of the broker's events socket (default: STELE_EVENTS, or port 5570 of this machine).
    instance: of this run (default: a new UUID). One instance at a time publishes.
    lease_ms: after that time without a message of this run, the broker takes it for dead and
    interrupts its running tasks; pings are sent automatically. Default: no lease.

    Events are kept in memory until they are acked: a crash of this process loses events that
    were not acked yet, so publish waits for acks.
    """

    def __init__(self, producer: str, endpoint: Optional[str] = None, *,
                 instance: Optional[str] = None, lease_ms: Optional[int] = None,
                 context: Optional[zmq.Context] = None) -> None:
        self._dialog = Dialog(producer, instance, lease_ms)
        self._changed = threading.Condition()
        self._closing: Optional[float] = None
        self._wake_send, self._wake_receive = socket.socketpair()
        self._wake_receive.setblocking(False)
        self._wake_send.setblocking(False)
        self._socket = (context or zmq.Context.instance()).socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._address = address(endpoint, "STELE_EVENTS", EVENTS)
        self._socket.connect(self._address)
        self._thread = threading.Thread(target=self._run, name="stele-publisher", daemon=True)
        self._thread.start()

    @property
    def instance(self) -> str:
        return self._dialog.instance

    @property
    def pending(self) -> int:
        """Number of events that are neither acked nor refused yet"""
        return len(self._dialog)

    def send(self, event: Mapping[str, Any], timeout: Optional[float] = None) -> "Future[Receipt]":
        """Send an event; the future has its Receipt when it is durable or refused.

        Waits (at most 'timeout' seconds) only while too many events are unacknowledged.
        """
        future: "Future[Receipt]" = Future()

        def resolve(receipt: Optional[Receipt], error: Optional[SteleError]) -> None:
            if future.set_running_or_notify_cancel():
                if receipt is not None:
                    future.set_result(receipt)
                else:
                    future.set_exception(error or SteleError("not settled"))

        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout):
                raise BrokerTimeout("%s: is the broker running?" % not_acked(len(self._dialog)))
            self._dialog.add(event, resolve)
        self._wake()
        return future

    def publish(self, *events: Mapping[str, Any], timeout: Optional[float] = 30.0) -> int:
        """Publish events, and return when all are durable: the position of the last.

        Raises Refused if any was refused (the others are stored), and BrokerTimeout after
        'timeout' seconds: the events are then still being sent, so do not publish them again.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        futures = [self.send(event, _left(deadline)) for event in events]
        receipts: List[Receipt] = []
        for future in futures:
            try:
                receipts.append(future.result(_left(deadline)))
            except StillWaiting:
                raise BrokerTimeout("not acked within %g s: is the broker running?" % (timeout or 0)) from None
        refused = [receipt for receipt in receipts if receipt.refused]
        if refused:
            raise Refused(refused)
        return max([receipt.position or 0 for receipt in receipts], default=0)

    def flush(self, timeout: Optional[float] = 30.0) -> None:
        """Wait until every event that was sent is acked or refused."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._dialog) == 0, timeout):
                raise BrokerTimeout(not_acked(len(self._dialog)))

    def close(self, timeout: float = 30.0) -> None:
        """Flush, send goodbye and stop. BrokerTimeout if events were left unacknowledged."""
        left = 0
        with self._changed:
            if self._closing is None:
                if not self._changed.wait_for(lambda: len(self._dialog) == 0, timeout):
                    left = len(self._dialog)
                self._closing = time.monotonic()
        self._wake()
        self._thread.join()
        if left:
            raise BrokerTimeout("%s by %s: is steled running?" % (not_acked(left), self._address))

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self.close(30.0 if kind is None else 1.0)

    def _has_room(self) -> bool:
        return self._dialog.error is not None or (
            len(self._dialog) < PENDING_EVENTS and self._dialog.bytes < PENDING_BYTES)

    def _wake(self) -> None:
        try:
            self._wake_send.send(b"!")
        except (BlockingIOError, OSError):
            pass                            # A wakeup is pending already, or the thread has ended

    #   The background thread

    def _run(self) -> None:
        try:
            self._loop()
        except Exception as cause:          # An internal error: fail all waiters
            with self._changed:
                self._dialog.fail(SteleError("publisher ended: %r" % cause))
                self._changed.notify_all()
            raise
        finally:
            self._socket.close(linger=1000)
            self._wake_receive.close()
            self._wake_send.close()

    def _loop(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake_receive, zmq.POLLIN)
        while True:
            with self._changed:
                now = time.monotonic()
                if self._closing is not None:
                    last_messages = self._dialog.goodbye()
                    self._changed.notify_all()
                    break
                messages = self._dialog.outgoing(now)
                timeout = self._dialog.timeout(now)
            for message in messages:
                self._socket.send(message)
            ready = dict(poller.poll(int(timeout * 1000) + 1))
            if self._wake_receive.fileno() in ready:
                self._wake_receive.recv(4096)
            if self._socket in ready:
                self._receive()
        for message in last_messages:
            self._socket.send(message)

    def _receive(self) -> None:
        with self._changed:
            for _ in range(1000):
                try:
                    data = self._socket.recv(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self._dialog.received(data, time.monotonic())
            self._changed.notify_all()


def _left(deadline: Optional[float]) -> Optional[float]:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
