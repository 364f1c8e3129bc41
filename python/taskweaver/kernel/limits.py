"""Puts the calling process under its session's limits; as a script, does so and becomes another program. Imports nothing of ours."""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

_CLONE_NEWUSER = 0x10000000


def enter(limits: dict[str, Any]) -> None:
    """Enters what the server has prepared; all that the process uses and starts from here on counts. Needs a process with one thread.

    `groups`: `cgroup.procs` files of control groups. `user_namespace_processes`: a user namespace of its own, with so many processes and threads.
    """
    for path in limits.get("groups", []):
        with open(path, "w") as file:
            file.write("0")
    processes = limits.get("user_namespace_processes")
    if processes is not None:
        _enter_user_namespace(processes)


def _enter_user_namespace(processes: int) -> None:
    """In a namespace of its own the limit counts only who is in it; who was outside knows the user by the same number."""
    import ctypes

    user, group = os.geteuid(), os.getegid()
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no user namespace could be made: {os.strerror(number)}")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))


def probe(limits: dict[str, Any]) -> int:
    """Whether a user namespace with two processes holds one child and no second one: exit code 0, or 3 where nothing holds them."""
    enter(limits)
    children: list[int] = []
    try:
        for _ in range(2):
            child = os.fork()
            if child == 0:
                os.read(0, 1)
                os._exit(0)
            children.append(child)
    except OSError:
        return 0 if len(children) == 1 else 4
    return 3


if __name__ == "__main__":
    if sys.argv[1] == "--probe":
        sys.exit(probe(json.loads(sys.argv[2])))
    enter(json.loads(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
