"""The links in mails: confirming an address, setting a new password."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.api.helpers.templates import MASK
from app.auth.tokens import LIFETIMES, RESET, VERIFY, link_token
from app.models import Mail, db
from app.models.mail import PASSWORD_CHANGE, PASSWORD_RESET, USER_CONFIRM
from tests.conftest import PASSWORD, People
from tests.support.api import Api


def secret_of(action: str) -> str:
    """The token in the newest mail of an action."""
    mail = db.session.scalars(select(Mail).where(Mail.action == action).order_by(Mail.id.desc())).first()
    assert mail is not None
    assert mail.secret is not None
    found = re.search(r"token=([^&]+)$", mail.secret)
    assert found
    return found[1]


def test_a_confirmation_link_works_once(api: Api, people: People) -> None:
    user = people.user(verified=False)
    token = link_token(user, VERIFY)
    assert api.post("/v1/auth/verify-email", {"data": {"token": token}}).status_code == 200
    db.session.refresh(user)
    assert user.is_verified
    assert api.post("/v1/auth/verify-email", {"data": {"token": token}}).status_code == 400


@pytest.mark.parametrize("token", ["", "x", "a.b.c", None, 5, ["x"], "é" * 1000])
def test_a_token_that_is_none_is_400(api: Api, token: object) -> None:
    assert api.post("/v1/auth/verify-email", {"data": {"token": token}}).status_code == 400
    body = {"data": {"token": token, "password": "a new password"}}
    assert api.patch("/v1/auth/reset-password", body).status_code == 400


@pytest.mark.parametrize("body", [[], {}, {"data": []}, {"data": None}, "x", 1])
def test_a_body_of_another_shape_is_400(api: Api, body: object) -> None:
    assert api.post("/v1/auth/verify-email", body).status_code == 400


def test_a_token_for_one_purpose_is_none_for_another(api: Api, people: People) -> None:
    user = people.user(verified=False)
    body = {"data": {"token": link_token(user, VERIFY), "password": "a new password"}}
    assert api.patch("/v1/auth/reset-password", body).status_code == 400
    assert api.post("/v1/auth/verify-email", {"data": {"token": link_token(user, RESET)}}).status_code == 400


def test_an_expired_token_is_400(api: Api, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    token = link_token(people.user(verified=False), VERIFY)
    monkeypatch.setitem(LIFETIMES, VERIFY, -1)
    assert api.post("/v1/auth/verify-email", {"data": {"token": token}}).status_code == 400


def test_asking_for_a_reset_answers_the_same_for_an_unknown_address(api: Api, people: People) -> None:
    people.user("ana@example.org")
    known = api.post("/v1/auth/reset-password", {"data": {"email": "ANA@example.org"}})
    unknown = api.post("/v1/auth/reset-password", {"data": {"email": "nobody@example.org"}})
    assert known.status_code == unknown.status_code == 200
    assert known.json == unknown.json
    assert [mail.recipient for mail in db.session.scalars(select(Mail))] == ["ana@example.org"]


@pytest.mark.triggers("mail:Reset Password", "mail:Change Password", "notif:Change Password")
def test_a_reset_link_sets_a_password_once_and_ends_earlier_logins(api: Api, people: People) -> None:
    user = people.user("ana@example.org")
    mine = api.as_(user)
    api.post("/v1/auth/reset-password", {"data": {"email": "ana@example.org"}})
    body = {"data": {"token": secret_of(PASSWORD_RESET), "password": "a new password"}}
    short = {"data": {"token": body["data"]["token"], "password": "short"}}
    assert api.patch("/v1/auth/reset-password", short).status_code == 422
    assert api.patch("/v1/auth/reset-password", body).status_code == 200
    assert api.patch("/v1/auth/reset-password", body).status_code == 400
    assert mine.get(f"/v1/users/{user.id}").status_code == 401
    assert api.client.post("/auth/session", json={"email": user.email, "password": "a new password"}).status_code == 200
    assert api.client.post("/auth/session", json={"email": user.email, "password": PASSWORD}).status_code == 401
    assert secret_count(PASSWORD_CHANGE) == 1


def secret_count(action: str) -> int:
    return len(db.session.scalars(select(Mail).where(Mail.action == action)).all())


def test_nobody_reads_the_token_of_a_mail_not_even_an_admin(api: Api, people: People) -> None:
    admin = people.admin()
    api.create("/v1/users", "user", {"email": "ana@example.org", "password": PASSWORD})
    token = secret_of(USER_CONFIRM)
    mails = api.as_(admin).get("/v1/mails")
    assert mails.status_code == 200
    assert token not in mails.text
    assert MASK in mails.text
    raw = db.session.connection().exec_driver_sql("SELECT string_agg(mails::text, ' ') FROM mails").scalar_one()
    assert token not in raw


def test_the_link_opens_a_page_that_changes_nothing_until_its_button_is_pressed(
    client: FlaskClient, people: People
) -> None:
    user = people.user(verified=False)
    token = link_token(user, VERIFY)
    page = client.get("/verify", query_string={"token": token})
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert f'value="{token}"' in page.text
    db.session.refresh(user)
    assert not user.is_verified
    assert client.post("/verify", data={"token": token}).status_code == 200
    db.session.refresh(user)
    assert user.is_verified
    assert client.post("/verify", data={"token": token}).status_code == 400


def test_the_reset_page_sets_a_password_and_says_what_was_wrong(client: FlaskClient, people: People) -> None:
    user = people.user()
    token = link_token(user, RESET)
    assert client.get("/reset-password", query_string={"token": token}).status_code == 200
    short = client.post("/reset-password", data={"token": token, "password": "short"})
    assert short.status_code == 400
    assert "8 to 256 characters" in short.text
    assert client.post("/reset-password", data={"token": token, "password": "a new password"}).status_code == 200
    assert client.post("/auth/session", json={"email": user.email, "password": "a new password"}).status_code == 200


def test_a_page_escapes_what_stands_in_its_address(client: FlaskClient, database: None) -> None:
    page = client.get("/verify", query_string={"token": '"><script>alert(1)</script>'})
    assert "<script>alert" not in page.text
