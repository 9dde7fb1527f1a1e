"""Events in a file of this machine until they are acked, in the format of libstele (spool_format.h).

Its bytes: three blocks (the producer and the number of the first event; the numbering at the broker; the last
settled number), then records: magic, size, number, synced, checksum, event. 'synced' is the length of the file on
stable storage when the record was written: a record that is not complete was torn by a crash, unless a later complete
one shows that it had been synced.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import struct
import weakref
import zlib
from collections import deque
from typing import Any, Deque, List, Optional, Sequence, Tuple

from .errors import SpoolError

BYTES_MAX = 256 << 20
SETTLED_BYTES_MAX = 1 << 20     # Settled events that the file may still hold
BLOCK, RECORDS = 512, 12288
IDENTITY, BASE, ACKED = (0, b"stspool1"), (4096, b"stsbase1"), (8192, b"stsaack1")     # Offset and magic of the blocks
MAGIC = b"strc"
HEAD = struct.Struct("<4sIqqII")    # Magic, size, number, synced, zeros, checksum

_OPEN: "weakref.WeakSet[Spool]" = weakref.WeakSet()


def _block(magic: bytes, number: int, text: str = "") -> bytes:
    body = (magic + struct.pack("<q", number) + text.encode()).ljust(BLOCK - 4, b"\0")
    return body + struct.pack("<I", zlib.crc32(body))


def _read_block(data: bytes, block: Tuple[int, bytes]) -> Optional[Tuple[int, str]]:
    """Number and text of a block; None if it is damaged or empty"""
    at, magic = block
    body = data[at:at + BLOCK]
    if len(body) < BLOCK or body[:8] != magic or struct.unpack("<I", body[-4:])[0] != zlib.crc32(body[:-4]):
        return None
    number: int = struct.unpack_from("<q", body, 8)[0]
    return number, body[16:-4].split(b"\0")[0].decode("utf-8", "replace")


def _record(number: int, synced: int, event: bytes) -> bytes:
    head = HEAD.pack(MAGIC, len(event), number, synced, 0, 0)[:-4]
    return head + struct.pack("<I", zlib.crc32(event, zlib.crc32(head))) + event


def _read_record(data: memoryview, at: int) -> Optional[Tuple[int, int, bytes]]:
    """Number, synced and event of a complete record"""
    if at + HEAD.size > len(data):
        return None
    magic, size, number, synced, _, checksum = HEAD.unpack_from(data, at)
    event = bytes(data[at + HEAD.size:at + HEAD.size + size])
    if magic != MAGIC or len(event) < size or zlib.crc32(event, zlib.crc32(data[at:at + HEAD.size - 4])) != checksum:
        return None
    return number, synced, event


def _json(value: Any) -> Any:
    return {"$bin": base64.b64encode(value).decode()} if isinstance(value, bytes) else repr(value)


class Spool:
    """A spool that is open. SpoolError if it cannot be read or written, is full, damaged, of another producer, or open
    elsewhere. Not safe for threads.

    base, ledger: sequence of an event = its number + base, at that ledger; None if it has not met a broker yet.
    settled, end: numbers of the last settled event and of the last one. waiting: what it had when it was opened.
    """

    def __init__(self, path: str, producer: str, bytes_max: int = BYTES_MAX) -> None:
        self.path, self._producer, self._bytes_max = path, producer, bytes_max
        self.base: Optional[int] = None
        self.ledger: Optional[str] = None
        self.settled = self.end = 0
        self.waiting: List[bytes] = []
        self._sizes: Deque[int] = deque()       # Of the records that wait
        self._start = self._length = RECORDS    # Of those in the file, and of the file
        self._broken = False
        self._file = self._lock = -1
        try:
            self._open()
        except OSError as error:
            self.abandon()
            raise self._failed("cannot use", error) from None
        except SpoolError:
            self.abandon()
            raise
        _OPEN.add(self)

    def _failed(self, what: str, error: OSError) -> SpoolError:
        return SpoolError("%s the spool %s: %s" % (what, self.path, os.strerror(error.errno or 0)))

    def _open(self) -> None:
        self._lock = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpoolError("another process has the spool %s open: only one process per spool" % self.path) from None
        try:
            self._file = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            self._rewrite(b"")
            return
        with open(self._file, "rb", closefd=False) as file:
            self._scan(file.read())

    def _scan(self, data: bytes) -> None:
        identity = _read_block(data, IDENTITY)
        if identity is None:
            raise SpoolError("%s is not a spool, or its start is damaged: use another file" % self.path)
        if identity[1] != self._producer:
            raise SpoolError("%s is the spool of producer %s, not of %s: use one spool per producer"
                             % (self.path, identity[1], self._producer))
        base, acked = _read_block(data, BASE), _read_block(data, ACKED)
        if base:
            self.base, self.ledger = base
        self.settled = max(acked[0] if acked else 0, identity[0] - 1)
        self._read_records(memoryview(data), identity[0])
        os.ftruncate(self._file, self._length)
        os.fdatasync(self._file)
        if self.settled > self.end:             # Settled events need no record, but their numbers are not used again
            self.end, self._start = self.settled, self._length
            self._rewrite(b"")

    def _read_records(self, data: memoryview, number: int) -> None:
        at = self._start
        while True:
            record = _read_record(data, at)
            if record is None or record[0] != number:
                break
            size = HEAD.size + len(record[2])
            at += size
            if number <= self.settled:
                self._start = at
            else:
                self.waiting.append(record[2])
                self._sizes.append(size)
            number += 1
        rest = bytes(data[at + 1:])
        found = rest.find(MAGIC)
        while found >= 0:
            later = _read_record(data, at + 1 + found)
            if later and later[1] > at:
                raise SpoolError("%s is damaged at byte %d: its events up to number %d are intact, later ones are not. "
                                 "Move it away to start a new one" % (self.path, at, number - 1))
            found = rest.find(MAGIC, found + 1)
        self.end, self._length = number - 1, at

    def append(self, event: bytes) -> None:
        """Append an event, and sync it."""
        waiting = self._length - self._start
        if waiting + HEAD.size + len(event) > self._bytes_max:
            raise SpoolError("the spool %s is full: %d bytes wait in it for a broker, the limit is %d"
                             % (self.path, waiting, self._bytes_max))
        if self._broken:
            raise SpoolError("an earlier write to the spool %s failed: check the disk, and open it again" % self.path)
        record = _record(self.end + 1, self._length, event)
        try:
            self._write(record, self._length)
        except OSError as error:
            try:
                os.ftruncate(self._file, self._length)
            except OSError:
                self._broken = True
            raise self._failed("cannot write", error) from None
        try:
            os.fdatasync(self._file)
        except OSError as error:
            self._broken = True
            raise self._failed("cannot sync", error) from None
        self.end += 1
        self._length += len(record)
        self._sizes.append(len(record))

    def _write(self, data: bytes, at: int) -> None:
        while data:
            written = os.pwrite(self._file, data, at)
            data, at = data[written:], at + written

    def settle(self, count: int) -> None:
        """The first 'count' events that wait are acked or refused. Not synced: after a power cut they are duplicates."""
        for _ in range(count):
            self._start += self._sizes.popleft()
        self.settled += count
        try:
            if self._start - RECORDS > max(SETTLED_BYTES_MAX, self._length - self._start):
                self._rewrite(os.pread(self._file, self._length - self._start, self._start))
            else:
                self._write(_block(ACKED[1], self.settled), ACKED[0])
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):     # On a full disk, the file remains as it is
                raise self._failed("cannot write", error) from None

    def keep_base(self, base: int, ledger: str) -> None:
        """Keep the numbering durably, before the first event is sent."""
        try:
            self._write(_block(BASE[1], base, ledger), BASE[0])
            os.fdatasync(self._file)
        except OSError as error:
            raise self._failed("cannot write", error) from None
        self.base, self.ledger = base, ledger

    def set_aside(self, number: int, event: Any, reason: str) -> None:
        """Keep an event that the broker does not take any more, as a line of PATH.rejected."""
        text = json.dumps(event, default=_json)
        line = json.dumps({"number": number, "reason": reason, "text": text}) + "\n"
        with open(self.path + ".rejected", "a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, records: bytes) -> None:
        """Replace the file, atomically and synced, by one that has only the records that wait."""
        name = self.path + ".new"
        old, self._file = self._file, os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._write(_block(IDENTITY[1], self.settled + 1, self._producer), IDENTITY[0])
            self._write(bytes(BLOCK), ACKED[0])
            self._write(bytes(BLOCK) if self.base is None else _block(BASE[1], self.base, self.ledger or ""), BASE[0])
            self._write(records, RECORDS)
            os.ftruncate(self._file, RECORDS + len(records))
            os.fsync(self._file)
            os.rename(name, self.path)
            folder = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError:
            os.close(self._file)
            self._file = old
            raise
        if old >= 0:
            os.close(old)
        self._start, self._length = RECORDS, RECORDS + len(records)

    def close(self) -> None:
        """Close it. What is not settled remains for the next run."""
        if self._file >= 0 and not self._broken and not self._sizes and self._length > RECORDS:
            try:
                self._rewrite(b"")
            except OSError:
                pass                # The next run sends settled events again, as duplicates
        if self._lock >= 0:
            fcntl.flock(self._lock, fcntl.LOCK_UN)      # Also if a child process has the handle
        self.abandon()

    def abandon(self) -> None:
        """Close the handles, in a child process or after a failure."""
        for handle in (self._file, self._lock):
            if handle >= 0:
                os.close(handle)
        self._file = self._lock = -1


def _abandon_all() -> None:
    for spool in list(_OPEN):
        spool.abandon()


os.register_at_fork(after_in_child=_abandon_all)
