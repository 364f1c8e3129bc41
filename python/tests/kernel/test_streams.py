"""Tests of stdout and stderr: exact, in order, at once, and with the execution that wrote."""

import time

import pytest


def test_300_000_lines_arrive_complete_and_in_order(kernel):
    outcome = kernel.run("for i in range(300_000): print(i)")

    assert outcome.stream("stdout") == "".join(f"{i}\n" for i in range(300_000))
    assert len(outcome.of("stream")) < 2000


def test_the_first_line_is_there_while_the_code_runs(kernel):
    request = kernel.submit("print('first')\nimport time\ntime.sleep(0.5)")
    started = time.monotonic()
    kernel.wait(request, until=lambda it: it.kind == "stream")

    assert time.monotonic() - started < 0.4
    kernel.wait(request)


def test_a_line_before_a_call_that_holds_the_interpreter_is_there_at_once(kernel):
    request = kernel.submit("print('first')\nsum(range(30_000_000));")
    outcome = kernel.wait(request, until=lambda it: it.kind == "stream")

    assert outcome.stream("stdout") == "first\n"
    kernel.wait(request)


def test_a_line_without_end_is_there_while_the_code_runs(kernel):
    request = kernel.submit("print('half', end='')\nimport time\ntime.sleep(0.5)")
    started = time.monotonic()
    kernel.wait(request, until=lambda it: it.kind == "stream")

    assert time.monotonic() - started < 0.4
    kernel.wait(request)


def test_both_streams_keep_their_order(kernel):
    outcome = kernel.run("import sys\nfor i in range(50):\n    print(i)\n    print(i, file=sys.stderr)")

    pieces = [(it.content["name"], it.content["text"]) for it in outcome.of("stream")]
    assert pieces == [(name, f"{i}\n") for i in range(50) for name in ("stdout", "stderr")]


def test_a_child_processes_output_is_there_before_the_execution_ends(kernel):
    outcome = kernel.run("import subprocess\nprint('before')\nsubprocess.run('echo child; echo error >&2', shell=True)\nprint('after')")

    assert outcome.stream("stdout") == "before\nchild\nafter\n"
    assert outcome.stream("stderr") == "error\n"


def test_what_is_written_to_the_file_descriptor_is_output(kernel):
    outcome = kernel.run("import os\nos.write(1, b'raw\\n')\nos.system('echo system')\nimport sys\nprint('dunder', file=sys.__stdout__, flush=True)")

    assert outcome.stream("stdout") == "raw\nsystem\ndunder\n"


def test_a_shell_command_is_output(kernel):
    assert kernel.run("!echo hello").stream("stdout") == "hello\n"


def test_a_child_that_writes_later_writes_for_the_execution_that_started_it(kernel):
    code = "import subprocess\nchild = subprocess.Popen('read line; echo late; echo err >&2', shell=True, stdin=subprocess.PIPE)\nNone"
    started = kernel.run(code)
    later = kernel.submit("child.communicate(b'go\\n')\nprint('mine')")
    late = {}
    outcome = kernel.wait(later)
    for message in outcome.others:
        if message.kind == "stream":
            late[message.content["name"]] = (message.parent_id, message.content["text"])
    while len(late) < 2:
        message = kernel.next_message(lambda it: it.kind == "stream")
        late[message.content["name"]] = (message.parent_id, message.content["text"])

    assert late == {"stdout": (started.request_id, "late\n"), "stderr": (started.request_id, "err\n")}
    assert outcome.stream("stdout") == "mine\n"


def test_a_thread_that_writes_later_writes_for_the_execution_that_started_it(kernel):
    code = "import threading\ngo = threading.Event()\nthread = threading.Thread(target=lambda: (go.wait(), print('late')))\nthread.start()"
    started = kernel.run(code)
    outcome = kernel.run("go.set(); thread.join(); print('mine')")

    assert outcome.stream("stdout") == "mine\n"
    assert [(it.parent_id, it.content["text"]) for it in outcome.others if it.kind == "stream"] == [
        (started.request_id, "late\n")
    ]


