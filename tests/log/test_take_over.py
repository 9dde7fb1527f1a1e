# test_take_over - a node that follows takes over; servers that do not answer
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import random
import signal
import time

import harness
import test_nodes
from test_nodes import LEASE


class TakeOver(test_nodes.Brokers):
    def take_over(self, end, lease=LEASE):
        """The writer ends as 'end' does it, under load; the follower leads. Returns (old, new, acked)."""
        writer, follower = self.broker("a", lease=lease), self.broker("b", lease=lease)
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        position = self.publish(producer, 100)
        end(writer)
        self.await_role(follower, "writer")
        again = self.clients.producer(follower.events, "p", instance=producer.instance, lease_ms=3600000)
        self.assertEqual(again.welcome["sequence"], producer.acked)
        self.assertEqual(self.publish(again, 3), position + 3)
        return writer, follower, again

    def test_follower_leads_when_the_writer_is_killed(self):
        writer, follower, producer = self.take_over(lambda broker: broker.kill())
        writer = self.broker("a")
        self.assertEqual(self.shared(writer)["role"], "follower")
        position = self.publish(producer, 5)
        self.await_position(writer, position)
        self.assert_equal(writer, follower)

    def test_node_that_leads_after_another_has_resigned_holds_the_lock(self):
        proxy = self.proxy()
        writer, follower = self.broker("a", url=proxy.url()), self.broker("b")
        self.await_role(writer, "writer")
        self.await_position(follower, self.publish(self.clients.producer(writer.events, "p")))
        #   The one that resigns does not know that it has
        proxy.hold_from = b"\0resign\0"
        writer.signal(signal.SIGTERM)
        self.await_role(follower, "writer")
        self.assertEqual(self.pair.primary.sql("SELECT locked FROM stele_heads WHERE name = '%s'" % self.log), "t")
        proxy.answers.set()
        self.assertEqual(writer.wait(), 0)

    def test_follower_leads_when_the_writer_is_stopped(self):
        self.take_over(lambda broker: self.assertEqual(broker.stop(), 0))

    def test_writer_that_was_paused_follows(self):
        subscribers = []

        def pause(broker):
            subscribers.append(self.clients.subscriber(broker.feed, "task.created/"))
            subscribers[0].wait_joined()
            broker.signal(signal.SIGSTOP)

        writer, follower, producer = self.take_over(pause, lease=3000)
        #   Before it continues, a message waits for it: it must not be acked
        old = self.clients.dealer(writer.events, "p")
        old.send({"op": "hello", "protocol": 1, "producer": "late", "instance": "i"})
        old.send({"op": "publish", "sequence": 1, "events": [
            {"type": "task.created", "task_id": "late", "title": "T", "description": "", "role": "r"}]})
        writer.signal(signal.SIGCONT)
        self.await_role(writer, "follower")
        self.assertEqual([old.receive()["code"] for _ in range(2)], ["not_writer", "not_writer"])
        position = self.publish(producer, 5)
        self.await_position(writer, position)
        self.assert_equal(writer, follower)
        self.assertFalse(self.ask(follower, "task.get", task_id="late")["ok"])
        #   Its feed announces what the other node wrote, and nothing else
        fed = []
        while not fed or fed[-1]["position"] < position:
            fed.append(subscribers[0].next()[1])
        self.assertEqual([(event["position"], event["task_id"]) for event in fed],
                         [(event["position"], event["task_id"]) for event in self.events(follower)
                          if event["type"] == "task.created" and event["position"] >= fed[0]["position"]])
        self.assertGreaterEqual(position - fed[0]["position"], 7)

    def test_node_that_starts_while_the_servers_are_down_serves_what_it_has(self):
        proxy = self.proxy()
        writer = self.broker("a", url=proxy.url())
        position = self.publish(self.clients.producer(writer.events, "p"), 5)
        writer.stop()
        proxy.close()
        os.remove(os.path.join(proxy.folder, ".s.PGSQL.5432"))
        writer = self.broker("a", url=proxy.url())
        self.assertEqual(self.events(writer)[-1]["position"], position)
        self.assertEqual(self.shared(writer)["role"], "follower")
        os.symlink(os.path.join(self.pair.primary.folder, ".s.PGSQL.5432"), os.path.join(proxy.folder, ".s.PGSQL.5432"))
        self.await_role(writer, "writer")
        self.assertEqual(self.publish(self.clients.producer(writer.events, "p")), position + 1)

    def test_tasks_of_a_dead_producer_are_interrupted_once(self):
        writer, follower = [self.broker(name, lease_grace=1000) for name in "ab"]
        producer = self.clients.producer(writer.events, "p", lease_ms=4000)
        position = producer.publish(
            {"type": "task.created", "task_id": "t", "title": "T", "description": "", "role": "r"},
            {"type": "task.state_changed", "task_id": "t", "state": "running"})
        writer.kill()
        self.await_role(follower, "writer")
        self.await_position(follower, position + 1)
        writer = self.broker("a", lease_grace=1000)
        self.await_position(writer, position + 1)
        follower.stop()
        self.await_role(writer, "writer")
        self.publish(self.clients.producer(writer.events, "q"))
        interrupted = [event for event in self.events(writer) if event.get("interrupted")]
        self.assertEqual([(event["task_id"], event["position"]) for event in interrupted], [("t", position + 1)])


