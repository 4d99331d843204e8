"""The link of an invitation: signing up by it, accepting with an account, and what it can never do."""

from __future__ import annotations

import html
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.auth.tokens import INVITE, LIFETIMES, RESET, VERIFY, invite_token, link_token
from app.bidi import harmless
from app.models import Event, EventRole, Mail, RoleInvite, User, db
from app.models.base import utc_now
from app.models.mail import EVENT_ROLE, PASSWORD_CHANGE, USER_CONFIRM, USER_REGISTER
from tests.conftest import PASSWORD, People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import count, mailed, token_for

ADDRESS = "ana@example.org"
PAGES = ("/sign-up", "/role-invites/accept")


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def event(people: People, owner: User) -> Event:
    return people.event(owner)


@pytest.fixture
def invited(event: Event) -> RoleInvite:
    """An invitation to an address that nobody has an account with."""
    return make(event)


def make(event: Event, role: str = "moderator", email: str = ADDRESS) -> RoleInvite:
    invite = RoleInvite(event=event, email=email, role_name=role)
    db.session.add(invite)
    db.session.commit()
    return invite


def invite(api: Api, by: User, event: Event, role: str = "moderator") -> str:
    """An invitation over the API; returns the token in its mail."""
    attributes = {"email": ADDRESS, "role-name": role}
    made = api.as_(by).create("/v1/role-invites", "role-invite", attributes, event=("event", event.id))
    assert made.status_code == 201
    return token_for(ADDRESS, EVENT_ROLE)


def register(api: Api, email: str = ADDRESS, **more: Any) -> Any:
    return api.create("/v1/users", "user", {"email": email, "password": PASSWORD, **more})


def accept(api: Api, token: Any, **more: Any) -> Any:
    return api.post("/v1/role-invites/accept-invite", {"data": {"token": token, **more}})


def account() -> User | None:
    db.session.expire_all()
    return db.session.scalar(select(User).where(User.email == ADDRESS))


def roles() -> list[str]:
    """The roles of the account with the invited address."""
    held = select(EventRole.role).join(User).where(User.email == ADDRESS)
    return sorted(db.session.scalars(held))


def log_in(client: FlaskClient, password: str) -> int:
    return client.post("/auth/session", json={"email": ADDRESS, "password": password}).status_code


# --- signing up by the link, on the page


def test_opening_the_link_shows_the_invitation_and_changes_nothing(client: FlaskClient, invited: RoleInvite) -> None:
    token = invite_token(invited)
    for path in PAGES:
        page = client.get(path, query_string={"token": token})
        assert page.status_code == 200
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        for shown in (ADDRESS, "moderator", "Harbour Conference", f'value="{token}"', 'name="password"'):
            assert shown in page.text
    assert account() is None
    assert invited.status == "pending"


@pytest.mark.parametrize("path", PAGES)
def test_signing_up_by_the_link_makes_a_confirmed_account_with_the_role(
    api: Api, client: FlaskClient, owner: User, event: Event, path: str
) -> None:
    token = invite(api, owner, event)
    form = {"token": token, "password": PASSWORD, "first-name": " Ana\r\n ", "last-name": "x" * 300}
    done = client.post(path, data=form, headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    assert done.status_code == 200
    assert "Sie haben jetzt diese Aufgabe bei Harbour Conference: Moderation." in done.text
    user = account()
    assert user is not None
    assert (user.is_verified, user.first_name, user.last_name, user.language) == (True, "Ana", "x" * 255, "de")
    assert roles() == ["moderator"]
    assert log_in(client, PASSWORD) == 200
    assert mailed(USER_REGISTER) == [ADDRESS]
    assert mailed(USER_CONFIRM) == []
    assert db.session.scalars(select(Mail.language).where(Mail.action == USER_REGISTER)).all() == ["de"]
    for again in PAGES:
        assert client.post(again, data=form).status_code == 400
        assert client.get(again, query_string={"token": token}).status_code == 400
    assert count(User) == 2


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_the_page_says_what_was_wrong_and_asks_again(client: FlaskClient, invited: RoleInvite, password: str) -> None:
    page = client.post("/sign-up", data={"token": invite_token(invited), "password": password})
    assert page.status_code == 400
    assert "A password has 8 to 256 characters." in page.text
    assert 'name="password"' in page.text
    assert account() is None


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "{{ 7 * 7 }}", "\u202eבת"]
)
def test_hostile_names_are_only_text_on_every_page(client: FlaskClient, event: Event, name: str) -> None:
    event.name = name
    token = invite_token(make(event))
    form = {"token": token, "password": PASSWORD, "first-name": name, "last-name": "a\x00b"}
    shown = [client.get("/sign-up", query_string={"token": token}), client.post("/sign-up", data=form)]
    for page in shown:
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert harmless(name) in html.unescape(page.text)
    user = account()
    assert user is not None
    assert user.first_name == name


