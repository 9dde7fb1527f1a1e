# Faults of Redis: acks never wait for it, it becomes correct by itself within a bound, and
# data of another ledger is not overwritten silently
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import shutil
import signal
import time

import harness
from client import changed, created, metric, started
from faulty import FaultTest
from load import Load

#   Seconds after which Redis must be correct, once it can be: the time-out (1 s), the back-off
#   (up to 5 s), the check while idle (1 s), of evictions (2 s), and a rebuild
BOUND_S = 15
ACK_S = 2
PAUSE_S = 8


class RedisFaults(FaultTest):
    def setUp(self):
        super().setUp()
        if not self.redis.process:
            self.redis.start()
        self.wait_redis_right()

    def story(self, count=40):
        """Create tasks in every state and sessions, so that errors can show."""
        peer = self.producer()
        for number in range(count):
            task = "%s-%d" % (self.name("task"), number)
            peer.send_events([created(task), changed(task, "running")])
            if number % 3 == 0:
                peer.send_events([changed(task, ("passed", "failed", "paused")[number // 3 % 3])])
            if number % 5 == 0:
                peer.send_events([started("%s-%d" % (self.name("session"), number))])
        peer.settle()
        self.wait_redis_right()
        return peer

    def assert_acks_do_not_wait(self, peer):
        """While Redis fails, single events, one after another, are acked as usual."""
        bound, seconds = ACK_S * self.slowness(), []
        for number in range(20):
            began = time.monotonic()
            peer.publish(metric(self.name("meanwhile"), "n", number))
            seconds.append(time.monotonic() - began)
        #   A disk may be slow for a moment: two of them may take longer
        self.assertLess(sorted(seconds)[-3], bound)

    def assert_right_again(self, bound=BOUND_S):
        seconds = self.wait_redis_right(bound)
        print("figures: right again after %.1f s" % seconds)

    #   Gone

    def test_killed_and_started_empty(self):
        peer = self.story()
        self.redis.kill()
        self.assert_acks_do_not_wait(peer)
        self.wait_redis_state("away")
        stats = self.redis_stats()
        self.assertGreater(stats["lag_events"], 0)
        self.assertTrue(stats["last_error"])
        self.redis.start()
        self.assert_right_again()

    def test_killed_again_and_again_under_load(self):
        loads = [Load(self.broker.events, "kill-%d" % n) for n in range(2)]
        for _ in range(6):
            self.redis.kill()
            loads[0].wait_acked(loads[0].acked + 300)
            self.redis.start()
            time.sleep(0.4)
        for load in loads:
            load.finish(50)
        self.assert_right_again()
        self.assert_kept(*loads)

    def test_restarted_from_an_old_dump(self):
        peer = self.story()
        self.redis.call("SAVE")
        dump = self.redis.call("CONFIG", "GET", "dir")[1].decode()
        path = os.path.join(dump, self.redis.call("CONFIG", "GET", "dbfilename")[1].decode())
        shutil.copy(path, path + ".old")
        for number in range(40):                        # Tasks that the dump lacks, or has in an older state
            task = "%s-%d" % (self.name("task"), number)
            peer.send_events([changed(task, "queued" if number % 3 == 0 and number % 9 < 6 else "completing")])
        peer.send_events([created(self.name("newer"))])
        peer.settle()
        self.wait_redis_right()
        self.redis.kill()
        shutil.copy(path + ".old", path)
        self.redis.start()
        self.addCleanup(os.unlink, path)
        self.assertEqual(self.redis.call("EXISTS", "{stele}:task:" + self.name("newer")), 0)
        self.assert_right_again()

    #   Emptied

    def test_flushed_while_nobody_publishes_is_noticed(self):
        self.story()
        self.redis.call("FLUSHALL")
        self.assert_right_again(5)

    def test_flushed_under_load(self):
        self.story()
        load = Load(self.broker.events, "flush")
        for _ in range(5):
            load.wait_acked(load.acked + 200)
            self.redis.call("FLUSHALL")
        load.finish(50)
        self.assert_right_again()

    def test_keys_deleted_one_by_one_are_put_back(self):
        self.story()
        keys = [key for key in self.redis.call("KEYS", "{stele}:*") if key != b"{stele}:holder"]
        for name in (b":task:", b":session:", b":tasks:", b":position", b":ledger", b":swept", b":layout"):
            for key in keys:
                if name in key:
                    self.redis.call("DEL", key)
            self.assert_right_again(BOUND_S + 120)      # A round of the background check: at most 500 records per second
        self.assertGreater(self.redis_stats()["repaired"], 0)

    #   Hanging

    def test_paused_longer_than_the_time_out(self):
        peer = self.story()
        self.redis.call("CLIENT", "PAUSE", 1000 * PAUSE_S)
        self.redis.disconnect()
        peer.publish(created(self.name("during")))      # So that there is something to write to Redis
        self.wait_redis_state("away")
        answer = self.ask("task.status", task_id="%s-1" % self.name("task"))
        self.assertEqual((answer["task"]["state"], answer["source"]), ("running", "sqlite"))
        self.assert_acks_do_not_wait(peer)
        self.assert_right_again(PAUSE_S + BOUND_S)

    def test_stopped_under_load(self):
        load = Load(self.broker.events, "hang")
        load.wait_acked(100)
        for _ in range(2):
            self.redis.process.signal(signal.SIGSTOP)
            try:
                acked = load.acked
                load.wait_acked(acked + 1000)
                time.sleep(2)
                stats = self.redis_stats()
                self.assertIn(stats["state"], ("away", "live", "catching_up"))
                self.assertGreater(stats["lag_events"] + stats.get("age_ms", 0), 0)
            finally:
                self.redis.process.signal(signal.SIGCONT)
            time.sleep(0.5)
        load.finish(50)
        self.assert_right_again()

    #   Full

    def limit(self, policy, spare):
        used = int(self.info("memory", "used_memory"))
        self.redis.call("CONFIG", "SET", "maxmemory-policy", policy)
        self.redis.call("CONFIG", "SET", "maxmemory", used + spare)
        self.addCleanup(self.redis.call, "CONFIG", "SET", "maxmemory-policy", "noeviction")
        self.addCleanup(self.redis.call, "CONFIG", "SET", "maxmemory", 0)

    def info(self, section, name):
        for line in self.redis.call("INFO", section).decode().split("\r\n"):
            if line.startswith(name + ":"):
                return line.split(":")[1]
        return None

    def fill(self, count=3000):
        peer = self.producer(self.name("filler"))
        for number in range(count):
            task = "%s-full-%d" % (self.name("task"), number)
            peer.send_events([created(task, branch="b" * 500), changed(task, "running")])
        peer.settle()

    def test_full_without_eviction_waits_until_there_is_room(self):
        peer = self.story()
        self.limit("noeviction", 300000)
        self.fill()
        self.assert_acks_do_not_wait(peer)
        harness.wait_until(lambda: "OOM" in (self.redis_stats().get("last_error") or ""), "Redis to be full")
        self.assertGreater(self.redis_stats()["lag_events"], 0)
        self.redis.call("CONFIG", "SET", "maxmemory", 0)
        self.assert_right_again()

    def test_full_with_eviction_is_put_right_when_there_is_room(self):
        peer = self.story()
        self.limit("allkeys-random", 300000)
        self.fill()
        self.assert_acks_do_not_wait(peer)
        harness.wait_until(lambda: int(self.info("stats", "evicted_keys")) > 100, "evictions")
        harness.wait_until(lambda: self.redis_stats().get("evicted", 0) or self.redis_stats()["errors"],
                           "the broker to notice")
        self.redis.call("CONFIG", "SET", "maxmemory", 0)
        self.assert_right_again(BOUND_S + 15)

    def test_a_few_evictions_while_idle_are_put_right(self):
        self.story()
        before = int(self.info("stats", "evicted_keys"))
        self.limit("allkeys-lru", -30000)               # Evicts at the next command
        try:
            self.redis.call("SET", "other", "x" * 1000)
            self.redis.call("DEL", "other")
        except RuntimeError as error:                   # That did not free enough
            self.assertIn("OOM", str(error))
        self.redis.call("CONFIG", "SET", "maxmemory", 0)
        self.assertGreater(int(self.info("stats", "evicted_keys")), before)
        self.assert_right_again()

    #   In the way

    def test_keys_of_a_wrong_type_under_load(self):
        self.story()
        load = Load(self.broker.events, "type")
        task = b"{stele}:task:task-" + load.name.encode()
        for key in (task, b"{stele}:tasks:running", b"{stele}:tasks:queued", b"{stele}:position",
                    b"{stele}:ledger", b"{stele}:swept", b"{stele}:layout", b"{stele}:holder", b"{stele}:rebuilding"):
            load.wait_acked(load.acked + 100)
            self.redis.call("EVAL", "redis.call ('DEL', KEYS [1]) return redis.call ('RPUSH', KEYS [1], 'in the way')",
                            1, key)                     # At once: the broker is writing
        load.finish(50)
        self.assert_right_again(BOUND_S * 2)

    def test_wrong_type_while_idle(self):
        self.story()
        for key in ("{stele}:task:%s-1" % self.name("task"), "{stele}:tasks:running",
                    "{stele}:position", "{stele}:session:%s-5" % self.name("session")):
            self.redis.call("DEL", key)
            self.redis.call("SET", key, "in the way")
        self.assert_right_again()

    def test_read_only_redis_waits(self):
        peer = self.story()
        self.redis.call("REPLICAOF", "127.0.0.1", 1)
        try:
            self.assert_acks_do_not_wait(peer)
            harness.wait_until(lambda: "READONLY" in (self.redis_stats().get("last_error") or ""),
                               "Redis to be read-only")
        finally:
            self.redis.call("REPLICAOF", "NO", "ONE")
        self.assert_right_again()


class TwoLedgers(FaultTest):
    """Two brokers, two ledgers, one Redis, the same prefix."""

    def second(self):
        folder = os.path.join(self.folder, self.name("second")[-20:])
        os.mkdir(folder)
        second = harness.Steled(folder, redis=self.redis)
        self.addCleanup(second.kill)
        return second

    def of(self, broker, op, **keys):
        return self.clients.asker(broker.requests).ask(dict(keys, op=op))

    def test_second_ledger_waits_and_says_why(self):
        task = self.name("task")
        self.redis.wait_position(self.producer().publish(created(task), changed(task, "running")))
        second = self.second()
        peer = self.clients.producer(second.events, "other")
        peer.publish(created("foreign"), changed("foreign", "running"))
        harness.wait_until(lambda: "whose broker is running" in
                           (self.of(second, "stats")["redis"].get("last_error") or ""), "the refusal")
        self.assertEqual(self.of(second, "stats")["redis"]["state"], "away")
        self.assertIn("whose broker is running", second.log())
        #   Each broker answers for its own tasks, and Redis belongs to the first one
        self.assertEqual(self.of(second, "task.status", task_id="foreign")["source"], "sqlite")
        self.assertEqual(self.of(second, "task.status", task_id=task)["error"]["code"], "not_found")
        self.assertEqual(self.redis.call("EXISTS", "{stele}:task:foreign"), 0)
        self.wait_redis_right()
        #   It takes over once the first one has gone, and logs that
        self.assertEqual(self.broker.stop(), 0)
        second.wait_line("HELD LEDGER")
        harness.wait_until(lambda: self.redis.call("EXISTS", "{stele}:task:foreign"), "the second ledger")
        self.assertEqual(self.redis.call("EXISTS", "{stele}:task:" + task), 0)
        #   Now the first one has to wait
        self.start_broker()
        self._asker = None
        harness.wait_until(lambda: "whose broker is running" in
                           (self.redis_stats().get("last_error") or ""), "the refusal")
        self.assertEqual(self.ask("task.status", task_id=task)["source"], "sqlite")
        self.assertEqual(second.stop(), 0)
        self.wait_redis_right(30)

    def test_both_killed_and_started_again_leave_one_in_charge(self):
        self.producer().publish(created(self.name("task")))
        self.wait_redis_right()
        second = self.second()
        for _ in range(3):
            self.restart()
            self.assertIn(self.redis_stats().get("state"), ("live", "away", "catching_up", "rebuilding", None))
        self.wait_redis_right(30)
        self.assertEqual(self.of(second, "stats")["redis"]["state"], "away")
        self.assertEqual(second.stop(), 0)
        self.wait_redis_right(30)

    def test_taken_over_while_it_slept_is_noticed(self):
        self.producer().publish(created(self.name("task")))
        self.wait_redis_right()
        self.broker.signal(signal.SIGSTOP)
        try:
            second = self.second()
            second.wait_line("HELD LEDGER")         # The first one's claim has expired
            harness.wait_until(lambda: self.of(second, "stats")["redis"].get("state") == "live", "the second")
        finally:
            self.broker.signal(signal.SIGCONT)
        peer = self.producer(self.name("more"))
        peer.publish(created(self.name("after")))
        harness.wait_until(lambda: "whose broker is running" in
                           (self.redis_stats().get("last_error") or ""), "the refusal")
        self.assertEqual(self.redis.call("EXISTS", "{stele}:task:" + self.name("after")), 0)
        self.assertEqual(self.of(second, "consistency.check")["consistent"], 1.0)
        self.assertEqual(second.stop(), 0)
        self.wait_redis_right(30)


if __name__ == "__main__":
    harness.main()
