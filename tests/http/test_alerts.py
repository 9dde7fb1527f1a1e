# Each alert of examples/monitoring is fired by a real fault, and by nothing else
#
# A full disk and a sync that does not return are in tests/fault/test_alerts.py.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys

import alerts
import harness
import test_tls
import web
from client import changed, created, metric, output
from test_log_length import LIMIT, READER
from test_clock import IN_2099


class Redis(alerts.AlertTest):
    use_redis = True

    def setUp(self):
        super().setUp()
        harness.wait_until(lambda: self.value('stele_redis_state{state="live"}') == 1, "Redis to be live")
        self.before = self.scrape()

    def test_redis_away(self):
        self.redis.kill()
        self.addCleanup(self.redis.start)
        self.wait_finding("redis_away", 2)
        self.assert_fires(self.before, "SteleRedisBehind")

    def test_persistence_off_and_then_redis_hangs(self):
        peer = self.producer()
        self.stele("mode", "redis", "--yes")
        self.addCleanup(self.stele, "mode", "dual")
        self.wait_finding("mode_redis", 2)
        self.assert_fires(self.before, "StelePersistenceOff")
        self.redis.process.signal(signal.SIGSTOP)
        try:
            peer.send_events([created(self.name("task"))])
            self.wait_finding("holding", 2)
            alerts.wait_fires(self.scrape, self.before, {"StelePersistenceOff", "SteleHoldingBack"}, self.folder,
                              ["SteleRedisBehind", "SteleWriterStalled"])
        finally:
            self.redis.process.signal(signal.SIGCONT)
        peer.settle()
        self.assert_same_findings()

    def test_redis_far_behind(self):
        self.redis.process.signal(signal.SIGSTOP)
        try:
            peer = self.producer()
            for _ in range(11):
                peer.publish(*[metric("load", "n", number) for number in range(1000)])
            harness.wait_until(lambda: (self.value('stele_follower_lag_events{follower="redis"}') or 0) > 10000, "the lag")
            alerts.wait_fires(self.scrape, self.before, {"SteleFollowerBehind"}, self.folder, ["SteleRedisBehind"])
        finally:
            self.redis.process.signal(signal.SIGCONT)
        self.assert_same_findings()


class Backup(alerts.AlertTest):
    @classmethod
    def start_broker(cls, **more):
        cls.repository = os.path.join(cls.folder, "repository")
        return super().start_broker(settings={"backup": cls.repository, "backup-lag": 1}, **more)

    def test_repository_cannot_be_written(self):
        self.producer().publish(created(self.name("task")))
        harness.wait_until(lambda: os.listdir(os.path.join(self.repository, "segments")), "the first segment")
        before = self.scrape()
        os.rename(self.repository, self.repository + ".away")
        with open(self.repository, "w"):                    # A file: no folder can be made there
            pass
        self.producer("other").publish(created(self.name("during")))
        self.wait_finding("segments_failing", 2)
        self.assert_fires(before, "SteleBackup")


class Seal(alerts.AlertTest):
    @classmethod
    def start_broker(cls, **more):
        return super().start_broker(settings={"seal": "unsigned", "seal-lag": 1}, **more)

    def test_checkpoint_cannot_be_written(self):
        self.producer().publish(created(self.name("task")))
        harness.wait_until(lambda: os.path.exists(self.broker.ledger + ".checkpoint"), "the first checkpoint")
        before = self.scrape()
        os.mkdir(self.broker.ledger + ".checkpoint.part")
        self.producer("other").publish(created(self.name("during")))
        self.wait_finding("seal_failing", 2)
        self.assert_fires(before, "SteleSeal")
        os.rmdir(self.broker.ledger + ".checkpoint.part")
        self.broker.wait_line("the history is sealed again")


class Certificate(test_tls.TlsTest):
    def test_certificate_ends_soon(self):
        def scrape(name):
            return self.send(self.connection(name), "/metrics").body.decode()
        harness.wait_until(lambda: "\nstele_up 1" in scrape("first"), "the broker to be known")
        before = scrape("first")
        test_tls.install(self.folder, "short")
        self.reload("certificate: read again")
        harness.wait_until(lambda: 'stele_finding{code="certificate_expires"} 2' in scrape("short"), "the finding")
        alerts.wait_fires(lambda: scrape("short"), before, {"SteleCertificate"}, self.folder)


