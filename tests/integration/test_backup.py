# Snapshots of a running broker, and restores of them
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import json
import os
import random
import shutil
import sqlite3
import subprocess
import threading

import harness
from client import changed, created, output


class BackupTest(harness.BrokerTest):
    use_redis = False

    @classmethod
    def setUpClass(cls):
        cls.settings = dict(cls.settings)
        super().setUpClass()

    @classmethod
    def start_broker(cls, **more):
        cls.repository = os.path.join(cls.folder, "repository")
        return super().start_broker(**dict({"arguments": ("--backup", cls.repository)}, **more))

    def files(self, pattern="*"):
        return sorted(glob.glob(os.path.join(self.repository, "snapshots", pattern)))

    def backup(self):
        return json.loads(self.stele("--json", "backup"))

    def restore(self, name, *arguments, repository=None, status=0):
        """Restore to a file of that name; returns its path, and what the command printed."""
        path = os.path.join(self.folder, name)
        text = self.stele("--json", "restore", repository or self.repository, path, *arguments, status=status)
        return path, json.loads(text.splitlines()[-1]) if status == 0 else None

    def export(self, *arguments):
        return self.stele("export", "-", *arguments)

    def export_of(self, ledger):
        """The events of a ledger that no broker has open."""
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        broker = harness.Steled(folder, ledger=ledger, arguments=("--interrupted", "none"))
        try:
            done = subprocess.run([harness.program("stele"), "export", "-"], stdout=subprocess.PIPE,
                                  env=broker.environment(), timeout=harness.PATIENCE, check=True)
            return done.stdout
        finally:
            broker.stop()

    def copy_of_repository(self, name):
        path = os.path.join(self.folder, name)
        shutil.copytree(self.repository, path)
        return path


