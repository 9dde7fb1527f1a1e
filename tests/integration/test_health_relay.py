# stele health --relay: the targets of a real relay, live, failing, disabled, behind, with dead letters, and without the relay
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import select
import subprocess

import harness
import receiver
from client import created

#   For machines under load; nothing waits so long unless a broker is silent
PATIENT = ["--timeout", "20000"]


class HealthRelay(receiver.RelayTest):
    def run_health(self, *arguments, path=harness.BUILD, environment={}, **more):
        """The program of the relay is found in 'path'."""
        environment = dict(self.broker.environment(), PATH=path + ":" + os.environ["PATH"], **environment)
        return subprocess.run([harness.program("stele"), "health", *arguments], env=environment, capture_output=True,
                              timeout=harness.PATIENCE, **more)

    def health(self, config, *options, **more):
        """The answer in JSON; asserts that the exit status fits it."""
        done = self.run_health("--json", *(options or PATIENT), *(["--relay", config] if config else []), **more)
        answer = json.loads(done.stdout)
        self.assertEqual(done.returncode, {"healthy": 0, "degraded": 1, "down": 2}[answer["status"]], answer)
        self.assertEqual(done.stderr, b"")
        return answer

    def findings(self, config, *options, **more):
        """The findings of the relay by code"""
        found = {}
        for finding in self.health(config, *options, **more)["findings"]:
            if finding["code"].startswith("relay_"):
                self.assertEqual(finding["level"], "degraded")
                self.assertTrue(finding["hint"])
                found[finding["code"]] = finding
        return found

    def wait_finding(self, relay, code, words=""):
        """Wait for exactly this finding of the relay."""
        seen = []

        def look():
            seen[:] = [self.findings(relay.config)]
            return list(seen[0]) == [code] and words in seen[0][code]["message"]
        try:
            harness.wait_until(look, code)
        except AssertionError as error:
            raise AssertionError("%s: %s" % (error, seen)) from None
        return seen[0][code]

    def wait_no_finding(self, relay):
        harness.wait_until(lambda: not self.findings(relay.config), "no finding of the relay")

    def test_live_targets_are_no_finding_and_have_a_lag(self):
        relay = self.relay()
        self.producer().publish(created(self.name("task")))
        self.receiver.wait_delivered(1)
        self.wait_no_finding(relay)
        answer = harness.wait_until(lambda: [answer for answer in [self.health(relay.config)]
                                             if answer["relay"]["targets"][0]["delivered"] == 1], "the delivery")[0]
        row, = answer["relay"]["targets"]
        self.assertEqual((answer["relay"]["running"], row["target"], row["state"]), (True, "hook", "live"))
        self.assertEqual((row["lag_events"], row["lag_ms"]), (0, 0))
        self.assertIn("relay", self.health(None, environment={"STELE_RELAY": relay.config}))
        self.assertNotIn("relay", self.health(None))
        self.assertIn("stele_relay_lag_seconds{target=\"hook\"} 0\n", relay.run("metrics"))

    def test_failing_target_with_its_error_and_its_lag(self):
        self.receiver.behave = lambda request: 500
        relay = self.relay()
        self.producer().publish(created(self.name("one")), created(self.name("two")))
        finding = self.wait_finding(relay, "relay_failing", "lag is 2 events")
        self.assertIn("'hook' of stele-relay does not take events: status 500", finding["message"])
        self.receiver.behave = lambda request: 200
        self.wait_no_finding(relay)

    def test_disabled_target(self):
        self.receiver.behave = lambda request: 410
        relay = self.relay()
        self.producer().publish(created(self.name("task")))
        self.assertIn("'stele-relay enable hook'", self.wait_finding(relay, "relay_disabled")["hint"])

    def test_dead_letters(self):
        self.receiver.behave = lambda request: 500 if request.task_id == self.name("bad") else 200
        relay = self.relay({"hook": self.target(attempts=1)})
        self.producer().publish(created(self.name("bad")), created(self.name("good")))
        self.receiver.wait_delivered(1)
        self.assertIn("1 event could not be delivered to the target 'hook'", self.wait_finding(relay, "relay_dead_letters")["message"])
        relay.run("dead", "drop", "hook", "all")
        self.wait_no_finding(relay)

    def test_killed_relay_is_away_and_its_lag_is_known(self):
        relay = self.relay()
        relay.kill()
        self.wait_finding(relay, "relay_away")
        self.producer().publish(created(self.name("one")), created(self.name("two")))
        row, = self.health(relay.config)["relay"]["targets"]
        self.assertEqual(row["lag_events"], 2)
        self.assertIn(b"degraded: stele-relay does not run", self.run_health(*PATIENT, "--relay", relay.config).stdout)
        self.relay()
        self.wait_no_finding(relay)

    def test_target_that_is_slow_is_behind(self):
        self.receiver.behave = lambda request: receiver.HANG
        relay = self.relay({"hook": self.target(**{"timeout-ms": 600000})})
        #   The lag is that of the oldest event by its own time, here one second before 1970
        self.producer().publish(dict(created(self.name("old")), time=-1000000), created(self.name("new")))
        finding = self.wait_finding(relay, "relay_behind", "(2 events) behind")
        self.assertIn("the target 'hook' of stele-relay is ", finding["message"])
        self.assertGreater(finding["for_ms"], 56 * 365 * 86400000)
        self.receiver.behave = lambda request: 200
        self.receiver.released.set()
        self.wait_no_finding(relay)

    def test_target_of_a_new_configuration_has_not_begun(self):
        relay = self.relay()
        relay.write(self.broker, {"hook": self.target(), "new": self.target("/new")})
        self.assertIn("restart stele-relay", self.wait_finding(relay, "relay_behind", "not begun with the target 'new'")["hint"])

    def test_state_that_is_not_known(self):
        relay = self.relay()
        missing = os.path.join(self.folder, "missing.conf")
        self.assertIn("missing.conf", self.findings(missing)["relay_unknown"]["message"])
        #   Another one may be installed on this machine
        self.assertRegex(self.findings(missing, path=self.folder)["relay_unknown"]["message"], "it is not installed|missing.conf")
        relay.write(self.broker, {"hook": self.target()}, state=relay.state + ".none")
        self.assertIn("cannot open the state", self.findings(relay.config)["relay_unknown"]["message"])
        relay.write(self.broker, {"hook": self.target()}, requests="ipc://%s/nobody" % self.folder)
        harness.wait_until(lambda: "does not answer it" in self.findings(relay.config, "--timeout", "800")["relay_unknown"]["message"],
                           "the broker of the relay")

    def test_broker_that_is_away_is_no_finding_of_the_relay(self):
        relay = self.relay()
        nobody = "ipc://%s/nobody" % self.folder
        relay.write(self.broker, {"hook": self.target()}, requests=nobody)
        answer = harness.wait_until(lambda: [answer for answer in [self.health(relay.config, "--requests", nobody, "--timeout", "800")]
                                             if "relay" in answer], "the state of the relay")[0]
        self.assertEqual([finding["code"] for finding in answer["findings"]], ["not_running"])

    def test_program_that_hangs_is_killed(self):
        folder = os.path.join(self.folder, "bin")
        os.makedirs(folder)
        with open(os.open(os.path.join(folder, "stele-relay"), os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
            file.write("#!/bin/sh\nexec sleep 1000\n")
        alive, inherited = os.pipe()
        self.addCleanup(os.close, alive)
        found = self.findings(os.path.join(self.folder, "any.conf"), "--timeout", "300", path=folder, pass_fds=[inherited])
        os.close(inherited)
        self.assertIn("did not end in time", found["relay_unknown"]["message"])
        self.assertEqual(select.select([alive], [], [], harness.PATIENCE)[0], [alive])
        self.assertEqual(os.read(alive, 1), b"")       # No process has the other end


if __name__ == "__main__":
    harness.main()
