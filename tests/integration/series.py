# series - the expected answers of stats.series, recomputed from events.read
#
# By the rules of doc/PROTOCOL.md section 4, in the simplest way: one dictionary per task, one per step.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import collections
import random
import time

import harness

MINUTE, HOUR, DAY = 60 * 10 ** 6, 3600 * 10 ** 6, 86400 * 10 ** 6
STEPS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
TERMINAL = ["passed", "failed", "error", "cancelled", "timeout"]
FAILED = {"failed", "error", "timeout"}
SUMS = {"prompt_tokens": "tokens_in", "gen_ai.usage.input_tokens": "tokens_in",
        "completion_tokens": "tokens_out", "gen_ai.usage.output_tokens": "tokens_out", "cost": "cost"}


class Counts:
    """What one step of one series has."""

    def __init__(self):
        self.numbers = collections.Counter()
        self.entered = collections.Counter()
        self.sums = collections.Counter()
        self.wait, self.run = [], []

    def add(self, other):
        self.numbers.update(other.numbers)
        self.entered.update(other.entered)
        self.sums.update(other.sums)
        self.wait += other.wait
        self.run += other.run

    def answer(self):
        """As in the answer, with all durations in place of their percentiles."""
        return dict(
            created=self.numbers["created"], started=self.numbers["started"],
            ended={state: self.entered[state] for state in TERMINAL},
            failed=sum(self.entered[state] for state in FAILED), interrupted=self.numbers["interrupted"],
            wait_us=sorted(self.wait), run_us=sorted(self.run),
            tokens_in=self.sums["tokens_in"], tokens_out=self.sums["tokens_out"], cost=round(self.sums["cost"], 6))


def recompute(events):
    """(by, key, start of the minute) -> Counts; and failures: [(time, text, task_id)]."""
    cells, failures = collections.defaultdict(Counts), []
    tasks = collections.defaultdict(lambda: {"state": None, "queued_at": None, "started_at": None, "created": False})
    for event in events:
        task = tasks[event.get("task_id")]
        before, at = dict(task), event["time"]
        kind, state = event["type"], event.get("state")
        if kind == "task.created":
            state = before["state"] or state or "queued"
            task["queued_at"] = at
        if kind in ("task.created", "task.updated", "task.state_changed"):
            for field in ("role", "provider", "model"):
                if field in event and not (kind == "task.created" and task.get(field)):
                    task[field] = event[field]
        elif kind != "task.metric_recorded":
            continue
        keys = [("", None)] + [(by, task.get(by)) for by in ("role", "provider", "model")]
        moves = kind != "task.metric_recorded" and state and state != before["state"]
        again = before["state"] in TERMINAL
        if moves:
            task["state"] = state
            if again:
                task.update(queued_at=at if state == "queued" else None, started_at=None)
            starts = state == "running" and task["started_at"] is None
            ends = state in TERMINAL and not again and task["started_at"] is not None
            if starts:
                task["started_at"] = at
            if state in FAILED:
                failures.append((at, event.get("error_message"), event["task_id"]))
        elif kind == "task.metric_recorded":
            task["state"] = task["state"] or "queued"
        for by, key in keys:
            counts = cells[by, key, at - at % MINUTE]
            counts.numbers["created"] += kind == "task.created"
            counts.numbers["interrupted"] += bool(event.get("interrupted"))
            if moves:
                counts.entered[state] += 1
                counts.numbers["started"] += starts
                if starts and task["queued_at"] is not None:
                    counts.wait.append(max(0, at - task["queued_at"]))
                if ends:
                    counts.run.append(max(0, at - task["started_at"]))
            if kind == "task.metric_recorded" and event["name"] in SUMS:
                counts.sums[SUMS[event["name"]]] += event["value"]
    return cells, failures


def series(cells, by, step):
    """key -> start of the step -> Counts"""
    result = collections.defaultdict(lambda: collections.defaultdict(Counts))
    for (group, key, at), counts in cells.items():
        if group == by:
            result[key][at - at % STEPS[step]].add(counts)
    return result


