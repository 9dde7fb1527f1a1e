# kill -9 of stele-relay under load, against a receiver that counts
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import random
import threading
import time

import harness
import receiver
from client import created, metric

KILLS = 20
TASKS = 12


class RelayKilled(receiver.RelayTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random()
        self.seen = {}                  # Position -> times that it was taken
        self.by_task = {}               # Task -> positions that were taken, each once, in their order
        self.wrong = []
        self.lock = threading.Lock()
        self.receiver.behave = self.take

    def take(self, request):
        """Fail now and then; an event may not come before the events of its task that are earlier were taken."""
        with self.lock:
            if self.random.random() < 0.1:
                return self.random.choice((500, 503, receiver.CLOSE))
            taken = self.by_task.setdefault(request.task_id, [])
            if request.position not in self.seen:
                if request.n != len(taken):
                    self.wrong.append((request.task_id, request.position, request.n, len(taken)))
                taken.append(request.position)
            self.seen[request.position] = self.seen.get(request.position, 0) + 1
        return 200

    def load(self, ended):
        """Events of many tasks in turns; 'n' counts those of each task."""
        producer, n = self.producer(), 0
        while not ended.is_set() or n == 0:
            producer.publish(*[dict(created("task%d" % task) if n == 0 else metric("task%d" % task, "x", n), n=n)
                               for task in range(TASKS)])
            n += 1
            ended.wait(0.02)
        self.last = producer.position

    def test_every_event_once_or_more_in_order(self):
        ended = threading.Event()
        loader = threading.Thread(target=self.load, args=(ended,))
        targets = {"hook": {"url": self.receiver.url(), "from": "beginning", "retry-max-ms": 30, "attempts": 1000000, "window": 64}}
        self.relay(targets).kill()
        loader.start()
        try:
            for _ in range(KILLS):
                relay = self.relay(targets, wait=False)
                time.sleep(self.random.random() * 0.4)
                relay.kill()
        finally:
            ended.set()
            loader.join()
        relay = self.relay(targets)
        relay.wait_status(lambda rows: rows["hook"]["lag_events"] == 0)
        self.assertEqual(self.wrong, [])
        self.assertEqual(sorted(self.seen), list(range(1, self.last + 1)))
        repeated = sum(self.seen.values()) - len(self.seen)
        print("%d kills, %d events, %d delivered again" % (KILLS, self.last, repeated))


if __name__ == "__main__":
    harness.main()
