# Requests: every operation, its answer and its refusals (protocol section 4)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import msgpack
import zmq

import harness
from client import Peer, changed, command, created, metric, output, pack, started, unpack

HOUR = 3600 * 1000000


class Requests(harness.BrokerTest):

    def assert_keys(self, record, *keys):
        for key in keys:
            self.assertIn(key, record)

    def story(self):
        """A task with something of everything; its id and the position of its last event."""
        task = self.name("task")
        peer = self.producer()
        position = peer.publish(
            created(task, time=1000, provider="p", model="m", metadata={"a": 1}),
            changed(task, "running", time=2000),
            output(task, "one", time=3000), output(task, "two", output_type="stderr", time=4000),
            metric(task, "cost", 0.5, unit="USD", time=5000), metric(task, "tokens", 7, time=6000),
            changed(task, "failed", time=7000, error_message="no luck", details={"code": 1}))
        return task, position

    #   Liveness, versions

    def test_ping(self):
        self.assertGreaterEqual(self.ask("ping")["position"], 0)

    def test_info(self):
        info = self.ask("info")
        self.assert_keys(info, "version", "protocol", "ledger", "mode", "limits", "endpoints", "parts")
        self.assertEqual(info["protocol"], 1)
        self.assertIsInstance(info["limits"], dict)
        self.assertEqual(info["endpoints"]["requests"], self.broker.requests)

    #   Publish by plain REQ

    def test_publish_is_durable_when_it_answers(self):
        task = self.name("task")
        answer = self.ask("publish", producer=self.name("p"),
                          events=[created(task), changed(task, "running")])
        self.assertEqual((answer["accepted"], answer["duplicates"], answer["rejected"]), (2, 0, []))
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["position"], answer["position"])

    def test_publish_with_sequence_knows_duplicates(self):
        task = self.name("task")
        keys = {"producer": self.name("p"), "sequence": 1, "events": [created(task), metric(task, "n", 1)]}
        first = self.ask("publish", **keys)
        again = self.ask("publish", **keys)
        self.assertEqual((first["accepted"], first["duplicates"]), (2, 0))
        self.assertEqual((again["accepted"], again["duplicates"]), (0, 2))
        keys["sequence"] = 2
        keys["events"] = [metric(task, "n", 1), metric(task, "n", 2)]
        half = self.ask("publish", **keys)
        self.assertEqual((half["accepted"], half["duplicates"]), (1, 1))
        self.assertEqual(len(self.ask("task.metrics", task_id=task)["metrics"]), 2)

    def test_publish_tells_what_it_rejected(self):
        task = self.name("task")
        answer = self.ask("publish", producer=self.name("p"), events=[
            created(task), {"type": "no.such"}, changed(task, "passed"), changed(task, "running")])
        self.assertEqual(answer["accepted"], 2)
        self.assertEqual([(row["index"], row["code"]) for row in answer["rejected"]],
                         [(1, "unknown_type"), (3, "illegal_transition")])
        self.assertTrue(all(row["message"] for row in answer["rejected"]))

    def test_publish_with_a_gap_is_refused(self):
        error = self.refused("publish", producer=self.name("p"), sequence=7, events=[created("x")])
        self.assertEqual(error["code"], "sequence_gap")

    def test_publish_without_producer_or_events_is_refused(self):
        for keys in ({"events": [created("x")]}, {"producer": "p"}, {"producer": "p", "events": 7},
                     {"producer": 7, "events": []}):
            self.assertIn(self.refused("publish", **keys)["code"],
                          ("bad_request", "missing_field", "invalid_field"))

    def test_publish_goes_on_after_the_events_socket(self):
        peer = self.producer()
        peer.publish(created(self.name("task")))
        answer = self.ask("publish", producer=peer.name, sequence=2,
                          events=[changed(self.name("task"), "running")])
        self.assertEqual((answer["accepted"], answer["duplicates"]), (1, 0))

    #   One task

    def test_publish_by_the_name_of_a_run_takes_no_event_from_it(self):
        peer, task = self.producer(), self.name("task")
        peer.publish(metric(task, "by-run", 1))
        self.assertEqual(self.ask("publish", producer=peer.name, events=[metric(task, "by-request", 2)])["sequence"], 2)
        #   Its second event is not the second of that name
        peer.send_events([metric(task, "by-run", 3)])
        self.assertEqual(peer.receive()["code"], "fenced")
        names = [row["name"] for row in self.ask("task.metrics", task_id=task)["metrics"]]
        self.assertEqual(names, ["by-run", "by-request"])
        #   Another run begins after both
        again = self.producer(peer.name)
        self.assertEqual(again.welcome["sequence"], 2)
        again.publish(metric(task, "by-run", 3))

    def test_status_from_redis_and_from_sqlite(self):
        task, position = self.story()
        self.redis.wait_position(position)
        live = self.live_status(task)["task"]
        self.assert_keys(live, "task_id", "state", "created_at", "position")
        self.assertNotIn("description", live)
        self.redis.call("DEL", "{stele}:task:" + task)
        answer = self.ask("task.status", task_id=task)
        self.assertEqual((answer["source"], answer["task"]), ("sqlite", live))
        recovered = self.ask("task.recover", task_id=task)
        self.assertEqual(recovered["task"]["task_id"], task)
        self.live_status(task)

    def test_status_with_min_position_is_never_older(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task))
        for number in range(50):
            state = ("running", "paused")[number % 2]
            position = peer.publish(changed(task, state))
            answer = self.ask("task.status", task_id=task, min_position=position)
            self.assertEqual((answer["task"]["state"], answer["task"]["position"]), (state, position))

    def test_get_has_every_field(self):
        task, position = self.story()
        record = self.ask("task.get", task_id=task)["task"]
        expected = {"task_id": task, "title": "A task", "description": "What is to be done",
                    "role": "builder", "state": "failed", "provider": "p", "model": "m",
                    "metadata": {"a": 1}, "target_dir": ".", "full_access": False,
                    "user_id": "default", "created_at": 1000, "started_at": 2000,
                    "completed_at": 7000, "error_count": 1, "last_error": "no luck"}
        self.assertEqual({key: record.get(key) for key in expected}, expected)
        self.assertEqual(record["position"], position)

    def test_get_at_a_position(self):
        task, position = self.story()
        first = position - 6
        for at, state, error in ((first, "queued", None), (first + 1, "running", None),
                                 (first + 5, "running", None), (position, "failed", "no luck")):
            record = self.ask("task.get", task_id=task, at=at)["task"]
            self.assertEqual((record["state"], record.get("last_error")), (state, error), at)
        self.assertEqual(self.refused("task.get", task_id=task, at=first - 1)["code"], "not_found")

    def test_get_at_a_time(self):
        task = self.name("task")
        base = 1767268800 * 1000000
        self.producer().publish(
            created(task, time=base, title="Old"), changed(task, "running", time=base + HOUR),
            {"type": "task.updated", "task_id": task, "time": base + 2 * HOUR, "title": "New"},
            changed(task, "passed", time=base + 3 * HOUR))
        for at, state, title in (("2026-01-01T12:00:00Z", "queued", "Old"),
                                 ("2026-01-01T13:00:00.000001Z", "running", "Old"),
                                 ("2026-01-01T15:00:00+01:00", "running", "New"),
                                 (msgpack.Timestamp(1767290000, 0), "passed", "New")):
            record = self.ask("task.get", task_id=task, at=at)["task"]
            self.assertEqual((record["state"], record["title"]), (state, title), at)
        self.assertEqual(self.refused("task.get", task_id=task, at="2026-01-01T11:59:59Z")["code"], "not_found")

    def test_history(self):
        task, position = self.story()
        answer = self.ask("task.history", task_id=task)
        rows = answer["history"]
        self.assertEqual([(row["id"], row["task_id"], row.get("state_from"), row["state_to"], row["timestamp"])
                          for row in rows],
                         [(position - 6, task, None, "queued", 1000),
                          (position - 5, task, "queued", "running", 2000),
                          (position, task, "running", "failed", 7000)])
        self.assertEqual((rows[2]["error_message"], rows[2]["details"], rows[2]["user_id"]),
                         ("no luck", {"code": 1}, "default"))
        self.assertIsNone(answer["next"])

    def test_outputs(self):
        task, position = self.story()
        rows = self.ask("task.outputs", task_id=task)["outputs"]
        self.assertEqual([(row["id"], row["task_id"], row["output_type"], row["content"], row["timestamp"])
                          for row in rows],
                         [(position - 4, task, "stdout", "one", 3000),
                          (position - 3, task, "stderr", "two", 4000)])
        rows = self.ask("task.outputs", task_id=task, types=["stderr"])["outputs"]
        self.assertEqual([row["content"] for row in rows], ["two"])

    def test_metrics(self):
        task, position = self.story()
        rows = self.ask("task.metrics", task_id=task)["metrics"]
        self.assertEqual([(row["id"], row["name"], row["value"], row.get("unit"), row["timestamp"])
                          for row in rows],
                         [(position - 2, "cost", 0.5, "USD", 5000), (position - 1, "tokens", 7, None, 6000)])
        rows = self.ask("task.metrics", task_id=task, names=["tokens", "other"])["metrics"]
        self.assertEqual([row["name"] for row in rows], ["tokens"])

    def test_pages_of_a_task_follow_the_cursor(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(*[changed(task, "running", time=n) for n in range(25)])
        peer.publish(*[output(task, str(n)) for n in range(25)])
        peer.publish(*[metric(task, "n", n) for n in range(25)])
        for op, key, field in (("task.history", "history", "timestamp"),
                               ("task.outputs", "outputs", "content"),
                               ("task.metrics", "metrics", "value")):
            seen, cursor = [], None
            while True:
                keys = {} if cursor is None else {"cursor": cursor}
                answer = self.ask(op, task_id=task, limit=10, **keys)
                self.assertLessEqual(len(answer[key]), 10)
                seen += [int(row[field]) for row in answer[key]]
                cursor = answer["next"]
                if cursor is None:
                    break
            self.assertEqual(seen, list(range(25)), op)

    def test_newest_first_where_asked(self):
        task, session = self.name("task"), self.name("session")
        self.producer().publish(*[event for n in range(5) for event in (
            changed(task, "running", time=n), output(task, str(n), time=n), metric(task, "n", n, time=n),
            command(session, str(n), time=n))])
        for op, key, ids in (("task.history", "history", {"task_id": task}),
                             ("task.outputs", "outputs", {"task_id": task}),
                             ("task.metrics", "metrics", {"task_id": task}),
                             ("session.commands", "commands", {"session_id": session})):
            first = self.ask(op, order="desc", limit=3, **ids)
            second = self.ask(op, order="desc", limit=3, cursor=first["next"], **ids)
            self.assertEqual([row["timestamp"] for row in first[key] + second[key]], [4, 3, 2, 1, 0], op)

    def test_history_of_chosen_types(self):
        task = self.name("task")
        self.producer().publish(created(task), {"type": "task.updated", "task_id": task, "title": "New"},
                                changed(task, "running", x_unknown=[1]))
        rows = self.ask("task.history", task_id=task, types="task.updated")["history"]
        self.assertEqual([(row["type"], row["changes"]) for row in rows], [("task.updated", {"title": "New"})])
        rows = self.ask("task.history", task_id=task, types=["task.created", "task.state_changed"])["history"]
        self.assertEqual([row.get("x_unknown") for row in rows], [None, [1]])

    def test_unknown_task_is_not_found(self):
        for op in ("task.status", "task.get", "task.history", "task.outputs", "task.metrics", "task.recover"):
            self.assertEqual(self.refused(op, task_id=self.name("no-such"))["code"], "not_found", op)
        for op in ("session.get", "session.commands"):
            self.assertEqual(self.refused(op, session_id=self.name("no-such"))["code"], "not_found", op)
        self.assertEqual(self.refused("preference.get", user_id=self.name("no-such"))["code"], "not_found")

    #   Sessions, preferences

    def test_sessions(self):
        task, session = self.name("task"), self.name("session")
        other = self.name("other")
        position = self.producer().publish(
            started(session, task_id=task, pid=77, time=1000),
            command(session, "make", output="ok\n", exit_code=0, execution_time_ms=12, time=2000),
            command(session, "make check", output=b"\xff", exit_code=2, time=3000),
            {"type": "session.state_changed", "session_id": session, "state": "completed", "time": 4000},
            started(other, task_id=task))
        record = self.ask("session.get", session_id=session)["session"]
        expected = {"session_id": session, "state": "completed", "cli_tool": "bash", "mode": "cli",
                    "current_directory": "/src", "pid": 77, "task_id": task, "user_id": "default",
                    "created_at": 1000, "updated_at": 4000}
        self.assertEqual({key: record.get(key) for key in expected}, expected)
        rows = self.ask("session.commands", session_id=session)["commands"]
        self.assertEqual([(row["id"], row["command"], row["output"], row["exit_code"],
                           row.get("execution_time_ms"), row["timestamp"]) for row in rows],
                         [(position - 3, "make", "ok\n", 0, 12, 2000),
                          (position - 2, "make check", b"\xff", 2, None, 3000)])
        answer = self.ask("session.list", task_id=task)
        self.assertEqual({row["session_id"] for row in answer["sessions"]}, {session, other})
        self.assertIn("next", answer)
        answer = self.ask("session.list", task_id=task, states=["completed"])
        self.assertEqual([row["session_id"] for row in answer["sessions"]], [session])

    def test_preferences(self):
        user = self.name("user")
        self.producer().publish({"type": "preference.set", "user_id": user, "preferred_model": "m",
                                 "role_preferences": {"tester": {"model": "x"}}})
        record = self.ask("preference.get", user_id=user)["preferences"]
        self.assertEqual((record["user_id"], record["preferred_model"], record["role_preferences"]),
                         (user, "m", {"tester": {"model": "x"}}))

    #   The log, refused events

    def test_events_read(self):
        task, position = self.story()
        answer = self.ask("events.read", after=position - 7, limit=3)
        self.assertEqual([event["position"] for event in answer["events"]],
                         [position - 6, position - 5, position - 4])
        self.assertEqual(answer["head"], answer["position"])
        self.assertGreaterEqual(answer["head"], position)
        answer = self.ask("events.read", after=position - 7, limit=100, types=["task.output_added"])
        mine = [event for event in answer["events"] if event["task_id"] == task]
        self.assertEqual([event["content"] for event in mine], ["one", "two"])
        self.assertEqual(self.ask("events.read", after=answer["head"] + 1000, limit=10)["events"], [])

    def test_table_read_tells_rows_as_they_were_at_a_position(self):
        task, position = self.story()
        later = self.producer(self.name("later")).publish(changed(task, "queued"))
        rows, cursor = [], None
        while True:
            answer = self.ask("table.read", table="tasks", at=position, limit=1, cursor=cursor)
            rows += answer["rows"]
            cursor = answer["next"]
            if cursor is None:
                break
        record = self.ask("task.get", task_id=task, at=position)["task"]
        self.assertTrue(record.pop("producer"))         # Rows of tables do not have it
        self.assertEqual([row for row in rows if row["task_id"] == task], [record])
        history = self.ask("table.read", table="task_history", at=position, limit=1000)["rows"]
        self.assertEqual([row for row in history if row["task_id"] == task],
                         self.ask("task.history", task_id=task)["history"][:-1])
        self.assertEqual(self.refused("table.read", table="meta")["code"], "bad_request")
        self.assertEqual(self.refused("table.read", table="tasks", at=later + 1000)["code"], "not_found")

    def test_producer_get_tells_the_last_durable_sequence(self):
        name = self.name("producer")
        self.assertEqual(self.refused("producer.get", producer=name)["code"], "not_found")
        self.producer(name).publish(created(self.name("a")), created(self.name("b")))
        answer = self.ask("producer.get", producer=name)["producer"]
        self.assertEqual((answer["producer"], answer["sequence"], answer["status"]), (name, 2, "present"))

    def test_rejected_list_and_retry(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), changed(task, "passed"))
        event = changed(task, "running", time=5000, details={"n": 2**63})
        peer.publish_refused(event)
        rows = self.ask("rejected.list", producer=peer.name)["rejected"]
        self.assertEqual(len(rows), 1)
        row = rows[0]
        self.assertEqual((row["producer"], row["sequence"], row["code"], row["event"]),
                         (peer.name, 3, "illegal_transition", event))
        self.assertTrue(row["message"] and row["time"])
        answer = self.ask("rejected.retry", id=row["id"])           # Still wrong
        self.assertEqual(answer["accepted"], 0)
        peer.publish(changed(task, "queued"))
        answer = self.ask("rejected.retry", id=row["id"])
        self.assertEqual(answer["accepted"], 1)
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "running")

    #   Redis and SQLite side by side

    def test_recover(self):
        task, position = self.name("task"), 0
        position = self.producer().publish(created(task), changed(task, "running"))
        self.redis.wait_position(position)
        self.redis.call("DEL", "{stele}:task:" + task)
        for scope in ("active", "all"):
            answer = self.ask("recover", scope=scope)
            self.assertGreaterEqual(answer["restored"], 1)
            self.assertGreaterEqual(answer["by_state"]["running"], 1)
            self.assertEqual(self.redis.text_hash("{stele}:task:" + task)["state"], "running")

    def test_consistency_check_and_repair(self):
        names = [self.name(what) for what in ("missing", "mismatched", "extra")]
        position = self.producer().publish(created(names[0]), created(names[1]))
        self.redis.wait_position(position)
        answer = self.ask("consistency.check")
        self.assert_keys(answer, "checked", "missing", "extra", "mismatched", "repaired", "examples")
        self.assertEqual((answer["missing"], answer["extra"], answer["mismatched"]), (0, 0, 0), answer)
        self.assertEqual(answer["consistent"], 1.0)

        def damage_and_check():
            self.redis.call("DEL", "{stele}:task:" + names[0])
            self.redis.call("HSET", "{stele}:task:" + names[1], "state", "paused")
            self.redis.call("HSET", "{stele}:task:" + names[2], "state", "paused", "task_id", names[2])
            answer = self.ask("consistency.check")
            found = tuple(answer[name] for name in ("missing", "extra", "mismatched", "repaired"))
            return answer if found == (1, 1, 1, 0) else None

        #   A follower that has lost Redis for a moment writes all tasks again
        answer = harness.wait_until(damage_and_check, "the three differences")
        self.assertEqual(set(answer["examples"]), set(names))
        self.assertLess(answer["consistent"], 1.0)
        answer = self.ask("consistency.check", repair=True)
        self.assertEqual(answer["repaired"], 3, answer)
        answer = self.ask("consistency.check")
        self.assertEqual((answer["missing"], answer["extra"], answer["mismatched"]), (0, 0, 0), answer)

    #   Statistics

    def test_stats(self):
        task, position = self.story()
        self.redis.wait_position(position)
        stats = self.ask("stats")
        self.assert_keys(stats, "tasks", "ledger", "redis", "ingest", "producers", "requests", "feed",
                         "search", "recovery", "consistency")
        self.assert_keys(stats["tasks"], "total", "by_state", "by_role", "by_provider")
        self.assertEqual(sum(stats["tasks"]["by_state"].values()), stats["tasks"]["total"])
        self.assertGreaterEqual(stats["tasks"]["by_role"]["builder"], 1)
        self.assert_keys(stats["ledger"], "position", "size_bytes", "wal_bytes", "commits")
        self.assertEqual(stats["ledger"]["position"], stats["position"])
        self.assert_keys(stats["redis"], "state", "position", "lag_events", "lag_ms")
        self.assert_keys(stats["search"], "state", "position", "lag_events")
        self.assertEqual(stats["search"]["state"], "live")
        self.assert_keys(stats["ingest"], "events", "duplicates", "rejected", "batches", "ack_us")
        self.assert_keys(stats["ingest"]["ack_us"], "p50", "p99")
        self.assertGreaterEqual(stats["ingest"]["events"], 7)

    #   min_position

    def test_min_position_waits_until_it_is_there(self):
        task = self.name("task")
        head = self.ask("ping")["position"]
        askers = [self.asker() for _ in range(20)]      # More than there are workers
        for number, asker in enumerate(askers):
            op = ("task.get", "task.status", "task.history", "ping")[number % 4]
            asker.send({"op": op, "task_id": task, "min_position": head + 2, "timeout_ms": 50000})
        self.ask("ping")                                # Nobody else has to wait
        self.producer().publish(created(task), changed(task, "running"))
        for asker in askers:
            answer = asker.receive()
            self.assertIs(answer["ok"], True, answer)
            self.assertGreaterEqual(answer["position"], head + 2)

    def test_min_position_that_never_comes_times_out(self):
        head = self.ask("ping")["position"]
        error = self.refused("ping", min_position=head + 1000, timeout_ms=100)
        self.assertEqual(error["code"], "timeout")

    #   What is no good request

    def test_unknown_op_is_refused(self):
        for op in ("dance", "task", "TASK.GET"):
            error = self.refused(op)
            self.assertEqual(error["code"], "unknown_op", op)
            self.assertIn(" task.get ", error["message"])
            self.assertTrue(error["message"].endswith("consistency.check"), error)

    def test_bad_keys_are_refused(self):
        for op, keys in (
                ("task.get", {}), ("task.get", {"task_id": 7}), ("task.get", {"task_id": ["x"]}),
                ("task.get", {"task_id": "x", "at": "yesterday"}), ("task.get", {"task_id": "x", "at": -1}), ("task.history", {}),
                ("task.list", {"states": ["dancing"]}), ("task.list", {"states": 7}),
                ("task.list", {"limit": "ten"}), ("task.list", {"limit": -1}),
                ("task.list", {"order": "sideways"}), ("task.list", {"cursor": "no cursor of mine"}),
                ("task.list", {"date_from": "yesterday"}), ("session.get", {}),
                ("events.read", {"after": -1}), ("events.read", {"after": 0, "types": ["no.such"]}),
                ("recover", {"scope": "some"}), ("rejected.retry", {}),
                ("ping", {"min_position": "x"}), ("preference.get", {"user_id": 7})):
            self.assertIn(self.refused(op, **keys)["code"], ("bad_request",), (op, keys))

    def test_malformed_request_is_answered_and_so_is_the_next_one(self):
        asker = self.asker()
        for data in (b"", b"\xc1", pack(7), pack([]), pack({}), pack({"op": 7}), b"\x81\xa2op",
                     b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", pack({"op": "ping"}) + b"\x00",
                     b"\x81\xa2op\xa4\xff\xfe\xfd\xfc", b"\x91" * 100000):
            answer = asker.ask_bytes(data)
            self.assertIs(answer["ok"], False, data[:20])
            self.assertIn(answer["error"]["code"], ("bad_request", "malformed", "unknown_op"), data[:20])
            self.assertIs(asker.ask({"op": "ping"})["ok"], True)

    def test_request_of_several_frames_is_answered(self):
        asker = self.asker()
        asker.socket.send_multipart([pack({"op": "ping"}), b"more"])
        self.assertIs(asker.receive()["ok"], False)
        self.assertIs(asker.ask({"op": "ping"})["ok"], True)

    def test_dealer_with_an_empty_delimiter_is_answered_in_any_number(self):
        peer = self.clients.keep(Peer(self.clients.context, zmq.DEALER, self.broker.requests))
        for number in range(100):
            peer.socket.send_multipart([b"", pack({"op": "ping"})])
        for number in range(100):
            frames = peer.receive_frames()
            self.assertEqual(frames[0], b"")
            self.assertIs(unpack(frames[1])["ok"], True)

    def test_one_asker_at_a_time_may_leave_without_its_answer(self):
        for _ in range(50):
            asker = self.asker()
            asker.send({"op": "stats"})
            asker.close()
        self.ask("ping")

    def test_no_error_is_another_than_an_empty_one(self):
        task, time = self.name("task"), 77 * HOUR
        for number, keys in enumerate(({"error_message": ""}, {"error_message": ""}, {})):
            self.producer(self.name("p%d" % number)).publish(
                created("%s-%d" % (task, number), time=time), changed("%s-%d" % (task, number), "failed", time=time, **keys))
        groups = self.ask("stats.tasks", **{"group_by": "error", "from": time, "to": time})["groups"]
        self.assertEqual({group["error"]: group["failed"] for group in groups}, {"": 2, None: 1})


if __name__ == "__main__":
    harness.main()
