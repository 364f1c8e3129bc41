"""Tests of the modules that are imported at their first use."""

import pickle
import sys
import types
from types import SimpleNamespace

import pytest

from taskweaver.kernel import preloads


@pytest.fixture
def shell(monkeypatch, tmp_path):
    """A shell whose `pd` is a module that nobody has imported yet."""
    (tmp_path / "late_module.py").write_text("value = 3\ndef double(x): return 2 * x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(preloads, "NAMES", {"pd": "late_module", "np": "json", "plt": "no_such_module.part"})
    monkeypatch.delitem(sys.modules, "late_module", raising=False)
    shell = SimpleNamespace(user_ns={}, user_ns_hidden={})
    preloads.fill(shell)
    yield shell
    sys.modules.pop("late_module", None)


def test_a_module_is_imported_when_it_is_used(shell):
    assert "late_module" not in sys.modules
    assert shell.user_ns["pd"].double(2) == 4
    assert shell.user_ns["pd"] is sys.modules["late_module"]


def test_a_stand_in_that_was_kept_goes_on_working(shell):
    kept = shell.user_ns["pd"]
    kept.value = 5

    assert sys.modules["late_module"].value == 5
    assert "double" in dir(kept)
    assert repr(kept) == repr(sys.modules["late_module"])
    assert isinstance(kept, types.ModuleType)
    assert kept.__name__ == "late_module"


def test_the_users_own_value_is_not_replaced(shell):
    kept = shell.user_ns["pd"]
    shell.user_ns["pd"] = 7
    kept.value

    assert shell.user_ns["pd"] == 7


def test_an_imported_module_is_there_itself(shell):
    import json

    assert shell.user_ns["np"] is json


def test_a_module_that_is_not_installed_has_no_name(shell):
    assert "plt" not in shell.user_ns


def test_functions_of_the_module_can_be_pickled(shell):
    assert pickle.loads(pickle.dumps(shell.user_ns["pd"].double))(4) == 8
