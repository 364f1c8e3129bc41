"""Checks that the installed ipykernel, IPython and pyzmq have what this kernel replaces or relies on."""

from __future__ import annotations

import os
import sys

STOCK_VARIABLE = "TASKWEAVER_STOCK_KERNEL"
"""Set to 1, it makes the kernel run on ipykernel's own sockets and streams."""

_OLDEST_IPYTHON = (8, 3)
"""The first whose shell takes the id of a cell."""

_RELIED_ON = {
    "ipykernel.ipkernel:IPythonKernel": (
        "do_complete",
        "do_inspect",
        "do_history",
        "_forward_input",
        "_restore_input",
        "_input_request",
        "_no_raw_input",
        "_topic",
        "kernel_info_request",
        "usage_request",
        "record_ports",
    ),
    "ipykernel.zmqshell:ZMQInteractiveShell": ("run_cell_async", "should_run_async", "transform_cell", "_showtraceback"),
    "ipykernel.displayhook:ZMQShellDisplayHook": ("write_format_data", "finish_displayhook", "quiet"),
    "ipykernel.zmqshell:ZMQDisplayPublisher": ("publish", "_flush_streams"),
    "jupyter_client.session:Session": ("sign", "_add_digest", "msg_id"),
    "zmq:Socket": ("recv_multipart", "send_multipart"),
}


def obstacles() -> list[str]:
    """Why this kernel cannot use its own sockets and streams; empty where it can."""
    if os.environ.get(STOCK_VARIABLE) == "1":
        return [f"{STOCK_VARIABLE} is set"]
    if sys.platform == "win32":
        return ["Windows has neither pipes to select on nor Unix signals"]
    found = []
    import IPython

    if IPython.version_info[:2] < _OLDEST_IPYTHON:
        found.append(f"IPython {IPython.__version__} is older than {'.'.join(map(str, _OLDEST_IPYTHON))}")
    for place, names in _RELIED_ON.items():
        module_name, _, class_name = place.partition(":")
        try:
            owner = getattr(__import__(module_name, fromlist=[class_name]), class_name)
        except (ImportError, AttributeError):
            found.append(f"{place} is missing")
            continue
        found.extend(f"{place}.{name} is missing" for name in names if not hasattr(owner, name))
    return found
