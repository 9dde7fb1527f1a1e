# earlier - writes the data of an earlier system, a Python program with SQLite and Redis
#
# Its tables are those of an object-relational mapper: ids and states as text, times as
# text in UTC without a mark of the zone, JSON as text.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import datetime
import json
import random
import sqlite3
import uuid

SCHEMA = """
CREATE TABLE tasks (
    id VARCHAR(36) NOT NULL PRIMARY KEY, title VARCHAR(255) NOT NULL, description TEXT NOT NULL,
    role VARCHAR(50) NOT NULL, state VARCHAR(20) NOT NULL, provider VARCHAR(50), model VARCHAR(100),
    branch VARCHAR(255), worktree_path TEXT, base_branch VARCHAR(255), commit_hash VARCHAR(40),
    target_dir TEXT DEFAULT '.', full_access BOOLEAN DEFAULT 0, provider_override VARCHAR(50),
    repository_url TEXT, acceptance_criteria JSON, metadata JSON, parent_id VARCHAR(36) REFERENCES tasks (id),
    user_id VARCHAR(255) DEFAULT 'default', created_at DATETIME, updated_at DATETIME, started_at DATETIME,
    completed_at DATETIME, error_count INTEGER DEFAULT 0, last_error TEXT);
CREATE TABLE task_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id VARCHAR(36) NOT NULL REFERENCES tasks (id),
    state_from VARCHAR(20), state_to VARCHAR(20) NOT NULL, timestamp DATETIME, provider VARCHAR(50),
    model VARCHAR(100), error_message TEXT, details JSON, user_id VARCHAR(255));
CREATE TABLE task_outputs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id VARCHAR(36) NOT NULL REFERENCES tasks (id),
    output_type VARCHAR(20) NOT NULL, content TEXT, file_path TEXT, file_size INTEGER, mime_type VARCHAR(100),
    commit_hash VARCHAR(40), branch VARCHAR(255), timestamp DATETIME);
CREATE TABLE task_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id VARCHAR(36) NOT NULL REFERENCES tasks (id),
    metric_name VARCHAR(100) NOT NULL, metric_value FLOAT NOT NULL, metric_unit VARCHAR(20), timestamp DATETIME);
CREATE TABLE cli_sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_id VARCHAR(36) NOT NULL UNIQUE, task_id VARCHAR(36),
    cli_tool VARCHAR(50) NOT NULL, mode VARCHAR(20) NOT NULL, state VARCHAR(20) NOT NULL, pid INTEGER,
    current_directory TEXT, authentication_required BOOLEAN, auth_prompt TEXT, user_id VARCHAR(255),
    created_at DATETIME, updated_at DATETIME, completed_at DATETIME, command_count INTEGER);
CREATE TABLE cli_session_commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_id VARCHAR(36) NOT NULL, command TEXT NOT NULL,
    output TEXT, execution_time_ms INTEGER, exit_code INTEGER, timestamp DATETIME);
CREATE TABLE user_preferences (
    user_id VARCHAR(255) PRIMARY KEY, preferred_provider VARCHAR(50), preferred_model VARCHAR(100),
    full_access_preferred BOOLEAN, role_preferences JSON, created_at DATETIME, updated_at DATETIME);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
INSERT INTO alembic_version VALUES ('3f1c');
"""

EPOCH = datetime.datetime(1970, 1, 1)


def text(moment):
    """As the mapper writes it: without a fraction if it is zero."""
    return None if moment is None else str(moment)


def microseconds(value):
    return (datetime.datetime.fromisoformat(value) - EPOCH) // datetime.timedelta(microseconds=1)


