"""Records of answers: dicts as the broker sends them, with typed attributes.

    task = client.task("build-7")
    task["created_at"]          # as in doc/PROTOCOL.md: microseconds, KeyError if it is absent
    task.created_at             # a datetime in UTC, None if it is absent

Keys without an attribute, such as those that a producer added to its events, are in the dict.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Generic, Optional, TypeVar, Union, overload

T = TypeVar("T")
F = TypeVar("F", bound="Field[Any]")

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_datetime(microseconds: int) -> datetime:
    """A time of the protocol as a datetime in UTC"""
    return _EPOCH + timedelta(microseconds=microseconds)


class Record(Dict[str, Any]):
    """Base class: a dict."""


class Field(Generic[T]):
    """An attribute that reads the key of its name. 'absent' is its value if there is no such key."""

    def __init__(self, absent: Any = None, convert: Optional[Callable[[Any], T]] = None) -> None:
        self._absent, self._convert = absent, convert

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self: F, record: None, owner: type) -> F: ...

    @overload
    def __get__(self, record: Record, owner: type) -> T: ...

    def __get__(self, record: Optional[Record], owner: type) -> Any:
        if record is None:
            return self
        value = record.get(self._name)
        if value is None:
            return self._absent
        return self._convert(value) if self._convert else value


def _text() -> Field[Optional[str]]:
    return Field()


def _name() -> Field[str]:
    return Field("")


def _number() -> Field[int]:
    return Field(0)


def _flag() -> Field[bool]:
    return Field(False)


def _map() -> Field[Optional[Dict[str, Any]]]:
    return Field()


def _time() -> Field[Optional[datetime]]:
    return Field(None, to_datetime)


class Task(Record):
    """A task, as task, status, tasks and stuck return it (a live record has no description, acceptance_criteria and metadata)"""
    task_id = _name()
    state = _name()
    title = _name()
    description = _text()
    role = _name()
    user_id = _name()
    parent_id = _text()
    producer = _text()
    provider = _text()
    model = _text()
    branch = _text()
    base_branch = _text()
    worktree_path = _text()
    commit_hash = _text()
    target_dir = _text()
    repository_url = _text()
    provider_override = _text()
    full_access = _flag()
    acceptance_criteria = _map()
    metadata = _map()
    created_at = _time()
    updated_at = _time()
    started_at = _time()
    completed_at = _time()
    heard_at = _time()
    attempt = _number()
    error_count = _number()
    last_error = _text()
    interruptions = _number()
    interrupted = _flag()
    position = _number()


class _Row(Record):
    """What rows of history, outputs, metrics and commands have in common"""
    id = _number()
    user_id = _name()
    timestamp = _time()
    attempt = _number()


class Change(_Row):
    """A row of the history of a task"""
    task_id = _name()
    type = _name()
    state_from = _text()
    state_to = _text()
    provider = _text()
    model = _text()
    error_message = _text()
    details = _map()
    changes = _map()
    interrupted = _flag()


class Output(_Row):
    """An output of a task. content is str or bytes, as its producer sent it"""
    task_id = _name()
    output_type = _name()
    content: Field[Union[str, bytes]] = Field("")
    file_path = _text()
    file_size: Field[Optional[int]] = Field()
    mime_type = _text()
    commit_hash = _text()
    branch = _text()


class Metric(_Row):
    """A metric of a task"""
    task_id = _name()
    name = _name()
    value: Field[Union[int, float]] = Field(0)
    unit = _text()


class Session(Record):
    """A session"""
    session_id = _name()
    state = _name()
    cli_tool = _name()
    mode = _name()
    current_directory = _name()
    pid: Field[Optional[int]] = Field()
    authentication_required = _flag()
    auth_prompt = _text()
    task_id = _text()
    user_id = _name()
    created_at = _time()
    updated_at = _time()
    completed_at = _time()
    command_count = _number()
    position = _number()


class Command(_Row):
    """A command of a session"""
    session_id = _name()
    command = _name()
    output: Field[Optional[Union[str, bytes]]] = Field()
    execution_time_ms: Field[Optional[float]] = Field()
    exit_code: Field[Optional[int]] = Field()


class Preferences(Record):
    """Preferences of a user"""
    user_id = _name()
    preferred_provider = _text()
    preferred_model = _text()
    full_access_preferred: Field[Optional[bool]] = Field()
    role_preferences = _map()
    created_at = _time()
    updated_at = _time()
    position = _number()


class Rejected(Record):
    """An event that the broker refused, and why"""
    id = _number()
    producer = _text()
    sequence: Field[Optional[int]] = Field()
    code = _name()
    field = _text()
    message = _name()
    event: Field[Any] = Field()
    time = _time()
    retried_at = _time()


class AuditEvent(Record):
    """Who changed something on the broker, or was refused access"""
    id = _number()
    timestamp = _time()
    who = _name()
    operation = _name()
    outcome = _name()
    target = _text()
    peer = _text()
    request_id = _text()
    count: Field[Optional[int]] = Field()
    details = _map()


class StoredEvent(Record):
    """An event of the ledger, as a Follower returns it; its other fields depend on its type"""
    type = _name()
    position = _number()
    time = _time()
    user_id = _name()
    task_id = _text()
    session_id = _text()
    state = _text()
