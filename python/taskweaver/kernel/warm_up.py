"""What the template does before it forks, so that no kernel has to: imports, and a first use of all that is slow at first.

Python also rewrites its bytecode in the first few runs of a function. What has run here often enough neither costs a
kernel that time nor the copies of the pages that the bytecode lies on.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import sys
from typing import Any

from . import debugging
from .application import INLINE_BACKEND
from .output import OutputStream
from .renewal import forget_executions
from .requests import Request

_MODULES = (
    "numpy",
    "numpy.random",
    "pandas",
    "matplotlib.pyplot",
    "multiprocessing",
    "subprocess",
)

_CELLS = (
    "1 + 1",
    "x = [1, 'a']\nprint(x)",
    "import sys\nprint('a', end='')\nprint('b', file=sys.stderr)",
    "def f(number):\n    return {number: str(number)}\nf(2)",
)
_OFTEN = 24
"""Python considers a function for rewriting after 8 runs, and some of them twice."""

_RARE_CELLS = (
    "import asyncio",
    "1 / 0",
    "y =",
    "undefined",
    "import pandas as pd\nimport numpy as np\nimport matplotlib.pyplot as plt",
    "pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})",
    "np.arange(5)",
    "plt.plot([1, 2]);",
)


def import_modules(extra: list[str]) -> None:
    """Imports what kernels are likely to use; what is not installed is passed over."""
    os.environ.setdefault("MPLBACKEND", INLINE_BACKEND)  # matplotlib reads it when it is imported
    for name in (*_MODULES, *extra):
        try:
            importlib.import_module(name)
        except Exception as error:
            print(f"not preloaded: {name}: {error}", file=sys.stderr)


def connect_figures() -> None:
    """Makes figures appear in results. The backend connects itself to the shell, so the shell must be there first."""
    if "matplotlib.pyplot" in sys.modules:
        importlib.import_module(INLINE_BACKEND.partition("://")[2])


def exercise(kernel: Any) -> None:
    """Uses each part. None of it leaves a trace that a user can see."""
    debugging.is_available()
    asyncio.new_event_loop().close()
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = OutputStream(kernel.output, "stdout", 1), OutputStream(kernel.output, "stderr", 2)
    try:
        for _ in range(_OFTEN):
            for code in _CELLS:
                _run(kernel, code)
        for code in _RARE_CELLS * 2:
            _run(kernel, code)
        if "pandas" in sys.modules:
            _use_pandas(sys.modules["pandas"])
        _clear_type_cache()
        for code in _CELLS * 2:
            _run(kernel, code)
        forget_executions(kernel)
    finally:
        kernel.output.flush()
        kernel.output.is_armed = False
        sys.stdout, sys.stderr = streams


def _run(kernel: Any, code: str) -> None:
    """Serves a request for which nothing is awaited, without a client."""
    header = kernel.session.msg_header("execute_request")
    content = {"code": code, "silent": False, "store_history": True, "stop_on_error": False}
    metadata = {"taskweaver": {"session_id": "", "execution_id": "", "execution_index": 1, "session_variables": {}}}
    message = {"header": header, "msg_type": header["msg_type"], "metadata": metadata, "content": content}
    serving = kernel.serve_shell(Request(message, [b"warm-up"]))
    try:
        serving.send(None)
    except StopIteration:
        return
    serving.close()


def _clear_type_cache() -> None:
    """Empties Python's cache of the attributes of types, to be filled with those that kernels look up.

    It holds a reference to the name of each; a kernel that replaces one that libraries have left there writes to that
    name's page, and so copies hundreds of pages.
    """
    getattr(sys, "_clear_internal_caches", sys._clear_type_cache)()


def _use_pandas(pandas: Any) -> None:
    frame = pandas.read_csv(io.StringIO("a,b\n1,x\n2,y\n"))
    frame.describe()
    frame.groupby("b").sum()
    frame.to_csv(io.StringIO())
