# Erased tasks in restores: erased again, once, and the restored history still proves itself
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import random
import shutil

import harness
from client import changed, created, output
from test_backup_segments import rows
from test_erase import ERASED, EraseTest, end, life, needle
from test_proof import stele

ERASED_AS = "SELECT id, position, time, events, reason FROM erased_tasks"
TABLES = ("task_history", "task_outputs", "task_metrics", "cli_session_history", "cli_session_commands")
MARKS = "SELECT position, extra FROM %s WHERE extra IS NOT NULL ORDER BY position"
#   It looks like a secret, in the id of a task
TOKEN = "ghp_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2"


class RestoreTest(EraseTest, harness.BrokerTest):
    """A sealed ledger with a repository; settings change from start to start."""

    use_redis = False

    @classmethod
    def start_broker(cls, backup=True, **settings):
        cls.repository = os.path.join(cls.folder, "repository")
        cls.secret, cls.key = (os.path.join(cls.folder, "a.seal_" + end) for end in ("secret", "key"))
        if not os.path.exists(cls.secret):
            stele("key", "new", "ledger.example", "--sign", "--out", cls.secret)
        settings = dict({"seal": cls.secret, "seal-lag": 1}, **settings)
        if backup:
            settings.update({"backup": cls.repository, "backup-lag": 1})
        return super().start_broker(settings=settings)

    def start_again(self, **settings):
        self.broker.stop()
        self._asker = None
        self.start_broker(**settings)

    def caught_up(self, *names):
        """Wait until these followers have all events."""
        head = self.ask("ping")["position"]
        for name in names:
            harness.wait_until(lambda: self.ask("stats")[name]["position"] >= head, name)
        return head

    def snapshots(self):
        folder = os.path.join(self.repository, "snapshots")
        return {os.path.join(folder, name) for name in os.listdir(folder)}

    def restore(self, *arguments):
        """Restore to a file of its own, with the broker stopped; returns its path."""
        self.broker.stop()
        path = os.path.join(self.folder, self.name("restored") + "%d.db" % len(os.listdir(self.folder)))
        self.said = stele("restore", self.repository, path, *arguments)[1]
        return path

    def marks(self, path):
        return [rows(path, MARKS % table) for table in TABLES]


