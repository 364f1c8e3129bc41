"""The main thread of a kernel: takes the requests of the shell channel, one after the other, in an event loop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections import deque

import zmq

from .kernel import TaskWeaverKernel
from .requests import Request
from .signal_gate import gate


class ShellLoop:
    """Owns the event loop of the main thread."""

    def __init__(self, kernel: TaskWeaverKernel) -> None:
        self.loop = asyncio.new_event_loop()
        self._kernel = kernel
        self._socket = kernel.shell_socket
        self._queue: deque[Request] = deque()
        self._refused: set[int] = set()
        self._arrival: asyncio.Future[None] | None = None
        self._is_stopped = False
        self._wake_reader, self._wake_writer = socket.socketpair()
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)

    def run(self) -> None:
        """Serves requests until `stop`. Main thread."""
        asyncio.set_event_loop(self.loop)
        self._kernel.loop = gate.loop = self.loop
        self._kernel.abort_waiting = self._refuse_waiting
        gate.on_handler_error = self._kernel.cells.throw
        # A signal may be taken by any thread; this makes the event loop of the main thread look for it.
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        self.loop.add_reader(self._wake_reader, self._on_signal)
        self.loop.add_reader(self._socket.getsockopt(zmq.FD), self._on_arrival)
        # Named, since Python numbers tasks without a name and users see the numbers of theirs.
        gate.own_task = self.loop.create_task(self._serve(), name="TaskWeaverShell")
        while not self._is_stopped:
            try:
                self.loop.run_forever()
            except (KeyboardInterrupt, SystemExit):
                gate.depth = 1  # from a task of the user's; the kernel goes on
        signal.set_wakeup_fd(-1)

    def stop(self) -> None:
        """Ends `run` when the current request is done. Any thread."""
        self._is_stopped = True
        self.loop.call_soon_threadsafe(self.loop.stop)

    def close(self) -> None:
        """Lets the serving end, after `stop`, and closes the event loop."""
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)
        if gate.own_task is not None:
            self.loop.run_until_complete(gate.own_task)
        self.loop.close()
        asyncio.set_event_loop(None)
        self._wake_reader.close()
        self._wake_writer.close()

    async def _serve(self) -> None:
        while not self._is_stopped:
            gate.depth = 1
            self._receive()
            if not self._queue:
                self._arrival = self.loop.create_future()
                await self._arrival
                self._arrival = None
                continue
            request = self._queue.popleft()
            if id(request) in self._refused:
                self._refused.discard(id(request))
                self._kernel.refuse(request)
                continue
            try:
                await self._kernel.serve_shell(request)
            except BaseException:
                # Whatever happens in one request, the next one is served.
                self._kernel.log.exception("a request failed")

    def _receive(self) -> None:
        """Reads what has arrived. The socket's file descriptor only tells of new arrivals, so it is read to its end."""
        while True:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                identities, message = self._kernel.session.read(frames)
            except Exception:
                self._kernel.log.exception("an invalid message on the shell channel")
                continue
            self._queue.append(Request(message, identities))

    def _on_arrival(self) -> None:
        self._receive()
        if self._arrival is not None:
            if not self._arrival.done() and self._queue:
                self._arrival.set_result(None)
        else:
            self._serve_comms()

    def _serve_comms(self) -> None:
        """Messages of widgets are served while a cell awaits, for it may wait for just that."""
        comms = [request for request in self._queue if request.message["msg_type"].startswith("comm_")]
        for request in comms:
            if request.message["msg_type"] in ("comm_open", "comm_msg", "comm_close"):
                self._queue.remove(request)
                self.loop.create_task(self._kernel.serve_comm(request))

    def _refuse_waiting(self) -> None:
        self._receive()
        self._refused.update(id(it) for it in self._queue if it.message["msg_type"] == "execute_request")

    def _on_signal(self) -> None:
        try:
            while self._wake_reader.recv(4096):
                pass
        except BlockingIOError:
            pass
        gate.run_waiting_in_loop()
