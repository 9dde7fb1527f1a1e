"""What can go wrong, one class a cause."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

if TYPE_CHECKING:
    from .dialog import Receipt


class SteleError(Exception):
    """Anything this package raises."""


class BrokerTimeout(SteleError, TimeoutError):
    """No answer in time. What was given to a publisher stays in it, and goes on trying."""


class InvalidEvent(SteleError, ValueError):
    """An event that cannot be sent: not a map that msgpack can say, or larger than a message."""


class Refused(SteleError):
    """The broker refused events for good. What else was published with them stands."""

    def __init__(self, receipts: Sequence["Receipt"]) -> None:
        self.receipts = list(receipts)
        first = self.receipts[0]
        more = "" if len(self.receipts) == 1 else " (and %d more)" % (len(self.receipts) - 1)
        super().__init__("event refused: %s: %s%s" % (first.code, first.message, more))


class BrokerError(SteleError):
    """The broker ended the dialog: code and message are its own."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__("%s: %s" % (code, message))


class Fenced(BrokerError):
    """A newer run of this producer took over. Stop this one."""


class LedgerBehind(BrokerError):
    """The ledger lost events that it had acked: tell who runs the broker."""


class RequestFailed(SteleError):
    """A request was answered with an error: code, message, and field where one is to blame."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.code: str = error.get("code", "internal")
        self.message: str = error.get("message", "")
        self.field: Optional[str] = error.get("field")
        self.details = dict(error)
        super().__init__("%s: %s" % (self.code, self.message))


class NotFound(RequestFailed):
    """There is no such record."""


class Unavailable(RequestFailed):
    """A part that the request needs is away: ask again later."""


def request_failed(error: Mapping[str, Any]) -> RequestFailed:
    kinds = {"not_found": NotFound, "unavailable": Unavailable}
    return kinds.get(error.get("code", ""), RequestFailed)(error)
