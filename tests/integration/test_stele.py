# The command line: every subcommand, for people and as JSON, and its exit statuses
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess

import harness
from client import changed, command, created, metric, output, session_changed, started


class Stele(harness.BrokerTest):
    def story(self):
        """A task with a session; its id, and the position of its last event."""
        task = self.name("task")
        position = self.producer().publish(
            created(task, title="Wide \U0001f680 title", time=1767268800 * 1000000),
            changed(task, "running"), output(task, "some output\n"), output(task, b"\x00\xff\x1b[31m"),
            metric(task, "cost", 0.25, unit="USD"), started(self.name("session"), task_id=task),
            command(self.name("session"), "make check", output="ok\n", exit_code=0),
            changed(task, "failed", error_message="no luck"))
        self.redis.wait_position(position)
        return task, position

    def json(self, *arguments, **options):
        """One JSON object a line."""
        return [json.loads(line) for line in self.stele("--json", *arguments, **options).splitlines()]

    def text(self, *arguments, **options):
        text = self.stele(*arguments, **options).decode()
        self.assertNotIn("\x1b", text)                  # No colour in a pipe, no escapes of others
        return text

    def stele_until(self, text, *words, **options):
        """Run a command until its errors have a text: why a connection fails comes late on a slow machine."""
        harness.wait_until(lambda: self.stele(*words, **options) is not None and text in self.stderr,
                           "%r from stele %s" % (text, " ".join(words)))

    #   Asking

    def test_status(self):
        task, position = self.story()
        answer = harness.wait_until(lambda: [answer for answer in self.json("status", task) if answer["source"] == "redis"],
                                    "the status from Redis")[0]
        self.assertEqual(answer["task"]["state"], "failed")
        text = self.text("status", task)
        self.assertIn(task, text)
        self.assertIn("failed", text)
        self.assertIn("no luck", text)

    def test_get_now_and_then(self):
        task, position = self.story()
        answer, = self.json("get", task)
        self.assertEqual((answer["task"]["state"], answer["task"]["created_at"]),
                         ("failed", "2026-01-01T12:00:00.000000Z"))
        answer, = self.json("get", task, "--at", str(position - 6))
        self.assertEqual(answer["task"]["state"], "running")
        answer, = self.json("get", task, "--at", "2026-01-01T12:00:01Z")
        self.assertEqual(answer["task"]["state"], "queued")
        self.assertIn("What is to be done", self.text("get", task))

    def test_list(self):
        task, position = self.story()
        user = self.name("user")
        self.producer(self.name("more")).publish(*[
            created("%s-%d" % (task, number), user_id=user, parent_id=task) for number in range(30)])
        answer, = self.json("list", "--parent", task)
        self.assertEqual(len(answer["tasks"]), 30)
        answer, = self.json("list", "--user", user, "--state", "queued", "--limit", "7")
        self.assertEqual(len(answer["tasks"]), 7)
        answer, = self.json("list", "--parent", task, "--from", "2026-01-01", "--to", "2100-01-01")
        self.assertEqual(len(answer["tasks"]), 30)
        answer, = self.json("list", "--parent", task, "--to", "2026-01-01")
        self.assertEqual(answer["tasks"], [])
        answer, = self.json("list", "--user", user, "--state", "running")
        self.assertEqual(answer["tasks"], [])
        text = self.text("list", "--user", user)
        self.assertEqual(sum(task + "-" in line for line in text.splitlines()), 30)

    def test_times_have_any_offset(self):
        task, position = self.story()                   # Created at 12:00:00Z
        for time, state in (("2026-01-01T14:00:01+02:00", "queued"), ("2026-01-01 06:30:01.5-05:30", "queued"),
                            ("2026-01-01T13:59:59+02:00", None)):
            if state:
                answer, = self.json("get", task, "--at", time)
                self.assertEqual(answer["task"]["state"], state)
            else:
                self.stele("get", task, "--at", time, status=1)
            for words in (["list", "--json", "--all"], ["export", "--table", "tasks", "-"]):
                since = self.stele(*words, "--from", time)
                self.assertEqual(task.encode() in since, not state, (words, time))
                self.assertEqual(task.encode() in self.stele(*words, "--to", time), bool(state), (words, time))
        self.json("stats", "--by", "role", "--from", "2026-01-01T14:00:00+02:00", "--to", "2026-01-02")

    def test_times_that_are_none_are_refused_before_the_broker_is_queried(self):
        path = os.path.join(self.folder, "never.jsonl")
        for time in ("2026-13-45T00:00:00Z", "2026-02-30", "last tuesday", "", "2026-01-31T23:59:59",
                     "2026-01-31T23:59:59+25:00", "2026-01-31T24:00:00Z"):
            for words in (["export", path, "--from"], ["export", path, "--to"], ["list", "--from"], ["list", "--to"],
                          ["list", "--updated-from"], ["list", "--completed-to"], ["list", "--at"],
                          ["get", "task", "--at"], ["stats", "--by", "role", "--from"], ["stats", "--to"]):
                self.stele("--requests", "ipc://%s/nobody" % self.folder, "--timeout", "100", *words, time,
                           status=os.EX_USAGE)
                self.assertIn("%s: '%s' is not a time" % (words[-1], time), self.stderr)
        self.assertFalse(os.path.exists(path))

    def test_usage_errors_say_what_is_wrong(self):
        for words, message in ((["get"], "missing argument: ID"), (["status", "a", "b"], "unexpected argument 'b'"),
                               (["list", "--stat", "x"], "unknown option --stat; did you mean --state?"),
                               (["export", "-", "--state", "nonsense"], "'nonsense' is not a state; use queued, "),
                               (["mode", "nonsense"], "'nonsense' is not a mode; use dual, sqlite or redis"),
                               (["stats", "--by", "nonsense"], "'nonsense' is not a grouping; use state, role, "),
                               (["lst"], "unknown command 'lst'; did you mean 'list'?")):
            self.stele(*words, status=os.EX_USAGE)
            self.assertTrue(self.stderr.startswith("stele: " + message), self.stderr)

    def test_history_outputs_metrics(self):
        task, position = self.story()
        answer, = self.json("history", task)
        self.assertEqual([row["state_to"] for row in answer["history"]], ["queued", "running", "failed"])
        self.assertRegex(answer["history"][0]["timestamp"], "^20..-..-..T.*Z$")
        self.assertIn("no luck", self.text("history", task))
        answer, = self.json("outputs", task)
        self.assertEqual([row["content"] for row in answer["outputs"]],
                         ["some output\n", {"$bin": "AP8bWzMxbQ=="}])
        self.text("outputs", task)
        self.assertEqual(self.stele("outputs", task, "--raw"), b"some output\n\x00\xff\x1b[31m")
        answer, = self.json("metrics", task)
        self.assertEqual([(row["name"], row["value"], row["unit"]) for row in answer["metrics"]],
                         [("cost", 0.25, "USD")])
        self.assertIn("cost", self.text("metrics", task))

    def test_sessions(self):
        task, position = self.story()
        answer, = self.json("sessions", "--task", task)
        self.assertEqual([row["session_id"] for row in answer["sessions"]], [self.name("session")])
        self.assertIn(self.name("session"), self.text("sessions"))
        text = self.text("sessions", self.name("session"))
        self.assertIn("make check", text)
        lines = self.stele("--json", "sessions", self.name("session"))
        self.assertIn(b"make check", lines)

    def test_lists_that_are_cut_off_say_so(self):
        task, session = self.name("task"), self.name("session")
        self.producer().publish(
            created(task), changed(task, "running"), output(task, "one"), output(task, "two"),
            metric(task, "cost", 1), metric(task, "cost", 2), started(session, task_id=task),
            *[command(session, "false", output="", exit_code=1) for _ in range(101)])
        for words in (("history", task), ("outputs", task), ("outputs", task, "--raw"), ("metrics", task),
                      ("sessions", session), ("sessions", "--failed")):
            self.stele(*words, "--limit", "1")
            self.assertIn("more rows exist: ", self.stderr, words)
            self.assertIn("--limit", self.stderr, words)
            self.stele("--json", *words[:2], "--limit", "1")
            self.assertEqual(self.stderr, "", words)
            self.stele(*words, *(["--all"] if "--failed" in words else []))
            self.assertEqual(self.stderr, "", words)
        self.stele("sessions", "--failed")
        self.assertIn("more rows exist: use --all", self.stderr)

    def test_replay(self):
        task, position = self.story()
        events = self.json("replay", "--after", str(position - 8))
        self.assertEqual([event["position"] for event in events], list(range(position - 7, position + 1)))
        self.assertEqual(events[3]["content"], {"$bin": "AP8bWzMxbQ=="})
        self.text("replay", "--after", str(position - 2))

    def test_what_is_replayed_can_be_published(self):
        task, position = self.story()
        lines = self.stele("replay", "--after", str(position - 8), "--json")
        other = lines.replace(task.encode(), b"copy-" + task.encode()).replace(
            self.name("session").encode(), b"copy-" + self.name("session").encode())
        counts, = self.json("publish", "-", input=other)
        self.assertEqual((counts["accepted"], counts["refused"]), (8, 0))
        rows = self.ask("task.outputs", task_id="copy-" + task)["outputs"]
        self.assertEqual([row["content"] for row in rows], ["some output\n", b"\x00\xff\x1b[31m"])

    def test_follow_beyond_the_end_says_that_the_ledger_is_behind(self):
        self.stele("follow", "--after", "99999", status=65)
        self.assertIn("this subscription has received 99999", self.stderr)

    def test_follow(self):
        task = self.name("task")
        head = self.ask("ping")["position"]
        follow = harness.Process(
            [harness.program("stele"), "--json", "follow", "task.state_changed/", "--after", str(head)],
            env=self.broker.environment())
        self.addCleanup(follow.kill)
        self.producer().publish(created(task), changed(task, "running"), changed(task, "passed"))
        follow.wait_line('"passed"')
        states = [json.loads(line)["state"] for line in follow.log().splitlines()]
        self.assertEqual(states, ["running", "passed"])
        follow.signal(signal.SIGINT)
        follow.wait()
        text = self.text("follow", "--after", str(head), "--count", "3")
        self.assertEqual(len(text.splitlines()), 3)

    def test_the_last_rows(self):
        task = self.name("task")
        self.producer().publish(
            created(task), changed(task, "running"), changed(task, "paused"), changed(task, "running"),
            *[output(task, "line %d\n" % n) for n in range(1005)], *[metric(task, "n", n) for n in range(5)])
        rows = self.json("history", task, "--tail", "2")[0]["history"]
        self.assertEqual([row["state_to"] for row in rows], ["paused", "running"])
        rows = self.json("outputs", task, "--tail", "3")[0]["outputs"]
        self.assertEqual([row["content"] for row in rows], ["line %d\n" % n for n in (1002, 1003, 1004)])
        self.assertEqual(self.stele("outputs", task, "--tail", "2", "--raw"), b"line 1003\nline 1004\n")
        self.assertEqual([row["value"] for row in self.json("metrics", task, "--tail", "2")[0]["metrics"]], [3, 4])
        rows = self.text("history", task, "--tail", "100").split("POSITION")[1].splitlines()
        self.assertEqual(len(rows), 5)
        head = self.ask("ping")["position"]
        self.assertEqual([event["position"] for event in self.json("replay", "--tail", "2")], [head - 1, head])
        for words in (("history", task), ("outputs", task), ("metrics", task), ("replay",)):
            self.stele(*words, "--tail", "2", "--limit", "2", status=os.EX_USAGE)

    def test_relative_times_and_zones(self):
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "running"))
        for words in (("--since", "1h"), ("--from", "yesterday"), ("--to", "now"), ("--from", "-1h", "--to", "+1h")):
            self.assertIn(task, self.text("list", *words), words)
        self.assertNotIn(task, self.text("list", "--to", "1h"))
        self.text("list", "--at", "now")
        self.stele("get", task, "--at", "1h", status=1)
        self.text("stats", "--by", "state", "--since", "2d")
        self.stele("list", "--from", "1 fortnight", status=os.EX_USAGE)
        self.assertIn("2h", self.stderr)
        self.assertRegex(self.text("history", task), r" 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ ")
        self.assertRegex(self.text("history", task, "--zone", "+02:00"), r" 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+02:00 ")
        self.stele("list", "--zone", "nowhere", status=os.EX_USAGE)
        self.assertRegex(self.text("list", "--state", "running"), r"CREATED +AGE ")

    def test_tables_fit_narrow_terminals(self):
        task, session = self.name("a-task-with-a-rather-long-id"), self.name("session")
        self.producer().publish(
            created(task, title="A title that is long " * 3, provider="a-provider", model="some-large-model"),
            changed(task, "running"), output(task, "words " * 30), metric(task, "a_long_name_of_a_metric", 1.25, unit="parsecs"),
            started(session, task_id=task), command(session, "make check " * 20, output="", exit_code=1))
        for words in (("list",), ("history", task), ("outputs", task), ("metrics", task), ("sessions",),
                      ("sessions", "--failed"), ("stuck", "--silent", "1"), ("stats", "--by", "state"), ("rejected",),
                      ("top", "--count", "1")):
            for width in (20, 40, 60, 80):
                done = subprocess.run([harness.program("stele"), *words], capture_output=True,
                                      env=dict(self.broker.environment(), COLUMNS=str(width)))
                self.assertEqual(done.returncode, 0, done)
                for line in done.stdout.decode().splitlines():
                    self.assertLessEqual(len(line), width, (words, width, line))
                if words == ("list",):
                    self.assertIn("AGE" if width > 20 else "TASK", done.stdout.decode().splitlines()[0])

    def test_errors_are_json_with_json(self):
        nobody = "ipc://%s/nobody" % self.folder
        for words, status, code, text in (
                (["status", "no-such-task"], 1, "not_found", "no-such-task"),
                (["list", "--limit", "many"], os.EX_USAGE, "usage", "--limit"),
                (["dance"], os.EX_USAGE, "usage", "dance"),
                (["list", "--cursor", "nonsense"], os.EX_USAGE, "bad_request", "cursor"),
                (["publish", "/no/such/file"], os.EX_NOINPUT, "no_input", "/no/such/file"),
                (["ping", "--requests", nobody, "--timeout", "200"], os.EX_UNAVAILABLE, "no_answer", nobody)):
            self.stele("--json", *words, status=status)
            error = json.loads(self.stderr)["error"]
            self.assertEqual(error["code"], code, error)
            self.assertIn(text, error["message"])
            self.stele(*words, status=status)
            self.assertTrue(self.stderr.startswith("stele: "), self.stderr)
        self.stele_until("--requests ENDPOINT", "ping", "--json", "--requests", nobody, "--timeout", "200", status=os.EX_UNAVAILABLE)
        self.assertIn("--requests ENDPOINT", json.loads(self.stderr)["error"]["hint"])
        self.stele_until('"warning"', "--json", "follow", "--feed", nobody, "--timeout", "200", status=os.EX_UNAVAILABLE)
        self.assertEqual([list(json.loads(line)) for line in self.stderr.splitlines()], [["warning"], ["error"]])

    def test_colour_is_a_choice(self):
        self.story()
        self.assertNotIn("\033", self.text("list"))
        self.assertIn("\033[", self.stele("list", "--color", "always").decode())
        self.assertNotIn("\033", self.text("list", "--color", "never"))
        self.stele("list", "--color", "sometimes", status=os.EX_USAGE)

    def test_follow_an_exact_id(self):
        task = self.name("task")
        head = self.ask("ping")["position"]
        self.producer().publish(*[event for id in (task + "0", task) for event in (
            created(id), changed(id, "running"), metric(id, "n", 1))])
        for topic, ids in (("task.state_changed/" + task, [task]),
                           ("task.state_changed/" + task + "*", [task + "0", task])):
            events = self.json("follow", topic, "--after", str(head), "--count", str(len(ids)))
            self.assertEqual([event["task_id"] for event in events], ids)
        self.stele("follow", "task.state_changed/" + task, "--after", str(head), "--count", "2", "--timeout", "500",
                   status=os.EX_UNAVAILABLE)

    def test_follow_one_task_with_its_history(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(metric(task, "early", 1), created(task), created(task + "0"), output(task, "a line"),
                     changed(task, "running"))
        follow = harness.Process(
            [harness.program("stele"), "--json", "follow", "--task", task, "--history"],
            env=self.broker.environment())
        self.addCleanup(follow.kill)
        follow.wait_line('"running"')
        peer.publish(changed(task + "0", "running"), metric(task, "late", 2))
        follow.wait_line('"late"')
        events = [json.loads(line) for line in follow.log().splitlines()]
        self.assertEqual({event["task_id"] for event in events}, {task})
        self.assertEqual([event["type"] for event in events], [
            "task.metric_recorded", "task.created", "task.output_added", "task.state_changed", "task.metric_recorded"])

    def test_follow_one_task_with_its_sessions(self):
        #   Most events of a session do not name its task: it is looked up, live and for what was committed before
        task, own, late, other = (self.name(word) for word in ("task", "own", "late", "other"))
        peer = self.producer()
        head = self.ask("ping")["position"]
        peer.publish(started(own, task_id=task), started(other), created(task), changed(task, "running"),
                     command(own, "make"), command(other, "rm"), session_changed(own, "running"))
        follows = [harness.Process(
            [harness.program("stele"), "--json", "follow", "--task", task, *arguments], env=self.broker.environment())
            for arguments in (["--history"], ["--after", str(head + 4)])]
        for follow in follows:
            self.addCleanup(follow.kill)
            follow.wait_line('"session.state_changed"')
        peer.publish(command(other, "rm"), command(own, "make check"), session_changed(late, "waiting_input"),
                     started(late, task_id=task), command(late, "exit"), metric(task, "last", 2))
        for follow in follows:
            follow.wait_line('"last"')
        for follow, before in zip(follows, (["session.started", "task.created", "task.state_changed"], [])):
            events = [json.loads(line) for line in follow.log().splitlines()]
            kinds = [event["type"] for event in events if event.get("state") != "waiting_input"]
            self.assertEqual(kinds, before + [
                "session.command_executed", "session.state_changed", "session.command_executed",
                "session.started", "session.command_executed", "task.metric_recorded"])
            positions = [event["position"] for event in events]
            self.assertEqual(positions, sorted(set(positions)))
            self.assertLessEqual({event.get("session_id") for event in events}, {own, late, None})

    def test_follow_refuses_what_is_no_topic(self):
        for topic in ("task.state_chnged/", "task.state_changd", "job.", "task./x"):
            self.stele("follow", topic, status=os.EX_USAGE)
            self.assertIn("task.state_changed", self.stderr)
            self.assertIn(topic, self.stderr)

    def test_follow_says_that_the_feed_cannot_be_reached(self):
        self.stele_until("cannot reach the feed at ipc://%s/nobody: no such socket" % self.folder,
                         "follow", "--feed", "ipc://%s/nobody" % self.folder, "--timeout", "300", status=os.EX_UNAVAILABLE)

    def test_stats_ping_info(self):
        for name in ("stats", "ping", "info"):
            answer, = self.json(name)
            self.assertIs(answer["ok"], True)
            self.assertTrue(self.text(name).strip())

    def test_stats_have_units(self):
        self.story()
        text = self.text("stats")
        self.assertRegex(text, r"\n  stages +receive [0-9.,]+ (us|ms|s), decode ")
        self.assertRegex(text, r"\n  durations +open [0-9.,]+ (us|ms|s), ")
        self.assertRegex(text, r"\n  mode +dual\n  mode for +[0-9]")
        self.assertRegex(text, r"\n  wal limit +[0-9.]+ [KMG]iB\n")
        self.assertRegex(text, r"\n    consistent +100 %\n")
        self.assertRegex(text, r"\n    task\.\w+ +count [0-9,]+, errors [0-9,]+, p50 [0-9.]+ (us|ms|s), ")

    #   Redis

    def test_recover_and_check(self):
        task = self.name("task")
        self.redis.wait_position(self.producer().publish(created(task)))
        self.text("check")
        for arguments in (["recover", task], ["recover", "--active"], ["recover", "--all"],
                          ["check", "--repair"]):
            self.redis.call("DEL", "{stele}:task:" + task)
            self.text("check", status=None)
            self.assertIn(self.status, (0, 1))          # The follower may have put it back by itself
            self.json(*arguments, status=None)
            self.assertEqual(self.redis.text_hash("{stele}:task:" + task)["state"], "queued")
            answer, = self.json("check")
            self.assertEqual(answer["missing"], 0)
            self.text(*arguments, status=None)

    #   Publishing

    def test_publish_from_a_file_and_from_stdin(self):
        path = os.path.join(self.folder, self.name("events"))
        lines = b"".join(json.dumps(event).encode() + b"\n" for event in (
            created(self.name("one")), changed(self.name("one"), "running")))
        with open(path, "wb") as file:
            file.write(lines)
        counts, = self.json("publish", path)
        self.assertEqual((counts["events"], counts["accepted"], counts["refused"]), (2, 2, 0))
        counts, = self.json("publish", input=lines.replace(b"one", b"two").replace(b"\n", b"\r\n\n"))
        self.assertEqual(counts["accepted"], 2)
        text = self.text("publish", "-", input=lines.replace(b"one", b"three")[:-1])    # No last newline
        self.assertIn("2 accepted", text)
        self.assertEqual(self.ask("task.get", task_id=self.name("three"))["task"]["state"], "running")

    def test_publish_again_with_the_same_sequences(self):
        arguments = ("publish", "--producer", self.name("p"), "--sequence", "1", "--batch", "3")
        lines = b"".join(json.dumps(metric(self.name("task"), "n", n)).encode() + b"\n" for n in range(20))
        counts, = self.json(*arguments, input=lines)
        self.assertEqual((counts["accepted"], counts["duplicates"]), (20, 0))
        head = self.ask("ping")["position"]
        counts, = self.json(*arguments, input=lines)
        self.assertEqual((counts["accepted"], counts["duplicates"]), (0, 20))
        self.assertEqual(self.ask("ping")["position"], head)

    def test_publish_with_a_sequence_ends_at_a_bad_line(self):
        task = self.name("task")
        lines = [json.dumps(metric(task, "n", n)) for n in range(4)]
        arguments = ("publish", "--producer", self.name("p"), "--sequence", "1")
        counts, = self.json(*arguments, input="\n".join([lines[0], "{not json", lines[2]]).encode(),
                            status=os.EX_DATAERR)
        self.assertEqual((counts["accepted"], counts["bad_lines"]), (1, 1))
        self.assertIn("the following lines were not sent", self.stderr)
        counts, = self.json(*arguments, input="\n".join(lines).encode())
        self.assertEqual((counts["accepted"], counts["duplicates"]), (3, 1))
        rows = self.ask("task.metrics", task_id=task)["metrics"]
        self.assertEqual([row["value"] for row in rows], [0, 1, 2, 3])

    def test_publish_names_bad_lines_and_publishes_the_good_ones(self):
        task = self.name("task")
        lines = [json.dumps(created(task)), "{not json", "[1,2]", "", json.dumps({"type": "no.such"}),
                 json.dumps(changed(task, "dancing")), json.dumps(changed(task, "running"))]
        counts, = self.json("publish", input="\n".join(lines).encode(), status=os.EX_DATAERR)
        self.assertEqual((counts["accepted"], counts["refused"], counts["bad_lines"]), (2, 2, 2))
        for number in (2, 3, 5, 6):
            self.assertIn("line %d:" % number, self.stderr)
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "running")

    def test_publish_names_the_first_of_many_bad_lines(self):
        task = self.name("task")
        for bad, more in ((20, 0), (21, 1), (1000, 1)):
            lines = ["no event"] * bad + [json.dumps(created(task + str(bad)))]
            counts, = self.json("publish", input="\n".join(lines).encode(), status=os.EX_DATAERR)
            self.assertEqual((counts["accepted"], counts["bad_lines"]), (1, bad))
            self.assertEqual((len(self.stderr.splitlines()), self.stderr.count("more lines like these")),
                             (20 + more, more))

    def too_large(self, task):
        return json.dumps({"type": "task.output_added", "task_id": task, "output_type": "log", "content": "x" * 17000000})

    def test_publish_skips_lines_that_are_too_large_and_keeps_them(self):
        task, rejects = self.name("task"), os.path.join(self.folder, self.name("rejects"))
        lines = [json.dumps(created(task)), self.too_large(task), '{"half": "\\ud800"}', "",
                 json.dumps(changed(task, "running"))]
        counts, = self.json("publish", "--rejects", rejects, input="\n".join(lines).encode(), status=os.EX_DATAERR)
        self.assertEqual((counts["accepted"], counts["bad_lines"]), (2, 2))
        self.assertRegex(self.stderr, r"line 2: the event has 170001\d\d bytes, the broker accepts messages of at most "
                         "16777216: split the event, or raise message-bytes of the broker\"")
        self.assertIn("line 3: ", self.stderr)
        with open(rejects) as file:
            kept = [json.loads(line) for line in file]
        self.assertEqual([(row["line"], row["text"]) for row in kept], [(2, lines[1]), (3, lines[2])])
        self.assertIn("message-bytes", kept[0]["reason"])
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "running")
        self.json("publish", "--rejects", rejects, input=json.dumps(changed(task, "passed")).encode())
        with open(rejects) as file:
            self.assertEqual(len(file.readlines()), 2)              # Appended to, and nothing new

    def test_publish_with_a_sequence_ends_at_a_line_that_is_too_large(self):
        task = self.name("task")
        lines = [json.dumps(metric(task, "n", 1)), self.too_large(task), json.dumps(metric(task, "n", 2))]
        counts, = self.json("publish", "--producer", self.name("p"), "--sequence", "1",
                            input="\n".join(lines).encode(), status=os.EX_DATAERR)
        self.assertEqual((counts["accepted"], counts["events"]), (1, 1))
        self.assertIn("line 2 is too large for this broker", self.stderr)
        self.assertIn("It and the following lines were not sent", self.stderr)

    def test_rejects_are_checked_before_anything_is_published(self):
        task, path = self.name("task"), os.path.join(self.folder, self.name("input"))
        with open(path, "w") as file:
            file.write(json.dumps(created(task)) + "\n")
        self.stele("publish", "--rejects", os.path.join(self.folder, "no", "folder"), path, status=os.EX_CANTCREAT)
        self.assertIn("No such file", self.stderr)
        self.stele("publish", "--rejects", path, path, status=os.EX_USAGE)
        self.assertEqual(self.refused("task.get", task_id=task)["code"], "not_found")

    def test_tasks_of_a_command_that_has_ended_are_left_alone(self):
        task, arguments = self.name("task"), ("publish", "--producer", self.name("p"))
        self.stele(*arguments, input=(json.dumps(created(task)) + "\n" + json.dumps(changed(task, "running"))).encode())
        self.stele(*arguments, "--sequence", "9", input=json.dumps(metric(task, "n", 1)).encode(), status=os.EX_DATAERR)
        self.stele(*arguments, input=json.dumps(metric(task, "n", 1)).encode())
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "running")

    def test_publish_reports_why_the_broker_holds_acks_back(self):
        ledger = sqlite3.connect(self.broker.ledger, isolation_level=None)
        self.addCleanup(ledger.close)
        peer = self.producer()
        ledger.execute("BEGIN IMMEDIATE")
        task, spool = self.name("task"), os.path.join(self.folder, self.name("spool"))
        peer.send_events([created(task)])
        harness.wait_until(lambda: self.ask("stats")["ingest"]["holding"], "the broker to hold acks back")
        reason = "the broker at ipc://.* is running, but holds acks back: .*It continues by itself"
        for options, status, text in ((("--producer", self.name("other")), os.EX_UNAVAILABLE, "no ack from ipc://.*: " + reason),
                                      (("--spool", spool), 0, reason + ".*the events are durable in ")):
            #   The reason is what the broker answers within a second
            harness.wait_until(lambda: self.stele("--timeout", "1500", "publish", *options, status=status,
                                                  input=json.dumps(metric(task, "n", 1)).encode()) is not None
                               and re.search(text, self.stderr), "the reason of the broker")
        ledger.execute("ROLLBACK")
        peer.settle()
        #   A hello of the run before may only be read now, and fence this one
        harness.wait_until(lambda: self.stele("publish", "--spool", spool, input=b"", status=None) is not None
                           and self.status != os.EX_TEMPFAIL, "the events of the spool to be acked")
        self.assertEqual(self.status, 0, self.stderr)

    def test_socket_without_permission_is_reported(self):
        line = json.dumps(created(self.name("task"))).encode()
        command = [] if os.geteuid() else ["setpriv", "--reuid", "65534", "--clear-groups", "--"]
        os.chmod(self.folder, 0)
        try:
            for arguments in (("ping",), ("follow",), ("publish",)):
                done = subprocess.run(command + [harness.program("stele"), *arguments], input=line,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE,
                                      env=self.broker.environment())
                self.assertIn(b"permission denied for the socket " + self.folder.encode(), done.stderr)
                self.assertEqual(done.returncode, os.EX_NOPERM, arguments)
        finally:
            os.chmod(self.folder, 0o700)

    def test_rejected_and_retry(self):
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), changed(task, "passed"))
        peer.publish_refused(changed(task, "running"))
        answer, = self.json("rejected", "--producer", peer.name)
        row, = answer["rejected"]
        self.assertEqual((row["code"], row["event"]["state"]), ("illegal_transition", "running"))
        self.assertIn("illegal_transition", self.text("rejected"))
        self.text("rejected", "--retry", str(row["id"]), status=os.EX_DATAERR)
        peer.publish(changed(task, "queued"))
        self.text("rejected", "--retry", str(row["id"]))
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "running")

    def test_publish_goes_on_when_the_broker_is_killed_meanwhile(self):
        task = self.name("task")
        publish = subprocess.Popen([harness.program("stele"), "--json", "publish", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=self.broker.environment())
        half = [json.dumps(metric(task, "n", n)).encode() + b"\n" for n in range(4000)]
        publish.stdin.write(b"".join(half[:2000]))
        publish.stdin.flush()
        harness.wait_until(lambda: self.stored(task), "the first events")
        self.broker.kill()
        self.start_broker()
        said, _ = publish.communicate(b"".join(half[2000:]), timeout=harness.PATIENCE)
        counts = json.loads(said)
        self.assertEqual((publish.returncode, counts["refused"], counts["unacked"]), (0, 0, 0), counts)
        self.assertEqual(self.stored(task), list(range(4000)))

    def stored(self, task):
        return [event["value"] for event in self.read_events(types=["task.metric_recorded"])
                if event["task_id"] == task]

    #   Statuses

    def test_statuses(self):
        for arguments, status in (
                (["status", "no-such-task"], 1), (["get", "no-such-task"], 1),
                (["history", "no-such-task"], 1), (["sessions", "no-such-session"], 1),
                ([], os.EX_USAGE), (["dance"], os.EX_USAGE), (["status"], os.EX_USAGE),
                (["status", "a", "b"], os.EX_USAGE), (["list", "--colour"], os.EX_USAGE),
                (["list", "--limit", "many"], os.EX_USAGE),
                (["publish", "/no/such/file"], os.EX_NOINPUT)):
            self.stele(*arguments, status=status)
            self.assertTrue(self.stderr.strip(), arguments)
        self.stele("--requests", "ipc://%s/nobody" % self.folder, "--timeout", "200", "ping",
                   status=os.EX_UNAVAILABLE)
        self.stele("--events", "ipc://%s/nobody" % self.folder, "--timeout", "200", "publish",
                   input=json.dumps(created("x")).encode(), status=os.EX_UNAVAILABLE)

    def test_command_waits_a_second_if_nothing_listens(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))             # Nothing else takes this port, and it does not listen
            for endpoint, words in (("tcp://127.0.0.1:%d" % free.getsockname()[1], "connection refused"),
                                    ("ipc://%s/nobody" % self.folder, "no such socket")):
                for options, waited in (([], "1,000 ms"), (["--timeout", "300"], "300 ms")):
                    self.stele_until("no answer from %s within %s: %s" % (endpoint, waited, words),
                                     "list", "--requests", endpoint, *options, status=os.EX_UNAVAILABLE)

    def test_command_finds_a_broker_that_is_starting(self):
        path = os.path.join(self.folder, "late")
        command = harness.Process([harness.program("stele"), "ping", "--requests", "ipc://" + path])
        self.addCleanup(command.kill)
        os.symlink(self.broker.requests[len("ipc://"):], path)
        self.assertEqual(command.wait(), 0)

    def test_help_of_every_command(self):
        commands = ("publish status get list history outputs metrics sessions replay follow recover "
                    "check rejected stats ping info").split()
        overview = self.text("--help")
        for name in commands:
            self.assertIn(name, overview)
            self.assertIn("stele " + name, self.text(name, "--help"))

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([harness.program("stele"), "stats"], stdout=full,
                                  stderr=subprocess.PIPE, env=self.broker.environment())
        self.assertEqual(done.returncode, os.EX_IOERR, done.stderr)


if __name__ == "__main__":
    harness.main()
