# mirror - the tasks and sessions that result from a log, computed without the broker
#
# Applies the events in the order of their positions by the rules of doc/PROTOCOL.md section 3 in
# the simplest way, one dictionary per task, and computes the expected content of Redis (section 7).
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

TERMINAL = {"passed", "failed", "error", "cancelled", "timeout"}
TASK_FIELDS = {
    "title", "description", "role", "provider", "model", "branch", "worktree_path", "base_branch",
    "commit_hash", "target_dir", "full_access", "provider_override", "repository_url",
    "acceptance_criteria", "metadata", "parent_id"}
SESSION_FIELDS = {"cli_tool", "mode", "current_directory", "state", "pid", "authentication_required",
                  "auth_prompt", "task_id"}
SESSION_TERMINAL = {"completed", "error", "terminated"}
NOT_LIVE = {"description", "acceptance_criteria", "metadata"}


def text(value):
    """A value as Redis holds it."""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()


class Mirror:
    def __init__(self):
        self.position = 0
        self.tasks = {}
        self.owners = {}                # Task -> the producer whose event last set its state
        self.sessions = {}

    def apply(self, event):
        self.position = event["position"]
        kind = event["type"]
        if kind.startswith("task."):
            self._task(kind, event)
        elif kind.startswith("session."):
            self._session(kind, event)

    def _task(self, kind, event):
        task = self.tasks.get(event["task_id"])
        if task is None:
            task = self.tasks[event["task_id"]] = {
                "task_id": event["task_id"], "state": "queued", "created_at": event["time"],
                "error_count": 0, "attempt": 1, "user_id": "default", "target_dir": ".", "full_access": False}
        task["position"] = event["position"]
        task["updated_at"] = event["time"]
        if kind == "task.created":
            task["user_id"] = event.get("user_id", "default")
            task.update({name: event[name] for name in TASK_FIELDS if name in event})
            self._move(task, event, event.get("state", "queued"))
        elif kind == "task.updated":
            task.update({name: event[name] for name in TASK_FIELDS if name in event})
        elif kind == "task.state_changed":
            task.update({name: event[name] for name in ("provider", "model") if name in event})
            if "error_message" in event:
                task["error_count"] += 0 if event.get("interrupted") else 1
                task["last_error"] = event["error_message"]
            self._move(task, event, event["state"])
            task.pop("interrupted", None)
            if event.get("interrupted"):
                task["interrupted"] = True
                task["interruptions"] = task.get("interruptions", 0) + 1

    def _move(self, task, event, state):
        if not event.get("interrupted"):
            self.owners[task["task_id"]] = event["uid"].split("/")[0] if event.get("uid") else None
        task["attempt"] += task["state"] in TERMINAL and state == "queued"
        task["state"] = state
        if state == "running":
            task.setdefault("started_at", event["time"])
        if state in TERMINAL:
            task["completed_at"] = event["time"]
        else:
            task.pop("completed_at", None)

    def _session(self, kind, event):
        session = self.sessions.get(event["session_id"])
        if session is None:
            session = self.sessions[event["session_id"]] = {
                "session_id": event["session_id"], "state": "initializing", "user_id": "default",
                "created_at": event["time"], "command_count": 0}
        session["position"] = event["position"]
        session["updated_at"] = event["time"]
        if kind == "session.started":
            session["user_id"] = event.get("user_id", "default")
            session.update({name: event[name] for name in SESSION_FIELDS if name in event})
        elif kind == "session.command_executed":
            session["command_count"] += 1
        if "state" in event:
            session["state"] = event["state"]
            if event["state"] in SESSION_TERMINAL:
                session["completed_at"] = event["time"]
            else:
                session.pop("completed_at", None)

    def hashes(self):
        """(key without prefix, hash) of all expected hashes in Redis."""
        for name, records in ((":task:", self.tasks), (":session:", self.sessions)):
            for identity, record in records.items():
                yield name + identity, {key.encode(): text(value) for key, value in record.items()
                                        if key not in NOT_LIVE}

    def sets(self):
        """state -> {id: score}"""
        sets = {}
        for identity, task in self.tasks.items():
            sets.setdefault(task["state"], {})[identity.encode()] = task["updated_at"]
        return sets
