#!/usr/bin/env python3
# test_client - the package against a real broker: publish, request, follow, with threads and asyncio
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import asyncio
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import unittest
from datetime import datetime, timedelta, timezone

import harness
import stele_client as stele
import zmq
from stele_client import aio, trouble, wire


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

    def test_answers_have_typed_attributes(self):
        task = self.name("task")
        begin = datetime.now(timezone.utc)
        created = stele.task_created(task, "A task", "What to do", "builder", time=begin)
        self.publisher().publish(created, *self.life(task)[1:])
        client = self.client()
        record = client.task(task)
        self.assertEqual((record.state, record.title, record.attempt, record.interrupted, record.parent_id),
                         ("failed", "A task", 1, False, None))
        self.assertEqual((record.created_at, record["created_at"]), (begin, wire.microseconds(begin)))
        self.assertGreaterEqual(record.completed_at, begin)
        self.assertEqual([change.state_to for change in client.history(task)], ["queued", "running", "failed"])
        self.assertEqual([(metric.name, metric.value, metric.unit) for metric in client.metrics(task)], [("cost", 0.5, "usd")])
        event = next(iter(self.follower(record.position - 5, task=task)))
        self.assertEqual((event.type, event.time, event.position), ("task.created", begin, record.position - 4))

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
        self.assertEqual(next(client.audit(operation="rejected.retry"))["target"], str(kept[0]["id"]))

    def test_many_threads_share_a_publisher(self):
        publisher, role = self.publisher(), self.name("role")

        def work(number):
            for step in range(50):
                publisher.send(stele.task_created("%s-%d-%d" % (self.name("t"), number, step), "t", "", role))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        publisher.flush()
        self.assertEqual(self.client().count_tasks(roles=role), 400)

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

    def test_error_that_ended_the_run_is_raised_once(self):
        publisher = stele.Publisher(self.name("producer"), self.broker.events)
        publisher.ready()
        self.broker.signal(signal.SIGSTOP)
        self.addCleanup(self.broker.signal, signal.SIGCONT)
        outcome = publisher.send(stele.task_created(self.name("task"), "t", "", "r"))
        with publisher._changed:
            publisher._dialog.fail(stele.Fenced("fenced", "another instance"))
        with self.assertRaises(stele.Fenced):
            outcome.result(60)
        publisher.close()

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


