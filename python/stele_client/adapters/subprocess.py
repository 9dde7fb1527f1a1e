"""Run a command as a task, as 'stele run' does: its outputs while it runs, its exit status, its end.

    done = run(["make", "-j8"], title="Build the kernel", check=True)
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from typing import IO, Any, Dict, List, Optional, Sequence, Union

from ..tasks import TITLE_BYTES, TaskRun, cut

CHUNK_BYTES = 65536
LAST_S = 1.0                # After a kill: time for what its own children still print

Word = Union[str, bytes, "os.PathLike[str]"]


def run(args: Union[str, Sequence[Word]], *, task_id: Optional[str] = None, title: Optional[str] = None, role: str = "command",
        input: Optional[bytes] = None, timeout: Optional[float] = None, check: bool = False,
        task: Optional[Dict[str, Any]] = None, **popen: Any) -> "subprocess.CompletedProcess[bytes]":
    """As subprocess.run() with captured outputs, which are bytes: also its exceptions are those.

    task_id, title, role, task: of the task; 'task' has further options of stele_client.task(). Default title: the
    command. popen: arguments of subprocess.Popen. An output with a 'stdout' or 'stderr' of its own is not recorded.
    The command finds the ID of its task in the environment, as STELE_TASK.
    """
    line = args if isinstance(args, str) else " ".join(shlex.quote(os.fsdecode(word)) for word in args)
    task_run = TaskRun(task_id, title or cut(line, TITLE_BYTES), cut(line, CHUNK_BYTES), role=role, **task or {})
    environment = dict(os.environ if popen.get("env") is None else popen["env"], STELE_TASK=task_run.id)
    popen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": None if input is None else subprocess.PIPE,
             **popen, "env": environment}
    task_run.enter()
    error: Optional[BaseException] = None
    try:
        return _run(task_run, args, popen, input, timeout, check)
    except BaseException as cause:
        error = cause
        raise
    finally:
        task_run.leave()
        task_run.finish(error)


def _run(task: TaskRun, args: Any, popen: Dict[str, Any], input: Optional[bytes], timeout: Optional[float],
         check: bool) -> "subprocess.CompletedProcess[bytes]":
    process = subprocess.Popen(args, **popen)
    outputs: Dict[str, List[bytes]] = {"stdout": [], "stderr": []}
    threads = [_thread(_read, task, name, pipe, outputs[name])
               for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)) if pipe]
    if input is not None:
        threads.append(_thread(_write, process.stdin, input))
    try:
        status = process.wait(timeout)
        for thread in threads:
            thread.join()
    except BaseException as error:
        process.kill()
        process.wait()
        for thread in threads:
            thread.join(LAST_S)
        if isinstance(error, subprocess.TimeoutExpired):
            error.output, error.stderr = b"".join(outputs["stdout"]), b"".join(outputs["stderr"])
            task.end("timeout", "still running after %g s" % error.timeout)
        raise
    done = subprocess.CompletedProcess(args, status, b"".join(outputs["stdout"]) if process.stdout else None,
                                       b"".join(outputs["stderr"]) if process.stderr else None)
    _end(task, status)
    if check:
        done.check_returncode()
    return done


def _end(task: TaskRun, status: int) -> None:
    details: Dict[str, Any] = {"exit_status": status}
    message = "exit status %d" % status
    if status < 0:
        name = signal.Signals(-status).name if -status in signal.valid_signals() else str(-status)
        details, message = {"exit_status": 128 - status, "signal": name}, "killed by %s" % name
    task.end("passed" if status == 0 else "failed", message if status else None, details)


def _thread(function: Any, *args: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def _read(task: TaskRun, name: str, pipe: IO[bytes], kept: List[bytes]) -> None:
    """Report whole lines, and longer pieces, as text if they are UTF-8"""
    waiting = b""
    while True:
        data = os.read(pipe.fileno(), CHUNK_BYTES)
        kept.append(data)
        waiting += data
        end = waiting.rfind(b"\n") + 1 if data and len(waiting) < CHUNK_BYTES else len(waiting)
        if end:
            try:
                task.output(waiting[:end].decode(), name)
            except UnicodeDecodeError:
                task.output(waiting[:end], name)
            waiting = waiting[end:]
        if not data:
            pipe.close()
            return


def _write(pipe: IO[bytes], data: bytes) -> None:
    try:
        with pipe:
            pipe.write(data)
    except BrokenPipeError:
        pass                        # The command does not read all of it
