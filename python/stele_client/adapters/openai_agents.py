"""Record the runs of the OpenAI Agents SDK: each trace and each span is a task.

    from agents import add_trace_processor
    add_trace_processor(TaskTracingProcessor())

The class has the methods of agents.tracing.TracingProcessor, and imports nothing of the SDK.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import json
from typing import Any, Dict, Optional, Set

from ..default import default_publisher
from ..dialog import log
from ..errors import SteleError
from ..publisher import Publisher
from .spans import Spans


class TaskTracingProcessor:
    """A trace is a task with the role workflow. A span is a task whose role is its type: agent, generation, response,
    function, handoff, guardrail ... Its input and output are outputs of the task, its tokens are metrics.

    content: whether inputs and outputs are recorded. publisher: default: that of the process, see connect().
    """

    def __init__(self, *, content: bool = True, publisher: Optional[Publisher] = None) -> None:
        self._publisher = publisher
        self._spans = Spans(content, publisher)
        self._failed: Set[str] = set()          # Traces of which an outer span has failed

    def on_trace_start(self, trace: Any) -> None:
        metadata = dict(getattr(trace, "metadata", None) or {})
        if getattr(trace, "group_id", None):
            metadata["group_id"] = trace.group_id
        self._spans.start(trace.trace_id, trace.name or "trace", "workflow", None, metadata=_plain(metadata) or None)

    def on_trace_end(self, trace: Any) -> None:
        failed = trace.trace_id in self._failed
        self._failed.discard(trace.trace_id)
        self._spans.end(trace.trace_id, "failed" if failed else "passed", "a span has failed" if failed else None)

    def on_span_start(self, span: Any) -> None:
        data = span.span_data
        kind = getattr(data, "type", None) or "span"
        self._spans.start(span.span_id, getattr(data, "name", None) or kind, kind, span.parent_id or span.trace_id)

    def on_span_end(self, span: Any) -> None:
        data, about = span.span_data, _export(span.span_data)
        response = getattr(data, "response", None)
        self._spans.model(span.span_id, about.get("model") or getattr(response, "model", None))
        self._spans.input(span.span_id, about.get("input", getattr(data, "input", None)))
        self._spans.output(span.span_id, about.get("output", getattr(response, "output", None)))
        self._spans.usage(span.span_id, about.get("usage") or getattr(getattr(response, "usage", None), "__dict__", None))
        error = span.error
        if error:
            if not span.parent_id:
                self._failed.add(span.trace_id)
            self._spans.end(span.span_id, "failed", str(error.get("message", error)), _plain({"data": error.get("data")}))
        else:
            self._spans.end(span.span_id, "passed")

    def force_flush(self) -> None:
        try:
            (self._publisher or default_publisher()).flush()
        except SteleError as error:
            log.error("events of traces are not acked: %s", error)

    def shutdown(self) -> None:
        self.force_flush()


def _export(data: Any) -> Dict[str, Any]:
    export = getattr(data, "export", None)
    return dict(export() or {}) if export else {}


def _plain(value: Dict[str, Any]) -> Dict[str, Any]:
    plain: Dict[str, Any] = json.loads(json.dumps(value, default=str))
    return plain