class TestEnd(PackageTest):
    """What the end of a run means for its tasks, and for events that were refused."""

    def status(self):
        return self.ask("producer.get", producer=self.name("producer"))["producer"]["status"]

    def wait_left(self):
        harness.wait_until(lambda: self.status() == "left", "the goodbye")

    def run_that_ends(self, error=None, **close):
        task = self.name("task")
        publisher = stele.Publisher(self.name("producer"), self.broker.events)
        try:
            with publisher:
                publisher.publish(stele.task_created(task, "t", "", "r"), stele.task_state_changed(task, "running"))
                if error:
                    raise error
                if close:
                    publisher.close(**close)
        except (KeyboardInterrupt, RuntimeError):
            self.assertEqual(self.status(), "present")
        else:
            self.wait_left()
        self.publisher().ready(60)          # The next run
        return self.client().task(task)

    def test_exception_ends_the_run_as_a_crash(self):
        task = self.run_that_ends(RuntimeError("a bug"))
        self.assertEqual((task["state"], task.get("interrupted")), ("failed", True))

    def test_interrupt_ends_the_run_as_a_crash(self):
        task = self.run_that_ends(KeyboardInterrupt())
        self.assertEqual((task["state"], task.get("interrupted")), ("failed", True))

    def test_block_that_ends_normally_says_goodbye(self):
        self.run_that_ends()

    def test_close_may_keep_the_tasks(self):
        self.assertEqual(self.run_that_ends(keep=True)["state"], "running")

    def test_unacked_events_prevent_a_goodbye(self):
        publisher = stele.Publisher(self.name("producer"), self.broker.events)
        publisher.ready(60)
        self.broker.signal(signal.SIGSTOP)
        try:
            publisher.send(stele.task_updated(self.name("task"), title="x"))
            with self.assertRaises(stele.BrokerTimeout):
                publisher.close(timeout=0.1)
        finally:
            self.broker.signal(signal.SIGCONT)
        self.assertEqual(self.status(), "present")

    def refused(self, publisher):
        task = self.name("task")
        publisher.publish(stele.task_created(task, "t", "", "r", state="passed"))
        return publisher.send(stele.task_state_changed(task, "running"))

    def test_refused_event_is_raised_by_flush_once(self):
        publisher = self.publisher()
        self.refused(publisher)
        with self.assertRaises(stele.Refused) as caught:
            publisher.flush(60)
        receipt, = caught.exception.receipts
        self.assertEqual((receipt.code, receipt.event["task_id"]), ("illegal_transition", self.name("task")))
        self.assertIn("task.state_changed %s: illegal_transition: task is passed" % self.name("task"),
                      str(caught.exception))
        publisher.flush(60)

    def test_refused_event_is_raised_at_the_end_of_the_block(self):
        with self.assertRaises(stele.Refused):
            with stele.Publisher(self.name("producer"), self.broker.events) as publisher:
                self.refused(publisher)
        self.wait_left()

    def test_refused_event_whose_receipt_was_read_is_not_raised(self):
        publisher = self.publisher()
        self.assertTrue(self.refused(publisher).result(60).refused)
        publisher.flush(60)

    def test_refused_events_go_to_the_callback(self):
        seen = []
        with self.publisher(on_refused=seen.append) as publisher:
            self.refused(publisher)
        self.assertEqual([receipt.code for receipt in seen], ["illegal_transition"])

    def test_many_refusals_are_counted(self):
        publisher = self.publisher()
        self.refused(publisher)
        for _ in range(1500):
            publisher.send(stele.task_state_changed(self.name("task"), "running"))
        logging.getLogger("stele").setLevel(logging.ERROR)
        self.addCleanup(logging.getLogger("stele").setLevel, logging.NOTSET)
        with self.assertRaisesRegex(stele.Refused, "(?s)1501 events refused:.*and 1491 more$"):
            publisher.flush(60)

    def test_events_lost_by_a_fence_are_raised_at_the_end(self):
        router = zmq.Context.instance().socket(zmq.ROUTER)
        self.addCleanup(router.close)
        endpoint = "ipc://%s/fencing" % self.folder
        router.bind(endpoint)

        def answer(**message):
            peer, _ = router.recv_multipart()
            router.send_multipart([peer, wire.pack(message)])

        with self.assertRaises(stele.Fenced):
            with stele.Publisher("p", endpoint) as publisher:
                answer(op="welcome", protocol=1, ledger="L", sequence=0, window=9, max_bytes=4096, heartbeat_ms=1000)
                publisher.send(stele.task_updated("t", title="x"))
                answer(op="error", code="fenced", message="another run")

    def test_program_that_ends_with_unacked_events_reports_it(self):
        script = ("import stele_client as stele\n"
                  "stele.Publisher('p', 'ipc:///no/broker').send(stele.task_updated('t', title='x'))\n")
        done = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        self.assertIn(b"the program ends without close(), 1 event is not acked yet", done.stderr)


class TestNodes(PackageTest):
    """A list of two nodes: of the first, the client does not learn that it is connected."""

    def setUp(self):
        super().setUp()
        self.router = zmq.Context.instance().socket(zmq.ROUTER)
        self.addCleanup(self.router.close, 0)
        first = "ipc://%s/first" % self.folder
        self.router.bind(first)
        self.nodes = "%s,%s" % (first, self.broker.requests)
        self.event = stele.task_created(self.name("task"), "T", "", "r")

    def test_write_is_sent_to_one_node(self):
        with stele.Client(self.nodes, timeout=harness.PATIENCE) as client:
            client._watch.take = lambda frames: None
            self.assertEqual(client.publish(self.name("producer"), [self.event])["accepted"], 1)
        self.assertEqual(self.router.poll(0), 0)

    def test_write_is_sent_to_one_node_by_asyncio(self):
        async def publish():
            async with aio.Client(self.nodes, harness.PATIENCE) as client:
                client._watch.take = lambda frames: None
                return await client.publish(self.name("producer"), [self.event])
        self.assertEqual(asyncio.run(publish())["accepted"], 1)
        self.assertEqual(self.router.poll(0), 0)


class TestReady(PackageTest):

    def test_tasks_of_the_dead_run_are_interrupted_when_ready_returns(self):
        client = self.client()
        for turn in range(20):
            task = "%s-%d" % (self.name("task"), turn)
            dead = stele.Publisher(self.name("producer"), self.broker.events)
            dead.publish(stele.task_created(task, "t", "", "r"), stele.task_state_changed(task, "running"))
            dead._stop(False, False)        # As a crash
            with stele.Publisher(self.name("producer"), self.broker.events) as publisher:
                publisher.ready(60)
                self.assertEqual(client.task(task)["state"], "failed")

    def test_no_broker_is_a_timeout(self):
        with self.assertRaises(stele.BrokerTimeout):
            with stele.Publisher("p", "ipc://%s/no-broker" % self.folder) as publisher:
                publisher.ready(0.1)


