"""The context of plugins in a kernel: what they log and add goes to the clients at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..plugin.artifacts import media_type, reserve_file, save_value
from ..plugin.context import PluginContext
from . import runtime_protocol
from .requests import Request, current_request
from .runtime_protocol import SessionFields

if TYPE_CHECKING:
    from .kernel import TaskWeaverKernel
    from .stock_kernel import StockKernel


class KernelPluginContext(PluginContext):
    """One for all plugins of a session; the execution is that of the calling code."""

    def __init__(self, kernel: TaskWeaverKernel | StockKernel) -> None:
        self._kernel = kernel
        self._created: list[tuple[Request, dict[str, Any], str]] = []
        self.session = SessionFields()

    @property
    def env_id(self) -> str:
        """As the server named it."""
        return self._fields.env_id

    @property
    def session_id(self) -> str:
        """As the server named it."""
        return self._fields.session_id

    @property
    def execution_id(self) -> str:
        """As the client named it."""
        return self._fields.execution_id

    def add_artifact(self, name: str, file_name: str, type: str, val: Any, desc: str | None = None) -> str:
        """Saves the file in the session's directory, then publishes it."""
        identifier, path = self._reserve(type, file_name)
        try:
            preview = save_value(path, type, val, desc)
        except BaseException:
            os.unlink(path)
            raise
        self._publish(current_request(), self._content(identifier, name, type, file_name, path, preview))
        return identifier

    def create_artifact_path(self, name: str, file_name: str, type: str, desc: str | None = None) -> tuple[str, str]:
        """Reserves a path; the artifact is published at the end of the execution."""
        identifier, path = self._reserve(type, file_name)
        content = self._content(identifier, name, type, file_name, path, desc or "")
        self._created.append((current_request(), content, path))
        return identifier, path

    def publish_created(self) -> None:
        """Publishes what `create_artifact_path` promised, as far as there is a file."""
        created, self._created = self._created, []
        for request, content, path in created:
            if os.path.exists(path):
                self._publish(request, content)

    def get_session_var(self, variable_name: str, default: str | None = None) -> str | None:
        """As of the latest execution."""
        return self.session.session_variables.get(variable_name, default)

    def log(self, level: str, tag: str, message: str) -> None:
        """Publishes a line of the execution's log."""
        self._kernel.output.flush()
        content = {"level": str(level), "tag": str(tag), "message": str(message)}
        self._send(current_request(), runtime_protocol.LOG_MESSAGE, content)

    @property
    def _fields(self) -> SessionFields:
        return current_request().fields or self.session

    def _reserve(self, kind: str, file_name: str) -> tuple[str, str]:
        return reserve_file(self._kernel.working_directory, self._fields.execution_index, kind, file_name)

    def _content(
        self, identifier: str, name: str, kind: str, file_name: str, path: str, preview: str
    ) -> dict[str, Any]:
        return {
            "id": identifier,
            "name": name,
            "type": kind,
            "original_name": file_name,
            "file_name": os.path.basename(path),
            "preview": preview,
            "mime_type": media_type(path, kind),
        }

    def _publish(self, request: Request, content: dict[str, Any]) -> None:
        self._kernel.output.flush()
        self._send(request, runtime_protocol.ARTIFACT_MESSAGE, content)

    def _send(self, request: Request, kind: str, content: dict[str, Any]) -> None:
        kernel = self._kernel
        kernel.session.send(kernel.iopub_socket, kind, content, parent=request.header, ident=kernel._topic(kind))
