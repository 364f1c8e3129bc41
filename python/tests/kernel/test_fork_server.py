"""Tests of forked kernels: what they must not share with their template or with each other, and how they end."""

import json
import os
import signal
import threading

import pytest

from fork_support import ForkServer


@pytest.fixture(scope="module")
def server():
    """A template that the tests of this file share."""
    shared = ForkServer()
    try:
        yield shared
    finally:
        shared.close()


@pytest.fixture
def pair(server):
    """Two kernels of one template."""
    kernels = [server.fork(), server.fork()]
    try:
        yield kernels
    finally:
        for kernel in kernels:
            kernel.close()


@pytest.fixture
def kernel(server):
    """One kernel."""
    forked = server.fork()
    try:
        yield forked
    finally:
        forked.close()


def test_a_forked_kernel_runs_code(kernel):
    outcome = kernel.run("x = 1 + 1\nprint('text')\nx")

    assert outcome.output == 2
    assert outcome.variables == {"x": "2"}
    assert outcome.stream("stdout") == "text\n"
    assert outcome.reply["execution_count"] == 1


@pytest.mark.parametrize(
    "code",
    [
        "import random; random.random()",
        "np.random.rand()",
        "np.random.default_rng().random()",
        "import random; random.Random().random()",
        "import uuid; str(uuid.uuid4())",
        "import uuid; str(uuid.uuid1())",
        "import secrets; secrets.token_hex()",
        "import tempfile; next(tempfile._get_candidate_names())",
        "import multiprocessing; multiprocessing.current_process().authkey.hex()",
        "import os; os.getpid()",
        "get_ipython().kernel.session.session",
        "get_ipython().kernel.ident",
        "get_ipython().kernel.session.key.hex()",
        "import os; os.urandom(8).hex()",
        "import ssl; ssl.RAND_bytes(8).hex()",
    ],
)
def test_two_kernels_differ(pair, code):
    first, second = (kernel.run(code) for kernel in pair)

    assert first.reply["status"] == second.reply["status"] == "ok"
    assert first.output != second.output


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os; os.getsid(0) == os.getpgrp() == os.getpid()", True),
        ("import threading; threading.current_thread() is threading.main_thread()", True),
        ("import multiprocessing; multiprocessing.parent_process() is None", True),
        ("import signal; signal.getsignal(signal.SIGINT) is signal.default_int_handler", True),
        ("import signal; signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL", True),
        ("import signal; sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))", []),
        ("import os; os.read(0, 1) == b''", True),
        ("'IPKernelApp' in get_ipython().config", True),
        ("import sys; sys.path[0]", ""),
        ("import gc; gc.isenabled()", True),
        ("In, Out, _, __, ___", [["", "In, Out, _, __, ___"], {}, "", "", ""]),
        ("sorted(name for name in globals() if name[0] != '_' and name != 'open')", ["In", "Out", "exit", "get_ipython", "np", "pd", "plt", "quit"]),
        ("plt.get_fignums()", []),
        ("import logging; logging.getLogger().handlers", []),
        ("import sys; hasattr(sys, 'last_traceback')", False),
        ("import asyncio; len(asyncio.all_tasks())", 1),
        ("__name__", "__main__"),
        ("%pwd", None),
    ],
)
def test_a_forked_kernel_looks_like_a_new_process(kernel, code, expected):
    outcome = kernel.run(code)

    assert outcome.reply["status"] == "ok"
    assert outcome.output == (kernel.cwd if expected is None else expected)


def test_environment_and_directory_are_the_kernels_own(server):
    kernel = server.fork(env={"PATH": os.environ["PATH"], "ONLY_HERE": "yes"})
    try:
        assert kernel.run("import os; os.environ['ONLY_HERE'], 'HOME' in os.environ").output == ["yes", False]
        assert kernel.run("!echo $ONLY_HERE").stream("stdout") == "yes\n"
        assert kernel.run("os.getcwd()").output == kernel.cwd
        assert kernel.run("open('file', 'w').close(); os.listdir('.')").output == ["file"]
    finally:
        kernel.close()


def test_the_time_zone_follows_the_environment(server):
    kernel = server.fork(env={**os.environ, "TZ": "Asia/Kolkata"})
    try:
        assert kernel.run("import time; time.tzname[0], time.timezone").output == ["IST", -19800]
    finally:
        kernel.close()


