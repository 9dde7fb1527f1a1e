"""The life of a task, as a context manager and as a decorator.

    with stele.task("build-7", title="Build the kernel") as task:
        task.output(log)

    @stele.task(retries=2)
    def build(target): ...
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import os
import threading
import time
import traceback
import uuid
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Type, TypeVar, Union, cast, overload

from .default import default_publisher
from .dialog import log
from .errors import InvalidEvent, Refused, SteleError
from .events import (Event, task_created, task_metric_recorded, task_output_added, task_state_changed, task_updated)
from .publisher import Outcome, Publisher

WAIT_S = 5.0                # At the end of a task: time until its events are acked
TITLE_BYTES = 1024          # Limit of the protocol
DESCRIPTION_BYTES = 65536   # More of it helps nobody
MESSAGE_BYTES = 65536       # Shorter than the protocol allows: lists of tasks contain the message
TRACE_BYTES = 262144
CONTENT_BYTES = 4 << 20     # Longer outputs become several

F = TypeVar("F", bound=Callable[..., Any])
Ended = Tuple[str, Optional[str], Optional[Dict[str, Any]]]     # State, message, details

_current: "contextvars.ContextVar[Optional[TaskRun]]" = contextvars.ContextVar("stele_task", default=None)


def current_task() -> Optional["TaskRun"]:
    """The task in whose block or function the caller runs. A new thread has none: give it the parent."""
    return _current.get()


def cut(text: str, size: int) -> str:
    """The text as valid UTF-8 of at most 'size' bytes"""
    data = text.encode("utf-8", "backslashreplace")
    return data.decode() if len(data) <= size else data[:size - 3].decode("utf-8", "ignore") + "\u2026"


def describe(error: BaseException) -> Ended:
    """State, message and details of a task that ends by an exception"""
    if isinstance(error, SystemExit):
        if not error.code:
            return "passed", None, None
        return "failed", "exit status %s" % (error.code if isinstance(error.code, int) else "1: %s" % error.code), None
    name = type(error).__name__
    if isinstance(error, (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, concurrent.futures.CancelledError)):
        return "cancelled", name, None
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return "failed", ("%s: %s" % (name, error)).rstrip(": "), {"exception": name, "traceback": tail(text)}


def tail(text: str) -> str:
    """The end of a traceback, where its cause is"""
    data = text.encode("utf-8", "backslashreplace")
    return data.decode() if len(data) <= TRACE_BYTES else "\u2026" + data[-TRACE_BYTES:].decode("utf-8", "ignore")


class TaskRun:
    """One task while it runs: see task(). Any thread may call it.

    id: of the task. attempt: of this run of the function, from 1, if the decorator retries it.
    """

    def __init__(self, task_id: Optional[str] = None, title: Optional[str] = None, description: str = "", *,
                 role: str = "python", parent: Union["TaskRun", str, None] = None, publisher: Optional[Publisher] = None,
                 strict: bool = False, wait: float = WAIT_S, retries: int = 0,
                 retry_on: Union[Type[BaseException], Tuple[Type[BaseException], ...]] = Exception, delay: float = 0.0,
                 id_from: Optional[Callable[..., str]] = None, **fields: Any) -> None:
        self._options: Dict[str, Any] = dict(
            fields, title=title, description=description, role=role, parent=parent, publisher=publisher, strict=strict, wait=wait)
        self._again = task_id is not None           # It may exist: this is another attempt then
        self._retries, self._retry_on, self._delay, self._id_from = retries, retry_on, delay, id_from
        self.id = task_id or "%s-%s" % (cut(title or "task", 200), uuid.uuid4().hex[:12])
        self.attempt = 1
        self._publisher, self._strict, self._wait = publisher, strict, wait
        self._parent = parent
        self._created = task_created(self.id, cut(title or self.id, TITLE_BYTES), description, role, **fields)
        self._lock = threading.Lock()
        self._begun = self._ended = False
        self._sent: List[Outcome] = []              # The last one; all of them if strict
        self._pid = os.getpid()
        self._token: Optional["contextvars.Token[Optional[TaskRun]]"] = None

    def __repr__(self) -> str:
        return "<stele task %s>" % self.id

    @property
    def parent_id(self) -> Optional[str]:
        """ID of the parent, after create() or start()"""
        parent: Optional[str] = self._created.get("parent_id")
        return parent

    #   What the program reports

    def output(self, content: Union[str, bytes], output_type: str = "stdout", **more: Any) -> None:
        """Something that the task printed or produced: stdout, stderr, log, artifact, commit or diagnostic"""
        if isinstance(content, str):
            try:
                content.encode()
            except UnicodeEncodeError:
                content = content.encode("utf-8", "surrogateescape")
        step = CONTENT_BYTES if isinstance(content, bytes) else CONTENT_BYTES // 4
        for start in range(0, max(len(content), 1), step):
            self._send(task_output_added(self.id, output_type, content[start:start + step], **more))

    def metric(self, name: str, value: Union[int, float], unit: Optional[str] = None) -> None:
        """A number that was measured"""
        self._send(task_metric_recorded(self.id, name, value, unit=unit))

    def update(self, **fields: Any) -> None:
        """Fields of the task, such as title, model, metadata"""
        self._send(task_updated(self.id, **fields))

    def state(self, state: str, **more: Any) -> None:
        """Another state that is not the end, such as paused"""
        self._send(task_state_changed(self.id, state, **more))

    def fail(self, message: str, **details: Any) -> None:
        """End the task as failed, without an exception"""
        self.end("failed", message, details or None)

    #   Its life

    def create(self) -> "TaskRun":
        """Record that it waits to run: start() follows later, perhaps in another process"""
        parent = self._parent if self._parent is not None else (current_task() or os.environ.get("STELE_TASK"))
        parent_id = parent.id if isinstance(parent, TaskRun) else parent
        if parent_id and parent_id != self.id:
            self._created["parent_id"] = parent_id
        self._begun = True
        self._send(self._created)
        return self

    def start(self, again: Optional[bool] = None) -> "TaskRun":
        """Record that it runs. The caller records its end with end(); a with block does both.

        again: whether it may have run before. Default: if it was given an ID.
        """
        if not self._begun:
            self.create()
        if self._again if again is None else again:
            self._send(task_state_changed(self.id, "queued"))
        self._send(task_state_changed(self.id, "running"))
        return self

    def again(self) -> None:
        """Record another attempt, after end()"""
        self._ended = False
        self.attempt += 1
        self._send(task_state_changed(self.id, "queued"))
        self._send(task_state_changed(self.id, "running"))

    def end(self, state: str, message: Optional[str] = None, details: Optional[Mapping[str, Any]] = None) -> None:
        """Record the end, unless it is recorded already: passed, failed, error, cancelled or timeout"""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        try:
            self._send(task_state_changed(
                self.id, state, error_message=None if message is None else cut(message, MESSAGE_BYTES), details=details))
        except InvalidEvent:        # By its details: the end of the block is still to be recorded
            self._ended = False
            raise

    def _send(self, event: Event) -> None:
        publisher = self._publisher or default_publisher()
        try:
            #   Without strict, a broker that is away must not stop the program when the memory is full
            future = publisher.send(event, None if self._strict else self._wait)
        except InvalidEvent:
            raise
        except SteleError as error:
            if self._strict:
                raise
            log.error("task %s: %s is lost: %s", self.id, event["type"], error)
            return
        future.seen = True          # Its refusal is in the log
        self._sent = self._sent + [future] if self._strict else [future]

    def _check(self, mask: bool) -> None:
        """After the wait: raise what went wrong if the task is strict, log it otherwise"""
        publisher = self._publisher or default_publisher()
        error: Optional[BaseException] = None
        if not self._sent[-1].done():
            if publisher.is_late and not self._strict:
                return
            error = publisher.late(self._wait)
            what = "%s. Its events are kept in memory, and sent when the broker is there"
        else:
            receipts = [future.result() for future in self._sent if future.exception() is None]
            error = next(filter(None, (future.exception() for future in self._sent)), None)
            what = "its last event is lost: %s"
            refused = [receipt for receipt in receipts if receipt.refused]
            if refused and error is None:
                error = Refused(refused) if self._strict and not mask else None     # It is in the log
        if error is not None:
            if self._strict and not mask:
                raise error
            log.error("task %s: " + what, self.id, error)

    def _finish(self, error: Optional[BaseException]) -> bool:
        """Record the end of the block; returns whether there is an ack to wait for"""
        if os.getpid() != self._pid:
            return False            # A child process leaves the block: the task belongs to the parent
        try:
            self.end(*(("passed", None, None) if error is None else describe(error)))
        except SteleError as cause:
            if error is None:
                raise
            log.error("task %s: %s", self.id, cause)
        return bool(self._sent)

    def enter(self, again: Optional[bool] = None) -> None:
        """Start it, and make it the current task of the caller until leave(). A with block does both."""
        if self._token is not None or self._ended:
            raise RuntimeError("task %s has begun already: create another one for each block" % self.id)
        self.start(again)
        self._token = _current.set(self)

    def leave(self) -> None:
        """The end of enter()"""
        if self._token is not None:
            try:
                _current.reset(self._token)
            except ValueError:      # A generator that was closed elsewhere
                pass
            self._token = None

    def _patience(self, publisher: Publisher) -> float:
        """After a wait in vain, the next tasks do not wait until the broker has answered again"""
        return 0.0 if publisher.is_late and not self._strict else self._wait

    def wait(self) -> None:
        """Wait until what was reported is acked. With strict, raises Refused and BrokerTimeout."""
        self._wait_for_acks(False)

    def _wait_for_acks(self, mask: bool) -> None:
        publisher = self._publisher or default_publisher()
        if self._sent and (self._strict or not publisher.has_spool):    # What is in a spool is durable
            publisher.wait_for(self._sent[-1], self._patience(publisher))
            self._check(mask)

    async def _wait_for_acks_later(self, mask: bool) -> None:
        future, publisher = self._sent[-1], self._publisher or default_publisher()
        if publisher.has_spool and not self._strict:
            return
        await asyncio.wait([asyncio.wrap_future(future)], timeout=self._patience(publisher))
        if future.done():
            self._check(mask)
        else:
            await asyncio.to_thread(self._check, mask)

    def finish(self, error: Optional[BaseException]) -> None:
        """Record the end, by the exception if there is one, and wait for the acks"""
        if self._finish(error):
            self._wait_for_acks(error is not None)

    def __enter__(self) -> "TaskRun":
        self.enter()
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        self.leave()
        self.finish(error)

    async def __aenter__(self) -> "TaskRun":
        self.enter()
        return self

    async def __aexit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        self.leave()
        if self._finish(error):
            await self._wait_for_acks_later(error is not None)

    #   As a decorator

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("%s is a generator: use a with block of task() inside it" % function.__qualname__)
        name = function.__qualname__
        described = self._options["description"] or (inspect.getdoc(function) or "").split("\n\n")[0]

        def new(args: Any, kwargs: Any) -> TaskRun:
            options = dict(self._options, title=self._options["title"] or name, description=described)
            task_id = self._id_from(*args, **kwargs) if self._id_from else self.id if self._again else None
            return TaskRun(task_id, **options)

        if inspect.iscoroutinefunction(function):
            @functools.wraps(function)
            async def run_later(*args: Any, **kwargs: Any) -> Any:
                async with new(args, kwargs) as task:
                    for left in self._attempts():
                        try:
                            return await function(*args, **kwargs)
                        except self._retry_on as error:
                            if not left:
                                raise
                            task.end(*describe(error))
                            await asyncio.sleep(self._delay)
                            task.again()

            return cast(F, run_later)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with new(args, kwargs) as task:
                for left in self._attempts():
                    try:
                        return function(*args, **kwargs)
                    except self._retry_on as error:
                        if not left:
                            raise
                        task.end(*describe(error))
                        time.sleep(self._delay)
                        task.again()

        return cast(F, run)

    def _attempts(self) -> Iterator[int]:
        return iter(range(self._retries, -1, -1))


@overload
def task(task_id: F) -> F: ...


@overload
def task(task_id: Optional[str] = None, title: Optional[str] = None, description: str = "", **options: Any) -> TaskRun: ...


def task(task_id: Any = None, title: Optional[str] = None, description: str = "", **options: Any) -> Any:
    """A task: use it as a context manager (with, async with), or as a decorator of a function (def, async def).

    task_id: of a task that has one. If it exists, this is another attempt. Default: a new one.
    title, description, role: default to the ID or the name of the function, its docstring, and python.
    parent: a task or its ID. Default: the task in whose block the caller runs, or STELE_TASK; "" is none.
    publisher: default: that of this process, see connect().
    strict: raise Refused, BrokerTimeout and other errors of the record. By default they are logged, by the logger
    stele, and the program continues.
    wait: seconds to wait for the acks at the end of the task. After a wait in vain, the next tasks do not wait until the
    broker has answered.
    Further fields of task_created by name: model, metadata, branch ...

    For a decorator: retries (of the function, as attempts of the task), retry_on (classes of exceptions),
    delay (seconds before a retry), id_from (a function of the arguments that returns the ID).

    The end of the block is the end of the task: passed; failed by an exception, with its traceback in the
    details; cancelled by KeyboardInterrupt and by a cancellation (asyncio). If the process dies, the broker
    interrupts the task after the lease of the publisher.
    """
    if callable(task_id):
        return TaskRun()(task_id)
    return TaskRun(task_id, title, description, **options)
