# Pipeline: incoming events without acks, committed events sent onward (protocol section 6)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os

import harness
from client import changed, created, metric, output


class Pipeline(harness.BrokerTest):
    use_redis = False

    @classmethod
    def start_broker(cls, **more):
        cls.inlet = "ipc://" + os.path.join(cls.folder, "in")
        cls.outlet = "ipc://" + os.path.join(cls.folder, "out")
        return super().start_broker(
            arguments=["--pipeline-in", cls.inlet, "--pipeline-out", cls.outlet], **more)

    def pusher(self):
        return self.clients.pusher(self.inlet)

    def rejected_codes(self):
        codes, page = [], {"next": 0}
        while page["next"] is not None:
            page = self.ask("rejected.list", limit=1000, **({"cursor": page["next"]} if page["next"] else {}))
            codes += [row["code"] for row in page["rejected"]]
        return codes

    def wait_head(self, position):
        self.ask("ping", min_position=position, timeout_ms=50000)

    def pull_until(self, puller, position):
        events = []
        while not events or events[-1]["position"] < position:
            events.append(puller.receive())
        return events

    def test_one_event_or_many_in_a_message(self):
        task = self.name("task")
        head = self.ask("ping")["position"]
        peer = self.pusher()
        peer.send(created(task))
        peer.send({"events": [changed(task, "running"), metric(task, "n", 1)]})
        peer.send(changed(task, "passed"))
        self.wait_head(head + 4)
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "passed")
        self.assertEqual([event["type"] for event in self.read_events(head)],
                         ["task.created", "task.state_changed", "task.metric_recorded",
                          "task.state_changed"])

    def test_what_is_refused_is_recorded(self):
        task = self.name("task")
        head = self.ask("ping")["position"]
        before = len(self.rejected_codes())
        peer = self.pusher()
        for data in (b"\xc1", b"", b"\xdd\xff\xff\xff\xff"):
            peer.send_bytes(data)
        peer.send({"events": [{"type": "no.such"}, created(task)]})
        peer.send(7)
        peer.send(changed(task, "running"))
        self.wait_head(head + 2)
        codes = self.rejected_codes()[before:]
        self.assertIn("unknown_type", codes)
        self.assertIn("malformed", codes)
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "running")

    def test_a_message_over_the_limits_is_refused_whole(self):
        task = self.name("task")
        head = self.ask("ping")["position"]
        before = len(self.rejected_codes())
        peer = self.pusher()
        peer.send({"events": [metric(task, "n", n) for n in range(10001)]})
        peer.send({"events": [output(task, "x" * 6000000) for _ in range(3)]})
        peer.send(created(task))
        self.wait_head(head + 1)
        self.assertEqual([event["type"] for event in self.read_events(head)], ["task.created"])
        self.assertEqual(self.rejected_codes()[before:], ["too_large", "too_large"])

    def test_committed_events_go_onward_whole_and_in_order(self):
        task = self.name("task")
        puller = self.clients.puller(self.outlet)
        self.pull_until(puller, self.producer().publish(created(task)))
        head = self.ask("ping")["position"]
        large = "x" * 200000
        self.pusher().send({"events": [output(task, large)] + [metric(task, "n", n) for n in range(500)]})
        self.wait_head(head + 501)
        events = self.pull_until(puller, head + 501)
        self.assertEqual([event["position"] for event in events], list(range(head + 1, head + 502)))
        self.assertEqual(events[0]["content"], large)
        self.assertEqual([event["value"] for event in events[1:]], list(range(500)))

    def test_what_could_not_be_pushed_comes_after_a_restart(self):
        task = self.name("task")
        puller = self.clients.puller(self.outlet)
        self.pull_until(puller, self.producer().publish(created(task)))
        puller.close()
        head = self.ask("ping")["position"]
        self.producer().publish(*[metric(task, "n", n) for n in range(100)])
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        self.start_broker()
        events = self.pull_until(self.clients.puller(self.outlet), head + 100)
        positions = [event["position"] for event in events if event["position"] > head]
        self.assertEqual(sorted(set(positions)), list(range(head + 1, head + 101)))


if __name__ == "__main__":
    harness.main()
