"""No statement of the inbox or of delivery reads a whole table, as PostgreSQL plans it for tables that have grown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.api.jsonapi.paging import to_cursor
from app.delivery.claims import claim_batch
from app.delivery.tasks import sweep
from app.happenings.holding.held import release
from app.happenings.telling.recall import recall
from app.models import Fanout, User, db
from app.models.base import utc_now
from tests.conftest import People
from tests.support.api import Api
from tests.support.plans import assert_no_table_is_read_whole, statements_about
from tests.support.sending import point_at, refused_port, run

ROWS = 20_000
USERS = 100
DUE = 150

_FILL = """
INSERT INTO users (email) SELECT 'many' || n || '@example.org' FROM generate_series(1, :users) AS n;
INSERT INTO happenings (action, title, message)
    SELECT 'Test', 'Title ' || n, '<p>Hello</p>' FROM generate_series(1, 500) n;
INSERT INTO notifications (happening_id, user_id, is_read, read_at)
    SELECT 1 + (n - 1) / :users, 1 + n % :users, n % 7 > 0, CASE WHEN n % 7 > 0 THEN now() END
    FROM generate_series(1, :rows) AS n;
INSERT INTO mails (recipient, action, subject, message, text, message_id, status, sent_at)
    SELECT 'many' || n % :users || '@example.org', 'Test', 'Subject', '<p>Hello</p>', 'Hello', n || '@example.org',
        CASE WHEN n > :rows - :due THEN 'queued' ELSE 'sent' END, now() FROM generate_series(1, :rows) AS n;
