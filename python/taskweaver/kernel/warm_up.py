"""What the template does before it forks, so that no kernel has to: imports, and the first use of what is slow at first."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

_MODULES = ("numpy", "pandas", "matplotlib.pyplot", "matplotlib_inline.backend_inline")


def import_modules(extra: list[str]) -> None:
    """Imports what kernels are likely to use; what is not installed is passed over."""
    # Read when matplotlib is imported; figures appear in the results.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    for name in (*_MODULES, *extra):
        try:
            importlib.import_module(name)
        except Exception as error:
            print(f"not preloaded: {name}: {error}", file=sys.stderr)


def exercise(kernel: Any) -> None:
    """Uses each part once. None of it leaves a trace in the user's namespace."""
    shell = kernel.shell
    shell.transform_cell("x = 1\n")
    shell.display_formatter.format(1)
    shell.display_formatter.format([1, "a"])
    if "pandas" in sys.modules:
        _use_pandas(sys.modules["pandas"], shell)
    if "matplotlib_inline.backend_inline" in sys.modules:
        # Its import does so by itself, but there was no shell yet.
        sys.modules["matplotlib_inline.backend_inline"]._enable_matplotlib_integration()
    if "matplotlib.pyplot" in sys.modules:
        _use_matplotlib(sys.modules["matplotlib.pyplot"])


def _use_pandas(pandas: Any, shell: Any) -> None:
    frame = pandas.read_csv(io.StringIO("a,b\n1,x\n2,y\n"))
    frame.describe()
    frame.groupby("b").sum()
    shell.display_formatter.format(frame)
    frame.to_csv(io.StringIO())


def _use_matplotlib(pyplot: Any) -> None:
    figure = pyplot.figure()
    figure.gca().plot([1, 2])
    figure.savefig(io.BytesIO(), format="png")
    pyplot.close("all")
