"""Encode and decode messages, one msgpack map per message, and open sockets."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple

import msgpack
import zmq

from .errors import InvalidEndpoint, InvalidKey, PermissionDenied
from .keys import Key, Watch
from .nodes import Nodes

EVENTS = "tcp://127.0.0.1:5570"
REQUESTS = "tcp://127.0.0.1:5571"
FEED = "tcp://127.0.0.1:5572"

SMALLEST_TIME = 10 ** 14    # Microseconds: March 1973. Seconds and milliseconds of today are less.


def address(given: Optional[str], variable: str, default: str) -> str:
    """Endpoint of a socket of the broker, or a list: as given, from the environment, or the default"""
    return given or os.environ.get(variable) or default


def open_socket(context: Any, kind: int, nodes: Nodes, key: Optional[Key] = None) -> Tuple[Any, Watch]:
    """A socket connected to the current node, and its monitor; InvalidEndpoint if that is no endpoint. Only tcp uses the key."""
    endpoint = nodes.current
    socket = context.socket(kind)
    key = key if endpoint.startswith("tcp:") else None
    socket.setsockopt(zmq.LINGER, 0)
    if kind == zmq.DEALER:              # Its users bound what they have in flight
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.SNDHWM, 0)
    if kind == zmq.REQ:
        socket.setsockopt(zmq.REQ_RELAXED, 1)
        socket.setsockopt(zmq.REQ_CORRELATE, 1)
    if kind == zmq.SUB:
        socket.setsockopt(zmq.SUBSCRIBE, b"")
    try:
        if key:
            key.apply(socket)
    except InvalidKey:
        socket.close()
        raise
    watch = Watch(context, socket, endpoint, key, nodes.several)
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as cause:
        watch.close()
        socket.close()
        raise InvalidEndpoint("cannot connect to %r: %s. An endpoint is tcp://HOST:PORT or ipc://PATH"
                              % (endpoint, cause)) from None
    return socket, watch


def send_now(socket: Any, message: bytes) -> bool:
    """False if libzmq has given up the connection, since the broker refused it: to wait would be to wait for ever."""
    try:
        socket.send(message, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True


def check_permission(endpoint: str) -> None:
    """Raise PermissionDenied for an ipc socket that this process may not use: ZeroMQ only retries."""
    path = endpoint[len("ipc://"):]
    if not endpoint.startswith("ipc://") or path.startswith("@"):
        return
    try:
        os.stat(path)
        denied = not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    except PermissionError:
        denied = True
    except OSError:
        return
    if denied:
        raise PermissionDenied("permission denied for the socket %s: run as a user who may write to it and enter "
                               "its folder, or change their mode or owner" % path)


def no_answer(op: str, endpoint: str, timeout: float) -> str:
    """The text of a time-out: what may be wrong, and what to do."""
    path = endpoint[len("ipc://"):]
    if endpoint.startswith("ipc://") and not path.startswith("@") and not os.path.exists(path):
        return ("no answer to %s from %s: there is no such socket, so no broker listens there. Start steled, or give "
                "the endpoint of a running one (STELE_REQUESTS, or the argument 'endpoint')" % (op, endpoint))
    return ("no answer to %s from %s within %g s: is steled running there? Start it, or give the endpoint of a running "
            "one (STELE_REQUESTS, or the argument 'endpoint')" % (op, endpoint, timeout))


def lost_answer(op: str, endpoint: str) -> str:
    return ("the connection to %s was lost before the answer to %s: it may have been executed. Find out before you send it "
            "again" % (endpoint, op))


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a datetime needs a time zone, as in datetime.now(timezone.utc)")
        return microseconds(value)
    name = type(value).__name__
    raise TypeError("msgpack cannot encode %s %s" % ("an" if name[0] in "aeiouAEIOU" else "a", name))


def pack(value: Any) -> bytes:
    """Encode as msgpack; a datetime with a time zone becomes integer microseconds, None nil."""
    packed: bytes = msgpack.packb(value, use_bin_type=True, default=_default)
    return packed


def unpack(data: bytes) -> Any:
    """Decode msgpack: str and bytes remain distinct, extensions are msgpack.ExtType or Timestamp."""
    return msgpack.unpackb(data, raw=False, strict_map_key=False)


def pack_publish(sequence: int, events: Iterable[bytes], count: int) -> bytes:
    """Encode a publish message of events that are already encoded."""
    packer = msgpack.Packer(use_bin_type=True)
    head = packer.pack_map_header(3)
    return b"".join((head, pack("op"), pack("publish"), pack("sequence"), pack(sequence),
                     pack("events"), msgpack.Packer().pack_array_header(count), *events))


def microseconds(time: datetime) -> int:
    """A time in the protocol's unit: microseconds since the Unix epoch, exactly."""
    since = time - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86400 + since.seconds) * 1000000 + since.microseconds


def now() -> int:
    """The current time in the protocol's unit"""
    return time.time_ns() // 1000


def check_time(name: str, value: Any) -> None:
    """Raise ValueError for a number that is no time in microseconds, as time.time () is not."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and (
            isinstance(value, float) or -SMALLEST_TIME < value < SMALLEST_TIME):
        raise ValueError("%s: %r is not a time in microseconds since 1970; use datetime.now(timezone.utc), "
                         "time.time_ns() // 1000, or text like '2026-01-31T23:59:59Z' (also for times before 1974)"
                         % (name, value))


def without_none(keys: Mapping[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}
