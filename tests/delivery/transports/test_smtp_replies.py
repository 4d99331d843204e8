"""Every answer at every step has its class, and none loses or doubles a mail: against a server with a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from transport_contract import envelope

from app.delivery.transports.base import (
    PermanentError,
    Receipt,
    SmtpConfig,
    ThrottledError,
    TransportError,
    clean_response,
)
from app.delivery.transports.smtp import SmtpTransport
from app.delivery.transports.smtp_replies import parse_reply
from tests.servers.smtp import HOST, Drip, Drop, Hang, Raw, ScriptedSmtp, Step

OFFERS = {"one by one": ("8BITMIME",), "pipelining": ("PIPELINING", "SIZE 100000")}


@contextmanager
def transport_to(server: ScriptedSmtp, timeout: float = 5.0) -> Iterator[SmtpTransport]:
    config = SmtpConfig(HOST, server.port, encryption="none", timeout=timeout, data_timeout=timeout, allow_private=True)
    with closing(SmtpTransport(config)) as transport:
        yield transport


def failure(transport: SmtpTransport, **changes: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        transport.send(envelope(**changes))
    return caught.value


@pytest.fixture(params=OFFERS)
def offers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return OFFERS[request.param]


REPLIES = [
    ("421 4.3.2 Shutting down", "connection"),
    ("421 4.7.0 Too much from your address", "throttled"),
    ("450 4.2.0 Greylisted, try again in 300 seconds", "transient"),
    ("450 4.2.1 Mailbox busy", "transient"),
    ("451 4.7.1 Greylisting in action, come back later", "transient"),
    ("451 4.7.500 Server busy: rate limit exceeded", "throttled"),
    ("450 Too many messages, slow down", "throttled"),
    ("452 4.3.1 Insufficient system storage", "transient"),
    ("452 4.5.3 Too many recipients", "transient"),
    ("454 4.7.0 TLS not available", "transient"),
    ("471 odd", "transient"),
    ("500 5.5.2 what", "permanent"),
    ("530 5.7.0 Authentication required", "configuration"),
    ("535 5.7.8 Authentication failed", "configuration"),
    ("538 5.7.11 Encryption required", "configuration"),
    ("550 5.1.1 User unknown", "permanent"),
    ("551 5.1.6 User has moved", "permanent"),
    ("552 5.3.4 Message too big", "permanent"),
    ("553 5.1.3 Bad address", "permanent"),
    ("554 5.7.1 Spam", "permanent"),
    ("hello there", "connection"),
]


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "message"])
@pytest.mark.parametrize(("answer", "kind"), REPLIES)
def test_an_answer_has_its_class_at_every_step(offers: tuple[str, ...], step: str, answer: str, kind: str) -> None:
    unclear = step == "message" and answer == "hello there"
    with ScriptedSmtp(*offers, **{step: [answer, USUAL_OK[step]]}) as server, transport_to(server) as transport:
        error = failure(transport)
        assert error.kind == ("transient" if unclear else kind)
        assert error.maybe_accepted == unclear
        assert error.connection_lost == (answer.startswith("421") or answer == "hello there")
        assert server.messages == []
        assert f"{HOST}:{server.port}" in str(error)
        if answer[0].isdigit():
            assert error.code == int(answer[:3])
            assert answer in str(error)
        # Whatever it was, the next mail leaves: over the same connection, or over a new one.
        transport.send(envelope(subject="the next one"))
        assert len(server.messages) == 1
        assert server.connections == (2 if error.connection_lost else 1)


USUAL_OK = {"mail": "250 ok", "rcpt": "250 ok", "data": "354 go", "message": "250 ok"}


def test_a_refusal_has_its_parts() -> None:
    answer = "550-5.1.1 The user\r\n550 5.1.1 is unknown\x07 here"
    with ScriptedSmtp(rcpt=answer) as server, transport_to(server) as transport:
        error = failure(transport)
    assert (error.code, error.enhanced, error.response) == (550, "5.1.1", "The user is unknown here")
    assert error.provider == "smtp"
    assert "bob@example.org" in str(error)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("retry in 90 seconds", 90.0), ("try again in 5 minutes", 300.0), ("later", None), ("in 99999 minutes", 3600.0)],
)
def test_a_server_may_say_when_it_takes_more(text: str, seconds: float | None) -> None:
    with ScriptedSmtp(mail=f"450 4.7.1 Rate limit exceeded, {text}") as server, transport_to(server) as transport:
        error = failure(transport)
    assert isinstance(error, ThrottledError)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ({"greeting": "554 5.3.2 No service"}, "connection"),
        ({"greeting": "421 4.3.2 Too busy"}, "connection"),
        ({"greeting": "421 4.7.0 Too many connections"}, "throttled"),
        ({"greeting": "450 busy"}, "connection"),
        ({"greeting": Raw(b"SSH-2.0-OpenSSH_9.2\r\n")}, "connection"),
        ({"greeting": Raw(b"\x15\x03\x01\x00\x02\x02\n")}, "connection"),
        ({"greeting": Raw(b"220-" + b"x" * 70_000 + b"\r\n")}, "connection"),
        ({"greeting": Raw(b"220-endless\r\n" * 10_000)}, "connection"),
        ({"greeting": Drop()}, "connection"),
        ({"ehlo": "421 4.3.2 no", "helo": "421 no"}, "connection"),
        ({"ehlo": "550 5.7.1 Go away", "helo": "550 5.7.1 Go away"}, "connection"),
        ({"ehlo": Raw(b"what?\r\n")}, "connection"),
        ({"ehlo": Drop()}, "connection"),
    ],
)
def test_a_server_that_does_not_let_us_in_is_away(script: dict[str, Step], kind: str) -> None:
    with ScriptedSmtp(**script) as server, transport_to(server) as transport:
        error = failure(transport)
    assert (error.kind, error.connection_lost, error.maybe_accepted) == (kind, True, False)


def test_a_server_that_knows_only_helo_is_served() -> None:
    with ScriptedSmtp(ehlo="502 5.5.1 unknown") as server, transport_to(server) as transport:
        transport.send(envelope())
        assert len(server.messages) == 1


@pytest.mark.parametrize("how", [Hang(), Drip(0.05)])
@pytest.mark.parametrize("step", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_a_server_that_hangs_before_the_message_has_surely_not_taken_it(
    offers: tuple[str, ...], step: str, how: Step
) -> None:
    with ScriptedSmtp(*offers, **{step: how}) as server, transport_to(server, timeout=0.3) as transport:
        error = failure(transport)
        assert server.messages == []
    assert (error.kind, error.connection_lost, error.maybe_accepted) == ("connection", True, False)
    assert "the time for it ran out" in str(error)


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
def test_a_new_connection_that_drops_is_not_tried_twice(offers: tuple[str, ...], step: str) -> None:
    with ScriptedSmtp(*offers, **{step: Drop()}) as server, transport_to(server) as transport:
        error = failure(transport)
        assert server.connections == 1
    assert (error.kind, error.maybe_accepted) == ("connection", False)


@pytest.mark.parametrize("how", [Hang(), Drop(), Drip(0.05), Raw(b""), Raw(b"250 half a line")])
def test_after_the_final_dot_a_lost_connection_leaves_the_outcome_open(offers: tuple[str, ...], how: Step) -> None:
    with ScriptedSmtp(*offers, message=[how, "250 ok"]) as server, transport_to(server, timeout=0.3) as transport:
        error = failure(transport)
        assert (error.kind, error.connection_lost, error.maybe_accepted) == ("transient", True, True)
        assert server.mails_offered == 1, "it was sent twice"
        transport.send(envelope())
        assert server.connections == 2


def test_a_connection_that_breaks_in_the_message_has_surely_not_taken_it() -> None:
    with ScriptedSmtp(in_data=Drop()) as server, transport_to(server) as transport:
        error = failure(transport, text="long text\n" * 1_000_000)
    assert (error.kind, error.connection_lost, error.maybe_accepted) == ("connection", True, False)


def test_a_server_that_breaks_off_the_message_may_say_why() -> None:
    script: dict[str, Any] = {"in_data": ["552 5.3.4 That is too much", Hang()]}
    with ScriptedSmtp(**script) as server, transport_to(server, timeout=0.5) as transport:
        error = failure(transport, text="long text\n" * 2_000_000)
    assert (error.kind, error.code) == ("permanent", 552)


@pytest.mark.parametrize("how", [Drop(), "421 4.4.2 Timeout exceeded"])
def test_a_kept_connection_that_died_is_replaced_once(offers: tuple[str, ...], how: Step) -> None:
    with ScriptedSmtp(*offers, mail=["250 ok", how, "250 ok"]) as server, transport_to(server) as transport:
        transport.send(envelope(subject="first"))
        transport.send(envelope(subject="second"))
        assert len(server.messages) == 2
        assert server.connections == 2


def test_a_replaced_connection_that_dies_too_is_an_error() -> None:
    with ScriptedSmtp(mail=["250 ok", Drop()]) as server, transport_to(server) as transport:
        transport.send(envelope())
        assert failure(transport).kind == "connection"
        assert server.connections == 2
        assert len(server.messages) == 1


def test_a_refused_blind_copy_is_noted_and_the_mail_leaves(offers: tuple[str, ...]) -> None:
    rcpt: list[Step] = ["250 ok", "550 5.1.1 unknown", "250 ok"]
    with ScriptedSmtp(*offers, rcpt=rcpt) as server, transport_to(server) as transport:
        receipt: Receipt = transport.send(envelope(bcc=("eve@example.org", "dan@example.org")))
        assert len(server.messages) == 1
    assert receipt.note == "The server refused these blind copies: eve@example.org (550 5.1.1 unknown)"


def test_blind_copies_do_not_get_what_the_recipient_was_refused(offers: tuple[str, ...]) -> None:
    rcpt: list[Step] = ["550 5.1.1 unknown", "250 ok"]
    with ScriptedSmtp(*offers, rcpt=rcpt) as server, transport_to(server) as transport:
        assert isinstance(failure(transport, bcc=("eve@example.org",)), PermanentError)
        assert "DATA" not in server.commands
        assert server.messages == []
        transport.send(envelope())
        assert server.connections == 1


@pytest.mark.parametrize("step", ["mail", "rcpt"])
def test_a_server_that_wants_a_message_it_has_refused_gets_none(step: str) -> None:
    # It answers 354 to a DATA that went ahead, although it refused what came before.
    script: dict[str, Any] = {step: ["550 5.1.1 no", "250 ok"], "data": "354 go ahead"}
    with ScriptedSmtp("PIPELINING", **script) as server, transport_to(server) as transport:
        assert isinstance(failure(transport), PermanentError)
        transport.send(envelope())
        assert len(server.messages) == 1
        assert server.connections == 2


def test_a_mail_to_one_recipient_takes_two_packets_with_pipelining() -> None:
    with ScriptedSmtp("PIPELINING") as server, transport_to(server) as transport:
        transport.send(envelope())
        server.packets.clear()
        transport.send(envelope())
        assert len(server.packets) == 2


def test_a_message_over_the_servers_limit_is_not_offered() -> None:
    with ScriptedSmtp("SIZE 1000") as server, transport_to(server) as transport:
        error = failure(transport, text="x" * 2000)
        assert isinstance(error, PermanentError)
        assert "1000 octets" in str(error)
        assert server.mails_offered == 0
        transport.send(envelope())


def test_lines_with_dots_arrive_as_they_were() -> None:
    with ScriptedSmtp() as server, transport_to(server) as transport:
        transport.send(envelope(text=".first\n..second\nlast\n."))
        content = server.messages[0]
    assert b"\r\n..first" in content
    assert b"\r\n...second" in content


def test_an_interrupted_mail_leaves_no_connection_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedSmtp() as server, transport_to(server) as transport:
        transport.send(envelope())

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("app.delivery.transports.smtp_client.Connection.write", interrupt)
            with pytest.raises(KeyboardInterrupt):
                transport.send(envelope())
        transport.send(envelope())
        assert server.connections == 2
        assert len(server.messages) == 2


def test_a_closing_server_that_hangs_does_not_keep_us() -> None:
    with ScriptedSmtp(quit=Hang()) as server, transport_to(server) as transport:
        transport.send(envelope())
        transport.close()
        assert len(server.messages) == 1


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        ("250 2.0.0 Ok: queued as 4XyZ12abc", "4XyZ12abc"),
        ("250 OK id=1rABCD-000123-AB", "1rABCD-000123-AB"),
        ("250 2.0.0 Message accepted for delivery", "Message accepted for delivery"),
        ("250 2.0.0", None),
    ],
)
def test_a_receipt_names_the_mail_as_the_server_does(text: str, queue_id: str | None) -> None:
    with ScriptedSmtp(message=text) as server, transport_to(server) as transport:
        assert transport.send(envelope()).provider_message_id == queue_id


def test_an_answer_is_shown_on_one_bounded_line() -> None:
    assert clean_response("a\r\nb\x00\u202ec\t d") == "a b c d"
    assert len(clean_response("x" * 5000)) == 500
    assert parse_reply(550, b"\xff\xfe").response


@pytest.mark.parametrize("how", [Drop(), "500 5.5.1 what"])
def test_a_connection_that_cannot_be_reset_is_replaced(offers: tuple[str, ...], how: Step) -> None:
    script: dict[str, Any] = {"rcpt": ["550 5.1.1 unknown", "250 ok"], "rset": how}
    with ScriptedSmtp(*offers, **script) as server, transport_to(server) as transport:
        assert failure(transport).kind == "permanent"
        transport.send(envelope())
        assert len(server.messages) == 1
        assert server.connections == 2


@pytest.mark.parametrize(
    ("host_name", "configured", "said"),
    [
        ("web1.example.org", None, "web1.example.org"),
        ("web1", None, f"[{HOST}]"),
        ("web1", "mail.example.org", "mail.example.org"),
    ],
)
def test_the_server_is_greeted_by_a_full_name_or_an_address(
    monkeypatch: pytest.MonkeyPatch, host_name: str, configured: str | None, said: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host_name)
    with ScriptedSmtp() as server:
        config = SmtpConfig(HOST, server.port, encryption="none", local_hostname=configured, allow_private=True)
        with closing(SmtpTransport(config)) as transport:
            transport.send(envelope())
        assert server.commands[0].lower() == f"ehlo {said}"
