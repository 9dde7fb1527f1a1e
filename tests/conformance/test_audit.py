# Audit events: whatever changes something besides publishing is recorded (protocol section 3)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import sqlite3
import subprocess

import harness
import test_access
from client import changed, created

NEVER = {"type": "audit.recorded", "who": "me", "operation": "mode", "outcome": "ok", "target": "dual"}


class Recorded(harness.BrokerTest):

    def setUp(self):
        super().setUp()
        self.before = self.ask("ping")["position"]

    def audit(self, **keys):
        """The audit events of this test, oldest first."""
        events = self.ask("audit.list", **keys)["events"]
        return [event for event in reversed(events) if event["id"] > self.before]

    def last(self, count=1):
        events = self.audit()
        self.assertEqual(len(events), count, events)
        return events[-1]

    def assert_event(self, event, **expected):
        self.assertEqual({key: event.get(key) for key in expected}, expected, event)
        self.assertEqual(event["who"], "local")

    def refused_event(self):
        """The number of a rejected event that a retry can accept now."""
        task = self.name("t")
        self.ask("publish", producer=self.name("p"), events=[
            created(task), changed(task, "passed"), changed(task, "running"), changed(task, "queued")])
        return self.ask("rejected.list", producer=self.name("p"))["rejected"][0]["id"]

    def test_mode_is_recorded_where_it_is_set(self):
        self.ask("mode")
        self.assertEqual(self.audit(), [])
        self.ask("mode", mode="sqlite", request_id="r-1")
        self.assert_event(self.last(), operation="mode", target="sqlite", outcome="ok", request_id="r-1",
                          details={"mode": "sqlite", "only_in_redis": 0})
        self.ask("mode", mode="dual")
        self.assert_event(self.last(2), operation="mode", target="dual", outcome="ok")
        self.assertEqual(self.refused("mode", mode="no")["code"], "bad_request")
        self.last(2)

    def test_mode_redis_takes_the_way_of_all_events(self):
        self.ask("mode", mode="redis")
        self.assertEqual(self.ask("mode")["only_in_redis"], 1)
        self.assertEqual(self.audit(), [])
        self.ask("mode", mode="dual")
        self.assertEqual([event["target"] for event in self.audit()], ["redis", "dual"])

    def test_recover_of_a_task_and_of_all(self):
        self.producer().publish(created(self.name("t")))
        self.before += 1
        self.ask("task.recover", task_id=self.name("t"), request_id="r")
        self.assert_event(self.last(), operation="task.recover", target=self.name("t"), outcome="ok", request_id="r")
        self.assertEqual(self.refused("task.recover", task_id="no-such")["code"], "not_found")
        self.assert_event(self.last(2), operation="task.recover", target="no-such", outcome="not_found")
        self.assertIn("message", self.last(2)["details"])
        restored = self.ask("recover", scope="all")["restored"]
        self.assert_event(self.last(3), operation="recover", target="all", outcome="ok", details={"restored": restored})

    def test_check_is_recorded_if_it_repairs(self):
        self.ask("consistency.check")
        self.assertEqual(self.audit(), [])
        self.ask("consistency.check", repair=True)
        event = self.last()
        self.assert_event(event, operation="consistency.check", outcome="ok")
        self.assertEqual((event["details"]["repaired"], event["details"]["examples"]), (0, 0))

    def test_retry_and_its_events_are_one_commit(self):
        number = self.refused_event()
        self.before = self.ask("ping")["position"]
        answer = self.ask("rejected.retry", id=number, request_id="again")
        self.assertEqual(answer["accepted"], 1)
        event = self.last()
        self.assert_event(event, operation="rejected.retry", target=str(number), outcome="ok", request_id="again",
                          details={"accepted": 1, "rejected": 0})
        self.assertEqual((event["id"], answer["position"]), (self.before + 2, self.before + 2))
        ledger = sqlite3.connect("file:%s?mode=ro" % self.broker.ledger, uri=True)
        self.addCleanup(ledger.close)
        self.assertEqual(ledger.execute("SELECT first, last FROM commits WHERE last >= ? AND first <= ?",
                                        (event["id"], event["id"])).fetchone(), (self.before + 1, self.before + 2))

    def test_retry_that_accepts_nothing_has_the_reason(self):
        self.ask("rejected.retry", ids=[99999, 99998])
        self.assert_event(self.last(), target="99999, 99998", outcome="not_found",
                          details={"accepted": 0, "rejected": 2})

    def test_event_is_in_log_feed_table_follow_and_export(self):
        feed = self.subscriber("audit.recorded/").wait_joined()
        self.ask("consistency.check", repair=True, request_id="everywhere")
        record = self.last()
        event = dict(record, type="audit.recorded", position=record["id"], time=record["timestamp"])
        del event["id"], event["timestamp"]
        self.assertEqual(feed.next(), ("audit.recorded/local", event))
        self.assertEqual(self.read_events(self.before, types=["audit.recorded"]), [event])
        self.assertEqual(self.ask("table.read", table="audit_events", limit=1000)["rows"][-1], record)
        self.assertEqual(self.ask("events.read", after=self.before)["head"], record["id"])
        line = self.stele("follow", "--after", str(self.before), "-n", "1", "audit.recorded/").decode()
        for word in ("audit.recorded", "local", "consistency.check", "ok"):
            self.assertIn(word, line)
        rows = self.stele("export", "--table", "audit_events", "--format", "csv", "-").decode().splitlines()
        self.assertTrue(rows[0].startswith("id,timestamp,who,operation,target,outcome,peer,request_id"), rows[0])
        self.assertIn("everywhere", rows[-1])
        self.assertEqual(self.ask("stats")["ledger"]["position"], record["id"])
        self.assertGreater(self.ask("stats")["ingest"]["audited"], 0)
        ledger = sqlite3.connect("file:%s?mode=ro" % self.broker.ledger, uri=True)
        self.addCleanup(ledger.close)
        self.assertEqual(ledger.execute("SELECT who, operation, outcome, request_id FROM audit_events_view"
                                        " ORDER BY position DESC").fetchone(),
                         ("local", "consistency.check", "ok", "everywhere"))
        self.redis.wait_position(record["id"])

    def test_list_is_newest_first_in_pages_and_filtered(self):
        for task in ("x1", "x2", "x3"):
            self.refused("task.recover", task_id=task)
        page = self.ask("audit.list", operation="task.recover", limit=2)
        self.assertEqual([event["target"] for event in page["events"]], ["x3", "x2"])
        page = self.ask("audit.list", operation="task.recover", limit=1, cursor=page["next"])
        self.assertEqual([event["target"] for event in page["events"]], ["x1"])
        times = [event["timestamp"] for event in self.audit()]
        self.assertEqual(len(self.audit(who="local", outcome="not_found", **{"from": times[1], "to": times[1]})), 1)
        self.assertEqual(self.audit(outcome="ok"), [])
        self.assertEqual(self.ask("audit.list", who="nobody"), dict(self.ask("ping"), events=[], next=None))

    def test_command_prints_a_table_and_json(self):
        self.refused("task.recover", task_id="no-such-task")
        table = self.stele("audit", "--since", "1h", "--operation", "task.recover").decode().splitlines()
        self.assertEqual(table[0].split()[:5], ["POSITION", "TIME", "WHO", "FROM", "OPERATION"])
        #   Of ipc:// the user, the group and the process
        self.assertRegex(table[1], r" localhost:%d:%d:\d+ " % (os.getuid(), os.getgid()))
        self.assertIn("no-such-task", table[1])
        answer = json.loads(self.stele("audit", "--json", "--outcome", "not_found", "-n", "1"))
        self.assertEqual(answer["events"][0]["target"], "no-such-task")
        self.stele("audit", "--to", "2001-01-01")
        self.assertIn("no audit events match", self.stderr)
        self.stele("audit", "--all", "-n", "1", status=64)
        known = self.stele("completion", "words", "--", "audit", "--operation", "").decode().split()
        for name in known:
            self.stele("audit", "--operation", name)
        for name in ("nope", "mod", "recover,", "", ","):
            self.stele("audit", "--operation", name, status=64)
            self.assertIn("'%s' is not an operation that is recorded; use one of %s\n" % (name, ", ".join(known)), self.stderr)

    def test_producers_may_not_publish_them(self):
        nak = self.producer().publish_refused(NEVER)
        self.assertEqual((nak["code"], nak["field"]), ("invalid_field", "type"))
        self.assertIn("only the broker", nak["message"])
        answer = self.ask("publish", producer=self.name("q"), events=[NEVER])
        self.assertEqual((answer["accepted"], answer["rejected"][0]["code"]), (0, "invalid_field"))
        self.assertEqual(self.audit(), [])

    def test_import_keeps_them_as_records_of_another_ledger(self):
        answer = self.ask("publish", producer=self.name("q"), events=[NEVER], restore=True)
        self.assertEqual(answer["accepted"], 1)
        event = self.audit()[-1]
        self.assertEqual((event["who"], event["imported"], event["target"]), ("me", True, "dual"))


