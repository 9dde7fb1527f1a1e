# A Redis that answers and refuses: health and the log name the cause and its remedy
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json

import harness
from client import created


class Refuses(harness.BrokerTest):
    def finding(self):
        answer = json.loads(self.stele("--json", "health", status=None))
        return next((finding for finding in answer["findings"] if finding["code"] == "redis_away"), None)

    def check(self, begin, end, cause, message, hint):
        self.redis.call(*begin)
        try:
            self.producer(self.name("p-" + cause)).publish(created(self.name("task-" + cause)))
            harness.wait_until(lambda: self.ask("stats")["redis"].get("cause") == cause, "the cause " + cause)
            finding = self.finding()
            self.assertIn(message, finding["message"])
            self.assertIn(hint, finding["hint"])
            self.assertNotIn("start Redis", finding["hint"])
            self.assertIn(hint, self.broker.log())
        finally:
            self.redis.call(*end)
        harness.wait_until(lambda: not self.finding(), "Redis to be back")

    def test_memory(self):
        self.check(("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"),
                   "memory", "OOM", "raise maxmemory")

    def test_replica(self):
        self.check(("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"),
                   "read_only", "READONLY", "it is a replica")

    def test_password(self):
        self.broker.stop()
        self.redis.call("CONFIG", "SET", "requirepass", "secret")
        self.start_broker()
        harness.wait_until(lambda: self.ask("stats")["redis"].get("cause") == "password", "the cause")
        self.assertIn("NOAUTH", self.finding()["message"])
        self.assertIn("give it in the setting 'redis'", self.finding()["hint"])
        self.redis.kill()
        self.redis.start()
        harness.wait_until(lambda: not self.finding(), "Redis to be back")


if __name__ == "__main__":
    harness.main()
