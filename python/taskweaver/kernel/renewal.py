"""What a kernel renews that was not started for its session: the log it writes to, and the state of random generators."""

from __future__ import annotations

import os
import random
import sys


def redirect_log(path: str, *descriptors: int) -> None:
    """Points file descriptors to the end of a log that only the user can read."""
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for descriptor in descriptors:
        os.dup2(log, descriptor)
    os.close(log)


def renew_random_state() -> None:
    """Seeds what was seeded before the fork. CPython renews `random` by itself; libraries do not."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(int.from_bytes(os.urandom(4), "little"))
