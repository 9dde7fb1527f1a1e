# stream - the expected result of a recorded stream, computed without the broker
#
# Reads the events from the file and applies the rules of doc/PROTOCOL.md section 3
# in the simplest way: one dictionary per task.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import collections
import datetime
import json
import subprocess

TERMINAL = {"passed", "failed", "error", "cancelled", "timeout"}
TABLES = {
    "task.created": "task_history", "task.updated": "task_history",
    "task.state_changed": "task_history", "task.output_added": "task_outputs",
    "task.metric_recorded": "task_metrics", "session.started": "cli_session_history",
    "session.state_changed": "cli_session_history",
    "session.command_executed": "cli_session_commands",
    "preference.set": "user_preference_history",
}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def microseconds(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def read_bytes(path):
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    with open(path, "rb") as file:
        return file.read()


class Stream:
    """tasks, sessions: id -> record; history, outputs, metrics, commands: id -> rows."""

    def __init__(self, path):
        self.data = read_bytes(path)
        self.events = [json.loads(line) for line in self.data.splitlines()]
        self.tables = collections.Counter()
        self.tasks, self.sessions, self.preferences = {}, {}, {}
        self.history = collections.defaultdict(list)
        self.outputs = collections.defaultdict(list)
        self.metrics = collections.defaultdict(list)
        self.commands = collections.defaultdict(list)
        for position, event in enumerate(self.events, 1):
            event = dict(event, time=microseconds(event["time"]))
            kind = event.pop("type")
            self.tables[TABLES[kind]] += 1
            getattr(self, "_" + kind.replace(".", "_"))(position, event)

    def _task(self, position, event):
        task = self.tasks.setdefault(event["task_id"], {
            "task_id": event["task_id"], "state": "queued", "error_count": 0, "attempt": 1, "target_dir": ".",
            "full_access": False, "user_id": "default", "created_at": event["time"]})
        task["position"] = position
        task["updated_at"] = event["time"]
        return task

    def _move(self, task, position, event, state):
        known = task["task_id"] in self.history
        row = {"id": position, "task_id": task["task_id"], "state_to": state,
               "timestamp": event["time"], "user_id": event.get("user_id", "default")}
        if known:
            row["state_from"] = task["state"]
        if task["state"] in TERMINAL and state == "queued":
            task["attempt"] += 1
        row["attempt"] = task["attempt"]
        for key in ("provider", "model", "error_message", "details"):
            if key in event:
                row[key] = event[key]
        self.history[task["task_id"]].append(row)
        if state == "running":
            task.setdefault("started_at", event["time"])
        if state in TERMINAL:
            task["completed_at"] = event["time"]
        else:
            task.pop("completed_at", None)
        if "error_message" in event:
            task["error_count"] += 1
            task["last_error"] = event["error_message"]
        task["state"] = state

    def _task_created(self, position, event):
        task = self._task(position, event)
        fields = {key: value for key, value in event.items() if key not in ("time", "state")}
        task.update(fields)
        self._move(task, position, event, event.get("state", "queued"))

    def _task_updated(self, position, event):
        task = self._task(position, event)
        self._move(task, position, event, event.get("state", task["state"]))
        task.update({key: value for key, value in event.items()
                     if key not in ("time", "state", "user_id")})

    def _task_state_changed(self, position, event):
        task = self._task(position, event)
        task.update({key: event[key] for key in ("provider", "model") if key in event})
        self._move(task, position, event, event["state"])

    def _task_output_added(self, position, event):
        task = self._task(position, event)
        row = dict(event, id=position, timestamp=event["time"], attempt=task["attempt"])
        self.outputs[event["task_id"]].append(row)

    def _task_metric_recorded(self, position, event):
        task = self._task(position, event)
        row = dict(event, id=position, timestamp=event["time"], attempt=task["attempt"])
        self.metrics[event["task_id"]].append(row)

    def _session(self, position, event):
        session = self.sessions.setdefault(event["session_id"], {
            "session_id": event["session_id"], "state": "initializing", "user_id": "default",
            "created_at": event["time"], "command_count": 0})
        session["position"] = position
        session["updated_at"] = event["time"]
        return session

    def _session_started(self, position, event):
        session = self._session(position, event)
        session.update({key: value for key, value in event.items() if key != "time"})

    def _session_state_changed(self, position, event):
        self._session(position, event)["state"] = event["state"]

    def _session_command_executed(self, position, event):
        session = self._session(position, event)
        session["command_count"] += 1
        row = dict(event, id=position, timestamp=event["time"])
        if session.get("task_id") in self.tasks:
            row["attempt"] = self.tasks[session["task_id"]]["attempt"]
        self.commands[event["session_id"]].append(row)

    def _preference_set(self, position, event):
        user = self.preferences.setdefault(event.get("user_id", "default"), {})
        user.update({key: value for key, value in event.items() if key not in ("time", "user_id")})
