"""Broadcasts over HTTP: who may tell whom, what is counted before, what is sent once, and what can be read of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.happenings.holding.held import release
from app.happenings.telling import broadcasting, fanout
from app.models import Attendee, Broadcast, Event, Mail, MailBatch, MessageSettings, Order, Ticket, User, db
from app.models.base import utc_now
from app.models.broadcast import DRAFT, RECALLED, SENDING, SENT
from tests.api.test_at_once import at_once
from tests.conftest import People
from tests.support.api import MEDIA_TYPE, Api
from tests.support.events import sent
from tests.support.preferences import make_held_due, prefer
from tests.support.rows import activities, count, mailed, notified, statements

TYPE = "events.broadcast.sent"
WORDS = {"title": "Doors open at ten", "message": "<p>Come to the <b>north</b> gate.</p>"}
SPEAKERS = {**WORDS, "audience": "speakers"}


@dataclass
class Cast:
    """An event with two managers, a coorganizer, a speaker with two entries, two ticket holders; and others."""

    people: People
    api: Api
    users: dict[str, User] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = ("owner", "organizer", "coorganizer", "speaker", "holder", "buyer", "stranger", "admin", "gone")
        self.users = {name: self.people.make(f"{name}@example.org", admin=name == "admin") for name in names}
        self.users["fresh"] = self.people.make("fresh@example.org", verified=False)
        self.users["gone"].deleted_at = utc_now()
        db.session.add_all(self.users.values())
        db.session.commit()
        roles = {name: self.users[name] for name in ("organizer", "coorganizer")}
        self.event = self.people.event(self.users["owner"], **roles, moderator=self.users["gone"])
        self.other = self.people.event(self.users["stranger"], "Other")
        for name in ("Ana", "Ana Maria"):
            self.people.speaker(self.event, self.users["speaker"], name=name)
        self._sell("Holder@Example.org", None)
        db.session.commit()

    def _sell(self, *emails: str | None) -> None:
        """Tickets of one completed order; whoever has no address is told by the buyer."""
        ticket, buyer = Ticket(name="Standard", event=self.event), self.users["buyer"]
        order = Order(event=self.event, user=buyer, status="completed", completed_at=utc_now())
        db.session.add_all(
            Attendee(firstname="Gus", email=email, event=self.event, ticket=ticket, order=order, user=buyer)
            for email in emails
        )

    def make(self, who: str, attributes: dict[str, Any], event: Event | None = None) -> Any:
        related = {"event": ("event", event.id)} if event else {}
        return self.api.as_(self.users[who]).create("/v1/broadcasts", "broadcast", attributes, **related)

    def draft(self, who: str = "owner", event: Event | None = None, **attributes: Any) -> Any:
        """A draft's resource object."""
        answer = self.make(who, {**SPEAKERS, **attributes}, event or self.event)
        assert answer.status_code == 201, answer.text
        return answer.json["data"]

    def everyone(self) -> Any:
        answer = self.make("admin", {**WORDS, "audience": "everyone"})
        assert answer.status_code == 201, answer.text
        return answer.json["data"]

    def change(self, item: Any, who: str = "owner", **attributes: Any) -> Any:
        return self.api.as_(self.users[who]).update(
            f"/v1/broadcasts/{item['id']}", "broadcast", item["id"], **attributes
        )

    def read(self, item: Any, who: str = "owner") -> Any:
        return self.api.as_(self.users[who]).get(f"/v1/broadcasts/{item['id']}").json["data"]["attributes"]


@pytest.fixture
def cast(people: People, api: Api) -> Cast:
    return Cast(people, api)


# --- who may tell whom


def test_admins_tell_everyone_and_managers_the_people_of_their_event(cast: Cast) -> None:
    everyone, roles = {**WORDS, "audience": "everyone"}, {**WORDS, "audience": "roles", "roles": ["owner"]}
    expected = {
        "admin": (201, 201, 201),
        "owner": (403, 201, 403),
        "organizer": (403, 201, 403),
        "coorganizer": (403, 403, 403),
        "speaker": (403, 403, 403),
        "stranger": (403, 403, 201),
        "fresh": (403, 403, 403),
    }
    got = {
        who: tuple(
            cast.make(who, attributes, event).status_code
            for attributes, event in ((everyone, None), (roles, cast.event), (SPEAKERS, cast.other))
        )
        for who in expected
    }
    assert got == expected


