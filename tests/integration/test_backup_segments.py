# Segments of a repository of backups: what they hold, replay into a new ledger, damage, outages
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import random
import shutil
import sqlite3
import subprocess

import harness
from client import Clients, changed, created, metric, output
from load import Load
from test_export import generated

#   What a replayed ledger must have as well, row by row. Numbers of words and of producers may differ.
SAME_ROWS = [
    "SELECT first, last, time FROM commits",
    "SELECT name, sequence, instance, lease_ms, status, first_seen_at, last_seen_at FROM producers ORDER BY name",
    "SELECT p.name, f.instance, f.fenced_at FROM producer_fences f JOIN producers p ON p.id = f.producer ORDER BY 1, 2",
    "SELECT r.id, p.name, r.sequence, code, field, message, time, retried_at, position, event"
    " FROM rejected_events r LEFT JOIN producers p ON p.id = r.producer",
    "SELECT id, time, ledger_id, first, last, rejected, evidence FROM losses",
    "SELECT name, position, updated_at FROM followers",
    "SELECT key, value FROM meta ORDER BY key",
    "SELECT h.position, task_back, previous_back, kind, state_from, state_to, elapsed, p.name, h.owner IS NULL"
    " FROM task_history h LEFT JOIN producers p ON p.id = h.owner",
    "SELECT s.task, state, flags, p.name, created_at, updated_after, started_after, completed_after, error_count,"
    " interruptions, retries, last_error, last_history, last_output, last_metric"
    " FROM task_states s LEFT JOIN producers p ON p.id = s.owner",
    "SELECT session_id, state, task_id, command_count, position FROM cli_sessions",
    "SELECT user_id, preferred_provider, preferred_model, role_preferences, position FROM user_preferences ORDER BY 1",
    #   The upper bounds are written ahead of events, and stay too high after a kill
    "SELECT zone, min_time, min_created, min_task FROM zones",
]


