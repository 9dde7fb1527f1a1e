"""Events, as plain dicts: doc/PROTOCOL.md, section 3.

Each function takes required fields by position and optional fields by name. The broker
stores fields with other names too and returns them unchanged. Any dict of that form is an
event as well.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, Union

from .wire import without_none

Event = Dict[str, Any]
Time = Union[int, str, datetime]


def _event(type_: str, keys: Dict[str, Any], more: Dict[str, Any]) -> Event:
    return dict({"type": type_}, **without_none(keys), **without_none(more))


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
    return _event("session.state_changed", {"session_id": session_id, "state": state}, more)


def session_command_executed(session_id: str, command: str, **more: Any) -> Event:
    """output, execution_time_ms, exit_code by name"""
    return _event("session.command_executed", {"session_id": session_id, "command": command}, more)


def preference_set(**fields: Any) -> Event:
    """user_id, preferred_provider, preferred_model, full_access_preferred, role_preferences"""
    return _event("preference.set", {}, fields)
