"""Proposing, deciding and editing sessions: who is told, once, and who is not."""

from __future__ import annotations

import html
from typing import Any

import pytest
from sqlalchemy import select, update

from app.api import sessions
from app.api.helpers import session_messages
from app.bidi import harmless
from app.models import (
    Activity,
    Event,
    EventRole,
    Happening,
    Mail,
    MessageSettings,
    Notification,
    Session,
    Speaker,
    User,
    db,
)
from app.models.base import utc_now
from app.models.mail import NEW_SESSION, SESSION_ACCEPT_REJECT
from tests.conftest import People
from tests.support.api import Api
from tests.support.errors import errors_of, pointer_of
from tests.support.rows import count, mailed, notified

HOSTILE = [
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "{0.__class__}",
    "{event_name}",
    "{{link}}",
    "%(email)s %s",
    "\u202eשבת כנס",
    "🎉 👩‍💻 party",
    "&amp; & &lt;",
    "a\\nBcc: eve@example.org",
    "=?utf-8?q?Bcc=3A?=",
]


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def sam(people: People) -> User:
    """The speaker."""
    return people.user("sam@example.org")


def propose(api: Api, by: User, event: Event, speakers: list[Speaker] | None = None, **attributes: Any) -> Any:
    related: dict[str, Any] = {"event": ("event", event.id)}
    if speakers is not None:
        related["speakers"] = [("speaker", speaker.id) for speaker in speakers]
    return api.as_(by).create("/v1/sessions", "session", {"title": "Knots", **attributes}, **related)


def make(event: Event, *speakers: Speaker, state: str = "pending", title: str = "Knots") -> Session:
    """A session made without telling anybody."""
    session = Session(title=title, state=state, event=event, speakers=list(speakers))
    db.session.add(session)
    db.session.commit()
    return session


def change(api: Api, by: User, session: Session, **attributes: Any) -> Any:
    return api.as_(by).update(f"/v1/sessions/{session.id}", "session", session.id, **attributes)


def nobody_was_told() -> bool:
    return count(Notification) == count(Mail) == count(Happening) == 0


# --- proposing


@pytest.mark.triggers("mail:New Session Proposal", "notif:New Session Proposal")
def test_a_proposal_tells_owner_organizers_and_coorganizers_once_and_mails_its_speakers(
    api: Api, people: People, owner: User, sam: User
) -> None:
    told = {role: people.user(f"{role}@example.org") for role in ("organizer", "coorganizer")}
    silent = {role: people.user(f"{role}@example.org") for role in ("track_organizer", "moderator")}
    event = people.event(owner, **told, **silent)
    pair = [people.speaker(event, sam), people.speaker(event, email="kim@example.org")]
    people.speaker(event, email="not-in-this-session@example.org")
    answer = propose(api, sam, event, pair)
    assert answer.status_code == 201
    team = ["coorganizer@example.org", "organizer@example.org", "owner@example.org"]
    assert notified(NEW_SESSION) == team
    assert mailed(NEW_SESSION) == sorted([*team, "kim@example.org", "sam@example.org"])
    assert count(Mail) == 5
    assert count(Happening) == 1


def test_whoever_has_several_roles_and_speaks_as_well_is_told_once(api: Api, people: People, owner: User) -> None:
    event = people.event(owner, organizer=owner, coorganizer=owner, moderator=owner)
    twice = [people.speaker(event, owner), people.speaker(event, owner, email="OWNER@Example.org")]
    assert propose(api, owner, event, twice).status_code == 201
    assert notified(NEW_SESSION) == ["owner@example.org"]
    assert mailed(NEW_SESSION) == ["owner@example.org"]


