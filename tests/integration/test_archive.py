# The archive: old tasks leave the ledger, and everything about them is answered as before
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import shutil
import sqlite3
import subprocess

import harness
from archived import BASE, DAY, ArchiveTest
from client import changed, command, created, metric, output, session_changed, started
from test_proof import check_proof, edit, stele


class Answers(ArchiveTest):
    def test_archived_tasks_are_answered_as_before(self):
        before = self.answers()
        self.archive()
        self.assertEqual([path[-4:] for path in self.archives()], ["2024", "2025"])
        self.assertEqual(self.rows("SELECT count (*) FROM tasks"), [(self.tasks - len(self.archivable),)])
        self.assertEqual(self.rows("SELECT count (*) FROM archived_tasks"), [(len(self.archivable),)])
        #   Their sessions, and no others
        ended = {session["session_id"] for session in before["sessions"] if session["task_id"] in self.archivable}
        self.assertTrue(ended and len(ended) < len(before["sessions"]))
        self.assertEqual(self.rows("SELECT count (*), sum (events) FROM archived_sessions"), [(len(ended), 3 * len(ended))])
        self.assertEqual({row[0] for row in self.rows("SELECT session_id FROM cli_sessions")} & ended, set())
        self.assertEqual(self.ask("stats")["ledger"]["archived_sessions"], len(ended))
        self.assertEqual(self.ask("stats")["archive"]["moved_sessions"], len(ended))
        self.assert_same(before, self.answers())
        #   Also by a broker that archives nothing, of a ledger that was made shorter
        self._asker = None
        self.broker.stop()
        db = sqlite3.connect(self.broker.ledger, isolation_level=None)
        db.execute("VACUUM")
        db.close()
        self.restart()
        self.assert_same(before, self.answers())
        self.assertEqual([(one["name"], one["bytes"]) for one in self.ask("storage")["files"] if one["name"].startswith("archive-")],
                         [("archive-" + path[-4:], os.path.getsize(path)) for path in self.archives()])
        #   For people: an archive has readable views of its own
        titles = self.rows("SELECT title, state FROM task_summary", self.archives()[0])
        self.assertTrue(titles and all(title.startswith("Renamed") and state for title, state in titles), titles)


class ManyYears(ArchiveTest):
    """More years than a reader can attach archives."""

    tasks = 2

    def test_tasks_of_further_years_move_to_the_nearest_archive(self):
        years, events = list(range(1985, 2025)), []
        for year in years:
            task, time = "of-%d" % year, (year - 2024) * 365 * DAY + BASE + 100 * DAY
            events += [created(task, time=time, title="Of %d" % year), changed(task, "running", time=time + 1),
                       output(task, "printed", time=time + 2), changed(task, "passed", time=time + 3)]
        self.producer().publish(*events)
        type(self).archivable = self.archivable | {"of-%d" % year for year in years}
        before = self.answers()
        self.archive()
        self.assertEqual(len(self.archives()), 10)
        self.assertEqual(self.rows("SELECT count (*) FROM tasks"), [(self.tasks + len(years) - len(self.archivable),)])
        self.assert_same(before, self.answers())
        nearest = self.rows("SELECT a.archive, (SELECT min (abs (s.id - 2010)) FROM archives s), abs (a.archive - 2010)"
                            " FROM archived_tasks a WHERE task_id = 'of-2010'")
        self.assertEqual(nearest[0][1], nearest[0][2], nearest)
        #   One comes back from there, and moves again
        self.producer("late").publish(output("of-2010", "late", time=BASE))
        self.assertEqual(self.archived(), len(self.archivable) - 1)
        self.archive()
        self.assertEqual([row["content"] for row in self.pages("task.outputs", "outputs", task_id="of-2010")], ["printed", "late"])
        self.broker.stop()
        subprocess.run([harness.program("stele"), "verify", self.broker.ledger], check=True, stdout=subprocess.DEVNULL,
                       timeout=harness.PATIENCE)


