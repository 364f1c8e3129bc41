"""Tests of the Jupyter protocol around executions."""

import os
import signal
import time

import pytest
import zmq
from jupyter_client import BlockingKernelClient

from support import Kernel


def test_kernel_info_names_the_protocol(kernel):
    reply = kernel.request("kernel_info_request", {}).reply

    assert reply["taskweaver_protocol"] == 1
    assert reply["language_info"]["name"] == "python"


def test_the_control_channel_answers_while_code_runs(kernel):
    request = kernel.submit("print('running')\nimport time\ntime.sleep(0.5)")
    kernel.wait(request, until=lambda it: it.kind == "stream")
    started = time.monotonic()

    assert kernel.control("kernel_info_request", {})["status"] == "ok"
    assert time.monotonic() - started < 0.4
    kernel.wait(request)


def test_a_heartbeat_is_echoed(kernel):
    info = kernel.manager.get_connection_info()
    socket = kernel.manager.context.socket(zmq.REQ)
    try:
        socket.connect(f"ipc://{info['ip']}-{info['hb_port']}")
        for beat in (b"one", b"two"):
            socket.send(beat)
            assert socket.poll(10_000)
            assert socket.recv() == beat
    finally:
        socket.close(linger=0)


def test_an_unknown_message_is_ignored(kernel):
    message = kernel.client.session.msg("no_such_request", {})
    kernel.client.shell_channel.send(message)

    assert kernel.run("1").output == 1


def test_input_is_asked_for(kernel):
    request = kernel.submit("input('name? ')", allow_stdin=True)
    asked = kernel.client.get_stdin_msg(timeout=10)
    assert asked["content"] == {"prompt": "name? ", "password": False}
    kernel.client.input("Ada")

    assert kernel.wait(request).output == "Ada"


def test_a_password_is_asked_for(kernel):
    request = kernel.submit("import getpass; getpass.getpass('word? ')", allow_stdin=True)
    asked = kernel.client.get_stdin_msg(timeout=10)
    assert asked["content"] == {"prompt": "word? ", "password": True}
    kernel.client.input("x")

    assert kernel.wait(request).output == "x"


def test_input_without_leave_fails_at_once(kernel):
    assert kernel.run("input()").reply["ename"] == "StdinNotImplementedError"


def test_waiting_for_input_can_be_interrupted(kernel):
    request = kernel.submit("input('name? ')", allow_stdin=True)
    kernel.client.get_stdin_msg(timeout=10)
    kernel.interrupt()

    assert kernel.wait(request).reply["ename"] == "KeyboardInterrupt"


def test_comms_are_served_even_while_a_cell_awaits(kernel):
    code = """
import asyncio
import warnings
from ipykernel.comm import Comm
future = asyncio.get_running_loop().create_future()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    comm = Comm(target_name="test")
comm.on_msg(lambda message: future.set_result(message["content"]["data"]))
print(comm.comm_id)
await future
"""
    request = kernel.submit(code)
    identifier = kernel.wait(request, until=lambda it: it.kind == "stream").stream("stdout").strip()
    kernel.send("comm_msg", {"comm_id": identifier, "data": {"answer": 42}})

    assert kernel.wait(request).output == {"answer": 42}


def test_a_second_client_sees_everything_after_its_welcome(kernel):
    client = BlockingKernelClient()
    client.load_connection_info(kernel.manager.get_connection_info())
    client.start_channels()
    try:
        assert client.get_iopub_msg(timeout=10)["msg_type"] == "iopub_welcome"
        kernel.run("print('seen')")
        kinds = [client.get_iopub_msg(timeout=10)["msg_type"] for _ in range(4)]
    finally:
        client.stop_channels()

    assert kinds == ["status", "execute_input", "stream", "status"]


