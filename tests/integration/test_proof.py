# A sealed history: checkpoints, verify, prove; rows that were edited by hand are named
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys

import harness
from client import created, output
from test_export import generated

TILE = 1024
BESIDE = ("", "-wal", ".seals", ".checkpoint")


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root_of(leaves):
    """RFC 6962, section 2.1, from its text."""
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1", root_of(leaves[:k]), root_of(leaves[k:]))


def stele(*arguments, status=0, input=None):
    """Run stele without a broker. Returns its standard output and error as text."""
    done = subprocess.run([harness.program("stele"), *arguments], input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=harness.PATIENCE * 5)
    out, error = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, "stele %s: %d\n%s\n%s" % (" ".join(arguments), done.returncode, out, error)
    return out, error


def check_proof(key, proof):
    return subprocess.run([sys.executable, os.path.join(harness.SRC, "examples", "check_proof.py"), key],
                          input=proof.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)


def check_signature(key, note):
    """Origin, size and root of a note, as the example for auditors reads it; raises if the key has not signed it."""
    spec = importlib.util.spec_from_file_location("check_proof", os.path.join(harness.SRC, "examples", "check_proof.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with open(key) as file:
        return module.check_signature(file.read(), note)


def edit(path, *statements):
    """Change the rows of a ledger by hand, with the triggers that forbid it dropped."""
    file = sqlite3.connect(path)
    try:
        for name, in file.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            file.execute("DROP TRIGGER " + name)
        changed = 0
        for statement in statements:
            changed += file.execute(statement).rowcount
        file.commit()
        return changed
    finally:
        file.close()


class Proof(harness.BrokerTest):
    """The tests share one sealed history, and each changes a copy of it."""

    use_redis = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clients = harness.client.Clients()
        cls.addClassCleanup(cls.clients.close)
        cls.fill()
        cls.sealed = cls.broker.ledger
        cls.ledger_id = cls.note(cls)[0].rpartition("/")[2]

    @classmethod
    def start_broker(cls, **more):
        cls.repository = os.path.join(cls.folder, "repository")
        cls.secret, cls.key = (os.path.join(cls.folder, "a.seal_" + end) for end in ("secret", "key"))
        if not os.path.exists(cls.secret):
            stele("key", "new", "ledger.example", "--sign", "--out", cls.secret)
        settings = {"backup": cls.repository, "backup-lag": 1, "seal": cls.secret, "seal-lag": 1}
        cls.broker = harness.Steled(cls.folder, settings=dict(settings, **more.pop("more", {})),
                                    ledger=more.pop("ledger_name", "ledger.db"), **more)
        return cls.broker

    @classmethod
    def fill(cls):
        """Events of every type; a note of the middle; events that a start of the broker interrupts; the end is sealed."""
        peer = cls.clients.producer(cls.broker.events, "first")
        peer.send_events(generated(7)[:1000])
        peer.settle()
        cls.early = os.path.join(cls.folder, "early.note")
        harness.wait_until(lambda: os.path.exists(cls.broker.ledger + ".checkpoint"), "the first checkpoint")
        shutil.copy(cls.broker.ledger + ".checkpoint", cls.early)
        peer.send_events(generated(7)[1000:])
        peer.publish(created("plain", title="The title", role="coder"),
                     {"type": "task.state_changed", "task_id": "plain", "state": "running"},
                     output("plain", "what it wrote"), {"type": "task.metric_recorded", "task_id": "plain", "name": "n", "value": 5},
                     {"type": "task.state_changed", "task_id": "plain", "state": "failed", "error_message": "it broke"},
                     {"type": "task.updated", "task_id": "plain", "branch": "one"},
                     {"type": "task.state_changed", "task_id": "plain", "state": "queued"})
        cls.broker.stop()
        cls.start_broker(arguments=["--interrupted", "all"])
        assert cls.broker.stop() == 0, cls.broker.log()

    def note(self, path=None):
        with open(path or self.sealed + ".checkpoint", encoding="utf-8") as file:
            return file.read().split("\n\n")[0].splitlines()

    def copy(self, name):
        """A copy of the ledger, with its seals."""
        path = os.path.join(self.folder, name + ".db")
        for end in BESIDE:
            if os.path.exists(self.sealed + end):
                shutil.copy(self.sealed + end, path + end)
        return path

    def rows(self, sql):
        file = sqlite3.connect("file:%s?mode=ro" % self.sealed, uri=True)
        try:
            return file.execute(sql).fetchall()
        finally:
            file.close()

    def faults(self, path, *arguments):
        """What verify reports of a changed history."""
        out, error = stele("--json", "verify", path, "--key", self.key, *arguments, status=1)
        answer = json.loads(out)
        self.assertIs(answer["good"], False)
        self.assertTrue(answer["faults"], error)
        return answer["faults"]

    def lines(self):
        """The lines of the events, as the segments have them."""
        folder = os.path.join(self.repository, "segments")
        text = b"".join(subprocess.run(["zstdcat", os.path.join(folder, name)], stdout=subprocess.PIPE, check=True,
                                       timeout=harness.PATIENCE).stdout for name in sorted(os.listdir(folder)))
        return [line for line in text.split(b"\n") if line and not line.startswith(b'{"$')]

    #   -- the document -------------------------------------------------------------------

    def test_example_of_the_document_is_right(self):
        with open(os.path.join(harness.SRC, "doc", "PROOF.md"), encoding="utf-8") as file:
            text = file.read()
        example = text[text.index("## An example"):]
        lines = re.findall(r'^(\{"(?:name|position)".*\})\n([0-9a-f]{64})$', example, re.M)
        self.assertEqual(len(lines), 3)
        leaves = [sha256(b"\0", line.encode()) for line, _ in lines]
        self.assertEqual([leaf.hex() for leaf in leaves], [digest for _, digest in lines])
        self.assertIn("`%s`, the root" % root_of(leaves[:2]).hex(), example)
        self.assertIn("third `%s`" % root_of(leaves).hex(), example)
        note = re.search(r"^stele/1/.*?\n\n\u2014 .*?\n", text, re.M | re.S).group()
        self.assertEqual(note.splitlines()[2], base64.b64encode(root_of(leaves)).decode())
        proof = {"format": 1, "checkpoint": note, "events": [{
            "position": 2, "line": lines[1][0], "path": [base64.b64encode(leaves[i]).decode() for i in (0, 2)]}]}
        key = os.path.join(self.folder, "document.seal_key")
        with open(key, "w") as file:
            file.write(re.search(r"^example\.org/ledger\+.*$", text, re.M).group() + "\n")
        done = check_proof(key, json.dumps(proof))
        self.assertEqual((done.returncode, done.stdout.decode()), (0, lines[1][0] + "\n"), done.stderr)
        #   Stele agrees: an export of these lines has the root of the note
        path = os.path.join(self.folder, "document")
        with open(path + ".jsonl", "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line, _ in lines))
        with open(path + ".note", "w", encoding="utf-8") as file:
            file.write(note)
        answer = json.loads(stele("--json", "verify", path + ".jsonl", "--key", key, "--since", path + ".note")[0])
        self.assertEqual((answer["good"], answer["proven"]), (True, 3))

    #   -- what is sealed ----------------------------------------------------------------

    def test_root_is_that_of_the_lines_of_the_segments(self):
        origin, size, root = self.note()
        leaves = [sha256(b"\0", line) for line in self.lines()]
        self.assertGreater(len(leaves), TILE)
        self.assertEqual(int(size), len(leaves))
        self.assertEqual(base64.b64decode(root), root_of(leaves))
        self.assertRegex(origin, r"^stele/1/[0-9a-f-]{36}$")
        with open(self.sealed + ".seals", "rb") as file:
            self.assertEqual(file.read(64), b"STELESL1" + TILE.to_bytes(4, "little") + self.ledger_id.encode() + bytes(16))
            self.assertEqual(file.read(32), root_of(leaves[:TILE]))
            self.assertEqual(file.read(2 * TILE), b"".join(leaf[:2] for leaf in leaves[:TILE]))
        #   Of an earlier moment
        _, size, root = self.note(self.early)
        self.assertLess(int(size), len(leaves))
        self.assertEqual(base64.b64decode(root), root_of(leaves[:int(size)]))

    def test_unchanged_history_is_proven(self):
        head = int(self.note()[1])
        for path in (self.sealed, self.repository):
            with self.subTest(path=path):
                out, error = stele("--json", "verify", path, "--key", self.key, "--since", self.early)
                answer = json.loads(out)
                self.assertEqual(answer, dict(answer, good=True, position=head, proven=head, signed=True, faults=[],
                                              ledger_id=self.ledger_id, root=self.note()[2]))
                self.assertEqual(error, "")
        self.assertIn("proven up to position", stele("verify", self.sealed, "--key", self.key)[0])
        self.assertIn("signatures were not verified", stele("verify", self.sealed)[1])

    def test_export_is_proven_by_a_note(self):
        self.start_broker()
        path = os.path.join(self.folder, "all.jsonl")
        try:
            note = os.path.join(self.folder, "of-export.note")
            shutil.copy(self.sealed + ".checkpoint", note)
            self.stele("export", "--at", self.note(note)[1], path)
            with open(path + ".replay", "wb") as file:
                file.write(self.stele("replay", "--limit", self.note(note)[1]))
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())
        for name in (path, path + ".replay"):
            self.assertIn("proven up to", stele("verify", name, "--key", self.key, "--since", note)[0])
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("it broke", "it works"))
        self.assertIn("proves", self.faults(path, "--since", note)[0]["text"])
        #   The repository has the lines as they were
        fault = self.faults(path, "--since", note, "--repository", self.repository)[1]
        self.assertEqual((fault["fields"], fault["position"]), ("error_message", self.rows(
            "SELECT max (position) FROM task_history WHERE error_message = 'it broke'")[0][0]))

    #   -- edits --------------------------------------------------------------------------

    def test_edited_event_is_named_with_its_field(self):
        where = {name: position for name, position in self.rows(
            "SELECT 'history', max (position) FROM task_history WHERE error_message = 'it broke'"
            " UNION ALL SELECT 'output', max (position) FROM task_outputs WHERE content = 'what it wrote'"
            " UNION ALL SELECT 'metric', max (position) FROM task_metrics WHERE value = 5"
            " UNION ALL SELECT 'created', max (created) FROM tasks WHERE title = 'The title'"
            " UNION ALL SELECT 'command', max (position) FROM cli_session_commands WHERE position <= 1024"
            " UNION ALL SELECT 'session', max (position) FROM cli_session_history WHERE position <= 1024"
            " UNION ALL SELECT 'preference', max (position) FROM user_preference_history WHERE position <= 1024")}
        edits = {
            ("history", "error_message"): "UPDATE task_history SET error_message = 'it works' WHERE position = %d",
            ("output", "content"): "UPDATE task_outputs SET content = 'nothing' WHERE position = %d",
            ("metric", "value"): "UPDATE task_metrics SET value = 6 WHERE position = %d",
            ("created", "title"): "UPDATE tasks SET title = 'Another' WHERE created = %d",
            ("command", "time"): "UPDATE cli_session_commands SET time = time + 1 WHERE position = %d",
            ("session", "time"): "UPDATE cli_session_history SET time = time + 1 WHERE position = %d",
            ("preference", "time"): "UPDATE user_preference_history SET time = time + 1 WHERE position = %d",
        }
        for (name, field), statement in edits.items():
            with self.subTest(edited=name):
                path = self.copy("edited-" + name)
                self.assertEqual(edit(path, statement % where[name]), 1)
                faults = self.faults(path, "--repository", self.repository)
                named = [fault for fault in faults if fault.get("fields")]
                self.assertEqual([(fault["position"], fault["fields"]) for fault in named], [(where[name], field)])
                #   Without the repository: the position, where a complete tile has it
                faults = self.faults(path, "--events-only")
                if where[name] <= TILE:
                    self.assertEqual((faults[0]["position"], faults[0]["last"]), (where[name], where[name]))
                else:
                    self.assertTrue(faults[0]["position"] <= where[name] <= faults[0]["last"])

    def test_removed_event_is_named(self):
        for table in ("task_history", "task_outputs", "task_metrics", "cli_session_history", "cli_session_commands",
                      "user_preference_history"):
            with self.subTest(table=table):
                position, = self.rows("SELECT max (position) FROM %s WHERE position <= 900" % table)[0]
                path = self.copy("removed-" + table)
                self.assertEqual(edit(path, "DELETE FROM %s WHERE position = %d" % (table, position)), 1)
                self.assertEqual(self.faults(path)[0]["position"], position)

    def test_repository_whose_end_was_cut_is_not_proven(self):
        cut = os.path.join(self.folder, "cut")
        shutil.copytree(self.repository, cut)
        segments = os.path.join(cut, "segments")
        os.remove(os.path.join(segments, sorted(os.listdir(segments))[-1]))
        fault = self.faults(cut)[0]
        self.assertIn("these events are missing", fault["text"])
        self.assertEqual((fault["position"], fault["last"]), (1, int(self.note()[1])))

    def test_repository_without_segments_or_notes_says_that_nothing_was_verified(self):
        bare = os.path.join(self.folder, "bare")
        shutil.copytree(self.repository, bare)
        for name in ("segments", "checkpoints"):
            shutil.rmtree(os.path.join(bare, name))
            os.mkdir(os.path.join(bare, name))
        out, error = stele("verify", bare)
        self.assertIn("0 events", out)
        self.assertIn("nothing was verified, since '%s' has no segments" % bare, error)

    def test_note_of_the_repository_waits_for_the_segments(self):
        repository = os.path.join(self.folder, "late")
        notes = os.path.join(repository, "checkpoints")
        self.start_broker(ledger_name="late.db", more={"backup": repository, "backup-lag": 86400})
        try:
            self.clients.producer(self.broker.events, self.name("late")).publish(created("late"))
            head = self.ask("ping")["position"]
            harness.wait_until(lambda: self.ask("stats")["seal"]["position"] == head, "the note beside the ledger")
            self.assertFalse(os.path.exists(notes))
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())
        #   The stop writes the segments, then the note
        self.assertEqual(self.note(os.path.join(notes, os.listdir(notes)[0]))[1], self.note(self.broker.ledger + ".checkpoint")[1])
        stele("verify", repository, "--key", self.key)

    def test_removed_end_is_named(self):
        path = self.copy("shorter")
        head = int(self.note()[1])
        self.assertEqual(sum(edit(path, "DELETE FROM %s WHERE position = %d" % (table, head)) for table in (
            "task_history", "task_outputs", "task_metrics", "audit_events")), 1)
        self.assertEqual((self.faults(path, "--events-only")[0]["position"], self.faults(path)[0]["last"]), (head, head))

    def test_rows_that_follow_from_events_are_compared(self):
        one, two, three, four, five, six, seven = [row[0] for row in self.rows(
            "SELECT task FROM task_states WHERE last_output IS NOT NULL AND last_history IS NOT NULL LIMIT 7")]
        session, = self.rows("SELECT max (session) FROM cli_session_commands")[0]
        other, = self.rows("SELECT min (session) FROM cli_session_commands")[0]
        groups = [{
            "UPDATE task_states SET state = state %% 9 + 1 WHERE task = %d" % one: r"task_states\.state",
            "UPDATE task_states SET error_count = 77 WHERE task = %d" % two: r"task_states\.error_count",
            "UPDATE task_states SET started_after = 1 WHERE task = %d" % three: r"task_states\.started_after",
            "UPDATE task_states SET last_output = NULL WHERE task = %d" % four: r"task_states\.last_output",
            "UPDATE task_states SET owner = 99 WHERE task = %d" % five: r"task_states\.owner",
            "UPDATE task_states SET provider = (SELECT max (id) FROM words) WHERE task = %d" % six: r"task_states\.provider",
            "UPDATE cli_sessions SET command_count = 77 WHERE id = %d" % session: r"cli_sessions\.command_count",
            "UPDATE cli_sessions SET current_directory = '/else' WHERE id = %d" % other: "cli_sessions: a column",
            "UPDATE user_preferences SET preferred_model = 'another' WHERE user_id = 'anna'": r"user_preferences\.preferred_model",
            "UPDATE cli_sessions SET user_id = 'another' WHERE id = (SELECT min (id) FROM cli_sessions)": r"cli_sessions\.user_id",
            "DELETE FROM task_count_rows WHERE state = 1": "task_counts",
            "UPDATE tasks SET branch = 'another' WHERE title = 'The title'": r"tasks\.branch",
            "UPDATE cli_session_history SET kind = 67 WHERE position = (SELECT max (position) FROM cli_session_history"
            " WHERE kind = 3)": "its kind is 67",
        }, {
            "UPDATE task_history SET previous_back = NULL WHERE position ="
            " (SELECT max (position) FROM task_history WHERE position - task_back = %d)" % seven: "task_history: the row before it",
            "UPDATE cli_session_commands SET previous = 1 WHERE position ="
            " (SELECT max (position) FROM cli_session_commands)": "cli_session_commands: the row before it",
            "DELETE FROM user_preferences WHERE user_id = 'anna'": "row of user_preferences of 'anna' is missing",
            "UPDATE zones SET max_time = 1 WHERE zone = 0": "bounds of zone 0",
            "DELETE FROM zones WHERE zone = 1": "zone 1 is missing",
            "DELETE FROM unordered_tasks WHERE task = (SELECT min (task) FROM unordered_tasks)": "unordered_tasks does not have",
            "INSERT INTO tasks (id, task_id, since) VALUES (999999, 'made up', 1)": "999999 has no events",
        }, {
            "UPDATE task_history SET changes = '{}' WHERE position = (SELECT max (position) FROM task_history WHERE kind = 3)":
                "task_history: a column has a value that no event of kind 3",
            "UPDATE task_history SET model = 1 WHERE position = (SELECT max (position) FROM task_history WHERE kind = 2"
            " AND changes LIKE '%\"model\"%')":
                "task_history: a column has a value that no event of kind 2",
            "UPDATE cli_session_history SET fields = '{}' WHERE position = (SELECT max (position) FROM cli_session_history"
            " WHERE kind = 3)": "cli_session_history: a column has a value that no event of kind 3",
            "UPDATE zones SET min_task = 2 WHERE zone = 0": "bounds of zone 0",
            "INSERT INTO unordered_tasks SELECT id FROM tasks WHERE title = 'The title'": "unordered_tasks has task",
            "INSERT INTO user_preferences VALUES ('no one', NULL, NULL, NULL, NULL, 1, 1, 1)": "user_preferences has rows",
            "INSERT INTO task_states (task, state, flags, created_at, updated_after, error_count)"
            " VALUES (888888, 1, 0, 1, 0, 0)": "rows without a task",
        }, {
            "DELETE FROM task_states WHERE task = %d" % one: "refers to a task that the ledger does not have",
        }]
        for number, group in enumerate(groups):
            path = self.copy("derived-%d" % number)
            for statement in group:
                self.assertGreaterEqual(edit(path, statement), 1, statement)
            text = json.dumps(self.faults(path))
            for statement, named in group.items():
                with self.subTest(statement=statement):
                    self.assertRegex(text, named)

    #   -- notes and keys -------------------------------------------------------------------

    def test_note_of_another_history_or_key_is_reported(self):
        other, _ = os.path.join(self.folder, "b.seal_key"), stele(
            "key", "new", "ledger.example", "--sign", "--out", os.path.join(self.folder, "b.seal_secret"))
        out, error = stele("verify", self.sealed, "--key", other, status=1)
        self.assertIn("not signed with the key", error)
        stele("verify", self.sealed, "--key", other, "--key", self.key)
        changed = os.path.join(self.folder, "changed.note")
        with open(self.early, encoding="utf-8") as file:
            text = file.read()
        for old, new, expected in ((self.note(self.early)[2], self.note()[2], "not signed with the key"),
                                   ("\n%s\n" % self.note(self.early)[1], "\n99999999\n", "not signed with the key"),
                                   ("stele/1/" + self.ledger_id, "stele/1/" + self.ledger_id[::-1], "another ledger")):
            with open(changed, "w", encoding="utf-8") as file:
                file.write(text.replace(old, new))
            self.assertIn(expected, self.faults(self.sealed, "--since", changed)[0]["text"])
        #   Without a key, the roots still have to fit
        with open(changed, "w", encoding="utf-8") as file:
            file.write(text.replace(self.note(self.early)[2], self.note()[2]))
        self.assertIn("is not the one that", stele("verify", self.sealed, "--since", changed, status=1)[1])
        with open(changed, "w") as file:
            file.write("no note\n")
        stele("verify", self.sealed, "--since", changed, status=65)
        stele("verify", self.sealed, "--since", changed + ".missing", status=66)

    def test_damaged_seals_are_told_from_changed_events(self):
        path = self.copy("seals")
        with open(path + ".seals", "r+b") as file:
            file.seek(70)
            file.write(b"\0\0\0\0")
        fault, = self.faults(path)
        self.assertIn("file of seals beside the ledger", fault["text"])
        self.assertEqual((fault["position"], fault["last"]), (1, TILE))
        #   Cut off within a tile: the note still proves all
        shutil.copy(self.sealed + ".seals", path + ".seals")
        os.truncate(path + ".seals", 1000)
        answer = json.loads(stele("--json", "verify", path, "--key", self.key)[0])
        self.assertEqual((answer["sealed"], answer["proven"]), (0, int(self.note()[1])))

    #   -- proofs -------------------------------------------------------------------------

    def test_proof_is_checked_without_stele(self):
        lines = self.lines()
        for source in (self.sealed, self.repository):
            for position in (1, 2, TILE, TILE + 1, len(lines)):
                proof, _ = stele("prove", str(position), source)
                done = check_proof(self.key, proof)
                self.assertEqual((done.returncode, done.stdout), (0, lines[position - 1] + b"\n"), done.stderr)
        with_note, _ = stele("prove", "2", self.sealed, "--note", self.early)
        self.assertIn("%s events" % self.note(self.early)[1], check_proof(self.key, with_note).stderr.decode())
        proof, _ = stele("prove", "plain", self.sealed)
        done = check_proof(self.key, proof)
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = [line for line in lines if json.loads(line).get("task_id") == "plain"]
        self.assertGreaterEqual(len(expected), 6)
        self.assertEqual(done.stdout.splitlines(), expected)

    def test_changed_proof_does_not_hold(self):
        proof, _ = stele("prove", "plain", self.sealed)
        value = json.loads(proof)
        changes = {
            "line": lambda event: event.update(line=event["line"].replace("plain", "other")),
            "position": lambda event: event.update(position=event["position"] + 1),
            "path": lambda event: event.update(path=event["path"][::-1]),
            "shorter path": lambda event: event["path"].pop(),
        }
        for name, change in changes.items():
            with self.subTest(changed=name):
                changed = json.loads(proof)
                change(changed["events"][0])
                done = check_proof(self.key, json.dumps(changed))
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(b"does not hold", done.stderr)
        value["checkpoint"] = re.sub(r"\n\d+\n", "\n99999\n", value["checkpoint"], count=1)
        self.assertIn(b"not signed", check_proof(self.key, json.dumps(value)).stderr)

    def test_what_is_not_sealed_has_no_proof(self):
        head = int(self.note()[1])
        for what, status in ((str(head + 1), 1), ("0", 1), ("no-such-task", 1)):
            stele("prove", what, self.sealed, status=status)
        path = self.copy("unsealed")
        os.unlink(path + ".checkpoint")
        self.assertIn("no checkpoint", stele("prove", "1", path, status=1)[1])
        self.assertIn("no checkpoint proves", stele("verify", path)[1])
        stele("verify", path, "--key", self.key, status=1)
        note = os.path.join(self.folder, "beyond.note")
        with open(self.sealed + ".checkpoint") as file, open(note, "w") as beyond:
            beyond.write(file.read().replace("\n%d\n" % head, "\n999999999999999999\n", 1))
        self.assertIn("the history ends at position", stele("prove", "1", self.sealed, "--note", note, status=65)[1])
        #   Events that were changed have none either
        path = self.copy("changed")
        edit(path, "UPDATE tasks SET title = 'Another' WHERE title = 'The title'")
        task = self.rows("SELECT created FROM tasks WHERE title = 'The title'")[0][0]
        self.assertIn("stele verify", stele("prove", str(task), path, status=65)[1])

    def test_faults_are_the_same_with_any_number_of_threads(self):
        self.start_broker(ledger_name="tiles.db", more={"backup": ""})
        peer = self.clients.producer(self.broker.events, self.name("tiles"))
        peer.send_events([created("long")] + [output("long", "line %d" % i) for i in range(2, 2501)])
        peer.send_events([{"type": "task.state_changed", "task_id": "long", "state": "running"}]
                         + [output("long", "line %d" % i) for i in range(2502, 3501)])
        peer.settle()
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        sealed = self.broker.ledger
        change = "UPDATE task_outputs SET content = 'nothing' WHERE position = %d"
        remove = "DELETE FROM task_outputs WHERE position = %d"
        cases = {
            "every tile": ([700, 1700, 2700], [change % position for position in (700, 1700, 2700, 3300)]),
            "the last event": ([1], [change % 3500]),
            "a hole": ([700, 1700], [change % 700, remove % 1700, change % 2700]),
            "the end of a tile": ([2048], [remove % 2048]),
            "the end": ([3500], [remove % 3500]),
            "an event that cannot be read": ([700, 1700], [
                "UPDATE task_outputs SET user_id = 999999 WHERE position = 1700", change % 700, change % 3000]),
            "an event that cannot follow": ([700, 2501, 2501], [
                "UPDATE task_history SET kind = 1 WHERE position = 2501", change % 700]),
            "a table": ([1], ["UPDATE task_states SET error_count = error_count + 1"]),
        }
        for name, (positions, statements) in cases.items():
            path = os.path.join(self.folder, "tiles-%s.db" % name)
            for end in BESIDE:
                if os.path.exists(sealed + end):
                    shutil.copy(sealed + end, path + end)
            edit(path, *statements)
            found = {threads: stele("--json", "verify", path, "--key", self.key, "--threads", threads, status=1)
                     for threads in ("1", "3")}
            with self.subTest(name=name):
                faults = json.loads(found["1"][0])["faults"]
                self.assertEqual([fault["position"] for fault in faults if "position" in fault], positions, faults)
                self.assertEqual(found["3"], found["1"])
        one, many = (stele("--json", "verify", sealed, "--key", self.key, "--threads", threads) for threads in ("1", "3"))
        self.assertEqual(many, one)
        stele("verify", sealed, "--threads", "17", status=64)

    #   -- the broker -----------------------------------------------------------------------

    def test_changed_history_is_never_sealed_again(self):
        path = self.copy("contradicted")
        self.assertEqual(edit(path, "UPDATE task_outputs SET content = 'nothing' WHERE content = 'what it wrote'"), 1)
        before = self.note()
        #   ... nor one that another key has signed, until its note is moved away
        stele("key", "new", "next", "--sign", "--out", os.path.join(self.folder, "next.seal_secret"))
        self.copy("rotated")
        self.start_broker(ledger_name="rotated.db", more={"backup": "", "seal": os.path.join(self.folder, "next.seal_secret")})
        self.broker.wait_line("is not signed with the key 'next'")
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.start_broker(ledger_name="contradicted.db", more={"backup": ""})
        try:
            self.broker.wait_line("not those that were sealed")
            harness.wait_until(lambda: b"seal_contradicted" in self.stele("--json", "health", status=None), "the finding")
            self.producer().publish(created(self.name("later")))
            harness.wait_until(lambda: self.ask("stats")["seal"]["state"] == "contradicted", "its state")
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.assertEqual(self.note(path + ".checkpoint"), before)

    def test_feed_and_log_have_the_checkpoints(self):
        path = self.copy("heard")
        self.start_broker(ledger_name="heard.db", more={"backup": ""})
        try:
            feed, notes = self.subscriber("heartbeat"), {}

            def hear(size):
                while size not in notes:
                    _, beat = feed.next(heartbeats=True)
                    if "checkpoint" in beat:
                        notes[int(beat["checkpoint"].split("\n")[1])] = beat["checkpoint"]
                        self.assertGreaterEqual(beat["position"], max(notes))
            #   That of the run before, then a new one
            hear(int(self.note()[1]))
            self.producer().publish(created(self.name("heard")))
            head = self.ask("ping")["position"]
            hear(head)
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())
        origin, size, _ = check_signature(self.key, notes[head])
        self.assertEqual((origin, size), ("stele/1/" + self.ledger_id, head))
        witness = os.path.join(self.folder, "heard.note")
        with open(witness, "w", encoding="utf-8") as file:
            file.write(notes[head])
        answer = json.loads(stele("--json", "verify", path, "--key", self.key, "--since", witness)[0])
        self.assertEqual((answer["good"], answer["proven"]), (True, head))
        #   The log has it as well, but for the first line
        size, root, signature = re.findall(r"sealed up to position (\d+): (\S+) (\u2014 \S+ [A-Za-z0-9+/=]+)", self.broker.log())[-1]
        self.assertEqual(origin + "\n%s\n%s\n\n%s\n" % (size, root, signature), notes[head])

    def test_damaged_seals_are_made_again(self):
        path = self.copy("repaired")
        with open(path + ".seals", "r+b") as file:
            right = file.read()
            file.seek(70)
            file.write(bytes(4))
        self.start_broker(ledger_name="repaired.db", more={"backup": ""})
        try:
            self.broker.wait_line("the file of seals was damaged")
            self.producer().publish(created(self.name("more")))
            head = self.ask("ping")["position"]
            harness.wait_until(lambda: self.ask("stats")["seal"]["position"] >= head, "its seal")
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())
        with open(path + ".seals", "rb") as file:
            self.assertEqual(file.read()[:len(right)], right)
        stele("verify", path, "--key", self.key)
        #   Where the events have changed too, the file stays: it tells which
        path = self.copy("both")
        position, = self.rows("SELECT max (position) FROM task_outputs WHERE position <= %d" % TILE)[0]
        self.assertEqual(edit(path, "UPDATE task_outputs SET content = 'nothing' WHERE position = %d" % position), 1)
        with open(path + ".seals", "r+b") as file:
            file.seek(70)
            file.write(bytes(4))
        self.start_broker(ledger_name="both.db", more={"backup": ""})
        try:
            self.broker.wait_line("not those that were sealed")
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.assertEqual(self.faults(path)[0]["position"], position)

    def test_damaged_checkpoint_is_not_called_a_contradiction(self):
        path = self.copy("truncated")
        os.truncate(path + ".checkpoint", 60)
        self.start_broker(ledger_name="truncated.db", more={"backup": ""})
        try:
            self.broker.wait_line("is damaged, it is no checkpoint")
            seal = harness.wait_until(lambda: [seal for seal in [self.ask("stats")["seal"]] if seal["state"] == "failing"],
                                      "the failure")[0]
            self.assertIn(path + ".checkpoint", seal["error"])
            #   Put back, it is used without a restart
            shutil.copy(self.sealed + ".checkpoint", path + ".checkpoint")
            head = self.ask("ping")["position"]
            harness.wait_until(lambda: self.ask("stats")["seal"]["position"] == head, "the seal to continue")
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())

    def test_checkpoint_at_the_end_of_a_tile_is_continued(self):
        self.start_broker(ledger_name="tile.db", more={"backup": ""})
        peer = self.clients.producer(self.broker.events, self.name("tile"))
        peer.publish(created("full"))
        peer.send_events([output("full", "line %d" % i) for i in range(1023)])
        peer.settle()
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.assertEqual(self.note(self.broker.ledger + ".checkpoint")[1], "1024")
        self.start_broker(ledger_name="tile.db", more={"backup": ""})
        try:
            self.producer().publish(created(self.name("more")))
            head = self.ask("ping")["position"]
            harness.wait_until(lambda: self.ask("stats")["seal"].get("position") == head, "its seal")
            harness.wait_until(lambda: self.ask("stats")["seal"]["state"] == "live", "its state")
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())

    def test_accepted_loss_leaves_the_notes_of_the_old_repository(self):
        path, repository = os.path.join(self.folder, "lossy.db"), os.path.join(self.folder, "of lossy")
        more = {"backup": repository}
        self.start_broker(ledger_name="lossy.db", more=more)
        self.clients.producer(self.broker.events, self.name("lossy")).publish(created("kept"))
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        shutil.copy(path, path + ".old")
        self.start_broker(ledger_name="lossy.db", more=more)
        self.clients.producer(self.broker.events, self.name("lossy")).publish(created("lost"))
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        before = self.files(repository)
        shutil.move(path + ".old", path)
        self.start_broker(ledger_name="lossy.db", more=more, arguments=["--accept-loss"])
        try:
            self.producer().publish(created(self.name("after")))
            head = self.ask("ping")["position"]
            harness.wait_until(lambda: self.ask("stats")["seal"].get("position") == head, "the seal of the new ledger")
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.assertEqual(self.files(repository), before)
        self.assertIn("proven up to position", stele("verify", repository, "--key", self.key)[0])

    def test_folder_of_the_notes_that_cannot_be_made_is_tried_again(self):
        repository = os.path.join(self.folder, "of refused")
        self.start_broker(ledger_name="refused.db", more={"backup": repository, "seal": ""})
        self.clients.producer(self.broker.events, self.name("refused")).publish(created("first"))
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.assertNotIn("checkpoints", os.listdir(repository))
        prefix = ()
        if os.geteuid() == 0:           # The superuser may write anywhere: be somebody else
            prefix = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
            os.chown(self.folder, 65534, 65534)
            for path, folders, files in os.walk(self.folder):
                for name in folders + files:
                    os.chown(os.path.join(path, name), 65534, 65534)
        os.chmod(repository, 0o500)
        self.start_broker(ledger_name="refused.db", more={"backup": repository}, prefix=prefix)
        try:
            seal = harness.wait_until(lambda: [seal for seal in [self.ask("stats")["seal"]] if seal["state"] == "failing"], "the refusal")[0]
            self.assertIn("cannot make '%s/checkpoints'" % repository, seal["error"])
            os.chmod(repository, 0o700)
            harness.wait_until(lambda: self.ask("stats")["seal"]["state"] == "live", "the seal to continue")
            note, = os.listdir(os.path.join(repository, "checkpoints"))
            self.assertEqual(self.note(os.path.join(repository, "checkpoints", note))[1], "1")
        finally:
            os.chmod(repository, 0o700)
            self.assertEqual(self.broker.stop(), 0, self.broker.log())

    @staticmethod
    def files(folder):
        found = {}
        for name in ("checkpoints", "segments"):
            for file in sorted(os.listdir(os.path.join(folder, name))):
                with open(os.path.join(folder, name, file), "rb") as data:
                    found[name, file] = data.read()
        return found

    def test_restored_ledger_is_proven_and_continues(self):
        path = os.path.join(self.folder, "restored.db")
        stele("restore", self.repository, path)
        notes = os.path.join(self.repository, "checkpoints")
        latest = os.path.join(notes, sorted(os.listdir(notes))[-1])
        answer = json.loads(stele("--json", "verify", path, "--key", self.key, "--since", latest)[0])
        self.assertEqual(answer["proven"], int(self.note(latest)[1]))
        #   As of an earlier moment it is another ledger, whose seals begin again
        earlier = os.path.join(self.folder, "earlier.db")
        stele("restore", self.repository, earlier, "--at", "1040")
        for end in (".seals", ".checkpoint"):
            shutil.copy(self.sealed + end, earlier + end)
        self.assertIn("another ledger", self.faults(earlier)[0]["text"])
        self.start_broker(ledger_name="earlier.db", more={"backup": ""})
        try:
            self.producer().publish(created(self.name("more")))
            head = self.ask("ping")["position"]
            harness.wait_until(lambda: self.ask("stats")["seal"].get("position") == head, "its seal")
        finally:
            self.assertEqual(self.broker.stop(), 0, self.broker.log())
        answer = json.loads(stele("--json", "verify", earlier, "--key", self.key)[0])
        self.assertEqual((answer["proven"], answer["ledger_id"] == self.ledger_id), (answer["position"], False))

    def test_key_that_cannot_sign_is_refused_at_the_start(self):
        loose = os.path.join(self.folder, "loose.seal_secret")
        shutil.copy(self.secret, loose)
        os.chmod(loose, 0o604)
        for seal, reason in ((self.key, "public key"), (loose, "other users"), (self.secret + ".missing", "cannot read")):
            with self.subTest(seal=seal):
                done = subprocess.run(
                    [harness.program("steled"), "--ledger", os.path.join(self.folder, "none.db"), "--redis", "none", "--seal", seal]
                    + [word for name in ("events", "requests", "feed") for word in (
                        "--" + name, "ipc://" + os.path.join(self.folder, "none-" + name))],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.PATIENCE)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(reason, done.stdout.decode())

    def test_key_is_made_once_with_a_mode_of_its_own(self):
        path = os.path.join(self.folder, "new.seal_secret")
        stele("key", "new", "a.b/c", "--sign", "--out", path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(os.path.join(self.folder, "new.seal_key")) as file:
            name, digest, public = file.read().strip().split("+", 2)
        self.assertEqual((name, len(base64.b64decode(public))), ("a.b/c", 33))
        self.assertEqual(sha256(name.encode(), b"\n", base64.b64decode(public))[:4].hex(), digest)
        with open(path) as file:
            text = file.read()
        stele("key", "new", "a.b/c", "--sign", "--out", path, status=73)
        with open(path) as file:
            self.assertEqual(file.read(), text)
        stele("key", "new", "a b", "--sign", status=64)


if __name__ == "__main__":
    harness.main()
