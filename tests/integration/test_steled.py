# steled: its options, the check of a configuration, and what a start logs
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import contextlib
import os
import re
import shutil
import sqlite3
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


class Start(SteledTest):

    def start(self):
        broker = harness.Steled(self.folder)
        self.addCleanup(broker.kill)
        return broker

    def test_migration_is_logged_once(self):
        ledger, folder = os.path.join(self.folder, "ledger.db"), os.path.join(harness.SRC, "sql")
        migrations = sorted(name for name in os.listdir(folder) if re.match(r"\d+-.*\.sql$", name))
        self.assertGreater(len(migrations), 5)
        with open(os.path.join(harness.SRC, "src", "sqlite", "sql", "schema.h")) as file:
            application = int(re.search(r"APPLICATION_ID (0x\w+)", file.read()).group(1), 16)
        with contextlib.closing(sqlite3.connect(ledger)) as db:
            for name in migrations[:2]:
                with open(os.path.join(folder, name)) as file:
                    db.executescript(file.read())
            db.executescript("PRAGMA application_id = %d; PRAGMA user_version = 2" % application)
        broker = self.start()
        self.assertRegex(broker.log(), "info .*ledger migrated from schema 2 to %d in [0-9.]+ s" % len(migrations))
        broker.stop()
        broker = self.start()
        broker.stop()
        self.assertNotIn("migrated", broker.log())

    def test_text_index_that_is_rebuilt_has_the_reason(self):
        index = os.path.join(self.folder, "ledger.db.search")
        broker = self.start()
        subprocess.run([harness.program("stele"), "publish", "-"], env=broker.environment(), check=True, capture_output=True,
                       input=b'{"type":"task.updated","task_id":"t","title":"T"}\n' * 1000)
        harness.wait_until(lambda: os.path.exists(index), "the text index")
        broker.stop()
        self.assertNotRegex(broker.log(), "migrated|rebuilt")
        for change, words in ((lambda: self.set_version(index, 1), "is of an earlier version"), (lambda: os.unlink(index), "is missing"),
                              (lambda: self.overwrite(index), "is not usable")):
            change()
            broker = self.start()
            self.assertIn("the text index %s and is rebuilt" % words, broker.wait_line("the text index "))
            broker.stop()
        broker = self.start()
        broker.stop()
        self.assertNotIn("text index", broker.log())

    @staticmethod
    def set_version(path, version):
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = %d" % version)

    @staticmethod
    def overwrite(path):
        with open(path, "wb") as file:
            file.write(b"nonsense" * 1000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
