"""What the adapters for agents share: a span of a trace is a task, the span around it is its parent."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import json
import threading
from typing import Any, Dict, Mapping, Optional

from ..publisher import Publisher
from ..tasks import TITLE_BYTES, TaskRun, cut


class Spans:
    """Spans that run. Any thread may call it.

    content: whether inputs and outputs are recorded. publisher: default: that of the process.
    """

    def __init__(self, content: bool, publisher: Optional[Publisher]) -> None:
        self._content, self._publisher = content, publisher
        self._lock = threading.Lock()
        self._running: Dict[str, TaskRun] = {}

    def start(self, span: str, title: str, role: str, parent: Optional[str], **fields: Any) -> None:
        run = TaskRun(span, cut(title, TITLE_BYTES), role=role, parent=parent or "", publisher=self._publisher, **fields)
        with self._lock:
            self._running[span] = run
        run.start(again=False)

    def input(self, span: str, value: Any) -> None:
        self._output(span, value, "diagnostic")

    def output(self, span: str, value: Any) -> None:
        self._output(span, value, "stdout")

    def _output(self, span: str, value: Any, kind: str) -> None:
        run = self._running.get(span)
        if run and self._content and value is not None:
            run.output(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False), kind)

    def usage(self, span: str, usage: Any) -> None:
        """Numbers of tokens, by name"""
        run = self._running.get(span)
        if run and isinstance(usage, Mapping):
            for name, value in usage.items():
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    run.metric(str(name), value, "token")

    def model(self, span: str, model: Optional[str]) -> None:
        run = self._running.get(span)
        if run and model:
            run.update(model=str(model))

    def end(self, span: str, state: str, message: Optional[str] = None, details: Optional[Dict[str, Any]] = None) -> None:
        with self._lock:
            run = self._running.pop(span, None)
        if run:
            run.end(state, message, details)
