"""Calls in a pool of concurrent.futures as tasks.

    with TaskExecutor(ThreadPoolExecutor(), role="builder") as pool:
        pool.submit(build, "kernel")
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any, Callable, Dict, Mapping, Tuple

from .. import default
from ..tasks import TaskRun, current_task

PASSED_ON = ("endpoint", "requests", "key", "lease_ms")     # Options of the publisher that a new process gets


class TaskExecutor(Executor):
    """An executor whose calls are tasks: queued by submit, running in the thread or process of the pool, then passed,
    failed (with the traceback), or cancelled. The parent is the current task of the caller of submit.

    executor: a ThreadPoolExecutor or a ProcessPoolExecutor; shutdown() ends it.
    options: of every task, as for task(): role, model, metadata ...
    """

    def __init__(self, executor: Executor, **options: Any) -> None:
        self._executor, self._options = executor, options

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        around = current_task()
        options: Dict[str, Any] = {"title": getattr(function, "__qualname__", None) or repr(function),
                                   "parent": around.id if around else None, **self._options}
        run = TaskRun(**options).create()
        options["parent"] = run.parent_id or ""
        future = self._executor.submit(_call, run.id, options, default.passed_on(PASSED_ON), function, args, kwargs)

        def settle(done: "Future[Any]") -> None:
            if done.cancelled():
                run.end("cancelled", "cancelled before it ran")
            elif isinstance(done.exception(), BrokenExecutor):      # Its process died: nobody else reports the end
                run.end("failed", str(done.exception()))

        future.add_done_callback(settle)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


def _call(task_id: str, options: Dict[str, Any], publisher: Mapping[str, Any], function: Callable[..., Any],
          args: Tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """In the pool. The task is created again, as a duplicate: another process may be faster than the caller"""
    default.take(publisher)
    run = TaskRun(task_id, **options)
    run.enter(again=False)
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        run.leave()
        run.finish(error)
        raise
    run.leave()
    run.finish(None)
    return result
