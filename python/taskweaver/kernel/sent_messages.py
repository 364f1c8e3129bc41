"""What a kernel has sent on iopub, written to files as well: when it dies, what was still on its way can be read there.

Two files take turns. In them one record follows the other: eight numbers (a mark, how many bytes follow, which one of its
request's messages it is, the round and the end of waiting text that is in it, the number of what was read from a file descriptor
that is in it, how many messages went before their time, how many frames it has), the frames' sizes, the frames.
"""

from __future__ import annotations

import os
import struct
from typing import Any, Sequence

from .waiting_text import WaitingText

_MARK = 0x31535754
_TURN_BYTES = 4 * 1024 * 1024
_MOST_BYTES = 64 * 1024 * 1024
_NOT_KEPT = frozenset(("status", "execute_input", "iopub_welcome", "shutdown_reply"))
"""Nobody misses them of a kernel that has died."""


class SentMessages:
    """The two files of one kernel. The publisher's lock is held by all who call."""

    def __init__(self, waiting: WaitingText) -> None:
        self._waiting = waiting
        self._files: list[_File] = []
        self._turn = 0
        self._numbers: dict[str, int] = {}
        self._current = ""
        self._stored = 0
        self._lost = 0

    def open(self, *paths: str) -> None:
        """Writes to these two files from now on, which are made. Raises OSError."""
        self._files = [_File(path) for path in paths]

    def close(self) -> None:
        """Closes the files, and forgets what is in them."""
        for file in self._files:
            file.close()
        self._files = []
        self._turn = self._stored = self._lost = 0
        self._numbers.clear()

    def begin(self, message_id: str) -> None:
        """A new execution begins: what was sent before the last one began has arrived."""
        self._current, self._stored = message_id, 0
        for file in self._files:
            file.last = -1
        self._turn ^= 1
        self._empty(self._turn)

    def note_stored(self, message_id: str, count: int) -> None:
        """The server has the first `count` messages of the current execution."""
        if message_id == self._current:
            self._stored = max(self._stored, count)

    def add(self, parent_id: str, kind: str, frames: Sequence[Any]) -> None:
        """A message is about to be sent."""
        number = self._numbers.pop(parent_id, 0)
        self._numbers[parent_id] = number + 1
        if len(self._numbers) > 1000:
            del self._numbers[next(iter(self._numbers))]
        if not self._files or kind in _NOT_KEPT:
            return
        text_end, raw_number = (self._waiting.sending, self._waiting.raw_number) if kind == "stream" else (0, 0)
        size = sum(_size(frame) for frame in frames)
        self._take_turns(size)
        file = self._files[self._turn]
        sizes = [_size(frame) for frame in frames]
        head = struct.pack(
            f"<{8 + len(sizes)}I",
            _MARK,
            4 * len(sizes) + size,
            number,
            self._waiting.round,
            text_end,
            raw_number,
            self._lost,
            len(sizes),
            *sizes,
        )
        if not file.append([head, *frames]):
            self._lost += 1
        elif parent_id == self._current:
            file.last = number
        if text_end:
            self._waiting.note_sent(text_end)

    def _take_turns(self, size: int) -> None:
        file, other = self._files[self._turn], self._files[self._turn ^ 1]
        if file.size + size <= _TURN_BYTES or not file.size:
            return
        if other.last >= self._stored:
            if file.size + size <= _MOST_BYTES:
                return
            self._lost += 1
        self._turn ^= 1
        self._empty(self._turn)

    def _empty(self, turn: int) -> None:
        if self._files:
            self._files[turn].empty()


class _File:
    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = 0
        self.last = -1
        """The last message of the current execution that is in it."""

    def append(self, parts: list[Any]) -> bool:
        total = sum(_size(part) for part in parts)
        try:
            if os.writev(self._descriptor, parts) == total:
                self.size += total
                return True
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            pass
        return False

    def close(self) -> None:
        os.close(self._descriptor)

    def empty(self) -> None:
        self.last = -1
        if self.size:
            os.ftruncate(self._descriptor, 0)
            self.size = 0


def _size(frame: Any) -> int:
    return frame.nbytes if isinstance(frame, memoryview) else len(frame)
