"""Raises the wall around a process that becomes a kernel, by the means that the machine has."""

from __future__ import annotations

import os
import site
import socket
import sys
import tempfile
from typing import Any

from . import call_filter, landlock, namespaces, readable
from .system_calls import drop_capabilities

_MISLEADING = ("DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
"""They lead to places that a kernel does not see."""


class Wall:
    """
    The wall around one kernel. A plan has: `level` (`namespaces` or `landlock`), `network` (whether it has one), `read` (more paths
    to read), `work_directory` and `runtime_directory` (which it does not see), and its own `sockets`, `temporary` and `cwd`;
    `is_pooled` where it waits for its session, whose folders take the places of the latter two.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = {**plan, "read": [*plan["read"], *readable.python_paths()]}
        self._init: socket.socket | None = None

    def raise_it(self) -> int:
        """
        Puts the calling process, which has one thread, behind the wall. Afterwards it returns 0 in the kernel. Where the kernel had
        to be forked, the number of its process is returned in its parent, which is to end or to wait for it. Raises OSError.
        """
        if self.plan["level"] == "namespaces":
            pid, self._init = namespaces.fork_inside(self.plan)
            return pid
        # Who is root outside could make devices in its own folder, and load modules.
        drop_capabilities()
        landlock.restrict(self.plan)
        call_filter.install(has_namespaces=False, network=self.plan["network"])
        return 0

    def move_in(self, cwd: str, temporary: str) -> None:
        """The folders that the kernel waited with have become its session's. Raises OSError."""
        if self._init is not None:
            init, self._init = self._init, None
            namespaces.ask_to_move(init, [(self.plan["cwd"], cwd), (self.plan["temporary"], temporary)])


def use_temporary_folder(is_for_good: bool) -> None:
    """Forgets what leads out of the wall. HOME and TMPDIR lead to the kernel's own folder; is that known for good, packages installed there count."""
    for name in _MISLEADING:
        os.environ.pop(name, None)
    tempfile.tempdir = None
    if is_for_good and site.ENABLE_USER_SITE:
        site.USER_BASE = site.USER_SITE = None
        packages = site.getusersitepackages()
        if packages not in sys.path:
            sys.path.append(packages)