class Earlier:
    """The earlier system at work: 'tasks' tasks, some of them retried."""

    def __init__(self, path, seed=1, tasks=40, wal=False):
        self.dice = random.Random(seed)
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        if wal:
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA wal_autocheckpoint = 0")
        self.db.executescript(SCHEMA)
        self.now = datetime.datetime(2025, 3, 1, 12, 0, 0)
        self.db.execute("BEGIN")
        for number in range(tasks):
            self.task(number)
        for number in range(5):
            self.insert("user_preferences", user_id="user-%d" % number, preferred_provider="claude",
                        role_preferences=json.dumps({"coder": "opus", "n": number}), created_at=text(self.tick()),
                        full_access_preferred=number % 2, updated_at=text(self.tick()))
        self.db.execute("COMMIT")

    def tick(self, seconds=None):
        seconds = self.dice.choice([0, 0.000017, 0.5, 1, 60]) if seconds is None else seconds
        self.now += datetime.timedelta(seconds=seconds)
        return self.now

    def insert(self, table, **row):
        self.db.execute("INSERT INTO %s (%s) VALUES (%s)" % (
            table, ", ".join(row), ", ".join("?" * len(row))), list(row.values()))

    def change(self, task, state, error=None):
        self.insert("task_history", task_id=task["id"], state_from=task["state"], state_to=state,
                    timestamp=text(self.tick()), provider=task["provider"], model=task["model"],
                    error_message=error, details=json.dumps({"n": self.dice.random()}) if error else None)
        task["state"] = state
        #   The record is written a little after the row of its history
        if state == "running" and not task["started_at"]:
            task["started_at"] = text(self.tick(0.000031))
        if state in ("passed", "failed", "error", "cancelled", "timeout"):
            task["completed_at"] = text(self.tick(0.000011))
        elif state == "queued":
            task["completed_at"] = None
        if error:
            task["error_count"] += 1
            task["last_error"] = error
        task["updated_at"] = text(self.tick(0.000007))

    def task(self, number):
        dice = self.dice
        created = text(self.tick())
        task = dict(id=str(uuid.UUID(int=dice.getrandbits(128))), title="Task %d \u00e9\u4e2d" % number,
                    description="line one\nline \"two\"", role=dice.choice(["coder", "tester"]), state="queued",
                    provider=dice.choice([None, "claude", "gemini"]), model=dice.choice([None, "m-1"]),
                    branch=dice.choice([None, "auto/x"]), full_access=dice.choice([0, 1]), user_id="default",
                    acceptance_criteria=dice.choice([None, json.dumps({"tests": ["a", "b"]})]),
                    metadata=dice.choice([None, json.dumps({"k": [1, 2.5, None], "$ref": {"$one": 1}})]),
                    created_at=created, updated_at=created, started_at=None, completed_at=None,
                    error_count=0, last_error=None)
        self.insert("task_history", task_id=task["id"], state_from=None, state_to="queued",
                    timestamp=dice.choice([created, text(self.tick(0.000003))]))
        for _ in range(dice.randrange(3)):
            self.change(task, "running")
            for _ in range(dice.randrange(3)):
                self.insert("task_outputs", task_id=task["id"], output_type=dice.choice(["stdout", "log"]),
                            content="output %d\n" % number * dice.choice([1, 500]), timestamp=text(self.tick()))
                self.insert("task_metrics", task_id=task["id"], metric_name="tokens", metric_unit="n",
                            metric_value=dice.choice([1.0, 2.25, 1e12]), timestamp=text(self.tick()))
            self.change(task, "failed", "it broke: %d" % number)
            self.change(task, "queued")
        if dice.random() < 0.7:
            self.change(task, dice.choice(["running", "starting", "paused"]))
            if dice.random() < 0.7:
                self.change(task, dice.choice(["passed", "failed", "cancelled", "timeout"]))
        self.insert("tasks", **task)
        session = "session-%d" % number
        self.insert("cli_sessions", session_id=session, task_id=task["id"], cli_tool="claude", mode="auto",
                    state=dice.choice(["running", "completed"]), pid=number, current_directory="/src",
                    authentication_required=0, user_id="default", created_at=text(self.tick()), command_count=2)
        for command in ("ls", "make"):
            self.insert("cli_session_commands", session_id=session, command=command, output="ok",
                        execution_time_ms=12, exit_code=0, timestamp=text(self.tick()))
        stop = text(self.tick())
        self.db.execute("UPDATE cli_sessions SET updated_at = ?1, completed_at = iif (state = 'completed', ?1, NULL)"
                        " WHERE session_id = ?2", (stop, session))

    def rows(self, table, order="rowid"):
        return [dict(row) for row in self.db.execute("SELECT * FROM %s ORDER BY %s" % (table, order))]


