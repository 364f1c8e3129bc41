"""Landlock: rules for files, signals and sockets that a process puts on itself and on all that it starts.

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from typing import Any

from . import readable
from .system_calls import call

ENOUGH = 6
"""From this version on (Linux 6.12) signals and abstract sockets stay inside, too."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_REG = 1 << 8
_TRUNCATE = 1 << 14
_ALL = (1 << 15) - 1
"""Everything but control of devices, which their owner's rights decide."""

_FILE_ONLY = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READ = _EXECUTE | _READ_FILE | _READ_DIR
# Nobody lists what others have there; who knows no name finds nothing.
_SHARED_MEMORY = _READ_FILE | _WRITE_FILE | _MAKE_REG | _REMOVE_FILE | _TRUNCATE
_SCOPE_SOCKETS_AND_SIGNALS = 3


def version() -> int:
    """Which version of Landlock the system has; 0 for none."""
    try:
        return call(_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def restrict(plan: dict[str, Any]) -> None:
    """Restricts this process for good, after `gain_nothing`. Needs a process with one thread. Raises OSError."""
    ruleset = _make_ruleset(_ALL)
    try:
        for path in (*readable.SYSTEM, *readable.ETC, *readable.STATIC_PROC, *plan["read"]):
            _allow(ruleset, path, _READ)
        for path in (plan["sockets"], plan["temporary"], plan["cwd"]):
            _allow(ruleset, path, _ALL)
        # No terminals: those of the user, and of other sessions, are of the same owner and lie in the same folder.
        for name in (*readable.DEVICES, *readable.graphics_devices_of("/dev")):
            _allow(ruleset, f"/dev/{name}", _READ | _WRITE_FILE | _TRUNCATE)
        _allow(ruleset, "/dev/shm", _SHARED_MEMORY)
        for name in readable.OWN_PROC:
            # A rule goes with what it was made for, which the system forgets where nobody has it open: so these stay open.
            _allow(ruleset, f"/proc/self/{name}", _READ, stays_open=True)
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def keep_sockets_inside() -> None:
    """
    Keeps this process, for good, from sockets that others have by name only (abstract ones), and from signals to others; nothing where the
    system cannot. Namespaces of processes and mounts leave such sockets open: they belong to the network.
    """
    if version() < ENOUGH:
        return
    ruleset = _make_ruleset(0)
    try:
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _make_ruleset(file_rights: int) -> int:
    attributes = struct.pack("QQQ", file_rights, 0, _SCOPE_SOCKETS_AND_SIGNALS)
    return call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)


def _allow(ruleset: int, path: str, rights: int, stays_open: bool = False) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FILE_ONLY
        rule = struct.pack("=Qi", rights, descriptor)
        call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        if not stays_open:
            os.close(descriptor)
