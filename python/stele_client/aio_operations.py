"""Requests as methods of the Client for asyncio: operations.py has the same for threads, and describes them."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

from typing import Any, AsyncIterator, Dict, Iterable, Mapping, Optional, Sequence, Type

from .operations import STATUSES, Answer, R, Words, known, stamped, take_statuses
from .records import AuditEvent, Change, Command, Metric, Output, Preferences, Rejected, Session, Task


class Operations:
    """A subclass implements _request, which sends a request and returns its answer."""

    async def _request(self, op: str, parameters: Mapping[str, Any]) -> Answer:
        raise NotImplementedError

    async def _one(self, kind: Type[R], op: str, key: str, parameters: Mapping[str, Any]) -> R:
        return kind((await self._request(op, parameters))[key])

    async def _pages(self, kind: Type[R], op: str, key: str, parameters: Mapping[str, Any]) -> AsyncIterator[R]:
        parameters = dict(parameters)
        while True:
            answer = await self._request(op, parameters)
            for row in answer[key]:
                yield kind(row)
            if answer["next"] is None:
                return
            parameters["cursor"] = answer["next"]

    async def request(self, op: str, **parameters: Any) -> Answer:
        return await self._request(op, parameters)

    async def ping(self) -> int:
        return int((await self._request("ping", {}))["position"])

    async def info(self) -> Answer:
        return await self._request("info", {})

    async def stats(self) -> Answer:
        return await self._request("stats", {})

    async def storage(self, days: Optional[int] = None) -> Answer:
        return await self._request("storage", {"days": days})

    async def series(self, **parameters: Any) -> Answer:
        return await self._request("stats.series", parameters)

    async def publish(self, producer: str, events: Sequence[Mapping[str, Any]], sequence: Optional[int] = None) -> Answer:
        return await self._request("publish", {"producer": producer, "events": stamped(events), "sequence": sequence})

    async def task(self, task_id: str, at: Any = None, **more: Any) -> Task:
        return await self._one(Task, "task.get", "task", dict(more, task_id=task_id, at=at))

    async def status(self, task_id: str, **more: Any) -> Task:
        return await self._one(Task, "task.status", "task", dict(more, task_id=task_id))

    async def statuses(self, task_ids: Iterable[str], **more: Any) -> Dict[str, Optional[Task]]:
        found: Dict[str, Optional[Task]] = {}
        left = list(dict.fromkeys(task_ids))
        while left:
            left = take_statuses(await self._request("task.statuses", dict(more, task_ids=left[:STATUSES])), found) + left[STATUSES:]
        return found

    def tasks(self, **filters: Any) -> AsyncIterator[Task]:
        return self._pages(Task, "task.list", "tasks", known(filters))

    async def count_tasks(self, **filters: Any) -> int:
        return int((await self._request("task.list", dict(known(filters), limit=1, total=True)))["total"])

    def history(self, task_id: str, **more: Any) -> AsyncIterator[Change]:
        return self._pages(Change, "task.history", "history", dict(more, task_id=task_id))

    def outputs(self, task_id: str, **more: Any) -> AsyncIterator[Output]:
        return self._pages(Output, "task.outputs", "outputs", dict(more, task_id=task_id))

    def metrics(self, task_id: str, **more: Any) -> AsyncIterator[Metric]:
        return self._pages(Metric, "task.metrics", "metrics", dict(more, task_id=task_id))

    def sessions(self, **filters: Any) -> AsyncIterator[Session]:
        return self._pages(Session, "session.list", "sessions", filters)

    async def session(self, session_id: str) -> Session:
        return await self._one(Session, "session.get", "session", {"session_id": session_id})

    def commands(self, session_id: str, **more: Any) -> AsyncIterator[Command]:
        return self._pages(Command, "session.commands", "commands", dict(more, session_id=session_id))

    async def preferences(self, user_id: Optional[str] = None) -> Preferences:
        return await self._one(Preferences, "preference.get", "preferences", {"user_id": user_id})

    def rejected(self, **filters: Any) -> AsyncIterator[Rejected]:
        return self._pages(Rejected, "rejected.list", "rejected", filters)

    def audit(self, **filters: Any) -> AsyncIterator[AuditEvent]:
        return self._pages(AuditEvent, "audit.list", "events", filters)

    async def retry_rejected(self, *ids: int) -> Answer:
        return await self._request("rejected.retry", {"ids": list(ids)})

    async def erase(self, task_id: str, reason: str) -> Answer:
        return await self._request("task.erase", {"task_id": task_id, "reason": reason})

    async def read_events(self, after: int = 0, limit: Optional[int] = None, types: Optional[Words] = None,
                          min_position: Optional[int] = None) -> Answer:
        return await self._request("events.read", {"after": after, "limit": limit, "types": types, "min_position": min_position})
