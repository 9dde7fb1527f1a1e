# test_kills - three nodes under load: the writer is killed, stopped and paused again and again
#
# A client that knows the protocol only publishes to whichever node writes. At the end each acked event is at
# the acked position, once, on all nodes.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import random
import signal
import threading
import time
import uuid

import client
import harness
import postgres
import test_nodes

CYCLES = 6


class Publisher(threading.Thread):
    """Publishes without a pause, resends what is not acked, and remembers every ack."""

    def __init__(self, brokers, name):
        super().__init__(daemon=True)
        self.brokers, self.name = brokers, name
        self.instance = str(uuid.uuid4())
        self.acks = {}                      # sequence -> position of the ack
        self.acked = 0
        self.ended = threading.Event()
        self.failure = None
        self.patience_ms = 1000             # A node that is silent may be paused, or only slow: twice as long after each

    def run(self):
        clients = client.Clients()
        try:
            while not self.ended.is_set():
                for broker in list(self.brokers):
                    peer = clients.keep(client.Producer(clients.context, broker.events, self.name, self.instance))
                    try:
                        self.use(peer)
                    except client.Silence:
                        self.patience_ms = min(2 * self.patience_ms, 16000)
                    except AssertionError as error:
                        if "lost an ack" in str(error):
                            raise
                    peer.close()
                    clients.peers.remove(peer)
        except Exception as error:          # Reported by the test
            self.failure = error
        clients.close()

    def use(self, peer):
        """Publish to a node until it does not answer, or another one writes."""
        peer.send({"op": "hello", "protocol": 1, "producer": self.name, "instance": self.instance, "lease_ms": 3600000})
        welcome = peer.receive(self.patience_ms)
        if welcome["op"] != "welcome":
            time.sleep(0.02)                # Not a proof: only less load while no node writes
            return
        if welcome["sequence"] < self.acked:
            raise AssertionError("%s lost an ack: %r, acked %d" % (self.name, welcome, self.acked))
        sequence = welcome["sequence"]
        while not self.ended.is_set():
            peer.send({"op": "publish", "sequence": sequence + 1, "events": [
                {"type": "task.created", "task_id": "%s-%d" % (self.name, number), "title": "T", "description": "", "role": "r"}
                for number in range(sequence + 1, sequence + 4)]})
            sequence += 3
            answer = peer.receive(2 * self.patience_ms)
            if answer["op"] != "ack":
                return
            self.acked = answer["sequence"]
            self.acks[answer["sequence"]] = answer["position"]
            self.patience_ms = 1000


class Loaded(test_nodes.Brokers):
    def start_publishers(self, brokers):
        publishers = [Publisher(_Current(brokers), "p%d" % number) for number in range(3)]
        for publisher in publishers:
            publisher.start()
        return publishers

    def await_acks(self, publishers):
        """Each of them gets at least one more."""
        before = [publisher.acked for publisher in publishers]
        harness.wait_until(lambda: all(publisher.acked > acked or publisher.failure
                                       for publisher, acked in zip(publishers, before)), "acks")

    def end(self, publishers):
        for publisher in publishers:
            publisher.ended.set()
            publisher.join(harness.PATIENCE)
            self.assertIsNone(publisher.failure)

    def writer_of(self, brokers):
        def find():
            for name, broker in brokers.items():
                if broker.running() and self.shared(broker)["role"] == "writer":
                    return name
            return None
        return harness.wait_until(find, "a writer")

    def assert_acked(self, brokers, publishers):
        head = max(self.ask(broker, "stats")["position"] for broker in brokers.values())
        for broker in brokers.values():
            self.await_position(broker, head)
        events = self.events(brokers["a"])
        self.assertEqual([event["position"] for event in events], list(range(1, len(events) + 1)))
        place = {}
        for event in events:
            self.assertNotIn(event["task_id"], place, "twice")
            place[event["task_id"]] = event["position"]
        for publisher in publishers:
            for sequence, position in publisher.acks.items():
                self.assertEqual(place.get("%s-%d" % (publisher.name, sequence)), position, publisher.name)
        for name in "bc":
            self.assertEqual(self.events(brokers[name]), events)
            self.assert_equal(brokers["a"], brokers[name])


