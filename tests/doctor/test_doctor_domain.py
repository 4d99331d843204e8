"""What the doctor reads in the records of the domain that mails come from."""

from __future__ import annotations

from pathlib import Path

import dns.resolver
import pytest

from app.doctor.findings import Finding
from app.doctor.lookups import Lookups, NotAskedError
from app.doctor.sender_domain import SenderDomain, check_sender_domain
from app.doctor.spf import SpfError, evaluate
from tests.servers.dns import NameServer, Records

DOMAIN = "harbour.org"
SMTP = SenderDomain(DOMAIN, "smtp.harbour.org", is_production=True)
SENDGRID = SenderDomain(DOMAIN, None, is_production=True)
# An address of the public Internet; nothing is ever sent to it.
ADDRESS = "8.8.4.4"
USUAL: Records = {
    ("org", "NS"): ["a0.org.afilias-nst.info."],
    (DOMAIN, "TXT"): ['"some-verification=1"', '"v=spf1 mx ip4:8.8.4.0/24 -all"'],
    (DOMAIN, "MX"): ["20 mx2.harbour.org.", "10 mx1.harbour.org."],
    ("_dmarc.harbour.org", "TXT"): ['"v=DMARC1; p=reject; rua=mailto:dmarc@harbour.org"'],
    ("smtp.harbour.org", "A"): [ADDRESS],
    ("mx1.harbour.org", "A"): ["9.9.9.9"],
    ("mx2.harbour.org", "A"): ["9.9.9.10"],
}
KEYS: Records = {
    (f"{selector}._domainkey.harbour.org", "CNAME"): [f"{selector}.domainkey.u1.wl.sendgrid.net."]
    for selector in ("s1", "s2")
}


def without(*keys: tuple[str, str]) -> Records:
    return {key: value for key, value in USUAL.items() if key not in keys}


def check(records: Records, sender: SenderDomain = SMTP, fails: tuple[str, ...] = ()) -> dict[str, Finding]:
    """The findings by record."""
    with NameServer(records, fails) as server:
        found = check_sender_domain(sender, Lookups(server.resolver()))
    for finding in found:
        assert finding.advice or finding.level == "ok"
    return {finding.where.split()[0]: finding for finding in found}


def test_a_domain_as_it_should_be_is_in_order() -> None:
    found = check(USUAL)
    assert {record: finding.level for record, finding in found.items()} == dict.fromkeys(
        ("SPF", "DKIM", "DMARC", "MX"), "ok"
    )
    assert "lets smtp.harbour.org send (8.8.4.4)" in found["SPF"].what
    assert "mx1.harbour.org, mx2.harbour.org" in found["MX"].what
    assert "reject" in found["DMARC"].what
    assert "Authentication-Results" in found["DKIM"].advice


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        ([], "warning", "no SPF record"),
        (['"v=spf1 -all"', '"v=spf1 a ~all"'], "problem", "2 SPF records"),
        (['"v=spf1 +all"'], "problem", "lets anybody send"),
        (['"v=spf1 all"'], "problem", "lets anybody send"),
        (['"v=spf1 ip4:9.9.9.9 -all"'], "warning", "does not let smtp.harbour.org send: 8.8.4.4 (fail)"),
        (['"v=spf1 ip4:9.9.9.9"'], "warning", "8.8.4.4 (neutral)"),
        (['"v=spf1 ip4:300.1.1.1 -all"'], "problem", "broken"),
        (['"v=spf1 include:nobody.harbour.org -all"'], "problem", "nobody.harbour.org, which has no SPF record"),
        (['"v=spf1 exists:%{i}.spf.harbour.org -all"'], "ok", "hangs on the very mail"),
        (['"v=spf1 a:smtp.harbour.org -all"'], "ok", "lets smtp.harbour.org send"),
        (['"v=spf1 " "ip4:8.8.4.4 -all"'], "ok", "lets smtp.harbour.org send"),
        (['"v=spf10 -all"'], "warning", "no SPF record"),
    ],
)
def test_each_kind_of_spf_record_is_judged(records: list[str], level: str, words: str) -> None:
    found = check({**USUAL, (DOMAIN, "TXT"): records})["SPF"]
    assert found.level == level
    assert words in found.what


def test_a_server_without_a_public_address_cannot_be_compared() -> None:
    found = check(USUAL, SenderDomain(DOMAIN, "127.0.0.1", is_production=True))["SPF"]
    assert (found.level, "cannot be told" in found.what) == ("ok", True)


