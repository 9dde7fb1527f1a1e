"""Exceptions, one class per cause."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

if TYPE_CHECKING:
    from .dialog import Receipt

LISTED = 10                 # Most refusals in the text of an exception


class SteleError(Exception):
    """Base class of all exceptions of this package."""


class BrokerTimeout(SteleError, TimeoutError):
    """No answer within the timeout. A publisher keeps its events and continues to send them."""


class PermissionDenied(SteleError, PermissionError):
    """The broker refuses the connection (it does not know the key, needs one, or uses none), or this
    process may not use its ipc socket. A publisher keeps its events and tries again every second."""


class InvalidKey(SteleError, ValueError):
    """A file or an object that is not the key of a client."""


class InvalidEndpoint(SteleError, ValueError):
    """An endpoint that ZeroMQ cannot connect to."""


class Closed(SteleError):
    """The publisher or client was closed: create another one."""


class Forked(SteleError):
    """Used in a child process (fork), while its thread and sockets are in the parent."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__("this %s belongs to the parent process, and cannot be used after fork: "
                         "open a new %s in the child%s" % (what, what, advice))


class InvalidEvent(SteleError, ValueError):
    """An event that cannot be sent: msgpack cannot encode it, it is larger than a message, or its
    time is not one."""


class SpoolError(SteleError):
    """The spool cannot be read or written, or is full, damaged, of another producer, or open in another process. An
    event that was given to send or publish is not accepted."""


class Refused(SteleError):
    """The broker refused events permanently. The others that were published with them are stored.

    receipts: of the refused events, each with its event, code, message and field.
    count: how many there are; receipts has the first 1000 of them.
    """

    def __init__(self, receipts: Sequence["Receipt"], count: Optional[int] = None) -> None:
        self.receipts = list(receipts)
        self.count = len(self.receipts) if count is None else count
        lines = [str(receipt) for receipt in self.receipts[:LISTED]]
        if self.count > len(lines):
            lines.append("and %d more" % (self.count - len(lines)))
        if self.count == 1:
            super().__init__("event refused: " + lines[0])
        else:
            super().__init__("%d events refused:\n  %s" % (self.count, "\n  ".join(lines)))


class BrokerError(SteleError):
    """The broker reported an error that ends the publisher: 'code' and the message are its own."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__("%s: %s" % (code, message))


class Fenced(BrokerError):
    """A newer run of this producer has taken over. Stop this one."""


class LedgerBehind(BrokerError):
    """The ledger lost events that it had acked: report it to the operator of the broker."""


class RequestFailed(SteleError):
    """The answer to a request was an error: code, message, and field if one is invalid."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.code: str = error.get("code", "internal")
        self.message: str = error.get("message", "")
        self.field: Optional[str] = error.get("field")
        self.details = dict(error)
        super().__init__("%s: %s" % (self.code, self.message))


class NotFound(RequestFailed):
    """The record does not exist."""


class Unavailable(RequestFailed):
    """A component that the request needs is unavailable: retry later."""


def not_acked(count: int) -> str:
    """"1 event is not acked yet", "2 events are not acked yet": text of an exception"""
    return "%d %s not acked yet" % (count, "event is" if count == 1 else "events are")


def request_failed(error: Mapping[str, Any]) -> RequestFailed:
    kinds = {"not_found": NotFound, "unavailable": Unavailable}
    return kinds.get(error.get("code", ""), RequestFailed)(error)
