"""Keeps what an execution sent until the server has stored it, so that a server that was lost can be told again.

A PUB socket drops what nobody reads and a ROUTER drops the reply to a lost peer. The server sends the next execution only
when it has stored the one before, so only the current one is kept; of one that goes on for long the server says now and
then how much it has stored. What is kept is bounded: past the limit the oldest goes, and a replay says so.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import Any, Iterator, NamedTuple, Sequence

_MOST_BYTES = 64 * 1024 * 1024

Frames = Sequence[Any]


class Rest(NamedTuple):
    """What a server that takes an execution up has not heard of it."""

    first: int
    """How many messages came before."""
    is_complete: bool
    """Whether all of those before are known to the server."""
    messages: list[Frames]
    question: dict[str, Any] | None
    """What it waits for an answer to."""
    reply: Frames | None
    """Where it has ended."""


class Retention:
    """The messages of the current execution, in the order in which they were sent."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.message_id = ""
        self.execution_id = ""
        self._first = 0
        """How many messages went before the first that is kept."""
        self._kept: deque[Frames] = deque()
        self.bytes = 0
        """What is kept."""
        self._lost = 0
        """The number of messages that went because of the limit, not because they were stored."""
        self._reply: Frames | None = None
        self.question: dict[str, Any] | None = None
        """What the execution asks now: `prompt`, `password`, and which of its questions it is, from 1."""
        self._questions = 0

    def begin(self, message_id: str, execution_id: str) -> None:
        """A new execution begins; what the last one sent is stored."""
        with self._lock:
            self.message_id, self.execution_id = message_id, execution_id
            self._first = self.bytes = self._lost = 0
            self._kept.clear()
            self._reply = self.question = None
            self._questions = 0

    def keep(self, message_id: str, frames: Frames) -> None:
        """A message on iopub with this parent is about to be sent."""
        if message_id != self.message_id or not message_id:
            return
        with self._lock:
            self._kept.append(frames)
            self.bytes += _size(frames)
            while self.bytes > _MOST_BYTES and len(self._kept) > 1:
                self._drop_first()
                self._lost = self._first

    def keep_reply(self, message_id: str, frames: Frames) -> None:
        """The reply is about to be sent. `frames` without the routing identities."""
        with self._lock:
            if message_id and message_id == self.message_id:
                self._reply = frames

    @contextmanager
    def asking(self, message_id: str, prompt: str, password: bool) -> Iterator[None]:
        """While the code of the request waits for an answer, which only a server that knows the question can give."""
        with self._lock:
            if message_id == self.message_id:
                self._questions += 1
                self.question = {"prompt": prompt, "password": password, "number": self._questions}
        try:
            yield
        finally:
            self.question = None

    def forget(self, message_id: str, count: int) -> None:
        """The server has stored the first `count` messages."""
        with self._lock:
            while message_id == self.message_id and self._kept and self._first < count:
                self._drop_first()

    def state(self) -> dict[str, Any]:
        """What is known of the current execution."""
        with self._lock:
            count = self._first + len(self._kept)
            return {
                "message_id": self.message_id,
                "execution_id": self.execution_id,
                "count": count,
                "is_done": self._reply is not None,
            }

    def rest(self, message_id: str, skip: int) -> Rest:
        """What came after the first `skip` messages."""
        with self._lock:
            if message_id != self.message_id:
                return Rest(skip, False, [], None, None)
            first = max(skip, self._first)
            kept = list(self._kept)[first - self._first :]
            return Rest(first, self._lost <= skip, kept, self.question, self._reply)

    def _drop_first(self) -> None:
        self.bytes -= _size(self._kept.popleft())
        self._first += 1


def _size(frames: Frames) -> int:
    return sum(len(frame) for frame in frames)
