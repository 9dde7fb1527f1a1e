"""Keys: connect to a broker that needs one, and the reason if it refuses the connection."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import errno
import os
import stat
import struct
import uuid
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Union

import zmq

from .errors import InvalidKey, PermissionDenied

CLOSED = 4                  # Handshakes in a row that the other side ended: not just a broker that stopped
AGAIN_S = 1.0               # Time until a publisher tries again after a refusal

#   Events of the monitor of a socket, and a value (zmq.h); older versions of pyzmq lack some names
SUCCEEDED, NO_DETAIL, PROTOCOL, AUTH = 0x1000, 0x0800, 0x2000, 0x4000
LOST = 0x0200 | 0x0004      # Disconnected, or an attempt to connect has failed
CRYPTOGRAPHIC, MECHANISM_MISMATCH = 0x11000001, 0x11000002


@dataclass(frozen=True)
class Key:
    """The key of a client: its CURVE pair, and the public key of the broker, each 40 characters (Z85)."""
    public_key: str
    secret_key: str = field(repr=False)
    server_key: str
    name: str = ""
    path: str = ""

    @classmethod
    def load(cls, path: Union[str, "os.PathLike[str]"]) -> "Key":
        """Read a file that 'stele key new' made; InvalidKey if it is none, or others may read it."""
        try:
            with open(path, encoding="utf-8") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                values = _parse(file.read(65536))
        except (OSError, ValueError) as cause:
            raise InvalidKey("cannot read the key file %s: %s" % (os.fspath(path), cause)) from None
        if mode & 0o027:
            raise InvalidKey("the key file %s has mode %03o, with which other users may read or change a secret key: "
                             "chmod 600 it" % (os.fspath(path), mode))
        for name, remedy in (("public-key", "it is not a key file"), ("secret-key", "a client uses NAME.key_secret"),
                             ("server-key", "add it under metadata, from the file server.pub of the broker")):
            if name not in values:
                raise InvalidKey("the key file %s has no %s: %s" % (os.fspath(path), name, remedy))
        return cls(values["public-key"], values["secret-key"], values["server-key"], values.get("name", ""),
                   os.fspath(path))

    def apply(self, socket: Any) -> None:
        try:
            if zmq.curve_public(self.secret_key.encode()) != self.public_key.encode():
                raise ValueError("its public-key is not that of its secret-key")
            socket.curve_serverkey = self.server_key.encode()
            socket.curve_publickey = self.public_key.encode()
            socket.curve_secretkey = self.secret_key.encode()
        except (ValueError, zmq.ZMQError) as cause:
            raise InvalidKey("the key %s cannot be used: %s" % (self, cause)) from None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.name, self.path and "(%s)" % self.path))) or self.public_key


def _parse(text: str) -> Dict[str, str]:
    values = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        value = value.strip()
        if equals and not name.strip().startswith("#"):
            quoted = value[:1] in ("'", '"') and value[1:].partition(value[0])
            values[name.strip()] = quoted[0] if quoted else value.partition("#")[0].strip()
    return values


KeyOption = Union[Key, str, "os.PathLike[str]", None]


def find_key(given: KeyOption) -> Optional[Key]:
    """The key of an option: a Key, a file, None: the file of STELE_KEY, if it is set, "": none"""
    if isinstance(given, Key):
        return given
    path = os.environ.get("STELE_KEY") if given is None else given
    return Key.load(path) if path and os.fspath(path) else None


class Watch:
    """Monitors a socket before it connects. libzmq only retries, or not even that.

    others: there are other nodes to connect to, so note the loss of a connection.
    """

    def __init__(self, context: Any, socket: Any, endpoint: str, key: Optional[Key], others: bool = False) -> None:
        self._socket, self._endpoint, self._key = socket, endpoint, key
        self._closed = 0
        self.succeeded = False              # A handshake, once at least: then the key of the broker is right
        self.connected = False              # On this socket, once at least
        self.lost = False                   # A connection, or an attempt
        name = "inproc://stele-watch-%s" % uuid.uuid4()
        socket.monitor(name, SUCCEEDED | NO_DETAIL | PROTOCOL | AUTH | (LOST if others else 0))
        self.monitor = context.socket(zmq.PAIR)
        self.monitor.linger = 0
        self.monitor.connect(name)

    def close(self) -> None:
        self._socket.disable_monitor()
        self.monitor.close()

    def read(self) -> Optional[PermissionDenied]:
        """Process what the monitor has; the reason if the broker refuses the connection."""
        refused = None
        while True:
            try:
                refused = self.take(self.monitor.recv_multipart(zmq.NOBLOCK)) or refused
            except zmq.Again:
                return refused

    async def read_later(self) -> Optional[PermissionDenied]:
        """The same for a socket of zmq.asyncio."""
        refused = None
        while await self.monitor.poll(0):
            refused = self.take(await self.monitor.recv_multipart()) or refused
        return refused

    def take(self, frames: Any) -> Optional[PermissionDenied]:
        event, value = struct.unpack("=HI", frames[0])
        key = self._key
        if event == SUCCEEDED:
            self._closed = 0
            self.succeeded = self.connected = True
        elif event & LOST:
            self.lost = True
            return None
        elif event == AUTH and key:
            return PermissionDenied(
                "the broker at %s does not accept the key %s: it is unknown there, revoked or expired, or lacks "
                "the role that this endpoint needs. Ask its operator: 'stele key list' shows the keys, 'stele key new' or "
                "'stele key add' makes one, 'stele key reload' lets it in" % (self._endpoint, key))
        elif event == AUTH or (event == PROTOCOL and value == MECHANISM_MISMATCH):
            return self._mismatch()
        elif key and not self.succeeded and event == NO_DETAIL and value != errno.ETIMEDOUT:
            self._closed += 1
        if key and (self._closed >= CLOSED or (event == PROTOCOL and value == CRYPTOGRAPHIC)):
            return PermissionDenied(
                "the broker at %s ends every handshake: its key is not the server-key of the key %s (another broker, or its "
                "pair was made again), or it uses no keys. Compare with the file server.pub in its folder of keys, or ask "
                "its operator for a new key file" % (self._endpoint, key))
        return None

    def _mismatch(self) -> PermissionDenied:
        if self._key:
            return PermissionDenied(
                "the broker at %s uses no keys, but this client has one, %s, and sends nothing in clear. Connect without "
                "it: key=\"\", or STELE_KEY unset; or have the operator set 'keys' of the broker"
                % (self._endpoint, self._key))
        return PermissionDenied(
            "the broker at %s needs a key, and this client has none. Ask its operator for a key file (made with "
            "'stele key new NAME'), and name it with key=FILE or STELE_KEY" % self._endpoint)
