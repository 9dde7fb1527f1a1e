# Tokens of HTTP clients: who is let in, what each role may do, and two users who try to see each other
#
# Every test runs twice: for a broker without keys, and for one with keys, where stele-http has a key with the role gateway.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

import harness
import web
import test_routes

FAKETIME = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + [""])[0]

GETS = {**test_routes.GETS, **test_routes.EARLIER_GETS}
CHANGES = {**test_routes.CHANGES, **test_routes.EARLIER_CHANGES}

TOKENS = {
    "ann": ["--role", "publish,query", "--users", "ann"],
    "bob": ["--role", "publish,query", "--users", "bob"],
    "ann-metrics": ["--role", "metrics", "--users", "ann"],
    "root": ["--role", "admin"],
    "reader": ["--role", "query"],
    "writer": ["--role", "publish"],
    "meter": ["--role", "metrics"],
    "mender": ["--role", "operate"],
}
ENDLESS = ("/v1/stream", "/v1/stream/stats")
INCLUDES = {"query": {"metrics"}, "operate": {"query", "metrics"}, "admin": {"publish", "query", "metrics", "operate"}}


def story(user):
    """Events whose texts all hold the word secret-USER; ids are those of the user."""
    word = "secret-" + user
    task, session = "task-" + user, "session-" + user
    return [
        {"type": "task.created", "task_id": task, "title": word, "description": word, "role": word, "producer": word},
        {"type": "task.state_changed", "task_id": task, "state": "running"},
        {"type": "task.output_added", "task_id": task, "output_type": "log", "content": word},
        {"type": "task.metric_recorded", "task_id": task, "name": word, "value": 1},
        {"type": "session.started", "session_id": session, "cli_tool": word, "mode": "cli", "current_directory": word,
         "task_id": task},
        {"type": "session.command_executed", "session_id": session, "command": word, "output": word, "exit_code": 1},
        {"type": "preference.set", "user_id": user, "preferred_model": word},
        {"type": "task.state_changed", "task_id": task, "state": "failed", "error_message": word},
    ]


class TokensTest(web.WebTest):
    """stele-http with tokens; the subclasses choose the broker."""

    @classmethod
    def start_http(cls, **more):
        cls.tokens = os.path.join(cls.folder, "tokens")
        cls.texts = {name: cls.new_token(name, *options) for name, options in TOKENS.items()}
        cls.http_arguments = ["--tokens", cls.tokens, "--rate", "100000"] + cls.key_arguments()
        return super().start_http(**more)

    @classmethod
    def key_arguments(cls):
        return []

    @classmethod
    def token_command(cls, *arguments, status=0):
        done = subprocess.run([harness.program("stele"), "token", *arguments], env=dict(os.environ, STELE_TOKENS=cls.tokens),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        assert done.returncode == status, done.stderr
        return done.stdout.decode(), done.stderr.decode()

    @classmethod
    def new_token(cls, name, *options):
        return cls.token_command("new", name, *options)[0].strip()

    def bearer(self, name):
        return {"Authorization": "Bearer " + self.texts.get(name, name)}

    def as_(self, name, method, path, body=None, **fields):
        return self.request(method, path, body, headers=dict(self.bearer(name), **fields))

    def read(self, name, path, status=200):
        answer = self.as_(name, "GET", path)
        self.assertEqual(answer.status, status, "%s by %s: %s" % (path, name, answer.body[:500]))
        return answer

    def publish(self, name, events, **more):
        body = dict({"producer": "producer-" + name, "events": events}, **more)
        answer = self.as_(name, "POST", "/v1/events", body)
        self.assertEqual(answer.status, 200, answer.body)
        answer = answer.json()
        self.assertEqual(answer["rejected"], [])
        return answer["position"]

    def reload(self, expect):
        """Make stele-http read the file again; returns when it has said so."""
        before = self.http.log().count(expect)
        self.http.signal(signal.SIGHUP)
        harness.wait_until(lambda: self.http.log().count(expect) > before, "the tokens to be read again")

    def stream(self, name, path="/v1/stream", last=None):
        stream = web.Stream(self.http.port, path, last, self.bearer(name))
        self.addCleanup(stream.close)
        return stream


@unittest.skipIf(harness.sanitized(), "a sanitizer has to come before any preloaded library")
class SessionLife(TokensTest):
    """stele-http with a clock that the test moves."""
    use_redis = False

    @classmethod
    def start_http(cls, **more):
        cls.offset = os.path.join(cls.folder, "offset")
        cls.set_clock(0)
        return super().start_http(env=dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=cls.offset,
                                           FAKETIME_NO_CACHE="1"), **more)

    @classmethod
    def set_clock(cls, seconds):
        with open(cls.offset + ".new", "w") as file:
            file.write("%+d\n" % seconds)
        os.rename(cls.offset + ".new", cls.offset)

    def test_session_and_its_streams_end_after_twelve_hours(self):
        self.assertTrue(FAKETIME, "the package libfaketime is missing")
        cookie = {"Cookie": self.as_("reader", "POST", "/v1/session").headers["set-cookie"].split(";")[0]}
        stream = web.Stream(self.http.port, headers=cookie)
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], "hello")
        self.set_clock(11 * 3600)
        position = self.publish("writer", [{"type": "task.created", "task_id": "late", "title": "t", "description": "", "role": "r"}])
        self.assertEqual(stream.next()[1]["position"], position)
        self.get("/v1/tasks", headers=cookie)
        self.set_clock(12 * 3600 + 60)
        self.assertEqual(stream.next(), ("end", {"status": 401, "detail": "the session has ended"}))
        self.assertIsNone(stream.next())
        self.get("/v1/tasks", 401, headers=cookie)


