# A ledger of 100,000 tasks (STELE_TASKS=1000000 for more): exact totals, few rows in the page, filters, and the end of the list
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

TASKS = int(os.environ.get("STELE_TASKS", "100000"))


class Large(browser.BrowserTest):
    use_redis = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        position, cls.refused = stories.publish(cls.broker, stories.day(TASKS), chunk=10000)

    def show(self, page, text):
        self.tab.open("%s/#/%s" % (self.http.url, page))
        self.tab.wait("main", text)

    def test_total_is_exact(self):
        self.assertEqual(self.refused, 0)
        self.show("tasks", "job-%06d" % (TASKS - 1))
        self.tab.wait("main", format(TASKS, ","))
        failed = json.loads(self.stele("stats", "--json"))["tasks"]["by_state"]["failed"]
        self.show("tasks?states=failed", "failed")
        self.tab.wait("main", format(failed, ","))
        self.tab.picture("large-tasks-light")

    def test_few_rows_are_in_the_page(self):
        self.show("tasks", "job-%06d" % (TASKS - 1))
        chosen = lambda: int(self.tab.run("return document.querySelector('tr[aria-current]')?.ariaRowIndex || 0"))
        for rows in range(100, 1100, 100):      # End goes to the last row that was read, and the next page is read
            harness.wait_until(lambda: self.tab.press(Keys.END) or chosen() > rows, "a row after %d" % rows)
            self.assertLess(len(self.tab.find("tbody tr")), 150)

    def test_failures_and_overview_answer(self):
        self.allowed = [browser.NO_SERIES]
        self.show("failures?over=365d", "Failures")
        self.tab.wait("main table")
        self.show("", format(TASKS, ","))
        self.tab.picture("large-overview-light")


if __name__ == "__main__":
    harness.main()
