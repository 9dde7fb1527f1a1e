# Erasing the contents of a task: nothing of them is left, and the history still proves itself
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import contextlib
import glob
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess

import harness
from archived import BASE, DAY, ArchiveTest
from client import changed, command, created, metric, output, session_changed, started
from test_proof import check_proof, edit, stele

NEEDLE = "Zwiebelfisch"                         # In every text that has to go
ERASED = "(erased)"


def needle(what):
    return "%s%s" % (NEEDLE, what)


def life(task, session, **keys):
    """A task with a needle in all that can be erased, and in nothing that other tasks share (see words, doc/SECURITY.md)."""
    return [created(task, title=needle("title"), description=needle("description") + "x" * 3000, branch=needle("branch"),
                    worktree_path="/home/" + needle("path"), repository_url="https://" + needle("url" + task),
                    target_dir=needle("dir" + task), base_branch=needle("base" + task), acceptance_criteria={"a": needle("criteria")},
                    metadata={"m": needle("metadata")}, mine=needle("extra"), **keys),
            changed(task, "running", provider="acme", model="m1", details={"d": needle("details")}, **keys),
            {"type": "task.updated", "task_id": task, "title": needle("title2"), "role": "tester", **keys},
            {"type": "task.updated", "task_id": task, "branch": needle("branch2"), **keys},
            output(task, needle("output"), file_path=needle("file"), mime_type="text/plain", branch=needle("branch3"), **keys),
            output(task, needle("long") + os.urandom(20000).hex(), **keys),
            metric(task, "seconds", 0.25, unit="s", **keys),
            started(session, task_id=task, current_directory="/home/" + needle("folder"), auth_prompt=needle("prompt"), **keys),
            command(session, needle("command"), output=needle("printed"), **keys),
            session_changed(session, "completed", **keys)]


def end(task, **keys):
    return changed(task, "failed", error_message=needle("error"), **keys)


class EraseTest:
    """What the tests of both classes look at."""

    def found(self, path):
        """The names of the ledger's files that have the needle."""
        names = []
        for name in sorted(glob.glob(path + "*")):
            try:
                with open(name, "rb") as file:
                    if NEEDLE.encode() in file.read():
                        names.append(os.path.basename(name))
            except (FileNotFoundError, IsADirectoryError):      # A log is removed when nobody has the file open
                pass
        return names

    def erase(self, task, **keys):
        return self.ask("task.erase", task_id=task, reason="they asked for it", **keys)

    def verify(self, path, *arguments, status=0):
        return json.loads(stele("--json", "verify", path, *arguments, status=status)[0])


