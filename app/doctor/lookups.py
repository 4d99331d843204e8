"""Questions to the name server, each and all of them together bounded in time."""

from __future__ import annotations

import time
from typing import Any, Final

import dns.exception
import dns.name
import dns.resolver

from app.delivery.transports.base import clean_response

# Seconds for one question, and for all that one report asks.
SECONDS: Final = 3.0
TOTAL_SECONDS: Final = 20.0


class NotAskedError(Exception):
    """The name server could not be asked, or had no answer for us: nothing is known, neither good nor bad."""


class Lookups:
    """Asks one resolver (default: the system's), and gives up on it when it has been silent once.

    Raises:
        NotAskedError: by each of its methods.
    """

    def __init__(self, resolver: dns.resolver.Resolver | None = None, total: float = TOTAL_SECONDS) -> None:
        self._resolver = resolver
        self._deadline = time.monotonic() + total
        self._silent = ""

    def check_reach(self, name: str) -> None:
        """See that the name server knows the Internet's names, so that a name it does not know is one there is not.

        The name server of a closed network says of every name outside that it does not exist.

        Raises:
            NotAskedError: it does not know even the top level of the name.
        """
        top = name.rstrip(".").rpartition(".")[2]
        if not self._ask(top, "NS"):
            raise NotAskedError(f"the name server of this host does not know the top level domain {top!r}")

    def texts(self, name: str) -> list[str]:
        """TXT records, the parts of each joined (RFC 7208, 3.3)."""
        records = self._ask(name, "TXT")
        return [clean_response(b"".join(record.strings).decode("utf-8", "replace")) for record in records]

    def mail_servers(self, name: str) -> list[tuple[int, str]]:
        """MX records, the preferred ones first; the name `.` is a null MX (RFC 7505)."""
        return sorted((record.preference, _plain(record.exchange)) for record in self._ask(name, "MX"))

    def alias(self, name: str) -> str | None:
        """What a CNAME record leads to; None if there is none."""
        records = self._ask(name, "CNAME")
        return _plain(records[0].target) if records else None

    def addresses(self, name: str, *, version: int | None = None) -> list[str]:
        """A and AAAA records, or only those of one version of IP."""
        kinds = {4: ("A",), 6: ("AAAA",), None: ("A", "AAAA")}[version]
        return [str(record.address) for kind in kinds for record in self._ask(name, kind)]

    def _ask(self, name: str, kind: str) -> list[Any]:
        """The records, none if there is no such name or no such record."""
        if self._silent:
            raise NotAskedError(self._silent)
        seconds = min(SECONDS, self._deadline - time.monotonic())
        if seconds <= 0:
            raise NotAskedError("the time for all questions ran out")
        try:
            resolver = self._resolver = self._resolver or dns.resolver.Resolver()
            absolute = dns.name.from_text(name)
            return list(resolver.resolve(absolute, kind, lifetime=seconds, raise_on_no_answer=False, search=False))
        except dns.resolver.NXDOMAIN:
            return []
        except dns.resolver.NoNameservers as error:
            raise NotAskedError(f"the name server could not answer for {name}") from error
        except (dns.exception.Timeout, dns.resolver.NoResolverConfiguration, OSError) as error:
            # It would not answer the next question either.
            self._silent = "no name server answered"
            raise NotAskedError(self._silent) from error
        except dns.exception.DNSException as error:
            raise NotAskedError(f"{name!r} cannot be looked up ({type(error).__name__})") from error


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=name != dns.name.root).lower()
