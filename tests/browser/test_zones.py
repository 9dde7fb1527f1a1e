# Times in the zone of the browser, or in the one that was chosen: half hours, other days, and a night when the clocks change
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import browser
import harness
import stories

#   St. John's is 3:30 behind UTC in winter, 2:30 in summer; its clocks go from 02:00 to 03:00 on 8 March 2026
TIMES = {
    "2026-03-08T05:29:59Z": {"Etc/UTC": "2026-03-08 05:29:59", "Asia/Tokyo": "2026-03-08 14:29:59", "America/St_Johns": "2026-03-08 01:59:59"},
    "2026-03-08T05:30:00Z": {"Etc/UTC": "2026-03-08 05:30:00", "Asia/Tokyo": "2026-03-08 14:30:00", "America/St_Johns": "2026-03-08 03:00:00"},
    "2026-03-31T16:15:00Z": {"Etc/UTC": "2026-03-31 16:15:00", "Asia/Tokyo": "2026-04-01 01:15:00", "America/St_Johns": "2026-03-31 13:45:00"},
}


class Zones(browser.BrowserTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stories.publish(cls.broker, [
            {"type": "task.created", "task_id": "t%d" % number, "title": time, "description": "", "role": "r", "time": time}
            for number, time in enumerate(TIMES)] + [
            {"type": "session.started", "session_id": "s%d" % number, "cli_tool": "sh", "mode": "cli", "current_directory": "/", "time": time}
            for number, time in enumerate(TIMES)])

    def shown(self, tab, page, id):
        """The times in the row of that id, with what a pointer on them shows"""
        tab.open("%s/#/%s" % (self.http.url, page))
        row = tab.wait("tbody tr", id)
        return tab.run("return [...arguments[0].querySelectorAll('time')].map(e => [e.innerText, e.title])", row)

    def test_lists_have_the_zone_of_the_browser(self):
        for zone in ("Etc/UTC", "Asia/Tokyo", "America/St_Johns"):
            tab = self.new_tab(zone=zone)
            for page, id in (("tasks", "t%d"), ("sessions", "s%d")):
                for number, (time, expected) in enumerate(TIMES.items()):
                    with self.subTest(zone=zone, page=page, time=time):
                        text, title = self.shown(tab, page, id % number)[0]
                        self.assertEqual(text, expected[zone])
                        self.assertIn(time[:-1], title)
                        self.assertIn("UTC", title)
            tab.picture("zone-" + zone.replace("/", "-"))

    def test_zone_is_printed(self):
        for zone, name in (("Asia/Tokyo", "Asia/Tokyo +09:00"), ("America/St_Johns", "America/St_Johns -0")):
            tab = self.new_tab(zone=zone)
            tab.open(self.http.url)
            tab.wait(".zone", name)

    def test_chosen_zone_is_kept(self):
        tab = self.new_tab(zone="Asia/Tokyo")
        tab.open(self.http.url + "/#/settings")
        tab.run("""const e = arguments[0]; e.value = 'America/St_Johns'; e.dispatchEvent(new Event('change', {bubbles: true}))""",
                tab.wait("main select"))
        tab.wait(".zone", "America/St_Johns")
        other = self.new_tab(zone="Asia/Tokyo")
        self.assertEqual(self.shown(other, "sessions", "s1")[0][0], TIMES["2026-03-08T05:30:00Z"]["America/St_Johns"])
        other.run("localStorage.clear()")

    def test_filters_are_in_the_zone_and_sent_as_instants(self):
        tab = self.new_tab(zone="America/St_Johns")
        tab.open(self.http.url + "/#/audit")
        field = tab.wait("input[placeholder='2026-03-02 09:00']")
        field.send_keys("2026-03-08 03:00")
        tab.press("\n")
        harness.wait_until(lambda: "from=2026-03-08T05%3A30%3A00" in tab.run("return location.hash"), "the instant in the address")


if __name__ == "__main__":
    harness.main()
