# browser - a Chromium for a test: opens pages, looks at them, and notes what a page must not do
#
# Every test gets a tab of its own, which is watched from its first byte: errors in the console, reports of the
# content security policy, scripts that came from data, and requests to other servers. They fail the test at its end.
#
# Texts that a page must not take for markup call injected ('WORD') when they are: HOSTILE has some of them.
# Screenshots are kept in browser/ of the build folder.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import base64
import json
import os
import re
import shutil

from selenium import webdriver
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.remote_connection import RemoteConnection

import harness
import web

PICTURES = os.path.join(harness.BUILD, "browser")
AXE = os.path.join(harness.SRC, "tests", "browser", "axe.min.js")

OPTIONS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1280,900", "--lang=en-GB", "--remote-debugging-pipe",       # With a pipe it ends when we do
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]

#   Runs in each document before the scripts of the page
WATCH = """
window.watched = {policy: [], errors: [], injected: []};
window.injected = word => watched.injected.push(String(word));
document.addEventListener('securitypolicyviolation', e => watched.policy.push(e.effectiveDirective + ' ' + e.blockedURI));
window.addEventListener('error', e => watched.errors.push(e.message || 'cannot load ' + (e.target.src || e.target.href)), true);
window.addEventListener('unhandledrejection', e => watched.errors.push('unhandled: ' + (e.reason && e.reason.stack || e.reason)));
"""

#   For 'allowed': a broker that does not count failures by what they have in common; the page then shows them one by one
NO_SERIES = "v1/stats/failures.*404"

HOSTILE = [
    "<img src=x onerror=\"injected('img')\">",
    "<script>injected('script')</script>",
    "\"'><svg onload=injected('svg')>",
    "javascript:injected('link')",
    "\x1b[31mred\x1b[0m \x1b]8;;javascript:injected('ansi')\x07link\x1b]8;;\x07 \x1b[2J\x9b31m",
    "\u202edetrevni\u2066 \u200f\u061c \ufeff",
    "a\x00b\x01c\x7f",
    "${injected('template')} {{injected('braces')}} &lt;b&gt; %3Cimg%3E",
]


class Chrome:
    """The browser of a class of tests; its profile is in 'folder'."""

    def __init__(self, folder):
        RemoteConnection.set_timeout(2 * harness.PATIENCE)          # A browser that hangs fails the test
        options = Options()
        options.binary_location = shutil.which("chromium")
        for option in OPTIONS + ["--user-data-dir=" + os.path.join(folder, "profile")]:
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        home = dict(os.environ, HOME=folder, XDG_CONFIG_HOME=folder, XDG_CACHE_HOME=folder)
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver"), env=home))
        self.driver.set_page_load_timeout(harness.PATIENCE)
        self.driver.set_script_timeout(harness.PATIENCE)

    def close(self):
        self.driver.quit()