def test_managers_see_the_broadcasts_of_their_event_and_admins_all(cast: Cast) -> None:
    mine, others, all_ = cast.draft(), cast.draft("stranger", cast.other), cast.everyone()
    seen = {
        who: {item["id"] for item in cast.api.as_(cast.users[who]).get("/v1/broadcasts").json["data"]}
        for who in ("owner", "organizer", "coorganizer", "stranger", "admin")
    }
    assert seen == {
        "owner": {mine["id"]},
        "organizer": {mine["id"]},
        "coorganizer": set(),
        "stranger": {others["id"]},
        "admin": {mine["id"], others["id"], all_["id"]},
    }
    of_event = cast.api.as_(cast.users["organizer"]).get(f"/v1/events/{cast.event.id}/broadcasts").json
    assert [item["id"] for item in of_event["data"]] == [mine["id"]]
    assert cast.change(all_, "owner", state="sending").status_code == 404
    assert cast.change(mine, "stranger", state="sending").status_code == 404


def test_whoever_lost_the_role_or_never_confirmed_the_address_sends_nothing(cast: Cast) -> None:
    item = cast.draft("organizer")
    cast.users["organizer"].is_verified = False
    db.session.commit()
    assert cast.change(item, "organizer", state="sending").status_code == 403
    cast.event.roles = [role for role in cast.event.roles if role.role != "organizer"]
    cast.users["organizer"].is_verified = True
    db.session.commit()
    assert cast.change(item, "organizer", state="sending").status_code == 404
    assert count(Mail) == 0


# --- what a draft can be


REFUSED = (
    ({"audience": "everyone"}, True, "/data/relationships/event"),
    ({"audience": "speakers"}, False, "/data/relationships/event"),
    ({"audience": "friends"}, True, "/data/attributes/audience"),
    ({"audience": "roles"}, True, "/data/attributes/roles"),
    ({"audience": "roles", "roles": ["pope"]}, True, "/data/attributes/roles"),
    ({"audience": "roles", "roles": [["owner"]]}, True, "/data/attributes/roles"),
    ({"audience": "roles", "roles": "owner"}, True, "/data/attributes/roles"),
    ({"roles": ["owner"]}, True, "/data/attributes/roles"),
    ({"roles": None}, True, "/data/attributes/roles"),
    ({"title": " "}, True, "/data/attributes/title"),
    ({"title": "two\nlines"}, True, "/data/attributes/title"),
    ({"message": "<script>alert(1)</script><img src=x>"}, True, "/data/attributes/message"),
    ({"message": "x" * 50_001}, True, "/data/attributes/message"),
    ({"message": "&" * 40_000}, True, "/data/attributes/message"),
    ({"link": "javascript:alert(1)"}, True, "/data/attributes/link"),
    ({"link": "//elsewhere.example.org"}, True, "/data/attributes/link"),
    ({"link": ""}, True, "/data/attributes/link"),
    ({"state": "sending"}, True, "/data/attributes/state"),
    ({"recipients": -1}, True, "/data/attributes/recipients"),
    ({"recipients": "3"}, True, "/data/attributes/recipients"),
)


def test_what_a_broadcast_cannot_be_is_refused_with_its_place(cast: Cast) -> None:
    for attributes, in_event, pointer in REFUSED:
        answer = cast.make("admin", {**SPEAKERS, **attributes}, cast.event if in_event else None)
        assert answer.status_code == 422, attributes
        assert [error["source"]["pointer"] for error in answer.json["errors"]] == [pointer]
    assert count(Broadcast) == 0


def test_a_message_is_kept_without_what_could_harm_its_readers(cast: Cast) -> None:
    item = cast.draft(
        message='<p onclick="x()">Hi <a href="javascript:x">all</a></p><script>x</script>', link="/events/1"
    )
    assert item["attributes"]["message"] == '<p>Hi <a rel="noopener noreferrer">all</a></p>'
    assert item["attributes"]["link"] == "/events/1"


