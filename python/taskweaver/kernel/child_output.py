"""Publishes what is written to file descriptors 1 and 2, by child processes and by libraries, as the streams' text.

A child process keeps the pipes of the request that started it, so that what it writes later is never taken for the output
of a later request: after a request that has started children the next one has pipes of its own. A pipe is released when its
last writer has gone. The pipes have names, so that the server can hold them open and read what is left in them when the
kernel has died.
"""

from __future__ import annotations

import codecs
import functools
import os
import subprocess
from time import sleep
from typing import Any, Callable, Sequence

from .io_thread import IoThread
from .output import Output, Piece
from .requests import Request, current_request

_NAMES = {1: "stdout", 2: "stderr"}
_PAUSE_SECONDS = 0.002


class ChildOutput:
    """The pipes of all requests that still have a writer."""

    def __init__(self, output: Output, io_thread: IoThread, names: Sequence[str]) -> None:
        self._output = output
        self._io_thread = io_thread
        self._names = names
        """Paths for the pipes of both streams; empty where they are to have none."""
        self._current: list[_Pipe] = []
        self._next: list[_Pipe] = []
        output.read_children = self._read_current

    def begin(self, request: Request) -> None:
        """What is written to file descriptors 1 and 2 belongs to `request` from now on."""
        if not self._current or self._current[0].request.started_children:
            self._change_pipes()
        else:
            self._output.send(self._read_current)
        for pipe in self._current:
            pipe.request = request
            # Also where the code has put something else there.
            os.dup2(pipe.writer, pipe.stream)
        self._output.waiting.note_owner(request)

    def end(self) -> None:
        """Makes the pipes for the next request, where it needs some: the server looks for them before it sends one."""
        if self._current[0].request.started_children and not self._next:
            self._next = self._make_pipes()

    def close(self) -> None:
        """Closes the pipes; file descriptors 1 and 2 are the caller's again."""
        for pipe in (*self._current, *self._next):
            self._io_thread.unregister(pipe.reader)
            os.close(pipe.reader)
            os.close(pipe.writer)
        self._current = self._next = []

    def _change_pipes(self) -> None:
        previous, self._current = self._current, self._next or self._make_pipes()
        self._next = []
        for pipe in previous:
            self._io_thread.unregister(pipe.reader)
        for pipe in self._current:
            os.dup2(pipe.writer, pipe.stream)
        for pipe in previous:
            os.close(pipe.writer)
            self._output.send(functools.partial(self._read, pipe))
            if not pipe.is_closed:  # a child process still has it
                self._watch(pipe)
        for pipe in self._current:
            self._watch(pipe)

    def _make_pipes(self) -> list[_Pipe]:
        # The one of standard output last: who finds it finds the other.
        pipes = [_Pipe(self._output, stream, name) for stream, name in zip((2, 1), self._names or ("", ""))]
        return pipes[::-1]

    def _watch(self, pipe: _Pipe) -> None:
        read = functools.partial(self._read, pipe)

        def receive() -> None:
            # A child waits as the code does, at a full pipe. In between the thread does its other work.
            if self._output.room.must_wait():
                sleep(_PAUSE_SECONDS)
            else:
                self._output.send(read)

        self._io_thread.register(pipe.reader, receive)

    def _read(self, pipe: _Pipe) -> Piece | None:
        """Some of what can be read now. Runs under the output's lock, so a pipe is closed once, after it was unregistered."""
        piece = None if pipe.is_closed else pipe.read()
        if pipe.is_at_end and not pipe.is_closed:
            self._io_thread.unregister(pipe.reader)
            os.close(pipe.reader)
            pipe.is_closed = True
        return piece

    def _read_current(self) -> Piece | None:
        for pipe in self._current:
            piece = self._read(pipe)
            if piece is not None:
                return piece
        return None


class _Pipe:
    """One pipe, with both its ends, and the request that it belongs to."""

    def __init__(self, output: Output, stream: int, name: str) -> None:
        self.stream = stream
        self.request = Request()
        self.is_at_end = False
        self.is_closed = False
        self._waiting = output.waiting
        self._decoder: codecs.IncrementalDecoder | None = None
        self.reader, self.writer = _open_named(name) if name else os.pipe()
        os.set_blocking(self.reader, False)

    def read(self) -> Piece | None:
        """Some of what can be read now, at its end what of a character is left; None where there is nothing."""
        try:
            data = self._waiting.read_raw(self.reader, self.stream)
        except BlockingIOError:
            return None
        self.is_at_end = not data
        if not data and self._decoder is None:
            return None
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return self.request, _NAMES[self.stream], self._decoder.decode(data, self.is_at_end)


def _open_named(path: str) -> tuple[int, int]:
    if os.path.lexists(path):
        os.unlink(path)
    os.mkfifo(path, 0o600)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return reader, os.open(path, os.O_WRONLY | os.O_CLOEXEC)


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