@pytest.mark.parametrize(
    ("record", "level"),
    [("v=spf1 include:sendgrid.net ~all", "ok"), ("v=spf1 ip4:9.9.9.9 -all", "warning")],
)
def test_spf_for_sendgrid_wants_its_servers(record: str, level: str) -> None:
    records = {**USUAL, (DOMAIN, "TXT"): [f'"{record}"'], ("sendgrid.net", "TXT"): ['"v=spf1 ip4:9.9.8.0/24 ~all"']}
    assert check(records, SENDGRID)["SPF"].level == level


def test_a_domain_that_is_authenticated_at_sendgrid_needs_no_spf_of_its_own() -> None:
    found = check({**without((DOMAIN, "TXT")), **KEYS}, SENDGRID)
    assert (found["SPF"].level, found["DKIM"].level) == ("ok", "ok")


def test_a_key_of_sendgrid_that_is_missing_is_named() -> None:
    found = check({**USUAL, **dict([*KEYS.items()][:1])}, SENDGRID)["DKIM"]
    assert found.level == "warning"
    assert "s2._domainkey.harbour.org" in found.what
    assert "s1._domainkey.harbour.org" not in found.what


def test_a_key_that_leads_elsewhere_is_no_key_of_sendgrid() -> None:
    other: Records = {(f"{name}._domainkey.harbour.org", "CNAME"): ["key.notsendgrid.net."] for name in ("s1", "s2")}
    assert check({**USUAL, **other}, SENDGRID)["DKIM"].level == "warning"


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        ([], "warning", "no DMARC record"),
        (['"v=DMARC1; p=none"'], "ok", "policy is none"),
        (['"v=DMARC1 ; p = quarantine"'], "ok", "policy is quarantine"),
        (['"v=DMARC1; rua=mailto:a@harbour.org"'], "warning", "no policy"),
        (['"v=DMARC1; p=block"'], "warning", "no policy"),
        (['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'], "warning", "2 DMARC records"),
    ],
)
def test_each_kind_of_dmarc_record_is_judged(records: list[str], level: str, words: str) -> None:
    found = check({**USUAL, ("_dmarc.harbour.org", "TXT"): records})["DMARC"]
    assert found.level == level
    assert words in found.what


def test_a_domain_below_follows_the_policy_for_such_of_the_one_above() -> None:
    records = {**USUAL, ("_dmarc.harbour.org", "TXT"): ['"v=DMARC1; p=reject; sp=none"']}
    found = check(records, SenderDomain("news.harbour.org", "smtp.harbour.org", is_production=True))["DMARC"]
    assert "policy is none (at _dmarc.harbour.org)" in found.what


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        ({(DOMAIN, "MX"): ["0 ."]}, "problem", "takes no mail"),
        ({(DOMAIN, "A"): [ADDRESS]}, "warning", "no MX record"),
        ({}, "problem", "neither a mail server nor an address"),
    ],
)
def test_a_domain_that_takes_no_mail_is_told(records: Records, level: str, words: str) -> None:
    found = check({**without((DOMAIN, "MX")), **records})["MX"]
    assert found.level == level
    assert words in found.what


@pytest.mark.parametrize("domain", ["example.org", "events.example.org", "localhost", "mail.test"])
def test_a_reserved_domain_is_a_problem_in_production_and_is_never_asked_for(domain: str) -> None:
    with NameServer(USUAL) as server:
        lookups = Lookups(server.resolver())
        (there,) = check_sender_domain(SenderDomain(domain, None, is_production=True), lookups)
        (elsewhere,) = check_sender_domain(SenderDomain(domain, None, is_production=False), lookups)
        assert server.asked == []
    assert (there.level, elsewhere.level) == ("problem", "ok")


def test_a_name_server_that_fails_for_one_name_leaves_the_others_to_be_judged() -> None:
    found = check(USUAL, fails=("_dmarc.harbour.org",))
    assert "could not be asked" in found["DMARC"].what
    assert {record: finding.level for record, finding in found.items()} == {
        "SPF": "ok",
        "DKIM": "ok",
        "DMARC": "warning",
        "MX": "ok",
    }


def test_a_silent_name_server_is_asked_once_and_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doctor.lookups.SECONDS", 0.2)
    with NameServer(USUAL, is_silent=True) as server:
        found = check_sender_domain(SENDGRID, Lookups(server.resolver()))
        assert {name for name, _ in server.asked} == {"org"}
    assert {finding.level for finding in found} == {"warning"}
    assert all("could not be asked" in finding.what for finding in found)


def test_the_name_server_of_a_closed_network_makes_no_problem() -> None:
    found = check({("intranet.example", "A"): ["10.0.0.1"]})
    assert {finding.level for finding in found.values()} == {"warning"}
    assert all("does not know the top level domain 'org'" in finding.what for finding in found.values())


