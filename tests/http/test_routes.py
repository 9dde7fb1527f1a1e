# Every route, its answers against /openapi.json, and what HTTP adds: caching, pages, compression, parts
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import gzip
import json
import os
import re
import select
import signal
import unittest
import urllib.parse

import jsonschema

import harness
import web

#   path of the document -> the path to request, for every GET; and bodies for every other route
STORY = [
    {"type": "task.created", "task_id": "a/b", "title": "Tïtle", "description": "x" * 3000, "role": "coder"},
    {"type": "task.state_changed", "task_id": "a/b", "state": "running"},
    {"type": "task.output_added", "task_id": "a/b", "output_type": "stdout", "content": "0123456789ü"},
    {"type": "task.output_added", "task_id": "a/b", "output_type": "artifact", "content": {"$bin": "AAEC/w=="},
     "mime_type": "image/png"},
    {"type": "task.metric_recorded", "task_id": "a/b", "name": "cost", "value": 0.5},
    {"type": "session.started", "session_id": "s1", "cli_tool": "t", "mode": "cli", "current_directory": "/", "task_id": "a/b"},
    {"type": "session.command_executed", "session_id": "s1", "command": "ls", "output": "x", "exit_code": 1},
    {"type": "preference.set", "user_id": "ann", "preferred_model": "m"},
    {"type": "task.state_changed", "task_id": "a/b", "state": "failed", "error_message": "boom", "details": {"k": [1, "é"]}},
    {"type": "task.created", "task_id": "c", "title": "Second", "description": "", "role": "coder"},
    {"type": "task.created", "task_id": "gone", "title": "Third", "description": "", "role": "coder"},
    {"type": "task.state_changed", "task_id": "gone", "state": "cancelled"},
]
GETS = {
    "/v1/tasks": ["/v1/tasks", "/v1/tasks?states=failed,queued&roles=coder&total=true&limit=1", "/v1/tasks?search=boom",
                  "/v1/tasks?at=3&has_error=false", "/v1/tasks?created_from=2020-01-01T00:00:00%2B01:00"],
    "/v1/tasks/{task_id}": ["/v1/tasks/a%2Fb", "/v1/tasks/a%2Fb?at=2", "/v1/tasks/c?min_position=10&timeout_ms=100"],
    "/v1/tasks/{task_id}/status": ["/v1/tasks/a%2Fb/status"],
    "/v1/tasks/{task_id}/history": ["/v1/tasks/a%2Fb/history", "/v1/tasks/a%2Fb/history?order=desc&limit=1"],
    "/v1/tasks/{task_id}/outputs": ["/v1/tasks/a%2Fb/outputs", "/v1/tasks/a%2Fb/outputs?types=stdout"],
    "/v1/tasks/{task_id}/outputs/{output_id}": ["/v1/tasks/a%2Fb/outputs/3"],
    "/v1/tasks/{task_id}/metrics": ["/v1/tasks/a%2Fb/metrics?names=cost"],
    "/v1/tasks/{task_id}/sessions": ["/v1/tasks/a%2Fb/sessions"],
    "/v1/stuck": ["/v1/stuck", "/v1/stuck?silent_s=1&total=1"],
    "/v1/sessions": ["/v1/sessions"],
    "/v1/session-times": ["/v1/session-times?session_id=s1"],
    "/v1/sessions/{session_id}": ["/v1/sessions/s1"],
    "/v1/sessions/{session_id}/commands": ["/v1/sessions/s1/commands"],
    "/v1/commands": ["/v1/commands?failed=true", "/v1/commands?output_offset=0&output_length=1"],
    "/v1/preferences": ["/v1/preferences?user_id=ann"],
    "/v1/events": ["/v1/events", "/v1/events?after=3&limit=2&types=task.output_added"],
    "/v1/stream": [],
    "/v1/stream/stats": [],
    "/v1/tables/{table}": ["/v1/tables/tasks", "/v1/tables/task_outputs?limit=1"],
    "/v1/rejected": ["/v1/rejected", "/v1/rejected?open=true"],
    "/v1/backup": ["/v1/backup"],
    "/v1/audit": ["/v1/audit", "/v1/audit?operation=recover&outcome=ok&from=2020-01-01T00:00:00Z&limit=1"],
    "/v1/producers": ["/v1/producers"],
    "/v1/producers/{producer}": ["/v1/producers/story"],
    "/v1/stats": ["/v1/stats"],
    "/v1/stats/tasks": ["/v1/stats/tasks?group_by=role"],
    "/v1/stats/series": ["/v1/stats/series", "/v1/stats/series?by=role&step=minute&from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z"],
    "/v1/stats/failures": ["/v1/stats/failures", "/v1/stats/failures?step=day&limit=1"],
    "/v1/storage": ["/v1/storage", "/v1/storage?days=3"],
    "/v1/errors": ["/v1/errors"],
    "/v1/info": ["/v1/info"],
    "/v1/mode": ["/v1/mode"],
    "/metrics": [],
    "/healthz": ["/healthz"],
    "/readyz": ["/readyz"],
    "/openapi.json": ["/openapi.json"],
    "/": ["/"],
    "/ui/{version}/{folder}/{file}": [],        # test_dashboard.py requests every file
    "/v1/session": ["/v1/session"],
}
CHANGES = {
    ("post", "/v1/tasks/search"): ("/v1/tasks/search", {"states": ["failed"], "limit": 5}),
    ("post", "/v1/tasks/statuses"): ("/v1/tasks/statuses", {"task_ids": ["a/b", "none"]}),
    ("post", "/v1/events"): ("/v1/events", {"producer": "other", "events": [
        {"type": "task.updated", "task_id": "c", "title": "New"}, {"type": "nonsense"}]}),
    ("post", "/v1/rejected/retry"): ("/v1/rejected/retry", {"ids": [1]}),
    ("post", "/v1/tasks/{task_id}/recover"): ("/v1/tasks/a%2Fb/recover", None),
    ("post", "/v1/tasks/{task_id}/erase"): ("/v1/tasks/gone/erase", {"reason": "why"}),
    ("post", "/v1/recover"): ("/v1/recover", {"scope": "all"}),
    ("post", "/v1/consistency-check"): ("/v1/consistency-check", {"repair": True}),
    ("put", "/v1/mode"): ("/v1/mode", {"mode": "dual"}),
    ("post", "/v1/backup"): ("/v1/backup", {"start": True}),
    ("post", "/v1/keys/reload"): ("/v1/keys/reload", None),
    ("post", "/v1/session"): ("/v1/session", None),
    ("delete", "/v1/session"): ("/v1/session", None),
}
#   The paths of the earlier system, whose answers test_compat.py has
EARLIER_GETS = {
    "/tasks": ["/tasks"],
    "/tasks/{task_id}": ["/tasks/c"],
    "/api/tasks/history/{task_id}": ["/api/tasks/history/c"],
    "/api/tasks/persistent": ["/api/tasks/persistent?search=secret"],
    "/api/tasks/outputs/{task_id}": ["/api/tasks/outputs/c"],
    "/api/persistence/stats": ["/api/persistence/stats"],
    "/api/metrics": ["/api/metrics"],
    "/api/preferences": ["/api/preferences"],
    "/api/cli/sessions": ["/api/cli/sessions"],
    "/api/cli/sessions/{session_id}": ["/api/cli/sessions/s1"],
    "/api/cli/sessions/{session_id}/history": ["/api/cli/sessions/s1/history"],
    "/api/cli/sessions/{session_id}/persistent": ["/api/cli/sessions/s1/persistent"],
    "/ws": ["/ws"],
}
EARLIER_CHANGES = {
    ("post", "/tasks"): ("/tasks", {"id": "earlier", "title": "t", "description": "", "role": "r"}),
    ("post", "/api/tasks/outputs/{task_id}"): ("/api/tasks/outputs/earlier", {"content": "x"}),
    ("post", "/api/tasks/{task_id}/recover"): ("/api/tasks/earlier/recover", None),
    ("post", "/api/preferences"): ("/api/preferences", {"preferred_model": "m"}),
}