INCUMBENT = """
CREATE TABLE tasks (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, description TEXT NOT NULL, role TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued', created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, completed_at TIMESTAMP NULL, started_at TIMESTAMP NULL,
    provider TEXT NULL, model TEXT NULL, branch TEXT NULL, worktree_path TEXT NULL, base_branch TEXT NULL,
    commit_hash TEXT NULL, target_dir TEXT DEFAULT '.', full_access BOOLEAN DEFAULT FALSE, provider_override TEXT NULL,
    repository_url TEXT NULL, last_error TEXT NULL, error_count INTEGER DEFAULT 0, acceptance_criteria TEXT NULL,
    metadata TEXT NULL);
CREATE TABLE task_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL, state_from TEXT NULL, state_to TEXT NOT NULL,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, provider TEXT NULL, model TEXT NULL, error_message TEXT NULL,
    details TEXT NULL, user_id TEXT DEFAULT 'default',
    FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE);
CREATE TABLE task_outputs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL, output_type TEXT NOT NULL, content TEXT NOT NULL,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, file_path TEXT NULL, file_size INTEGER NULL, mime_type TEXT NULL,
    commit_hash TEXT NULL, branch TEXT NULL,
    FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE);
CREATE TABLE task_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL, metric_name TEXT NOT NULL, metric_value REAL NOT NULL,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, unit TEXT NULL,
    FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE);
CREATE TABLE cli_sessions (
    session_id TEXT PRIMARY KEY, cli_tool TEXT NOT NULL, mode TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'initializing',
    pid INTEGER NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, last_activity TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    terminated_at TIMESTAMP NULL, current_directory TEXT NOT NULL, authentication_required BOOLEAN DEFAULT FALSE,
    auth_prompt TEXT NULL, task_id TEXT NULL);
CREATE TABLE cli_session_commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, command TEXT NOT NULL, output TEXT NULL,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, execution_time_ms INTEGER NULL, exit_code INTEGER NULL);
CREATE TABLE user_preferences (
    user_id TEXT PRIMARY KEY DEFAULT 'default', preferred_provider TEXT NULL, preferred_model TEXT NULL,
    full_access_preferred BOOLEAN DEFAULT FALSE, role_preferences TEXT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE VIEW task_summary AS SELECT id, count (*) AS state_changes FROM tasks GROUP BY id;
INSERT INTO user_preferences (user_id, created_at, updated_at) VALUES ('default', '2025-01-01 10:00:00', '2025-01-01 10:00:00');
"""


