"""A notification's user and happening exist, stay, and take it along: seen by triggers in place of foreign keys."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import IntegrityError

from app.models import Happening, Notification, db
from tests.conftest import People

INSERT = text("INSERT INTO notifications (happening_id, user_id) SELECT :happening, unnest(CAST(:users AS bigint[]))")


@pytest.fixture
def happening(database: None) -> int:
    row = Happening(action="Test", title="News", message="News")
    db.session.add(row)
    db.session.commit()
    return row.id


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(Notification)) or 0


def test_a_notification_of_nobody_is_refused_with_all_of_its_statement(happening: int, people: People) -> None:
    ana = people.user()
    with pytest.raises(IntegrityError, match="there is no user 999 to be notified") as caught:
        db.session.execute(INSERT, {"happening": happening, "users": [ana.id, 999]})
    assert getattr(caught.value.orig, "pgcode", None) == "23503"
    db.session.rollback()
    assert count() == 0
    db.session.execute(INSERT, {"happening": happening, "users": [ana.id]})
    db.session.commit()
    assert count() == 1


def test_a_notification_of_nothing_is_refused_with_all_of_its_statement(happening: int, people: People) -> None:
    two = text("INSERT INTO notifications (happening_id, user_id) VALUES (:happening, :user), (999, :user)")
    ana = people.user()
    with pytest.raises(IntegrityError, match="there is no happening 999 to be told") as caught:
        db.session.execute(two, {"happening": happening, "user": ana.id})
    assert getattr(caught.value.orig, "pgcode", None) == "23503"
    db.session.rollback()
    assert count() == 0


def test_a_notification_does_not_become_another_users(happening: int, people: People) -> None:
    ana, ben = people.user(), people.user()
    db.session.execute(INSERT, {"happening": happening, "users": [ana.id]})
    with pytest.raises(IntegrityError, match="does not become another user's"):
        db.session.execute(text("UPDATE notifications SET user_id = :id"), {"id": ben.id})
    db.session.rollback()


def test_a_notification_does_not_become_another_happenings(happening: int, people: People) -> None:
    db.session.execute(INSERT, {"happening": happening, "users": [people.user().id]})
    with pytest.raises(IntegrityError, match="does not become another happening's"):
        db.session.execute(text("UPDATE notifications SET happening_id = 999"))
    db.session.rollback()


def test_a_happening_that_is_deleted_takes_its_notifications_along(happening: int, people: People) -> None:
    other = Happening(action="Test", title="Other", message="Other")
    db.session.add(other)
    db.session.flush()
    for id_ in (happening, other.id):
        db.session.execute(INSERT, {"happening": id_, "users": [people.user().id]})
    db.session.execute(text("DELETE FROM happenings WHERE id = :id"), {"id": happening})
    db.session.commit()
    assert db.session.scalars(select(Notification.happening_id)).all() == [other.id]


def test_who_is_deleted_takes_his_notifications_along(happening: int, people: People) -> None:
    ana, ben = people.user(), people.user()
    db.session.execute(INSERT, {"happening": happening, "users": [ana.id, ben.id]})
    db.session.execute(text("DELETE FROM users WHERE id = :id"), {"id": ana.id})
    db.session.commit()
    assert db.session.scalars(select(Notification.user_id)).all() == [ben.id]


@pytest.mark.parametrize("first", ["insert", "delete"])
@pytest.mark.parametrize("table", ["users", "happenings"])
def test_an_insert_and_a_deletion_at_once_leave_no_notification_of_nobody_or_nothing(
    app: Flask, happening: int, people: People, table: str, first: str
) -> None:
    ana = people.user().id
    db.session.commit()

    def insert(connection: Connection) -> None:
        connection.execute(INSERT, {"happening": happening, "users": [ana]})

    def delete(connection: Connection) -> None:
        connection.execute(text(f"DELETE FROM {table}"))

    steps: list[Callable[[Connection], None]] = [insert, delete] if first == "insert" else [delete, insert]
    with db.engine.connect() as one, db.engine.connect() as two:
        steps[0](one)
        pid = two.scalar(text("SELECT pg_backend_pid()"))

        def second() -> None:
            try:
                steps[1](two)
                two.commit()
            except IntegrityError:
                two.rollback()

        thread = threading.Thread(target=second)
        thread.start()
        waiting = text("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid")
        while not db.session.scalar(waiting, {"pid": pid}):
            db.session.rollback()
        one.commit()
        thread.join(10)
    db.session.rollback()
    assert count() == 0
    assert db.session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
