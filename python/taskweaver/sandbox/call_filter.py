"""A filter of system calls (seccomp) for what other walls leave open: what all processes of one user share.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

from .system_calls import call

_MODE_FILTER = 1
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000

_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT, _THIRD_ARGUMENT = 0, 4, 16, 24, 32
_INSTRUCTION_BYTES = 8

_SOCK_DIAG = 4
_PRIO_USER = 2
_IOPRIO_WHO_PROCESS = 1
_X32_BIT = 0x40000000

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# The numbers of calls, on x86-64 and on ARM64; -1: that machine has none.
_SECCOMP = (317, 277)
_SOCKET = (41, 198)
_KEYRINGS = {"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)}
_INSTEAD_OF_FILES = {
    # It opens sockets past this filter.
    "io_uring_setup": (425, 425),
    # They tell names in folders that cannot be listed, those of other kernels' sockets among them.
    "inotify_init": (253, -1),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
}
# All of them are there for every process of the user, by numbers that can be listed.
_SHARED_MEMORY_AND_MESSAGES = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
}
# Their first argument is a process, 0 for the caller.
_LIMITS_OF_A_PROCESS = {"prlimit64": (302, 261), "sched_setattr": (314, 274)}
# Libraries set that of their own threads, by number, to what all have, and end where they cannot.
_SCHED_SETSCHEDULER = (144, 119)
# Their first argument says of what kind the second is.
_SETPRIORITY = (141, 140)
_IOPRIO_SET = (251, 30)

_NAMESPACED_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)


def is_known_machine() -> bool:
    """Whether the filter knows this machine's system calls."""
    return os.uname().machine in _ARCHITECTURES


def install(has_namespaces: bool, network: bool) -> None:
    """
    Filters this process' calls for good, after `gain_nothing`. Raises OSError.

    @param has_namespaces: Whether the process has namespaces of its own, and so shares less.
    @param network: Whether it has a network; without namespaces sockets beside Unix sockets are refused where not.
    """
    machine = list(_ARCHITECTURES).index(os.uname().machine)
    program = b"".join(
        [
            # Another architecture's calls would go by other numbers.
            _load(_ARCHITECTURE) + _jump(_JUMP_IF_EQUAL, _ARCHITECTURES[os.uname().machine], 1, 0) + _refuse(),
            _load(_NUMBER) + _jump(_JUMP_IF_AT_LEAST, _X32_BIT, 0, 1) + _refuse(),
            # Keys are their owner's, whatever files and processes he sees.
            *(_on(numbers[machine], _refuse()) for numbers in _KEYRINGS.values()),
            *([] if has_namespaces else _refuse_what_users_share(machine)),
            _on(_SOCKET[machine], _decide_on_sockets(has_namespaces, network)),
            _allow(),
        ]
    )
    code = ctypes.create_string_buffer(program, len(program))
    filter_program = struct.pack("HxxxxxxP", len(program) // _INSTRUCTION_BYTES, ctypes.addressof(code))
    call(_SECCOMP[machine], _MODE_FILTER, 0, filter_program)


def _refuse_what_users_share(machine: int) -> list[bytes]:
    only_itself = _load(_FIRST_ARGUMENT) + _unless_equal(0, _refuse()) + _allow()
    only_its_own_files = _load(_FIRST_ARGUMENT) + _unless_equal(_IOPRIO_WHO_PROCESS, _refuse())
    only_the_usual = _load(_SECOND_ARGUMENT) + _on(os.SCHED_OTHER, _allow())
    never_the_user = _load(_FIRST_ARGUMENT) + _on(_PRIO_USER, _refuse())
    caller = _load(_SECOND_ARGUMENT) + _unless_equal(0, _refuse()) + _allow()
    return [
        *(_on(numbers[machine], _refuse()) for numbers in {**_INSTEAD_OF_FILES, **_SHARED_MEMORY_AND_MESSAGES}.values()),
        *(_on(numbers[machine], only_itself) for numbers in _LIMITS_OF_A_PROCESS.values()),
        _on(_SCHED_SETSCHEDULER[machine], only_the_usual + only_itself),
        _on(_SETPRIORITY[machine], never_the_user + caller),
        _on(_IOPRIO_SET[machine], only_its_own_files + caller),
    ]


def _decide_on_sockets(has_namespaces: bool, network: bool) -> bytes:
    refuse_family = _refuse(errno.EAFNOSUPPORT)
    if not network:
        # Some families know no namespaces: by them a virtual machine talks to what is around it.
        families = _NAMESPACED_FAMILIES if has_namespaces else (socket.AF_UNIX,)
        return _load(_FIRST_ARGUMENT) + b"".join(_on(family, _allow()) for family in families) + refuse_family
    if has_namespaces:
        return _allow()
    # It lists the addresses of all Unix sockets, other kernels' among them.
    diagnosis = _load(_THIRD_ARGUMENT) + _on(_SOCK_DIAG, _refuse()) + _allow()
    return _load(_FIRST_ARGUMENT) + _on(socket.AF_NETLINK, diagnosis) + _allow()


def _on(value: int, then: bytes) -> bytes:
    """What happens where the loaded value is this one; `then` decides, or falls through."""
    return b"" if value < 0 else _jump(_JUMP_IF_EQUAL, value, 0, len(then) // _INSTRUCTION_BYTES) + then


def _unless_equal(value: int, then: bytes) -> bytes:
    return _jump(_JUMP_IF_EQUAL, value, len(then) // _INSTRUCTION_BYTES, 0) + then


def _allow() -> bytes:
    return struct.pack("HBBI", _RETURN, 0, 0, _ALLOW)


def _refuse(error: int = errno.EPERM) -> bytes:
    return struct.pack("HBBI", _RETURN, 0, 0, _REFUSE | error)


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", _LOAD, 0, 0, offset)


def _jump(kind: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("HBBI", kind, if_true, if_false, value)
