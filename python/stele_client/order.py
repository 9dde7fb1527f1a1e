"""The order of events of a Follower, without a socket (protocol section 5).

Positions have no gaps, so the next position is known. The next event of the feed is
delivered, an older one is dropped, and a later one means that events were missed, which
must be read from the ledger (events.read). With a key that may not do that, what the feed has
is delivered (live).
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import warnings
from typing import Any, Dict, Mapping, Optional

from .errors import LedgerBehind, RequestFailed
from .wire import unpack


class Order:
    def __init__(self, after: int, whole: bool, from_now: bool = False, several: bool = False) -> None:
        self.after = after          # Position of the last event that was delivered
        self.missing = True         # Must events be read from the ledger?
        self.live = False           # Is the ledger never read?
        self._several = several     # Another node may be behind the one of the position
        self._whole = whole
        self._from_now = from_now   # No earlier events were asked for
        self._head = 0              # Position of the last heartbeat
        self._ledger: Optional[str] = None

    def suspect(self) -> None:
        """Events may have been missed."""
        self.missing = not self.live

    @property
    def min_position(self) -> Optional[int]:
        """Parameter of events.read"""
        return self.after if self._several else None

    def from_refusal(self, failure: RequestFailed) -> None:
        """Process the refusal of events.read: without the role query, what the feed has is all there is."""
        if failure.code == "timeout":       # The node is behind: read again
            return
        if failure.code != "unauthorized" or not self._from_now:
            raise failure
        self.live, self.missing = True, False
        warnings.warn("%s; until then, only new events are returned: those that are committed while there is no connection "
                      "are missing, and content above 65,536 bytes is left out" % failure, RuntimeWarning, stacklevel=4)

    def from_feed(self, topic: bytes, body: bytes) -> Optional[Dict[str, Any]]:
        """Process a message of the feed; returns the event if it is the next one."""
        message: Dict[str, Any] = unpack(body)
        position = message.get("position")
        if position is None:            # Of a later version
            return None
        if topic == b"heartbeat":
            self._check_ledger(message.get("ledger"), position)
            if position > self.after:
                self.suspect()
            return None
        if position <= self.after:
            return None
        if not self.live and (position > self.after + 1 or self.missing or (self._whole and "content_omitted" in message)):
            self.missing = True
            return None
        self.after = position
        return message

    def _check_ledger(self, ledger: Optional[str], head: int) -> None:
        """Raise LedgerBehind if the id has changed: positions may have been reused"""
        if self._ledger and ledger and ledger != self._ledger:
            raise LedgerBehind("ledger_behind", "the broker has another ledger now: %s, it was %s"
                               % (ledger, self._ledger))
        if self.live and head < self._head and not self._several:
            raise LedgerBehind("ledger_behind", "the ledger ends at position %d, but had %d before" % (head, self._head))
        self._head = head
        self._ledger = ledger or self._ledger

    def from_ledger(self, answer: Mapping[str, Any]) -> None:
        """Process a page of events.read, whose events are delivered."""
        if answer["head"] < self.after:
            raise LedgerBehind("ledger_behind", "the ledger ends at position %d, but %d was received"
                               % (answer["head"], self.after))
        # Of a key that is bound to users, the page has no events of others: it covers all positions up to there
        self.missing = answer["next"] is not None
        self.after = answer["next"] if self.missing else answer["head"]
