"""Tests of code that damages what the kernel works with."""

import pytest


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("raise SystemExit", "SystemExit"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("exit()", "SystemExit"),
        ("quit(1)", "SystemExit"),
        ("class Bad(Exception):\n    def __str__(self): raise ValueError\nraise Bad()", "Bad"),
        ("class Worse(BaseException):\n    def __str__(self): raise SystemExit\nraise Worse()", None),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise ExceptionGroup('g', [ValueError(1)])" if hasattr(__builtins__, "ExceptionGroup") else "1/0", None),
        ("class R:\n    def __repr__(self): raise ValueError('no repr')\nR()", None),
    ],
)
def test_code_that_fails_oddly_is_an_error_and_the_kernel_goes_on(kernel, code, name):
    outcome = kernel.run(code)

    assert outcome.reply["status"] == "error"
    assert name is None or outcome.reply["ename"] == name
    assert kernel.run("1 + 1").output == 2


@pytest.mark.parametrize(
    "code",
    [
        "del pd, np, plt",
        "%reset -f",
        "del In, Out",
        "In = Out = 3",
        "print = len = repr = str = None",
        "import builtins; builtins.print = None",
        "import sys, io; sys.stdout = sys.stderr = io.StringIO()",
        "import sys; sys.stdout = None; sys.stderr = 3",
        "import sys; del sys.stdout",
        "import os; os.close(0); os.close(1); os.close(2)",
        "import sys; sys.displayhook = None; sys.excepthook = None",
        "import sys; sys.setrecursionlimit(150)",
        "class M(type):\n    def __getattribute__(self, name): raise SystemExit\nclass X(metaclass=M): pass\nx = X()",
        "class D(dict):\n    def items(self): raise SystemExit\nd = D(a=1)",
        "import gc; gc.disable()",
        "import warnings; warnings.simplefilter('error')",
        "import locale, threading, json; json.dumps = None",
        "globals()[5] = 6; globals()['odd name\\ud800'] = 7",
        "import asyncio; asyncio.get_event_loop().stop()",
        "import signal; signal.signal(signal.SIGALRM, signal.SIG_IGN)",
        "import os, tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
        "import logging; logging.disable(); logging.shutdown()",
        "__name__ = 5; __builtins__ = {}",
        "get_ipython().user_ns.clear()",
        "import threading; threading.current_thread = None",
        "import codecs; codecs.lookup_error = None",
    ],
)
def test_damage_does_not_reach_the_bookkeeping(fresh_kernel, code):
    first = fresh_kernel.run(code)
    assert first.reply["status"] in ("ok", "error")
    assert "taskweaver" in first.metadata

    second = fresh_kernel.run("value = 1 + 1")
    assert second.reply["status"] == "ok"
    assert second.metadata["taskweaver"]["output"] == "2"
    assert second.variables["value"] == "2"


def test_after_a_reset_the_preloaded_names_are_back(kernel):
    kernel.run("mine = 1\npd = 2")
    outcome = kernel.run("%reset -f")

    assert "mine" not in outcome.variables
    assert kernel.run("pd.__name__").output == "pandas"


def test_a_broken_stdout_does_not_hide_the_value(kernel):
    outcome = kernel.run("import sys, io\nkept = sys.stdout\nsys.stdout = io.StringIO()\nprint('hidden')\n5")
    kernel.run("sys.stdout = kept")

    assert outcome.output == 5
    assert outcome.stream("stdout") == ""
    assert kernel.run("print('back')").stream("stdout") == "back\n"


def test_a_repr_that_prints_does_so_before_the_reply(kernel):
    outcome = kernel.run("class Loud:\n    def __repr__(self):\n        print('from repr')\n        return 'loud'\nloud = Loud()\nNone")

    assert outcome.variables["loud"] == "loud"
    assert outcome.stream("stdout") == "from repr\n"
    kernel.run("del loud")


def test_ten_thousand_variables_are_listed_and_no_more(kernel):
    outcome = kernel.run("globals().update({f'v{i}': i for i in range(12_000)})")

    assert len(outcome.metadata["taskweaver"]["variables"]) == 10_000
    kernel.run("%reset -f")
