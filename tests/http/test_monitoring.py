# The rules and the board of examples/monitoring use only metrics, labels and words that a real server has
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import shutil
import subprocess

import alerts
import harness
import web
from client import changed, created

BOARD = os.path.join(alerts.FOLDER, "stele-board.json")
SELECTOR = re.compile(r"\b(stele_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!=|!~|=)"([^"]*)"')
#   Added by Prometheus
ITS_OWN = {"job", "instance"}


def expressions():
    """(where, expression) of every rule, panel, variable and annotation."""
    for number, line in enumerate(re.sub(r">-\n\s+(.*)\n\s+(/.*)", r"\1 \2", alerts.read(alerts.RULES)).splitlines()):
        found = re.match(r"\s+expr: (.*)", line)
        if found:
            yield "rule of line %d" % (number + 1), found.group(1)
    board = json.loads(alerts.read(BOARD))
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]
    for annotation in board["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


class Monitoring(alerts.AlertTest):
    use_redis = True

    def test_every_metric_label_and_word_exists(self):
        #   What a metric needs to be there: a refused event and request, a check of Redis, an answer over HTTP
        peer, task = self.producer(), self.name("task")
        peer.publish(created(task), changed(task, "passed"))
        peer.publish_refused(changed(task, "running"))
        self.ask("consistency.check")
        self.refused("task.get")
        self.get("/v1/tasks")
        harness.wait_until(lambda: "stele_request_errors_total{" in self.scrape(), "the refused request")
        known = {}                      # Metric -> label -> words
        for series in alerts.samples(self.scrape() + self.scrape_with_keys()):
            name, _, labels = series.partition("{")
            words = known.setdefault(name, {})
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
                words.setdefault(label, set()).add(value)
        count = 0
        for where, expression in expressions():
            recorded = re.sub(r"\bstele:\w+", "", expression)
            for name, matchers in SELECTOR.findall(recorded):
                count += 1
                self.assertTrue(name in known, "%s: there is no %s" % (where, name))
                for label, operator, text in MATCHER.findall(matchers):
                    if label in ITS_OWN:
                        continue
                    self.assertIn(label, known[name], "%s: %s" % (where, expression))
                    if label in ("code", "route") and name.startswith("stele_http_"):
                        continue        # There as soon as there is such an answer
                    self.assertLessEqual(set(text.split("|")), known[name][label], "%s: %s" % (where, expression))
            for labels in re.findall(r"\b(?:by|on|ignoring) \(([^)]*)\)", recorded):
                self.assertTrue({label.strip() for label in labels.split(",")} <= ITS_OWN | {"le", "op", "code", "route"}, expression)
        self.assertGreater(count, 60)

    def scrape_with_keys(self):
        """Of another broker, which has keys"""
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder)
        keys = os.path.join(folder, "keys")
        subprocess.run([harness.program("stele"), "key", "new", "root", "--keys", keys, "--role", "admin"], check=True,
                       capture_output=True, cwd=folder, timeout=harness.PATIENCE)
        broker = harness.Steled(folder, settings={"keys": keys})
        self.addCleanup(broker.stop)
        server = web.Server(broker.requests, broker.feed)
        self.addCleanup(server.stop)
        answer = harness.wait_until(lambda: [text for text in [self.get("/metrics", port=server.port).body.decode()]
                                             if "stele_up 1" in text], "the broker with keys")
        return answer[0]

    def test_each_finding_is_in_a_rule_or_is_counted_by_another(self):
        rules = alerts.read(alerts.RULES)
        codes = set(re.findall(r'^stele_finding\{code="(\w+)"\}', self.scrape(), re.M))
        self.assertEqual(len(codes), 42)
        named = set("|".join(re.findall(r'code=~?"([a-z_|]+)"', rules)).split("|"))
        #   SteleDown and SteleScrapeFailed have the first three, SteleRejections and SteleLossAccepted the others
        self.assertEqual(codes - named, {"not_running", "no_answer", "no_statistics", "rejected", "losses"})

    def test_alerts_are_described_where_they_point_to(self):
        rules = alerts.read(alerts.RULES)
        manual = alerts.read(os.path.join(harness.SRC, "doc", "OPERATIONS.md"))
        names = re.findall(r"- alert: (\w+)", rules)
        self.assertEqual(re.findall(r"^### (Stele\w+)$", manual, re.M), names)
        self.assertEqual(re.findall(r'runbook_url: "doc/OPERATIONS.md#(\w+)"', rules), [name.lower() for name in names])
        tested = "".join(alerts.read(os.path.join(harness.SRC, "tests", folder, "test_alerts.py")) for folder in ("http", "fault", "log"))
        self.assertEqual([name for name in names if '"%s"' % name not in tested], [])


if __name__ == "__main__":
    harness.main()