def test_the_temporary_folder_follows_the_environment(server, tmp_path):
    kernel = server.fork(env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        assert kernel.run("import tempfile; tempfile.gettempdir()").output == str(tmp_path)
        other = tmp_path / "other"
        other.mkdir()
        assert kernel.bind({"cwd": kernel.cwd, "env": {"TMPDIR": str(other)}})["status"] == "ok"
        assert kernel.run("import tempfile; tempfile.gettempdir()").output == str(other)
    finally:
        kernel.close()


def test_a_kernel_holds_no_descriptor_of_template_or_neighbour(pair):
    code = """
import os
kinds = []
for name in os.listdir('/proc/self/fd'):
    try:
        kinds.append((int(name), os.readlink(f'/proc/self/fd/{name}')))
    except OSError:
        pass
kinds
"""
    inodes = [{target for _, target in kernel.run(code).output if target.startswith(("socket:", "pipe:"))} for kernel in pair]

    assert inodes[0] and inodes[1]
    assert not inodes[0] & inodes[1]


def test_a_kernel_has_few_threads(kernel):
    kernel.run("1")

    assert len(os.listdir(f"/proc/{kernel.pid}/task")) <= 4


def test_the_umask_of_a_kernel_is_that_of_the_template_whatever_its_neighbour_does(pair):
    read = "import os; mask = os.umask(0); os.umask(mask); mask"
    mask = os.umask(0)
    os.umask(mask)
    pair[0].run(f"import os; os.umask({mask ^ 0o070})")

    assert [kernel.run(read).output for kernel in pair] == [mask ^ 0o070, mask]


def test_no_library_for_graphics_processors_is_touched_before_the_fork(tmp_path):
    names = ("torch", "cupy", "jax", "tensorflow", "numba", "pycuda", "cudf", "pynvml")
    for name in names:
        (tmp_path / f"{name}.py").write_text("version = __version__ = '1000.0'\n")
    own = ForkServer(env={"PYTHONPATH": str(tmp_path)})
    kernel = own.fork()
    try:
        assert kernel.run(f"import sys; [name for name in {names} if name in sys.modules]").output == []
        assert kernel.run("import torch; torch.version").output == "1000.0"
        with open(f"/proc/{own.prepared['pid']}/maps", encoding="utf-8") as file:
            assert not [line for line in file if "cuda" in line or "nvidia" in line]
    finally:
        kernel.close()
        own.close()


def test_libraries_with_threads_work_after_the_fork(kernel):
    code = "import numpy\na = numpy.random.rand(600, 600)\nfloat(abs(numpy.linalg.inv(a) @ a - numpy.eye(600)).max()) < 1e-6"

    assert kernel.run(code).output is True


def test_processes_of_the_users_work(kernel):
    code = """
import multiprocessing
def square(number): return number * number
with multiprocessing.get_context('fork').Pool(2) as pool:
    squares = pool.map(square, range(4))
squares
"""
    assert kernel.run(code).output == [0, 1, 4, 9]


def test_figures_appear(kernel):
    outcome = kernel.run("plt.plot([1, 2]); plt.show()")

    assert len(outcome.of("display_data")) == 1


def test_exit_handlers_of_the_template_do_not_run_in_a_kernel_but_its_own_do(kernel):
    path = os.path.join(kernel.cwd, "ended")
    kernel.run(f"import atexit\natexit.register(lambda: open({path!r}, 'w').close())")
    kernel.control("shutdown_request", {"restart": False})

    assert kernel.server.exit_of(kernel.pid) == (0, None)
    assert os.path.exists(path)


@pytest.mark.parametrize(
    ("code", "exit"),
    [
        ("import os; os._exit(7)", (7, None)),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", (None, "SIGKILL")),
        ("import ctypes; ctypes.string_at(0)", (None, "SIGSEGV")),
        ("import os; os.abort()", (None, "SIGABRT")),
    ],
)
def test_the_end_of_a_kernel_is_told_with_its_cause(kernel, code, exit):
    kernel.submit(code)

    assert kernel.server.exit_of(kernel.pid) == exit


def test_a_crash_leaves_its_traceback_where_last_words_are(kernel):
    with kernel.listening_to_its_end() as said:
        kernel.submit("import ctypes; ctypes.string_at(0)")
        kernel.server.exit_of(kernel.pid)

    assert b"Segmentation fault" in said
    assert b"most recent call first" in said


def test_a_kernel_is_interrupted_by_its_group(kernel):
    request = kernel.submit("print('running')\nimport subprocess\nsubprocess.run(['sleep', '100'])")
    kernel.wait(request, until=lambda it: it.kind == "stream")
    os.killpg(kernel.pid, signal.SIGINT)

    assert kernel.wait(request).reply["ename"] == "KeyboardInterrupt"


def test_a_request_that_cannot_be_met_is_answered_by_the_end_of_the_kernel(server):
    pid = server.request_fork({"cwd": "/no/such/folder"})

    assert server.exit_of(pid) == (1, None)


@pytest.mark.parametrize("is_bound_to_nobody_first", [False, True])
def test_a_pooled_kernel_becomes_its_sessions_own(server, tmp_path, is_bound_to_nobody_first):
    kernel = server.fork()
    try:
        kernel.run("x = 1\nprint('pooled')\nimport random; random.seed(1); np.random.seed(1)\nx")
        if is_bound_to_nobody_first:
            nobody = {"cwd": str(tmp_path), "env": {}, "log_file": str(tmp_path / "pool.log")}
            assert kernel.bind(nobody) == {"status": "ok"}
        cwd = tmp_path / "session"
        cwd.mkdir()
        log = tmp_path / "log"
        content = {"cwd": str(cwd), "env": {"MINE": "yes"}, "log_file": str(log)}
        assert kernel.bind(content) == {"status": "ok"}

        code = "import os; os.getcwd(), os.environ['MINE'], In, Out, _, 'x' in globals()"
        outcome = kernel.run(code)
        assert outcome.output == [str(cwd), "yes", ["", code], {}, "", False]
        assert outcome.reply["execution_count"] == 1
        assert kernel.run("import random; random.random()").output != 0.13436424411240122
        assert kernel.run("np.random.rand() == 0.417022004702574").output is False
        assert kernel.run("%pwd").output == str(cwd)
        kernel.run("import sys; print('to the log', file=sys.__stderr__)")
        assert "to the log" in log.read_text()
    finally:
        kernel.close()


def test_a_bind_that_fails_says_why(kernel):
    reply = kernel.bind({"cwd": "/no/such/folder", "env": {}})

    assert reply["status"] == "error"
    assert "/no/such/folder" in reply["evalue"]


def test_kernels_outlive_their_template():
    own = ForkServer()
    kernel = own.fork()
    try:
        kernel.run("kept = 42")
        own.kill()
        assert kernel.run("kept").output == 42
    finally:
        kernel.close()
        own.close()


def test_a_template_ends_when_its_socket_does_and_its_kernels_live_on():
    own = ForkServer()
    kernel = own.fork()
    try:
        kernel.run("kept = 42")
        own.close()
        assert own.process.returncode == 0
        assert kernel.run("kept").output == 42
    finally:
        kernel.close()


def test_many_forks_at_once_are_all_served(server):
    kernels = []
    errors = []

    def fork():
        try:
            kernels.append(server.fork())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=fork) for _ in range(6)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert len({kernel.pid for kernel in kernels}) == 6
        assert [kernel.run("2 * 3").output for kernel in kernels] == [6] * 6
    finally:
        for kernel in kernels:
            kernel.close()


