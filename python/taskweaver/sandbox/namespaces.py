"""Namespaces of its own for a kernel: its own processes, mounts, shared memory and, where it may have none, network."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from typing import Any, Callable, NoReturn

from . import call_filter, landlock, loopback
from .new_root import close_new_root, enter_new_root, move_in
from .system_calls import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER
from .system_calls import drop_capabilities, gain_nothing, pidfd_open, set_dumpable, unshare

_KERNEL = 2
"""The kernel's number in its own pid namespace: the first one is the namespace's init."""


def fork_inside(plan: dict[str, Any]) -> tuple[int, socket.socket | None]:
    """
    Forks a kernel into new namespaces. Needs a process with one thread, which afterwards is of no other use.

    Returns (pid, None) in the parent and (0, way to the init) in the kernel; that way is there only for a kernel that waits for
    its session, to be moved to its folders once. The namespace's init, a process beside the kernel, ends all of it with the kernel.
    """
    user, group = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | (0 if plan["network"] else CLONE_NEWNET))
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    # Nobody in here gets special rights again by a namespace of his own.
    _write("/proc/sys/user/max_user_namespaces", "0")
    enter_new_root(plan)
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        theirs.close()
        _run(lambda: _be_init(ours, plan))
    pid = os.fork()
    if pid:
        return pid, None
    ours.close()
    close_new_root(plan)
    if not plan["network"]:
        loopback.switch_on()
    drop_capabilities()
    landlock.keep_sockets_inside()
    if call_filter.is_known_machine():
        call_filter.install(has_namespaces=True, network=plan["network"])
    # Namespaces took it away; the kernel's own children and the server may look into it.
    set_dumpable(True)
    theirs.sendall(b"\n")
    if plan["is_pooled"]:
        return 0, theirs
    theirs.close()
    return 0, None


def ask_to_move(init: socket.socket, moves: list[tuple[str, str]]) -> None:
    """Shows the kernel's folders at their session's paths; possible once. Raises OSError."""
    with init:
        init.sendall(json.dumps(moves).encode() + b"\n")
        answer = init.makefile().readline()
    if answer != "ok\n":
        raise OSError(f"the kernel's folders could not be moved: {answer.strip()}")


def _be_init(channel: socket.socket, plan: dict[str, Any]) -> None:
    set_dumpable(False)
    # Children that nobody waits for vanish by themselves.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    descriptor = channel.detach()
    os.dup2(descriptor, 0)
    os.closerange(1, 4096)
    channel = socket.socket(fileno=0)
    channel.recv(1)
    kernel = pidfd_open(_KERNEL)
    gain_nothing()
    if plan["is_pooled"]:
        _move_once(channel, plan, kernel)
    channel.close()
    drop_capabilities()
    select.select([kernel], [], [])


def _move_once(channel: socket.socket, plan: dict[str, Any], kernel: int) -> None:
    if channel not in select.select([channel, kernel], [], [])[0]:
        return
    line = channel.makefile().readline()
    if not line:
        return
    try:
        move_in(plan, json.loads(line))
        answer = "ok"
    except OSError as error:
        answer = str(error)
    channel.sendall(f"{answer}\n".encode())


def _run(work: Callable[[], None]) -> NoReturn:
    try:
        work()
    finally:
        os._exit(0)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
