"""Tests of text that waits in a file: what is taken, and what another process would find there."""

import struct
import threading

import pytest

from taskweaver.kernel.requests import Request
from taskweaver.kernel.sent_messages import SentMessages
from taskweaver.kernel.waiting_text import WaitingText


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "text")


@pytest.fixture
def waiting(path):
    waiting = WaitingText()
    waiting.open(path)
    return waiting


def request(identifier):
    return Request({"header": {"msg_id": identifier}})


def content(path):
    with open(path, "rb") as file:
        return file.read()[128:65536].rstrip(b"\0")


def test_text_is_in_the_file_when_it_is_put(waiting, path):
    first, second = request("r1"), request("r2")
    waiting.put(first, "stdout", "a")
    waiting.put(first, "stdout", "ä\0")
    waiting.put(first, "stderr", "b")
    waiting.put(second, "stderr", "\ud800c")

    assert content(path) == b"\xffor1\xffa\xc3\xa4\0\xffer1\xffb\xffer2\xff\\ud800c"


def test_what_is_taken_is_in_the_order_put_and_comes_once(waiting):
    first, second = request("r1"), request("r2")
    waiting.put(first, "stdout", "a")
    waiting.put(second, "stdout", "b")
    assert [(it.request, it.name, it.text) for it in waiting.take()] == [(first, "stdout", "a"), (second, "stdout", "b")]
    waiting.put(second, "stdout", "c")

    assert [(it.request, it.name, it.text) for it in waiting.take()] == [(second, "stdout", "c")]
    assert waiting.take() == []
    assert waiting.is_empty


def test_a_new_round_leaves_nothing_of_the_last_one(waiting, path):
    waiting.put(request("r1"), "stdout", "secret")
    waiting.take()
    waiting.take()

    assert content(path) == b""
    with open(path, "rb") as file:
        assert struct.unpack("<8sII", file.read(16)) == (b"TWwaits1", 2, 0)


def test_text_without_room_is_refused_whole(waiting, path):
    one = request("r1")
    while waiting.put(one, "stdout", "x" * 1000):
        pass

    assert len(waiting.take()[0].text) % 1000 == 0


def test_threads_that_put_at_once_are_told_apart(waiting):
    writers = [request(f"r{number}") for number in range(4)]

    def write(writer):
        for number in range(500):
            assert waiting.put(writer, "stdout", f"{number},")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = dict.fromkeys(writers, "")
    for run in waiting.take():
        texts[run.request] += run.text

    assert set(texts.values()) == {"".join(f"{number}," for number in range(500))}


def test_messages_are_kept_with_their_numbers_until_the_turn_after_the_next(waiting, tmp_path):
    sent = SentMessages(waiting)
    paths = [str(tmp_path / "sent0"), str(tmp_path / "sent1")]
    sent.open(*paths)

    def sizes():
        return [(tmp_path / name).stat().st_size for name in ("sent0", "sent1")]

    sent.begin("r1")
    sent.add("r1", "status", [b"busy"])
    sent.add("r1", "stream", [b"topic", memoryview(b"text")])
    kept = (tmp_path / "sent1").read_bytes()
    assert struct.unpack("<8I", kept[:32]) == (0x31535754, 17, 1, 1, 0, 0, 0, 2)
    assert kept[32:] == struct.pack("<II", 5, 4) + b"topictext"
    sent.begin("r2")
    assert sizes() == [0, len(kept)]
    sent.begin("r3")
    assert sizes() == [0, 0]


def test_a_long_execution_gives_up_what_is_stored_first_and_counts_what_is_not(waiting, tmp_path):
    sent = SentMessages(waiting)
    paths = [str(tmp_path / "sent0"), str(tmp_path / "sent1")]
    sent.open(*paths)
    sent.begin("r1")
    megabyte = bytes(1024 * 1024)
    for number in range(1, 40):
        sent.add("r1", "stream", [megabyte])
        sent.note_stored("r1", number)
    assert sum((tmp_path / name).stat().st_size for name in ("sent0", "sent1")) < 12 * 1024 * 1024
    for _ in range(150):
        sent.add("r1", "stream", [megabyte])

    assert sum((tmp_path / name).stat().st_size for name in ("sent0", "sent1")) < 140 * 1024 * 1024
    newest = max((tmp_path / name).read_bytes()[:32] for name in ("sent0", "sent1"))
    assert struct.unpack("<8I", newest)[6] > 0