def test_a_client_that_reads_late_misses_nothing(fresh_kernel):
    client = BlockingKernelClient()
    client.load_connection_info(fresh_kernel.manager.get_connection_info())
    client.start_channels()
    try:
        assert client.get_iopub_msg(timeout=10)["msg_type"] == "iopub_welcome"
        fresh_kernel.run("from IPython.display import display\nfor i in range(5000): display(i)")
        shown = []
        while len(shown) < 5000:
            message = client.get_iopub_msg(timeout=10)
            if message["msg_type"] == "display_data":
                shown.append(message["content"]["data"]["text/plain"])
    finally:
        client.stop_channels()

    assert shown == [str(i) for i in range(5000)]


def test_sockets_are_for_their_user_only(kernel):
    folder = os.path.dirname(kernel.manager.ip)
    modes = [os.stat(os.path.join(folder, name)).st_mode & 0o077 for name in os.listdir(folder) if name.startswith("k-")]

    assert len(modes) > 5
    assert set(modes) == {0}


def test_a_shutdown_is_answered_and_runs_exit_handlers(fresh_kernel):
    path = os.path.join(fresh_kernel.cwd, "ended")
    fresh_kernel.run(f"import atexit\natexit.register(lambda: open({path!r}, 'w').close())")
    assert fresh_kernel.control("shutdown_request", {"restart": False}) == {"status": "ok", "restart": False}
    fresh_kernel.manager.provisioner.process.wait(10)

    assert fresh_kernel.manager.provisioner.process.returncode == 0
    assert os.path.exists(path)


def test_a_shutdown_ends_a_kernel_that_is_busy(fresh_kernel):
    request = fresh_kernel.submit("print('running')\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass")
    fresh_kernel.wait(request, until=lambda it: it.kind == "stream")
    fresh_kernel.control("shutdown_request", {"restart": False})
    fresh_kernel.manager.provisioner.process.wait(10)

    assert fresh_kernel.manager.provisioner.process.returncode == 0


def test_an_idle_kernel_uses_no_processor_time(kernel):
    kernel.run("1")
    ticks = lambda: sum(map(int, open(f"/proc/{kernel.pid}/stat").read().rsplit(") ")[1].split()[11:13]))
    before = ticks()
    signal.sigtimedwait([], 1.0)

    assert ticks() - before <= 1


@pytest.mark.parametrize("reason", ["the user's wish", "an ipykernel that lacks what this kernel builds on"])
def test_the_kernel_works_on_ipykernels_own_sockets(reason, tmp_path):
    if reason == "the user's wish":
        environment = {"TASKWEAVER_STOCK_KERNEL": "1"}
    else:
        code = "from ipykernel.kernelbase import Kernel\ndel Kernel._no_raw_input\n"
        (tmp_path / "sitecustomize.py").write_text(code)
        environment = {"PYTHONPATH": str(tmp_path)}
    stock = Kernel(env=environment)
    try:
        assert stock.run("type(get_ipython().kernel).__name__").output == "StockKernel"
        outcome = stock.run("x = [1, 2]\nprint('text')\nx")
        assert outcome.output == [1, 2]
        assert outcome.variables == {"x": "[1, 2]"}
        assert outcome.stream("stdout") == "text\n"
        code = "from taskweaver.plugin import register_plugin\n@register_plugin\ndef f(): return 5"
        reply = stock.request("taskweaver_load_plugin_request", {"name": "f", "code": code, "session": {}}).reply
        assert reply == {"status": "ok"}
        assert stock.run("f()").output == 5
        assert stock.request("kernel_info_request", {}).reply["taskweaver_protocol"] == 1
        if reason == "the user's wish":
            _expect_nothing_dropped(stock)
    finally:
        stock.close()


def _expect_nothing_dropped(stock):
    request = stock.submit("for i in range(4000): display(i)")
    # Nothing is taken from iopub before all has been sent.
    assert stock.client.get_shell_msg(timeout=60)["content"]["status"] == "ok"
    shown = 0
    is_idle = lambda it: it.kind == "status" and it.content["execution_state"] == "idle"
    while not is_idle(message := stock.next_message(lambda it: it.parent_id == request)):
        shown += message.kind == "display_data"
    assert shown == 4000
