# test_alerts - faults of nodes that share a log: their findings, metrics, and the alerts that they fire
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import subprocess
import urllib.request

import alerts
import harness
import test_nodes
import web
from test_health import OF_THE_DISK


class Alerts(test_nodes.Brokers):
    def serve(self, broker):
        server = web.Server(broker.requests, broker.feed)
        self.addCleanup(server.kill)
        self.wait_value(server, "stele_up", 1)
        return server

    def scrape(self, server):
        with urllib.request.urlopen(server.url + "/metrics", timeout=harness.PATIENCE) as answer:
            return answer.read().decode()

    def wait_value(self, server, series, value):
        line = "\n%s %d\n" % (series, value)
        return harness.wait_until(lambda: [text for text in [self.scrape(server)] if line in text], line)[0]

    def wait_finding(self, server, code):
        return self.wait_value(server, 'stele_finding{code="%s"}' % code, 2)

    def assert_fires(self, server, before, *names, ignored=()):
        alerts.wait_fires(lambda: self.scrape(server), before, set(names), self.folder, ignored)

    def health(self, broker):
        done = subprocess.run([harness.program("stele"), "health", "--json"], env=broker.environment(), stdout=subprocess.PIPE,
                              timeout=harness.PATIENCE)
        return {finding["code"]: finding for finding in json.loads(done.stdout)["findings"] if finding["code"] not in OF_THE_DISK}

    def stele(self, broker, *arguments):
        return subprocess.run([harness.program("stele")] + list(arguments), env=broker.environment(), stdout=subprocess.PIPE,
                              timeout=harness.PATIENCE, universal_newlines=True, check=True).stdout

    def test_no_node_leads(self):
        writer, follower = self.broker("a"), self.broker("b", role="follower")
        server = self.serve(follower)
        self.await_position(follower, self.publish(self.clients.producer(writer.events, "p"), 5))
        before = self.wait_value(server, "stele_shared_log_lag_batches", 0)
        self.assertIn('\nstele_shared_log_role{role="follower"} 1\n', before)
        self.assertIn("\nstele_shared_log_epoch 1\n", before)
        self.assertRegex(self.stele(follower, "stats"), r"\nShared log\n +node +b\n +role +follower\n")
        harness.wait_until(lambda: self.health(follower) == {}, "no finding")
        writer.stop()
        self.wait_finding(server, "log_no_writer")
        self.assert_fires(server, before, "SteleNoWriter")
        harness.wait_until(lambda: set(self.health(follower)) == {"log_no_writer"}, "the finding alone")

    def test_postgresql_does_not_answer_a_follower(self):
        proxy = self.proxy()
        self.broker("a")
        follower = self.broker("b", url=proxy.url())
        server = self.serve(follower)
        before = self.wait_value(server, "stele_shared_log_no_writer", 0)
        proxy.close()
        os.remove(os.path.join(proxy.folder, ".s.PGSQL.5432"))
        during = self.wait_finding(server, "log_away")
        self.assertIn('\nstele_shared_log_state{state="away"} 1\n', during)
        self.assert_fires(server, before, "SteleNodeBehind")
        harness.wait_until(lambda: "cannot follow or lead the shared log" in self.health(follower)["log_away"]["message"], "the finding")

    def test_standby_is_away_and_commits_become_local(self):
        writer = self.broker("a", shared_log_timeout=1500)
        server = self.serve(writer)
        producer = self.clients.producer(writer.events, "p", lease_ms=3600000)
        self.publish(producer)
        before = self.wait_value(server, "stele_shared_log_replicated", 1)
        self.pair.standby.stop()
        producer.send_events([{"type": "task.updated", "task_id": "t1", "model": "m"}])
        during = self.wait_finding(server, "log_in_doubt")
        self.assertIn("\nstele_ingest_holding 1\n", during)
        self.assertIn('\nstele_finding{code="holding"} 0\n', during)
        #   It does not answer while it waits for PostgreSQL
        self.assert_fires(server, before, "SteleHoldingBack", ignored=["SteleWriterStalled"])
        harness.wait_until(lambda: "log_in_doubt" in self.health(writer), "the finding")
        self.pair.standby.start()
        self.pair.await_replication()
        producer.settle()
        self.assertGreater(int(re.search(r"\nstele_shared_log_doubts_total (\d+)\n", self.scrape(server)).group(1)), 0)
        #   A node that leads although commits are local
        writer.stop()
        self.askers.clear()
        writer = self.broker("a", url=self.pair.primary.url("options='-c synchronous_commit=local'"), shared_log_unreplicated="yes")
        self.publish(self.clients.producer(writer.events, "q"))
        during = self.wait_finding(server, "log_unreplicated")
        self.assertIn('\nstele_shared_log_role{role="writer"} 1\n', during)
        self.assert_fires(server, before, "SteleUnreplicated")


if __name__ == "__main__":
    harness.main()
