"""Record the runs of LangChain and LangGraph: each chain, model, tool and retriever that runs is a task.

    from stele_client.adapters.langchain import task_callback_handler
    graph.invoke(state, config={"callbacks": [task_callback_handler()]})

The methods are those of langchain_core.callbacks.BaseCallbackHandler. It is imported when a handler is made, not before.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence
from uuid import UUID

from ..publisher import Publisher
from ..tasks import describe
from .spans import Spans

#   Exceptions with which LangGraph controls the flow: they are no failures
CONTROL = ("GraphBubbleUp", "GraphInterrupt", "NodeInterrupt", "ParentCommand")


class TaskCallbackHandler:
    """A run is a task whose role is chain, llm, tool or retriever. Its input and output are outputs of the task, its
    tokens are metrics, an exception is its failure.

    content: whether inputs and outputs are recorded. publisher: default: that of the process, see connect().
    """

    raise_error = False
    run_inline = True           # In the order of the events, also in a loop of asyncio: nothing here waits
    ignore_llm = ignore_chain = ignore_agent = ignore_retriever = ignore_chat_model = False
    ignore_retry = ignore_custom_event = True

    def __init__(self, *, content: bool = True, publisher: Optional[Publisher] = None) -> None:
        super().__init__()
        self._spans = Spans(content, publisher)

    def _start(self, kind: str, serialized: Any, value: Any, run_id: UUID, parent_run_id: Optional[UUID], tags: Optional[List[str]],
               metadata: Optional[Dict[str, Any]], more: Dict[str, Any]) -> None:
        about, known = more.get("invocation_params") or {}, metadata or {}
        serialized = serialized or {}
        title = more.get("name") or serialized.get("name") or (serialized.get("id") or [kind])[-1]
        model = about.get("model") or about.get("model_name") or known.get("ls_model_name")
        provider = known.get("ls_provider")
        plain: Dict[str, Any] = {str(key): text for key, text in known.items() if isinstance(text, (str, int, float, bool))}
        if tags:
            plain["tags"] = [str(tag) for tag in tags]
        self._spans.start(str(run_id), str(title), kind, str(parent_run_id) if parent_run_id else None,
                          model=str(model) if model else None, provider=str(provider) if provider else None, metadata=plain or None)
        self._spans.input(str(run_id), value)

    def _end(self, run_id: UUID, value: Any) -> None:
        self._spans.output(str(run_id), value)
        self._spans.end(str(run_id), "passed")

    def _fail(self, run_id: UUID, error: BaseException) -> None:
        if any(kind.__name__ in CONTROL for kind in type(error).__mro__):
            self._spans.end(str(run_id), "passed", None, {"interrupt": str(error)})
        else:
            self._spans.end(str(run_id), *describe(error))

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: Optional[UUID] = None,
                       tags: Optional[List[str]] = None, metadata: Optional[Dict[str, Any]] = None, **more: Any) -> None:
        self._start("chain", serialized, inputs, run_id, parent_run_id, tags, metadata, more)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **more: Any) -> None:
        self._end(run_id, outputs)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        self._fail(run_id, error)

    def on_llm_start(self, serialized: Any, prompts: List[str], *, run_id: UUID, parent_run_id: Optional[UUID] = None,
                     tags: Optional[List[str]] = None, metadata: Optional[Dict[str, Any]] = None, **more: Any) -> None:
        self._start("llm", serialized, prompts, run_id, parent_run_id, tags, metadata, more)

    def on_chat_model_start(self, serialized: Any, messages: List[List[Any]], *, run_id: UUID,
                            parent_run_id: Optional[UUID] = None, tags: Optional[List[str]] = None,
                            metadata: Optional[Dict[str, Any]] = None, **more: Any) -> None:
        value = [[{"type": getattr(one, "type", ""), "content": getattr(one, "content", one)} for one in batch] for batch in messages]
        self._start("llm", serialized, value, run_id, parent_run_id, tags, metadata, more)

    def on_llm_end(self, response: Any, *, run_id: UUID, **more: Any) -> None:
        generations = [one for batch in getattr(response, "generations", None) or [] for one in batch]
        usage = (getattr(response, "llm_output", None) or {}).get("token_usage")
        for one in generations if not usage else ():
            usage = usage or getattr(getattr(one, "message", None), "usage_metadata", None)
        self._spans.usage(str(run_id), usage)
        self._end(run_id, [getattr(one, "text", "") for one in generations])

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        self._fail(run_id, error)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, parent_run_id: Optional[UUID] = None,
                      tags: Optional[List[str]] = None, metadata: Optional[Dict[str, Any]] = None, **more: Any) -> None:
        self._start("tool", serialized, input_str, run_id, parent_run_id, tags, metadata, more)

    def on_tool_end(self, output: Any, *, run_id: UUID, **more: Any) -> None:
        self._end(run_id, getattr(output, "content", output))

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        self._fail(run_id, error)

    def on_retriever_start(self, serialized: Any, query: str, *, run_id: UUID, parent_run_id: Optional[UUID] = None,
                           tags: Optional[List[str]] = None, metadata: Optional[Dict[str, Any]] = None, **more: Any) -> None:
        self._start("retriever", serialized, query, run_id, parent_run_id, tags, metadata, more)

    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **more: Any) -> None:
        self._end(run_id, [getattr(one, "page_content", one) for one in documents])

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        self._fail(run_id, error)

    def _nothing(self, *args: Any, **more: Any) -> None:
        """Of an event that is no beginning or end of a run"""

    on_llm_new_token = on_text = on_retry = on_agent_action = on_agent_finish = on_custom_event = _nothing


def task_callback_handler(**options: Any) -> Any:
    """A TaskCallbackHandler, as a subclass of BaseCallbackHandler if langchain_core is installed."""
    try:
        from langchain_core.callbacks import BaseCallbackHandler
    except ImportError:
        return TaskCallbackHandler(**options)
    return type("SteleCallbackHandler", (TaskCallbackHandler, BaseCallbackHandler), {})(**options)
