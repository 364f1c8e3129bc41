"""What a plugin imports: `from taskweaver.plugin import Plugin, register_plugin, test_plugin`."""

from .base import Plugin
from .context import ArtifactType, LogErrorLevel, PluginContext, temp_context
from .register import register_plugin, test_plugin

__all__ = [
    "ArtifactType",
    "LogErrorLevel",
    "Plugin",
    "PluginContext",
    "register_plugin",
    "temp_context",
    "test_plugin",
]
