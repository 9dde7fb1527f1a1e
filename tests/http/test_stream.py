# Streams of events (Server-Sent Events): complete, in order, over every interruption
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import random
import signal
import socket
import threading
import time
import unittest

import harness
import web
from client import created


class Streams(web.WebTest):
    def publish(self, count, name=None, **more):
        """Publish that many events; returns the position of the last one."""
        events = [dict({"type": "task.created", "task_id": "%s-%s" % (name or self.name("t"), self.number()), "title": "t",
                        "description": "", "role": "r"}, **more) for _ in range(count)]
        return self.post("/v1/events", {"producer": self.name("p"), "events": events}).json()["position"]

    def number(self):
        self.count = getattr(self, "count", 0) + 1
        return self.count

    def stream(self, path="/v1/stream", last=None):
        stream = web.Stream(self.http.port, path, last)
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 200)
        return stream

    def expect(self, stream, event="message"):
        message = stream.next()
        self.assertIsNotNone(message, "the stream ended")
        self.assertEqual(message[0], event, message)
        return message[1]

    def collect(self, stream, head):
        """Positions of the messages up to that one."""
        seen = []
        while not seen or seen[-1] < head:
            seen.append(self.expect(stream)["position"])
            self.assertEqual(stream.last, str(seen[-1]))
        return seen

    def test_stream_begins_at_the_head_and_is_live(self):
        stream = self.stream()
        self.assertEqual(stream.headers["content-type"], "text/event-stream")
        self.assertEqual(stream.headers["cache-control"], "no-store")
        hello = self.expect(stream, "hello")
        info = self.get("/v1/info").json()
        self.assertEqual((hello["ledger"], hello["head"]), (info["ledger"], info["position"]))
        self.assertEqual(stream.last, str(hello["head"]))
        head = self.publish(3)
        self.assertEqual(self.collect(stream, head), [head - 2, head - 1, head])

    def test_stream_is_what_events_read_answers(self):
        after = self.get("/v1/info").json()["position"]
        self.publish(20, metadata={"k": [1, "é\u2028"]})
        self.post("/v1/events", {"producer": "x", "events": [
            {"type": "task.output_added", "task_id": "o", "output_type": "log", "content": {"$bin": "/w=="}},
            {"type": "preference.set", "user_id": "ü", "preferred_model": "m"}]})
        stream = self.stream("/v1/stream?after=%d" % after)
        self.expect(stream, "hello")
        seen = [self.expect(stream) for _ in range(22)]
        self.assertEqual(seen, self.get("/v1/events?after=%d" % after).json()["events"])

    def test_content_that_is_too_large_is_left_out_live_and_later(self):
        stream = self.stream()
        after = self.expect(stream, "hello")["head"]
        sizes = [65536, 65537, 300000]
        self.post("/v1/events", {"producer": "big", "events": [
            {"type": "task.output_added", "task_id": "big", "output_type": "log", "content": "x" * size} for size in sizes]})
        live = [self.expect(stream) for _ in sizes]
        later = self.stream("/v1/stream?after=%d" % after)
        self.expect(later, "hello")
        self.assertEqual([self.expect(later) for _ in sizes], live)
        self.assertEqual([event.get("content_omitted") for event in live], [None, 65537, 300000])
        self.assertEqual([len(event.get("content", "")) for event in live], [65536, 0, 0])

    def test_filters_pass_what_they_name_and_move_on(self):
        after = self.publish(1)
        name = self.name("f")
        events = [{"type": "task.created", "task_id": name, "title": "t", "description": "", "role": "r"},
                  {"type": "task.state_changed", "task_id": name, "state": "running"},
                  {"type": "task.metric_recorded", "task_id": name + "2", "name": "m", "value": 1},
                  {"type": "task.state_changed", "task_id": name + "2", "state": "running"}]
        path = "/v1/stream?after=%d&" % after
        live = [self.stream(path + "types=task.state_changed"), self.stream(path + "task_id=" + name),
                self.stream(path + "types=task.state_changed,task.created&task_id=%s,x" % name)]
        for stream in live:
            self.expect(stream, "hello")
        self.post("/v1/events", {"producer": name, "events": events})
        for wanted, stream in zip(([after + 2, after + 4], [after + 1, after + 2], [after + 1, after + 2]), live):
            self.assertEqual([self.expect(stream)["position"] for _ in wanted], wanted)
        again = self.stream(path + "types=task.state_changed")
        self.expect(again, "hello")
        self.assertEqual([self.expect(again)["position"] for _ in range(2)], [after + 2, after + 4])

    def test_what_cannot_be_resumed_is_reset_to_the_head(self):
        head = self.publish(2)
        for path, last, reason in (("/v1/stream", head + 1000, "unknown_position"),
                                   ("/v1/stream?ledger=another", head - 1, "other_ledger")):
            stream = self.stream(path, last)
            self.expect(stream, "hello")
            reset = self.expect(stream, "reset")
            self.assertEqual((reset["reason"], reset["head"]), (reason, head))
            self.assertEqual(stream.last, str(head))
            head = self.publish(1)
            self.assertEqual(self.collect(stream, head), [head])

    def test_wrong_parameters_are_refused(self):
        for query in ("types=nonsense", "view=x", "states=failed", "after=x", "bogus=1"):
            self.get("/v1/stream?" + query, 400)
        self.get("/v1/stream", 400, headers={"Last-Event-ID": "x"})

    def test_two_hundred_disconnects_lose_nothing_and_repeat_nothing(self):
        """A client that is cut at random places while events arrive."""
        start = self.get("/v1/info").json()["position"]
        done = threading.Event()
        last = []

        def load():
            while not done.is_set():
                last.append(self.publish(random.randint(1, 30)))

        dice = random.Random(7)
        loader = threading.Thread(target=load)
        loader.start()
        seen, resume = [], str(start)
        try:
            for _ in range(200):
                stream = web.Stream(self.http.port, last=resume)
                for _ in range(dice.randint(0, 25)):
                    message = stream.next()
                    if message[0] == "message":
                        seen.append(message[1]["position"])
                resume = stream.last
                stream.close()
        finally:
            done.set()
            loader.join()
        self.assertEqual(resume, str(seen[-1]))
        stream = self.stream(last=resume)
        self.expect(stream, "hello")
        if seen[-1] < last[-1]:
            seen += self.collect(stream, last[-1])
        self.assertEqual(seen, list(range(start + 1, last[-1] + 1)))

    def test_kill_of_the_server_is_resumed(self):
        start = self.get("/v1/info").json()["position"]
        seen, resume = [], str(start)
        for _ in range(3):
            stream = self.stream(last=resume)
            self.expect(stream, "hello")
            head = self.publish(50)
            seen += self.collect(stream, head - 25)
            resume = stream.last
            self.http.kill()
            while stream.next():
                pass
            self.start_http()
        stream = self.stream(last=resume)
        self.expect(stream, "hello")
        head = self.publish(1)
        seen += self.collect(stream, head)
        self.assertEqual(seen, list(range(start + 1, head + 1)))

    def test_restart_of_the_broker_is_not_noticed_by_a_stream(self):
        stream = self.stream()
        start = self.expect(stream, "hello")["head"]
        head = self.publish(5)
        for kill in (False, True):
            self.broker.kill() if kill else self.broker.stop()
            self.get("/v1/info", 503)
            self.get("/readyz", 503)
            self.get("/healthz")
            self.start_broker()
            harness.wait_until(lambda: self.request("GET", "/readyz").status == 200, "the broker to be back")
            head = self.publish(5)
        self.assertEqual(self.collect(stream, head), list(range(start + 1, head + 1)))

    def test_stream_opened_while_the_broker_is_away_begins_when_it_is_back(self):
        self.broker.stop()
        self.get("/v1/info", 503)
        stream = self.stream()
        self.start_broker()
        self.expect(stream, "hello")
        harness.wait_until(lambda: self.request("GET", "/readyz").status == 200, "the broker to be back")
        head = self.publish(1)
        self.collect(stream, head)

    def test_slow_reader_gets_everything_and_delays_nobody(self):
        start = self.get("/v1/info").json()["position"]
        slow = web.connect(self.http.port)
        self.addCleanup(slow.close)
        slow.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: %d\r\n\r\n" % start)
        quick = self.stream(last=start)
        self.expect(quick, "hello")
        for _ in range(12):             # 12 MB, which fit in no buffer
            head = self.publish(20, description="x" * 50000)
        self.assertEqual(self.collect(quick, head), list(range(start + 1, head + 1)))
        file = slow.makefile("rb")
        seen = []
        while not seen or seen[-1] < head:
            line = file.readline()
            self.assertTrue(line.endswith(b"\n"), "the stream ended")
            if line.startswith(b"id: ") and int(line[4:]) > start:
                seen.append(int(line[4:]))
        self.assertEqual(seen, list(range(start + 1, head + 1)))

    def test_view_of_tasks_has_the_latest_records(self):
        name = self.name("v")
        stream = self.stream("/v1/stream?view=tasks&task_id=%s,%s2" % (name, name))
        hello = self.expect(stream, "hello")
        events = [{"type": "task.created", "task_id": name, "title": "t", "description": "", "role": "r"}] + [
            {"type": "task.state_changed", "task_id": name, "state": state} for state in ("running", "paused", "running", "passed")]
        head = self.post("/v1/events", {"producer": name, "events": events}).json()["position"]
        #   One round or several, as the events reached the server
        while stream.last != str(head):
            task = self.expect(stream)
        self.assertEqual((task["task_id"], task["state"], task["position"]), (name, "passed", head))
        self.assertEqual(task, self.get("/v1/tasks/%s/status" % name).json()["task"])
        again = self.stream("/v1/stream?view=tasks&task_id=" + name, last=hello["head"])
        self.expect(again, "hello")
        self.assertEqual(self.expect(again), task)

    def test_view_of_tasks_filters_by_state_and_role(self):
        name = self.name("v")
        stream = self.stream("/v1/stream?view=tasks&states=running&roles=%s" % name)
        self.expect(stream, "hello")
        self.post("/v1/events", {"producer": name, "events": [
            {"type": "task.created", "task_id": "%s-%d" % (name, i), "title": "t", "description": "", "role": role, "state": state}
            for i, (role, state) in enumerate(((name, "queued"), ("other", "running"), (name, "running")))]})
        self.assertEqual(self.expect(stream)["task_id"], name + "-2")

    def test_views_that_share_their_changes_each_get_every_latest_record(self):
        name = self.name("v")
        names = ["%s-%d" % (name, number) for number in range(30)]
        created = [{"type": "task.created", "task_id": one, "title": "t", "description": "", "role": name} for one in names]
        start = self.post("/v1/events", {"producer": name, "events": created}).json()["position"]
        #   Those that are new, one that has changes of its own when it becomes live, and one of a state
        streams = [self.stream("/v1/stream?view=tasks") for _ in range(10)]
        streams += [self.stream("/v1/stream?view=tasks", last=start - len(names)), self.stream("/v1/stream?view=tasks&states=passed")]
        for stream in streams:
            self.expect(stream, "hello")
        for state in ("running", "paused", "running", "passed"):
            for begin in range(0, len(names), 10):
                head = self.post("/v1/events", {"producer": name, "events": [
                    {"type": "task.state_changed", "task_id": one, "state": state} for one in names[begin:begin + 10]]}).json()["position"]
        expected = {one: self.get("/v1/tasks/%s/status?min_position=%d" % (one, head)).json()["task"] for one in names}
        for stream in streams:
            latest = {}
            while stream.last != str(head) or latest != expected:
                task = self.expect(stream)
                latest[task["task_id"]] = task

    def test_changed_tasks_are_requested_together(self):
        counts = lambda: {op: count["count"] for op, count in self.ask("stats")["requests"]["by_op"].items()}
        names = ["%s-%d" % (self.name("v"), number) for number in range(200)]
        streams = [self.stream("/v1/stream?view=tasks") for _ in range(5)]
        for stream in streams:
            self.expect(stream, "hello")
        before = counts()
        self.post("/v1/events", {"producer": self.name("p"), "events": [
            {"type": "task.created", "task_id": one, "title": "t", "description": "", "role": "r"} for one in names]})
        for stream in streams:
            self.assertEqual({self.expect(stream)["task_id"] for _ in names}, set(names))
        after = counts()
        self.assertEqual(after.get("task.status", 0), before.get("task.status", 0))
        self.assertLess(after["task.statuses"] - before.get("task.statuses", 0), 20)

    def test_change_whose_request_failed_comes_later(self):
        stream, open_stream = (self.stream("/v1/stream?view=tasks" + more) for more in ("&states=queued", ""))
        peer, names = self.producer(), [self.name("t%d" % number) for number in range(2)]
        for one in (stream, open_stream):
            self.expect(one, "hello")
        peer.publish(created(names[0]))
        for one in (stream, open_stream):
            self.assertEqual(self.expect(one)["task_id"], names[0])
        #   Known to the server, which requests it up to a second later, and waits for 5 s
        peer.publish(created(names[1]))
        time.sleep(0.1)
        self.broker.signal(signal.SIGSTOP)
        try:
            time.sleep(7)
        finally:
            self.broker.signal(signal.SIGCONT)
        for one in (stream, open_stream):
            self.assertEqual(self.expect(one)["task_id"], names[1])

    def test_many_changed_tasks_are_a_number(self):
        start = self.publish(1)
        head = self.publish(500)
        stream = self.stream("/v1/stream?view=tasks", last=start)
        self.expect(stream, "hello")
        self.assertEqual(self.expect(stream, "many"), {"count": 500})
        self.assertEqual(stream.last, str(head))

    def test_hundred_streams_get_the_same(self):
        streams = [self.stream() for _ in range(100)]
        starts = [self.expect(stream, "hello")["head"] for stream in streams]
        head = self.publish(40)
        for start, stream in zip(starts, streams):
            self.assertEqual(self.collect(stream, head), list(range(start + 1, head + 1)))
        #   Those of earlier tests end when the server notices it
        harness.wait_until(lambda: "\nstele_http_streams 100\n" in self.get("/metrics").body.decode(), "100 streams")


class SmallMessages(web.WebTest):
    settings = {"message-bytes": "200000"}

    def test_records_that_do_not_fit_into_one_answer_come_with_the_next(self):
        names = ["large-%d" % number for number in range(8)]
        for name in names:
            self.post("/v1/events", {"producer": "p", "events": [
                {"type": "task.created", "task_id": name, "title": "t", "description": "", "role": "r", "branch": "x" * 50000}]})
        stream = web.Stream(self.http.port, "/v1/stream?view=tasks")
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], "hello")
        self.post("/v1/events", {"producer": "p", "events": [{"type": "task.state_changed", "task_id": name, "state": "running"} for name in names]})
        found = {}
        while set(found) != set(names):
            event, record = stream.next()
            self.assertEqual(event, "message")
            found[record["task_id"]] = record["state"]
        self.assertEqual(set(found.values()), {"running"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
