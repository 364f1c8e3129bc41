"""What the template does before it forks, so that no kernel has to: imports, and a first use of all that is slow at first.

Python also rewrites its bytecode in the first few runs of a function. What has run here often enough neither costs a
kernel that time nor the copies of the pages that the bytecode lies on.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

import zmq

from . import debugging
from .application import INLINE_BACKEND
from .rehearsal import rehearse

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
_OFTEN = 12
"""Python considers a function for rewriting after 8 runs."""

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


def exercise(application: Any) -> None:
    """Uses each part. None of it leaves a trace that a user can see."""
    debugging.is_available()
    if "pandas" in sys.modules:
        _use_pandas(sys.modules["pandas"])
    try:
        rehearse(application, [*_RARE_CELLS, *_RARE_CELLS])
        for _ in range(_OFTEN):
            rehearse(application, _CELLS)
        _clear_type_cache()
        rehearse(application, _CELLS)
    except (OSError, zmq.ZMQError) as error:  # there may be no folder for sockets
        print(f"not rehearsed: {error}", file=sys.stderr)


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