def test_a_draft_is_changed_and_deleted_but_stays_with_its_event(cast: Cast) -> None:
    item = cast.draft()
    changed = cast.change(item, title="Doors", audience="roles", roles=["organizer", "owner", "owner"], recipients=7)
    assert changed.status_code == 200
    attributes = changed.json["data"]["attributes"]
    assert (attributes["title"], attributes["roles"], attributes["recipients"]) == ("Doors", ["owner", "organizer"], 2)
    path = f"/v1/broadcasts/{item['id']}"
    moved = {"event": {"data": {"type": "event", "id": str(cast.other.id)}}}
    answer = cast.api.as_(cast.users["admin"]).patch(
        path, {"data": {"type": "broadcast", "id": item["id"], "relationships": moved}}
    )
    assert answer.status_code == 422
    assert cast.change(item, audience="everyone").status_code == 422
    assert cast.api.as_(cast.users["organizer"]).delete(path).status_code == 204
    assert count(Broadcast) == 0


# --- how many it is for


def test_a_draft_says_for_how_many_people_it_is(cast: Cast) -> None:
    asked = {
        "speakers": {},
        "ticket-holders": {},
        "roles": {"roles": ["owner", "coorganizer", "moderator"]},
    }
    counts = {each: cast.draft(audience=each, **more)["attributes"]["recipients"] for each, more in asked.items()}
    # The speaker has two entries; the moderator's account was removed.
    assert counts == {"speakers": 1, "ticket-holders": 2, "roles": 2}
    everyone = cast.everyone()
    assert everyone["attributes"]["recipients"] == len(cast.users) - 1
    cast.people.user("new@example.org")
    assert cast.read(everyone, "admin")["recipients"] == len(cast.users)


def test_no_mail_of_others_is_counted_as_a_drafts(cast: Cast) -> None:
    sent("ana@example.org")
    shown = cast.draft()["attributes"]
    assert (shown["mails"], shown["mails-sent"], shown["mails-stopped"]) == (0, 0, 0)


def test_what_the_sender_has_not_seen_is_not_sent(cast: Cast) -> None:
    item = cast.draft()
    cast.people.speaker(cast.event, cast.users["holder"], name="Ben")
    answer = cast.change(item, state="sending", recipients=1)
    assert answer.status_code == 409
    assert answer.json["errors"][0]["detail"].startswith("The audience has changed: 2 instead of 1.")
    assert cast.read(item)["state"] == DRAFT
    assert notified(TYPE) == []
    assert cast.change(item, state="sending", recipients=2).status_code == 200


# --- sending


def test_few_are_told_within_the_request_each_once_and_the_sender_too(cast: Cast) -> None:
    item = cast.draft(audience="roles", roles=["owner", "organizer", "moderator"])
    answer = cast.change(item, state="sending", recipients=2)
    assert answer.status_code == 200
    shown = answer.json["data"]["attributes"]
    assert {name: shown[name] for name in ("state", "recipients", "told", "mails", "mails-sent", "mails-stopped")} == {
        "state": SENT,
        "recipients": 2,
        "told": 2,
        "mails": 2,
        "mails-sent": 0,
        "mails-stopped": 0,
    }
    assert notified(TYPE) == mailed(TYPE) == ["organizer@example.org", "owner@example.org"]
    mail = db.session.scalars(select(Mail).limit(1)).one()
    assert mail.subject == WORDS["title"]
    assert WORDS["message"] in mail.message
    assert f"Broadcast {WORDS['title']} ({item['id']}) sent to 2 people" in activities()


def test_the_mails_of_an_events_broadcast_are_a_batch_that_its_managers_see(cast: Cast) -> None:
    answer = cast.change(cast.draft(), state="sending").json["data"]
    batch = answer["relationships"]["mail-batch"]["data"]
    mails = cast.api.as_(cast.users["organizer"]).get(f"/v1/mail-batches/{batch['id']}/mails").json["data"]
    assert [mail["attributes"]["recipient"] for mail in mails] == ["speaker@example.org"]
    cast.change(cast.everyone(), "admin", state="sending")
    assert count(MailBatch) == 1


