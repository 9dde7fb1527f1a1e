# events - the events of one producer: every type, every field, every outcome
#
# A Story is a pure function of its seed. Every event carries the key "uid"
# (producer/run/sequence), which the protocol does not define and therefore keeps.
# The judge identifies events by it.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import random
import uuid

#   Expected outcomes of an event
STORED, REFUSED, SAME = "stored", "refused", "same"
EITHER = "either"       # Refused, and possibly stored by a later retry

ACTIVE = ("queued", "starting", "running", "paused", "completing")
TERMINAL = ("passed", "failed", "error", "cancelled", "timeout")
SESSION = ("starting", "running", "waiting_input", "processing")
OPEN_TASKS = 6
EPOCH_US = 1764547200000000

TEXTS = ("plain", "Grüße aus dem Süden", "日本語", "emoji \U0001f9ea", "quote \" back \\ tab \t", "", "x" * 300)


class Story:
    def __init__(self, seed, name, run):
        self.random = random.Random(seed)
        self.name, self.run = name, run
        self.tasks = []                 # Open ones: [id, state]
        self.finished = []              # Some terminal ones: (id, creation)
        self.creations = {}
        self.sessions = []
        self.count = 0

    def next(self, sequence):
        """outcome, event"""
        chance = self.random.random()
        outcome = STORED
        if len(self.tasks) < 2 or (chance < 0.15 and len(self.tasks) < OPEN_TASKS):
            event = self._created()
        elif chance < 0.45:
            event = self._changed()
        elif chance < 0.65:
            event = self._output()
        elif chance < 0.80:
            event = self._metric()
        elif chance < 0.85:
            event = self._updated()
        elif chance < 0.93:
            event = self._session()
        elif chance < 0.96:
            event = self._preference()
        else:
            outcome, event = self._odd()
        if outcome != SAME:
            event["uid"] = "%s/%d/%d" % (self.name, self.run, sequence)
            if self.random.random() < 0.8:
                event["time"] = EPOCH_US + sequence * 1000 + self.random.randrange(1000)
        return outcome, event

    def _pick(self, values):
        return values[self.random.randrange(len(values))]

    def _maybe(self, event, name, value, chance=0.3):
        if self.random.random() < chance:
            event[name] = value() if callable(value) else value

    def _map(self):
        return {"n": self.random.randrange(1 << 40), "f": self.random.random(),
                "list": [1, True, None, self._pick(TEXTS)], "deep": {"a": {"b": self._pick(TEXTS)}}}

    def _new_id(self, what):
        self.count += 1
        if self.random.random() < 0.5:
            return str(uuid.UUID(int=self.random.getrandbits(128)))
        return "%s-%s-%d-%d" % (what, self.name, self.run, self.count)

    def _created(self):
        task = self._new_id("t")
        state = "queued" if self.random.random() < 0.7 else self._pick(ACTIVE)
        event = {"type": "task.created", "task_id": task, "title": self._pick(TEXTS),
                 "description": "What is to be done: " + self._pick(TEXTS),
                 "role": self._pick(("coder", "tester", "reviewer"))}
        if state != "queued" or self.random.random() < 0.3:
            event["state"] = state
        for name in ("provider", "model", "branch", "worktree_path", "base_branch", "commit_hash",
                     "target_dir", "provider_override", "repository_url"):
            self._maybe(event, name, lambda: name + "-" + str(self.random.randrange(5)))
        self._maybe(event, "full_access", lambda: self.random.random() < 0.5)
        self._maybe(event, "acceptance_criteria", self._map)
        self._maybe(event, "metadata", self._map)
        if self.tasks:
            self._maybe(event, "parent_id", self._pick(self.tasks)[0])
        self.tasks.append([task, state])
        self.creations[task] = event            # With the uid that it will have
        return event

    def _changed(self):
        task = self._pick(self.tasks)
        state = self._pick(TERMINAL) if self.random.random() < 0.35 else self._pick(ACTIVE)
        event = {"type": "task.state_changed", "task_id": task[0], "state": state}
        if state in ("failed", "error", "timeout"):
            self._maybe(event, "error_message", "it went wrong: " + self._pick(TEXTS), 0.8)
        self._maybe(event, "provider", "provider-7")
        self._maybe(event, "details", self._map)
        task[1] = state
        if state in TERMINAL:
            self.tasks.remove(task)
            self.finished.append(task[0])
            if len(self.finished) > 8:
                self.creations.pop(self.finished.pop(0), None)
        return event

    def _output(self):
        size = self._pick((0, 10, 100, 400, 600, 3000))
        if self.random.random() < 0.01:
            size = 70000                        # Too large for the feed
        if self.random.random() < 0.2:
            content = self.random.randbytes(min(size, 600))
        else:
            content = ("%d bottles of beer, " % self.random.randrange(1000) * (size // 16 + 1))[:size]
        event = {"type": "task.output_added", "task_id": self._pick(self.tasks)[0],
                 "output_type": self._pick(("stdout", "stderr", "log", "artifact", "commit", "diagnostic")),
                 "content": content}
        self._maybe(event, "file_path", "out/" + self._pick(TEXTS[:4]))
        self._maybe(event, "file_size", lambda: self.random.randrange(1 << 62))
        self._maybe(event, "mime_type", "text/plain")
        self._maybe(event, "branch", "topic", 0.1)
        self._maybe(event, "commit_hash", lambda: self.random.randbytes(20).hex(), 0.2)
        return event

    def _metric(self):
        value = self._pick((lambda: self.random.randrange(-1 << 62, 1 << 62), self.random.random,
                            lambda: self.random.randrange(100), lambda: 1e300 * self.random.random()))()
        event = {"type": "task.metric_recorded", "task_id": self._pick(self.tasks)[0],
                 "name": self._pick(("cost", "tokens", "seconds")), "value": value}
        self._maybe(event, "unit", "USD")
        if self.random.random() < 0.1:
            event["task_id"] = "shared-%d" % self.random.randrange(3)   # No event creates this task
        return event

    def _updated(self):
        event = {"type": "task.updated", "task_id": self._pick(self.tasks)[0],
                 "title": self._pick(TEXTS)}
        self._maybe(event, "branch", "b-%d" % self.random.randrange(100))
        self._maybe(event, "metadata", self._map)
        self._maybe(event, "model", "model-9")
        return event

    def _session(self):
        if not self.sessions or self.random.random() < 0.2:
            session = self._new_id("s")
            event = {"type": "session.started", "session_id": session, "cli_tool": "bash",
                     "mode": "interactive", "current_directory": "/src/" + self._pick(TEXTS[:4])}
            self._maybe(event, "pid", lambda: self.random.randrange(1 << 22))
            self._maybe(event, "authentication_required", True)
            self._maybe(event, "state", "starting")
            self.sessions = [session] + self.sessions[:2]
            return event
        session = self._pick(self.sessions)
        if self.random.random() < 0.3:
            return {"type": "session.state_changed", "session_id": session, "state": self._pick(SESSION)}
        event = {"type": "session.command_executed", "session_id": session,
                 "command": "make " + self._pick(TEXTS)}
        self._maybe(event, "output", lambda: "line\n" * self.random.randrange(300), 0.6)
        self._maybe(event, "exit_code", lambda: self.random.randrange(-1, 3), 0.6)
        self._maybe(event, "execution_time_ms", self.random.random, 0.4)
        return event

    def _preference(self):
        event = {"type": "preference.set", "user_id": "user-" + self.name,
                 "preferred_model": "model-%d" % self.random.randrange(9)}
        self._maybe(event, "full_access_preferred", lambda: self.random.random() < 0.5)
        self._maybe(event, "role_preferences", self._map)
        return event

    def _odd(self):
        """Events that are refused permanently, or repeat what is stored."""
        which = self.random.randrange(4)
        if which == 0:
            return REFUSED, {"type": "task.state_changed", "task_id": self._pick(self.tasks)[0],
                             "state": "levitating"}
        if which == 1:
            return REFUSED, {"type": "no.such", "task_id": "x"}
        if which == 2 and self.finished:
            return REFUSED, {"type": "task.state_changed", "task_id": self._pick(self.finished),
                             "state": "paused"}
        if self.creations:
            return SAME, dict(self._pick(list(self.creations.values())))
        return REFUSED, {"type": "task.output_added", "task_id": "x", "output_type": "stdout"}
