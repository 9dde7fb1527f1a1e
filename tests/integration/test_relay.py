# Webhooks of stele-relay: signature, filters, order, retries, dead letters
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import subprocess
import sys
import threading

import harness
import receiver
from client import changed, created, metric, output, session_changed, started


class Webhooks(receiver.RelayTest):
    def test_webhook_is_the_event_and_is_signed(self):
        self.relay()
        task = self.name("task")
        last = self.producer().publish(created(task), changed(task, "running", details={"n": 1}), output(task, b"\xff\x00bytes"))
        self.assertEqual(self.receiver.wait_delivered(3), [last - 2, last - 1, last])
        ledger = self.ask("info")["ledger"]
        for request, line in zip(self.receiver.requests, self.stele("replay", "--after", str(last - 3)).splitlines()):
            self.assertEqual(request.json, json.loads(line))
            self.assertEqual(request.headers["webhook-id"], "%s-%d" % (ledger, request.position))
            self.assertTrue(receiver.verify(request.headers, request.body))
            self.assertFalse(receiver.verify(request.headers, request.body + b" "))
            self.assertEqual(request.headers["content-type"], "application/json")

    def test_secrets_two_sign_both(self):
        path = os.path.join(self.folder, "two")
        old = subprocess.run([harness.program("stele-relay"), "secret"], stdout=subprocess.PIPE, check=True).stdout.decode()
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o640), "w") as file:
            file.write("# the new one, and the old one\n" + receiver.SECRET + "\n" + old)
        self.relay({"hook": self.target(secret=path)})
        self.producer().publish(created(self.name("task")))
        self.receiver.wait_delivered(1)
        request = self.receiver.requests[0]
        self.assertTrue(receiver.verify(request.headers, request.body))
        self.assertTrue(receiver.verify(request.headers, request.body, old.strip()))
        self.assertEqual(len(request.headers["webhook-signature"].split(" ")), 2)

    def test_filters_select(self):
        self.relay({
            "types": self.target("/types", types="task.state_changed, session.*"),
            "states": self.target("/states", states="failed,running"),
            "roles": self.target("/roles", roles="coder"),
            "users": self.target("/users", users="ann, eve"),
            "all": self.target("/all")})
        task, other, session = self.name("coder"), self.name("other"), self.name("session")
        events = [created(task, role="coder", user_id="ann"), created(other), changed(task, "running"), changed(other, "running"),
                  changed(other, "passed"), metric(task, "n", 1), {"type": "task.updated", "task_id": task, "role": "tester"},
                  metric(task, "n", 2), started(session, task_id=other, user_id="eve"), session_changed(session, "running"),
                  {"type": "preference.set", "user_id": "ann", "preferred_model": "m"}, changed(task, "failed")]
        first = self.producer().publish(*events) - len(events) + 1
        expect = {"types": {2, 3, 4, 8, 9, 11}, "states": {2, 3, 9, 11}, "roles": {0, 2, 5}, "users": {0, 2, 5, 6, 7, 8, 9, 10, 11},
                  "all": set(range(12))}
        for name, numbers in expect.items():
            self.receiver.wait_delivered(len(numbers), "/" + name)
        for name, numbers in expect.items():
            self.assertEqual(set(self.receiver.delivered("/" + name)), {first + n for n in numbers}, name)

    def test_failure_delays_its_task_only(self):
        failures = iter([500, 404, 302])
        bad, good = self.name("bad"), self.name("good")
        self.receiver.behave = lambda request: next(failures, 200) if request.task_id == bad else 200
        self.relay()
        events = [created(bad), created(good)] + [event for n in range(5) for event in (metric(bad, "n", n), metric(good, "n", n))]
        first = self.producer().publish(*events) - 11
        positions = self.receiver.wait_delivered(12)
        self.assertEqual([p for p in positions if (p - first) % 2 == 0], list(range(first, first + 12, 2)))
        self.assertEqual([p for p in positions if (p - first) % 2], list(range(first + 1, first + 12, 2)))
        self.assertEqual([r.position for r in self.receiver.requests if r.task_id == bad][:4], [first] * 4)
        self.assertEqual(len({r.body for r in self.receiver.requests if r.position == first}), 1)

    def test_one_request_per_task_at_a_time(self):
        self.receiver.behave = lambda request: receiver.HANG
        relay = self.relay({"hook": self.target(parallel=4, **{"timeout-ms": 600000})})
        tasks = [self.name("t%d" % n) for n in range(6)]
        self.producer().publish(*[event for task in tasks for event in (created(task), changed(task, "running"))])
        self.receiver.wait(lambda requests: len(requests) == 4)
        relay.wait_status(lambda rows: rows["hook"]["pending"] == 12)
        self.assertEqual({r.task_id for r in self.receiver.requests}, set(tasks[:4]))
        self.receiver.behave = lambda request: 200
        self.receiver.released.set()
        self.receiver.wait_delivered(12)

    def test_retry_after_is_honoured(self):
        self.receiver.behave = lambda request: (429, {"Retry-After": "1"}) if request.number == 0 else 200
        relay = self.relay()
        self.producer().publish(created(self.name("one")))
        relay.wait_status(lambda rows: rows["hook"]["failures"] == 1)
        self.producer(self.name("second")).publish(created(self.name("two")))
        self.receiver.wait_delivered(2)
        #   The other task is not sent either: the limit is that of the target
        self.assertGreater(self.receiver.requests[1].at - self.receiver.requests[0].at, 0.95)

    def test_retry_after_is_honoured_when_an_earlier_request_succeeds(self):
        counted = threading.Event()

        def behave(request):
            if request.number == 0:
                self.receiver.wait(lambda requests: len(requests) == 2)
                return 429, {"Retry-After": "2"}
            if request.number == 1:
                counted.wait(harness.PATIENCE)
            return 200

        self.receiver.behave = behave
        relay = self.relay({"hook": self.target(parallel=2)})
        self.producer().publish(*[created(self.name("task%d" % n)) for n in range(6)])
        relay.wait_status(lambda rows: rows["hook"]["failures"] == 1)
        counted.set()
        self.receiver.wait_delivered(6)
        self.assertGreater(self.receiver.requests[2].at - self.receiver.requests[0].at, 1.95)

    def test_gone_disables_until_enabled(self):
        self.receiver.behave = lambda request: 410
        relay = self.relay()
        producer, task = self.producer(), self.name("task")
        first = producer.publish(created(task))
        relay.wait_status(lambda rows: rows["hook"]["state"] == "disabled")
        relay.run("status", status=1)
        producer.publish(changed(task, "running"))
        self.receiver.behave = lambda request: 200
        relay.stop()
        relay = self.relay()                            # It remains disabled
        self.assertEqual(relay.status()["hook"]["state"], "disabled")
        self.assertEqual(len(self.receiver.requests), 1)
        relay.run("enable", "hook")
        self.assertEqual(self.receiver.wait_delivered(2), [first, first + 1])
        relay.wait_status(lambda rows: rows["hook"]["state"] == "live")
        relay.run("status", status=0)

    def test_dead_letters_list_retry_drop(self):
        self.receiver.behave = lambda request: 500 if request.type == "task.created" else 200
        relay = self.relay({"hook": self.target(attempts=3)})
        tasks = [self.name("a"), self.name("b")]
        last = self.producer().publish(*[event for task in tasks for event in (created(task), changed(task, "running"))])
        relay.wait_status(lambda rows: rows["hook"]["dead"] == 2 and rows["hook"]["pending"] == 0)
        self.assertEqual(set(self.receiver.wait_delivered(2)), {last - 2, last})
        self.assertEqual(len(self.receiver.requests), 8)
        rows = [json.loads(line) for line in relay.run("--json", "dead", "list", "hook").splitlines()]
        self.assertEqual([(row["position"], row["subject"], row["attempts"], row["reason"]) for row in rows],
                         [(last - 3, "task.created/" + tasks[0], 3, "status 500"), (last - 1, "task.created/" + tasks[1], 3, "status 500")])
        self.assertIn("status 500", relay.run("dead", "list", "hook"))
        relay.run("status", status=1)
        relay.run("dead", "drop", "hook", str(last - 3))
        self.receiver.behave = lambda request: 200
        relay.stop()
        relay.run("dead", "retry", "hook", "all")       # Also while no relay runs
        relay = self.relay()
        self.receiver.wait(lambda _: last - 1 in self.receiver.delivered())
        relay.wait_status(lambda rows: rows["hook"]["dead"] == 0)
        self.assertNotIn(last - 3, self.receiver.delivered())
        relay.run("dead", "drop", "hook", status=64)
        relay.run("dead", "retry", "hook", "7", status=66)

    def test_age_makes_a_dead_letter(self):
        self.receiver.behave = lambda request: receiver.CLOSE
        relay = self.relay({"hook": self.target(**{"age-s": 1})})
        self.producer().publish(created(self.name("task")))
        relay.wait_status(lambda rows: rows["hook"]["dead"] == 1)

    def test_slow_target_delays_no_other(self):
        self.receiver.behave = lambda request: receiver.HANG if request.path == "/slow" else 200
        relay = self.relay({"slow": self.target("/slow", window=4, parallel=2, **{"timeout-ms": 600000}), "fast": self.target("/fast")})
        producer, count = self.producer(), 400
        first = producer.publish(*[created(self.name("task%d" % n)) for n in range(count)]) - count + 1
        self.receiver.wait_delivered(count, "/fast")
        self.assertLessEqual(len([r for r in self.receiver.requests if r.path == "/slow"]), 2)
        self.assertEqual(relay.wait_status(lambda rows: rows["slow"]["pending"] == 4)["slow"]["lag_events"], count)
        self.receiver.behave = lambda request: 200
        self.receiver.released.set()
        self.assertEqual(set(self.receiver.wait_delivered(count, "/slow")), set(range(first, first + count)))

    def test_timeout_and_closed_connection_are_retried(self):
        ways = iter([receiver.HANG, receiver.CLOSE, (503, {}), (504, {})])
        self.receiver.behave = lambda request: next(ways, 200)
        relay = self.relay({"hook": self.target(**{"timeout-ms": 1000})})
        self.producer().publish(created(self.name("task")))
        self.receiver.wait_delivered(1)
        rows = relay.wait_status(lambda rows: rows["hook"]["pending"] == 0)
        self.assertGreaterEqual(rows["hook"]["failures"], 4)        # On a slow machine, a good answer may be too late as well
        self.assertGreaterEqual(len(self.receiver.requests), 5)

    def test_redirect_is_not_followed(self):
        self.receiver.behave = lambda request: (307, {"Location": self.receiver.url("/elsewhere")})
        relay = self.relay({"hook": self.target(attempts=2)})
        self.producer().publish(created(self.name("task")))
        relay.wait_status(lambda rows: rows["hook"]["dead"] == 1)
        self.assertIn("redirects are not followed", relay.run("--json", "dead", "list", "hook"))
        self.assertEqual({r.path for r in self.receiver.requests}, {"/hook"})

    def test_restart_continues_where_it_stopped(self):
        relay = self.relay()
        producer, task = self.producer(), self.name("task")
        first = producer.publish(created(task))
        self.receiver.wait_delivered(1)
        self.assertEqual(relay.stop(), 0)
        producer.publish(*[metric(task, "n", n) for n in range(300)])
        self.relay()
        self.assertEqual(self.receiver.wait_delivered(301), list(range(first, first + 301)))

    def test_broker_restart_loses_nothing(self):
        relay = self.relay()
        task = self.name("task")
        first = self.producer().publish(created(task))
        self.receiver.wait_delivered(1)
        self.broker.stop()
        self.start_broker()
        self.producer().publish(*[metric(task, "n", n) for n in range(10)])
        self.assertEqual(self.receiver.wait_delivered(11), list(range(first, first + 11)))
        relay.wait_status(lambda rows: rows["hook"]["state"] == "live")

    def test_secrets_of_events_are_masked(self):
        self.relay()
        task = self.name("task")
        self.producer().publish(created(task), output(task, "key AKIA" + "QWERTYUIOPASDFGH done"))
        self.receiver.wait_delivered(2)
        self.assertNotIn("QWERTYUIOPASDFGH", self.receiver.requests[1].body.decode())
        self.assertIn("redacted:", self.receiver.requests[1].content)

    def test_headers_of_a_file_are_sent_and_not_logged(self):
        path = os.path.join(self.folder, "headers")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("# for the gateway\nAuthorization: Bearer hidden-word\n")
        self.receiver.behave = lambda request: 500 if request.number == 0 else 200
        relay = self.relay({"hook": dict(self.target("/token-in-path"), headers=path)}, **{"log-level": "debug"})
        self.producer().publish(created(self.name("task")))
        self.receiver.wait_delivered(1, "/token-in-path")
        self.assertEqual(self.receiver.requests[0].headers["authorization"], "Bearer hidden-word")
        relay.stop()
        self.assertNotIn("hidden-word", relay.log())
        self.assertNotIn("token-in-path", relay.log())

    def test_example_receives(self):
        folder = os.path.join(self.folder, self.name("relay"))
        os.makedirs(folder)
        with open(os.path.join(folder, "secret"), "w") as file:
            file.write(receiver.SECRET + "\n")
        os.chmod(file.name, 0o600)
        example = harness.Process([sys.executable, os.path.join(harness.SRC, "examples", "webhook_receiver.py"), file.name, "0"])
        self.addCleanup(example.kill)
        relay = self.relay({"hook": {"url": example.wait_line("receiving at ").split()[-1]}})
        task = self.name("task")
        self.producer().publish(created(task))
        self.assertIn("task.created", example.wait_line(task))
        relay.wait_status(lambda rows: rows["hook"]["delivered"] == 1)

    def test_metrics_are_prometheus_text(self):
        relay = self.relay({"a": self.target("/a"), "b": self.target("/b")})
        self.producer().publish(created(self.name("task")))
        self.receiver.wait_delivered(1, "/a")
        relay.wait_status(lambda rows: rows["a"]["delivered"] == rows["b"]["delivered"] == 1)
        lines = relay.run("metrics").splitlines()
        for line in ("stele_relay_up 1", 'stele_relay_lag_events{target="a"} 0', 'stele_relay_delivered_total{target="b"} 1',
                     'stele_relay_disabled{target="a"} 0', "# TYPE stele_relay_delivered_total counter"):
            self.assertIn(line, lines)
        with open(os.path.join(harness.SRC, "examples", "monitoring", "stele-relay.rules.yml")) as file:
            for name in set(re.findall(r"stele_relay_\w+", file.read())):
                self.assertTrue(any(line.startswith(name) for line in lines), name)
        relay.stop()
        self.assertIn("stele_relay_up 0", relay.run("metrics").splitlines())
        self.assertIn("no relay runs", subprocess.run([harness.program("stele-relay"), "-c", relay.config, "status"],
                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE).stderr.decode())


if __name__ == "__main__":
    harness.main()