class Addresses(harness.BrokerTest):
    use_redis = False
    arguments = ["--requests", "tcp://127.0.0.1:*"]

    @classmethod
    def start_broker(cls, **more):
        broker = super().start_broker(**more)
        broker.requests = re.search(r"requests (tcp://\S+),", broker.log()).group(1)
        return broker

    def test_event_has_the_address_of_the_peer(self):
        self.ask("rejected.retry", id=7)
        event = self.ask("audit.list")["events"][0]
        self.assertEqual((event["peer"], event["outcome"]), ("127.0.0.1", "not_found"))


class Keyed(test_access.AccessTest):
    @classmethod
    def make_keys(cls, keys):
        super().make_keys(keys)
        keys.add("reader", "query")
        keys.add("gate", "gateway operate")
        keys.add("builder", "publish", producers="build-*")

    def wait_event(self, **fields):
        """The first audit event with these fields."""
        def found():
            events = self.asker_of("root").ask({"op": "audit.list", "limit": 1000})["events"]
            return next((event for event in reversed(events)
                         if all(event.get(key) == value for key, value in fields.items())), None)
        harness.wait_until(found, "the event %r" % fields)
        return found()

    def test_a_key_that_reads_may_list_what_it_reads_anyway(self):
        self.asker_of("root").ask({"op": "rejected.retry", "id": 79})
        reader = self.asker_of("reader")
        listed = reader.ask({"op": "audit.list", "limit": 1})["events"]
        table = reader.ask({"op": "table.read", "table": "audit_events", "limit": 1000})["rows"]
        log = reader.ask({"op": "events.read", "types": ["audit.recorded"], "limit": 1000})["events"]
        self.assertEqual(len(listed), 1)
        self.assertIn(listed[0]["id"], [row["id"] for row in table])
        self.assertIn(listed[0]["id"], [event["position"] for event in log])

    def test_refused_access_is_recorded_with_its_key_and_address(self):
        for _ in range(3):
            answer = self.asker_of("reader").ask({"op": "mode", "mode": "sqlite"})
            self.assertEqual(answer["error"]["code"], "unauthorized")
        event = self.wait_event(operation="access.denied", who="reader")
        self.assertEqual((event["target"], event["peer"], event["outcome"]), ("mode", "127.0.0.1", "unauthorized"))
        self.assertGreater(event["count"], 0)
        times = [event["details"][key] for key in ("first", "last")]
        self.assertEqual(times, sorted(times))
        for text in times:
            self.assertRegex(text, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")

    def test_refusal_that_quotes_a_cut_character_is_recorded(self):
        name = "a" * 99 + "\u00e9"
        producer = self.producer_of("builder", name)
        producer.send({"op": "hello", "protocol": 1, "producer": name, "instance": "i"})
        self.assertIn("a" * 99, producer.receive()["message"])
        event = self.wait_event(operation="access.denied", who="builder")
        self.assertIn("a" * 99, event["details"]["message"])
        self.assertNotIn("could not be recorded", self.broker.log())

    def test_actor_whose_name_is_not_text_is_refused(self):
        gate = self.asker_of("gate")
        gate.send_bytes(b"\x82\xa2op\xa4mode\xa5actor\x81\xa4name\xa1\xff")
        answer = gate.receive()
        self.assertEqual(answer["error"]["code"], "bad_request", answer)
        gate.ask({"op": "mode", "actor": {"name": "\u00e9" * 127}})
        event = self.wait_event(operation="access.denied", who="gate")
        self.assertIn("gate/\u00e9", event["details"]["message"])

    def test_changes_of_keys_are_recorded_with_who_had_them_read(self):
        self.keys.add("new", "query")
        self.reload()
        self.wait_event(operation="key.added", target="new", who="root", outcome="ok")
        self.keys.remove("new")
        self.reload()
        self.wait_event(operation="key.revoked", target="new", who="root")

    def test_operation_has_the_key_and_for_whom_a_gateway_acts(self):
        self.asker_of("root").ask({"op": "rejected.retry", "id": 77})
        self.wait_event(operation="rejected.retry", target="77", who="root", outcome="not_found")
        self.asker_of("gate").ask({"op": "rejected.retry", "id": 78, "actor": {"name": "ann", "roles": ["operate"]}})
        self.wait_event(operation="rejected.retry", target="78", who="gate/ann")


class Durable(harness.BrokerTest):
    """Each test has a broker of its own."""

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        harness.BrokerTest.setUpClass.__func__(type(self))
        self.addCleanup(type(self).doClassCleanups)
        super().setUp()

    def operations(self):
        return [event["operation"] for event in reversed(self.ask("audit.list")["events"])]

    def test_event_is_there_after_a_kill_as_soon_as_it_is_answered(self):
        done = []
        for op, keys in (("recover", {}), ("consistency.check", {"repair": True}), ("rejected.retry", {"id": 1}),
                         ("mode", {"mode": "sqlite"}), ("mode", {"mode": "dual"}), ("mode", {"mode": "redis"})):
            self.ask(op, **keys)
            done.append(op)
            self.broker.kill()
            self.start_broker()
            self.assertEqual(self.operations(), done)

    def test_accepted_loss_is_recorded(self):
        self.producer().publish(created("t"))
        self.broker.kill()
        for suffix in ("", "-wal", "-shm"):
            os.remove(self.broker.ledger + suffix)
        self.redis.call("FLUSHALL")
        self.start_broker(arguments=["--accept-loss"])
        event, = self.ask("audit.list")["events"]
        loss = self.ask("info")["losses"][0]
        self.assertEqual((event["operation"], event["target"], event["outcome"], event["who"], event["id"]),
                         ("accept-loss", loss["ledger"], "ok", "local", 1))
        self.assertEqual(event["details"], {key: loss[key] for key in ("first", "last", "rejected", "evidence")})
        self.broker.stop()
        self.start_broker()
        self.assertEqual(self.operations(), ["accept-loss"])

    def test_export_and_import_keep_positions_and_events(self):
        self.producer().publish(created("t"))
        self.ask("recover")
        self.ask("mode", mode="sqlite")
        self.producer().publish(changed("t", "running"))
        export = self.stele("export", "-")
        lines = [json.loads(line) for line in export.splitlines()]
        self.assertEqual([line["type"] for line in lines],
                         ["task.created", "audit.recorded", "audit.recorded", "task.state_changed"])
        other = harness.temporary_folder()
        second = harness.Steled(other, redis=None)
        self.addCleanup(second.stop)
        for _ in range(2):
            subprocess.run([harness.program("stele"), "import", "-"], input=export, check=True,
                           env=second.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        again = subprocess.run([harness.program("stele"), "export", "-"], check=True, env=second.environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
        for line in lines:
            if line["type"] == "audit.recorded":
                line["imported"] = True
        self.assertEqual([json.loads(line) for line in again.splitlines()], lines)


if __name__ == "__main__":
    harness.main()
