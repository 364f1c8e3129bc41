"""Jupyter's message session, with the common path of reading, signing and sending made short."""

from __future__ import annotations

import codecs
import json
import os
from hmac import compare_digest
from threading import get_ident
from time import gmtime, strftime, time_ns
from typing import Any, Sequence

from jupyter_client.adapter import adapt
from jupyter_client.jsonutil import json_default
from jupyter_client.session import DELIM, Session

from .signal_gate import gate

_COPY_BELOW_BYTES = 65536

_MOST_LEVELS = 100
"""Deeper values are cut: writing them would overflow the stack."""

_encode = json.JSONEncoder(
    default=json_default, ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False
).encode


class Header(dict):  # type: ignore[type-arg]
    """A message's header that keeps the bytes it was read from, so that each answer can carry them as they are."""

    __slots__ = ("packed",)
    packed: bytes


class WireSession(Session):
    """A `Session` whose `send` skips what a kernel never uses, and that reads messages into plain dicts.

    Dates stay text. Lone surrogates, which UTF-8 has no bytes for, arrive written out (`\\ud800`).
    """

    iopub: Any = None
    """The publisher, which keeps what executions send until the server has it."""

    _date_seconds = -1
    _date_text = ""

    def msg_header(self, msg_type: str) -> dict[str, Any]:
        """A new header."""
        seconds, microseconds = divmod(time_ns() // 1000, 1_000_000)
        if seconds != self._date_seconds:
            self._date_seconds = seconds
            self._date_text = strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))
        return {
            "msg_id": self.msg_id,
            "msg_type": msg_type,
            "username": self.username,
            "session": self.session,
            "date": f"{self._date_text}.{microseconds:06d}Z",
            "version": "5.4",
        }

    def send(  # type: ignore[override]
        self,
        stream: Any,
        msg_or_type: dict[str, Any] | str,
        content: dict[str, Any] | None = None,
        parent: dict[str, Any] | None = None,
        ident: bytes | Sequence[bytes] | None = None,
        buffers: Sequence[Any] | None = None,
        track: bool = False,
        header: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Sends a message on `stream`, a zmq socket or the publisher, and returns it. Shape as `Session.send`."""
        if os.getpid() != self.pid:
            return None  # the sockets belong to the parent of this fork
        if isinstance(msg_or_type, dict):
            message = msg_or_type
            buffers = buffers or message.get("buffers")
        else:
            parent_header = {} if not parent else parent.get("header", parent)
            message = {
                "header": header or self.msg_header(msg_or_type),
                "parent_header": parent_header,
                "metadata": metadata or {},
                "content": content or {},
            }
        if self.iopub is not None and stream is self.iopub and self.iopub.room.is_short:
            # In other threads this may run under the output's lock. An error is all that is left of code that was interrupted as it waited.
            if get_ident() == gate.main_thread and message["header"]["msg_type"] != "error":
                self.iopub.room.wait()
        frames = self.frames(message, ident)
        copy = True
        if buffers:
            for buffer in buffers:
                view = memoryview(buffer)
                if not view.contiguous:
                    raise ValueError("a buffer of a message is not contiguous")
                frames.append(view)
                copy = copy and view.nbytes < _COPY_BELOW_BYTES
        gate.close()
        try:
            if self.iopub is not None and stream is self.iopub:
                parent_id, kind = message["parent_header"].get("msg_id", ""), message["header"]["msg_type"]
                stream.send_multipart(frames, copy=copy, parent_id=parent_id, kind=kind)
            elif stream is not None:
                if self.iopub is not None and message["header"]["msg_type"] == "execute_reply":
                    start = frames.index(DELIM)
                    self.iopub.retention.keep_reply(message["parent_header"].get("msg_id", ""), frames[start:])
                stream.send_multipart(frames, copy=copy)
        finally:
            gate.reopen()
        return message

    def frames(self, message: dict[str, Any], identities: bytes | Sequence[bytes] | None) -> list[Any]:
        """The frames of a message, signed, without its buffers."""
        parent_header = message["parent_header"]
        packed_parent = getattr(parent_header, "packed", None)
        parts = [
            pack(message["header"]),
            pack(parent_header) if packed_parent is None else packed_parent,
            pack(message["metadata"] or {}),
            pack(message["content"]),
        ]
        if identities is None:
            return [DELIM, self.sign(parts), *parts]
        if isinstance(identities, bytes):
            return [identities, DELIM, self.sign(parts), *parts]
        return [*identities, DELIM, self.sign(parts), *parts]

    def read(self, frames: list[bytes]) -> tuple[list[bytes], dict[str, Any]]:
        """The identities and the message of received frames. Raises ValueError for one that is malformed or forged."""
        delimiter = frames.index(DELIM)
        identities, (signature, *parts) = frames[:delimiter], frames[delimiter + 1 :]
        if len(parts) < 4:
            raise ValueError("a message has at least four parts")
        if self.auth is not None:
            if signature in self.digest_history:
                raise ValueError("the message was sent before")
            if not compare_digest(signature, self.sign(parts[:4])):
                raise ValueError("the signature does not fit")
            self._add_digest(signature)
        header = Header(json.loads(parts[0]))
        header.packed = parts[0]
        message = {
            "header": header,
            "msg_id": header["msg_id"],
            "msg_type": header["msg_type"],
            "parent_header": json.loads(parts[1]),
            "metadata": json.loads(parts[2]),
            "content": json.loads(parts[3]),
            "buffers": [memoryview(part) for part in parts[4:]],
        }
        if not str(header.get("version", "")).startswith("5"):
            message = adapt(message)
        return identities, message


def pack(value: Any) -> bytes:
    """`value` as JSON bytes; what JSON has no form for (nan, bytes, other objects) becomes text."""
    if value == {}:
        return b"{}"
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError):
        text = _encode(_cleaned(value, 0))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "taskweaver_visible_surrogates")


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if depth > _MOST_LEVELS:
        return "..."
    if isinstance(value, dict):
        return {str(key): _cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_cleaned(item, depth + 1) for item in value]
    try:
        return json_default(value)
    except TypeError:
        return repr(value)


def _visible_surrogates(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    # Inside JSON text the backslash is itself escaped, so that the reader sees the escape and not a surrogate.
    return "".join(f"\\\\u{ord(character):04x}" for character in error.object[error.start : error.end]), error.end


codecs.register_error("taskweaver_visible_surrogates", _visible_surrogates)
