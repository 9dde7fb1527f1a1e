#!/usr/bin/env python3
# test_client - the package against a real broker: publish, request, follow, with threads and asyncio
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import asyncio
import threading
import unittest

import harness
import stele_client as stele
from stele_client import aio


class PackageTest(harness.BrokerTest):

    def publisher(self, name=None, **options):
        publisher = stele.Publisher(name or self.name("producer"), self.broker.events, **options)
        self.addCleanup(publisher.close)
        return publisher

    def client(self):
        client = stele.Client(self.broker.requests, timeout=60)
        self.addCleanup(client.close)
        return client

    def follower(self, after, **options):
        follower = stele.Follower(after, feed=self.broker.feed, requests=self.broker.requests, **options)
        self.addCleanup(follower.close)
        return follower

    def life(self, task):
        return [stele.task_created(task, "A task", "What to do", "builder", metadata={"a": [1, None]}),
                stele.task_state_changed(task, "running"),
                stele.task_output_added(task, "stdout", b"\xff\x00"),
                stele.task_metric_recorded(task, "cost", 0.5, unit="usd"),
                stele.task_state_changed(task, "failed", error_message="no luck")]


class TestPublish(PackageTest):

    def test_published_events_are_durable_and_can_be_queried(self):
        task = self.name("task")
        position = self.publisher().publish(*self.life(task))
        client = self.client()
        self.assertGreaterEqual(client.ping(), position)
        record = client.task(task)
        self.assertEqual((record["state"], record["last_error"], record["metadata"]),
                         ("failed", "no luck", {"a": [1, None]}))
        self.assertEqual(client.task(task, at=position - 1)["state"], "running")
        self.assertEqual(client.status(task, min_position=position)["state"], "failed")
        self.assertEqual([row["state_to"] for row in client.history(task, limit=1)], ["queued", "running", "failed"])
        self.assertEqual([row["content"] for row in client.outputs(task)], [b"\xff\x00"])
        self.assertEqual([row["value"] for row in client.metrics(task)], [0.5])

    def test_refused_event_is_reported_and_the_others_are_stored(self):
        task = self.name("task")
        publisher = self.publisher()
        with self.assertRaises(stele.Refused) as caught:
            publisher.publish(*self.life(task), stele.task_state_changed(task, "running"))
        self.assertEqual(caught.exception.receipts[0].code, "illegal_transition")
        client = self.client()
        self.assertEqual(client.task(task)["state"], "failed")
        kept = [row for row in client.rejected(producer=self.name("producer"))]
        self.assertEqual([row["event"]["state"] for row in kept], ["running"])
        publisher.publish(stele.task_state_changed(task, "queued"))
        self.assertEqual(client.retry_rejected(kept[0]["id"])["accepted"], 1)

    def test_many_threads_share_a_publisher(self):
        publisher = self.publisher()
        before = self.client().ping()

        def work(number):
            for step in range(50):
                publisher.send(stele.task_created("%s-%d-%d" % (self.name("t"), number, step), "t", "", "r"))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        publisher.flush()
        self.assertEqual(self.client().ping() - before, 400)

    def test_sequences_continue_in_the_next_run(self):
        name = self.name("producer")
        for number in range(3):
            with stele.Publisher(name, self.broker.events) as publisher:
                receipt = publisher.send(stele.task_created("%s-%d" % (name, number), "t", "", "r")).result(60)
                self.assertEqual(receipt.sequence, number + 1)

    def test_newer_run_fences_the_older(self):
        name = self.name("producer")
        old = stele.Publisher(name, self.broker.events)
        old.publish(stele.task_created(name, "t", "", "r"))
        self.publisher(name).publish(stele.task_state_changed(name, "running"))
        with self.assertRaises(stele.Fenced):
            while True:
                old.publish(stele.task_state_changed(name, "paused"))
        old.close()

    def test_no_broker_is_a_timeout(self):
        publisher = stele.Publisher("p", "ipc://%s/no-broker" % self.folder)
        with self.assertRaises(stele.BrokerTimeout):
            publisher.publish(stele.task_updated("t", title="x"), timeout=0.2)
        with self.assertRaises(stele.BrokerTimeout):
            publisher.close(timeout=0.1)
        client = stele.Client("ipc://%s/no-broker" % self.folder, timeout=0.1)
        with self.assertRaises(stele.BrokerTimeout):
            client.ping()
        client.close()


class TestRestart(PackageTest):

    def test_events_survive_a_kill_of_the_broker_and_are_stored_once(self):
        name = self.name("producer")
        publisher = self.publisher(name)
        follower = self.follower(0)
        seen = []
        futures = []
        for turn in range(3):
            for step in range(200):
                futures.append(publisher.send(stele.task_created("%s-%d-%d" % (name, turn, step), "t", "", "r")))
            futures[-100].result(60)
            self.broker.kill()
            self.start_broker()
        publisher.flush(120)
        self.assertTrue(all(not future.result(0).refused for future in futures))
        for event in follower:
            seen.append(event)
            if len(seen) == 600:
                break
        self.assertEqual([event["position"] for event in seen], list(range(1, 601)))
        self.assertEqual([event["task_id"] for event in seen],
                         ["%s-%d-%d" % (name, turn, step) for turn in range(3) for step in range(200)])


