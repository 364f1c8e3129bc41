"""The decorators by which a plugin's module says what it offers."""

from __future__ import annotations

import functools
import inspect
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, TypeVar, overload

from .base import Plugin

_Definition = TypeVar("_Definition", bound=Callable[..., Any])


@dataclass
class PluginTest:
    """A function that takes the plugin and raises if it does not behave."""

    name: str
    description: str
    function: Callable[[Plugin], Any]


@dataclass
class Registrations:
    """What a module registered while it was loaded."""

    plugins: list[type[Plugin]] = field(default_factory=list)
    tests: list[PluginTest] = field(default_factory=list)


_registrations: ContextVar[Registrations | None] = ContextVar("taskweaver_registrations", default=None)


@contextmanager
def collect_registrations() -> Iterator[Registrations]:
    """Collects what is registered inside. Elsewhere the decorators change nothing."""
    registrations = Registrations()
    token = _registrations.set(registrations)
    try:
        yield registrations
    finally:
        _registrations.reset(token)


@overload
def register_plugin(definition: _Definition) -> _Definition: ...
@overload
def register_plugin(definition: None = None) -> Callable[[_Definition], _Definition]: ...


def register_plugin(definition: Any = None) -> Any:
    """Registers a class derived from `Plugin`, or a function, each call of which is then logged.

    With and without parentheses. Raises TypeError for anything else.
    """
    if definition is None:
        return register_plugin
    if inspect.isclass(definition):
        if not issubclass(definition, Plugin):
            raise TypeError(f"@register_plugin: class {definition.__name__} is not derived from Plugin")
        plugin_class = definition
    elif callable(definition):
        plugin_class = _plugin_of_function(definition)
    else:
        raise TypeError(f"@register_plugin takes a class derived from Plugin or a function, not {definition!r}")
    registrations = _registrations.get()
    if registrations is not None:
        registrations.plugins.append(plugin_class)
    return definition


def test_plugin(name: Any = None, description: str | None = None) -> Any:
    """Registers a function that tests the plugin; the function's name and docstring are the defaults."""
    if callable(name):
        return test_plugin()(name)

    def register(function: Callable[[Plugin], Any]) -> Callable[[Plugin], Any]:
        registrations = _registrations.get()
        if registrations is not None:
            test_name = name or getattr(function, "__name__", "test")
            text = description or inspect.getdoc(function) or ""
            registrations.tests.append(PluginTest(test_name, text, function))
        return function

    return register


# Its name begins like a test's, but pytest must not run it where a plugin's own tests import it.
test_plugin.__test__ = False  # type: ignore[attr-defined]


def _plugin_of_function(function: Callable[..., Any]) -> type[Plugin]:
    name = getattr(function, "__name__", "function")

    @functools.wraps(function, updated=())
    def call(self: Plugin, *args: Any, **kwargs: Any) -> Any:
        self.log("info", f"calling function {name}")
        return function(*args, **kwargs)

    members = {"__call__": call, "__module__": getattr(function, "__module__", __name__), "__doc__": function.__doc__}
    return type(name, (Plugin,), members)
