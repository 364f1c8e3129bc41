"""Tests of the streams, with a session that only collects."""

import gc
import threading

import pytest

from taskweaver.kernel import output as output_module
from taskweaver.kernel.output import Output, OutputStream
from taskweaver.kernel.requests import Request, begin_request
from taskweaver.kernel.waiting_text import WaitingText


class Collector:
    """Stands for the session."""

    def __init__(self):
        self.sent = []

    def send(self, socket, kind, content, parent=None, ident=None):
        self.sent.append((parent.get("msg_id"), content["name"], content["text"]))

    def text(self, name="stdout"):
        return "".join(text for _, stream, text in self.sent if stream == name)


@pytest.fixture
def session():
    return Collector()


@pytest.fixture
def output(session):
    begin_request(Request({"header": {"msg_id": "r1"}}))
    return Output(session, None, WaitingText())


@pytest.fixture
def stdout(output):
    return OutputStream(output, "stdout", 1)


@pytest.fixture
def stderr(output):
    return OutputStream(output, "stderr", 2)


def test_a_line_after_silence_goes_at_once(session, stdout):
    stdout.write("a line\n")

    assert session.sent == [("r1", "stdout", "a line\n")]


def test_a_beginning_of_a_line_waits_for_a_tick(session, output, stdout):
    stdout.write("half")

    assert session.sent == []
    assert output.is_armed
    output.tick()
    assert session.text() == "half"


def test_what_follows_closely_is_gathered(session, output, stdout):
    for number in range(1000):
        stdout.write(f"{number}\n")
    stdout.flush()

    assert session.text() == "".join(f"{number}\n" for number in range(1000))
    assert len(session.sent) < 20


def test_both_streams_keep_their_order(session, stdout, stderr):
    stdout.write("a")
    stderr.write("b")
    stdout.write("c\n")
    stdout.flush()

    assert session.sent == [("r1", "stdout", "a"), ("r1", "stderr", "b"), ("r1", "stdout", "c\n")]


def test_a_huge_text_is_sent_in_parts(session, stdout):
    text = "äöü€😀" * 200_000
    stdout.write(text)

    assert session.text() == text
    assert max(len(part) for _, _, part in session.sent) <= 262144


def test_a_tick_without_output_ends_the_ticks(output, stdout):
    stdout.write("x")
    assert output.tick() is not None
    assert output.tick() is None
    assert not output.is_armed


def test_a_threads_output_belongs_to_the_request_that_started_it(session, output, stdout):
    from taskweaver.kernel.requests import install_inheritance

    install_inheritance()
    go = threading.Event()

    def write_later():
        go.wait(5)
        stdout.write("late\n")

    thread = threading.Thread(target=write_later)
    thread.start()
    begin_request(Request({"header": {"msg_id": "r2"}}))
    stdout.write("now\n")
    go.set()
    thread.join()
    stdout.flush()

    assert ("r1", "stdout", "late\n") in session.sent
    assert ("r2", "stdout", "now\n") in session.sent


def test_printing_while_a_message_is_made_neither_blocks_nor_is_lost(session, output, stdout):
    class Loud:
        def __del__(self):
            stdout.write("from __del__\n")
            stdout.flush()

    class Dropping(Collector):
        def send(self, *args, **kwargs):
            if not self.sent:
                Loud()
                gc.collect()
            super().send(*args, **kwargs)

    output.session = dropping = Dropping()
    stdout.write("first\n")
    stdout.flush()

    assert dropping.text() == "first\nfrom __del__\n"


def test_only_text_can_be_written(stdout):
    with pytest.raises(TypeError, match="must be str, not bytes"):
        stdout.write(b"x")


def test_bytes_can_be_written_to_the_buffer(session, stdout):
    stdout.buffer.write("ä€".encode()[:3])
    stdout.buffer.write("ä€".encode()[3:] + b"\xff\n")
    stdout.flush()

    assert session.text() == "ä€\ufffd\n"


def test_closing_a_stream_leaves_it_open(session, stdout):
    stdout.close()
    stdout.write("still here\n")
    stdout.flush()

    assert not stdout.closed
    assert session.text() == "still here\n"


def test_a_fork_writes_whole_lines_to_its_file_descriptor(session, output, monkeypatch):
    written = []
    monkeypatch.setattr(output_module.os, "write", lambda fd, data: written.append((fd, data)) or len(data))
    stream = OutputStream(output, "stdout", 1)
    stream.write("the parent's")
    output.become_child()
    stream.write("a")
    stream.write("b\nc")
    stream.flush()

    assert written == [(1, b"ab\n"), (1, b"c")]
    assert session.sent == []