class Erase(EraseTest, harness.BrokerTest):
    @classmethod
    def start_broker(cls, **more):
        cls.repository = os.path.join(cls.folder, "repository")
        cls.secret, cls.key = (os.path.join(cls.folder, "a.seal_" + end) for end in ("secret", "key"))
        if not os.path.exists(cls.secret):
            stele("key", "new", "ledger.example", "--sign", "--out", cls.secret)
        settings = {"backup": cls.repository, "backup-lag": 1, "seal": cls.secret, "seal-lag": 1}
        return super().start_broker(settings=settings, **more)

    def sealed(self, name):
        """Wait until everything is sealed and in the segments; a copy of the checkpoint."""
        head = self.ask("ping")["position"]
        harness.wait_until(lambda: self.ask("stats")["seal"]["position"] >= head, "the seals")
        harness.wait_until(lambda: self.ask("stats")["segments"]["position"] >= head, "the segments")
        path = os.path.join(self.folder, name + ".note")
        shutil.copy(self.broker.ledger + ".checkpoint", path)
        return path

    def test_all_contents_are_gone_and_the_history_is_proven(self):
        task, session, other = self.name("task"), self.name("session"), self.name("other")
        peer = self.producer()
        peer.publish(created(other, title="Stays"), *life(task, session))
        peer.publish_refused({"type": "task.state_changed", "task_id": task, "state": needle("state")})
        peer.publish_refused(command(session, needle("mistyped"), output=needle("unread"), exit_code="no number"))
        peer.publish_refused(command("other-" + session, "stays", exit_code="no number"))
        error = self.refused("task.erase", task_id=task, reason="x")
        self.assertEqual((error["code"], error["field"]), ("bad_request", "task_id"))
        peer.publish(end(task), changed(other, "passed"))
        note = self.sealed("before")
        before = self.read_events()
        self.assertEqual([row["task_id"] for row in self.ask("task.list", search=needle("title2"))["tasks"]], [task])
        self.redis.wait_position(len(before))
        self.assertIn(needle("title2"), str(self.redis.hash("{stele}:task:" + task)))
        self.assertTrue(self.found(self.broker.ledger))

        answer = self.erase(task)
        self.assertEqual((answer["task_id"], answer["reason"], answer["events"]), (task, "they asked for it", 11))
        self.assertEqual(answer["erased_position"], len(before) + 1)
        #   It is an event, for followers too
        audit = self.ask("audit.list", operation="task.erase", outcome="ok")["events"][0]
        self.assertEqual((audit["target"], audit["outcome"], audit["details"]["reason"], audit["details"]["events"]),
                         (task, "ok", "they asked for it", 11))
        after = self.read_events()
        #   (This test is the first one of its class, by name)
        self.assertEqual([event["position"] for event in after], list(range(1, len(before) + 2)))
        self.assertNotIn(NEEDLE, json.dumps(after, default=str))
        keeps = ("type", "position", "time", "task_id", "session_id", "state", "role", "provider", "model", "output_type")
        for old, new in zip(before, after):
            self.assertEqual({key: old.get(key) for key in keeps}, {key: new.get(key) for key in keeps})
            mine = task in (old.get("task_id"), ) or old.get("session_id") == session
            self.assertEqual("erased_leaf" in new, mine, new)
            if not mine:
                self.assertEqual(old, new)
        #   The same from every reader
        record = self.ask("task.get", task_id=task)
        self.assertEqual(record["erased"], {"time": answer["time"], "position": answer["erased_position"],
                                            "reason": "they asked for it"})
        self.assertEqual((record["task"]["title"], record["task"]["state"], record["task"]["role"]), (ERASED, "failed", "tester"))
        #   Of Redis, which may be behind
        self.assertNotIn(NEEDLE, str(self.ask("task.status", task_id=task, min_position=answer["erased_position"])))
        self.assertEqual({row["content"] for row in self.ask("task.outputs", task_id=task)["outputs"]}, {ERASED})
        self.assertNotIn("erased", self.ask("task.get", task_id=other))
        self.redis.wait_position(len(after))
        self.assertEqual(self.redis.text_hash("{stele}:task:" + task)["title"], ERASED)
        self.assertEqual(self.ask("consistency.check")["mismatched"], 0)
        harness.wait_until(lambda: self.ask("task.list", search=needle("title2"))["tasks"] == [], "the text index")
        #   Refused events about it and its sessions, too
        refused = self.ask("rejected.list")["rejected"]
        self.assertNotIn(NEEDLE, str(refused))
        self.assertIn("stays", str(refused))
        #   And in the files; pages of the ledger may remember earlier versions of rows until it is compacted
        ledger = os.path.basename(self.broker.ledger)
        harness.wait_until(lambda: set(self.found(self.broker.ledger)) <= {ledger}, "the files to have nothing of it")
        #   Again: the same answer, no event
        again = self.erase(task)
        self.assertEqual({key: again[key] for key in answer if key != "position"},
                         {key: answer[key] for key in answer if key != "position"})
        self.assertEqual(self.ask("ping")["position"], len(after))

        #   Proven, with what was signed before
        self.sealed("after")
        checked = self.verify(self.broker.ledger, "--key", self.key, "--since", note)
        self.assertEqual((checked["good"], checked["erased"], checked["proven"]), (True, 11, len(after)))
        proof = stele("prove", task, self.broker.ledger)[0]
        done = check_proof(self.key, proof)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"erased", done.stderr)
        #   Also after it was compacted, and a start
        stele("compact", self.broker.ledger, status=75)
        self._asker = None
        self.broker.stop()
        shown = json.loads(stele("--json", "compact", self.broker.ledger)[0])
        self.assertEqual((shown["file"], shown["after"]), (self.broker.ledger, os.path.getsize(self.broker.ledger)))
        self.assertGreaterEqual(shown["before"], shown["after"])
        self.assertEqual(self.found(self.broker.ledger), [])
        self.assertTrue(self.verify(self.broker.ledger, "--key", self.key, "--since", note)["good"])
        self.start_broker()
        self.assertEqual(self.ask("task.get", task_id=task)["erased"]["reason"], "they asked for it")
        self.sealed("started")

        #   A restore from backups that still have the contents erases them again
        self.broker.stop()
        new = os.path.join(self.folder, "new.db")
        stele("restore", self.repository, new)
        stele("compact", new)
        self.assertEqual(self.found(new), [])
        checked = self.verify(new, "--key", self.key, "--since", note)
        self.assertEqual((checked["good"], checked["erased"]), (True, 11))
        #   Of an export nothing is proven of these events but their hashes; imported, they are other events
        self.start_broker()
        self._asker = None
        path = os.path.join(self.folder, "export.jsonl")
        self.stele("export", path)
        with open(path) as file:
            self.assertNotIn(NEEDLE, file.read())
        copy = harness.Steled(harness.temporary_folder(), arguments=("--interrupted", "none"))
        self.addCleanup(shutil.rmtree, copy.folder, ignore_errors=True)
        self.addCleanup(copy.stop)
        subprocess.run([harness.program("stele"), "import", path], env=copy.environment(), check=True,
                       stdout=subprocess.DEVNULL, timeout=harness.PATIENCE)
        asked = self.clients.asker(copy.requests).ask({"op": "events.read", "limit": 1000})["events"]
        self.assertEqual([event["type"] for event in asked], [event["type"] for event in after])
        self.assertFalse([event for event in asked if "erased_leaf" in event])
        self.assertNotIn("erased", self.clients.asker(copy.requests).ask({"op": "task.get", "task_id": task}))

    def test_retry_can_be_erased_too(self):
        task, session = self.name("task"), self.name("session")
        peer = self.producer()
        peer.publish(*life(task, session), end(task))
        first = self.erase(task)
        peer.publish(changed(task, "queued"), changed(task, "running"), output(task, needle("late")))
        self.assertIn("running", self.refused("task.erase", task_id=task, reason="x")["message"])
        peer.publish(changed(task, "passed"))
        second = self.erase(task)
        self.assertEqual(second["events"], first["events"] + 4)
        self.assertGreater(second["erased_position"], first["erased_position"])
        self.sealed("retry")
        self.assertTrue(self.verify(self.broker.ledger, "--key", self.key)["good"])

    def test_tasks_that_were_not_created_first_can_be_erased(self):
        only, late, again = (self.name(name) for name in ("only", "late", "again"))
        peer = self.producer()
        ends = lambda task: [changed(task, "running"), changed(task, "failed")]
        peer.publish(created(self.name("parent")), *ends(only),
                     *ends(late), {"type": "task.updated", "task_id": late, "parent_id": self.name("parent")}, created(late, branch="b"),
                     *ends(again))
        for task in (only, late, again):
            self.erase(task)
        peer.publish(created(again, title="Again", parent_id=self.name("parent")))
        self.sealed("late")
        self.assertTrue(self.verify(self.broker.ledger, "--key", self.key)["good"])

    def test_very_many_outputs_are_erased_in_steps(self):
        task, other = self.name("task"), self.name("other")
        peer = self.producer()
        peer.publish(created(task, title=needle("title")), *[output(task, needle("printed")) for _ in range(700)])
        peer.publish(*[output(task, needle("printed")) for _ in range(700)], changed(task, "passed"))
        answer = self.erase(task)
        self.assertEqual((answer["events"], answer["erasing"]), (1402, True))
        #   Late ones are newer than the erasure
        peer.publish(output(task, "late"), created(other))
        harness.wait_until(lambda: "erasing" not in self.ask("task.get", task_id=task)["erased"], "the outputs to be erased")
        texts = [event["content"] for event in self.read_events() if event.get("task_id") == task and "content" in event]
        self.assertEqual(texts, [ERASED] * 1400 + ["late"])
        again = self.erase(task)
        self.assertEqual((again["events"], "erasing" in again), (1403, False))
        #   At once: it does not wait for the rest of the first erasure
        peer.publish(*[output(other, needle("printed")) for _ in range(800)], changed(other, "running"), changed(other, "passed"))
        self.assertIs(self.erase(other)["erasing"], True)
        again = self.erase(other)
        self.assertEqual(again["events"], 803)
        #   More are erased with that rest, and counted
        peer.publish(*[output(other, needle("printed")) for _ in range(800)])
        self.assertEqual(self.erase(other)["events"], 1603)
        harness.wait_until(lambda: "erasing" not in self.ask("task.get", task_id=other)["erased"], "the outputs to be erased")
        self.assertEqual(self.ask("audit.list", operation="task.erase")["events"][0]["details"]["events"], 800)
        #   The program waits
        peer.publish(*[output(other, needle("printed")) for _ in range(800)])
        self.assertNotIn(b"erasing", self.stele("erase", other, "--reason", "again"))
        self.assertNotIn("erasing", self.ask("task.get", task_id=other)["erased"])
        self.assertNotIn(NEEDLE, json.dumps([event for event in self.read_events() if event.get("task_id") in (task, other)], default=str))
        self.sealed("steps")
        self.assertTrue(self.verify(self.broker.ledger, "--key", self.key, "--repository", self.repository)["good"])

    def test_what_cannot_be_erased(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "passed"))
        self.assertEqual(self.refused("task.erase", task_id="no-such", reason="x")["code"], "not_found")
        for reason in ("", "x" * 1025, "a\0b"):
            self.assertEqual(self.refused("task.erase", task_id=task, reason=reason)["field"], "reason")
        self.assertEqual(self.refused("task.erase", task_id=task)["code"], "bad_request")
        self.assertNotIn("erased", self.ask("task.get", task_id=task))
        #   Only the broker writes hashes of erased events
        nak = self.producer("forger").publish_refused(output(task, "x", erased_leaf="0" * 64))
        self.assertEqual((nak["code"], nak.get("field")), ("invalid_field", "erased_leaf"))
        self.stele("erase", task, status=64)
        self.assertIn(b"they asked", self.stele("erase", task, "--reason", "they asked"))
        self.assertIn("backups", self.stderr)

    def test_contents_removed_by_hand_are_named(self):
        task = self.name("task")
        self.producer().publish(created(task), output(task, "evidence"), changed(task, "passed"))
        self.sealed("forged")
        self.broker.stop()
        path = os.path.join(self.folder, "forged.db")
        for suffix in ("", ".seals", ".checkpoint"):
            shutil.copy(self.broker.ledger + suffix, path + suffix)
        self.start_broker()
        self._asker = None
        position = next(event["position"] for event in self.read_events() if event.get("content") == "evidence")
        erased = '{"erased_leaf":"%s"}' % self.leaf(position)
        file = sqlite3.connect(path)
        self.addCleanup(file.close)
        with self.assertRaises(sqlite3.IntegrityError):             # The trigger
            file.execute("UPDATE task_outputs SET content = '', extra = ? WHERE position = ?", (erased, position))
        file.close()
        self.assertEqual(edit(path, "UPDATE task_outputs SET content = '%s', extra = '%s' WHERE position = %d"
                              % (ERASED, erased, position)), 1)
        faults = self.verify(path, "--key", self.key, "--events-only", status=1)["faults"]
        self.assertIn("removed without a request", faults[0]["text"])

    def leaf(self, position):
        """The hash of an event's line."""
        lines = subprocess.run("zstdcat %s/segments/*" % self.repository, shell=True, stdout=subprocess.PIPE, check=True,
                               timeout=harness.PATIENCE).stdout.split(b"\n")
        line = next(line for line in lines if b'"position":%d,' % position in line and not line.startswith(b'{"$'))
        return hashlib.sha256(b"\0" + line).hexdigest()


