# Details of the pages: percentiles, microseconds, what follows and what must not move, bursts of changes, old tabs, odd ids
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import csv
import datetime
import io
import os
import re
import shlex
import subprocess

from selenium.webdriver.common.keys import Keys

import browser
import harness
import stories


def task(name, **more):
    return dict({"type": "task.created", "task_id": name, "title": name, "description": "", "role": "r"}, **more)


def state(name, to, **more):
    return dict({"type": "task.state_changed", "task_id": name, "state": to}, **more)


def output(name, text):
    return {"type": "task.output_added", "task_id": name, "output_type": "stdout", "content": text}


def before_now(**more):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**more)).isoformat().replace("+00:00", "Z")


class Details(browser.BrowserTest):
    use_redis = False

    def show(self, page, text=""):
        self.tab.open("%s/#/%s" % (self.http.url, page))
        self.tab.wait("main", text)

    def publish(self, *events):
        position, refused = stories.publish(self.broker, events, self.name("producer"))
        self.assertEqual(refused, 0)
        return position

    def figure(self, name):
        return self.tab.run("""return [...document.querySelectorAll('.figure')].find(
            e => e.querySelector('.name').innerText === arguments[0])?.querySelector('.value').innerText""", name)

    def format(self, call):
        """What a function of app/format.js returns"""
        with open(os.path.join(harness.SRC, "src", "http", "dashboard", "app", "format.js"), encoding="utf-8") as file:
            code = re.sub("^export ", "", file.read(), flags=re.M)
        return self.tab.command("Runtime.evaluate", expression="(() => {%s\nreturn %s})()" % (code, call), returnByValue=True)["result"].get("value")

    #   -- files

    def save(self, button):
        """The text of the file that a button saves"""
        self.tab.run("""window.saved = undefined;
            const make = URL.createObjectURL;
            URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return make(blob); };""")
        self.tab.wait("button", button).click()
        return harness.wait_until(lambda: self.tab.run("return window.saved"), "the file")

    def test_texts_that_a_spreadsheet_would_run_have_an_apostrophe(self):
        formulas = ["=1+2", "+1", "-1", "@sum(a1)", "\t=1+2", "\r=1+2"]
        others = ["a=1", "'", "1,2", "a \"quoted\" word", "two\nlines", " =1"]
        prefix, role = self.name("cell"), self.name("role")
        self.publish(*[task("%s-%02d" % (prefix, number), title=title, role=role) for number, title in enumerate(formulas + others)])
        self.show("tasks?columns=task_id,title,error_count&order=created_asc&roles=" + role, prefix + "-11")
        rows = list(csv.reader(io.StringIO(self.save("CSV"), newline="")))
        expected = ["'" + title for title in formulas] + others
        self.assertEqual(rows, [["task_id", "title", "error_count"]] + [
            ["%s-%02d" % (prefix, number), title, "0"] for number, title in enumerate(expected)])

    #   -- numbers

    def test_percentiles_are_those_of_a_histogram(self):
        none = [0] * 19
        at = lambda *counts: list(counts) + [counts[-1]] * (19 - len(counts))
        for newer, older, part, expected in (
                (at(0, 100), none, 0.5, 96), (at(0, 100), none, 0.99, 127.36), (at(100), none, 0.5, 32), (none, none, 0.5, None),
                (at(50, 50, 50, 100), none, 0.5, 64), (at(50, 50, 50, 100), none, 0.99, 507.0), (at(900, 1000), at(900, 900), 0.5, 96)):
            found = self.format("percentile(%r, %r, %r)" % (newer, older, part))
            self.assertEqual(found if found is None else round(found, 0), expected if expected is None else round(expected, 0), (newer, part))

    def test_time_to_an_ack_has_two_lines(self):
        self.show("", "Time to an ack")
        harness.wait_until(lambda: self.publish(task(self.name("ack"))) and re.search(
            r"p50 [0-9.]+ (µs|ms|s), p99 [0-9.]+ (µs|ms|s)", self.tab.run(
                "return document.querySelector('[aria-label^=\"Time to an ack\"]')?.getAttribute('aria-label') || ''")), "percentiles of acks")

    def test_microseconds_are_not_lost(self):
        self.publish(task("short", time="2026-03-08T05:30:00.000100Z"), state("short", "running", time="2026-03-08T05:30:00.000350Z"),
                     state("short", "passed", time="2026-03-08T05:30:00.001Z"))
        self.show("task/short", "after 250 µs")
        self.tab.wait("main", "ran 650 µs")

    def test_failed_tasks_and_failures_are_told_apart(self):
        self.publish(task("twice"), state("twice", "running"), state("twice", "failed"), state("twice", "queued"), state("twice", "running"),
                     state("twice", "failed"))
        failed = lambda: sum(self.ask("stats")["tasks"]["by_state"][word] for word in ("failed", "error", "timeout"))
        failures = lambda: self.ask("stats.series")["series"][0]["total"]["failed"]
        harness.wait_until(lambda: failures() > failed(), "the counts")
        self.show("", "newest changes".capitalize())
        harness.wait_until(lambda: (self.figure("tasks failed"), self.figure("failures")) == (str(failed()), str(failures())), "the figures")

    def test_lag_is_called_normal_within_its_limit(self):
        self.show("settings")
        self.tab.run("""const real = window.fetch; window.fetch = async (path, options) => {
            const answer = await real(path, options);
            if (path !== 'v1/stats') return answer;
            const stats = await answer.json();
            Object.assign(stats.search, {lag_events: 87, lag_limit: 512});
            Object.assign(stats.rollup, {lag_events: 50000, lag_limit: 20000});
            return new Response(JSON.stringify(stats), answer);
        }; location.hash = '#/storage'""")
        self.tab.wait("tbody tr", "Text index")
        self.assertIn("87 (normal)", self.tab.wait("tbody tr", "Text index").text)
        late = self.tab.wait("tbody tr", "Series over time").text
        self.assertIn("50,000", late)
        self.assertNotIn("(normal)", late)

    def test_storage_is_shown_by_table_and_by_day(self):
        head = self.publish(task("stored"))
        self.show("storage", "Space by table")
        self.tab.wait(".bars li", "task_history")
        found = self.ask("storage")
        today = datetime.datetime.fromtimestamp(max(one["day"] for one in found["days"]) / 1e6, datetime.timezone.utc).date().isoformat()
        self.tab.wait(".bars li", today)
        self.assertEqual(len([one for one in self.tab.find(".bars li") if "≈" in one.text]), 14)
        self.assertGreater(head, 0)

    def test_trend_of_a_year_has_bars_that_can_be_seen(self):
        for days in (3, 100, 300):
            self.publish(task("old-%d" % days, time=before_now(days=days, hours=1)), state("old-%d" % days, "running", time=before_now(days=days)),
                         state("old-%d" % days, "failed", time=before_now(days=days), error_message="the trend breaks"))
        series = lambda: [one for one in self.ask("stats.series", by="fingerprint", step="day", **{"from": before_now(days=365)})["series"]
                          if one.get("fingerprint") == "the trend breaks"]
        harness.wait_until(lambda: series() and series()[0]["total"]["count"] == 3, "the counts")
        self.show("failures?over=365d", "the trend breaks")
        row = self.tab.wait("tbody tr", "the trend breaks")
        width, path = self.tab.run("""const svg = arguments[0].querySelector('svg.trend');
            return [svg.viewBox.baseVal.width, svg.querySelector('path').getAttribute('d')]""", row)
        self.assertLessEqual(width, 54)     # Of 160 pixels: a bar has 3
        self.assertEqual(path.count("M"), 3)
        self.assertLess(max(int(at) for at in re.findall(r"M(\d+) ", path)), width)

    #   -- commands

    def test_command_of_an_id_like_an_option_can_be_run(self):
        position = self.publish(task("-x --help"))
        for page, count in (("task/-x%20--help", 1), ("task/-x%20--help?at=" + str(position), 2)):
            self.show(page, "-x --help")
            command = self.tab.wait("button", "Copy command").get_attribute("title")
            words = shlex.split(command)
            self.assertEqual(words[0], "stele")
            done = subprocess.run([harness.program("stele")] + words[1:], env=self.broker.environment(), stdout=subprocess.PIPE,
                                  timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, 0, command)
            self.assertIn(b"-x --help", done.stdout)
            self.tab.open("about:blank")

    #   -- what follows, and what must not move

    def test_follow_does_not_move_who_reads_further_up(self):
        name = self.name("task")
        self.publish(task(name), state(name, "running"), *[output(name, "line %d\n" % number) for number in range(300)])
        self.show("task/" + name, "line 299")
        box = "const box = document.querySelector('.log');"
        height = lambda: self.tab.run(box + "return box.scrollHeight")
        self.tab.run(box + "box.scrollTop = 1000")
        before = height()
        self.publish(output(name, "while reading\n"))
        harness.wait_until(lambda: height() > before, "the output to arrive")
        self.assertEqual(self.tab.run(box + "return box.scrollTop"), 1000)
        self.tab.run(box + "box.scrollTop = box.scrollHeight")
        self.tab.wait(".log", "while reading")
        self.publish(output(name, "at the end\n"))
        self.tab.wait(".log", "at the end")
        harness.wait_until(lambda: self.tab.run(box + "return box.scrollHeight - box.scrollTop - box.clientHeight") < 2, "the end")

    def test_outputs_of_an_attempt_appear_that_has_none_yet(self):
        name = self.name("task")
        self.publish(task(name), state(name, "running"), output(name, "first attempt\n"), state(name, "failed"), state(name, "queued"))
        self.show("task/%s?attempt=2" % name, "No outputs.")
        self.publish(state(name, "running"), output(name, "second attempt\n"))
        self.tab.wait(".log", "second attempt")
        self.assertNotIn("first attempt", self.tab.text(".log"))

    def test_burst_of_changes_is_counted_and_the_newest_is_shown(self):
        self.publish(task("before-the-burst"))
        self.show("tasks", "before-the-burst")
        self.tab.wait_connected()
        self.publish(*[task("burst-%d" % number) for number in range(900)])
        changed = lambda: [one.text for one in self.tab.find(".head button") if "changed" in one.text]
        harness.wait_until(lambda: changed() == ["900 changed"], "900 changes")
        overview = self.new_tab()
        overview.open(self.http.url)
        overview.wait("main", "burst-899")
        self.publish(*[task("again-%d" % number) for number in range(250)])         # More than stele-http sends one by one
        overview.wait("main", "again-249")
        self.tab.select()

    def test_list_that_arrives_late_does_not_hide_a_change(self):
        self.publish(task("before-the-change"))
        self.show("tasks", "before-the-change")
        self.tab.wait_connected()
        self.tab.run("""const real = window.fetch; window.held = []; window.arrived = 0; window.fetch = async (path, options) => {
            const answer = await real(path, options);
            if (path.startsWith('v1/tasks?')) {
                await new Promise(done => window.held.push(done));
                setTimeout(() => window.arrived++, 100);
            }
            return answer;
        }""")
        self.tab.press("r")
        harness.wait_until(lambda: self.tab.run("return window.held.length") == 2, "the list and its total")
        self.publish(task("meanwhile"))
        self.tab.wait(".head button", "1 changed")
        self.tab.run("window.held.forEach(done => done())")
        harness.wait_until(lambda: self.tab.run("return window.arrived") == 2, "the late answers")
        self.tab.wait(".head button", "1 changed")
        self.assertNotIn("meanwhile", self.tab.text("tbody"))

    def test_very_many_values_of_a_metric_do_not_stop_the_page(self):
        name = self.name("task")
        self.publish(task(name), *[{"type": "task.metric_recorded", "task_id": name, "name": "tokens", "value": number} for number in range(20000)])
        self.show("task/" + name, "20,000")
        self.assertIn("199,990,000", self.tab.text("[aria-label=Metrics]"))
        self.assertTrue(0 < self.tab.run("return document.querySelectorAll('.timeline .point').length") <= 401)

    def test_slider_of_a_task_asks_seldom(self):
        name = self.name("task")
        last = self.publish(task(name), *[state(name, word) for word in ("running", "failed", "queued") * 30])
        self.show("task/%s?at=%d" % (name, last), "as of")
        self.tab.wait(".moment-time time")
        count, ms = self.tab.driver.execute_async_script("""const done = arguments[0], slider = document.querySelector('.moment input[type=range]');
            const began = performance.now(); let step = 0; performance.clearResourceTimings();
            const move = () => {
                slider.value = Number(slider.max) - ++step;
                slider.dispatchEvent(new Event('input', {bubbles: true}));
                if (step < 60) setTimeout(move, 10);
                else done([performance.getEntriesByType('resource').filter(e => /v1.tasks.[^/]*\\?at=/.test(e.name)).length, performance.now() - began]);
            };
            move();""")
        self.assertLessEqual(count, ms / 120 + 2)
        self.tab.wait(".chip", "as of " + format(last - 60, ","))

    def test_date_is_taken_when_its_field_is_left(self):
        self.publish(task("dated", time="2026-03-08T05:30:00Z"))
        self.show("tasks?created_from=2026-03-01T00:00:00.000Z", "dated")
        field = self.tab.find(".filters .range input")[1]
        field.send_keys("2026-03-09 06:00")
        self.assertNotIn("created_to", self.tab.run("return location.hash"))
        field.send_keys(Keys.TAB)
        harness.wait_until(lambda: "created_to=2026-03-09T06%3A00%3A00.000Z" in self.tab.run("return location.hash"), "the date in the address")

    def test_rates_are_never_below_zero(self):
        self.publish(*[task("rate-%d" % number) for number in range(500)])
        self.show("", "events accepted /s")
        self.allowed = ["50[34]"]
        self.tab.run("""window.rates = new Set(); new MutationObserver(() => document.querySelectorAll('.figure').forEach(
            e => e.innerText.includes('/s') && rates.add(e.querySelector('.value').innerText))).observe(
            document.querySelector('main'), {subtree: true, childList: true, characterData: true})""")
        self.broker.stop()
        self.start_broker()
        harness.wait_until(lambda: self.publish(task(self.name("after"))) and (self.figure("up for") or "").endswith(" s")
                           and self.tab.run("return [...rates].some(one => one !== '–')"), "rates after the restart")
        self.assertEqual([one for one in self.tab.run("return [...rates]") if one.startswith("-")], [])

    #   -- an old tab

    def test_old_tab_whose_files_are_gone_loads_the_page_again_once(self):
        self.allowed = ["uPlot", "ERR_BLOCKED_BY_CLIENT"]
        self.show("settings", "the zone of this browser")
        self.tab.command("Network.enable")
        self.tab.command("Network.setBlockedURLs", urls=["*uPlot.iife*"])
        self.tab.run("location.hash = '#/'")
        kind = lambda: self.tab.run("return performance.getEntriesByType('navigation')[0].type")
        harness.wait_until(lambda: kind() == "reload", "the page to load again")
        self.tab.wait("main h2", "Time to an ack")
        #   It fails again, and the page stays as it is
        harness.wait_until(lambda: self.tab.run("return performance.getEntriesByType('resource').some(e => e.name.includes('uPlot.iife'))"), "the second failure")
        self.tab.run("window.stays = true")
        self.tab.wait("main", "Newest changes")
        self.assertTrue(self.tab.run("return window.stays === true"))
        self.tab.run("watched.errors = watched.errors.filter(one => !/cannot load .*uPlot/.test(one))")


if __name__ == "__main__":
    harness.main()