def test_a_mail_that_came_later_is_counted_among_those_that_were_made(cast: Cast) -> None:
    prefer(cast.users["speaker"], "mail", "unread", minutes=5)
    item = cast.draft()
    assert cast.change(item, state="sending").json["data"]["attributes"]["mails"] == 0
    make_held_due()
    assert sum(release(utc_now())) == 1
    cast.change(item, state="recalled")
    shown = cast.read(item)
    assert (shown["mails"], shown["mails-sent"], shown["mails-stopped"]) == (1, 0, 1)


def test_the_admins_switches_hold_for_broadcasts(cast: Cast) -> None:
    db.session.execute(update(MessageSettings).where(MessageSettings.action == TYPE).values(mail_status=False))
    db.session.commit()
    shown = cast.change(cast.draft(), state="sending").json["data"]["attributes"]
    assert (shown["told"], shown["mails"]) == (1, 0)
    assert notified(TYPE) == ["speaker@example.org"]


def test_many_are_told_in_parts_and_the_progress_can_be_read(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "INLINE", 2)
    monkeypatch.setattr(fanout, "PART", 4)
    item = cast.everyone()
    everybody = item["attributes"]["recipients"]
    answer = cast.change(item, "admin", state="sending", recipients=everybody)
    assert (answer.json["data"]["attributes"]["state"], answer.json["data"]["attributes"]["told"]) == (SENDING, 0)

    def seen() -> tuple[Any, ...]:
        shown = cast.read(item, "admin")
        listed = {
            state
            for state in (SENDING, SENT)
            if cast.api.as_(cast.users["admin"]).get("/v1/broadcasts", **{"filter[state]": state}).json["data"]
        }
        return shown["state"], shown["told"], shown["recipients"], listed

    happening_id = db.session.scalars(select(Broadcast.happening_id)).one()
    # Somebody signs up before the workers begin: he is told, and counted.
    assert cast.read(item, "admin")["recipients"] == everybody
    cast.people.user("new@example.org")
    everybody += 1
    assert fanout.work_on(happening_id or 0, 0)
    assert seen() == (SENDING, 4, everybody, {SENDING})
    assert cast.change(item, "admin", state="sending").status_code == 409
    while fanout.work_on(happening_id or 0, 60):
        pass
    assert seen() == (SENT, everybody, everybody, {SENT})
    assert len(notified("platform.broadcast.sent")) == everybody
    # Nobody's mail goes to an address that was never confirmed.
    assert "fresh@example.org" not in mailed("platform.broadcast.sent")


def test_of_several_who_send_it_at_once_one_does(app: Flask, cast: Cast) -> None:
    item = cast.draft()
    body = {"data": {"type": "broadcast", "id": item["id"], "attributes": {"state": "sending"}}}
    assert at_once(app, cast.users["owner"], "PATCH", f"/v1/broadcasts/{item['id']}", body) == [200, 409, 409, 409]
    assert notified(TYPE) == ["speaker@example.org"]


