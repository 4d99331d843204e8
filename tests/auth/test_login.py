"""Logging in, and what ends a login."""

import jwt
import pytest
import redis
from flask.testing import FlaskClient

from app.auth import passwords
from app.embedded.stack import EmbeddedStack
from app.models import User, db
from tests.conftest import PASSWORD, People
from tests.support.api import Api
from tests.support.processes import wait_for


def log_in(client: FlaskClient, path: str = "/auth/session", **body: object):  # noqa: ANN201 - werkzeug's
    return client.post(path, json=body)


@pytest.mark.parametrize("path", ["/auth/session", "/v1/auth/login"])
@pytest.mark.parametrize("name", ["email", "username"])
def test_email_or_username_and_password_give_a_token(client: FlaskClient, people: People, path: str, name: str) -> None:
    user = people.user("Ana@example.org")
    answer = log_in(client, path, **{name: "ana@EXAMPLE.org", "password": PASSWORD})
    assert answer.status_code == 200
    claims = jwt.decode(answer.json["access_token"], options={"verify_signature": False})
    assert claims["identity"] == user.id


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "a@example.org"}, {"password": "x"}, {"email": "", "password": ""}, {"email": 1, "password": 2}],
)
def test_a_missing_field_is_400(client: FlaskClient, body: dict[str, object]) -> None:
    assert client.post("/auth/session", json=body).status_code == 400


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(client: FlaskClient, people: People) -> None:
    people.user("ana@example.org")
    unknown = log_in(client, email="nobody@example.org", password="wrong wrong")
    wrong = log_in(client, email="ana@example.org", password="wrong wrong")
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.json == wrong.json


def test_an_unknown_user_costs_a_hash_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    real = passwords._hasher.verify  # noqa: SLF001 - what it is asked is seen nowhere else

    class Watching:
        def verify(self, stored: str, given: str) -> bool:
            checked.append(stored)
            return real(stored, given)

    monkeypatch.setattr(passwords, "_hasher", Watching())
    monkeypatch.setattr(passwords, "_nobody", lambda: passwords.PasswordHasher().hash("nobody"))
    assert passwords.verify_password(None, "x") is False
    assert passwords.verify_password("", "x") is False
    assert [stored[:9] for stored in checked] == ["$argon2id", "$argon2id"]


@pytest.mark.parametrize("scheme", ["JWT", "Bearer", "jwt", "bearer"])
def test_both_schemes_are_taken(client: FlaskClient, people: People, scheme: str) -> None:
    user = people.user()
    header = {"Authorization": f"{scheme} {people.token(user)}"}
    assert client.get(f"/v1/users/{user.id}", headers=header).status_code == 200


