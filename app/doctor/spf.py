"""SPF, as a recipient's server evaluates it (RFC 7208): may this address send for that domain?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Literal

from app.doctor.lookups import Lookups

Verdict = Literal["pass", "fail", "softfail", "neutral", "none"]

# Terms that ask the name server, in one evaluation (RFC 7208, 4.6.4).
MAX_LOOKUPS: Final = 10
_MAX_EXCHANGES: Final = 10
_QUALIFIERS: Final[dict[str, Verdict]] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_TERM: Final = re.compile(r"([+?~-]?)([a-z0-9]+)(?::([^/\s]+))?((?:/\d+)?(?://\d+)?)", re.IGNORECASE)
_NETWORK: Final = re.compile(r"([+?~-]?)(ip4|ip6):(\S+)", re.IGNORECASE)
_MODIFIER: Final = re.compile(r"([a-z][a-z0-9._-]*)=(.*)", re.IGNORECASE)
_PREFIXES: Final = re.compile(r"(?:/(\d+))?(?://(\d+))?")


class SpfError(Exception):
    """The record cannot be evaluated, so recipients treat it as broken (permerror)."""


@dataclass
class Evaluation:
    """One evaluation on its way.

    Attributes:
        lookups: the name server.
        address: the one that wants to send.
        asked: terms so far that have asked the name server.
        included: the domains whose records were included.
        is_open: whether a term hangs on the very mail (a macro, `ptr`), so that it was taken not to match.
    """

    lookups: Lookups
    address: IPv4Address | IPv6Address
    asked: int = 0
    included: list[str] = field(default_factory=list)
    is_open: bool = False

    def count(self) -> None:
        """One more term that asks.

        Raises:
            SpfError: it is one too many.
        """
        self.asked += 1
        if self.asked > MAX_LOOKUPS:
            raise SpfError(f"it needs more than {MAX_LOOKUPS} look-ups")


def spf_records(lookups: Lookups, domain: str) -> list[str]:
    """The SPF records of a domain; it should have one.

    Raises:
        NotAskedError: the name server could not be asked.
    """
    return [text for text in lookups.texts(domain) if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


def evaluate(lookups: Lookups, domain: str, address: str) -> tuple[Verdict, Evaluation]:
    """Whether the domain lets the address send, and how that was found.

    Raises:
        SpfError: the record is broken; the text says how.
        NotAskedError: the name server could not be asked.
    """
    evaluation = Evaluation(lookups, ip_address(address))
    return _check_host(evaluation, domain), evaluation


def _check_host(evaluation: Evaluation, domain: str) -> Verdict:
    records = spf_records(evaluation.lookups, domain)
    if not records:
        return "none"
    if len(records) > 1:
        raise SpfError(f"{domain} has {len(records)} SPF records, and may have one")
    redirect = ""
    for term in records[0].split()[1:]:
        modifier = _MODIFIER.fullmatch(term)
        if modifier:
            redirect = modifier[2] if modifier[1].lower() == "redirect" else redirect
            continue
        qualifier, matched = _match(evaluation, domain, term)
        if matched:
            return _QUALIFIERS[qualifier or "+"]
    return _redirected(evaluation, redirect) if redirect else "neutral"


def _redirected(evaluation: Evaluation, domain: str) -> Verdict:
    evaluation.count()
    if "%" in domain:
        evaluation.is_open = True
        return "neutral"
    verdict = _check_host(evaluation, domain)
    if verdict == "none":
        raise SpfError(f"it redirects to {domain}, which has no SPF record")
    return verdict


def _match(evaluation: Evaluation, domain: str, term: str) -> tuple[str, bool]:
    """A mechanism's qualifier, and whether the address matches it."""
    network = _NETWORK.fullmatch(term)
    if network:
        return network[1], _in_network(evaluation.address, network[3], term)
    parsed = _TERM.fullmatch(term)
    if parsed is None:
        raise SpfError(f"{term!r} is no term of SPF")
    qualifier, name, target, prefixes = parsed[1], parsed[2].lower(), parsed[3] or domain, parsed[4]
    if name == "all":
        return qualifier, True
    if name not in ("include", "a", "mx", "exists", "ptr"):
        raise SpfError(f"{term!r} is no term of SPF")
    evaluation.count()
    if name == "ptr" or "%" in target:
        evaluation.is_open = True
        return qualifier, False
    return qualifier, _asks(evaluation, name, target, prefixes)


def _asks(evaluation: Evaluation, name: str, target: str, prefixes: str) -> bool:
    lookups, version = evaluation.lookups, evaluation.address.version
    if name == "include":
        evaluation.included.append(target.lower())
        verdict = _check_host(evaluation, target)
        if verdict == "none":
            raise SpfError(f"it includes {target}, which has no SPF record")
        return verdict == "pass"
    if name == "exists":
        return bool(lookups.addresses(target, version=4))
    hosts = [target]
    if name == "mx":
        hosts = [host for _, host in lookups.mail_servers(target) if host != "."]
        if len(hosts) > _MAX_EXCHANGES:
            raise SpfError(f"{target} has more than {_MAX_EXCHANGES} mail servers")
    found = [address for host in hosts for address in lookups.addresses(host, version=version)]
    return any(_in_network(evaluation.address, f"{each}{_prefix(prefixes, version)}", each) for each in found)


def _prefix(prefixes: str, version: int) -> str:
    """Of `/24//64` the part for this version of IP."""
    found = _PREFIXES.fullmatch(prefixes)
    length = (found[1] if version == 4 else found[2]) if found else None  # noqa: PLR2004 - of IP
    return f"/{length}" if length else ""


def _in_network(address: IPv4Address | IPv6Address, network: str, term: str) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError as error:
        raise SpfError(f"{term!r} is no network") from error
