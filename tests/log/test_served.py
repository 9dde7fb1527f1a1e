# test_served - stele-http and stele-relay with lists of nodes, of which the first is not there
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os

import harness
import receiver
import test_clients
import web
from test_clients import created


class Served(test_clients.Nodes):
    request, get, post = web.WebTest.request, web.WebTest.get, web.WebTest.post

    def serve(self, names):
        endpoints = self.endpoints(names)
        self.http = web.Server(endpoints["requests"], endpoints["feed"])
        self.addCleanup(self.http.kill)
        harness.wait_until(lambda: self.request("GET", "/v1/tasks").status == 200, "a node that answers")

    def publish_by_http(self, task):
        return self.request("POST", "/v1/events", {"producer": "web", "events": [dict(created("", 1), task_id=task)]})

    def await_published(self, task):
        """Until it is not answered by 503, which says when to try again. Returns the position."""
        def publish():
            answer = self.publish_by_http(task)
            if answer.status != 503:
                return answer
            self.assertEqual(answer.headers["retry-after"], "1")
            return None
        answer = harness.wait_until(publish, task)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["position"]


class Http(Served):
    def test_publish_at_a_follower_goes_to_the_writer_and_to_the_next_one(self):
        brokers = self.nodes()
        for name in "bc":
            self.await_role(brokers[name], "follower")
        self.serve("b")
        answer = self.publish_by_http("one")
        self.assertEqual((answer.status, answer.json()["position"]), (200, 1))
        self.assertEqual(self.get("/v1/tasks/one?min_position=1&timeout_ms=60000").json()["task"]["position"], 1)
        self.assertEqual(self.publish_by_http("two").json()["position"], 2)
        #   The next one is b or c
        brokers.pop("a").kill()
        self.await_published("three")
        events = [event["task_id"] for event in self.events(brokers[self.writer_of(brokers)]) if event["type"] == "task.created"]
        self.assertEqual(events, ["one", "two", "three"])

    def test_without_a_writer_a_client_is_asked_to_try_again(self):
        writer, follower = self.node("a"), self.node("b", role="follower")
        self.await_role(follower, "follower")
        self.serve("b")
        self.assertEqual(self.await_published("one"), 1)
        writer.kill()
        #   At first, the connection to it is lost
        answer = harness.wait_until(lambda: [answer for answer in [self.publish_by_http("two")]
                                             if answer.json()["code"] == "not_writer"], "not_writer")[0]
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "1"))
        self.assertRegex(answer.json()["detail"], "its writer is a \\(ipc://.*/a/events\\)")
        self.askers.clear()
        self.node("a")
        self.await_published("two")

    def test_request_about_redis_at_a_follower_goes_to_the_writer(self):
        redis = harness.Redis(self.folder)
        self.addCleanup(redis.stop)
        writer, follower = self.node("a", redis=redis), self.node("b", redis=redis, role="follower")
        self.await_role(follower, "follower")
        self.serve("b")
        position = self.await_published("one")
        self.await_position(follower, position)
        for path, body in (("recover", {"scope": "all"}), ("tasks/one/recover", {}), ("consistency-check", {})):
            answer = self.request("POST", "/v1/" + path, body)
            self.assertEqual(answer.status, 200, answer.body)
        writer.kill()
        answer = harness.wait_until(lambda: [answer for answer in [self.request("POST", "/v1/recover", {"scope": "all"})]
                                             if answer.json()["code"] == "not_writer"], "not_writer")[0]
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "1"))
        self.assertRegex(answer.json()["detail"], "its writer is a \\(ipc://.*/a/events\\)")

    def test_next_node_of_the_list_answers_and_feeds(self):
        brokers = self.nodes()
        self.serve("bc")
        stream = web.Stream(self.http.port)
        self.addCleanup(stream.close)
        self.assertEqual(self.await_published("one"), 1)
        self.assertEqual(self.next_event(stream)["task_id"], "one")
        brokers.pop("b").kill()
        self.await_published("two")
        self.assertEqual(self.next_event(stream)["task_id"], "two")

    def next_event(self, stream):
        while True:
            event, data = stream.next()
            if data.get("type") == "task.created":
                return data


class Relayed(Served):
    def test_relay_delivers_from_the_node_that_is_there(self):
        brokers = self.nodes("ab")
        self.await_role(brokers["b"], "follower")
        endpoints = self.endpoints("ba")
        target = receiver.Receiver()
        self.addCleanup(target.stop)
        relay = receiver.Relay(os.path.join(self.folder, "relay"), brokers["b"], {"hook": {"url": target.url()}},
                               requests=endpoints["requests"], feed=endpoints["feed"])
        self.addCleanup(relay.kill)
        producer = self.clients.producer(brokers["a"].events, "p")
        self.publish(producer, 3)
        #   Those of different tasks in any order
        self.assertEqual(sorted(target.wait_delivered(3)), [1, 2, 3])
        brokers["b"].kill()
        self.publish(producer, 2)
        self.assertEqual(sorted(target.wait_delivered(5)), [1, 2, 3, 4, 5])


if __name__ == "__main__":
    harness.main()