def tool(*arguments):
    done = subprocess.run([os.path.join(harness.BUILD, "tests", "integration", "repository_tool"), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rows(path, sql):
    file = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    try:
        return file.execute(sql).fetchall()
    finally:
        file.close()


def answers(path):
    """The events and the tasks of a ledger, as a broker of its own returns them."""
    folder = harness.temporary_folder()
    clients = Clients()
    try:
        for end in ("", "-wal"):
            if os.path.exists(path + end):
                shutil.copy(path + end, os.path.join(folder, "ledger.db" + end))
        broker = harness.Steled(folder, arguments=["--interrupted", "none"])
        try:
            asker = clients.asker(broker.requests)
            events = []
            while True:
                page = asker.ask({"op": "events.read", "after": len(events), "limit": 1000})["events"]
                if not page:
                    break
                events += page
            tasks = asker.ask({"op": "task.list", "limit": 1000})["tasks"]
            asker.close()
        finally:
            broker.stop()
        return repr(events), repr(tasks)        # NaN is not equal to itself
    finally:
        clients.close()
        shutil.rmtree(folder)


class Segments(harness.BrokerTest):
    use_redis = False

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        #   Each test has a folder and a broker of its own
        harness.BrokerTest.setUpClass.__func__(type(self))
        self.addCleanup(type(self).doClassCleanups)
        super().setUp()
        self.repository = os.path.join(self.folder, "repository")
        self.segments = os.path.join(self.repository, "segments")

    @classmethod
    def start_broker(cls, **more):
        """With backups, unless it is given other settings."""
        more.setdefault("settings", {"backup": os.path.join(cls.folder, "repository"), "backup-lag": 1, "lease-grace": 100})
        return super().start_broker(**more)

    def backed_up(self):
        """Start the broker again, with backups."""
        if self.broker.running():
            self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.start_broker(settings={"backup": self.repository, "backup-lag": 1, "lease-grace": 100})

    def stop(self):
        self.assertEqual(self.broker.stop(), 0, self.broker.log())

    def part(self):
        """Its part of stats; a part that is busy for too long is left out of an answer."""
        return harness.wait_until(lambda: self.ask("stats").get("segments"), "the part of the segments")

    def files(self):
        return sorted(os.listdir(self.segments))

    def lines(self):
        text = b"".join(subprocess.run(["zstdcat", os.path.join(self.segments, name)], stdout=subprocess.PIPE, check=True,
                                       timeout=harness.PATIENCE).stdout for name in self.files())
        return [json.loads(line) for line in text.decode().splitlines()]

    def replay(self, *upto, name="replayed.db"):
        """Replay into a new ledger; returns its path and head."""
        path = os.path.join(self.folder, name)
        for end in ("", "-wal", "-shm", ".high-water", ".lock"):
            if os.path.exists(path + end):
                os.unlink(path + end)
        status, out, error = tool("replay", self.repository, path, *map(str, upto))
        self.assertEqual(status, 0, error)
        return path, int(out)

    def check(self):
        status, out, error = tool("check", self.repository)
        self.assertEqual(status, 0, error)
        lines = out.splitlines()
        return [line.split(" ", 3) for line in lines[:-1]], int(lines[-1])

    def fill(self):
        """Everything that events do not say: fences, refused and retried events, gone and silent producers, ..."""
        events = generated(20, tasks=12)
        first = self.producer("first", instance="one")
        first.send_events(events[:150])         # Some are refused: transitions that are illegal
        first.settle()
        self.clients.producer(self.broker.events, "first", instance="two").publish(created("of two"))
        self.clients.producer(self.broker.events, "first", instance="three").publish(changed("of two", "running"))
        gone = self.producer("gone-1", anonymous=True)
        gone.publish(created("of gone"))
        gone.send({"op": "goodbye", "keep": True})
        restoring = self.producer("restoring", restore=True)
        restoring.publish(created("restored", state="running"), changed("of two", "running"),
                          changed("restored", "failed", interrupted=True, error_message="then"))
        silent = self.producer("silent", lease_ms=150)
        silent.publish(created("of silent"), changed("of silent", "running"))
        harness.wait_until(lambda: self.ask("task.get", task_id="of silent")["task"]["state"] == "failed",
                           "the lease to expire")
        refused = self.producer("refused")
        refused.publish(created("retried", state="passed"))
        refused.publish_refused(changed("retried", "running"))
        refused.publish_refused({"type": "nonsense", "bytes": b"\x00\xff"})
        refused.publish(changed("retried", "queued"))
        number = self.ask("rejected.list", producer="refused", limit=10)["rejected"][0]["id"]
        self.ask("rejected.retry", id=number)
        second = self.producer("second")
        second.send_events(events[150:])
        second.settle()
        second.publish(output("of two", "text " * 5000), metric("of two", "m", 0.1))

    def assert_same_rows(self, path):
        for sql in SAME_ROWS:
            self.assertEqual(rows(path, sql), rows(self.broker.ledger, sql), sql)

    #   What they hold

    def test_lines_are_the_events_and_what_events_do_not_say(self):
        self.fill()
        head = self.ask("info")["position"]
        self.stop()
        lines = self.lines()
        events = [line for line in lines if "type" in line]
        self.assertEqual([event["position"] for event in events], list(range(1, head + 1)))
        kinds = {key for line in lines for key in line if len(line) == 1}
        self.assertLessEqual({"$commit", "$owner", "$producer", "$fence", "$rejected", "$retried", "$meta"}, kinds)
        for event in events:
            self.assertEqual(list(event), sorted(event))
        self.assertEqual(self.check(), ([], head))

    def test_replay_gives_the_same_ledger(self):
        self.fill()
        self.stop()
        path, head = self.replay()
        self.assertEqual(head, rows(self.broker.ledger, "SELECT max (last) FROM commits")[0][0])
        self.assert_same_rows(path)
        self.assertEqual(answers(path), answers(self.broker.ledger))

    def test_replay_after_restarts_and_kills_gives_the_same_ledger(self):
        self.fill()
        self.broker.kill()
        self.backed_up()
        self.producer("third").publish(*[created("t%d" % n) for n in range(1500)])
        self.backed_up()
        self.producer("third").publish(*[changed("t%d" % n, "running") for n in range(1500)])
        self.stop()
        self.assertEqual(self.check()[0], [])
        self.assert_same_rows(self.replay()[0])

    def test_replay_up_to_a_position_gives_the_ledger_of_then(self):
        self.fill()
        head = self.ask("info")["position"]
        at = random.Random(20).sample(range(1, head), 6)
        expected = {upto: repr(self.read_events()[:upto]) for upto in at[:1]}
        owners = {upto: {task: self.ask("task.get", task_id=task, at=upto)["task"] for task in ("of two", "restored")
                         if self.asker().ask({"op": "task.get", "task_id": task, "at": upto})["ok"]} for upto in at[:1]}
        self.stop()
        commits = rows(self.broker.ledger, SAME_ROWS[0])
        for upto in at:
            path, reached = self.replay(upto)
            self.assertEqual(reached, upto)
            self.assertEqual(rows(path, SAME_ROWS[0]),
                             [(first, min(last, upto), time) for first, last, time in commits if first <= upto])
            for sql in SAME_ROWS[7:8]:
                self.assertEqual(rows(path, sql), [row for row in rows(self.broker.ledger, sql) if row[0] <= upto])
            if upto in expected:
                self.assertEqual(answers(path)[0], expected[upto])
        self.assertTrue(all(task["position"] <= upto for upto in owners for task in owners[upto].values()))

    def test_producers_continue_on_a_replayed_ledger(self):
        producer = self.producer("p", instance="run")
        producer.publish(created("t"), changed("t", "running"))
        self.clients.producer(self.broker.events, "fenced", instance="old")
        self.clients.producer(self.broker.events, "fenced", instance="new")
        self.stop()
        path, _ = self.replay()
        self.start_broker(settings={}, arguments=["--ledger", path])
        again = self.clients.dealer(self.broker.events, "p")
        again.instance = "run"
        again.hello(acked=2)                    # Not ledger_behind
        again.send_events([changed("t", "running")], sequence=2)
        again.settle()
        again.publish(changed("t", "passed"))
        self.assertEqual([event["type"] for event in self.read_events()],
                         ["task.created", "task.state_changed", "task.state_changed"])
        old = self.clients.dealer(self.broker.events, "fenced")
        old.send({"op": "hello", "protocol": 1, "producer": "fenced", "instance": "old"})
        self.assertEqual(old.expect("error")["code"], "fenced")

    def test_position_at_a_time(self):
        self.producer().publish(created("t1"))
        self.producer("other").publish(created("t2"))
        self.stop()
        commits = rows(self.broker.ledger, "SELECT last, time FROM commits")
        for last, time in commits:
            self.assertEqual(tool("at", self.repository, str(time))[1], "%d\n" % last)
        self.assertEqual(tool("at", self.repository, str(commits[0][1] - 1))[1], "0\n")

    #   While the broker runs

    def test_events_are_there_within_the_lag(self):
        position = self.producer().publish(created("t"))
        harness.wait_until(lambda: self.part()["position"] >= position, "the segment")
        self.assertIn("t", [line.get("task_id") for line in self.lines()])
        part = self.part()
        self.assertEqual((part["state"], part["lag_events"], part["path"]), ("live", 0, self.repository))

    def test_full_segments_are_immutable_and_chained(self):
        self.producer().publish(created("t"))
        first = os.path.join(self.segments, "0000000000000001.open.jsonl.zst")
        harness.wait_until(lambda: os.path.exists(first), "the open end")
        shutil.copy(first, self.folder)
        load = Load(self.broker.events, "load", window=20000, batch=500)
        self.addCleanup(load.stop)
        load.wait_acked(66000)
        load.finish()
        harness.wait_until(lambda: "0000000000065537.open.jsonl.zst" in self.files(), "the second segment")
        self.assertEqual(self.files(), ["0000000000000001.jsonl.zst", "0000000000065537.open.jsonl.zst"])
        whole = os.path.join(self.segments, "0000000000000001.jsonl.zst")
        before = os.stat(whole)
        self.producer("more").publish(created("more"))
        head = self.ask("info")["position"]
        self.stop()
        self.assertEqual(os.stat(whole).st_mtime_ns, before.st_mtime_ns)
        self.assertEqual(self.check(), ([], head))
        #   As after a crash between the two: the complete one counts
        shutil.copy(os.path.join(self.folder, os.path.basename(first)), first)
        self.assertEqual(self.check(), ([], head))
        os.unlink(first)
        path, reached = self.replay()
        self.assertEqual(reached, head)
        self.assertEqual(rows(path, SAME_ROWS[0]), rows(self.broker.ledger, SAME_ROWS[0]))
        self.damage(whole)

    def damage(self, whole):
        """Flip, cut off and remove the first of two segments: each is named with its positions."""
        with open(whole, "rb") as file:
            good = file.read()
        #   A byte of the third frame: its positions, no others
        with open(whole, "wb") as file:
            offset = json.loads(good[good.rindex(b'{"committed"'):-44])["frames"][2][0]
            file.write(good[:offset + 20] + bytes([good[offset + 20] ^ 1]) + good[offset + 21:])
        faults, last = self.check()
        self.assertEqual([fault[:3] for fault in faults], [["0000000000000001.jsonl.zst", "2049", "3072"]])
        self.assertEqual(last, 2048)
        status, _, error = tool("replay", self.repository, os.path.join(self.folder, "damaged.db"))
        self.assertEqual(status, 1)
        self.assertIn("positions 2049 to 3072", error)
        with open(whole, "wb") as file:
            file.write(good[:-100])
        faults, last = self.check()
        self.assertEqual([fault[:3] for fault in faults], [["0000000000000001.jsonl.zst", "1", "65536"]])
        self.assertEqual(last, 0)
        os.unlink(whole)
        status, _, error = tool("replay", self.repository, os.path.join(self.folder, "missing.db"))
        self.assertEqual(status, 1)
        self.assertIn("positions 1 to 65536 are missing", error)

    def test_any_flipped_byte_is_found(self):
        self.producer().publish(*[created("t%d" % n) for n in range(40)])
        self.stop()
        path = os.path.join(self.segments, self.files()[0])
        with open(path, "rb") as file:
            good = file.read()
        dice = random.Random(20)
        for at in dice.sample(range(len(good)), 60):
            with open(path, "wb") as file:
                file.write(good[:at] + bytes([good[at] ^ 1 << dice.randrange(8)]) + good[at + 1:])
            self.assertNotEqual(self.check()[0], [], "byte %d" % at)

    #   Outages

    def test_repository_that_cannot_be_written_holds_no_ack_back(self):
        self.producer().publish(created("before"))
        harness.wait_until(lambda: self.part()["position"] >= 1, "the first segment")
        os.rename(self.segments, self.segments + ".away")
        with open(self.segments, "w"):          # A file: nothing can be created in it
            pass
        position = self.producer("other").publish(created("during"))
        harness.wait_until(lambda: self.part()["state"] == "failing", "the failure")
        self.broker.wait_line("events are not backed up, retrying")
        part = self.part()
        self.assertIn(self.segments, part["error"])
        self.assertEqual(part["position"], 1)
        self.assertIn("segments_failing", self.stele("--json", "health", status=None).decode())
        self.producer("third").publish(created("still acked"))
        os.unlink(self.segments)
        os.rename(self.segments + ".away", self.segments)
        harness.wait_until(lambda: self.part()["position"] > position, "the backup to continue")
        self.broker.wait_line("events are backed up again")

    def test_damaged_open_end_is_written_again(self):
        self.producer().publish(*[created("t%d" % n) for n in range(20)])
        self.stop()
        name = self.files()[0]
        path = os.path.join(self.segments, name)
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) - 10)
        self.assertEqual([fault[0] for fault in self.check()[0]], [name])
        self.backed_up()
        self.broker.wait_line("%s is damaged; it is written again" % name)
        self.producer("other").publish(created("after"))
        self.stop()
        self.assertEqual(self.check(), ([], 21))
        self.assert_same_rows(self.replay()[0])

    def test_repository_of_another_ledger_is_left_alone(self):
        self.producer().publish(created("t"))
        self.stop()
        before = self.lines()
        os.rename(self.broker.ledger, self.broker.ledger + ".away")
        os.unlink(self.broker.ledger + ".high-water")
        self.start_broker(settings={"backup": self.repository})
        self.broker.wait_line("holds the backups of ledger")
        self.producer("other").publish(created("acked"))
        self.stop()
        self.assertEqual(self.lines(), before)

    def test_ledger_that_is_shorter_than_its_backup_is_reported(self):
        self.producer().publish(created("t"))
        self.stop()
        copy = self.broker.ledger + ".copy"
        shutil.copy(self.broker.ledger, copy)
        self.backed_up()
        self.producer("other").publish(created("t2"))
        self.stop()
        before = self.lines()
        os.replace(copy, self.broker.ledger)
        os.unlink(self.broker.ledger + ".high-water")
        self.start_broker(settings={"backup": self.repository})
        self.broker.wait_line("it is shorter than its backup")
        #   Nor is another history appended once it is as long
        self.producer("other").publish(created("t3"), created("t4"))
        self.broker.kill()
        self.start_broker(settings={"backup": self.repository})
        self.broker.wait_line("has another history of this ledger")
        self.stop()
        self.assertEqual(self.lines(), before)

    #   Other programs

    def test_import_takes_segments(self):
        self.fill()
        self.stop()
        events = [line for line in self.lines() if "type" in line]
        file = os.path.join(self.folder, "all.jsonl.zst")
        with open(file, "wb") as together:
            for name in self.files():
                with open(os.path.join(self.segments, name), "rb") as segment:
                    together.write(segment.read())
        for end in ("", "-wal", "-shm", ".high-water"):
            if os.path.exists(self.broker.ledger + end):
                os.unlink(self.broker.ledger + end)
        self.start_broker(settings={})
        self.stele("import", file)
        again = [json.loads(line) for line in self.stele("replay").splitlines()]
        for event in events:                    # An audit event is that of another ledger now
            event.update({"imported": True} if event["type"] == "audit.recorded" else {})
        self.assertEqual(list(map(repr, again)), [repr({key: event[key] for key in new}) for event, new in zip(events, again)])
        self.assertEqual([len(event) for event in again], [len(event) for event in events])
        self.stele("import", file)              # Nothing twice
        self.assertEqual(self.ask("info")["position"], len(events))

    def test_import_of_a_damaged_segment_imports_nothing(self):
        self.producer().publish(created("t"))
        self.stop()
        path = os.path.join(self.segments, self.files()[0])
        with open(path, "r+b") as file:
            file.truncate(100)
        self.start_broker(settings={})
        self.stele("import", path, status=65)
        self.assertIn("zstd cannot expand it", self.stderr)


if __name__ == "__main__":
    harness.main()
