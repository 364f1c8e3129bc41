"""What a reply's metadata says of an execution: its parsed output and the session's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .parsed_output import json_text, parsed_output, visible_surrogates
from .runtime_protocol import NO_OUTPUT
from .variables import list_variables

if TYPE_CHECKING:
    from .kernel import TaskWeaverKernel
    from .requests import Request
    from .stock_kernel import StockKernel


def results(kernel: TaskWeaverKernel | StockKernel, request: Request) -> dict[str, Any]:
    """`output`, its text and `variables` after an execution; whatever the user's objects do, it returns."""
    try:
        variables = list_variables(kernel.shell.user_ns, kernel.shell.user_ns_hidden)
    except Exception:
        kernel.log.exception("the variables could not be listed")
        variables = []
    return {**_output(request.result_text), "variables": variables}


def _output(text: str | None) -> dict[str, Any]:
    """The value as JSON, and as Python writes it where that is not the same text."""
    if text is None:
        return {"output": NO_OUTPUT}
    output = parsed_output(text)
    return {"output": output} if output == json_text(text) else {"output": output, "output_text": visible_surrogates(text)}
