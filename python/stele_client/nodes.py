"""The nodes to which a client may connect, one at a time.

An endpoint may be a list, separated by commas, of nodes that share a log. Besides its list, a client
visits the node that another one names as the writer.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import re
from typing import Any, List, Mapping, Optional

WELCOME_S = 1.0             # To connect, or for a welcome, if there are other nodes; longer after each attempt
SILENT_S = 6.0              # For any answer
PAUSE_S = 0.02              # Between attempts to connect: more after each
PAUSE_MAX_S = 1.0

#   Requests that only read: they may be executed twice
READS = ("ping", "info", "stats", "get", "list", "read", "status", "statuses", "history", "outputs", "metrics", "stuck", "commands",
         "times", "tasks", "series", "storage")


def split(endpoints: str) -> List[str]:
    """The endpoints of a list. A comma separates only if an endpoint follows: a path may have commas."""
    return [endpoint.strip() for endpoint in re.split(r",(?=\s*(?:tcp|ipc|inproc)://)", endpoints)]


def reads(op: str) -> bool:
    return op.partition(".")[2] in READS if "." in op else op in READS


def writer_of(answer: Mapping[str, Any]) -> Optional[str]:
    """If the node has refused the request because it is not the writer: the endpoints that it names, or ''"""
    error = answer.get("error") or {}
    return (error.get("writer") or "") if error.get("code") == "not_writer" else None


class Nodes:
    def __init__(self, endpoints: str) -> None:
        self.list = split(endpoints)
        self._index = 0
        self._named: Optional[str] = None   # An endpoint that is not of the list
        self.moves = 0                      # In vain, since a node was found

    def __str__(self) -> str:
        return ",".join(self.list)

    @property
    def current(self) -> str:
        return self._named or self.list[self._index]

    @property
    def several(self) -> bool:
        """Is there another endpoint to go to?"""
        return len(self.list) > 1 or self._named is not None

    @property
    def all_tried(self) -> bool:
        """Is the current node the last one of the list, in turn?"""
        return self.moves >= len(self.list) - 1

    @property
    def patience(self) -> float:
        """Seconds to wait for a node that has not answered yet"""
        return min(WELCOME_S * (1 + self.moves // 4), SILENT_S)

    def move(self, writer: Optional[str] = None) -> float:
        """Go to the node that was named as the writer, if that is possible, or to the next; returns seconds to wait before."""
        if not (writer and self._go(writer)):
            if self._named is None:
                self._index = (self._index + 1) % len(self.list)
            self._named = None
        self.moves += 1
        return min((self.moves - 1) * PAUSE_S, PAUSE_MAX_S)

    def _go(self, writer: str) -> bool:
        """The first usable endpoint: of our list, or of the kind of the current one, so that what is encrypted stays so"""
        for endpoint in split(writer):
            if endpoint in self.list:
                self._index, self._named = self.list.index(endpoint), None
                return True
            kind = endpoint.partition("://")[0]
            if kind in ("tcp", "ipc") and kind == self.current.partition("://")[0] and len(endpoint) > len(kind) + 3:
                self._named = endpoint
                return True
        return False
