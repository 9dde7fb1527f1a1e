# The modes dual, sqlite, redis: what an ack waits for, and that nothing is lost between them
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import signal
import sqlite3
import time

import harness
from test_export import generated


class ModesTest(harness.BrokerTest):
    settings = {"lease-grace": 100}

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        #   Each test has a folder, a Redis and a broker of its own
        harness.BrokerTest.setUpClass.__func__(type(self))
        self.addCleanup(type(self).doClassCleanups)
        super().setUp()

    def mode(self, mode=None):
        said = json.loads(self.stele("--json", "mode", *(["--yes", mode] if mode else [])))
        return said["mode"], said["only_in_redis"]

    def read_events(self, after=0, audit=False):
        """Without those that record the changes of the mode, unless 'audit'."""
        return [event for event in super().read_events(after) if audit or event["type"] != "audit.recorded"]

    def rows(self, sql):
        file = sqlite3.connect("file:%s?mode=ro" % self.broker.ledger, uri=True)
        try:
            return file.execute(sql).fetchall()
        finally:
            file.close()

    def pending(self):
        keys = self.redis.call("KEYS", "{stele}-pending:*")
        return sum(self.redis.call("LLEN", key) for key in keys)

    def created(self, task, **more):
        return dict({"type": "task.created", "task_id": task, "title": "t", "description": "d", "role": "r"}, **more)

    def changed(self, task, state, **more):
        return dict({"type": "task.state_changed", "task_id": task, "state": state}, **more)

    def crash(self):
        self.broker.kill()
        return self.start_broker()

    #   dual and sqlite

    def test_sqlite_leaves_redis_alone_and_dual_catches_up(self):
        peer = self.producer("p")
        self.redis.wait_position(peer.publish(self.created("a")))
        self.assertEqual(self.mode("sqlite"), ("sqlite", 0))
        peer.publish(self.changed("a", "running"))
        answer = self.ask("task.status", task_id="a")
        self.assertEqual((answer["task"]["state"], answer["source"]), ("running", "sqlite"))
        self.assertEqual(self.redis.text_hash("{stele}:task:a")["state"], "queued")
        self.assertEqual(self.ask("info")["mode"], "sqlite")
        self.assertEqual(self.ask("stats")["redis"]["state"], "off")
        self.assertEqual(self.refused("recover", scope="all")["code"], "unavailable")
        self.assertEqual(self.mode("dual"), ("dual", 0))
        self.redis.wait_position(2)
        self.assertEqual(self.redis.text_hash("{stele}:task:a")["state"], "running")
        self.live_status("a")
        self.assertEqual(self.ask("info")["mode"], "dual")

    def test_the_setting_says_the_mode_of_a_start(self):
        for mode in ("sqlite", "redis", "dual"):
            self.broker.stop()
            self.start_broker(arguments=["--mode", mode])
            self.assertEqual(self.mode(), (mode, 0))
            self.assertEqual(self.ask("info")["mode"], mode)

    def test_other_words_are_refused(self):
        self.assertEqual(self.refused("mode", mode="fast")["code"], "bad_request")
        self.stele("mode", "fast", status=64)
        self.assertEqual(self.mode(), ("dual", 0))

    #   redis

    def test_redis_acks_without_the_ledger_and_dual_brings_it_home(self):
        peer = self.producer("p")
        peer.publish(self.created("a"))
        self.assertEqual(self.mode("redis"), ("redis", 0))
        self.assertEqual(peer.publish(self.changed("a", "running"), self.created("b")), 4)
        #   The change of the mode is an event, too
        self.assertEqual(self.mode(), ("redis", 3))
        self.assertEqual(self.rows("SELECT max (last) FROM commits"), [(1,)])
        self.assertEqual(self.live_status("a")["task"]["state"], "running")
        self.live_status("b")
        self.assertEqual(self.ask("ping")["position"], 1)
        self.assertEqual(self.ask("task.list")["mode"], "redis")
        self.assertEqual(self.asker().ask({"op": "task.get", "task_id": "b"})["mode"], "redis")
        for command in (["get", "b"], ["show", "b"], ["list"], ["export", "-"], ["history", "a"], ["stuck"], ["ping"]):
            self.stele(*command, status=None)
            self.assertEqual(self.stderr.count("the broker is in mode redis"), 1, (command, self.stderr))
        self.stele("mode")
        self.assertNotIn("the broker is in mode redis", self.stderr)
        self.assertIn("PERSISTENCE IS OFF", self.broker.log())
        self.assertEqual(self.ask("stats")["ingest"]["only_in_redis"], 3)
        self.assertEqual(self.producer("q").welcome["mode"], "redis")
        self.assertEqual(self.mode("dual"), ("dual", 0))
        self.assertNotIn("mode", self.ask("task.list"))
        self.assertEqual([event["position"] for event in self.read_events(audit=True)], [1, 2, 3, 4, 5])
        self.assertEqual(self.ask("task.get", task_id="a")["task"]["state"], "running")
        self.assertEqual(self.pending(), 0)
        self.redis.wait_position(5)
        answer = self.ask("consistency.check")
        self.assertEqual((answer["missing"], answer["extra"], answer["mismatched"]), (0, 0, 0))

    def test_duplicates_and_refusals_hold_in_redis_mode(self):
        self.mode("redis")
        peer = self.producer("p")
        peer.publish(self.created("a"), self.changed("a", "passed"))
        self.assertEqual(peer.publish_refused(self.changed("a", "running"))["code"], "illegal_transition")
        answer = self.ask("publish", producer="p", sequence=1,
                          events=[self.created("a"), self.changed("a", "passed"), self.changed("a", "running")])
        self.assertEqual((answer["accepted"], answer["duplicates"], answer["sequence"]), (0, 3, 3))
        self.assertEqual(self.refused("publish", producer="p", sequence=9, events=[self.created("z")])["code"],
                         "sequence_gap")
        self.mode("dual")
        self.assertEqual(len(self.read_events()), 2)
        rejected = self.ask("rejected.list")["rejected"]
        self.assertEqual([(row["producer"], row["sequence"]) for row in rejected], [("p", 3)])
        self.assertEqual(self.producer("p", instance=peer.instance).welcome["sequence"], 3)

    def test_killed_in_redis_mode_the_next_start_brings_it_home(self):
        peer = self.producer("p")
        peer.publish(self.created("a"))
        self.mode("redis")
        events = generated(3, tasks=20)
        for start in range(0, len(events), 50):
            peer.send_events(events[start:start + 50])
        peer.settle()
        peer.send_events([self.created("own"), self.changed("own", "running")])
        peer.settle()
        last, sequence = peer.position, peer.sequence
        naks = {number: nak["code"] for number, nak in peer.naks.items()}
        self.assertTrue(naks)
        self.assertEqual(self.rows("SELECT max (last) FROM commits"), [(1,)])
        self.crash()
        self.assertIn("events to the ledger that an earlier run acked from Redis", self.broker.log())
        self.assertEqual(self.mode(), ("dual", 0))
        self.assertEqual(self.ask("ping")["position"], last)
        self.assertEqual([event["position"] for event in self.read_events(audit=True)], list(range(1, last + 1)))
        rejected = self.ask("rejected.list", limit=1000)["rejected"]
        self.assertEqual({row["sequence"]: row["code"] for row in rejected}, naks)
        #   Its sequence, and what it set running, are still the producer's
        again = self.producer("p", instance="another")
        self.assertEqual(again.welcome["sequence"], sequence)
        task = self.ask("task.get", task_id="own")["task"]
        self.assertEqual((task["state"], task.get("interrupted")), ("failed", True))
        self.assertEqual(self.pending(), 0)
        self.redis.wait_position(self.ask("ping")["position"])
        self.assertEqual(self.ask("stats")["redis"]["rebuilds"], 0, self.broker.log())
        answer = self.ask("consistency.check")
        self.assertEqual((answer["missing"], answer["extra"], answer["mismatched"]), (0, 0, 0), answer)

    def test_a_lease_that_was_said_in_redis_mode_runs_on_after_a_crash(self):
        self.mode("redis")
        self.producer("p", lease_ms=60000).publish(self.created("b"), self.changed("b", "running"))
        peer = self.producer("gone", lease_ms=2000)
        peer.publish(self.created("a"), self.changed("a", "running"))
        self.crash()
        harness.wait_until(lambda: self.ask("task.get", task_id="a")["task"]["state"] == "failed",
                           "the task of a producer that never came back to be interrupted")
        self.assertEqual(self.ask("task.get", task_id="b")["task"]["state"], "running")

    def test_goodbyes_and_owners_of_redis_mode_hold_after_a_crash(self):
        self.mode("redis")
        for name, keep in (("leaves", False), ("keeps", True)):
            peer = self.producer(name)
            peer.publish(self.created(name), self.changed(name, "starting"))
            peer.send(dict({"op": "goodbye"}, **({"keep": True} if keep else {})))
            harness.wait_until(lambda: self.ask("producer.get", producer=name)["producer"]["status"] == "left",
                               "the goodbye")
        self.crash()
        for name in ("leaves", "keeps"):
            self.producer(name)
            task = self.ask("task.get", task_id=name)["task"]
            self.assertEqual((task["state"], task.get("interruptions")),
                             ("failed", 1) if name == "leaves" else ("starting", None))
        self.redis.wait_position(self.ask("ping")["position"])
        answer = self.ask("consistency.check")
        self.assertEqual((answer["missing"], answer["extra"], answer["mismatched"]), (0, 0, 0), answer)

    def test_what_comes_home_by_commit_and_by_recovery_is_the_same(self):
        events = [dict(event) for event in generated(5, tasks=15)]
        ends = []
        for way in ("commit", "recovery"):
            peer = self.producer("p-" + way)
            before = self.ask("ping")["position"]
            self.mode("redis")
            for start in range(0, len(events), 40):
                page = [dict(event) for event in events[start:start + 40]]
                for event in page:
                    for key in ("task_id", "session_id"):
                        if key in event:
                            event[key] = way + event[key]
                    event.pop("parent_id", None)
                peer.send_events(page)
            peer.settle()
            if way == "commit":
                self.mode("dual")
            else:
                self.crash()
            mine = [event for event in self.read_events(before)]
            for event in mine:
                event["position"] -= before
                for key in ("task_id", "session_id"):
                    if key in event:
                        event[key] = event[key][len(way):]
            ends.append(mine)
        self.assertEqual(repr(ends[0]), repr(ends[1]))

    def test_a_stop_in_redis_mode_brings_it_home(self):
        self.mode("redis")
        self.producer("p").publish(self.created("a"))
        self.assertEqual(self.broker.stop(), 0)
        self.assertEqual(self.rows("SELECT max (last) FROM commits"), [(2,)])
        self.assertEqual(self.pending(), 0)
        self.start_broker()
        self.assertEqual(self.ask("ping")["position"], 2)

    def test_without_the_redis_that_has_it_the_ledger_does_not_open(self):
        self.mode("redis")
        self.producer("p").publish(self.created("a"))
        self.broker.kill()
        with self.assertRaisesRegex(AssertionError, "left in mode redis"):
            self.start_broker(redis=None)
        self.start_broker()
        self.assertEqual(self.ask("ping")["position"], 2)

    def test_a_redis_that_lost_it_stops_the_start_unless_that_is_accepted(self):
        self.mode("redis")
        self.producer("p").publish(self.created("a"))
        self.broker.kill()
        self.redis.call("FLUSHALL")
        with self.assertRaisesRegex(AssertionError, "Redis has lost"):
            self.start_broker()
        was = self.rows("SELECT value FROM meta WHERE key = 'ledger_id'")[0][0]
        self.start_broker(arguments=["--accept-loss"])
        self.assertEqual([event["operation"] for event in self.read_events(audit=True)], ["accept-loss"])
        #   As any loss that is accepted: the positions will be given again
        info = self.ask("info")
        self.assertNotEqual(info["ledger"], was)
        self.assertEqual([(row["ledger"], row["first"], row["last"]) for row in info["losses"]], [(was, 1, 0)])
        self.assertEqual(self.producer("q").welcome["formerly"], was)
        self.broker.stop()
        self.start_broker()
        self.assertEqual(len(self.ask("info")["losses"]), 1)

    def test_a_redis_that_goes_away_holds_acks_back(self):
        self.mode("redis")
        peer = self.producer("p")
        peer.publish(self.created("a"))
        self.redis.process.kill()
        self.redis.disconnect()
        peer.send_events([self.created("b")])
        harness.wait_until(lambda: self.ask("stats")["ingest"]["holding"], "the writer to hold back")
        #   It comes back empty: what was acked is told again
        self.redis.start()
        peer.settle()
        self.assertEqual(peer.acked, 2)
        harness.wait_until(lambda: self.redis.call("EXISTS", "{stele}:task:b"), "the live record")
        self.assertGreater(self.pending(), 1)
        self.crash()
        self.assertEqual([event["task_id"] for event in self.read_events()], ["a", "b"])

    def test_a_list_that_cannot_be_told_again_whole_gets_no_batch(self):
        self.mode("redis")
        peer = self.producer("p")
        noise = lambda: {"type": "task.output_added", "task_id": "t", "output_type": "stdout",
                         "content": os.urandom(500).hex()}
        for _ in range(12):
            peer.publish(*(noise() for _ in range(500)))
        #   Redis loses it, and has no room for all of it, but for the next batch
        self.redis.call("FLUSHALL")
        used = next(int(line.split(b":")[1]) for line in self.redis.call("INFO", "memory").splitlines()
                    if line.startswith(b"used_memory:"))
        self.redis.call("CONFIG", "SET", "maxmemory", used + 2500000)
        peer.send_events([self.created("a")])
        harness.wait_until(lambda: self.ask("stats")["ingest"]["holding"], "the writer to hold back")
        time.sleep(1.5)                 # It tries again meanwhile
        self.assertEqual(peer.acked, 6000)
        self.redis.call("CONFIG", "SET", "maxmemory", 0)
        peer.settle()
        self.assertEqual(peer.acked, 6001)
        self.crash()
        self.assertEqual(self.ask("ping")["position"], 6002)
        self.assertEqual(self.producer("p", instance=peer.instance).welcome["sequence"], 6001)

    def test_a_list_that_does_not_fit_is_refused_unless_that_is_accepted(self):
        self.mode("redis")
        peer = self.producer("p")
        for task in "abc":
            peer.publish(self.created(task))
        self.broker.kill()
        key, = self.redis.call("KEYS", "{stele}-pending:*")
        #   The one with event 2; event 1 is the change of the mode
        element = next(e for e in self.redis.call("LRANGE", key, 0, -1) if b"\xa8position\x02" in e)
        self.assertEqual(self.redis.call("LREM", key, 1, element), 1)
        for _ in range(2):
            with self.assertRaisesRegex(AssertionError, "do not continue the ledger: event 3"):
                self.start_broker()
        with self.assertRaisesRegex(AssertionError, "left in mode redis"):
            self.start_broker(redis=None)
        self.start_broker(arguments=["--accept-loss"])
        self.assertRegex(self.broker.log(), "accepted as lost: .*mode redis")
        self.assertEqual([event["operation"] for event in self.read_events(audit=True)], ["mode", "accept-loss"])
        self.crash()

    def test_a_redis_that_stays_away_is_left_by_a_switch(self):
        self.mode("redis")
        peer = self.producer("p")
        peer.publish(self.created("a"))
        self.redis.process.kill()
        self.redis.disconnect()
        peer.send_events([self.created("b")])
        harness.wait_until(lambda: self.ask("stats")["ingest"]["holding"], "the writer to hold back")
        self.assertEqual(self.mode("sqlite"), ("sqlite", 0))
        peer.settle()
        self.assertEqual([event["task_id"] for event in self.read_events()], ["a", "b"])
        self.redis.start()

    def test_a_switch_in_the_batch_that_cannot_be_acked_keeps_the_batch(self):
        self.mode("redis")
        peer = self.producer("p")
        peer.publish(self.created("a"))
        self.redis.process.kill()
        self.redis.disconnect()
        #   Both wait for the writer when it goes on: messages enough to be still at them when it hears of the mode
        asker = self.asker()
        asker.ask({"op": "ping"})
        self.broker.signal(signal.SIGSTOP)
        for number in range(600):
            peer.send_events([self.created("b-%d" % number)])
        asker.send({"op": "mode", "mode": "sqlite"})
        time.sleep(0.2)
        self.broker.signal(signal.SIGCONT)
        self.assertEqual(asker.receive()["mode"], "sqlite")
        peer.settle()
        self.assertEqual(peer.acked, 601)
        self.redis.start()

    def test_a_list_that_stayed_in_redis_is_known_to_be_home(self):
        self.mode("redis")
        peer = self.producer("p", instance="one")
        peer.publish(self.created("a"), self.created("b"))
        key, = self.redis.call("KEYS", "{stele}-pending:*")
        kept = self.redis.call("LRANGE", key, 0, -1)
        self.mode("dual")
        self.producer("p", instance="two").publish(self.created("c"))
        for element in kept:
            self.redis.call("RPUSH", key, element)
        self.crash()
        self.assertEqual(len(self.read_events()), 3)
        self.assertEqual(self.ask("producer.get", producer="p")["producer"]["instance"], "two")
        self.assertEqual(self.pending(), 0)

    def test_without_redis_there_is_one_mode(self):
        self.broker.stop()
        self.start_broker(redis=None)
        self.assertEqual(self.mode(), ("sqlite", 0))
        for words in (("mode", "redis", "--yes"), ("check",), ("recover", "--active")):
            self.stele(*words, status=os.EX_CONFIG)


if __name__ == "__main__":
    harness.main()
