"""Limits by a user namespace: they hold an ordinary user, each kernel for itself, and spare root."""

import ctypes  # noqa: F401  # loaded before the rights are given up
import os
import sys

import pytest

from taskweaver.kernel import limits

NOBODY = 65534


def probe_as(user: int) -> int:
    """The probe's exit code in a child that belongs to the user."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            if os.getuid() != user:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
                _make_dumpable()
            status = limits.probe({"user_namespace_processes": 2})
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _make_dumpable() -> None:
    """After a change of user its own files below /proc belong to root until it says otherwise (PR_SET_DUMPABLE)."""
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="takes root on Linux, to become somebody else")
def test_a_namespace_holds_an_ordinary_user_and_spares_root():
    assert probe_as(NOBODY) == 0
    assert probe_as(0) == 3


def test_groups_are_entered_by_the_process_itself(tmp_path):
    files = [tmp_path / "memory", tmp_path / "pids"]
    for file in files:
        file.touch()
    limits.enter({"groups": [str(file) for file in files]})
    assert [file.read_text() for file in files] == ["0", "0"]


def test_nothing_asked_is_nothing_done():
    limits.enter({})
