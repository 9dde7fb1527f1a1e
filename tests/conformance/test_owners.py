# Owners of tasks, and whether they are alive (protocol section 4)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import sqlite3
import time

import client
import harness
from client import changed, created, output

AHEAD = 4081312800 * 1000000            # 2099-05-01


class Owners:
    settings = {"lease-grace": 300}

    def start(self, name, *events, **hello):
        peer = self.producer(name, **hello)
        self.visible(peer.publish(*events))
        return peer

    def visible(self, position):
        if self.use_redis:
            self.redis.wait_position(position)

    def task(self, task_id, **keys):
        return self.ask("task.get", task_id=task_id, **keys)["task"]

    def ids(self, **keys):
        return [task["task_id"] for task in self.ask("task.list", **keys)["tasks"]]

    def test_answers_name_the_producer_and_its_last_sign_of_life(self):
        task, name = self.name("task"), self.name("producer")
        before = time.time() * 1000000
        peer = self.start(name, created(task), changed(task, "running"), lease_ms=60000)
        for op in ("task.status", "task.get"):
            answer = self.ask(op, task_id=task)
            self.assertEqual(answer["task"]["producer"], name)
            owner = answer["owner"]
            self.assertEqual((owner["producer"], owner["status"], owner["instance"], owner["lease_ms"]),
                             (name, "present", peer.instance, 60000))
            self.assertIn(owner["silent_ms"], range(0, 60000))
            self.assertTrue(before <= answer["heard_at"] <= time.time() * 1000000)
        if self.use_redis:
            self.assertEqual(self.live_status(task)["owner"]["producer"], name)
            self.assertEqual(self.redis.text_hash("{stele}:task:" + task)["producer"], name)
        self.assertEqual({row["producer"] for row in self.ask("task.list", producers=name)["tasks"]}, {name})
        peer.send({"op": "goodbye"})
        harness.wait_until(lambda: self.ask("task.status", task_id=task)["owner"]["status"] == "left", "the goodbye")

    def test_people_see_whether_the_owner_lives(self):
        with_lease, without, name = self.name("with"), self.name("without"), self.name("producer")
        self.start(name, created(with_lease), changed(with_lease, "running"), lease_ms=60000)
        self.start(name + "-2", created(without), changed(without, "running")).close()
        for command in ("status", "get", "show", "history"):
            text = self.stele(command, with_lease).decode()
            self.assertIn(name, text)
            self.assertRegex(text, "last heard .* ago, lease 1m 00s")
            self.assertRegex(self.stele(command, without).decode(),
                             "silent for .*, no lease: it may be dead")
        self.assertRegex(self.stele("list").decode(), "PRODUCER(?s:.)*" + name)
        #   It becomes silent: it is not called present any more
        harness.wait_until(lambda: self.ask("task.status", task_id=without)["owner"]["silent_ms"] > 1000, "its silence")
        for text in (self.stele("stats").decode(), self.stele("stats", "--producer", name + "-2").decode()):
            self.assertRegex(text, "silent")
        self.assertNotIn("present", self.stele("stats", "--producer", name + "-2").decode())
        harness.wait_until(lambda: without in self.stele("stuck", "--silent", "1").decode(), "the stuck task")
        rows = self.stele("stuck", "--silent", "1").decode().splitlines()
        self.assertIn("silent", [row for row in rows if row.startswith(without)][0].split())

    def test_lease_that_ran_out_is_told_with_the_task(self):
        task, name = self.name("task"), self.name("producer")
        self.start(name, created(task), changed(task, "running"), lease_ms=100)
        harness.wait_until(lambda: self.task(task)["state"] == "failed", "the interruption")
        answer = self.ask("task.get", task_id=task)
        self.assertEqual((answer["task"]["producer"], answer["owner"]["status"]), (name, "expired"))
        self.assertEqual(self.ids(producers=name, interrupted=True), [task])
        self.assertEqual(self.ids(producers=name, interrupted=False), [])
        self.assertEqual(self.ids(producers=name, interrupted=True, at=answer["position"] - 1), [])
        self.assertIn(task, self.stele("list", "--producer", name, "--interrupted").decode())

    def test_tasks_of_no_producer_name_none(self):
        task = self.name("task")
        self.start(self.name("import"), created(task), changed(task, "running"), restore=True)
        for op in ("task.status", "task.get"):
            answer = self.ask(op, task_id=task)
            self.assertNotIn("producer", answer["task"])
            self.assertNotIn("owner", answer)

    def test_earlier_owners(self):
        task, name = self.name("task"), self.name("producer")
        first = self.producer(name + "-1").publish(created(task))
        self.producer(name + "-2").publish(changed(task, "running"))
        second = self.producer(name + "-3").publish(output(task, "it only reports"))
        third = self.producer(name + "-3").publish(changed(task, "passed"))
        for at, owner in ((first, "-1"), (second, "-2"), (third, "-3")):
            self.assertEqual(self.task(task, at=at)["producer"], name + owner)
            for number in "-1", "-2", "-3":
                found = self.ask("task.list", producers=[name + number], at=at, total=True)
                self.assertEqual(([row["task_id"] for row in found["tasks"]], found["total"]),
                                 (([task], 1) if number == owner else ([], 0)))
                self.assertEqual(self.ids(producers=name + number, at=at, search=task), [task] * (number == owner))

    def test_wrong_clock_of_a_producer_hides_no_stuck_task(self):
        ahead, behind, name = self.name("ahead"), self.name("behind"), self.name("producer")
        self.start(name, created(ahead, time=AHEAD), changed(ahead, "running", time=AHEAD),
                   created(behind, time=1000000), changed(behind, "running", time=1000000))
        self.assertFalse({ahead, behind} & {row["task_id"] for row in self.ask("task.stuck", silent_s=600)["tasks"]})
        def stuck():
            answer = self.ask("task.stuck", silent_s=1, limit=1000)
            return {row["task_id"]: row for row in answer["tasks"]}, answer
        harness.wait_until(lambda: {ahead, behind} <= stuck()[0].keys(), "both tasks to be stuck")
        rows, answer = stuck()
        self.assertEqual(rows[ahead]["updated_at"], AHEAD)
        self.assertLess(rows[ahead]["heard_at"], time.time() * 1000000)
        self.assertIn(name, [owner["producer"] for owner in answer["producers"]])
        text = self.stele("stuck", "--silent", "1").decode()
        self.assertNotIn("-", [row for row in text.splitlines() if row.startswith(ahead)][0].split()[1])


