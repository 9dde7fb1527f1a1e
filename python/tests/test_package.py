#!/usr/bin/env python3
# test_package - the package as pip installs it, and as mypy sees it
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import shutil
import subprocess
import sys
import unittest
import zipfile

import harness

SOURCES = os.path.join(harness.SRC, "python")

CONSUMER = """
from datetime import datetime
from typing import List, Optional
import stele_client as stele
from stele_client import aio

def titles(client: stele.Client) -> List[str]:
    return [task.title for task in client.tasks(states=["failed"])]

def ended(client: stele.Client) -> Optional[datetime]:
    return client.task("t").completed_at

async def value(client: aio.Client) -> float:
    return sum([metric.value async for metric in client.metrics("t")])

def work(publisher: stele.Publisher) -> Optional[int]:
    return publisher.send(stele.task_updated("t", title="x")).result().position

wrong: int = stele.Client().task("t").title
"""


class TestPackage(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        #   pip builds where the sources are, which may be read-only
        cls.folder = harness.temporary_folder()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.sources = os.path.join(cls.folder, "python")
        shutil.copytree(SOURCES, cls.sources, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__", ".mypy_cache"))
        subprocess.run(["chmod", "-R", "u+w", cls.sources], check=True)

    def run_program(self, *command, status=0):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
        done = subprocess.run(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=harness.PATIENCE * 3)
        self.assertEqual(done.returncode, status, done.stdout.decode())
        return done.stdout.decode()

    def test_sources_can_be_installed(self):
        folder = os.path.join(self.folder, "env")
        self.run_program(sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", folder)
        python = os.path.join(folder, "bin", "python")
        self.run_program(python, "-m", "pip", "install", "-q", "--no-index", "--no-build-isolation", self.sources)
        text = self.run_program(python, "-c", "import stele_client, stele_client.aio, stele_client.adapters\n"
                                "print(stele_client.__file__, stele_client.Client.__name__)")
        self.assertIn(folder, text)
        text = self.run_program(python, "-m", "pip", "show", "-f", "stele-client")
        for words in ("License: MPL-2.0", "stele_client/py.typed", "LICENSE"):
            self.assertIn(words, text)

    def test_wheel_has_the_licence_and_every_module(self):
        self.run_program(sys.executable, "-m", "pip", "wheel", "-q", "--no-index", "--no-build-isolation", "--no-deps",
                         "-w", "dist", self.sources)
        wheel, = glob.glob(os.path.join(self.folder, "dist", "stele_client-*-none-any.whl"))
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            licence, = [name for name in names if name.endswith("/LICENSE")]
            with open(os.path.join(harness.SRC, "LICENSE"), "rb") as file:
                self.assertEqual(archive.read(licence), file.read())
        modules = glob.glob("stele_client/**/*.py", root_dir=SOURCES, recursive=True)
        self.assertEqual(sorted(name for name in names if name.endswith(".py")), sorted(modules))

    def test_archive_lists_every_module(self):
        with open(os.path.join(SOURCES, "local.mk")) as file:
            listed = file.read()
        for name in glob.glob("**/*.py", root_dir=SOURCES, recursive=True):
            if not name.startswith("build/") and name != "tests/test_redact.py":
                self.assertIn("python/%s" % name, listed)

    def test_package_and_a_program_that_uses_it_are_typed(self):
        text = self.run_program("mypy", "--config-file", os.path.join(self.sources, "pyproject.toml"),
                                "--cache-dir", "cache", "--python-executable", sys.executable, self.sources + "/stele_client")
        self.assertIn("Success", text)
        with open(os.path.join(self.folder, "consumer.py"), "w") as file:
            file.write(CONSUMER)
        os.environ["MYPYPATH"] = self.sources
        self.addCleanup(os.environ.pop, "MYPYPATH")
        text = self.run_program("mypy", "--config-file", os.path.join(self.sources, "pyproject.toml"), "--cache-dir", "cache",
                                "--python-executable", sys.executable, "consumer.py", status=1)
        self.assertIn('consumer.py:%d: error: Incompatible types in assignment (expression has type "str"' %
                      len(CONSUMER.splitlines()), text)
        self.assertIn("Found 1 error in 1 file", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
