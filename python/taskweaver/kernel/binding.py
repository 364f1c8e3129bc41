"""Makes a kernel that was started for nobody in particular a session's own."""

from __future__ import annotations

import os
import sys
from typing import Any

from .renewal import redirect_log, renew_random_state


def bind_request(kernel: Any, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
    """Handles `taskweaver_bind_request`: afterwards the kernel cannot be told from one started for its session."""
    content = parent["content"]
    try:
        os.chdir(content["cwd"])
        os.environ.update(content.get("env") or {})
        if content.get("log_file") and sys.__stderr__ is not None:
            redirect_log(content["log_file"], sys.__stderr__.fileno())
        kernel.working_directory = os.getcwd()
        kernel.shell.reset(new_session=True)
        kernel.fill_namespace()
        kernel.shell.execution_count = 1
        renew_random_state()
        reply = {"status": "ok"}
    except Exception as error:
        reply = {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": []}
    kernel.session.send(stream, "taskweaver_bind_reply", reply, parent, ident=ident)
