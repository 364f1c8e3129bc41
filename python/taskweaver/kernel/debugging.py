"""The Jupyter debugger, which costs a kernel much memory and is therefore set up when a client first asks for it."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from typing import Any, Iterator


def is_available() -> bool:
    """Whether debugpy is installed."""
    return False


@contextmanager
def without_debugger() -> Iterator[None]:
    """Keeps ipykernel from importing debugpy."""
    if "debugpy" in sys.modules or importlib.util.find_spec("debugpy") is None:
        yield
        return
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["debugpy"]


def debugger_of(kernel: Any) -> Any:
    """The debugger of `kernel`."""
    raise NotImplementedError
