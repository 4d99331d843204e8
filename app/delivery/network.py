"""Connecting to a host that somebody named in the settings: only where it may lead, and only for so long.

A name is looked up once, every address that it has is checked, and one of those that were checked is connected to: a
second answer of the name server (DNS rebinding) is never asked for.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple

# Global unicast (RFC 4291, 2.4); what is outside it is local, reserved, or an IPv4 address in disguise.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
# Where a gateway turns IPv6 into IPv4: the last 32 bits are the address that is meant (RFC 6052).
_NAT64: Final = IPv6Network("64:ff9b::/96")
# A name may have any number of addresses; more than these are not tried.
_MAX_TRIES: Final = 6


class Address(NamedTuple):
    """An address as a socket takes it."""

    family: int
    sockaddr: tuple[Any, ...]

    @property
    def host(self) -> str:
        """The IP address alone."""
        return str(self.sockaddr[0])


Resolver = Callable[[str, int, float], Sequence[Address]]


class PrivateHostError(Exception):
    """A host that may not be connected to: it is, or one of its addresses is, not in the public Internet."""

    def __init__(self, host: str, address: str) -> None:
        shown = f"{host!r} has the address {address}" if host != address else f"{address}"
        super().__init__(f"{shown}, which is not in the public Internet")


def connect(
    host: str, port: int, seconds: float, *, allow_private: bool, resolve: Resolver | None = None
) -> socket.socket:
    """A TCP connection to the host; looking it up and connecting take so many seconds together at most.

    Raises:
        PrivateHostError: it may not be connected to; nothing was sent to it.
        OSError: it is not known, does not answer, or did not in time.
        ValueError: this cannot be the name of a host.
    """
    deadline = time.monotonic() + seconds
    addresses = (resolve or look_up)(host, port, seconds)
    if not allow_private:
        check(host, addresses)
    return _connect(addresses[:_MAX_TRIES], deadline)


def check(host: str, addresses: Sequence[Address]) -> None:
    """See that every address of a host is a public one: which of them will be used is not known beforehand.

    Raises:
        PrivateHostError: one is not.
    """
    for address in addresses:
        if not is_public(address.host):
            raise PrivateHostError(host, address.host)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet, and not one that leads into a network of ours."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_public(meant) for meant in _unwrap(parsed))


def look_up(host: str, port: int, seconds: float) -> Sequence[Address]:
    """The addresses of a host, at least one; an address in any spelling is its own (`127.1`, `0x7f.1`, `[::1]`).

    Raises:
        OSError: it has none, or the name server did not answer in time.
        ValueError: this cannot be the name of a host.
    """
    name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not name:
        raise ValueError("the name of the host is empty")
    answers: SimpleQueue[list[Address] | OSError | ValueError] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            answers.put(error)
        else:
            answers.put([Address(family, sockaddr) for family, _, _, _, sockaddr in found])

    # The system's resolver has no timeout that a caller could set, so it is waited for from outside.
    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=max(seconds, 0.0))
    except Empty:
        raise TimeoutError("the name server did not answer in time") from None
    if isinstance(answer, Exception):
        raise answer
    if not answer:
        raise OSError("the name has no address")
    return answer


def _connect(addresses: Sequence[Address], deadline: float) -> socket.socket:
    """To the first address that answers; one that does not leaves time for those after it."""
    failure: OSError = TimeoutError("the time for it ran out")
    for position, address in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - position)
        if share <= 0:
            break
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.settimeout(share)
            sock.connect(address.sockaddr)
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _unwrap(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """The addresses that packets to this one end at: of IPv4 in IPv6 (mapped, 6to4, NAT64, Teredo) those within."""
    if isinstance(address, IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
    elif address.teredo is not None:
        yield from address.teredo
    else:
        yield address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
