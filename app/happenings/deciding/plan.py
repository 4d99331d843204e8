"""What is decided of a happening for everybody at once, and kept with it, so that it can be explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.api.helpers.settings import switched_off_channels, users_control
from app.happenings.audience import Audience
from app.happenings.deciding.decision import ADMIN, DEFAULT
from app.happenings.types import EventType
from app.models.base import JsonObject


@dataclass(frozen=True)
class Plan:
    """The same for all who are told.

    Attributes:
        audience: who is told.
        channels: those that tell by themselves.
        switched_off: those that the admins have switched off for this action.
        is_critical: told whatever anybody has switched off.
        user_controls: whether users may decide.
        batch_id: the batch that the mails belong to.
        always: those that tell of it whatever anybody has switched off, though it is not critical.
        reply_to: the addresses that answers to a mail go to.
    """

    audience: Audience
    channels: frozenset[str]
    switched_off: frozenset[str] = frozenset()
    is_critical: bool = False
    user_controls: bool = True
    batch_id: int | None = None
    always: frozenset[str] = frozenset()
    reply_to: tuple[str, ...] = ()

    def tells(self, channel: str) -> bool:
        """Whether the channel tells those who have said nothing."""
        return channel in self.channels and (self.overrules(channel) or channel not in self.switched_off)

    def why_silent(self, channel: str) -> str:
        """The reason of a channel that does not tell those who have said nothing."""
        return ADMIN if channel in self.channels else DEFAULT

    def overrules(self, channel: str) -> bool:
        """Whether the channel tells of it whatever anybody has switched off."""
        return self.is_critical or channel in self.always

    def to_json(self) -> JsonObject:
        """As it is kept in the happening."""
        return {
            "audience": self.audience.to_json(),
            "channels": sorted(self.channels),
            "switched_off": sorted(self.switched_off),
            "is_critical": self.is_critical,
            "user_controls": self.user_controls,
            "batch_id": self.batch_id,
            "always": sorted(self.always),
            "reply_to": list(self.reply_to),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        """The reverse."""
        return cls(
            Audience.from_json(value["audience"]),
            frozenset(value["channels"]),
            frozenset(value["switched_off"]),
            value["is_critical"],
            value["user_controls"],
            value["batch_id"],
            frozenset(value["always"]),
            tuple(value.get("reply_to", ())),
        )


def plan_for(event_type: EventType, audience: Audience, action: str) -> Plan:
    """The plan of a happening of this type, as the admins' message settings are now.

    A type that Open Event's actions belong to has their switches too.
    """
    actions = (action, *event_type.actions)
    return Plan(
        audience=audience,
        channels=event_type.channels,
        switched_off=frozenset[str]().union(*map(switched_off_channels, actions)),
        is_critical=event_type.is_critical,
        user_controls=all(map(users_control, actions)),
    )
