"""Every answer of SendGrid's has its class, and nothing that breaks loses or doubles a mail: a server with a script."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.utils import formatdate
from typing import Any

import pytest
from transport_contract import envelope

from app.delivery.transports import sendgrid
from app.delivery.transports.base import Attachment, SendGridConfig, ThrottledError, TransportError
from app.delivery.transports.http_client import MAX_BODY
from app.delivery.transports.sendgrid import SendGridTransport
from app.delivery.transports.sendgrid_answers import retry_after
from tests.servers.sendgrid import KEY, USUAL, LeavesAfter, Pours, Raw, Says, SendGridServer, SilentServer, Step, Unread
from tests.servers.smtp import HOST, Drip, Drop, Hang

LARGE = (Attachment("large.bin", "application/octet-stream", bytes(8 * 1024 * 1024)),)


@contextmanager
def transport_to(url: str, **options: Any) -> Iterator[SendGridTransport]:
    config = SendGridConfig(options.pop("key", KEY), url, **{"timeout": 5.0, "data_timeout": 5.0, **options})
    with closing(SendGridTransport(config)) as transport:
        yield transport


def failure(transport: SendGridTransport, **changes: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        transport.send(envelope(**changes))
    assert KEY not in f"{caught.value}{caught.value!r}{caught.value.__cause__!r}{caught.value.response}"
    return caught.value


def errors(*pairs: tuple[str, str | None]) -> dict[str, Any]:
    return {"errors": [{"message": message, "field": field, "help": None} for message, field in pairs]}


ANSWERS = [
    (Says(400, errors(("The subject is required.", "subject"))), "permanent"),
    (Says(400, "no JSON"), "permanent"),
    (Says(413, errors(("too large", None))), "permanent"),
    (Says(415), "permanent"),
    (Says(422), "permanent"),
    (Says(408), "transient"),
    (Says(401, errors(("authorization required", None))), "configuration"),
    (Says(403, errors(("The from address does not match a verified Sender Identity.", "from"))), "configuration"),
    (Says(404), "configuration"),
    (Says(405), "configuration"),
    (Says(200, {"message": "a rehearsal"}), "configuration"),
    (Says(204), "configuration"),
    (Says(301, "", {"Location": "/v4"}), "configuration"),
    (Says(429, errors(("too many requests", None))), "throttled"),
    (Says(500, errors(("oops", None))), "transient"),
    (Says(502), "transient"),
    (Says(503), "transient"),
    (Says(599), "transient"),
]


@pytest.mark.parametrize(("answer", "kind"), ANSWERS, ids=lambda value: str(getattr(value, "status", value)))
def test_an_answer_has_its_class(answer: Says, kind: str) -> None:
    with SendGridServer(script=[answer, USUAL]) as server, transport_to(server.url) as transport:
        error = failure(transport)
        assert (error.kind, error.code) == (kind, answer.status)
        assert error.maybe_accepted == (answer.status == 502)
        assert error.connection_lost == (kind == "throttled"), "the rest of a batch is not tried"
        assert error.provider == "sendgrid"
        assert f"{HOST}:{server.port}" in str(error)
        # Whatever it was, the next mail leaves, over the same connection.
        transport.send(envelope())
        assert len(server.mails) == 1
        assert server.connections == 1


def test_a_refusal_has_sendgrids_words_and_fields() -> None:
    body = errors(("Does not contain\r\n a valid address.\x07", "from.email"), ("Too bad", None))
    with SendGridServer(script=[Says(400, body)]) as server, transport_to(server.url) as transport:
        error = failure(transport)
    assert error.response == "Does not contain a valid address. (from.email); Too bad"
    assert error.response in str(error)


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "5", '{"errors": 5}', '{"errors": [5, null, {}]}', "[" * 5000, "\ufffd" * 9000, "{"]
)
def test_a_refusal_in_any_other_form_is_a_refusal(body: str) -> None:
    with SendGridServer(script=[Says(400, body)]) as server, transport_to(server.url) as transport:
        error = failure(transport)
    assert error.kind == "permanent"
    assert len(error.response) <= 500


def test_a_page_for_a_browser_is_not_shown() -> None:
    page = Says(503, "<html><body>" + "x" * MAX_BODY * 2, {"Content-Type": "text/html"})
    with SendGridServer(script=[page]) as server, transport_to(server.url) as transport:
        assert failure(transport).response == ""


def test_an_answer_that_repeats_the_key_does_not_bring_it_into_the_error() -> None:
    echo = Says(401, errors((f"the key {KEY} is wrong", None)))
    with SendGridServer(script=[echo]) as server, transport_to(server.url) as transport:
        assert "***" in str(failure(transport))


def test_a_throttled_mail_waits_until_the_limit_is_reset() -> None:
    reset = Says(429, errors(("too many requests", None)), {"X-RateLimit-Reset": str(int(time.time()) + 90)})
    with SendGridServer(script=[reset]) as server, transport_to(server.url) as transport:
        error = failure(transport)
    assert isinstance(error, ThrottledError)
    assert error.retry_after is not None
    assert 60 < error.retry_after <= 91


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": "1800000042"}, 42.0),
        ({"Retry-After": "7", "X-RateLimit-Reset": "1800000042"}, 7.0),
        # Our clock is a day late: the answer's own date is what counts.
        ({"X-RateLimit-Reset": "1800086442", "Date": formatdate(NOW + 86400, usegmt=True)}, 42.0),
        ({"X-RateLimit-Reset": "1799999000"}, None),
        ({"X-RateLimit-Reset": "1800086400"}, 3600.0),
        ({"X-RateLimit-Reset": "1800000042000"}, 3600.0),
        ({"Retry-After": "9" * 15}, 3600.0),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "nan"}, None),
        ({"X-RateLimit-Reset": "1800000042", "Date": "once upon a time"}, 42.0),
        ({}, None),
    ],
)
def test_what_is_waited_is_what_the_headers_say_within_reason(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    "how", [Hang(), Drip(0.05), Drop(), Raw(b"HTTP/1.1 2"), Raw(b"220 smtp.example.org\r\n"), Raw(b"")]
)
def test_without_an_answer_the_outcome_is_open_and_nothing_is_sent_twice(how: Step) -> None:
    with SendGridServer(script=[how, USUAL]) as server, transport_to(server.url, data_timeout=0.5) as transport:
        error = failure(transport)
        assert (error.kind, error.connection_lost, error.maybe_accepted) == ("transient", True, True)
        assert len(server.requests) == 1, "it was sent twice"
        transport.send(envelope())
        assert (len(server.mails), server.connections) == (1, 2)


def test_a_connection_that_breaks_in_the_request_has_surely_not_taken_it() -> None:
    with SendGridServer(script=[Unread()]) as server, transport_to(server.url) as transport:
        error = failure(transport, attachments=LARGE)
        assert (error.kind, error.connection_lost, error.maybe_accepted) == ("connection", True, False)
        assert server.connections == 1


def test_a_server_that_does_not_read_is_given_up() -> None:
    with SilentServer() as server, transport_to(f"http://{HOST}:{server.port}", data_timeout=0.3) as transport:
        error = failure(transport, attachments=LARGE)
    assert (error.kind, error.maybe_accepted) == ("connection", False)
    assert "the time for it ran out" in str(error)


@pytest.mark.parametrize("how", [Pours(), Raw(b"HTTP/1.1 202 Accepted\r\nContent-Length: 99\r\n\r\nhalf"), Says(202)])
def test_accepted_is_accepted_whatever_follows(how: Step) -> None:
    with SendGridServer(script=[how, USUAL]) as server, transport_to(server.url) as transport:
        assert transport.send(envelope()).response == "202 Accepted"
        transport.send(envelope())
        assert len(server.mails) == 1


def test_a_kept_connection_that_the_server_closed_is_replaced() -> None:
    with SendGridServer(script=[LeavesAfter(), USUAL]) as server, transport_to(server.url) as transport:
        transport.send(envelope(subject="first"))
        assert server.left.wait(10)
        transport.send(envelope(subject="second"))
        assert [mail["subject"] for mail in server.mails] == ["first", "second"]
        assert server.connections == 2


def test_a_server_that_says_it_closes_is_believed() -> None:
    closing_answer = Says(202, "", {"Connection": "close"})
    with SendGridServer(script=[closing_answer, USUAL]) as server, transport_to(server.url) as transport:
        transport.send(envelope())
        transport.send(envelope())
        assert (len(server.requests), server.connections) == (2, 2)


def test_a_kept_connection_that_breaks_before_all_was_given_is_replaced_once() -> None:
    with SendGridServer(script=[USUAL, Unread(), USUAL]) as server, transport_to(server.url) as transport:
        transport.send(envelope())
        transport.send(envelope(attachments=LARGE))
        assert (len(server.mails), server.connections) == (2, 2)


def test_a_replaced_connection_that_breaks_too_is_an_error() -> None:
    with SendGridServer(script=[USUAL, Unread()]) as server, transport_to(server.url) as transport:
        transport.send(envelope())
        assert failure(transport, attachments=LARGE).kind == "connection"
        assert server.connections == 2


def test_a_kept_connection_that_breaks_after_all_was_given_is_not_used_for_a_second_try() -> None:
    with SendGridServer(script=[USUAL, Drop(), USUAL]) as server, transport_to(server.url) as transport:
        transport.send(envelope())
        assert failure(transport).maybe_accepted
        assert len(server.requests) == 2


def test_a_connection_that_rested_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with SendGridServer() as server, transport_to(server.url) as transport:
        transport.send(envelope())
        monkeypatch.setattr(sendgrid, "_MAX_REST_SECONDS", -1.0)
        transport.send(envelope())
        assert (len(server.mails), server.connections) == (2, 2)


def test_without_time_nothing_is_asked() -> None:
    with SendGridServer() as server, transport_to(server.url, data_timeout=0.0) as transport:
        error = failure(transport)
        assert (error.kind, error.maybe_accepted, server.requests) == ("connection", False, [])


def test_an_interrupted_mail_leaves_no_connection_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with SendGridServer() as server, transport_to(server.url) as transport:
        transport.send(envelope())

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("app.delivery.transports.http_client.read_body", interrupt)
            with pytest.raises(KeyboardInterrupt):
                transport.send(envelope())
        transport.send(envelope())
        assert server.connections == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(status: int) -> None:
    with (
        SendGridServer() as other,
        SendGridServer(script=[Says(status, "", {"Location": f"{other.url}/v3/mail/send"})]) as server,
        transport_to(server.url) as transport,
    ):
        error = failure(transport)
        assert error.kind == "configuration"
        assert "SENDGRID_API_URL" in str(error)
        assert (len(server.requests), other.connections) == (1, 0)


@pytest.mark.parametrize("target", ["http://[::1", "//", "\xff", "javascript:alert(1)", "", "http://user:x@[v1.a]/"])
def test_a_redirect_to_nowhere_is_only_a_wrong_answer(target: str) -> None:
    with SendGridServer(script=[Says(302, "", {"Location": target}), USUAL]) as server:
        with transport_to(server.url) as transport:
            assert failure(transport).kind == "configuration"
            transport.send(envelope())
        assert len(server.mails) == 1


@pytest.mark.parametrize("status", ["302 Found", "400 Bad Request", "503 Busy"])
def test_an_answer_without_an_end_is_read_in_part_only(status: str) -> None:
    with SendGridServer(script=[Pours(status)]) as server, transport_to(server.url, data_timeout=60.0) as transport:
        assert failure(transport).code == int(status[:3])


@pytest.mark.parametrize("key", ["SG.a\r\nX-Evil: 1", "SG. a", "schlüssel", "\x00", ""])
def test_what_is_no_key_is_said_without_showing_it(key: str) -> None:
    with SendGridServer() as server, transport_to(server.url, key=key) as transport:
        error = failure(transport)
        assert (error.kind, server.connections) == ("configuration", 0)
    assert "sendgrid-key" in str(error)
    assert not key or key not in str(error)
