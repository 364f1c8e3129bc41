"""Tests of the look at what is installed."""

import IPython
import pytest
from ipykernel.ipkernel import IPythonKernel

from taskweaver.kernel import compatibility


@pytest.fixture(autouse=True)
def no_wish(monkeypatch):
    """The tests themselves may run with the variable set."""
    monkeypatch.delenv(compatibility.STOCK_VARIABLE, raising=False)


def test_nothing_is_in_the_way_of_the_releases_that_the_tests_run_on():
    assert compatibility.obstacles() == []


def test_the_user_may_wish_for_ipykernels_own_path(monkeypatch):
    monkeypatch.setenv(compatibility.STOCK_VARIABLE, "1")

    assert compatibility.obstacles() == ["TASKWEAVER_STOCK_KERNEL is set"]


def test_what_is_missing_is_named(monkeypatch):
    owner = next(it for it in IPythonKernel.__mro__ if "record_ports" in vars(it))
    monkeypatch.delattr(owner, "record_ports")
    monkeypatch.delattr("jupyter_client.session.Session")

    assert compatibility.obstacles() == [
        "ipykernel.ipkernel:IPythonKernel.record_ports is missing",
        "jupyter_client.session:Session is missing",
    ]


def test_an_ipython_without_ids_of_cells_is_too_old(monkeypatch):
    monkeypatch.setattr(IPython, "version_info", (7, 34, 0, ""))
    monkeypatch.setattr(IPython, "__version__", "7.34.0")

    assert compatibility.obstacles() == ["IPython 7.34.0 is older than 8.3"]
