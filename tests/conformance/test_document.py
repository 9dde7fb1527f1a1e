# The documents are correct: the bytes in doc/PROTOCOL.md, the programs in README.md
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import re
import subprocess
import sys

import harness
from client import unpack

INCLUDE = "#include <inttypes.h>\n#include <stdio.h>\n"


def document(*path):
    with open(os.path.join(harness.SRC, *path), encoding="utf-8") as file:
        return file.read()


def frames(block):
    """The frames of one example: pairs of the sender, "C" or "S", and the bytes."""
    result = []
    for line in block.splitlines():
        line = line.split(";")[0]
        if line[:2] in ("C:", "S:"):
            result.append((line[0], b""))
            line = line[2:]
        who, data = result.pop()
        result.append((who, data + bytes.fromhex("".join(line.split()))))
    return result


def comparable(data):
    """The part of a message that the document fixes: all but the ledger's id and texts for people."""
    value = unpack(data)
    for part in (value, value.get("error", {})):
        for key in ("ledger", "message"):
            if key in part:
                part[key] = type(part[key]).__name__
    return value


class Protocol(harness.BrokerTest):
    use_redis = False

    def test_worked_examples_of_the_protocol(self):
        subscriber = self.subscriber().wait_joined()
        peers = {"events": self.dealer(), "requests": self.asker()}
        feed = {}
        blocks = re.findall(r"```stele-(\w+)\n(.*?)```", document("doc", "PROTOCOL.md"), re.S)
        self.assertGreater(len(blocks), 6)
        for kind, block in blocks:
            example = frames(block)
            if kind == "feed":
                (_, topic), (_, event) = example
                while topic.decode() not in feed:
                    name, value = subscriber.next()
                    feed[name] = value
                self.assertEqual(feed[topic.decode()], unpack(event))
                continue
            for who, data in example:
                if who == "C":
                    peers[kind].send_bytes(data)
                else:
                    self.assertEqual(comparable(peers[kind].receive_frames()[0]), comparable(data), block)


class Readme(harness.BrokerTest):
    use_redis = False

    def test_python_of_the_readme(self):
        program = "".join(re.findall(r"```python\n(.*?)```", document("README.md"), re.S))
        for endpoint, mine in (("tcp://127.0.0.1:5570", self.broker.events),
                               ("tcp://127.0.0.1:5571", self.broker.requests)):
            self.assertIn(endpoint, program)
            program = program.replace(endpoint, mine)
        for _ in range(2):          # The goodbye keeps t1: the second run interrupts nothing
            done = subprocess.run([sys.executable, "-"], input=program.encode(), stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, env=self.broker.environment(), timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, 0, done.stdout.decode())
            self.assertIn("'op': 'ack'", done.stdout.decode())
            self.assertIn("'task_id': 't1'", done.stdout.decode())
        self.assertEqual([event for event in self.read_events() if event.get("interrupted")], [])
        self.assertEqual(self.ask("task.get", task_id="t1")["task"]["state"], "running")
        self.assertEqual(self.ask("task.get", task_id="fix-1")["task"]["state"], "passed")

    def test_c_of_the_readme(self):
        lines, program = re.findall(r"```c\n(.*?)```", document("README.md"), re.S)[:2]
        self.run_c("first", "#include <string.h>\n%s\n#include <stele.h>\nint main (void)\n{\n%s"
                   "stele_client_close (client, true, 5000);\nstele_client_destroy (&client);\n}\n" % (INCLUDE, lines))
        self.run_c("whole", INCLUDE + program)
        for task in ("build-1", "build-2"):
            self.assertEqual(self.ask("task.get", task_id=task)["task"]["role"], "builder")

    def run_c(self, name, text):
        source = os.path.join(self.folder, name + ".c")
        with open(source, "w") as file:
            file.write(text)
        #   As the library was compiled, sanitizers included
        compiler = subprocess.run([os.path.join(harness.BUILD, "config.status"), "-q", "--file=-"], input="@CC@ @CFLAGS@ @STELE_LDFLAGS@",
                                  stdout=subprocess.PIPE, check=True, text=True).stdout.split()
        library = os.path.join(harness.BUILD, ".libs")
        subprocess.run(compiler + [source, "-o", source[:-2], "-I" + os.path.join(harness.SRC, "include"),
                                   "-L" + library, "-lstele", "-Wl,-rpath," + library], check=True)
        done = subprocess.run([source[:-2]], env=self.broker.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=harness.PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (0, b"durable\n"))


if __name__ == "__main__":
    harness.main()
