# Every page shows what the broker has: in dark and light, at 360 pixels, with the keyboard, and without a complaint of axe-core
#
# The pictures of all pages are in browser/ of the build folder.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os

from selenium.webdriver.common.keys import Keys

import browser
import harness
import stories

#   Name of its pictures: (address after #/, a text that is there once the data is)
PAGES = {
    "overview": ("", "job-000199"),
    "tasks": ("tasks", "job-000199"),
    "asof": ("asof", "job-000199"),
    "task": ("task/csv-export%2Ftests", "1 of 3 tests failed"),
    "failures": ("failures?over=365d", "exit status"),
    "stuck": ("stuck?silent_s=0", "csv-export/release"),
    "sessions": ("sessions", "shell-2"),
    "commands": ("sessions?show=commands", "make check-1"),
    "session": ("sessions/shell-1", "ok 2"),
    "producers": ("producers", "sample"),
    "rejected": ("rejected", "unknown type"),
    "storage": ("storage", "Text index"),
    "audit": ("audit", "rejected.retry"),
    "settings": ("settings", "the zone of this browser"),
    "nowhere": ("nowhere", "no such page"),
}




class Pages(browser.BrowserTest):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stories.usual(cls.broker)

    @classmethod
    def start_broker(cls, **more):
        return super().start_broker(settings={"backup": os.path.join(cls.folder, "backup")}, **more)

    def setUp(self):
        super().setUp()
        self.allowed = [browser.NO_SERIES]

    def show(self, page, text=""):
        self.tab.open("%s/#/%s" % (self.http.url, page))
        self.tab.wait("main", text)

    def test_each_page_in_dark_and_light_and_narrow(self):
        self.ask("rejected.retry", id=1)        # So that there is an audit event
        for name, (page, text) in PAGES.items():
            with self.subTest(name):
                self.show(page, text)
                for theme, rules in (("light", []), ("dark", ["color-contrast"])):
                    self.tab.look(dark=theme == "dark")
                    self.tab.picture("%s-%s" % (name, theme))
                    self.assertEqual("", "\n".join(self.tab.axe(*rules)))
                self.tab.look(width=360, height=740)
                self.tab.picture(name + "-360")
                self.assertEqual(self.tab.overflow(), 0)
                self.tab.look()

    def test_failures_have_a_trend_where_the_broker_counts_them(self):
        answer = self.request("GET", "/v1/stats/failures?from=2026-01-01T00:00:00Z")
        self.show("failures?over=365d", "exit status")
        rows = [row.text for row in self.tab.find("tbody tr[aria-rowindex]")]
        if answer.status == 200:
            self.assertEqual(len(rows), len(answer.json()["series"]))
            self.assertLess(len(rows), 6)       # By what they have in common: many errors differ in a number
            self.assertEqual(len(self.tab.find("tbody svg.trend path[d^=M]")), len(rows))
            self.tab.find("tbody tr a[href^='#/task/']")[0].click()
            self.tab.wait("main", "failed")
        else:
            failed = json.loads(self.stele("stats", "--json"))["tasks"]["by_state"]["failed"]
            self.assertEqual(len(rows), failed)

    def test_stuck_tasks_and_their_producers(self):
        self.show("stuck?silent_s=0", "csv-export/release")
        running = json.loads(self.stele("stats", "--json"))["tasks"]["by_state"]["running"]
        self.tab.wait(".head", "%d tasks" % running)
        row = self.tab.wait("tbody tr", "csv-export/release").text
        self.assertIn("sample", row)
        self.assertIn("left", row)

    def test_menu_leads_to_each_page(self):
        self.show("", "job-000199")
        names = [link.text for link in self.tab.find("nav[aria-label=Pages] a")]
        self.assertEqual(names, ["Overview", "Tasks", "As of", "Failures", "Stuck", "Sessions", "Producers", "Rejected", "Storage",
                                 "Audit", "Settings"])
        for name in names:
            self.tab.wait("nav[aria-label=Pages] a", name).click()
            self.tab.wait("main h1", name)
            self.assertEqual(self.tab.text("nav a[aria-current=page]"), name)

    def test_numbers_are_those_of_stele_stats(self):
        stats = json.loads(self.stele("stats", "--json"))
        number = lambda value: format(value, ",")
        self.show("storage", "Text index")
        text = self.tab.text("main")
        for value in (stats["ledger"]["position"], stats["ledger"]["rejected"], stats["ledger"]["commits"]):
            self.assertRegex(text, r"\b%s\b" % number(value))
        self.show("tasks", "job-000199")
        self.tab.wait("main", number(stats["tasks"]["total"]))
        self.show("", "job-000199")
        self.tab.wait("main", number(stats["tasks"]["total"]))
        for state, count in stats["tasks"]["by_state"].items():
            if count:
                self.tab.wait("main", number(count))

    def test_keyboard_alone(self):
        self.show("", "job-000199")
        self.tab.press("g", "e")
        self.tab.wait("main", "shell-2")
        self.tab.press("j", "j")
        chosen = self.tab.wait("tr.chosen").get_attribute("aria-rowindex")
        self.tab.press("k")
        self.tab.wait("tr.chosen[aria-rowindex='%d']" % (int(chosen) - 1))
        self.tab.press(Keys.ENTER)
        self.tab.wait("main h1", "shell-2")
        self.tab.wait("main", "No command.")
        self.tab.press("?")
        self.tab.wait("dialog", "next row")
        self.tab.press(Keys.ESCAPE)
        harness.wait_until(lambda: not self.tab.find("dialog"), "the dialog to close")
        self.tab.press("g", "r")
        self.tab.wait("main", "unknown type")
        self.tab.press("/", "nobody", Keys.ENTER)
        self.tab.wait("main", "No refused event waits")
        self.tab.press(Keys.ESCAPE, "g", "o")
        self.tab.wait("main h1", "Overview")

    def test_focus_reaches_the_rows_and_actions_by_tab(self):
        self.show("rejected", "unknown type")
        seen = []
        for _ in range(40):
            self.tab.press(Keys.TAB)
            seen.append(self.tab.run("return document.activeElement.innerText || document.activeElement.ariaLabel || ''"))
            if "Process all again" in seen[-1]:
                break
        self.assertIn("To the content", seen[0])
        self.assertIn("Process all again", seen[-1])




if __name__ == "__main__":
    harness.main()