def nearest_rank(values, percent):
    return values[(len(values) * percent + 99) // 100 - 1]


def compare_spread(test, found, values, where):
    test.assertEqual(found["count"], len(values), where)
    if values:
        test.assertEqual((found["max"], found["sum"]), (values[-1], sum(values)), where)
        for percent in (50, 90, 99):
            exact = nearest_rank(values, percent)
            test.assertGreaterEqual(found["p%d" % percent], exact, where)
            test.assertLessEqual(found["p%d" % percent], exact + exact // 16, where)
    else:
        test.assertEqual(found, {"count": 0}, where)


def compare(test, found, counts, where):
    """One point or total of an answer with the recomputed counts."""
    expected = counts.answer()
    for key, value in expected.items():
        if key in ("wait_us", "run_us"):
            compare_spread(test, found[key], value, (where, key))
        elif key == "cost":
            test.assertAlmostEqual(found[key], value, 5, (where, key))
        else:
            test.assertEqual(found[key], value, (where, key))


#   -- streams like the recorded ones: agents with sessions and tokens, workflows with many roles

def agent_runs(seed, tasks, start, spread):
    """Runs of an agent: few roles, tokens per call, some failures and retries."""
    rng, events = random.Random(seed), []
    for number in range(tasks):
        task, at = "run-%d-%d" % (seed, number), start + rng.randrange(spread)

        def add(kind, wait, **keys):
            nonlocal at
            at += int(wait * 10 ** 6)
            events.append(dict(keys, type=kind, task_id=task, time=at))
        add("task.created", 0, title=task, description="Solve it", role=rng.choice(["django", "sympy", None]) or "astropy",
            provider=rng.choice(["google", "openai"]), **({"model": "pro"} if rng.random() < 0.5 else {}))
        for attempt in range(1 + (rng.random() < 0.2)):
            if attempt:
                add("task.state_changed", 5, state="queued")
            add("task.state_changed", rng.expovariate(0.1), state="starting")
            add("task.state_changed", 0.5, state="running", **({"model": "pro-preview"} if rng.random() < 0.3 else {}))
            for _ in range(rng.randrange(6)):
                add("task.metric_recorded", rng.expovariate(0.05), name="prompt_tokens", value=rng.randrange(30000), unit="tokens")
                add("task.metric_recorded", 0, name="completion_tokens", value=rng.randrange(900), unit="tokens")
            if rng.random() < 0.1:
                add("task.updated", 1, role="reviewer")
            add("task.metric_recorded", 1, name="cost", value=round(rng.random(), 6), unit="USD")
            failed = attempt == 0 and rng.random() < 0.4
            add("task.state_changed", 1, state=rng.choice(["failed", "error", "timeout"]) if failed else "passed",
                **({"error_message": "step %d of '%s' took %d s" % (number, task, number * 7)} if failed else {}))
            if not failed:
                break
    return sorted(events, key=lambda event: event["time"])


def workflow(seed, tasks, start, spread, roles=40):
    """Tasks of pipelines: many roles, long waits, metrics that are not summed, outputs."""
    rng, events = random.Random(seed), []
    for number in range(tasks):
        task, at = "step-%d-%d" % (seed, number), start + rng.randrange(spread)
        events.append({"type": "task.created", "task_id": task, "time": at, "title": task, "description": "Run it",
                       "role": "ROLE_%d" % rng.randrange(roles), "provider": "Nextflow"})
        at += int(rng.expovariate(1 / 300) * 10 ** 6)
        events.append({"type": "task.state_changed", "task_id": task, "time": at, "state": "running"})
        for name in ("cpu", "read", "memory"):
            events.append({"type": "task.metric_recorded", "task_id": task, "time": at, "name": name,
                           "value": rng.random() * 100})
        at += int(rng.expovariate(1 / 60) * 10 ** 6)
        events.append({"type": "task.output_added", "task_id": task, "time": at, "output_type": "stdout", "content": "x"})
        events.append({"type": "task.state_changed", "task_id": task, "time": at, "state": "passed"})
    return sorted(events, key=lambda event: event["time"])


def now():
    return int(time.time() * 10 ** 6)


#   -- tests

class SeriesTest(harness.BrokerTest):
    use_redis = False

    def publish(self, events, name=None):
        peer = self.producer(name)
        for first in range(0, len(events), 500):
            peer.publish(*events[first:first + 500])

    def folded(self):
        """Wait until all events are counted."""
        head = self.ask("ping")["position"]
        harness.wait_until(lambda: self.ask("stats")["rollup"]["position"] >= head, "the counts to be complete")

    def series(self, **keys):
        self.folded()
        return self.ask("stats.series", **keys)

    def compare_all(self, start, end, *steps):
        """Every series in that range with what the log gives."""
        cells, failures = recompute(self.read_events())
        for step in steps:
            for by in ("", "role", "provider", "model"):
                answer = self.series(**{"from": start, "to": end, "step": step, "limit": 6 if by else 1, "by": by})
                self.assertEqual((answer["step"], answer["lag_events"], answer["state"]), (step, 0, "live"))
                self.compare_series(answer, series(cells, by, step), by)
            answer = self.series(**{"from": start, "to": end, "step": step, "by": "fingerprint"})
            self.assertEqual(sum(one["total"]["count"] for one in answer["series"]), len(failures))
            points = collections.Counter(at - at % STEPS[step] for at, _, _ in failures)
            found = collections.Counter()
            for one in answer["series"]:
                found.update({point["time"]: point["count"] for point in one["points"]})
            self.assertEqual(found, points)

    def compare_series(self, answer, expected, by):
        """Each series, and 'other' as the sum of the rest."""
        rest = dict(expected)
        for one in answer["series"]:
            if one.get("other"):
                steps = collections.defaultdict(Counts)
                for points in rest.values():
                    for at, counts in points.items():
                        steps[at].add(counts)
                rest = {}
            else:
                steps = rest.pop(one.get(by) if by else None, {})
            self.assertEqual([point["time"] for point in one["points"]], sorted(steps), (by, one.get(by)))
            total = Counts()
            for point in one["points"]:
                compare(self, point, steps[point["time"]], (by, one.get(by), point["time"]))
                total.add(steps[point["time"]])
            compare(self, one["total"], total, (by, one.get(by)))
        self.assertEqual(rest, {})