class TestRequests(PackageTest):

    def test_lists_span_pages(self):
        role = self.name("role")
        self.publisher().publish(*[stele.task_created("%s-%d" % (role, n), "t", "", role) for n in range(25)])
        client = self.client()
        self.assertEqual([task["task_id"] for task in client.tasks(roles=role, order="created_asc", limit=10)],
                         ["%s-%d" % (role, n) for n in range(25)])
        self.assertEqual(client.count_tasks(roles=role), 25)

    def test_unknown_filter_is_reported(self):
        with self.assertRaisesRegex(TypeError, "no parameter statez, only .*states"):
            self.client().tasks(statez=["running"])

    def test_errors_have_their_classes(self):
        client = self.client()
        with self.assertRaises(stele.NotFound):
            client.task("unknown")
        with self.assertRaises(stele.RequestFailed) as caught:
            client.request("task.get", task_id=7)
        self.assertEqual((caught.exception.code, caught.exception.field), ("bad_request", "task_id"))
        self.assertEqual(client.request("ping")["ok"], True)

    def test_sessions_and_preferences(self):
        session = self.name("session")
        self.publisher().publish(
            stele.session_started(session, "bash", "cli", "/src"),
            stele.session_command_executed(session, "make", output="done", exit_code=0),
            stele.session_state_changed(session, "completed"),
            stele.preference_set(user_id=session, preferred_model="m"))
        client = self.client()
        self.assertEqual(client.session(session)["state"], "completed")
        self.assertEqual([row["command"] for row in client.commands(session)], ["make"])
        self.assertEqual(client.preferences(session)["preferred_model"], "m")
        self.assertIn(session, [row["session_id"] for row in client.sessions()])


class TestFollow(PackageTest):

    def test_follower_reads_past_events_and_then_new_ones(self):
        publisher = self.publisher()
        task = self.name("task")
        start = self.client().ping()
        publisher.publish(*self.life(task))
        follower = self.follower(start)
        events = iter(follower)
        first = [next(events) for _ in range(5)]
        publisher.publish(stele.task_state_changed(task, "queued"),
                          stele.task_output_added(task, "log", "x" * 100000))
        first += [next(events) for _ in range(2)]
        self.assertEqual([event["position"] for event in first], list(range(start + 1, start + 8)))
        self.assertEqual(len(first[-1]["content"]), 100000)
        self.assertEqual(follower.position, start + 7)

    def test_follower_filters_types(self):
        start = self.client().ping()
        publisher = self.publisher()
        publisher.publish(*self.life(self.name("task")))
        events = iter(self.follower(start, types=["task.state_changed"],
                                    keep=lambda event: event["state"] == "failed"))
        self.assertEqual(next(events)["position"], start + 5)

    def test_follower_of_one_task(self):
        start = self.client().ping()
        task = self.name("task")
        self.publisher().publish(*self.life(task + "0"), *self.life(task))
        events = iter(self.follower(start, task=task))
        self.assertEqual([next(events)["position"] for _ in range(5)], list(range(start + 6, start + 11)))

        async def first():
            async for event in aio.follow(start, task=task, feed=self.broker.feed, requests=self.broker.requests):
                return event

        self.assertEqual(asyncio.run(first())["position"], start + 6)


class TestAsyncio(PackageTest):

    def run_async(self, coroutine):
        return asyncio.run(asyncio.wait_for(coroutine, harness.PATIENCE))

    def test_publish_request_and_follow(self):
        task = self.name("task")

        async def main():
            async with aio.Publisher(self.name("producer"), self.broker.events) as publisher, \
                       aio.Client(self.broker.requests, timeout=60) as client:
                start = await client.ping()
                position = await publisher.publish(*self.life(task))
                self.assertEqual((await client.task(task))["state"], "failed")
                answers = await asyncio.gather(*[client.status(task, min_position=position) for _ in range(50)])
                self.assertEqual({answer["state"] for answer in answers}, {"failed"})
                self.assertEqual([row["state_to"] async for row in client.history(task, limit=1)],
                                 ["queued", "running", "failed"])
                with self.assertRaises(stele.NotFound):
                    await client.task("unknown")
                with self.assertRaises(stele.Refused):
                    await publisher.publish(stele.task_state_changed(task, "running"))
                seen = []
                async for event in aio.follow(start, feed=self.broker.feed, requests=self.broker.requests):
                    seen.append(event["position"])
                    if len(seen) == 5:
                        await publisher.publish(stele.task_state_changed(task, "queued"))
                    if len(seen) == 6:
                        break
                self.assertEqual(seen, list(range(start + 1, start + 7)))

        self.run_async(main())

    def test_restart_of_the_broker_is_survived(self):
        name = self.name("producer")

        async def main():
            async with aio.Publisher(name, self.broker.events) as publisher:
                start = await publisher.publish(stele.task_created(name, "t", "", "r"))
                futures = [await publisher.send(stele.task_updated(name, title=str(n))) for n in range(300)]
                await asyncio.to_thread(self.broker.kill)
                await asyncio.to_thread(self.start_broker)
                await publisher.flush(120)
                self.assertTrue(all(not future.result().refused for future in futures))
                return start

        start = self.run_async(main())
        titles = [event["title"] for event in self.read_events(start)]
        self.assertEqual(titles, [str(n) for n in range(300)])

    def test_no_broker_is_a_timeout(self):
        async def main():
            publisher = aio.Publisher("p", "ipc://%s/no-broker" % self.folder)
            with self.assertRaises(stele.BrokerTimeout):
                await publisher.publish(stele.task_updated("t", title="x"), timeout=0.2)
            with self.assertRaises(stele.BrokerTimeout):
                await publisher.close(timeout=0.1)

        self.run_async(main())


if __name__ == "__main__":
    harness.main()
