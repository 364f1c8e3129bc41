"""`pd`, `np` and `plt` in the user's namespace, imported at their first use unless something imported them before."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

NAMES = {"pd": "pandas", "np": "numpy", "plt": "matplotlib.pyplot"}


class _NotYetImported(ModuleType):
    """Behaves as the module of its name: the first use of an attribute imports it, in every namespace at once."""

    def __getattribute__(self, attribute: str) -> Any:
        return getattr(_import(self), attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(_import(self), attribute, value)

    def __delattr__(self, attribute: str) -> None:
        delattr(_import(self), attribute)

    def __dir__(self) -> list[str]:
        return dir(_import(self))

    def __repr__(self) -> str:
        return repr(_import(self))


_placed: dict[int, tuple[str, str, dict[str, Any]]] = {}
"""By the identity of a stand-in: the module's name, its short name, and the namespace it stands in."""

_stand_ins: list[_NotYetImported] = []


def fill(shell: Any) -> None:
    """Puts the modules that are installed into the shell's namespace."""
    for short_name, name in NAMES.items():
        module = sys.modules.get(name)
        if module is None and importlib.util.find_spec(name.partition(".")[0]) is not None:
            module = _NotYetImported(name)
            _stand_ins.append(module)
            _placed[id(module)] = (name, short_name, shell.user_ns)
        if module is not None:
            shell.user_ns[short_name] = module
            shell.user_ns_hidden[short_name] = module


def _import(stand_in: _NotYetImported) -> ModuleType:
    name, short_name, namespace = _placed[id(stand_in)]
    module = importlib.import_module(name)
    if namespace.get(short_name) is stand_in:
        namespace[short_name] = module
    return module