def test_a_job_of_a_pool_writes_for_the_execution_that_submitted_it(kernel):
    kernel.run("from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\npool.submit(print, 'first').result()")
    outcome = kernel.run("pool.submit(print, 'second').result()")

    assert outcome.stream("stdout") == "second\n"


def test_a_display_in_a_thread_belongs_to_the_execution_that_started_it(kernel):
    started = kernel.run("import threading\nfrom IPython.display import display\ngo = threading.Event()\nthread = threading.Thread(target=lambda: (go.wait(), display('late')))\nthread.start()")
    outcome = kernel.run("go.set(); thread.join()")

    assert [it.parent_id for it in outcome.others if it.kind == "display_data"] == [started.request_id]


def test_forked_processes_write_whole_lines(kernel):
    code = """
import multiprocessing
def work(number):
    print('line', number)
    return number
with multiprocessing.get_context('fork').Pool(2) as pool:
    pool.map(work, range(40))
"""
    outcome = kernel.run(code)

    assert sorted(outcome.stream("stdout").splitlines()) == sorted(f"line {i}" for i in range(40))


def test_a_fork_that_leaves_its_cell_ends_alone(kernel):
    outcome = kernel.run("import os\npid = os.fork()\nprint('child' if pid == 0 else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))")

    assert sorted(outcome.stream("stdout").split()) == ["0", "child"]
    assert kernel.run("'still here'").output == "still here"


def test_characters_are_never_split(kernel):
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', \"import sys; sys.stdout.buffer.write(('€😀' * 100_000).encode())\"])\nNone"
    outcome = kernel.run(code)

    assert outcome.stream("stdout") == "€😀" * 100_000


def test_bytes_that_are_no_text_are_replaced(kernel):
    assert kernel.run("import os\nos.write(1, b'a\\xffb\\n')").stream("stdout") == "a\ufffdb\n"


def test_lone_surrogates_are_written_out(kernel):
    assert kernel.run("print('a\\ud800b\\udcffc')").stream("stdout") == "a\\ud800b\\udcffc\n"


def test_a_child_with_much_output_loses_nothing(kernel):
    outcome = kernel.run("import subprocess\nsubprocess.run('seq 1 200000', shell=True)\nNone")

    assert outcome.stream("stdout") == "".join(f"{i}\n" for i in range(1, 200_001))


def test_pipes_are_released(kernel):
    count = "len(__import__('os').listdir('/proc/self/fd'))"
    kernel.run(count)
    before = kernel.run(count).output
    for _ in range(20):
        kernel.run("import subprocess; subprocess.run('true')")

    assert kernel.run(count).output == before


@pytest.mark.parametrize("call", ["sys.stdout.isatty()", "sys.stderr.readable()", "sys.stdout.closed"])
def test_streams_are_no_terminals_and_stay_open(kernel, call):
    assert kernel.run(f"import sys\nsys.stdout.close()\n{call}").output is False


def test_a_flood_waits_until_it_is_stored_and_can_be_interrupted_meanwhile(kernel):
    received = 0

    def is_enough(message):
        nonlocal received
        received += len(message.content.get("text", ""))
        return received > 16 * 1024 * 1024

    request = kernel.submit("for reached in range(400): print('x' * 1_000_000)")
    kernel.wait(request, until=is_enough)
    started = time.monotonic()
    kernel.interrupt()
    outcome = kernel.wait(request)

    assert outcome.reply["ename"] == "KeyboardInterrupt"
    assert time.monotonic() - started < 5
    assert kernel.run("reached").output < 30


def test_a_flood_of_a_child_waits_too_and_both_go_on_when_it_is_stored(kernel):
    request = kernel.submit("import subprocess; subprocess.run('yes | head -c 60000000', shell=True); print('x' * 40_000_000)")
    received = count = 0

    def store(message):
        nonlocal received, count
        count += 1
        received += len(message.content.get("text", ""))
        if count % 50 == 0:
            kernel.control("taskweaver_stored_request", {"message_id": request, "count": count})
        return False

    outcome = kernel.wait(request, until=store)

    assert outcome.reply["status"] == "ok"
    assert received == 100_000_001
