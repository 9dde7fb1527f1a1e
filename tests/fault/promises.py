# promises - reads the records of the producers
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import collections
import os

import msgpack

from producers import ACK, NAK, SENT, WELCOME

Sent = collections.namedtuple("Sent", "run outcome event")


class Account:
    """What one producer sent, and what was promised to it."""

    def __init__(self):
        self.sent = collections.defaultdict(list)   # sequence -> [Sent], one per run that sent it
        self.acked = 0                              # Everything up to here is durable
        self.acked_by = {}                          # run -> last sequence that this run was acked
        self.welcomed = {}                          # run -> sequence from which it continued
        self.naks = {}                              # sequence -> (run, code)
        self.positions = {}                         # sequence -> position in its ack; the judge removes them


class Promises:
    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.void = []                              # (from, to): promises there do not count
        self.accounts = collections.defaultdict(Account)

    def read(self):
        """Read the records since the last call; returns self."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        unpacker = msgpack.Unpacker(raw=False, max_buffer_size=0)
        unpacker.feed(data)
        done = 0
        for record in unpacker:                     # A partial record at the end is read again later
            if record[0] == SENT or not any(
                    first <= self.offset + done < last for first, last in self.void):
                self._take(record)
            done = unpacker.tell()
        self.offset += done
        return self

    def trim(self):
        """The writer was killed: discard a partial record at the end, which had no effect."""
        self.read()
        os.truncate(self.path, self.offset)

    def size(self):
        return os.path.getsize(self.path)

    def disregard(self, first):
        """Promises written after the file had that size do not count. Must not follow a read."""
        assert first >= self.offset
        self.void.append((first, self.size()))

    def _take(self, record):
        kind, name, run, sequence = record[:4]
        account = self.accounts[name]
        if kind == SENT:
            account.sent[sequence].append(Sent(run, record[4], record[5]))
        elif kind == NAK:
            account.naks[sequence] = (run, record[4])
        else:
            account.acked = max(account.acked, sequence)
            if kind == ACK:
                account.positions[sequence] = record[4]
            if kind == WELCOME:
                account.welcomed.setdefault(run, sequence)
            if sequence > account.welcomed.get(run, 0):
                account.acked_by[run] = max(account.acked_by.get(run, 0), sequence)

    def candidates(self, name, sequence):
        """What may be stored at this sequence: what any run sent; if a run was acked for
        an event that it sent itself, only that."""
        account = self.accounts[name]
        sent = account.sent.get(sequence, [])
        for one in sent:
            if account.welcomed.get(one.run, sequence) < sequence <= account.acked_by.get(one.run, 0):
                return [one]
        return sent

    def acked_total(self):
        return sum(account.acked for account in self.accounts.values())