class WithRedis(Owners, harness.BrokerTest):
    pass


class WithoutRedis(Owners, harness.BrokerTest):
    use_redis = False


class Many(harness.BrokerTest):
    use_redis = False

    def test_statistics_list_the_present_ones_first_and_count_all(self):
        peer = self.dealer()
        for number in range(1100):
            peer.send({"op": "hello", "protocol": 1, "producer": "cron-%d" % number, "instance": "i"})
            peer.expect("welcome")
            peer.send({"op": "publish", "sequence": 1, "events": [created("cron-task-%d" % number)]})
            peer.send({"op": "goodbye"})
        peer.send({"op": "ping"})
        self.assertEqual(peer.expect("error")["code"], "no_hello")       # The last one has left, too
        live = self.producer("the-live-one")
        live.publish(created("live"))
        stats = self.ask("stats")
        names = [producer["producer"] for producer in stats["producers"]]
        self.assertEqual((len(names), stats["producers_total"]), (1000, 1101))
        self.assertEqual((names[0], names[1]), ("the-live-one", "cron-1099"))
        self.assertEqual(names[1:], ["cron-%d" % (1100 - number) for number in range(1, 1000)])
        text = self.stele("stats").decode()
        self.assertIn("the-live-one", text)
        self.assertIn("not shown: 1,081 producers", text)
        self.assertIn("cron-3", self.stele("stats", "--producer", "cron-3").decode())
        self.assertRegex(self.stele("stats", "--producer", "cron-3").decode(), "left")


class Restarted(harness.BrokerTest):
    use_redis = False

    def test_order_after_a_restart(self):
        self.producer("restart-present").publish(created("one"))
        gone = self.producer("restart-gone")
        gone.publish(created("two"))
        gone.send({"op": "goodbye"})
        harness.wait_until(lambda: self.ask("producer.get", producer="restart-gone")["producer"]["status"] == "left",
                           "the goodbye")
        self.broker.stop()
        self.start_broker()
        self._asker.close()
        names = [producer["producer"] for producer in self.ask("stats")["producers"]]
        self.assertLess(names.index("restart-present"), names.index("restart-gone"))
        self.assertIsNone(self.ask("task.get", task_id="one")["owner"]["silent_ms"])
        self.assertRegex(self.stele("get", "one").decode(), "not heard since the broker was started")


