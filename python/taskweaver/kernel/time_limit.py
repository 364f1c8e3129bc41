"""Bounds the time that calls into the user's objects may take, without disturbing the user's own timers."""

from __future__ import annotations

import signal
import sys
from threading import get_ident
from time import monotonic
from typing import Any, Callable

from .signal_gate import arrival_of, gate

_REPEAT_SECONDS = 0.001
_URGENT_AFTER = 5
"""Exceptions swallowed by the user's code, after which one comes wherever Python looks for signals."""
_MOST_PASSED_BY = 3 if sys.version_info >= (3, 12) else 0
"""Such places that are passed by, at most, between two exceptions: since Python 3.12 some count as a part of the `try`."""

_HAS_TIMER = hasattr(signal, "setitimer")


class TooLate(BaseException):
    """The time was up. A BaseException, so that `except Exception` in the user's code lets it pass."""


class TimeLimit:
    """A budget for several calls, each with a limit of its own.

    A call that is late gets `TooLate` raised inside it, again and again until it gives up. That works at every bytecode
    and in every system call that a signal interrupts; a loop in C that never looks at signals runs to its end first.
    Outside the main thread, and where the system has no interval timer, calls are not limited.
    """

    def __init__(self, each_seconds: float, all_seconds: float) -> None:
        self._each_seconds = each_seconds
        self._left_seconds = all_seconds
        self._is_installed = False
        self._previous_handler: Any = None
        self._previous_timer = (0.0, 0.0)
        self._installed_at = 0.0
        self._raised = 0
        self._places_to_pass = 0

    def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """`function(argument)`. Raises TooLate, and whatever the function raises."""
        if not _HAS_TIMER or get_ident() != gate.main_thread:
            return function(argument)
        if self._left_seconds <= 0:
            raise TooLate
        if not self._is_installed:
            self._install()
        self._raised = self._places_to_pass = 0
        started = monotonic()
        signal.setitimer(signal.ITIMER_REAL, min(self._each_seconds, self._left_seconds), _REPEAT_SECONDS)
        try:
            return gate.run_user_code(_call, function, argument)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._left_seconds -= monotonic() - started

    def close(self) -> None:
        """Gives timer and handler back. A timer of the user's that ran out meanwhile fires now."""
        if not self._is_installed:
            return
        self._is_installed = False
        if self._previous_handler is not None:
            gate._set_handler(signal.SIGALRM, self._previous_handler)
        seconds, interval = self._previous_timer
        if seconds:
            elapsed = monotonic() - self._installed_at
            signal.setitimer(signal.ITIMER_REAL, max(seconds - elapsed, 0.000001), interval)

    def _install(self) -> None:
        self._is_installed = True
        self._installed_at = monotonic()
        self._previous_timer = signal.setitimer(signal.ITIMER_REAL, 0)
        self._previous_handler = gate._set_handler(signal.SIGALRM, self._on_alarm)

    def _on_alarm(self, number: int, frame: Any) -> None:
        if gate.depth != 0 or gate.is_opening(frame):  # in the middle of the kernel's own work; the timer comes again
            return
        if self._raised >= _URGENT_AFTER:
            # Code that catches everything in a loop would catch each exception of a timer in the same place. So the
            # next signal arrives now: Python looks for it after this one is caught, at the end of the loop's body.
            # Where the loop jumps twice, the first jump counts as a part of the `try`: then it must be one further on.
            arrival = arrival_of(number)
            if self._places_to_pass > 0:
                self._places_to_pass -= 1
                for _ in arrival:
                    pass
                return
            self._raised += 1
            self._places_to_pass = (self._raised - _URGENT_AFTER) % (_MOST_PASSED_BY + 1)
            for _ in arrival:
                pass
        else:
            self._raised += 1
        raise TooLate


def _call(function: Callable[[Any], Any], argument: Any) -> Any:
    # A frame of its own around what may be a function in C, for signals that come while it runs.
    return function(argument)
