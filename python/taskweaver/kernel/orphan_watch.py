"""Ends a kernel whose server is gone: when nobody has subscribed to its output for so long, nobody will come."""

from __future__ import annotations

import os
import signal
from typing import Callable

from .io_thread import IoThread

VARIABLE = "TASKWEAVER_ORPHAN_TIMEOUT"
"""Environment variable: seconds; without it a kernel waits forever."""


class OrphanWatch:
    """Counts down while there is no subscriber, from the kernel's start on."""

    def __init__(self, io_thread: IoThread, end: Callable[[], None]) -> None:
        self._io_thread = io_thread
        self._end = end
        self._seconds = float(os.environ.pop(VARIABLE, "") or 0)
        self._round = 0
        self.subscribers_changed(0)

    def subscribers_changed(self, count: int) -> None:
        """Tells how many topics are subscribed to now. Any thread."""
        self._round += 1
        if self._seconds > 0 and count == 0:
            countdown = self._round
            self._io_thread.call_later(self._seconds, lambda: self._expire(countdown))

    def _expire(self, countdown: int) -> None:
        if countdown == self._round:
            followers_ended = _end_followers()
            self._end()
            if not followers_ended:
                os.killpg(0, signal.SIGKILL)


def _end_followers() -> bool:
    """What the code has started, and what stayed in the kernel's process group, ends with the kernel. False where it cannot be found."""
    own = os.getpid()
    if os.getpgrp() != own or not os.path.isdir("/proc"):
        return True
    try:
        names = os.listdir("/proc")
    except PermissionError:  # behind a wall
        return False
    for name in names:
        try:
            if name.isdigit() and int(name) != own and os.getpgid(int(name)) == own:
                os.kill(int(name), signal.SIGKILL)
        except OSError:
            continue
    return True
