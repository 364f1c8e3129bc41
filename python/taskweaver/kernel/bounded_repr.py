"""The repr of any value, cut to a number of characters at a cost that does not grow with the value."""

from __future__ import annotations

import array
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, Callable, Iterable

from .time_limit import TimeLimit, TooLate

_ELLIPSIS = "..."
_MORE = ", ..."
_DEEPEST_NESTING = 20
_LARGEST_INTEGER_BITS = 3000
_MOST_DIMENSIONS = 4


class BoundedRepr:
    """Writes values in the usual style of `repr`, with `...` where something is left out.

    Containers are read from the front and only as far as their text fits. Only values of types without a rule here are
    asked for their own repr, under the time limit.
    """

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        self._open: list[int] = []

    def text(self, value: Any, characters: int) -> str:
        """The repr of `value`, in at most `characters`."""
        return cut(self._text(value, characters), characters)

    def _text(self, value: Any, room: int) -> str:
        kind = type(value)
        rule = _RULES.get(kind)
        if rule is not None:
            return rule(self, value, room)
        base = _inherited_repr(kind)
        if base is not None:
            return _RULES[base](self, value, room)
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is getattr(numpy, "ndarray", None):
            return self._array(numpy, value)
        return self._own_repr(value)

    def _own_repr(self, value: Any) -> str:
        try:
            text = self._limit.call(repr, value)
            return text if type(text) is str else str.__str__(text)
        except TooLate:
            return f"<{_name(value)}: its repr took too long>"
        except BaseException as error:
            return f"<{_name(value)}: its repr raised {_name(error)}>"

    def _array(self, numpy: Any, value: Any) -> str:
        head = f"ndarray shape={value.shape} dtype={value.dtype}"
        if value.ndim > _MOST_DIMENSIONS:
            return head
        edge = 3 if value.ndim < 3 else 2
        try:
            return f"{head} {self._limit.call(lambda it: numpy.array2string(it, threshold=20, edgeitems=edge), value)}"
        except TooLate:
            return f"{head} <its values took too long>"
        except BaseException as error:
            return f"{head} <its values raised {_name(error)}>"

    def _items(self, value: Any, opening: str, items: Iterable[Any], closing: str, room: int) -> str:
        return self._sequence(value, opening, closing, room, (lambda r, item=item: self._text(item, r) for item in items))

    def _pairs(self, value: Any, opening: str, pairs: Iterable[tuple[Any, Any]], closing: str, room: int) -> str:
        def pair(key: Any, item: Any, room: int) -> str:
            key_text = cut(self._text(key, room), room)
            return f"{key_text}: {self._text(item, room - len(key_text) - 2)}"

        return self._sequence(
            value, opening, closing, room, (lambda r, key=key, item=item: pair(key, item, r) for key, item in pairs)
        )

    def _sequence(
        self, value: Any, opening: str, closing: str, room: int, writers: Iterable[Callable[[int], str]]
    ) -> str:
        if id(value) in self._open or len(self._open) >= _DEEPEST_NESTING:
            return f"{opening}{_ELLIPSIS}{closing}"
        room -= len(opening) + len(closing)
        parts: list[str] = []
        self._open.append(id(value))
        try:
            remaining = iter(writers)
            write = next(remaining, None)
            while write is not None:
                part = write(room) if room > 0 else ""
                following = next(remaining, None)
                if len(part) > (room if following is None else room - len(_MORE)) or room <= 0:
                    # Of a first item that is too long alone the beginning says more than nothing.
                    parts.append(_ELLIPSIS if parts else cut(part, room))
                    break
                parts.append(part)
                room -= len(part) + 2
                write = following
        except RuntimeError:  # changed by another thread while it was read
            parts.append(_ELLIPSIS)
        finally:
            self._open.pop()
        return f"{opening}{', '.join(parts)}{closing}"


def cut(text: str, characters: int) -> str:
    """`text`, or its beginning and `...` where it is longer than `characters`."""
    if len(text) <= characters:
        return text
    return text[: max(characters - len(_ELLIPSIS), 0)] + _ELLIPSIS


