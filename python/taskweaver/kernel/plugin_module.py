"""Runs a plugin's source as a module of its own, which tracebacks, `inspect` and `pickle` can find."""

from __future__ import annotations

import linecache
import sys
from types import ModuleType

from ..plugin.register import Registrations, collect_registrations


def load_module(name: str, source: str) -> tuple[ModuleType, Registrations]:
    """Runs the source of the plugin `name`. Raises what it raises, and then leaves everything as it was."""
    module = ModuleType(_module_name(name))
    module.__file__ = _file_name(name)
    code = compile(source, module.__file__, "exec", dont_inherit=True)
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    _show_source(module.__file__, source)
    try:
        with collect_registrations() as registrations:
            exec(code, module.__dict__)
    except BaseException:
        forget_module(name, before)
        raise
    module.__dict__["__taskweaver_source__"] = source
    return module, registrations


def forget_module(name: str, before: ModuleType | None) -> None:
    """Removes the module of the plugin `name`, or puts `before` in its place again."""
    if before is None:
        sys.modules.pop(_module_name(name), None)
        linecache.cache.pop(_file_name(name), None)
    else:
        sys.modules[_module_name(name)] = before
        _show_source(_file_name(name), before.__dict__.get("__taskweaver_source__", ""))


def _module_name(name: str) -> str:
    return f"taskweaver_plugin_{name}"


def _file_name(name: str) -> str:
    return f"<plugin {name}>"


def _show_source(file_name: str, source: str) -> None:
    # Without a time of modification the entry outlives linecache.checkcache.
    linecache.cache[file_name] = (len(source), None, source.splitlines(keepends=True), file_name)
