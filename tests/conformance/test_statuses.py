# Request task.statuses: the live records of many tasks at once (protocol section 4)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import harness
from client import changed, created

MOST = 500


class Statuses(harness.BrokerTest):
    settings = {"message-bytes": "200000"}

    def publish(self, *events):
        position = self.producer().publish(*events)
        self.redis.wait_position(position)
        return position

    def statuses(self, *tasks, **keys):
        return self.ask("task.statuses", task_ids=list(tasks), **keys)["statuses"]

    def without_times(self, status):
        """A status without how long its producer is silent, which grows."""
        owner = {key: value for key, value in status.get("owner", {}).items() if key != "silent_ms"}
        return dict({key: status[key] for key in status if key not in ("ok", "position", "task_id")}, owner=owner)

    def test_each_is_what_task_status_answers_in_the_order_of_the_request(self):
        names = [self.name("task-%d" % number) for number in range(5)]
        self.publish(*[created(name, title=name) for name in names], changed(names[1], "running"), changed(names[2], "passed"))
        wanted = [names[3], names[1], "none", names[2], names[3]]

        #   If Redis does not answer in 50 ms, the ledger does
        def of_redis(request):
            return harness.wait_until(lambda: [answer for answer in [request()] if {one["source"] for one in answer if "error" not in one}
                                               == {"redis"}], "an answer from Redis")[0]
        answer = of_redis(lambda: self.statuses(*wanted))
        self.assertEqual([one["task_id"] for one in answer], wanted)
        for task, status in zip(wanted, answer):
            if task == "none":
                self.assertEqual(status, {"task_id": "none", "error": self.refused("task.status", task_id="none")})
            else:
                one, = of_redis(lambda: [self.ask("task.status", task_id=task)])
                self.assertEqual(self.without_times(status), self.without_times(one))

    def test_as_many_as_allowed_are_answered_and_more_refused(self):
        names = [self.name("task-%d" % number) for number in range(MOST)]
        position = self.producer().publish(*[created(name, title="") for name in names])
        answer = self.statuses(*names, min_position=position)
        self.assertEqual([one["task_id"] for one in answer], names)
        found = [one["task"]["task_id"] for one in answer if "task" in one]
        self.assertEqual(found, names[:len(found)])
        for wrong in (names + ["more"], []):
            error = self.refused("task.statuses", task_ids=wrong)
            self.assertEqual((error["code"], error["field"]), ("bad_request", "task_ids"))
            self.assertIn("1 to %d" % MOST, error["message"])
        for wrong in ([""], ["x" * 256], [1], [names[0], None], [["x"]], "x", {"x": 1}):
            error = self.refused("task.statuses", task_ids=wrong)
            self.assertEqual((error["code"], error["field"]), ("bad_request", "task_ids"), wrong)

    def test_what_does_not_fit_is_named_and_comes_when_it_is_requested_again(self):
        names = [self.name("task-%d" % number) for number in range(8)]
        for name in names:
            self.publish(created(name, branch="x" * 50000))
        left, found = names, []
        while left:
            answer = self.statuses(*left)
            self.assertIn("task", answer[0])
            found += [one["task"]["task_id"] for one in answer if "task" in one]
            self.assertEqual({one["error"]["code"] for one in answer if "error" in one} - {"too_large"}, set())
            left = [one["task_id"] for one in answer if "error" in one]
        self.assertEqual(sorted(found), names)
        #   Alone, it comes whatever its size
        self.publish(changed(names[0], "running"))
        self.assertEqual(self.statuses(names[0])[0]["task"]["state"], "running")

    def test_of_tasks_of_other_users_it_is_as_if_there_were_none(self):
        mine, other = "of-ann", "of-bob"
        self.publish(created(mine, user_id="ann"), created(other, user_id="bob"))
        ann = {"name": "ann", "roles": ["query"], "users": ["ann"]}
        answer = self.statuses(mine, other, "none", actor=ann)
        self.assertEqual(answer[0]["task"]["task_id"], mine)
        self.assertEqual(answer[2]["error"]["code"], "not_found")
        self.assertEqual(answer[1], {"task_id": other, "error": dict(answer[2]["error"], message=answer[2]["error"]["message"].replace("none", other))})
        nobody = {"name": "nobody", "roles": ["metrics"]}
        self.assertEqual(self.refused("task.statuses", task_ids=[mine], actor=nobody)["code"], "unauthorized")

    def test_without_redis_the_ledger_answers(self):
        names = [self.name("task-%d" % number) for number in range(20)]
        self.publish(*[created(name) for name in names])
        self.redis.kill()
        try:
            answer = self.statuses(*names)
        finally:
            self.redis.start()
        self.assertEqual([(one["task"]["task_id"], one["source"]) for one in answer], [(name, "sqlite") for name in names])


if __name__ == "__main__":
    harness.main()
