"""What a plugin can do in its session, and a stand-in for a plugin's own tests."""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from typing import Any, Literal

from .artifacts import reserve_file, save_value

ArtifactType = Literal["image", "df", "chart", "file", "txt", "svg", "html"]
LogErrorLevel = Literal["info", "warning", "error"]


class PluginContext(ABC):
    """The session and the execution that a plugin works for."""

    @property
    @abstractmethod
    def env_id(self) -> str:
        """The server's name for the environment that its sessions share."""

    @property
    @abstractmethod
    def session_id(self) -> str:
        """The session."""

    @property
    @abstractmethod
    def execution_id(self) -> str:
        """The execution that calls the plugin."""

    @abstractmethod
    def add_artifact(self, name: str, file_name: str, type: ArtifactType, val: Any, desc: str | None = None) -> str:
        """Saves `val` as a file of the execution's result and returns the artifact's id.

        `type` says what `val` is: `image` a matplotlib or PIL figure, bytes or the path of a file; `df` a DataFrame,
        saved as CSV; `chart` a dict or JSON text; `file` bytes, text or a path; `txt`, `svg`, `html` text. `desc` is
        shown as the preview; without it the preview is made from the value.
        """

    @abstractmethod
    def create_artifact_path(
        self, name: str, file_name: str, type: ArtifactType, desc: str | None = None
    ) -> tuple[str, str]:
        """An artifact's id and the path where the plugin then writes its file itself, before the execution ends."""

    @abstractmethod
    def get_session_var(self, variable_name: str, default: str | None = None) -> str | None:
        """The session variable, or `default`."""

    @abstractmethod
    def log(self, level: str, tag: str, message: str) -> None:
        """Adds a line to the execution's log."""

    def get_env(self, plugin_name: str, variable_name: str) -> str:
        """The environment variable `PLUGIN_{plugin_name}_{variable_name}`. Raises ValueError if it is not set."""
        name = f"PLUGIN_{plugin_name}_{variable_name}"
        if name not in os.environ:
            raise ValueError(f"the environment variable {name} is not set")
        return os.environ[name]

    def wrap_text_with_delimiter_temporal(self, text: str) -> str:
        """`text` between the marks of text that is meant for one round of a conversation only."""
        return f"{{{{DELIMITER_START_TEMPORAL}}}}{text}{{{{DELIMITER_END_TEMPORAL}}}}"


class TemporaryContext(PluginContext):
    """A context of its own folder for tests. `log_lines` and `artifacts` hold what the plugin did."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="taskweaver-plugin-")
        self.log_lines: list[tuple[str, str, str]] = []
        self.artifacts: list[dict[str, str]] = []
        self.session_variables: dict[str, str] = {}

    @property
    def env_id(self) -> str:
        """A fixed name."""
        return "temp_env"

    @property
    def session_id(self) -> str:
        """A fixed name."""
        return "temp_session"

    @property
    def execution_id(self) -> str:
        """A fixed name."""
        return "temp_execution"

    @property
    def folder(self) -> str:
        """Where the artifacts' files are."""
        return self._folder.name

    def add_artifact(self, name: str, file_name: str, type: ArtifactType, val: Any, desc: str | None = None) -> str:
        """Saves it in the folder."""
        identifier, path = self.create_artifact_path(name, file_name, type, desc)
        self.artifacts[-1]["preview"] = save_value(path, type, val, desc)
        return identifier

    def create_artifact_path(
        self, name: str, file_name: str, type: ArtifactType, desc: str | None = None
    ) -> tuple[str, str]:
        """A path in the folder."""
        identifier, path = reserve_file(self.folder, 0, type, file_name)
        self.artifacts.append({"id": identifier, "name": name, "type": type, "path": path, "preview": desc or ""})
        return identifier, path

    def get_session_var(self, variable_name: str, default: str | None = None) -> str | None:
        """From `session_variables`, which a test may fill."""
        return self.session_variables.get(variable_name, default)

    def log(self, level: str, tag: str, message: str) -> None:
        """Kept in `log_lines`."""
        self.log_lines.append((level, tag, message))

    def close(self) -> None:
        """Removes the folder."""
        self._folder.cleanup()

    def __enter__(self) -> TemporaryContext:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def temp_context() -> TemporaryContext:
    """A context for tests: `with temp_context() as ctx: MyPlugin("my_plugin", ctx, {})()`."""
    return TemporaryContext()
