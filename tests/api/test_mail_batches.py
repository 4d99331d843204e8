"""Batches of mails: whom they are shown to, and what of their mails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

from app.api.helpers.mail import Sending, create_batch, send_email, send_emails_formatted
from app.models import Event, MailBatch, User, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.rows import statements

SHOWN = {
    "recipient",
    "time",
    "action",
    "subject",
    "language",
    "status",
    "lane",
    "attempts",
    "retries",
    "error-class",
    "next-attempt-at",
    "give-up-at",
    "sent-at",
}
HIDDEN = ("message", "provider", "provider-message-id", "last-error", "bcc", "reply-to", "secret", "text", "key")


class Cast:
    """An event with its people and a batch, another event with one, and a batch and a mail without any."""

    def __init__(self, people: People, api: Api) -> None:
        self.owner, self.organizer = people.user("owner@example.org"), people.user("organizer@example.org")
        self.coorganizer, self.admin = people.user("coorganizer@example.org"), people.admin()
        self.event = people.event(self.owner, organizer=self.organizer, coorganizer=self.coorganizer)
        self.other = people.event(people.user("other@example.org"), "Other")
        self.batch = self.fill("News", self.event, self.owner)
        self.fill("Other news", self.other)
        self.fill("For admins", None)
        send_email("nobody@example.org", "Test", "No batch", "<p>Hello</p>")
        db.session.commit()
        self.api = api

    def fill(self, description: str, event: Event | None, user: User | None = None) -> MailBatch:
        batch = create_batch(description, event, user)
        people = [f"{name}@example.org" for name in ("ana", "ben", "cleo")]
        send_emails_formatted("News", people, description, f"<p>Secret of {description}</p>", Sending(batch=batch))
        db.session.commit()
        return batch

    def get(self, who: User, path: str, **query: Any) -> Any:
        answer = self.api.as_(who).get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json


@pytest.fixture
def cast(people: People, api: Api) -> Cast:
    return Cast(people, api)


def test_a_batch_says_how_many_of_its_mails_are_in_which_state(cast: Cast) -> None:
    db.session.execute(text("UPDATE mails SET status = 'cancelled' WHERE recipient = 'ana@example.org'"))
    db.session.commit()
    item = cast.get(cast.organizer, f"/v1/mail-batches/{cast.batch.id}")["data"]
    assert item["type"] == "mail-batch"
    created = item["attributes"].pop("created-at")
    assert created.endswith("Z")
    assert item["attributes"] == {
        "description": "News",
        "mail-count": 3,
        "by-status": {"cancelled": 1, "queued": 2},
    }
    assert item["relationships"]["event"]["data"] == {"type": "event", "id": str(cast.event.id)}
    assert item["relationships"]["mails"]["links"]["related"] == f"/v1/mail-batches/{cast.batch.id}/mails"


def test_the_owner_and_organizers_see_those_of_their_event_and_admins_all(cast: Cast) -> None:
    seen = {
        "owner": ["News"],
        "organizer": ["News"],
        "coorganizer": [],
        "admin": ["For admins", "Other news", "News"],
    }
    for name, descriptions in seen.items():
        found = cast.get(getattr(cast, name), "/v1/mail-batches")
        assert [item["attributes"]["description"] for item in found["data"]] == descriptions
        assert found["meta"]["count"] == len(descriptions)
    for batch in db.session.query(MailBatch):
        status = cast.api.as_(cast.owner).get(f"/v1/mail-batches/{batch.id}").status_code
        assert status == (200 if batch.id == cast.batch.id else 404)
        assert cast.api.as_(cast.owner).get(f"/v1/mail-batches/{batch.id}/mails").status_code == status
    assert cast.api.as_(cast.coorganizer).get(f"/v1/events/{cast.event.id}/mails").status_code == 403
    assert cast.api.as_(cast.owner).get(f"/v1/events/{cast.other.id}/mails").status_code == 403


@pytest.mark.parametrize("path", ["/v1/mail-batches/{batch}/mails", "/v1/events/{event}/mails"])
def test_they_see_to_whom_what_went_and_what_became_of_it_and_not_what_it_said(cast: Cast, path: str) -> None:
    path = path.format(batch=cast.batch.id, event=cast.event.id)
    db.session.execute(
        text("UPDATE mails SET last_error = 'bcc@example.org', provider = 'smtp', bcc = '{bcc@example.org}'")
    )
    db.session.execute(text("UPDATE mail_events SET text = 'bcc@example.org', provider = 'smtp', raw = '{\"a\": 1}'"))
    db.session.commit()
    found = cast.get(cast.organizer, path, include="events,batch")
    assert [item["attributes"]["recipient"] for item in found["data"]] == [
        "cleo@example.org",
        "ben@example.org",
        "ana@example.org",
    ]
    assert all(set(item["attributes"]) == SHOWN for item in found["data"])
    timeline = [item["attributes"] for item in found["included"] if item["type"] == "mail-event"]
    assert [set(each) for each in timeline] == [{"time", "event", "code"}] * 3
    assert [each["event"] for each in timeline] == ["queued"] * 3
    text_of_all = json.dumps(found)
    assert not any(hidden in text_of_all for hidden in ("Secret", "bcc@", "smtp"))
    everything = cast.get(cast.admin, path)["data"][0]["attributes"]
    assert set(everything) >= SHOWN | {"message", "last-error", "provider"}


def test_what_is_hidden_from_them_is_not_guessed_by_any_query(cast: Cast) -> None:
    """Each question is answered alike, whatever the hidden values are."""
    organizer = cast.api.as_(cast.organizer)
    paths = (f"/v1/events/{cast.event.id}/mails", f"/v1/mail-batches/{cast.batch.id}/mails", "/v1/mail-batches")

    def ask() -> dict[str, str]:
        answers = {}
        for path in paths:
            prefix = ["", "events"] if path.endswith("mails") else ["event", "user"]
            for name in (*HIDDEN, "raw", "email", "password-hash"):
                for before in prefix:
                    inner: Any = {"name": name, "op": "ilike", "val": "%secret%"}
                    if before:
                        inner = {"name": before, "op": "any" if before == "events" else "has", "val": inner}
                    dotted = f"{before}.{name}".lstrip(".")
                    for query in (
                        {"filter": json.dumps([inner])},
                        {"filter": json.dumps([{"not": inner}])},
                        {"sort": dotted},
                        {f"filter[{name}]": "secret"},
                    ):
                        answer = organizer.get(path, **query)
                        assert answer.status_code in (200, 400), answer.text
                        answers[f"{path} {query}"] = answer.text
        return answers

    first = ask()
    for statement in (
        "UPDATE mails SET message = id || ' secret', last_error = id || ' secret', provider = 'secret'",
        "UPDATE mails SET provider_message_id = 'secret' || id, text = 'secret', bcc = '{secret@example.org}'",
        "UPDATE mails SET reply_to = '{secret@example.org}'",
        "UPDATE mail_events SET text = 'secret', provider = 'secret', raw = '{\"secret\": 1}'",
        "UPDATE mails SET recipient = 'secret@example.org', subject = 'secret' WHERE batch_id IS NULL OR batch_id <> 1",
        "UPDATE users SET email = 'secret' || email WHERE email <> 'organizer@example.org'",
    ):
        db.session.execute(text(statement))
    db.session.commit()
    assert cast.batch.id == 1
    second = ask()
    assert [question for question, answer in first.items() if second[question] != answer] == []


def test_what_they_see_can_be_searched_and_deep_questions_stay_within_their_event(cast: Cast) -> None:
    path = f"/v1/events/{cast.event.id}/mails"
    for question, count in (
        ({"name": "recipient", "op": "eq", "val": "ana@example.org"}, 1),
        ({"name": "status", "op": "eq", "val": "queued"}, 3),
        ({"name": "events", "op": "any", "val": {"name": "event", "op": "eq", "val": "queued"}}, 3),
        ({"name": "batch", "op": "has", "val": {"name": "description", "op": "eq", "val": "News"}}, 3),
        ({"name": "batch", "op": "has", "val": {"name": "description", "op": "eq", "val": "Other news"}}, 0),
    ):
        assert cast.get(cast.organizer, path, filter=json.dumps([question]))["meta"]["count"] == count, question
    for name, count in (("Harbour Conference", 3), ("Other", 0)):
        deep: Any = {"name": "event", "op": "has", "val": {"name": "name", "op": "eq", "val": name}}
        deep = {"name": "batch", "op": "has", "val": deep}
        assert cast.get(cast.organizer, path, filter=json.dumps([deep]))["meta"]["count"] == count


def test_the_admins_log_stays_theirs(cast: Cast) -> None:
    mail = cast.get(cast.admin, "/v1/mails")["data"][-1]
    assert mail["relationships"]["batch"]["data"] == {"type": "mail-batch", "id": str(cast.batch.id)}
    for path in ("/v1/mails", f"/v1/mails/{mail['id']}", f"/v1/mails/{mail['id']}/events"):
        assert cast.api.as_(cast.organizer).get(path).status_code == 403


def test_a_page_of_batches_takes_as_many_statements_as_one(cast: Cast) -> None:
    counts = []
    for size in (1, 6):
        while len(cast.get(cast.owner, "/v1/mail-batches")["data"]) < size:
            cast.fill("More", cast.event)
        with statements() as seen:
            cast.get(cast.owner, "/v1/mail-batches", include="event")
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_who_has_sent_a_batch_is_shown_to_whoever_may_see_the_account(cast: Cast) -> None:
    path = f"/v1/mail-batches/{cast.batch.id}"
    for viewer, names in ((cast.organizer, []), (cast.owner, [cast.owner.id]), (cast.admin, [cast.owner.id])):
        included = cast.get(viewer, path, include="user")["included"]
        assert [int(item["id"]) for item in included] == names


def test_batches_of_a_deleted_event_are_the_admins(cast: Cast) -> None:
    assert cast.api.as_(cast.owner).delete(f"/v1/events/{cast.event.id}").status_code == 204
    assert cast.get(cast.owner, "/v1/mail-batches")["data"] == []
    assert cast.get(cast.admin, "/v1/mail-batches")["meta"]["count"] == 3
    assert cast.api.as_(cast.owner).get(f"/v1/mail-batches/{cast.batch.id}/mails").status_code == 404


def test_mails_cannot_be_included_in_their_batch_since_there_may_be_any_number(cast: Cast) -> None:
    answer = cast.api.as_(cast.admin).get(f"/v1/mail-batches/{cast.batch.id}", include="mails")
    assert answer.status_code == 400


def test_what_an_events_people_are_told_together_is_a_batch_of_theirs(people: People, api: Api) -> None:
    owner, organizer = people.user(), people.user()
    event = people.event(owner, state="draft", organizer=organizer)
    answer = api.as_(owner).update(f"/v1/events/{event.id}", "event", event.id, state="published")
    assert answer.status_code == 200
    [batch] = api.as_(organizer).get("/v1/mail-batches").json["data"]
    assert batch["attributes"]["description"] == "Event Published: Harbour Conference"
    assert batch["attributes"]["by-status"] == {"queued": 2}
    mails = api.as_(organizer).get(f"/v1/events/{event.id}/mails").json["data"]
    assert {mail["attributes"]["recipient"] for mail in mails} == {owner.email, organizer.email}
    assert {mail["attributes"]["lane"] for mail in mails} == {"bulk"}