def _name(value: Any) -> str:
    name = type.__dict__["__name__"].__get__(type(value))
    return name if type(name) is str else "object"


def _plain(writer: BoundedRepr, value: Any, room: int) -> str:
    return repr(value)


def _integer(writer: BoundedRepr, value: Any, room: int) -> str:
    bits = int.bit_length(value)
    return int.__repr__(value) if bits <= _LARGEST_INTEGER_BITS else f"<int of {bits} bits>"


def _string(writer: BoundedRepr, value: Any, room: int) -> str:
    if str.__len__(value) <= room:
        return str.__repr__(value)
    return f"{repr(str.__getitem__(value, slice(max(room - 5, 0))))[:-1]}{_ELLIPSIS}'"


def _bytes(writer: BoundedRepr, value: Any, room: int) -> str:
    kind = bytes if issubclass(type(value), bytes) else bytearray
    if kind.__len__(value) <= room:
        return kind.__repr__(value)
    return repr(kind.__getitem__(value, slice(max(room, 0)))) + _ELLIPSIS


def _list(writer: BoundedRepr, value: Any, room: int) -> str:
    return writer._items(value, "[", list.__iter__(value), "]", room)


def _tuple(writer: BoundedRepr, value: Any, room: int) -> str:
    closing = ",)" if tuple.__len__(value) == 1 else ")"
    return writer._items(value, "(", tuple.__iter__(value), closing, room)


def _set(writer: BoundedRepr, value: Any, room: int) -> str:
    if not set.__len__(value):
        return "set()"
    return writer._items(value, "{", set.__iter__(value), "}", room)


def _frozenset(writer: BoundedRepr, value: Any, room: int) -> str:
    if not frozenset.__len__(value):
        return "frozenset()"
    return writer._items(value, "frozenset({", frozenset.__iter__(value), "})", room)


def _dict(writer: BoundedRepr, value: Any, room: int) -> str:
    return writer._pairs(value, "{", dict.items(value), "}", room)


def _defaultdict(writer: BoundedRepr, value: Any, room: int) -> str:
    factory = cut(writer._text(value.default_factory, room), room)
    return writer._pairs(value, f"defaultdict({factory}, {{", dict.items(value), "})", room)


def _named_dict(writer: BoundedRepr, value: Any, room: int) -> str:
    return writer._pairs(value, f"{_name(value)}({{", dict.items(value), "})", room)


def _deque(writer: BoundedRepr, value: Any, room: int) -> str:
    closing = "])" if value.maxlen is None else f"], maxlen={value.maxlen})"
    return writer._items(value, "deque([", deque.__iter__(value), closing, room)


def _number_array(writer: BoundedRepr, value: Any, room: int) -> str:
    return writer._items(value, f"array({value.typecode!r}, [", iter(value), "])", room)


def _view(writer: BoundedRepr, value: Any, room: int) -> str:
    return writer._items(value, f"{_name(value)}([", iter(value), "])", room)


_RULES: dict[type, Callable[[BoundedRepr, Any, int], str]] = {
    type(None): _plain,
    bool: _plain,
    int: _integer,
    float: _plain,
    complex: _plain,
    str: _string,
    bytes: _bytes,
    bytearray: _bytes,
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _frozenset,
    dict: _dict,
    defaultdict: _defaultdict,
    OrderedDict: _named_dict,
    Counter: _named_dict,
    deque: _deque,
    array.array: _number_array,
    type({}.keys()): _view,
    type({}.values()): _view,
    type({}.items()): _view,
}

_INHERITABLE = (list, tuple, dict, str, bytes, bytearray)
"""Types whose repr shows only their content, so that a subclass without its own repr looks the same."""

_namespace_of = type.__dict__["__dict__"].__get__
_bases_of = type.__dict__["__mro__"].__get__


def _inherited_repr(kind: type) -> type | None:
    if not issubclass(kind, _INHERITABLE):
        return None
    for base in _bases_of(kind):
        if "__repr__" in _namespace_of(base):
            return base if base in _INHERITABLE else None
    return None