class Routes(web.WebTest):
    use_redis = True

    @classmethod
    def start_broker(cls, **more):
        return super().start_broker(arguments=("--backup", os.path.join(cls.folder, "repository")), **more)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        peer = web.WebTest()
        peer.http = cls.http
        cls.published = peer.post("/v1/events", {"producer": "story", "sequence": 1, "events": STORY})
        cls.document = peer.get("/openapi.json").json()
        cls.redis.wait_position(12)

    def validate(self, schema, value, where):
        schema = dict(schema, components=self.document["components"])
        validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        errors = ["%s: %s" % (list(error.path), error.message[:300]) for error in validator.iter_errors(value)]
        self.assertEqual(errors, [], where)

    def schema(self, path, method, status):
        responses = self.document["paths"][path][method]["responses"]
        answer = responses.get(str(status), responses["default"])
        kind = "application/json" if str(status) in responses else "application/problem+json"
        return answer["content"].get(kind, {}).get("schema", {})

    def test_every_route_is_in_this_test_and_back(self):
        documented = set((method, path) for path, methods in self.document["paths"].items() for method in methods)
        tested = set(("get", path) for path in {**GETS, **EARLIER_GETS}) | set(CHANGES) | set(EARLIER_CHANGES)
        self.assertEqual(documented, tested)

    def test_document_is_openapi_3_1(self):
        self.assertEqual(self.document["openapi"], "3.1.0")
        for path, methods in self.document["paths"].items():
            names = set(re.findall(r"\{(\w+)\}", path))
            for method, operation in methods.items():
                inside = set(one["name"] for one in operation["parameters"] if one["in"] == "path")
                self.assertEqual(inside, names, path)
                self.assertIn("101" if path == "/ws" else "200", operation["responses"])
                self.assertEqual("requestBody" in operation, method in ("post", "put"))
        for schema in self.document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_every_read_answers_as_documented(self):
        for path, requests in GETS.items():
            for request in requests:
                with self.subTest(request):
                    answer = harness.wait_until(lambda: [answer for answer in [self.request("GET", request)] if answer.status == 200
                                                         or path != "/readyz"], "the broker to be ready")[0]
                    self.assertEqual(answer.status, 200, answer.body[:500])
                    self.assertRegex(answer.headers["x-request-id"], "^[0-9a-f]{16}$")
                    if path.startswith("/v1/") and path != "/v1/session":
                        self.assertGreaterEqual(int(answer.headers["stele-position"]), 10)
                        self.assertRegex(answer.headers["stele-ledger"], "^[0-9a-f-]{36}$")
                    if answer.headers["content-type"] == "application/json":
                        self.validate(self.schema(path, "get", 200), answer.json(), request)

    def test_every_change_answers_as_documented(self):
        for (method, path), (request, body) in CHANGES.items():
            with self.subTest(path):
                answer = self.request(method.upper(), request, body)
                status = 409 if path == "/v1/keys/reload" else 200      # A broker without keys; see test_keys.py
                self.assertEqual(answer.status, status, answer.body)
                self.validate(self.schema(path, method, status), answer.json(), request)

    def test_documented_parameters_are_taken_and_others_refused(self):
        for path, requests in GETS.items():
            if not requests or not path.startswith("/v1/") or path == "/v1/session":
                continue
            with self.subTest(path):
                target = requests[0].partition("?")[0]
                answer = self.get(target + "?bogus=1", 400)
                self.validate(self.schema(path, "get", 400), answer.json(), target)
                self.assertEqual(answer.json()["field"], "bogus")
                for parameter in self.document["paths"][path]["get"]["parameters"]:
                    if parameter["in"] != "query":
                        continue
                    value = {"integer": "1", "boolean": "true"}.get(parameter["schema"]["type"], "word")
                    answer = self.request("GET", target, query={parameter["name"]: value})
                    if answer.status == 400:        # Its value, not its name
                        self.assertNotIn("does not take", answer.json()["detail"])

    def test_answers_are_those_of_the_protocol(self):
        asked = self.ask("task.get", task_id="a/b")
        answer = self.get("/v1/tasks/a%2Fb").json()
        self.assertNotIn("ok", answer)
        self.assertEqual(set(answer) | {"ok"}, set(asked))
        self.assertEqual(answer["task"]["details" if "details" in answer["task"] else "title"], "Tïtle")
        self.assertRegex(answer["task"]["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual(set(answer["task"]), set(asked["task"]))
        history = self.get("/v1/tasks/a%2Fb/history").json()["history"]
        self.assertEqual([row["id"] for row in history], [1, 2, 9])
        self.assertEqual(history[2]["details"], {"k": [1, "é"]})

    def test_id_that_cannot_be_in_a_path_is_in_the_query(self):
        name = self.name("p")
        for task in (".", "..", "-", "a/b?&=%-"):
            self.post("/v1/events", {"producer": name, "events": [
                {"type": "task.created", "task_id": task, "title": "t", "description": "", "role": "r"},
                {"type": "task.output_added", "task_id": task, "output_type": "log", "content": "of " + task}]})
            path = "/v1/tasks/-"
            for part in ("", "/status", "/history", "/outputs"):
                answer = self.get(path + part, query={"task_id": task}).json()
                row = answer["task"] if "task" in answer else answer[part[1:]][0]
                self.assertEqual(row["task_id"], task)
            output = self.get(path + "/outputs", query={"task_id": task}).json()["outputs"][0]["id"]
            self.assertEqual(self.get("%s/outputs/%d" % (path, output), query={"task_id": task}).body.decode(), "of " + task)
            recovered = self.post(path + "/recover?" + urllib.parse.urlencode({"task_id": task})).json()
            self.assertEqual(recovered["task"]["task_id"], task)
        self.assertEqual(self.get("/v1/tasks/-").json()["task"]["task_id"], "-")
        for query, field in (("task_id=.&task_id=..", "task_id"), ("task_id=.&x=1", "x"), ("task_id=", "task_id")):
            self.assertEqual(self.get("/v1/tasks/-?" + query, 400).json()["field"], field)
        #   Two ids
        self.get("/v1/tasks/-x?task_id=.", 400)
        self.post("/v1/tasks/-/recover?task_id=.&task_id=..", None, 400)
        self.post("/v1/tasks/-/recover?task_id=.", {"task_id": ".."}, 400)

    def test_publish_is_idempotent_by_its_sequence(self):
        first = self.published.json()
        self.assertEqual((first["accepted"], first["duplicates"], first["sequence"]), (12, 0, 12))
        again = self.post("/v1/events", {"producer": "story", "sequence": 1, "events": STORY}).json()
        self.assertEqual((again["accepted"], again["duplicates"], again["sequence"]), (0, 12, 12))
        gap = self.post("/v1/events", {"producer": "story", "sequence": 90, "events": STORY}, 409).json()
        self.assertEqual((gap["type"], gap["code"]), ("urn:stele:sequence_gap", "sequence_gap"))

    def test_a_secret_in_a_name_is_unprocessable(self):
        name = "gh" + "p_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF1234"
        problem = self.post("/v1/events", {"producer": name, "events": [{"type": "x"}]}, 422).json()
        self.assertEqual(problem["code"], "contains_secret")
        self.assertNotIn(name, repr(problem))

    def test_published_event_is_read_at_its_position(self):
        for number in range(20):
            name = "%s-%d" % (self.name("task"), number)
            answer = self.post("/v1/events", {"producer": self.name("p"), "events": [
                {"type": "task.created", "task_id": name, "title": "t", "description": "", "role": "r"}]})
            position = answer.headers["stele-position"]
            self.get("/v1/tasks/%s/status" % name, headers={"Stele-Min-Position": position})
            self.get("/v1/tasks/%s/status?min_position=%s" % (name, position))

    def test_body_cannot_set_other_keys_of_a_request(self):
        for key in ("op", "actor", "bogus", "ok"):
            answer = self.post("/v1/events", {"producer": "x", "events": [], key: "ping"}, 400).json()
            self.assertEqual((answer["code"], answer["field"]), ("bad_request", key))
        for body in (b"", b"[]", b"7", b"{", b"{} {}", b'{"producer":"a","producer":"b","events":[]}', b"\xff"):
            answer = self.post("/v1/events", body, 400, headers={"Content-Type": "application/json"}).json()
            self.assertIn(answer["code"], ("bad_request", "malformed"), body)
        self.post("/v1/tasks/search?limit=1", {}, 400)

    def test_body_that_is_not_json_is_reported_in_terms_of_http(self):
        for body, detail in ((b'{"a":', "the body is not JSON: "), (b'{"id":99999999999999999999}', "the body cannot be read: JSON has an "
                             "integer"), (b'{"id":"\xff"}', "the body is not JSON: 0xff is not UTF-8")):
            problem = self.post("/v1/rejected/retry", body, 400, headers={"Content-Type": "application/json"}).json()
            self.assertRegex(problem["detail"], "^%s.* at byte [0-9]+" % detail)
            self.assertEqual(problem["detail"].count("the body"), 1)
            self.assertEqual((problem["code"], problem["title"]), ("malformed", "the request is not JSON with valid UTF-8 text: correct it"))

    def test_times_of_groups_are_text(self):
        group, = [group for group in self.get("/v1/errors").json()["groups"] if group["error"] == "boom"]
        self.assertRegex(group["last"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        for by in ("hour", "day"):
            groups = self.get("/v1/stats/tasks?group_by=" + by).json()["groups"]
            self.assertRegex(groups[0][by], r"^\d{4}-\d\d-\d\dT\d\d:00:00\.000000Z$")
            self.assertGreater(groups[0]["created"], 0)

    def test_times_of_series_are_text(self):
        head = self.ask("ping")["position"]
        harness.wait_until(lambda: self.get("/v1/stats/series").json()["folded"] >= head, "the counts to be complete")
        answer = self.get("/v1/stats/failures").json()
        one, = [one for one in answer["series"] if one["fingerprint"] == "boom"]
        self.assertEqual((answer["by"], one["tasks"], one["total"]), ("fingerprint", ["a/b"], {"count": 1}))
        point, = one["points"]
        for time in (answer["from"], answer["to"], answer["since"], one["first"], one["last"], point["time"],
                     self.get("/v1/stats/series").json()["series"][0]["points"][0]["time"]):
            self.assertRegex(time, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        asked = self.ask("stats.series", by="role")
        again = self.get("/v1/stats/series?by=role").json()
        self.assertEqual([(one["role"], one["total"]) for one in again["series"]],
                         [(one["role"], one["total"]) for one in asked["series"]])

    def test_audit_events_are_read(self):
        self.request("POST", "/v1/recover", {"scope": "all"})
        row = self.get("/v1/audit?operation=recover&limit=1").json()["events"][0]
        self.assertEqual((row["who"], row["operation"], row["target"], row["outcome"]), ("local", "recover", "all", "ok"))
        self.assertEqual(self.get("/v1/audit?who=nobody").json()["events"], [])

    def test_refusals_have_the_status_of_their_code(self):
        for path, status, code in (
                ("/v1/tasks/nothing", 404, "not_found"), ("/v1/sessions/nothing", 404, "not_found"),
                ("/v1/tasks/nothing/status", 404, "not_found"), ("/v1/producers/nobody", 404, "not_found"),
                ("/v1/tasks?states=nonsense", 400, "bad_request"), ("/v1/tasks?limit=x", 400, "bad_request"),
                ("/v1/tasks?limit=-1", 400, "bad_request"), ("/v1/tasks?total=maybe", 400, "bad_request"),
                ("/v1/tasks?limit=1&limit=2", 400, "bad_request"), ("/v1/tables/nonsense", 400, "bad_request"),
                ("/v1/tasks/c?min_position=999999&timeout_ms=1", 504, "timeout")):
            with self.subTest(path):
                problem = self.get(path, status).json()
                self.assertEqual((problem["status"], problem["code"], problem["type"]), (status, code, "urn:stele:" + code))

    def test_words_are_repeated_or_separated_by_commas(self):
        one = self.get("/v1/tasks?states=failed&states=queued").json()["tasks"]
        other = self.get("/v1/tasks?states=failed,queued").json()["tasks"]
        self.assertEqual(one, other)
        self.assertGreaterEqual(len(one), 2)

    def test_etag_of_a_task_lasts_until_the_task_changes(self):
        name = self.name("task")
        publish = lambda *events: self.post("/v1/events", {"producer": name, "events": list(events)})
        publish({"type": "task.created", "task_id": name, "title": "t", "description": "", "role": "r"})
        tag = self.get("/v1/tasks/" + name).headers["etag"]
        publish({"type": "task.created", "task_id": name + "2", "title": "t", "description": "", "role": "r"})
        answer = self.get("/v1/tasks/" + name, 304, headers={"If-None-Match": tag})
        self.assertEqual((answer.body, answer.headers["etag"]), (b"", tag))
        self.get("/v1/tasks/" + name, 304, headers={"If-None-Match": '"x", ' + tag})
        publish({"type": "task.state_changed", "task_id": name, "state": "running"})
        self.assertNotEqual(self.get("/v1/tasks/" + name, 200, headers={"If-None-Match": tag}).headers["etag"], tag)

    def test_etags_do_not_outlast_an_erasure(self):
        name = self.name("task")
        self.post("/v1/events", {"producer": name, "events": [
            {"type": "task.created", "task_id": name, "title": "secret title", "description": "secret", "role": "r"},
            {"type": "task.output_added", "task_id": name, "output_type": "log", "content": "secret output"},
            {"type": "session.started", "session_id": name, "cli_tool": "t", "mode": "cli", "current_directory": "/secret", "task_id": name},
            {"type": "session.command_executed", "session_id": name, "command": "secret command"},
            {"type": "session.state_changed", "session_id": name, "state": "terminated"},
            {"type": "task.state_changed", "task_id": name, "state": "cancelled"}]})
        output = self.get("/v1/tasks/%s/outputs" % name).json()["outputs"][0]["id"]
        session = "/v1/sessions/" + name
        paths = ["/v1/tasks/%s%s" % (name, end) for end in (
            "", "?at=%d" % output, "/status", "/history", "/outputs", "/outputs/%d" % output, "/sessions")] + [session, session + "/commands"]
        known = {}
        for path in paths:
            answer = self.get(path)
            known[path] = {"If-None-Match": answer.headers["etag"]}
            self.assertNotIn("max-age", answer.headers["cache-control"], path)
            self.get(path, 304, headers=known[path])
        erased = self.post("/v1/tasks/%s/erase" % name, {"reason": "why"}).json()["erased_position"]
        for path in paths:
            wait = {"Stele-Min-Position": str(erased)}
            answer = self.get(path, 200, headers=dict(known[path], **wait))
            self.assertNotIn(b"secret", answer.body, path)
            self.get(path, 304, headers=dict({"If-None-Match": answer.headers["etag"]}, **wait))

    def test_etags_of_lists_differ_by_query_and_position(self):
        tag = self.get("/v1/tasks?limit=1").headers["etag"]
        self.get("/v1/tasks?limit=1", 304, headers={"If-None-Match": tag})
        self.get("/v1/tasks?limit=2", 200, headers={"If-None-Match": tag})

    def test_pages_by_link_are_the_whole_list(self):
        name = self.name("task")
        self.post("/v1/events", {"producer": name, "events": [
            {"type": "task.created", "task_id": "%s-%d" % (name, i), "title": "t", "description": "", "role": name}
            for i in range(25)]})
        for start, key in (("/v1/tasks?roles=%s&limit=7" % name, "tasks"), ("/v1/events?limit=7", "events"),
                           ("/v1/tables/tasks?limit=7", "rows")):
            path, seen, pages = start, [], 0
            while path:
                answer = self.get(path)
                seen += answer.json()[key]
                pages += 1
                link = re.match('<([^>]*)>; rel="next"$', answer.headers.get("link", ""))
                path = link and link.group(1)
                self.assertEqual(bool(path), answer.json()["next"] is not None)
            self.assertGreater(pages, 3)
            whole = self.get(start.replace("limit=7", "limit=1000")).json()[key]
            self.assertEqual(seen, whole[:len(seen)])
            self.assertGreaterEqual(len(seen), 25)

    def test_table_as_ndjson_is_whole(self):
        answer = self.get("/v1/tables/task_history?format=ndjson")
        self.assertEqual(answer.headers["content-type"], "application/x-ndjson")
        rows = [json.loads(line) for line in answer.body.splitlines()]
        pages = self.get("/v1/tables/task_history?limit=1000&at=" + answer.headers["stele-position"]).json()["rows"]
        self.assertEqual(rows, pages)
        self.get("/v1/tables/nonsense?format=ndjson", 400)

    def test_gzip_is_sent_if_it_is_accepted_and_worth_it(self):
        plain = self.get("/v1/tasks/a%2Fb/history")
        self.assertNotIn("content-encoding", plain.headers)
        packed = self.get("/v1/tasks/a%2Fb?at=1", headers={"Accept-Encoding": "br, gzip"})
        self.assertEqual(packed.headers["content-encoding"], "gzip")
        self.assertEqual(len(gzip.decompress(packed.body)), len(self.get("/v1/tasks/a%2Fb?at=1").body))
        small = self.get("/v1/mode", headers={"Accept-Encoding": "gzip"})
        self.assertNotIn("content-encoding", small.headers)

    def test_raw_output_is_the_bytes_of_its_producer(self):
        text = self.get("/v1/tasks/a%2Fb/outputs/3")
        self.assertEqual(text.body.decode(), "0123456789ü")
        self.assertEqual(text.headers["content-type"], "text/plain; charset=utf-8")
        image = self.get("/v1/tasks/a%2Fb/outputs/4")
        self.assertEqual(image.body, b"\x00\x01\x02\xff")
        self.assertEqual(image.headers["content-type"], "image/png")
        self.assertTrue(image.headers["content-disposition"].startswith("attachment"))
        self.assertEqual(image.headers["x-content-type-options"], "nosniff")
        for path in ("/v1/tasks/c/outputs/3", "/v1/tasks/a%2Fb/outputs/2", "/v1/tasks/a%2Fb/outputs/9999",
                     "/v1/tasks/a%2Fb/outputs/0"):
            self.get(path, 404)
        self.get("/v1/tasks/a%2Fb/outputs/x", 400)

    def test_raw_output_in_parts(self):
        path = "/v1/tasks/a%2Fb/outputs/3"
        for spec, body, part in (("bytes=0-3", b"0123", "0-3"), ("bytes=8-", b"89\xc3\xbc", "8-11"), ("bytes=-2", b"\xc3\xbc", "10-11")):
            answer = self.get(path, 206, headers={"Range": spec})
            self.assertEqual((answer.body, answer.headers["content-range"]), (body, "bytes %s/12" % part))
        self.assertEqual(self.get(path, 416, headers={"Range": "bytes=12-"}).headers["content-range"], "bytes */12")
        tag = self.get(path).headers["etag"]
        self.get(path, 206, headers={"Range": "bytes=0-3", "If-Range": tag})
        self.get(path, 200, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
        self.get(path, 304, headers={"If-None-Match": tag})

    def test_ready_is_not_ready_in_mode_redis(self):
        harness.wait_until(lambda: self.request("GET", "/readyz").json()["ready"] is True, "ready")
        try:
            self.request("PUT", "/v1/mode", {"mode": "redis"})
            body = harness.wait_until(lambda: [body for body in [self.request("GET", "/readyz").json()] if "mode_redis" in [
                finding["code"] for finding in body["findings"]]], "the mode among the findings")[0]
            self.assertEqual((body["ready"], body["status"]), (False, "degraded"))
        finally:
            self.request("PUT", "/v1/mode", {"mode": "dual"})
        harness.wait_until(lambda: self.request("GET", "/readyz").status == 200, "ready again")

    def test_findings_are_those_of_stele_health(self):
        #   Of two moments: they are the same as soon as nothing changes in between
        codes = lambda findings: [finding["code"] for finding in findings]
        harness.wait_until(lambda: codes(self.request("GET", "/readyz").json()["findings"]) == codes(json.loads(
            self.stele("--json", "health", status=None))["findings"]), "the same findings")

    def test_probes_share_one_question_and_take_no_place_of_requests(self):
        probes = [web.connect(self.http.port) for _ in range(300)]
        other = web.connect(self.http.port)
        for peer in probes + [other]:
            self.addCleanup(peer.close)
        self.ask("stats")                       # So that its count exists
        asked = self.ask("stats")["requests"]["by_op"]["stats"]["count"]
        self.broker.signal(signal.SIGSTOP)
        try:
            for peer in probes:
                peer.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.get("/healthz")
            other.sendall(b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            for peer in probes:
                self.assertRegex(peer.recv(65536), b"^HTTP/1.1 (503|200) ")
        finally:
            self.broker.signal(signal.SIGCONT)
        self.assertTrue(other.recv(65536).startswith(b"HTTP/1.1 200 "))
        #   A question ends after two seconds without an answer: one or two for all probes, and this one
        self.assertLess(self.ask("stats")["requests"]["by_op"]["stats"]["count"] - asked, 100)

    def test_requests_beyond_the_bound_are_turned_away_until_others_are_answered(self):
        peers = [web.connect(self.http.port) for _ in range(300)]
        self.broker.signal(signal.SIGSTOP)
        try:
            for peer in peers:
                peer.sendall(b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            #   The others wait for the broker, which does not answer
            turned = harness.wait_until(lambda: [ready for ready in [select.select(peers, [], [], 1)[0]] if len(ready) == 44],
                                        "44 requests to be turned away")[0]
            for peer in turned:
                answer, = web.parse(peer.recv(65536))
                self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "1"))
                self.assertEqual(answer.json()["code"], "unavailable")
            self.get("/healthz")
        finally:
            self.broker.signal(signal.SIGCONT)
        for peer in peers:
            if peer not in turned:
                self.assertTrue(peer.recv(65536).startswith(b"HTTP/1.1 200 "))
            peer.close()

    def test_hundred_connections_at_once_are_served(self):
        peers = [web.connect(self.http.port) for _ in range(100)]
        for peer in peers:
            peer.sendall(b"GET /v1/tasks/c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        for peer in peers:
            data = b""
            while True:
                more = peer.recv(65536)
                if not more:
                    break
                data += more
            peer.close()
            self.assertEqual(web.parse(data)[0].status, 200)


class WithoutRedis(web.WebTest):
    def test_what_needs_redis_is_a_conflict_and_not_for_later(self):
        for method, path, body in (("POST", "/v1/recover", {"scope": "all"}), ("POST", "/v1/tasks/t/recover", None),
                                   ("POST", "/v1/consistency-check", {}), ("PUT", "/v1/mode", {"mode": "dual"})):
            answer = self.request(method, path, body)
            problem = answer.json()
            self.assertEqual((answer.status, problem["status"], problem["code"], problem["field"]), (409, 409, "unavailable", "redis"))
            self.assertIn("this broker runs without it", problem["detail"])
            self.assertNotIn("later", problem["title"])
            self.assertNotIn("retry-after", answer.headers)

    def test_backup_without_a_folder_tells_the_setting(self):
        problem = self.post("/v1/backup", {"start": True}, 503).json()
        self.assertEqual(problem["field"], "backup")
        self.assertIn("set 'backup'", problem["detail"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