def test_a_request_repeated_under_its_key_sends_nothing_again(cast: Cast) -> None:
    item = cast.draft()
    headers = {
        "Authorization": f"JWT {cast.api.as_(cast.users['owner']).token}",
        "Content-Type": MEDIA_TYPE,
        "Idempotency-Key": '"send-1"',
    }
    body = {"data": {"type": "broadcast", "id": item["id"], "attributes": {"state": "sending"}}}
    answers = [cast.api.client.patch(f"/v1/broadcasts/{item['id']}", headers=headers, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json == answers[1].json
    assert notified(TYPE) == ["speaker@example.org"]


def test_the_managers_of_an_event_send_some_a_day_and_admins_as_many_as_they_want(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "AT_MOST", 2)
    for who in ("owner", "organizer"):
        assert cast.change(cast.draft(), who, state="sending").status_code == 200
    third = cast.draft()
    answer = cast.change(third, state="sending")
    assert answer.status_code == 429
    assert 86_000 < int(answer.headers["Retry-After"]) <= 86_400
    assert cast.read(third)["state"] == DRAFT
    other = cast.draft("stranger", cast.other)
    assert cast.change(other, "stranger", state="sending").status_code == 200
    assert cast.change(third, "admin", state="sending").status_code == 200


# --- what can follow what


@pytest.mark.parametrize(
    ("before", "wanted", "status"),
    [
        ([], DRAFT, 200),
        ([], SENT, 422),
        ([], RECALLED, 409),
        ([SENDING], SENDING, 409),
        ([SENDING], SENT, 200),
        ([SENDING], DRAFT, 409),
        ([SENDING], RECALLED, 200),
        ([SENDING, RECALLED], RECALLED, 200),
        ([SENDING, RECALLED], SENDING, 409),
        ([SENDING, RECALLED], SENT, 409),
        ([SENDING, RECALLED], DRAFT, 409),
        ([], "gone", 422),
    ],
)
def test_a_state_follows_another_or_does_not(cast: Cast, before: list[str], wanted: str, status: int) -> None:
    item = cast.draft()
    for state in before:
        assert cast.change(item, state=state).status_code == 200
    assert cast.change(item, state=wanted).status_code == status


def test_what_was_sent_says_what_it_said(cast: Cast) -> None:
    sent = cast.change(cast.draft(), state="sending").json["data"]
    answer = cast.change(sent, title="Something else")
    assert answer.status_code == 409
    assert answer.json["errors"][0]["source"]["pointer"] == "/data/attributes/title"
    # A client that sends back all that it once read changes nothing.
    body = {"data": {"type": "broadcast", "id": sent["id"], "attributes": sent["attributes"]}}
    path = f"/v1/broadcasts/{sent['id']}"
    assert cast.api.as_(cast.users["owner"]).patch(path, body).status_code == 200
    assert cast.api.as_(cast.users["owner"]).delete(path).status_code == 409
    assert notified(TYPE) == ["speaker@example.org"]


def test_a_list_takes_the_same_statements_however_many_drafts_it_has(cast: Cast) -> None:
    mine, taken = cast.api.as_(cast.users["owner"]), []
    for _ in range(2):
        cast.draft()
        cast.draft()
        with statements() as seen:
            items = mine.get("/v1/broadcasts").json["data"]
        taken.append(len(seen))
    assert taken[0] == taken[1]
    assert {item["attributes"]["mails-sent"] for item in items} == {None}


def test_a_recall_empties_the_inboxes_and_says_what_could_not_be_stopped(cast: Cast) -> None:
    item = cast.draft(audience="ticket-holders")
    cast.change(item, state="sending")
    for status in ("sending", "sent"):
        claim = {"claim": "7d9f0c2e-58a5-4c0e-9a9f-2f2d6a1f0b11", "lease_until": utc_now()}
        values = claim if status == "sending" else {"claim": None, "lease_until": None, "sent_at": utc_now()}
        sent = update(Mail).where(Mail.recipient == "holder@example.org").values(status=status, **values)
        db.session.execute(sent.execution_options(synchronize_session=False))
    db.session.commit()
    mine = cast.api.as_(cast.users["buyer"])
    path = f"/v1/users/{cast.users['buyer'].id}/notifications"
    assert mine.get(path).json["meta"]["unread-count"] == 1
    answer = cast.change(item, "organizer", state="recalled")
    assert answer.status_code == 200
    shown = answer.json["data"]["attributes"]
    assert (shown["state"], shown["told"], shown["mails"]) == (RECALLED, 2, 2)
    assert (shown["mails-sent"], shown["mails-stopped"]) == (1, 1)
    assert shown["recalled-at"]
    assert shown["recall-finished-at"]
    emptied = mine.get(path).json
    assert (emptied["data"], emptied["meta"]["count"], emptied["meta"]["unread-count"]) == ([], 0, 0)
    log = cast.api.as_(cast.users["admin"]).get("/v1/notifications").json
    assert [row["attributes"]["title"] for row in log["data"]] == [WORDS["title"]] * 2
    assert f"Broadcast {WORDS['title']} ({item['id']}) recalled" in activities()
