"""Invitations to send papers: once for each address and call, by mail, and in the app where there is an account."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.models import Event, Happening, Mail, Notification, PaperInvite, SpeakersCall, User, db
from app.models.base import utc_now
from app.models.mail import INVITE_PAPERS
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import count, mailed, notified


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def event(people: People, owner: User) -> Event:
    return people.event(owner)


@pytest.fixture
def call(event: Event) -> SpeakersCall:
    return make_call(event)


def make_call(event: Event, begins: int = -1, ends: int = 1, privacy: str = "public") -> SpeakersCall:
    now = utc_now()
    times = {"starts_at": now + timedelta(hours=begins), "ends_at": now + timedelta(hours=ends)}
    made = SpeakersCall(announcement="Come", privacy=privacy, event=event, **times)
    db.session.add(made)
    db.session.commit()
    return made


def ask(api: Api, by: User, call: SpeakersCall, email: Any = "kim@example.org") -> Any:
    related = {"speakers-call": ("speakers-call", call.id)}
    return api.as_(by).create("/v1/paper-invites", "paper-invite", {"email": email}, **related)


def test_an_unknown_address_is_asked_by_mail(api: Api, owner: User, event: Event, call: SpeakersCall) -> None:
    answer = ask(api, owner, call)
    assert answer.status_code == 201, answer.text
    item = answer.json["data"]
    assert set(item["attributes"]) == {"email", "created-at"}
    assert item["relationships"]["speakers-call"]["data"]["id"] == str(call.id)
    assert api.as_(owner).get(answer.headers["Location"]).json["data"] == item
    mail = db.session.scalars(select(Mail)).one()
    assert (mail.recipient, mail.action, mail.language) == ("kim@example.org", INVITE_PAPERS, "en")
    assert mail.subject == "Will you speak at Harbour Conference?"
    assert f"/events/{event.identifier}/cfs>" in mail.text
    assert count(Notification) == 0
    assert db.session.scalars(select(PaperInvite)).one().inviter_id == owner.id


@pytest.mark.triggers("mail:Invitation For Papers", "notif:Invitation For Papers")
def test_an_account_with_the_address_is_asked_in_the_app_too_and_in_its_language(
    api: Api, people: People, owner: User, event: Event, call: SpeakersCall
) -> None:
    kim = people.user("kim@example.org")
    kim.language = "de"
    db.session.commit()
    assert ask(api, owner, call, "Kim@Example.org").status_code == 201
    assert notified(INVITE_PAPERS) == ["kim@example.org"]
    mail = db.session.scalars(select(Mail)).one()
    assert (mail.recipient, mail.language) == ("Kim@example.org", "de")
    happening = db.session.scalars(select(Happening)).one()
    assert str(happening.link).endswith(f"/events/{event.identifier}/cfs")
    assert f"{happening.link}/new" in happening.message
    assert happening.data == {"event-id": str(event.id), "speakers-call-id": str(call.id)}
    assert (happening.actor_id, happening.event_id) == (owner.id, event.id)


def test_an_account_that_has_not_confirmed_the_address_is_not_asked_in_the_app(
    api: Api, people: People, owner: User, call: SpeakersCall
) -> None:
    people.user("kim@example.org", verified=False)
    assert ask(api, owner, call).status_code == 201
    assert mailed(INVITE_PAPERS) == ["kim@example.org"]
    assert notified(INVITE_PAPERS) == []


def test_the_answer_does_not_tell_whether_there_is_an_account(
    api: Api, people: People, owner: User, call: SpeakersCall
) -> None:
    answers = [ask(api, owner, call, f"{name}@example.org").json["data"] for name in ("one", "two")]
    people.user("kim@example.org")
    answers.append(ask(api, owner, call).json["data"])
    for item in answers:
        item.pop("id")
        item.pop("links")
        item["attributes"].pop("created-at")
        item["attributes"].pop("email")
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("again", ["kim@example.org", "KIM@EXAMPLE.org"])
def test_an_address_is_asked_once_for_each_call(
    api: Api, people: People, owner: User, call: SpeakersCall, again: str
) -> None:
    assert ask(api, owner, call).status_code == 201
    answer = ask(api, people.admin(), call, again)
    assert answer.status_code == 409
    assert pointer_of(answer) == "/data/attributes/email"
    assert mailed(INVITE_PAPERS) == ["kim@example.org"]
    other = make_call(people.event(owner, "Another"))
    assert ask(api, owner, other, again).status_code == 201


def test_nobody_invites_more_than_a_hundred_in_an_hour(
    api: Api, people: People, owner: User, call: SpeakersCall
) -> None:
    for number in range(100):
        assert ask(api, owner, call, f"guest{number}@example.org").status_code == 201
    refused = ask(api, owner, call)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    errors_of(refused)
    assert ask(api, people.admin(), call).status_code == 201
    assert len(mailed(INVITE_PAPERS)) == 101


@pytest.mark.parametrize(("begins", "ends"), [(-2, -1), (1, 2)], ids=["it is over", "it has not begun"])
def test_nobody_is_invited_to_a_call_that_is_not_open(
    api: Api, owner: User, event: Event, begins: int, ends: int
) -> None:
    answer = ask(api, owner, make_call(event, begins, ends))
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/speakers-call/data"
    assert count(PaperInvite) == count(Mail) == 0


def test_the_link_of_a_private_call_has_its_hash(api: Api, people: People, owner: User, event: Event) -> None:
    people.user("kim@example.org")
    call = make_call(event, privacy="private")
    assert ask(api, owner, call).status_code == 201
    link = f"/events/{event.identifier}/cfs/{call.hash}"
    mail, happening = db.session.scalars(select(Mail)).one(), db.session.scalars(select(Happening)).one()
    assert f"{link}>" in mail.text
    assert f"{link}/new" in happening.message
    for path in (link, f"{link}/new", f"/events/{event.identifier}/cfs", f"/events/{event.identifier}/cfs/new"):
        assert api.client.get(path).status_code == 200


def test_who_invites_and_who_sees_it(api: Api, people: People, owner: User) -> None:
    organizer, moderator, speaker = people.user(), people.user(), people.user()
    event = people.event(owner, organizer=organizer, moderator=moderator)
    people.speaker(event, speaker)
    call = make_call(event)
    own = make_call(people.event(speaker, "Another"))
    assert ask(api, speaker, own).status_code == 201
    for by in (speaker, moderator, people.user()):
        assert ask(api, by, call).status_code == 403
    path = ask(api, organizer, call).headers["Location"]
    nested = f"/v1/speakers-calls/{call.id}/paper-invites"
    for by in (owner, organizer, people.admin()):
        assert api.as_(by).get(path).status_code == 200
        assert [item["attributes"]["email"] for item in api.as_(by).get(nested).json["data"]] == ["kim@example.org"]
    for by in (speaker, moderator, people.user()):
        assert api.as_(by).get(path).status_code == 404
        assert api.as_(by).get(nested).status_code == 404
    assert api.as_(moderator).get("/v1/paper-invites").json["meta"]["count"] == 0
    assert api.as_(owner).get("/v1/paper-invites").json["meta"]["count"] == 1
    assert api.as_(speaker).get("/v1/paper-invites").json["meta"]["count"] == 1
    assert api.get(path).status_code == 401


def test_a_private_call_cannot_be_found_by_inviting_to_it(api: Api, people: People, event: Event) -> None:
    stranger, private = people.user(), make_call(event, privacy="private")
    hidden = errors_of(ask(api, stranger, private))
    related = {"speakers-call": ("speakers-call", 987654)}
    missing = api.as_(stranger).create("/v1/paper-invites", "paper-invite", {"email": "a@example.org"}, **related)
    hidden[0]["detail"] = hidden[0]["detail"].replace(f"id {private.id}.", "id 987654.")
    assert hidden == errors_of(missing)


def test_a_deleted_event_invites_nobody(api: Api, people: People, owner: User, event: Event) -> None:
    call = make_call(event)
    path = ask(api, owner, call, "first@example.org").headers["Location"]
    api.as_(owner).delete(f"/v1/events/{event.id}")
    for by in (owner, people.admin()):
        assert ask(api, by, call).status_code == 422
        assert api.as_(by).get(path).status_code == 404
    assert mailed(INVITE_PAPERS) == ["first@example.org"]


def test_deleting_a_call_deletes_its_invitations(api: Api, owner: User, call: SpeakersCall) -> None:
    path = ask(api, owner, call).headers["Location"]
    assert api.as_(owner).delete(f"/v1/speakers-calls/{call.id}").status_code == 204
    assert api.as_(owner).get(path).status_code == 404
    assert count(PaperInvite) == 0


TWO = "kim@example.org, zoe@example.org"
BAD_ADDRESSES = [None, "", "kim", "a@b@c", TWO, "k\nBcc: x@example.org", 5, ["a"], "x" * 300]


@pytest.mark.parametrize("email", BAD_ADDRESSES)
def test_what_cannot_be_an_address_is_422(api: Api, owner: User, call: SpeakersCall, email: Any) -> None:
    answer = ask(api, owner, call, email)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/email"
    assert count(Mail) == 0


def test_invitations_are_neither_changed_nor_deleted(api: Api, owner: User, call: SpeakersCall) -> None:
    path = ask(api, owner, call).headers["Location"]
    assert api.as_(owner).delete(path).status_code == 405
    assert api.as_(owner).update(path, "paper-invite", path.rpartition("/")[2]).status_code == 405
