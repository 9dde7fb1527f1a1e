"""Refused and failed events that the program has not heard of yet."""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import threading
from typing import Any, Callable, List, Optional, Tuple

from .dialog import Receipt, log
from .errors import Closed, Refused, SteleError

KEPT = 1000                 # Receipts; further ones are only counted


class Refusals:
    """Reports each refusal: to the callback, or else by an exception, unless the program has read
    it from the future of the event (whose attribute 'seen' is then true)."""

    def __init__(self, callback: Optional[Callable[[Receipt], None]]) -> None:
        self._callback = callback
        self._lock = threading.Lock()
        self._kept: List[Tuple[Any, Receipt]] = []
        self._more = 0
        self._failed: List[Tuple[Any, SteleError]] = []

    def add(self, future: Any, receipt: Optional[Receipt], error: Optional[SteleError]) -> None:
        """Note the outcome of an event, unless it is durable, or the program has closed the publisher."""
        if receipt is None:
            if error is not None and not isinstance(error, Closed):
                with self._lock:
                    self._failed.append((future, error))
        elif receipt.refused:
            self._add_refused(future, receipt)

    def _add_refused(self, future: Any, receipt: Receipt) -> None:
        with self._lock:
            if self._callback or len(self._kept) < KEPT:
                self._kept.append((future, receipt))
            else:
                self._more += 1

    def _take(self) -> Tuple[List[Tuple[Any, Receipt]], int]:
        with self._lock:
            taken = self._kept, self._more
            self._kept, self._more = [], 0
        return taken

    def call(self) -> None:
        """Call the callback for new refusals; holds no lock meanwhile."""
        if self._callback and self._kept:
            for _, receipt in self._take()[0]:
                try:
                    self._callback(receipt)
                except Exception:
                    log.exception("on_refused has failed for: %s", receipt)

    def raise_unseen(self) -> None:
        with self._lock:
            failed, self._failed = self._failed, []
        for future, error in failed:
            if not future.seen:
                raise error
        if self._callback:
            return
        kept, more = self._take()
        unseen = [receipt for future, receipt in kept if not future.seen]
        if unseen or more:
            raise Refused(unseen or [kept[0][1]], len(unseen) + more)
