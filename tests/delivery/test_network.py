"""What may be connected to: no network of ours, in whatever spelling, and what was checked is what is used."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from app.delivery import network
from app.delivery.network import Address, PrivateHostError, connect, is_public, look_up
from tests.servers.smtp import HOST

PRIVATE = """
127.0.0.1 127.1.2.3 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 192.0.2.1
198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.1.2.3 240.0.0.1 255.255.255.255 :: ::1 fe80::1 fe80::1%eth0 fec0::1
fc00::1 fd12:3456::1 ff02::1 2001:db8::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::1
64:ff9b::7f00:1 2002:0a00:0001::1 2002:7f00:1:: 2001:0:808:808::f5ff:fffe ::ffff:0:127.0.0.1 100::1 nonsense
"""
PUBLIC = "8.8.8.8 1.1.1.1 172.32.0.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:0808:0808::1"


@pytest.mark.parametrize("address", PRIVATE.split())
def test_an_address_that_is_not_public_is_known_as_such(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


ODD = """
127.1 2130706433 0x7f.1 0x7f000001 0177.0.0.1 [::1] ::1 localhost 0.0.0.0 0 127.0.0.1 10.1
::ffff:10.0.0.1 [::ffff:10.0.0.1] 169.254.169.254
"""


@pytest.mark.parametrize("host", ODD.split())
def test_no_spelling_of_a_private_address_is_connected_to(host: str) -> None:
    with pytest.raises(PrivateHostError, match="not in the public Internet"):
        connect(host, 1, 5.0, allow_private=False)


def at(*addresses: str) -> Sequence[Address]:
    return [Address(socket.AF_INET, (address, 25)) for address in addresses]


@pytest.mark.parametrize("addresses", [("8.8.8.8", "10.0.0.1"), ("10.0.0.1", "8.8.8.8"), ("127.0.0.1",)])
def test_a_name_with_one_private_address_is_refused_whatever_the_others_are(
    addresses: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def connected(*_: object) -> None:
        raise AssertionError("it was connected to")

    monkeypatch.setattr(network, "_connect", connected)
    with pytest.raises(PrivateHostError, match=r"'mail\.example\.org' has the address 1"):
        connect("mail.example.org", 25, 5.0, allow_private=False, resolve=lambda *_: at(*addresses))


def test_what_was_checked_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    # This host stands for one in the Internet, and the name server says something else the second time.
    monkeypatch.setattr(network, "is_public", lambda address: address == HOST)
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        answers = [[Address(socket.AF_INET, (HOST, port))], at("10.0.0.1")]
        asked: list[str] = []

        def rebind(host: str, *_: object) -> Sequence[Address]:
            asked.append(host)
            return answers.pop(0)

        with connect("mail.example.org", port, 5.0, allow_private=False, resolve=rebind) as sock:
            assert sock.getpeername() == (HOST, port)
        assert asked == ["mail.example.org"]


def test_the_next_address_is_tried_if_one_does_not_answer() -> None:
    with closing(socket.socket()) as unused, socket.create_server((HOST, 0)) as server:
        unused.bind((HOST, 0))
        both = [Address(socket.AF_INET, other.getsockname()) for other in (unused, server)]
        with connect("mail.example.org", 25, 5.0, allow_private=True, resolve=lambda *_: both) as sock:
            assert sock.getpeername() == server.getsockname()


def test_without_time_nothing_is_tried() -> None:
    with pytest.raises(TimeoutError, match="the time for it ran out"):
        connect("mail.example.org", 25, 0.0, allow_private=True, resolve=lambda *_: at(HOST))


def test_where_nobody_listens_the_error_says_so() -> None:
    with closing(socket.socket()) as unused:
        unused.bind((HOST, 0))
        with pytest.raises(ConnectionRefusedError):
            connect(HOST, unused.getsockname()[1], 5.0, allow_private=True)


def test_a_name_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def hang(*_: object, **__: object) -> list[Any]:
        ended.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with pytest.raises(TimeoutError, match="name server"):
            look_up("mail.example.org", 25, 0.05)
    finally:
        ended.set()


def test_a_name_without_addresses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with pytest.raises(OSError, match="no address"):
        look_up("mail.example.org", 25, 5.0)


@pytest.mark.parametrize("host", ["", "[]", "..", "a" * 64 + ".example.org", "a\0b"])
def test_what_cannot_be_a_host_is_an_error(host: str) -> None:
    with pytest.raises((ValueError, OSError)):
        look_up(host, 25, 5.0)
