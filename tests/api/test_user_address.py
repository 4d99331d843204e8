"""Another address for one's account: the old one counts until the new one is confirmed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.auth.tokens import CHANGE, LIFETIMES, RESET, VERIFY, link_token
from app.models import Happening, Mail, Notification, User, db
from app.models.mail import USER_CHANGE_EMAIL, USER_CONFIRM
from app.models.notification import USER_CHANGE_EMAIL as NOTIF_CHANGE_EMAIL
from tests.conftest import PASSWORD, People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities, count, mailed, notified, token_for

OLD, NEW = "ana@example.org", "new@example.org"


@pytest.fixture
def ana(people: People) -> User:
    return people.user(OLD)


def change(api: Api, user: User, email: Any, by: User | None = None) -> Any:
    return api.as_(by or user).update(f"/v1/users/{user.id}", "user", user.id, email=email)


def confirm(api: Api, token: str) -> int:
    return api.post("/v1/auth/verify-email", {"data": {"token": token}}).status_code


def log_in(api: Api, email: str) -> int:
    return api.client.post("/auth/session", json={"email": email, "password": PASSWORD}).status_code


@pytest.mark.triggers("mail:User email", "notif:User email", "mail:User Confirmation")
def test_old_and_new_address_are_told_and_the_old_one_counts_until_the_new_one_is_confirmed(
    api: Api, ana: User
) -> None:
    answer = change(api, ana, NEW)
    assert answer.status_code == 200
    shown = answer.json["data"]["attributes"]
    assert (shown["email"], shown["new-email"], shown["is-verified"]) == (OLD, NEW, True)
    assert mailed(USER_CHANGE_EMAIL) == [OLD, NEW]
    assert mailed(USER_CONFIRM) == [NEW]
    assert count(Mail) == 3
    assert notified(NOTIF_CHANGE_EMAIL) == [OLD]
    happening = db.session.scalars(select(Happening)).one()
    assert OLD in happening.message
    assert NEW in happening.message
    assert "token=" not in (happening.link or "") + happening.message
    assert (log_in(api, OLD), log_in(api, NEW)) == (200, 401)

    token = token_for(NEW, USER_CONFIRM)
    assert confirm(api, token) == 200
    db.session.refresh(ana)
    assert (ana.email, ana.new_email, ana.is_verified) == (NEW, None, True)
    assert (log_in(api, OLD), log_in(api, NEW)) == (401, 200)
    assert confirm(api, token) == 400
    assert f"User {NEW} ({ana.id}) changed the address from {OLD} to {NEW}" in activities()


def test_the_page_behind_the_link_confirms_a_new_address_too(api: Api, ana: User) -> None:
    change(api, ana, NEW)
    token = token_for(NEW, USER_CONFIRM)
    assert api.client.get("/verify", query_string={"token": token}).status_code == 200
    db.session.refresh(ana)
    assert ana.email == OLD
    assert api.client.post("/verify", data={"token": token}).status_code == 200
    db.session.refresh(ana)
    assert ana.email == NEW


def test_an_account_that_never_confirmed_its_address_changes_it_in_the_same_way(api: Api, people: People) -> None:
    user = people.user(OLD, verified=False)
    first = link_token(user, VERIFY)
    assert change(api, user, NEW).json["data"]["attributes"]["email"] == OLD
    assert confirm(api, token_for(NEW, USER_CONFIRM)) == 200
    db.session.refresh(user)
    assert (user.email, user.is_verified) == (NEW, True)
    assert confirm(api, first) == 400


def test_confirming_the_old_address_meanwhile_leaves_the_change_open(api: Api, people: People) -> None:
    user = people.user(OLD, verified=False)
    change(api, user, NEW)
    assert confirm(api, link_token(user, VERIFY)) == 200
    db.session.refresh(user)
    assert (user.email, user.new_email, user.is_verified) == (OLD, NEW, True)
    assert confirm(api, token_for(NEW, USER_CONFIRM)) == 200


def test_an_admin_changes_an_address_in_the_same_way(api: Api, people: People, ana: User) -> None:
    answer = change(api, ana, NEW, by=people.admin())
    assert answer.json["data"]["attributes"]["new-email"] == NEW
    assert mailed(USER_CHANGE_EMAIL) == [OLD, NEW]
    assert notified(NOTIF_CHANGE_EMAIL) == [OLD]


def test_a_second_change_replaces_the_first_whose_link_is_dead(api: Api, ana: User) -> None:
    change(api, ana, NEW)
    first = token_for(NEW, USER_CONFIRM)
    change(api, ana, "newer@example.org")
    assert confirm(api, first) == 400
    assert confirm(api, token_for("newer@example.org", USER_CONFIRM)) == 200
    db.session.refresh(ana)
    assert ana.email == "newer@example.org"


def test_the_same_change_again_sends_only_the_link_again(api: Api, ana: User) -> None:
    change(api, ana, NEW)
    first = token_for(NEW, USER_CONFIRM)
    assert change(api, ana, NEW).status_code == 200
    assert mailed(USER_CHANGE_EMAIL) == [OLD, NEW]
    assert mailed(USER_CONFIRM) == [NEW, NEW]
    assert count(Notification) == 1
    # Both links are for the same change: either works, once.
    assert [confirm(api, first), confirm(api, token_for(NEW, USER_CONFIRM))] == [200, 400]


def test_going_back_to_the_present_address_ends_the_change(api: Api, ana: User) -> None:
    change(api, ana, NEW)
    answer = change(api, ana, OLD)
    assert answer.json["data"]["attributes"]["new-email"] is None
    assert count(Mail) == 3
    assert confirm(api, token_for(NEW, USER_CONFIRM)) == 400


def test_a_client_that_sends_everything_back_tells_nobody_and_ends_no_change(api: Api, ana: User) -> None:
    for pending in (None, NEW):
        if pending:
            change(api, ana, pending)
        told = count(Mail)
        item = api.as_(ana).get(f"/v1/users/{ana.id}").json["data"]
        item["attributes"]["first-name"] = "Ana"
        answer = api.as_(ana).patch(f"/v1/users/{ana.id}", {"data": item})
        assert answer.status_code == 200
        assert answer.json["data"]["attributes"]["new-email"] == pending
        assert count(Mail) == told


@pytest.mark.parametrize("value", ["eve@example.org", None, 5, {"a": ["b"]}, "x" * 300, True])
def test_the_new_address_is_not_set_past_its_confirmation(api: Api, ana: User, value: Any) -> None:
    path = f"/v1/users/{ana.id}"
    assert api.as_(ana).update(path, "user", ana.id, new_email=value).status_code == 200
    made = api.create("/v1/users", "user", {"email": "ben@example.org", "password": PASSWORD, "new-email": value})
    assert made.status_code == 201
    assert db.session.scalars(select(User.new_email)).all() == [None, None]


def test_the_same_address_in_another_case_is_taken_at_once(api: Api, ana: User) -> None:
    answer = change(api, ana, "Ana@Example.org")
    shown = answer.json["data"]["attributes"]
    assert (shown["email"], shown["new-email"], shown["is-verified"]) == ("Ana@example.org", None, True)
    assert count(Mail) == count(Notification) == 0


def test_an_address_that_is_taken_is_409(api: Api, people: People, ana: User) -> None:
    other = people.user("ben@example.org")
    answer = change(api, ana, "BEN@example.org")
    assert answer.status_code == 409
    assert pointer_of(answer) == "/data/attributes/email"
    assert other.email not in answer.text
    assert count(Mail) == 0


def test_an_address_that_is_taken_meanwhile_changes_nothing(api: Api, people: People, ana: User) -> None:
    change(api, ana, NEW)
    token = token_for(NEW, USER_CONFIRM)
    people.user("New@example.org")
    answer = api.post("/v1/auth/verify-email", {"data": {"token": token}})
    assert answer.status_code == 409
    assert "There is an account with this e-mail address." in errors_of(answer)[0]["detail"]
    page = api.client.post("/verify", data={"token": token})
    assert page.status_code == 400
    assert "There is an account with this e-mail address." in page.text
    db.session.refresh(ana)
    assert (ana.email, ana.new_email) == (OLD, NEW)


def test_of_two_who_confirm_one_address_at_once_one_gets_it(app: Flask, api: Api, people: People) -> None:
    users = [people.user() for _ in range(4)]
    for user in users:
        assert change(api, user, NEW).status_code == 200
    tokens = [link_token(user, CHANGE) for user in users]
    with ThreadPoolExecutor(4) as pool:
        codes = sorted(pool.map(lambda token: confirm(Api(app.test_client()), token), tokens))
    assert codes == [200, 409, 409, 409]


def test_a_new_password_ends_a_change_that_waits(api: Api, ana: User) -> None:
    """The mail to the old address says: if that was not you, set a new password."""
    change(api, ana, NEW)
    token = token_for(NEW, USER_CONFIRM)
    body = {"data": {"token": link_token(ana, RESET), "password": "a new password"}}
    assert api.patch("/v1/auth/reset-password", body).status_code == 200
    assert confirm(api, token) == 400
    db.session.refresh(ana)
    assert (ana.email, ana.new_email) == (OLD, None)


def test_the_new_address_ends_a_link_to_a_new_password_that_the_old_one_got(api: Api, ana: User) -> None:
    reset = link_token(ana, RESET)
    change(api, ana, NEW)
    confirm(api, token_for(NEW, USER_CONFIRM))
    body = {"data": {"token": reset, "password": "a new password"}}
    assert api.patch("/v1/auth/reset-password", body).status_code == 400


def test_the_link_expires_and_is_for_nothing_else(api: Api, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    change(api, ana, NEW)
    token = token_for(NEW, USER_CONFIRM)
    body = {"data": {"token": token, "password": "a new password"}}
    assert api.patch("/v1/auth/reset-password", body).status_code == 400
    assert api.post("/v1/role-invites/accept-invite", body).status_code == 400
    monkeypatch.setitem(LIFETIMES, CHANGE, -1)
    assert confirm(api, token) == 400


def test_all_is_written_in_the_language_of_the_user(api: Api, ana: User) -> None:
    ana.language = "de"
    db.session.commit()
    change(api, ana, NEW)
    assert set(db.session.scalars(select(Mail.language))) == {"de"}


def test_others_do_not_change_an_address(api: Api, people: People, ana: User) -> None:
    assert change(api, ana, NEW, by=people.user()).status_code == 403
    assert api.update(f"/v1/users/{ana.id}", "user", ana.id, email=NEW).status_code == 401
    assert count(Mail) == 0
