# task.list: filters, order, pages (protocol section 4)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import harness
from client import changed, created

STATES = ("queued", "running", "passed", "failed", "paused")
#   The ledger stores the form of the second one as 16 bytes
PARENTS = ("parent-0", "550e79d1-5b22-48da-8389-3a672afc2400")
DAY = 86400 * 1000000
BASE = 1767225600 * 1000000             # 2026-01-01T00:00:00Z


class Lists(harness.BrokerTest):
    use_redis = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from client import Clients
        clients = Clients()
        cls.addClassCleanup(clients.close)
        peer = clients.producer(cls.broker.events, "lists")
        cls.tasks = []
        for number in range(60):
            record = {"task_id": "task-%02d" % number, "created_at": BASE + (number // 2) * DAY,
                      "state": STATES[number % 5], "role": ("builder", "tester", "writer")[number % 3],
                      "user_id": ("ann", "bob")[number % 2]}
            if number % 4:
                record["provider"] = ("p1", "p2", "p3")[number % 4 - 1]
            if number % 3:
                record["model"] = ("m1", "m2")[number % 3 - 1]
            if number % 7 == 0:
                record["parent_id"] = PARENTS[number % 2]
            event = created(record["task_id"], time=record["created_at"], role=record["role"],
                            user_id=record["user_id"])
            event.update({key: record[key] for key in ("provider", "model", "parent_id") if key in record})
            record["updated_at"] = BASE + (100 - number) * DAY
            peer.publish(event, changed(record["task_id"], record["state"], time=record["updated_at"]))
            if record["state"] in ("passed", "failed"):
                record["completed_at"] = record["updated_at"]
            cls.tasks.append(record)

    def ids(self, **keys):
        keys.setdefault("limit", 1000)
        return [task["task_id"] for task in self.ask("task.list", **keys)["tasks"]]

    def expect(self, condition, **keys):
        wanted = {task["task_id"] for task in self.tasks if condition(task)}
        self.assertTrue(wanted)
        got = self.ids(**keys)
        self.assertEqual(len(got), len(set(got)))
        self.assertEqual(set(got), wanted, keys)

    def test_all(self):
        self.expect(lambda task: True)

    def test_records_are_whole(self):
        record = self.ask("task.list", limit=1)["tasks"][0]
        self.assertEqual(record, self.ask("task.get", task_id=record["task_id"])["task"])

    def test_states(self):
        self.expect(lambda task: task["state"] == "running", states=["running"])
        self.expect(lambda task: task["state"] in ("passed", "paused"), states=["passed", "paused"])

    def test_roles_providers_models(self):
        self.expect(lambda task: task["role"] in ("tester", "writer"), roles=["tester", "writer"])
        self.expect(lambda task: task.get("provider") == "p2", providers=["p2"])
        self.expect(lambda task: task.get("model") in ("m1", "m2"), models=["m1", "m2", "m3"])
        self.assertEqual(self.ids(roles=["no such role"]), [])

    def test_user_and_parent(self):
        self.expect(lambda task: task["user_id"] == "bob", user_id="bob")
        for parent in PARENTS:
            self.expect(lambda task: task.get("parent_id") == parent, parent_id=parent)
            self.expect(lambda task: task.get("parent_id") == parent and task["state"] != "paused", parent_id=parent,
                        states=[state for state in STATES if state != "paused"])
        self.assertEqual(self.ids(parent_id="no such parent"), [])

    def test_dates(self):
        start, end = BASE + 5 * DAY, BASE + 9 * DAY
        self.expect(lambda task: start <= task["created_at"] <= end, date_from=start, date_to=end)
        self.expect(lambda task: task["created_at"] >= start, date_from="2026-01-06T00:00:00Z")

    def test_filters_together(self):
        self.expect(lambda task: task["state"] == "failed" and task["role"] == "builder"
                    and task["user_id"] == "bob" and task["created_at"] >= BASE + DAY,
                    states=["failed"], roles=["builder"], user_id="bob", date_from=BASE + DAY)

    def test_default_order_is_newest_first(self):
        times = [task["created_at"] for task in self.ask("task.list", limit=1000)["tasks"]]
        self.assertEqual(times, sorted(times, reverse=True))

    def test_orders(self):
        for key in ("created", "updated", "completed"):
            for way in ("asc", "desc"):
                records = self.ask("task.list", limit=1000, order="%s_%s" % (key, way),
                                   states=["passed", "failed"])["tasks"]
                self.assertEqual(len(records), 24)
                times = [record[key + "_at"] for record in records]
                self.assertEqual(times, sorted(times, reverse=way == "desc"), key)

    def test_one_word_instead_of_a_list(self):
        self.expect(lambda task: task["state"] == "running" and task["role"] == "tester",
                    states="running", roles="tester")

    def test_default_limit_is_100_and_the_largest_1000(self):
        self.assertEqual(len(self.ask("task.list", limit=7)["tasks"]), 7)
        self.assertEqual(self.ask("info")["limits"]["list_limit"], 1000)

    def test_total(self):
        answer = self.ask("task.list", states=["running"], limit=3, total=True)
        self.assertEqual((len(answer["tasks"]), answer["total"]), (3, 12))
        self.assertNotIn("total", self.ask("task.list", limit=3))

    def test_total_is_what_the_pages_hold(self):
        """In every order; also of searches for text that most tasks contain, which use no index."""
        for keys in ({}, {"roles": "tester"}, {"user_id": "ann"}, {"states": "running"}, {"search": "t"},
                     {"search": "ta"}, {"search": "task"}, {"search": "ta", "states": "passed"}):
            for order in ("created_desc", "updated_asc", "completed_desc", "completed_asc"):
                whole = self.ids(order=order, **keys)
                answer = self.ask("task.list", limit=3, order=order, total=True, **keys)
                self.assertEqual((answer["total"], answer.get("total_complete", True)),
                                 (len(whole), True), (order, keys))
                self.assertGreater(len(whole), 0 if keys != {"states": "running"} else -1, (order, keys))

    def test_cursor_walks_through_all_once(self):
        for keys in ({}, {"states": ["queued", "failed"]}, {"user_id": "ann"},
                     {"order": "updated_asc"}, {"order": "created_asc", "states": "passed"}):
            seen, cursor = [], None
            while True:
                more = {} if cursor is None else {"cursor": cursor}
                answer = self.ask("task.list", limit=7, **keys, **more)
                seen += [task["task_id"] for task in answer["tasks"]]
                cursor = answer["next"]
                if cursor is None:
                    break
                self.assertEqual(len(answer["tasks"]), 7)
            self.assertEqual(seen, self.ids(**keys))

    def test_cursor_is_not_disturbed_by_new_tasks(self):
        first = self.ask("task.list", limit=10, user_id="ann")
        self.producer().publish(created("later", user_id="someone"))
        second = self.ask("task.list", limit=10, user_id="ann", cursor=first["next"])
        got = [task["task_id"] for task in first["tasks"] + second["tasks"]]
        self.assertEqual(got, self.ids(user_id="ann")[:20])
        self.tasks.append({"task_id": "later", "state": "queued", "role": "builder",
                           "user_id": "someone", "created_at": self.ask(
                               "task.get", task_id="later")["task"]["created_at"]})

    def test_offset(self):
        everything = self.ids(user_id="bob")
        self.assertEqual(self.ids(user_id="bob", limit=5, offset=10), everything[10:15])
        self.assertEqual(self.ids(user_id="bob", limit=5, offset=1000), [])


if __name__ == "__main__":
    harness.main()
