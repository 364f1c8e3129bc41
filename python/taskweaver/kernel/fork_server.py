"""The template process: prepares a kernel once and forks it for each request. The protocol is in docs/kernel-runtime.md."""

from __future__ import annotations

import argparse
import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any

from ..sandbox.system_calls import become_subreaper
from . import fork_child, warm_up
from .launch import prepare

_CHANNEL = 3
_PROTOCOL = 1


def serve(arguments: list[str]) -> None:
    """Serves fork requests until the other side closes the socket."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--preload", action="append", default=[], metavar="MODULE")
    options = parser.parse_args(arguments)
    channel = socket.socket(fileno=_CHANNEL)
    channel.set_inheritable(False)
    warm_up.import_modules(options.preload)
    application = prepare([])
    warm_up.connect_figures()
    _settle()
    warm_up.exercise(application)
    _settle()
    ForkServer(channel, application).serve()


def _settle() -> None:
    """What is here now is shared with every kernel; the collector must not write to its pages, nor look at it again and again."""
    gc.collect()
    gc.freeze()


class ForkServer:
    """Forks on request and tells how its children end. Has one thread, as a process that forks must."""

    def __init__(self, channel: socket.socket, application: Any) -> None:
        self.channel = channel
        self._application = application
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._unread = b""

    @property
    def descriptors(self) -> list[int]:
        """What belongs to the template alone, besides the channel."""
        return [self._wake_reader, self._wake_writer]

    def serve(self) -> None:
        """Returns when the channel is closed; the kernels live on."""
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        self.tell(prepared=True, pid=os.getpid(), protocol=_PROTOCOL)
        selector = selectors.DefaultSelector()
        selector.register(self.channel, selectors.EVENT_READ)
        selector.register(self._wake_reader, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not self.channel:
                    self._reap()
                elif not self._receive(selector):
                    return

    def tell(self, **message: Any) -> None:
        """Sends one line."""
        self.channel.sendall(json.dumps(message).encode() + b"\n")

    def _receive(self, selector: selectors.BaseSelector) -> bool:
        try:
            data = self.channel.recv(1 << 20)
        except OSError:  # the server has ended without a goodbye
            return False
        if not data:
            return False
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "fork" in request:
                self._fork(request, selector)
        return True

    def _fork(self, request: dict[str, Any], selector: selectors.BaseSelector) -> None:
        forks_again = request.get("forks_again", False)
        try:
            if forks_again:
                become_subreaper()
            pid = os.fork()
        except OSError as error:
            self.tell(fork_failed=request["fork"], error=f"fork failed: {error.strerror}")
            return
        if pid:
            if forks_again:
                return  # the process between tells of the kernel, which becomes this process' child
            self.tell(forked=request["fork"], pid=pid)
            return
        status = 1
        try:
            selector.close()
            for descriptor in self.descriptors:
                os.close(descriptor)
            fork_child.run(self._application, request, self.channel)
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)

    def _reap(self) -> None:
        try:
            while os.read(self._wake_reader, 4096):
                pass
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
            self.tell(
                exited=pid,
                exit_code=os.WEXITSTATUS(status) if number is None else None,
                signal=None if number is None else _signal_name(number),
            )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
