"""Record the tasks of Celery: call install() in the module of the app, which clients and workers import.

    from stele_client.adapters import celery as stele_celery
    stele_celery.install()

| Celery | task of Stele, whose ID is that of Celery |
|---|---|
| apply_async, delay | created; parent_id is the task that called it |
| a worker starts it | running |
| success | passed |
| an exception | failed, with the traceback in the details; timeout at the soft time limit |
| retry | failed, then queued: the next attempt |
| revoked, terminated | cancelled; timeout if it had expired |
| the process of the pool dies | failed: WorkerLostError |
| the worker dies | interrupted by the broker, after the lease; so is a task that exceeds its hard time limit |

In a task, stele_client.current_task() is its TaskRun: output(), metric(). Pools: prefork, solo and threads.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import signal
import sys
from typing import Any, Dict, List, Optional, Set, Tuple

from celery import signals
from celery.app.task import Task
from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.saferepr import saferepr

from .. import default
from ..dialog import log
from ..errors import SteleError
from ..events import task_created, task_state_changed
from ..tasks import DESCRIPTION_BYTES, TITLE_BYTES, TaskRun, cut, describe, tail

_settings: Dict[str, Any] = {}
_running: Dict[str, List[TaskRun]] = {}     # Of this process, by ID; more than one if it retries without a worker
_published: Set[str] = set()                # IDs of tasks of this process whose retry was published


def install(*, role: str = "celery", arguments: bool = True, wait: float = 5.0, **options: Any) -> None:
    """Connect the signals of Celery, once per process.

    role: of the tasks. arguments: whether descriptions contain the arguments, as Celery's log does.
    wait: seconds to wait for the acks at the end of a task. options: of the publisher of each process, as for
    stele_client.connect(); each has a name of its own, which begins with 'producer' if that is given.
    """
    _settings.update(role=role, arguments=arguments, wait=wait)
    default.prepare(**options)
    for name, receiver in (("before_task_publish", _before_publish), ("after_task_publish", _on_publish), ("task_prerun", _on_start), ("task_success", _on_success),
                           ("task_failure", _on_failure), ("task_retry", _on_retry), ("task_postrun", _on_end),
                           ("task_revoked", _on_revoked), ("worker_process_shutdown", _on_shutdown),
                           ("worker_shutdown", _on_shutdown)):
        getattr(signals, name).connect(receiver, weak=False, dispatch_uid="stele-" + name)


def _fields(name: str, about: Any) -> Dict[str, Any]:
    """Fields of the task: the same from the client and from the worker, so that one of both is a duplicate"""
    args, kwargs = about("argsrepr") or "()", about("kwargsrepr") or "{}"
    description = "%s%s%s" % (name, args, "" if kwargs == "{}" else " " + kwargs) if _settings["arguments"] else name
    metadata = {key: about(key) for key in ("root_id", "group") if about(key)}
    return {"title": cut(about("shadow") or name, TITLE_BYTES), "description": cut(description, DESCRIPTION_BYTES),
            "role": _settings["role"], "parent_id": about("parent_id"), "metadata": metadata or None}


def _of_request(request: Any, name: str) -> Dict[str, Any]:
    def about(key: str) -> Any:
        value = getattr(request, key, None)
        if value is None and key in ("argsrepr", "kwargsrepr"):      # A task that is called without a broker
            return saferepr(getattr(request, key[:-4], None) or ((), {})[key == "kwargsrepr"])
        return value

    return _fields(name, about)


def _send(*events: Dict[str, Any]) -> None:
    try:
        for event in events:
            default.default_publisher().send(event, _settings["wait"])
    except SteleError as error:
        log.error("%s of Celery task %s is lost: %s", events[-1]["type"], events[-1]["task_id"], error)


def _current(task_id: str) -> Optional[TaskRun]:
    return _running[task_id][-1] if task_id in _running else None


def _cause_of_retry() -> Optional[BaseException]:
    """The exception that Task.retry() was given, from its frame: the signal task_retry comes too late"""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is Task.retry.__code__ and frame.f_locals.get("exc") is not None:
            error: BaseException = frame.f_locals["exc"]
            return error
    return sys.exc_info()[1]


def _before_publish(headers: Any = None, **more: Any) -> None:
    """Record the end of an attempt before another worker can see the next one"""
    run = _current(headers["id"]) if headers and headers.get("id") and headers.get("retries") else None
    if run:
        state, message, details = _reason(_cause_of_retry(), None)
        run.end(state, message, dict(details, retries=headers["retries"] - 1))
        run.state("queued")
        run.wait()
        _published.add(run.id)


def _on_publish(sender: Any = None, headers: Any = None, **more: Any) -> None:
    if headers and headers.get("id") and not headers.get("retries"):
        _send(task_created(headers["id"], **_fields(headers["task"], headers.get)))


def _on_start(task_id: str, task: Any, **more: Any) -> None:
    request = task.request
    fields = _of_request(request, task.name)
    run = TaskRun(task_id, fields.pop("title"), fields.pop("description"), parent=fields.pop("parent_id") or "",
                  wait=_settings["wait"], **fields)
    before = _running.setdefault(task_id, [])
    if before:
        before[-1].end("failed", "Retry")
    before.append(run)
    run.enter(again=len(before) > 1 or bool((request.delivery_info or {}).get("redelivered")))


def _on_success(sender: Any, **more: Any) -> None:
    run = _current(sender.request.id)
    if run:
        run.end("passed")


def _reason(error: Optional[BaseException], einfo: Any) -> Tuple[str, Optional[str], Dict[str, Any]]:
    if error is None:
        return "failed", "Retry", {}
    state, message, details = describe(error)
    if isinstance(error, SoftTimeLimitExceeded):
        state = "timeout"
    if einfo is not None:
        details = {"exception": type(error).__name__, "traceback": tail(str(einfo.traceback))}
    return state if state == "timeout" else "failed", message, details or {}


def _end(task_id: str, state: str, message: Optional[str], details: Optional[Dict[str, Any]]) -> None:
    run = _current(task_id)
    if run and task_id not in _published:
        run.end(state, message, details)
    else:                                   # Of a process that died, or the retry could not be published
        _send(task_state_changed(task_id, state, error_message=message, details=details or None))


def _on_failure(task_id: str, exception: BaseException, einfo: Any = None, **more: Any) -> None:
    _end(task_id, *_reason(exception, einfo))


def _on_retry(sender: Any, request: Any, reason: Any = None, einfo: Any = None, **more: Any) -> None:
    """The main process of the worker gives up a task; other retries are recorded already"""
    if not _current(request.id):
        _end(request.id, *_reason(getattr(reason, "exc", None), einfo))
        _send(task_state_changed(request.id, "queued"))


def _on_end(task_id: str, state: Any = None, **more: Any) -> None:
    _published.discard(task_id)
    run = _current(task_id)
    if run:
        _running[task_id].pop()
        if not _running[task_id]:
            del _running[task_id]
        run.leave()
        run.end("cancelled", "the task ended by %s" % str(state or "Ignore").capitalize())  # Neither success nor failure
        run.wait()


def _on_revoked(sender: Any, request: Any, terminated: bool = False, signum: Any = None, expired: bool = False,
                **more: Any) -> None:
    message = "expired" if expired else "terminated" if terminated else "revoked"
    if terminated and signum:
        message += " by %s" % (signal.Signals(signum).name if isinstance(signum, int) else signum)
    _send(task_created(request.id, **_of_request(request, sender.name)),
          task_state_changed(request.id, "timeout" if expired else "cancelled", error_message=message))


def _on_shutdown(**more: Any) -> None:
    default.disconnect()
