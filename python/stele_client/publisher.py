"""Durable publish for programs with threads.

A background thread owns the socket and runs the dialog (acks, pings that renew a lease,
resending after a restart of the broker), so any thread may call a Publisher.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import atexit
import os
import socket
import threading
import time
import weakref
from concurrent.futures import Future
from typing import Any, Callable, List, Mapping, Optional

import zmq

from .dialog import Dialog, Receipt, Redact, log
from .errors import BrokerTimeout, Closed, Forked, PermissionDenied, Refused, SteleError, not_acked
from .keys import AGAIN_S, KeyOption, find_key
from .nodes import WELCOME_S, Nodes
from .refusals import Refusals
from .spool import Spool
from .trouble import follows, reason
from .wire import EVENTS, address, check_permission, open_socket

PENDING_EVENTS = 100000     # Most unsettled events; send waits for room
PENDING_BYTES = 128 << 20
LAST_S = 1.0                # After an exception: time for events that were sent already

ADVICE = ", with a producer name of its own"


class Outcome(Future[Receipt]):
    """The future of an event. 'seen': the program has asked for its outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def result(self, timeout: Optional[float] = None) -> Receipt:
        try:
            receipt = super().result(timeout)
        except SteleError:
            self.seen = True
            raise
        self.seen = True
        return receipt

    def exception(self, timeout: Optional[float] = None) -> Optional[BaseException]:
        error = super().exception(timeout)
        self.seen = True
        return error


