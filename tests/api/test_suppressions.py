"""The suppression list over HTTP, and what the user whose address is on it sees."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.api.schema.users import EmailProblem
from app.auth.tokens import VERIFY, link_token
from app.models import Suppression, User, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.events import HARD, configure_key, hard, outcome, post_events, sent, soft_bounces, suppressed
from tests.support.rows import activities, statements

PATH = "/v1/suppressions"


@pytest.fixture
def admin(api: Api, people: People) -> Api:
    return api.as_(people.admin())


def add(admin: Api, **attributes: Any) -> Any:
    return admin.create(PATH, "suppression", attributes)


def test_an_admin_enters_an_address_reads_it_and_takes_it_off_again(admin: Api) -> None:
    answer = add(admin, address="Ana@Example.org", text="She asked\nby letter.")
    assert answer.status_code == 201
    item = answer.json["data"]
    attributes = {**item["attributes"]}
    assert attributes.pop("created-at").endswith("Z")
    assert attributes == {"address": "ana@example.org", "reason": "manual", "text": "She asked\nby letter."}
    assert item["relationships"]["user"]["data"] == {"type": "user", "id": "1"}
    assert item["relationships"]["mail"]["data"] is None
    path = answer.headers["Location"]
    assert admin.get(path).json["data"] == item
    assert admin.get(PATH).json["meta"]["count"] == 1
    assert admin.delete(path).status_code == 204
    assert (admin.get(path).status_code, suppressed()) == (404, {})
    assert activities() == [
        "No mail to ana@example.org any more",
        "Mail to ana@example.org again, which was suppressed (manual)",
    ]


def test_an_address_is_on_the_list_once_in_whatever_case(admin: Api) -> None:
    assert add(admin, address="ana@example.org").status_code == 201
    answer = add(admin, address="ANA@EXAMPLE.ORG")
    assert (answer.status_code, pointer_of(answer)) == (409, "/data/attributes/address")
    assert "already" in errors_of(answer)[0]["detail"]


def test_several_admins_who_enter_it_at_once_enter_it_once(app: Flask, admin: Api) -> None:
    def enter(_: int) -> int:
        return add(Api(app.test_client(), admin.token), address="ana@example.org").status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(enter, range(4))) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({}, "/data/attributes/address"),
        ({"address": None}, "/data/attributes/address"),
        ({"address": "nobody"}, "/data/attributes/address"),
        ({"address": "a@example.org, b@example.org"}, "/data/attributes/address"),
        ({"address": "a" * 300 + "@example.org"}, "/data/attributes/address"),
        ({"address": ["a@example.org"]}, "/data/attributes/address"),
        ({"address": "a@example.org", "text": "x" * 1001}, "/data/attributes/text"),
        ({"address": "a@example.org", "text": 7}, "/data/attributes/text"),
        ({"address": "a@example.org", "colour": "red"}, "/data/attributes/colour"),
    ],
)
def test_what_is_no_address_is_refused(admin: Api, attributes: dict[str, Any], pointer: str) -> None:
    answer = admin.create(PATH, "suppression", attributes)
    assert (answer.status_code, pointer_of(answer)) == (422, pointer)
    assert suppressed() == {}


def test_the_reason_is_the_servers_to_give_and_nothing_is_changed(admin: Api) -> None:
    assert add(admin, address="ana@example.org", reason="complaint").json["data"]["attributes"]["reason"] == "manual"
    answer = admin.update(f"{PATH}/1", "suppression", 1, text="x")
    assert (answer.status_code, "PATCH" in answer.headers["Allow"]) == (405, False)


def test_the_list_is_filtered_and_sorted_and_names_the_mail(admin: Api) -> None:
    configure_key()
    for name in ("ana", "ben"):
        post_events(admin.client, hard(sent(f"{name}@example.org")))
    add(admin, address="cy@example.org")
    found = admin.get(PATH, **{"filter[reason]": "hard-bounce", "sort": "-address", "include": "mail"}).json
    assert [item["attributes"]["address"] for item in found["data"]] == ["ben@example.org", "ana@example.org"]
    assert found["data"][0]["attributes"]["text"] == HARD
    assert {item["attributes"]["recipient"] for item in found["included"]} == {"ana@example.org", "ben@example.org"}


def test_after_an_address_is_taken_off_soft_bounces_are_counted_anew(admin: Api) -> None:
    add(admin, address="ana@example.org")
    db.session.execute(text("INSERT INTO soft_bounces (address, count) VALUES ('ana@example.org', 4)"))
    db.session.commit()
    admin.delete(f"{PATH}/1")
    assert soft_bounces() == {}


def problem(api: Api, user: User) -> Any:
    return api.get(f"/v1/users/{user.id}").json["data"]["attributes"]["email-problem"]


def test_a_user_whose_address_bounces_sees_why_until_mail_goes_to_it_again(admin: Api, people: People) -> None:
    configure_key()
    user = people.user("Ana@example.org")
    api = admin.as_(user)
    assert problem(api, user) is None
    mail = sent("ana@example.org")
    post_events(admin.client, hard(mail))
    assert outcome(mail) == "bounced"
    shown = problem(api, user)
    assert (shown["reason"], shown["text"], shown["since"][-1]) == ("hard-bounce", HARD, "Z")
    assert problem(admin, user) == shown
    # A client that sends back what it read changes nothing.
    answer = api.update(f"/v1/users/{user.id}", "user", user.id, email_problem=None, first_name="Ana")
    assert answer.json["data"]["attributes"]["email-problem"] == shown
    admin.delete(f"{PATH}/1")
    assert problem(api, user) is None


def test_a_user_who_asks_for_an_address_that_bounces_sees_why_no_link_comes(admin: Api, people: People) -> None:
    db.session.add(Suppression(address="new@example.org", reason="hard-bounce", text=HARD))
    db.session.add(Suppression(address="other@example.org", reason="complaint"))
    db.session.commit()
    user = people.user("ana@example.org")
    api, path = admin.as_(user), f"/v1/users/{user.id}"
    answer = api.update(path, "user", user.id, email="New@example.org")
    shown = answer.json["data"]["attributes"]["email-problem"]
    assert (shown["address"], shown["reason"]) == ("new@example.org", "hard-bounce")
    assert problem(api, user) == shown
    answer = api.update(path, "user", user.id, email="other@example.org")
    assert answer.json["data"]["attributes"]["email-problem"] is problem(api, user) is None


def test_nobody_else_sees_it_and_nobody_finds_accounts_by_it(admin: Api, people: People) -> None:
    people.user("ana@example.org")
    db.session.add(Suppression(address="ana@example.org", reason="complaint"))
    db.session.commit()
    assert admin.as_(people.user()).get("/v1/users/2").status_code == 403
    assert admin.get("/v1/users", **{"filter[email-problem]": "x"}).status_code == 400
    assert admin.get("/v1/users", sort="email-problem").status_code == 400


def test_who_registers_with_the_address_of_another_learns_no_more_than_that_it_bounces(people: People) -> None:
    seen = {}
    for reason in ("hard-bounce", "soft-bounces", "complaint", "manual"):
        user = people.user(verified=False)
        db.session.add(Suppression(address=user.email, reason=reason))
        db.session.commit()
        seen[reason] = EmailProblem().serialize("email_problem", user)
    assert [reason for reason, shown in seen.items() if shown] == ["hard-bounce", "soft-bounces"]


def test_who_follows_a_link_that_was_sent_there_is_written_to_again_unless_it_was_more_than_soft_bounces(
    api: Api, people: People
) -> None:
    for reason, stays in (("soft-bounces", False), ("hard-bounce", True), ("complaint", True)):
        user = people.user(f"Ana-{reason}@example.org", verified=False)
        db.session.add(Suppression(address=user.email.lower(), reason=reason))
        db.session.execute(text("UPDATE suppressions SET created_at = now() - interval '1 minute'"))
        db.session.commit()
        answer = api.post("/v1/auth/verify-email", {"data": {"token": link_token(user, VERIFY)}})
        assert answer.status_code == 200
        assert (user.email.lower() in suppressed()) == stays


def test_the_list_of_users_takes_no_more_statements_for_more_of_them(admin: Api, people: People) -> None:
    counts = []
    for many in (2, 10):
        for _ in range(many):
            user = people.user()
            db.session.add(Suppression(address=user.email.lower(), reason="complaint"))
        db.session.commit()
        db.session.expire_all()
        with statements() as seen:
            items = admin.get("/v1/users").json["data"]
        assert sum(item["attributes"]["email-problem"] is not None for item in items) >= many
        counts.append(len(seen))
    assert counts[0] == counts[1]
