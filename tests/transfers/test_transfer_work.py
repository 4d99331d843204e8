"""A worker's attempt: all or nothing, one at a time, told once, given up after three tries."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from app.models import Event, EventRole, Happening, Mail, Notification, Session, Speaker, Transfer, User, db
from app.models.base import utc_now
from app.models.transfer import FAILED, QUEUED, RUNNING, SUCCEEDED
from app.transfers import work
from app.transfers.progress import begin_attempt
from app.transfers.work import run
from tests.conftest import People
from tests.support.rows import activities, count, mailed, notified, statements
from tests.support.transfers import SMALL, ask_export, ask_import, changed, do, exported, imported, look

MANY: dict[str, Any] = {
    **SMALL,
    "sessions": [{"title": f"Session {number}", "speaker-ids": ["1"]} for number in range(1200)],
}


@pytest.fixture
def user(people: People) -> User:
    return people.user("olivia@example.org")


def nothing_is_there() -> bool:
    return not any(count(model) for model in (Event, EventRole, Speaker, Session))


def test_an_import_makes_a_draft_of_the_importers_and_tells_him_once(user: User, people: People) -> None:
    people.user("ana@example.org")
    transfer = do(ask_import(user))
    event = transfer.event
    assert event is not None
    assert (transfer.state, transfer.error, transfer.content) == (SUCCEEDED, None, None)
    assert (transfer.done, transfer.total, transfer.progress, transfer.attempts) == (5, 5, 100, 1)
    assert transfer.finished_at is not None
    assert (event.name, event.state, event.timezone) == ("Small", "draft", "Asia/Singapore")
    assert [(role.user_id, role.role) for role in event.roles] == [(user.id, "owner")]
    assert notified("Event Imported") == mailed("Event Imported") == ["olivia@example.org"]
    assert count(Notification) == count(Mail) == 1
    assert f"Event {event.id} imported" in activities()
    happening = db.session.scalars(select(Happening)).one()
    assert happening.event_id == event.id
    assert happening.link is not None
    assert happening.link.endswith(f"/events/{event.identifier}")
    assert happening.data == {"event-id": str(event.id), "event-import-id": str(transfer.id)}


def test_speakers_and_sessions_are_as_in_the_file(user: User) -> None:
    event = imported(user)
    sessions = db.session.scalars(select(Session).order_by(Session.id)).all()
    assert [(each.title, each.state, [speaker.name for speaker in each.speakers]) for each in sessions] == [
        ("One", "accepted", ["Ana", "Bo"]),
        ("Two", "pending", []),
    ]
    speakers = db.session.scalars(select(Speaker).order_by(Speaker.id)).all()
    assert [(each.name, each.email, each.user_id, each.event_id) for each in speakers] == [
        ("Ana", "Ana@example.org", None, event.id),
        ("Bo", None, None, event.id),
    ]


def test_a_broken_file_fails_with_its_place_and_leaves_nothing(user: User) -> None:
    transfer = do(ask_import(user, changed(("sessions", 1, "title"), "")))
    assert (transfer.state, transfer.error) == (FAILED, "sessions[1].title is missing or empty")
    assert (transfer.content, transfer.event_id, transfer.progress) == (None, None, 0)
    assert nothing_is_there()
    assert notified("Event Import Failed") == mailed("Event Import Failed") == ["olivia@example.org"]
    assert count(Notification) == count(Mail) == 1
    assert "sessions[1].title is missing or empty" in db.session.scalars(select(Mail.message)).one()


def test_a_connection_that_breaks_in_the_middle_of_an_import_leaves_nothing_and_it_is_done_again(user: User) -> None:
    transfer = ask_import(user, MANY)

    def break_it(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "INSERT INTO speakers_sessions" in statement:
            pid = connection.connection.dbapi_connection.info.backend_pid
            with db.engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    id_ = transfer.id
    sqlalchemy_event.listen(db.engine, "before_cursor_execute", break_it)
    try:
        with pytest.raises(OperationalError):
            run(id_)
    finally:
        sqlalchemy_event.remove(db.engine, "before_cursor_execute", break_it)
    assert nothing_is_there()
    assert (look(transfer).state, transfer.attempts, transfer.error) == (RUNNING, 1, None)
    assert transfer.done == transfer.total == 1203
    assert count(Mail) == 0
    assert do(transfer).state == SUCCEEDED
    assert count(Session) == 1200
    assert mailed("Event Imported") == ["olivia@example.org"]


def test_after_three_attempts_it_fails_and_says_so(user: User) -> None:
    transfer = ask_import(user)
    db.session.execute(update(Transfer).values(attempts=3, state=RUNNING))
    db.session.commit()
    assert do(transfer).state == FAILED
    assert "3 times" in (transfer.error or "")
    assert nothing_is_there()
    assert mailed("Event Import Failed") == ["olivia@example.org"]


def test_what_has_ended_is_not_done_again(user: User) -> None:
    transfer = do(ask_import(user))
    run(transfer.id)
    run(transfer.id)
    assert count(Event) == count(Mail) == 1
    run(transfer.id + 1)


def test_two_workers_at_once_import_once(user: User, app: Flask) -> None:
    transfer = ask_import(user, MANY)
    together = threading.Barrier(4)

    def work_on_it() -> None:
        with app.app_context():
            together.wait()
            run(transfer.id)

    id_ = transfer.id
    assert id_
    threads = [threading.Thread(target=work_on_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (look(transfer).state, transfer.attempts) == (SUCCEEDED, 1)
    assert count(Event) == count(Mail) == count(Notification) == 1


def test_while_one_worker_is_at_it_another_leaves_it_alone(user: User) -> None:
    transfer = ask_import(user)
    with db.engine.connect() as other:
        other.execute(work._LOCK, {"id": str(transfer.id)})  # noqa: SLF001 - what another worker does
        assert do(transfer).state == QUEUED
    assert do(transfer).state == SUCCEEDED


def test_a_worker_that_lost_its_lock_commits_nothing_once_another_has_begun(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = ask_import(user)
    store = work.store_event

    def store_slowly(*arguments: Any) -> Event:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
            assert begin_attempt(other, transfer.id) is not None
        return store(*arguments)

    monkeypatch.setattr(work, "store_event", store_slowly)
    id_ = transfer.id
    assert id_
    run(id_)
    assert (look(transfer).state, transfer.attempts) == (RUNNING, 2)
    assert nothing_is_there()
    assert count(Mail) == 0


def test_the_lock_ends_with_the_connection_that_held_it(user: User) -> None:
    transfer = ask_import(user)
    other = db.engine.connect()
    other.execute(work._LOCK, {"id": str(transfer.id)})  # noqa: SLF001 - what another worker does
    pid = other.execute(text("SELECT pg_backend_pid()")).scalar_one()
    assert do(transfer).state == QUEUED
    db.session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    other.invalidate()
    other.close()
    assert do(transfer).state == SUCCEEDED


def test_others_see_the_progress_before_the_event_is_there(user: User) -> None:
    seen: list[tuple[int, int, int]] = []

    def look_at_it(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "INSERT INTO sessions" in statement:
            with db.engine.connect() as other:
                row = other.execute(select(Transfer.__table__.c.done, Transfer.__table__.c.total)).one()
                events = other.scalar(text("SELECT count(*) FROM events"))
                seen.append((row.done, row.total, events))

    transfer = ask_import(user, MANY)
    sqlalchemy_event.listen(db.engine, "before_cursor_execute", look_at_it)
    try:
        do(transfer)
    finally:
        sqlalchemy_event.remove(db.engine, "before_cursor_execute", look_at_it)
    assert seen == [(3, 1203, 0), (503, 1203, 0), (1003, 1203, 0)]


def test_an_import_takes_few_statements_however_many_sessions_there_are(user: User) -> None:
    transfer = ask_import(user, MANY)
    with statements() as seen:
        do(transfer)
    assert count(Session) == 1200
    assert len(seen) < 40


def test_an_account_that_was_removed_imports_nothing_and_is_not_told(user: User) -> None:
    transfer = ask_import(user)
    user.deleted_at = utc_now()
    db.session.commit()
    assert do(transfer).error == "the account that asked for it was removed"
    assert nothing_is_there()
    assert count(Mail) == count(Notification) == 0


# --- exports


def test_an_export_is_a_file_and_tells_who_asked_once(user: User, people: People) -> None:
    event = people.event(user, organizer=people.user("oscar@example.org"))
    transfer = do(ask_export(user, event))
    assert (transfer.state, transfer.error, transfer.progress) == (SUCCEEDED, None, 100)
    assert transfer.content
    assert notified("Event Exported") == mailed("Event Exported") == ["olivia@example.org"]
    assert count(Mail) == 1
    assert f"Event {event.id} exported" in activities()


def test_an_event_deleted_meanwhile_is_not_exported(user: User, people: People) -> None:
    transfer = ask_export(user, people.event(user))
    assert transfer.event is not None
    transfer.event.deleted_at = utc_now()
    db.session.commit()
    assert do(transfer).error == "the event was deleted"
    assert transfer.content is None
    assert notified("Event Export Failed") == mailed("Event Export Failed") == ["olivia@example.org"]


def test_somebody_who_manages_the_event_no_longer_gets_no_file(user: User, people: People) -> None:
    event = people.event(people.user("owner@example.org"), organizer=user)
    transfer = ask_export(user, event)
    db.session.execute(update(EventRole).where(EventRole.user_id == user.id).values(role="coorganizer"))
    db.session.commit()
    assert do(transfer).state == FAILED
    assert "none of them any more" in (transfer.error or "")
    assert transfer.content is None


def test_an_admin_exports_any_event(people: People) -> None:
    event = people.event(people.user())
    assert exported(people.admin(), event)["event"]["name"] == "Harbour Conference"


def test_an_error_of_the_database_is_tried_again(user: User, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    transfer = ask_export(user, people.event(user))

    def fail(*_: Any) -> bytes:
        raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    with monkeypatch.context() as patched:
        patched.setattr(work, "write_event", fail)
        with pytest.raises(OperationalError):
            run(transfer.id)
    assert look(transfer).state == RUNNING
    assert do(transfer).state == SUCCEEDED
    assert mailed("Event Exported") == ["olivia@example.org"]
