# Series over time: stats.series equals what the log gives, for streams like the recorded ones
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import json
import re

import harness
import series
from client import changed, created, metric
from series import DAY, HOUR, MINUTE


class Numbers(series.SeriesTest):
    def test_series_equal_a_recomputation_of_the_log(self):
        start = series.now() - 3 * HOUR
        self.publish(series.agent_runs(1, 120, start, 2 * HOUR))
        self.publish(series.workflow(2, 200, start, 2 * HOUR))
        self.compare_all(start, start + 9 * HOUR, "minute")
        self.compare_all(start - DAY, start + 2 * DAY, "hour", "day")
        #   By state: how many times tasks entered each
        answer = self.series(**{"by": "state", "from": series.now() - DAY, "step": "day"})
        entered = series.Counts()
        for (by, _, _), counts in series.recompute(self.read_events())[0].items():
            if by == "":
                entered.add(counts)
        self.assertEqual({one["state"]: one["total"]["count"] for one in answer["series"] if one["total"]["count"]},
                         dict(entered.entered))


class Rules(series.SeriesTest):
    def test_roles_beyond_the_bound_of_a_step_are_one(self):
        start = series.now() - 6 * DAY
        self.publish([created("%s-%d" % (self.name("task"), number), time=start, role="many-%d" % number)
                      for number in range(70)])
        answer = self.series(**{"from": start, "to": start, "by": "role", "step": "hour", "limit": 100})
        names = [one["role"] for one in answer["series"] if not one.get("other")]
        self.assertEqual(sorted(names), sorted("many-%d" % number for number in range(64)))
        self.assertTrue(answer["series"][-1]["other"])
        self.assertEqual(answer["series"][-1]["total"]["created"], 6)
        self.assertEqual(answer["left_out"], 0)
        few = self.series(**{"from": start, "to": start, "by": "role", "step": "hour", "limit": 4})
        self.assertEqual((len(few["series"]), few["left_out"], few["series"][-1]["total"]["created"]), (5, 60, 66))

    def test_very_many_roles_take_little_memory(self):
        start = series.now() - 5 * HOUR
        self.publish([created("%s-%d" % (self.name("task"), number), time=start + number // 64 * MINUTE, role="%s-%d" % (self.name("role"), number))
                      for number in range(6400)])
        self.folded()
        before = self.peak()
        answer = self.series(**{"from": start, "to": start + 100 * MINUTE, "by": "role", "step": "minute"})
        self.assertEqual((answer["left_out"], answer["series"][-1]["total"]["created"]), (6380, 6380))
        self.assertLess(self.peak() - before, 30000)

    def peak(self):
        """Memory of the broker at most, in KiB"""
        with open("/proc/%d/status" % self.broker.child.pid) as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))

    def test_late_event_counts_in_the_steps_that_are_kept(self):
        late = series.now() - 100 * DAY
        self.publish([created(self.name("task"), time=late, provider=self.name("p"))])
        for step, count in (("minute", 0), ("hour", 0), ("day", 1)):
            answer = self.series(**{"from": late, "to": late + MINUTE, "by": "provider", "step": step})
            self.assertEqual(len(answer["series"]), count, step)
            self.assertEqual(late < answer["since"], count == 0, step)
        self.assertEqual(self.series(**{"from": late, "to": late + MINUTE})["step"], "day")

    def test_time_beyond_the_bounds_counts_at_the_bound(self):
        ahead, before = series.now() + 400 * DAY, -5 * DAY
        self.publish([created(self.name("ahead"), time=ahead, model=self.name("ahead")),
                      created(self.name("before"), time=before, model=self.name("before"))])
        now = series.now()
        for model, at in (("ahead", now), ("before", 0)):
            answer = self.series(**{"from": max(1, at - DAY), "to": at + DAY, "by": "model", "step": "day"})
            one, = [one for one in answer["series"] if one["model"] == self.name(model)]
            point, = one["points"]
            self.assertLessEqual(abs(point["time"] - at), DAY)
        self.assertNotIn(self.name("ahead"), [one["model"] for one in self.series(
            **{"from": ahead - DAY, "to": ahead + DAY, "by": "model"})["series"]])

    def test_fingerprint_has_what_failures_have_in_common(self):
        at, peer = series.now() - MINUTE, self.producer()
        for number in range(5):
            task = "%s-%d" % (self.name("task"), number)
            peer.publish(created(task, time=at), changed(task, "running", time=at), changed(
                task, "failed", time=at + number, error_message="job %d of '%s' read /tmp/%s/x: exit %d" % (number, task, task, number)))
        answer = self.series(by="fingerprint")
        one, = [one for one in answer["series"] if (one["fingerprint"] or "").startswith("job ")]
        self.assertEqual(one["fingerprint"], "job # of '\N{HORIZONTAL ELLIPSIS}' read <path>: exit #")
        self.assertEqual((one["total"], one["first"], one["last"]), ({"count": 5}, at, at + 4))
        self.assertEqual(one["tasks"], ["%s-%d" % (self.name("task"), number) for number in (4, 3, 2)])

    def test_metric_counts_for_the_role_that_its_task_had_then(self):
        task, peer = self.name("task"), self.producer()
        peer.publish(created(task, role=self.name("one")), metric(task, "gen_ai.usage.input_tokens", 10))
        self.folded()
        peer.publish({"type": "task.updated", "task_id": task, "role": self.name("two")}, metric(task, "cost", 0.5),
                     dict(metric(task, "gen_ai.client.token.usage", 7), **{"gen_ai.token.type": "output"}),
                     metric(task, "cost", float("nan")), metric(task, "other", 1000))
        answer = self.series(by="role", limit=100)
        sums = {one["role"]: (one["total"]["tokens_in"], one["total"]["tokens_out"], one["total"]["cost"])
                for one in answer["series"] if one["role"] in (self.name("one"), self.name("two"))}
        self.assertEqual(sums, {self.name("one"): (10, 0, 0), self.name("two"): (0, 7, 0.5)})

    def test_refused_events_are_counted(self):
        before = self.series()["series"][0]["total"]["rejected"]
        self.producer().publish_refused({"type": "nonsense"})
        harness.wait_until(lambda: self.ask("stats.series")["series"][0]["total"]["rejected"] == before + 1, "the refused event")

    def test_wrong_parameters_are_refused_with_the_way_out(self):
        now = series.now()
        for field, words, keys in (
                ("step", "minute, hour or day", {"step": "week"}), ("by", "fingerprint", {"by": "nonsense"}),
                ("step", "43201 minutes, at most 3000 are reported: choose a longer step", {"from": now - 30 * DAY, "step": "minute"}),
                ("limit", "more than 20000 values", {"from": now - 365 * DAY, "by": "role", "limit": 100}),
                ("from", "later than to", {"from": now, "to": now - HOUR}), ("limit", "100", {"limit": 101})):
            error = self.refused("stats.series", **keys)
            self.assertEqual((error["code"] in ("invalid_field", "bad_request"), error["field"]), (True, field), error)
            self.assertIn(words, error["message"])


