"""The publisher of this process, which task() and the adapters use if they are given none."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import atexit
import os
import sys
import threading
import uuid
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .dialog import Receipt, log
from .errors import SteleError
from .publisher import Publisher

LEASE_MS = 30000            # A process that dies has its tasks interrupted after that time
LAST_S = 5.0                # At the end of the program: time for events that are not acked yet

_lock = threading.Lock()
_current: Optional[Publisher] = None
_producer: Optional[str] = None
_named = 0                  # The process that has this name; for others it is the beginning of theirs
_options: Dict[str, Any] = {}
_of_parent: List[Optional[Publisher]] = []      # Kept: its sockets belong to the parent process


def connect(producer: Optional[str] = None, **options: Any) -> Publisher:
    """Open the publisher of this process, or open it again with other options.

    producer: permanent name of this program. It must not run twice at the same time: the newer run
    fences the older. Default: a name of this process, that is used once.
    options: those of Publisher. lease_ms is 30000 if it is not given.

    Without a call, the first task() opens it with the defaults. A child process (fork) opens its own,
    with a name of its own. It is closed at the end of the program.
    """
    global _producer, _options, _named
    if producer is None and options.get("spool"):
        raise ValueError("a spool belongs to a producer with a permanent name: connect(NAME, spool=...)")
    with _lock:
        _producer, _options, _named = producer, options, os.getpid()
        _close()
        return _open(producer)


def prepare(producer: Optional[str] = None, **options: Any) -> None:
    """As connect(), but the first task() opens the publisher, and its name only begins with 'producer': for modules that
    several processes import."""
    global _producer, _options, _named
    with _lock:
        _producer, _options, _named = producer, options, 0


def passed_on(names: Sequence[str]) -> Dict[str, Any]:
    """Options of the publisher for another process"""
    return {name: _options[name] for name in names if name in _options}


def take(options: Mapping[str, Any]) -> None:
    """In a new process: use these, unless it has options of its own"""
    global _options
    with _lock:
        _options = _options or dict(options)


def default_publisher() -> Publisher:
    """The publisher of this process"""
    with _lock:
        return _current or _open(_producer if _named == os.getpid() else None)


def disconnect() -> None:
    """Close the publisher of this process, after its events are acked. A later task() opens another."""
    with _lock:
        _close()


def _program() -> str:
    """Name of this program: of its script, or of the package that -m runs"""
    path = sys.argv[0] if sys.argv else ""
    if os.path.basename(path) == "__main__.py":
        path = os.path.dirname(path)
    name = os.path.basename(path)
    return name if name and name != "-c" else "python"


def _open(producer: Optional[str]) -> Publisher:
    global _current
    options: Dict[str, Any] = {"lease_ms": LEASE_MS, "on_refused": _ignore, **_options}
    if producer is None:
        program = _producer or _program()
        producer = "%s-%s" % (program[:200], uuid.uuid4().hex[:12])
        options["anonymous"] = True
        for name in ("instance", "spool"):
            options.pop(name, None)
    _current = Publisher(producer, **options)
    return _current


def _close() -> None:
    global _current
    publisher, _current = _current, None
    if publisher is not None:
        try:
            publisher.close(LAST_S)
        except SteleError as error:
            log.error("at the end of the program: %s", error)


def _ignore(receipt: Receipt) -> None:
    """Each refusal is in the log already"""


def _forget() -> None:
    global _current, _lock
    _lock = threading.Lock()        # Another thread of the parent may have held it
    _of_parent.append(_current)
    _current = None


os.register_at_fork(after_in_child=_forget)
atexit.register(disconnect)
