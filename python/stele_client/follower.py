"""Subscribe to the ledger: every event after any position, once and in order."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import os
import time
from typing import Any, Callable, Collection, Iterator, Optional

import zmq

from .client import Client
from .errors import BrokerTimeout, Forked, RequestFailed, Unavailable
from .keys import KeyOption, find_key
from .nodes import Nodes
from .order import Order
from .records import StoredEvent
from .wire import FEED, address, check_permission, open_socket

QUIET_MS = 3000             # Three heartbeats missed: read the ledger


def is_about(event: StoredEvent, task: Optional[str]) -> bool:
    """Is it an event of that task (None: any)? A session that works on the task is another subject."""
    return task is None or (event["type"].startswith("task.") and event.get("task_id") == task)


class Follower:
    """An iterator over events, which waits for new ones and ends when it is closed.

    after: the position to start after; 0 is the start of the ledger, None its current end.
    types: only these event types. task: only the events task.* of the task with this ID. keep: only events for which it returns true.
    whole: fetch large content, which the feed leaves out.
    position: of the last event that was processed, to resume from later.
    key: as for a Client.
    With a key that has no role query, only after=None is possible, with a RuntimeWarning: what is committed while there is no
    connection is missing, and large content is left out.
    feed, requests: endpoints, or lists of those of the nodes that share a log: when one goes away, the follower continues at
    the next, since positions are the same on all nodes.
    An unreachable broker does not end it: it waits for the broker to return. One that refuses the connection
    does, with PermissionDenied.
    """

    def __init__(self, after: Optional[int] = 0, *, types: Optional[Collection[str]] = None,
                 keep: Optional[Callable[[StoredEvent], bool]] = None, whole: bool = True,
                 task: Optional[str] = None,
                 feed: Optional[str] = None, requests: Optional[str] = None, key: KeyOption = None,
                 context: "Optional[zmq.Context[Any]]" = None) -> None:
        context = context or zmq.Context.instance()
        self._pid = os.getpid()
        self._nodes = Nodes(address(feed, "STELE_FEED", FEED))
        check_permission(self._nodes.current)
        self._key, self._context = find_key(key), context
        self._open()
        self._client = Client(requests, key=self._key or "", context=context)
        self._types = {types} if isinstance(types, str) else set(types or ())
        self._keep = keep
        self._task = task
        self._order = Order(self._client.ping() if after is None else after, whole, after is None, self._nodes.several)
        self._closed = False

    @property
    def position(self) -> int:
        return self._order.after

    def __iter__(self) -> Iterator[StoredEvent]:
        while not self._closed:
            if os.getpid() != self._pid:
                raise Forked("Follower")
            if self._order.missing:
                yield from self._read()
            elif not self._is_ready():
                self._order.suspect()
            else:
                topic, body = self._feed.recv_multipart()
                message = self._order.from_feed(topic, body)
                if message is not None and self._wanted(StoredEvent(message)):
                    yield StoredEvent(message)

    def _read(self) -> Iterator[StoredEvent]:
        try:
            answer = self._client.read_events(self._order.after, 1000, min_position=self._order.min_position)
        except (BrokerTimeout, Unavailable):
            return
        except RequestFailed as failure:
            self._order.from_refusal(failure)
            return
        before = self._order.after
        self._order.from_ledger(answer)
        for event in map(StoredEvent, answer["events"]):
            if event["position"] > before and self._wanted(event):
                yield event

    def _open(self) -> None:
        self._feed, self._watch = open_socket(self._context, zmq.SUB, self._nodes, self._key)
        self._poller = zmq.Poller()
        self._poller.register(self._feed, zmq.POLLIN)
        self._poller.register(self._watch.monitor, zmq.POLLIN)

    def _is_ready(self) -> bool:
        """Wait for the feed; False if events may have been missed. PermissionDenied if the broker refuses the connection"""
        while True:
            ready = dict(self._poller.poll(QUIET_MS))
            if self._feed in ready:
                self._nodes.moves = 0
                return True
            refused = self._watch.read()
            if self._nodes.several and (not ready or self._watch.lost or refused) and not (refused and self._nodes.all_tried):
                self._close_feed()
                time.sleep(self._nodes.move())
                self._open()
                return False
            if not ready:
                return False
            if refused:
                self._close_feed()
                self._open()                # For the next iteration: libzmq may not try again
                self._order.suspect()
                raise refused

    def _close_feed(self) -> None:
        if not self._feed.closed:
            self._watch.close()
            self._feed.close()

    def _wanted(self, event: StoredEvent) -> bool:
        return (not self._types or event["type"] in self._types) and is_about(event, self._task) and (
            self._keep is None or self._keep(event))

    def close(self) -> None:
        self._closed = True
        if os.getpid() == self._pid:
            self._close_feed()
        self._client.close()

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self.close()


def follow(after: Optional[int] = 0, **options: Any) -> Iterator[StoredEvent]:
    """Events after a position, without end: a Follower that closes itself."""
    with Follower(after, **options) as follower:
        yield from follower
