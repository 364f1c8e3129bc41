"""The kernel: ipykernel's, with its own way of taking requests, running cells and answering."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import signal
import sys
from typing import Any, Callable

from ipykernel.ipkernel import IPythonKernel
from ipykernel.jsonutil import json_clean
from traitlets import Any as AnyTrait
from traitlets import Type

from . import binding, bookkeeping, configuration, debugging, preloads, reattachment, requests, runtime_protocol
from .cells import CellRunner
from .display import Shell
from .history import request_history
from .output import Output
from .plugin_registry import PluginRegistry
from .publisher import Publisher
from .requests import Request, begin_request, current_request
from .signal_gate import gate

_CONTROL_MESSAGES = (
    "kernel_info_request",
    "connect_request",
    "comm_info_request",
    "interrupt_request",
    "shutdown_request",
    "usage_request",
    "is_complete_request",
)
_RUNS_USER_CODE = {
    "execute_request",
    runtime_protocol.LOAD_PLUGIN_REQUEST,
    runtime_protocol.UNLOAD_PLUGIN_REQUEST,
    runtime_protocol.TEST_PLUGIN_REQUEST,
}


class TaskWeaverKernel(IPythonKernel):
    """A complete IPython kernel that needs neither sockets nor threads until it is connected."""

    shell_class = Type(Shell)
    debugger_class = AnyTrait(None, allow_none=True)
    debug_thread = AnyTrait(None, allow_none=True)
    output = AnyTrait()
    children = AnyTrait(None, allow_none=True)
    shell_socket = AnyTrait(None, allow_none=True)
    control_socket = AnyTrait(None, allow_none=True)

    iopub_socket: Publisher
    output: Output

    def __init__(self, **kwargs: Any) -> None:
        with debugging.without_debugger():
            super().__init__(**kwargs)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.on_shutdown: Callable[[], None] = lambda: None
        self.call_in_io_thread: Callable[[Callable[[], None]], None] = lambda call: call()
        self.abort_waiting: Callable[[], None] = lambda: None
        self.process_id = os.getpid()
        self.streams: dict[str, Any] = {}
        self.working_directory = os.getcwd()
        self.cells = CellRunner(self)
        self.plugins = PluginRegistry(self)
        self.control_request = Request()
        for name in ("load", "unload", "test"):
            self.shell_handlers[f"taskweaver_{name}_plugin_request"] = getattr(self.plugins, f"{name}_request")
        self.shell_handlers[runtime_protocol.BIND_REQUEST] = functools.partial(binding.bind_request, self)
        self.control_handlers = {name: getattr(self, name) for name in _CONTROL_MESSAGES}
        for name in ("attach", "replay", "stored"):
            self.control_handlers[f"taskweaver_{name}_request"] = functools.partial(getattr(reattachment, name), self)
        configuration.configure_shell(self.shell)
        self.fill_namespace()

    def fill_namespace(self) -> None:
        """Puts into the user's namespace what is there from the start."""
        preloads.fill(self.shell)
        plugins = getattr(self, "plugins", None)
        if plugins is not None:
            plugins.fill_namespace()

    def repair(self) -> None:
        """Puts back what IPython cannot work without and the user's code has removed."""
        if "_oh" not in self.shell.user_ns:
            self.shell.init_user_ns()
            self.fill_namespace()
        for name in ("stdout", "stderr"):
            if getattr(sys, name, None) is None:
                setattr(sys, name, self.streams[name])

    # Requests

    async def serve_shell(self, request: Request) -> None:
        """Handles one request of the shell channel, from busy to idle."""
        kind = request.message["msg_type"]
        begin_request(request)
        runs_user_code = kind in _RUNS_USER_CODE
        gate.reset_interrupt_handler()
        gate.accepts_interrupts = True
        if runs_user_code and self.children is not None:
            self.children.begin(request)
        if kind == "execute_request":
            fields = runtime_protocol.read_session_fields(request.message["metadata"].get(runtime_protocol.METADATA_KEY))
            if fields is not None:
                self.iopub_socket.begin_execution(request.header["msg_id"], fields.execution_id)
        # At a bind a session waits and nobody listens yet: it has no states.
        is_told = kind != runtime_protocol.BIND_REQUEST
        if is_told:
            self._publish_state("busy", request)
        try:
            handler = self.shell_handlers.get(kind)
            if handler is None:
                self.log.warning("Unknown message type: %r", kind)
            else:
                answer = handler(self.shell_socket, request.identities, request.message)
                if inspect.isawaitable(answer):
                    await answer
        except Exception:
            self.log.exception("a handler of the shell channel failed")
        except KeyboardInterrupt:
            self.log.error("a handler of the shell channel was interrupted")
        finally:
            gate.forget_interrupts()
            self.output.flush(with_children=runs_user_code)
            if runs_user_code and self.children is not None:
                self.children.end()
            if is_told:
                self._publish_state("idle", request)

    def serve_control(self, request: Request) -> None:
        """Handles one request of the control channel, in the kernel's own thread."""
        self.control_request = request
        kind = request.message["msg_type"]
        self._publish_state("busy", request)
        if kind == "debug_request" and self.debug_thread is not None:
            self.debug_thread.serve(request, functools.partial(self._answer_debugging, request))
            return
        try:
            handler = self.control_handlers.get(kind)
            if handler is None:
                self.log.warning("Unknown message type on the control channel: %r", kind)
            else:
                answer = handler(self.control_socket, request.identities, request.message)
                if inspect.isawaitable(answer):
                    _finish(answer)
        except Exception:
            self.log.exception("a handler of the control channel failed")
        finally:
            self._publish_state("idle", request)

    def _answer_debugging(self, request: Request, content: dict[str, Any]) -> None:
        def answer() -> None:
            self.session.send(
                self.control_socket, "debug_reply", json_clean(content), request.header, ident=request.identities
            )
            self._publish_state("idle", request)

        self.call_in_io_thread(answer)

    async def serve_comm(self, request: Request) -> None:
        """Handles a message of a widget while a cell awaits. It has a task, and so a current request, of its own."""
        requests.adopt(request)
        self._publish_state("busy", request)
        try:
            answer = self.shell_handlers[request.message["msg_type"]](
                self.shell_socket, request.identities, request.message
            )
            if inspect.isawaitable(answer):
                await answer
        except Exception:
            self.log.exception("a widget's message failed")
        finally:
            self.output.flush()
            self._publish_state("idle", request)

    def refuse(self, request: Request) -> None:
        """Answers an execution that waited behind one that failed."""
        self._publish_state("busy", request)
        self.session.send(
            self.shell_socket,
            "execute_reply",
            {"status": "aborted"},
            parent=request.header,
            ident=request.identities,
            metadata={"status": "aborted"},
        )
        self._publish_state("idle", request)

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Runs code; the reply's metadata carries output and variables."""
        content = parent["content"]
        request = current_request()
        request.fields = runtime_protocol.read_session_fields(parent["metadata"].get(runtime_protocol.METADATA_KEY))
        code = content["code"]
        silent = bool(content.get("silent", False))
        self.plugins.begin_execution(request.fields)
        if not silent:
            self.session.send(
                self.iopub_socket,
                "execute_input",
                {"code": code, "execution_count": self.shell.execution_count},
                parent=request.header,
                ident=self._topic("execute_input"),
            )
        reply = await self.cells.run(content, parent["metadata"])
        metadata = {"status": reply["status"]}
        if request.fields is not None:
            self.plugins.end_execution()
            metadata[runtime_protocol.METADATA_KEY] = bookkeeping.results(self, request)
        self.output.flush(with_children=True)
        self.session.send(stream, "execute_reply", json_clean(reply), parent, metadata=metadata, ident=ident)
        if reply["status"] == "error" and not silent and content.get("stop_on_error", True):
            self.abort_waiting()

    @property
    def kernel_info(self) -> dict[str, Any]:
        """What the kernel is and can."""
        info: dict[str, Any] = dict(super().kernel_info)
        info["taskweaver_protocol"] = runtime_protocol.PROTOCOL_VERSION
        if debugging.is_available():
            info["supported_features"] = ["debugger"]
        return info

    def do_complete(self, code: str, cursor_pos: int) -> Any:
        """Completions. The user's properties may run, so they can be interrupted."""
        return gate.run_user_code(super().do_complete, code, cursor_pos)

    def do_history(self, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        """What was run in this kernel."""
        return {"status": "ok", "history": request_history(self.shell, current_request().message["content"])}

    def do_inspect(self, *args: Any, **kwargs: Any) -> Any:
        """Documentation of a name. The user's properties may run, so they can be interrupted."""
        return gate.run_user_code(lambda: super(TaskWeaverKernel, self).do_inspect(*args, **kwargs))

    # Parents

    def get_parent(self, channel: str | None = None) -> dict[str, Any]:
        """The message that the calling code works for."""
        if channel == "control":
            return self.control_request.message
        return current_request().message

    def set_parent(self, ident: Any, parent: dict[str, Any], channel: str = "shell") -> None:
        """Makes `parent` the message that the calling code works for."""
        begin_request(Request(parent, ident))

    def raw_input(self, prompt: str = "") -> str:
        """What `input` does in a cell."""
        return self._ask(str(prompt), password=False)

    def getpass(self, prompt: str = "", stream: Any = None, **_options: Any) -> str:
        """What `getpass.getpass` does in a cell."""
        return self._ask(str(prompt), password=True)

    def _ask(self, prompt: str, password: bool) -> str:
        if not self._allow_stdin:
            self._no_raw_input()
        request = current_request()
        self.output.flush(with_children=True)
        with self.iopub_socket.retention.asking(request.header["msg_id"], prompt, password):
            return str(self._input_request(prompt, request.identities, request.message, password=password))

    # Life

    @property
    def io_loop(self) -> Any:
        """The event loop of the main thread, as tornado's."""
        from tornado.ioloop import IOLoop

        return IOLoop.current()

    @property
    def _supports_kernel_subshells(self) -> bool:
        return False

    async def interrupt_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Interrupts what runs, and the child processes of the kernel's process group."""
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGINT)
        self.session.send(stream, "interrupt_reply", {"status": "ok"}, parent, ident=ident)

    async def shutdown_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Answers on both channels, then ends the kernel."""
        content = {"status": "ok", "restart": bool(parent["content"].get("restart", False))}
        self.session.send(stream, "shutdown_reply", content, parent, ident=ident)
        self.session.send(self.iopub_socket, "shutdown_reply", content, parent, ident=self._topic("shutdown"))
        self.on_shutdown()

    def _publish_state(self, state: str, request: Request) -> None:
        self.session.send(
            self.iopub_socket,
            "status",
            {"execution_state": state},
            parent=request.header,
            ident=self._status_topic,
        )

    @property
    def _status_topic(self) -> bytes:
        return self._topic("status")


def _finish(answer: Any) -> None:
    """Runs a handler that is a coroutine but waits for nothing."""
    try:
        answer.send(None)
    except StopIteration:
        return
    answer.close()
    raise RuntimeError("a handler of the control channel waited")