class Gone(harness.BrokerTest):
    use_redis = False

    def names(self):
        stats = self.ask("stats")
        return sorted(producer["producer"] for producer in stats["producers"]), stats["producers_total"]

    def leave(self, name, *events, **hello):
        """A run with an invented name, which says goodbye."""
        peer = self.producer(name, anonymous=True, **hello)
        peer.publish(*events)
        peer.send({"op": "goodbye"})
        peer.send({"op": "ping"})
        self.assertEqual(peer.expect("error")["code"], "no_hello")

    def again(self):
        self.assertEqual(self.broker.stop(), 0)
        self.clients.close()
        self.clients = client.Clients()
        self.addCleanup(self.clients.close)
        del self._asker
        self.start_broker()

    def test_an_invented_name_leaves_but_not_its_sequence(self):
        self.leave("invented-gone", created("t1"), created("t2"))
        self.leave("invented-owner", created("t3"), changed("t3", "running"))
        self.leave("invented-lease", created("t4"), changed("t4", "running"), lease_ms=60000)
        crashed = self.producer("invented-crashed", anonymous=True, lease_ms=1000)
        crashed.publish(created("t5"), changed("t5", "running"))
        self.producer("named").publish(created("t6"))
        self.stele("publish", input=b'{"type":"task.created","task_id":"t7","title":"t","description":"","role":"r"}')
        harness.wait_until(lambda: "invented-crashed" not in self.names()[0], "the end of its lease")
        self.assertEqual(self.ask("task.get", task_id="t5")["task"]["state"], "failed")
        self.assertEqual([name for name in self.names()[0] if name not in ("old-owner", "recent")],
                         ["invented-lease", "invented-owner", "named"])
        for _ in range(2):
            answer = self.ask("producer.get", producer="invented-gone")["producer"]
            self.assertEqual((answer["sequence"], answer["status"]), (2, "left"))
            self.assertEqual(self.refused("producer.get", producer="never")["code"], "not_found")
            #   What it sends again is a duplicate, and the next sequence is the next one
            head = self.ask("ping")["position"]
            peer = self.producer("invented-gone", anonymous=True)
            self.assertEqual(peer.welcome["sequence"], 2)
            peer.send({"op": "publish", "sequence": 1, "events": [created("t1"), created("t2")]})
            self.assertEqual(peer.expect("ack")["sequence"], 2)
            self.assertEqual(self.ask("ping")["position"], head)
            self.assertIn("invented-gone", self.names()[0])
            peer.send({"op": "goodbye"})
            harness.wait_until(lambda: "invented-gone" not in self.names()[0], "it to leave")
            request = {"producer": "invented-gone", "sequence": 1, "events": [created("t1")]}
            self.assertEqual(self.ask("publish", **request)["sequence"], 2)
            self.assertEqual(self.ask("ping")["position"], head)
            self.again()
        self.assertNotIn("invented-gone", self.names()[0])
        #   The old run of another connection sends hello again, and goes on
        crashed = self.producer("invented-crashed", instance=crashed.instance, anonymous=True)
        self.assertEqual(crashed.welcome["sequence"], 2)
        crashed.publish(changed("t5", "passed"))

    def test_a_name_that_was_not_heard_for_a_month_is_only_counted(self):
        for name in "old-idle", "old-owner", "recent":
            peer = self.producer(name)
            peer.publish(created(name), changed(name, "running" if name == "old-owner" else "queued"))
            peer.send({"op": "goodbye", "keep": True})
            peer.send({"op": "ping"})
            peer.expect("error")
        total = self.names()[1]
        self.assertEqual(self.broker.stop(), 0)
        file = sqlite3.connect(self.broker.ledger)
        file.execute("UPDATE producer_rows SET last_seen_at = last_seen_at - ? WHERE name LIKE 'old-%'", (31 * 86400 * 1000000,))
        file.commit()
        file.close()
        self.start_broker()
        names, count = self.names()
        self.assertEqual((set(names) & {"old-idle", "old-owner", "recent"}, count), ({"old-owner", "recent"}, total))
        self.assertEqual(self.ask("producer.get", producer="old-idle")["producer"]["sequence"], 2)


if __name__ == "__main__":
    harness.main()
