#!/usr/bin/env python3
# An orchestrator that continues where its previous run has died.
#
#   ./resume.py [SECONDS]          of work per task (default 1); the broker's addresses come from
#                                  STELE_EVENTS and STELE_REQUESTS
#
# Kill it (kill -9, Ctrl-C, a power cut) and start it again: tasks that have ended are not run
# again, the one that was interrupted is, and no task is lost or created twice.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import stele_client as stele

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
TASKS = ["resume-%d" % number for number in range(1, 4)]


def work(task_id):
    """The work of a task; here it only takes time."""
    time.sleep(SECONDS)


def run(publisher, task_id):
    publisher.publish(stele.task_state_changed(task_id, "running"))
    print("running %s" % task_id, flush=True)
    work(task_id)
    publisher.publish(stele.task_state_changed(task_id, "passed"))
    print("passed %s" % task_id, flush=True)


# The producer is the permanent name of this program; each run is another instance of it.
with stele.Publisher("resume.py") as publisher, stele.Client() as client:
    # 1. Wait for the welcome. The tasks that the dead run left in progress are interrupted now;
    #    before it, a query may still find them running.
    publisher.ready()

    # 2. Create the tasks. A task that exists with the same fields is a duplicate, so a run that
    #    died while it created them is repeated safely.
    publisher.publish(*[stele.task_created(task_id, "Part of a whole", "Sleep for a while", role="resume")
                        for task_id in TASKS])

    # 3. Look at each: what the broker interrupted is queued again, what failed by itself is not.
    for task_id in TASKS:
        task = client.task(task_id)
        if task.get("interrupted"):
            print("resuming %s: %s" % (task_id, task["last_error"]), flush=True)
            publisher.publish(stele.task_state_changed(task_id, "queued"))
        elif task["state"] != "queued":
            print("%s is %s already" % (task_id, task["state"]), flush=True)
            continue
        run(publisher, task_id)
