# Texts that are markup, scripts, escape sequences, marks of direction, NULs, or a megabyte long: no page runs any of them
#
# Every field that takes a text has each of browser.HOSTILE; the harness fails a test whose page calls injected () or breaks its policy.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import urllib.parse

import browser
import harness
import stories


class Hostile(browser.BrowserTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        _, cls.refused = stories.publish(cls.broker, stories.hostile(), "hostile <img src=x onerror=\"injected('producer')\">")

    def setUp(self):
        super().setUp()
        self.allowed = [browser.NO_SERIES]

    def show(self, page, text=""):
        self.tab.open("%s/#/%s" % (self.http.url, page))
        self.tab.wait("main", text)
        #   What a text would become if it were taken for markup
        self.assertEqual(self.tab.run("""return [...document.querySelectorAll('[onerror], [onload], script:not([src]), img, main b, '
            + 'a[href^="javascript"]')].map(e => e.outerHTML)"""), [])

    def test_ledger_has_the_texts(self):
        self.assertEqual(self.refused, 1)
        tasks = self.ask("task.list", limit=100)["tasks"]
        self.assertEqual(len(tasks), len(browser.HOSTILE) + 1)
        self.assertEqual({task["title"] for task in tasks}, {"long", *browser.HOSTILE})

    def test_lists(self):
        for page, text in {"": "onerror", "tasks": "onerror", "asof": "onerror", "failures?over=365d": "onerror", "stuck?silent_s=0": "long",
                           "sessions": "onerror", "sessions?show=failed": "onerror", "producers": "onerror", "rejected": "onerror",
                           "storage": "Redis", "audit": "Audit", "settings": "Zone"}.items():
            with self.subTest(page):
                self.show(page, text)

    def test_records(self):
        for number in range(len(browser.HOSTILE)):
            task, session = stories.hostile_ids(number)
            with self.subTest(task):
                self.show("task/" + urllib.parse.quote(task, safe=""), "failed")
                self.show("sessions/" + urllib.parse.quote(session, safe=""), "cli")

    def test_a_line_of_a_megabyte(self):
        self.show("task/long", "injected('long')")
        self.assertLess(len(self.tab.text("body")), 100000)
        self.tab.look(width=360)
        self.assertEqual(self.tab.overflow(), 0)

    def test_dialogs(self):
        self.show("rejected", "onerror")
        self.tab.wait("tbody button").click()
        self.tab.wait("dialog", "onerror")
        self.show("sessions?show=failed", "onerror")
        self.tab.wait("tbody button", "onerror").click()
        self.tab.wait("dialog", "onerror")

    def test_address(self):
        for page in ("%3Cimg%20src=x%20onerror=injected('page')%3E", "task/%3Cimg%20src=x%20onerror=injected('id')%3E", "task/%", "tasks?search=%3Cscript%3E",
                     "rejected?producer=%3Cimg%20src=x%20onerror=injected('x')%3E", "audit?from=%3Cb%3E&who=%00", "failures?over=__proto__"):
            with self.subTest(page):
                self.allowed.append("40[04]")       # Requests for what does not exist are answered so
                self.show(page)
                self.tab.wait("main h1, main .failure")


if __name__ == "__main__":
    harness.main()