def test_two_speakers_with_one_address_get_one_mail(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    pair = [people.speaker(event, sam), people.speaker(event, email="SAM@example.ORG")]
    propose(api, sam, event, pair)
    assert mailed(NEW_SESSION) == ["owner@example.org", "sam@example.org"]


def test_a_speaker_without_an_address_is_mailed_at_the_account(
    api: Api, people: People, owner: User, sam: User
) -> None:
    event = people.event(owner)
    speaker = people.speaker(event, sam)
    speaker.email = None
    db.session.commit()
    propose(api, sam, event)
    assert "sam@example.org" in mailed(NEW_SESSION)


def test_what_is_told_links_to_the_session_and_carries_data(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    people.speaker(event, sam)
    session_id = propose(api, sam, event).json["data"]["id"]
    [item] = api.as_(owner).get(f"/v1/users/{owner.id}/notifications").json["data"]
    shown = item["attributes"]
    assert shown["title"] == "New session proposal for Harbour Conference"
    assert shown["action"] == NEW_SESSION
    assert shown["link"].endswith(f"/events/{event.identifier}/sessions/{session_id}")
    assert shown["data"] == {"event-id": str(event.id), "session-id": session_id, "state": "pending"}
    assert shown["is-read"] is False
    happening = db.session.scalars(select(Happening)).one()
    assert (happening.actor_id, happening.event_id) == (sam.id, event.id)
    for mail in db.session.scalars(select(Mail)):
        assert html.escape(shown["link"]) in mail.message
        assert shown["link"] in mail.text


def test_a_proposal_without_speakers_is_the_proposers_own(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    people.speaker(event, sam)
    session_id = propose(api, sam, event).json["data"]["id"]
    [speaker] = api.as_(sam).get(f"/v1/sessions/{session_id}/speakers").json["data"]
    assert speaker["attributes"]["email"] == "sam@example.org"


def test_a_speaker_proposes_with_others_but_not_for_others(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    mine, other = people.speaker(event, sam), people.speaker(event, None, "zoe@example.org", "Zoe")
    for_others = propose(api, sam, event, [other])
    assert for_others.status_code == 422
    assert pointer_of(for_others) == "/data/relationships/speakers/data"
    assert propose(api, sam, event, [mine, other]).status_code == 201
    assert propose(api, owner, event, [other]).status_code == 201


def test_who_is_no_speaker_of_the_event_proposes_nothing(api: Api, people: People, owner: User, sam: User) -> None:
    event, other = people.event(owner), people.event(owner, "Another")
    elsewhere = people.speaker(other, sam)
    for answer in (propose(api, sam, event), propose(api, sam, event, [elsewhere])):
        assert answer.status_code == 403
        errors_of(answer)
    assert nobody_was_told()


def test_a_speaker_of_another_event_is_refused(api: Api, people: People, owner: User) -> None:
    event, other = people.event(owner), people.event(owner, "Another")
    answer = propose(api, owner, event, [people.speaker(event), people.speaker(other)])
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/relationships/speakers/data/1"
    assert count(Session) == 0
    assert nobody_was_told()


def test_a_speaker_proposes_only_pending_sessions(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    people.speaker(event, sam)
    assert propose(api, sam, event, state="accepted").status_code == 403
    assert propose(api, sam, event, state="pending").status_code == 201
    assert propose(api, owner, event, state="accepted").status_code == 201


def test_an_event_that_was_deleted_takes_no_proposal_and_tells_nobody(
    api: Api, people: People, owner: User, sam: User
) -> None:
    event = people.event(owner, state="draft")
    session = make(event, people.speaker(event, sam))
    assert api.as_(owner).delete(f"/v1/events/{event.id}").status_code == 204
    assert propose(api, sam, event).status_code == 422
    assert propose(api, owner, event).status_code == 422
    assert change(api, owner, session, state="accepted").status_code == 404
    assert change(api, sam, session, title="x").status_code == 404
    assert nobody_was_told()


def test_people_and_speakers_who_were_removed_are_not_told(api: Api, people: People, owner: User, sam: User) -> None:
    gone = people.user("gone@example.org")
    event = people.event(owner, organizer=gone)
    kept, removed = people.speaker(event, sam), people.speaker(event, email="removed@example.org")
    session = make(event, kept, removed)
    gone.deleted_at = removed.deleted_at = utc_now()
    db.session.commit()
    propose(api, owner, event, [kept])
    change(api, owner, session, state="accepted")
    assert mailed(NEW_SESSION) == ["owner@example.org", "sam@example.org"]
    assert mailed(SESSION_ACCEPT_REJECT) == ["sam@example.org"]


# --- deciding


@pytest.mark.parametrize("state", ["accepted", "rejected"])
@pytest.mark.triggers("mail:Session Accept or Reject", "notif:Session Accept or Reject")
def test_a_decision_tells_each_speaker_once(api: Api, people: People, owner: User, sam: User, state: str) -> None:
    event = people.event(owner)
    kim = people.user("kim@example.org")
    speakers = [
        people.speaker(event, sam),
        people.speaker(event, owner, email="KIM@example.org"),
        people.speaker(event, email="guest@example.org"),
        people.speaker(event, sam, email="Sam@example.org"),
    ]
    session = make(event, *speakers)
    assert change(api, owner, session, state=state).status_code == 200
    assert notified(SESSION_ACCEPT_REJECT) == [kim.email, sam.email]
    assert mailed(SESSION_ACCEPT_REJECT) == ["guest@example.org", "KIM@example.org", "sam@example.org"]
    assert mailed(NEW_SESSION) == []
    happening = db.session.scalars(select(Happening)).one()
    assert happening.title == f"Knots was {state}"


def test_an_account_whose_address_is_not_confirmed_is_not_taken_for_the_speaker(
    api: Api, people: People, owner: User
) -> None:
    people.user("sam@example.org", verified=False)
    event = people.event(owner)
    session = make(event, people.speaker(event, owner, email="sam@example.org"))
    change(api, owner, session, state="accepted")
    assert notified(SESSION_ACCEPT_REJECT) == []
    assert mailed(SESSION_ACCEPT_REJECT) == ["sam@example.org"]


@pytest.mark.parametrize("state", ["pending", "confirmed", "canceled", "withdrawn"])
def test_other_states_tell_nobody(api: Api, people: People, owner: User, sam: User, state: str) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam), state="accepted")
    assert change(api, owner, session, state=state).status_code == 200
    assert nobody_was_told()


@pytest.mark.parametrize("state", ["accepted", "rejected"])
def test_an_edit_and_the_same_state_again_tell_nobody(
    api: Api, people: People, owner: User, sam: User, state: str
) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam), state=state)
    for attributes in ({"title": "Better knots"}, {"state": state}, {"short_abstract": "x", "state": state}, {}):
        assert change(api, owner, session, **attributes).status_code == 200
    assert nobody_was_told()


def test_each_change_of_mind_is_told(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam))
    for state in ("accepted", "accepted", "rejected", "pending", "accepted"):
        assert change(api, owner, session, state=state).status_code == 200
    titles = [row.title for row in db.session.scalars(select(Happening).order_by(Happening.id))]
    assert titles == ["Knots was accepted", "Knots was rejected", "Knots was accepted"]
    assert len(mailed(SESSION_ACCEPT_REJECT)) == 3


