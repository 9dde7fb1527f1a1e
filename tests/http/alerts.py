# alerts - scrapes of /metrics, and the alerts of examples/monitoring that they fire, by promtool
#
# Two scrapes of a real server, one before a fault and one while it lasts, become series: the first repeats
# for half an hour, then the second for an hour, in which counters go on to grow as much as between the two.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import subprocess

import harness
import web

FOLDER = os.path.join(harness.SRC, "examples", "monitoring")
RULES = os.path.join(FOLDER, "stele.rules.yml")

STEP_S = 30
BEFORE, DURING = 60, 120                # Steps
FIRING = 'alertstate="firing"'


def read(path):
    with open(path) as file:
        return file.read()


def samples(text):
    """{series: value} of a scrape, with the labels that Prometheus adds."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            name, _, labels = series.partition("{")
            more = 'instance="i",job="stele"'
            found["%s{%s}" % (name, labels[:-1] + "," + more if labels else more)] = float(value)
    return found


def scraped(text):
    """What Prometheus stores for a scrape; None is one that failed."""
    return {'up{instance="i",job="stele"}': 0.0} if text is None else dict(samples(text), **{'up{instance="i",job="stele"}': 1.0})


def number(value):
    return "%.17g" % value


def values(series, before, during):
    """The notation of promtool: a+bxN is a, a+b, ... with N steps after the first; _ is no sample."""
    first, second = before.get(series), during.get(series)
    is_counter = re.search(r"_(total|bucket|sum|count)\{", series)
    step = second - (first or 0) if is_counter and second is not None else 0
    start = second if second is not None else 0
    return " ".join((
        "_x%d" % BEFORE if first is None else "%s+0x%d" % (number(first), BEFORE - 1),
        "_x%d" % DURING if second is None else "%s+%sx%d" % (number(start), number(max(step, 0)), DURING - 1)))


def check(before, during, expected, folder, ignored=()):
    """Evaluate the rules over both scrapes: before the fault the expected alerts do not fire, and at the end they
    do, and no other one that did not before. Returns an empty text, or what promtool reports otherwise."""
    before, during = scraped(before), scraped(during)
    #   How full the disk of this machine is, and how busy, does not matter to the others
    ignored = "|".join((set(ignored) | {"SteleDiskFull", "SteleAckSlow"}) - expected)
    after = 'group by (alertname) (ALERTS{%s,alertname!~"%s"} unless on (alertname) ALERTS{%s} offset %ds)' % (
        FIRING, ignored, FIRING, STEP_S * DURING)
    test = {"rule_files": [RULES], "evaluation_interval": "%ds" % STEP_S, "tests": [{
        "interval": "%ds" % STEP_S,
        "input_series": [{"series": one, "values": values(one, before, during)} for one in sorted(set(before) | set(during))],
        "promql_expr_test": [
            {"expr": 'ALERTS{%s,alertname=~"%s"}' % (FIRING, "|".join(expected)),
             "eval_time": "%ds" % (STEP_S * (BEFORE - 1)), "exp_samples": []},
            {"expr": after, "eval_time": "%ds" % (STEP_S * (BEFORE + DURING - 1)), "exp_samples": [
                {"labels": '{alertname="%s"}' % name, "value": 1} for name in sorted(expected)]}]}]}
    path = os.path.join(folder, "alerts.test.json")
    with open(path, "w") as file:
        json.dump(test, file)
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, timeout=harness.PATIENCE)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def wait_fires(scrape, before, expected, folder, ignored=()):
    """Wait for a scrape with which exactly these alerts fire: a busy machine adds findings of its own for a moment, of
    which 'check' makes an hour."""
    said = []
    try:
        harness.wait_until(lambda: said.append(check(before, scrape(), expected, folder, ignored)) or not said[-1], "the alerts")
    except AssertionError as error:
        raise AssertionError("%s: %s" % (error, said[-1:])) from None


class AlertTest(web.WebTest):
    """Faults of a real broker, each with the alerts that it fires."""

    port = None                         # Of the server; None: self.http
    key_arguments = ()                  # Of stele

    def setUp(self):
        super().setUp()
        harness.wait_until(lambda: self.value("stele_up") == 1, "the broker to be known")

    def scrape(self):
        return self.get("/metrics", port=self.port).body.decode()

    def value(self, series):
        """Of a series, by its name and labels as they are in the text; None if it is not there."""
        found = re.search("^%s (.*)$" % re.escape(series), self.scrape(), re.M)
        return found and float(found.group(1))

    def finding(self, code):
        return self.value('stele_finding{code="%s"}' % code)

    def wait_finding(self, code, level=1):
        harness.wait_until(lambda: (self.finding(code) or 0) >= level, "the finding " + code)

    def assert_fires(self, before, *names, ignored=()):
        wait_fires(self.scrape, before, set(names), self.folder, ignored)
        self.assert_same_findings()

    def assert_same_findings(self):
        """stele health, /readyz and /metrics report the same findings with the same levels. Each is at
        most a second old, so that they agree after a while."""
        levels = {"info": 1, "degraded": 2, "down": 3}

        def of(findings):
            return {finding["code"]: levels[finding["level"]] for finding in findings}
        seen = []

        def same():
            metrics = {code: int(level) for code, level in re.findall(
                r'^stele_finding\{code="(\w+)"\} ([1-9])', self.scrape(), re.M)}
            ready = self.request("GET", "/readyz", port=self.port).json()["findings"]
            health = json.loads(self.stele(*self.key_arguments, "--json", "health", status=None))["findings"]
            seen[:] = [of(health), of(ready), metrics]
            return seen[0] == seen[1] == seen[2]
        try:
            harness.wait_until(same, "the same findings everywhere")
        except AssertionError as error:
            raise AssertionError("%s: %r" % (error, seen))
