"""Turns the text of an execution's value into the JSON text of `output`."""

from __future__ import annotations

import ast
import math
import re
import warnings
from json import dumps  # its own: the user may replace the one of the module
from typing import Any

_LARGEST_EXACT_INTEGER = 2**53
_DEEPEST_NESTING = 100
_LONGEST_PARSED_TEXT = 1_000_000
"""Characters. Parsing a longer literal could take more memory than the kernel has; it stays text."""

_SMALL_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\Z").match
_CAN_BEGIN_A_LITERAL = frozenset("\"'([{-+.0123456789TFNsubrUBR \t")


class _StaysText(Exception):
    """The value has a part that JSON or its readers cannot hold."""


def parsed_output(text: str) -> str:
    """The JSON text for a value whose `text/plain` form is `text`.

    A Python literal becomes the JSON value, with tuples and sets as arrays. Other text stays text, and so does a literal
    with a part that JSON cannot hold: nan, infinity, bytes, complex, `...`, integers beyond 2**53, a dict with keys that
    are not strings, lone surrogates, more than 100 levels.
    """
    if _SMALL_INTEGER(text) is not None:
        return "0" if text == "-0" else text
    if text and text[0] in _CAN_BEGIN_A_LITERAL and len(text) <= _LONGEST_PARSED_TEXT:
        try:
            return dumps(_json_value(_literal(text), 0), ensure_ascii=False)
        except (_StaysText, ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            pass
    return json_text(text)


def _literal(text: str) -> Any:
    if "\\" not in text:
        return ast.literal_eval(text)
    with warnings.catch_warnings():  # an escape that Python does not know is no concern of the user's stderr
        warnings.simplefilter("ignore")
        return ast.literal_eval(text)


def json_text(text: str) -> str:
    """`text` as a JSON string. Lone surrogates, which UTF-8 cannot carry, are written out as escapes."""
    return dumps(visible_surrogates(text), ensure_ascii=False)


def visible_surrogates(text: str) -> str:
    """`text` with lone surrogates written out, as in `\\ud800`."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def _json_value(value: Any, depth: int) -> Any:
    if depth > _DEEPEST_NESTING:
        raise _StaysText
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        value.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
        return value
    if kind is int:
        if abs(value) > _LARGEST_EXACT_INTEGER:
            raise _StaysText
        return value
    if kind is float:
        if not math.isfinite(value):
            raise _StaysText
        return value
    if kind in (list, tuple, set):
        return [_json_value(item, depth + 1) for item in value]
    if kind is dict:
        return {_key(key): _json_value(item, depth + 1) for key, item in value.items()}
    raise _StaysText


def _key(key: Any) -> str:
    if type(key) is not str:
        raise _StaysText
    key.encode("utf-8")
    return key
