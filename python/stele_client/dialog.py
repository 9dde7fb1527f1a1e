"""The producer's side of durable publish, without a socket (protocol section 2).

This module handles sequences, acks, naks, the handshake and resending; publisher.py
and aio.py transport the bytes. One rule covers every disturbance (a gap, a full window,
a restarted broker): send hello again, and resend the events after the sequence of the
welcome. The broker acks duplicates without storing them again.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import logging
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Callable, Deque, List, Mapping, Optional

from .errors import BrokerError, Closed, Fenced, InvalidEvent, LedgerBehind, SpoolError, SteleError, not_acked
from .nodes import SILENT_S
from .spool import Spool
from .wire import check_time, now as current_time, pack, pack_publish, unpack

BATCH_EVENTS = 500          # Most events per message
BATCH_BYTES = 1 << 20       # Most bytes per message, unless one event is larger
FLIGHT_BYTES = 32 << 20     # Most unacked bytes; the broker allows twice as many
PUBLISH_BYTES = 64          # Most bytes of a publish besides its events
HANDSHAKE_S = 5.0            # Send hello again after that time without an answer
SILENCE_S = 2.0             # Ping the broker after that time without acks

log = logging.getLogger("stele")

Redact = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Resolve = Callable[[Optional["Receipt"], Optional[SteleError]], None]


@dataclass(frozen=True)
class Receipt:
    """Outcome of an event.

    position: every event up to it is durable, including this one; pass it to a request as
    min_position to read your own writes. None if it was lost with a connection.
    code, message, field, event: set if the event was refused.
    """
    sequence: int
    position: Optional[int]
    code: Optional[str] = None
    message: Optional[str] = None
    field: Optional[str] = None
    event: Optional[Mapping[str, Any]] = None

    @property
    def refused(self) -> bool:
        return self.code is not None

    def __str__(self) -> str:
        if not self.refused:
            return "sequence %d is durable" % self.sequence
        event = self.event or {}
        subject = event.get("task_id") or event.get("session_id") or ""
        return "%s %s: %s: %s" % (event.get("type", "event"), subject, self.code, self.message)


@dataclass
class Entry:
    packed: bytes
    resolve: Resolve
    sequence: int = 0                       # 0: not assigned yet
    nak: Mapping[str, Any] = field(default_factory=dict)


def _ignore(receipt: Optional[Receipt], error: Optional[SteleError]) -> None:
    """The outcome of an event of an earlier run; a refusal is in the log"""


class Dialog:
    def __init__(self, producer: str, instance: Optional[str] = None,
                 lease_ms: Optional[int] = None, redact: Optional[Redact] = None, anonymous: bool = False,
                 spool: Optional[Spool] = None) -> None:
        self.producer = producer
        self._redact = redact
        self.instance = instance or str(uuid.uuid4())
        self.lease_ms = lease_ms
        self._anonymous = anonymous
        self.state = "new"                  # new, greeting, open, closed
        self.error: Optional[SteleError] = None
        self.ledger: Optional[str] = None
        self.durable = 0                    # Last durable sequence
        self.bytes = 0                      # Bytes of all events that are not settled
        self._last_sequence = 0                     # Last sequence assigned to an event
        self._queued: Deque[Entry] = deque()
        self._unacked: Deque[Entry] = deque()
        self._flight_bytes = 0
        self._window = 0
        self._max_bytes = 0
        self._heartbeat_s: Optional[float] = None
        self._hello_at = 0.0
        self._asked_at = 0.0                # When the first message was sent that was not answered; 0: none
        self.writer: Optional[str] = None   # The node is not the writer, and names its endpoints, or none ('')
        self.follows: Optional[str] = None  # The answer of the last node that is not the writer, until a welcome
        self._received_at = 0.0
        self._sent_at = 0.0
        self._spool = spool
        if spool:
            self._load(spool)

    def _load(self, spool: Spool) -> None:
        """Events of earlier runs keep the sequences that they may have been sent with"""
        for packed in spool.waiting:
            self.bytes += len(packed)
            self._queued.append(Entry(packed, _ignore))
        spool.waiting = []
        if spool.base is not None:
            self.durable = spool.settled + spool.base
            self._last_sequence = spool.end + spool.base
            for sequence, entry in enumerate(self._queued, self.durable + 1):
                entry.sequence = sequence

    def __len__(self) -> int:
        """Number of events that are not settled, that is neither acked nor refused"""
        return len(self._queued) + len(self._unacked)

    #   Calls of the program

    def add(self, event: Mapping[str, Any], resolve: Resolve) -> None:
        """Add an event; calls 'resolve' once, when it is settled or the dialog has failed."""
        if self.error:
            raise self.error
        try:
            stamped = dict(self._redact(event) if self._redact else event)
            if stamped.get("time") is None:
                stamped["time"] = current_time()    # The broker's would be that of the arrival
            check_time("time", stamped["time"])
            packed = pack(stamped)
        except (TypeError, ValueError, OverflowError) as cause:
            raise InvalidEvent("the event cannot be sent: %s" % cause) from None
        self._check_size(packed)
        if self._spool:
            self._spool.append(packed)
        self.bytes += len(packed)
        self._queued.append(Entry(packed, resolve))

    def _check_size(self, packed: bytes) -> None:
        if self._max_bytes and len(packed) + PUBLISH_BYTES > self._max_bytes:
            raise InvalidEvent("the event has %d bytes, the broker accepts messages of at most %d: "
                               "split its content" % (len(packed), self._max_bytes))

    def close(self, goodbye: bool, keep: bool = False) -> List[bytes]:
        """Close; the goodbye to send, if one is wanted and the broker has accepted this producer."""
        was_open = self.state == "open"
        self.fail(Closed("the publisher is closed: create another one"))
        message = {"op": "goodbye", "keep": True} if keep else {"op": "goodbye"}
        return [pack(message)] if goodbye and was_open else []

    def reconnect(self) -> None:
        """Begin again with hello, on a new connection"""
        self.writer, self._asked_at = None, 0.0
        if self.state in ("handshake", "open"):
            self.state = "new"

    def fail(self, error: SteleError) -> None:
        if self.error is None and not isinstance(error, Closed):
            log.error("producer %s has ended, %s: %s", self.producer,
                      not_acked(len(self)) if len(self) else "all events are acked", error)
        self.state = "closed"
        self.error = self.error or error
        for entries in (self._unacked, self._queued):
            while entries:
                self._settle(entries.popleft(), None, self.error)

    #   Outgoing messages

    def outgoing(self, now: float) -> List[bytes]:
        """Messages to send now, in order."""
        messages: List[bytes] = []
        if self.state == "new" or (self.state == "handshake" and now - self._hello_at >= HANDSHAKE_S):
            messages.append(self._hello(now))
        if self.state == "open":
            while True:
                message = self._next_publish()
                if message is None:
                    break
                messages.append(message)
            if not messages and self._ping_due(now):
                messages.append(pack({"op": "ping"}))
        if messages:
            self._sent_at = now
            self._asked_at = self._asked_at or now
        return messages

    def is_silent(self, now: float, patience: float) -> bool:
        """Has the node not answered for long? patience: seconds for the first answer."""
        return self._asked_at > 0 and now - self._asked_at >= (SILENT_S if self.state == "open" else patience)

    def timeout(self, now: float) -> float:
        """Seconds until outgoing must be called again, unless something happens before."""
        if self.state == "handshake":
            return max(0.0, self._hello_at + HANDSHAKE_S - now)
        if self.state == "open":
            waits = [60.0]
            if self._unacked:
                waits.append(max(self._received_at, self._sent_at) + SILENCE_S - now)
            if self._heartbeat_s:
                waits.append(self._sent_at + self._heartbeat_s - now)
            return max(0.0, min(waits))
        return 0.0 if self.state == "new" else 60.0

    def _hello(self, now: float) -> bytes:
        self.state = "handshake"
        self._hello_at = now
        message = {"op": "hello", "protocol": 1, "producer": self.producer, "instance": self.instance}
        if self.lease_ms is not None:
            message["lease_ms"] = self.lease_ms
        if self._anonymous:
            message["anonymous"] = True
        if self.durable:
            message["acked"] = self.durable
        return pack(message)

    def _ping_due(self, now: float) -> bool:
        if self._heartbeat_s and now - self._sent_at >= self._heartbeat_s:
            return True
        return bool(self._unacked) and now - max(self._received_at, self._sent_at) >= SILENCE_S

    def _next_publish(self) -> Optional[bytes]:
        batch: List[Entry] = []
        size = 0
        size_max = min(BATCH_BYTES, self._max_bytes - PUBLISH_BYTES)
        while self._queued and len(batch) < BATCH_EVENTS and len(self._unacked) < self._window:
            entry = self._queued[0]
            if batch and size + len(entry.packed) > size_max:
                break
            if self._flight_bytes and self._flight_bytes + len(entry.packed) > FLIGHT_BYTES:
                break
            self._queued.popleft()
            try:
                self._check_size(entry.packed)
            except InvalidEvent as error:   # Added before the limit was known
                if not self._spool:
                    self._settle(entry, None, error)
                    continue
                self._set_aside(entry, self._spool, str(error))
            if not entry.sequence:
                self._last_sequence += 1
                entry.sequence = self._last_sequence
            batch.append(entry)
            size += len(entry.packed)
            self._unacked.append(entry)
            self._flight_bytes += len(entry.packed)
        if not batch:
            return None
        return pack_publish(batch[0].sequence, [entry.packed for entry in batch], len(batch))

    def _set_aside(self, entry: Entry, spool: Spool, why: str) -> None:
        """An event of a spool has a number, and with it a sequence: send a note under that, which is refused"""
        number = entry.sequence or self._last_sequence + 1
        spool.set_aside(number - (spool.base or 0), unpack(entry.packed), why)
        note = pack({"type": "event.too_large", "bytes": len(entry.packed), "max_bytes": self._max_bytes})
        log.error("producer %s: an event is kept in %s.rejected: %s", self.producer, spool.path, why)
        self.bytes += len(note) - len(entry.packed)
        entry.packed = note

    #   Incoming messages

    def received(self, data: bytes, now: float) -> None:
        self._received_at = now
        self._asked_at = 0.0
        if self.state in ("new", "closed"):
            return
        try:
            self._take(unpack(data))
        except SpoolError as error:         # Its events remain in it
            self.fail(error)

    def _take(self, message: Mapping[str, Any]) -> None:
        op = message.get("op")
        if op == "ack":
            self._on_ack(message["sequence"], message["position"])
        elif op == "nak":
            self._on_nak(message)
        elif op == "welcome":
            self._on_welcome(message)
        elif op == "error":
            self._on_error(message)

    def _on_ack(self, sequence: int, position: Optional[int]) -> None:
        self.durable = max(self.durable, sequence)
        settled = 0
        while self._unacked and self._unacked[0].sequence <= sequence:
            entry = self._unacked.popleft()
            self._flight_bytes -= len(entry.packed)
            settled += 1
            self._settle(entry, self._receipt(entry, position), None)
        if self._spool and settled:
            self._spool.settle(settled)

    def _receipt(self, entry: Entry, position: Optional[int]) -> Receipt:
        nak = entry.nak
        if not nak:
            return Receipt(entry.sequence, position)
        receipt = Receipt(entry.sequence, position, nak.get("code", "internal"), nak.get("message"), nak.get("field"),
                          unpack(entry.packed))
        log.warning("producer %s: event refused: %s", self.producer, receipt)
        return receipt

    def _on_nak(self, nak: Mapping[str, Any]) -> None:
        if self._unacked:
            index = nak["sequence"] - self._unacked[0].sequence
            if 0 <= index < len(self._unacked):
                self._unacked[index].nak = nak

    def _on_welcome(self, welcome: Mapping[str, Any]) -> None:
        sequence = welcome["sequence"]
        known = self.ledger is not None
        before = self.ledger or (self._spool.ledger if self._spool else None)
        if before and welcome["ledger"] != before and welcome.get("formerly") != before:
            return self.fail(LedgerBehind("ledger_behind", "the broker has another ledger now: %s, it was %s"
                                          % (welcome["ledger"], before)))
        if sequence < self.durable:
            return self.fail(LedgerBehind("ledger_behind", "the last sequence of producer '%s' at the broker is %d, "
                                          "but %d was acked" % (self.producer, sequence, self.durable)))
        if known and sequence > self._last_sequence:
            return self.fail(Fenced("fenced", "another client has published sequence %d of producer '%s'"
                                    % (sequence, self.producer)))
        if known:
            log.warning("producer %s: connected again, at sequence %d; events to send: %d", self.producer, sequence,
                        len(self))
        else:
            log.info("producer %s: connected to ledger %s, at sequence %d", self.producer, welcome["ledger"], sequence)
        if welcome.get("mode") == "redis":
            log.warning("producer %s: the broker is in mode redis: acked events are only in Redis", self.producer)
        self.ledger = welcome["ledger"]
        self.follows = None
        self._window = welcome["window"]
        self._max_bytes = welcome["max_bytes"]
        self._heartbeat_s = welcome["heartbeat_ms"] / 1000 if self.lease_ms else None
        if self._spool and (self._spool.base is None or sequence > self._last_sequence or before != self.ledger):
            self._number(self._spool, sequence)
        self._last_sequence = max(self._last_sequence, sequence)
        self._on_ack(sequence, None)
        while self._unacked:                # After the welcome's sequence: resend, in order
            entry = self._unacked.pop()
            self._flight_bytes -= len(entry.packed)
            self._queued.appendleft(entry)
        self.state = "open"

    def _number(self, spool: Spool, sequence: int) -> None:
        """Number the events of the spool after the last sequence of the broker, if they have no numbers that it knows"""
        base = spool.base
        if base is None or sequence > self._last_sequence:
            base = sequence - spool.settled
            self.durable = sequence
            for number, entry in enumerate(self._queued, sequence + 1):
                entry.sequence = number
            self._last_sequence = sequence + len(self._queued)
        spool.keep_base(base, self.ledger or "")

    def _on_error(self, error: Mapping[str, Any]) -> None:
        code, message = error.get("code", "internal"), error.get("message", "")
        if code in ("no_hello", "sequence_gap", "window_exceeded"):
            if self.state == "open":        # During a handshake, its welcome resolves it
                self.state = "new"
        elif code == "not_writer":          # The publisher connects to another node
            self.state = "new"
            self.writer, self.follows = error.get("writer") or "", message
        elif code == "fenced":
            self.fail(Fenced(code, message))
        elif code == "ledger_behind":
            self.fail(LedgerBehind(code, message))
        else:
            self.fail(BrokerError(code, message))

    def _settle(self, entry: Entry, receipt: Optional[Receipt], error: Optional[SteleError]) -> None:
        self.bytes -= len(entry.packed)
        entry.resolve(receipt, error)
