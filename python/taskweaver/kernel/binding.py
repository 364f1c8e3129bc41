"""Makes a kernel that was started for nobody in particular a session's own."""

from __future__ import annotations

import sys
from typing import Any

from ..sandbox.wall import use_temporary_folder
from .renewal import change_environment, enter_directory, forget_executions, redirect_log, renew_random_state


def bind_request(kernel: Any, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
    """Handles `taskweaver_bind_request`: afterwards the kernel cannot be told from one started for its session."""
    content = parent["content"]
    try:
        if kernel.shell.execution_count > 1:
            forget_executions(kernel)
        change_environment(content.get("env") or {}, removes_others=False)
        if "temporary" in content:
            kernel.wall.move_in(content["cwd"], content["temporary"])
            use_temporary_folder(is_for_good=True)
        enter_directory(kernel, content["cwd"])
        if content.get("log_file") and sys.__stderr__ is not None:
            redirect_log(content["log_file"], sys.__stderr__.fileno())
        renew_random_state()
        reply: dict[str, Any] = {"status": "ok"}
    except Exception as error:
        reply = {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": []}
    kernel.session.send(stream, "taskweaver_bind_reply", reply, parent, ident=ident)
