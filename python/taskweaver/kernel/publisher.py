"""The iopub channel: one XPUB socket that any thread may send on, and that drops nothing."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Sequence

import zmq

from .retention import Retention
from .room import Room
from .sent_messages import SentMessages
from .signal_gate import gate
from .waiting_text import WaitingText
from .wire_session import WireSession


class Publisher:
    """Stands where ipykernel has its iopub socket: `send_multipart` sends at once, from the calling thread.

    A client that subscribes gets an `iopub_welcome` (Jupyter enhancement proposal 65), so that it knows when nothing
    can be missed any more. Messages are never dropped. The queue to a client that reads slowly has no bound of its own; `room`
    bounds what the server has not stored.
    """

    def __init__(self, session: WireSession) -> None:
        self.session = session
        self.retention = Retention()
        self.room = Room()
        self.waiting = WaitingText()
        self.sent = SentMessages(self.waiting)
        self.on_subscribers: Callable[[int], None] = lambda count: None
        self._subscriptions = 0
        self.socket: zmq.Socket[Any] | None = None
        self._lock = threading.RLock()
        self._is_sending = False
        self._postponed: deque[Sequence[Any]] = deque()

    def open(self, socket: zmq.Socket[Any]) -> None:
        """Takes over a bound XPUB socket."""
        self.socket = socket
        self._subscriptions = 0

    def send_multipart(
        self,
        frames: Sequence[Any],
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
        parent_id: str = "",
        kind: str = "",
    ) -> None:
        """Sends one message. Thread-safe; before `open` and after `close` it does nothing."""
        gate.close()
        try:
            with self._lock:
                self.retention.keep(parent_id, frames)
                self._note_room()
                self.sent.add(parent_id, kind, frames)
                if self._is_sending:  # a __del__ of the user's in the middle of another message of this thread
                    self._postponed.append(frames)
                    return
                self._is_sending = True
                try:
                    self._send(frames, copy)
                    while self._postponed:
                        self._send(self._postponed.popleft(), True)
                finally:
                    self._is_sending = False
        finally:
            gate.reopen()

    def begin_execution(self, message_id: str, execution_id: str) -> None:
        """What is sent from now on for this request is kept until the server has stored it."""
        with self._lock:
            self.retention.begin(message_id, execution_id)
            self.sent.begin(message_id)
            self._note_room()

    def note_stored(self, message_id: str, count: int) -> None:
        """The server has stored the first `count` messages of an execution."""
        with self._lock:
            self.retention.forget(message_id, count)
            self.sent.note_stored(message_id, count)
            self.room.note_stored()
            self._note_room()

    def replay(self, message_id: str, skip: int, replay_id: str) -> bool:
        """Sends again what an execution sent after its first `skip` messages, then its reply, or what it asks. Tells whether it asks.

        A `taskweaver_replay` with this id comes first: what arrived before it comes again, nothing after it does. It says how many
        messages came before, and whether some of those are lost.
        """
        gate.close()
        try:
            with self._lock:
                rest = self.retention.rest(message_id, skip)
                begin = {"replay_id": replay_id, "first": rest.first, "is_complete": rest.is_complete}
                self._tell(message_id, "taskweaver_replay", begin)
                for frames in rest.messages:
                    self._send(frames, True)
                if rest.question is not None:
                    self._tell(message_id, "input_request", rest.question)
                if rest.reply is not None:
                    self._send([b"execute_reply", *rest.reply], True)
                return rest.question is not None
        finally:
            gate.reopen()

    def read_subscriptions(self) -> None:
        """Welcomes new subscribers. Called when the socket has something to read."""
        gate.close()
        try:
            with self._lock:
                if not self._is_sending:
                    self._welcome()
        finally:
            gate.reopen()

    def forget(self) -> None:
        """Closes the socket at once and forgets all that was sent and waits; another can be opened."""
        self.close()
        self.waiting.forsake()
        self.sent.close()

    def close(self) -> None:
        """Closes the socket once what was sent is on its way, or after its linger time."""
        with self._lock:
            socket, self.socket = self.socket, None
            if socket is not None:
                socket.close()

    def _tell(self, message_id: str, kind: str, content: dict[str, Any]) -> None:
        self._send(self._frames(kind, content, {"msg_id": message_id}, kind.encode()), True)

    def _frames(self, kind: str, content: dict[str, Any], parent: dict[str, Any], topic: bytes | None) -> Sequence[Any]:
        """A message of the kernel's own, which no code has caused."""
        header = self.session.msg_header(kind)
        message = {"header": header, "parent_header": parent, "metadata": {}, "content": content}
        return self.session.frames(message, topic)

    def _send(self, frames: Sequence[Any], copy: bool) -> None:
        if self.socket is None:
            return
        self.socket.send_multipart(frames, copy=copy)
        # Sending may have consumed the wake-up of a subscription, so it is looked for here as well.
        if self.socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:  # type: ignore[operator]
            self._welcome()

    def _note_room(self) -> None:
        self.room.note(self.retention.bytes, self._subscriptions > 0)

    def _welcome(self) -> None:
        while self.socket is not None:
            try:
                event = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._subscriptions += 1 if event[:1] == b"\x01" else -1
            self._note_room()
            self.on_subscribers(self._subscriptions)
            if event[:1] != b"\x01":
                continue
            topic = event[1:]
            welcome = {"subscription": topic.decode("utf-8", "replace")}
            self.socket.send_multipart(self._frames("iopub_welcome", welcome, {}, topic or None))
