"""How IPython is set up in this kernel."""

from __future__ import annotations

import warnings

import IPython
from traitlets.config import Config


def required_configuration() -> Config:
    """What the results of an execution depend on; it overrules the command line."""
    config = Config()
    shell = config.InteractiveShell
    shell.ast_node_interactivity = "last_expr_or_assign"
    shell.colors = "nocolor" if IPython.version_info[0] >= 9 else "NoColor"
    shell.enable_html_pager = False
    # By this section libraries tell that they run in a Jupyter kernel.
    config.IPKernelApp.quiet = True
    # A database of all users' code is nothing that a server should keep.
    config.HistoryManager.enabled = False
    config.InlineBackend.figure_formats = {"png"}
    config.InlineBackend.close_figures = True
    return config


def configure_shell(shell: object) -> None:
    """Shows tables of pandas as text; their HTML would make an artifact of every table."""
    # IPython's advice to type `exit` is for terminals.
    warnings.filterwarnings("ignore", message="To exit: use", module="IPython")
    html = shell.display_formatter.formatters["text/html"]  # type: ignore[attr-defined]
    for module in ("pandas.core.frame", "pandas"):
        html.for_type_by_name(module, "DataFrame", _no_html)


def _no_html(_value: object) -> None:
    return None
