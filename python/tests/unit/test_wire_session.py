"""Tests of reading and writing messages."""

import json
import random

import pytest
from jupyter_client.session import Session

from taskweaver.kernel.wire_session import WireSession, pack


class Socket:
    def send_multipart(self, frames, copy=True):
        self.frames = [bytes(frame) for frame in frames]


@pytest.fixture
def session():
    return WireSession(key=b"secret", signature_scheme="hmac-sha256")


def test_a_stock_session_reads_what_it_sends(session):
    socket = Socket()
    session.send(socket, "status", {"execution_state": "busy"}, parent={"header": {"msg_id": "p"}}, ident=[b"topic"])
    stock = Session(key=b"secret", signature_scheme="hmac-sha256")

    identities, frames = stock.feed_identities(socket.frames)
    message = stock.deserialize(frames)

    assert identities == [b"topic"]
    assert message["header"]["msg_type"] == "status"
    assert message["parent_header"] == {"msg_id": "p"}
    assert message["content"] == {"execution_state": "busy"}


def test_it_reads_what_a_stock_session_sends(session):
    stock = Session(key=b"secret", signature_scheme="hmac-sha256")
    frames = stock.serialize(stock.msg("execute_request", {"code": "1"}, metadata={"a": 1}), ident=b"client")

    identities, message = session.read([*frames, b"buffer"])

    assert identities == [b"client"]
    assert message["content"] == {"code": "1"}
    assert message["metadata"] == {"a": 1}
    assert bytes(message["buffers"][0]) == b"buffer"
    assert message["header"].packed == frames[3]


def test_a_forged_and_a_repeated_message_are_refused(session):
    stock = Session(key=b"other", signature_scheme="hmac-sha256")
    with pytest.raises(ValueError, match="signature"):
        session.read(stock.serialize(stock.msg("execute_request", {})))
    stock.key = b"secret"
    frames = stock.serialize(stock.msg("execute_request", {}))
    session.read(frames)
    with pytest.raises(ValueError, match="before"):
        session.read(frames)


def test_lone_surrogates_arrive_written_out():
    assert json.loads(pack({"text": "a\ud800b"})) == {"text": "a\\ud800b"}


def test_values_without_a_json_form_are_cleaned():
    assert json.loads(pack({"number": float("nan"), "bytes": b"a"}))["number"] == "nan"


def test_whatever_arrives_is_a_message_or_an_exception_that_its_reader_drops(session):
    """The channels' loops drop what raises an `Exception`; nothing may end them, and nothing unsigned may pass."""
    numbers = random.Random(1)
    pieces = [b"<IDS|MSG>", b"", b"{}", b"null", b"[]", b"1", b"\xff\xfe", b'{"msg_id": 1}', b"[" * 100_000, b"x" * 10_000]
    for _ in range(3000):
        frames = [numbers.choice([*pieces, numbers.randbytes(numbers.randrange(80))]) for _ in range(numbers.randrange(9))]
        with pytest.raises(Exception):
            session.read(frames)


def test_a_signed_message_of_the_wrong_shape_is_an_exception_or_a_message(session):
    numbers = random.Random(2)
    values = [b"{}", b"null", b"[]", b"7", b'"x"', b"{", b"", b"\xff", b"[" * 100_000 + b"]" * 100_000, b'{"msg_id": [], "msg_type": {}}']
    for _ in range(2000):
        parts = [numbers.choice(values) for _ in range(4)]
        try:
            _, message = session.read([b"<IDS|MSG>", session.sign(parts), *parts])
        except Exception:
            continue
        assert message["header"]["msg_id"] is not None
