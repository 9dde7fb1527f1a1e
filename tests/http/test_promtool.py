# promtool: the rules, their tests, and a scrape of a real server in both formats
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import subprocess

import alerts
import harness
from client import changed, created


class Promtool(alerts.AlertTest):
    use_redis = True

    def promtool(self, *arguments, text=None):
        done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, cwd=alerts.FOLDER,
                              timeout=harness.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def test_rules_are_valid(self):
        rules = alerts.read(alerts.RULES)
        self.assertIn("SUCCESS: %d rules found" % rules.count("expr:"), self.promtool("check", "rules", "--lint-fatal", alerts.RULES))
        self.promtool("check", "rules", "--lint-fatal", os.path.join(alerts.FOLDER, "stele-relay.rules.yml"))

    def test_tests_of_the_rules_pass(self):
        for name in ("stele.rules.test.yml", "stele-relay.rules.test.yml"):
            self.promtool("test", "rules", os.path.join(alerts.FOLDER, name))

    def test_configuration_is_valid(self):
        self.assertIn("SUCCESS", self.promtool("check", "config", os.path.join(alerts.FOLDER, "prometheus.yml")))

    def test_metrics_have_no_fault(self):
        task, peer = self.name("task"), self.producer()
        peer.publish(created(task), changed(task, "passed"))
        peer.publish_refused(changed(task, "running"))
        for path in ("/v1/tasks", "/v1/tasks/nothing", "/nothing", "/v1/stats"):
            self.request("GET", path)
        self.wait_finding("rejected")
        text = self.scrape()
        self.promtool("check", "metrics", text=text)
        self.assertEqual([line for line in text.splitlines() if line.startswith("# EOF")], [])
        #   Series that are not of a histogram
        single = [line for line in text.splitlines() if not line.startswith("#") and "_duration_seconds" not in line]
        self.assertLess(len(single), 200)


if __name__ == "__main__":
    harness.main()
