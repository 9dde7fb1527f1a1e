#!/usr/bin/env python3
# test_spool - events in a file until they are acked: kill -9, damage, and the spools of libstele
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import logging
import os
import subprocess
import sys
import unittest

import harness
import stele_client as stele
from stele_client import wire
from stele_client.spool import Spool

AWAY = "ipc:///no/such/broker"


class SpoolTest(harness.BrokerTest):
    use_redis = False

    def setUp(self):
        super().setUp()
        logging.getLogger("stele").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("stele").setLevel, logging.NOTSET)
        self.path = os.path.join(self.folder, self.name("spool"))
        self.producer_name = self.name("p")

    def publisher(self, endpoint=None, **options):
        return stele.Publisher(self.producer_name, endpoint or self.broker.events, requests=self.broker.requests, spool=self.path,
                               **options)

    def created(self, number):
        return stele.task_created("%s-%d" % (self.producer_name, number), "t", "", "r")

    def stored(self):
        """Numbers of the tasks in the ledger, in the order of their events"""
        return [int(event["task_id"].rsplit("-", 1)[1]) for event in self.read_events()
                if event.get("task_id", "").startswith(self.producer_name + "-")]

    def spool_without_a_broker(self, *numbers):
        with self.publisher(AWAY) as publisher:
            for number in numbers:
                publisher.send(self.created(number))
            publisher.close(0)

    def test_next_run_sends_what_waits(self):
        self.spool_without_a_broker(1, 2)
        self.spool_without_a_broker(3)
        with self.publisher() as publisher:
            publisher.publish(self.created(4), timeout=60)
        self.assertEqual(self.stored(), [1, 2, 3, 4])
        self.assertEqual(os.path.getsize(self.path), 12288)        # Nothing waits
        with self.publisher() as publisher:
            publisher.publish(self.created(5), timeout=60)
        self.assertEqual(self.stored(), [1, 2, 3, 4, 5])

    def test_every_event_is_stored_once_although_the_program_is_killed(self):
        script = ("import sys, stele_client as stele\n"
                  "publisher = stele.Publisher(%r, %r, spool=%r)\n"
                  "for number in range(int(sys.argv[1]), 10 ** 6):\n"
                  "    publisher.send(stele.task_created('%s-%%d' %% number, 't', '', 'r'))\n"
                  "    print(number, flush=True)\n" % (self.producer_name, self.broker.events, self.path, self.producer_name))
        last = -1
        for turn in range(4):
            child = harness.Process([sys.executable, "-c", script, str(last + 1)], env=self.broker.environment())
            self.addCleanup(child.kill)
            child.wait_line(str(last + 40 + turn))
            child.kill()
            #   One more may be in the spool than was printed
            spool = Spool(self.path, self.producer_name)
            last = max([int(line) for line in child.lines if line] +
                       [int(wire.unpack(event)["task_id"].rsplit("-", 1)[1]) for event in spool.waiting] + self.stored())
            spool.close()
        with self.publisher() as publisher:
            publisher.flush(60)
        self.assertEqual(self.stored(), list(range(last + 1)))

    def test_broker_is_killed(self):
        with self.publisher() as publisher:
            for number in range(300):
                publisher.send(self.created(number))
                if number in (100, 200):
                    self.broker.kill()
                    self.start_broker()
            publisher.flush(60)
        self.assertEqual(self.stored(), list(range(300)))

    def test_events_that_were_stored_without_an_ack_are_stored_once(self):
        self.spool_without_a_broker(1, 2, 3)
        with open(self.path, "rb") as file:
            copy = bytearray(file.read())
        with self.publisher() as publisher:
            publisher.flush(60)
        with open(self.path, "rb") as file:
            copy[4096:4608] = file.read()[4096:4608]               # The numbering was kept, the acks were lost
        with open(self.path, "wb") as file:
            file.write(copy)
        with self.publisher() as publisher:
            publisher.publish(self.created(4), timeout=60)
        self.assertEqual(self.stored(), [1, 2, 3, 4])

    def test_name_that_published_before_and_a_lost_spool(self):
        with stele.Publisher(self.producer_name, self.broker.events) as publisher:
            publisher.publish(self.created(1))
        self.spool_without_a_broker(2)
        with self.publisher() as publisher:
            publisher.flush(60)
        os.remove(self.path)
        self.spool_without_a_broker(3)
        with self.publisher() as publisher:
            publisher.flush(60)
        self.assertEqual(self.stored(), [1, 2, 3])

    def test_another_ledger_ends_it_and_the_events_remain(self):
        with self.publisher() as publisher:
            publisher.publish(self.created(1), timeout=60)
        folder = harness.temporary_folder()
        other = harness.Steled(folder)
        self.addCleanup(subprocess.run, ["rm", "-rf", folder])
        self.addCleanup(other.stop)
        self.spool_without_a_broker(2)
        with stele.Publisher(self.producer_name, other.events) as publisher:
            publisher.publish(self.created(8), self.created(9), timeout=60)
        with self.publisher(other.events) as publisher:
            with self.assertRaisesRegex(stele.LedgerBehind, "has another ledger now"):
                publisher.ready(60)
            with self.assertRaises(stele.LedgerBehind):
                publisher.send(self.created(3))
            with self.assertRaises(stele.LedgerBehind):
                publisher.close()
        with self.publisher() as publisher:
            publisher.flush(60)
        self.assertEqual(self.stored(), [1, 2])

    def test_torn_end_is_cut_off(self):
        self.spool_without_a_broker(1, 2)
        size = os.path.getsize(self.path)
        for torn in (b"strc", b"strc" + b"\x05" * 40, b"\0" * 100):
            with open(self.path, "r+b") as file:
                file.seek(size)
                file.write(torn)
            spool = Spool(self.path, self.producer_name)
            self.assertEqual((len(spool.waiting), os.path.getsize(self.path)), (2, size))
            spool.close()

    def refused(self, pattern, producer=None, **options):
        with self.assertRaisesRegex(stele.SpoolError, pattern):
            Spool(self.path, producer or self.producer_name, **options)

    def test_spool_that_cannot_be_used_is_refused(self):
        self.spool_without_a_broker(1, 2)
        self.refused("is the spool of producer %s, not of other: use one" % self.producer_name, "other")
        spool = Spool(self.path, self.producer_name)
        self.refused("another process has the spool .* open")
        spool.close()
        with open(self.path, "r+b") as file:
            file.seek(12288 + 40)
            file.write(b"\xff")
        self.refused("is damaged at byte 12288")
        with open(self.path, "r+b") as file:
            file.write(b"\xff")
        self.refused("is not a spool")
        self.path = "/no/such/folder/spool"
        self.refused("No such file")

    def test_full_spool_accepts_nothing(self):
        spool = Spool(self.path, self.producer_name, bytes_max=100)
        spool.append(b"x" * 60)
        with self.assertRaisesRegex(stele.SpoolError, "is full: 92 bytes wait"):
            spool.append(b"")
        self.assertEqual(spool.end, 1)
        spool.close()

    def test_file_is_rewritten_without_settled_events(self):
        spool = Spool(self.path, self.producer_name)
        for _ in range(40):
            spool.append(b"x" * 65536)
        spool.settle(30)
        self.assertLess(os.path.getsize(self.path), 11 * 65600 + 12288)
        spool.append(b"last")
        spool.close()
        spool = Spool(self.path, self.producer_name)
        self.assertEqual((len(spool.waiting), spool.waiting[-1], spool.settled, spool.end), (11, b"last", 30, 41))
        spool.close()

    def test_event_that_has_become_too_large_is_set_aside(self):
        with self.publisher(AWAY) as publisher:
            publisher.send(stele.task_output_added("%s-1" % self.producer_name, "stdout", b"x" * (17 << 20)))
            publisher.send(self.created(2))
            publisher.close(0)
        with self.publisher() as publisher:
            publisher.flush(60)
        self.assertEqual(self.stored(), [2])
        with open(self.path + ".rejected") as file:
            line = json.loads(file.read())
        self.assertEqual((line["number"], json.loads(line["text"])["type"]), (1, "task.output_added"))

    #   The spools of libstele

    def test_command_line_sends_a_spool_of_python(self):
        self.spool_without_a_broker(1, 2)
        self.stele("publish", "--spool", self.path, "-", input=b"")
        self.assertEqual(self.stored(), [1, 2])
        self.spool_without_a_broker(3)
        self.stele("publish", "--spool", self.path, "-", input=json.dumps(self.created(4)).encode())
        self.assertEqual(self.stored(), [1, 2, 3, 4])

    def test_python_sends_a_spool_of_the_command_line(self):
        done = subprocess.run([harness.program("stele"), "publish", "--spool", self.path, "--producer", self.producer_name,
                               "--timeout", "1", "-"], input=b"".join(json.dumps(self.created(n)).encode() + b"\n" for n in (1, 2)),
                              env=dict(self.broker.environment(), STELE_EVENTS=AWAY, STELE_REQUESTS=AWAY), timeout=harness.PATIENCE,
                              stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stderr)
        with self.publisher() as publisher:
            publisher.publish(self.created(3), timeout=60)
        self.assertEqual(self.stored(), [1, 2, 3])

    #   Tasks

    def test_task_does_not_wait_for_a_broker_that_is_away(self):
        stele.connect(self.producer_name, endpoint=AWAY, requests=AWAY, spool=self.path)
        with self.assertNoLogs("stele", "ERROR"):
            with stele.task("%s-1" % self.producer_name, wait=harness.PATIENCE * 2) as task:
                pass
        child = os.fork()
        if child == 0:                      # Has another name, and no spool
            os._exit(0 if not stele.default_publisher().has_spool else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        stele.default.LAST_S, before = 0.0, stele.default.LAST_S
        stele.disconnect()
        stele.default.LAST_S = before
        with self.publisher() as publisher:
            publisher.flush(60)
        self.assertEqual(self.ask("task.get", task_id=task.id)["task"]["state"], "passed")

    def test_spool_without_a_name_is_refused(self):
        with self.assertRaisesRegex(ValueError, "permanent name"):
            stele.connect(spool=self.path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
