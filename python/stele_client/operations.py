"""Requests as methods of the Client for threads. aio_operations.py has those of the one for asyncio.

Each method sends one request of doc/PROTOCOL.md, section 4, and returns the relevant
part of the answer. Parameters that are None are left out of the request.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import difflib
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Type, TypeVar, Union

from .records import AuditEvent, Change, Command, Metric, Output, Preferences, Record, Rejected, Session, Task
from .wire import check_time, now

Words = Union[str, Sequence[str]]
Answer = Dict[str, Any]
R = TypeVar("R", bound=Record)

STATUSES = 500              # Tasks in a request task.statuses

#   Parameters of task.list. A broker ignores unknown parameters, so a misspelt filter would list every task
FILTERS = frozenset((
    "states", "roles", "providers", "models", "producers", "interrupted", "user_id", "parent_id", "created_from", "created_to",
    "date_from", "date_to", "updated_from", "updated_to", "completed_from", "completed_to", "has_error",
    "search", "contains", "order", "limit", "cursor", "offset", "total", "at", "min_position", "timeout_ms"))


def known(filters: Dict[str, Any]) -> Dict[str, Any]:
    """The filters of a list; TypeError for one that is none, ValueError for a number that is no time"""
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


def take_statuses(answer: Answer, found: Dict[str, Optional[Task]]) -> List[str]:
    """Add the records of an answer of task.statuses; returns the ids of those that did not fit into it"""
    left = []
    for entry in answer["statuses"]:
        if entry.get("error", {}).get("code") == "too_large":
            left.append(entry["task_id"])
        else:
            found[entry["task_id"]] = Task(entry["task"]) if "task" in entry else None
    return left


def stamped(events: Sequence[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """The events with the current time, if they have none"""
    out = []
    for event in events:
        out.append(dict(event, time=now() if event.get("time") is None else event["time"]))
        check_time("time", out[-1]["time"])
    return out


class Operations:
    """A subclass implements _request, which sends a request and returns its answer."""

    def _request(self, op: str, parameters: Mapping[str, Any]) -> Answer:
        raise NotImplementedError

    def _one(self, kind: Type[R], op: str, key: str, parameters: Mapping[str, Any]) -> R:
        return kind(self._request(op, parameters)[key])

    def _pages(self, kind: Type[R], op: str, key: str, parameters: Mapping[str, Any]) -> Iterator[R]:
        parameters = dict(parameters)
        while True:
            answer = self._request(op, parameters)
            yield from map(kind, answer[key])
            if answer["next"] is None:
                return
            parameters["cursor"] = answer["next"]

    def request(self, op: str, **parameters: Any) -> Answer:
        """Send any request; returns the whole answer."""
        return self._request(op, parameters)

    def ping(self) -> int:
        """Position of the last event, the head of the ledger."""
        return int(self._request("ping", {})["position"])

    def info(self) -> Answer:
        """Version, limits, endpoints, losses"""
        return self._request("info", {})

    def stats(self) -> Answer:
        """Statistics of tasks, ledger, disk, Redis, producers"""
        return self._request("stats", {})

    def storage(self, days: Optional[int] = None) -> Answer:
        """Sizes of tables and files, and what each of the last days added"""
        return self._request("storage", {"days": days})

    def series(self, **parameters: Any) -> Answer:
        """What happened per minute, hour or day. Parameters: step, by, limit, from, to (pass from as **{"from": ...})."""
        return self._request("stats.series", parameters)

    def publish(self, producer: str, events: Sequence[Mapping[str, Any]], sequence: Optional[int] = None) -> Answer:
        """Durable publish by request. Without a sequence, an event that is sent twice is stored twice."""
        return self._request("publish", {"producer": producer, "events": stamped(events), "sequence": sequence})

    def task(self, task_id: str, at: Any = None, **more: Any) -> Task:
        """The full record; with 'at', as it was at a position or time."""
        return self._one(Task, "task.get", "task", dict(more, task_id=task_id, at=at))

    def status(self, task_id: str, **more: Any) -> Task:
        """The live record, from Redis if the broker uses one."""
        return self._one(Task, "task.status", "task", dict(more, task_id=task_id))

    def statuses(self, task_ids: Iterable[str], **more: Any) -> Dict[str, Optional[Task]]:
        """The live records of many tasks by their ids, 500 per request; None if there is no such task."""
        found: Dict[str, Optional[Task]] = {}
        left = list(dict.fromkeys(task_ids))
        while left:
            left = take_statuses(self._request("task.statuses", dict(more, task_ids=left[:STATUSES])), found) + left[STATUSES:]
        return found

    def tasks(self, **filters: Any) -> Iterator[Task]:
        """An iterator over all matching tasks, fetched page by page. Filters: states, roles,
        providers, models, producers, interrupted, user_id, parent_id, date_from, date_to, order, limit (per page) ..."""
        return self._pages(Task, "task.list", "tasks", known(filters))

    def count_tasks(self, **filters: Any) -> int:
        """The number of matching tasks"""
        return int(self._request("task.list", dict(known(filters), limit=1, total=True))["total"])

    def history(self, task_id: str, **more: Any) -> Iterator[Change]:
        """Every change of a task, oldest first"""
        return self._pages(Change, "task.history", "history", dict(more, task_id=task_id))

    def outputs(self, task_id: str, **more: Any) -> Iterator[Output]:
        """What a task printed or produced, oldest first"""
        return self._pages(Output, "task.outputs", "outputs", dict(more, task_id=task_id))

    def metrics(self, task_id: str, **more: Any) -> Iterator[Metric]:
        """Metrics recorded for a task, oldest first"""
        return self._pages(Metric, "task.metrics", "metrics", dict(more, task_id=task_id))

    def sessions(self, **filters: Any) -> Iterator[Session]:
        """Sessions, newest first. Filters: states, task_id"""
        return self._pages(Session, "session.list", "sessions", filters)

    def session(self, session_id: str) -> Session:
        """One session"""
        return self._one(Session, "session.get", "session", {"session_id": session_id})

    def commands(self, session_id: str, **more: Any) -> Iterator[Command]:
        """Commands of a session, oldest first"""
        return self._pages(Command, "session.commands", "commands", dict(more, session_id=session_id))

    def preferences(self, user_id: Optional[str] = None) -> Preferences:
        """Preferences of a user"""
        return self._one(Preferences, "preference.get", "preferences", {"user_id": user_id})

    def rejected(self, **filters: Any) -> Iterator[Rejected]:
        """Events that were refused, oldest first. Filters: producer, open"""
        return self._pages(Rejected, "rejected.list", "rejected", filters)

    def audit(self, **filters: Any) -> Iterator[AuditEvent]:
        """An iterator over audit events, newest first: who changed something on the broker, and refused
        access. Filters: who, operation, outcome, from, to (pass those two as **{"from": ...})."""
        return self._pages(AuditEvent, "audit.list", "events", filters)

    def retry_rejected(self, *ids: int) -> Answer:
        """Process refused events again"""
        return self._request("rejected.retry", {"ids": list(ids)})

    def erase(self, task_id: str, reason: str) -> Answer:
        """Remove the contents of an ended task for ever"""
        return self._request("task.erase", {"task_id": task_id, "reason": reason})

    def read_events(self, after: int = 0, limit: Optional[int] = None, types: Optional[Words] = None,
                    min_position: Optional[int] = None) -> Answer:
        """One page of the ledger's events: {events, head, next}"""
        return self._request("events.read", {"after": after, "limit": limit, "types": types, "min_position": min_position})
