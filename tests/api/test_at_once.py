"""Several who do the same at the same moment: one call for an event, one invitation, one word to everybody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from app.models import Event, Session, SpeakersCall, User, db
from app.models.base import utc_now
from app.models.mail import EVENT_PUBLISH, INVITE_PAPERS, SESSION_SCHEDULE
from tests.conftest import People
from tests.support.api import Api
from tests.support.rows import count, mailed, notified

MANY = 4
ONCE = ["owner@example.org"]


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def draft(people: People, owner: User) -> Event:
    return people.event(owner, state="draft")


def at_once(app: Flask, by: User, method: str, path: str, body: dict[str, Any]) -> list[int]:
    """The statuses of the answers to the same request, sent by several at the same moment."""
    token, start = Api(app.test_client()).as_(by).token, Barrier(MANY)
    db.session.rollback()

    def send(_number: int) -> int:
        mine = Api(app.test_client(), token)
        start.wait()
        answer = mine.post(path, body) if method == "POST" else mine.patch(path, body)
        return int(answer.status_code)

    with ThreadPoolExecutor(MANY) as pool:
        return sorted(pool.map(send, range(MANY)))


def test_an_event_gets_one_call(app: Flask, owner: User, draft: Event) -> None:
    noon = utc_now().isoformat()
    attributes = {"announcement": "Come", "starts-at": noon, "ends-at": noon}
    related = {"event": {"data": {"type": "event", "id": str(draft.id)}}}
    body = {"data": {"type": "speakers-call", "attributes": attributes, "relationships": related}}
    assert at_once(app, owner, "POST", "/v1/speakers-calls", body) == [201, 409, 409, 409]
    assert count(SpeakersCall) == 1


def test_an_address_is_invited_once(app: Flask, owner: User, draft: Event) -> None:
    day = timedelta(days=1)
    call = SpeakersCall(announcement="Come", starts_at=utc_now() - day, ends_at=utc_now() + day, event=draft)
    db.session.add(call)
    db.session.commit()
    related = {"speakers-call": {"data": {"type": "speakers-call", "id": str(call.id)}}}
    body = {"data": {"type": "paper-invite", "attributes": {"email": owner.email}, "relationships": related}}
    assert at_once(app, owner, "POST", "/v1/paper-invites", body) == [201, 409, 409, 409]
    assert mailed(INVITE_PAPERS) == notified(INVITE_PAPERS) == ONCE


def test_a_draft_that_several_publish_is_told_once(app: Flask, owner: User, draft: Event) -> None:
    body = {"data": {"type": "event", "id": str(draft.id), "attributes": {"state": "published"}}}
    assert at_once(app, owner, "PATCH", f"/v1/events/{draft.id}", body) == [200] * MANY
    assert mailed(EVENT_PUBLISH) == notified(EVENT_PUBLISH) == ONCE


def test_a_time_that_several_set_is_told_once(app: Flask, owner: User, draft: Event) -> None:
    session = Session(title="Knots", event=draft)
    db.session.add(session)
    db.session.commit()
    attributes = {"starts-at": "2030-05-01T09:00:00Z"}
    body = {"data": {"type": "session", "id": str(session.id), "attributes": attributes}}
    assert at_once(app, owner, "PATCH", f"/v1/sessions/{session.id}", body) == [200] * MANY
    assert mailed(SESSION_SCHEDULE) == notified(SESSION_SCHEDULE) == ONCE
