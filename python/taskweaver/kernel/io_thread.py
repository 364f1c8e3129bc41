"""The kernel's own thread: watches file descriptors and keeps time while the main thread runs the user's code."""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import signal
import sys
import threading
import traceback
from collections import deque
from time import monotonic
from typing import Any, Callable


class IoThread:
    """A loop over file descriptors, each with a callback, and one repeating tick."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._drain_wake_ups)
        self._calls: deque[Callable[[], Any]] = deque()
        self._later: list[tuple[float, int, Callable[[], Any]]] = []
        self._later_count = itertools.count()
        self._on_tick: Callable[[], float | None] = lambda: None
        self._tick_is_wanted = False
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="TaskWeaverIO", daemon=True)
        self._thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
        self._thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
        self._thread.serves_kernel = True  # type: ignore[attr-defined]

    def start(self, on_tick: Callable[[], float | None]) -> None:
        """Starts the thread. `on_tick` returns the seconds until it is to be called again, or None."""
        self._on_tick = on_tick
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._is_stopped = True
        self.wake()
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join(1.0)

    def close(self) -> None:
        """Ends the thread and closes what it has waited on."""
        self.stop()
        self._selector.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def register(self, descriptor: int, callback: Callable[[], Any]) -> None:
        """Calls `callback` in this thread whenever `descriptor` can be read. Any thread may register."""
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def unregister(self, descriptor: int) -> None:
        """Forgets `descriptor`, if it is known."""
        try:
            self._selector.unregister(descriptor)
        except (KeyError, ValueError):
            pass

    def call_soon(self, callback: Callable[[], Any]) -> None:
        """Calls `callback` once in this thread."""
        self._calls.append(callback)
        self.wake()

    def call_later(self, seconds: float, callback: Callable[[], Any]) -> None:
        """Calls `callback` once in this thread, after so long."""
        entry = (monotonic() + seconds, next(self._later_count), callback)
        self.call_soon(lambda: heapq.heappush(self._later, entry))

    def request_tick(self) -> None:
        """Lets the tick begin."""
        self._tick_is_wanted = True
        self.wake()

    def wake(self) -> None:
        """Makes the loop turn."""
        try:
            os.write(self._wake_writer, b"\0")
        except (BlockingIOError, OSError):
            pass

    def _run(self) -> None:
        # A signal that interrupts this thread would leave the main thread in its system call.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        tick_at: float | None = None
        while not self._is_stopped:
            due_at = [at for at in (tick_at, self._later[0][0] if self._later else None) if at is not None]
            timeout = max(0.0, min(due_at) - monotonic()) if due_at else None
            for key, _ in self._selector.select(timeout):
                self._call(key.data)
            while self._calls:
                self._call(self._calls.popleft())
            while self._later and self._later[0][0] <= monotonic():
                self._call(heapq.heappop(self._later)[2])
            if self._tick_is_wanted:
                self._tick_is_wanted = False
                if tick_at is None:
                    tick_at = monotonic() + 0.004
            if tick_at is not None and monotonic() >= tick_at:
                seconds = self._call(self._on_tick)
                tick_at = None if seconds is None else monotonic() + seconds

    def _call(self, callback: Callable[[], Any]) -> Any:
        try:
            return callback()
        except BaseException:
            if sys.__stderr__ is not None:
                traceback.print_exc(file=sys.__stderr__)
            return None

    def _drain_wake_ups(self) -> None:
        try:
            while len(os.read(self._wake_reader, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass
