"""Log records of the module logging as outputs of the current task.

    logging.getLogger().addHandler(TaskHandler(logging.INFO))
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import logging
from typing import Optional

from ..tasks import TaskRun, current_task


class TaskHandler(logging.Handler):
    """Records of code outside of any task, and those of the logger stele itself, are left out.

    task: the one that gets all records, of any thread. Default: the current task of the code that logs.
    """

    def __init__(self, level: int = logging.NOTSET, task: Optional[TaskRun] = None) -> None:
        super().__init__(level)
        self._task = task

    def emit(self, record: logging.LogRecord) -> None:
        task = self._task or current_task()
        if task is None or record.name.split(".")[0] == "stele":
            return
        try:
            task.output(self.format(record) + "\n", "log")
        except Exception:
            self.handleError(record)
