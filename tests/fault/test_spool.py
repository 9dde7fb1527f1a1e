# Events in a producer's spool reach the ledger once, whichever process dies in between
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import random
import subprocess
import time

import harness
from client import metric
from faulty import FaultTest

CYCLES = int(os.environ.get("STELE_SPOOL_CYCLES", "60"))
WAITS = 75                              # EX_TEMPFAIL


class Spool(FaultTest):
    use_redis = False

    def setUp(self):
        super().setUp()
        self.random = random.Random(self.id())
        if not self.broker.running():
            self.restart()
        self.spool = os.path.join(self.folder, self.name("spool"))
        self.task = self.name("task")

    def publish(self, *values, status=0, arguments=()):
        """Run stele publish --spool with these metrics; returns its counts."""
        lines = "".join(json.dumps(metric(self.task, "n", value)) + "\n" for value in values)
        out = self.stele("publish", "--json", "--spool", self.spool, *arguments,
                         input=lines.encode(), status=status)
        return json.loads(out) if out else None

    def drain(self, *arguments, status=0):
        return self.publish(status=status, arguments=arguments)

    def assert_kept(self, *values):
        self.assertEqual(self.values(self.task), list(values))

    def test_publisher_killed_at_random_times(self):
        noted = os.path.join(self.folder, "noted")
        kills = {"publisher": 0, "broker": 0}
        self.task = "task-spooler"
        away_for = 0
        for cycle in range(CYCLES):
            done = len(self.done(noted))
            child = harness.Process(
                [harness.program("tests/fault/spooler"), self.broker.events, self.spool, "spooler",
                 noted, str(cycle)], env=self.broker.environment())
            #   Some die while they begin; a slow machine takes a while for that
            if cycle % 4:
                harness.wait_until(lambda: len(self.done(noted)) >= done + 2 or not child.running(), "two groups of events")
            time.sleep(self.random.uniform(0, 0.15))
            if self.broker.running() and self.random.random() < 0.3:
                self.broker.kill()
                kills["broker"] += 1
                away_for = self.random.randint(0, 4)
                time.sleep(self.random.uniform(0, 0.05))
            if not self.broker.running():
                away_for -= 1
                if away_for < 0:
                    self.restart()
            self.assertTrue(child.running(), child.log())
            child.kill()
            kills["publisher"] += 1
        if not self.broker.running():
            self.restart()
        self.drain("--timeout", "30000")
        with open(noted) as file:
            lines = [line.split() for line in file]
        tried = {int(value) for word, value in lines}
        values = self.values(self.task)
        self.assertEqual(values, sorted(set(values)))           # Once each, in order
        unsure = self.unsure(lines)
        safe = set(range(1, max(tried) + 1)) - unsure
        self.assertEqual(safe - set(values), set())
        self.assertEqual(set(values) - safe - unsure, set())
        self.assertLessEqual(max(values), max(tried))
        self.assertLess(os.path.getsize(self.spool), 20000)
        self.assert_whole()
        print("figures: %d publishers and %d brokers killed, %d events safe, %d unsure, 0 lost, 0 twice"
              % (kills["publisher"], kills["broker"], len(safe), len(unsure)))
        self.assertGreater(len(self.done(noted)), CYCLES)

    def done(self, noted):
        """The calls that have returned."""
        if not os.path.exists(noted):
            return []
        with open(noted) as file:
            return [line for line in file if line.startswith("done ")]

    def unsure(self, lines):
        """Values of the calls that were killed before they returned."""
        unsure, last = set(), 0
        for number, (word, value) in enumerate(lines):
            killed = word == "try" and (number + 1 == len(lines) or lines[number + 1][0] == "try")
            if killed:
                unsure.update(range(last + 1, int(value) + 1))
            last = int(value)
        return unsure

    def test_without_a_broker_it_is_safe_and_sent_later_once(self):
        self.broker.kill()
        before = time.time()
        counts = self.publish(1, 2, 3)
        after = time.time()
        self.assertEqual((counts["events"], counts["unacked"]), (3, 3))
        self.publish(4)
        self.assertEqual(self.drain("--timeout", "300", status=WAITS)["unacked"], 4)
        self.restart()
        self.assertEqual(self.publish(5)["accepted"], 5)
        self.assertEqual(self.drain()["events"], 0)
        self.assert_kept(1, 2, 3, 4, 5)
        #   Without an explicit time they have that of their publishing, not of their arrival
        mine = [event for event in self.read_events() if event.get("task_id") == self.name("task")]
        for event in mine[:3]:
            self.assertTrue(before - 1 <= event["time"] / 1e6 <= after + 1, event)

    def test_broker_killed_while_it_drains(self):
        self.broker.kill()
        values = range(1, 20001)
        self.publish(*values, arguments=("--timeout", "100"))
        for _ in range(6):
            self.restart()
            drain = harness.Process([harness.program("stele"), "publish", "--spool", self.spool,
                                     "--batch", "10"], env=self.broker.environment())
            time.sleep(self.random.uniform(0, 0.08))
            (self.broker if self.random.random() < 0.5 else drain).kill()
            drain.kill()
        self.restart()
        self.drain()
        self.assert_kept(*values)

    def test_lost_spool_takes_no_sequence_twice(self):
        self.publish(1, 2, arguments=("--producer", self.name("p")))
        os.remove(self.spool)
        self.broker.kill()
        self.publish(3, 4, arguments=("--producer", self.name("p")))
        self.restart()
        self.drain()
        self.assert_kept(1, 2, 3, 4)

    def test_events_published_beside_the_spool_displace_nothing(self):
        self.publish(1, 2, arguments=("--producer", self.name("p")))
        self.broker.kill()
        self.publish(3, 4)
        self.restart()
        peer = self.producer(self.name("p"))
        peer.publish(*(metric(self.task, "n", value) for value in (10, 11, 12)))
        peer.close()
        self.drain()
        self.assert_kept(1, 2, 10, 11, 12, 3, 4)

    def test_older_ledger_is_told_and_accepted_only_when_asked(self):
        self.publish(1, 2)
        self.broker.stop()
        copy = self.broker.ledger + ".copy"
        with open(self.broker.ledger, "rb") as source, open(copy, "wb") as target:
            target.write(source.read())
        self.restart()
        self.publish(3, 4, 5)
        self.broker.kill()
        self.publish(6)
        os.replace(copy, self.broker.ledger)
        for end in ("-wal", "-shm"):
            os.remove(self.broker.ledger + end)
        self.restart(arguments=("--accept-loss",))
        self.drain(status=65)
        self.assertIn("has acks up to sequence 5", self.stderr)
        self.assertIn("--accept-loss", self.stderr)
        self.assertEqual(self.ask("stats")["ingest"]["behind"], 1)
        self.assert_kept(1, 2)
        self.drain("--accept-loss")
        self.assert_kept(1, 2, 6)
        self.assertEqual(self.publish(7)["accepted"], 1)        # Not needed a second time
        self.assert_kept(1, 2, 6, 7)

    def test_producer_that_lost_nothing_goes_on_over_an_accepted_loss(self):
        self.publish(1, 2)
        self.broker.stop()
        copy = self.broker.ledger + ".copy"
        with open(self.broker.ledger, "rb") as source, open(copy, "wb") as target:
            target.write(source.read())
        self.restart()
        self.producer().publish(metric(self.name("other"), "n", 1))
        self.broker.stop()
        os.replace(copy, self.broker.ledger)
        self.restart(arguments=("--accept-loss",))
        self.assertEqual(self.publish(3)["accepted"], 1)
        self.restart()
        self.assertEqual(self.publish(4)["accepted"], 1)
        self.assert_kept(1, 2, 3, 4)

    def test_other_ledger_is_refused(self):
        self.publish(1)
        self.broker.stop()
        self.publish(2)
        other = harness.Steled(self.folder, ledger="other.db")
        self.addCleanup(other.kill)
        self.drain(status=65)
        self.assertEqual(other.stop(), 0)
        self.restart()
        self.drain()
        self.assert_kept(1, 2)

    def test_refused_events_leave_the_spool(self):
        self.broker.kill()
        #   Only the broker knows in which state a task is
        events = [metric(self.task, "n", 1)] + [
            {"type": "task.state_changed", "task_id": self.task, "state": state} for state in ("passed", "running")]
        self.stele("publish", "--spool", self.spool, input="\n".join(map(json.dumps, events)).encode())
        self.restart()
        counts = self.drain(status=65)
        self.assertEqual((counts["accepted"], counts["refused"], counts["unacked"]), (2, 1, 0))
        self.assertIn("an event of an earlier run: illegal_transition", self.stderr)
        self.assertEqual(self.drain()["events"], 0)

    def test_what_no_broker_would_take_does_not_get_into_the_spool(self):
        self.broker.kill()
        lines = json.dumps(metric(self.task, "n", 1)) + '\n{"type":"no.such"}\n'
        self.stele("publish", "--spool", self.spool, input=lines.encode(), status=65)
        self.assertIn("line 2", self.stderr)
        self.assertIn("no.such", self.stderr)
        self.restart()
        counts = self.drain()
        self.assertEqual((counts["events"], counts["accepted"], counts["refused"]), (1, 1, 0))

    def test_line_too_large_is_skipped_and_the_rest_is_spooled(self):
        rejects = os.path.join(self.folder, self.name("rejects"))
        large = json.dumps({"type": "task.output_added", "task_id": self.task, "output_type": "log",
                            "content": "x" * 17000000})
        lines = [json.dumps(metric(self.task, "n", 1)), large, json.dumps(metric(self.task, "n", 2))]
        for broker in (False, True):
            if broker:
                self.restart()
            else:
                self.broker.kill()
            self.stele("publish", "--spool", self.spool, "--rejects", rejects, "--timeout", "3000",
                       input="\n".join(lines).encode(), status=65)
            self.assertIn("line 2: ", self.stderr)
        with open(rejects) as file:
            self.assertEqual([json.loads(line)["text"] for line in file], [large] * 2)
        self.assert_kept(1, 2, 1, 2)

    def test_messages_are_never_written_into_the_spool(self):
        self.broker.kill()
        self.publish(1)
        path = os.path.join(self.folder, self.name("lines"))
        with open(path, "w") as file:
            file.write(json.dumps(metric(self.task, "n", 2)) + "\n")
        #   Without stdin, stdout and stderr, the next file that is opened would be one of them
        subprocess.run(["sh", "-c", 'exec "$0" publish --spool "$1" --timeout 300 "$2" <&- >&- 2>&-',
                        harness.program("stele"), self.spool, path], env=self.broker.environment(), timeout=harness.PATIENCE)
        self.restart()
        self.assertEqual(self.publish(3)["accepted"], 3)
        self.assert_kept(1, 2, 3)

    def test_one_process_at_a_time(self):
        first = subprocess.Popen([harness.program("stele"), "publish", "--spool", self.spool],
                                 stdin=subprocess.PIPE, env=self.broker.environment(),
                                 stdout=subprocess.DEVNULL)
        harness.wait_until(lambda: os.path.exists(self.spool), "the spool")
        self.publish(1, status=WAITS)
        self.assertIn("another process", self.stderr)
        first.communicate(b"", timeout=harness.PATIENCE)
        self.assertEqual(self.publish(1)["accepted"], 1)
        self.assert_kept(1)


if __name__ == "__main__":
    harness.main()
