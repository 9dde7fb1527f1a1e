# stele-http and steled killed and restarted under a page, which says so, stays where it is, and shows what came meanwhile
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import browser
import harness
import stories


class Recovery(browser.BrowserTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stories.publish(cls.broker, stories.day(20))

    def setUp(self):
        super().setUp()
        #   What is requested meanwhile fails, and the browser says so
        self.allowed = ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE",
                        "ERR_SOCKET_NOT_CONNECTED", "50[34]"]

    def begin(self, page, text):
        self.tab.open("%s/#/%s" % (self.http.url, page))
        self.tab.wait("main", text)
        self.tab.wait_connected()
        self.tab.run("window.notReloaded = true")

    def show_changed(self, task):
        """A list does not move under its reader: it counts what changed, until it is asked to show that."""
        harness.wait_until(lambda: task in self.tab.text("main") or [one.click() for one in self.tab.find("main button")
                                                                     if "changed" in one.text], "the list to have " + task)
        self.tab.wait("main", task)

    def restart_http(self):
        self.start_http(listen="127.0.0.1:%d" % self.http.port)

    def finish(self, task):
        """A task that is published now is noticed and shown, by the page that was there before."""
        stories.publish(self.broker, [{"type": "task.created", "task_id": task, "title": "Came later", "description": "", "role": "r"}], task)
        self.show_changed(task)
        self.tab.wait_connected()
        self.assertTrue(self.tab.run("return window.notReloaded === true"))

    def test_stele_http_is_killed(self):
        self.begin("tasks", "job-000019")
        self.http.kill()
        self.tab.wait(".health", "No connection")
        stories.publish(self.broker, [{"type": "task.created", "task_id": "meanwhile", "title": "m", "description": "", "role": "r"}], "meanwhile")
        self.restart_http()
        self.show_changed("meanwhile")
        self.finish("after-http")

    def test_browser_without_shared_workers_has_a_stream_for_each_tab(self):
        self.tab.command("Page.addScriptToEvaluateOnNewDocument", source="delete window.SharedWorker")
        self.begin("tasks", "job-000019")
        self.assertTrue(self.tab.run("return typeof SharedWorker === 'undefined'"))
        self.finish("without-worker")
        self.http.kill()
        self.tab.wait(".health", "No connection")
        stories.publish(self.broker, [{"type": "task.created", "task_id": "without-both", "title": "w", "description": "", "role": "r"}], "without")
        self.restart_http()
        self.show_changed("without-both")
        self.finish("without-worker-later")

    def test_steled_is_killed(self):
        self.begin("tasks", "job-000019")
        self.broker.kill()
        harness.wait_until(lambda: self.tab.find(".health.l-down"), "the page to say that the broker is away")
        self.start_broker()
        self.finish("after-steled")

    def test_both_are_killed_while_a_task_is_shown(self):
        self.begin("task/job-000003", "job-000003")
        self.http.kill()
        self.broker.kill()
        self.tab.wait(".health", "No connection")
        self.start_broker()
        self.restart_http()
        self.tab.wait_connected()
        stories.publish(self.broker, [{"type": "task.state_changed", "task_id": "job-000003", "state": "queued"}])
        self.tab.wait("main .head .state", "queued")
        self.assertTrue(self.tab.run("return window.notReloaded === true"))

    def test_lists_that_are_opened_without_a_server_are_read_when_it_is_back(self):
        self.begin("", "job-000019")
        self.tab.run("location.hash = '#/stuck'")
        self.tab.wait("main h1", "Stuck")
        self.http.kill()
        self.tab.wait(".health", "No connection")
        self.tab.run("location.hash = '#/stuck?silent_s=86400'")
        self.tab.wait("main .failure")
        self.restart_http()
        self.tab.wait("main", "0 tasks")
        harness.wait_until(lambda: not self.tab.find("main .failure"), "the failure to go")


if __name__ == "__main__":
    harness.main()
