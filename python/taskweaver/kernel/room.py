"""How much of what an execution has sent may be under way: past that its code waits until the server has stored some of it."""

from __future__ import annotations

import threading
from time import monotonic, sleep

from .signal_gate import gate

MOST_BYTES = 16 * 1024 * 1024
_LOOK_SECONDS = 0.002


class Room:
    """Nobody waits where nobody reads, nor for a reader that stores nothing for so long; that one counts again once it does."""

    def __init__(self, patience_seconds: float = 10.0) -> None:
        self.is_short = False
        """Whether to call `wait`. Each print looks at it."""
        self._patience_seconds = patience_seconds
        self._is_patient = True
        self._since = 0.0

    def note(self, bytes_under_way: int, has_reader: bool) -> None:
        """So much has been sent and not been stored."""
        is_short = bytes_under_way > MOST_BYTES and has_reader and self._is_patient
        if is_short and not self.is_short:
            self._since = monotonic()
        self.is_short = is_short

    def note_stored(self) -> None:
        """The reader has stored something; `note` follows."""
        self._is_patient = True
        self._since = monotonic()

    def must_wait(self) -> bool:
        """Whether there is no room, and patience."""
        if self.is_short and monotonic() - self._since > self._patience_seconds:
            self._is_patient = self.is_short = False
        return self.is_short

    def wait(self) -> None:
        """Waits for room, where the user's code runs; a signal's handler may raise in here. The kernel's own work never waits."""
        thread = threading.current_thread()
        if getattr(thread, "serves_kernel", False) or (thread.ident == gate.main_thread and gate.depth > 0):
            return
        while self.must_wait():
            sleep(_LOOK_SECONDS)