class Publisher:
    """Publishes events as one producer, with acks.

    producer: permanent name of the orchestrator; sequences continue after the broker's last one.
    endpoint: of the broker's events socket (default: STELE_EVENTS, or port 5570 of this machine); or a list of those of
    the nodes that share a log, separated by commas: the publisher finds the one that writes, and resends there.
    instance: of this run (default: a new UUID). One instance at a time publishes.
    lease_ms: after that time without a message of this run, the broker takes it for dead and
    interrupts its tasks in progress; pings are sent automatically. Default: no lease.
    anonymous: the producer's name is used for this run only: the broker stops listing it after its end.
    on_refused: called with the Receipt of each refused event, in the background thread. Without
    it, flush, close and the end of a with block raise Refused.
    redact: called with each event before it is queued, returns the event to publish: a Redactor, for
    secrets that must not leave this process.
    requests: of the broker's requests socket (default: STELE_REQUESTS, or port 5571 of this
    machine), which is asked for the reason if an ack does not come in time.
    key: a file that 'stele key new' made, or a Key (default: STELE_KEY, or none; "" uses none). ipc needs none. If the
    broker refuses the connection, every wait raises PermissionDenied at once; events are kept.

    spool: path of a file that keeps events until they are acked, also after the end of the program: send returns
    when the event is synced there, and the next run sends what waits in it. One process at a time may have it open.

    Without a spool, events are kept in memory until they are acked: a crash of this process loses events that
    were not acked yet, so publish waits for acks. An event without a time gets the current one.

    Leave a with block normally, or call close, to end the run well. If the block ends by an
    exception (also KeyboardInterrupt or SystemExit), the run ends as by a crash: the broker
    interrupts its tasks in progress when its lease expires, or when the next run sends hello.
    """

    def __init__(self, producer: str, endpoint: Optional[str] = None, *,
                 instance: Optional[str] = None, lease_ms: Optional[int] = None, anonymous: bool = False,
                 on_refused: Optional[Callable[[Receipt], None]] = None,
                 redact: Optional[Redact] = None, requests: Optional[str] = None, key: KeyOption = None,
                 spool: Optional[str] = None, context: "Optional[zmq.Context[Any]]" = None) -> None:
        self._pid = os.getpid()
        self._refusals = Refusals(on_refused)
        self._changed = threading.Condition()
        self._late_at: Optional[int] = None     # The durable sequence at the last wait in vain
        self._closing = False
        self._goodbye = False
        self._keep = False
        self._requests = requests
        self._nodes = Nodes(address(endpoint, "STELE_EVENTS", EVENTS))
        self._key = find_key(key)
        self._context = context or zmq.Context.instance()
        self._refused: Optional[PermissionDenied] = None
        self._again = 0.0                   # When to connect again, after a refusal or to another node; 0: not planned
        self._socket, self._watch = open_socket(self._context, zmq.DEALER, self._nodes, self._key)
        try:
            self._spool = Spool(spool, producer) if spool else None
        except SteleError:
            self._watch.close()
            self._socket.close()
            raise
        self._dialog = Dialog(producer, instance, lease_ms, redact, anonymous, self._spool)
        self._wake_send, self._wake_receive = socket.socketpair()
        self._wake_receive.setblocking(False)
        self._wake_send.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="stele-publisher", daemon=True)
        self._thread.start()
        _OPEN.add(self)

    @property
    def instance(self) -> str:
        return self._dialog.instance

    @property
    def pending(self) -> int:
        """Number of events that are neither acked nor refused yet"""
        return len(self._dialog)

    def ready(self, timeout: Optional[float] = 30.0) -> None:
        """Wait until the broker has welcomed this run.

        Everything that follows from its hello is durable then: an older run of this producer is
        fenced, and its tasks that were in progress are interrupted. Call it before you query
        which tasks to resume.
        """
        self._check_process()
        with self._changed:
            self._changed.wait_for(lambda: self._refused or self._is_welcome_or_ended(), timeout)
            if self._dialog.error:
                raise self._dialog.error
            welcome = self._dialog.ledger is not None
        if not welcome:
            raise self._timeout("no welcome within %g s" % (timeout or 0), timeout)

    def send(self, event: Mapping[str, Any], timeout: Optional[float] = None) -> Outcome:
        """Send an event; the future has its Receipt when it is durable or refused.

        Waits (at most 'timeout' seconds) only while too many events are unacked.
        """
        self._check_process()
        future = Outcome()

        def resolve(receipt: Optional[Receipt], error: Optional[SteleError]) -> None:
            self._refusals.add(future, receipt, error)
            if future.set_running_or_notify_cancel():
                if receipt is not None:
                    future.set_result(receipt)
                else:
                    future.set_exception(error or SteleError("not settled"))

        with self._changed:
            self._changed.wait_for(lambda: self._refused or self._has_room(), timeout)
            room = self._has_room()
            if room:
                self._dialog.add(event, resolve)
        if not room:
            raise self._timeout(not_acked(self.pending), timeout)
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
            if not self.wait_for(future, _left(deadline)):
                raise self.late(timeout)
            receipts.append(future.result())
        refused = [receipt for receipt in receipts if receipt.refused]
        if refused:
            raise Refused(refused)
        return max([receipt.position or 0 for receipt in receipts], default=0)

    def wait_for(self, future: "Future[Receipt]", timeout: Optional[float]) -> bool:
        """Wait until the event of a future is settled, or the broker refuses the connection; returns whether it is settled."""
        with self._changed:
            self._changed.wait_for(lambda: self._refused or future.done(), timeout)
        return future.done()

    @property
    def has_spool(self) -> bool:
        return self._spool is not None

    @property
    def is_late(self) -> bool:
        """Was nothing acked since the last wait that ended in vain?"""
        return self._late_at == self._dialog.durable

    def late(self, timeout: Optional[float]) -> SteleError:
        """The exception for an event that is not acked in time, with the reason if the broker gives one"""
        self._late_at = self._dialog.durable
        return self._timeout("not acked within %g s" % (timeout or 0), timeout)

    def flush(self, timeout: Optional[float] = 30.0) -> None:
        """Wait until every event that was sent is acked or refused.

        Raises Refused if events were refused whose futures the program has not read, unless
        on_refused was given; and the error that ended this publisher if events were lost by it.
        """
        self._check_process()
        if not self._wait_settled(timeout):
            raise self._timeout(not_acked(self.pending), timeout)
        self._raise_unseen()

    def close(self, timeout: float = 30.0, *, keep: bool = False) -> None:
        """Flush, send goodbye and stop.

        Tasks of this producer that are still in progress are treated as after a crash: the
        lease or the next run interrupts them. With keep, which is for programs that only report
        the work of others, they are left as they are.

        Raises BrokerTimeout if events were left unacked (then without a goodbye, unless
        keep is true), and Refused as flush does.
        """
        if os.getpid() != self._pid or self._closing:
            return
        settled = False
        try:
            settled = self._wait_settled(timeout)
        finally:                            # Also after Ctrl-C in the wait
            left = self.pending
            self._stop(settled or keep, keep)
        if not settled and self._spool:
            log.warning("producer %s: %s; they are in the spool %s, and the next run sends them",
                        self._dialog.producer, not_acked(left), self._spool.path)
        elif not settled:
            raise self._timeout(not_acked(left), timeout)
        self._raise_unseen()

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        elif os.getpid() == self._pid and not self._closing:
            try:
                self._wait_settled(LAST_S)
            finally:
                left = self.pending
                self._stop(False, False)
            log.warning("producer %s: the run ends by %s, without a goodbye; %s", self._dialog.producer, kind.__name__,
                        not_acked(left) if left else "all events are acked")

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise Forked("Publisher", ADVICE)

    def _timeout(self, what: str, timeout: Optional[float]) -> SteleError:
        """The exception for a wait in vain, with the reason if the broker gives one"""
        if self._refused:
            return self._refused
        if self._dialog.ledger is None:
            check_permission(self._nodes.current)
        why = follows(self._dialog.follows) or reason(self._requests, self._dialog.ledger, timeout, self._key)
        return BrokerTimeout("%s by %s: %s" % (what, self._nodes, why))

    def _raise_unseen(self) -> None:
        """Raise what the program has not heard of: refusals, and an error that leaves events of earlier runs in the spool"""
        self._refusals.raise_unseen()
        if self._spool and self._dialog.error and not isinstance(self._dialog.error, Closed):
            raise self._dialog.error

    def _is_welcome_or_ended(self) -> bool:
        return self._dialog.ledger is not None or self._dialog.error is not None

    def _wait_settled(self, timeout: Optional[float]) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._refused or len(self._dialog) == 0, timeout)
            return len(self._dialog) == 0

    def _has_room(self) -> bool:
        return self._dialog.error is not None or (
            len(self._dialog) < PENDING_EVENTS and self._dialog.bytes < PENDING_BYTES)

    def _stop(self, goodbye: bool, keep: bool) -> None:
        with self._changed:
            self._closing, self._goodbye, self._keep = True, goodbye, keep
        _OPEN.discard(self)
        self._wake()
        self._thread.join()

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
            if self._spool:
                self._spool.close()
            self._watch.close()
            self._socket.close(linger=1000)
            self._wake_receive.close()
            self._wake_send.close()

    def _loop(self) -> None:
        poller = self._poller()
        while True:
            if self._again and time.monotonic() >= self._again:
                self._reconnect()
                poller = self._poller()
            with self._changed:
                now = time.monotonic()
                if self._closing:
                    last_messages = self._dialog.close(self._goodbye, self._keep)
                    self._changed.notify_all()
                    break
                messages = [] if self._again else self._dialog.outgoing(now)
                timeout = self._again - now if self._again else self._dialog.timeout(now)
                if self._nodes.several:
                    timeout = min(timeout, WELCOME_S)
            self._send(messages)
            ready = dict(poller.poll(max(0, int(timeout * 1000)) + 1))
            if self._wake_receive.fileno() in ready:
                self._wake_receive.recv(4096)
            if self._watch.monitor in ready:
                self._take_refusal(self._watch.read())
            if self._socket in ready:
                self._receive()
            self._check_node()
            self._refusals.call()
        self._send(last_messages)

    def _send(self, messages: List[bytes]) -> None:
        try:
            for message in messages:
                self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:                   # No limit: the broker refused the connection, and libzmq has given it up
            self._again = time.monotonic() + AGAIN_S

    def _poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        for readable in (self._socket, self._watch.monitor, self._wake_receive):
            poller.register(readable, zmq.POLLIN)
        return poller

    def _take_refusal(self, refused: Optional[PermissionDenied]) -> None:
        if refused is None:
            return
        tried = self._nodes.all_tried
        if self._nodes.several:             # Another node may accept the key
            self._nodes.move()
        with self._changed:
            self._again = time.monotonic() + AGAIN_S
            if not tried:
                return
            if self._refused is None:
                log.error("producer %s: %s", self._dialog.producer, refused)
            self._refused = refused
            self._changed.notify_all()

    def _check_node(self) -> None:
        """Connect to another node if this one is lost or silent, or is not the writer"""
        now = time.monotonic()
        with self._changed:
            writer = self._dialog.writer
            if self._dialog.state == "open":
                self._nodes.moves = 0
            silent = self._dialog.is_silent(now, self._nodes.patience)
        if not self._again and (writer is not None or (self._nodes.several and (self._watch.lost or silent))):
            self._again = now + self._nodes.move(writer)

    def _reconnect(self) -> None:
        """libzmq may not try again after a refusal, and the operator of the broker may have added the key; or another node"""
        self._again = 0.0
        self._watch.close()
        self._socket.close()
        succeeded = self._watch.succeeded
        self._socket, self._watch = open_socket(self._context, zmq.DEALER, self._nodes, self._key)
        self._watch.succeeded = succeeded
        with self._changed:
            self._dialog.reconnect()

    def _receive(self) -> None:
        with self._changed:
            self._refused = None
            for _ in range(1000):
                try:
                    data = self._socket.recv(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self._dialog.received(data, time.monotonic())
            self._changed.notify_all()


def _left(deadline: Optional[float]) -> Optional[float]:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


#   Publishers that were not closed, to report at the end of the program

_OPEN: "weakref.WeakSet[Publisher]" = weakref.WeakSet()


def _report_open() -> None:
    for publisher in list(_OPEN):
        if publisher._pid == os.getpid() and publisher.pending and not publisher._spool:
            log.warning("producer %s: the program ends without close(), %s and may be lost",
                        publisher._dialog.producer, not_acked(publisher.pending))


atexit.register(_report_open)
