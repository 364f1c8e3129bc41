"""What keeps users of a system from having namespaces, read from its switches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("walls need Linux", allow_module_level=True)

from taskweaver.sandbox.probe import closed_switches, probe


def _set(root: Path, **values: str) -> str:
    for name, value in values.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{value}\n")
    return str(root)


def test_switches_that_are_open_or_unknown_to_the_system_are_not_named(tmp_path: Path) -> None:
    assert closed_switches(_set(tmp_path, user__max_user_namespaces="63000", kernel__unprivileged_userns_clone="1")) == []


def test_each_switch_that_is_closed_is_named_with_the_value_that_opens_it(tmp_path: Path) -> None:
    closed = {"user__max_user_namespaces": "0", "kernel__unprivileged_userns_clone": "0", "kernel__apparmor_restrict_unprivileged_userns": "1"}
    assert closed_switches(_set(tmp_path, **closed)) == [
        "user.max_user_namespaces=15000",
        "kernel.unprivileged_userns_clone=1",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ]


def test_a_machine_that_raises_the_strongest_wall_gives_no_reasons() -> None:
    found = probe()
    assert found["level"] in ("namespaces", "landlock", None)
    assert (found["level"] == "namespaces") == (found["reasons"] == {})
