"""Lets libraries see that they run in a notebook: they look at the name and the module of the shell's class."""

from __future__ import annotations

from typing import TypeVar

from ipykernel.zmqshell import ZMQInteractiveShell

ShellClass = TypeVar("ShellClass", bound=type[ZMQInteractiveShell])


def known_as_ipykernels(shell_class: ShellClass) -> ShellClass:
    """Gives a class derived from ipykernel's shell the name of that.

    Otherwise plotly takes the kernel for a page that lacks its library and sends that along, 5 MB of HTML, and rich writes for a terminal.
    """
    shell_class.__name__ = shell_class.__qualname__ = ZMQInteractiveShell.__name__
    shell_class.__module__ = ZMQInteractiveShell.__module__
    return shell_class
