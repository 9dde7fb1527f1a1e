# Queries (protocol section 4): search, lists as of any position and in any order, statistics and
# sessions, each compared with an answer computed from the events alone
#
# The events are those of the sample, of a generated stream, and of every stream in the folder
# STELE_DATA.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import functools
import glob
import os
import random
import re
import unicodedata

import harness
import stream

TERMINAL = stream.TERMINAL
ORDERS = [(key, way) for key in ("created", "updated", "completed") for way in ("asc", "desc")]
HOSTILE = ['"', '""', '" "', '"a', 'a"', '*', '**', 'a*b', '-', '- -', '(', ')', 'a AND', 'NOT', 'OR OR',
           'NEAR(a b)', 'text:a', '^a', '{a b}:c', "' OR 1=1 --", "'; DROP TABLE tasks; --", '%', '_', '\\',
           '构建', '修 复', '"构建"', '"重新构建,失败"', '构-建', '建', '复构', 'ข้อผิด', '失敗', '빌드', '🚀', '🎉', '🚀🎉', '修复v',
           'a\0b', '\0', '\ufeff', '\u202e', '\U0001f600', 'é', 'É', 'ß', 'İ', '\u0301', '中文', 'a' * 1000,
           '" AND "', 'a" OR "b', '+a', 'a+b', '[a]', '?', '??1', '$1', ':a', '@a', '\n', '\t']


#   -- an independent implementation of the rules -----------------------------------

#   Characters of the scripts, and the emoji, that section 4 names: each is a word
RUN = re.compile("[\u0e01-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2600-\u27bf\u3005-\u3007\u3041-\u309f"
                 "\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff\U0001f000-\U0001faff]")


@functools.cache
def words(text):
    """[(word, joined)]: letters and digits, without case and accents; or one character of a run,
    'joined' if the run continues."""
    found, word = [], ""
    for char in text:
        category = unicodedata.category(char)
        is_run = bool(RUN.match(char))
        if not is_run and (category[0] in "LN" or category == "Co"):
            word += char
        elif is_run or category != "Mn" or not word:
            if word:
                found.append((word, False))
            word = ""
        if is_run:
            if found and found[-1][1]:
                found[-1] = (found[-1][0], "joined")
            found.append((char, "open"))
        elif found and found[-1][1] == "open":
            found[-1] = (found[-1][0], False)
    if word:
        found.append((word, False))
    return [("".join(c for c in unicodedata.normalize("NFD", w.lower()) if unicodedata.category(c) != "Mn")
             if not RUN.match(w) else w, joined == "joined") for w, joined in found]


@functools.cache
def items(search):
    """[(raw, words, quoted)]"""
    found = []
    for quoted, bare in re.findall(r'"([^"]*)(?:"|$)|([^\s\0"]+)', search):
        raw = quoted if quoted else bare.rstrip("*")
        if words(raw):
            found.append((raw.lower(), words(raw), bool(quoted)))
    return found


def matches(search, task, texts):
    wanted = items(search)
    return bool(wanted) and all(
        (raw in task["task_id"].lower() if len(raw.encode()) >= 3 else raw == task["task_id"].lower())
        or any(follow(text, sought, quoted) for text in texts) for raw, sought, quoted in wanted)


def follow(text, sought, quoted):
    count = len(sought)
    for start in range(len(text) - count + 1):
        (last, _), (wanted, _) = text[start + count - 1], sought[-1]
        if text[start:start + count - 1] == sought[:-1] and (
                last == wanted if quoted else last.startswith(wanted)):
            return True
    return False


