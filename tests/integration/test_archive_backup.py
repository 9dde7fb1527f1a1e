# Backups of a ledger that has archives: the archives are in them, verified, kept and restored
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import hashlib
import json
import os
import shutil
import subprocess
import unittest

import harness
from archived import ArchiveTest
from client import changed

#   What POSIX allows: a call that succeeds changes errno
ERRNO = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
int close (int handle)
{
    int (*next) (int) = (int (*) (int)) dlsym (RTLD_NEXT, "close");
    int rc = next (handle);
    errno = rc? errno: ENOSPC;
    return rc;
}
"""


class Backups(ArchiveTest):
    """One repository whose newest event is about an archived task, after the snapshot; tests change copies of it."""

    tasks = 30

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.repository = os.path.join(cls.folder, "repository")
        cls.clients = cls.producers()
        cls.addClassCleanup(cls.clients.close)
        cls.restart("--archive-after", "90d", "--backup", cls.repository, "--backup-lag", "1")
        asker = cls.clients.asker(cls.broker.requests)
        sessions = {event["session_id"] for event in cls.events if event.get("session_id") and event.get("task_id") in cls.archivable}
        assert sessions
        all_moved = (len(cls.archivable), len(sessions))
        stats = lambda: asker.ask({"op": "stats"})["ledger"]
        harness.wait_until(lambda: (stats().get("archived_tasks"), stats().get("archived_sessions")) == all_moved,
                           "all to be archived")
        cls.snapshot = cls.backup()
        #   The segments after the snapshot need the archive of this task
        cls.back = next(life.id for life in cls.lives if life.ends)
        head = cls.clients.producer(cls.broker.events, "later").publish(changed(cls.back, "queued"))
        harness.wait_until(lambda: asker.ask({"op": "stats"})["segments"]["position"] >= head, "the segments")
        cls.all = cls.all_events(asker)
        cls.broker.stop()
        cls.by_hand = {name[-len(".archive-2024"):]: shutil.copy(name, os.path.join(cls.folder, "by-hand" + name[-4:]))
                       for name in glob.glob(cls.broker.ledger + ".archive-202?")}

    @classmethod
    def all_events(cls, asker):
        return asker.ask({"op": "events.read", "after": 0, "limit": 1000})["events"]

    @classmethod
    def backup(cls):
        """Take a snapshot; returns its JSON object."""
        done = subprocess.run([harness.program("stele"), "--json", "backup"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=cls.broker.environment(), timeout=harness.PATIENCE * 2)
        assert done.returncode == 0, done.stderr
        return cls.object_of(cls.repository, json.loads(done.stdout)["snapshot"])

    @staticmethod
    def object_of(repository, name):
        with open(os.path.join(repository, "snapshots", name + ".json")) as file:
            return dict(json.load(file), name=name)

    def copy(self):
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return shutil.copytree(self.repository, os.path.join(folder, "repository"))

    def change(self, repository, name=None, **keys):
        """Change the JSON object of a snapshot; None removes a key."""
        path = os.path.join(repository, "snapshots", (name or self.snapshot["name"]) + ".json")
        with open(path) as file:
            value = dict(json.load(file), **keys)
        with open(path, "w") as file:
            json.dump({key: item for key, item in value.items() if item is not None}, file)

    def run_stele(self, *arguments, status=0, env=None):
        done = subprocess.run([harness.program("stele"), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=env, timeout=harness.PATIENCE * 2)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr

    def target(self, name="restored.db"):
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return os.path.join(folder, name)

    def assert_restored(self, path, count=None):
        """A broker of the restored ledger answers with the same events."""
        broker = harness.Steled(os.path.dirname(path), ledger=os.path.basename(path), arguments=("--interrupted", "none"))
        try:
            events = self.all_events(self.clients.asker(broker.requests))
        finally:
            broker.stop()
        self.assertEqual(events, self.all[:count])
        self.run_stele("verify", path)

    @staticmethod
    def archives_of(path):
        return [name[-4:] for name in sorted(glob.glob(glob.escape(path) + ".archive-[0-9][0-9][0-9][0-9]"))]

    #   -- snapshots ---------------------------------------------------------------------

    def test_snapshot_names_its_archives(self):
        named = self.snapshot["archives"]
        self.assertEqual([archive["year"] for archive in named], [2024, 2025])
        self.assertEqual(sum(archive["tasks"] for archive in named), len(self.archivable))
        self.assertEqual(sorted(os.listdir(os.path.join(self.repository, "archives"))), [archive["file"] for archive in named])
        for archive in named:
            with open(os.path.join(self.repository, "archives", archive["file"]), "rb") as file:
                content = file.read()
            self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (archive["file_bytes"], archive["sha256"]))
            self.assertLessEqual(archive["position"], self.snapshot["position"])
        self.run_stele("backup", "check", self.repository)
        self.run_stele("backup", "check", "--full", self.repository)

    def test_archive_is_copied_again_only_if_it_changed(self):
        repository, aside = self.repository, self.copy()
        try:
            self.restart("--archive-after", "90d", "--backup", repository)
            #   A copy of what was written within the last second is not used again
            files = [None]

            def same():
                files.append([archive["file"] for archive in self.backup()["archives"]])
                return files[-1] == files[-2]
            harness.wait_until(same, "the copies to be used again")
            #   One task comes back, ends, and moves again
            year = next(archive for archive in self.archives() if archive.endswith("2024"))
            before = os.stat(year).st_mtime_ns
            peer, life = self.producer(), next(life for life in self.lives if life.id == self.back)
            peer.publish(changed(self.back, "running", time=life.time + 1), changed(self.back, "passed", time=life.time + 2))
            self._asker = None
            self.restart("--archive-after", "90d", "--backup", repository)
            harness.wait_until(lambda: self.archived() == len(self.archivable), "the task to move again")
            self.broker.stop()
            self.assertNotEqual(os.stat(year).st_mtime_ns, before)
            self.restart("--backup", repository)
            again = [archive["file"] for archive in self.backup()["archives"]]
            self.assertNotEqual(again[0], files[-1][0])
            self.assertEqual(again[1], files[-1][1])
            #   The snapshots before it were of the same day: their copies went with them
            self.assertEqual(sorted(os.listdir(os.path.join(repository, "archives"))), again)
            self.run_stele("backup", "check", "--full", repository)
            #   A copy that was damaged since is not used again
            damage(os.path.join(repository, "archives", again[1]))
            self.assertNotEqual([archive["file"] for archive in self.backup()["archives"]][1], again[1])
            self.run_stele("backup", "check", repository)
        finally:
            self.broker.stop()
            shutil.rmtree(repository)
            shutil.copytree(aside, repository)

    def test_removed_snapshot_leaves_the_copies_that_others_name(self):
        repository, files = self.copy(), [archive["file"] for archive in self.snapshot["archives"]]
        folder = os.path.join(repository, "snapshots")
        early, own = "0000000000000001-20260102T030000Z", "2024-20260102T030000Z-00000000.db.zst"
        for end in (".json", ".db.zst"):
            shutil.copy(os.path.join(folder, self.snapshot["name"] + end), os.path.join(folder, early + end))
        shutil.copy(os.path.join(repository, "archives", files[0]), os.path.join(repository, "archives", own))
        self.change(repository, early, position=1, time="2026-01-02T03:00:00Z",
                    archives=[dict(self.snapshot["archives"][0], file=own), self.snapshot["archives"][1]])
        self.run_stele("backup", "check", "--max-age", "1000000", repository)
        prune = ("backup", "prune", "--daily", "1", "--weekly", "1", "--monthly", "1", repository)
        self.run_stele(*prune, "--dry-run")
        self.assertEqual(sorted(os.listdir(os.path.join(repository, "archives"))), sorted(files + [own]))
        self.assertEqual(self.run_stele(*prune)[0].split(), [early])
        self.assertEqual(sorted(os.listdir(os.path.join(repository, "archives"))), files)
        self.run_stele("backup", "check", repository)

    def test_copy_that_is_missing_or_damaged_is_named(self):
        file = self.snapshot["archives"][1]["file"]
        for what, change in (("missing", os.unlink), ("100 bytes", lambda path: os.truncate(path, 100)), ("damaged", damage)):
            with self.subTest(what=what):
                repository = self.copy()
                change(os.path.join(repository, "archives", file))
                error = self.run_stele("backup", "check", repository, status=1)[1]
                self.assertIn(file, error)
                self.assertIn(what, error)
                #   The segments alone have all events
                path = self.target()
                self.run_stele("restore", repository, path)
                self.assertEqual(self.archives_of(path), [])
                self.assert_restored(path)
                shutil.rmtree(os.path.join(repository, "segments"))
                path = self.target()
                self.run_stele("restore", repository, path, status=65 if what == "damaged" else 66)
                self.assertEqual(os.listdir(os.path.dirname(path)), [])

    #   -- restores ------------------------------------------------------------------------

    def test_restore_puts_archives_next_to_the_ledger(self):
        for name in ("restored.db", "a [b]* ?.db"):
            with self.subTest(name=name):
                path = self.target(name)
                out = self.run_stele("restore", self.repository, path)[0]
                self.assertIn("2 archives", out)
                self.assertEqual(self.archives_of(path), ["2024", "2025"])
                self.assertEqual([name for name in os.listdir(os.path.dirname(path)) if ".restoring" in name], [])
                self.assertEqual({os.stat(path + ".archive-2024").st_mode & 0o777}, {0o600})
                self.assert_restored(path)

    def test_restore_of_an_earlier_moment_has_its_archives(self):
        path = self.target()
        self.run_stele("restore", self.repository, path, "--at", str(self.snapshot["position"]))
        self.assertEqual(self.archives_of(path), ["2024", "2025"])
        self.assert_restored(path, self.snapshot["position"])

    def test_restore_never_replaces_an_archive(self):
        path = self.target()
        with open(path + ".archive-2025", "w") as file:
            file.write("mine")
        error = self.run_stele("restore", self.repository, path, status=73)[1]
        self.assertIn(path + ".archive-2025", error)
        self.assertEqual(os.listdir(os.path.dirname(path)), [os.path.basename(path) + ".archive-2025"])
        with open(path + ".archive-2025") as file:
            self.assertEqual(file.read(), "mine")
        #   The same file may be there: a restore that was interrupted left it
        other = self.target()
        self.run_stele("restore", self.repository, other)
        shutil.copy(other + ".archive-2025", path + ".archive-2025")
        self.run_stele("restore", self.repository, path)
        self.assert_restored(path)

    @unittest.skipIf(harness.sanitized(), "a sanitizer has to come before any preloaded library")
    def test_archive_that_is_there_is_compared_whatever_errno_says_after_it(self):
        other, path = self.target(), self.target()
        source, library = (os.path.join(os.path.dirname(other), "errno." + end) for end in ("c", "so"))
        with open(source, "w") as file:
            file.write(ERRNO)
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.run_stele("restore", self.repository, other)
        shutil.copy(other + ".archive-2025", path + ".archive-2025")
        self.run_stele("restore", self.repository, path, env=dict(os.environ, LD_PRELOAD=library))
        self.assert_restored(path)

    def test_snapshot_of_an_earlier_version_needs_archives_that_were_copied_by_hand(self):
        repository, path = self.copy(), self.target()
        self.change(repository, archives=None)
        self.assertIn("no copy", self.run_stele("backup", "check", "--full", repository, status=1)[1])
        #   The segments need the archive of the task that came back
        self.assertIn(path + ".archive-2024", self.run_stele("restore", repository, path, status=65)[1])
        self.assertFalse(os.path.exists(path))
        for end, archive in self.by_hand.items():
            shutil.copy(archive, path + end)
        self.assertEqual(self.run_stele("restore", repository, path)[1], "")
        self.assert_restored(path)
        #   Nothing after the snapshot needs one, but a broker will
        early = self.target()
        self.assertIn(early + ".archive-2024", self.run_stele("restore", repository, early, "--at",
                                                               str(self.snapshot["position"]))[1])


def damage(path):
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


if __name__ == "__main__":
    harness.main()
