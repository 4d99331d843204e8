"""Orders under many hands: few questions, one outcome, nothing told twice and nothing of what was undone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import text

from app.models import Attendee, Event, Order, User, db
from app.models import mail as mails
from app.models import notification as notifs
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import pointer_of
from tests.support.orders import change, enter, nobody_was_told, order_for
from tests.support.processes import wait_for
from tests.support.rows import count, mailed, notified, statements


def test_completing_a_hundred_attendees_asks_a_few_questions(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    order = order_for(api, bea, event)
    rows = [
        Attendee(firstname="Gus", email=f"gus{n}@example.org", event_id=event.id, order_id=order.id, user_id=bea.id)
        for n in range(100)
    ]
    db.session.add_all([*rows, *(people.make(f"gus{n}@example.org") for n in range(10))])
    db.session.commit()
    with statements() as seen:
        assert change(api, owner, order, status="completed").status_code == 200
    assert len(mailed(mails.TICKET_PURCHASED_ATTENDEE)) == 100
    assert len(notified(notifs.TICKET_PURCHASED_ATTENDEE)) == 10
    # One for each attendee with an account, whose text has a link of its own; the rest does not grow with the order.
    assert len(seen) <= 20 + 10, seen


def test_two_completions_at_once_tell_once(app: Flask, api: Api, owner: User, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    path, body = f"/v1/orders/{order.id}", {"data": {"type": "order", "id": str(order.id)}}
    body["data"]["attributes"] = {"status": "completed"}  # type: ignore[assignment]  # JSON
    token, answers, start = api.as_(owner).token, [], threading.Barrier(4)

    def complete() -> None:
        mine = Api(app.test_client(), token)
        start.wait()
        answers.append(mine.patch(path, body).status_code)

    db.session.rollback()
    threads = [threading.Thread(target=complete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    assert mailed(mails.TICKET_PURCHASED) == notified(notifs.TICKET_PURCHASED) == ["bea@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ATTENDEE) == ["gus@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ORGANIZER) == ["owner@example.org"]


def test_a_completion_waits_for_one_that_is_under_way(
    app: Flask, api: Api, owner: User, bea: User, event: Event
) -> None:
    """While another connection holds the row the request waits, and then it finds the order completed."""
    order = order_for(api, bea, event, "gus@example.org")
    path, token = f"/v1/orders/{order.id}", api.as_(owner).token
    body = {"data": {"type": "order", "id": str(order.id), "attributes": {"status": "completed"}}}
    answer = during_completion(order, lambda: Api(app.test_client(), token).patch(path, body))
    assert answer.status_code == 200
    assert nobody_was_told()


def test_nobody_is_added_to_an_order_that_is_being_completed(app: Flask, api: Api, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    token, event_id, order_id = api.as_(bea).token, event.id, order.id

    def add() -> Any:
        related = {"event": ("event", event_id), "order": ("order", order_id)}
        return Api(app.test_client(), token).create("/v1/attendees", "attendee", {"firstname": "Kim"}, **related)

    answer = during_completion(order, add)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/order/data"
    assert count(Attendee) == 1


def test_nobody_leaves_an_order_that_is_being_completed(app: Flask, api: Api, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "gus@example.org")
    path, token = f"/v1/attendees/{order.attendees[0].id}", api.as_(bea).token
    answer = during_completion(order, lambda: Api(app.test_client(), token).delete(path))
    assert answer.status_code == 409
    db.session.refresh(order)
    assert [attendee.email for attendee in order.attendees] == ["gus@example.org"]


def during_completion(order: Order, request: Callable[[], Any]) -> Any:
    """The answer to a request that comes while another connection has completed the order and not yet committed."""
    values, answers = {"id": order.id}, []
    db.session.rollback()
    with db.engine.connect() as other:
        other.execute(text("UPDATE orders SET status = 'completed', completed_at = now() WHERE id = :id"), values)
        thread = threading.Thread(target=lambda: answers.append(request()))
        thread.start()
        wait_for(waits_for_a_lock, "the request to wait for the row")
        assert answers == []
        other.commit()
        thread.join()
    [answer] = answers
    return answer


def waits_for_a_lock() -> bool:
    """Whether a connection waits for a row that another one holds."""
    with db.engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(connection.scalar(waiting))


def test_two_orders_at_once_do_not_share_an_attendee(app: Flask, api: Api, bea: User, event: Event) -> None:
    id_ = enter(api, bea, event, "gus@example.org").json["data"]["id"]
    token, answers, start = api.as_(bea).token, [], threading.Barrier(4)
    event_id = event.id

    def buy() -> None:
        mine = Api(app.test_client(), token)
        start.wait()
        related = {"event": ("event", event_id), "attendees": [("attendee", id_)]}
        answers.append(mine.create("/v1/orders", "order", {}, **related).status_code)

    db.session.rollback()
    threads = [threading.Thread(target=buy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 422, 422, 422]
    assert count(Order) == 1


def test_a_rollback_tells_nobody(api: Api, owner: User, bea: User, event: Event) -> None:
    """The database refuses at the very end: neither the status nor a message is kept."""
    order = order_for(api, bea, event, "gus@example.org")
    db.session.execute(text("ALTER TABLE mails ADD CONSTRAINT no_organizers CHECK (recipient <> 'owner@example.org')"))
    db.session.commit()
    try:
        answer = change(api, owner, order, status="completed")
    finally:
        db.session.rollback()
        db.session.execute(text("ALTER TABLE mails DROP CONSTRAINT no_organizers"))
        db.session.commit()
    assert answer.status_code == 422
    db.session.refresh(order)
    assert order.status == "initializing"
    assert nobody_was_told()
