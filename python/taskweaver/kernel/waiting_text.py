"""Text that was written and not yet sent. It waits in a file that is mapped into memory, so that it outlives the process.

The file begins with a mark, the number of the round, where what is sent already ends, and the id of the request that file descriptors
1 and 2 belong to. From 128 on it is what waits, up to where only zeros follow. `b"\\xff"` (which UTF-8 does not have), a letter for the stream, the id of the request and another `b"\\xff"` stand
before text of another writer than the text before. When all has been sent a new round begins at the front.

From 65536 on it is what was read from a file descriptor and not yet sent: a number, 1 or 2 for the descriptor, and after these 8 bytes
what was read, up to where only zeros follow. The message that carries it is kept with the same number.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from collections import deque
from contextlib import contextmanager
from typing import Any, Iterator, NamedTuple

from .requests import Request

_SIZE = 65536
_OWNER = 16
_BEGIN = 128
_RAW_SIZE = 32768
_RAW_BEGIN = 8
_MARK = b"TWwaits1"
_STREAMS = {"stdout": "o", "stderr": "e"}
_BEFORE = {"stdout": "O", "stderr": "E"}
"""The letters of requests that have started children: what those wrote comes before what waits."""


class Run(NamedTuple):
    """Text of one writer."""

    request: Request
    name: str
    text: str
    end: int
    """Where it ends in the file."""


class WaitingText:
    """One writer's text after the other. Any thread may put some in; one at a time takes it out and sends it."""

    def __init__(self) -> None:
        self.late: deque[tuple[Request, str, str]] = deque()
        """What a `__del__` of the user's wrote in the middle of a `take`."""
        self.sending = 0
        """Where the text of the stream message ends that is being sent; 0 for one whose text never waited."""
        self.raw_number = 0
        """The number of what was read from a file descriptor and is being sent; 0 for other text."""
        self.round = 1
        self._raws = 0
        self._lock = threading.RLock()
        self._use(_memory(_SIZE), _memory(_RAW_SIZE))

    def open(self, path: str) -> None:
        """From now on what waits is in this file, which is made. Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # A page that the disk has no room for would end the process when it is written to.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, _SIZE + _RAW_SIZE)
            else:
                os.ftruncate(descriptor, _SIZE + _RAW_SIZE)
            self._use(mmap.mmap(descriptor, _SIZE), mmap.mmap(descriptor, _RAW_SIZE, offset=_SIZE))
        finally:
            os.close(descriptor)

    def forsake(self) -> None:
        """In a fork of the process: the file, and what waits in it, is the parent's."""
        self._lock = threading.RLock()
        self._use(_memory(_SIZE), _memory(_RAW_SIZE))

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._map.tell() == self._taken and not self.late

    def put(self, request: Request, name: str, text: str) -> bool:
        """Adds text; False where there is no room. A signal's handler may raise in here: then all of it is in, or nothing."""
        try:
            data = text.encode()
        except UnicodeEncodeError:  # lone surrogates
            data = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if request is not self._request or name is not self._name:
                return self._put_after_other(request, name, text, data)
            try:
                self._write(data)
            except ValueError:
                return False
        return True

    def _put_after_other(self, request: Request, name: str, text: str, data: bytes) -> bool:
        if self._is_taking:
            self.late.append((request, name, text))
            return True
        try:
            self._write(self._introduction(request, name) + data)
        except ValueError:
            return False
        self._request, self._name = request, name
        return True

    def take(self) -> list[Run]:
        """What waits and was not taken yet. Where there is none all has been sent, and a new round begins."""
        with self._lock:
            self._is_taking = True
            request, self._request = self._request, None
            try:
                begin, end = self._taken, self._map.tell()
                if begin == end:
                    self._begin_round(end)
                    return []
                data = self._map[begin:end]
                self._taken = end
                self._request = request
            finally:
                self._is_taking = False
        return self._runs(data, begin)

    def note_sent(self, end: int) -> None:
        """What ends here has been sent; it is kept elsewhere."""
        struct.pack_into("<I", self._map, 12, end)

    def note_owner(self, request: Request) -> None:
        """What is read from file descriptors 1 and 2 belongs to this request now."""
        owner = str(request.header.get("msg_id", "")).encode("utf-8", "replace")[: _BEGIN - _OWNER]
        self._map[_OWNER:_BEGIN] = owner.ljust(_BEGIN - _OWNER, b"\0")

    def read_raw(self, reader: int, stream: int) -> bytes:
        """Reads from a file descriptor into the file, so that what is read is never nowhere; `sending_raw` follows. Raises BlockingIOError."""
        self._raws += 1
        struct.pack_into("<II", self._raw, 0, self._raws, stream)
        with memoryview(self._raw) as memory, memory[_RAW_BEGIN:] as place:
            count = os.readv(reader, [place])
        self._raw_end = _RAW_BEGIN + count
        return self._raw[_RAW_BEGIN : self._raw_end]

    @contextmanager
    def sending_raw(self) -> Iterator[None]:
        """While the message with what was read is sent; afterwards that is kept elsewhere."""
        self.raw_number = self._raws
        yield
        self.raw_number = 0
        self._raw[_RAW_BEGIN : self._raw_end] = bytes(self._raw_end - _RAW_BEGIN)

    def _runs(self, data: bytes, begin: int) -> list[Run]:
        first, *others = data.split(b"\xff")
        end = begin + len(first)
        runs = [(self._writer, first, end)] if first else []
        for introduction, text in zip(others[::2], others[1::2]):
            end += len(introduction) + len(text) + 2
            self._writer = self._writers[introduction]
            runs.append((self._writer, text, end))
        return [Run(*writer, text.decode(), end) for writer, text, end in runs]

    def _introduction(self, request: Request, name: str) -> bytes:
        letters = _BEFORE if request.started_children else _STREAMS
        key = (letters[name] + str(request.header.get("msg_id", ""))).encode("utf-8", "backslashreplace").replace(b"\0", b"")
        self._writers[key] = (request, name)
        return b"\xff" + key + b"\xff"

    def _begin_round(self, end: int) -> None:
        if end == _BEGIN:
            return
        self._map[_BEGIN:end] = bytes(end - _BEGIN)
        self._map.seek(_BEGIN)
        self.round += 1
        self._start()

    def _use(self, memory: Any, raw: Any) -> None:
        self._raw, self._raw_end = raw, _RAW_BEGIN
        memory.seek(_BEGIN)
        self._map, self._write = memory, memory.write
        self._start()
        # Last: who reads the file knows by it that there is something to read.
        memory[:8] = _MARK

    def _start(self) -> None:
        self._map[8:16] = struct.pack("<II", self.round, 0)
        self._taken = _BEGIN
        self._is_taking = False
        self._request: Request | None = None
        self._name = ""
        self._writer: tuple[Request, str] = (Request(), "stdout")
        self._writers: dict[bytes, tuple[Request, str]] = {}


def _memory(size: int) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