def generated(seed, count):
    """Events out of order: tasks with events before their creation, with retries, with later
    updates, and with times that jump."""
    draw = random.Random(seed)
    text = ("build deploy test café naïve résumé error timeout connection refused the a of file path "
            "修复构建错误 构建 重新构建,失败 แก้ไขข้อผิดพลาด ข้อผิด テストの失敗 빌드를 재빌드 🚀 done🚀🎉 fix修复v2").split()
    made, state, events = set(), {}, []
    for number in range(count):
        task = "gen-%03d-%s" % (draw.randrange(1 + number // 8), "xyz"[number % 3])
        time = 1700000000000000 + number * 1000000 - draw.choice((0, 0, 0, 0, draw.randrange(10 ** 8)))
        event = {"task_id": task, "time": time}
        what = draw.random()
        if what < 0.3 and task not in made:
            made.add(task)
            event.update(type="task.created", title=" ".join(draw.choices(text, k=3)),
                         description=" ".join(draw.choices(text, k=12)), role=draw.choice("rst"))
            if draw.random() < 0.5:
                event.update(user_id="ann", parent_id="gen-000-x", provider=draw.choice("pq"))
        elif what < 0.7:
            to = draw.choice(["running", "paused", "passed", "failed"])
            if state.get(task) in TERMINAL:
                to = "queued"
            state[task] = to
            event.update(type="task.state_changed", state=to)
            if draw.random() < 0.2:
                event.update(error_message=" ".join(draw.choices(text, k=4)))
        elif what < 0.8:
            event.update(type="task.updated", title=" ".join(draw.choices(text, k=3)), role=draw.choice("rst"))
        else:
            event.update(type="task.metric_recorded", name="n", value=number)
        events.append(event)
    return events


#   They publish in turn, so many events each
PRODUCERS = ("questions", "answers")
TURN = 97


class Past:
    """Tasks after the given events, by the rules of section 3."""

    def __init__(self):
        self.tasks = {}
        self.first = {}
        self.owner = None           # Who publishes the event that is taken

    def take(self, position, event):
        kind = event["type"]
        if not kind.startswith("task."):
            return
        key = event["task_id"]
        task = self.tasks.get(key)
        if task is None:
            task = self.tasks[key] = {"task_id": key, "state": "queued", "created_at": event["time"],
                                      "error_count": 0, "attempt": 1, "user_id": event.get("user_id", "default"),
                                      "_stated": False, "_created": False}
        task["updated_at"] = event["time"]
        task["_heard"] = position
        given = {name: value for name, value in event.items() if name in (
            "title", "description", "role", "provider", "model", "parent_id")}
        if kind == "task.created":
            for name, value in given.items():
                task.setdefault(name, value)
            task.update(created_at=event["time"], user_id=event.get("user_id", "default"), _created=True)
            if not task["_stated"]:
                self.move(task, event, event.get("state", "queued"))
        elif kind == "task.updated":
            task.update(given)
            if "state" in event:
                self.move(task, event, event["state"])
        elif kind == "task.state_changed":
            task.update({name: value for name, value in given.items() if name in ("provider", "model")})
            self.move(task, event, event["state"])

    def move(self, task, event, state):
        task["_stated"] = True
        task["producer"] = self.owner
        task["attempt"] += task["state"] in TERMINAL and state == "queued"
        task["state"] = state
        if state == "running":
            task.setdefault("started_at", event["time"])
        task.pop("completed_at", None)
        if state in TERMINAL:
            task["completed_at"] = event["time"]
        if "error_message" in event:
            task["error_count"] += 1
            task["last_error"] = event["error_message"]


class Questions:
    use_redis = False
    path = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.events = cls.read()
        cls.first = {}
        for position, event in enumerate(cls.events, 1):
            cls.first.setdefault(event.get("task_id"), position)
        cls.draw = random.Random(1)
        from client import Clients
        clients = Clients()
        cls.addClassCleanup(clients.close)
        peers = [clients.producer(cls.broker.events, name) for name in PRODUCERS]
        for turn, start in enumerate(range(0, len(cls.events), TURN)):
            peers[turn % len(peers)].publish(*cls.events[start:start + TURN])
        cls.now = cls.past(len(cls.events))
        asker = clients.asker(cls.broker.requests)
        harness.wait_until(lambda: asker.ask({"op": "task.list", "search": "a", "limit": 1}).get("complete", True),
                           "the index of texts")

    @classmethod
    def read(cls):
        return [dict(event, time=stream.microseconds(event["time"]))
                for event in stream.Stream(cls.path).events]

    @classmethod
    def past(cls, position, time=None):
        past = Past()
        for number, event in enumerate(cls.events[:position], 1):
            if time is None or event["time"] <= time:
                past.owner = PRODUCERS[(number - 1) // TURN % len(PRODUCERS)]
                past.take(number, event)
        return past.tasks

    def ids(self, **keys):
        """The rows of all pages."""
        found, cursor = [], None
        while True:
            answer = self.ask("task.list", cursor=cursor, **keys)
            found += [task["task_id"] for task in answer["tasks"]]
            cursor = answer["next"]
            if cursor is None:
                return found

    def in_order(self, tasks, key, way):
        rows = [task for task in tasks if key + "_at" in task]
        rows.sort(key=lambda task: (task[key + "_at"], self.first[task["task_id"]]), reverse=way == "desc")
        return [task["task_id"] for task in rows]

    def moments(self):
        yield {}, self.now
        for number in range(4):
            position = self.draw.randint(1, len(self.events))
            if number % 2:
                yield {"at": position}, self.past(position)
            else:
                time = self.events[position - 1]["time"]
                yield {"at": time}, self.past(len(self.events), time)

    #   -- lists

    def test_every_order_at_every_moment(self):
        for at, tasks in self.moments():
            for key, way in ORDERS:
                got = self.ids(order="%s_%s" % (key, way), limit=self.draw.choice((37, 500, 1000)), **at)
                self.assertEqual(got, self.in_order(tasks.values(), key, way), (at, key, way))

    def test_filters_at_every_moment(self):
        for at, tasks in self.moments():
            for keys, condition in self.filters(tasks):
                wanted = self.in_order([task for task in tasks.values() if condition(task)], "created", "desc")
                self.assertEqual(self.ids(limit=200, **keys, **at), wanted, (keys, at))
                answer = self.ask("task.list", limit=1, total=True, **keys, **at)
                self.assertTrue(answer.get("total_complete", True))
                self.assertEqual(answer["total"], len(wanted), (keys, at))

    def filters(self, tasks):
        some = self.draw.choice(sorted(tasks))
        one = tasks[some]
        times = sorted(task["updated_at"] for task in tasks.values())
        low, high = times[len(times) // 4], times[len(times) * 3 // 4]
        yield {"states": ["running", "failed"]}, lambda task: task["state"] in ("running", "failed")
        yield {"roles": one.get("role", "?")}, lambda task: task.get("role") == one.get("role", "?")
        yield {"providers": ["p", "Nextflow"]}, lambda task: task.get("provider") in ("p", "Nextflow")
        yield {"user_id": "ann"}, lambda task: task["user_id"] == "ann"
        yield {"parent_id": "gen-000-x"}, lambda task: task.get("parent_id") == "gen-000-x"
        yield {"has_error": True}, lambda task: task["error_count"] > 0
        yield {"has_error": False, "states": "passed"}, lambda task: (
            task["error_count"] == 0 and task["state"] == "passed")
        for name in PRODUCERS:
            yield {"producers": name}, lambda task, name=name: task.get("producer") == name
        yield {"producers": [PRODUCERS[0], "nobody"], "states": "running"}, lambda task: (
            task.get("producer") == PRODUCERS[0] and task["state"] == "running")
        yield {"producers": "nobody"}, lambda task: False
        yield {"interrupted": True}, lambda task: False
        yield {"interrupted": False, "states": "failed"}, lambda task: task["state"] == "failed"
        yield {"updated_from": low, "updated_to": high}, lambda task: low <= task["updated_at"] <= high
        yield {"completed_from": low}, lambda task: task.get("completed_at", 0) >= low
        yield {"created_to": high, "completed_to": high}, lambda task: (
            task["created_at"] <= high and task.get("completed_at", high + 1) <= high)

    def test_unknown_past_is_said(self):
        first = min(event["time"] for event in self.events if event["type"].startswith("task."))
        self.refused("task.list", at=first - 1)
        self.refused("task.list", at=len(self.events) + 1)

    #   -- search

    def texts(self, tasks):
        return {key: [words(task[name]) for name in ("title", "description", "last_error") if name in task]
                for key, task in tasks.items()}

    def searches(self, texts):
        yield from HOSTILE
        keys = sorted(texts)
        for _ in range(40):
            key = self.draw.choice(keys)
            text = max(texts[key], key=len, default=[])
            start = self.draw.randrange(len(text) + 1)
            few = [word for word, _ in text[start:start + self.draw.randint(1, 4)]]
            yield " ".join(few)
            yield "".join(few)
            yield '"%s"' % " ".join(few)
            if few:
                yield few[0][:self.draw.randint(1, 6)] + self.draw.choice(("", "*"))
                yield " ".join(word[:4] for word in few[::-1])
            cut = self.draw.randrange(len(key))
            yield key[cut:cut + self.draw.randint(3, 12)]
        for _ in range(40):
            yield "".join(self.draw.choices('ab"*-()^:{}\'\\ \0éñΩ中\U0001f600+~%_.', k=self.draw.randint(1, 12)))

    def test_search_finds_what_it_says(self):
        texts = self.texts(self.now)
        for search in self.searches(texts):
            if not search.strip(" \t\r\n"):
                continue
            wanted = self.in_order([task for key, task in self.now.items()
                                    if matches(search, task, texts[key])], "created", "desc")
            self.assertEqual(self.ids(search=search, limit=1000), wanted, repr(search))

    def test_search_with_filters_orders_and_pages(self):
        texts = self.texts(self.now)
        for search in ("error", "a", "test", "build file", self.draw.choice(sorted(texts))[2:8]):
            for key, way in ORDERS:
                wanted = self.in_order([task for name, task in self.now.items()
                                        if task["state"] == "passed" and matches(search, task, texts[name])], key, way)
                got = self.ids(search=search, states="passed", order="%s_%s" % (key, way), limit=17)
                self.assertEqual(got, wanted, (search, key, way))
            answer = self.ask("task.list", search=search, total=True, limit=1)
            if answer.get("total_complete", True):
                self.assertEqual(answer["total"], sum(matches(search, task, texts[name])
                                                      for name, task in self.now.items()))

    def test_contains_finds_parts_of_words(self):
        lower = lambda text: "".join(chr(ord(char) + 32) if "A" <= char <= "Z" else char for char in text)
        moments = [({}, self.now)] + list(self.moments())[:2]
        for at, tasks in moments:
            for part in ("uild", "UILD D", "é", "É", "错误", "%", "_", "x", "ection ref", "no such text"):
                wanted = self.in_order([task for task in tasks.values() if any(
                    lower(part) in lower(task.get(key, "")) for key in ("title", "description"))], "created", "desc")
                self.assertEqual(self.ids(contains=part, limit=17 if part == "uild" else 1000, **at), wanted, (part, at))
                if not at:
                    for key, way in ORDERS:
                        passed = [task for name, task in tasks.items() if task["state"] == "passed" and name in wanted]
                        self.assertEqual(self.ids(contains=part, states="passed", order="%s_%s" % (key, way), limit=1000),
                                         self.in_order(passed, key, way))
                    answer = self.ask("task.list", contains=part, total=True, limit=1)
                    if answer.get("total_complete", True):
                        self.assertEqual(answer["total"], len(wanted))
        both = self.ids(contains="uild", search="file", limit=1000)
        self.assertEqual(both, [key for key in self.ids(search="file", limit=1000) if key in self.ids(contains="uild", limit=1000)])
        self.assertEqual(self.ids(contains="", limit=1000), self.ids(limit=1000))
        self.assertEqual(self.refused("task.list", contains="x" * 1025)["field"], "contains")

    def test_search_of_the_past(self):
        for at, tasks in list(self.moments())[:3]:
            texts = self.texts(tasks)
            for search in ("error", "timeout", "build", "refused connection"):
                wanted = self.in_order([task for name, task in tasks.items()
                                        if matches(search, task, texts[name])], "created", "desc")
                self.assertEqual(self.ids(search=search, limit=1000, **at), wanted, (search, at))

    #   -- statistics

    @staticmethod
    def spread(values):
        values = sorted(values)
        if not values:
            return {"count": 0}

        def rank(percent):
            return values[-(-len(values) * percent // 100) - 1]
        return {"count": len(values), "p50": rank(50), "p90": rank(90), "p99": rank(99), "max": values[-1]}

    def ranges(self):
        times = sorted(event["time"] for event in self.events)
        yield 0, 1 << 62
        for _ in range(4):
            yield tuple(sorted(self.draw.sample(times, 2)))
        yield times[len(times) // 2], times[len(times) // 2 + 20]

    def report(self, by, low, high):
        groups = {}

        def group(task, time):
            key = task.get(by)
            if by in ("hour", "day"):
                span = 3600000000 if by == "hour" else 86400000000
                key = time // span * span
            return groups.setdefault(key, {"tasks": 0, "created": 0, "completed": 0, "failed": 0,
                                           "queue": [], "run": []})
        for task in self.now.values():
            if by not in ("hour", "day"):
                group(task, None)["tasks"] += 1
            if low <= task["created_at"] <= high:
                group(task, task["created_at"])["created"] += 1
            if low <= task.get("started_at", -1) <= high:
                group(task, task["started_at"])["queue"].append(task["started_at"] - task["created_at"])
            if low <= task.get("completed_at", -1) <= high:
                one = group(task, task["completed_at"])
                one["completed"] += 1
                one["failed"] += task["state"] in ("failed", "error", "timeout")
                if "started_at" in task:
                    one["run"].append(task["completed_at"] - task["started_at"])
        for one in groups.values():
            one["queue_us"], one["run_us"] = self.spread(one.pop("queue")), self.spread(one.pop("run"))
            if by in ("hour", "day"):
                del one["tasks"]
        return groups

    def ask_range(self, low, high, **keys):
        if low:
            keys.update({"from": low, "to": high})
        return self.ask("stats.tasks", limit=1000, **keys)

    def test_statistics_of_ranges(self):
        for low, high in self.ranges():
            for by in ("state", "role", "provider", "model", "hour", "day"):
                answer = self.ask_range(low, high, group_by=by)
                got = {group.pop(by): group for group in answer["groups"]}
                wanted = self.report(by, low, high)
                self.assertEqual(len(wanted), len(got) + answer["left_out"])
                self.assertEqual(got, {key: wanted[key] for key in got}, (by, low, high))
                runs = sorted((task["completed_at"] - task["started_at"] for task in self.now.values()
                               if "started_at" in task and low <= task.get("completed_at", -1) <= high),
                              reverse=True)[:10]
                self.assertEqual([task["completed_at"] - task["started_at"] for task in answer["slowest"]], runs)

    def test_failures_by_error(self):
        for low, high in self.ranges():
            errors = {}
            for task in self.now.values():
                if task["state"] in ("failed", "error", "timeout") and low <= task["completed_at"] <= high:
                    errors.setdefault(task.get("last_error"), []).append(task["completed_at"])
            answer = self.ask_range(low, high, group_by="error")
            self.assertEqual({group["error"]: (group["failed"], group["last"]) for group in answer["groups"]},
                             {error: (len(times), max(times)) for error, times in errors.items()})

    def test_stuck(self):
        #   By when the broker heard: in the order of the last events about them, whatever their times
        wanted = sorted((task for task in self.now.values() if task["state"] == "running"),
                        key=lambda task: task["_heard"])
        got, cursor = [], None
        while True:
            answer = self.ask("task.stuck", silent_s=0, limit=70, cursor=cursor, total=True)
            self.assertEqual(answer["total"], len(wanted))
            got += answer["tasks"]
            cursor = answer["next"]
            self.assertEqual({row["producer"] for row in answer["tasks"]},
                             {owner["producer"] for owner in answer["producers"]})
            if cursor is None:
                break
        self.assertEqual([(row["task_id"], row["producer"]) for row in got],
                         [(task["task_id"], task["producer"]) for task in wanted])
        heard = [row["heard_at"] for row in got]
        self.assertEqual(heard, sorted(heard))
        self.assertEqual(self.ask("task.stuck", silent_s=10 ** 9)["tasks"], [])

    #   -- sessions

    def commands(self):
        return [(position, event) for position, event in enumerate(self.events, 1)
                if event["type"] == "session.command_executed"]

    def test_failed_commands(self):
        wanted = [position for position, event in self.commands() if event.get("exit_code", 0)][::-1]
        got, cursor = [], None
        while True:
            answer = self.ask("command.list", failed=True, limit=300, cursor=cursor)
            got += [command["id"] for command in answer["commands"]]
            cursor = answer["next"]
            if cursor is None:
                break
        self.assertEqual(got, wanted)

    def test_parts_of_outputs(self):
        for position, event in self.draw.sample(self.commands(), min(20, len(self.commands()))):
            answer = self.ask("session.commands", session_id=event["session_id"], output_offset=7, output_length=50,
                              limit=1, cursor=position - 1)
            self.assertEqual(answer["commands"][0]["id"], position)
            if "output" not in event:
                self.assertEqual(answer["output_sizes"], [None])
                continue
            raw = event["output"].encode()
            self.assertEqual(answer["output_sizes"], [len(raw)])
            #   Characters that start in the part
            part = b"".join(char.encode() for start, char in self.characters(event["output"]) if 7 <= start < 57)
            self.assertEqual(answer["commands"][0]["output"].encode(), part)

    @staticmethod
    def characters(text):
        at = 0
        for char in text:
            yield at, char
            at += len(char.encode())

    def test_times_of_sessions(self):
        sessions = {}
        for event in self.events:
            if not event["type"].startswith("session."):
                continue
            one = sessions.setdefault(event["session_id"], {"states": [], "commands": 0, "failed": 0, "ms": 0,
                                                            "start": event["time"]})
            one["last"] = event["time"]
            if event["type"] == "session.command_executed":
                one["commands"] += 1
                one["failed"] += event.get("exit_code", 0) != 0
                one["ms"] += event.get("execution_time_ms", 0)
            else:
                one["states"].append((event["time"], event.get("state", "initializing")))
        for key in self.draw.sample(sorted(sessions), min(20, len(sessions))):
            one = sessions[key]
            time, = self.ask("session.times", session_id=key)["times"]
            self.assertEqual((time["commands"], time["failed"]), (one["commands"], one["failed"]))
            self.assertAlmostEqual(time["execution_time_ms"], one["ms"], delta=1)
            ended = one["states"][-1][1] in ("completed", "error", "terminated")
            end = one["states"][-1][0] if ended else one["last"]
            self.assertEqual(time["wall_us"], end - one["start"])
            states = {}
            stops = [stop for stop, _ in one["states"][1:]] + [end]
            for (start, state), stop in zip(one["states"], stops):
                states[state] = states.get(state, 0) + stop - start
            self.assertEqual(time["by_state"], {state: span for state, span in states.items() if span})


class Generated(Questions, harness.BrokerTest):
    @classmethod
    def read(cls):
        return generated(4, 6000)


def load_tests(loader, tests, pattern):
    for path in sorted(glob.glob(os.path.join(harness.DATA, "*.jsonl.zst"))) if harness.DATA else []:
        name = re.sub(r"\W", "_", os.path.basename(path).split(".")[0]).title()
        case = type(name, (Questions, harness.BrokerTest), {"path": path})
        tests.addTests(loader.loadTestsFromTestCase(case))
    return tests


if __name__ == "__main__":
    harness.main()
