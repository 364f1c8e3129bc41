"""Tests of running a plugin's source as a module."""

import inspect
import pickle
import sys
import traceback

import pytest

from taskweaver.kernel.plugin_module import forget_module, load_module

SOURCE = '''from __future__ import annotations
from dataclasses import dataclass
from taskweaver.plugin import Plugin, register_plugin

@dataclass
class Row:
    value: Undefined = 3

@register_plugin
class Mine(Plugin):
    def __call__(self):
        raise ValueError("from the plugin")
'''


@pytest.fixture
def module():
    loaded, registrations = load_module("mine", SOURCE)
    try:
        yield loaded, registrations
    finally:
        forget_module("mine", None)


def test_future_imports_and_dataclasses_work(module):
    assert module[0].Row().value == 3


def test_its_classes_can_be_pickled(module):
    row = pickle.loads(pickle.dumps(module[0].Row(5)))

    assert row == module[0].Row(5)


def test_its_source_can_be_inspected(module):
    assert inspect.getsource(module[0].Mine).startswith("@register_plugin\nclass Mine(Plugin):")


def test_tracebacks_show_its_lines(module):
    _, registrations = module
    try:
        registrations.plugins[0]("mine", None)()
    except ValueError:
        assert 'raise ValueError("from the plugin")' in traceback.format_exc()


def test_a_module_that_fails_leaves_the_earlier_one(module):
    with pytest.raises(ZeroDivisionError):
        load_module("mine", "1 / 0")

    assert sys.modules["taskweaver_plugin_mine"] is module[0]
    assert inspect.getsource(module[0].Mine).startswith("@register_plugin")


def test_source_that_is_no_python_changes_nothing(module):
    with pytest.raises(SyntaxError):
        load_module("other", "def")

    assert "taskweaver_plugin_other" not in sys.modules