def test_a_page_escapes_what_stands_in_its_address(client: FlaskClient, database: None) -> None:
    for path in PAGES:
        page = client.get(path, query_string={"token": '"><script>alert(1)</script>'})
        assert page.status_code == 400
        assert "<script>alert" not in page.text


def test_one_may_decline_on_the_page(client: FlaskClient, invited: RoleInvite) -> None:
    form = {"token": invite_token(invited), "answer": "declined"}
    assert "You declined to be moderator of Harbour Conference" in client.post("/sign-up", data=form).text
    db.session.refresh(invited)
    assert invited.status == "declined"
    assert account() is None
    assert client.post("/sign-up", data={**form, "password": PASSWORD, "answer": ""}).status_code == 400


# --- signing up by the link, over the API


def test_registering_with_the_token_does_the_same(api: Api, owner: User, event: Event) -> None:
    made = register(api, "ANA@example.org", **{"invite-token": invite(api, owner, event), "language": "de"})
    assert made.status_code == 201
    assert made.json["data"]["attributes"]["is-verified"] is True
    assert "invite-token" not in made.text
    assert db.session.scalars(select(EventRole.role).order_by(EventRole.id)).all() == ["owner", "moderator"]
    assert [mail.action for mail in db.session.scalars(select(Mail).order_by(Mail.id))] == [EVENT_ROLE, USER_REGISTER]
    assert db.session.scalars(select(RoleInvite.status)).one() == "accepted"


def test_the_token_is_for_one_address(api: Api, invited: RoleInvite) -> None:
    refused = register(api, "eve@example.org", **{"invite-token": invite_token(invited)})
    assert refused.status_code == 422
    assert pointer_of(refused) == "/data/attributes/email"
    assert ADDRESS not in refused.text
    assert count(User) == 1


