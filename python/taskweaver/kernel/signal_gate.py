"""Decides when a Python signal handler may run: at once in the user's code, later while the kernel works for itself.

A handler can raise at any bytecode of the main thread: the one of SIGINT does, and so does a user's timeout on SIGALRM.
In the middle of a message of several frames, or between a result and its reply, that would break the protocol. So every
Python handler is wrapped when it is installed. The wrapper runs it where the user's code runs, and otherwise keeps it for
the moment when the gate opens again. `signal.getsignal` and `signal.signal` go on to show users what they installed.
"""

from __future__ import annotations

import _thread
import asyncio
import functools
import gc
import signal
import sys
import traceback
from collections import deque
from threading import get_ident
from types import FrameType
from typing import Any, Callable, Iterator

_LOOKS_AFTER_STEPS = sys.version_info < (3, 11)
"""Whether Python looks for signals in more places than `arrival_of` relies on."""

_Handler = Callable[[int, Any], Any]


class SignalGate:
    """The one gate of a process. Its methods are meant for the main thread; in others they do nothing."""

    def __init__(self) -> None:
        self.main_thread = get_ident()
        self.depth = 1
        """How many parts of the kernel hold the gate closed; 0 while the user's code runs."""
        self.accepts_interrupts = False
        """Whether there is a request that a SIGINT can interrupt. Without one a SIGINT is forgotten."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.own_task: asyncio.Task[Any] | None = None
        self.on_handler_error: Callable[[BaseException], bool] | None = None
        """Takes what a handler raised in the event loop and tells whether a waiting cell got it."""
        self.send_later: Callable[[int], None] = lambda number: None
        """Makes another thread send a signal to the main thread in a moment."""
        self._is_collecting = False
        self._waiting: deque[tuple[_Handler, int]] = deque()
        self._set_handler: Callable[..., Any] = signal.signal
        self._get_handler: Callable[..., Any] = signal.getsignal

    def install(self) -> None:
        """Wraps the handlers that there are and `signal.signal`, for those to come. Main thread."""
        self.main_thread = get_ident()
        if hasattr(signal.signal, "is_gated"):
            return

        @functools.wraps(signal.signal)
        def gated_signal(signalnum: int, handler: Any, /) -> Any:
            return _bare(self._set_handler(signalnum, self._wrapped(handler)))

        @functools.wraps(signal.getsignal)
        def gated_getsignal(signalnum: int, /) -> Any:
            return _bare(self._get_handler(signalnum))

        gated_signal.is_gated = True  # type: ignore[attr-defined]
        signal.signal = gated_signal
        signal.getsignal = gated_getsignal
        for number in signal.valid_signals():
            handler = self._get_handler(number)
            if callable(handler):
                self._set_handler(number, self._wrapped(handler))
        self.reset_interrupt_handler()
        gc.callbacks.append(self._on_collection)

    def reset_interrupt_handler(self) -> None:
        """Makes SIGINT raise KeyboardInterrupt again, whatever the last execution made of it."""
        if self._get_handler(signal.SIGINT) is not _DEFAULT_INTERRUPT_HANDLER:
            self._set_handler(signal.SIGINT, _DEFAULT_INTERRUPT_HANDLER)

    def close(self) -> None:
        """Keeps handlers from running until `reopen`."""
        if get_ident() == self.main_thread:
            self.depth += 1

    def reopen(self) -> None:
        """Undoes one `close`; handlers that came meanwhile run now if the user's code goes on."""
        if get_ident() == self.main_thread:
            self.depth -= 1
            if self._waiting and self.depth == 0:
                self._run_waiting()

    def run_user_code(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls `function` with the gate open. It raises what the function or a handler raised."""
        if get_ident() != self.main_thread:
            return function(*arguments)
        depth = self.depth
        try:
            self.depth = 0
            if self._waiting:
                self._run_waiting()
            return function(*arguments)
        finally:
            # Nothing is raised on the way to here, for handlers do not run in this very function.
            self.depth = depth

    def is_opening(self, frame: FrameType | None) -> bool:
        """Whether a signal has interrupted the gate itself, in a moment before or after the user's code."""
        return frame is not None and frame.f_code in _OWN_CODE

    def forget_interrupts(self) -> None:
        """From here on there is nothing left to interrupt."""
        self.accepts_interrupts = False
        if self._waiting:
            self._waiting = deque(entry for entry in self._waiting if entry[1] != signal.SIGINT)

    def run_waiting_in_loop(self) -> None:
        """Runs what waits while the event loop is idle or awaits for the user's code. An error stays here."""
        waiting, self._waiting = self._waiting, deque()
        for handler, number in waiting:
            try:
                handler(number, None)
            except BaseException as error:
                if self.on_handler_error is not None and self.on_handler_error(error):
                    continue
                if number == signal.SIGINT:
                    if self.accepts_interrupts:  # for a cell that is about to begin
                        self._waiting.append((handler, number))
                else:
                    traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        """Python forgets an exception that is raised while garbage is collected, so no handler runs until that is over."""
        if get_ident() != self.main_thread:
            return
        if phase == "start":
            self.depth += 1
            self._is_collecting = True
        elif self._is_collecting:
            self._is_collecting = False
            if self._waiting and self.depth == 1:
                # Here an exception would be forgotten as well, so the signal is made to arrive once more.
                number = self._waiting.popleft()[1]
                if _LOOKS_AFTER_STEPS:
                    self.send_later(number)
                    self.depth = 0
                    return
                arrival = arrival_of(number)
                self.depth = 0
                for _ in arrival:
                    pass
            else:
                self.depth -= 1

    def _run_waiting(self) -> None:
        while self._waiting:
            handler, number = self._waiting.popleft()
            handler(number, None)

    def _wrapped(self, handler: Any) -> Any:
        if callable(handler) and not isinstance(handler, (GatedHandler, signal.Handlers)):
            return GatedHandler(handler)
        return handler

    def _handle(self, handler: _Handler, number: int, frame: Any) -> None:
        if self.depth == 0 and not self.is_opening(frame):
            handler(number, frame)
        elif number == signal.SIGINT and not self.accepts_interrupts:
            pass
        elif self.depth == 1 and self._runs_background_task():
            try:
                handler(number, frame)
            except BaseException as error:
                if self.on_handler_error is not None:
                    self.on_handler_error(error)
                raise
        else:
            self._waiting.append((handler, number))

    def _runs_background_task(self) -> bool:
        if self.loop is None or not self.loop.is_running():
            return False
        task = asyncio.current_task(self.loop)
        return task is not None and task is not self.own_task


class GatedHandler:
    """A Python signal handler behind the gate."""

    __slots__ = ("handler",)

    def __init__(self, handler: _Handler) -> None:
        self.handler = handler

    def __call__(self, number: int, frame: Any) -> None:
        gate._handle(self.handler, number, frame)


def arrival_of(number: int) -> Iterator[None]:
    """An iterator whose only step, which gives nothing, makes a signal arrive in the main thread.

    Python looks for signals after a call but not after a step of an iterator, so a function that ends with that step
    has returned when the signal's handler runs.
    """
    return iter(functools.partial(_thread.interrupt_main, number), None)


def _bare(handler: Any) -> Any:
    return handler.handler if isinstance(handler, GatedHandler) else handler


_OWN_CODE = frozenset((SignalGate.run_user_code.__code__, SignalGate._on_collection.__code__))

gate = SignalGate()
_DEFAULT_INTERRUPT_HANDLER = GatedHandler(signal.default_int_handler)
