# steled: its options, the check of a configuration, and what a start logs
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re
import shutil
import subprocess
import unittest

import harness


class SteledTest(unittest.TestCase):

    def setUp(self):
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder)

    def steled(self, *arguments, status=0):
        done = subprocess.run([harness.program("steled"), *arguments], capture_output=True, text=True, cwd=self.folder,
                              timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr


class Options(SteledTest):

    def test_every_setting_is_an_option(self):
        with open(os.path.join(harness.SRC, "src", "broker", "common", "settings.h")) as file:
            rows = re.findall(r'^    X \("([a-z-]+)", \w+, ([A-Z]+),', file.read(), re.M)
        self.assertGreater(len(rows), 30)
        options = [part for name, kind in rows for part in ["--" + name] + ["x"] * (kind != "FLAG")]
        text = self.steled(*options, "--help")
        for name, kind in rows:
            self.assertRegex(text, r"(?m)^ +--%s%s" % (name, "$|  " if kind == "FLAG" else " "))

    def test_check_config_refuses_an_address_that_stele_http_refuses(self):
        check = ("--check-config", "--redis", "none", "--http")
        self.assertIn("valid", self.steled(*check, "127.0.0.1:5580"))
        for address, words in (("0.0.0.0:17698", "http: '0.0.0.0:17698' can be reached from other machines"),
                               ("17698", "http: '17698' is not ADDRESS:PORT")):
            self.assertIn(words, self.steled(*check, address, status=78))
            self.assertIn(words, self.steled(*check[1:], address, status=78))
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