def test_who_sets_which_state(api: Api, people: People, owner: User, sam: User) -> None:
    team = {role: people.user(f"{role}@example.org") for role in ("organizer", "coorganizer", "moderator")}
    event = people.event(owner, **team)
    session = make(event, people.speaker(event, sam), state="pending")
    for state in ("accepted", "confirmed", "rejected", "canceled"):
        assert change(api, sam, session, state=state).status_code == 403
    assert change(api, people.user(), session, state="withdrawn").status_code == 404
    assert change(api, sam, session, state="pending", title="Mine").status_code == 200
    assert change(api, sam, session, state="withdrawn").status_code == 200
    assert change(api, sam, session, state="pending").status_code == 403
    for member in (owner, *team.values(), people.admin()):
        assert change(api, member, session, state="pending").status_code == 200
        assert change(api, member, session, state="withdrawn").status_code == 200
    assert nobody_was_told()


@pytest.mark.parametrize("state", [None, "", "Accepted", "accepted ", "unknown", 1, [], True])
def test_an_unknown_state_is_422_and_tells_nobody(api: Api, people: People, owner: User, sam: User, state: Any) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam))
    answer = change(api, owner, session, state=state)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/state"
    assert nobody_was_told()


def test_a_session_stays_with_its_event(api: Api, people: People, owner: User) -> None:
    event, other = people.event(owner), people.event(owner, "Another")
    session = make(event)
    for target, status in ((event, 200), (other, 422)):
        related = {"event": {"data": {"type": "event", "id": str(target.id)}}}
        body = {"data": {"type": "session", "id": str(session.id), "relationships": related}}
        assert api.as_(owner).patch(f"/v1/sessions/{session.id}", body).status_code == status
    db.session.refresh(session)
    assert session.event_id == event.id