class Tab:
    """A tab, watched. Only the newest is the current one of the driver: select () changes that."""

    def __init__(self, chrome, dark=False, width=1280, zone="Etc/UTC"):
        self.driver = chrome.driver
        self.empty = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        self.handle = self.driver.current_window_handle
        self.noted, self.servers = [], set()
        self.note()                     # What a tab before this one left behind
        self.noted, self.servers = [], set()
        self.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.look(dark, width)
        self.command("Emulation.setTimezoneOverride", timezoneId=zone)

    def command(self, name, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def select(self):
        self.driver.switch_to.window(self.handle)

    def look(self, dark=False, width=1280, height=900):
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, url):
        self.driver.get(url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector="body"):
        """What is visible there; "" if it is not there (now)."""
        try:
            return self.run("const e = document.querySelector(arguments[0]); return e ? e.innerText : ''", selector)
        except JavascriptException:
            return ""

    def find(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, selector, text=""):
        """The first element there whose visible text contains 'text', once there is one."""
        script = """return [...document.querySelectorAll(arguments[0])].find(
            e => e.getClientRects().length && e.innerText.includes(arguments[1])) || null"""
        try:
            return harness.wait_until(lambda: self.run(script, selector, text), "%s with %r" % (selector, text))
        except AssertionError as error:
            raise AssertionError("%s. The page is:\n%s" % (error, self.text()[:3000])) from None

    def wait_connected(self):
        """The page follows a broker that is not down. It may have findings: the disk of the machine may be nearly full."""
        script = """const one = document.querySelector(".health");
            return one && !one.classList.contains("l-down") && !/Connecting|No connection/.test(one.innerText)"""
        harness.wait_until(lambda: self.run(script), "the page to be connected")

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def picture(self, name):
        os.makedirs(PICTURES, exist_ok=True)
        data = self.command("Page.captureScreenshot", format="png")["data"]
        with open(os.path.join(PICTURES, name + ".png"), "wb") as file:
            file.write(base64.b64decode(data))

    def overflow(self):
        """By how many pixels the page is wider than the window, and what sticks out."""
        return self.run("""const wide = document.documentElement.scrollWidth - innerWidth;
            return wide <= 0 ? 0 : wide + ' px: ' + [...document.body.querySelectorAll('*')].filter(
                e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map(
                e => e.tagName + '.' + e.getAttribute('class') + ' ' + e.textContent.slice(0, 40)).join('; ')""")

    def axe(self, *rules):
        """What axe-core objects to, by these rules or by all: a list of texts. Of a table, the first rows are looked at."""
        if not self.run("return 'axe' in window"):
            with open(AXE, encoding="utf-8") as file:
                self.command("Runtime.evaluate", expression=file.read())
        return self.driver.execute_async_script("""const done = arguments[arguments.length - 1];
            axe.run({exclude: [["tbody tr:nth-of-type(n+9)"]]}, {resultTypes: ['violations'], ...(arguments[0].length && {runOnly: arguments[0]})}).then(r => done(r.violations.map(v => v.id + ': ' + v.help
                + '\\n' + v.nodes.slice(0, 3).map(n => '    ' + n.html.slice(0, 200) + ' ' + n.failureSummary).join('\\n'))),
                e => done(['axe: ' + e]))""", rules)

    def note(self):
        """Collect what the browser logged since the last call."""
        for line in self.driver.get_log("browser"):
            if line["level"] == "SEVERE" or line["source"] in ("security", "violation"):
                self.noted.append("console: " + line["message"])
        for line in self.driver.get_log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith(("data:", "blob:", "about:", "chrome:")):
                    self.servers.add("/".join(url.split("/")[:3]))

    def troubles(self, servers, allowed=()):
        """What the page must not have done: a list of texts. 'servers' are the addresses that it may use, 'allowed' are
        patterns of lines in the console that the test provokes."""
        self.select()
        self.note()
        watched = self.run("return window.watched || {policy: [], errors: [], injected: []}")
        found = [line for line in self.noted if not any(re.search(pattern, line) for pattern in allowed)]
        found += ["policy: " + line for line in watched["policy"]] + ["error: " + line for line in watched["errors"]]
        found += ["injected: " + line for line in watched["injected"]]
        return found + ["request to " + server for server in sorted(self.servers - set(servers))]

    def close(self):
        self.select()
        self.driver.close()
        self.driver.switch_to.window(self.empty)


class BrowserTest(web.WebTest):
    """A broker with Redis, stele-http, and a browser; self.tab is the tab of a test."""

    use_redis = True
    zone = "Etc/UTC"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chrome = Chrome(cls.folder)
        cls.addClassCleanup(cls.chrome.close)

    def setUp(self):
        super().setUp()
        self.allowed = []
        self.tab = self.new_tab()

    def new_tab(self, **more):
        tab = Tab(self.chrome, **dict({"zone": self.zone}, **more))
        self.addCleanup(tab.close)
        self.addCleanup(self.quiet, tab)
        return tab

    def quiet(self, tab):
        found = tab.troubles({self.http.url}, self.allowed)
        if found:
            raise AssertionError("the page did what it must not:\n" + "\n".join(found))
