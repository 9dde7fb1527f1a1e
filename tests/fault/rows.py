# rows - the events of a ledger, read from its tables without using any of Stele's code
#
# The tables are those of the schema in sql/. The results have the keys of the events in
# doc/PROTOCOL.md section 3, as far as the tables have columns for them.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import base64
import ctypes
import ctypes.util
import json
import sqlite3
import struct

EVENT_TABLES = ("task_history", "task_outputs", "task_metrics", "cli_session_history",
                "cli_session_commands", "user_preference_history", "audit_events")

#   Text of the table words
WORD = "(SELECT word FROM words WHERE id = %s) AS %s"


def _word(table, *names):
    return ", ".join(WORD % ("%s.%s" % (table, name), name) for name in names)


QUERIES = {
    "task_history": "SELECT e.position, t.task_id, t.created = e.position AS creates, e.kind, e.state_to,"
                    " e.time, e.error_message, e.details, e.changes, e.extra, %s"
                    " FROM history_plain e LEFT JOIN tasks t ON t.id = e.task" % _word("e", "provider", "model", "user_id"),
    "task_outputs": "SELECT e.position, t.task_id, e.output_type, e.time, e.file_path, e.file_size,"
                    " e.commit_hash, e.branch, e.extra, e.encoding, e.content, %s"
                    " FROM outputs_plain e LEFT JOIN tasks t ON t.id = e.task" % _word("e", "mime_type", "user_id"),
    "task_metrics": "SELECT e.position, t.task_id, e.value, e.time, e.extra, %s"
                    " FROM metrics_plain e LEFT JOIN tasks t ON t.id = e.task" % _word("e", "name", "unit", "user_id"),
    "cli_session_history": "SELECT e.position, s.session_id, e.kind, e.state_to, e.time, e.fields, e.extra, %s"
                           " FROM cli_session_history e LEFT JOIN cli_sessions s ON s.id = e.session" % _word("e", "user_id"),
    "cli_session_commands": "SELECT e.position, s.session_id, e.time, e.execution_time_ms, e.exit_code,"
                            " e.extra, e.command, e.encoding, e.output, %s"
                            " FROM cli_session_commands e LEFT JOIN cli_sessions s ON s.id = e.session" % _word("e", "user_id"),
    "user_preference_history": "SELECT e.position, e.time, e.fields, e.extra, %s"
                               " FROM user_preference_history e" % _word("e", "user_id"),
    "audit_events": "SELECT e.position, e.time, e.target, e.peer, e.request_id, e.count, e.imported, e.details,"
                    " e.extra, %s FROM audit_events e" % _word("e", "who", "operation", "outcome", "user_id"),
}
TYPES = {("task_history", 1): "task.created", ("task_history", 2): "task.updated",
         ("task_history", 3): "task.state_changed", ("task_history", 4): "task.state_changed",
         ("task_outputs", None): "task.output_added", ("task_metrics", None): "task.metric_recorded",
         ("cli_session_history", 1): "session.started", ("cli_session_history", 3): "session.state_changed",
         ("cli_session_commands", None): "session.command_executed",
         ("user_preference_history", None): "preference.set", ("audit_events", None): "audit.recorded"}


class Zstd:
    """Decompresses zstd frames, most of them with a dictionary of the ledger."""

    def __init__(self, dictionaries):
        self.dictionaries = dictionaries            # id -> bytes
        self.library = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
        self.library.ZSTD_createDCtx.restype = ctypes.c_void_p
        self.library.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
        self.library.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        self.library.ZSTD_getDictID_fromFrame.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        self.library.ZSTD_decompress_usingDict.restype = ctypes.c_size_t
        self.library.ZSTD_decompress_usingDict.argtypes = [
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t,
            ctypes.c_char_p, ctypes.c_size_t]
        self.library.ZSTD_freeDCtx.argtypes = [ctypes.c_void_p]
        self.context = self.library.ZSTD_createDCtx()

    def close(self):
        self.library.ZSTD_freeDCtx(self.context)

    def expand(self, data):
        size = self.library.ZSTD_getFrameContentSize(data, len(data))
        if size > 1 << 24:
            raise ValueError("no frame of zstd: %r" % data[:40])
        number = self.library.ZSTD_getDictID_fromFrame(data, len(data))
        dictionary = self.dictionaries[number] if number else b""
        room = ctypes.create_string_buffer(max(1, size))
        done = self.library.ZSTD_decompress_usingDict(
            self.context, room, size, data, len(data), dictionary or None, len(dictionary))
        if done != size:
            raise ValueError("a broken frame of zstd, dictionary %d: %d of %d, %r" % (number, done, size, data[:30]))
        return room.raw[:size]


#   Columns whose bytes are a UUID or a hash; in other text columns, bytes are a zstd frame
IDS = {"task_id", "session_id", "parent_id", "commit_hash"}


def _id(data):
    text = data.hex()
    if len(data) == 16:
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return text


def plain(value):
    """A value of canonical JSON (doc/PROTOCOL.md section 10)."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        if "$bin" in value:
            return base64.b64decode(value["$bin"])
        if "$uint" in value or "$float" in value:
            return (int if "$uint" in value else float)(list(value.values())[0])
        return {key: plain(one) for key, one in value.items()}
    return value


class Ledger:
    """One ledger file, read only."""

    def __init__(self, path):
        self.file = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        self.file.row_factory = sqlite3.Row
        self.words = {(kind, code): word for kind, code, word in
                      self.file.execute("SELECT kind, code, word FROM vocabulary")}
        #   One that was killed while it was created does not have all of them yet
        there = {name for name, in self.all("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        self.tables = [table for table in EVENT_TABLES if table in there]
        self.zstd = Zstd(dict(self.all("SELECT id, dictionary FROM dictionaries")))

    def close(self):
        self.zstd.close()
        self.file.close()

    def one(self, query, *values):
        return self.file.execute(query, values).fetchone()

    def all(self, query, *values):
        return [tuple(row) for row in self.file.execute(query, values)]

    def integrity(self):
        return [row[0] for row in self.file.execute("PRAGMA integrity_check")]

    def events(self, after=0):
        """Every row of the event tables after a position, as an event, by position."""
        events = []
        for table in self.tables:
            for row in self.file.execute(QUERIES[table] + " WHERE e.position > ?", (after,)):
                events.append(self._event(table, row))
        events.sort(key=lambda event: event["position"])
        return events

    def _event(self, table, row):
        event = {key: row[key] for key in row.keys() if row[key] is not None}
        kind = event.pop("kind", None)
        event["type"] = TYPES[(table, kind)]
        event.pop("creates", None)
        if table in ("task_history", "cli_session_history"):
            words = "task_state" if table == "task_history" else "session_state"
            event["state"] = self.words[(words, event.pop("state_to"))]
            if kind == 4:
                event["interrupted"] = True
        if "output_type" in event:
            event["output_type"] = self.words[("output_type", event["output_type"])]
        encoding = event.pop("encoding", 0)
        for name, value in event.items():
            if name in ("content", "output"):
                if encoding:
                    data = self.zstd.expand(value)
                    event[name] = data.decode() if encoding == 1 else data
            elif isinstance(value, bytes):
                event[name] = _id(value) if name in IDS else self.zstd.expand(value).decode()
        if "details" in event:
            event["details"] = plain(json.loads(event["details"]))
        for name in ("changes", "fields", "extra"):
            if name in event:
                event.update(plain(json.loads(event.pop(name))))
        return event


def bits(value):
    """Compare floats by their bits, so that 1 and 1.0 differ."""
    return struct.pack("<d", value) if isinstance(value, float) else value
