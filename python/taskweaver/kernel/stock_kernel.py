"""The kernel on ipykernel's own sockets and streams, for systems where this package's do not work.

Results, variables and plugins are the same. Streams are ipykernel's: slower, and in doubt which execution wrote.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import Type

from . import bookkeeping, configuration, preloads, runtime_protocol
from .plugin_registry import PluginRegistry
from .requests import Request, begin_request, current_request, install_inheritance
from .shell_name import known_as_ipykernels


def launch_stock_kernel(arguments: list[str]) -> None:
    """Runs the kernel until it is shut down."""
    install_inheritance()
    application = StockApplication.instance(kernel_class=StockKernel)
    application.update_config(configuration.required_configuration())
    application.initialize(arguments)
    application.start()


class StockApplication(IPKernelApp):
    """ipykernel's application, which drops no output."""

    def init_iopub(self, context: Any) -> None:
        """By default ZeroMQ drops, without a word, what comes faster than it is taken."""
        context.sndhwm = 0
        super().init_iopub(context)


class _DisplayHook(ZMQShellDisplayHook):
    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        text = format_dict.get("text/plain")
        current_request().result_text = text if isinstance(text, str) else None
        super().write_format_data(format_dict, md_dict)


@known_as_ipykernels
class _Shell(ZMQInteractiveShell):
    displayhook_class = Type(_DisplayHook)


class _Streams:
    def flush(self, with_children: bool = False) -> None:
        sys.stdout.flush()
        sys.stderr.flush()


class StockKernel(IPythonKernel):
    """ipykernel's kernel with the bookkeeping of docs/kernel-runtime.md."""

    shell_class = Type(_Shell)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output = _Streams()
        self.working_directory = os.getcwd()
        self.plugins = PluginRegistry(self)
        for name in ("load", "unload", "test"):
            self.shell_handlers[f"taskweaver_{name}_plugin_request"] = getattr(self.plugins, f"{name}_request")
        configuration.configure_shell(self.shell)
        preloads.fill(self.shell)

    def set_parent(self, ident: Any, parent: dict[str, Any], channel: str = "shell") -> None:
        """Takes over the request that is being served."""
        super().set_parent(ident, parent, channel)
        if channel == "shell":
            begin_request(Request(parent, ident))

    def init_metadata(self, parent: dict[str, Any]) -> dict[str, Any]:
        """Before an execution."""
        request = current_request()
        request.fields = runtime_protocol.read_session_fields(parent["metadata"].get(runtime_protocol.METADATA_KEY))
        self.plugins.begin_execution(request.fields)
        return dict(super().init_metadata(parent))

    def finish_metadata(
        self, parent: dict[str, Any], metadata: dict[str, Any], reply_content: dict[str, Any]
    ) -> dict[str, Any]:
        """After an execution."""
        finished = dict(super().finish_metadata(parent, metadata, reply_content))
        request = current_request()
        if request.fields is not None and reply_content.get("status") != "aborted":
            self.plugins.end_execution()
            finished[runtime_protocol.METADATA_KEY] = bookkeeping.results(self, request)
        return finished

    @property
    def kernel_info(self) -> dict[str, Any]:
        """What the kernel is and can."""
        return {**super().kernel_info, "taskweaver_protocol": runtime_protocol.PROTOCOL_VERSION}