# --- switches


@pytest.mark.parametrize(("mail_on", "notification_on"), [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("action", [NEW_SESSION, SESSION_ACCEPT_REJECT])
def test_message_settings_switch_each_action_and_channel(  # noqa: PLR0913, PLR0917 - three fixtures, three cases
    api: Api, people: People, owner: User, sam: User, action: str, mail_on: bool, notification_on: bool
) -> None:
    event = people.event(owner)
    speaker = people.speaker(event, sam)
    values = {"mail_status": mail_on, "notification_status": notification_on}
    db.session.execute(update(MessageSettings).where(MessageSettings.action == action).values(**values))
    db.session.commit()
    session_id = propose(api, sam, event, [speaker]).json["data"]["id"]
    api.as_(owner).update(f"/v1/sessions/{session_id}", "session", session_id, state="accepted")
    for each in (NEW_SESSION, SESSION_ACCEPT_REJECT):
        assert bool(mailed(each)) == (mail_on or each != action)
        assert bool(notified(each)) == (notification_on or each != action)


# --- all or nothing


@pytest.mark.parametrize("hook", ["send_email_new_session", "send_notif_new_session_organizer", "record_activity"])
def test_a_hook_that_fails_leaves_no_row_and_no_mail(
    api: Api, people: People, owner: User, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    event = people.event(owner, organizer=people.user())
    speaker = people.speaker(event, email="sam@example.org")
    module: Any = sessions if hook == "record_activity" else session_messages
    real, calls = getattr(module, hook), []

    def fail_late(*args: Any, **options: Any) -> Any:
        """Let the first call pass where there are more, so that something is already there to undo."""
        calls.append(args)
        if len(calls) == 2 or hook == "record_activity":
            raise RuntimeError("secret detail")
        return real(*args, **options)

    monkeypatch.setattr(module, hook, fail_late)
    answer = propose(api, owner, event, [speaker])
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert errors_of(answer)[0]["status"] == "500"
    assert count(Session) == count(Activity) == 0
    assert nobody_was_told()
    monkeypatch.undo()
    assert propose(api, owner, event, [speaker]).status_code == 201
    assert mailed(NEW_SESSION).count("sam@example.org") == 1


def test_a_decision_whose_mail_fails_is_not_made(
    api: Api, people: People, owner: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam))

    def fail(*_args: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(session_messages, "send_email_session_accept_reject", fail)
    assert change(api, owner, session, state="accepted").status_code == 500
    db.session.refresh(session)
    assert session.state == "pending"
    assert nobody_was_told()


# --- names that are more than names


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_arrives_as_text(api: Api, people: People, owner: User, sam: User, name: str) -> None:
    event = people.event(owner, name=name)
    speaker = people.speaker(event, sam)
    session_id = propose(api, sam, event, [speaker], title=name).json["data"]["id"]
    answer = api.as_(owner).update(f"/v1/sessions/{session_id}", "session", session_id, state="accepted")
    assert answer.json["data"]["attributes"]["title"] == name
    name = harmless(name)
    escaped = html.escape(name, quote=True)
    for user, expected in ((owner, f"New session proposal for {name}"), (sam, f"{name} was accepted")):
        [item] = api.as_(user).get(f"/v1/users/{user.id}/notifications").json["data"]
        assert item["attributes"]["title"] == expected
        assert escaped in item["attributes"]["message"]
    for mail in db.session.scalars(select(Mail)):
        assert name in mail.subject
        assert escaped in mail.message
        assert name in mail.text
        for markup in ("<script", "<img"):
            assert markup not in mail.message


BAD_LINES = ["a\nBcc: eve@example.org", "a\rb", "a\r\nb", "a\x00b", "a\x1b[31m", "a\u2028b", "a\x85b"]


@pytest.mark.parametrize("title", [*BAD_LINES, "", "   ", "x" * 501, None, 5, ["a"], {}])
def test_what_cannot_be_a_title_is_refused(api: Api, people: People, owner: User, title: Any) -> None:
    event = people.event(owner)
    answer = propose(api, owner, event, [people.speaker(event)], title=title)
    # U+0000 cannot even be read: no database text has it.
    assert answer.status_code == (400 if title == "a\x00b" else 422)
    assert pointer_of(answer) == "/data/attributes/title"
    noon = utc_now().isoformat()
    named = api.as_(owner).create("/v1/events", "event", {"name": title, "starts-at": noon, "ends-at": noon})
    assert named.status_code == answer.status_code
    assert count(Session) == 0
    assert nobody_was_told()


def test_blanks_around_a_title_do_not_reach_subjects(api: Api, people: People, owner: User, sam: User) -> None:
    event = people.event(owner, name="  Harbour  ")
    session_id = propose(api, owner, event, [people.speaker(event, sam)], title=" \u00a0Knots ").json["data"]["id"]
    api.as_(owner).update(f"/v1/sessions/{session_id}", "session", session_id, state="rejected")
    for mail in db.session.scalars(select(Mail)):
        assert mail.subject == mail.subject.strip()
        assert mail.subject.startswith(("New session proposal for", "Knots"))
    titles = list(db.session.scalars(select(Happening.title)))
    assert titles == [title.strip() for title in titles]


# --- the rest of the resource


def test_an_end_before_the_start_is_refused(api: Api, people: People, owner: User) -> None:
    event = people.event(owner)
    times = {"starts-at": "2026-11-21T12:00:00Z", "ends-at": "2026-11-21T11:59:59Z"}
    answer = propose(api, owner, event, **times)
    assert answer.status_code == 422
    assert pointer_of(answer) == "/data/attributes/ends-at"
    session = make(event)
    assert change(api, owner, session, starts_at="2026-11-21T12:00:00+02:00").status_code == 200
    assert change(api, owner, session, ends_at="2026-11-21T09:59:59Z").status_code == 422
    assert change(api, owner, session, ends_at="2026-11-21T10:00:00Z").status_code == 200


def test_only_accepted_and_confirmed_sessions_are_for_everybody(
    api: Api, people: People, owner: User, sam: User
) -> None:
    event = people.event(owner)
    speaker = people.speaker(event, sam)
    for state in ("pending", "accepted", "confirmed", "rejected", "canceled", "withdrawn"):
        make(event, speaker, state=state, title=state)
    make(people.event(owner, state="draft"), state="accepted", title="draft")

    def titles(caller: Api) -> list[str]:
        return sorted(item["attributes"]["title"] for item in caller.get("/v1/sessions").json["data"])

    assert titles(api) == titles(api.as_(people.user())) == ["accepted", "confirmed"]
    assert len(titles(api.as_(sam))) == 6
    assert len(titles(api.as_(owner))) == 7


def test_a_deleted_session_is_gone_and_its_speakers_may_delete_it(
    api: Api, people: People, owner: User, sam: User
) -> None:
    event = people.event(owner)
    session = make(event, people.speaker(event, sam), state="accepted")
    assert api.as_(sam).delete(f"/v1/sessions/{session.id}").status_code == 204
    assert api.as_(owner).get(f"/v1/sessions/{session.id}").status_code == 404
    assert change(api, owner, session, state="rejected").status_code == 404
    assert api.get(f"/v1/events/{event.id}/sessions").json["meta"]["count"] == 0
    assert nobody_was_told()


def test_who_lost_the_role_is_not_told_any_more(api: Api, people: People, owner: User) -> None:
    former = people.user("former@example.org")
    event = people.event(owner, organizer=former)
    role = db.session.scalars(select(EventRole).where(EventRole.user_id == former.id)).one()
    db.session.delete(role)
    db.session.commit()
    propose(api, owner, event)
    assert notified(NEW_SESSION) == mailed(NEW_SESSION) == ["owner@example.org"]
