"""Tests of the time limit on calls into the user's objects."""

import signal
import time

import pytest

from taskweaver.kernel.signal_gate import gate
from taskweaver.kernel.time_limit import TimeLimit, TooLate


def test_a_call_in_time_gives_its_value():
    limit = TimeLimit(0.05, 0.2)
    try:
        assert limit.call(repr, 3) == "3"
    finally:
        limit.close()


def test_a_late_call_raises():
    limit = TimeLimit(0.02, 0.2)
    try:
        with pytest.raises(TooLate):
            limit.call(time.sleep, 30)
    finally:
        limit.close()


def test_the_users_alarm_and_its_handler_survive():
    seen = []
    handler = lambda *_: seen.append(1)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        limit = TimeLimit(0.01, 0.2)
        with pytest.raises(TooLate):
            limit.call(time.sleep, 30)
        limit.close()
        assert signal.getsignal(signal.SIGALRM) is handler
        remaining, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < remaining <= 0.05
        signal.sigtimedwait([], 0.5)
        assert seen == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_alarm_that_ran_out_meanwhile_fires_afterwards():
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        limit = TimeLimit(0.03, 0.2)
        with pytest.raises(TooLate):
            limit.call(time.sleep, 30)
        assert seen == []
        limit.close()
        signal.sigtimedwait([], 0.5)
        assert seen == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_nothing_is_raised_in_the_kernels_own_work():
    def work(_):
        gate.close()
        try:
            deadline = time.monotonic() + 0.05
            while time.monotonic() < deadline:
                pass
            done.append(True)
        finally:
            gate.reopen()

    done = []
    limit = TimeLimit(0.01, 0.2)
    try:
        with pytest.raises(TooLate):
            limit.call(lambda it: (work(it), time.sleep(30)), None)
        assert done == [True]
    finally:
        limit.close()
