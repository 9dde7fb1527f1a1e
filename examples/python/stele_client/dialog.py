"""The producer's side of durable publish, without a socket (protocol section 2).

Sequences, acks, naks, hello and resend are decided here; publisher.py and
aio.py move the bytes. One rule covers every doubt (a gap, a window, a broker
that was restarted): say hello again and resend what is later than its welcome.
What the broker has already it skips and acks again, so nothing doubles.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Callable, Deque, List, Mapping, Optional

from .errors import BrokerError, Fenced, InvalidEvent, LedgerBehind, SteleError
from .wire import pack, pack_publish, unpack

BATCH_EVENTS = 500          # Events a message, at most
BATCH_BYTES = 1 << 20       # Bytes a message, unless one event is larger
FLIGHT_BYTES = 32 << 20     # Bytes unacked; the broker allows twice as much
PUBLISH_BYTES = 64          # What a publish has around its events, at most
GREETING_S = 5.0            # Say hello again when nothing answers
SILENCE_S = 2.0             # Ask whether the broker is there when acks are due

Resolve = Callable[[Optional["Receipt"], Optional[SteleError]], None]


@dataclass(frozen=True)
class Receipt:
    """What became of an event.

    position: everything up to it is durable, this event too; give it to a request as
    min_position to read what was written. None where a reconnect left it unknown.
    code, message, field: set where the event was refused.
    """
    sequence: int
    position: Optional[int]
    code: Optional[str] = None
    message: Optional[str] = None
    field: Optional[str] = None

    @property
    def refused(self) -> bool:
        return self.code is not None


@dataclass
class Entry:
    packed: bytes
    resolve: Resolve
    sequence: int = 0
    nak: Mapping[str, Any] = field(default_factory=dict)


class Dialog:
    def __init__(self, producer: str, instance: Optional[str] = None,
                 lease_ms: Optional[int] = None) -> None:
        self.producer = producer
        self.instance = instance or str(uuid.uuid4())
        self.lease_ms = lease_ms
        self.state = "new"                  # new, greeting, open, closed
        self.error: Optional[SteleError] = None
        self.ledger: Optional[str] = None
        self.durable = 0                    # Last sequence that is durable
        self.bytes = 0                      # Of everything held
        self._given = 0                     # Last sequence that was given to an event
        self._queued: Deque[Entry] = deque()
        self._unacked: Deque[Entry] = deque()
        self._flight_bytes = 0
        self._window = 0
        self._max_bytes = 0
        self._heartbeat_s: Optional[float] = None
        self._greeted_at = 0.0
        self._heard_at = 0.0
        self._spoke_at = 0.0

    def __len__(self) -> int:
        """Events that are not settled yet"""
        return len(self._queued) + len(self._unacked)

    #   What the program says

    def add(self, event: Mapping[str, Any], resolve: Resolve) -> None:
        """Take an event; 'resolve' is called once, when it is settled or the dialog failed."""
        if self.error:
            raise self.error
        try:
            packed = pack(dict(event))
        except (TypeError, ValueError, OverflowError) as cause:
            raise InvalidEvent("event cannot be packed: %s" % cause) from None
        self._check_size(packed)
        self.bytes += len(packed)
        self._queued.append(Entry(packed, resolve))

    def _check_size(self, packed: bytes) -> None:
        if self._max_bytes and len(packed) + PUBLISH_BYTES > self._max_bytes:
            raise InvalidEvent("event has %d bytes, and the broker takes messages of %d: "
                               "split its content" % (len(packed), self._max_bytes))

    def goodbye(self) -> List[bytes]:
        """Leave in good order; the message that says so, if the broker knows us."""
        was_open = self.state == "open"
        self.fail(SteleError("publisher is closed"))
        return [pack({"op": "goodbye"})] if was_open else []

    def fail(self, error: SteleError) -> None:
        self.state = "closed"
        self.error = self.error or error
        for entries in (self._unacked, self._queued):
            while entries:
                self._settle(entries.popleft(), None, self.error)

    #   What goes out

    def outgoing(self, now: float) -> List[bytes]:
        """Messages to send now, in order."""
        messages: List[bytes] = []
        if self.state == "new" or (self.state == "greeting" and now - self._greeted_at >= GREETING_S):
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
            self._spoke_at = now
        return messages

    def patience(self, now: float) -> float:
        """Seconds until outgoing has to be asked again though nothing happened."""
        if self.state == "greeting":
            return max(0.0, self._greeted_at + GREETING_S - now)
        if self.state == "open":
            waits = [60.0]
            if self._unacked:
                waits.append(max(self._heard_at, self._spoke_at) + SILENCE_S - now)
            if self._heartbeat_s:
                waits.append(self._spoke_at + self._heartbeat_s - now)
            return max(0.0, min(waits))
        return 0.0 if self.state == "new" else 60.0

    def _hello(self, now: float) -> bytes:
        self.state = "greeting"
        self._greeted_at = now
        message = {"op": "hello", "protocol": 1, "producer": self.producer, "instance": self.instance}
        if self.lease_ms is not None:
            message["lease_ms"] = self.lease_ms
        if self.durable:
            message["acked"] = self.durable
        return pack(message)

    def _ping_due(self, now: float) -> bool:
        if self._heartbeat_s and now - self._spoke_at >= self._heartbeat_s:
            return True
        return bool(self._unacked) and now - max(self._heard_at, self._spoke_at) >= SILENCE_S

    def _next_publish(self) -> Optional[bytes]:
        batch: List[Entry] = []
        size = 0
        most = min(BATCH_BYTES, self._max_bytes - PUBLISH_BYTES)
        while self._queued and len(batch) < BATCH_EVENTS and len(self._unacked) < self._window:
            entry = self._queued[0]
            if batch and size + len(entry.packed) > most:
                break
            if self._flight_bytes and self._flight_bytes + len(entry.packed) > FLIGHT_BYTES:
                break
            self._queued.popleft()
            try:
                self._check_size(entry.packed)
            except InvalidEvent as error:   # It came before the welcome said the limit
                self._settle(entry, None, error)
                continue
            if not entry.sequence:
                self._given += 1
                entry.sequence = self._given
            batch.append(entry)
            size += len(entry.packed)
            self._unacked.append(entry)
            self._flight_bytes += len(entry.packed)
        if not batch:
            return None
        return pack_publish(batch[0].sequence, [entry.packed for entry in batch], len(batch))

    #   What comes in

    def received(self, data: bytes, now: float) -> None:
        self._heard_at = now
        if self.state in ("new", "closed"):
            return
        message = unpack(data)
        op = message.get("op")
        if op == "ack":
            self._acked(message["sequence"], message["position"])
        elif op == "nak":
            self._refused(message)
        elif op == "welcome":
            self._welcomed(message)
        elif op == "error":
            self._trouble(message)

    def _acked(self, sequence: int, position: Optional[int]) -> None:
        self.durable = max(self.durable, sequence)
        while self._unacked and self._unacked[0].sequence <= sequence:
            entry = self._unacked.popleft()
            self._flight_bytes -= len(entry.packed)
            nak = entry.nak
            self._settle(entry, Receipt(entry.sequence, position, nak.get("code"),
                                        nak.get("message"), nak.get("field")), None)

    def _refused(self, nak: Mapping[str, Any]) -> None:
        if self._unacked:
            index = nak["sequence"] - self._unacked[0].sequence
            if 0 <= index < len(self._unacked):
                self._unacked[index].nak = nak

    def _welcomed(self, welcome: Mapping[str, Any]) -> None:
        sequence = welcome["sequence"]
        known = self.ledger is not None
        if known and welcome["ledger"] != self.ledger and welcome.get("formerly") != self.ledger:
            return self.fail(LedgerBehind("ledger_behind", "the broker has another ledger now: %s, it was %s"
                                          % (welcome["ledger"], self.ledger)))
        if sequence < self.durable:
            return self.fail(LedgerBehind("ledger_behind", "the broker knows sequence %d of producer '%s', "
                                          "and had acked %d" % (sequence, self.producer, self.durable)))
        if known and sequence > self._given:
            return self.fail(Fenced("fenced", "sequence %d of producer '%s' was published by somebody else"
                                    % (sequence, self.producer)))
        self.ledger = welcome["ledger"]
        self._window = welcome["window"]
        self._max_bytes = welcome["max_bytes"]
        self._heartbeat_s = welcome["heartbeat_ms"] / 1000 if self.lease_ms else None
        self._given = max(self._given, sequence)
        self._acked(sequence, None)
        while self._unacked:                # Later than the welcome: once more, in order
            entry = self._unacked.pop()
            self._flight_bytes -= len(entry.packed)
            self._queued.appendleft(entry)
        self.state = "open"

    def _trouble(self, error: Mapping[str, Any]) -> None:
        code, message = error.get("code", "internal"), error.get("message", "")
        if code in ("no_hello", "sequence_gap", "window_exceeded"):
            if self.state == "open":        # While greeting, its welcome puts all right
                self.state = "new"
        elif code == "fenced":
            self.fail(Fenced(code, message))
        elif code == "ledger_behind":
            self.fail(LedgerBehind(code, message))
        else:
            self.fail(BrokerError(code, message))

    def _settle(self, entry: Entry, receipt: Optional[Receipt], error: Optional[SteleError]) -> None:
        self.bytes -= len(entry.packed)
        entry.resolve(receipt, error)
