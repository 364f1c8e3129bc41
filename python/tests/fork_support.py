"""A fork server to test with, and the kernels that it forks."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from typing import Any, Iterator

from jupyter_client import BlockingKernelClient

from support import ANSWER_SECONDS, PYTHON_FOLDER, KernelTalk


class ForkServer:
    """A template process, spoken to as the server does."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tw")
        self._log = open(os.path.join(self._folder.name, "template"), "w+b")
        self._socket, other = socket.socketpair()
        environment = {**os.environ, "IPYTHONDIR": os.path.join(self._folder.name, "ipython"), **(env or {})}
        command = [sys.executable, str(PYTHON_FOLDER / "taskweaver_fork_server.py"), *arguments]
        # Puts the socket where the protocol has it.
        move = f"import os, sys; os.dup2({other.fileno()}, 3); os.close({other.fileno()}); os.execv(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", move, *command],
            pass_fds=[other.fileno()],
            stdout=self._log,
            stderr=self._log,
            env=environment,
            cwd="/",
        )
        other.close()
        self._waiting: dict[str, queue.Queue[dict[str, Any]]] = {}
        self._exits: dict[int, tuple[int | None, str | None]] = {}
        self._changed = threading.Condition()
        self._prepared: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.prepared = self._prepared.get(timeout=ANSWER_SECONDS)

    @property
    def log(self) -> str:
        """What the template wrote."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def send_line(self, line: str) -> None:
        """Sends a line as it is."""
        self._socket.sendall(line.encode() + b"\n")

    def fork(self, env: dict[str, str] | None = None) -> ForkedKernel:
        """A new kernel in a folder of its own."""
        return ForkedKernel(self, env)

    def request_fork(self, content: dict[str, Any]) -> int:
        """Asks for a kernel and gives its process."""
        return self._ask(content)[0]

    def fork_and_wait(self, content: dict[str, Any]) -> int:
        """Asks for a kernel and waits until its sockets are bound."""
        pid, answers = self._ask(content)
        while not any("ready" in answer for answer in answers):
            answers.append(self._waiting[content["fork"]].get(timeout=ANSWER_SECONDS))
        return pid

    def exit_of(self, pid: int) -> tuple[int | None, str | None]:
        """Exit code and signal of a kernel that ends."""
        with self._changed:
            assert self._changed.wait_for(lambda: pid in self._exits, ANSWER_SECONDS)
            return self._exits[pid]

    def kill(self) -> None:
        """Kills the template."""
        os.kill(self.prepared["pid"], signal.SIGKILL)
        self.process.wait(ANSWER_SECONDS)

    def close(self) -> None:
        """Closes the socket, which ends the template."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        self.process.wait(ANSWER_SECONDS)
        self._reader.join(ANSWER_SECONDS)
        if not self._log.closed:
            self._log.close()
            self._folder.cleanup()

    def _ask(self, content: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        identifier = content.setdefault("fork", uuid.uuid4().hex[:8])
        content.setdefault("connection", {"transport": "ipc", "ip": f"{self._folder.name}/{identifier}", "key": "k"})
        content.setdefault("cwd", self._folder.name)
        content.setdefault("env", dict(os.environ))
        content.setdefault("log_file", os.path.join(self._folder.name, f"{identifier}.log"))
        self._waiting[identifier] = queue.Queue()
        self.send_line(json.dumps(content))
        answers = []
        while not any("forked" in answer for answer in answers):
            answers.append(self._waiting[identifier].get(timeout=ANSWER_SECONDS))
        return next(answer["pid"] for answer in answers if "forked" in answer), answers

    def _read(self) -> None:
        try:
            for line in self._socket.makefile("rb"):
                message = json.loads(line)
                if "prepared" in message:
                    self._prepared.put(message)
                elif "exited" in message:
                    with self._changed:
                        self._exits[message["exited"]] = (message["exit_code"], message["signal"])
                        self._changed.notify_all()
                else:
                    identifier = message.get("forked") or message.get("ready") or message.get("fork_failed")
                    self._waiting[identifier].put(message)
        except (OSError, ValueError):
            pass


class ForkedKernel(KernelTalk):
    """A kernel of a fork server and a client connected to it."""

    def __init__(self, server: ForkServer, env: dict[str, str] | None) -> None:
        self.server = server
        self._folder = tempfile.TemporaryDirectory(prefix="tw")
        self.cwd = os.path.join(self._folder.name, "cwd")
        os.mkdir(self.cwd)
        self._log_path = os.path.join(self._folder.name, "log")
        connection = {
            "transport": "ipc",
            "ip": f"{self._folder.name}/k",
            "key": uuid.uuid4().hex,
            "signature_scheme": "hmac-sha256",
            **{f"{name}_port": number for number, name in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)},
        }
        content = {"connection": connection, "cwd": self.cwd, "log_file": self._log_path}
        self.pid = server.fork_and_wait({**content, "env": dict(os.environ) if env is None else env})
        client = BlockingKernelClient()
        client.load_connection_info({**connection, "key": connection["key"].encode()})
        client.start_channels(hb=False)
        client.wait_for_ready(timeout=ANSWER_SECONDS)
        super().__init__(client)

    @property
    def log(self) -> str:
        """What the kernel wrote to its log."""
        with open(self._log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    @contextlib.contextmanager
    def listening_to_its_end(self) -> Iterator[bytearray]:
        """What is left of a kernel's last words when it has died within: in its pipe, and what its own thread had taken of it."""
        files = f"{self._folder.name}/k-"
        said = bytearray()
        pipe = os.open(f"{files}stderr", os.O_RDONLY | os.O_NONBLOCK)
        try:
            yield said
            said += os.read(pipe, 65536)
            for name in ("text", "sent0", "sent1"):
                with open(files + name, "rb") as file:
                    said += file.read()
        finally:
            os.close(pipe)

    def close(self) -> None:
        """Ends the kernel."""
        self.client.stop_channels()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._folder.cleanup()