"""
TABLES = ("notifications", "mails")


@pytest.fixture
def user(people: People) -> User:
    """A user among a hundred, with two hundred notifications; every table has been analysed."""
    first = people.user("first@example.org")
    db.session.execute(text(_FILL), {"rows": ROWS, "users": USERS, "due": DUE})
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return first


def test_a_whole_table_would_be_noticed(user: User) -> None:
    with statements_about(*TABLES) as seen:
        db.session.execute(text("SELECT count(*) FROM notifications WHERE received_at > now()"))
    with pytest.raises(AssertionError, match="Seq Scan on notifications"):
        assert_no_table_is_read_whole(seen, *TABLES)


PAGES: list[dict[str, Any]] = [
    {"page[size]": 20},
    {"page[size]": 20, "page[number]": 9},
    {"page[size]": 20, "sort": "-received-at"},
    {"page[size]": 20, "filter[is-read]": "false"},
    {"page[size]": 20, "filter": '[{"name": "is-read", "op": "eq", "val": false}]'},
    {"page[size]": 20, "filter": '[{"name": "action", "op": "eq", "val": "Test"}]'},
    {"page[size]": 20, "include": "user"},
    {"limit": 20, "offset": 30},
    {"page[size]": 20, "page[after]": ""},
    {"page[size]": 20, "page[after]": to_cursor(15_000)},
    {"page[size]": 20, "page[before]": to_cursor(5_000)},
    {"page[size]": 20, "filter[read]": "true"},
    {"page[size]": 20, "filter[read]": "2020-01-01T00:00:00Z"},
]


def test_every_page_of_the_inbox_is_read_by_an_index(api: Api, user: User) -> None:
    mine = api.as_(user)
    for query in PAGES:
        with statements_about(*TABLES) as seen:
            answer = mine.get(f"/v1/users/{user.id}/notifications", **query)
        assert answer.status_code == 200, answer.text
        assert len(answer.json["data"]) == 20, query
        assert_no_table_is_read_whole(seen, *TABLES)


def test_counting_and_marking_are_done_by_an_index(api: Api, user: User) -> None:
    inbox = f"/v1/users/{user.id}/notifications"
    mine = api.as_(user)
    with statements_about(*TABLES) as seen:
        counted = mine.get(f"{inbox}/count").json["meta"]
        newest = mine.get(inbox).json["data"][0]
        named = {"data": [{"type": "notification", "id": newest["id"], "attributes": {"is-read": True}}]}
        assert mine.patch(inbox, named).status_code == 200
        assert mine.patch(inbox, {"meta": {"is-read": False}}).json["meta"]["unread-count"] == "99+"
        read_all = {"meta": {"is-read": True, "received-before": "2100-01-01T00:00:00Z"}}
        assert mine.patch(inbox, read_all).json["meta"]["unread-count"] == 0
        path = f"/v1/notifications/{newest['id']}"
        assert mine.update(path, "notification", newest["id"], is_read=False).status_code == 200
        assert mine.delete(path).status_code == 204
    assert counted["count"] == ROWS / USERS
    assert 0 < counted["unread-count"] < counted["count"]
    assert_no_table_is_read_whole(seen, *TABLES)


def test_the_marker_the_groups_and_what_they_mark_are_found_by_an_index(api: Api, user: User) -> None:
    path, mine = f"/v1/users/{user.id}", api.as_(user)
    newest = mine.get(f"{path}/notifications").json["data"][0]["id"]
    db.session.execute(text("UPDATE happenings SET group_key = 'key ' || id % 50"))
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    with statements_about(*TABLES) as seen:
        groups = mine.get(f"{path}/notification-groups").json
        marker = mine.update(f"{path}/notification-marker", "notification-marker", user.id, seen_id=newest, version=0)
        assert marker.json["data"]["attributes"]["unseen-count"] == 0
        for which in ({"up-to": "marker"}, {"up-to": newest}, {"group-key": "key 7"}):
            answer = mine.patch(f"{path}/notifications", {"meta": {"is-read": True, **which}})
            assert answer.status_code == 200, answer.text
    assert groups["meta"]["count"] == 50
    assert len(seen) >= 6
    assert_no_table_is_read_whole(seen, *TABLES)


def test_the_statistics_of_mails_read_only_those_of_the_last_month(api: Api, user: User, people: People) -> None:
    age = "id * interval '1 hour'"
    # What was committed and is not on the disk yet, VACUUM does not count as seen by all.
    db.session.execute(text("SET LOCAL synchronous_commit = on"))
    db.session.execute(text(f"UPDATE mails SET time = now() - {age}, sent_at = sent_at - {age}"))
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE mails"))
    admin = api.as_(people.admin())
    with statements_about(*TABLES) as seen:
        answer = admin.get("/v1/admin/statistics/mails")
    assert 0 < answer.json["data"]["attributes"]["thirty-days"] < ROWS / 10
    assert len(seen) == 4
    assert_no_table_is_read_whole(seen, *TABLES)


def test_finding_claiming_and_ending_mails_is_done_by_an_index(user: User) -> None:
    point_at(refused_port(), email_service="disable")
    with statements_about(*TABLES) as seen:
        sweep()
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            _, some = claim_batch(connection, [ROWS, ROWS - 1])
            connection.execute(text("UPDATE mails SET lease_until = now() WHERE id = ANY(:ids)"), {"ids": [ROWS]})
        assert [mail.id for mail in some] == [ROWS - 1, ROWS]
        assert run() == {"suppressed": DUE - 2}
        sweep()
    assert any("count(*)" in statement for statement, _ in seen)
    assert_no_table_is_read_whole(seen, *TABLES)


def test_held_mails_that_are_due_are_found_by_an_index(user: User) -> None:
    held = """
        INSERT INTO held_mails (user_id, happening_id, mode, due_at, action, subject)
        SELECT user_id, happening_id, 'daily', now() + id % 100 * interval '1 day', 'Test', 'x'
        FROM (SELECT DISTINCT ON (user_id, happening_id) id, user_id, happening_id FROM notifications) AS one
    """
    db.session.execute(text(held))
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE held_mails"))
    with statements_about("held_mails", "notifications") as seen:
        list(release(utc_now() + timedelta(seconds=1), seconds=0))
    assert seen
    assert_no_table_is_read_whole(seen, "held_mails", "notifications")


def test_taking_back_is_done_by_an_index(user: User) -> None:
    db.session.execute(text("UPDATE mails SET happening_id = 1 WHERE id > :first"), {"first": ROWS - DUE})
    db.session.add(Fanout(happening_id=1, state="told", done=USERS, notifications=USERS))
    db.session.commit()
    with statements_about(*TABLES) as seen:
        recall(1)
        db.session.commit()
    assert db.session.get_one(Fanout, 1).finished_at is not None
    assert_no_table_is_read_whole(seen, *TABLES)
