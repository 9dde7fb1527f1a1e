# Without Redis everything else works; when it comes back, it has everything again
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import signal

import harness
from client import changed, created
from load import Load


class Away(harness.BrokerTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.bring_back)

    def bring_back(self):
        if self.redis.process is None:
            self.redis.start()

    def redis_state(self):
        return self.ask("stats")["redis"]["state"]

    def wait_state(self, state):
        harness.wait_until(lambda: self.redis_state() == state, "Redis to be " + state)

    def assert_consistent(self):
        self.redis.wait_position(self.ask("ping")["position"])
        answer = self.ask("consistency.check")
        self.assertEqual((answer["missing"], answer["extra"], answer["mismatched"]), (0, 0, 0), answer)

    def test_redis_killed_under_load_delays_nothing_and_is_rebuilt(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "running"))
        load = Load(self.broker.events, "away")
        self.addCleanup(load.stop)
        load.wait_acked(500)
        self.redis.kill()
        load.wait_acked(load.acked + 2000)
        self.wait_state("away")
        answer = self.ask("task.status", task_id=task)
        self.assertEqual((answer["source"], answer["task"]["state"]), ("sqlite", "running"))
        self.redis.start()                              # With nothing in it
        load.wait_acked(load.acked + 1000)
        load.finish()
        self.wait_state("live")
        self.assert_consistent()
        self.assertEqual(self.redis.text_hash("{stele}:task:" + task)["state"], "running")
        self.live_status(task)

    def test_requests_about_redis_say_that_it_is_away(self):
        task = self.name("task")
        self.producer().publish(created(task))
        self.redis.kill()
        self.wait_state("away")
        self.assertEqual(self.refused("task.recover", task_id=task)["code"], "unavailable")
        self.assertEqual(self.refused("recover", scope="active")["code"], "unavailable")
        self.assertEqual(self.refused("consistency.check")["code"], "unavailable")
        self.redis.start()
        self.wait_state("live")

    def test_redis_that_hangs_does_not_hang_status(self):
        task = self.name("task")
        self.redis.wait_position(self.producer().publish(created(task)))
        self.redis.process.signal(signal.SIGSTOP)
        try:
            answer = self.ask("task.status", task_id=task, timeout_ms=4000)
            self.assertEqual((answer["source"], answer["task"]["task_id"]), ("sqlite", task))
            self.producer().publish(created(self.name("meanwhile")))
        finally:
            self.redis.process.signal(signal.SIGCONT)
        self.wait_state("live")
        self.assert_consistent()

    def test_redis_emptied_or_tampered_with_is_put_right(self):
        task = self.name("task")
        self.redis.wait_position(self.producer().publish(created(task)))
        self.redis.call("FLUSHALL")
        self.producer().publish(changed(task, "running"))
        self.assert_consistent()
        self.assertEqual(self.redis.text_hash("{stele}:task:" + task)["state"], "running")

    def test_key_of_a_wrong_type_is_put_right(self):
        task = self.name("task")
        peer = self.producer()
        self.redis.wait_position(peer.publish(created(task)))
        self.redis.call("DEL", "{stele}:task:" + task)
        self.redis.call("SET", "{stele}:task:" + task, "not a hash")
        peer.publish(changed(task, "running"))
        harness.wait_until(lambda: self.redis.call("TYPE", "{stele}:task:" + task) == b"hash", "the hash")
        self.assert_consistent()

    def test_start_without_redis_and_redis_later(self):
        task = self.name("task")
        self.broker.stop()
        self.redis.kill()
        self.start_broker()
        self.producer().publish(created(task), changed(task, "running"))
        self.assertEqual(self.ask("task.status", task_id=task)["source"], "sqlite")
        self.redis.start()
        self.wait_state("live")
        self.assert_consistent()

    def test_redis_of_another_ledger_is_rebuilt(self):
        task = self.name("task")
        self.redis.wait_position(self.producer().publish(created(task)))
        self.broker.stop()
        other = self.start_broker()
        other.stop()
        self.broker = harness.Steled(self.folder, redis=self.redis, ledger="another.db")
        try:
            self.producer(self.name("p2")).publish(created(self.name("new")))
            self.assert_consistent()
            self.assertEqual(self.redis.call("EXISTS", "{stele}:task:" + task), 0)
            self.assertEqual(self.redis.call("GET", "{stele}:ledger").decode(), self.ask("info")["ledger"])
        finally:
            self.broker.stop()
            del self.broker
            self.start_broker()
        self.assert_consistent()
        self.assertEqual(self.redis.call("EXISTS", "{stele}:task:" + task), 1)

    def test_ledger_behind_redis_is_noticed(self):
        #   An older copy of the ledger was put back: Redis is ahead of it
        self.redis.wait_position(self.producer().publish(created(self.name("task"))))
        self.broker.stop()
        position = int(self.redis.call("GET", "{stele}:position"))
        self.redis.call("SET", "{stele}:position", position + 1000)
        with self.assertRaisesRegex(AssertionError, "position %d.*Redis at .*: %d\\)" % (position, position + 1000)):
            self.start_broker()
        self.start_broker(arguments=("--accept-loss",))
        #   One event more: the loss that was accepted
        harness.wait_until(lambda: int(self.redis.call("GET", "{stele}:position") or 0) == position + 1,
                           "Redis to be rebuilt")
        self.assert_consistent()


class Never(harness.BrokerTest):
    use_redis = False

    def test_everything_else_works_without_redis(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "running"))
        answer = self.ask("task.status", task_id=task)
        self.assertEqual((answer["source"], answer["task"]["state"]), ("sqlite", "running"))
        self.assertNotIn("description", answer["task"])
        self.assertEqual(self.refused("consistency.check")["code"], "unavailable")
        self.ask("stats")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "redis.sock")))


if __name__ == "__main__":
    harness.main()
