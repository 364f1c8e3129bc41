"""A rehearsal in the template: the kernel is connected, used and bound over its sockets as each fork will be, then disconnected.

What a fork does for the first time costs it time, and copies of the pages that Python notes it on: the bytecode that is
rewritten, the names and versions of types that are cached. After a rehearsal they are noted on pages that all forks share.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import uuid
from contextlib import contextmanager
from typing import Any, Iterator, Sequence

import zmq

from .fork_child import renew_identity
from .launch import RunningKernel
from .renewal import change_environment, forget_executions
from .requests import Request
from .wire_session import WireSession

_ANSWER_MS = 10_000
_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")

_Requests = Sequence["tuple[str, dict[str, Any]]"]


def rehearse(application: Any, cells: Sequence[str]) -> None:
    """Serves a client that runs `cells` and binds the kernel to nobody. Leaves neither thread nor descriptor, and nothing that a user can see.

    Raises OSError and zmq.ZMQError where there is no place for the sockets.
    """
    kernel = application.kernel
    change_environment(dict(os.environ), removes_others=True)
    renew_identity(application)
    with tempfile.TemporaryDirectory(prefix="tw") as folder:
        connection = {
            "transport": "ipc",
            "ip": f"{folder}/k",
            "key": uuid.uuid4().hex,
            "signature_scheme": "hmac-sha256",
            **{f"{name}_port": number for number, name in enumerate(_CHANNELS, 1)},
        }
        running = RunningKernel(application, connection)
        client = threading.Thread(target=_ask, args=(running, list(_requests(cells))), name="Rehearsal")
        try:
            with _streams(running):
                running.listen()
                client.start()
                running.loop.run()
                client.join()
        finally:
            running.disconnect()
    forget_executions(kernel)
    kernel.session.digest_history.clear()
    kernel.control_request = Request()


def _requests(cells: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    bind = "taskweaver_bind_request", {"cwd": os.getcwd(), "env": {}}
    yield "kernel_info_request", {}
    for code in cells:
        yield "execute_request", {"code": code, "silent": False, "store_history": True, "stop_on_error": False}
    yield from (bind, bind)


def _ask(running: RunningKernel, requests: _Requests) -> None:
    """The client, in a thread of its own: one request after the other, then the end."""
    connection = running.channels.connection
    session = WireSession(key=connection["key"].encode())
    context: zmq.Context[Any] = zmq.Context()
    try:
        sockets = {name: context.socket(kind) for name, kind in (("iopub", zmq.SUB), ("shell", zmq.DEALER))}
        for name, socket in sockets.items():
            socket.rcvtimeo = _ANSWER_MS
            socket.connect(f"ipc://{connection['ip']}-{connection[f'{name}_port']}")
        sockets["iopub"].subscribe(b"")
        sockets["iopub"].recv_multipart()
        for kind, content in requests:
            metadata = {"taskweaver": {"session_id": "", "execution_id": "", "execution_index": 1, "session_variables": {}}}
            message = {"header": session.msg_header(kind), "parent_header": {}, "metadata": metadata, "content": content}
            sockets["shell"].send_multipart(session.frames(message, None))
            sockets["shell"].recv_multipart()
    finally:
        context.destroy(linger=0)
        running.loop.stop()


@contextmanager
def _streams(running: RunningKernel) -> Iterator[None]:
    """The kernel's streams for as long as it is connected."""
    output = running.kernel.output
    streams, descriptors = (sys.stdout, sys.stderr), [os.dup(1), os.dup(2)]
    running.take_streams()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for descriptor, copy in enumerate(descriptors, 1):
            os.dup2(copy, descriptor)
            os.close(copy)
        output.flush(with_children=True)
        output.is_armed = False
        output.read_children = lambda: None
        running.kernel.children.close()
        running.kernel.children = None
        running.kernel.streams.clear()
