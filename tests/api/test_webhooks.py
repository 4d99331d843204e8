"""SendGrid's webhook over HTTP: only what it signed just now is taken, each event once, in whatever order it comes."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.delivery.inbound.sendgrid_events import MAX_BODY
from app.delivery.inbound.sendgrid_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER
from app.models import Mail, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.events import (
    HARD,
    PATH,
    PUBLIC_KEY,
    configure_key,
    entries,
    hard,
    outcome,
    post_events,
    sent,
    signed_headers,
    soft_bounces,
    suppressed,
    told,
)


@pytest.fixture
def mail(client: FlaskClient) -> Mail:
    """A mail that SendGrid has taken, with the key in the settings."""
    configure_key()
    return sent()


def counts(answer: TestResponse) -> dict[str, int]:
    assert answer.status_code == 200, answer.text
    return {name: count for name, count in (answer.json or {}).items() if count}


def post(client: FlaskClient, body: bytes, **headers: str) -> TestResponse:
    return client.post(PATH, data=body, headers={**signed_headers(body), **headers})


def test_events_are_written_down_and_an_admin_sees_them(client: FlaskClient, mail: Mail, people: People) -> None:
    answer = post_events(client, told(mail, "processed"), told(mail, "delivered", response="250 OK"))
    assert counts(answer) == {"new": 2, "moved": 1}
    shown = Api(client).as_(people.admin()).get("/v1/mails/1?include=events").json
    assert shown["data"]["attributes"]["status"] == "delivered"
    last = [item["attributes"] for item in shown["included"]][-1]
    assert (last["event"], last["provider"], last["text"]) == ("delivered", "sendgrid", "250 OK")
    assert last["raw"]["sg_event_id"] == "delivered-1"


def test_a_recorded_request_told_again_changes_nothing(client: FlaskClient, mail: Mail) -> None:
    body = json.dumps([told(mail, "delivered"), hard(mail)]).encode()
    headers = signed_headers(body)
    assert counts(client.post(PATH, data=body, headers=headers)) == {"new": 2, "moved": 1}
    before = (outcome(mail), entries(mail), suppressed())
    for _ in range(3):
        assert counts(client.post(PATH, data=body, headers=headers)) == {"repeated": 2}
    assert (outcome(mail), entries(mail), suppressed()) == before


def test_in_any_order_doubled_and_in_pieces_the_end_is_the_same(client: FlaskClient, mail: Mail) -> None:
    ways = []
    for change in (lambda e: [e], lambda e: [e[::-1]], lambda e: [[each] for each in e + e[::-1]], lambda e: [e + e]):
        again = sent(f"user{len(ways)}@example.org")
        events = [told(again, kind) for kind in ("processed", "deferred", "delivered", "spamreport")] + [hard(again)]
        for part in change(events):
            assert post_events(client, *part).status_code == 200
        ways.append((outcome(again), sorted(entries(again)), suppressed()[again.recipient], soft_bounces()))
    assert ways == [ways[0]] * len(ways)
    assert ways[0][0] == "complained"


def test_the_same_told_to_several_processes_at_once_is_written_once(app: Flask, mail: Mail) -> None:
    events = [told(mail, kind) for kind in ("processed", "delivered", "deferred")]

    def tell(_: int) -> dict[str, int]:
        return counts(post_events(app.test_client(), *events))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(tell, range(8)))
    assert sum(answer.get("new", 0) for answer in answers) == 3
    assert sum(answer.get("moved", 0) for answer in answers) == 1
    assert sorted(entries(mail)) == ["deferred", "delivered", "sent"]


def test_what_is_forged_or_changed_or_unsigned_or_late_is_refused(client: FlaskClient, mail: Mail) -> None:
    body = json.dumps([hard(mail)]).encode()
    good, late = signed_headers(body), signed_headers(body, age=301)
    refused = [
        client.post(PATH, data=body, headers={"Content-Type": "application/json"}),
        client.post(PATH, data=body, headers={**good, SIGNATURE_HEADER: ""}),
        client.post(PATH, data=body, headers={**good, SIGNATURE_HEADER: "Zm9yZ2Vk"}),
        client.post(PATH, data=body, headers={**good, SIGNATURE_HEADER: "%%%"}),
        client.post(PATH, data=body, headers={**good, SIGNATURE_HEADER: signed_headers(b"[]")[SIGNATURE_HEADER]}),
        client.post(PATH, data=body, headers={**good, TIMESTAMP_HEADER: "1" + good[TIMESTAMP_HEADER]}),
        client.post(PATH, data=body + b" ", headers=good),
        client.post(PATH, data=body[:-1], headers=good),
        client.post(PATH, data=body, headers=late),
    ]
    for answer in refused:
        [error] = errors_of(answer)
        assert (answer.status_code, error["title"]) == (403, "Forbidden")
    assert "300 seconds" in refused[-1].text
    assert (outcome(mail), entries(mail), suppressed()) == ("sent", [], {})
    assert counts(post_events(client, hard(mail), age=290)) == {"new": 1, "moved": 1}


@pytest.mark.parametrize("body", [b'[{"event": "x"', b"", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b"[NaN]"])
def test_a_signed_body_that_is_no_list_of_events_is_400(client: FlaskClient, mail: Mail, body: bytes) -> None:
    answer = post(client, body)
    assert (answer.status_code, len(errors_of(answer))) == (400, 1)


def test_one_event_that_is_malformed_is_counted_and_takes_no_other_down(client: FlaskClient, mail: Mail) -> None:
    odd: list[Any] = [None, 7, {}, {"event": "delivered"}, told(mail, "click"), told(mail, "x", email="nobody")]
    assert counts(post_events(client, *odd, told(mail, "delivered"))) == {"new": 1, "moved": 1, "skipped": 6}


def test_a_body_larger_than_any_of_sendgrids_is_413(client: FlaskClient, mail: Mail) -> None:
    answer = post(client, b" " * (MAX_BODY + 1))
    assert (answer.status_code, len(errors_of(answer))) == (413, 1)
    large = [told(mail, "delivered", f"id-{number}", padding="x" * 1000) for number in range(1500)]
    assert counts(post_events(client, *large)) == {"new": 1500, "moved": 1}


def test_without_a_key_or_with_one_that_is_none_nothing_is_taken_and_it_is_to_be_told_again(
    client: FlaskClient,
) -> None:
    mail = sent()
    for key in (None, "no key"):
        db.session.execute(text("UPDATE settings SET sendgrid_webhook_key = :key"), {"key": key})
        db.session.commit()
        answer = post_events(client, told(mail, "delivered"))
        assert answer.status_code == 503, answer.text
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), answer.text
        assert "key" in answer.text
    assert entries(mail) == []


def test_nothing_of_a_body_is_in_the_log(client: FlaskClient, mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        post_events(client, hard(mail), {"event": "Mara's secret", "email": "mara@example.org"})
        client.post(PATH, json=[hard(mail)])
    assert "SendGrid told of" in caplog.text
    for secret in ("ana@example.org", "mara", "Mara", HARD):
        assert secret not in caplog.text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("email", "timestamp", "sg_event_id", "sg_message_id", "mail_id", "message_id", "smtp-id", "reason")
ODD = ["\x00", "\ud800", "9" * 30, -1, 2**63, 4_102_444_799, 1_230_768_000, "ana@example.org", "a" * 300, "delivered"]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["delivered", "bounce", "dropped", "spamreport"]).flatmap(
            lambda kind: st.tuples(
                st.just(kind), st.dictionaries(st.sampled_from(NAMES), VALUES | st.sampled_from(ODD), max_size=4)
            )
        )
        | VALUES,
        max_size=4,
    )
)
def test_no_signed_body_whatever_is_in_it_is_an_error_of_the_server(
    client: FlaskClient, mail: Mail, items: list[Any]
) -> None:
    events = [told(mail, item[0], **item[1]) if isinstance(item, tuple) else item for item in items]
    answer = post(client, json.dumps(events).encode())
    assert answer.status_code == 200, answer.text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.text(max_size=100).map(str.encode)
    | VALUES.map(lambda value: json.dumps(value).encode())
)
def test_no_bytes_whatever_they_are_are_an_error_of_the_server(client: FlaskClient, mail: Mail, body: bytes) -> None:
    assert post(client, body).status_code in (200, 400)


def test_an_admin_sets_the_key_and_what_is_none_is_refused(api: Api, people: People) -> None:
    admin = api.as_(people.admin())
    lines = f"-----BEGIN PUBLIC KEY-----\n{PUBLIC_KEY}\n-----END PUBLIC KEY-----\n"
    for value in (PUBLIC_KEY, lines, None):
        answer = admin.update("/v1/settings/1", "setting", 1, sendgrid_webhook_key=value)
        assert answer.json["data"]["attributes"]["sendgrid-webhook-key"] == (value and value.strip())
    for value in ("", "no key", "AAAA", 7, PUBLIC_KEY[:-8]):
        answer = admin.update("/v1/settings/1", "setting", 1, sendgrid_webhook_key=value)
        assert (answer.status_code, pointer_of(answer)) == (422, "/data/attributes/sendgrid-webhook-key")
