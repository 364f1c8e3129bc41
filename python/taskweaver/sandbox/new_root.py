"""A root folder of its own for a kernel: what it may read is shown read-only, what it may write is shown, nothing else is there."""

from __future__ import annotations

import os
from typing import Any

from . import readable
from .system_calls import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT
from .system_calls import bind, mount, pivot_root, unmount

_HOST = "/.host"
_TEMPORARY_SIZE = "size=25%"


def enter_new_root(plan: dict[str, Any]) -> None:
    """Builds it in this process' own mount namespace and moves there; `close_new_root` ends it."""
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    os.mkdir(f"/tmp{_HOST}")
    pivot_root("/tmp", f"/tmp{_HOST}")
    os.chdir("/")
    for path in sorted({*readable.SYSTEM, *readable.ETC, *plan["read"]}):
        if os.path.lexists(_HOST + path):
            _Exposure(path).show()
    _make_devices()
    _mask("/tmp", f"mode=1777,{_TEMPORARY_SIZE}")
    # Whatever else shows these two, as a readable folder above them: a kernel sees its own part only.
    _mask(plan["work_directory"], "mode=755,size=1m")
    _mask(plan["runtime_directory"], "mode=700,size=1m")
    # They lie below /tmp sometimes, so /tmp came first; what may be read may lie there, too.
    for path in sorted(plan["read"]):
        if os.path.lexists(_HOST + path) and not os.path.lexists(path):
            _Exposure(path).show()
    for path in (plan["sockets"], plan["temporary"], plan["cwd"]):
        _Exposure(path, writable=True).show()
    os.makedirs("/proc", exist_ok=True)


def close_new_root(plan: dict[str, Any]) -> None:
    """Shows this pid namespace's own processes, and nothing of the host any more. To be called in the pid namespace."""
    # The machine's switches are there to be read only: who is root outside could turn them. Possible only while the host's are visible.
    mount("proc", "/proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    unmount(_HOST)
    os.rmdir(_HOST)
    _make_read_only("/")
    _make_read_only(plan["runtime_directory"])
    if not plan["is_pooled"]:
        _make_read_only(plan["work_directory"])


def move_in(plan: dict[str, Any], moves: list[tuple[str, str]]) -> None:
    """Shows folders of a kernel that waited at their session's paths, once; afterwards nothing can be moved any more."""
    for source, target in moves:
        os.makedirs(target, exist_ok=True)
        bind(source, target, writable=True)
    _make_read_only(plan["work_directory"])


class _Exposure:
    """One path of the host that becomes visible at the same place, with the symlinks that lead there."""

    def __init__(self, path: str, writable: bool = False) -> None:
        self._path = os.path.normpath(path)
        self._writable = writable

    def show(self) -> None:
        current = "/"
        parts = self._path.strip("/").split("/")
        for index, part in enumerate(parts):
            current = os.path.join(current, part)
            if os.path.islink(_HOST + current):
                target = os.readlink(_HOST + current)
                if not os.path.lexists(current):
                    os.symlink(target, current)
                rest = os.path.join(os.path.dirname(current), target, *parts[index + 1 :])
                if os.path.lexists(_HOST + os.path.normpath(rest)):
                    _Exposure(rest, self._writable).show()
                return
            if index < len(parts) - 1:
                if not os.path.lexists(current):
                    os.mkdir(current, 0o755)
                continue
            self._bind(current)

    def _bind(self, path: str) -> None:
        source = _HOST + path
        if os.path.exists(path):
            # It is visible already through a folder above it; only a way to write is worth a mount.
            if self._is_shown(path) and not self._writable:
                return
        elif os.path.isdir(source):
            os.mkdir(path, 0o755)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        bind(source, path, writable=self._writable)

    @staticmethod
    def _is_shown(path: str) -> bool:
        shown, there = os.stat(path), os.stat(_HOST + path)
        return (shown.st_dev, shown.st_ino) == (there.st_dev, there.st_ino)


def _make_devices() -> None:
    os.makedirs("/dev", exist_ok=True)
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=755,size=1m")
    for name in (*readable.DEVICES, *readable.graphics_devices_of(f"{_HOST}/dev")):
        source, target = f"{_HOST}/dev/{name}", f"/dev/{name}"
        if not os.path.exists(source):
            continue
        if os.path.isdir(source):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        bind(source, target, writable=True, devices=True)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"/dev/{name}")
    os.mkdir("/dev/shm")
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    os.mkdir("/dev/pts")
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
    os.symlink("pts/ptmx", "/dev/ptmx")
    mount(None, "/dev", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID)


def _mask(path: str, options: str) -> None:
    real = os.path.normpath(path)
    if not os.path.isdir(real):
        os.makedirs(real, mode=0o755)
    mount("tmpfs", real, "tmpfs", MS_NOSUID | MS_NODEV, options)


def _make_read_only(path: str) -> None:
    mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
