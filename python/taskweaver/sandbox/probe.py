"""Finds out which walls this machine can raise, by raising them."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from . import call_filter, landlock
from .wall import Wall

# Of Linux itself, of Debian, of Ubuntu: name, value that closes, value that opens.
_SWITCHES = (
    ("user.max_user_namespaces", "0", "15000"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)


def probe() -> dict[str, Any]:
    """
    `level`: the strongest that holds, or null; `reasons` says why a stronger one does not; `switches` are those of the system, as
    `sysctl` takes them, that would have to be set for it.
    """
    landlock_version = landlock.version() if sys.platform == "linux" else 0
    reasons: dict[str, str] = {}
    level = next((level for level in ("namespaces", "landlock") if not _note(reasons, level)), None)
    return {"level": level, "landlock": landlock_version, "reasons": reasons, "switches": closed_switches() if reasons else []}


def closed_switches(root: str = "/proc/sys") -> list[str]:
    """The switches of this system that keep users from having namespaces, each as it would have to be."""
    return [f"{name}={wanted}" for name, closed, wanted in _SWITCHES if _read(os.path.join(root, name.replace(".", "/"))) == closed]


def _note(reasons: dict[str, str], level: str) -> bool:
    reason = _why_not(level)
    if reason is not None:
        reasons[level] = reason
    return reason is not None


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None


def _why_not(level: str) -> str | None:
    if sys.platform != "linux":
        return "it needs Linux"
    if level == "landlock":
        if landlock.version() < landlock.ENOUGH:
            return f"Landlock has version {landlock.version()} here; version {landlock.ENOUGH} (Linux 6.12) is needed"
        if not call_filter.is_known_machine():
            return f"the filter of system calls does not know this processor ({os.uname().machine})"
    with tempfile.TemporaryDirectory() as folder:
        work, runtime = os.path.join(folder, "work"), os.path.join(folder, "runtime")
        plan = {"level": level, "network": True, "read": [], "work_directory": work, "runtime_directory": runtime, "is_pooled": False}
        for name, parent in (("sockets", runtime), ("temporary", work), ("cwd", work)):
            plan[name] = os.path.join(parent, name)
            os.makedirs(plan[name])
        secret = os.path.join(folder, "secret")
        with open(secret, "w", encoding="utf-8"):
            pass
        return _try(plan, secret)


def _try(plan: dict[str, Any], secret: str) -> str | None:
    """In a process of its own: what a wall does is for good."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            pid = Wall(plan).raise_it()
            if pid:
                os.waitpid(pid, 0)
            else:
                _check(plan, secret)
        except BaseException as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as words:
        reason = words.read()
    os.waitpid(child, 0)
    return reason or None


def _check(plan: dict[str, Any], secret: str) -> None:
    with open(os.path.join(plan["cwd"], "file"), "w", encoding="utf-8"):
        pass
    try:
        with open(secret, encoding="utf-8"):
            pass
    except OSError:
        return
    raise OSError("a file outside can be read all the same")
