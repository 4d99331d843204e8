"""The one decision: every row of its table, and the order in which the reasons count, whatever is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.happenings.deciding.decision import (
    ADMIN,
    CRITICAL,
    DEFAULT,
    DIGEST,
    LATER,
    NOTHING,
    OUTCOMES,
    SEND,
    UNLESS_READ,
    UNREACHABLE,
    USER_CHANNEL,
    USER_TYPE,
    Answer,
    Question,
    Wish,
    decide,
)
from app.models.event_type import CHANNELS, IN_APP, MAIL, SMS
from app.models.preference import DIGESTS, MODES, OFF, ON, UNREAD

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MORNING = NOW + timedelta(hours=9)


def digest_at(mode: str) -> datetime:
    return NOW + timedelta(days=1 + DIGESTS.index(mode))


MAILED = Question(MAIL, is_default=True, now=NOW, digest_at=digest_at)
TOLD = replace(MAILED, channel=IN_APP)
TEXTED = replace(MAILED, channel=SMS, is_default=False)


def of_type(mode: str, minutes: int | None = None) -> Wish:
    return Wish(mode, minutes, "sessions.*")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        # Nobody has said anything.
        (MAILED, Answer(SEND, DEFAULT)),
        (TEXTED, Answer(NOTHING, DEFAULT)),
        # Critical: whatever anybody says, by the channels that tell of it by themselves.
        (replace(MAILED, is_critical=True, admin_allows=False, of_type=of_type(OFF)), Answer(SEND, CRITICAL)),
        (replace(MAILED, is_critical=True, quiet_until=MORNING), Answer(SEND, CRITICAL)),
        (replace(MAILED, is_critical=True, of_channel=Wish("daily")), Answer(SEND, CRITICAL)),
        (replace(TEXTED, is_critical=True), Answer(NOTHING, DEFAULT)),
        (replace(TEXTED, is_critical=True, of_type=of_type(ON)), Answer(SEND, USER_TYPE, "sessions.*")),
        # The admins' switch.
        (replace(MAILED, admin_allows=False, of_type=of_type(ON)), Answer(NOTHING, ADMIN)),
        (replace(MAILED, admin_allows=False, of_channel=Wish(ON)), Answer(NOTHING, ADMIN)),
        # The admins do not let users decide.
        (replace(MAILED, user_controls=False, of_type=of_type(OFF), of_channel=Wish(OFF)), Answer(SEND, DEFAULT)),
        # A wish for the type, before one for the channel.
        (replace(MAILED, of_type=of_type(OFF), of_channel=Wish(ON)), Answer(NOTHING, USER_TYPE, "sessions.*")),
        (replace(MAILED, of_type=of_type(ON), of_channel=Wish(OFF)), Answer(SEND, USER_TYPE, "sessions.*")),
        (replace(TEXTED, of_type=of_type(ON)), Answer(SEND, USER_TYPE, "sessions.*")),
        # A wish for the channel: how, not of what.
        (replace(MAILED, of_channel=Wish(OFF)), Answer(NOTHING, USER_CHANNEL, "*")),
        (replace(MAILED, of_channel=Wish(ON)), Answer(SEND, USER_CHANNEL, "*")),
        (replace(TEXTED, of_channel=Wish(ON)), Answer(NOTHING, DEFAULT)),
        (replace(TEXTED, of_channel=Wish(OFF)), Answer(NOTHING, USER_CHANNEL, "*")),
        # Later.
        *(
            (
                replace(MAILED, of_type=of_type(mode)),
                Answer(DIGEST, USER_TYPE, "sessions.*", digest_at(mode), mode),
            )
            for mode in DIGESTS
        ),
        (
            replace(MAILED, of_channel=Wish(UNREAD, 30)),
            Answer(UNLESS_READ, USER_CHANNEL, "*", NOW + timedelta(minutes=30), UNREAD),
        ),
        # A mail that cannot be held goes at once.
        (replace(MAILED, of_type=of_type("daily"), can_wait=False), Answer(SEND, USER_TYPE, "sessions.*")),
        (replace(MAILED, of_type=of_type(UNREAD, 5), can_wait=False), Answer(SEND, USER_TYPE, "sessions.*")),
        # Quiet hours: for all but the inbox, and not for what is held anyway.
        (replace(MAILED, quiet_until=MORNING), Answer(LATER, DEFAULT, None, MORNING)),
        (
            replace(MAILED, quiet_until=MORNING, of_type=of_type("daily"), can_wait=False),
            Answer(LATER, USER_TYPE, "sessions.*", MORNING),
        ),
        (replace(TOLD, quiet_until=MORNING), Answer(SEND, DEFAULT)),
        (
            replace(MAILED, quiet_until=MORNING, of_type=of_type("daily")),
            Answer(DIGEST, USER_TYPE, "sessions.*", digest_at("daily"), "daily"),
        ),
        # No address.
        (replace(MAILED, is_reachable=False), Answer(NOTHING, UNREACHABLE)),
        (replace(MAILED, is_reachable=False, is_critical=True), Answer(NOTHING, UNREACHABLE)),
        (replace(MAILED, is_reachable=False, of_type=of_type(OFF)), Answer(NOTHING, USER_TYPE, "sessions.*")),
    ],
)
def test_every_row_of_the_decision(question: Question, answer: Answer) -> None:
    assert decide(question) == answer


wishes = st.none() | st.builds(Wish, st.sampled_from(MODES), st.integers(1, 10_080), st.just("sessions.*"))
questions = st.builds(
    Question,
    channel=st.sampled_from(CHANNELS),
    is_default=st.booleans(),
    now=st.just(NOW),
    is_critical=st.booleans(),
    admin_allows=st.booleans(),
    user_controls=st.booleans(),
    of_type=wishes,
    of_channel=wishes,
    is_reachable=st.booleans(),
    can_wait=st.booleans(),
    quiet_until=st.none() | st.just(MORNING),
    digest_at=st.just(digest_at),
)


@settings(max_examples=300)
@given(questions, wishes, wishes)
def test_what_is_higher_decides_whatever_is_said_below(question: Question, of_type: Wish, of_channel: Wish) -> None:
    answer = decide(question)
    assert answer == decide(question)
    below: dict[str, dict[str, object]] = {
        CRITICAL: {"admin_allows": True, "user_controls": True, "of_type": of_type, "of_channel": of_channel},
        ADMIN: {"user_controls": True, "of_type": of_type, "of_channel": of_channel},
        USER_TYPE: {"of_channel": of_channel},
    }
    assert decide(replace(question, **below.get(answer.reason, {}))) == answer  # type: ignore[arg-type]  # of its fields


@settings(max_examples=300)
@given(questions)
def test_every_answer_is_whole(question: Question) -> None:
    answer = decide(question)
    assert answer.outcome in OUTCOMES
    assert (answer.at is not None) == (answer.outcome in {LATER, DIGEST, UNLESS_READ})
    assert (answer.pattern is not None) == (answer.reason in {USER_TYPE, USER_CHANNEL})
    assert (answer.mode is not None) == (answer.outcome in {DIGEST, UNLESS_READ})
    assert answer.tells == (answer.outcome != NOTHING)
    if answer.tells:
        assert question.is_reachable
    if question.is_critical and question.is_default and question.is_reachable:
        assert answer == Answer(SEND, CRITICAL)
    if question.channel == IN_APP:
        assert answer.outcome != LATER
    if not question.can_wait:
        assert answer.outcome not in {DIGEST, UNLESS_READ}
