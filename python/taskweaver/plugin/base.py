"""The base class of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .context import PluginContext


class Plugin:
    """Derive from it, define `__call__`, and put `@register_plugin` before the class.

    The session's code calls the instance under the plugin's name.
    """

    name: str
    """The name it was loaded under."""

    ctx: PluginContext
    """The session it was loaded in."""

    config: dict[str, Any]
    """The configuration it was loaded with."""

    def __init__(self, name: str, ctx: PluginContext, config: dict[str, Any] | None = None) -> None:
        self.name = name
        self.ctx = ctx
        self.config = {} if config is None else config

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the plugin does; each plugin defines it."""
        raise NotImplementedError(f"plugin {self.name} has no __call__")

    def log(self, level: str, message: str) -> None:
        """Adds a line to the execution's log. `level` is "info", "warning" or "error"."""
        self.ctx.log(level, f"Plugin-{self.name}", message)

    def get_env(self, variable_name: str) -> str:
        """The environment variable `PLUGIN_{plugin's name}_{variable_name}`. Raises ValueError if it is not set."""
        return self.ctx.get_env(self.name, variable_name)