class TestMisuse(PackageTest):

    def run_child(self, work):
        """Fork; returns what work() returns in the child, as text"""
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                text = work()
            except BaseException as error:
                text = "%s: %s" % (type(error).__name__, error)
            os.write(writable, text.encode())
            os._exit(0)
        os.close(writable)
        with open(readable) as answer:
            text = answer.read()
        os.waitpid(child, 0)
        return text

    def test_publisher_in_a_child_process_is_refused(self):
        publisher = self.publisher()
        publisher.publish(stele.task_created(self.name("task"), "t", "", "r"))
        for work in (lambda: publisher.send(stele.task_updated(self.name("task"), title="x")), publisher.flush,
                     publisher.ready, lambda: publisher.publish(stele.task_updated(self.name("task"), title="x"))):
            self.assertRegex(self.run_child(work), "^Forked: .*open a new Publisher in the child, with a producer name")
        self.assertEqual(self.run_child(lambda: publisher.close() or "closed"), "closed")
        publisher.publish(stele.task_updated(self.name("task"), title="of the parent"))

    def test_client_in_a_child_process_is_refused(self):
        client = self.client()
        client.ping()
        self.assertRegex(self.run_child(client.ping), "^Forked: .*open a new Client in the child")
        client.ping()

    def test_new_publisher_in_a_child_process_publishes(self):
        publisher = self.publisher()
        publisher.ready(60)

        def work():
            with stele.Publisher(self.name("child"), self.broker.events) as own:
                own.publish(stele.task_created(self.name("task"), "t", "", "r"), timeout=60)
            return "published"

        self.assertEqual(self.run_child(work), "published")
        self.assertEqual(self.client().task(self.name("task"))["state"], "queued")

    def test_endpoint_that_is_none_is_reported(self):
        for make in (stele.Client, lambda endpoint: stele.Publisher("p", endpoint),
                     lambda endpoint: stele.Follower(0, feed=endpoint)):
            with self.assertRaisesRegex(stele.InvalidEndpoint, "cannot connect to '127.0.0.1:5570'.*tcp://HOST:PORT"):
                make("127.0.0.1:5570")

    def test_closed_client_and_publisher_say_so(self):
        client = stele.Client(self.broker.requests)
        client.close()
        with self.assertRaisesRegex(stele.Closed, "client is closed"):
            client.ping()
        publisher = stele.Publisher(self.name("producer"), self.broker.events)
        publisher.close()
        with self.assertRaisesRegex(stele.Closed, "publisher is closed"):
            publisher.publish(stele.task_updated("t", title="x"))

    def test_socket_without_permission_is_reported(self):
        script = ("import os, stele_client as stele\n"
                  "os.geteuid() or os.setresuid(65534, 65534, 65534)\n"
                  "for ask in (lambda: stele.Client(%r).ping(),\n"
                  "            lambda: stele.Publisher('p', %r).ready(0.1),\n"
                  "            lambda: next(stele.follow(0, feed=%r))):\n"
                  "    try:\n"
                  "        ask()\n"
                  "    except stele.PermissionDenied as error:\n"
                  "        print(error)\n" % (self.broker.requests, self.broker.events, self.broker.feed))
        os.chmod(self.folder, 0o000)
        try:
            done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, timeout=harness.PATIENCE)
        finally:
            os.chmod(self.folder, 0o700)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(["permission denied for the socket %s/" % self.folder in line for line in lines], [True] * 3)


