"""What a reply's metadata says of an execution: its parsed output and the session's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .parsed_output import parsed_output
from .runtime_protocol import NO_OUTPUT
from .variables import list_variables

if TYPE_CHECKING:
    from .kernel import TaskWeaverKernel
    from .requests import Request
    from .stock_kernel import StockKernel


def results(kernel: TaskWeaverKernel | StockKernel, request: Request) -> dict[str, Any]:
    """`output` and `variables` after an execution; whatever the user's objects do, it returns."""
    try:
        variables = list_variables(kernel.shell.user_ns, kernel.shell.user_ns_hidden)
    except Exception:
        kernel.log.exception("the variables could not be listed")
        variables = []
    text = request.result_text
    return {"output": NO_OUTPUT if text is None else parsed_output(text), "variables": variables}
