# The harness itself: every kind of trouble on a page is noticed, and a page without any is not accused
#
# The pages are static ones of a server of this test.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import hashlib
import http.server
import os
import re
import shutil
import threading
import unittest

import browser
import harness

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"
GOOD = """<!doctype html><html lang="en"><title>Page</title><link rel="icon" href="data:,"><main><h1>Heading</h1>%s</main></html>"""

#   name: (policy, what the page has besides, the trouble)
PAGES = {
    "quiet": (POLICY, "<p>Text</p>", None),
    "inline-script": (POLICY, "<script>document.title = 'x'</script>", "^policy: script-src"),
    "inline-event": (POLICY, browser.HOSTILE[0], "^policy: script-src-attr"),
    "injected-script": ("", browser.HOSTILE[1], "^injected: script$"),
    "injected-event": ("", browser.HOSTILE[0], "^injected: img$"),
    "injected-svg": ("", "<p title=\"" + browser.HOSTILE[2] + "</p>", "^injected: svg$"),
    "inline-style": (POLICY, "<style>p { color: red }</style>", "^policy: style-src-elem"),
    "error": ("", "<script>undefined_function ()</script>", "^error: .*undefined_function"),
    "rejection": ("", "<script>Promise.reject (new Error ('lost'))</script>", "^error: unhandled: .*lost"),
    "console": ("", "<script>console.error ('complaint')</script>", "^console: .*complaint"),
    "missing-file": ("", "<script src=missing.js></script>", "^console: .*404"),
    "other-server": ("", "<img alt=x src=http://third.invalid/x.png>", "^request to http://third.invalid$"),
    "blocked-server": (POLICY, "<img alt=x src=http://third.invalid/x.png>", "^policy: img-src http://third.invalid"),
    "wide": (POLICY, "<svg width=800 height=10></svg>", None),
    "no-name": (POLICY, "<button></button>", None),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        policy, content, _ = PAGES.get(self.path[1:], (None, None, None))
        body = (GOOD % content).encode() if content else b"none"
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Control(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        cls.url = "http://127.0.0.1:%d" % cls.server.server_address[1]
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)
        folder = harness.temporary_folder()
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.chrome = browser.Chrome(folder)
        cls.addClassCleanup(cls.chrome.close)

    def tab(self, page, **more):
        tab = browser.Tab(self.chrome, **more)
        self.addCleanup(tab.close)
        tab.open(self.url + "/" + page)
        return tab

    def test_each_trouble_is_noticed(self):
        for name, (_, _, trouble) in PAGES.items():
            with self.subTest(name):
                tab = browser.Tab(self.chrome)
                tab.open(self.url + "/" + name)
                if trouble is None:
                    self.assertEqual(tab.troubles({self.url}), [])
                else:
                    found = []
                    harness.wait_until(lambda: found.extend(tab.troubles({self.url})) or any(
                        re.search(trouble, line) for line in found), "%s among %r" % (trouble, found))
                tab.close()

    def test_allowed_lines_are_left_out(self):
        tab = self.tab("console")
        self.assertEqual(tab.troubles({self.url}, ["complaint"]), [])

    def test_width_is_measured(self):
        tab = self.tab("wide", width=360)
        self.assertRegex(tab.overflow(), "px: svg")
        tab.look(width=1280)
        self.assertEqual(tab.overflow(), 0)

    def test_axe_objects_to_a_button_without_a_name(self):
        self.assertEqual(self.tab("quiet").axe(), [])
        found = self.tab("no-name").axe()
        self.assertEqual([line.split(":")[0] for line in found], ["button-name"])

    def test_theme_and_zone_are_those_of_the_tab(self):
        for dark, zone, offset in ((True, "Asia/Tokyo", -540), (False, "America/St_Johns", 150)):
            tab = self.tab("quiet", dark=dark, zone=zone)
            self.assertEqual(tab.run("return [matchMedia('(prefers-color-scheme: dark)').matches, "
                                     "new Date('2026-07-01T00:00:00Z').getTimezoneOffset()]"), [dark, offset])

    def test_vendored_files_are_those_that_were_published(self):
        here = os.path.dirname(browser.AXE)
        with open(os.path.join(here, "VENDORED")) as file:
            rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
        self.assertTrue(rows)
        for digest, name in rows:
            with open(os.path.join(here, name), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), digest, name)


if __name__ == "__main__":
    harness.main()