class TestTrouble(PackageTest):
    """Acks that do not come, while the broker knows the reason"""

    use_redis = False

    def hold_back(self):
        """Make the broker hold acks back, as it does while its disk is full"""
        ledger = sqlite3.connect(self.broker.ledger, isolation_level=None)
        self.addCleanup(ledger.close)
        ledger.execute("BEGIN IMMEDIATE")
        return ledger

    REASON = "the broker at ipc://.* is running, but holds acks back: .*It continues by itself"

    def wait_reason(self, wait):
        """The exception has the reason, if the broker tells it within a second."""
        def is_there():
            with self.assertRaises(stele.BrokerTimeout) as raised:
                wait()
            return re.search(self.REASON, str(raised.exception))
        harness.wait_until(is_there, "the reason of the broker")

    def test_reason_of_the_broker_is_in_the_exception(self):
        task = self.name("task")
        publisher = self.publisher(requests=self.broker.requests)
        publisher.ready(60)
        ledger = self.hold_back()
        publisher.send(stele.task_created(task, "t", "", "r"))
        harness.wait_until(lambda: self.ask("stats")["ingest"]["holding"], "the broker to hold acks back")
        for wait in (lambda: publisher.flush(1),
                     lambda: publisher.publish(stele.task_updated(task, title="x"), timeout=1)):
            self.wait_reason(wait)
        ledger.execute("ROLLBACK")
        publisher.flush(60)

    def test_reason_of_the_broker_is_in_the_exception_with_asyncio(self):
        async def main():
            async with aio.Publisher(self.name("p"), self.broker.events, requests=self.broker.requests) as publisher:
                await publisher.ready(60)
                ledger = self.hold_back()
                await publisher.send(stele.task_created(self.name("task"), "t", "", "r"))
                await asyncio.to_thread(harness.wait_until, lambda: self.ask("stats")["ingest"]["holding"])
                reason = None
                for _ in range(30):                 # The broker has a second to tell it
                    with self.assertRaises(stele.BrokerTimeout) as raised:
                        await publisher.flush(1)
                    reason = re.search(self.REASON, str(raised.exception))
                    if reason:
                        break
                self.assertTrue(reason, str(raised.exception))
                ledger.execute("ROLLBACK")
                await publisher.flush(60)

        asyncio.run(main())

    def test_broker_with_another_ledger_is_not_asked(self):
        self.assertEqual(trouble.reason(self.broker.requests, "another"), "is steled running there?")
        harness.wait_until(lambda: "reports no trouble" in trouble.reason(self.broker.requests, self.ask("info")["ledger"]),
                           "the answer of the broker, for which it has a second")
        self.assertEqual(trouble.reason("no endpoint", None), "is steled running there?")


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
        with self.assertRaisesRegex(TypeError, "no parameter statez .did you mean states.., only .*states"):
            self.client().tasks(statez=["running"])

    def test_series_have_what_happened(self):
        client, before = self.client(), datetime.now(timezone.utc) - timedelta(hours=1)
        position = self.publisher().publish(*self.life(self.name("task")))
        harness.wait_until(lambda: client.series()["folded"] >= position, "the counts to be complete")
        answer = client.series(by="role", **{"from": before})
        self.assertGreaterEqual(sum(one["total"]["failed"] for one in answer["series"]), 1)
        with self.assertRaises(stele.RequestFailed):
            client.series(step="week")

    def test_statuses_of_many_tasks(self):
        names = ["%s-%d" % (self.name("task"), n) for n in range(600)]
        position = self.publisher().publish(*[stele.task_created(name, "t", "", "r") for name in names])
        found = self.client().statuses(names + ["unknown"] + names[:3], min_position=position)
        self.assertEqual(list(found), names + ["unknown"])
        self.assertIsNone(found["unknown"])
        self.assertEqual({task.state for name, task in found.items() if name != "unknown"}, {"queued"})
        self.assertEqual(found[names[-1]].task_id, names[-1])
        self.assertEqual(self.client().statuses([]), {})

    def test_storage_has_tables_and_days(self):
        answer = self.client().storage(days=3)
        self.assertIn("task_history", [table["name"] for table in answer["tables"]])
        self.assertEqual(len(answer["days"]), 3)

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
                statuses = await client.statuses([task, "unknown"])
                self.assertEqual((statuses[task].state, statuses["unknown"]), ("failed", None))
                self.assertEqual(len((await client.storage(days=2))["days"]), 2)
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

    def test_exception_ends_the_run_as_a_crash(self):
        task = self.name("task")

        async def main(error):
            async with aio.Publisher(self.name("p"), self.broker.events) as publisher:
                await publisher.ready(60)
                await publisher.publish(stele.task_created(task, "t", "", "r"), stele.task_state_changed(task, "running"))
                raise error

        async def next_run():
            async with aio.Publisher(self.name("p"), self.broker.events) as publisher:
                await publisher.ready(60)

        with self.assertRaises(RuntimeError):
            self.run_async(main(RuntimeError("a bug")))
        self.assertEqual(self.ask("producer.get", producer=self.name("p"))["producer"]["status"], "present")
        self.run_async(next_run())
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "failed")

    def test_refused_event_is_raised_unless_its_receipt_was_read(self):
        task = self.name("task")

        async def main():
            publisher = aio.Publisher(self.name("p"), self.broker.events)
            await publisher.publish(stele.task_created(task, "t", "", "r", state="passed"))
            refused = stele.task_state_changed(task, "running")
            self.assertTrue((await (await publisher.send(refused))).refused)
            receipts = await asyncio.gather(*[await publisher.send(refused) for _ in range(3)])
            self.assertEqual([receipt.refused for receipt in receipts], [True] * 3)
            await publisher.flush(60)
            await publisher.send(refused)
            with self.assertRaises(stele.Refused):
                await publisher.close(60)

        self.run_async(main())

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