class Archived(EraseTest, ArchiveTest):
    tasks = 4

    def test_an_archived_task_is_erased_in_its_archive(self):
        time = BASE + 30 * DAY
        self.producer().publish(*life("old", "old-session", time=time), end("old", time=time))
        self.archivable.add("old")
        self.archive()
        archive = next(path for path in self.archives() if self.found(path))
        answer = self.erase("old")
        self.assertEqual(answer["events"], 11)
        self.assertEqual(self.ask("task.get", task_id="old")["task"]["title"], ERASED)
        harness.wait_until(lambda: self.found(archive) == [], "the archive to have nothing of it")
        self.assertEqual(self.rows("SELECT count (*) FROM tasks WHERE task_id = 'old'", archive), [(0,)])
        self.assertEqual(self.rows("PRAGMA integrity_check", archive), [("ok",)])
        #   It stays in the ledger, and other tasks in the archive
        self._asker = None
        self.restart("--archive-after", "90d")
        harness.wait_until(lambda: self.archived() == len(self.archivable) - 1, "the others")
        self.assertEqual(self.ask("task.get", task_id="old")["erased"]["position"], answer["erased_position"])
        self.broker.stop()
        self.assertTrue(self.verify(self.broker.ledger)["good"])
        #   Pages of the ledger were freed when the task was archived; a compacted one has none of these, and is shorter
        sizes = [json.loads(line) for line in stele("--json", "compact", self.broker.ledger)[0].splitlines()]
        self.assertEqual([row["file"] for row in sizes], [self.broker.ledger] + self.archives())
        self.assertEqual(self.found(self.broker.ledger), [])
        self.assertTrue(self.verify(self.broker.ledger)["good"])
        stele("compact", self.broker.ledger + ".none", status=66)
        self.assertFalse(os.path.exists(self.broker.ledger + ".none"))
        self.restart()


