"""What a kernel renews that was not started for its session: environment, directory, log, random state, past executions."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from typing import Any, Mapping

from .requests import Request, begin_request
from .runtime_protocol import SessionFields

_TEMPORARY = ("TMPDIR", "TEMP", "TMP")


def redirect_log(path: str, *descriptors: int) -> None:
    """Points file descriptors to the end of a log that only the user can read."""
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for descriptor in descriptors:
        os.dup2(log, descriptor)
    os.close(log)


def change_environment(environment: Mapping[str, str], removes_others: bool) -> None:
    """Sets what differs, so that little memory is touched that a fork still shares."""
    temporary = [os.environ.get(name) for name in _TEMPORARY]
    if removes_others:
        for name in [name for name in os.environ if name not in environment]:
            del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if "TZ" in environment:
        time.tzset()
    if [os.environ.get(name) for name in _TEMPORARY] != temporary:
        tempfile.tempdir = None  # it was looked for in another environment


def enter_directory(kernel: Any, directory: str) -> None:
    """Makes `directory` the one that the session works in."""
    os.chdir(directory)
    kernel.working_directory = os.getcwd()
    # IPython's history of directories begins where the session does.
    kernel.shell.user_ns["_dh"][:] = [kernel.working_directory]


def renew_random_state() -> None:
    """Seeds what was seeded before the fork. CPython renews `random` by itself; libraries do not."""
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(int.from_bytes(os.urandom(4), "little"))


def forget_executions(kernel: Any) -> None:
    """Removes what executions have left behind: namespace, results, counters, history, figures."""
    shell = kernel.shell
    shell.reset(new_session=True)
    shell.user_ns.update(dict.fromkeys(("_", "__", "___"), ""))
    kernel.fill_namespace()
    shell.execution_count = 1
    shell.last_execution_result = None
    shell.last_execution_succeeded = True
    shell._last_traceback = None
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)
    for name in ("outputs", "exceptions"):
        getattr(shell.history_manager, name, {}).clear()
    if shell.compile is not None and hasattr(shell.compile, "reset_compiler_flags"):
        shell.compile.reset_compiler_flags()
    kernel.plugins.context.session = SessionFields()
    kernel.iopub_socket.begin_execution("", "")
    kernel.session.message_count = 0
    begin_request(Request())
