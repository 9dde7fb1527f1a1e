"""Encode and decode messages: one msgpack map per message."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any, Dict, Iterable, Optional

import msgpack

EVENTS = "tcp://127.0.0.1:5570"
REQUESTS = "tcp://127.0.0.1:5571"
FEED = "tcp://127.0.0.1:5572"


def address(given: Optional[str], variable: str, default: str) -> str:
    """Endpoint of a socket of the broker: as given, from the environment, or the default"""
    return given or os.environ.get(variable) or default


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a datetime needs a time zone, as in datetime.now(timezone.utc)")
        return microseconds(value)
    name = type(value).__name__
    raise TypeError("msgpack cannot encode %s %s" % ("an" if name[0] in "aeiouAEIOU" else "a", name))


def pack(value: Any) -> bytes:
    """Encode as msgpack; a datetime with a time zone becomes integer microseconds, None nil."""
    return msgpack.packb(value, use_bin_type=True, default=_default)


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


def without_none(keys: Dict[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}