def whole(moment):
    """As SQLite's CURRENT_TIMESTAMP, which has no fractions."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Incumbent:
    """The server with seven tables: the program writes microseconds into a task, its database whole seconds into
    updated_at (a trigger), the history and the outputs. started_at is never set. Redis has a key for each task."""

    OVER = ("passed", "failed", "error", "cancelled", "timeout")

    def __init__(self, path, seed=1, tasks=3000, start=None):
        self.dice = random.Random(seed)
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.executescript(INCUMBENT)
        self.now = start or datetime.datetime(2025, 8, 28, 2, 55, 56, 111882)
        self.keys = {}
        self.states = {}
        self.db.execute("BEGIN")
        for number in range(tasks):
            self.life(number)
        self.db.execute("COMMIT")

    def insert(self, table, **row):
        Earlier.insert(self, table, **row)

    def rows(self, table, order="rowid"):
        return Earlier.rows(self, table, order)

    def tick(self):
        self.now += datetime.timedelta(seconds=self.dice.choice([0, 0.000013, 0.002, 0.4, 0.999, 1.7, 59]))
        return self.now

    def key(self, id, **changes):
        row = self.keys.setdefault(id, [None, {"id": id, "role": "coder", "branch": "auto/coder/%s" % id, "state": "queued",
                                               "last_error": None, "provider": None, "model": None}])
        row[0] = self.now
        row[1].update(changes)

    def create(self, id):
        now = self.tick()
        self.insert("tasks", id=id, title="Task %s \u00e9\u4e2d" % id, description="line one\n\"two\"", role="coder", state="queued",
                    created_at=str(now), updated_at=str(now), target_dir=".", full_access=self.dice.choice([0, 1]),
                    model=self.dice.choice([None, "m-1"]), base_branch=self.dice.choice([None, "main"]),
                    acceptance_criteria=self.dice.choice(["{}", '{"tests": ["a", "\\u00e9"]}']))
        self.insert("task_history", task_id=id, state_from=None, state_to="queued", timestamp=whole(now))
        self.states[id] = "queued"
        self.key(id)

    def change(self, id, state, error=None, provider=None):
        now = self.tick()
        sets = {"state": state, "updated_at": whole(now)}
        if error:
            sets["last_error"] = error
        if provider:
            sets["provider"] = provider
        if state in ("passed", "failed", "error", "cancelled"):
            sets["completed_at"] = str(now)
        self.db.execute("UPDATE tasks SET %s, error_count = error_count + %d WHERE id = ?" % (
            ", ".join(name + " = ?" for name in sets), bool(error)), list(sets.values()) + [id])
        self.insert("task_history", task_id=id, state_from=self.states[id], state_to=state, timestamp=whole(now),
                    provider=provider, error_message=error)
        self.states[id] = state
        self.key(id, state=state, **{name: value for name, value in (("last_error", error), ("provider", provider)) if value})

    def output(self, id, content, type="stdout"):
        self.insert("task_outputs", task_id=id, output_type=type, content=content, timestamp=whole(self.tick()))

    def metric(self, id, name, value, unit=None):
        self.insert("task_metrics", task_id=id, metric_name=name, metric_value=value, unit=unit, timestamp=whole(self.tick()))

    def life(self, number):
        id = "task-%05d" % number
        self.create(id)
        if self.dice.random() < 0.1:
            return
        self.change(id, "running", provider=self.dice.choice([None, "claude"]))
        if self.dice.random() < 0.5:
            self.output(id, "output of %d\n" % number * self.dice.choice([1, 40]))
        if self.dice.random() < 0.3:
            self.metric(id, "tokens", self.dice.choice([1.0, 2.25, 1e12]), "n")
        if self.dice.random() < 0.9:
            state = self.dice.choice(["passed", "failed", "error", "cancelled"])
            self.change(id, state, "it broke: %d" % number if state in ("failed", "error") else None)

    def put_keys(self, redis):
        """The keys in Redis: each expires a day after it was written."""
        for id, (written, row) in self.keys.items():
            expires = microseconds(str(written)) // 1000 + 86400000
            redis.call("SET", "task_status:" + id, json.dumps(row))
            redis.call("PEXPIREAT", "task_status:" + id, expires)


class Queue:
    """The newest generation: one table, local times without a zone, the result in the row."""

    def __init__(self, path, seed=1, tasks=2000):
        dice = random.Random(seed)
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute(
            "CREATE TABLE tasks (id TEXT PRIMARY KEY, description TEXT NOT NULL, agent_type TEXT DEFAULT 'any',"
            " status TEXT DEFAULT 'pending', priority INTEGER DEFAULT 2, created_at TEXT NOT NULL, assigned_to TEXT,"
            " assigned_at TEXT, completed_at TEXT, result TEXT, error TEXT, context TEXT)")
        now = datetime.datetime(2025, 9, 2, 14, 20, 9, 256000)
        self.db.execute("BEGIN")
        for number in range(tasks):
            status = dice.choice(["pending", "assigned", "in_progress", "completed", "failed"])
            row = dict(id="%08x" % (number * 7919), description="Build part %d\nof it \u00e9" % number, status=status,
                       agent_type=dice.choice(["claude", "codex", "any"]), priority=dice.choice([1, 2, 3]),
                       created_at=now.isoformat(), context=dice.choice(["{}", '{"parent": "x", "n": [1, 2]}']))
            now += datetime.timedelta(seconds=dice.choice([0, 0.5, 7, 3600]))
            if status != "pending":
                row.update(assigned_to="claude-%d" % number, assigned_at=now.isoformat())
            if status in ("completed", "failed"):
                now += datetime.timedelta(seconds=dice.choice([0.25, 2, 90]))
                row.update(completed_at=now.isoformat())
                row.update({"result": "# Result %d\n" % number} if status == "completed" else {"error": "Agent failed"})
            self.db.execute("INSERT INTO tasks (%s) VALUES (%s)" % (", ".join(row), ", ".join("?" * len(row))), list(row.values()))
        self.db.execute("COMMIT")

    def rows(self):
        return [dict(row) for row in self.db.execute("SELECT * FROM tasks ORDER BY rowid")]
