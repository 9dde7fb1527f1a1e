"""Client of Stele, the durable record of tasks.

    import stele_client as stele

    with stele.Publisher("build-farm") as publisher:
        publisher.publish(
            stele.task_created("build-7", "Build the kernel", "make -j8", role="builder"),
            stele.task_state_changed("build-7", "running"))     # Returns when both are durable

    with stele.Client() as client:
        print(client.task("build-7")["state"])

    for event in stele.follow(after=0):
        print(event["position"], event["type"])

stele_client.aio has the same classes for asyncio. doc/PROTOCOL.md of Stele documents the
fields of each event and the parameters of each request.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from .client import Client
from .default import connect, default_publisher, disconnect
from .dialog import Receipt
from .errors import (BrokerError, BrokerTimeout, Closed, Fenced, Forked, InvalidEndpoint, InvalidEvent, InvalidKey,
                     LedgerBehind, NotFound, PermissionDenied, Refused, RequestFailed,
                     SpoolError, SteleError, Unavailable)
from .events import (Event, preference_set, session_command_executed, session_started,
                     session_state_changed, task_created, task_metric_recorded,
                     task_output_added, task_state_changed, task_updated)
from .follower import Follower, follow
from .keys import Key
from .publisher import Publisher
from .records import (AuditEvent, Change, Command, Metric, Output, Preferences, Record, Rejected, Session, StoredEvent,
                      Task)
from .redact import Redactor
from .tasks import TaskRun, current_task, task

__version__ = "0.2.0"

__all__ = [
    "AuditEvent", "BrokerError", "BrokerTimeout", "Change", "Client", "Closed", "Command", "Event", "Fenced",
    "Follower", "Forked", "InvalidEndpoint", "InvalidEvent", "InvalidKey", "Key", "LedgerBehind", "Metric",
    "NotFound", "Output", "PermissionDenied", "Preferences", "Publisher", "Receipt", "Record", "Redactor", "Refused",
    "Rejected", "RequestFailed", "Session", "SpoolError", "SteleError", "StoredEvent", "Task", "TaskRun",
    "Unavailable", "connect", "current_task", "default_publisher", "disconnect", "follow", "preference_set",
    "session_command_executed", "session_started", "session_state_changed", "task", "task_created",
    "task_metric_recorded", "task_output_added", "task_state_changed", "task_updated",
]
