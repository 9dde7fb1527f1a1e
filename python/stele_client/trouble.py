"""Why acks do not come, according to the broker."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

from typing import Any, Mapping, Optional

import zmq

from .errors import SteleError
from .keys import Key
from .nodes import Nodes
from .wire import REQUESTS, address, open_socket, pack, send_now, unpack

HINT = "is steled running there?"
PATIENCE_S = (0.5, 1.0)     # To wait for an answer: as long as the caller has waited, in these bounds


def _ask(socket: Any, op: str, patience: float) -> Mapping[str, Any]:
    sent = send_now(socket, pack({"op": op}))
    answer: Mapping[str, Any] = unpack(socket.recv()) if sent and socket.poll(int(patience * 1000)) else {}
    return answer


def follows(answer: Optional[str]) -> str:
    """The same, of a publisher whose last answer was that the node is not the writer (None: it was not)"""
    return "" if answer is None else "no node of them writes; the last one that answered: %s" % answer


def reason(requests: Optional[str], ledger: Optional[str], timeout: Optional[float] = None,
           key: Optional[Key] = None) -> str:
    """The end of a sentence about events without an ack: what the broker reports, or a hint.

    ledger: id of the publisher's ledger. A broker with another one is not asked: it may run at
    the default endpoint next to the one that the publisher uses.
    """
    least, most = PATIENCE_S
    patience = most if timeout is None else max(least, min(timeout, most))
    nodes = Nodes(address(requests, "STELE_REQUESTS", REQUESTS))
    for _ in nodes.list[1:]:
        text = _reason(nodes, ledger, patience, key)
        if text != HINT:
            return text
        nodes.move()
    return _reason(nodes, ledger, patience, key)


def _reason(nodes: Nodes, ledger: Optional[str], patience: float, key: Optional[Key]) -> str:
    endpoint = nodes.current
    try:
        #   A context of its own: a publisher for asyncio has another kind
        with zmq.Context() as context:
            socket, watch = open_socket(context, zmq.REQ, nodes, key)
            try:
                info = _ask(socket, "info", patience)
                if not info or (ledger and info.get("ledger") != ledger):
                    return HINT
                stats = _ask(socket, "stats", patience)
            finally:
                watch.close()
                socket.close()
    except (SteleError, zmq.ZMQError):
        return HINT
    ingest = stats.get("ingest")
    if not ingest:
        return "the broker at %s is running, but did not report its state in time" % endpoint
    redis = "; it is in mode redis, where acks wait for Redis" if ingest.get("mode") == "redis" else ""
    if ingest.get("holding"):
        return ("the broker at %s is running, but holds acks back: %s%s. It continues by itself when this is resolved"
                % (endpoint, ingest.get("trouble") or "its storage cannot take writes", redis))
    return ("the broker at %s is running and reports no trouble%s: check that the events endpoint is that of the "
            "same broker, or wait longer" % (endpoint, redis))
