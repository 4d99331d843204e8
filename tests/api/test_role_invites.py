"""Inviting to a role over the API: who may, who is told what, who answers."""

from __future__ import annotations

import html
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.bidi import harmless
from app.models import Event, EventRole, Happening, Mail, MessageSettings, Notification, RoleInvite, User, db
from app.models.base import utc_now
from app.models.mail import EVENT_ROLE
from app.models.notification import EVENT_ROLE_INVITE
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities, count, mailed, notified, token_for

HOSTILE = [
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "{0.__class__} {link}",
    "%(email)s",
    "\u202eשבת",
    "=?utf-8?q?Bcc=3A?=",
]


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def event(people: People, owner: User) -> Event:
    return people.event(owner)


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


def invite(
    api: Api, by: User, event: Event, email: Any = "ana@example.org", role: Any = "moderator", **more: Any
) -> Any:
    attributes = {"email": email, "role-name": role, **more}
    return api.as_(by).create("/v1/role-invites", "role-invite", attributes, event=("event", event.id))


def answer(api: Api, by: User, id_: int | str, status: Any = "accepted", **more: Any) -> Any:
    return api.as_(by).update(f"/v1/role-invites/{id_}", "role-invite", id_, status=status, **more)


def roles(user: User, event: Event) -> list[str]:
    held = select(EventRole.role).where(EventRole.user_id == user.id, EventRole.event_id == event.id)
    return sorted(db.session.scalars(held))


# --- inviting


@pytest.mark.triggers("mail:Event Role Invitation", "notif:Event Role Invitation")
def test_somebody_with_an_account_is_told_in_the_app_and_by_mail(
    api: Api, owner: User, event: Event, ana: User
) -> None:
    made = invite(api, owner, event, email="ANA@example.org")
    assert made.status_code == 201
    item = made.json["data"]
    assert item["attributes"].keys() == {"email", "role-name", "status", "created-at"}
    assert (item["attributes"]["status"], item["attributes"]["role-name"]) == ("pending", "moderator")
    assert item["relationships"]["event"]["data"] == {"type": "event", "id": str(event.id)}
    assert made.headers["Location"] == f"/v1/role-invites/{item['id']}"
    assert mailed(EVENT_ROLE) == notified(EVENT_ROLE_INVITE) == ["ana@example.org"]
    assert count(Mail) == count(Notification) == 1
    [told] = api.as_(ana).get(f"/v1/users/{ana.id}/notifications").json["data"]
    assert told["attributes"]["link"].endswith(f"/role-invites/{item['id']}")
    assert told["attributes"]["data"] == {
        "event-id": str(event.id),
        "role-invite-id": item["id"],
        "role": "moderator",
    }
    happening = db.session.scalars(select(Happening)).one()
    assert (happening.actor_id, happening.event_id) == (owner.id, event.id)
    assert f"ANA@example.org invited to be moderator of event {event.id}" in activities()


def test_somebody_without_an_account_gets_a_mail_with_a_link_to_sign_up(api: Api, owner: User, event: Event) -> None:
    assert invite(api, owner, event, email="new@example.org").status_code == 201
    assert mailed(EVENT_ROLE) == ["new@example.org"]
    assert count(Notification) == count(Happening) == 0
    assert "/sign-up?token=" in (db.session.scalars(select(Mail.secret)).one() or "")


def test_the_answer_does_not_tell_whether_an_address_has_an_account(
    api: Api, people: People, owner: User, event: Event, ana: User
) -> None:
    people.user("unconfirmed@example.org", verified=False)
    shown = []
    for email in ("ana@example.org", "unconfirmed@example.org", "nobody@example.org"):
        made = invite(api, owner, event, email=email)
        again = api.as_(owner).get(made.headers["Location"])
        for each in (made, again):
            item = each.json["data"]
            item["attributes"] |= {"email": "?", "created-at": "?"}
            shown.append((item["attributes"], item["relationships"], item.keys(), each.json.keys()))
        assert made.status_code == 201
    assert all(each == shown[0] for each in shown)


def test_nobody_reads_the_token_but_in_the_mail(api: Api, people: People, owner: User, event: Event, ana: User) -> None:
    admin = api.as_(people.admin())
    made = invite(api, owner, event)
    token = token_for("ana@example.org", EVENT_ROLE)
    answers = [made, api.as_(owner).get("/v1/role-invites"), api.as_(ana).get(f"/v1/users/{ana.id}/notifications")]
    answers += [admin.get(f"/v1/{name}") for name in ("mails", "notifications", "activities", "role-invites")]
    for each in answers:
        assert each.status_code < 300
        assert token not in each.text
    raw = db.session.connection().exec_driver_sql("SELECT string_agg(mails::text, ' ') FROM mails").scalar_one()
    assert token not in raw