def test_modules_can_be_preloaded(tmp_path):
    (tmp_path / "heavy_module.py").write_text("value = 'preloaded'\n")
    own = ForkServer("--preload", "heavy_module", "--preload", "no_such_module", env={"PYTHONPATH": str(tmp_path)})
    kernel = own.fork()
    try:
        assert kernel.run("import sys; 'heavy_module' in sys.modules").output is True
        assert "not preloaded: no_such_module" in own.log
    finally:
        kernel.close()
        own.close()


def test_an_unbound_line_of_json_does_not_end_the_template(server):
    server.send_line(json.dumps({"unknown": 1}))
    kernel = server.fork()
    try:
        assert kernel.run("1").output == 1
    finally:
        kernel.close()


def test_an_idle_template_uses_no_processor_time(server):
    def ticks():
        with open(f"/proc/{server.prepared['pid']}/stat", encoding="utf-8") as file:
            return sum(map(int, file.read().rsplit(") ")[1].split()[11:13]))

    before = ticks()
    signal.sigtimedwait([], 0.5)
    assert ticks() - before <= 1


def test_a_template_has_neither_thread_nor_socket_of_its_rehearsals(server):
    pid = server.prepared["pid"]
    targets = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    threads = [open(f"/proc/{pid}/task/{thread}/comm").read() for thread in os.listdir(f"/proc/{pid}/task")]

    assert len([target for target in targets if target.startswith("socket:")]) == 1
    assert len([target for target in targets if target.startswith("pipe:")]) == 2
    assert not [name for name in threads if name.startswith("ZMQ")]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import asyncio\nasync def f(): pass\nasyncio.ensure_future(f()).get_name()", "Task-1"),
        ("import sys; sys.stdout is get_ipython().kernel.streams['stdout']", True),
        ("import threading; [it.name for it in threading.enumerate() if it.name == 'Rehearsal']", []),
        ("len(get_ipython().kernel.session.digest_history) < 10", True),
        ("get_ipython().kernel.iopub_socket._subscriptions", 1),
    ],
)
def test_a_kernel_knows_nothing_of_the_rehearsals(kernel, code, expected):
    outcome = kernel.run(code)

    assert outcome.reply["status"] == "ok"
    assert outcome.output == expected
