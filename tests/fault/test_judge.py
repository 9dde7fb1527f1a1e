# The judge and a ledger that was manipulated: it must detect each change
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import shutil
import signal
import sqlite3
import unittest

import harness
from arena import Arena
from client import pack, unpack
from judge import PREFIX, Judge, Verdict
from producers import ACK, SENT, File
from promises import Promises


class Doctored(unittest.TestCase):
    """One intact ledger; each test verifies a copy that it has manipulated."""

    @classmethod
    def setUpClass(cls):
        cls.arena = Arena(7, producers=4, rate=4000)
        cls.addClassCleanup(cls.arena.close)
        cls.arena.start()
        cls.arena.start_load()
        cls.arena.wait_acked(2500)
        cls.arena.kill()                # Leaves a write-ahead log
        cls.arena.kill_load()
        cls.arena.judge_file(whole=True)

    def setUp(self):
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, "ledger.db")
        for suffix in ("", "-wal"):
            shutil.copyfile(self.arena.ledger + suffix, self.path + suffix)
        self.promised = os.path.join(self.folder, "promises")
        shutil.copyfile(self.arena.promised, self.promised)
        #   The writers were killed: a partial record at the end would swallow what a test appends
        Promises(self.promised).trim()

    def change(self, *statements):
        """Run SQL statements without the triggers that forbid them."""
        file = sqlite3.connect(self.path)
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute("DROP TRIGGER " + name)
        for statement in statements:
            self.assertGreater(file.execute(statement).rowcount, 0, statement)
        file.commit()
        file.close()

    def look(self):
        Judge(Promises(self.promised)).look_at_file(self.path, os.path.join(self.folder, "scratch"))

    def assert_found(self, *kinds):
        with self.assertRaises(Verdict) as caught:
            self.look()
        for kind in kinds:
            self.assertIn(kind, caught.exception.kinds(), str(caught.exception))

    def test_nothing_changed_passes(self):
        self.look()

    def test_row_removed_is_found(self):
        self.change("DELETE FROM task_metrics WHERE position ="
                    " (SELECT position FROM task_metrics LIMIT 1 OFFSET 20)")
        self.assert_found("lost", "wrong")

    def test_newest_rows_removed_are_found(self):
        for table in ("task_history", "task_outputs", "task_metrics", "cli_session_history",
                      "cli_session_commands", "user_preference_history"):
            self.change("DELETE FROM %s WHERE position > (SELECT max (position) - 300 FROM task_metrics)" % table)
        self.assert_found("lost")

    def test_audit_event_that_is_missing_is_found(self):
        judge = Judge(Promises(self.promised))
        judge.audited.add("answered-request")
        with self.assertRaisesRegex(Verdict, "answered-request"):
            judge.look_at_file(self.path, os.path.join(self.folder, "scratch"))

    def test_row_doubled_is_found(self):
        #   An early one: the last ones may not have been acked, and may then be lost
        self.change("UPDATE task_metrics SET extra = (SELECT extra FROM task_metrics ORDER BY position LIMIT 1)"
                    " WHERE position = (SELECT position FROM task_metrics ORDER BY position LIMIT 1 OFFSET 20)")
        self.assert_found("doubled", "lost")

    def test_row_moved_is_found(self):
        self.change("UPDATE task_metrics SET position = position + 100000"
                    " WHERE position = (SELECT max (position) FROM task_metrics)")
        self.assert_found("wrong")

    def test_order_of_two_rows_changed_is_found(self):
        self.change("UPDATE task_metrics SET extra = (SELECT b.extra FROM task_metrics b"
                    "  WHERE b.position <> task_metrics.position AND b.extra LIKE '%p1/0/%' AND b.position IN"
                    "   (SELECT position FROM task_metrics WHERE extra LIKE '%p1/0/%' ORDER BY position LIMIT 2))"
                    " WHERE position IN (SELECT position FROM task_metrics WHERE extra LIKE '%p1/0/%'"
                    "  ORDER BY position LIMIT 2)")
        self.assert_found("wrong")

    def test_value_changed_is_found(self):
        self.change("UPDATE task_metrics SET value = value + 1 WHERE position ="
                    " (SELECT position FROM task_metrics WHERE typeof (value) = 'integer' LIMIT 1)")
        self.assert_found("wrong")

    def test_integer_for_a_float_is_found(self):
        self.change("UPDATE task_metrics SET value = 1 WHERE position ="
                    " (SELECT position FROM task_metrics WHERE typeof (value) = 'real' LIMIT 1)")
        self.assert_found("wrong")

    def test_content_changed_is_found(self):
        self.change("UPDATE task_outputs SET content = 'another' WHERE position ="
                    " (SELECT position FROM task_outputs WHERE encoding = 0 LIMIT 1)")
        self.assert_found("wrong")

    def test_refusal_removed_is_found(self):
        self.change("DELETE FROM rejected_events WHERE id = 3")
        self.assert_found("lost")

    def test_refusal_doubled_is_found(self):
        self.change("INSERT INTO rejected_events (producer, sequence, code, message, time, event)"
                    " SELECT producer, sequence, code, message, time, event FROM rejected_events WHERE id = 3")
        self.assert_found("doubled")

    def test_sequence_moved_back_is_found(self):
        self.change("UPDATE commits SET producer = NULL, sequence = NULL")
        self.change("UPDATE producer_rows SET sequence = sequence - 100 WHERE name = 'p2'")
        self.assert_found("lost")

    def test_commit_removed_is_found(self):
        self.change("DELETE FROM commits WHERE first = (SELECT first FROM commits LIMIT 1 OFFSET 2)")
        self.assert_found("wrong")

    def test_index_that_lies_is_found(self):
        file = sqlite3.connect(self.path)
        file.execute("PRAGMA wal_checkpoint (TRUNCATE)")
        root, size = (file.execute(query).fetchone()[0] for query in (
            "SELECT rootpage FROM sqlite_master WHERE name = 'task_states_by_state'", "PRAGMA page_size"))
        file.close()
        with open(self.path, "r+b") as database:
            database.seek(root * size - 40)         # Cells grow from the end of a page
            database.write(b"\xff" * 40)
        self.assert_found("broken")

    def test_file_removed_is_found(self):
        os.unlink(self.path)
        self.assert_found("lost")

    def test_write_ahead_log_removed_is_found(self):
        os.unlink(self.path + "-wal")
        with self.assertRaises(Verdict):
            self.look()

    def test_promise_that_was_not_kept_is_found(self):
        file = File(self.promised)
        #   One that was never sent: what was in transit when the broker was killed may be stored
        sequence = max(Promises(self.promised).read().accounts["p1"].sent) + 1
        file.add(SENT, "p1", 0, sequence, "stored", pack({"type": "task.created"}))
        file.add(ACK, "p1", 0, sequence, 1)
        file.write()
        self.assert_found("lost")

    def test_piece_of_a_promise_at_the_end_is_cut_off(self):
        size = os.path.getsize(self.promised)
        with open(self.promised, "ab") as file:
            file.write(b"\x96\x01\xda\x7f\xff")
        Promises(self.promised).trim()
        self.assertEqual(os.path.getsize(self.promised), size)
        self.look()

    def test_stored_though_it_had_to_be_refused_is_found(self):
        file = File(self.promised + "-2")
        for name, account in Promises(self.promised).read().accounts.items():
            for sequence, sent in account.sent.items():
                outcome = "refused" if name == "p1" and sequence == 2 else sent[0].outcome
                file.add(SENT, name, 0, sequence, outcome, sent[0].event)
            file.add(ACK, name, 0, account.acked, 1)
        file.write()
        self.promised += "-2"
        self.assert_found("wrong")


