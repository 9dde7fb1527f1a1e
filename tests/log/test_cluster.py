# test_cluster - examples/cluster: what was acked is on all nodes after the writer and the primary were killed
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

import harness

CLUSTER = os.path.join(harness.SRC, "examples", "cluster")


class Cluster(unittest.TestCase):
    def setUp(self):
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        #   The servers run as another user
        os.chmod(self.folder, 0o755)
        self.example = harness.Process(["bash", os.path.join(CLUSTER, "run.sh"), "--stay"],
                                       env=dict(os.environ, STELE_BUILD=harness.BUILD, TMPDIR=self.folder))
        self.addCleanup(self.end)

    def end(self):
        if self.example.running():
            self.example.signal(signal.SIGTERM)
        return self.example.wait()

    def compare(self, change):
        """Run the comparison of the example with its acks, after 'change' of the last one with a position: the
        answer to an event that was sent again may have none."""
        made = os.path.join(self.folder, self.made)
        with open(os.path.join(made, "acks")) as file:
            lines = [line for line in file if line.endswith("\n")]
        with open(os.path.join(self.folder, "acks"), "w") as file:
            last = max(number for number, line in enumerate(lines) if line.split()[2] != "-")
            file.writelines(lines[:last] + [" ".join(change(*lines[last].split())) + "\n"])
        return subprocess.run([sys.executable, os.path.join(CLUSTER, "compare.py"), os.path.join(self.folder, "acks"), "0"] +
                              ["%s=ipc://%s/%s/requests" % (name, made, name) for name in "abc"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=2 * harness.PATIENCE, universal_newlines=True)

    def test_acked_tasks_are_on_all_nodes_after_each_end(self):
        self.example.wait_line("Now try it yourself", 4 * harness.PATIENCE)
        text = self.example.log()
        self.assertEqual(text.count("each is on a, b, c, once, at the position of its ack"), 3, text)
        #   At least one writes: nodes are asked one after another, and while another takes over two say so
        tables = [table.split("\n\n")[0] for table in text.split("  NODE ")[1:]]
        self.assertEqual([re.findall("(?m)^  ([abc]) +(?:writer|follower) ", table) for table in tables], [list("abc")] * 3, text)
        for table in tables:
            self.assertRegex(table, "(?m)^  [abc] +writer ")
        self.made, = os.listdir(self.folder)
        #   Its comparison can fail
        self.assertEqual(self.compare(lambda *words: words).returncode, 0)
        for change in (lambda when, task, position: (when, "never-published", position),
                       lambda when, task, position: (when, task, str(int(position) - 1))):
            done = self.compare(change)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("1 acked tasks are not where their acks said", done.stdout)
        self.assertEqual(self.end(), 143, self.example.log())
        left = os.listdir(os.path.join(self.folder, self.made))
        self.assertIn("acks", left)
        self.assertFalse({"db1", "db2"} & set(left), left)


if __name__ == "__main__":
    harness.main()
