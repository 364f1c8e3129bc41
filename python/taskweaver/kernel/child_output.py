"""Publishes what is written to file descriptors 1 and 2, by child processes and by libraries, as the streams' text.

Each request has pipes of its own. A child process keeps those of the request that started it, so that what it writes
later is never taken for the output of a later request. A pipe is released when its last writer has gone.
"""

from __future__ import annotations

import codecs
import functools
import os
import subprocess
from typing import Any, Callable

from .io_thread import IoThread
from .output import Output, Piece
from .requests import Request, current_request

_READ_BYTES = 65536
_MOST_READS = 16
"""At once; a child that writes without end must not keep the kernel's thread from its other work."""

_STREAMS = ((1, "stdout"), (2, "stderr"))


class ChildOutput:
    """The pipes of all requests that still have a writer."""

    def __init__(self, output: Output, io_thread: IoThread) -> None:
        self._output = output
        self._io_thread = io_thread
        self._current: list[_Pipe] = []
        output.read_children = self._read_current

    def begin(self, request: Request) -> None:
        """Points file descriptors 1 and 2 to new pipes, for `request`."""
        previous = self._current
        for pipe in previous:
            self._io_thread.unregister(pipe.descriptor)
        self._current = [self._redirect(descriptor, name, request) for descriptor, name in _STREAMS]
        for pipe in previous:
            self._output.send(functools.partial(self._read, pipe))
            if not pipe.is_closed:  # a child process still has it
                self._watch(pipe)
        for pipe in self._current:
            self._watch(pipe)

    def end(self) -> None:
        """Sends what has been written to the current pipes."""
        self._output.flush(with_children=True)

    def _redirect(self, descriptor: int, name: str, request: Request) -> _Pipe:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.dup2(writer, descriptor)
        os.close(writer)
        return _Pipe(reader, name, request)

    def _watch(self, pipe: _Pipe) -> None:
        read = functools.partial(self._read, pipe)
        self._io_thread.register(pipe.descriptor, functools.partial(self._output.send, read))

    def _read(self, pipe: _Pipe) -> list[Piece]:
        """What can be read now. Runs under the output's lock, so a pipe is closed once, after it was unregistered."""
        pieces = pipe.read()
        if pipe.is_at_end and not pipe.is_closed:
            self._io_thread.unregister(pipe.descriptor)
            os.close(pipe.descriptor)
            pipe.is_closed = True
        return pieces

    def _read_current(self) -> list[Piece]:
        return [piece for pipe in self._current for piece in self._read(pipe)]


class _Pipe:
    __slots__ = ("descriptor", "name", "request", "is_at_end", "is_closed", "_decoder")

    def __init__(self, descriptor: int, name: str, request: Request) -> None:
        self.descriptor = descriptor
        self.name = name
        self.request = request
        self.is_at_end = False
        self.is_closed = False
        self._decoder: codecs.IncrementalDecoder | None = None

    def read(self) -> list[Piece]:
        """What can be read now."""
        data: list[bytes] = []
        for _ in range(_MOST_READS):
            if self.is_at_end:
                break
            try:
                chunk = os.read(self.descriptor, _READ_BYTES)
            except BlockingIOError:
                break
            if chunk:
                data.append(chunk)
            else:
                self.is_at_end = True
        if not data and self._decoder is None:
            return []
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = self._decoder.decode(b"".join(data), self.is_at_end)
        return [(self.request, self.name, text)] if text else []


def announce_children(output: Output) -> None:
    """From now on what waits is sent before a child process is started, so that its output comes after it."""

    def announce() -> None:
        if not output.in_child:
            output.flush()
            current_request().started_children = True

    os.register_at_fork(before=announce, after_in_child=output.become_child)
    subprocess.Popen.__init__ = _announced(subprocess.Popen.__init__, announce)  # type: ignore[method-assign]
    for name in ("system", "posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            setattr(os, name, _announced(getattr(os, name), announce))


def _announced(function: Callable[..., Any], announce: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def announced(*args: Any, **kwargs: Any) -> Any:
        announce()
        return function(*args, **kwargs)

    return announced