class Watched(unittest.TestCase):
    """A running broker, with Redis: manipulations of Redis and of messages must be detected."""

    @classmethod
    def setUpClass(cls):
        cls.arena = Arena(8, producers=4, rate=4000, pipeline=True)
        cls.addClassCleanup(cls.arena.close)
        cls.arena.start()
        cls.arena.start_load()
        cls.arena.wait_acked(1500)
        cls.arena.end_load()
        cls.arena.judge_all()
        cls.arena.hear()
        cls.ledger = cls.arena.ask("info")["ledger"]

    def assert_found(self, change):
        """In Redis."""
        redis = self.arena.redis
        before = redis.call("DUMP", change[1])
        self.arena.broker.signal(signal.SIGSTOP)        # Its own check would put that right
        try:
            redis.call(*change)
            with self.assertRaises(Verdict) as caught:
                self.arena.judge.look_at_redis(redis, self.ledger)
            self.assertEqual(caught.exception.kinds(), {"redis"})
        finally:
            if before is None:
                redis.call("DEL", change[1])
            else:
                redis.call("RESTORE", change[1], 0, before, "REPLACE")
            self.arena.broker.signal(signal.SIGCONT)
        self.arena.judge.look_at_redis(redis, self.ledger)

    def task(self):
        return next(key for key in sorted(self.arena.judge.mirror.tasks))

    def key(self):
        return PREFIX + ":task:" + self.task()

    def test_field_altered_in_redis_is_found(self):
        self.assert_found(("HSET", self.key(), "state", "levitating"))

    def test_field_removed_from_redis_is_found(self):
        self.assert_found(("HDEL", self.key(), "updated_at"))

    def test_field_too_many_in_redis_is_found(self):
        self.assert_found(("HSET", self.key(), "last_error", "none"))

    def test_record_removed_from_redis_is_found(self):
        self.assert_found(("DEL", self.key()))

    def test_record_too_many_in_redis_is_found(self):
        self.assert_found(("HSET", PREFIX + ":task:nobody", "state", "queued"))

    def test_member_removed_from_its_set_is_found(self):
        state = self.arena.judge.mirror.tasks[self.task()]["state"]
        self.assert_found(("ZREM", PREFIX + ":tasks:" + state, self.task()))

    def test_member_with_another_score_is_found(self):
        state = self.arena.judge.mirror.tasks[self.task()]["state"]
        self.assert_found(("ZADD", PREFIX + ":tasks:" + state, 1, self.task()))

    def test_position_altered_in_redis_is_found(self):
        self.assert_found(("SET", PREFIX + ":position", 1))

    def test_feed_that_lies_or_goes_back_is_found(self):
        judge = self.arena.judge
        event = self.arena.ask("events.read", after=4, limit=1)["events"][0]
        topic = ("%s/%s" % (event["type"], event.get("task_id", event.get("session_id", event.get("user_id"))))).encode()
        judge.fed = 4
        judge.hear(topic, pack(event))
        judge.look_at_feed()
        judge.hear(topic, pack(event))              # Once more
        with self.assertRaises(Verdict):
            judge.look_at_feed()
        judge.fed = 4
        judge.hear(topic, pack(dict(event, time=event["time"] + 1)))
        with self.assertRaises(Verdict):
            judge.look_at_feed()
        judge.hear(b"task.created/x", pack(dict(event, position=10 ** 9)))
        with self.assertRaises(Verdict):
            judge.look_at_feed()
        judge.early.clear()

    def test_pipeline_that_lies_or_leaves_out_is_found(self):
        judge = self.arena.judge
        harness.wait_until(lambda: self.arena.hear() or len(judge.digests) in judge.pushed, "the pipeline")
        judge.look_at_pipeline()
        left_out = judge.pushed.pop(7)
        with self.assertRaises(Verdict):
            judge.look_at_pipeline()
        judge.pushed[7] = b"another"
        with self.assertRaises(Verdict):
            judge.look_at_pipeline()
        judge.pushed[7] = left_out
        judge.look_at_pipeline()

    def test_log_that_ends_early_or_changes_is_found(self):
        def ask(op, **keys):
            answer = self.arena.ask(op, **keys)
            answer["events"] = answer["events"][:change]
            if change is None:
                answer["events"][5]["user_id"] = "another"
            else:
                answer["next"] = None
            return answer
        for change in (100, None):
            with self.assertRaises(Verdict):
                self.arena.judge.look_at_log(ask, again=True)
        self.arena.judge.look_at_log(self.arena.ask, again=True)

    def test_list_that_leaves_out_or_alters_a_task_is_found(self):
        def without(op, **keys):
            answer = self.arena.ask(op, **keys)
            answer["tasks"] = answer["tasks"][1:]
            return answer

        def altered(op, **keys):
            answer = unpack(pack(self.arena.ask(op, **keys)))
            answer["tasks"][0]["full_access"] = 0   # Instead of false
            return answer
        for ask in (without, altered):
            with self.assertRaises(Verdict):
                self.arena.judge.look_at_records(ask)
        self.arena.judge.look_at_records(self.arena.ask)


if __name__ == "__main__":
    harness.main()