def test_only_owner_organizers_and_admins_invite(api: Api, people: People, owner: User) -> None:
    team = {name: people.user() for name in ("organizer", "coorganizer", "track_organizer", "moderator")}
    event = people.event(owner, **team)
    may = [owner, team["organizer"], people.admin()]
    for number, user in enumerate(may):
        assert invite(api, user, event, email=f"new{number}@example.org").status_code == 201
    for user in (team["coorganizer"], team["track_organizer"], team["moderator"], people.user()):
        assert invite(api, user, event, email="other@example.org").status_code == 403
    assert count(RoleInvite) == len(may)


def test_the_answer_is_not_given_with_the_question(api: Api, owner: User, event: Event, ana: User) -> None:
    made = invite(api, owner, event, status="accepted")
    assert made.status_code == 201
    assert made.json["data"]["attributes"]["status"] == "pending"
    assert roles(ana, event) == []


@pytest.mark.parametrize("name", ["answered-at", "event-id", "id", "token"])
def test_what_an_invitation_does_not_have_is_422(api: Api, owner: User, event: Event, name: str) -> None:
    assert invite(api, owner, event, **{name: 1}).status_code == 422


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "no address"),
        ("email", None),
        ("email", "a@example.org\r\nBcc: eve@example.org"),
        ("role-name", "owner"),
        ("role-name", "king"),
        ("role-name", None),
        ("role-name", 5),
        ("status", "maybe"),
    ],
)
def test_a_value_that_cannot_be_is_422(api: Api, owner: User, event: Event, name: str, value: Any) -> None:
    made = invite(api, owner, event, **{"email" if name == "email" else "role": value}) if name != "status" else None
    made = made or invite(api, owner, event, status=value)
    assert made.status_code == 422
    assert pointer_of(made) == f"/data/attributes/{name}"
    assert count(Mail) == 0


def test_one_is_asked_once_at_a_time_for_each_role(api: Api, owner: User, event: Event, ana: User) -> None:
    first = invite(api, owner, event)
    again = invite(api, owner, event, email="Ana@Example.org")
    assert again.status_code == 409
    assert pointer_of(again) == "/data/attributes/email"
    assert invite(api, owner, event, role="organizer").status_code == 201
    assert count(Mail) == 2
    assert answer(api, ana, first.json["data"]["id"], "declined").status_code == 200
    assert invite(api, owner, event).status_code == 201


def test_of_two_who_invite_at_once_one_does(app: Flask, api: Api, owner: User, event: Event) -> None:
    token = api.as_(owner).token
    body = {
        "data": {
            "type": "role-invite",
            "attributes": {"email": "ana@example.org", "role-name": "moderator"},
            "relationships": {"event": {"data": {"type": "event", "id": str(event.id)}}},
        }
    }
    with ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda _: Api(app.test_client(), token).post("/v1/role-invites", body).status_code, range(4))
        codes = sorted(made)
    assert codes == [201, 409, 409, 409]
    assert count(Mail) == 1


def test_whoever_has_the_role_is_not_asked(api: Api, people: People, owner: User, ana: User) -> None:
    event = people.event(owner, moderator=ana)
    refused = invite(api, owner, event, email="ANA@example.org")
    assert refused.status_code == 409
    assert pointer_of(refused) == "/data/attributes/email"
    assert invite(api, owner, event, role="organizer").status_code == 201


def test_nobody_mails_very_many_by_inviting_them(api: Api, people: People, owner: User, event: Event) -> None:
    for number in range(100):
        assert invite(api, owner, event, email=f"guest{number}@example.org").status_code == 201
        if number < 2:
            assert invite(api, owner, event, email=f"guest{number}@example.org").status_code == 409
    refused = invite(api, owner, event)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    errors_of(refused)
    assert invite(api, people.admin(), event).status_code == 201
    assert api.as_(owner).get("/v1/role-invites", **{"page[size]": 1}).json["meta"]["count"] == 101


def test_a_deleted_event_invites_nobody_and_its_invitations_are_gone(
    api: Api, owner: User, event: Event, ana: User
) -> None:
    id_ = invite(api, owner, event).json["data"]["id"]
    event.deleted_at = utc_now()
    db.session.commit()
    assert invite(api, owner, event, email="new@example.org").status_code == 422
    assert count(Mail) == 1
    for user in (owner, ana):
        assert api.as_(user).get(f"/v1/role-invites/{id_}").status_code == 404
        assert api.as_(user).get(f"/v1/events/{event.id}/role-invites").status_code == 404
    assert answer(api, ana, id_).status_code == 404


