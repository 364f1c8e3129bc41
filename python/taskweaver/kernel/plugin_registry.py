"""The plugins of a session: loading, calling under their names, testing, and what their context publishes."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable

from ..plugin.base import Plugin
from ..plugin.register import PluginTest
from . import runtime_protocol
from .display import safe_name, safe_text
from .plugin_context import KernelPluginContext
from .plugin_module import forget_module, load_module
from .requests import current_request
from .runtime_protocol import SessionFields
from .signal_gate import gate

if TYPE_CHECKING:
    from .kernel import TaskWeaverKernel
    from .stock_kernel import StockKernel


@dataclass
class _Loaded:
    plugin: Plugin
    module: ModuleType
    tests: list[PluginTest] = field(default_factory=list)


class PluginRegistry:
    """The loaded plugins by name."""

    def __init__(self, kernel: TaskWeaverKernel | StockKernel) -> None:
        self._kernel = kernel
        self._loaded: dict[str, _Loaded] = {}
        self.context = KernelPluginContext(kernel)

    def fill_namespace(self) -> None:
        """Puts the plugins into the user's namespace where their names are free."""
        for name, loaded in self._loaded.items():
            self._kernel.shell.user_ns.setdefault(name, loaded.plugin)

    def begin_execution(self, fields: SessionFields | None) -> None:
        """Takes over what the request says of its session."""
        if fields is not None:
            self.context.session = fields
        if self._loaded:
            self.fill_namespace()

    def end_execution(self) -> None:
        """Publishes the artifacts whose files the plugins wrote themselves."""
        self.context.publish_created()

    def load_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Loads a plugin, in the place of one of the same name."""
        self._answer(stream, ident, parent, self._load)

    def unload_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Removes a plugin and its name."""
        self._answer(stream, ident, parent, self._unload)

    def test_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Runs the tests of a loaded plugin."""
        self._answer(stream, ident, parent, self._test)

    def _answer(
        self, stream: Any, ident: Any, parent: dict[str, Any], handle: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> None:
        kernel = self._kernel
        request = current_request()
        content = parent["content"]
        request.fields = runtime_protocol.read_session_fields(content.get("session"))
        self.begin_execution(request.fields)
        process_id = os.getpid()
        try:
            answer = {"status": "ok", **gate.run_user_code(handle, content)}
        except BaseException as error:
            answer = {
                "status": "error",
                "ename": safe_name(type(error)),
                "evalue": _reason(error),
                "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines(),
            }
        if os.getpid() != process_id:
            os._exit(1)
        self.end_execution()
        gate.forget_interrupts()
        kernel.output.flush(with_children=True)
        kind = parent["header"]["msg_type"].replace("_request", "_reply")
        kernel.session.send(stream, kind, answer, parent, ident=ident)

    def _load(self, content: dict[str, Any]) -> dict[str, Any]:
        name = str(content["name"])
        before = self._loaded.get(name)
        module, registrations = load_module(name, content["code"])
        try:
            if not registrations.plugins:
                raise PluginError(f"plugin {name} registers nothing: put @register_plugin before its class or function")
            if len(registrations.plugins) > 1:
                names = ", ".join(it.__name__ for it in registrations.plugins)
                raise PluginError(f"plugin {name} registers more than one plugin: {names}")
            plugin = registrations.plugins[0](name, self.context, dict(content.get("config") or {}))
        except BaseException:
            forget_module(name, before.module if before is not None else None)
            raise
        self._loaded[name] = _Loaded(plugin, module, registrations.tests)
        self._kernel.shell.user_ns[name] = plugin
        return {}

    def _unload(self, content: dict[str, Any]) -> dict[str, Any]:
        loaded = self._take(content)
        del self._loaded[loaded.plugin.name]
        forget_module(loaded.plugin.name, None)
        namespace = self._kernel.shell.user_ns
        if namespace.get(loaded.plugin.name) is loaded.plugin:
            del namespace[loaded.plugin.name]
        return {}

    def _test(self, content: dict[str, Any]) -> dict[str, Any]:
        loaded = self._take(content)
        return {"tests": [_run_test(test, loaded.plugin) for test in loaded.tests]}

    def _take(self, content: dict[str, Any]) -> _Loaded:
        loaded = self._loaded.get(str(content["name"]))
        if loaded is None:
            raise PluginError(f"no plugin {content['name']} is loaded")
        return loaded


class PluginError(Exception):
    """A plugin cannot be used; the message is a sentence for the one who asked."""


def _run_test(test: PluginTest, plugin: Plugin) -> dict[str, Any]:
    error = None
    try:
        test.function(plugin)
    except KeyboardInterrupt:
        raise
    except BaseException as failure:
        error = "".join(traceback.format_exception(type(failure), failure, failure.__traceback__))
    return {"name": test.name, "description": test.description, "is_success": error is None, "error": error}


def _reason(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return str(error)
    if isinstance(error, SyntaxError) and (error.filename or "").startswith("<plugin "):
        return f"the plugin is not valid Python: {error.msg} (line {error.lineno})"
    return f"the plugin raised {safe_name(type(error))} while it was loaded: {safe_text(error)}"
