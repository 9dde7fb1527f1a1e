# A ledger shorter than what was acked is detected at start, whatever shortened it
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import shutil
import sqlite3
import struct
import subprocess
import unittest

import client
import harness
from client import created

BEHIND = 65                             # EX_DATAERR


class LedgerBehind(unittest.TestCase):
    def setUp(self):
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.clients = client.Clients()
        self.addCleanup(self.clients.close)
        self.redis = None
        self.broker = None
        self.addCleanup(self.end)

    def end(self):
        if self.broker and self.broker.running():
            self.broker.kill()
        if self.redis:
            self.redis.stop()

    def start(self, *arguments):
        self.broker = harness.Steled(self.folder, redis=self.redis, arguments=arguments)
        self.ledger = self.broker.ledger
        self.wal = self.ledger + "-wal"
        self.high_water = self.ledger + ".high-water"
        return self.broker

    def follow_up_to(self, position):
        follower = harness.Process([harness.program("stele"), "follow", "--after", "0", "--json"],
                                   env=self.broker.environment())
        self.addCleanup(follower.kill)
        follower.wait_line('"position":%d,' % position)
        return follower

    def refuse(self, *texts):
        """A start that must be refused, for these reasons, without changing a file."""
        before = self.contents()
        done = subprocess.run(
            self.broker.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=harness.PATIENCE)
        said = done.stdout.decode()
        self.assertEqual(done.returncode, BEHIND, said)
        for text in texts + ("--accept-loss",):
            self.assertIn(text, said)
        self.assertEqual(self.contents(), before)
        return said

    def contents(self):
        found = {}
        for path in (self.ledger, self.wal, self.high_water):
            if os.path.exists(path) and os.path.getsize(path):
                with open(path, "rb") as file:
                    found[path] = file.read()
        return found

    def ask(self, op, **keys):
        asker = self.clients.asker(self.broker.requests)
        answer = asker.ask(dict(keys, op=op))
        asker.close()
        self.assertIs(answer["ok"], True, answer)
        return answer

    def publish(self, count, name="behind"):
        """Publish events one at a time, so that each is a commit; returns the last position."""
        peer = self.clients.producer(self.broker.events, name)
        position = 0
        for number in range(count):
            position = peer.publish(created("%s-%d" % (name, peer.sequence)))
        self.peer = peer
        return position

    def accept(self, lost, head=None):
        """Continue in spite of the loss, and check the result."""
        self.start("--accept-loss")
        info = self.ask("info")
        loss = info["losses"][0]
        #   The first position that is assigned again is that of the event that records the acceptance
        if head is not None:
            self.assertEqual(info["position"], head + 1)
        self.assertEqual((loss["first"], loss["last"]), (info["position"], lost), loss)
        event = self.ask("audit.list", limit=1)["events"][0]
        self.assertEqual((event["id"], event["operation"], event["target"]),
                         (info["position"], "accept-loss", loss["ledger"]))
        self.assertNotEqual(loss["ledger"], info["ledger"])
        self.assertEqual(self.ask("stats")["ledger"]["losses"], len(info["losses"]))
        self.assert_goes_on(info["position"])
        return info

    def assert_goes_on(self, head):
        self.assertEqual(self.publish(3, "after"), head + 3)
        self.broker.kill()
        self.start()                    # Not needed a second time
        file = sqlite3.connect("file:%s?mode=ro" % self.ledger, uri=True)
        self.assertEqual(file.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        self.assertEqual([row[0] for row in file.execute(
            "SELECT position FROM task_history UNION ALL SELECT position FROM audit_events ORDER BY 1")],
                         list(range(1, head + 4)))
        file.close()

    def frames(self):
        """Offset of each frame of the write-ahead log, and whether it ends a commit."""
        with open(self.wal, "rb") as file:
            data = file.read()
        page = struct.unpack(">I", data[8:12])[0]
        offset = 32
        frames = []
        while offset + 24 + page <= len(data) and data[offset + 8:offset + 16] == data[16:24]:
            frames.append((offset, struct.unpack(">I", data[offset + 4:offset + 8])[0] != 0))
            offset += 24 + page
        return frames, offset

    def flip(self, path, offset):
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 0x10]))

    def test_flipped_bit_in_the_log(self):
        self.start()
        position = self.publish(40)
        self.broker.kill()
        frames, _ = self.frames()
        self.flip(self.wal, frames[len(frames) * 2 // 3][0] + 1000)
        said = self.refuse("high-water file: %d" % position)
        head = int(said.split("ends at position ")[1].split(",")[0])
        self.assertTrue(0 < head < position, said)
        self.assertIn("%d events are missing" % (position - head), said)
        #   With the bit restored, everything is there: the refusal damaged nothing
        self.flip(self.wal, frames[len(frames) * 2 // 3][0] + 1000)
        self.start()
        self.assertEqual(self.ask("ping")["position"], position)
        self.broker.kill()

    def test_accepted_loss_is_recorded_and_shown(self):
        self.start()
        position = self.publish(40)
        was = self.ask("info")["ledger"]
        self.broker.kill()
        frames, _ = self.frames()
        self.flip(self.wal, frames[len(frames) // 2][0] + 30)
        self.refuse()
        info = self.accept(position)
        self.assertEqual(info["losses"][0]["ledger"], was)
        self.assertIn("high-water", info["losses"][0]["evidence"])
        shown = subprocess.run([harness.program("stele"), "info"], stdout=subprocess.PIPE,
                               env=self.broker.environment()).stdout.decode()
        self.assertIn("losses", shown)
        self.assertIn(was, shown)
        self.assertEqual(self.broker.stop(), 0)

    def test_bit_beyond_what_was_acked_does_not_matter(self):
        self.start()
        position = self.publish(40)
        self.broker.kill()
        frames, end = self.frames()
        self.assertTrue(frames[-1][1])
        with open(self.wal, "r+b") as file:     # An incomplete commit: half a transaction
            file.seek(frames[-1][0])
            header = bytearray(file.read(24))
            header[4:8] = b"\0\0\0\0"
            file.seek(end)
            file.write(bytes(header) + os.urandom(3000))
        self.flip(self.wal, end + 500)
        self.start()
        self.assertEqual(self.ask("ping")["position"], position)
        self.assertEqual(self.ask("info")["losses"], [])
        self.assertEqual(self.publish(1, "more"), position + 1)

    def test_truncated_log(self):
        self.start()
        position = self.publish(40)
        self.broker.kill()
        frames, _ = self.frames()
        os.truncate(self.wal, frames[len(frames) // 2][0] + 100)
        self.refuse("high-water file: %d" % position)
        self.accept(position)

    def test_log_cut_by_one_commit(self):
        self.start()
        position = self.publish(10)
        self.broker.kill()
        frames, _ = self.frames()
        os.truncate(self.wal, frames[-1][0])
        self.refuse("ends at position %d" % (position - 1), "1 event is missing")
        self.accept(position, position - 1)

    def test_deleted_log(self):
        self.start()
        self.publish(20)
        self.broker.stop()                      # Runs a checkpoint
        self.start()
        position = self.publish(20)
        self.broker.kill()
        os.remove(self.wal)
        self.refuse("ends at position 20", "high-water file: %d" % position)
        self.accept(position, 20)

    def test_deleted_log_of_a_ledger_that_was_never_folded(self):
        self.start()
        position = self.publish(20)
        self.broker.kill()
        os.remove(self.wal)
        self.refuse("ends at position 0", "high-water file: %d" % position)
        self.accept(position, 0)

    def test_deleted_database(self):
        self.start()
        position = self.publish(5)
        was = self.ask("info")["ledger"]
        self.broker.stop()
        os.remove(self.ledger)
        self.refuse("is missing or empty", "another ledger", "ledger %s, with %d events" % (was, position))
        self.assertFalse(os.path.exists(self.ledger))
        self.start("--accept-loss")
        loss = self.ask("info")["losses"][0]
        self.assertEqual((loss["ledger"], loss["first"], loss["last"]), (was, 1, position))
        self.assert_goes_on(1)

    def test_ledger_put_in_the_place_of_another(self):
        self.start()
        self.publish(1)
        self.broker.stop()
        other = os.path.join(self.folder, "other.db")
        shutil.copy(self.ledger, other)
        os.remove(self.ledger)
        os.remove(self.high_water)
        self.start()
        position = self.publish(7)
        self.broker.stop()
        shutil.copy(other, self.ledger)
        self.refuse("another ledger that has acked events was there before", "with %d events" % position)

    def test_older_copy(self):
        self.start()
        self.publish(10)
        copy = os.path.join(self.folder, "copy.db")
        source = sqlite3.connect("file:%s?mode=ro" % self.ledger, uri=True)
        target = sqlite3.connect(copy)
        source.backup(target)
        source.close()
        target.close()
        position = self.publish(10)
        self.broker.stop()
        shutil.copy(copy, self.ledger)
        self.refuse("ends at position 10", "high-water file: %d" % position)
        self.accept(position, 10)

    def test_copy_without_a_high_water_file_is_a_ledger(self):
        self.start()
        position = self.publish(10)
        self.broker.stop()
        os.remove(self.high_water)
        self.start()
        self.assertEqual(self.publish(1, "more"), position + 1)
        self.assertTrue(os.path.exists(self.high_water))

    def test_high_water_of_a_ledger_without_events_is_replaced(self):
        self.start()
        self.broker.stop()
        os.remove(self.ledger)
        self.start()
        self.publish(1)

    def test_refused_events_that_are_gone(self):
        self.start()
        self.publish(5)
        self.peer.publish_refused({"type": "no.such"})
        self.broker.kill()
        frames, _ = self.frames()
        os.truncate(self.wal, frames[-1][0])
        self.refuse("1 more refused event than here")
        self.start("--accept-loss")
        loss = self.ask("info")["losses"][0]
        self.assertEqual((loss["first"], loss["last"], loss["rejected"]), (6, 5, 1))

    def test_torn_high_water_file(self):
        self.start()
        position = self.publish(5)
        self.broker.kill()
        self.flip(self.high_water, 30)          # One of two blocks
        self.start()
        self.assertEqual(self.publish(1, "more"), position + 1)
        self.broker.kill()
        self.flip(self.high_water, 30)
        self.flip(self.high_water, 4096 + 30)
        self.refuse(".high-water is damaged", "position %d" % (position + 1))
        os.remove(self.high_water)              # The way out that the message names
        self.start()
        self.assertEqual(self.ask("ping")["position"], position + 1)
        self.broker.kill()
        os.truncate(self.high_water, 0)
        self.refuse(".high-water is damaged")
        self.start("--accept-loss")
        self.assertEqual(self.ask("ping")["position"], position + 2)
        self.assertIn("damaged", self.ask("info")["losses"][0]["evidence"])

    def test_redis_alone_knows(self):
        self.redis = harness.Redis(self.folder)
        self.start()
        position = self.publish(30)
        self.redis.wait_position(position)
        self.broker.kill()
        os.remove(self.high_water)
        frames, _ = self.frames()
        self.flip(self.wal, frames[len(frames) // 2][0] + 30)
        self.refuse("Redis at", ": %d)" % position)
        info = self.accept(position)
        self.assertIn("Redis", info["losses"][0]["evidence"])
        self.redis.wait_position(self.ask("ping")["position"])
        self.assertEqual(self.redis.call("GET", "{stele}:ledger").decode(), info["ledger"])
        harness.wait_until(lambda: self.ask("stats")["redis"]["state"] == "live", "Redis to be live")
        answer = self.ask("consistency.check")
        self.assertEqual((answer["missing"], answer["extra"], answer["mismatched"]), (0, 0, 0), answer)

    def test_producer_is_told(self):
        self.start()
        self.publish(30)
        was, peer = self.ask("info")["ledger"], self.peer
        peer.close()
        self.broker.kill()
        frames, _ = self.frames()
        self.flip(self.wal, frames[len(frames) // 2][0] + 30)
        self.start("--accept-loss")
        head = self.ask("ping")["position"] - 1     # Without the audit event of the start
        peer = self.clients.dealer(self.broker.events, peer.name)
        hello = {"op": "hello", "protocol": 1, "producer": peer.name, "instance": "another"}
        peer.send(dict(hello, acked=30))
        error = peer.receive()
        self.assertEqual((error["op"], error["code"], error["sequence"], error["acked"]),
                         ("error", "ledger_behind", head, 30), error)
        self.assertIn("30", error["message"])
        self.assertIn(str(head), error["message"])
        self.broker.wait_line("THE LEDGER IS BEHIND")
        self.assertEqual(self.ask("stats")["ingest"]["behind"], 1)
        peer.send({"op": "publish", "sequence": head + 1, "events": [created("no")]})
        self.assertEqual(peer.receive()["code"], "no_hello")        # Nothing was changed
        for taken_note in ({}, {"acked": head}):
            peer.send(dict(hello, **taken_note))
            welcome = peer.receive()
            self.assertEqual((welcome["op"], welcome["sequence"], welcome["formerly"]),
                             ("welcome", head, was), welcome)
        peer.send({"op": "publish", "sequence": head + 1, "events": [created("yes")]})
        self.assertEqual(peer.receive()["position"], head + 2)

    def test_follower_that_saw_lost_positions_is_told(self):
        self.start()
        position = self.publish(30)
        follower = self.follow_up_to(position)
        self.broker.kill()
        frames, _ = self.frames()
        os.truncate(self.wal, frames[len(frames) // 2][0])
        self.start("--accept-loss")
        follower.wait_line("subscribe again")
        self.assertNotEqual(follower.wait(), 0)

    def test_database_of_another_program_is_left_as_it_is(self):
        self.start()
        self.broker.stop()
        path = os.path.join(self.folder, "other.db")
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE x (y)")
        other.commit()
        other.close()
        with open(path, "rb") as file:
            before = file.read()
        with self.assertRaisesRegex(AssertionError, "of another program"):
            harness.Steled(self.folder, ledger="other.db")
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertFalse(os.path.exists(path + "-wal"))

    def test_ledger_by_another_name_is_the_same(self):
        self.start()
        self.publish(3)
        os.symlink(self.ledger, os.path.join(self.folder, "link.db"))
        #   With endpoints of its own, which would be refused first
        others = [word for name in ("events", "requests", "feed")
                  for word in ("--" + name, "ipc://" + os.path.join(self.folder, "other-" + name))]
        with self.assertRaisesRegex(AssertionError, "another broker has"):
            harness.Steled(self.folder, ledger="link.db", arguments=others)
        self.broker.stop()
        self.broker = harness.Steled(self.folder, ledger="link.db")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "link.db-wal")))

    def test_follower_of_another_ledger_is_told(self):
        self.start()
        position = self.publish(30)
        follower = self.follow_up_to(position)
        #   A heartbeat tells it the ledger; what it prints of an event after that, it has read after the heartbeat
        self.clients.subscriber(self.broker.feed).wait_joined()
        position = self.publish(1)
        follower.wait_line('"position":%d,' % position)
        self.broker.stop()
        for name in (self.ledger, self.wal, self.high_water):
            if os.path.exists(name):
                os.remove(name)
        self.start()                    # Another ledger, and a longer one
        self.peer = self.clients.producer(self.broker.events, "other")
        self.publish(60)
        follower.wait_line("the feed is of ledger")
        self.assertEqual(follower.wait(), 65)
        self.assertNotIn('"position":%d,' % (position + 1), follower.log())

    def test_producer_alone_knows(self):
        self.start()
        self.publish(30)
        self.peer.close()
        self.broker.kill()
        os.remove(self.high_water)
        frames, _ = self.frames()
        self.flip(self.wal, frames[len(frames) // 2][0] + 30)
        self.start()                    # Nothing is left that knows the loss
        peer = self.clients.dealer(self.broker.events, self.peer.name)
        peer.send({"op": "hello", "protocol": 1, "producer": peer.name, "instance": "another",
                   "acked": 30})
        self.assertEqual(peer.receive()["code"], "ledger_behind")
        self.broker.wait_line("THE LEDGER IS BEHIND")

    def test_file_of_settings_may_not_accept_every_loss(self):
        self.start()
        self.broker.stop()
        path = os.path.join(self.folder, "accept.conf")
        with open(path, "w") as file:
            file.write('accept-loss = "yes"\n')
        done = subprocess.run(self.broker.command + ["--config", path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 78)
        self.assertIn(b"accept-loss is for one start", done.stdout)


if __name__ == "__main__":
    harness.main()
