"""A reply is read as the server meant it, however the network cuts it."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.delivery.transports.smtp_client import Connection

SAID = b"250 2.1.0 Ok\r\n250-first\r\n250-\r\n250 last \r\n354\r\n550 5.1.1 no: 250 is not meant\nwhat?\r\n"
MEANT = [(250, b"2.1.0 Ok"), (250, b"first\n\nlast"), (354, b""), (550, b"5.1.1 no: 250 is not meant"), (-1, b"?")]


@contextmanager
def connected(*packets: bytes) -> Iterator[Connection]:
    """A connection to a server that has sent these packets, and hung up."""
    # This kind of socket keeps the bounds of what was sent: each read takes one packet.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with closing(ours), closing(theirs):
        connection = Connection(timeout=5)
        connection.sock = ours
        for packet in packets:
            theirs.send(packet)
        theirs.close()
        yield connection


@given(cuts=st.sets(st.integers(1, len(SAID) - 1)))
@settings(deadline=None)
def test_replies_are_the_same_however_they_are_cut(cuts: set[int]) -> None:
    bounds = [0, *sorted(cuts), len(SAID)]
    packets = [SAID[start:end] for start, end in pairwise(bounds)]
    with connected(*packets) as connection:
        assert [connection.getreply() for _ in MEANT] == MEANT
        with pytest.raises(smtplib.SMTPServerDisconnected):
            connection.getreply()
        assert connection.sock is None


@pytest.mark.parametrize("code", [b"25", b"+25 ok", b"2x0 ok", b"", "٢٥٠ ok".encode()])
def test_what_does_not_begin_with_a_code_is_no_reply(code: bytes) -> None:
    with connected(code + b"\r\n") as connection:
        assert connection.getreply()[0] == -1


@pytest.mark.parametrize("packets", [[b"250"], [b"250-one\r\n"], [b"250-one\r\n", b"250 t"], []])
def test_a_reply_that_breaks_off_is_none(packets: list[bytes]) -> None:
    with connected(*packets) as connection, pytest.raises(smtplib.SMTPServerDisconnected):
        connection.read_reply()