def test_an_invitation_with_mail_or_notification_switched_off_still_is_one(
    api: Api, owner: User, event: Event, ana: User
) -> None:
    db.session.execute(
        MessageSettings.__table__.update()
        .where(MessageSettings.action == EVENT_ROLE)
        .values(mail_status=False, notification_status=False)
    )
    db.session.commit()
    made = invite(api, owner, event)
    assert made.status_code == 201
    assert count(Mail) == count(Notification) == 0
    assert answer(api, ana, made.json["data"]["id"]).status_code == 200


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_of_an_event_is_only_text(api: Api, people: People, owner: User, ana: User, name: str) -> None:
    event = people.event(owner, name=name)
    assert invite(api, owner, event).status_code == 201
    name = harmless(name)
    mail = db.session.scalars(select(Mail)).one()
    assert html.escape(name) in mail.message
    assert name in mail.subject
    assert html.escape(name) in db.session.scalars(select(Happening.message)).one()
    page = api.client.get("/role-invites/accept", query_string={"token": token_for("ana@example.org", EVENT_ROLE)})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert name in html.unescape(page.text)


def test_the_mail_is_in_the_language_of_whom_it_is_to(api: Api, owner: User, event: Event, ana: User) -> None:
    owner.language, ana.language = "ar", "de"
    db.session.commit()
    invite(api, owner, event)
    invite(api, owner, event, email="nobody@example.org")
    languages = {mail.recipient: mail.language for mail in db.session.scalars(select(Mail))}
    assert languages == {"ana@example.org": "de", "nobody@example.org": "en"}


# --- reading


def test_managers_the_invited_and_admins_see_an_invitation_and_nobody_else(
    api: Api, people: People, owner: User, ana: User
) -> None:
    team = {name: people.user() for name in ("organizer", "coorganizer", "moderator")}
    event, other = people.event(owner, **team), people.event(people.user())
    id_ = invite(api, owner, event, email="Ana@example.org", role="track_organizer").json["data"]["id"]
    admin = people.admin()
    invite(api, admin, other, email="else@example.org")
    unconfirmed = people.user("else@example.org", verified=False)

    def seen(user: User, path: str) -> tuple[int, list[str]]:
        got = api.as_(user).get(path)
        return got.status_code, [item["id"] for item in got.json.get("data", [])]

    for user in (owner, team["organizer"], ana):
        assert seen(user, "/v1/role-invites") == (200, [id_])
        assert seen(user, f"/v1/events/{event.id}/role-invites") == (200, [id_])
        assert api.as_(user).get(f"/v1/role-invites/{id_}").status_code == 200
    assert len(seen(admin, "/v1/role-invites")[1]) == 2
    for user in (team["coorganizer"], team["moderator"], people.user(), unconfirmed):
        assert seen(user, "/v1/role-invites") == (200, [])
        assert api.as_(user).get(f"/v1/role-invites/{id_}").status_code == 404
        for each in (event.id, other.id, 987654):
            assert api.as_(user).get(f"/v1/events/{each}/role-invites").status_code == 404
    assert api.as_(admin).get("/v1/events/987654/role-invites").status_code == 404


def test_the_invited_sees_the_invitation_to_a_draft_and_not_the_draft(
    api: Api, people: People, owner: User, ana: User
) -> None:
    draft = people.event(owner, name="Secret", state="draft")
    id_ = invite(api, owner, draft).json["data"]["id"]
    got = api.as_(ana).get(f"/v1/role-invites/{id_}", include="event")
    assert got.status_code == 200
    assert "Secret" not in got.text
    assert api.as_(ana).get(f"/v1/events/{draft.id}").status_code == 404
    assert answer(api, ana, id_).status_code == 200
    assert api.as_(ana).get(f"/v1/events/{draft.id}").status_code == 200


# --- answering


def test_accepting_gives_the_role_once_and_for_all(api: Api, owner: User, event: Event, ana: User) -> None:
    id_ = invite(api, owner, event, role="organizer").json["data"]["id"]
    assert api.as_(ana).update(f"/v1/events/{event.id}", "event", event.id, name="Mine").status_code == 403
    accepted = answer(api, ana, id_)
    assert accepted.status_code == 200
    assert accepted.json["data"]["attributes"]["status"] == "accepted"
    assert roles(ana, event) == ["organizer"]
    assert api.as_(ana).update(f"/v1/events/{event.id}", "event", event.id, name="Ours").status_code == 200
    assert f"ana@example.org ({ana.id}) is organizer of event {event.id}" in activities()
    assert answer(api, ana, id_).status_code == 200  # as it is already
    for other in ("declined", "pending"):
        assert answer(api, ana, id_, other).status_code == 409
    assert roles(ana, event) == ["organizer"]
    assert count(Mail) == 1


