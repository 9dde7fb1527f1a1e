"""Requests as methods, shared by the Client for threads and the one for asyncio.

Each method sends one request of doc/PROTOCOL.md, section 4, and returns the relevant
part of the answer. Parameters that are None are left out of the request.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import difflib
from typing import Any, Mapping, Optional, Sequence, Union

from .wire import check_time, now

Words = Union[str, Sequence[str]]

#   Parameters of task.list. A broker ignores unknown parameters, so a misspelt filter would list every task
FILTERS = frozenset((
    "states", "roles", "providers", "models", "producers", "interrupted", "user_id", "parent_id", "created_from", "created_to",
    "date_from", "date_to", "updated_from", "updated_to", "completed_from", "completed_to", "has_error",
    "search", "order", "limit", "cursor", "offset", "total", "at", "min_position", "timeout_ms"))


def known(filters: dict) -> dict:
    unknown = sorted(set(filters) - FILTERS)
    if unknown:
        near = difflib.get_close_matches(unknown[0], FILTERS, 1)
        raise TypeError("task.list has no parameter %s%s, only %s; request() sends any parameter"
                        % (", ".join(unknown), " (did you mean %s?)" % near[0] if near else "",
                           ", ".join(sorted(FILTERS))))
    for name, value in filters.items():
        if name.endswith(("_from", "_to")):
            check_time(name, value)
    return filters


class Operations:
    """Subclasses implement _request, which sends a request and returns answer[key], or the whole
    answer if key is None, and _pages, which iterates over the rows of all pages."""

    def _request(self, op: str, key: Optional[str], parameters: dict) -> Any:
        raise NotImplementedError

    def _pages(self, op: str, key: str, parameters: dict) -> Any:
        raise NotImplementedError

    def request(self, op: str, **parameters: Any) -> Any:
        """Send any request; returns the whole answer."""
        return self._request(op, None, parameters)

    def ping(self) -> Any:
        """Position of the last event, the head of the ledger."""
        return self._request("ping", "position", {})

    def info(self) -> Any:
        return self._request("info", None, {})

    def stats(self) -> Any:
        return self._request("stats", None, {})

    def publish(self, producer: str, events: Sequence[Mapping[str, Any]], sequence: Optional[int] = None) -> Any:
        """Durable publish by request. Without a sequence, an event that is sent twice is stored twice."""
        stamped = []
        for event in events:
            event = dict(event)
            if event.get("time") is None:
                event["time"] = now()
            check_time("time", event["time"])
            stamped.append(event)
        return self._request("publish", None, {"producer": producer, "events": stamped, "sequence": sequence})

    def task(self, task_id: str, at: Any = None, **more: Any) -> Any:
        """The full record; with 'at', as it was at a position or time."""
        return self._request("task.get", "task", dict(more, task_id=task_id, at=at))

    def status(self, task_id: str, **more: Any) -> Any:
        """The live record, from Redis if the broker uses one."""
        return self._request("task.status", "task", dict(more, task_id=task_id))

    def tasks(self, **filters: Any) -> Any:
        """An iterator over all matching tasks, fetched page by page. Filters: states, roles,
        providers, models, producers, interrupted, user_id, parent_id, date_from, date_to, order, limit (per page) ..."""
        return self._pages("task.list", "tasks", known(filters))

    def count_tasks(self, **filters: Any) -> Any:
        return self._request("task.list", "total", dict(known(filters), limit=1, total=True))

    def history(self, task_id: str, **more: Any) -> Any:
        return self._pages("task.history", "history", dict(more, task_id=task_id))

    def outputs(self, task_id: str, **more: Any) -> Any:
        return self._pages("task.outputs", "outputs", dict(more, task_id=task_id))

    def metrics(self, task_id: str, **more: Any) -> Any:
        return self._pages("task.metrics", "metrics", dict(more, task_id=task_id))

    def sessions(self, **filters: Any) -> Any:
        return self._pages("session.list", "sessions", filters)

    def session(self, session_id: str) -> Any:
        return self._request("session.get", "session", {"session_id": session_id})

    def commands(self, session_id: str, **more: Any) -> Any:
        return self._pages("session.commands", "commands", dict(more, session_id=session_id))

    def preferences(self, user_id: Optional[str] = None) -> Any:
        return self._request("preference.get", "preferences", {"user_id": user_id})

    def rejected(self, **filters: Any) -> Any:
        return self._pages("rejected.list", "rejected", filters)

    def audit(self, **filters: Any) -> Any:
        """An iterator over audit events, newest first: who changed something on the broker, and refused
        access. Filters: who, operation, outcome, from, to (pass those two as **{"from": ...})."""
        return self._pages("audit.list", "events", filters)

    def retry_rejected(self, *ids: int) -> Any:
        return self._request("rejected.retry", None, {"ids": list(ids)})

    def read_events(self, after: int = 0, limit: Optional[int] = None,
                    types: Optional[Words] = None) -> Any:
        """One page of the ledger's events: {events, head, next}"""
        return self._request("events.read", None, {"after": after, "limit": limit, "types": types})
