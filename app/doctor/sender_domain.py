"""The domain that mails come from: what its SPF, DKIM, DMARC and MX records tell those who get our mail.

They are hints. Which addresses a relay really sends from, and which key it signs with, is seen only in a mail that has
arrived.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from app.delivery.network import is_public
from app.doctor.configuration import is_reserved
from app.doctor.findings import Finding
from app.doctor.lookups import Lookups, NotAskedError
from app.doctor.spf import SpfError, evaluate, spf_records

CHECK: Final = "sender domain"
SENDGRID: Final = "sendgrid.net"
SELECTORS: Final = ("s1", "s2")

_HEADER: Final = "Send a test mail to an address of yours, and see what its header Authentication-Results says."
_NETWORK: Final = "See that this host may ask a name server, or look the record up elsewhere."


@dataclass(frozen=True)
class SenderDomain:
    """Whose records are asked for, and who sends in its name.

    Attributes:
        domain: of the address that mails come from.
        smtp_host: the server that sends; None, and SendGrid does.
        is_production: whether a domain that does not exist is a problem.
    """

    domain: str
    smtp_host: str | None
    is_production: bool


def check_sender_domain(sender: SenderDomain, lookups: Lookups) -> list[Finding]:
    """Ask for the records, if the domain is one that can have any."""
    if is_reserved(sender.domain) or "." not in sender.domain:
        what = f"Mails come from {sender.domain}, which is for documentation and tests."
        if not sender.is_production:
            return [Finding("ok", CHECK, "email-from", f"{what} Its records are not asked for.")]
        advice = "Set email-from to an address of a domain of yours: PATCH /v1/settings/1."
        return [Finding("problem", CHECK, "email-from", f"{what} Nobody takes them.", advice)]
    found: list[Finding] = []
    for record, check in _CHECKS.items():
        where = f"{record} {sender.domain}"
        try:
            lookups.check_reach(sender.domain)
            found += check(sender, lookups, where)
        except NotAskedError as error:
            found.append(Finding("warning", CHECK, where, f"It could not be asked: {error}.", _NETWORK))
    return found


def _spf(sender: SenderDomain, lookups: Lookups, where: str) -> Iterator[Finding]:
    records = spf_records(lookups, sender.domain)
    publish = f"Publish a TXT record at {sender.domain}, such as: v=spf1 {_mechanism(sender.smtp_host)} ~all"
    if len(records) > 1:
        what = f"There are {len(records)} SPF records: recipients take none of them."
        yield Finding("problem", CHECK, where, what, "Join them into one.")
    elif re.search(r"\s\+?all(\s|$)", records[0] if records else "", re.IGNORECASE):
        what = f"The record lets anybody send in this name: {records[0]}"
        yield Finding("problem", CHECK, where, what, "End it with ~all or -all.")
    elif sender.smtp_host is None:
        yield _spf_of_sendgrid(sender, lookups, where, publish)
    elif not records:
        what = "There is no SPF record: large providers refuse mail that has neither SPF nor DKIM."
        yield Finding("warning", CHECK, where, what, publish)
    else:
        yield _spf_of_host(sender.domain, sender.smtp_host, lookups, where)


def _spf_of_sendgrid(sender: SenderDomain, lookups: Lookups, where: str, publish: str) -> Finding:
    # Any address will do: the question is which records are read on the way.
    try:
        _, evaluation = evaluate(lookups, sender.domain, "192.0.2.1")
    except SpfError as error:
        return _broken(where, error)
    if any(name == SENDGRID or name.endswith(f".{SENDGRID}") for name in evaluation.included):
        return Finding("ok", CHECK, where, "The record includes SendGrid's servers.")
    if _sendgrid_aliases(sender.domain, lookups):
        what = "SendGrid sends under a return address of its own below this domain, so that no record is needed here."
        return Finding("ok", CHECK, where, what)
    return Finding("warning", CHECK, where, "No SPF record includes SendGrid's servers.", publish)


def _spf_of_host(domain: str, host: str, lookups: Lookups, where: str) -> Finding:
    addresses = [host] if _is_address(host) else lookups.addresses(host)
    outside = [address for address in addresses if is_public(address)]
    if not outside:
        what = f"There is a record; whether it fits cannot be told, since {host} has no public address to compare."
        return Finding("ok", CHECK, where, what, _HEADER)
    verdicts = {}
    is_open = False
    for address in outside:
        try:
            verdicts[address], evaluation = evaluate(lookups, domain, address)
        except SpfError as error:
            return _broken(where, error)
        is_open = is_open or evaluation.is_open
    missing = [address for address, verdict in verdicts.items() if verdict != "pass"]
    if not missing:
        return Finding("ok", CHECK, where, f"The record lets {host} send ({', '.join(outside)}).")
    if is_open:
        return Finding("ok", CHECK, where, "The record hangs on the very mail, so it cannot be judged here.", _HEADER)
    said = ", ".join(f"{address} ({verdicts[address]})" for address in missing)
    advice = f"Put what your provider names into the record (an include, or {_mechanism(host)})."
    return Finding("warning", CHECK, where, f"The record does not let {host} send: {said}.", f"{advice} {_HEADER}")


def _broken(where: str, error: SpfError) -> Finding:
    what = f"The record is broken, so that recipients take none of it: {error}."
    return Finding("problem", CHECK, where, what, "Correct it (RFC 7208); fewer includes need fewer look-ups.")


def _mechanism(smtp_host: str | None) -> str:
    """What lets the server send."""
    if smtp_host is None:
        return f"include:{SENDGRID}"
    if not _is_address(smtp_host):
        return f"a:{smtp_host}"
    return f"ip6:{smtp_host}" if ":" in smtp_host else f"ip4:{smtp_host}"


def _is_address(host: str) -> bool:
    return re.fullmatch(r"[\d.]+|.*:.*", host) is not None


def _dkim(sender: SenderDomain, lookups: Lookups, where: str) -> Iterator[Finding]:
    if sender.smtp_host is not None:
        what = "Which key the server signs with (the selector) is not known here, so it cannot be looked up."
        yield Finding("ok", CHECK, where, what, f"{_HEADER} It should have dkim=pass for {sender.domain}.")
        return
    missing = set(SELECTORS) - _sendgrid_aliases(sender.domain, lookups)
    if not missing:
        what = f"The keys of SendGrid are there ({', '.join(SELECTORS)})."
        yield Finding("ok", CHECK, where, what)
        return
    names = ", ".join(f"{selector}._domainkey.{sender.domain}" for selector in sorted(missing))
    what = f"There is no CNAME record that leads to SendGrid at {names}."
    advice = "Authenticate the domain at SendGrid (Settings, Sender Authentication), with these or selectors of yours."
    yield Finding("warning", CHECK, where, what, advice)


def _sendgrid_aliases(domain: str, lookups: Lookups) -> set[str]:
    """The selectors whose CNAME leads to SendGrid."""
    targets = {selector: lookups.alias(f"{selector}._domainkey.{domain}") or "" for selector in SELECTORS}
    return {selector for selector, target in targets.items() if target.endswith(f".{SENDGRID}")}


def _dmarc(sender: SenderDomain, lookups: Lookups, where: str) -> Iterator[Finding]:
    labels = sender.domain.split(".")
    # From the domain up to the one below the top level: the first that has a record rules (RFC 7489, 6.6.3).
    for position in range(len(labels) - 1):
        domain = ".".join(labels[position:])
        records = [text for text in lookups.texts(f"_dmarc.{domain}") if _is_dmarc(text)]
        if records:
            yield _dmarc_record(records, where, domain, is_above=position > 0)
            return
    what = "There is no DMARC record: large providers ask for one from those who send to many."
    advice = f"Publish a TXT record at _dmarc.{sender.domain}, first: v=DMARC1; p=none; rua=mailto:ADDRESS"
    yield Finding("warning", CHECK, where, what, advice)


def _is_dmarc(text: str) -> bool:
    return re.match(r"v\s*=\s*DMARC1\s*(;|$)", text) is not None


def _dmarc_record(records: list[str], where: str, domain: str, *, is_above: bool) -> Finding:
    if len(records) > 1:
        what = f"There are {len(records)} DMARC records at _dmarc.{domain}: recipients take none of them."
        return Finding("warning", CHECK, where, what, "Leave one.")
    tags = dict(part.split("=", 1) for part in records[0].replace(" ", "").split(";") if "=" in part)
    policy = (tags.get("sp") if is_above else None) or tags.get("p")
    if policy not in ("none", "quarantine", "reject"):
        what = f"The record at _dmarc.{domain} has no policy that there is: {records[0]}"
        return Finding("warning", CHECK, where, what, "Set p to none, quarantine or reject.")
    if policy == "none":
        what = f"The policy is none (at _dmarc.{domain}): mail that others send in this name is taken."
        return Finding("ok", CHECK, where, what, "When SPF and DKIM are known to pass, set it to quarantine or reject.")
    what = (
        f"The policy is {policy} (at _dmarc.{domain}): mail with neither SPF nor DKIM of this domain does not arrive."
    )
    return Finding("ok", CHECK, where, what, _HEADER)


def _mx(sender: SenderDomain, lookups: Lookups, where: str) -> Iterator[Finding]:
    servers = [host for _, host in lookups.mail_servers(sender.domain)]
    if servers == ["."]:
        what = "The domain says that it takes no mail (RFC 7505): bounces are lost, and many servers refuse its mail."
        yield Finding("problem", CHECK, where, what, "Give it a mail server, or send from another domain.")
    elif servers:
        yield Finding("ok", CHECK, where, f"Bounces and answers go to {', '.join(servers)}.")
    elif lookups.addresses(sender.domain):
        what = "There is no MX record: bounces and answers go to the host of this name, if it takes mail."
        yield Finding("warning", CHECK, where, what, "Publish an MX record that names the server which takes its mail.")
    else:
        what = "The domain has neither a mail server nor an address: many servers refuse its mail."
        yield Finding("problem", CHECK, where, what, "Check email-from; publish an MX record for its domain.")


_CHECKS: Final[dict[str, Callable[[SenderDomain, Lookups, str], Iterator[Finding]]]] = {
    "SPF": _spf,
    "DKIM": _dkim,
    "DMARC": _dmarc,
    "MX": _mx,
}