def test_declining_gives_nothing_and_ends_the_link(api: Api, owner: User, event: Event, ana: User) -> None:
    id_ = invite(api, owner, event).json["data"]["id"]
    token = token_for("ana@example.org", EVENT_ROLE)
    assert answer(api, ana, id_, "declined").json["data"]["attributes"]["status"] == "declined"
    assert answer(api, ana, id_, "accepted").status_code == 409
    assert api.post("/v1/role-invites/accept-invite", {"data": {"token": token}}).status_code == 400
    assert roles(ana, event) == []


def test_nobody_answers_for_another(api: Api, people: People, owner: User, event: Event, ana: User) -> None:
    id_ = invite(api, owner, event).json["data"]["id"]
    organizer = people.user()
    db.session.add(EventRole(user=organizer, event=event, role="organizer"))
    db.session.commit()
    for user, status in ((owner, 403), (organizer, 403), (people.admin(), 403), (people.user(), 404)):
        assert answer(api, user, id_).status_code == status
    ana.is_verified = False
    db.session.commit()
    assert answer(api, ana, id_).status_code == 404
    assert db.session.scalars(select(RoleInvite.status)).one() == "pending"
    assert count(EventRole) == 2


def test_address_role_and_event_are_fixed(api: Api, people: People, owner: User, event: Event, ana: User) -> None:
    other = people.event(people.user())
    id_ = invite(api, owner, event).json["data"]["id"]
    item = api.as_(ana).get(f"/v1/role-invites/{id_}").json["data"]
    for name, value in (("email", "eve@example.org"), ("role-name", "organizer")):
        changed = {**item, "attributes": {**item["attributes"], name: value, "status": "accepted"}}
        refused = api.as_(ana).patch(f"/v1/role-invites/{id_}", {"data": changed})
        assert refused.status_code == 422
        assert pointer_of(refused) == f"/data/attributes/{name}"
    moved = {**item, "relationships": {"event": {"data": {"type": "event", "id": str(other.id)}}}}
    assert api.as_(ana).patch(f"/v1/role-invites/{id_}", {"data": moved}).status_code == 422
    item["attributes"]["status"] = "accepted"
    assert api.as_(ana).patch(f"/v1/role-invites/{id_}", {"data": item}).status_code == 200
    assert roles(ana, event) == ["moderator"]
    assert roles(ana, other) == []


def test_of_many_answers_at_once_one_gives_the_role(app: Flask, api: Api, owner: User, event: Event, ana: User) -> None:
    id_ = invite(api, owner, event).json["data"]["id"]
    token, login = token_for("ana@example.org", EVENT_ROLE), api.as_(ana).token

    def by_link(_: int) -> int:
        return Api(app.test_client()).post("/v1/role-invites/accept-invite", {"data": {"token": token}}).status_code

    def by_login(_: int) -> int:
        body = {"data": {"type": "role-invite", "id": id_, "attributes": {"status": "accepted"}}}
        return Api(app.test_client(), login).patch(f"/v1/role-invites/{id_}", body).status_code

    with ThreadPoolExecutor(6) as pool:
        links, logins = pool.map(by_link, range(3)), pool.map(by_login, range(3))
        codes = [*links, *logins]
    assert set(codes) <= {200, 400}
    assert roles(ana, event) == ["moderator"]
    assert sum("is moderator of" in line for line in activities()) == 1


# --- taking back


def test_managers_take_back_what_is_not_answered(api: Api, people: People, owner: User, event: Event) -> None:
    ana = people.user("ana@example.org")
    id_ = invite(api, owner, event).json["data"]["id"]
    token = token_for("ana@example.org", EVENT_ROLE)
    path = f"/v1/role-invites/{id_}"
    assert api.as_(ana).delete(path).status_code == 403
    assert api.as_(people.user()).delete(path).status_code == 404
    assert api.as_(owner).delete(path).status_code == 204
    assert api.post("/v1/role-invites/accept-invite", {"data": {"token": token}}).status_code == 400
    assert answer(api, ana, id_).status_code == 404
    kept = invite(api, owner, event).json["data"]["id"]
    answer(api, ana, kept)
    refused = api.as_(owner).delete(f"/v1/role-invites/{kept}")
    assert refused.status_code == 409
    assert "accepted" in errors_of(refused)[0]["detail"]
    assert roles(ana, event) == ["moderator"]
