"""The five sockets of a kernel, bound where a connection file says."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any, Mapping

import zmq

_LINGER_MS = 1000
LAST_OUTPUT_FILES = ("text", "sent0", "sent1")
PIPES = ("stderr", "stdout")

_NAMES = ("shell", "iopub", "stdin", "control", "hb")


class Channels:
    """Makes and owns the sockets. `ports` tells where they were bound; with `ipc` a port is the suffix of a path."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self.connection = dict(connection)
        self.context: zmq.Context[Any] = zmq.Context()
        self.shell = self._bind(zmq.ROUTER, "shell")
        self.stdin = self._bind(zmq.ROUTER, "stdin")
        self.control = self._bind(zmq.ROUTER, "control")
        self.iopub = self._bind(zmq.XPUB, "iopub")
        self.heartbeat = self._bind(zmq.ROUTER, "hb")

    @property
    def ports(self) -> dict[str, int]:
        """The port of each channel, as `{"shell_port": 1, ...}`."""
        return {f"{name}_port": self.connection[f"{name}_port"] for name in _NAMES}

    def close(self) -> None:
        """Closes the sockets; what was sent goes out first, for a second at most."""
        for socket in (self.shell, self.stdin, self.control, self.iopub, self.heartbeat):
            if not socket.closed:
                socket.close()
        threading.Thread(target=self.context.term, daemon=True).start()

    def connect_to_shell(self) -> zmq.Socket[Any]:
        """A socket by which the kernel sends requests to itself."""
        socket = self.context.socket(zmq.DEALER)
        socket.linger = _LINGER_MS
        self._use_curve(socket, is_server=False)
        socket.connect(self.shell.getsockopt(zmq.LAST_ENDPOINT))  # type: ignore[arg-type]
        return socket

    def remove_files(self, with_last_output: bool = True) -> None:
        """Removes the files of an `ipc` connection: the sockets, and beside them what they belong with."""
        if self.connection.get("transport") == "ipc":
            Path(f"{self.connection['ip']}.json").unlink(missing_ok=True)
            for name in (*self.ports.values(), *PIPES, *(LAST_OUTPUT_FILES if with_last_output else ())):
                Path(f"{self.connection['ip']}-{name}").unlink(missing_ok=True)

    def last_output_files(self) -> list[str]:
        """Where this kernel's last output is to be found when it dies; made anew, beside its sockets. None where those are no files."""
        if self.connection.get("transport") != "ipc":
            return []
        paths = [f"{self.connection['ip']}-{name}" for name in LAST_OUTPUT_FILES]
        for path in paths:
            Path(path).unlink(missing_ok=True)
        return paths

    def pipe_names(self) -> list[str]:
        """Where the pipes of file descriptors 2 and 1 are to be found. None where the sockets are no files."""
        return [f"{self.connection['ip']}-{name}" for name in PIPES] if self.connection.get("transport") == "ipc" else []

    def _bind(self, kind: int, name: str) -> zmq.Socket[Any]:
        socket = self.context.socket(kind)
        socket.linger = _LINGER_MS
        socket.sndhwm = 0
        if kind == zmq.XPUB:
            # Every subscription is told of, also of a topic that another client has subscribed to.
            socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        if kind == zmq.ROUTER:
            # A client that comes back under its old identity takes over from its dead connection.
            socket.router_handover = 1
        self._use_curve(socket, is_server=True)
        port = int(self.connection.get(f"{name}_port") or 0)
        ip = self.connection.get("ip", "127.0.0.1")
        if self.connection.get("transport", "tcp") == "ipc":
            port = port or _free_suffix(ip)
            # What a kernel that was killed has left there would make the bind fail or mislead.
            Path(f"{ip}-{port}").unlink(missing_ok=True)
            mask = os.umask(0o077)
            try:
                socket.bind(f"ipc://{ip}-{port}")
            finally:
                os.umask(mask)
        elif port:
            socket.bind(f"tcp://{ip}:{port}")
        else:
            port = socket.bind_to_random_port(f"tcp://{ip}")
        self.connection[f"{name}_port"] = port
        return socket

    def _use_curve(self, socket: zmq.Socket[Any], is_server: bool) -> None:
        if not self.connection.get("curve_secretkey"):
            return
        socket.curve_secretkey = _bytes(self.connection["curve_secretkey"])
        socket.curve_publickey = _bytes(self.connection["curve_publickey"])
        if is_server:
            socket.curve_server = True
        else:
            socket.curve_serverkey = _bytes(self.connection["curve_publickey"])


def read_connection_file(path: str) -> dict[str, Any]:
    """The content of a connection file. Raises OSError and ValueError."""
    connection = json.loads(Path(path).read_text("utf-8"))
    if not isinstance(connection, dict):
        raise ValueError(f"{path} is no connection file")
    return connection


def write_connection_file(path: str, connection: Mapping[str, Any]) -> None:
    """Writes a connection file that only its user can read."""
    target = Path(path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(dict(connection), file, indent=2)


def _free_suffix(path: str) -> int:
    suffix = 1
    while Path(f"{path}-{suffix}").exists():
        suffix += 1
    return suffix


def _bytes(value: str | bytes) -> bytes:
    return value.encode("ascii") if isinstance(value, str) else value
