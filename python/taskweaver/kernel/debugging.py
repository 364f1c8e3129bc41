"""The Jupyter debugger, which costs a kernel much memory and is therefore set up when a client first asks for it."""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import inspect
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Iterator

import zmq

from .requests import Request, adopt

if TYPE_CHECKING:
    from .channels import Channels
    from .kernel import TaskWeaverKernel


@functools.lru_cache(maxsize=None)
def is_available() -> bool:
    """Whether debugpy is installed."""
    return sys.modules.get("debugpy") is not None or importlib.util.find_spec("debugpy") is not None


@contextmanager
def without_debugger() -> Iterator[None]:
    """Keeps ipykernel from importing debugpy."""
    if not is_available() or "debugpy" in sys.modules:
        yield
        return
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["debugpy"]


class DebugThread:
    """Serves `debug_request`, which needs an event loop of its own, in a thread of its own."""

    def __init__(self, kernel: TaskWeaverKernel, channels: Channels) -> None:
        self._kernel = kernel
        self._channels = channels
        self._loop: asyncio.AbstractEventLoop | None = None
        self._debugger: Any = None

    def serve(self, request: Request, answer: Callable[[dict[str, Any]], None]) -> None:
        """Lets the debugger handle `request`; `answer` is called in the debugger's thread with the reply's content."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="Debugger", daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._serve(request, answer), self._loop)

    async def _serve(self, request: Request, answer: Callable[[dict[str, Any]], None]) -> None:
        adopt(request)
        content: dict[str, Any] = {}
        try:
            if self._debugger is None:
                self._debugger = self._make_debugger()
            content = await self._debugger.process_request(request.message["content"]) or {}
        except Exception:
            self._kernel.log.exception("a request of the debugger failed")
        finally:
            answer(content)

    def _make_debugger(self) -> Any:
        from zmq.eventloop.zmqstream import ZMQStream

        module: Any = importlib.import_module("ipykernel.debugger")
        if not module._is_debugpy_available:
            module = importlib.reload(module)
        kernel, channels = self._kernel, self._channels
        stream = ZMQStream(channels.context.socket(zmq.STREAM))
        parts = {
            "log": kernel.log,
            "debugpy_stream": stream,
            "event_callback": self._publish_event,
            "shell_socket": channels.connect_to_shell(),
            "session": kernel.session,
            "kernel_modules": getattr(kernel, "_kernel_modules", []),
            "just_my_code": kernel.debug_just_my_code,
            "filter_internal_frames": getattr(kernel, "filter_internal_frames", True),
        }
        wanted = inspect.signature(module.Debugger.__init__).parameters
        debugger = module.Debugger(**{name: part for name, part in parts.items() if name in wanted})
        client = getattr(debugger, "debugpy_client", None)
        stream.on_recv(lambda frames: client.receive_dap_frame(frames[1].bytes.decode("utf-8")), copy=False)
        asyncio.get_running_loop().create_task(_watch_stops(debugger))
        kernel.debugger = debugger
        return debugger

    def _publish_event(self, event: dict[str, Any]) -> None:
        kernel = self._kernel
        parent = kernel.get_parent("control").get("header", {})
        kernel.session.send(kernel.iopub_socket, "debug_event", event, parent, ident=kernel._topic("debug_event"))


async def _watch_stops(debugger: Any) -> None:
    while True:
        await debugger.handle_stopped_event()
