# Searches and counts while their followers rest: nothing is missed, and they catch up
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import harness
from client import created, metric


class Load(harness.BrokerTest):
    use_redis = False

    def part(self, name):
        answer = {}

        def asked():
            answer.clear()
            answer.update(self.ask("stats")[name])
            return "age_ms" not in answer           # Else the follower had no time to answer
        harness.wait_until(asked, "the statistics of " + name)
        return answer

    def search(self):
        return self.part("search")

    def find(self, text, position):
        answer = self.ask("task.list", search=text, min_position=position)
        self.assertIsNot(answer.get("complete"), False, (text, answer, self.search()))
        return [task["task_id"] for task in answer["tasks"]]

    def load_until(self, condition, what, between=lambda: None):
        """Publish as fast as possible until a condition is met: a follower only rests if there
        are thousands of events in each second, so several batches are always on their way."""
        peer = self.producer(self.name("load"))
        events = [metric("load", "n", number) for number in range(1000)]

        def step():
            for _ in range(10):
                peer.send_events(events)
            peer.settle()
            self.assertEqual(peer.naks, {})
            between()
            return condition()
        harness.wait_until(step, what, 4 * harness.PATIENCE)

class SearchLag(Load):
    def test_nothing_is_missed_under_load(self):
        published, peer = [], self.producer()

        def publish_and_search():
            word = "word%dx" % len(published)
            task = self.name(word)
            published.append((word, task))
            peer.publish(created(task, title="the %s of it" % word))
            position = self.ask("ping")["position"]
            self.assertEqual(self.find(word, position), [task])
            self.assertEqual(self.find(task[2:], position), [task])

        #   No search wakes the index here, so it falls behind by more than a search reads from the log
        peer.publish(created(self.name("first"), title="primordial"))
        self.load_until(lambda: self.search()["resting"], "the index to rest")
        self.load_until(lambda: self.search()["lag_events"] > 40000, "the index to fall behind")
        self.assertEqual(self.find("primordial", self.ask("ping")["position"]), [self.name("first")])
        self.assertIs(self.search()["resting"], False)
        publish_and_search()
        #   Among others that load it
        self.load_until(lambda: len(published) >= 20, "twenty searches", publish_and_search)
        head = self.ask("ping")["position"]
        for word, task in published:
            self.assertEqual(self.find(word, head), [task])
        #   In a pause it is completed, apart from the few that are always left to the log
        harness.wait_until(lambda: self.search()["lag_events"] < 512, "the index to be complete")
        self.assertIs(self.search()["resting"], False)
        for word, task in published:
            answer = self.ask("task.list", search=word)
            self.assertGreaterEqual(answer["indexed"], answer["as_of"] - 511)
            self.assertEqual([row["task_id"] for row in answer["tasks"]], [task])


class CountsLag(Load):
    def rollup(self):
        return self.part("rollup")

    def folded(self):
        return self.ask("stats.series", by="state")["folded"]

    def test_counts_rest_under_load_until_they_are_requested(self):
        self.load_until(lambda: self.rollup()["resting"], "the counts to rest")
        self.load_until(lambda: self.rollup()["lag_events"] > 20000, "the counts to fall behind")
        self.assertEqual(self.rollup()["state"], "live")
        head = self.ask("ping")["position"]
        self.folded()
        self.assertIs(self.rollup()["resting"], False)
        self.load_until(lambda: self.folded() > head, "the counts to follow while they are requested")
        self.producer().publish(created(self.name("last")))
        head = self.ask("ping")["position"]
        harness.wait_until(lambda: self.folded() == head, "the counts to be complete")


class SmallLag(Load):
    settings = {"search-lag": "20000", "rollup-lag": "20000"}

    def test_under_load_the_counts_follow_within_rollup_lag(self):
        self.assertEqual(self.part("rollup")["lag_limit"], 20000)
        self.load_until(lambda: self.part("rollup")["resting"], "the counts to rest")
        self.load_until(lambda: self.part("rollup")["position"] > 60000, "the counts to follow under load")

    def test_under_load_the_index_follows_within_search_lag(self):
        self.assertEqual(self.search()["lag_limit"], 20000)
        self.assertEqual(self.ask("info")["limits"]["search_lag_events"], 20000)
        self.load_until(lambda: self.search()["resting"], "the index to rest")
        self.load_until(lambda: self.search()["position"] > 60000, "the index to follow under load")


if __name__ == "__main__":
    harness.main()
