"""Reminders of events that begin soon and of those that are over."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app.models import Happening, Mail, Notification, Reminder, User, db
from app.models.event import EventRole
from tests.conftest import People
from tests.support.api import Api
from tests.support.calendar import DAY, MINUTE, at, create_event, create_speaker, run_at, speaking
from tests.support.rows import count, mailed, notified

NEXT, AFTER = "Next Event", "After Event"
BERLIN = at("Europe/Berlin", 2026, 10, 28, 9, 0)


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def mine(api: Api, owner: User) -> Api:
    return api.as_(owner)


def only_mail(action: str) -> Mail:
    return db.session.scalars(select(Mail).where(Mail.action == action)).one()


def told() -> int:
    return count(Mail) + count(Notification)


@pytest.mark.parametrize(
    "begins",
    [
        BERLIN,
        at("Europe/Berlin", 2026, 3, 31, 9, 0),
        at("Pacific/Apia", 2026, 6, 1, 0, 15),
        at("Pacific/Apia", 2012, 1, 2, 9, 0),
        at("Asia/Kathmandu", 2026, 6, 1, 23, 50),
        at("Pacific/Kiritimati", 2026, 1, 3, 0, 30),
        at("America/Sao_Paulo", 2026, 2, 28, 20, 0),
    ],
    ids=lambda begins: f"{begins.tzinfo} {begins:%Y-%m-%d %H:%M}",
)
@pytest.mark.triggers("mail:Next Event", "notif:Next Event")
def test_an_event_is_announced_a_week_before_on_its_own_clock_and_not_a_minute_earlier(
    mine: Api, begins: datetime
) -> None:
    create_event(mine, begins)
    # Arithmetic on the wall clock: the same time of the day, a week before.
    a_week_before = begins - 7 * DAY
    assert run_at(a_week_before - MINUTE) == []
    assert told() == 0
    assert run_at(a_week_before) == ["Next Event: Harbour Conference"]
    assert (mailed(NEXT), notified(NEXT)) == (["owner@example.org"], ["owner@example.org"])


@pytest.mark.parametrize(
    "ends",
    [
        at("Europe/Berlin", 2026, 10, 24, 18, 0),
        at("Europe/Berlin", 2026, 3, 28, 18, 0),
        at("Pacific/Apia", 2011, 12, 29, 9, 0),
        at("Asia/Kathmandu", 2026, 6, 1, 0, 10),
        at("Pacific/Kiritimati", 2026, 1, 1, 0, 30),
    ],
    ids=lambda ends: f"{ends.tzinfo} {ends:%Y-%m-%d %H:%M}",
)
@pytest.mark.triggers("mail:After Event", "notif:After Event")
def test_an_event_is_over_a_day_after_its_end_on_its_own_clock_and_not_a_minute_earlier(
    mine: Api, ends: datetime
) -> None:
    create_event(mine, ends - timedelta(hours=3), ends)
    assert run_at(ends + DAY - MINUTE) == []
    assert run_at(ends + DAY) == ["After Event: Harbour Conference"]
    assert (mailed(AFTER), notified(AFTER)) == (["owner@example.org"], ["owner@example.org"])


def test_the_message_says_when_it_begins_on_the_clocks_of_the_place_and_where_to_look(mine: Api) -> None:
    event = create_event(mine, BERLIN, name="Tide & <b>Time</b>")
    run_at(BERLIN - DAY)
    link = f"/events/{event.identifier}"
    mail = only_mail(NEXT)
    assert mail.subject == "Tide & <b>Time</b> begins soon"
    assert "Wednesday, October 28, 2026, 9:00\u202fAM (GMT+01:00)" in mail.text
    assert "Tide &amp; &lt;b&gt;Time&lt;/b&gt;" in mail.message
    assert f"{link}'" in mail.message or f'{link}"' in mail.message
    happening = db.session.scalars(select(Happening)).one()
    assert happening.event_id == event.id
    assert str(happening.link).endswith(link)
    assert happening.data == {"event-id": str(event.id)}


@pytest.mark.triggers("mail:Next Event", "notif:Next Event", "mail:After Event", "notif:After Event")
def test_whatever_roles_somebody_has_it_is_one_message_as_thread_3773_asks(
    people: People, api: Api, mine: Api, owner: User
) -> None:
    both, speaker = people.user("both@example.org"), people.user("speaker@example.org")
    event = create_event(mine, BERLIN)
    for role in ("organizer", "coorganizer"):
        db.session.add_all(EventRole(event=event, user=user, role=role) for user in (owner, both))
    db.session.commit()
    for address in ("both@example.org", "BOTH@example.org", "owner@example.org"):
        create_speaker(mine, event, address)
    create_speaker(api.as_(speaker), event, "speaker@example.org")
    create_speaker(mine, event, "nobody@example.org")
    run_at(BERLIN - 3 * DAY)
    run_at(BERLIN + 2 * DAY)
    for action in (NEXT, AFTER):
        assert mailed(action) == [
            "both@example.org",
            "nobody@example.org",
            "owner@example.org",
            "speaker@example.org",
        ]
        assert notified(action) == ["both@example.org", "owner@example.org", "speaker@example.org"]


def test_a_task_that_is_repeated_tells_nobody_again_as_thread_6826_asks(mine: Api) -> None:
    create_event(mine, BERLIN)
    now = BERLIN - 7 * DAY
    while now < BERLIN + 12 * DAY:
        run_at(now)
        run_at(now)
        now += timedelta(hours=7)
    assert (mailed(NEXT), mailed(AFTER)) == (["owner@example.org"], ["owner@example.org"])
    assert (notified(NEXT), notified(AFTER)) == (["owner@example.org"], ["owner@example.org"])


def test_a_clock_that_steps_back_and_forth_sends_once(mine: Api) -> None:
    create_event(mine, BERLIN)
    for now in (BERLIN - DAY, BERLIN - 30 * DAY, BERLIN + 3 * DAY, BERLIN - DAY, BERLIN - 9 * DAY, BERLIN + 3 * DAY):
        run_at(now)
    assert (mailed(NEXT), mailed(AFTER)) == (["owner@example.org"], ["owner@example.org"])
    assert count(Reminder) == 2


def test_drafts_and_deleted_events_tell_nobody_as_thread_3346_asks(mine: Api) -> None:
    create_event(mine, BERLIN, state="draft")
    deleted = create_event(mine, BERLIN)
    deleted_draft = create_event(mine, BERLIN, state="draft")
    for event in (deleted, deleted_draft):
        assert mine.delete(f"/v1/events/{event.id}").status_code == 204
    for days in range(-8, 12):
        assert run_at(BERLIN + days * DAY) == []
    assert (told(), count(Reminder)) == (0, 0)


def test_a_draft_that_is_published_a_day_before_is_announced_then(mine: Api) -> None:
    event = create_event(mine, BERLIN, state="draft")
    run_at(BERLIN - 2 * DAY)
    assert mine.update(f"/v1/events/{event.id}", "event", event.id, state="published").status_code == 200
    assert mailed(NEXT) == []
    run_at(BERLIN - DAY)
    assert mailed(NEXT) == ["owner@example.org"]


def test_an_event_that_has_begun_is_not_announced_and_one_long_past_is_left_alone(mine: Api) -> None:
    create_event(mine, BERLIN, BERLIN + 3 * DAY)
    assert run_at(BERLIN) == []
    assert run_at(BERLIN + DAY) == []
    assert run_at(BERLIN + 11 * DAY) == []
    assert run_at(BERLIN + 11 * DAY - MINUTE) == ["After Event: Harbour Conference"]
    assert mailed(NEXT) == []


def test_an_event_that_is_moved_after_people_were_told_does_not_have_them_told_again(mine: Api) -> None:
    event = create_event(mine, BERLIN)
    run_at(BERLIN - DAY)
    later = BERLIN + 60 * DAY
    times = {"starts_at": later.isoformat(), "ends_at": (later + DAY).isoformat()}
    assert mine.update(f"/v1/events/{event.id}", "event", event.id, **times).status_code == 200
    assert run_at(BERLIN + 3 * DAY) == []
    assert run_at(later - DAY) == []
    assert run_at(later + 2 * DAY) == ["After Event: Harbour Conference"]


def test_an_event_that_is_moved_before_anybody_was_told_is_announced_at_its_new_time(mine: Api) -> None:
    event = create_event(mine, BERLIN)
    earlier = BERLIN - 20 * DAY
    assert mine.update(f"/v1/events/{event.id}", "event", event.id, starts_at=earlier.isoformat()).status_code == 200
    assert run_at(earlier - 8 * DAY) == []
    assert run_at(earlier - 7 * DAY) == ["Next Event: Harbour Conference"]


def test_a_mail_about_a_past_event_names_the_next_three_of_its_owner(people: People, api: Api, mine: Api) -> None:
    create_event(mine, BERLIN)
    for number in (4, 1, 3, 2):
        create_event(mine, BERLIN + number * 30 * DAY, name=f"Event {number}")
    create_event(mine, BERLIN + 20 * DAY, name="Draft", state="draft")
    create_event(mine, BERLIN - 20 * DAY, name="Past")
    create_event(api.as_(people.user()), BERLIN + 20 * DAY, name="Somebody else's")
    run_at(BERLIN + 2 * DAY)
    text = only_mail(AFTER).text
    places = [text.index(f"Event {number} \u2013 ") for number in (1, 2, 3)]
    assert places == sorted(places)
    assert not [name for name in ("Event 4", "Draft", "Past", "Somebody") if name in text]


def test_without_a_next_event_the_mail_says_so(mine: Api) -> None:
    create_event(mine, BERLIN)
    run_at(BERLIN + 2 * DAY)
    assert "none at the moment" in only_mail(AFTER).text


def test_everybody_reads_it_in_their_own_language(people: People, api: Api, mine: Api) -> None:
    event = create_event(mine, BERLIN)
    speaker = speaking(people.user("jana@example.org"), "de-AT")
    create_speaker(api.as_(speaker), event, "jana@example.org")
    run_at(BERLIN - DAY)
    languages = {mail.recipient: mail.language for mail in db.session.scalars(select(Mail))}
    assert languages == {"owner@example.org": "en", "jana@example.org": "de"}
    mail = db.session.scalars(select(Mail).where(Mail.recipient == "jana@example.org")).one()
    assert "Mittwoch, 28. Oktober 2026" in mail.text
    assert "begins soon" not in mail.subject


def test_what_the_admins_have_switched_off_is_not_sent_later_either(people: People, api: Api, mine: Api) -> None:
    admin = api.as_(people.admin())
    [setting] = [
        row["id"]
        for row in admin.get("/v1/message-settings", **{"page[size]": 100}).json["data"]
        if row["attributes"]["action"] == NEXT
    ]
    path = f"/v1/message-settings/{setting}"
    assert admin.update(path, "message-setting", setting, mail_status=False).status_code == 200
    create_event(mine, BERLIN)
    run_at(BERLIN - DAY)
    assert admin.update(path, "message-setting", setting, mail_status=True).status_code == 200
    run_at(BERLIN - DAY + MINUTE)
    assert (mailed(NEXT), notified(NEXT)) == ([], ["owner@example.org"])