class Kills(Loaded):
    def test_each_ack_holds_on_every_node(self):
        seed = random.SystemRandom().randrange(1 << 32)
        print("seed %d" % seed)
        choice = random.Random(seed)
        #   A short log, so that there are checkpoints; each start checks all of the ledger
        settings = {"lease": 3000, "wal_bytes": 1000000, "integrity": "full"}
        brokers = {name: self.broker(name, **settings) for name in "abc"}
        publishers = self.start_publishers(brokers)
        for _ in range(CYCLES):
            self.await_acks(publishers)
            name = self.writer_of(brokers)
            kind = choice.choice(("kill", "stop", "pause"))
            broker = brokers[name]
            if kind == "pause":
                broker.signal(signal.SIGSTOP)
                self.writer_of({other: brokers[other] for other in brokers if other != name})
                broker.signal(signal.SIGCONT)
            else:
                broker.kill() if kind == "kill" else self.assertEqual(broker.stop(), 0)
                self.askers.pop(broker.requests, None)
                brokers[name] = self.broker(name, **settings)
        self.await_acks(publishers)
        self.end(publishers)
        self.assert_acked(brokers, publishers)


class Primary(Loaded):
    """The primary of PostgreSQL is lost, and its standby promoted, under the writer and a follower."""

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.pair = postgres.Pair()         # It is used up
        self.addCleanup(self.pair.close)
        super().setUp()

    def url(self, options=""):
        return "postgres:host=%s,%s user=postgres dbname=postgres connect_timeout=2 %s" % (
            self.pair.primary.folder, self.pair.standby.folder, options)

    def test_each_ack_survives_the_loss_of_the_primary(self):
        url = self.url()
        brokers = {name: self.broker(name, url=url, shared_log_unreplicated="yes", shared_log_timeout=2000) for name in "ab"}
        publishers = self.start_publishers(brokers)
        self.await_acks(publishers)
        self.pair.primary.kill()
        self.pair.promote()
        self.await_acks(publishers)
        self.await_acks(publishers)
        self.end(publishers)
        brokers = dict(brokers, c=self.broker("c", url=url))
        self.assert_acked(brokers, publishers)

    def test_primary_that_comes_back_as_it_was_ends_no_node(self):
        settings = {"url": self.url(), "shared_log_unreplicated": "yes", "shared_log_timeout": 2000}
        writer = self.broker("a", **settings)
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        position = self.publish(producer)
        #   The old primary alone has the last batch. The other one has it as well, in another epoch
        self.pair.standby.stop()
        producer.send_events([{"type": "task.updated", "task_id": "t1", "model": "m"}])
        harness.wait_until(lambda: self.pair.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
                                                         " AND query LIKE '%INSERT INTO stele_log%'") == "1",
                           "an append that waits for the standby")
        old = self.pair.primary
        old.kill()
        self.pair.standby.start()
        self.pair.promote()
        self.assertEqual(producer.settle(), position + 1)
        follower = self.broker("b", **settings)
        self.await_position(follower, position + 1)
        #   The old primary comes back as it was, and the follower meets it first
        old.start()
        end = "SELECT number, safe FROM stele_heads"
        number, safe = [int(value) for value in old.sql(end).split("|")]
        self.assertEqual((safe, self.pair.primary.sql(end).split("|")[0]), (number - 1, str(number)))
        self.pair.primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'steled b'")
        follower.wait_line("PostgreSQL did not answer within the time-out")
        old.kill()
        self.await_position(follower, self.publish(producer))
        self.assertEqual(self.events(follower), self.events(writer))
        self.assert_equal(writer, follower)

    def test_control_without_synchronous_commits_is_caught_by_every_node(self):
        url = self.url("options='-c synchronous_commit=local'")
        brokers = {name: self.broker(name, url=url, shared_log_unreplicated="yes", shared_log_timeout=2000) for name in "ab"}
        producer = self.clients.producer(brokers["a"].events, "p", lease_ms=3600000)
        self.await_position(brokers["b"], self.publish(producer, 10))
        last = self.pair.primary.sql("SELECT pg_current_wal_lsn()")
        harness.wait_until(lambda: self.pair.standby.sql("SELECT pg_last_wal_replay_lsn() >= '%s'" % last) == "t", "the standby")
        self.pair.standby.configure(primary_conninfo="host=/nowhere")
        harness.wait_until(lambda: self.pair.primary.sql("SELECT count(*) FROM pg_stat_replication") == "0", "no standby")
        #   Acked, and on the primary alone
        self.await_position(brokers["b"], self.publish(producer, 10))
        self.pair.primary.kill()
        self.pair.promote()
        for broker in brokers.values():
            broker.wait_line("the log and the ledger of this node have diverged")
            self.assertNotEqual(broker.wait(), 0)
        #   What the log has lost is in their ledgers, which a broker of its own opens
        self.askers.clear()
        alone = harness.Steled(os.path.join(self.folder, "a"))
        self.addCleanup(alone.kill)
        self.assertEqual([event["position"] for event in self.events(alone)], list(range(1, 21)))


class _Current:
    """The brokers as they are now: a list that follows the dictionary."""

    def __init__(self, brokers):
        self.brokers = brokers

    def __iter__(self):
        return iter(list(self.brokers.values()))



if __name__ == "__main__":
    harness.main()
