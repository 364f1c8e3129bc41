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


def test_a_server_that_has_missed_messages_is_told_how_many_came_before_what_is_left() -> None:
    retention = Retention()
    retention.begin("r1", "e1")
    for _ in range(100):
        retention.keep("r1", [bytes(1024 * 1024)])
    kept = retention.bytes // 1024 // 1024

    rest = retention.rest("r1", 10)
    assert (rest.first, rest.is_complete, len(rest.messages)) == (100 - kept, False, kept)
    retention.forget("r1", 100)
    assert retention.bytes == 0
    retention.keep("r1", [b"next"])
    assert retention.rest("r1", 100)[:3] == (100, True, [[b"next"]])
    assert retention.rest("another's", 7)[:3] == (7, False, [])


def test_a_question_is_known_while_its_execution_waits_for_the_answer_and_counted() -> None:
    retention = Retention()
    retention.begin("r1", "e1")
    with retention.asking("r1", "name?", False):
        pass
    with retention.asking("r1", "age?", True):
        assert retention.question == {"prompt": "age?", "password": True, "number": 2}
    assert retention.question is None
    with retention.asking("another's", "name?", False):
        assert retention.question is None


def numbers(rest: Rest) -> list[int]:
    """Of the messages, in their order."""
    return [int(frames[0]) for frames in rest.messages]
