"""No query tells what its caller may not read: its answer is the same whatever the hidden values are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from app.models import db
from tests.support.api import Api
from tests.support.world import World

# The other world: everything that somebody without a role may not know is different, the rest is the same.
CHANGES = (
    "UPDATE users SET email = 'x' || email, password_hash = 'other', first_name = 'Other' WHERE id <> :viewer",
    "UPDATE users SET token_version = 7, is_verified = false, language = 'de' WHERE id <> :viewer",
    "UPDATE speakers SET email = 'other@example.org', country = 'Chile', user_id = NULL WHERE user_id <> :viewer",
    "UPDATE events SET name = 'Other', location_name = 'Elsewhere' WHERE state = 'draft'",
    # The only one there is: the owner was told of it.
    "UPDATE happenings SET title = 'Other', message = 'Other', actor_id = 1, group_key = 'other'",
    "UPDATE listens SET pattern = 'sessions.*' WHERE user_id <> :viewer",
    "UPDATE notifications SET is_read = true, read_at = now() WHERE user_id <> :viewer",
    "UPDATE role_invites SET role_name = 'organizer' WHERE email NOT IN (SELECT email FROM users WHERE id = :viewer)",
    "UPDATE users SET new_email = 'other@example.org', was_registered_with_order = true WHERE id <> :viewer",
    "UPDATE settings SET app_name = 'Other', smtp_host = 'other.example.org'",
    "UPDATE mails SET recipient = 'other@example.org', status = 'cancelled'",
    "UPDATE mail_batches SET description = 'Other', user_id = (SELECT max(id) FROM users)",
    "UPDATE broadcasts SET title = 'Other', message = 'Other', user_id = (SELECT max(id) FROM users)",
    "UPDATE speakers_calls SET hash = 'other' || id",
    "UPDATE speakers_calls SET announcement = 'Other', starts_at = now() WHERE privacy = 'private'",
    "UPDATE paper_invites SET email = 'other@example.org'",
    "UPDATE activities SET actor = 'Other'",
    "UPDATE attendees SET email = 'other@example.org', firstname = 'Other', ticket_id = NULL WHERE user_id <> :viewer",
    "UPDATE attendees SET lastname = 'Other', identifier = md5(identifier) WHERE user_id <> :viewer",
    "UPDATE orders SET status = 'pending', amount = 77, cancel_note = 'Other' WHERE user_id <> :viewer",
    "UPDATE orders SET currency = 'JPY', identifier = md5(identifier) WHERE user_id <> :viewer",
    "UPDATE event_invoices SET amount = 77, currency = 'JPY', status = 'paid', month = '2020-01-01'",
)
UNSEEN_BY_STRANGERS = "UPDATE sessions SET title = 'Other', state = 'rejected' WHERE state = 'pending'"

LISTS = {
    "/v1/speakers": ("", "user", "event", "sessions", "sessions.speakers"),
    "/v1/sessions": ("speakers", "speakers.user", "event.speakers"),
    "/v1/events": ("", "speakers", "roles.user", "speakers-call"),
    "/v1/speakers-calls": ("", "event", "event.speakers-call"),
    "/v1/paper-invites": ("", "speakers-call"),
    "/v1/users/{me}/notifications": ("user", "happening.actor", "happening.event"),
    "/v1/users/{me}/listens": ("user", "event.speakers", "session.speakers"),
    "/v1/role-invites": ("", "event", "event.roles.user"),
    "/v1/tickets": ("", "event", "attendees", "event.orders"),
    "/v1/attendees": ("", "order", "order.user", "user", "ticket"),
    "/v1/orders": ("", "attendees", "user", "attendees.order"),
    "/v1/event-invoices": ("", "event", "event.attendees"),
    "/v1/mail-batches": ("", "event", "user"),
    "/v1/broadcasts": ("", "user"),
}
NEED_LOGIN = (
    "/v1/users/{me}/listens",
    "/v1/broadcasts",
    "/v1/users/{me}/notifications",
    "/v1/paper-invites",
    "/v1/role-invites",
    "/v1/attendees",
    "/v1/orders",
    "/v1/event-invoices",
    "/v1/mail-batches",
)
ADMIN_LISTS = (
    "/v1/users",
    "/v1/happenings",
    "/v1/notifications",
    "/v1/mails",
    "/v1/settings",
    "/v1/message-settings",
    "/v1/activities",
)
# Hidden attributes, each with a value that it has in the first world, or that says much of it.
HIDDEN = {
    "email": "speaker@example.org",
    "country": "%",
    "password-hash": "$argon2id%",
    "token-version": "0",
    "title": "pending",
    "hash": "private",
}


def spellings(path: str, name: str, value: str) -> list[Any]:
    """The same question about a hidden attribute, in all the ways to ask it."""
    steps = [step for step in path.split(".") if step]
    dotted, nested = ".".join([*steps, name]), []
    for operator in ("eq", "ilike"):
        inner: Any = {"name": name, "op": operator, "val": value}
        for step in reversed(steps):
            inner = {"name": step, "op": "any" if step.endswith("s") else "has", "val": inner}
        nested += [inner, {"not": inner}]
    return [
        *nested,
        {"name": dotted, "op": "eq", "val": value},
        {"name": "__".join([*steps, name]).replace("-", "_"), "op": "ilike", "val": value},
        {"or": [{"not": {"name": dotted, "op": "is", "val": None}}]},
        {"name": ".".join([*steps, "name"]), "op": "lt", "field": name},
        {"name": name, "op": "ge", "field": dotted},
    ]


def queries(paths: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """What is tried on a list: two spellings for each attribute in turn, so that all come up many times."""
    turn = 0
    for path in paths:
        for name, value in HIDDEN.items():
            dotted = f"{path}.{name}".lstrip(".")
            several = spellings(path, name, value)
            yield {"sort": dotted}
            for _ in range(2):
                yield {"filter": json.dumps([several[turn % len(several)]])}
                turn += 1
        yield {f"filter[{path}.email]".replace("[.", "["): HIDDEN["email"]}
        if path:
            yield {"include": path, "fields[user]": "email", "fields[speaker]": "email,country,user"}


def ask(caller: Api, me: int | None, world: World) -> dict[str, tuple[int, str]]:
    """The status and the answer of every question."""
    answers = {}
    for template, paths in LISTS.items():
        if me is None and template in NEED_LOGIN:
            continue
        path = template.format(me=me, **world.ids)
        for query in queries(paths):
            answer = caller.get(path, **query)
            assert answer.status_code in (200, 400), (path, query, answer.text)
            answers[f"{path}?{query}"] = (answer.status_code, answer.text)
    return answers


@pytest.mark.parametrize("viewer", ["anonymous", "stranger", "speaker"])
def test_no_answer_depends_on_what_its_caller_may_not_read(world: World, viewer: str) -> None:
    caller = world.clients[viewer]
    me = None if viewer == "anonymous" else world.people[viewer].id
    first = ask(caller, me, world)
    for statement in CHANGES if viewer == "speaker" else (*CHANGES, UNSEEN_BY_STRANGERS):
        db.session.execute(text(statement), {"viewer": me or 0} if ":viewer" in statement else {})
    db.session.commit()
    second = ask(caller, me, world)
    different = [question for question, answer in first.items() if second[question] != answer]
    assert different == []
    assert sum(status == 200 for status, _ in first.values()) >= 5


def test_the_questions_would_notice(world: World) -> None:
    """An admin's answers do depend on the values: the two worlds differ in what is asked."""
    admin, me = world.clients["admin"], world.people["admin"].id
    query = {"filter": json.dumps([{"name": "user.email", "op": "eq", "val": "speaker@example.org"}])}
    counts = []
    for _ in range(2):
        counts.append(admin.get("/v1/speakers", **query).json["meta"]["count"])
        db.session.execute(text(CHANGES[0]), {"viewer": me})
        db.session.commit()
    assert counts == [1, 0]


