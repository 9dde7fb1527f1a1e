# What changes something asks first, needs its role, and is in the audit log; who signs in sees what the token may see
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import subprocess

import browser
import harness
import stories

PAGES = ["Overview", "Tasks", "As of", "Failures", "Stuck", "Sessions", "Producers", "Rejected", "Storage", "Audit", "Settings"]


class Actions(browser.BrowserTest):
    @classmethod
    def start_broker(cls, **more):
        return super().start_broker(settings={"backup": os.path.join(cls.folder, "backup")}, **more)

    def show(self, page, text=""):
        self.tab.open("%s/#/%s" % (self.http.url, page))
        self.tab.wait("main", text)

    def refuse(self, producer, count):
        """So many events that a later state of their tasks will allow"""
        for number in range(count):
            task = "%s-%d" % (producer, number)
            position, refused = stories.publish(self.broker, [
                {"type": "task.created", "task_id": task, "title": task, "description": "", "role": "r", "state": "passed"},
                {"type": "task.state_changed", "task_id": task, "state": "running"}], producer)
            self.assertEqual(refused, 1)
            stories.publish(self.broker, [{"type": "task.state_changed", "task_id": task, "state": "queued"}], producer)

    def audited(self, operation):
        return [(event["outcome"], event.get("target")) for event in self.ask("audit.list", operation=operation)["events"]]

    def test_one_refused_event_is_processed_again(self):
        self.refuse("one", 1)
        before = self.audited("rejected.retry")
        self.show("rejected?producer=one", "illegal_transition")
        self.tab.wait("tbody button").click()
        self.tab.wait("dialog[open]", "task.state_changed")
        self.tab.wait("dialog button", "Process again …").click()
        self.tab.wait("dialog[open] h2", "Process 1 refused event again?")
        self.assertEqual(self.audited("rejected.retry"), before)
        self.tab.wait("dialog button", "Cancel").click()
        harness.wait_until(lambda: not self.tab.find("dialog"), "the dialog to close")
        self.tab.wait("tbody button").click()
        self.tab.wait("dialog button", "Process again …").click()
        self.tab.wait("dialog button.primary", "Process again").click()
        self.tab.wait("main", "1 event accepted.")
        self.tab.wait("main", "No refused event waits")
        self.assertEqual(self.ask("task.get", task_id="one-0")["task"]["state"], "running")
        self.assertEqual(len(self.audited("rejected.retry")), len(before) + 1)
        self.assertEqual(self.audited("rejected.retry")[0][0], "ok")
        self.show("audit?operation=rejected.retry", "local")

    def test_all_that_match_are_processed_again(self):
        self.refuse("many", 3)
        self.refuse("other", 1)
        self.show("rejected?producer=many", "illegal_transition")
        self.tab.wait("button", "Process all again").click()
        self.tab.wait("dialog[open] h2", "Process 3 refused events again?")
        self.tab.wait("dialog button.primary").click()
        self.tab.wait("main", "3 events accepted.")
        self.assertEqual(self.ask("task.get", task_id="other-0")["task"]["state"], "queued")
        self.show("rejected", "other")
        self.tab.wait("input[type=checkbox]").click()
        self.tab.wait("main", "many")

    def test_what_still_breaks_a_rule_is_refused_again_with_its_reason(self):
        stories.publish(self.broker, [{"type": "task.created", "task_id": "untitled"}], "still")
        self.show("rejected?producer=still", "missing_field")
        self.tab.wait("button", "Process all again").click()
        self.tab.wait("dialog button.primary").click()
        self.tab.wait("main .failure", "0 events accepted, 1 refused again: task.created needs title")

    def test_backup_and_comparison(self):
        self.refuse("stored", 1)
        self.show("storage", "Last verified")
        self.tab.wait("button", "Back up now").click()
        self.tab.wait("dialog button.primary", "Back up now").click()
        self.tab.wait("main", "was begun")
        self.assertEqual(self.audited("backup")[0][0], "ok")
        harness.wait_until(lambda: self.ask("stats")["backup"].get("verified_at"), "a verified snapshot")
        self.tab.wait(".panel dd", "idle")
        self.tab.wait(".panel dd time")
        self.tab.wait("button", "Compare with the ledger").click()
        self.tab.wait("dialog button.primary").click()
        self.tab.wait("main", "0 missing, 0 too many, 0 different")

    def test_a_failure_is_shown_in_the_dialog(self):
        self.allowed = ["v1/backup.*403"]
        self.show("storage", "Last verified")
        self.tab.run("""const real = window.fetch; window.fetch = (path, options) => options.method === 'POST' ? Promise.resolve(new Response(
            '{"detail": "a role is missing", "code": "unauthorized"}', {status: 403})) : real(path, options)""")
        self.tab.wait("button", "Back up now").click()
        self.tab.wait("dialog button.primary").click()
        self.tab.wait("dialog .failure", "a role is missing")


