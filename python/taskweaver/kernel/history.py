"""The history of a session, from memory: no database keeps what users ran."""

from __future__ import annotations

import fnmatch
from typing import Any, Iterator

Entry = tuple[int, int, Any]
"""Session, line and input, or input and output together."""


def request_history(shell: Any, content: dict[str, Any]) -> list[Entry]:
    """The entries that a `history_request` asks for, oldest first.

    See https://jupyter-client.readthedocs.io/en/stable/messaging.html#history. There is one session, the current one.
    """
    entries = list(_entries(shell, bool(content.get("raw", True)), bool(content.get("output", False))))
    kind = content.get("hist_access_type")
    if kind == "range":
        start, stop = content.get("start") or 1, content.get("stop")
        first = start if start >= 0 else len(entries) + 1 + start
        return [entry for entry in entries if first <= entry[1] and (stop is None or entry[1] < stop)]
    if kind == "search":
        entries = [entry for entry in entries if fnmatch.fnmatchcase(_source(entry), content.get("pattern") or "*")]
        if content.get("unique"):
            entries = list({_source(entry): entry for entry in entries}.values())
    limit = content.get("n")
    return entries if limit is None else entries[-limit:] if limit > 0 else []


def _entries(shell: Any, raw: bool, output: bool) -> Iterator[Entry]:
    manager = shell.history_manager
    inputs = manager.input_hist_raw if raw else manager.input_hist_parsed
    for line, source in enumerate(inputs[1:], start=1):
        yield 0, line, (source, manager.output_hist_reprs.get(line)) if output else source


def _source(entry: Entry) -> str:
    return str(entry[2][0] if isinstance(entry[2], tuple) else entry[2])