class ErasedBefore(RestoreTest):
    """The backup has the events as erased ones, and a snapshot from before them, whose dictionary compresses short texts."""

    def fill(self):
        """Texts for a dictionary, and a snapshot that has it."""
        peer, rng = self.producer(), random.Random(1)
        words = ["word%d" % number for number in range(300)]
        for first in range(0, 2000, 50):
            peer.publish(*(created("filler-%d" % number, title="Fill the %s of %s" % (rng.choice(words), rng.choice(words)),
                                   description=" ".join(rng.choices(words, k=30)),
                                   metadata={"a": rng.choice(words), "hash": "%064x" % rng.getrandbits(256)})
                           for number in range(first, first + 50)))
        harness.wait_until(lambda: rows(self.broker.ledger, "SELECT count(*) FROM dictionaries") != [(0,)], "a dictionary")
        self.caught_up("segments")
        self.stele("backup")

    def assert_recorded(self, path, head, events):
        """One event after the restored ones records that so many of them are erased: nothing was removed without a request."""
        checked = self.verify(path)
        self.assertEqual((checked["good"], checked["erased"], checked["position"]), (True, events, head + 1), checked)

    def test_events_that_were_erased_before_are_not_hashed_again(self):
        task, session = self.name("task"), self.name("session")
        self.fill()
        early = self.snapshots()
        #   Nothing is written to the repository between the events and their erasure
        self.start_again(backup=False)
        self.producer("second").publish(*life(task, session), end(task))
        head = self.caught_up("seal")
        note = os.path.join(self.folder, "before.note")
        shutil.copy(self.broker.ledger + ".checkpoint", note)
        self.assertEqual(self.erase(task)["events"], 11)
        self.start_again()
        self.caught_up("segments", "seal")
        self.broker.stop()
        #   The broker takes a snapshot when it wants to
        for path in self.snapshots() - early:
            os.unlink(path)
        before = self.marks(self.broker.ledger)
        self.assertEqual(sum(map(len, before)), 11)
        checked = self.verify(self.broker.ledger, "--key", self.key, "--since", note)
        self.assertEqual((checked["good"], checked["erased"]), (True, 11))

        path = self.restore()
        #   As text: a compressed mark is not recognised
        self.assertEqual(self.marks(path), before)
        self.assertEqual(rows(path, ERASED_AS), rows(self.broker.ledger, ERASED_AS))
        checked = self.verify(path, "--key", self.key, "--since", note)
        self.assertEqual((checked["good"], checked["erased"]), (True, 11))

        #   Restored without the request, and asked again
        path = self.restore("--at", str(head))
        self.assertEqual((self.marks(path), rows(path, ERASED_AS)), (before, []))
        self.assertIn("11 events of it were erased after that moment", self.said)
        self.assert_recorded(path, head, 11)
        #   In the middle of the task's life
        self.assert_recorded(self.restore("--at", str(head - 4)), head - 4, 7)
        broker = harness.Steled(self.folder, ledger=os.path.basename(path), arguments=("--interrupted", "none"))
        self.addCleanup(broker.stop)
        asker = self.clients.asker(broker.requests)
        (event,) = asker.ask({"op": "audit.list", "operation": "task.erase"})["events"]
        self.assertEqual((event["id"], event["who"], event["outcome"], event["details"]["events"]), (head + 1, "local", "ok", 11))
        self.assertNotIn("target", event)
        answer = asker.ask({"op": "task.erase", "task_id": task, "reason": "again"})
        self.assertTrue(answer["ok"], answer)
        broker.stop()
        self.assertEqual(self.marks(path), before)
        self.assertTrue(self.verify(path)["good"])


class ErasedAgain(RestoreTest):
    """The backup has the contents: its segments are replayed."""

    @classmethod
    def start_broker(cls, redact="off", **more):
        return super().start_broker(redact=redact, **more)

    def restore(self):
        self.caught_up("segments", "seal")
        self.broker.stop()
        for path in self.snapshots():
            os.unlink(path)
        return super().restore()

    def test_task_whose_id_is_masked_and_one_that_was_erased_twice(self):
        masked, twice = "deploy-" + TOKEN, self.name("twice")
        self.producer().publish(created(masked, title=needle("title")), output(masked, needle("output")), changed(masked, "passed"),
                                created(twice, title=needle("title")), changed(twice, "passed"))
        self.caught_up("segments")
        self.start_again(redact="mask")
        answers = [self.erase(masked), self.erase(twice)]
        self.producer("second").publish(changed(twice, "queued"), output(twice, needle("late")), changed(twice, "cancelled"))
        self.caught_up("segments")
        answers.append(self.erase(twice))
        self.assertEqual([answer["events"] for answer in answers], [3, 2, 5])
        #   The audit events do not have the id, but the position of the first event of each task
        audited = self.ask("audit.list", operation="task.erase")["events"]
        self.assertNotIn(TOKEN, str(audited))
        path = self.restore()
        self.assertEqual(rows(path, "SELECT id, task_id, title FROM tasks ORDER BY id"), [(1, masked, ERASED), (4, twice, ERASED)])
        self.assertEqual(rows(path, ERASED_AS), rows(self.broker.ledger, ERASED_AS))
        self.assertEqual(self.marks(path), self.marks(self.broker.ledger))
        self.assertEqual([event["details"]["first_position"] for event in audited], [4, 4, 1])
        stele("compact", path)
        self.assertEqual(self.found(path), [])
        checked = self.verify(path, "--key", self.key, "--since", self.broker.ledger + ".checkpoint")
        self.assertEqual((checked["good"], checked["erased"]), (True, 8))


if __name__ == "__main__":
    harness.main()
