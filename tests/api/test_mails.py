"""The admin's mail log."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from app.api.helpers.mail import send_email
from app.models import Mail, MailEvent, db
from app.models.base import utc_now
from app.models.mail import BULK
from tests.conftest import People
from tests.support.api import Api

ATTRIBUTES = {
    "recipient",
    "time",
    "action",
    "subject",
    "message",
    "language",
    "status",
    "lane",
    "attempts",
    "retries",
    "provider",
    "provider-message-id",
    "error-class",
    "last-error",
    "next-attempt-at",
    "give-up-at",
    "sent-at",
    "body-removed-at",
}


def queue(recipient: str = "ana@example.org", action: str = "Test") -> Mail:
    mail = send_email(recipient, action, f"To {recipient}", "<p>Hello</p>")
    db.session.commit()
    assert mail is not None
    return mail


def test_the_log_has_the_contracts_attributes_newest_first(api: Api, people: People) -> None:
    made = [queue(f"{name}@example.org") for name in ("ana", "ben")]
    answer = api.as_(people.admin()).get("/v1/mails")
    assert [item["id"] for item in answer.json["data"]] == [str(mail.id) for mail in reversed(made)]
    item = answer.json["data"][0]
    assert item["type"] == "mail"
    assert set(item["attributes"]) == ATTRIBUTES
    assert (item["attributes"]["status"], item["attributes"]["attempts"]) == ("queued", 0)
    assert (item["attributes"]["lane"], item["attributes"]["retries"]) == ("transactional", 0)
    assert item["attributes"]["sent-at"] is None
    assert answer.json["meta"] == {"count": 2}
    one = api.as_(people.user("second@example.org", admin=True)).get(f"/v1/mails/{made[0].id}").json["data"]
    assert one == answer.json["data"][1]


def test_hidden_columns_are_not_shown(api: Api, people: People) -> None:
    mail = queue()
    mail.bcc, mail.secret, mail.text = ["hidden-bcc@example.org"], "hidden-token", "hidden-text"
    db.session.commit()
    text = api.as_(people.admin()).get(f"/v1/mails/{mail.id}").text
    assert not any(hidden in text for hidden in ("hidden-bcc", "hidden-token", "hidden-text", mail.message_id))


def test_the_admin_pages_query_of_ember(api: Api, people: People) -> None:
    for name in ("foo", "bar", "FOOD"):
        queue(f"{name}@example.org")
    query = {
        "filter": '[{"name":"recipient","op":"ilike","val":"%foo%"}]',
        "page[number]": 1,
        "page[size]": 100,
        "sort": "-time",
    }
    answer = api.as_(people.admin()).get("/v1/mails", **query)
    assert [item["attributes"]["recipient"] for item in answer.json["data"]] == ["FOOD@example.org", "foo@example.org"]


@pytest.mark.parametrize(
    ("name", "op", "value"),
    [
        ("status", "eq", "deferred"),
        ("attempts", "ge", 1),
        ("last-error", "contains", "refused"),
        ("sent-at", "is", None),
        ("next-attempt-at", "gt", "2026-01-01T00:00:00Z"),
        ("action", "in", ["Test"]),
        ("provider", "eq", "smtp"),
        ("lane", "eq", "bulk"),
        ("lane", "startswith", "b"),
        ("retries", "eq", 3),
        ("error-class", "eq", "connection"),
        ("give-up-at", "lt", "2099-01-01T00:00:00Z"),
        ("language", "eq", "en"),
    ],
)
def test_what_is_shown_can_be_searched(api: Api, people: People, name: str, op: str, value: object) -> None:
    mail = send_email("ana@example.org", "Test", "Hi", "<p>Hello</p>")
    assert mail is not None
    mail.status, mail.attempts, mail.last_error, mail.provider = "deferred", 2, "connection refused", "smtp"
    mail.next_attempt_at = utc_now() + timedelta(days=300)
    mail.lane, mail.retries, mail.error_class = BULK, 3, "connection"
    db.session.commit()
    query = json.dumps([{"name": name, "op": op, "val": value}])
    assert api.as_(people.admin()).get("/v1/mails", filter=query, sort=f"-{name}").json["meta"]["count"] == 1


@pytest.mark.parametrize("name", ["bcc", "secret", "claim", "text", "message-id", "reply-to", "attachments"])
def test_what_is_hidden_cannot_be_searched(api: Api, people: People, name: str) -> None:
    queue()
    admin = api.as_(people.admin())
    assert admin.get("/v1/mails", **{f"filter[{name}]": "x"}).status_code == 400
    assert admin.get("/v1/mails", sort=name).status_code == 400
    assert admin.get("/v1/mails", **{"fields[mail]": name}).status_code == 400


def test_no_mail_is_written_over_http(api: Api, people: People) -> None:
    mail = queue()
    admin = api.as_(people.admin())
    for answer in (
        admin.create("/v1/mails", "mail", {"recipient": "eve@example.org"}),
        admin.update(f"/v1/mails/{mail.id}", "mail", mail.id, status="queued"),
        admin.delete(f"/v1/mails/{mail.id}"),
    ):
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_a_timeline_is_read_on_from_a_cursor_in_its_own_order(api: Api, people: People) -> None:
    mail = queue()
    db.session.flush()
    db.session.add_all(MailEvent(mail_id=mail.id, event="deferred", code=code) for code in range(5))
    db.session.commit()
    admin, pages = api.as_(people.admin()), []
    address: str | None = f"/v1/mails/{mail.id}/events?page[after]=&page[size]=2&filter[event]=deferred"
    while address:
        answer = admin.get(address)
        pages.append([each["attributes"]["code"] for each in answer.json["data"]])
        address, back = answer.json["links"]["next"], answer.json["links"]["prev"]
    assert pages == [[0, 1], [2, 3], [4]]
    assert [each["attributes"]["code"] for each in admin.get(back).json["data"]] == [2, 3]
