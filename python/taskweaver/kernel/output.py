"""`sys.stdout` and `sys.stderr` of a kernel: text in the order written, in few messages, the first of them at once.

Text waits in one queue for both streams, which outlives the process. It is sent at once when a line is complete and nothing was sent for 10 ms;
otherwise after a tick of the kernel's own thread, when much has gathered, or when the request ends.
"""

from __future__ import annotations

import codecs
import io
import os
import threading
from threading import get_ident
from time import monotonic
from typing import Any, Callable, Iterable, Tuple

from . import requests
from .requests import Request, current_request
from .room import Room
from .signal_gate import gate
from .waiting_text import WaitingText
from .wire_session import WireSession

_QUIET_SECONDS = 0.010
_SHORTEST_TICK_SECONDS = 0.004
_LONGEST_TICK_SECONDS = 0.025
_LARGE_PIECE_CHARACTERS = 16384
_LARGEST_MESSAGE_CHARACTERS = 262144
_MOST_READS = 32
"""At once; a child that writes without end must not keep the kernel's thread from its other work."""

Piece = Tuple[Request, str, str]
"""The request that wrote, the stream's name, the text."""


class Output:
    """The queue of both streams and its way to the clients."""

    def __init__(self, session: WireSession, socket: Any, waiting: WaitingText, room: Room | None = None) -> None:
        self.session = session
        self.socket = socket
        self.sent_at = 0.0
        self.is_armed = False
        self.in_child = False
        """Whether this process is a fork of the kernel, which writes to its file descriptors instead."""
        self.wake: Callable[[], None] = lambda: None
        """Asks the kernel's thread for a `tick`."""
        self.read_children: Callable[[], Piece | None] = _nothing
        """Reads some of what child processes of the latest request have written; nothing where there is no more."""
        self.tick_seconds = _SHORTEST_TICK_SECONDS
        self.waiting = waiting
        self.room = room or Room()
        self._lock = threading.RLock()
        self._sender = 0
        """The thread that sends; 0 for none."""

    def wait_for_room(self) -> None:
        """Waits until the server has stored enough of what was written before. Not for a __del__ of the user's that prints while a message is made."""
        if self._sender != get_ident():
            self.room.wait()

    def flush(self, with_children: bool = False) -> None:
        """Sends what waits, and what child processes have written. Thread-safe; returns when it is on its way."""
        if with_children or requests.latest_request().started_children:
            self.send(self.read_children)
        else:
            self.send(_nothing)

    def send(self, read: Callable[[], Piece | None]) -> None:
        """Sends what waits and what `read` returns, until that is None; it runs under the lock that keeps all output in order."""
        self._in_order(lambda: self._send_all(read))

    def send_text(self, request: Request, name: str, text: str) -> None:
        """Sends text that is too long to wait, or has no room, after what waits."""

        def send() -> None:
            self._send_waiting()
            self._send(request, name, text)

        if not self._in_order(send):
            self.waiting.late.append((request, name, text))

    def _in_order(self, send: Callable[[], None]) -> bool:
        """False, and nothing is done, where this thread sends already: for a __del__ of the user's that prints while a message is made."""
        if self.in_child:
            return True
        gate.close()
        try:
            with self._lock:
                if self._sender:
                    return False
                self._sender = get_ident()
                try:
                    send()
                    while self.waiting.late:
                        self._send(*self.waiting.late.popleft())
                    self.sent_at = monotonic()
                finally:
                    self._sender = 0
                return True
        finally:
            gate.reopen()

    def request_tick(self) -> None:
        """Makes sure that what waits will not wait long."""
        gate.close()  # an exception of a signal handler in between would leave it waiting, or be lost
        try:
            self.is_armed = True
            self.wake()
        finally:
            gate.reopen()

    def tick(self) -> float | None:
        """Sends what has waited long enough; returns the seconds until the next tick, or None where none is due."""
        if self.waiting.is_empty:
            self.is_armed = False
            self.tick_seconds = _SHORTEST_TICK_SECONDS
            if not self.waiting.is_empty:  # written while the line above ran
                self.is_armed = True
                return self.tick_seconds
            return None
        if monotonic() - self.sent_at < self.tick_seconds:
            # The writer sends by itself; each look at it costs it the interpreter lock, so look less often.
            self.tick_seconds = min(self.tick_seconds * 2, _LONGEST_TICK_SECONDS)
        else:
            self.flush()
        return self.tick_seconds

    def become_child(self) -> None:
        """Called in a fork of this process: drops what waits, for the parent sends it."""
        self.in_child = True
        self.waiting.forsake()
        self._lock = threading.RLock()

    def _send_all(self, read: Callable[[], Piece | None]) -> None:
        piece = read()
        # What waited when a child was started has been sent then, so what waits now is younger than what the child wrote.
        if piece is not None and piece[0].started_children:
            self._send_read(piece, read)
            piece = None
        self._send_waiting()
        self._send_read(piece, read)

    def _send_waiting(self) -> None:
        for runs in iter(self.waiting.take, []):
            for request, name, text, end in runs:
                self.waiting.sending = end
                self._send(request, name, text)
            self.waiting.sending = 0

    def _send_read(self, piece: Piece | None, read: Callable[[], Piece | None]) -> None:
        count = 0
        while piece is not None:
            with self.waiting.sending_raw():
                self._send(*piece)
            count += 1
            piece = read() if count < _MOST_READS else None

    def _send(self, request: Request, name: str, text: str) -> None:
        for start in range(0, len(text), _LARGEST_MESSAGE_CHARACTERS):
            part = text[start : start + _LARGEST_MESSAGE_CHARACTERS]
            self.session.send(
                self.socket,
                "stream",
                {"name": name, "text": part},
                parent=request.header,
                ident=b"stream." + name.encode(),
            )


