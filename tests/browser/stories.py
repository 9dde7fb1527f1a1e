# stories - what the tests of the dashboard publish: a day of tasks, hostile texts, very many tasks
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import datetime
import itertools
import json
import os
import random

import browser
import client
import harness

START = datetime.datetime(2026, 3, 8, 5, 30, tzinfo=datetime.timezone.utc)     # In the night when St. John's changes its clocks
ERRORS = ["a comma in a product name splits the field (row %d)", "connection to 10.0.0.%d refused", "exit status %d"]


def sample():
    """The events of examples/sample.jsonl"""
    with open(os.path.join(harness.SRC, "examples", "sample.jsonl")) as file:
        return [json.loads(line) for line in file]


def moment(seconds):
    return (START + datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def day(count, seed=1, prefix="job"):
    """Events of that many tasks over a day, four to seven each: some fail, some still run"""
    random_ = random.Random(seed)
    for number in range(count):
        task, begun = "%s-%06d" % (prefix, number), number * 86400.0 / count
        role, model = random_.choice(["builder", "tester", "reviewer"]), random_.choice(["acme-small", "acme-large"])
        yield {"type": "task.created", "task_id": task, "title": "Job %d of the %s" % (number, role), "time": moment(begun),
               "description": "", "role": role, "provider": "acme", "model": model}
        yield {"type": "task.state_changed", "task_id": task, "state": "running", "time": moment(begun + 1)}
        yield {"type": "task.metric_recorded", "task_id": task, "name": "tokens", "value": random_.randrange(10000),
               "time": moment(begun + 2)}
        end = random_.random()
        if end < 0.1:
            yield {"type": "task.state_changed", "task_id": task, "state": "failed", "time": moment(begun + 30),
                   "error_message": random_.choice(ERRORS) % random_.randrange(200)}
        elif end < 0.98:
            yield {"type": "task.state_changed", "task_id": task, "state": "passed", "time": moment(begun + 20)}


def sessions():
    """Two sessions with commands, one of which failed"""
    yield {"type": "session.started", "session_id": "shell-1", "cli_tool": "bash", "mode": "cli", "current_directory": "/srv"}
    for number in range(3):
        yield {"type": "session.command_executed", "session_id": "shell-1", "command": "make check-%d" % number,
               "output": "\x1b[32mok\x1b[0m %d\n" % number, "exit_code": number % 2, "execution_time_ms": 1500}
    yield {"type": "session.started", "session_id": "shell-2", "cli_tool": "psql", "mode": "cli", "current_directory": "/"}
    yield {"type": "session.state_changed", "session_id": "shell-2", "state": "terminated"}


def hostile_ids(number):
    """Of the task and the session with that one of browser.HOSTILE"""
    text = browser.HOSTILE[number].replace("\x00", "")         # No id has a NUL
    return "task %d %s" % (number, text), "session %d %s" % (number, text)


def hostile():
    """The texts of browser.HOSTILE and a line of a megabyte in every field that takes a text"""
    line = "<img src=x onerror=injected('long')>" + "x" * 1000000
    yield {"type": "preference.set", "user_id": "hostile", "preferred_model": browser.HOSTILE[0]}
    for number, text in enumerate(browser.HOSTILE):
        task, session = hostile_ids(number)
        yield {"type": "task.created", "task_id": task, "title": text, "description": text, "role": text, "provider": text,
               "model": text, "branch": text, "base_branch": text, "repository_url": text, "target_dir": text,
               "worktree_path": text, "user_id": text, "metadata": {text: [text, {text: text}]},
               "acceptance_criteria": {text: text}}
        yield {"type": "task.state_changed", "task_id": task, "state": "running", "details": {text: text}}
        yield {"type": "task.output_added", "task_id": task, "output_type": "log", "content": text, "file_path": text,
               "mime_type": text, "commit_hash": text, "branch": text}
        yield {"type": "task.metric_recorded", "task_id": task, "name": text, "value": 1, "unit": text}
        yield {"type": "session.started", "session_id": session, "cli_tool": text, "mode": "cli", "current_directory": text,
               "task_id": task, "metadata": {text: text}}
        yield {"type": "session.command_executed", "session_id": session, "command": text, "output": text, "exit_code": 1}
        yield {"type": "task.state_changed", "task_id": task, "state": "failed", "error_message": text, "details": {text: text}}
    yield {"type": "task.created", "task_id": "long", "title": "long", "description": line, "role": "long"}
    yield {"type": "task.output_added", "task_id": "long", "output_type": "log", "content": line}
    yield {"type": "task.state_changed", "task_id": "long", "state": "running"}
    yield {"type": "task.created", "task_id": "refused " + browser.HOSTILE[0]}      # Lacks a title: is refused


def refused():
    """Events that break a rule each"""
    return [{"type": "task.created", "task_id": "refused"}, {"type": "nonsense", "x": 1},
            {"type": "task.state_changed", "task_id": "csv-export", "state": "nonsense"}]


def publish(broker, events, producer="story", chunk=1000):
    """Publish the events; returns the position of the last one, and how many were refused."""
    events, refused, clients = iter(events), 0, client.Clients()
    try:
        peer = clients.asker(broker.requests)
        while True:
            part = list(itertools.islice(events, chunk))
            if not part:
                return position, refused
            answer = peer.ask({"op": "publish", "producer": producer, "events": part})
            assert answer["ok"], answer
            position, refused = answer["position"], refused + len(answer["rejected"])
    finally:
        clients.close()


def usual(broker):
    """A bit of everything"""
    for producer, events in (("sample", sample()), ("shell", sessions()), ("night", day(200)), ("broken", refused())):
        publish(broker, events, producer)
