"""What users have said of a type of happenings, read for many at once; nearly nobody has said anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, text

from app.happenings.deciding.decision import Answer, Question, Wish, decide
from app.happenings.deciding.hours import Hours, hours_of
from app.happenings.deciding.plan import Plan
from app.happenings.telling.arrays import id_array
from app.happenings.types import EVERYTHING, patterns_of
from app.models import db
from app.models.event_type import CHANNELS, CHAT, IN_APP, MAIL, SMS

_READ: Final = text(
    """
    SELECT users.id, users.timezone, users.is_verified, users.phone, users.chat_address,
        hours.quiet_from, hours.quiet_until, hours.digest_hour, hours.digest_weekday,
        preferences.pattern, preferences.channel, preferences.mode, preferences.minutes
    FROM users
    LEFT JOIN delivery_hours AS hours ON hours.user_id = users.id
    LEFT JOIN preferences ON preferences.user_id = users.id AND preferences.pattern = ANY(:patterns)
    WHERE users.id = ANY(CAST(:ids AS bigint[])) AND users.has_preferences
    """
)


@dataclass
class Wishes:
    """What one user has said of one type, and how he can be reached."""

    hours: Hours
    reachable: frozenset[str]
    of_type: dict[str, Wish] = field(default_factory=dict)
    of_channel: dict[str, Wish] = field(default_factory=dict)

    def answers(self, plan: Plan, now: datetime) -> dict[str, Answer]:
        """The decision for every channel."""
        return {channel: self.answer(channel, plan, now) for channel in CHANNELS}

    def answer(self, channel: str, plan: Plan, now: datetime, *, can_wait: bool = True) -> Answer:
        """The decision for one; see `Question` for `can_wait`."""
        return decide(self._question(channel, plan, now, can_wait=can_wait))

    def _question(self, channel: str, plan: Plan, now: datetime, *, can_wait: bool) -> Question:
        return Question(
            channel=channel,
            is_default=channel in plan.channels,
            now=now,
            is_critical=plan.overrules(channel),
            admin_allows=channel not in plan.switched_off,
            user_controls=plan.user_controls,
            of_type=self.of_type.get(channel),
            of_channel=self.of_channel.get(channel),
            is_reachable=channel in self.reachable,
            can_wait=can_wait,
            quiet_until=self.hours.end_of_quiet(now),
            digest_at=lambda mode: self.hours.next_digest(mode, now),
        )


def read_wishes(ids: Iterable[int], type_name: str) -> dict[int, Wishes]:
    """Those of these users who have said anything at all, by id."""
    patterns = patterns_of(type_name)
    rank = {pattern: place for place, pattern in enumerate(patterns)}
    found: dict[int, Wishes] = {}
    rows = db.session.execute(_READ, {"ids": id_array(ids), "patterns": patterns}).mappings().all()
    # The closest pattern comes first, and stays.
    for row in sorted(rows, key=lambda row: rank.get(row["pattern"], 0)):
        wishes = found.setdefault(row["id"], _without_wishes(row))
        if row["pattern"] is not None:
            wish = Wish(row["mode"], row["minutes"], row["pattern"])
            of = wishes.of_channel if row["pattern"] == EVERYTHING else wishes.of_type
            of.setdefault(row["channel"], wish)
    return found


def _without_wishes(row: RowMapping) -> Wishes:
    reach = {IN_APP: True, MAIL: row["is_verified"], SMS: bool(row["phone"]), CHAT: bool(row["chat_address"])}
    return Wishes(hours_of(row), frozenset(channel for channel, can in reach.items() if can))
