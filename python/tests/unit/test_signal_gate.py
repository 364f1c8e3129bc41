"""Tests of when signal handlers run."""

import signal

import pytest

from taskweaver.kernel.signal_gate import SignalGate
from taskweaver.kernel import signal_gate


@pytest.fixture
def gate(monkeypatch):
    """An installed gate that the process is rid of afterwards."""
    own = SignalGate()
    monkeypatch.setattr(signal_gate, "gate", own)
    monkeypatch.setattr(signal, "signal", signal.signal)
    monkeypatch.setattr(signal, "getsignal", signal.getsignal)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)}
    raw = signal.signal
    own.install()
    try:
        yield own
    finally:
        for number, handler in handlers.items():
            raw(number, handler)


def send(number):
    signal.raise_signal(number)


def test_a_handler_runs_at_once_in_the_users_code(gate):
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))

    gate.run_user_code(send, signal.SIGUSR1)

    assert seen == [signal.SIGUSR1]


def test_a_handler_waits_while_the_kernel_works_for_itself(gate):
    def fail(number, frame):
        raise TimeoutError

    def work():
        gate.close()
        try:
            send(signal.SIGUSR1)
            done.append(True)
        finally:
            gate.reopen()

    done = []
    signal.signal(signal.SIGUSR1, fail)
    with pytest.raises(TimeoutError):
        gate.run_user_code(work)
    assert done == [True]
    assert gate.depth == 1


def test_users_see_the_handlers_they_installed(gate):
    handler = lambda number, frame: None

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGUSR1, handler)
    assert signal.getsignal(signal.SIGUSR1) is handler
    assert signal.signal(signal.SIGUSR1, signal.SIG_DFL) is handler
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_an_interrupt_while_idle_is_forgotten(gate):
    send(signal.SIGINT)

    gate.run_user_code(lambda: None)


def test_an_interrupt_just_before_the_users_code_interrupts_it(gate):
    gate.accepts_interrupts = True
    send(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        gate.run_user_code(lambda: None)


def test_an_interrupt_after_the_users_code_is_forgotten(gate):
    gate.accepts_interrupts = True
    gate.run_user_code(lambda: None)
    send(signal.SIGINT)
    gate.forget_interrupts()

    gate.run_user_code(lambda: None)


def test_the_gate_is_closed_again_whatever_the_users_code_raises(gate):
    with pytest.raises(SystemExit):
        gate.run_user_code(exit)
    assert gate.depth == 1


def test_an_error_of_a_handler_in_the_idle_loop_stays_there(gate, capsys):
    def fail(number, frame):
        raise ValueError("from the handler")

    signal.signal(signal.SIGUSR1, fail)
    send(signal.SIGUSR1)
    gate.run_waiting_in_loop()

    assert "from the handler" in capsys.readouterr().err
