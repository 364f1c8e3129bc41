"""The system calls of Linux that Python's standard library lacks."""

from __future__ import annotations

import ctypes
import os
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

# The same on every architecture, as all of the newer ones are.
_MOUNT_SETATTR = 442
_PIDFD_OPEN = 434
_PIVOT_ROOT = {"x86_64": 155}.get(os.uname().machine, 41)
_CAPSET = {"x86_64": 126}.get(os.uname().machine, 91)

_MOUNT_ATTR_RDONLY = 1
_MOUNT_ATTR_NOSUID = 2
_MOUNT_ATTR_NODEV = 4
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: Any) -> int:
    """A system call by its number. Raises OSError."""
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments), f"system call {number}")


def unshare(flags: int) -> None:
    """Leaves namespaces for new ones. Raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str | None, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """Raises OSError."""
    arguments = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    options = None if data is None else data.encode()
    _checked(_libc.mount(*arguments, ctypes.c_ulong(flags), options), f"mount {target}")


def bind(source: str, target: str, writable: bool = False, devices: bool = False) -> None:
    """Shows what is at `source`, with what is mounted below it, at `target`. Raises OSError."""
    mount(source, target, None, MS_BIND | MS_REC)
    attributes = _MOUNT_ATTR_NOSUID | (0 if writable else _MOUNT_ATTR_RDONLY) | (0 if devices else _MOUNT_ATTR_NODEV)
    structure = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    path = os.fsencode(target)
    call(_MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, ctypes.byref(structure), ctypes.c_size_t(ctypes.sizeof(structure)))


def unmount(target: str) -> None:
    """Takes a mount away as soon as nobody uses it. Raises OSError."""
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def pivot_root(new_root: str, old_root: str) -> None:
    """Raises OSError."""
    call(_PIVOT_ROOT, os.fsencode(new_root), os.fsencode(old_root))


def pidfd_open(pid: int) -> int:
    """A descriptor that can be polled for the end of a process. Raises OSError."""
    return call(_PIDFD_OPEN, pid, 0)


def become_subreaper() -> None:
    """Orphans among the descendants become this process' children."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def set_dumpable(dumpable: bool) -> None:
    """Whether processes of the same user may look into this one."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0), "prctl")


def gain_nothing() -> None:
    """No program that is started from here on gets rights that this process does not have."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Gives up all special rights, for this process and all that it will start."""
    capability = 0
    while _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    gain_nothing()
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    call(_CAPSET, ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