@pytest.mark.parametrize("viewer", ["anonymous", "stranger", "speaker", "owner"])
def test_the_lists_of_admins_are_closed_before_any_query_is_read(world: World, viewer: str) -> None:
    for path in (*ADMIN_LISTS, f"/v1/users/{world.people['admin'].id}/notifications"):
        for query in ({}, {"filter": "{"}, {"sort": "x"}, {"include": "user"}, {"page[size]": "0"}):
            answer = world.clients[viewer].get(path, **query)
            assert answer.status_code == (401 if viewer == "anonymous" else 403)


@pytest.mark.parametrize("viewer", ["anonymous", "stranger", "speaker", "owner", "organizer", "admin"])
def test_nobody_is_shown_a_password_or_what_tokens_are_made_of(world: World, viewer: str) -> None:
    texts = []
    for path, relations in LISTS.items():
        me = world.people.get(viewer)
        if me is None and path in NEED_LOGIN:
            continue
        for include in relations:
            answer = world.clients[viewer].get(path.format(me=me and me.id, **world.ids), include=include)
            texts.append(answer.text)
    for hidden in ("argon2", "password", "token-version", "token_version", "Secret Draft"):
        shown = any(hidden in answer for answer in texts)
        assert shown == (hidden == "Secret Draft" and viewer in ("owner", "organizer", "admin"))


@pytest.mark.parametrize("viewer", ["stranger", "speaker"])
def test_the_address_of_an_attendee_is_not_guessed(world: World, viewer: str) -> None:
    """Each way to ask whether there is an attendee with an address answers as for one that there is not."""
    caller = world.clients[viewer]
    for hidden, missing in (("other-guest@example.org", "nobody@example.org"), ("other-guest@%", "nobody@%")):
        for path, prefix in (("/v1/attendees", ""), ("/v1/orders", "attendees"), ("/v1/attendees", "order.attendees")):
            for question in spellings(prefix, "email", hidden):
                both = [json.dumps([question]), json.dumps([question]).replace(hidden, missing)]
                answers = [caller.get(path, filter=each) for each in both]
                assert answers[0].status_code == answers[1].status_code in (200, 400)
                data = [answer.json.get("data") for answer in answers]
                assert data[0] == data[1], (path, question)
    attendee, order = world.ids["other_attendee"], world.ids["other_order"]
    related = {"event": ("event", world.ids["event"]), "attendees": [("attendee", attendee)]}
    refused = [caller.create("/v1/orders", "order", {}, **related)]
    refused.append(caller.create("/v1/attendees", "attendee", {"firstname": "X"}, **_in_order(world, int(order))))
    refused += [caller.get(f"/v1/attendees/{attendee}"), caller.get(f"/v1/orders/{order}/attendees")]
    for answer in refused:
        assert answer.status_code in (404, 422)
        assert "guest" not in answer.text
    assert json.loads(caller.get("/v1/attendees").data)["meta"]["count"] == (viewer == "speaker")


def test_an_organizer_can_ask_for_the_address_of_an_attendee(world: World) -> None:
    """The questions would notice."""
    caller = world.clients["organizer"]
    for path, name in (("/v1/attendees", "email"), ("/v1/orders", "attendees.email")):
        query = {"filter": json.dumps([{"name": name, "op": "eq", "val": "other-guest@example.org"}])}
        assert caller.get(path, **query).json["meta"]["count"] == 1


def _in_order(world: World, order: int) -> dict[str, Any]:
    return {"event": ("event", world.ids["event"]), "order": ("order", order)}