class Command(series.SeriesTest):
    def test_stele_prints_the_numbers_of_the_answer(self):
        #   All of it in one hour
        task, at = self.name("task"), series.now() // HOUR * HOUR
        self.publish([created(task, time=at), changed(task, "running", time=at + 2000000),
                      changed(task, "failed", time=at + 5000000, error_message="no 7"), metric(task, "cost", 1.25, time=at)])
        self.folded()
        text = self.stele("stats", "--over", "1d", "--to", "+1d").decode()
        header, row = text.splitlines()[:2]
        self.assertRegex(header, "^TIME +CREATED +STARTED +PASSED +FAILED +WAIT P50")
        self.assertRegex(row, r"^\S+Z +1 +1 +0 +1 +2\.\d* s")
        self.assertIn("1.25", text)
        self.assertRegex(self.stele("stats", "--over", "1d", "--by", "fingerprint", "--to", "+1d").decode(), "no #  +1 .*" + task)
        self.assertRegex(self.stele("stats", "--over", "1d", "--by", "role", "--to", "+1d").decode(), "\nbuilder +1 +1 +0 +1 ")
        self.assertRegex(self.stele("stats", "--over", "1d", "--by", "state", "--to", "+1d").decode(), "\nfailed +1 ")
        answer = json.loads(self.stele("--json", "stats", "--over", "1d", "--to", "+1d"))
        self.assertEqual(answer["series"][0]["total"]["created"], 1)
        for arguments in (("--step", "hour"), ("--over", "1d", "--from", "2d"), ("--over", "1d", "--by", "hour"),
                          ("--over", "1d", "--step", "week"), ("--over", "nonsense")):
            self.stele("stats", *arguments, status=64)
            self.assertIn("stele", self.stderr)
        self.stele("stats", "--over", "9d", "--to", "8d")
        self.assertIn("nothing happened", self.stderr)

    def test_stats_and_metrics_have_the_follower(self):
        self.folded()
        text = self.stele("stats", "--prometheus").decode()
        self.assertTrue(re.search(r'^stele_follower_position\{follower="rollup"\} \d+$', text, re.M), text)


if __name__ == "__main__":
    harness.main()
