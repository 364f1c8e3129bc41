"""The request that is being served, and the request that a thread, a task or a job of a pool belongs to."""

from __future__ import annotations

import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Callable

from .runtime_protocol import SessionFields


class Request:
    """One message from a client, and what its replies and outputs need to know of it."""

    __slots__ = ("message", "header", "identities", "fields", "result_text", "started_children")

    def __init__(self, message: dict[str, Any] | None = None, identities: list[bytes] | None = None) -> None:
        self.message: dict[str, Any] = {} if message is None else message
        self.header: dict[str, Any] = self.message.get("header", {})
        self.identities = identities or []
        self.fields: SessionFields | None = None
        self.result_text: str | None = None
        self.started_children = False


_own: ContextVar[Request | None] = ContextVar("taskweaver_request", default=None)
_latest = Request()


def current_request() -> Request:
    """The request that the calling code works for; outside any, an empty one.

    A task inherits it with its context, a thread from the thread that started it, a job of a thread pool from the code
    that submitted it. A thread that Python knows nothing of belongs to the request served last.
    """
    request = _own.get()
    if request is None:
        request = getattr(threading.current_thread(), "_taskweaver_request", None)
    return _latest if request is None else request


def begin_request(request: Request) -> None:
    """Makes `request` the current one of the calling context and of code of unknown origin."""
    global _latest
    _own.set(request)
    _latest = request


def adopt(request: Request) -> None:
    """Makes `request` the current one of the calling context only."""
    _own.set(request)


def latest_request() -> Request:
    """The request served last, or the one being served."""
    return _latest


def install_inheritance() -> None:
    """Makes threads and jobs remember the request they were started for."""
    if not hasattr(threading.Thread.start, "__wrapped__"):
        threading.Thread.start = _remembering_start(threading.Thread.start)  # type: ignore[method-assign]
        ThreadPoolExecutor.submit = _remembering_submit(ThreadPoolExecutor.submit)  # type: ignore[method-assign]


def _remembering_start(start: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(start)
    def remembering_start(self: threading.Thread) -> None:
        self._taskweaver_request = current_request()  # type: ignore[attr-defined]
        start(self)

    return remembering_start


def _remembering_submit(submit: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(submit)
    def remembering_submit(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return submit(self, _Job(fn), *args, **kwargs)

    return remembering_submit


class _Job:
    """A function that works for the request it was submitted in."""

    __slots__ = ("function", "request")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.request = current_request()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        token = _own.set(self.request)
        try:
            return self.function(*args, **kwargs)
        finally:
            _own.reset(token)