@pytest.mark.parametrize("header", ["JWT", "JWT ", "Basic YTpi", "JWT not.a.token", "JWT é", "x" * 5000, "JWT null"])
def test_an_unusable_header_is_401_and_says_how_to_log_in(client: FlaskClient, header: str) -> None:
    answer = client.get("/v1/users/1", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("JWT")
    assert answer.json["errors"][0]["status"] == "401"


def test_a_token_signed_by_somebody_else_is_401(client: FlaskClient, people: People) -> None:
    user = people.user()
    forged = jwt.encode({"identity": user.id, "ver": 0, "type": "access", "fresh": False, "jti": "x"}, "k" * 32)
    assert client.get(f"/v1/users/{user.id}", headers={"Authorization": f"JWT {forged}"}).status_code == 401
    unsigned = jwt.encode({"identity": user.id, "ver": 0, "type": "access"}, "", algorithm="none")
    assert client.get(f"/v1/users/{user.id}", headers={"Authorization": f"JWT {unsigned}"}).status_code == 401


def test_a_changed_password_ends_every_earlier_login(api: Api, people: People) -> None:
    user = people.user()
    mine = api.as_(user)
    wrong = mine.post("/v1/auth/change-password", {"data": {"old-password": "no", "new-password": "another password"}})
    assert wrong.status_code == 400
    body = {"data": {"old-password": PASSWORD, "new-password": "another password"}}
    assert mine.post("/v1/auth/change-password", body).status_code == 200
    assert mine.get(f"/v1/users/{user.id}").status_code == 401
    assert log_in(api.client, email=user.email, password=PASSWORD).status_code == 401
    assert log_in(api.client, email=user.email, password="another password").status_code == 200


def test_guessing_the_old_password_is_limited(api: Api, people: People) -> None:
    mine = api.as_(people.user())
    body = {"data": {"old-password": "no", "new-password": "another password"}}
    codes = [mine.post("/v1/auth/change-password", body).status_code for _ in range(12)]
    assert codes == [400] * 10 + [429] * 2


def test_the_token_of_a_removed_user_is_401(api: Api, people: People) -> None:
    user = people.user()
    mine = api.as_(user)
    db.session.delete(db.session.get(User, user.id))
    db.session.commit()
    assert mine.get("/v1/notifications/1").status_code == 401


def test_ten_wrong_passwords_in_a_minute_block_the_account_and_no_other(client: FlaskClient, people: People) -> None:
    people.user("ana@example.org")
    people.user("ben@example.org")
    codes = [log_in(client, email="ana@example.org", password="wrong").status_code for _ in range(12)]
    assert codes == [401] * 10 + [429] * 2
    assert log_in(client, username="ANA@example.org", password=PASSWORD).status_code == 429
    assert log_in(client, email="ben@example.org", password=PASSWORD).status_code == 200


def test_a_429_is_a_json_api_error_that_says_when_to_come_back(client: FlaskClient, database: None) -> None:
    for _ in range(10):
        log_in(client, email="ana@example.org", password="wrong")
    answer = log_in(client, email="ana@example.org", password="wrong")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json["errors"][0]["status"] == "429"


def test_right_passwords_are_not_counted(client: FlaskClient, people: People) -> None:
    people.user("ana@example.org")
    codes = {log_in(client, email="ana@example.org", password=PASSWORD).status_code for _ in range(15)}
    assert codes == {200}


def counts_in_redis(client: FlaskClient, broker: redis.Redis) -> bool:
    """Whether a wrong password leaves a count in Redis."""
    broker.flushdb()
    log_in(client, email="somebody@example.org", password="wrong")
    return bool(broker.keys("LIMIT*"))


def test_with_redis_away_one_can_log_in_and_tries_are_still_limited(
    client: FlaskClient, people: People, stack: EmbeddedStack, broker: redis.Redis
) -> None:
    people.user("ana@example.org")
    stack.stop_part("valkey")
    try:
        assert log_in(client, email="ana@example.org", password=PASSWORD).status_code == 200
        codes = [log_in(client, email="zoe@example.org", password="wrong").status_code for _ in range(12)]
    finally:
        stack.start_server("valkey")
        # It asks for Redis again at one of the next requests, later and later: other tests count on it.
        wait_for(lambda: counts_in_redis(client, broker), "the return to Redis")
    assert codes[0] == 401
    assert codes[-1] == 429


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"email": "\\ud800", "password": "x"}', '{"email": "a\\u0000"}', "[]", "x"]
)
def test_a_hostile_body_is_400_and_does_not_switch_the_counting_off(
    client: FlaskClient, broker: redis.Redis, body: str
) -> None:
    answer = client.post("/auth/session", data=body, content_type="application/json")
    assert answer.status_code == 400
    codes = [log_in(client, email="ana@example.org", password="wrong").status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]
    assert counts_in_redis(client, broker)


def test_a_body_that_does_not_say_it_is_json_is_415_and_no_way_around_the_limit(client: FlaskClient) -> None:
    body = '{"email": "ana@example.org", "password": "wrong"}'
    assert client.post("/auth/session", data=body, content_type="text/plain").status_code == 415
