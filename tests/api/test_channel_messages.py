"""SMS and chat messages as admins read them, and where users say that these go."""

from __future__ import annotations

from typing import Any

import pytest

from app.models import ChannelMessage, User, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.channels import PHONE, message
from tests.support.errors import pointer_of


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


def test_an_admin_reads_messages_and_their_timelines(api: Api, people: People, ana: User) -> None:
    admin = api.as_(people.admin())
    sms = message(user=ana)
    item = admin.get(f"/v1/channel-messages/{sms}?include=user,happening,events").json
    attributes = item["data"]["attributes"]
    assert {name: attributes[name] for name in ("recipient", "channel", "action", "title", "text", "status")} == {
        "recipient": PHONE,
        "channel": "sms",
        "action": "Test",
        "title": "News",
        "text": "The harbour opens.",
        "status": "queued",
    }
    assert attributes["attempts"] == 0
    assert [each["type"] for each in item["included"]] == ["user", "channel-message-event"]
    events = admin.get(f"/v1/channel-messages/{sms}/events").json
    assert [each["attributes"]["event"] for each in events["data"]] == ["queued"]
    listed = admin.get("/v1/channel-messages?filter[status]=queued&filter[channel]=sms&sort=-time").json
    assert listed["meta"]["count"] == 1
    assert admin.get("/v1/channel-messages/999/events").status_code == 404


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("phone", "+12025550123", "+12025550123"),
        ("phone", "+1 (202) 555-0123", "+12025550123"),
        ("chat-address", "@ana", "@ana"),
        ("chat-address", "#team:example.org", "#team:example.org"),
    ],
)
def test_a_user_says_where_sms_and_chat_go_and_null_takes_it_back(
    api: Api, ana: User, name: str, value: str, kept: str
) -> None:
    client, path = api.as_(ana), f"/v1/users/{ana.id}"
    for given, expected in ((value, kept), (None, None)):
        answer = client.patch(path, {"data": {"type": "user", "id": str(ana.id), "attributes": {name: given}}})
        assert answer.json["data"]["attributes"][name] == expected
        assert client.get(path).json["data"]["attributes"][name] == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("phone", value)
            for value in ("", "12025550123", "+0123456789", "+1", f"+{'1' * 16}", "+1202555012x", 1, [])
        ),
        *(("phone", value) for value in ("+\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", "+12025550123\n")),
        *(
            ("chat-address", value)
            for value in ("", "..", "a/../b", "a b", "a,b", "a?b", "a%2Fb", "a\0b", "a" * 256, 7)
        ),
    ],
)
def test_what_cannot_be_a_number_or_a_chat_address_is_422(api: Api, ana: User, name: str, value: Any) -> None:
    body = {"data": {"type": "user", "id": str(ana.id), "attributes": {name: value}}}
    assert pointer_of(api.as_(ana).patch(f"/v1/users/{ana.id}", body)) == f"/data/attributes/{name}"


def test_where_somebody_is_reached_is_for_him_and_admins(api: Api, people: People, ana: User) -> None:
    ana.phone = PHONE
    db.session.commit()
    stranger = people.user("bob@example.org")
    for path in (f"/v1/users/{ana.id}", "/v1/users"):
        assert PHONE not in api.as_(stranger).get(path).text
    assert PHONE in api.as_(people.admin()).get(f"/v1/users/{ana.id}").text


def test_a_message_outlives_its_happening_and_goes_with_its_user(api: Api, people: People, ana: User) -> None:
    admin = api.as_(people.admin())
    sms = message(user=ana)
    assert admin.get(f"/v1/channel-messages/{sms}/relationships/user").status_code == 404
    db.session.delete(ana)
    db.session.commit()
    assert db.session.get(ChannelMessage, sms) is None