def test_the_advice_for_a_server_named_by_its_address_names_a_network() -> None:
    for host, mechanism in ((ADDRESS, "ip4:8.8.4.4"), ("2001:4860:4860::1", "ip6:2001:4860:4860::1")):
        found = check(without((DOMAIN, "TXT")), SenderDomain(DOMAIN, host, is_production=True))["SPF"]
        assert f"v=spf1 {mechanism} ~all" in found.advice


def test_no_question_is_asked_when_the_time_for_all_is_over() -> None:
    with NameServer(USUAL) as server:
        with pytest.raises(NotAskedError, match="the time for all"):
            Lookups(server.resolver(), total=0.0).texts(DOMAIN)
        assert server.asked == []


def test_a_host_without_a_name_server_cannot_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unconfigured() -> dns.resolver.Resolver:
        return usual(str(tmp_path / "resolv.conf"))

    usual = dns.resolver.Resolver
    monkeypatch.setattr(dns.resolver, "Resolver", unconfigured)
    with pytest.raises(NotAskedError, match="no name server"):
        Lookups().texts(DOMAIN)


@pytest.mark.parametrize("name", ["a..harbour.org", f"{'x' * 64}.harbour.org", ".".join(["abcdefgh"] * 40)])
def test_what_cannot_be_a_name_is_not_asked(name: str) -> None:
    with NameServer(USUAL) as server, pytest.raises(NotAskedError, match="cannot be looked up"):
        Lookups(server.resolver()).texts(name)


SPF_ZONE: Records = {
    ("a.org", "TXT"): ['"v=spf1 a/24 -all"'],
    ("a.org", "A"): ["8.8.4.200"],
    ("mx.org", "TXT"): ['"v=spf1 mx//64 ~all"'],
    ("mx.org", "MX"): ["10 host.mx.org."],
    ("host.mx.org", "AAAA"): ["2001:4860:4860::1"],
    ("redirect.org", "TXT"): ['"v=spf1 redirect=a.org"'],
    ("lost.org", "TXT"): ['"v=spf1 redirect=none.org"'],
    ("deep.org", "TXT"): ['"v=spf1 ?include:a.org include:redirect.org -all"'],
    ("loop.org", "TXT"): ['"v=spf1 include:loop.org -all"'],
    ("many.org", "TXT"): ['"v=spf1 ' + " ".join(f"exists:n{n}.org" for n in range(11)) + ' -all"'],
    ("unknown.org", "TXT"): ['"v=spf1 ipv4:8.8.4.4 -all"'],
    ("modifier.org", "TXT"): ['"v=spf1 exp=why.org x=y IP4:8.8.4.4 -ALL"'],
    ("soft.org", "TXT"): ['"v=spf1 include:mx.org -all"'],
    ("ptr.org", "TXT"): ['"v=spf1 ptr ?all"'],
    ("nothing.org", "TXT"): ['"hello"'],
}


@pytest.mark.parametrize(
    ("domain", "address", "verdict"),
    [
        ("a.org", "8.8.4.4", "pass"),
        ("a.org", "8.8.5.4", "fail"),
        ("a.org", "2001:4860:4860::1", "fail"),
        ("mx.org", "2001:4860:4860::2", "pass"),
        ("mx.org", "2001:4860:4861::2", "softfail"),
        ("redirect.org", "8.8.4.4", "pass"),
        ("deep.org", "8.8.4.4", "neutral"),
        ("deep.org", "8.8.5.4", "fail"),
        ("modifier.org", "8.8.4.4", "pass"),
        ("modifier.org", "8.8.4.5", "fail"),
        ("soft.org", "8.8.4.4", "fail"),
        ("ptr.org", "8.8.4.4", "neutral"),
        ("nothing.org", "8.8.4.4", "none"),
    ],
)
def test_spf_is_evaluated_as_a_recipient_does(domain: str, address: str, verdict: str) -> None:
    with NameServer(SPF_ZONE) as server:
        assert evaluate(Lookups(server.resolver()), domain, address)[0] == verdict


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("loop.org", "more than 10 look-ups"),
        ("many.org", "more than 10 look-ups"),
        ("unknown.org", "no term of SPF"),
        ("lost.org", "none.org, which has no SPF record"),
    ],
)
def test_a_broken_spf_record_says_how(domain: str, words: str) -> None:
    with NameServer(SPF_ZONE) as server, pytest.raises(SpfError, match=words):
        evaluate(Lookups(server.resolver()), domain, "8.8.4.4")
