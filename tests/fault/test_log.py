# The log: what it reports, in which form, and what it never prints
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import signal

import harness
from client import changed, created
from faulty import FaultTest

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info|debug) steled: [ -~]*$")


class LogTest(FaultTest):
    use_redis = False

    def end_run(self, peer, clean):
        if clean:
            peer.send({"op": "goodbye"})
        peer.close()


class Lines(LogTest):
    def test_every_line_has_time_level_and_name(self):
        for line in self.broker.log().splitlines():
            self.assertRegex(line, LINE)

    def test_a_new_instance_and_a_fenced_one(self):
        name = self.name("p")
        task = self.name("task")
        first = self.producer(name, instance="run-1")
        self.broker.wait_line("info steled: producer %s: new instance run-1" % name)
        first.publish(created(task), changed(task, "running"))
        self.producer(name, instance="run-2")
        self.broker.wait_line("info steled: producer %s: new instance run-2" % name)
        self.broker.wait_line("warning steled: producer %s: instance run-1 is fenced on 1 connection," % name)
        self.broker.wait_line("warning steled: producer %s: instance run-1 ended with tasks in progress, 1 task interrupted"
                              % name)
        again = self.dealer()
        again.send({"op": "hello", "protocol": 1, "producer": name, "instance": "run-1"})
        self.assertEqual(again.receive()["code"], "fenced")
        self.broker.wait_line("instance run-1 of producer %s was fenced by a newer one" % name)

    def test_a_lease_that_runs_out(self):
        name = self.name("p")
        task = self.name("task")
        peer = self.producer(name, instance="run-1", lease_ms=300)
        peer.publish(created(task), changed(task, "running"))
        peer.close()
        self.broker.wait_line("warning steled: producer %s: the lease of 300 ms of instance run-1 has run out, "
                              "1 task interrupted" % name)

    def test_refused_events_are_counted(self):
        name = self.name("p")
        peer = self.producer(name)
        task = self.name("task")
        for _ in range(50):
            peer.publish_refused({"type": "task.created", "task_id": task})
        self.broker.wait_line("warning steled: producer %s: " % name)
        lines = [line for line in self.broker.log().splitlines() if " refused (" in line and name in line]
        self.assertEqual(len(lines), 1, lines)

    def test_a_peer_cannot_forge_a_line(self):
        name = "p\n2026-01-01T00:00:00.000Z info steled: stopped\x1b]0;title\x07\u202e\u009b" + self.name("p")
        peer = self.dealer()
        peer.send({"op": "hello", "protocol": 1, "producer": name, "instance": "i\r\n\u2066", "acked": 9})
        self.assertEqual(peer.receive()["code"], "ledger_behind")
        self.producer(name, instance="j\x1b[2J")
        self.broker.wait_line("new instance j\\x1b[2J")
        for line in self.broker.log().splitlines():
            self.assertRegex(line, LINE)
        self.assertIn("p\\x0a2026", self.broker.log())


class Flood(LogTest):
    def test_many_lines_of_a_kind_become_a_count(self):
        for number in range(200):
            self.end_run(self.producer("%s-%d" % (self.name("p"), number)), True)
        self.broker.wait_line("more new instances of producers in the last 10 s")
        lines = [line for line in self.broker.log().splitlines() if ": new instance " in line]
        self.assertGreater(len(lines), 0)
        self.assertLess(len(lines), 100)
        counts = [int(count) for count in re.findall(r"(\d+) more new instances", self.broker.log())]
        self.assertLessEqual(len(lines) + sum(counts), 200)


class Json(LogTest):
    settings = {"log": "json"}

    def test_every_line_is_json(self):
        name = "p\n\"\\\x1b\u202e"
        task = self.name("task")
        peer = self.producer(name, instance="run-1", lease_ms=300)
        peer.publish(created(task), changed(task, "running"))
        peer.publish_refused({"type": "task.created", "task_id": task})
        peer.close()
        self.broker.wait_line('"event":"lease_expired"')
        found = {}
        for line in self.broker.log().splitlines():
            entry = json.loads(line)
            self.assertRegex(entry["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(entry["level"], ("error", "warning", "info", "debug"))
            self.assertIsInstance(entry["message"], str)
            found[entry["event"]] = entry
        self.assertEqual(found["new_instance"]["producer"], name)
        self.assertEqual((found["lease_expired"]["producer"], found["lease_expired"]["tasks"]), (name, 1))
        self.assertEqual((found["refused"]["producer"], found["refused"]["events"]), (name, 1))
        self.assertEqual(found["refused"]["level"], "warning")
        self.assertIn("code", found["refused"])
        self.assertIn("ready", found)


class Secrets(LogTest):
    def test_a_password_of_redis_is_never_printed(self):
        url = "redis://app:s3cret@127.0.0.1:1/0"
        self.broker.stop()
        self.start_broker(arguments=["--redis", url, "--log-level", "debug"])
        self.assertIn("redis redis://127.0.0.1:1/0", self.broker.wait_line("ready:"))
        self.broker.wait_line("warning steled: redis: Redis at redis://127.0.0.1:1/0 is away")
        for text in (json.dumps(self.ask("stats"), default=repr), json.dumps(self.ask("info"), default=repr)):
            self.assertNotIn("s3cret", text)
        self.assertEqual(self.broker.stop(), 0)
        self.assertNotIn("s3cret", self.broker.log())
        self.start_broker()


class Redis(LogTest):
    use_redis = True

    def test_away_is_a_warning_and_back_is_not(self):
        self.redis.kill()
        self.broker.wait_line("is away")
        self.assertRegex(self.broker.wait_line("is away"), " warning steled: redis: ")
        seen = len(self.broker.log().splitlines())
        self.redis.start()
        harness.wait_until(lambda: any("info steled: redis: " in line for line in self.broker.log().splitlines()[seen:]),
                           "the line that Redis is back")


class Reload(LogTest):
    def write(self, text):
        with open(os.path.join(self.folder, "steled.conf"), "w") as file:
            file.write(text)

    @classmethod
    def start_broker(cls, **more):
        cls.settings = {"log-level": "info"}
        return super().start_broker(**more)

    def reload(self, answer):
        seen = len(self.broker.log().splitlines())
        self.broker.signal(signal.SIGHUP)
        harness.wait_until(lambda: any(answer in line for line in self.broker.log().splitlines()[seen:]), answer)

    def test_sighup_applies_the_log_and_names_the_rest(self):
        peer = self.producer()
        self.reload("reloaded: no setting changed")
        self.write("log-level = debug\nworkers = 5\n")
        self.reload("warning steled: reload: these settings apply at the next start: workers")
        peer.publish(created(self.name("debug")))
        self.broker.wait_line("debug steled: committed 1 events")
        self.write("log-level = debug\nlog = json\n")
        self.reload('"event":"reloaded"')
        self.write("log-level = loud\n")
        self.reload("log-level takes error, warning, info or debug")
        self.write("log-level = error\n")
        self.broker.signal(signal.SIGHUP)
        peer.publish(created(self.name("after")))       # It runs on
        self.write("log-level = info\n")
        self.reload("reloaded: log text, log-level info")
        self.assertEqual(self.broker.stop(), 0)
        self.start_broker()

    def test_the_command_line_wins(self):
        self.broker.stop()
        self.start_broker(arguments=["--log-level", "info"])
        self.write("log-level = debug\n")
        self.reload("reloaded: no setting changed")
        self.broker.stop()
        self.start_broker()


if __name__ == "__main__":
    harness.main()
