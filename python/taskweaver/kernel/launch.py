"""Puts a kernel together: `prepare` makes all of it that needs no socket, thread or event loop, `start` does the rest."""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import sys
import threading
import traceback
from typing import Any, Mapping

import zmq

from . import debugging
from .application import KernelApplication
from .channels import Channels, read_connection_file, write_connection_file
from .child_output import ChildOutput, announce_children
from .control_channel import ControlChannel, Heartbeat
from .debugging import DebugThread
from .io_thread import IoThread
from .kernel import TaskWeaverKernel
from .orphan_watch import OrphanWatch
from .output import OutputStream
from .publisher import Publisher
from .requests import Request, install_inheritance
from .shell_loop import ShellLoop
from .signal_gate import gate

_SHUTDOWN_SECONDS = 1.0
"""How long a busy main thread may take to end before the process ends anyway."""

_RESEND_SECONDS = 0.0005


def launch(arguments: list[str]) -> None:
    """Runs a kernel with the options of `ipykernel_launcher` until it is shut down."""
    application = prepare(arguments)
    path = application.abs_connection_file if application.connection_file else ""
    is_given = bool(path) and os.path.exists(path)
    connection = read_connection_file(path) if is_given else {}
    try:
        running = RunningKernel(application, connection)
        running.start()
    except BaseException:
        # The standard streams may be the user's already, and nothing carries them yet.
        traceback.print_exc(file=sys.__stderr__)
        os._exit(1)
    if not is_given:
        path = path or os.path.join(application.connection_dir, f"kernel-{os.getpid()}.json")
        write_connection_file(path, running.channels.connection)
    running.run()


def prepare(arguments: list[str]) -> KernelApplication:
    """Everything that is safe before a fork: configuration, the shell with its magics, the namespace."""
    application = KernelApplication.instance()
    application.initialize(arguments)
    return application


class RunningKernel:
    """A prepared kernel that is connected. It has its sockets at once, serves them from `start` on, and can be taken apart again."""

    def __init__(self, application: KernelApplication, connection: Mapping[str, Any]) -> None:
        kernel: TaskWeaverKernel = application.kernel
        self.kernel = kernel
        self.channels = Channels(connection)
        session = kernel.session
        session.key = str(self.channels.connection.get("key", "")).encode()
        self.channels.connection.setdefault("key", "")
        if "signature_scheme" in connection:
            session.signature_scheme = connection["signature_scheme"]
        kernel.iopub_socket.open(self.channels.iopub)
        self._keep_last_output(kernel.iopub_socket)
        kernel.shell_socket = self.channels.shell
        kernel.stdin_socket = self.channels.stdin
        kernel.control_socket = self.channels.control
        kernel.record_ports(self.channels.ports)
        kernel.debug_thread = DebugThread(kernel, self.channels) if debugging.is_available() else None
        self.io_thread = IoThread()
        kernel.call_in_io_thread = self.io_thread.call_soon
        kernel.output.wake = self.io_thread.request_tick
        self.control = ControlChannel(kernel, self.channels.control)
        self.heartbeat = Heartbeat(self.channels.heartbeat, self.io_thread)
        self.loop = ShellLoop(kernel)
        kernel.on_shutdown = self._shut_down

    def start(self) -> None:
        """Makes the process the kernel's own, its streams, children and signals, and begins to serve the control channel."""
        self._keep_log()
        self.take_streams()
        announce_children(self.kernel.output)
        install_inheritance()
        gate.install()
        gate.send_later = self._send_to_main_thread
        self.listen()

    def take_streams(self) -> None:
        """What Python, libraries and child processes write goes to the clients."""
        kernel = self.kernel
        kernel.children = ChildOutput(kernel.output, self.io_thread, self.channels.pipe_names())
        kernel.children.begin(Request())
        sys.stdout = OutputStream(kernel.output, "stdout", 1)
        sys.stderr = OutputStream(kernel.output, "stderr", 2)
        kernel.streams.update(stdout=sys.stdout, stderr=sys.stderr)

    def listen(self) -> None:
        """Begins to serve all but the shell channel, in the kernel's own thread."""
        kernel, publisher = self.kernel, self.kernel.iopub_socket
        watch = OrphanWatch(self.io_thread, self._end_as_orphan)
        publisher.on_subscribers = watch.subscribers_changed
        self.io_thread.register(self.channels.iopub.getsockopt(zmq.FD), publisher.read_subscriptions)
        self.io_thread.register(self.channels.control.getsockopt(zmq.FD), self.control.receive)
        self.io_thread.start(kernel.output.tick)
        # What arrived between bind and here is not announced any more.
        self.io_thread.call_soon(publisher.read_subscriptions)
        self.io_thread.call_soon(self.control.receive)
        kernel._publish_state("starting", Request())

    def run(self) -> None:
        """Serves requests in the main thread until the kernel is shut down."""
        self.loop.run()
        self._close()

    def disconnect(self) -> None:
        """Takes apart what `__init__` and `listen` have made; the kernel can be connected anew. Nothing that was sent is waited for."""
        kernel = self.kernel
        self.io_thread.close()
        self.loop.close()
        kernel.iopub_socket.forget()
        self.channels.context.destroy(linger=0)
        self.channels.remove_files()
        kernel.shell_socket = kernel.stdin_socket = kernel.control_socket = kernel.debug_thread = kernel.loop = None
        kernel.call_in_io_thread = lambda call: call()
        kernel.output.wake = kernel.on_shutdown = kernel.abort_waiting = lambda: None
        kernel.iopub_socket.on_subscribers = lambda count: None
        gate.loop = gate.own_task = gate.on_handler_error = None

    def _keep_last_output(self, publisher: Publisher) -> None:
        """From here on what is written outlives the process."""
        try:
            text, *sent = self.channels.last_output_files() or [""]
            if text:
                publisher.waiting.open(text)
                publisher.sent.open(*sent)
        except OSError as error:
            self.kernel.log.warning("what this kernel writes last will be lost if it dies: %s", error)

    def _keep_log(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        # What concerns the kernel and not the user goes on to where it was started.
        log = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        sys.__stderr__ = log  # type: ignore[misc]
        # A crash in C leaves its Python traceback in the user's stream, where that outlives the kernel.
        faulthandler.enable(2 if self.channels.pipe_names() else log, all_threads=False)
        for handler in self.kernel.log.handlers:
            if hasattr(handler, "setStream"):
                handler.setStream(log)

    def _shut_down(self) -> None:
        """Called in the kernel's own thread once the client has its answer."""
        self.loop.stop()
        gate.accepts_interrupts = True
        os.kill(os.getpid(), signal.SIGINT)
        threading.Timer(_SHUTDOWN_SECONDS, os._exit, [0]).start()

    def _send_to_main_thread(self, number: int) -> None:
        self.io_thread.call_later(_RESEND_SECONDS, lambda: signal.pthread_kill(gate.main_thread, number))

    def _end_as_orphan(self) -> None:
        """Nobody is left to answer, and nobody else removes the socket files. What code wrote last a server may yet come for."""
        self.channels.remove_files(with_last_output=not self.kernel.iopub_socket.retention.message_id)
        self._shut_down()

    def _close(self) -> None:
        atexit._run_exitfuncs()
        self.kernel.output.flush(with_children=True)
        self.io_thread.stop()
        self.kernel.iopub_socket.close()
        self.channels.close()
        os._exit(0)
