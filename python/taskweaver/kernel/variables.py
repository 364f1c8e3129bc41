"""The user's variables as the result of an execution lists them: `[name, text]`, bounded in size and time."""

from __future__ import annotations

import types
from typing import Any

from ..plugin.base import Plugin
from .bounded_repr import BoundedRepr, cut
from .preloads import NAMES
from .time_limit import TimeLimit

_LONGEST_TEXT_CHARACTERS = 500
_EACH_SECONDS = 0.050
_ALL_SECONDS = 0.200
_MOST_VARIABLES = 10_000

_NOT_LISTED = (
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
    Plugin,
)


def list_variables(namespace: dict[str, Any], hidden: dict[str, Any]) -> list[list[str]]:
    """The variables of `namespace` in the order of their creation.

    Left out are names that begin with `_`, modules, functions, plugins, `pd`, `np`, `plt`, and names whose value is
    the one in `hidden` (IPython's own). The types of values are looked at, never their `__class__`, which may lie.
    """
    limit = TimeLimit(_EACH_SECONDS, _ALL_SECONDS)
    writer = BoundedRepr(limit)
    rows: list[list[str]] = []
    missing = object()
    try:
        # Most names are those of IPython's history, of which each execution adds one.
        public = [entry for entry in list(namespace.items()) if type(entry[0]) is str and entry[0][:1] != "_"]
        for name, value in public:
            if name in NAMES or issubclass(type(value), _NOT_LISTED):
                continue
            if hidden.get(name, missing) is value:
                continue
            if type(value) is str:
                rows.append([name, cut(value, _LONGEST_TEXT_CHARACTERS)])
            else:
                rows.append([name, writer.text(value, _LONGEST_TEXT_CHARACTERS)])
            if len(rows) >= _MOST_VARIABLES:
                break
    finally:
        limit.close()
    return rows
