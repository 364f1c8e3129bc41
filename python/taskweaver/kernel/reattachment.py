"""Requests of a server that takes a kernel back, or that has stored what the kernel keeps for it; on the control channel."""

from __future__ import annotations

from typing import Any


def attach(kernel: Any, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
    """Tells what the kernel does or did last: `execution`, as `Retention.state` has it."""
    _answer(kernel, stream, ident, parent, {"execution": kernel.iopub_socket.retention.state()})


def replay(kernel: Any, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
    """Sends again on iopub what an execution sent after its first `skip` messages, then its reply, or what it asks."""
    content = parent["content"]
    asks = kernel.iopub_socket.replay(
        str(content["message_id"]), int(content["skip"]), str(content.get("replay_id", ""))
    )
    _answer(kernel, stream, ident, parent, {"asks": asks})


def stored(kernel: Any, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
    """The server has stored the first `count` messages of an execution that goes on."""
    content = parent["content"]
    kernel.iopub_socket.note_stored(str(content["message_id"]), int(content["count"]))
    _answer(kernel, stream, ident, parent, {})


def _answer(kernel: Any, stream: Any, ident: Any, parent: dict[str, Any], content: dict[str, Any]) -> None:
    reply = parent["header"]["msg_type"].replace("_request", "_reply")
    kernel.session.send(stream, reply, {"status": "ok", **content}, parent, ident=ident)
