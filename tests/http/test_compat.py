# The paths of the system before Stele, answer by answer as its server gave them
#
# What is expected was taken down from that server: FastAPI over SQLite and Redis. Values that differ from run to
# run are given as patterns; objects are compared with the order of their keys. Where its code answered 500 by mistake,
# the status that the code meant is expected.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import gzip
import json
import re
import unittest

import jsonschema

import harness
import web
from test_routes import EARLIER_CHANGES, EARLIER_GETS

MICROSECONDS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$")
SECONDS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")

#   Every history and output has these ids, which are positions
STORY = [
    {"type": "task.created", "task_id": "t1", "title": "Add login", "description": "ünï ✓", "role": "backend",
     "time": "2026-11-29T16:02:52.924559Z"},
    {"type": "task.state_changed", "task_id": "t1", "state": "running", "time": "2026-11-29T16:02:53Z", "provider": "claude"},
    {"type": "task.state_changed", "task_id": "t1", "state": "failed", "error_message": "boom ✓",
     "time": "2026-11-29T16:02:54.5Z"},
    {"type": "task.output_added", "task_id": "t1", "output_type": "stdout", "content": "hello ✓\n", "file_path": "a.txt",
     "commit_hash": "abc", "branch": "b", "time": "2026-11-29T16:02:55.25Z"},
    {"type": "task.state_changed", "task_id": "t1", "state": "queued", "details": {"k": [1, "é"]}, "user_id": "default",
     "time": "2026-11-29T16:02:56Z"},
    {"type": "task.metric_recorded", "task_id": "t1", "name": "cost", "value": 1},
    {"type": "task.updated", "task_id": "t1", "branch": "feature/login", "time": "2026-11-29T16:02:57Z"},
    {"type": "task.created", "task_id": "t2", "title": "50%_done", "description": "LOGOUT", "role": "frontend",
     "time": "2026-11-30T00:00:00Z"},
    {"type": "task.output_added", "task_id": "t2", "output_type": "artifact", "content": {"$bin": "aP9p"},
     "time": "2026-11-30T00:00:01Z"},
    {"type": "session.started", "session_id": "s1", "cli_tool": "bash", "mode": "cli", "current_directory": "/tmp",
     "time": "2026-11-29T16:03:08.622724Z"},
    {"type": "session.state_changed", "session_id": "s1", "state": "running", "time": "2026-11-29T16:03:08.89096Z"},
    {"type": "session.command_executed", "session_id": "s1", "command": "ls", "output": "a\n", "exit_code": 0,
     "time": "2026-11-29T16:03:09Z"},
    {"type": "session.command_executed", "session_id": "s1", "command": "cd x", "exit_code": 1, "time": "2026-11-29T16:03:10.5Z"},
    {"type": "session.started", "session_id": "s2", "cli_tool": "codex", "mode": "cli", "current_directory": ""},
    {"type": "session.state_changed", "session_id": "s2", "state": "terminated"},
]


