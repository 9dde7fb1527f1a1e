# Requests task.status that wait together: one worker answers several, with one question to Redis
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import zmq

import harness
from client import Peer, changed, created, pack, unpack

COUNT = 200                         # More than the workers take at once, in several rounds


class Together(harness.BrokerTest):
    settings = {"workers": "1"}

    def ask_all(self, requests):
        """Send all requests at once; their answers in the order of the requests."""
        peer = self.clients.keep(Peer(self.clients.context, zmq.DEALER, self.broker.requests))
        for number, request in enumerate(requests):
            peer.socket.send_multipart([b"%d" % number, b"", pack(request)])
        answers = {}
        while len(answers) < len(requests):
            number, empty, answer = peer.receive_frames()
            self.assertNotIn(int(number), answers)
            answers[int(number)] = unpack(answer)
        peer.close()
        return [answers[number] for number in range(len(requests))]

    def ask_all_live(self, requests):
        """The same, again until each status comes from Redis: a Redis that is slow for a moment is not asked for a second."""
        return harness.wait_until(lambda: [answers for answers in [self.ask_all(requests)] if {
            answer["source"] for request, answer in zip(requests, answers) if request["op"] == "task.status" and answer["ok"]} == {"redis"}],
            "all answers from Redis")[0]

    def status(self, task, **keys):
        return dict({"op": "task.status", "task_id": task}, **keys)

    def publish(self, *events):
        position = self.producer().publish(*events)
        self.redis.wait_position(position)
        return position

    def test_each_gets_its_own_answer(self):
        names = [self.name("task-%d" % number) for number in range(COUNT)]
        position = self.publish(*[created(name, title=name) for name in names])
        requests = [self.status(name, min_position=position) for name in names]
        requests[10:10] = [self.status("none"), self.status(""), self.status("x" * 300), {"op": "ping"}, self.status(names[0]),
                           self.status(names[0]), {"op": "task.get", "task_id": names[1]}]
        answers = self.ask_all_live(requests)
        for request, answer in zip(requests, answers):
            name = request.get("task_id")
            if name in names:
                self.assertEqual(answer["task"]["task_id"], name)
                self.assertEqual(answer["task"], self.ask(request["op"], task_id=name)["task"])
        self.assertEqual([answers[number].get("error", {}).get("code") for number in range(10, 14)],
                         ["not_found", "bad_request", "bad_request", None])

    def test_a_later_state_is_seen_by_later_requests(self):
        name = self.name("task")
        for state in ("running", "passed"):
            self.publish(*([created(name)] if state == "running" else []), changed(name, state))
            for answer in self.ask_all_live([self.status(name)] * 40):
                self.assertEqual(answer["task"]["state"], state)

    def test_records_of_other_users_stay_hidden(self):
        tasks = {user: self.name(user) for user in ("ann", "bob")}
        self.publish(*[created(task, user_id=user) for user, task in tasks.items()])
        actors = {user: {"name": user, "roles": ["query"], "users": [user]} for user in tasks}
        asked = [(user, owner) for _ in range(20) for user in tasks for owner in tasks]
        for (user, owner), answer in zip(asked, self.ask_all([self.status(tasks[owner], actor=actors[user]) for user, owner in asked])):
            if user == owner:
                self.assertEqual(answer["task"]["task_id"], tasks[owner])
            else:
                self.assertEqual(answer["error"]["code"], "not_found")

    def test_users_of_earlier_requests_are_not_looked_at(self):
        task = self.name("task")
        self.publish(created(task, user_id="ann"))
        actor = {"name": "ann", "roles": ["query"], "users": ["ann"]}
        #   Each request is larger than all before it: its memory is mapped, and gone when it is freed
        sizes = range(140000, 1000000, 7000)
        for first in range(0, len(sizes), 40):
            requests = [self.status(task, actor=actor, more="x" * size) for size in sizes[first:first + 40]]
            for answer in self.ask_all(requests):
                self.assertEqual(answer["task"]["task_id"], task)

    def test_without_redis_the_ledger_answers_all(self):
        names = [self.name("task-%d" % number) for number in range(COUNT)]
        self.publish(*[created(name) for name in names])
        self.ask("task.status", task_id=names[0])
        self.redis.kill()
        try:
            answers = self.ask_all([self.status(name) for name in names])
        finally:
            self.redis.start()
        self.assertEqual([(answer["task"]["task_id"], answer["source"]) for answer in answers], [(name, "sqlite") for name in names])


if __name__ == "__main__":
    harness.main()
