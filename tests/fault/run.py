# run - run all fault tests, each file in its own process, and count them test by test
#
#   run.py [--jobs N] [--time-out SECONDS] FILE...
#
# Prints one line per test, its figures if it printed some, the reason for each skipped
# test, and finally "N passed, N failed". The whole output of a file goes to the
# folder STELE_FAULT_LOGS (default: fault-logs in the current folder).
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import argparse
import concurrent.futures
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

FIGURES = "figures: "       # A line with this prefix is shown in the summary


def told(error):
    """The first line of an exception, as unittest passes it."""
    return ("%s: %s" % (error[0].__name__, error[1])).partition("\n")[0][:200]


class Result(unittest.TextTestResult):
    """Also writes one line of JSON per test."""

    def startTest(self, test):
        super().startTest(test)
        self.begun = time.monotonic()

    def _note(self, test, what, why=""):
        #   What fails outside a test has a name of another form: tearDownClass (test_file.Class)
        name = test.id() if "(" in test.id() else test.id().split(".", 1)[-1]
        line = {"test": name, "what": what, "why": why,
                "seconds": round(time.monotonic() - getattr(self, "begun", time.monotonic()), 1)}
        with open(os.environ["STELE_FAULT_RESULTS"], "a") as file:
            file.write(json.dumps(line) + "\n")

    def addSuccess(self, test):
        super().addSuccess(test)
        self._note(test, "ok")

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        self._note(test, "ok")

    def addError(self, test, error):
        super().addError(test, error)
        self._note(test, "FAILED", told(error))

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._note(test, "FAILED", told(error))

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self._note(subtest, "FAILED", told(error))

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._note(test, "FAILED")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)


def run_one(path):
    """In the child: run the tests of one file."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    return 0 if result.wasSuccessful() else 1


class Runner:
    def __init__(self, logs, time_out):
        self.logs, self.time_out = logs, time_out
        self.lock = threading.Lock()
        self.passed = self.failed = self.skipped = 0
        os.makedirs(logs, exist_ok=True)

    def run(self, path):
        name = os.path.splitext(os.path.basename(path))[0]
        log, results = (os.path.join(self.logs, name + end) for end in (".log", ".results"))
        if os.path.exists(results):
            os.unlink(results)
        begun = time.monotonic()
        with open(log, "w") as out:
            child = subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), "--one", path], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                env=dict(os.environ, STELE_FAULT_RESULTS=results, PYTHONUNBUFFERED="1"))
            try:
                status = child.wait(self.time_out)
            except subprocess.TimeoutExpired:
                status = "no end after %d s" % self.time_out
            try:
                os.killpg(child.pid, signal.SIGKILL)    # Including its remaining children
            except ProcessLookupError:
                pass
            child.wait()
        with self.lock:
            self.tell(name, log, results, status, time.monotonic() - begun)

    def tell(self, name, log, results, status, seconds):
        lines = [json.loads(line) for line in open(results)] if os.path.exists(results) else []
        for line in lines:
            what = line["what"]
            self.passed += what == "ok"
            self.failed += what == "FAILED"
            self.skipped += what == "skipped"
            print("%-8s %s %s (%.1f s)%s" % (what, name, line["test"], line["seconds"],
                                             ": " + line["why"] if line["why"] else ""))
        with open(log, errors="replace") as file:
            for line in file:
                if FIGURES in line:
                    print("         " + line[line.index(FIGURES) + len(FIGURES):].rstrip())
        if status != 0:
            if not any(line["what"] == "FAILED" for line in lines):
                self.failed += 1
                print("FAILED   %s: %s" % (name, status))
            with open(log, errors="replace") as file:
                print("-- the end of %s (%.0f s):" % (log, seconds))
                print("".join(line[:1000].rstrip() + "\n" for line in file.readlines()[-60:]))
        sys.stdout.flush()


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        return run_one(sys.argv[2])
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=min(4, (os.cpu_count() or 1) + 1),
                        help="files at a time: they wait more than they compute")
    parser.add_argument("--time-out", type=float, default=1200, help="seconds that a file may take")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    runner = Runner(os.environ.get("STELE_FAULT_LOGS", "fault-logs"), args.time_out)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(runner.run, args.files))
    if runner.skipped:
        print("%d skipped" % runner.skipped)
    print("%d passed, %d failed" % (runner.passed, runner.failed))
    return 0 if runner.failed == 0 and runner.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
