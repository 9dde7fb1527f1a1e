# Series over time: stats.series equals what events.read gives, and survives what happens to its file
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import collections

import harness
import series
from series import DAY, HOUR, MINUTE, STEPS


class Series(harness.BrokerTest):
    use_redis = False

    def publish(self, events):
        peer = self.producer()
        for first in range(0, len(events), 500):
            peer.publish(*events[first:first + 500])

    def folded(self):
        """Wait until all events are counted."""
        head = self.ask("ping")["position"]
        harness.wait_until(lambda: self.ask("stats")["rollup"]["position"] >= head, "the counts to be complete")

    def series(self, **keys):
        self.folded()
        return self.ask("stats.series", **keys)

    def compare_all(self, events, step, start, end, keys_max=64):
        cells, _ = series.recompute(events)
        self.folded()
        for by in ("", "role", "provider", "model"):
            expected = series.series(cells, by, step)
            answer = self.ask("stats.series", **{"from": start, "to": end, "step": step, "limit": 6 if by else 1, "by": by})
            self.assertEqual(answer["step"], step)
            self.assertEqual(answer["lag_events"], 0)
            self.compare_series(answer, expected, by)

    def compare_series(self, answer, expected, by):
        """Each series, and 'other' as the sum of the rest."""
        rest = dict(expected)
        for one in answer["series"]:
            if one.get("other"):
                steps = collections.defaultdict(series.Counts)
                for points in rest.values():
                    for at, counts in points.items():
                        steps[at].add(counts)
                rest = {}
            else:
                steps = rest.pop(one.get(by) if by else None, {})
            self.assertEqual([point["time"] for point in one["points"]], sorted(steps), (by, one.get(by)))
            total = series.Counts()
            for point in one["points"]:
                series.compare(self, point, steps[point["time"]], (by, one.get(by), point["time"]))
                total.add(steps[point["time"]])
            series.compare(self, one["total"], total, (by, one.get(by)))
        self.assertEqual(rest, {})


class Numbers(Series):
    def test_series_equal_a_recomputation_of_the_log(self):
        now = series.now()
        start = now - 3 * HOUR
        self.publish(series.agent_runs(1, 120, start, 2 * HOUR))
        self.publish(series.workflow(2, 200, start, 2 * HOUR))
        events = self.read_events()
        for step in STEPS:
            self.compare_all(events, step, start - DAY, now + DAY) if step != "minute" else \
                self.compare_all(events, step, start, start + 9 * HOUR)


if __name__ == "__main__":
    harness.main()
