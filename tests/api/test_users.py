"""Registering, and one's own account."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.models import Mail, User, db
from app.models.mail import USER_CONFIRM, USER_REGISTER, USER_REGISTER_WITH_PASSWORD
from tests.conftest import PASSWORD, People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import activities, count, mailed

ATTRIBUTES = {
    "email",
    "new-email",
    "was-registered-with-order",
    "first-name",
    "last-name",
    "language",
    "timezone",
    "is-admin",
    "is-verified",
    "created-at",
    "email-problem",
    "phone",
    "chat-address",
}


def register(api: Api, email: Any = "ana@example.org", password: Any = PASSWORD, **more: Any) -> Any:
    return api.create("/v1/users", "user", {"email": email, "password": password, **more})


@pytest.mark.triggers("mail:User Registration", "mail:User Confirmation")
def test_registering_sends_exactly_two_mails_and_answers_with_the_account(api: Api) -> None:
    answer = register(api, **{"first-name": "Ana", "language": "de", "timezone": "Europe/Berlin"})
    assert answer.status_code == 201
    user = db.session.scalars(select(User)).one()
    assert answer.headers["Location"] == f"/v1/users/{user.id}"
    item = answer.json["data"]
    assert (item["type"], item["id"]) == ("user", str(user.id))
    assert set(item["attributes"]) == ATTRIBUTES
    assert item["attributes"]["is-verified"] is item["attributes"]["is-admin"] is False
    assert mailed(USER_REGISTER) == mailed(USER_CONFIRM) == ["ana@example.org"]
    assert count(Mail) == 2
    assert "User ana@example.org (1) registered" in activities()


def test_nobody_registers_as_admin_or_verified(api: Api) -> None:
    for name in ("is-admin", "is-verified", "created-at"):
        register(api, f"{name}@example.org", **{name: True})
    assert not any(user.is_admin or user.is_verified for user in db.session.scalars(select(User)))
    for name in ("password-hash", "token-version", "is_admin", "deleted-at", "id"):
        answer = register(api, "eve@example.org", **{name: 1})
        assert answer.status_code == 422
        assert pointer_of(answer) == f"/data/attributes/{name}"


@pytest.mark.parametrize("email", ["ana@example.org", "ANA@example.org", "Ana@EXAMPLE.ORG"])
def test_an_address_has_one_account_whatever_its_case(api: Api, people: People, email: str) -> None:
    people.user("Ana@Example.org")
    answer = register(api, email)
    assert answer.status_code == 409
    assert pointer_of(answer) == "/data/attributes/email"
    assert count(User) == 1
    assert count(Mail) == 0


@pytest.mark.usefixtures("database")
def test_of_two_who_register_an_address_at_once_one_gets_it(app: Flask) -> None:
    with ThreadPoolExecutor(4) as pool:
        spellings = ["ana@example.org", "Ana@example.org", "aNa@example.org", "anA@example.org"]
        codes = sorted(pool.map(lambda email: register(Api(app.test_client()), email).status_code, spellings))
    assert codes == [201, 409, 409, 409]
    assert db.session.scalar(select(func.count()).select_from(Mail)) == 2


@pytest.mark.parametrize(
    "email",
    [
        "a@example.org\nBcc: eve@example.org",
        "a@example.org\r\n",
        "a@example.org\n",
        "a@example.org, eve@example.org",
        "a@example.org;eve@example.org",
        "a@example.org eve@example.org",
        "Ana <a@example.org>",
        "a@example.org>",
        "a@b@example.org",
        "@example.org",
        "a@",
        "a",
        "",
        " ",
        "a@exa mple.org",
        "a@example..org",
        "a" * 65 + "@example.org",
        "a@" + "e" * 250 + ".org",
        "é@example.org",
        "a@[127.0.0.1]",
        "a\u2028@example.org",
        None,
        5,
        ["a@example.org"],
        {"a": "b"},
        True,
    ],
)
def test_what_is_not_one_address_is_422(api: Api, email: Any) -> None:
    answer = register(api, email)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/email"
    assert count(User) == count(Mail) == 0


@pytest.mark.parametrize("password", ["", "short", "1234567", "x" * 257, None, 12345678, ["12345678"]])
def test_a_password_has_8_to_256_characters(api: Api, password: Any) -> None:
    answer = register(api, password=password)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/password"
    assert count(User) == 0


def test_email_and_password_are_needed_and_both_are_named(api: Api) -> None:
    answer = api.create("/v1/users", "user", {})
    pointers = {error["source"]["pointer"] for error in errors_of(answer)}
    assert pointers == {"/data/attributes/email", "/data/attributes/password"}


def test_a_client_does_not_choose_its_id(api: Api) -> None:
    body = {"data": {"type": "user", "id": "7", "attributes": {"email": "ana@example.org", "password": PASSWORD}}}
    assert api.post("/v1/users", body).status_code == 403
    assert count(User) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("language", "xx"),
        ("language", "english"),
        ("language", None),
        ("timezone", "Europe/Nowhere"),
        ("timezone", "../../etc/passwd"),
        ("timezone", None),
        ("first-name", "a\nb"),
        ("last-name", "x" * 256),
        ("first-name", 5),
    ],
)
def test_a_value_that_cannot_be_is_422(api: Api, people: People, name: str, value: Any) -> None:
    assert pointer_of(register(api, **{name: value})) == f"/data/attributes/{name}"
    user = people.user()
    body = {"data": {"type": "user", "id": str(user.id), "attributes": {name: value}}}
    answer = api.as_(user).patch(f"/v1/users/{user.id}", body)
    assert answer.status_code == 422


# --- the password is only ever written


@pytest.mark.parametrize(
    "query",
    [
        {"filter": json.dumps([{"name": "password", "op": "ne", "val": "x"}])},
        {"filter": json.dumps([{"name": "password-hash", "op": "like", "val": "%"}])},
        {"filter": json.dumps([{"name": "email", "op": "ne", "field": "password"}])},
        {"filter": json.dumps([{"name": "email", "op": "ne", "field": "password_hash"}])},
        {"filter[password]": "x"},
        {"filter[password-hash]": "x"},
        {"filter[token-version]": "0"},
        {"sort": "password"},
        {"sort": "-password_hash"},
        {"sort": "token-version"},
        {"fields[user]": "password"},
        {"fields[user]": "email,password-hash"},
        {"include": "password"},
    ],
)
def test_not_even_an_admin_asks_for_a_password(api: Api, people: People, query: dict[str, str]) -> None:
    answer = api.as_(people.admin()).get("/v1/users", **query)
    assert answer.status_code == 400
    assert errors_of(answer)[0]["source"]["parameter"] in query


def test_no_answer_has_a_password(api: Api, people: People) -> None:
    answers = [register(api)]
    admin = api.as_(people.admin())
    user = db.session.scalars(select(User).where(User.email == "ana@example.org")).one()
    mine = api.as_(user)
    answers += [mine.get(f"/v1/users/{user.id}"), admin.get("/v1/users"), admin.get(f"/v1/users/{user.id}")]
    answers += [mine.update(f"/v1/users/{user.id}", "user", user.id, first_name="Ana")]
    answers += [admin.get("/v1/activities"), admin.get("/v1/mails")]
    for answer in answers:
        assert answer.status_code < 300
        assert PASSWORD not in answer.text
        assert "argon2" not in answer.text
        assert '"password"' not in answer.text


def test_a_password_is_not_changed_in_passing(api: Api, people: People) -> None:
    user = people.user()
    before = user.password_hash
    answer = api.as_(user).update(f"/v1/users/{user.id}", "user", user.id, password="another password")
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/password"
    assert "change-password" in errors_of(answer)[0]["detail"]
    db.session.refresh(user)
    assert user.password_hash == before


# --- one's own account


def test_an_address_that_is_taken_is_409(api: Api, people: People) -> None:
    user, other = people.user(), people.user("ben@example.org")
    answer = api.as_(user).update(f"/v1/users/{user.id}", "user", user.id, email="BEN@example.org")
    assert answer.status_code == 409
    assert other.email not in answer.text
    assert count(Mail) == 0


def test_read_only_attributes_come_back_unchanged(api: Api, people: People) -> None:
    user = people.user(verified=False)
    item = api.as_(user).get(f"/v1/users/{user.id}").json["data"]
    item["attributes"] |= {"is-admin": True, "is-verified": True, "first-name": "Ana"}
    answer = api.as_(user).patch(f"/v1/users/{user.id}", {"data": item})
    assert answer.status_code == 200
    db.session.refresh(user)
    assert (user.is_admin, user.is_verified, user.first_name) == (False, False, "Ana")


def test_others_neither_read_nor_change_an_account_and_learn_not_whether_it_is_there(api: Api, people: People) -> None:
    user, other = people.user(), people.user()
    for id_ in (user.id, 987654):
        assert api.get(f"/v1/users/{id_}").status_code == 401
        assert api.as_(other).get(f"/v1/users/{id_}").status_code == 403
        assert api.as_(other).update(f"/v1/users/{id_}", "user", id_, first_name="Eve").status_code == 403
    db.session.refresh(user)
    assert user.first_name is None


def test_an_admin_reads_and_changes_accounts_and_lists_them(api: Api, people: People) -> None:
    user, admin = people.user(), people.admin()
    mine = api.as_(admin)
    assert mine.update(f"/v1/users/{user.id}", "user", user.id, first_name="Ana").status_code == 200
    listed = mine.get("/v1/users", sort="email").json
    assert [item["id"] for item in listed["data"]] == [str(admin.id), str(user.id)]
    assert listed["meta"]["count"] == 2
    found = mine.get("/v1/users", filter='[{"name":"email","op":"ilike","val":"ADMIN%"}]').json["data"]
    assert [item["id"] for item in found] == [str(admin.id)]
    assert mine.get("/v1/users/987654").status_code == 404


def test_a_removed_account_is_gone_and_its_address_is_not_free(api: Api, people: People) -> None:
    user, admin = people.user("ana@example.org"), people.admin()
    user.deleted_at = func.now()
    db.session.commit()
    assert api.as_(admin).get(f"/v1/users/{user.id}").status_code == 404
    assert api.as_(admin).get("/v1/users").json["meta"]["count"] == 1
    assert register(api, "ana@example.org").status_code == 409


# --- registering in special ways


@pytest.mark.triggers("mail:User Registration during Payment")
def test_registering_during_payment_sends_another_welcome(api: Api) -> None:
    made = register(api, **{"was-registered-with-order": True})
    assert made.json["data"]["attributes"]["was-registered-with-order"] is True
    assert mailed(USER_REGISTER_WITH_PASSWORD) == mailed(USER_CONFIRM) == ["ana@example.org"]
    assert count(Mail) == 2
    plain = register(api, "ben@example.org", **{"was-registered-with-order": False})
    assert plain.json["data"]["attributes"]["was-registered-with-order"] is False
    assert mailed(USER_REGISTER) == ["ben@example.org"]


@pytest.mark.parametrize("value", [None, 1, "true", []])
def test_whether_it_was_during_payment_is_yes_or_no(api: Api, value: Any) -> None:
    answer = register(api, **{"was-registered-with-order": value})
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/was-registered-with-order"


def test_how_somebody_registered_does_not_change(api: Api, people: People) -> None:
    user = people.user()
    answer = api.as_(user).update(f"/v1/users/{user.id}", "user", user.id, was_registered_with_order=True)
    assert answer.status_code == 200
    assert answer.json["data"]["attributes"]["was-registered-with-order"] is False
    assert count(Mail) == 0


@pytest.mark.parametrize("more", [{}, {"was-registered-with-order": True}])
def test_the_mails_after_registering_are_in_the_language_of_the_new_user(api: Api, more: dict[str, Any]) -> None:
    register(api, language="de", **more)
    register(api, "ben@example.org", language="de-AT", **more)
    assert [mail.language for mail in db.session.scalars(select(Mail))] == ["de"] * 4


def test_the_mails_about_a_password_are_in_the_language_of_the_user(api: Api, people: People) -> None:
    user = people.user("ana@example.org")
    user.language = "de"
    db.session.commit()
    api.post("/v1/auth/reset-password", {"data": {"email": "ANA@example.org"}})
    api.as_(user).post("/v1/auth/change-password", {"data": {"old-password": PASSWORD, "new-password": "another one"}})
    assert [mail.language for mail in db.session.scalars(select(Mail))] == ["de", "de"]