@pytest.mark.parametrize("kind", ["junk", "used", "expired", "of another purpose", "taken back", "empty"])
def test_a_token_that_cannot_be_used_is_422(
    api: Api, people: People, invited: RoleInvite, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    token = invite_token(invited)
    if kind == "junk":
        token = "x.y.z"
    elif kind == "used":
        invited.status = "accepted"
        db.session.commit()
    elif kind == "expired":
        monkeypatch.setitem(LIFETIMES, INVITE, -1)
    elif kind == "of another purpose":
        token = link_token(people.user(), RESET)
    elif kind == "taken back":
        db.session.delete(invited)
        db.session.commit()
    else:
        token = ""
    before = count(User)
    refused = register(api, **{"invite-token": token})
    assert refused.status_code == 422
    assert pointer_of(refused) == "/data/attributes/invite-token"
    assert count(User) == before
    assert count(Mail) == 0


def test_no_token_is_a_plain_registration(api: Api, invited: RoleInvite) -> None:
    made = register(api, **{"invite-token": None})
    assert made.json["data"]["attributes"]["is-verified"] is False
    assert mailed(USER_CONFIRM) == [ADDRESS]
    assert roles() == []


def test_the_token_makes_no_second_account(api: Api, people: People, invited: RoleInvite) -> None:
    people.user(ADDRESS, verified=False)
    assert register(api, **{"invite-token": invite_token(invited)}).status_code == 409
    db.session.refresh(invited)
    assert invited.status == "pending"
    assert roles() == []


def test_a_change_of_the_account_takes_no_token(api: Api, people: People, invited: RoleInvite) -> None:
    user = people.user(ADDRESS, verified=False)
    changed = api.as_(user).update(f"/v1/users/{user.id}", "user", user.id, invite_token=invite_token(invited))
    assert changed.status_code == 200
    db.session.refresh(user)
    assert not user.is_verified
    assert roles() == []


def test_of_many_who_sign_up_by_one_link_at_once_one_does(app: Flask, invited: RoleInvite) -> None:
    token = invite_token(invited)

    def by_page(_: int) -> int:
        return app.test_client().post("/sign-up", data={"token": token, "password": PASSWORD}).status_code

    def by_api(_: int) -> int:
        return int(register(Api(app.test_client()), **{"invite-token": token}).status_code)

    with ThreadPoolExecutor(6) as pool:
        pages, calls = pool.map(by_page, range(3)), pool.map(by_api, range(3))
        codes = [*pages, *calls]
    assert sum(code < 300 for code in codes) == 1
    assert set(codes) <= {200, 201, 400, 409, 422}
    assert count(User) == 2
    assert roles() == ["moderator"]
    assert mailed(USER_REGISTER) == [ADDRESS]


# --- signing up plainly with an invited address


def test_confirming_the_address_gives_the_roles_that_waited_for_it(api: Api, people: People, event: Event) -> None:
    make(event, "moderator")
    make(event, "organizer", "ANA@example.org")
    make(event, "coorganizer", "else@example.org")
    register(api)
    assert roles() == []
    assert api.post("/v1/auth/verify-email", {"data": {"token": token_for(ADDRESS, USER_CONFIRM)}}).status_code == 200
    assert roles() == ["moderator", "organizer"]


def test_a_link_to_a_new_password_proves_the_address_just_as_well(api: Api, invited: RoleInvite) -> None:
    register(api)
    user = account()
    assert user is not None
    body = {"data": {"token": link_token(user, RESET), "password": "a new password"}}
    assert api.patch("/v1/auth/reset-password", body).status_code == 200
    assert roles() == ["moderator"]


def test_signing_up_by_one_invitation_gives_the_others_too(api: Api, client: FlaskClient, event: Event) -> None:
    one, _ = make(event), make(event, "organizer")
    assert client.post("/sign-up", data={"token": invite_token(one), "password": PASSWORD}).status_code == 200
    assert roles() == ["moderator", "organizer"]


def test_another_address_brings_the_roles_that_waited_for_it(api: Api, people: People, invited: RoleInvite) -> None:
    user = people.user("else@example.org")
    api.as_(user).update(f"/v1/users/{user.id}", "user", user.id, email=ADDRESS)
    assert roles() == []
    assert api.post("/v1/auth/verify-email", {"data": {"token": token_for(ADDRESS, USER_CONFIRM)}}).status_code == 200
    assert roles() == ["moderator"]


def test_what_an_account_was_invited_to_waits_for_its_yes(api: Api, owner: User, event: Event) -> None:
    register(api)
    invite(api, owner, event)
    api.post("/v1/auth/verify-email", {"data": {"token": token_for(ADDRESS, USER_CONFIRM)}})
    assert roles() == []
    user = account()
    assert user is not None
    assert api.as_(user).get("/v1/role-invites").json["meta"]["count"] == 1


def test_an_invitation_that_was_declined_or_whose_event_is_gone_gives_nothing(
    api: Api, people: People, owner: User, event: Event
) -> None:
    make(event).status = "declined"
    gone = people.event(owner)
    gone.deleted_at = utc_now()
    make(gone)
    register(api)
    api.post("/v1/auth/verify-email", {"data": {"token": token_for(ADDRESS, USER_CONFIRM)}})
    assert roles() == []


# --- with an account


def test_the_link_works_without_a_login_and_once(api: Api, client: FlaskClient, people: People, owner: User) -> None:
    user = people.user(ADDRESS)
    token = invite(api, owner, people.event(owner))
    page = client.get("/role-invites/accept", query_string={"token": token})
    assert page.status_code == 200
    assert 'name="password"' not in page.text
    assert roles() == []
    assert client.post("/role-invites/accept", data={"token": token}).status_code == 200
    assert roles() == ["moderator"]
    assert client.post("/role-invites/accept", data={"token": token}).status_code == 400
    assert log_in(client, PASSWORD) == 200
    db.session.refresh(user)
    assert user.token_version == 0
    assert count(Mail) == 1


def test_the_link_is_taken_over_the_api_too(api: Api, people: People, event: Event) -> None:
    people.user(ADDRESS)
    token = invite_token(make(event))
    done = accept(api, token)
    assert done.status_code == 200
    assert (done.json["event"], done.json["role"]) == (str(event.id), "moderator")
    assert roles() == ["moderator"]
    assert accept(api, token).status_code == 400


def test_the_link_gives_the_role_to_the_invited_whoever_is_logged_in(api: Api, people: People, event: Event) -> None:
    people.user(ADDRESS)
    assert accept(api.as_(people.user("eve@example.org")), invite_token(make(event))).status_code == 200
    assert roles() == ["moderator"]
    assert count(EventRole) == 2


def test_without_an_account_the_api_says_how_to_get_one(api: Api, invited: RoleInvite) -> None:
    refused = accept(api, invite_token(invited), password=PASSWORD)
    assert refused.status_code == 400
    assert "sign up" in errors_of(refused)[0]["detail"]
    assert account() is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", None, 5, ["x"], "é" * 1000, "a\ud800"])
def test_a_token_that_is_none_is_400(api: Api, token: object) -> None:
    assert accept(api, token).status_code == 400


def test_a_token_of_another_link_is_none_of_an_invitation(api: Api, people: People, invited: RoleInvite) -> None:
    user = people.user(ADDRESS, verified=False)
    for purpose in (VERIFY, RESET):
        assert accept(api, link_token(user, purpose), password=PASSWORD).status_code == 400
    token = invite_token(invited)
    assert api.post("/v1/auth/verify-email", {"data": {"token": token}}).status_code == 400
    body = {"data": {"token": token, "password": "a new password"}}
    assert api.patch("/v1/auth/reset-password", body).status_code == 400


@pytest.mark.parametrize("by_page", [True, False])
def test_an_account_that_was_never_confirmed_gets_a_new_password_from_whom_the_mail_reached(
    api: Api, client: FlaskClient, people: People, owner: User, by_page: bool
) -> None:
    """Somebody may have registered with the address of another, and waits for the other to confirm it."""
    intruder = people.user(ADDRESS, verified=False)
    mine, confirmation = api.as_(intruder), link_token(intruder, VERIFY)
    token = invite(api, owner, people.event(owner))
    assert 'name="password"' in client.get("/role-invites/accept", query_string={"token": token}).text
    assert accept(api, token).status_code == 422
    assert client.post("/role-invites/accept", data={"token": token}).status_code == 400
    assert roles() == []
    new = {"token": token, "password": "of the real ana"}
    done = client.post("/role-invites/accept", data=new) if by_page else accept(api, **new)
    assert done.status_code == 200
    assert roles() == ["moderator"]
    assert mailed(PASSWORD_CHANGE) == [ADDRESS]
    assert (log_in(client, PASSWORD), log_in(client, "of the real ana")) == (401, 200)
    assert mine.get(f"/v1/users/{intruder.id}").status_code == 401
    assert api.post("/v1/auth/verify-email", {"data": {"token": confirmation}}).status_code == 400


def test_the_link_still_works_if_the_account_came_in_between(
    api: Api, client: FlaskClient, owner: User, event: Event
) -> None:
    token = invite(api, owner, event)
    register(api)
    page = client.get("/sign-up", query_string={"token": token})
    assert "never confirmed" in page.text
    assert client.post("/sign-up", data={"token": token, "password": PASSWORD}).status_code == 200
    assert roles() == ["moderator"]
    assert count(User) == 2


def test_the_invitation_to_a_deleted_event_can_no_longer_be_accepted(
    api: Api, client: FlaskClient, people: People, event: Event
) -> None:
    token = invite_token(make(event))
    event.deleted_at = utc_now()
    db.session.commit()
    for path in PAGES:
        for page in (
            client.get(path, query_string={"token": token}),
            client.post(path, data={"token": token, "password": PASSWORD}),
            client.post(path, data={"token": token, "answer": "declined"}),
        ):
            assert page.status_code == 400
            assert "The event was deleted" in page.text
            assert "Harbour" not in page.text
    refused = register(api, **{"invite-token": token})
    assert refused.status_code == 422
    assert accept(api, token).status_code == 400
    people.user(ADDRESS)
    assert accept(api, token).status_code == 400
    assert count(EventRole) == 1
    assert count(Mail) == 0


def test_the_address_of_a_removed_account_makes_no_second_one(
    client: FlaskClient, people: People, invited: RoleInvite
) -> None:
    people.user(ADDRESS).deleted_at = utc_now()
    db.session.commit()
    page = client.post("/sign-up", data={"token": invite_token(invited), "password": PASSWORD})
    assert page.status_code == 400
    assert "There is an account with this e-mail address." in page.text
    assert roles() == []


def test_the_link_of_the_app_says_where_the_front_end_shows_it(client: FlaskClient, invited: RoleInvite) -> None:
    page = client.get(f"/role-invites/{invited.id}")
    assert page.status_code == 200
    assert ADDRESS not in page.text
