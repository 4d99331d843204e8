"""Writing to one person: in the app, by mail, SMS and chat together (`contact_member`), or by SMS alone (`send_sms`).

Both only add rows to the caller's transaction: what it commits is sent after it, what it rolls back never is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import update

from app.api.helpers.happenings import MAX_MESSAGE, MAX_TITLE, HappeningError, check_link, check_words
from app.api.helpers.log import record_activity
from app.api.helpers.queueing import Addresses, Sending, common_values
from app.api.helpers.sending_errors import SendingError
from app.api.helpers.settings import get_settings, switched_off_channels, users_control
from app.api.helpers.templates import escape, one_line
from app.api.jsonapi.jsontext import is_storable
from app.api.viewer import current_viewer
from app.happenings.audience import NAMED, Audience
from app.happenings.deciding.decision import NOTHING
from app.happenings.deciding.plan import Plan, plan_for
from app.happenings.deciding.wishes import read_wishes
from app.happenings.declared import MEMBER_CONTACTED
from app.happenings.telling.fanout import announce, named_ids
from app.happenings.types import EventType, EventTypeError, find_type, type_of_action
from app.models import ChannelMessage, Event, Happening, Mail, User, db
from app.models.base import utc_now
from app.models.event_type import CHANNELS, IN_APP, MAIL, SMS
from app.models.mail import TRANSACTIONAL

# What a message of `send_sms` has that does not say what it is about.
SMS_ACTION: Final = "SMS"
# Characters of one SMS: ten parts, which is as many as the usual gateways join.
MAX_SMS: Final = 1600
# A number with its country, as ITU-T E.164 has it.
E164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


def contact_member(  # noqa: PLR0913 - what a message is made of; all but its words by name
    user: User,
    message: str,
    channels: Iterable[str] = (MAIL,),
    *,
    title: str | None = None,
    link: str | None = None,
    html: str | None = None,
    reply_to: Addresses = None,
    sender: User | None = None,
    event: Event | None = None,
) -> Happening:
    """Write to a user: in the app in any case, and by the other channels as he prefers.

    Args:
        user: whom.
        message: plain text; it is escaped, and its lines are kept.
        channels: which of `mail`, `sms` and `chat` tell him, unless the admins or he himself say otherwise.
        title: one line; by default the application's name.
        link: where to read more: an address, or a path of the front end.
        html: the message as HTML, in place of `message`; values of other people in it must be escaped.
        reply_to: where answers to the mail go, one address or several.
        sender: who writes; by default the caller of the request.
        event: what it is about.

    Returns:
        The happening, in the caller's session and not committed.

    Raises:
        HappeningError: an argument cannot be; its `field` says which.
        AddressError: an address to answer to cannot be one.
        SendingError: there are too many of those.
    """
    happening = Happening(
        action=MEMBER_CONTACTED,
        event_type=MEMBER_CONTACTED,
        title=check_words("title", one_line(title or get_settings().app_name), MAX_TITLE),
        message=check_words("message", _as_html(message) if html is None else html, MAX_MESSAGE),
        link=check_link(link),
        actor=sender or current_viewer().user,
        event=event,
    )
    answers: list[str] = common_values(MEMBER_CONTACTED, Sending(reply_to=reply_to))["reply_to"]
    asked = _checked(channels)
    db.session.add_all([user, happening])
    db.session.flush()
    # A mail that is only made later has them of the plan.
    announce(happening, replace(_plan(asked), reply_to=tuple(answers)), named_ids([user.id]))
    # Of one person to another: not behind what goes to thousands.
    own = update(Mail).where(Mail.happening_id == happening.id)
    db.session.execute(own.values(lane=TRANSACTIONAL, reply_to=answers))
    record_activity("notification_event", user=user, action=MEMBER_CONTACTED, title=happening.title)
    return happening


def send_sms(to: User | str, text: str, *, action: str = SMS_ACTION) -> ChannelMessage | None:
    """Send an SMS, and nothing else.

    Args:
        to: a user, or a number with its country, as in `+12025550123`.
        text: at most 1,600 characters.
        action: what it is about: the switches of this action, and the user's preferences for its type, decide, unless
            that is critical and told by SMS.

    Returns:
        The row, in the caller's session and not committed; None if the admins have switched it off, or the user has,
        or has no number.

    Raises:
        SendingError: the text is empty or too long, or this is no number.
    """
    words = text.strip()
    if not words or len(words) > MAX_SMS or not is_storable(words):
        allowed = f"1 to {MAX_SMS} characters, and no U+0000 or half a surrogate"
        raise SendingError(f"An SMS has {allowed}: this has {len(words)}.")
    number = to.phone if isinstance(to, User) else to
    if isinstance(to, str) and not E164.fullmatch(to):
        raise SendingError("A number is written with its country and nothing between its digits, as in +12025550123.")
    due = _when(to, action)
    if number is None or due is None:
        return None
    message = ChannelMessage(
        user=to if isinstance(to, User) else None,
        channel=SMS,
        recipient=number,
        action=action,
        title="",
        text=words,
        next_attempt_at=due,
    )
    db.session.add(message)
    record_activity("sms_event", recipient=to if isinstance(to, User) else number, action=action)
    return message


def _plan(asked: frozenset[str]) -> Plan:
    """The plan for one person: the inbox always, and the channels that were asked for in place of the type's own."""
    audience = Audience(NAMED, includes_actor=True)
    plan = plan_for(find_type(MEMBER_CONTACTED), audience, MEMBER_CONTACTED)
    return replace(plan, channels=asked | {IN_APP}, always=frozenset({IN_APP}))


def _when(to: User | str, action: str) -> datetime | None:
    """When somebody is to get an SMS; None if not at all."""
    event_type = _type_of(action)
    plan = Plan(
        Audience(NAMED),
        frozenset({SMS}),
        switched_off=switched_off_channels(action),
        is_critical=event_type is not None and event_type.is_critical and SMS in event_type.channels,
        user_controls=users_control(action),
    )
    now, wishes = utc_now(), None
    if isinstance(to, User) and to.has_preferences:
        wishes = read_wishes([to.id], event_type.name if event_type else action).get(to.id)
    if wishes is None:
        return now if plan.tells(SMS) else None
    answer = wishes.answer(SMS, plan, now)
    return None if answer.outcome == NOTHING else answer.at or now


def _type_of(action: str) -> EventType | None:
    """The type that an action belongs to, or that it is the name of."""
    with suppress(EventTypeError):  # an action of somebody's own has none
        return type_of_action(action) or find_type(action)
    return None


def _as_html(message: str) -> str:
    lines = [escape(line) for line in message.strip().splitlines()]
    return f"<p>{'<br>'.join(lines)}</p>" if lines else ""


def _checked(channels: Iterable[str]) -> frozenset[str]:
    asked = frozenset(channels)
    if not asked <= set(CHANNELS):
        raise HappeningError("channels", f"This must be a list of some of: {', '.join(CHANNELS)}.")
    return asked
