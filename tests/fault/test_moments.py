# Restores of many moments, around the edges of frames, segments and snapshots: each has exactly the events up to then
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import base64
import json
import os
import random
import shutil
import subprocess
import sys
import time

import harness
from client import changed, created, output
from faulty import FaultTest
from test_proof import root_of, sha256

harness.BUILD = os.environ.get("STELE_FAULT_BUILD", harness.BUILD)

FRAME = 1024            # Positions
AT_LEAST = 60           # Moments, and as many more as fit in some time; STELE_MOMENTS sets their number
SECONDS = 20


class Moments(FaultTest):
    use_redis = False

    def run_stele(self, *arguments):
        done = subprocess.run([harness.program("stele"), "--json", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def lines(self, repository):
        folder = os.path.join(repository, "segments")
        text = b"".join(subprocess.run(["zstdcat", os.path.join(folder, name)], stdout=subprocess.PIPE, check=True,
                                       timeout=harness.PATIENCE).stdout for name in sorted(os.listdir(folder)))
        return [line for line in text.split(b"\n") if line and not line.startswith(b'{"$')]

    def test_restored_moment_has_the_events_up_to_then(self):
        seed = int(os.environ.get("STELE_SEED", random.SystemRandom().randrange(1 << 32)))
        count, dice = int(os.environ.get("STELE_MOMENTS", "0")), random.Random(seed)
        repository, folder = os.path.join(self.folder, "repository"), os.path.join(self.folder, "moment")
        scratch = os.path.join(folder, "moment.db")
        self.restart(arguments=("--backup", repository))
        peer = self.producer()
        for number in range(650):
            task = "moment-%d" % number
            peer.publish(created(task), changed(task, "running"), output(task, "printed %d" % number), changed(task, "passed"))
            if number in (200, 500):
                self.stele("backup")
        snapshots = sorted(int(name[:16]) for name in os.listdir(os.path.join(repository, "snapshots")) if name.endswith(".json"))
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        leaves = [sha256(b"\0", line) for line in self.lines(repository)]
        edges = [edge + step for edge in [FRAME, 2 * FRAME] + snapshots for step in (-1, 0, 1)]
        edges += [1, len(leaves)]
        end, done = time.monotonic() + SECONDS, 0
        while done < count if count else done < AT_LEAST or time.monotonic() < end:
            position = edges[done] if done < len(edges) else dice.randrange(1, len(leaves))
            done += 1
            os.mkdir(folder)
            with self.subTest(seed=seed, position=position):
                restored = self.run_stele("restore", repository, scratch, "--at", str(position))
                self.assertEqual(restored["position"], position)
                root = self.run_stele("verify", "--events-only", scratch)["root"]
                self.assertEqual(root, base64.b64encode(root_of(leaves[:position])).decode())
            shutil.rmtree(folder)
        print("%d moments (STELE_SEED=%d)" % (done, seed), file=sys.stderr)
        shutil.rmtree(repository)


if __name__ == "__main__":
    harness.main()
