"""What several test files use: the cases shared with the server's tests, and kernels to talk to."""

from __future__ import annotations

import json
import os
import queue
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

PYTHON_FOLDER = Path(__file__).resolve().parent.parent
CONTRACT_FOLDER = PYTHON_FOLDER.parent / "test" / "contract"
LAUNCHER = PYTHON_FOLDER / "taskweaver_kernel.py"

ANSWER_SECONDS = 30.0


def contract_cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file in test/contract."""
    return json.loads((CONTRACT_FOLDER / name).read_text("utf-8"))["cases"]


@dataclass
class Message:
    """One message from iopub."""

    kind: str
    content: dict[str, Any]
    parent_id: str


@dataclass
class Outcome:
    """All that came of one request."""

    request_id: str
    reply: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    others: list[Message] = field(default_factory=list)
    """What arrived meanwhile for other requests."""

    def stream(self, name: str) -> str:
        """The text of a stream."""
        return "".join(it.content["text"] for it in self.of("stream") if it.content["name"] == name)

    def of(self, kind: str) -> list[Message]:
        """The messages of one kind."""
        return [it for it in self.messages if it.kind == kind]

    @property
    def output(self) -> Any:
        """The parsed output."""
        return json.loads(self.metadata["taskweaver"]["output"])

    @property
    def variables(self) -> dict[str, str]:
        """The listed variables."""
        return dict(self.metadata["taskweaver"]["variables"])


class KernelTalk:
    """What a client says to a kernel and hears from it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._index = 0

    def submit(self, code: str, fields: Any = ..., **content: Any) -> str:
        """Sends an execution and returns its id."""
        self._index += 1
        if fields is ...:
            fields = {"session_id": "test", "execution_id": f"e{self._index}", "execution_index": self._index}
        metadata = {} if fields is None else {"taskweaver": fields}
        body = {"silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        return self.send("execute_request", {"code": code, **body, "stop_on_error": False, **content}, metadata)

    def send(self, kind: str, content: dict[str, Any], metadata: dict[str, Any] | None = None) -> str:
        """Sends a request on the shell channel and returns its id."""
        message = self.client.session.msg(kind, content, metadata=metadata)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def control(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Sends a request on the control channel and returns the content of the reply."""
        message = self.client.session.msg(kind, content)
        self.client.control_channel.send(message)
        return self.client.get_control_msg(timeout=ANSWER_SECONDS)["content"]

    def wait(self, request_id: str, until: Callable[[Message], bool] | None = None) -> Outcome:
        """All that comes of a request, until it is idle and answered, or until a message that `until` accepts."""
        outcome = Outcome(request_id)
        while True:
            raw = self.client.get_iopub_msg(timeout=ANSWER_SECONDS)
            message = Message(raw["msg_type"], raw["content"], raw["parent_header"].get("msg_id", ""))
            if message.parent_id != request_id:
                outcome.others.append(message)
            elif message.kind == "status" and message.content["execution_state"] == "idle":
                break
            else:
                outcome.messages.append(message)
                if until is not None and until(message):
                    return outcome
        return self._answered(outcome)

    def bind(self, content: dict[str, Any]) -> dict[str, Any]:
        """Binds the kernel to a session, of which iopub tells nothing; returns the reply's content."""
        return self._answered(Outcome(self.send("taskweaver_bind_request", content))).reply

    def run(self, code: str, fields: Any = ..., **content: Any) -> Outcome:
        """Executes code."""
        return self.wait(self.submit(code, fields, **content))

    def _answered(self, outcome: Outcome) -> Outcome:
        while True:
            reply = self.client.get_shell_msg(timeout=ANSWER_SECONDS)
            if reply["parent_header"].get("msg_id") == outcome.request_id:
                outcome.reply, outcome.metadata = reply["content"], reply["metadata"]
                return outcome

    def request(self, kind: str, content: dict[str, Any]) -> Outcome:
        """Sends a request on the shell channel and waits for all that comes of it."""
        return self.wait(self.send(kind, content))

    def next_message(self, accept: Callable[[Message], bool]) -> Message:
        """The next message from iopub that `accept` takes."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            try:
                raw = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            message = Message(raw["msg_type"], raw["content"], raw["parent_header"].get("msg_id", ""))
            if accept(message):
                return message
        raise AssertionError("no such message came")


class Kernel(KernelTalk):
    """A kernel of this package and a client connected to it."""

    def __init__(self, env: dict[str, str] | None = None, cwd: str | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tw")
        self.cwd = cwd or self._folder.name
        self.manager = KernelManager(transport="ipc", ip=f"{self._folder.name}/k")
        self.manager._kernel_spec = KernelSpec(
            argv=[sys.executable, str(LAUNCHER), "-f", "{connection_file}"], language="python", display_name="test"
        )
        log = open(os.path.join(self._folder.name, "log"), "w+b")
        self._log = log
        environment = {**os.environ, "IPYTHONDIR": os.path.join(self._folder.name, "ipython"), **(env or {})}
        self.manager.start_kernel(env=environment, cwd=self.cwd, stdout=log, stderr=log)
        client = self.manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=ANSWER_SECONDS)
        super().__init__(client)

    @property
    def pid(self) -> int:
        """The kernel's process."""
        return self.manager.provisioner.process.pid

    @property
    def log(self) -> str:
        """What the kernel wrote where it was started."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def interrupt(self) -> None:
        """Sends SIGINT."""
        self.manager.interrupt_kernel()

    def close(self) -> None:
        """Ends the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.context.destroy(linger=0)
        self._log.close()
        self._folder.cleanup()
