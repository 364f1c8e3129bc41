"""Tests of what an execution may have under way."""

import threading

import pytest

from taskweaver.kernel.room import MOST_BYTES, Room
from taskweaver.kernel.signal_gate import gate


@pytest.fixture
def user_code():
    """The test is the user's code."""
    depth, gate.depth = gate.depth, 0
    yield
    gate.depth = depth


def waiter(room):
    thread = threading.Thread(target=room.wait, daemon=True)
    thread.start()
    return thread


def test_who_writes_too_much_waits_until_some_of_it_is_stored():
    room = Room()
    room.note(MOST_BYTES + 1, has_reader=True)
    thread = waiter(room)
    assert thread.is_alive() and room.must_wait()
    room.note_stored()
    room.note(MOST_BYTES, has_reader=True)
    thread.join(10)

    assert not thread.is_alive()


def test_nobody_waits_where_nobody_reads():
    room = Room()
    room.note(10 * MOST_BYTES, has_reader=False)

    assert not room.must_wait()


def test_a_reader_that_stores_nothing_is_waited_for_once_and_counts_again_when_it_does(user_code):
    room = Room(patience_seconds=0.01)
    room.note(MOST_BYTES + 1, has_reader=True)
    room.wait()
    room.note(MOST_BYTES + 2, has_reader=True)
    assert not room.is_short
    room.note_stored()
    room.note(MOST_BYTES + 2, has_reader=True)

    assert room.is_short


def test_the_kernels_own_work_does_not_wait():
    room = Room()
    room.note(MOST_BYTES + 1, has_reader=True)
    depth, gate.depth = gate.depth, 1
    try:
        room.wait()
    finally:
        gate.depth = depth

    assert room.is_short