class Recall(ArchiveTest):
    tasks = 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.restart("--archive-after", "90d")
        harness.wait_until(lambda: len(cls.stubs()) == len(cls.archivable), "all to be archived")

    @classmethod
    def stubs(cls):
        db = sqlite3.connect("file:%s?mode=ro" % cls.broker.ledger, uri=True)
        try:
            return [row[0] for row in db.execute("SELECT id FROM archived_tasks")]
        finally:
            db.close()

    def life(self, end):
        """An archived task that ended so; each test uses another one."""
        for life in self.lives:
            task = self.ask("task.get", task_id=life.id)["task"]
            if life.ends and task["state"] == end and self.key(task) in self.stubs():
                return life, task
        raise AssertionError("no task is archived and %s" % end)

    def key(self, task):
        return min(event["position"] for event in self.read_events() if event.get("task_id") == task["task_id"])

    def assert_complete(self):
        """Every position once."""
        events = self.read_events()
        self.assertEqual([event["position"] for event in events], list(range(1, len(events) + 1)))

    def copied(self):
        """A copy of the ledger and its archives."""
        path = os.path.join(self.other_folder(), "copy.db")
        for name in [self.broker.ledger] + self.archives():
            source, target = sqlite3.connect("file:%s?mode=ro" % name, uri=True), sqlite3.connect(path + name[len(self.broker.ledger):])
            source.backup(target)
            source.close()
            target.close()
        return path

    def test_verify_compares_the_stubs(self):
        harness.wait_until(lambda: not self.sessions_left(), "the sessions to be archived")
        first, session = (" WHERE id = (SELECT min (id) FROM archived_%s)" % kind for kind in ("tasks", "sessions"))
        for change, status in ((None, 0), ("UPDATE archived_tasks SET events = events + 1" + first, 1),
                               ("UPDATE archived_tasks SET task_id = 'another'" + first, 1), ("UPDATE archives SET tasks = tasks + 5", 1),
                               ("UPDATE archived_sessions SET events = events + 1" + session, 1),
                               ("UPDATE archived_sessions SET session_id = 'another'" + session, 1),
                               ("UPDATE archived_sessions SET user_id = 'eve'" + session, 1),
                               ("UPDATE archives SET sessions = sessions + 5", 1)):
            path = self.copied()
            if change:
                db = sqlite3.connect(path)
                self.assertGreater(db.execute(change).rowcount, 0)
                db.commit()
                db.close()
            done = subprocess.run([harness.program("stele"), "verify", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, status, (change, done.stderr))
            self.assertEqual(b"differ from what is in the archives" in done.stderr, status == 1)

    def test_retry_brings_the_task_back(self):
        life, task = self.life("failed")
        history = self.pages("task.history", "history", task_id=life.id)
        #   Its sessions come back by themselves
        session = self.name("session")
        self.producer("earlier").publish(started(session, task_id=life.id, time=BASE), session_changed(session, "completed", time=BASE))
        self.restart("--archive-after", "90d")
        self._asker = None
        harness.wait_until(lambda: not self.sessions_left(), "the sessions to move")
        sessions = self.pages("session.list", "sessions", task_id=life.id)
        self.assertIn(session, [row["session_id"] for row in sessions])
        key = self.key(task)
        peer = self.producer()
        peer.publish(changed(life.id, "queued"), changed(life.id, "running"))
        self.assertNotIn(key, self.stubs())
        now = self.ask("task.get", task_id=life.id)["task"]
        self.assertEqual((now["state"], now["attempt"], now["title"]), ("running", task["attempt"] + 1, task["title"]))
        self.assertEqual(self.pages("task.history", "history", task_id=life.id)[:-2], history)
        self.assertEqual(self.pages("session.list", "sessions", task_id=life.id), sessions)
        self.assertEqual(self.ask("task.get", task_id=life.id, at=task["position"])["task"], task)
        self.assertIn(life.id, [task["task_id"] for task in self.ask("task.list", states=["running"])["tasks"]])
        self.assert_complete()
        #   It ends again, long ago as well: it moves again
        peer.publish(changed(life.id, "passed", time=BASE + 700 * DAY, error_message="x"))
        self.restart("--archive-after", "90d")
        self._asker = None
        harness.wait_until(lambda: key in self.stubs(), "the task to move again")
        self.assertEqual(self.ask("task.get", task_id=life.id)["task"]["state"], "passed")
        self.assert_complete()

    def test_late_command_brings_the_session_back(self):
        life, task = self.life("passed")
        session = self.name("session")
        self.producer().publish(started(session, task_id=life.id, time=BASE), command(session, "make", time=BASE + 1))
        self.restart("--archive-after", "90d")
        self._asker = None
        stubs = "SELECT count (*) FROM archived_sessions WHERE session_id = '%s'" % session
        harness.wait_until(lambda: self.rows(stubs) == [(1,)], "the session to move")
        before = self.ask("session.get", session_id=session)["session"]
        ran = self.pages("session.commands", "commands", session_id=session)
        self.producer().publish(command(session, "make check", time=BASE + 2), session_changed(session, "completed", time=BASE + 3))
        self.assertEqual(self.rows(stubs), [(0,)])
        self.assertIn(self.key(task), self.stubs())
        now = self.ask("session.get", session_id=session)["session"]
        self.assertEqual((now["state"], now["command_count"], now["created_at"]), ("completed", 2, before["created_at"]))
        self.assertEqual(self.pages("session.commands", "commands", session_id=session)[:-1], ran)
        #   And again: the copy that is there already is replaced
        self.restart("--archive-after", "90d")
        self._asker = None
        harness.wait_until(lambda: self.rows(stubs) == [(1,)], "the session to move again")
        self.assertEqual(self.ask("session.get", session_id=session)["session"], now)
        self.assertEqual(len(self.pages("session.commands", "commands", session_id=session)), 2)
        self.assert_complete()

    def test_late_output_is_stored_once(self):
        life, task = self.life("error")
        outputs = self.pages("task.outputs", "outputs", task_id=life.id)
        position = self.producer().publish(output(life.id, "late"), metric(life.id, "late", 1))
        self.assertEqual([row["id"] for row in self.pages("task.outputs", "outputs", task_id=life.id)],
                         [row["id"] for row in outputs] + [position - 1])
        self.assert_complete()

    def test_illegal_change_is_refused(self):
        life, task = self.life("cancelled")
        nak = self.producer().publish_refused(changed(life.id, "running"))
        self.assertEqual(nak["code"], "illegal_transition")
        self.assertEqual(self.ask("task.get", task_id=life.id)["task"], task)
        self.assert_complete()

    def test_task_id_stays_unique(self):
        life, task = self.life("timeout")
        head = self.ask("ping")["position"]
        peer = self.producer()
        self.assertEqual(peer.publish_refused(created(life.id, title="Another"))["code"], "task_exists")
        original = next(event for event in life.events if event["type"] == "task.created")
        peer.publish(original)
        self.assertEqual(self.ask("ping")["position"], head)
        self.assertEqual(self.ask("task.get", task_id=life.id)["task"], task)

    def test_import_of_an_export_stores_nothing_twice(self):
        head = self.ask("ping")["position"]
        path = os.path.join(self.folder, "export.jsonl")
        self.stele("export", path)
        copy = harness.Steled(self.other_folder(), ledger="copy.db", arguments=("--interrupted", "none"))
        try:
            subprocess.run([harness.program("stele"), "import", path], env=copy.environment(), check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=harness.PATIENCE)
            again = subprocess.run([harness.program("stele"), "export", "-"], env=copy.environment(), check=True,
                                   stdout=subprocess.PIPE, timeout=harness.PATIENCE).stdout
        finally:
            copy.stop()
        with open(path, "rb") as file:
            self.assertEqual(again.count(b"\n"), file.read().count(b"\n"))
        self.assertEqual(self.ask("ping")["position"], head)

    def other_folder(self):
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder


class Restored(ArchiveTest):
    """A complete restore whose archives are newer than the end of its backup."""

    tasks = 4

    @classmethod
    def start_broker(cls, **more):
        cls.repository = os.path.join(cls.folder, "repository")
        settings = more.pop("settings", {"backup": cls.repository, "backup-lag": 1})
        cls.broker = harness.Steled(cls.folder, settings=settings, **more)
        return cls.broker

    def test_positions_that_are_given_again_are_not_mixed_with_archived_ones(self):
        self.archive()
        head, ended = self.ask("ping")["position"], BASE + 10 * DAY
        harness.wait_until(lambda: self.ask("stats")["segments"]["position"] == head, "the segments")
        repository = os.path.join(self.folder, "as of then")
        shutil.copytree(self.repository, repository)
        #   Of the segments alone: a snapshot may have been taken meanwhile, with copies of the archives
        shutil.rmtree(os.path.join(repository, "snapshots"), ignore_errors=True)
        #   Its end is lost, but was archived
        self.producer().publish(created("lost", time=ended), changed("lost", "running", time=ended + 1),
                                output("lost", "of the lost end", time=ended + 2), changed("lost", "passed", time=ended + 3))
        #   (All tasks were looked at, so the next look is in an hour, unless there is a start)
        self._asker = None
        self.restart("--archive-after", "90d")
        harness.wait_until(lambda: self.archived() == len(self.archivable) + 1, "the task to be archived")
        self.broker.stop()
        new = os.path.join(self.folder, "new [1]*.db")
        for path in self.archives():
            shutil.copy(path, new + path[path.index(".archive-"):])
        subprocess.run([harness.program("stele"), "restore", repository, new], check=True, stdout=subprocess.DEVNULL,
                       timeout=harness.PATIENCE)
        self._asker = None
        #   It is marked at the start; if that is not possible, there is no start
        path = new + self.archives()[0][-len(".archive-2024"):]
        lock = sqlite3.connect(path, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        with self.assertRaises(AssertionError) as caught:
            self.restart("--archive-after", "90d", ledger="new [1]*.db", settings={})
        lock.close()
        self.assertIn(path, str(caught.exception))
        self.restart("--archive-after", "90d", ledger="new [1]*.db", settings={})
        self.producer().publish(created("next", time=ended), created("other"), output("other", "x"),
                                changed("next", "running", time=ended + 1), changed("next", "passed", time=ended + 3))
        harness.wait_until(lambda: self.ask("stats")["archive"]["state"] == "failing", "the archive to be refused")
        self.assertEqual([event["position"] for event in self.read_events()], list(range(1, head + 6)))
        self.assertEqual(self.pages("task.outputs", "outputs", task_id="next"), [])
        subprocess.run([harness.program("stele"), "verify", new], check=True, stdout=subprocess.DEVNULL, timeout=harness.PATIENCE)


class Lost(ArchiveTest):
    """A ledger whose end was lost, and that has another id since: its earlier archives get nothing more."""

    tasks = 2

    def test_sessions_of_tasks_in_earlier_archives_stay(self):
        self.archive()
        self._asker = None
        self.restart()
        old = next(life.id for life in self.lives if life.ends)
        events = lambda session, task, time: [started(session, task_id=task, time=time), session_changed(session, "completed", time=time)]
        self.producer().publish(*events("stays", old, BASE))
        self._asker = None
        self.broker.stop()
        shutil.copy(self.broker.ledger, self.broker.ledger + ".old")
        self.restart()
        self.producer("lost").publish(created("lost"))
        self.broker.stop()
        shutil.move(self.broker.ledger + ".old", self.broker.ledger)
        self._asker = None
        self.restart("--accept-loss")
        #   Of a year whose archive is a new one
        time = BASE - 100 * DAY
        self.producer("next").publish(created("next", time=time), changed("next", "passed", time=time), *events("moves", "next", time))
        self._asker = None
        self.restart("--archive-after", "90d")
        harness.wait_until(lambda: self.rows("SELECT session_id FROM archived_sessions WHERE session_id IN ('stays', 'moves')")
                           == [("moves",)], "the session of the new archive to move")
        self.assertEqual(self.sessions_left(), [("stays",)])
        self.assertEqual(self.ask("stats")["archive"], {"after_s": 90 * 86400, "moved": 1, "moved_sessions": 1, "state": "live"})
        self.assertEqual(self.ask("session.get", session_id="stays")["session"]["state"], "completed")
        self.broker.stop()
        subprocess.run([harness.program("stele"), "verify", self.broker.ledger], check=True, stdout=subprocess.DEVNULL,
                       timeout=harness.PATIENCE)


class Sealed(ArchiveTest):
    """A sealed history, of which a part is in an archive."""

    tasks = 2

    @classmethod
    def start_broker(cls, **more):
        cls.secret, cls.key = (os.path.join(cls.folder, "a.seal_" + end) for end in ("secret", "key"))
        if not os.path.exists(cls.secret):
            stele("key", "new", "ledger.example", "--sign", "--out", cls.secret)
        cls.broker = harness.Steled(cls.folder, settings={"seal": cls.secret, "seal-lag": 1}, **more)
        return cls.broker

    def test_archived_sessions_are_proven(self):
        task, session = self.name("task"), self.name("session")
        self.producer().publish(created(task, time=BASE), started(session, task_id=task, time=BASE + 1),
                                command(session, "make", time=BASE + 2), session_changed(session, "completed", time=BASE + 3),
                                changed(task, "passed", time=BASE + 4))
        self.archivable.add(task)
        self.archive()
        head = self.ask("ping")["position"]
        harness.wait_until(lambda: self.ask("stats")["seal"]["position"] == head, "the seals")
        position = next(event["position"] for event in self.read_events() if event.get("command") == "make"
                        and event["session_id"] == session)
        self.broker.stop()
        verify = ("--json", "verify", self.broker.ledger, "--key", self.key)
        checked = json.loads(stele(*verify)[0])
        self.assertEqual((checked["good"], checked["proven"]), (True, head))
        for what in (position, task):
            done = check_proof(self.key, stele("prove", str(what), self.broker.ledger)[0])
            self.assertEqual(done.returncode, 0, done.stderr)
        #   It is in the archive alone, and a change there is found
        change = "UPDATE cli_session_commands SET time = time + 1 WHERE position = %d" % position
        self.assertEqual([edit(path, change) for path in [self.broker.ledger] + self.archives()], [0, 1])
        fault = json.loads(stele(*verify, status=1)[0])["faults"][0]
        self.assertTrue(fault["position"] <= position <= fault["last"], fault)


class Files(ArchiveTest):
    """An archive that is missing, damaged, or another one."""

    tasks = 10

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.restart("--archive-after", "90d")
        cls.path = cls.broker.ledger + ".archive-2024"
        harness.wait_until(lambda: cls.count() == len(cls.archivable), "all to be archived")

    @classmethod
    def count(cls):
        db = sqlite3.connect("file:%s?mode=ro" % cls.broker.ledger, uri=True)
        try:
            return db.execute("SELECT count (*) FROM archived_tasks").fetchone()[0]
        finally:
            db.close()

    def setUp(self):
        super().setUp()
        self.broker.stop()
        self.aside = os.path.join(self.folder, "aside")
        os.rename(self.path, self.aside)
        self.addCleanup(self.put_back)

    def put_back(self):
        if self.broker.running():
            self.broker.stop()
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.path + suffix):
                os.remove(self.path + suffix)
        os.rename(self.aside, self.path)
        self._asker = None
        self.restart()
        self.assertEqual(len(self.read_events()), len(self.events))
        self.broker.stop()

    def assert_not_started(self, *texts):
        with self.assertRaises(AssertionError) as caught:
            self.restart()
        for text in texts + (self.path,):
            self.assertIn(text, str(caught.exception))

    def test_missing_archive_is_named(self):
        self.assert_not_started("put it back")

    def test_truncated_archive_is_named(self):
        shutil.copy(self.aside, self.path)
        os.truncate(self.path, os.path.getsize(self.path) // 2)
        self.assert_not_started("malformed")

    def test_other_file_is_named(self):
        with open(self.path, "w") as file:
            file.write("this is not an archive\n" * 400)
        self.assert_not_started("not a database")

    def test_archive_of_another_ledger_is_named(self):
        shutil.copy(self.aside, self.path)
        db = sqlite3.connect(self.path)
        db.execute("UPDATE meta SET value = 'another' WHERE key = 'archive_id'")
        db.commit()
        db.close()
        self.assert_not_started("another ledger")

    def test_no_broker_starts_on_an_archive(self):
        shutil.copy(self.aside, self.path)
        with self.assertRaises(AssertionError) as caught:
            harness.Steled(self.folder, ledger=os.path.basename(self.path))
        self.assertIn("archive", str(caught.exception))


class WithRedis(ArchiveTest):
    use_redis = True
    tasks = 12

    def consistent(self):
        answer = self.asker().ask({"op": "consistency.check"})
        return answer if answer["ok"] and answer["consistent"] == 1.0 else None

    def test_redis_agrees_with_a_ledger_that_has_archives(self):
        checked = harness.wait_until(self.consistent, "Redis to be right")["checked"]
        self.archive()
        self.assertEqual(harness.wait_until(self.consistent, "Redis to be right")["checked"], checked)
        back = next(life.id for life in self.lives if life.ends)
        self.redis.wait_position(self.producer().publish(changed(back, "queued")))
        self.assertEqual(self.ask("task.status", task_id=back)["task"]["state"], "queued")
        self.redis.call("FLUSHALL")
        self.producer("another").publish(created("newest"))
        self.assertEqual(harness.wait_until(self.consistent, "Redis to be rebuilt")["checked"], checked + 1)
        for life in self.lives:
            self.assertEqual(self.ask("task.status", task_id=life.id)["task"]["state"],
                             self.ask("task.get", task_id=life.id)["task"]["state"])


class Year(ArchiveTest):
    """A ledger from which as many tasks leave as arrive."""

    tasks = 1

    def test_setting_takes_a_time_with_a_unit(self):
        for value, valid in (("90d", True), ("1s", True), ("90", False), ("0d", False), ("d", False), ("90w", False), ("-1d", False)):
            done = subprocess.run([harness.program("steled"), "--ledger", self.broker.ledger, "--redis", "none", "--check-config",
                                   "--archive-after", value], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode == 0, valid, (value, done.stderr))
            self.assertEqual("90d (days)" in done.stderr, not valid, (value, done.stderr))

    def test_ledger_stays_flat(self):
        self.restart("--archive-after", "10s")
        peer, sizes = self.producer(), []
        for month in range(6):
            events = []
            for task in range(100):
                task_id = "month-%d-%d" % (month, task)
                time = BASE + (month * 31 + task % 28) * DAY
                events += [created(task_id, time=time), changed(task_id, "running", time=time + 1),
                           output(task_id, os.urandom(1000).hex(), time=time + 2), changed(task_id, "passed", time=time + 3),
                           started(task_id, task_id=task_id, time=time + 1), command(task_id, "make check " * 9, time=time + 2),
                           session_changed(task_id, "completed", time=time + 3)]
            peer.publish(*events)
            harness.wait_until(lambda: self.archived() == (month + 1) * 100 + len(self.archivable), "the month")
            harness.wait_until(lambda: not self.sessions_left(), "the sessions of the month")
            pages, free = self.rows("SELECT * FROM pragma_page_count, pragma_freelist_count")[0]
            sizes.append((pages - free) * 4096)
        #   What stays of a task and its session: their stubs
        self.assertLess(sizes[-1] - sizes[0], 500 * 250, sizes)
        archive = self.archives()[0]
        harness.wait_until(lambda: os.path.getsize(archive) > 3 * sizes[-1], "the archive to have it all")


if __name__ == "__main__":
    harness.main()