class Contract(web.WebTest):
    use_redis = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        peer = web.WebTest()
        peer.http = cls.http
        answer = peer.post("/v1/events", {"producer": "story", "sequence": 1, "events": STORY}).json()
        assert answer["rejected"] == [], answer
        cls.document = peer.get("/openapi.json").json()
        cls.redis.wait_position(len(STORY))

    #   An answer, compared with the document and with what was taken down

    def check(self, method, path, answer):
        found = [known for known in self.document["paths"] if method in self.document["paths"][known]
                 and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path.split("?")[0])]
        self.assertEqual(len(found), 1, (path, found))
        responses = self.document["paths"][found[0]][method]["responses"]
        content = responses.get(str(answer.status), responses["default"])["content"]["application/json"]
        schema = dict(content["schema"], components=self.document["components"])
        jsonschema.Draft202012Validator(schema).validate(answer.json())
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual(answer.headers["cache-control"], "no-store")

    def same(self, got, wanted, where="answer"):
        if isinstance(wanted, re.Pattern):
            self.assertRegex(got, wanted, where)
        elif isinstance(wanted, type):
            self.assertIs(type(got), wanted, where)
        elif isinstance(wanted, dict):
            self.assertEqual(list(got), list(wanted), where)
            for key in wanted:
                self.same(got[key], wanted[key], "%s.%s" % (where, key))
        elif isinstance(wanted, list):
            self.assertEqual(len(got), len(wanted), "%s: %r" % (where, got))
            for i, item in enumerate(wanted):
                self.same(got[i], item, "%s[%d]" % (where, i))
        else:
            self.assertEqual((type(got), got), (type(wanted), wanted), where)

    def expect(self, method, path, status, wanted, body=None, **more):
        answer = self.request(method, path, body, **more)
        self.assertEqual(answer.status, status, "%s: %s" % (path, answer.body[:500]))
        self.check(method.lower(), path, answer)
        self.same(answer.json(), wanted)
        return answer

    def submit(self, **fields):
        task = {"id": self.name("task"), "title": "T", "description": "D", "role": "backend"}
        task.update(fields)
        return self.post("/tasks", task).json()

    #   The table

    def test_every_path_is_in_the_document(self):
        tagged = {(method, path) for path, methods in self.document["paths"].items() for method, operation in methods.items()
                  if operation.get("tags") == ["earlier interface"]}
        self.assertEqual(tagged, set(("get", path) for path in EARLIER_GETS) | set(EARLIER_CHANGES))

    #   History

    def test_history_is_every_change_of_state(self):
        self.expect("GET", "/api/tasks/history/t1", 200, {"task_id": "t1", "history": [
            {"id": 1, "state_from": None, "state_to": "queued", "timestamp": "2026-11-29T16:02:52", "provider": None,
             "model": None, "error_message": None, "details": {}, "user_id": "default"},
            {"id": 2, "state_from": "queued", "state_to": "running", "timestamp": "2026-11-29T16:02:53", "provider": "claude",
             "model": None, "error_message": None, "details": {}, "user_id": "default"},
            {"id": 3, "state_from": "running", "state_to": "failed", "timestamp": "2026-11-29T16:02:54", "provider": None,
             "model": None, "error_message": "boom ✓", "details": {}, "user_id": "default"},
            {"id": 5, "state_from": "failed", "state_to": "queued", "timestamp": "2026-11-29T16:02:56", "provider": None,
             "model": None, "error_message": None, "details": {"k": [1, "é"]}, "user_id": "default"}], "total_entries": 4})

    def test_history_of_no_task_is_not_found(self):
        self.expect("GET", "/api/tasks/history/nothing", 404, {"detail": "Task history not found"})

    def test_history_longer_than_a_page_is_whole(self):
        name = self.name("task")
        self.post("/v1/events", {"producer": name, "events": [
            {"type": "task.state_changed", "task_id": name, "state": state} for state in ("running", "paused") * 1200]})
        answer = self.get("/api/tasks/history/" + name).json()
        self.assertEqual((len(answer["history"]), answer["total_entries"]), (2400, 2400))
        ids = [row["id"] for row in answer["history"]]
        self.assertEqual(ids, sorted(set(ids)))

    #   The list with filters

    RECORD = {"id": "t1", "title": "Add login", "description": "ünï ✓", "role": "backend", "state": "queued",
              "created_at": "2026-11-29T16:02:52.924559", "updated_at": "2026-11-29T16:02:57", "completed_at": None,
              "started_at": "2026-11-29T16:02:53", "provider": "claude", "model": None, "branch": "feature/login",
              "commit_hash": None, "last_error": "boom ✓", "error_count": 1, "full_access": False, "target_dir": "."}

    def test_list_has_the_records_and_the_filter(self):
        self.expect("GET", "/api/tasks/persistent?states=queued,passed&roles=backend&search=LOGIN&limit=5", 200, {
            "tasks": [self.RECORD], "total_results": 1, "filter_applied": {
                "states": "queued,passed", "roles": "backend", "providers": None, "search": "LOGIN", "limit": 5, "offset": 0}})

    def ids(self, query):
        answer = self.get("/api/tasks/persistent?" + query)
        self.check("get", "/api/tasks/persistent", answer)
        body = answer.json()
        self.assertEqual(body["total_results"], len(body["tasks"]))
        return [task["id"] for task in body["tasks"]]

    def test_search_finds_parts_of_words_and_nothing_else(self):
        only = "&date_from=2026-11-29&date_to=2026-11-30"
        for text, found in (("ogin", ["t1"]), ("ADD LOG", ["t1"]), ("gout", ["t2"]), ("log", ["t2", "t1"]), ("boom", []),
                            ("t1", []), ("ü", ["t1"]), ("Ü", []), ("%25", ["t2"]), ("0%25_d", ["t2"]), ("_", ["t2"]),
                            ("50_", []), ("", ["t2", "t1"]), ("login add", [])):
            with self.subTest(text):
                self.assertEqual(self.ids("search=" + text.replace("ü", "%C3%BC").replace("Ü", "%C3%9C").replace(" ", "+") + only), found)

    def test_dates_are_bounds_in_any_form_of_iso_8601(self):
        for query, found in (("date_from=2026-11-30T00:00:00Z", True), ("date_from=2026-11-30T00:00:00.000001", False),
                             ("date_from=2026-11-30T01:00:00%2B01:00", True), ("date_from=2026-11-30T01:00:00+01:00", True),
                             ("date_from=2026-11-29T23:00:00-01:00", True), ("date_from=2026-11-30T00:00", True),
                             ("date_to=2026-11-30", True), ("date_to=2026-11-29T23:59:59.999999", False)):
            with self.subTest(query):
                self.assertEqual("t2" in self.ids(query + "&roles=frontend&limit=1000"), found)

    def test_pages_by_offset_are_the_whole_list(self):
        role = self.name("role")
        self.post("/v1/events", {"producer": role, "events": [
            {"type": "task.created", "task_id": "%s-%d" % (role, i), "title": "t", "description": "", "role": role}
            for i in range(2300)]})
        pages = [self.ids("roles=%s&limit=1000&offset=%d" % (role, offset)) for offset in (0, 1000, 2000, 3000)]
        self.assertEqual([len(page) for page in pages], [1000, 1000, 300, 0])
        whole = self.ids("roles=%s&limit=5000" % role)
        self.assertEqual(sum(pages, []), whole)
        self.assertEqual(whole, ["%s-%d" % (role, i) for i in reversed(range(2300))])
        self.assertEqual(len(self.ids("roles=" + role)), 100)

    def test_filter_that_is_not_valid_is_a_bad_request(self):
        for query in ("states=nonsense", "limit=x", "limit=0", "limit=-1", "offset=-1", "offset=x", "date_from=yesterday",
                      "date_to=2026-13-01", "search=" + "x" * 1025):
            with self.subTest(query):
                self.expect("GET", "/api/tasks/persistent?" + query, 400, {"detail": str})

    def test_unknown_parameters_are_ignored(self):
        self.assertIn("t1", self.ids("bogus=1&roles=backend&limit=1000"))

    #   Recover

    def test_recover_writes_the_record_to_redis(self):
        self.expect("POST", "/api/tasks/t1/recover", 200, {
            "message": "Task recovered successfully", "task_id": "t1", "restored_state": "queued"})
        self.expect("POST", "/api/tasks/nothing/recover", 404, {"detail": "Task not found in persistent storage"})

    #   Outputs

    def test_outputs_are_listed_oldest_first(self):
        self.expect("GET", "/api/tasks/outputs/t1", 200, {"task_id": "t1", "outputs": [
            {"id": 4, "output_type": "stdout", "content": "hello ✓\n", "timestamp": "2026-11-29T16:02:55", "file_path": "a.txt",
             "file_size": None, "mime_type": None, "commit_hash": "abc", "branch": "b"}], "total_outputs": 1})
        self.expect("GET", "/api/tasks/outputs/nope", 200, {"task_id": "nope", "outputs": [], "total_outputs": 0})

    def test_bytes_of_an_output_are_text_with_replacements(self):
        output, = self.get("/api/tasks/outputs/t2").json()["outputs"]
        self.assertEqual(output["content"], "h\ufffdi")

    def test_added_output_is_stored_with_all_that_was_sent(self):
        task = self.submit()["task_id"]
        done = {"message": "Task output added successfully", "task_id": task}
        path = "/api/tasks/outputs/" + task
        self.expect("POST", path, 200, done, {"output_type": "artifact", "content": "ünï", "file_path": "p", "file_size": 7,
                                             "mime_type": "text/plain", "commit_hash": None, "branch": "b", "bogus": 1})
        self.expect("POST", path, 200, done, {})
        self.expect("GET", path, 200, {"task_id": task, "outputs": [
            {"id": int, "output_type": "artifact", "content": "ünï", "timestamp": SECONDS, "file_path": "p", "file_size": 7,
             "mime_type": "text/plain", "commit_hash": None, "branch": "b"},
            {"id": int, "output_type": "log", "content": "", "timestamp": SECONDS, "file_path": None, "file_size": None,
             "mime_type": None, "commit_hash": None, "branch": None}], "total_outputs": 2})

    def test_output_that_is_not_valid_is_refused(self):
        self.expect("POST", "/api/tasks/outputs/t1", 400, {"detail": "Invalid output type: bogus"}, {"output_type": "bogus"})
        self.expect("POST", "/api/tasks/outputs/nothing", 404, {"detail": "Task not found"}, {"content": "x"})
        self.expect("POST", "/api/tasks/outputs/t1", 422, {"detail": [{"type": "string_type", "loc": ["body", "content"],
            "msg": "Input should be a valid string", "input": {"a": 1}}]}, {"content": {"a": 1}})
        self.expect("POST", "/api/tasks/outputs/t1", 422, {"detail": [{"type": "dict_type", "loc": ["body"],
            "msg": "Input should be a valid dictionary", "input": []}]}, [])
        self.assertEqual(self.get("/api/tasks/outputs/nothing").json()["total_outputs"], 0)

    #   Statistics

    def test_statistics_count_what_the_lists_show(self):
        answer = self.get("/api/persistence/stats")
        self.check("get", "/api/persistence/stats", answer)
        stats = answer.json()
        self.assertEqual(list(stats), ["total_tasks", "tasks_by_state", "tasks_by_role", "active_cli_sessions",
                                       "database_size_mb", "oldest_task_date", "newest_task_date"])
        tasks = self.get("/api/tasks/persistent?limit=100000").json()["tasks"]
        count = lambda key: {value: sum(task[key] == value for task in tasks) for value in {task[key] for task in tasks}}
        self.assertEqual(stats["total_tasks"], len(tasks))
        self.assertEqual(stats["tasks_by_state"], count("state"))
        self.assertEqual({role: number for role, number in count("role").items() if role != "unknown"}, stats["tasks_by_role"])
        self.assertEqual(stats["active_cli_sessions"], 1)
        self.assertGreater(stats["database_size_mb"], 0)
        self.assertRegex(answer.body.decode(), r'"database_size_mb":\d+\.\d{1,2}[,}]')
        self.assertEqual(stats["oldest_task_date"], min(task["created_at"] for task in tasks))
        self.assertEqual(stats["newest_task_date"], max(task["created_at"] for task in tasks))

    def test_metrics_are_those_of_the_dashboard(self):
        states = self.get("/api/persistence/stats").json()["tasks_by_state"]
        total = float(sum(states.values()))
        self.expect("GET", "/api/metrics", 200, {
            "repository": {"name": "unknown", "path": "", "branch": "unknown"}, "tasks_enqueued": total,
            "tasks_started": total - states["queued"], "tasks_succeeded": 0.0, "tasks_failed": 0.0, "commits_made": 0.0,
            "prs_opened": 0.0})

    #   Tasks

    def test_submitted_task_is_queued(self):
        name = self.name("task")
        self.expect("POST", "/tasks", 200, {"job_id": UUID, "task_id": name, "selected_provider": None, "selected_model": None,
                                            "full_access": False},
                    {"id": name, "title": "T", "description": "", "role": "backend"})
        self.expect("GET", "/tasks/" + name, 200, {
            "id": name, "role": "backend", "branch": "auto/backend/" + name, "state": "queued", "last_error": None,
            "provider": None, "model": None})
        record = self.ask("task.get", task_id=name)["task"]
        self.assertEqual((record["title"], record["description"], record["target_dir"]), ("T", "", "."))
        row, = self.get("/api/tasks/history/" + name).json()["history"]
        self.assertEqual((row["state_from"], row["state_to"]), (None, "queued"))

    def test_submitted_task_keeps_what_was_sent(self):
        answer = self.submit(acceptance={"tests": ["a"], "é": None}, target_dir="src", full_access="yes", provider_override="p",
                             model="m", repository_url="r", base_branch="dev", bogus=1)
        self.assertEqual((answer["selected_provider"], answer["selected_model"], answer["full_access"]), ("p", "m", True))
        record = self.ask("task.get", task_id=answer["task_id"])["task"]
        for key, value in {"acceptance_criteria": {"tests": ["a"], "é": None}, "target_dir": "src", "full_access": True,
                           "provider_override": "p", "provider": "p", "model": "m", "repository_url": "r",
                           "base_branch": "dev"}.items():
            self.assertEqual(record[key], value, key)

    def test_task_that_exists_is_a_conflict(self):
        name = self.name("task")
        task = {"id": name, "title": "T", "description": "D", "role": "backend"}
        self.expect("POST", "/tasks", 200, {"job_id": UUID, "task_id": name, "selected_provider": None, "selected_model": None,
                                            "full_access": False}, task)
        self.expect("POST", "/tasks", 409, {"detail": str}, task)
        detail = self.request("POST", "/tasks", dict(task, title="Other")).json()["detail"]
        self.assertIn("another id", detail)
        self.assertIn("POST /v1/events", detail)

    def test_body_that_is_not_valid_says_what_is_wrong(self):
        body = {"id": "x", "full_access": "perhaps", "acceptance": [], "target_dir": None, "role": 7}
        self.expect("POST", "/tasks", 422, {"detail": [
            {"type": "missing", "loc": ["body", "title"], "msg": "Field required", "input": body},
            {"type": "missing", "loc": ["body", "description"], "msg": "Field required", "input": body},
            {"type": "string_type", "loc": ["body", "role"], "msg": "Input should be a valid string", "input": 7},
            {"type": "dict_type", "loc": ["body", "acceptance"], "msg": "Input should be a valid dictionary", "input": []},
            {"type": "string_type", "loc": ["body", "target_dir"], "msg": "Input should be a valid string", "input": None},
            {"type": "bool_parsing", "loc": ["body", "full_access"], "msg": "Input should be a valid boolean",
             "input": "perhaps"}]}, body)
        for text, what in ((b"", "missing"), (b"{", "json_invalid"), (b"\xff", "json_invalid")):
            self.expect("POST", "/tasks", 422, {"detail": [{"type": what, "loc": ["body"], "msg": str}]}, text,
                        headers={"Content-Type": "application/json"})

    def test_task_that_does_not_exist_is_not_found(self):
        self.expect("GET", "/tasks/nothing", 404, {"detail": "Task not found"})

    def test_task_that_was_never_created_has_a_role_and_a_branch(self):
        name = self.name("task")
        self.post("/v1/events", {"producer": name, "events": [{"type": "task.state_changed", "task_id": name, "state": "running"}]})
        self.expect("GET", "/tasks/" + name, 200, {"id": name, "role": "unknown", "branch": "auto/unknown/" + name,
                                                  "state": "running", "last_error": None, "provider": None, "model": None})

    def test_all_tasks_are_a_bare_array(self):
        tasks = self.get("/tasks")
        self.check("get", "/tasks", tasks)
        by_id = {task["id"]: task for task in tasks.json()}
        self.same(by_id["t1"], {"id": "t1", "role": "backend", "branch": "feature/login", "state": "queued", "last_error": "boom ✓",
                                "provider": "claude", "model": None})
        self.assertEqual(len(by_id), self.get("/api/persistence/stats").json()["total_tasks"])

    #   Preferences

    def test_preferences_are_replaced_and_kept(self):
        user = self.name("user")
        path = "/api/preferences?user_id=" + user
        default = {"user_id": user, "preferred_provider": None, "preferred_model": None, "full_access_preferred": False,
                   "role_preferences": {}}
        self.expect("GET", path, 200, default)
        first = dict(default, preferred_provider="p", role_preferences={"backend": "x"}, full_access_preferred=True)
        self.expect("POST", path, 200, first, dict(first, user_id="other"))
        self.expect("GET", path, 200, first)
        second = dict(default, preferred_model="m")
        self.expect("POST", path, 200, second, {"preferred_model": "m", "preferred_provider": None})
        self.expect("GET", path, 200, second)
        self.expect("POST", path, 422, {"detail": list}, {"role_preferences": 1, "preferred_model": []})

    def test_preferences_fill_in_what_a_task_leaves_out(self):
        self.expect("GET", "/api/preferences", 200, {"user_id": "default", "preferred_provider": None, "preferred_model": None,
                                                    "full_access_preferred": False, "role_preferences": {}})
        try:
            self.post("/api/preferences", {"preferred_provider": "p", "preferred_model": "m", "full_access_preferred": True,
                                           "role_preferences": {"tester": "q"}})
            for fields, provider, model in (({"id": "f1"}, "p", "m"), ({"id": "f2", "role": "tester", "model": ""}, "q", "m"),
                                            ({"id": "f3", "role": "tester", "provider_override": "o", "model": "n"}, "o", "n")):
                answer = self.submit(**fields)
                self.assertEqual((answer["selected_provider"], answer["selected_model"], answer["full_access"]), (provider, model, True))
                task = self.get("/tasks/" + fields["id"]).json()
                self.assertEqual((task["provider"], task["model"]), (provider, model))
        finally:
            self.post("/api/preferences", {})

    #   Sessions of command-line tools

    SESSION = {"session_id": "s1", "cli_tool": "bash", "mode": "cli", "state": "running", "pid": None,
               "created_at": 1795968188.622724, "last_activity": 1795968190.5, "authentication_required": False,
               "current_directory": "/tmp", "websocket_url": "/ws/cli/s1"}

    def test_sessions_that_have_not_ended_are_listed(self):
        self.expect("GET", "/api/cli/sessions", 200, {"sessions": [self.SESSION]})

    def test_session_has_its_last_commands(self):
        wanted = {}
        for key, value in self.SESSION.items():
            if key == "current_directory":
                wanted["auth_prompt"] = None
            if key == "websocket_url":
                wanted["command_history"] = ["ls", "cd x"]
            wanted[key] = value
        self.expect("GET", "/api/cli/sessions/s1", 200, wanted)
        self.expect("GET", "/api/cli/sessions/nothing", 404, {"detail": "CLI session not found"})

    def test_session_history_is_its_last_messages(self):
        messages = [
            {"type": "command", "content": "ls", "timestamp": "2026-11-29T16:03:09", "direction": "input", "metadata": {}},
            {"type": "stdout", "content": "a\n", "timestamp": "2026-11-29T16:03:09", "direction": "output", "metadata": {}},
            {"type": "command", "content": "cd x", "timestamp": "2026-11-29T16:03:10.500000", "direction": "input", "metadata": {}}]
        path = "/api/cli/sessions/s1/history"
        self.expect("GET", path, 200, {"session_id": "s1", "messages": messages})
        self.expect("GET", path + "?limit=2", 200, {"session_id": "s1", "messages": messages[1:]})
        self.expect("GET", path + "?message_type=command", 200, {"session_id": "s1", "messages": messages[::2]})
        self.expect("GET", path + "?limit=0", 400, {"detail": str})
        self.expect("GET", "/api/cli/sessions/nothing/history", 200, {"session_id": "nothing", "messages": []})

    def test_session_record(self):
        self.expect("GET", "/api/cli/sessions/s1/persistent", 200, {
            "id": "s1", "provider": "bash", "user_id": "default", "created_at": "2026-11-29T16:03:08.622724",
            "last_activity": "2026-11-29T16:03:10.500000", "status": "ready", "working_directory": "/tmp", "error_count": 1,
            "command_count": 2, "metadata": {}})
        self.assertEqual(self.get("/api/cli/sessions/s2/persistent").json()["status"], "terminated")
        self.expect("GET", "/api/cli/sessions/nothing/persistent", 404, {"detail": "Session not found in persistence"})

    #   What all of them have in common

    def test_slash_at_the_end_is_redirected(self):
        answer = self.get("/tasks/t1/?x=%20", 307)
        self.assertEqual((answer.headers["location"], answer.body), ("/tasks/t1?x=%20", b""))
        self.post("/tasks/", {}, 307)
        self.get("/v1/info/", 404)
        self.get("/nothing/", 404)

    def test_what_is_not_of_the_record_is_not_found(self):
        for path in ("/agents/status", "/api/providers", "/api/providers/x/status", "/api/repositories", "/merge/status",
                     "/api/cli/providers", "/api/websocket/metrics", "/api/auth/sessions", "/ws/cli/s1", "/docs"):
            self.assertIsInstance(self.get(path, 404).json()["detail"], str)
        for path in ("/merge/queue", "/api/auth/login", "/api/cli/sessions/s1/input"):
            self.post(path, {}, 404)
        self.assertEqual(self.post("/api/cli/sessions", {}, 405).headers["allow"], "GET, HEAD")

    def test_answers_have_the_position_and_can_be_compressed(self):
        task = self.submit(description="x" * 3000)["task_id"]
        answer = self.get("/api/tasks/persistent?search=xxxx", headers={"Accept-Encoding": "gzip"})
        self.assertGreaterEqual(int(answer.headers["stele-position"]), len(STORY))
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        self.assertEqual(json.loads(gzip.decompress(answer.body))["tasks"][0]["id"], task)

    def test_page_of_another_origin_changes_nothing(self):
        task = {"id": self.name("task"), "title": "T", "description": "D", "role": "backend"}
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            self.post("/tasks", task, 403, headers=headers)
        self.post("/tasks", json.dumps(task).encode(), 415, headers={"Content-Type": "text/plain"})
        self.get("/tasks/" + task["id"], 404)


if __name__ == "__main__":
    unittest.main(verbosity=2)
