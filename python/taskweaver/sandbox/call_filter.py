"""A filter of system calls (seccomp) for what Landlock does not cover: asking for others' sockets, and the network as a whole.

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
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _THIRD_ARGUMENT = 0, 4, 16, 32

_SOCK_DIAG = 4
_IO_URING_SETUP = 425
_X32_BIT = 0x40000000

# Of each machine: how it names itself here, and its numbers of seccomp and socket.
_MACHINES = {"x86_64": (0xC000003E, 317, 41), "aarch64": (0xC00000B7, 277, 198)}


def is_known_machine() -> bool:
    """Whether the filter knows this machine's system calls."""
    return os.uname().machine in _MACHINES


def install(network: bool) -> None:
    """Filters this process' calls for good, after `gain_nothing`. @param network: Whether sockets beside Unix sockets can be had."""
    architecture, seccomp, socket_call = _MACHINES[os.uname().machine]
    allow, refuse, refuse_family = (
        struct.pack("HBBI", _RETURN, 0, 0, value)
        for value in (_ALLOW, _REFUSE | errno.EPERM, _REFUSE | errno.EAFNOSUPPORT)
    )
    # Each part falls through to the next where it does not decide.
    parts = [
        # Another architecture's calls would go by other numbers.
        _load(_ARCHITECTURE) + _jump(_JUMP_IF_EQUAL, architecture, 1, 0) + refuse,
        _load(_NUMBER) + _jump(_JUMP_IF_AT_LEAST, _X32_BIT, 0, 1) + refuse,
        # It opens sockets past this filter.
        _jump(_JUMP_IF_EQUAL, _IO_URING_SETUP, 0, 1) + refuse,
        _jump(_JUMP_IF_EQUAL, socket_call, 1, 0) + allow,
        _load(_FIRST_ARGUMENT),
    ]
    if network:
        parts += [
            _jump(_JUMP_IF_EQUAL, socket.AF_NETLINK, 1, 0) + allow,
            # It lists the addresses of all Unix sockets, other kernels' among them.
            _load(_THIRD_ARGUMENT) + _jump(_JUMP_IF_EQUAL, _SOCK_DIAG, 0, 1) + refuse + allow,
        ]
    else:
        parts += [_jump(_JUMP_IF_EQUAL, socket.AF_UNIX, 0, 1) + allow + refuse_family]
    program = b"".join(parts)
    code = ctypes.create_string_buffer(program, len(program))
    filter_program = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    call(seccomp, _MODE_FILTER, 0, filter_program)


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", _LOAD, 0, 0, offset)


def _jump(kind: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("HBBI", kind, if_true, if_false, value)