class Snapshots(BackupTest):
    def test_snapshot_is_verified_and_listed(self):
        peer = self.producer()
        position = peer.publish(created(self.name("task")))
        answer = self.backup()
        self.assertGreaterEqual(answer["snapshot_position"], position)
        self.assertEqual(answer["repository"], self.repository)
        self.assertEqual(self.files("*.part"), [])
        newest = json.loads(self.stele("--json", "backup", "list").splitlines()[0])
        self.assertEqual(newest["snapshot"], answer["snapshot"])
        self.assertIs(newest["sound"], True)
        with open(self.files("*.json")[-1]) as file:
            verified = json.load(file)
        self.assertEqual(verified["position"], newest["position"])
        self.assertEqual(verified["ledger_id"], self.ask("info")["ledger"])
        #   Anyone with zstd and sqlite3 can use it
        path = os.path.join(self.folder, "by-hand.db")
        subprocess.run(["zstd", "-q", "-d", self.files("*.db.zst")[-1], "-o", path], check=True)
        self.assertEqual(sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone()[0], "ok")
        self.stele("backup", "check", "--full")
        listed = self.ask("backup.list")
        entry = listed["entries"][0]
        self.assertEqual([entry["snapshot"], entry["snapshot_position"], entry["sound"], entry["verified_at"]],
                         [answer["snapshot"], answer["snapshot_position"], True, answer["verified_at"]])
        self.assertEqual(len(listed["entries"]), listed["snapshots"])
        self.assertNotIn("broken", listed["segments"])
        part = harness.wait_until(lambda: [part for part in [self.ask("stats")["backup"]] if part["state"] == "idle"],
                                  "the end of the backup")[0]
        self.assertEqual(part["snapshot"], answer["snapshot"])

    def test_folder_that_is_no_repository_says_what_it_lacks(self):
        path = os.path.join(self.folder, "plain")
        os.mkdir(path)
        self.stele("backup", "check", path, status=66)
        self.assertIn("%s/snapshots: No such file" % path, self.stderr)
        self.assertIn("a broker with the setting 'backup' makes it", self.stderr)
        os.mkdir(os.path.join(path, "snapshots"))
        self.stele("backup", "check", path, status=66)
        self.assertIn("it lacks the file format.json, which a broker with the setting 'backup' writes", self.stderr)

    def test_list_names_what_is_damaged(self):
        self.producer().publish(created(self.name("task")))
        self.backup()
        name = self.files("*.db.zst")[-1]
        os.rename(name, name + ".away")
        try:
            entry = self.ask("backup.list")["entries"][0]
        finally:
            os.rename(name + ".away", name)
        self.assertEqual((entry["snapshot"], entry["sound"]), (os.path.basename(name)[:33], False))
        self.assertIn("missing", entry["fault"])

    def test_snapshot_is_recorded_as_an_audit_event(self):
        self.backup()
        rows = self.ask("audit.list", operation="backup")["events"]
        self.assertEqual(rows[0]["outcome"], "ok")
        count = len(rows)
        self.ask("backup")              # Only looks
        self.assertEqual(len(self.ask("audit.list", operation="backup")["events"]), count)

    def test_restore_while_events_arrive_is_a_prefix(self):
        """A snapshot that is taken while events are committed has exactly the events up to its position."""
        peer, stop = self.producer(), threading.Event()
        task = self.name("task")
        peer.publish(created(task))

        def load():
            while not stop.is_set():
                peer.publish(*[output(task, os.urandom(2000).hex()) for _ in range(20)])
        thread = threading.Thread(target=load)
        thread.start()
        try:
            answers = [self.backup() for _ in range(2)]
        finally:
            stop.set()
            thread.join()
        path, restored = self.restore("prefix.db")
        self.assertGreaterEqual(restored["position"], answers[-1]["snapshot_position"])
        self.assertEqual(self.export_of(path), self.export("--at", str(restored["position"])))

    def test_producer_continues_on_a_complete_restore(self):
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task), changed(task, "running"))
        self.backup()
        ledger_id, head = self.ask("info")["ledger"], self.ask("info")["position"]
        path, restored = self.restore("complete.db")
        self.assertEqual((restored["complete"], restored["ledger_id"]), (True, ledger_id))
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        broker = harness.Steled(folder, ledger=path, arguments=("--interrupted", "none"))
        self.addCleanup(broker.stop)
        again = self.clients.dealer(broker.events, peer.name)
        again.instance = peer.instance
        welcome = again.hello(acked=2, position=peer.position)
        self.assertEqual(welcome["sequence"], 2)
        #   What it had sent is not stored twice
        again.send_events([created(task), changed(task, "running")], sequence=1)
        again.send_events([changed(task, "completing")], sequence=3)
        again.settle()
        asker = self.clients.asker(broker.requests)
        history = asker.ask({"op": "task.history", "task_id": task})
        self.assertEqual([row["state_to"] for row in history["history"]], ["queued", "running", "completing"])
        self.assertGreater(history["position"], head - 1)

    def test_restore_never_replaces_a_file(self):
        self.producer().publish(created(self.name("task")))
        self.backup()
        for name in ("taken.db", "taken.db-wal", "taken.db.high-water"):
            path = os.path.join(self.folder, name)
            with open(path, "w") as file:
                file.write("mine")
            self.restore("taken.db", status=73)
            self.assertIn(path, self.stderr)
            with open(path) as file:
                self.assertEqual(file.read(), "mine")
            os.unlink(path)
        self.restore("taken.db")
        self.assertEqual(glob.glob(os.path.join(self.folder, "taken.db.restoring*")), [])

    def test_damaged_snapshots_are_named(self):
        self.producer().publish(created(self.name("task")))
        self.backup()
        repository = self.copy_of_repository("damaged")
        name = sorted(glob.glob(os.path.join(repository, "snapshots", "*.db.zst")))[-1]
        with open(name, "r+b") as file:
            file.seek(os.path.getsize(name) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        self.stele("backup", "check", "--full", repository, status=1)
        self.assertIn(os.path.basename(name)[:33], self.stderr)
        shutil.rmtree(os.path.join(repository, "segments"), ignore_errors=True)
        self.restore("damaged.db", repository=repository, status=65)
        self.assertIn(os.path.basename(name), self.stderr)
        self.assertEqual(glob.glob(os.path.join(self.folder, "damaged.db*")), [])
        os.truncate(name, 100)
        self.stele("backup", "check", repository, status=1)
        self.assertIn("100 bytes", self.stderr)
        os.unlink(name)
        self.stele("backup", "check", repository, status=1)
        self.assertIn("missing", self.stderr)

    def test_check_fails_without_a_recent_snapshot(self):
        self.producer().publish(created(self.name("task")))
        self.backup()
        repository = self.copy_of_repository("old")
        for name in glob.glob(os.path.join(repository, "snapshots", "*.json")):
            with open(name) as file:
                verified = json.load(file)
            verified["time"] = "2026-01-02T03:00:00Z"
            with open(name, "w") as file:
                json.dump(verified, file)
        self.stele("backup", "check", repository, status=1)
        self.assertIn("more than 1d 02h", self.stderr)
        self.stele("backup", "check", "--max-age", "1000000", repository)
        for name in glob.glob(os.path.join(repository, "snapshots", "*")):
            os.unlink(name)
        self.stele("backup", "check", repository, status=1)
        self.assertIn("segments do not have archives", self.stderr)

    def test_prune_keeps_the_newest_of_a_day(self):
        self.producer().publish(created(self.name("task")))
        self.backup()
        repository = self.copy_of_repository("pruned")
        name = sorted(glob.glob(os.path.join(repository, "snapshots", "*.json")))[-1][:-len(".json")]
        early = os.path.join(os.path.dirname(name), "0000000000000001-20260102T030000Z")
        shutil.copy(name + ".db.zst", early + ".db.zst")
        with open(name + ".json") as file:
            verified = json.load(file)
        with open(early + ".json", "w") as file:
            json.dump(dict(verified, position=1, time="2026-01-02T03:00:00Z"), file)
        prune = ("backup", "prune", "--daily", "1", "--weekly", "1", "--monthly", "1", repository)
        self.assertIn(os.path.basename(early), self.stele(*prune, "--dry-run").decode())
        self.assertTrue(os.path.exists(early + ".json"))
        self.stele(*prune)
        self.assertFalse(os.path.exists(early + ".json") or os.path.exists(early + ".db.zst"))
        self.assertTrue(os.path.exists(name + ".json"))

    def test_moment_that_the_repository_does_not_have_is_refused(self):
        self.producer().publish(created(self.name("task")))
        self.backup()
        head = self.ask("info")["position"]
        self.restore("later.db", "--at", str(head + 1000000), status=66)
        self.restore("earlier.db", "--at", "2001-01-01T00:00:00Z", status=66)
        self.restore("nothing.db", "--at", "nonsense", status=64)
        self.restore("nowhere.db", repository=os.path.join(self.folder, "nowhere"), status=66)


class Moments(BackupTest):
    """Restores of any moment, from snapshots and segments."""

    settings = {"backup-lag": "1"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls("test_random_positions_equal_an_export")
        self.setUp()
        peer = self.producer("moments")
        for number in range(60):
            task = "moment-%d" % number
            peer.publish(created(task), changed(task, "running"), output(task, "printed %d" % number),
                         changed(task, "passed"))
            peer.publish_refused(changed(task, "starting"))
            if number in (15, 40):
                self.backup()
        self.head = self.ask("info")["position"]
        harness.wait_until(lambda: cls.segments_last(self) >= self.head, "the segments to reach the head")
        cls.head = self.head
        self.doCleanups()

    def segments_last(self):
        text = self.stele("--json", "backup", "check", status=None)
        return json.loads(text.splitlines()[-1])["segments_last"] if text else 0

    def snapshot_position(self, index):
        return int(os.path.basename(self.files("*.json")[index])[:16])

    def assert_moment(self, position, restored, path):
        self.assertEqual(restored["position"], position)
        self.assertEqual(self.export_of(path), self.export("--at", str(position)))

    def test_random_positions_equal_an_export(self):
        seed = int.from_bytes(os.urandom(4), "little")
        chosen = random.Random(seed)
        snapshot = self.snapshot_position(-1)
        positions = chosen.sample([position for position in range(1, self.head) if position != snapshot], 2) + [snapshot]
        for position in positions:
            with self.subTest(seed=seed, position=position):
                path, restored = self.restore("at-%d.db" % position, "--at", str(position))
                self.assert_moment(position, restored, path)
                self.assertEqual(restored["complete"], position == restored["end"])
                if restored["complete"]:
                    continue
                ledger = sqlite3.connect(path)
                self.assertEqual(ledger.execute("SELECT first, ledger_id FROM losses").fetchall(),
                                 [(position + 1, self.ask("info")["ledger"])])
                self.assertEqual(ledger.execute("SELECT value FROM meta WHERE key = 'ledger_id'").fetchone()[0],
                                 restored["ledger_id"])
                self.assertNotEqual(restored["ledger_id"], self.ask("info")["ledger"])
                ledger.close()

    def test_time_of_a_commit_restores_up_to_it(self):
        ledger = sqlite3.connect("file:%s?mode=ro" % self.broker.ledger, uri=True)
        last, time_us = ledger.execute("SELECT last, time FROM commits WHERE last > 100 ORDER BY first LIMIT 1").fetchone()
        ledger.close()
        path, restored = self.restore("by-time.db", "--at", str(time_us))
        self.assert_moment(last, restored, path)
        path, restored = self.restore("before.db", "--at", str(time_us - 1))
        self.assertLess(restored["position"], last)

    def test_segments_alone_restore_everything(self):
        repository = self.copy_of_repository("segments-only")
        shutil.rmtree(os.path.join(repository, "snapshots"))
        path, restored = self.restore("segments-only.db", repository=repository)
        self.assertEqual((restored["complete"], restored["snapshot"], restored["ledger_id"]),
                         (True, None, self.ask("info")["ledger"]))
        self.assert_moment(restored["position"], restored, path)
        rows = [sqlite3.connect("file:%s?mode=ro" % name, uri=True).execute(
            "SELECT r.id, p.name, r.sequence, r.code, r.message, r.event, p.sequence FROM rejected_events r"
            " JOIN producers p ON p.id = r.producer ORDER BY r.id").fetchall() for name in (path, self.broker.ledger)]
        self.assertEqual(rows[0], rows[1])
        self.assertGreater(len(rows[0]), 50)

    def test_damaged_snapshot_is_replaced_by_an_older_one(self):
        repository = self.copy_of_repository("older")
        newest = sorted(glob.glob(os.path.join(repository, "snapshots", "*.db.zst")))[-1]
        size = os.path.getsize(newest)
        with open(newest, "r+b") as file:
            file.seek(size // 2)
            file.write(bytes(8))
        path, restored = self.restore("older.db", repository=repository)
        self.assertIn(os.path.basename(newest), self.stderr)
        self.assertNotEqual(restored["snapshot"], os.path.basename(newest)[:33])
        self.assert_moment(restored["position"], restored, path)

    def test_damaged_segment_is_named_with_its_positions(self):
        repository = self.copy_of_repository("torn")
        shutil.rmtree(os.path.join(repository, "snapshots"))
        os.mkdir(os.path.join(repository, "snapshots"))
        segment = sorted(glob.glob(os.path.join(repository, "segments", "*.zst")))[0]
        with open(segment, "r+b") as file:
            file.seek(os.path.getsize(segment) // 3)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 4]))
        self.stele("backup", "check", repository, status=1)
        self.assertRegex(self.stderr, "segment .*%s.*positions 1 to" % os.path.basename(segment))
        self.restore("torn.db", repository=repository, status=65)
        self.assertIn(os.path.basename(segment), self.stderr)


class Recipes(BackupTest):
    """The recipes of OPERATIONS.md."""

    use_redis = True

    def setUp(self):
        super().setUp()
        self.broker.stop()
        self.lose_the_disk()
        shutil.rmtree(self.repository)
        self.redis.call("FLUSHALL")
        self.start_broker()

    def lose_the_disk(self):
        for name in glob.glob(os.path.join(self.folder, "ledger.db*")):
            os.unlink(name)

    def test_disk_of_the_ledger_is_lost(self):
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task), changed(task, "running"))
        self.backup()
        head = self.ask("info")["position"]
        self.broker.stop()              # The backup is complete up to here
        copy = self.copy_of_repository("lost")
        self.start_broker(arguments=())
        peer = self.producer(peer.name, instance=peer.instance)
        last = peer.publish(changed(task, "completing"))
        self.redis.wait_position(last)
        self.broker.kill()
        self.lose_the_disk()
        path, restored = self.restore("ledger.db", repository=copy)
        self.assertEqual((path, restored["complete"]), (self.broker.ledger, True))
        self.assertGreaterEqual(restored["position"], head)
        #   Redis has seen more
        with self.assertRaisesRegex(AssertionError, "accept-loss"):
            self.start_broker(arguments=())
        self.start_broker(arguments=("--accept-loss",))
        self._asker = None
        self.assertEqual(len(self.ask("info")["losses"]), 1)
        again = self.clients.dealer(self.broker.events, peer.name)
        again.send({"op": "hello", "protocol": 1, "producer": peer.name, "instance": peer.instance,
                    "acked": 3, "position": last})
        self.assertEqual(again.receive()["code"], "ledger_behind")

    def test_move_to_another_machine(self):
        peer = self.producer()
        task = self.name("task")
        peer.publish(created(task))
        head, ledger_id = self.ask("info")["position"], self.ask("info")["ledger"]
        self.broker.stop()
        moved = self.copy_of_repository("moved")
        path, restored = self.restore("moved.db", repository=moved)
        self.assertEqual((restored["position"], restored["ledger_id"]), (head, ledger_id))
        self.start_broker(ledger=path, arguments=("--backup", moved))
        self._asker = None
        again = self.producer(peer.name, instance=peer.instance)
        self.assertEqual(again.welcome["sequence"], 1)
        again.publish(changed(task, "running"))
        self.stele("backup")
        self.stele("backup", "check", "--full", moved)


class Without(harness.BrokerTest):
    use_redis = False

    def test_backup_without_a_folder_is_refused(self):
        self.stele("backup", status=75)
        self.assertIn("set 'backup'", self.stderr)
        self.assertEqual(self.ask("stats")["backup"], {})


class Failing(harness.BrokerTest):
    """A repository that cannot be written is reported, and delays no ack."""

    use_redis = False

    @classmethod
    def start_broker(cls, **more):
        cls.repository = os.path.join(cls.folder, "repository")
        return super().start_broker(**dict({"arguments": ("--backup", cls.repository)}, **more))

    def test_failure_is_a_finding_until_a_backup_succeeds(self):
        peer = self.producer()
        peer.publish(created(self.name("task")))
        self.stele("backup")
        snapshots = os.path.join(self.repository, "snapshots")
        os.rename(snapshots, snapshots + ".aside")
        with open(snapshots, "w"):
            pass
        self.stele("backup", status=74)
        self.broker.wait_line("backup failed")
        peer.publish(changed(self.name("task"), "running"))
        harness.wait_until(lambda: b"backup_failing" in self.stele("--json", "health", status=None), "the finding")
        self.assertEqual(self.status, 1)
        os.unlink(snapshots)
        os.rename(snapshots + ".aside", snapshots)
        self.stele("backup")
        harness.wait_until(lambda: b"backup_failing" not in self.stele("--json", "health", status=None), "the end of the finding")

    def test_repository_of_another_ledger_is_refused(self):
        self.producer().publish(created(self.name("task")))
        self.stele("backup")
        other = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, other, ignore_errors=True)
        shutil.copytree(self.repository, os.path.join(other, "repository"))
        try:
            broker = harness.Steled(other, arguments=("--backup", os.path.join(other, "repository")))
        except AssertionError as error:
            self.assertIn("another", str(error))
            return
        self.addCleanup(broker.stop)
        done = subprocess.run([harness.program("stele"), "backup"], env=broker.environment(),
                              stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 74)
        self.assertIn(b"another", done.stderr)


if __name__ == "__main__":
    harness.main()