def _nothing() -> None:
    return None


class OutputStream(io.TextIOBase):
    """One of the two streams. It cannot be closed: a user's `sys.stdout.close()` only flushes."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None

    def __init__(self, output: Output, name: str, descriptor: int) -> None:
        self.name = name
        self.buffer = OutputBytes(self)
        self._output = output
        self._put = output.waiting.put
        self._descriptor = descriptor
        self._partial_line = ""

    def write(self, text: str) -> int:
        """Takes over `text`; returns its length."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        output = self._output
        if output.in_child:
            return self._write_in_child(text)
        if not text:
            return 0
        if output.room.is_short:
            output.wait_for_room()
        request = requests._own.get() or current_request()
        if len(text) > _LARGE_PIECE_CHARACTERS or not self._put(request, self.name, text):
            output.send_text(request, self.name, text)
            return len(text)
        quiet = monotonic() - output.sent_at >= _QUIET_SECONDS
        if quiet and ("\n" in text or output.is_armed):
            output.flush()
        elif not output.is_armed:
            output.request_tick()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        """Writes each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Sends what has been written so far."""
        if self._output.in_child:
            self._write_in_child("", ends_line=True)
        else:
            self._output.flush()

    def close(self) -> None:
        """Flushes and stays open."""
        self.flush()

    @property
    def closed(self) -> bool:
        """Always False."""
        return False

    def fileno(self) -> int:
        """The file descriptor whose output is published as this stream's."""
        return self._descriptor

    def isatty(self) -> bool:
        """False."""
        return False

    def readable(self) -> bool:
        """False."""
        return False

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """False."""
        return False

    def reconfigure(self, **_options: Any) -> None:
        """Accepted and ignored: the encoding and the buffering of a kernel's streams are fixed."""

    def _write_in_child(self, text: str, ends_line: bool = False) -> int:
        self._partial_line += text
        end = len(self._partial_line) if ends_line else self._partial_line.rfind("\n") + 1
        if end:
            data = self._partial_line[:end].encode("utf-8", "backslashreplace")
            self._partial_line = self._partial_line[end:]
            while data:
                data = data[os.write(self._descriptor, data) :]
        return len(text)


class OutputBytes(io.RawIOBase):
    """The `buffer` of a stream: bytes written here appear as the stream's text."""

    def __init__(self, stream: OutputStream) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: Any) -> int:
        """Takes over `data`, bytes of UTF-8 text; returns their number."""
        view = memoryview(data).cast("B")
        self._stream.write(self._decoder.decode(bytes(view)))
        return view.nbytes

    def flush(self) -> None:
        """Sends what has been written so far."""
        self._stream.flush()

    def close(self) -> None:
        """Flushes and stays open."""

    def writable(self) -> bool:
        """True."""
        return True

    def fileno(self) -> int:
        """The file descriptor of the stream."""
        return self._stream.fileno()
