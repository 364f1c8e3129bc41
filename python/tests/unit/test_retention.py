"""What a kernel keeps for a server that was lost: all of it up to a limit, then the latest."""

from __future__ import annotations

import pytest

from taskweaver.kernel import retention
from taskweaver.kernel.retention import Rest, Retention


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Retention:
    """Has room for three messages, and was given five."""
    monkeypatch.setattr(retention, "_MOST_BYTES", 30)
    kept = Retention()
    kept.begin("message", "execution")
    for number in range(5):
        kept.keep("message", [b"%10d" % number])
    return kept


@pytest.mark.parametrize(("skip", "is_complete"), [(0, False), (1, False), (2, True)])
def test_past_the_limit_the_oldest_goes_and_what_is_left_tells_whether_the_server_misses_it(kept: Retention, skip: int, is_complete: bool) -> None:
    rest = kept.rest("message", skip)
    assert (rest.first, rest.is_complete) == (2, is_complete)
    assert numbers(rest) == [2, 3, 4]


def test_what_the_server_has_stored_is_not_sent_again(kept: Retention) -> None:
    kept.forget("message", 4)
    rest = kept.rest("message", 4)
    assert (rest.first, rest.is_complete, numbers(rest)) == (4, True, [4])


def test_of_another_execution_nothing_is_known(kept: Retention) -> None:
    rest = kept.rest("another", 0)
    assert (rest.is_complete, numbers(rest), rest.reply) == (False, [], None)


def numbers(rest: Rest) -> list[int]:
    """Of the messages, in their order."""
    return [int(frames[0]) for frames in rest.messages]
