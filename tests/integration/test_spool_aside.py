# An event in a spool that the broker does not take any more blocks nothing, and is kept
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import os

import harness
from client import created


class Aside(harness.BrokerTest):
    use_redis = False
    settings = {"message-bytes": 65536}

    def test_event_that_has_become_too_large_is_kept_next_to_the_spool(self):
        spool = os.path.join(self.folder, self.name("spool"))
        large = dict(created("large"), description="x" * 100000)
        lines = [created("before"), large, created("after")]
        endpoint, self.broker.events = self.broker.events, "ipc://" + os.path.join(self.folder, "nobody")
        self.stele("publish", "--spool", spool, "--producer", "p",
                   input="".join(json.dumps(line) + "\n" for line in lines).encode())
        self.broker.events = endpoint
        self.stele("publish", "--spool", spool, "--producer", "p", input=b"", status=os.EX_DATAERR)
        self.assertIn("does not fit into a message", self.stderr)
        self.assertIn(spool + ".rejected", self.stderr)
        self.assertEqual([event["task_id"] for event in self.read_events()], ["before", "after"])
        with open(spool + ".rejected") as file:
            kept = [json.loads(line) for line in file]
        self.assertEqual(len(kept), 1)
        self.assertEqual(json.loads(kept[0]["text"])["description"], large["description"])
        self.assertIn("65536", kept[0]["reason"])
        self.stele("publish", "--spool", spool, "--producer", "p", input=b"")       # Nothing is left


if __name__ == "__main__":
    harness.main()