class Hangs(test_nodes.Brokers):
    """A server that accepts bytes and answers none, with a time-out that no test reaches."""

    def test_follower_answers_and_stops_meanwhile(self):
        writer, proxy = self.broker("a"), self.proxy()
        follower = self.broker("b", url=proxy.url(), shared_log_timeout=LEASE)
        position = self.publish(self.clients.producer(writer.events, "p"))
        self.await_position(follower, position)
        proxy.answers.clear()
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        #   These are answers of the actor that follows
        self.assertEqual(self.ask(follower, "producer.get", producer="p")["producer"]["sequence"], 1)
        self.assertEqual(self.shared(follower)["role"], "follower")
        other = self.clients.dealer(follower.events, "q")
        other.send({"op": "hello", "protocol": 1, "producer": "q", "instance": "i"})
        self.assertEqual(other.receive()["code"], "not_writer")
        self.assertEqual(follower.stop(), 0)

    def test_writer_in_doubt_stops_meanwhile(self):
        proxy = self.proxy()
        writer = self.broker("a", url=proxy.url(), shared_log_timeout=LEASE)
        producer = self.clients.producer(writer.events, "p")
        position = self.publish(producer)
        #   Whether it may lead again is not answered
        proxy.hold_from = b"lead"
        proxy.cut()
        producer.send_events([{"type": "task.updated", "task_id": "t1", "model": "m"}])
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        self.assertEqual(self.ask(writer, "task.get", task_id="t1")["position"], position)
        self.assertEqual(writer.stop(), 0)
        #   It was not acked, and is sent again
        proxy.close()
        self.askers.clear()
        writer = self.broker("a")
        self.await_role(writer, "writer")
        again = self.clients.producer(writer.events, "p", instance=producer.instance)
        self.assertEqual(again.welcome["sequence"], 1)


    def test_writer_whose_append_is_not_answered_answers_and_stops(self):
        proxy = self.proxy()
        writer = self.broker("a", url=proxy.url(), shared_log_timeout=LEASE)
        producer = self.clients.producer(writer.events, "p")
        position = self.publish(producer)
        proxy.hold_from = b"append"
        producer.send_events([{"type": "task.updated", "task_id": "t1", "model": "m"}])
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        harness.wait_until(lambda: self.shared(writer)["in_doubt"], "the answer of the actor that writes")
        self.assertEqual(self.shared(writer)["doubts"], 0)
        #   The answer comes at last
        proxy.answers.set()
        self.assertEqual(producer.settle(), position + 1)
        self.assertFalse(self.shared(writer)["in_doubt"])
        #   Or not
        proxy.held.clear()
        proxy.hold_from = b"append"
        producer.send_events([{"type": "task.updated", "task_id": "t1", "model": "n"}])
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        self.assertEqual(writer.stop(), 0)
        proxy.close()
        self.askers.clear()
        writer = self.broker("a")
        self.await_role(writer, "writer")
        again = self.clients.producer(writer.events, "p", instance=producer.instance)
        self.assertEqual(again.welcome["sequence"], 3)

    def test_writer_whose_signs_of_life_are_not_answered_answers_and_stops(self):
        for name in ("note", "renew", "resign"):
            proxy = self.proxy()
            writer = self.broker(name, url=proxy.url(), shared_log_timeout=LEASE, lease=3000)
            self.await_role(writer, "writer")
            proxy.hold_from = b"%s\0" % name.encode()
            if name != "resign":
                self.assertTrue(proxy.held.wait(harness.PATIENCE))
                self.assertEqual(self.shared(writer)["role"], "writer")
            self.assertEqual(writer.stop(), 0)
            self.assertTrue(proxy.held.is_set())
            proxy.close()
            self.log += "-" + name

    def test_node_that_starts_before_it_is_answered_serves_what_it_has(self):
        proxy = self.proxy()
        writer = self.broker("a", url=proxy.url(), shared_log_timeout=LEASE)
        position = self.publish(self.clients.producer(writer.events, "p"), 5)
        writer.stop()
        self.askers.clear()
        proxy.hold_from = b"head"
        writer = self.broker("a", url=proxy.url(), shared_log_timeout=LEASE)
        self.assertEqual(self.events(writer)[-1]["position"], position)
        self.assertIn("has not answered yet", self.shared(writer)["trouble"])
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        proxy.answers.set()
        self.await_role(writer, "writer")
        self.assertEqual(self.publish(self.clients.producer(writer.events, "p")), position + 1)


    def test_lag_of_a_node_that_starts_before_it_is_answered_begins_with_its_start(self):
        writer, follower = self.broker("a"), self.broker("b", role="follower")
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        self.await_position(follower, self.publish(producer))
        self.assertEqual(follower.stop(), 0)
        self.askers.pop(follower.requests)
        #   It cannot fold the next batch
        self.publish(producer)
        self.pair.primary.sql("UPDATE stele_log SET format = 99 WHERE ledger = '%s' AND number = %d" % (
            producer.welcome["ledger"], self.shared(writer)["number"]))
        proxy, begun = self.proxy(), time.monotonic()
        proxy.hold_from = b"head"
        follower = self.broker("b", url=proxy.url(), role="follower")
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        proxy.answers.set()
        follower.wait_line("upgrade this node")
        shared = self.shared(follower)
        self.assertEqual(shared["lag_batches"], 1)
        self.assertLessEqual(shared["lag_ms"], 1000 * (time.monotonic() - begun) + 1)


