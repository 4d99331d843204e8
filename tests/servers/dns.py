"""A name server for tests: real questions and answers over UDP, from a table of records.

with NameServer({("example.com", "MX"): ["10 mx.example.com."]}) as server: ...      server.resolver(), server.asked
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Mapping, Sequence
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.rrset

from tests.servers.smtp import HOST

Records = Mapping[tuple[str, str], Sequence[str]]


class NameServer:
    """Answers from the table; a name that is not in it does not exist.

    Args:
        records: from name and type to the records as a zone file has them.
        fails: names for which it answers SERVFAIL.
        is_silent: whether it answers nothing at all.
    """

    def __init__(self, records: Records, fails: Sequence[str] = (), *, is_silent: bool = False) -> None:
        self.records = {(name.lower(), kind): list(values) for (name, kind), values in records.items()}
        self.fails = fails
        self.is_silent = is_silent
        self.asked: list[tuple[str, str]] = []
        self._server = _Server((HOST, 0), _Handler)
        self._server.names = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), name="NameServer")

    def resolver(self) -> dns.resolver.Resolver:
        """A resolver that asks this server and no other."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [HOST]
        resolver.port = self._server.server_address[1]
        return resolver

    def answer(self, wire: bytes) -> bytes | None:
        """The answer to a question."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if self.is_silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.fails:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif self.records.get((name, kind)):
            response.answer.append(dns.rrset.from_text_list(question.name, 300, "IN", kind, self.records[name, kind]))
        elif name not in {known for known, _ in self.records}:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


class _Server(socketserver.UDPServer):
    names: NameServer


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        wire, sock = self.request
        answer = self.server.names.answer(wire)
        if answer is not None:
            sock.sendto(answer, self.client_address)