class Cases:
    #   -- who is let in

    def test_nothing_but_probes_is_answered_without_a_token(self):
        for path in list(GETS) + ["/v1/none"]:
            path = path.replace("{", "").replace("}", "")
            for method in ("GET", "HEAD"):
                answer = self.request(method, path)
                if path.startswith("/ui/"):         # Of a version that there is not: 404
                    continue
                open_ = path in ("/healthz", "/readyz", "/")
                #   A broker that is slow for a moment is not ready, which is another answer without a token
                self.assertIn(answer.status, (200, 503) if path == "/readyz" else (200,) if open_ else (401,), path)
                if not open_:
                    self.assertEqual(answer.headers["www-authenticate"], 'Bearer realm="stele"')
                    self.assertEqual(answer.headers["cache-control"], "no-store")
                    self.assertNotIn("stele-ledger", answer.headers)
        for (method, _), (path, body) in CHANGES.items():
            self.assertEqual(self.request(method.upper(), path, body).status, 401, path)

    def test_readyz_tells_strangers_only_whether(self):
        #   The status is that of this machine: its disk may be filling up, or too slow
        for fields, keys in (({}, {"ready", "status"}), (self.bearer("ann-metrics"), {"ready", "status"}),
                             (self.bearer("meter"), {"ready", "status", "findings", "position"})):
            answer = harness.wait_until(lambda: [answer for answer in [self.request("GET", "/readyz", headers=fields)]
                                                 if answer.status == 200], "the broker to be ready")[0].json()
            self.assertEqual((set(answer), answer["ready"]), (keys, True))
            self.assertIn(answer["status"], ("healthy", "degraded"))
        self.read("nonsense", "/readyz", 401)

    def test_body_of_a_stranger_is_not_received(self):
        data = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
        answers, _ = web.exchange(self.http.port, data)
        self.assertEqual([answer.status for answer in answers], [401])

    def test_wrong_tokens_say_what_is_wrong(self):
        text = self.texts["ann"]
        other = text[:-1] + ("a" if text[-1] != "a" else "b")
        stranger = self.new_token("stranger", "--role", "admin")
        self.token_command("revoke", "stranger")
        self.reload("tokens: read again")
        cases = {"Bearer " + other: "checksum", "Bearer " + text[:-1]: "form", "Bearer": "scheme", "Basic eDp5": "scheme",
                 "Bearer " + stranger: "was revoked", "Bearer " + text + "," + text: "form"}
        for number, (field, word) in enumerate(cases.items()):
            answer = self.from_address("127.0.1.%d" % (number + 1), field)
            self.assertEqual(answer.status, 401, field)
            self.assertIn(word, answer.json()["detail"])
            self.assertIn('error="invalid_token"', answer.headers["www-authenticate"])
        self.assertEqual(self.request("GET", "/v1/tasks", headers={"Authorization": "bearer  " + text}).status, 200)

    def from_address(self, source, field):
        peer = http.client.HTTPConnection("127.0.0.1", self.http.port, timeout=harness.PATIENCE, source_address=(source, 0))
        peer.request("GET", "/v1/info", headers={"Authorization": field})
        answer = peer.getresponse()
        result = web.Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        peer.close()
        return result

    def test_sixth_wrong_token_of_an_address_has_to_wait(self):
        for _ in range(5):
            self.assertEqual(self.from_address("127.0.2.1", "Bearer x").status, 401)
        answer = self.from_address("127.0.2.1", "Bearer x")
        self.assertEqual(answer.status, 429)
        self.assertTrue(50 <= int(answer.headers["retry-after"]) <= 60, answer.headers)
        self.assertEqual(self.from_address("127.0.2.2", "Bearer x").status, 401)
        self.assertEqual(self.from_address("127.0.2.1", "Bearer " + self.texts["ann"]).status, 200)

    def test_revoked_token_is_refused_and_its_stream_ends(self):
        text = self.new_token("gone", "--role", "query")
        self.reload("tokens: read again")
        streams = self.stream(text), self.stream("reader")
        for stream in streams:
            self.assertEqual(stream.next()[0], "hello")
        self.token_command("revoke", "gone")            # It looks at the file by itself
        self.assertEqual(streams[0].next()[0], "end")
        self.assertIsNone(streams[0].next())
        self.read(text, "/v1/tasks", 401)
        head = self.publish("root", [{"type": "preference.set", "user_id": "x", "preferred_model": "m"}])
        self.assertEqual(streams[1].next()[1]["position"], head)

    def test_expired_token_is_refused(self):
        text = self.new_token("late", "--role", "query", "--not-after", "+1h")
        self.reload("tokens: read again")
        self.read(text, "/v1/tasks")
        self.edit(lambda line: dict(line, not_after="2020-01-01T00:00:00Z") if line["name"] == "late" else line)
        self.reload("tokens: read again")
        self.assertIn("has expired", self.read(text, "/v1/tasks", 401).json()["detail"])

    def write(self, text):
        """As 'stele token' writes: stele-http looks at the file by itself, and has to find no half of it."""
        descriptor = os.open(self.tokens + ".new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as file:
            file.write(text)
        os.replace(self.tokens + ".new", self.tokens)

    def edit(self, change):
        with open(self.tokens) as file:
            lines = [change(json.loads(line)) for line in file]
        self.write("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))

    def test_changed_token_ends_its_streams_and_gets_what_it_has_now(self):
        text = self.new_token("moved", "--role", "query", "--users", "carl")
        self.publish("root", [{"type": "task.created", "task_id": "moved-" + user, "title": "t", "description": "", "role": "r",
                               "user_id": user} for user in ("carl", "dora")])
        self.reload("tokens: read again")
        self.read(text, "/v1/tasks/moved-carl")
        before = self.read(text, "/v1/tasks")
        stream = self.stream(text)
        self.assertEqual(stream.next()[0], "hello")
        self.edit(lambda line: dict(line, users=["dora"]) if line["name"] == "moved" else line)
        self.assertEqual(stream.next()[0], "end")
        self.assertIsNone(stream.next())
        self.read(text, "/v1/tasks/moved-carl", 404)
        after = self.as_(text, "GET", "/v1/tasks", **{"If-None-Match": before.headers["etag"]})
        self.assertEqual((after.status, [task["task_id"] for task in after.json()["tasks"]]), (200, ["moved-dora"]))

    def test_file_that_is_wrong_changes_nothing(self):
        with open(self.tokens) as file:
            good = file.read()
        try:
            for bad in ("{}\n", good + "x\n", good.replace('"users":["ann"]', '"users":[]'), good.replace('"users"', '"user"'),
                        good + good):
                self.write(bad)
                self.reload("nothing was changed")
                self.read("ann", "/v1/tasks")
            os.remove(self.tokens)
            self.reload("nothing was changed")
            self.read("ann", "/v1/tasks")
        finally:
            self.write(good)
        self.reload("tokens: read again")

    #   -- sessions of browsers

    def test_session_stands_for_its_token(self):
        text = self.new_token("page", "--role", "query,publish", "--users", "ann")
        self.reload("tokens: read again")
        begun = self.as_(text, "POST", "/v1/session")
        self.assertEqual((begun.status, begun.json()), (200, {"name": "page", "tokens": True, "bound": True, "roles": ["metrics", "query", "publish"]}))
        value, *attributes = begun.headers["set-cookie"].split("; ")
        self.assertRegex(value, "^stele_session=[0-9a-f]{64}$")
        self.assertEqual(set(attributes), {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"})
        cookie = {"Cookie": "a=b; %s; c=d" % value}
        self.publish("bob", [{"type": "task.created", "task_id": "page-bob", "title": "t", "description": "", "role": "r"}])
        self.get("/v1/tasks", headers=cookie)
        self.get("/v1/tasks/page-bob", 404, headers=cookie)
        stream = web.Stream(self.http.port, headers=cookie)
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], "hello")
        host = "127.0.0.1:%d" % self.http.port
        body = {"producer": "page", "events": [{"type": "preference.set", "preferred_model": "m"}]}
        for fields, status in (({"Origin": "http://" + host, "Sec-Fetch-Site": "same-origin"}, 200), ({}, 200),
                               ({"Origin": "http://localhost:3000"}, 401), ({"Sec-Fetch-Site": "same-site"}, 401)):
            self.post("/v1/events", body, status, headers=dict(cookie, **fields))
        self.get("/v1/tasks", 401, headers={"Cookie": value[:-1] + ("0" if value[-1] != "0" else "1")})
        ended = self.request("DELETE", "/v1/session", headers=cookie)
        self.assertIn("Max-Age=0", ended.headers["set-cookie"])
        self.get("/v1/tasks", 401, headers=cookie)
        cookie = {"Cookie": self.as_(text, "POST", "/v1/session").headers["set-cookie"].split(";")[0]}
        self.get("/v1/tasks", headers=cookie)
        self.token_command("revoke", "page")
        self.reload("tokens: read again")
        self.get("/v1/tasks", 401, headers=cookie)
        self.assertIsNone(self.end_of(stream))

    def cookie(self, name):
        return {"Cookie": self.as_(name, "POST", "/v1/session").headers["set-cookie"].split(";")[0]}

    def streams_of(self, headers):
        stream, peer = web.Stream(self.http.port, headers=headers), web.Socket(self.http.port, headers=headers)
        self.addCleanup(stream.close)
        self.addCleanup(peer.close)
        self.assertEqual((stream.next()[0], peer.status), ("hello", 101))
        return stream, peer

    def assert_ended(self, stream, peer, why):
        message = stream.next()
        while message[0] != "end":
            message = stream.next()
        self.assertEqual(message[1]["status"], 401)
        self.assertIn(why, message[1]["detail"])
        self.assertIsNone(stream.next())
        frame = peer.receive()
        while frame[0] != 8:
            frame = peer.receive()
        self.assertEqual(int.from_bytes(frame[1], "big"), 1008)

    def test_end_of_a_session_ends_its_streams_and_no_others(self):
        cookie, other = self.cookie("reader"), self.cookie("reader")
        ended, stays, of_token = self.streams_of(cookie), self.streams_of(other), self.streams_of(self.bearer("reader"))
        self.request("DELETE", "/v1/session", headers=cookie)
        self.assert_ended(*ended, "the session has ended")
        #   A stream that names its token does not belong to the session, although it sends its cookie
        both = web.Stream(self.http.port, headers=dict(other, **self.bearer("reader")))
        self.addCleanup(both.close)
        self.assertEqual(both.next()[0], "hello")
        #   A new session replaces that of the cookie
        self.as_("reader", "POST", "/v1/session", Cookie=other["Cookie"])
        self.assert_ended(*stays, "the session has ended")
        position = self.publish("root", [{"type": "task.created", "task_id": self.name("task"), "title": "t", "description": "",
                                          "role": "r"}])
        for stream in (of_token[0], both):
            while stream.next()[1].get("position") != position:
                pass
        self.assertEqual(of_token[1].message()["type"], "task_submitted")

    def end_of(self, stream):
        message = stream.next()
        while message:
            message = stream.next()
        return message

    #   -- roles

    def test_document_says_that_a_token_is_needed(self):
        document = self.read("meter", "/openapi.json").json()
        self.assertEqual(document["components"]["securitySchemes"]["token"]["scheme"], "bearer")
        self.assertEqual(document["security"], [{"token": []}, {"session": []}])
        self.assertEqual(document["paths"]["/healthz"]["get"]["security"], [])

    def test_each_role_may_what_the_table_of_routes_says(self):
        document = self.read("meter", "/openapi.json").json()
        routes = [("GET", path, requests[0] if requests else path, None) for path, requests in GETS.items() if path not in ENDLESS]
        routes += [(method.upper(), path, *request) for (method, path), request in CHANGES.items()]
        self.publish("root", story("root"))
        for name in ("root", "reader", "writer", "meter", "mender"):
            role = TOKENS[name][1]
            roles = {"any", role} | INCLUDES.get(role, set())
            for method, path, request, body in routes:
                needed = document["paths"][path][method.lower()]["x-stele-role"]
                status = self.as_(name, method, request, body).status
                self.assertEqual(status == 403, needed not in roles, "%s %s by %s: %d" % (method, path, name, status))
        self.assertEqual(self.stream("writer").status, 403)
        self.assertEqual(self.stream("meter").status, 403)

    def test_operation_is_recorded_under_the_name_of_the_token(self):
        self.assertEqual(self.as_("root", "PUT", "/v1/mode", {"mode": "sqlite"}).status, 200)
        events = self.read("root", "/v1/events?types=audit.recorded").json()["events"]
        self.assertIn(self.key_name + "/root", [event["who"] for event in events])

    #   -- two users who try to see each other

    def test_no_route_shows_another_user(self):
        for user in ("ann", "bob"):
            self.publish(user, story(user))
        for me, other in (("ann", "bob"), ("bob", "ann")):
            for path, requests in self.attempts(other).items():
                for request in requests:
                    answer = self.as_(me, "GET", request)
                    self.assertNotIn(b"secret-" + other.encode(), answer.body, request)
                    missing = self.as_(me, "GET", request.replace("-" + other, "-nobody"))
                    self.assertEqual(answer.status, missing.status, request)
                    self.assertNotIn(b"secret-" + other.encode(), missing.body, request)
            for request in (request for requests in self.attempts(me).values() for request in requests):
                answer = self.as_(me, "GET", request)
                self.assertNotIn(b"secret-" + other.encode(), answer.body, request)
            #   ... and the same requests do show one's own
            seen = [request for requests in self.attempts(me).values() for request in requests
                    if b"secret-" + me.encode() in self.as_(me, "GET", request).body]
            self.assertGreater(len(seen), 15, seen)
            found = self.as_(me, "POST", "/v1/tasks/search", {"search": "secret"}).json()["tasks"]
            self.assertEqual([task["task_id"] for task in found], ["task-" + me])

    def attempts(self, user):
        """Requests of every GET route that ask for records of that user, and for everything."""
        output = next(event["position"] for event in self.read("root", "/v1/events?limit=1000").json()["events"]
                      if event["type"] == "task.output_added" and event["task_id"] == "task-" + user)
        fill = {"task_id": "task-" + user, "session_id": "session-" + user, "output_id": str(output), "producer": "producer-" + user,
                "version": "0", "folder": "app", "file": "main.js"}
        queries = {"/v1/tasks": ["", "?search=secret", "?user_id=" + user, "?at=now&total=true", "?limit=1"],
                   "/v1/session-times": ["?session_id=session-" + user, ""], "/v1/sessions": ["", "?task_id=task-" + user],
                   "/v1/preferences": ["?user_id=" + user], "/v1/tasks/{task_id}": ["", "?at=2099-01-01T00:00:00Z"],
                   "/v1/rejected": ["", "?producer=producer-" + user]}
        result = {}
        for path in GETS:
            if path in ENDLESS:
                continue
            if path == "/v1/tables/{table}":
                result[path] = ["/v1/tables/%s%s" % (table, more) for more in ("", "?format=ndjson") for table in (
                    "tasks", "task_history", "task_outputs", "task_metrics", "cli_sessions", "cli_session_commands",
                    "user_preferences", "rejected_events", "audit_events")]
                continue
            result[path] = [re.sub(r"\{(\w+)\}", lambda match: fill[match.group(1)], path) + query for query in
                            queries.get(path, [""])]
        return result

    def test_what_concerns_all_users_is_refused_to_one(self):
        for path in ("/metrics", "/v1/stats", "/v1/producers", "/v1/rejected"):
            self.get_status("ann", path, 403)
        self.get_status("ann-metrics", "/metrics", 403)
        self.get_status("meter", "/metrics", 200)
        self.get_status("ann-metrics", "/metrics", 403)     # Also while the statistics are cached

    def get_status(self, name, path, status):
        self.assertEqual(self.as_(name, "GET", path).status, status, path)

    def test_one_user_cannot_write_for_another(self):
        self.publish("bob", [{"type": "task.created", "task_id": "of-bob", "title": "t", "description": "", "role": "r"}])
        for event in ({"type": "task.updated", "task_id": "of-bob", "title": "x"},
                      {"type": "task.created", "task_id": "new", "title": "t", "description": "", "role": "r", "user_id": "bob"}):
            answer = self.as_("ann", "POST", "/v1/events", {"producer": "ann", "events": [event]}).json()
            self.assertEqual(answer["rejected"][0]["code"], "unauthorized")
        body = {"producer": "ann", "events": [], "actor": {"name": "root", "roles": ["admin"]}}
        self.assertEqual(self.as_("ann", "POST", "/v1/events", body).status, 400)
        self.assertEqual(self.as_("ann", "GET", "/v1/tasks?actor=root").status, 400)

    def test_answers_are_not_shared_by_caches(self):
        self.publish("ann", [{"type": "preference.set", "preferred_model": "secret-ann"}])
        first = self.read("ann", "/v1/tasks")
        self.assertEqual(first.headers["vary"], "Accept-Encoding, Authorization, Cookie")
        self.assertIn("private", first.headers["cache-control"])
        known = {"If-None-Match": first.headers["etag"]}
        again = self.as_("ann", "GET", "/v1/tasks", **known)
        self.assertEqual((again.status, again.headers["vary"]), (304, "Authorization, Cookie"))
        self.assertEqual(self.as_("bob", "GET", "/v1/tasks", **known).status, 200)
        self.assertEqual(self.as_("root", "GET", "/v1/tasks", **known).status, 200)
        position = self.publish("ann", [{"type": "task.output_added", "task_id": "cached", "output_type": "log", "content": "secret"}])
        path = "/v1/tasks/cached/outputs/%d" % position
        output = self.read("ann", path)
        self.assertEqual((output.headers["vary"], output.headers["cache-control"]), ("Authorization, Cookie", "private, no-cache"))
        self.assertEqual(self.as_("bob", "GET", path, **{"If-None-Match": output.headers["etag"]}).status, 404)

    #   -- streams

    def collect(self, stream, last):
        """Data of the messages up to the one at that position, without hello."""
        seen = []
        while not seen or int(stream.last) < last:
            event, data = stream.next()
            if event != "hello":
                seen.append(data)
        return seen

    def test_stream_of_a_user_has_these_events_live_and_later(self):
        names = ("ann", "bob", "root")
        live = {name: [self.stream(name), self.stream(name, "/v1/stream?view=tasks")] for name in names}
        for stream in sum(live.values(), []):
            event, hello = stream.next()
            self.assertEqual((stream.status, event), (200, "hello"))
        start = hello["head"]
        ends = {}
        for number in range(10):
            for user in ("ann", "bob"):
                ends[user] = self.publish(user, [
                    {"type": "task.created", "task_id": "live-%s-%d" % (user, number), "title": "secret-" + user, "description": "",
                     "role": "r"}])
        ends["root"] = max(ends.values())
        for name in names:
            expected = [event for event in self.read("root", "/v1/events?after=%d&limit=1000" % start).json()["events"]
                        if name == "root" or event.get("user_id") == name]
            expected = [event for event in expected if event["position"] <= ends[name]]
            self.assertEqual(self.collect(live[name][0], ends[name]), expected, name)
            later = self.stream(name, "/v1/stream", last=start)
            self.assertEqual(self.collect(later, ends[name]), expected, name)
            filtered = self.stream(name, "/v1/stream?task_id=live-ann-3,live-bob-3", last=start)
            own = [event for event in expected if event.get("task_id") in ("live-ann-3", "live-bob-3")]
            self.assertEqual([filtered.next()[0]] + [filtered.next()[1] for _ in own], ["hello"] + own)
            tasks = {}
            wanted = {event["task_id"] for event in expected if event["type"] == "task.created"}
            while set(tasks) != wanted:
                event, data = live[name][1].next()
                self.assertEqual(event, "message")
                tasks[data["task_id"]] = data
                self.assertTrue(name == "root" or data["title"] == "secret-" + name, data)

    def test_many_streams_of_users_each_get_every_event(self):
        streams = [self.stream(("ann", "bob")[number % 2]) for number in range(40)]
        for stream in streams:
            self.assertEqual(stream.next()[0], "hello")
        for _ in range(5):
            ends = {user: self.publish(user, [{"type": "preference.set", "preferred_model": user}] * 3) for user in ("ann", "bob")}
        for number, stream in enumerate(streams):
            user = ("ann", "bob")[number % 2]
            seen = self.collect(stream, ends[user])
            self.assertEqual([event["user_id"] for event in seen], [user] * 15)


class Keyless(Cases, TokensTest):
    key_name = "local"


class Keyed(Cases, TokensTest):
    key_name = "gate"

    @classmethod
    def start_broker(cls, **more):
        keys = os.path.join(cls.folder, "keys")
        cls.key = os.path.join(cls.folder, "gate.key_secret")
        subprocess.run([harness.program("stele"), "key", "new", "gate", "--keys", keys, "--role", "gateway,admin", "--out", cls.key],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.settings = {"keys": keys}
        tcp = "tcp://127.0.0.1:*"
        super().start_broker(arguments=["--requests", tcp, "--feed", tcp], **more)
        line = cls.broker.wait_line("ready")
        for name in ("requests", "feed"):
            setattr(cls.broker, name, line.split(name + " ", 1)[1].split(",")[0].split(";")[0])
        return cls.broker

    @classmethod
    def key_arguments(cls):
        return ["--key", cls.key]


class Command(unittest.TestCase):
    """stele token, and files that stele-http refuses"""

    def setUp(self):
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "tokens")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("STELE_")}
        self.environment["STELE_TOKENS"] = self.path

    def run_it(self, program, *arguments, status=0):
        done = subprocess.run([harness.program(program), *arguments], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout.decode() if status == 0 else done.stderr.decode()

    def token(self, *arguments, status=0):
        return self.run_it("stele", "token", *arguments, status=status)

    def test_token_is_printed_once_and_the_file_has_its_hash(self):
        text = self.token("new", "ann", "--role", "query,publish", "--users", "a,b", "--not-after", "2199-01-01").strip()
        self.assertRegex(text, "^stele_[a-z2-7]{8}_[a-z2-7]{59}$")
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        with open(self.path) as file:
            line = json.loads(file.read())
        self.assertNotIn(text[15:], json.dumps(line))
        self.assertEqual(line["hash"], hashlib.sha256(text.encode()).hexdigest())
        made = json.loads(self.token("list", "--json"))["tokens"]
        self.assertEqual(made, [{"id": line["id"], "name": "ann", "state": "valid", "roles": ["query", "publish"], "users": ["a", "b"],
                                 "not_after": "2199-01-01T00:00:00.000000Z"}])
        self.assertEqual(len({self.token("new", "t%d" % number, "--role", "query") for number in range(5)}), 5)

    def test_revoked_token_stays_for_the_record_and_its_name_is_free(self):
        self.token("new", "ann", "--role", "query")
        self.assertIn("there is a token 'ann'", self.token("new", "ann", "--role", "query", status=73))
        self.token("revoke", "ann")
        self.assertIn("no token 'ann'", self.token("revoke", "ann", status=1))
        made = json.loads(self.token("new", "ann", "--role", "query", "--json"))
        self.token("revoke", made["id"])
        self.assertEqual(json.loads(self.token("list", "--json"))["tokens"], [])
        self.assertEqual([one["state"] for one in json.loads(self.token("list", "--all", "--json"))["tokens"]], ["revoked"] * 2)

    def test_wrong_use(self):
        for words, arguments in (("not an action", ["make"]), ("missing argument", ["new"]), ("--role ROLE", ["new", "a"]),
                                 ("not a role of tokens", ["new", "a", "--role", "gateway"]),
                                 ("empty", ["new", "a", "--role", "query", "--users", ""]),
                                 ("in the past", ["new", "a", "--role", "query", "--not-after", "2020-01-01"]),
                                 ("name of a token", ["new", "a b", "--role", "query"]), ("unexpected", ["list", "x"])):
            self.assertIn(words, self.token(*arguments, status=64))
        self.assertIn("No such file", self.token("list", status=66))
        del self.environment["STELE_TOKENS"]
        self.assertIn("no file of tokens", self.token("list", status=64))

    def test_file_that_others_may_read_is_refused(self):
        self.token("new", "ann", "--role", "query")
        os.chmod(self.path, 0o640)
        self.assertIn("chmod 600", self.token("list", status=78))
        arguments = ("--listen", "127.0.0.1:0", "--requests", "ipc:///nothing", "--feed", "ipc:///nothing")
        self.assertIn("chmod 600", self.run_it("stele-http", *arguments, status=78))
        self.environment["STELE_TOKENS"] = self.path + "-none"
        self.assertIn("stele token new", self.run_it("stele-http", *arguments, status=78))

    def test_session_behind_a_proxy_is_of_this_host_and_tls_only(self):
        text = self.token("new", "ann", "--role", "query").strip()
        path = os.path.join(self.folder, "http")
        server = web.Server("ipc:///nothing", "ipc:///nothing", ["--tokens", self.path], listen="unix:" + path)
        self.addCleanup(server.stop)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(path)
            peer.sendall(("POST /v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n"
                          % text).encode())
            answer = peer.makefile("rb").read().decode()
        self.assertRegex(answer, "Set-Cookie: __Host-stele_session=[0-9a-f]{64}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure\r\n")

    def test_tokens_do_not_open_other_addresses(self):
        self.token("new", "ann", "--role", "query")
        self.assertIn("other machines", self.run_it("stele-http", "--listen", "0.0.0.0:0", status=78))


if __name__ == "__main__":
    unittest.main(verbosity=2)