class Broker(alerts.AlertTest):
    """Its process and its ledger"""

    settings = {"wal-bytes": str(LIMIT)}

    def test_killed_and_started_again(self):
        before = self.scrape()
        self.broker.kill()
        self.addCleanup(self.start_broker)
        self.wait_finding("not_running", 3)
        self.assert_fires(before, "SteleDown")

    def test_hangs(self):
        before = self.scrape()
        self.broker.signal(signal.SIGSTOP)
        try:
            self.wait_finding("no_answer", 3)
            self.assert_fires(before, "SteleDown")
        finally:
            self.broker.signal(signal.SIGCONT)

    def test_server_is_gone(self):
        server = web.Server(self.broker.requests, self.broker.feed)
        web.wait_known(server.url)
        before = self.get("/metrics", port=server.port).body.decode()
        server.kill()
        with self.assertRaises(OSError):
            self.get("/metrics", port=server.port)          # Which Prometheus stores as up 0
        self.assertEqual(alerts.check(before, None, {"SteleScrapeFailed"}, self.folder), "")

    def test_ledger_is_locked_by_another_program_and_acks_are_late(self):
        before, peer = self.scrape(), self.producer()
        other = sqlite3.connect(self.broker.ledger, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        peer.send_events([created(self.name("task"))])
        self.wait_finding("holding", 2)
        self.assert_fires(before, "SteleHoldingBack")
        other.execute("ROLLBACK")
        peer.settle()
        harness.wait_until(lambda: self.finding("holding") == 0, "acks")
        self.assert_fires(before, "SteleAckSlow")

    def test_a_reader_holds_the_log(self):
        before, peer = self.scrape(), self.producer()
        reader = subprocess.Popen([sys.executable, "-c", READER, self.broker.ledger], stdout=subprocess.PIPE)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        self.assertEqual(reader.stdout.readline(), b"reading\n")
        for _ in range(20):
            peer.publish(*[output(self.name("task"), os.urandom(5000).hex()) for _ in range(200)])
        self.wait_finding("wal_long", 2)
        self.assert_fires(before, "SteleWalLong")

    def test_search_cannot_be_updated(self):
        before = self.scrape()
        other = sqlite3.connect(self.broker.ledger + ".search", isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        self.producer().publish(*[created("%s-%d" % (self.name("task"), number)) for number in range(1000)])
        self.wait_finding("search_failing", 2)
        self.assert_fires(before, "SteleSearchBehind")
        other.execute("ROLLBACK")

    def test_counts_over_time_cannot_be_updated(self):
        before = self.scrape()
        other = sqlite3.connect(self.broker.ledger + ".rollup", isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        self.producer().publish(created(self.name("task")))
        self.wait_finding("rollup_failing", 2)
        self.assert_fires(before, "SteleSearchBehind")
        other.execute("ROLLBACK")

    def test_older_ledger_is_put_back(self):
        peer = self.producer()
        peer.publish(created(self.name("task")))
        self.broker.stop()
        shutil.copy(self.broker.ledger, self.broker.ledger + ".older")
        self.start_broker()
        before = self.scrape()
        peer = self.producer(self.name("other"))
        peer.publish(created(self.name("other")))
        self.broker.stop()
        os.rename(self.broker.ledger + ".older", self.broker.ledger)
        self.start_broker(arguments=["--accept-loss"])
        harness.wait_until(lambda: self.value("stele_ledger_losses_total") == 1, "the loss")
        self.assert_fires(before, "SteleLossAccepted")
        late = self.dealer()
        late.send({"op": "hello", "protocol": 1, "producer": peer.name, "instance": "another", "acked": 1})
        self.assertEqual(late.receive()["code"], "ledger_behind")
        self.wait_finding("ledger_behind", 2)
        self.assert_fires(before, "SteleLossAccepted", "SteleLedgerBehind")


class Clients(alerts.AlertTest):
    """Producers, clocks, and clients of HTTP"""

    settings = {"interrupted": "none"}

    def test_producer_is_lost_with_its_tasks(self):
        before, task = self.scrape(), self.name("task")
        peer = self.producer(lease_ms=100)
        peer.publish(created(task), changed(task, "running"))
        self.addCleanup(lambda: self.producer(self.name("end")).publish(changed(task, "passed")))
        self.wait_finding("producers_expired", 2)
        self.assert_fires(before, "SteleProducersLost")

    def test_events_are_refused(self):
        before, peer, task = self.scrape(), self.producer(), self.name("task")
        peer.publish(created(task), changed(task, "passed"))
        for _ in range(3):
            peer.publish_refused(changed(task, "running"))
        harness.wait_until(lambda: self.value("stele_ingest_rejected_total") == 3, "the refusals")
        self.assert_fires(before, "SteleRejections")

    def test_events_are_ahead_of_the_clock(self):
        before = self.scrape()
        self.producer().publish(dict(created(self.name("task")), time=IN_2099))
        self.wait_finding("events_ahead")
        self.assert_fires(before, "SteleClockWrong")

    def test_requests_fail(self):
        before = self.scrape()
        self.broker.kill()
        self.addCleanup(self.start_broker)
        harness.wait_until(lambda: self.request("GET", "/v1/info").status == 503, "the broker to be gone")
        self.wait_finding("not_running", 3)
        self.assert_fires(before, "SteleDown", "SteleHttpErrors")


class Keys(alerts.AlertTest):
    """A broker with keys, and servers whose keys may too little"""

    @classmethod
    def key(cls, name, roles):
        path = os.path.join(cls.folder, name + ".key_secret")
        subprocess.run([harness.program("stele"), "key", "new", name, "--keys", cls.keys, "--role", roles, "--out", path],
                       check=True, capture_output=True, timeout=harness.PATIENCE)
        return path

    @classmethod
    def start_broker(cls, **more):
        cls.keys = os.path.join(cls.folder, "keys")
        cls.key_arguments = ("--key", cls.key("full", "gateway,admin"))
        cls.settings = {"keys": cls.keys}
        cls.stranger = cls.key("stranger", "gateway,admin")
        subprocess.run([harness.program("stele"), "key", "revoke", "stranger", "--keys", cls.keys], check=True, capture_output=True)
        cls.deaf = cls.key("deaf", "metrics")
        super().start_broker(arguments=["--requests", "tcp://127.0.0.1:*", "--feed", "tcp://127.0.0.1:*"], **more)
        line = cls.broker.wait_line("steled: ready")
        for name in ("requests", "feed"):
            setattr(cls.broker, name, re.search(name + r" (tcp://[0-9.:]+)", line).group(1))
        return cls.broker

    @classmethod
    def start_http(cls):
        cls.http_arguments = cls.key_arguments
        return super().start_http()

    def other(self, key):
        server = web.Server(self.broker.requests, self.broker.feed, arguments=("--key", key))
        self.addCleanup(server.stop)
        return server

    def test_key_is_refused(self):
        before = self.scrape()
        self.port, self.key_arguments = self.other(self.stranger).port, ("--key", self.stranger)
        self.wait_finding("no_permission", 3)
        self.wait_finding("no_feed", 3)
        alerts.wait_fires(self.scrape, before, {"SteleKeyRefused"}, self.folder)

    def test_accesses_are_denied(self):
        before = self.scrape()
        port = self.other(self.deaf).port
        harness.wait_until(lambda: self.request("GET", "/v1/tasks", port=port).status == 403, "the broker to be known")
        for _ in range(100):
            self.get("/v1/tasks", 403, port=port)
        self.wait_finding("denials", 2)
        self.assertGreaterEqual(self.value('stele_auth_denied_total{reason="role"}'), 100)
        self.assert_fires(before, "SteleAccessDenied")


if __name__ == "__main__":
    harness.main()
