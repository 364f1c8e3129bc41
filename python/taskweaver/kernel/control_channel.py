"""The control channel and the heartbeat, which answer while the main thread runs the user's code."""

from __future__ import annotations

import threading
from typing import Any

import zmq

from .io_thread import IoThread
from .kernel import TaskWeaverKernel
from .requests import Request


class ControlChannel:
    """Serves the control channel in the kernel's own thread."""

    def __init__(self, kernel: TaskWeaverKernel, socket: zmq.Socket[Any]) -> None:
        self._kernel = kernel
        self._socket = socket

    def receive(self) -> None:
        """Serves what has arrived. The socket's file descriptor only tells of new arrivals, so it is read to its end."""
        while not self._socket.closed:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                identities, message = self._kernel.session.read(frames)
            except Exception:
                self._kernel.log.exception("an invalid message on the control channel")
                continue
            self._kernel.serve_control(Request(message, identities))


class Heartbeat:
    """Echoes what arrives, without Python once it has begun, so that a client sees life also during a long call into C."""

    def __init__(self, socket: zmq.Socket[Any], io_thread: IoThread) -> None:
        self._socket = socket
        self._io_thread = io_thread
        # Most clients never send one; the thread is made for those that do.
        io_thread.register(socket.getsockopt(zmq.FD), self._begin)
        io_thread.call_soon(self._begin)
        self._has_begun = False

    def _begin(self) -> None:
        if self._has_begun or not self._socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:  # type: ignore[operator]
            return
        self._has_begun = True
        self._io_thread.unregister(self._socket.getsockopt(zmq.FD))  # type: ignore[arg-type]
        threading.Thread(target=self._echo, name="Heartbeat", daemon=True).start()

    def _echo(self) -> None:
        try:
            zmq.proxy(self._socket, self._socket)
        except zmq.ZMQError:
            pass  # the kernel ends