class Roles(browser.BrowserTest):
    http_arguments = ()
    tokens = {}

    @classmethod
    def start_http(cls, **more):
        tokens = os.path.join(cls.folder, "tokens")
        for name, options in (("reader", ["--role", "query"]), ("mender", ["--role", "operate"]), ("ann", ["--role", "publish,query", "--users", "ann"]),
                              ("sender", ["--role", "publish"]), ("meter", ["--role", "metrics"])):
            if name in cls.tokens:
                continue                # Started again
            cls.tokens[name] = subprocess.run(
                [harness.program("stele"), "token", "new", name, *options], env=dict(os.environ, STELE_TOKENS=tokens),
                stdout=subprocess.PIPE, check=True, timeout=harness.PATIENCE).stdout.decode().strip()
        cls.http_arguments = ["--tokens", tokens, "--rate", "1000"]
        return super().start_http(**more)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stories.usual(cls.broker)

    def setUp(self):
        super().setUp()
        self.allowed = ["401"]

    def sign_in(self, name, page=""):
        self.tab.open("about:blank")    # Another part of the address alone would not load the page again
        self.tab.open("%s/#/%s" % (self.http.url, page))
        self.tab.wait(".signin input[name=token]").send_keys(self.tokens[name])
        self.tab.wait(".signin button").click()
        self.tab.wait("nav[aria-label=Pages]")
        self.addCleanup(self.tab.command, "Network.clearBrowserCookies")

    def menu(self):
        return [link.text for link in self.tab.find("nav[aria-label=Pages] a")]

    def test_nothing_is_shown_without_a_token(self):
        self.tab.open(self.http.url + "/#/tasks")
        self.tab.wait(".signin input")
        self.assertEqual(self.tab.axe(), [])
        for name in ("job-", "csv-export", "sample"):
            self.assertNotIn(name, self.tab.text())
        self.tab.picture("signin-light")

    def test_wrong_token_is_refused_and_said_so(self):
        self.tab.open(self.http.url)
        self.tab.wait(".signin input").send_keys("stele_wrong")
        self.tab.wait(".signin button").click()
        self.tab.wait(".signin .failure", "401")

    def test_reader_is_offered_no_change(self):
        self.sign_in("reader", "rejected")
        self.tab.wait("main", "unknown type")
        self.assertEqual(self.menu(), PAGES)
        self.assertNotIn("Process all again", self.tab.text("main"))
        self.tab.wait("tbody button").click()
        self.tab.wait("dialog button", "Close")
        self.assertNotIn("Process again", self.tab.text("dialog"))
        self.tab.open(self.http.url + "/#/storage")
        self.tab.wait("main", "Text index")
        self.assertNotIn("Compare with the ledger", self.tab.text("main"))

    def test_operator_is_offered_changes_which_are_recorded_under_the_name(self):
        self.sign_in("mender", "rejected")
        self.tab.wait("main", "unknown type")
        self.tab.wait("button", "Process all again").click()
        self.tab.wait("dialog button.primary").click()
        self.tab.wait("main", "refused again")
        self.tab.open(self.http.url + "/#/audit")
        self.tab.wait("tbody tr", "mender")

    def test_event_that_was_not_kept_cannot_be_processed_again(self):
        answer = self.post("/v1/events", {"producer": "ann", "events": [
            {"type": "task.created", "task_id": "of-bob", "title": "t", "description": "", "role": "r", "user_id": "bob"}]},
            headers={"Authorization": "Bearer " + self.tokens["ann"]}).json()
        self.assertEqual([one["code"] for one in answer["rejected"]], ["unauthorized"])
        self.sign_in("mender", "rejected?producer=ann")
        self.tab.wait("main", "unauthorized")
        self.tab.wait("tbody button").click()
        self.tab.wait("dialog", "was not kept")
        self.assertNotIn("Process again", self.tab.text("dialog"))

    def test_user_sees_own_tasks_only_and_no_page_of_all(self):
        self.sign_in("ann", "tasks")
        self.tab.wait("main", "csv-export")
        self.assertNotIn("job-", self.tab.text("main"))
        self.assertEqual(self.menu(), [name for name in PAGES if name not in ("Producers", "Rejected", "Storage", "Audit")])

    def test_token_without_the_role_of_a_page_is_told_so(self):
        for name, pages in (("sender", ["Overview", "Settings"]), ("meter", ["Overview", "Storage", "Settings"])):
            with self.subTest(name):
                self.sign_in(name)
                self.assertEqual(self.menu(), pages)
                self.tab.wait("main", "Without the role query")
                if name == "meter":
                    self.tab.wait(".figure", "events committed /s")
                    self.tab.wait("main", "By state")
                    self.tab.wait(".health", "refused events")
                else:
                    self.tab.wait(".health", "Connected")
                for page in ("tasks", "task/csv-export", "failures", "audit"):
                    self.tab.open("%s/#/%s" % (self.http.url, page))
                    self.tab.wait("main", "This page needs the role query. Your token has: " + {"sender": "publish.", "meter": "metrics."}[name])
                    self.tab.wait(".health", {"sender": "Connected", "meter": "refused events"}[name])
                self.tab.command("Network.clearBrowserCookies")
        #   A request of the page that is refused with 403 would be in the console, and fail the test

    def test_end_of_the_session_shows_the_login_again(self):
        self.allowed = ["401", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"]
        self.sign_in("reader", "tasks")
        self.tab.wait(".health", "refused events")      # From the stream
        self.http.kill()                # Sessions are in its memory
        self.start_http(listen="127.0.0.1:%d" % self.http.port)
        self.tab.wait(".signin", "The session has ended")
        self.assertNotIn("job-", self.tab.text())

    def test_end_of_the_session_is_the_reason_whichever_request_finds_it(self):
        self.allowed = ["401", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"]
        for paths in (["v1/session", "v1/stats/failures"], ["v1/stats/failures", "v1/session"]):
            with self.subTest(first=paths[0]):
                self.sign_in("reader", "tasks")
                self.tab.wait(".health", "refused events")      # From the stream, whose end makes the page ask for its session
                self.tab.run("""window.held = {}; location.hash = '#/failures'; window.fetch = path => new Promise(done => {
                    held[path.split('?')[0]] = () => done({ok: false, status: 401, text: async () => '{"detail": "this server needs a token"}'})})""")
                self.http.kill()
                harness.wait_until(lambda: self.tab.run("return arguments[0].every(path => held[path])", paths), "both requests")
                self.start_http(listen="127.0.0.1:%d" % self.http.port)
                self.tab.run("held[arguments[0]]()", paths[0])
                self.tab.wait(".signin", "The session has ended")
                #   What the second one changes is done before a timer that begins after it
                self.tab.driver.execute_async_script("held[arguments[0]](); setTimeout(arguments[1])", paths[1])
                self.tab.wait(".signin", "The session has ended")

    def test_next_user_sees_nothing_of_the_one_before(self):
        self.sign_in("reader")
        self.tab.wait(".figure", "events committed /s")
        self.tab.wait("main", "job-000199")
        self.tab.wait("button", "Sign out").click()
        self.tab.wait(".signin input[name=token]").send_keys(self.tokens["ann"])
        self.tab.wait(".signin button").click()
        self.tab.wait("main h2", "By state")
        self.tab.wait("main", "csv-export")
        self.assertEqual(self.tab.find(".figure"), [])
        self.assertNotIn("job-", self.tab.text())

    def test_signing_out_hides_everything(self):
        self.sign_in("reader", "tasks")
        self.tab.wait("main", "job-000199")
        self.tab.wait("button", "Sign out").click()
        self.tab.wait(".signin")
        self.assertNotIn("job-", self.tab.text())


if __name__ == "__main__":
    harness.main()
