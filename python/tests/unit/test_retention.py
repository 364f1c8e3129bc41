"""What a kernel keeps for a server that was lost: all of it up to a limit, then the latest."""

from __future__ import annotations

import pytest

from taskweaver.kernel import retention
from taskweaver.kernel.retention import Retention


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
def test_past_the_limit_the_oldest_goes_and_a_replay_tells_whether_the_server_misses_it(kept: Retention, skip: int, is_complete: bool) -> None:
    sent: list[int] = []
    assert kept.replay("message", skip, lambda frames: sent.append(int(frames[0]))) is is_complete
    assert sent == [2, 3, 4]


def test_what_the_server_has_stored_is_not_sent_again(kept: Retention) -> None:
    kept.forget("message", 4)
    sent: list[int] = []
    assert kept.replay("message", 4, lambda frames: sent.append(int(frames[0])))
    assert sent == [4]


def test_of_another_execution_nothing_is_known(kept: Retention) -> None:
    assert not kept.replay("another", 0, lambda frames: pytest.fail("it was sent"))
