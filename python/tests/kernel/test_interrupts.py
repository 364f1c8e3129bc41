"""Tests of interrupting."""

import os
import signal
import sys
import time

import pytest


def interrupted(kernel, code, how=None):
    """Runs code, interrupts it when it says so, and gives the outcome and the seconds from interrupt to end."""
    request = kernel.submit("print('running')\n" + code)
    begun = kernel.wait(request, until=lambda it: it.kind == "stream")
    started = time.monotonic()
    (how or kernel.interrupt)()
    outcome = kernel.wait(request)
    seconds = time.monotonic() - started
    outcome.messages[:0] = begun.messages
    return outcome, seconds


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(100)",
        "import asyncio; await asyncio.sleep(100)",
        "import asyncio; await asyncio.sleep(0)\nwhile True: pass",
        "import asyncio; await asyncio.gather(asyncio.sleep(100), asyncio.sleep(100))",
        "while True: print('x' * 100)",
        "import sys\nwhile True: print('.', end=''); sys.stdout.flush()",
        "import threading; threading.Event().wait()",
        "import subprocess; subprocess.run(['sleep', '100'])",
        "import asyncio\nasync def spin():\n    while True: pass\nawait asyncio.create_task(spin())",
        "from IPython.display import display\nwhile True: display('x')",
    ],
)
def test_an_interrupt_ends_code_with_keyboard_interrupt(kernel, code):
    outcome, seconds = interrupted(kernel, code)

    assert outcome.reply["status"] == "error"
    assert outcome.reply["ename"] == "KeyboardInterrupt"
    assert seconds < 2
    assert kernel.run("'still here'").output == "still here"


def test_the_control_channel_interrupts_too(kernel):
    outcome, _ = interrupted(
        kernel, "while True: pass", how=lambda: kernel.control("interrupt_request", {})
    )

    assert outcome.reply["ename"] == "KeyboardInterrupt"


def test_an_interrupt_while_idle_does_nothing(kernel):
    for _ in range(20):
        os.kill(kernel.pid, signal.SIGINT)
    assert kernel.run("'unharmed'").output == "unharmed"


def test_output_before_an_interrupt_is_complete(kernel):
    outcome, _ = interrupted(kernel, "i = 0\nwhile True:\n    print(i)\n    i += 1")
    lines = outcome.stream("stdout").splitlines()[1:]
    if not outcome.stream("stdout").endswith("\n"):
        lines.pop()

    assert lines == [str(i) for i in range(len(lines))]
    assert kernel.run("i").output - len(lines) in (-1, 0, 1)


def test_code_can_catch_an_interrupt_and_go_on(kernel):
    outcome, _ = interrupted(kernel, "import time\ntry:\n    time.sleep(100)\nexcept KeyboardInterrupt:\n    caught = 'caught'\ncaught")

    assert outcome.reply["status"] == "ok"
    assert outcome.output == "caught"


def test_interrupts_all_the_time_lose_no_reply(kernel):
    for number in range(60):
        request = kernel.submit("{}")
        for _ in range(3):
            os.kill(kernel.pid, signal.SIGINT)
        outcome = kernel.wait(request)
        assert outcome.reply["status"] in ("ok", "error")
        assert "taskweaver" in outcome.metadata
    assert kernel.run("'still here'").output == "still here"


def test_a_timeout_by_alarm_interrupts_printing_without_harm(kernel):
    code = """
import signal, sys
def late(*_): raise TimeoutError('late')
signal.signal(signal.SIGALRM, late)
count = 0
for _ in range(100):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        while True:
            sys.stdout.write(f'{count}\\n')
            count += 1
    except TimeoutError:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
"""
    outcome = kernel.run(code)

    assert outcome.reply["status"] == "ok"
    numbers = [int(line) for line in outcome.stream("stdout").split()]
    assert all(0 <= b - a <= 1 for a, b in zip(numbers, numbers[1:]))


@pytest.mark.skipif(
    sys.version_info < (3, 11),
    reason="Python 3.10 looks for signals in more places, so code that does nothing but collect garbage can outrun them",
)
def test_an_exception_of_a_handler_is_not_lost_while_garbage_is_collected(kernel):
    code = """
import gc, signal, time, weakref
class Node: pass
gone = []
def late(*_): raise TimeoutError('late')
signal.signal(signal.SIGALRM, late)
caught = 0
for _ in range(20):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        while True:
            nodes = [Node() for _ in range(1000)]
            references = [weakref.ref(node, lambda _: time.monotonic()) for node in nodes]
            for node in nodes: node.own = node
            del nodes, node
            gc.collect()
    except TimeoutError:
        caught += 1
caught
"""
    assert kernel.run(code).output == 20


def test_a_handler_of_the_user_outlives_its_cell_but_not_for_sigint(kernel):
    kernel.run("import signal, os\nseen = []\nsignal.signal(signal.SIGUSR1, lambda *_: seen.append('usr1'))\nsignal.signal(signal.SIGINT, signal.SIG_IGN)")
    os.kill(kernel.pid, signal.SIGUSR1)
    assert kernel.run("seen").output == ["usr1"]
    outcome, _ = interrupted(kernel, "while True: pass")
    assert outcome.reply["ename"] == "KeyboardInterrupt"