class Missing(EraseTest, ArchiveTest):
    tasks = 2

    def test_archive_that_is_missing_is_cleaned_when_it_is_back(self):
        time = BASE + 30 * DAY
        self.producer("old").publish(*life("old", "old-session", time=time), end("old", time=time))
        self.archivable.add("old")
        self.archive()
        #   Without its log, it can be moved
        self.broker.stop()
        archive, = [path for path in self.archives() if self.found(path)]
        with contextlib.closing(sqlite3.connect(archive)) as db:
            self.assertEqual(db.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchone(), (0, 0, 0))
        self.restart("--archive-after", "90d")
        #   Returns to the ledger, and leaves a copy there
        self.producer("late").publish(output("old", "late"))
        aside = os.path.join(self.folder, "aside")
        os.rename(archive, aside)
        self.erase("old")
        harness.wait_until(lambda: archive + ": it is missing" in self.ask("stats")["ingest"].get("erase_error", ""), "the failure")
        self.assertTrue(self.found(aside))
        os.rename(aside, archive)
        harness.wait_until(lambda: not self.found(archive), "the archive that is back")
        harness.wait_until(lambda: "erase_error" not in self.ask("stats")["ingest"], "the end of the failure")


class ReadOrAway(EraseTest, ArchiveTest):
    tasks = 2

    def test_archive_that_is_read_or_away_keeps_nothing_waiting(self):
        """One archive cannot be opened, a program reads the next one, and the broker continues. Each is cleaned when it can be."""
        for task, day in (("first", 30), ("second", 400)):
            time = BASE + day * DAY
            self.producer(task).publish(*life(task, task + "-session", time=time), end(task, time=time))
            self.archivable.add(task)
        self.archive()
        away, read = self.archives()
        aside = os.path.join(self.folder, "aside")
        #   A folder in its place
        os.rename(away, aside)
        os.mkdir(away)
        peer = self.producer()
        head = peer.publish(created("live"))
        reader = sqlite3.connect("file:%s?mode=ro" % read, uri=True, isolation_level=None)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        self.assertEqual(reader.execute("SELECT count (*) FROM tasks WHERE task_id = 'second'").fetchone(), (1,))
        self.erase("second")
        #   It was tried, and could not be completed. Whoever waits for the reader at each commit is not done in a minute
        harness.wait_until(lambda: self.rows("SELECT count (*) FROM tasks WHERE task_id = 'second'", read) == [(0,)], "the removal")
        harness.wait_until(lambda: peer.publish(output("live", "x")) > head + 100, "100 acks")
        self.assertEqual(reader.execute("SELECT count (*) FROM tasks WHERE task_id = 'second'").fetchone(), (1,))
        harness.wait_until(lambda: "erase_error" in self.ask("stats")["ingest"], "the failure")
        ingest = self.ask("stats")["ingest"]
        self.assertIn(away, ingest["erase_error"])
        self.assertGreater(ingest["erase_failing_ms"], 0)
        reader.close()
        harness.wait_until(lambda: self.found(read) == [], "the archive that was read")
        self.assertTrue(os.path.isdir(away))
        #   Back again
        os.rmdir(away)
        os.rename(aside, away)
        self.assertTrue(self.found(away))
        self.erase("first")
        #   Other tasks had the same error until now
        ledger = os.path.basename(self.broker.ledger)
        harness.wait_until(lambda: set(self.found(self.broker.ledger)) <= {ledger}, "the archive that was away, and the rest")
        harness.wait_until(lambda: "erase_error" not in self.ask("stats")["ingest"], "the end of the failure")
        self.broker.wait_line("are gone from all files")
        #   Once, however often it was tried
        self.assertEqual((self.broker.log().count("are still in a file, retrying: "), self.broker.log().count("are gone from all files")),
                         (1, 1), self.broker.log())
        self.assertEqual(self.rows("PRAGMA integrity_check", away), [("ok",)])
        #   No room to compact one of the files: none is changed
        self.broker.stop()
        self.assertEqual(self.found(self.broker.ledger), [ledger])
        size = os.path.getsize(read)
        os.truncate(read, shutil.disk_usage(self.folder).free)
        try:
            self.assertIn(read, stele("compact", self.broker.ledger, status=74)[1])
        finally:
            os.truncate(read, size)
        self.assertEqual(self.found(self.broker.ledger), [ledger])
        stele("compact", self.broker.ledger)
        self.assertEqual(self.found(self.broker.ledger), [])


if __name__ == "__main__":
    harness.main()
