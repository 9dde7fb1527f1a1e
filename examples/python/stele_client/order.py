"""The order of a follower, without a socket (protocol section 5).

Positions have no gaps, so what is next is known: an event of the feed that is
next goes on, one that is older is dropped, anything else means that something
was missed, and the ledger has it (events.read).
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from .errors import LedgerBehind
from .wire import unpack


class Order:
    def __init__(self, after: int, whole: bool) -> None:
        self.after = after          # Position of the last event that went on
        self.missing = True         # Is there something to read from the ledger?
        self._whole = whole
        self._ledger: Optional[str] = None

    def fed(self, topic: bytes, body: bytes) -> Optional[Dict[str, Any]]:
        """A message of the feed; the event, if it is the next one."""
        message = unpack(body)
        position = message["position"]
        if topic == b"heartbeat":
            self._check_ledger(message.get("ledger"))
            self.missing = self.missing or position > self.after
            return None
        if position <= self.after:
            return None
        if position > self.after + 1 or self.missing or (self._whole and "content_omitted" in message):
            self.missing = True
            return None
        self.after = position
        return message

    def _check_ledger(self, ledger: Optional[str]) -> None:
        """Another id: positions may have been given a second time"""
        if self._ledger and ledger and ledger != self._ledger:
            raise LedgerBehind("ledger_behind", "the broker has another ledger now: %s, it was %s"
                               % (ledger, self._ledger))
        self._ledger = ledger or self._ledger

    def read(self, answer: Mapping[str, Any]) -> None:
        """A page of events.read was taken: its events went on."""
        if answer["head"] < self.after:
            raise LedgerBehind("ledger_behind", "the ledger ends at position %d, and %d was seen"
                               % (answer["head"], self.after))
        if answer["events"]:
            self.after = answer["events"][-1]["position"]
        self.missing = answer["next"] is not None or self.after < answer["head"]
