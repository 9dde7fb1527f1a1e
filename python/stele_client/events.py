"""Events, as plain dicts: doc/PROTOCOL.md, section 3.

Each function takes required fields by position and optional fields by name. A name that is no
field of the event is refused, since it is probably misspelt; fields of your own, which the broker
stores and returns unchanged, go into extra={...}. Any dict of that form is an event as well.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import difflib
from datetime import datetime
from typing import Any, Dict, Union

from .wire import without_none

Event = Dict[str, Any]
Time = Union[int, str, datetime]

COMMON = ("time", "user_id", "extra")
OF_TASK = ("state", "provider", "model", "branch", "worktree_path", "base_branch", "commit_hash", "target_dir",
           "full_access", "provider_override", "repository_url", "acceptance_criteria", "metadata", "parent_id")

#   Optional fields of each type
OPTIONAL = {
    "task.created": OF_TASK,
    "task.updated": ("title", "description", "role") + OF_TASK,
    "task.state_changed": ("provider", "model", "error_message", "details"),
    "task.output_added": ("file_path", "file_size", "mime_type", "commit_hash", "branch"),
    "task.metric_recorded": ("unit",),
    "session.started": ("state", "pid", "authentication_required", "auth_prompt", "task_id"),
    "session.state_changed": (),
    "session.command_executed": ("output", "execution_time_ms", "exit_code"),
    "preference.set": ("preferred_provider", "preferred_model", "full_access_preferred", "role_preferences"),
}


def _check_names(type_: str, names: Any) -> None:
    fields = OPTIONAL[type_] + COMMON
    for name in names:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            raise TypeError("%s has no field %r%s; its optional fields are %s. Fields of your own go into extra={...}"
                            % (type_, name, ": did you mean %r?" % near[0] if near else "", ", ".join(fields[:-1])))


def _event(type_: str, keys: Dict[str, Any], more: Dict[str, Any]) -> Event:
    _check_names(type_, more)
    extra = more.pop("extra", None) or {}
    return dict(extra, **without_none(more), **without_none(keys), type=type_)


def task_created(task_id: str, title: str, description: str, role: str, **more: Any) -> Event:
    """state, provider, model, branch, metadata, parent_id, user_id, time ... by name"""
    return _event("task.created", {"task_id": task_id, "title": title,
                                   "description": description, "role": role}, more)


def task_updated(task_id: str, **fields: Any) -> Event:
    """at least one of the fields of task_created, by name"""
    return _event("task.updated", {"task_id": task_id}, fields)


def task_state_changed(task_id: str, state: str, **more: Any) -> Event:
    """provider, model, error_message, details by name"""
    return _event("task.state_changed", {"task_id": task_id, "state": state}, more)


def task_output_added(task_id: str, output_type: str, content: Union[str, bytes],
                      **more: Any) -> Event:
    """file_path, file_size, mime_type, commit_hash, branch by name"""
    return _event("task.output_added", {"task_id": task_id, "output_type": output_type,
                                        "content": content}, more)


def task_metric_recorded(task_id: str, name: str, value: Union[int, float], **more: Any) -> Event:
    """unit by name"""
    return _event("task.metric_recorded", {"task_id": task_id, "name": name, "value": value}, more)


def session_started(session_id: str, cli_tool: str, mode: str, current_directory: str,
                    **more: Any) -> Event:
    """state, pid, authentication_required, auth_prompt, task_id by name"""
    return _event("session.started", {"session_id": session_id, "cli_tool": cli_tool, "mode": mode,
                                      "current_directory": current_directory}, more)


def session_state_changed(session_id: str, state: str, **more: Any) -> Event:
    """user_id, time by name"""
    return _event("session.state_changed", {"session_id": session_id, "state": state}, more)


def session_command_executed(session_id: str, command: str, **more: Any) -> Event:
    """output, execution_time_ms, exit_code by name"""
    return _event("session.command_executed", {"session_id": session_id, "command": command}, more)


def preference_set(**fields: Any) -> Event:
    """user_id, preferred_provider, preferred_model, full_access_preferred, role_preferences"""
    return _event("preference.set", {}, fields)