class Between(test_nodes.Brokers):
    """The writer loses its connection. While it waits for the answer whether it leads again, another node has led."""

    def lose_connection(self):
        proxy = self.proxy()
        writer = self.broker("a", url=proxy.url(), shared_log_timeout=LEASE)
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        self.publish(producer)
        proxy.hold_from = b"lock\0SELECT"
        proxy.cut()
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        return proxy, writer, producer

    def lead_between(self):
        """Returns the position of the last event of the other node, which has stopped."""
        other = self.broker("b")
        self.await_role(other, "writer")
        position = self.publish(self.clients.producer(other.events, "q", lease_ms=3600000), 3)
        self.assertEqual(other.stop(), 0)
        self.askers.pop(other.requests)
        return position


class LedBetween(Between):
    def test_message_that_comes_with_the_answer_is_decided_after_what_the_other_node_wrote(self):
        proxy, writer, producer = self.lose_connection()
        position = self.lead_between()
        producer.send_events([{"type": "task.updated", "task_id": "t1", "model": "m"}])
        proxy.answers.set()
        #   The writer has read its producers again: this one is not connected to it any more
        self.assertEqual(producer.receive()["op"], "error")
        again = self.clients.producer(writer.events, "p", instance=producer.instance, lease_ms=3600000)
        self.assertEqual(again.welcome["sequence"], 1)
        self.assertEqual(again.publish({"type": "task.updated", "task_id": "t1", "model": "m"}), position + 1)
        other = self.broker("b")
        self.await_position(other, position + 1)
        self.assert_equal(writer, other)

    def test_writer_in_doubt_believes_no_server_that_is_behind_it(self):
        proxy, writer, _ = self.lose_connection()
        proxy.answers.set()
        self.await_role(writer, "writer")
        name = "name = '%s'" % self.log
        known = self.pair.primary.sql("SELECT number FROM stele_heads WHERE " + name)
        #   The log has the batch, and its answer is lost
        proxy.held.clear()
        proxy.hold_from = b"\0append\0"
        asker = self.clients.asker(writer.requests)
        asker.send({"op": "publish", "producer": "q", "events": [{"type": "task.updated", "task_id": "t1", "title": "Once"}]})
        harness.wait_until(lambda: self.pair.primary.sql("SELECT number FROM stele_heads WHERE " + name) != known, "the commit")
        proxy.hold_from = b"lock\0SELECT"
        proxy.cut()
        self.assertTrue(proxy.held.wait(harness.PATIENCE))
        #   What it meets now is as a primary that was replaced before this node led, and came back
        self.pair.primary.sql("CREATE TABLE kept AS SELECT * FROM stele_heads WHERE " + name)
        self.pair.primary.sql("UPDATE stele_heads SET epoch = epoch - 1, number = number - 1, safe = number - 1, instance = 'x',"
                              " locked = false, seen = now() WHERE " + name)
        proxy.answers.set()
        harness.wait_until(lambda: "was another server promoted?" in (self.ask(writer, "stats")["ingest"]["trouble"] or ""), "trouble")
        self.assertTrue(self.shared(writer)["in_doubt"])
        #   Then the other one again
        self.pair.primary.sql("UPDATE stele_heads h SET epoch = kept.epoch, number = kept.number, safe = kept.safe, instance = kept.instance"
                              " FROM kept WHERE h.name = kept.name; DROP TABLE kept")
        answer = asker.receive()
        self.assertEqual((answer["ok"], answer.get("accepted")), (True, 1), answer)
        self.assertEqual([event["position"] for event in self.events(writer) if event.get("title") == "Once"], [answer["position"]])

    def test_what_a_batch_in_doubt_teaches_is_not_rolled_back_with_it(self):
        words = ["%x" % (number * number) for number in range(1000, 1500)]
        choice = random.Random(1).choice

        def outputs(count):
            return [{"type": "task.output_added", "task_id": "t1", "output_type": "stdout",
                     "content": " ".join(choice(words) for _ in range(150))} for _ in range(count)]

        proxy, writer, producer = self.lose_connection()
        #   Enough for a dictionary
        producer.send_events(outputs(350))
        harness.wait_until(lambda: self.shared(writer)["in_doubt"], "doubt")
        self.lead_between()
        proxy.answers.set()
        harness.wait_until(lambda: not self.shared(writer)["in_doubt"], "the end of the doubt")
        position = self.clients.producer(writer.events, "r").publish(*outputs(5))
        events = self.ask(writer, "events.read", after=0, limit=1000)
        self.assertTrue(events["ok"], events)
        self.assertEqual(events["events"][-1]["position"], position)
        self.assertEqual(writer.stop(), 0)
        self.askers.clear()
        self.assertEqual(self.ask(self.broker("a"), "events.read", after=0, limit=1000), events)


if __name__ == "__main__":
    harness.main()
