"""What a line of the grouped inbox says: "Ana and 12 others proposed sessions", in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.api.helpers.templates import one_line
from app.happenings.declared import EVENT_PUBLISHED, MEMBER_CONTACTED, SESSION_PROPOSED
from app.language import beside_text, msg, msgs, translate, translate_number


@dataclass(frozen=True)
class GroupWords:
    """How happenings of one type are told together.

    Attributes:
        one: of one person's.
        others: of several persons', where one other person is with the one who is named, and where more are.
    """

    one: str
    others: tuple[str, str]


GROUP_WORDS: Final = {
    SESSION_PROPOSED: GroupWords(
        msg("{name} proposed sessions"),
        msgs("{name} and {others} other proposed sessions", "{name} and {others} others proposed sessions"),
    ),
    EVENT_PUBLISHED: GroupWords(
        msg("{name} published events"),
        msgs("{name} and {others} other published events", "{name} and {others} others published events"),
    ),
    MEMBER_CONTACTED: GroupWords(
        msg("{name} wrote to you"),
        msgs("{name} and {others} other wrote to you", "{name} and {others} others wrote to you"),
    ),
    "orders.order.sold": GroupWords(
        msg("{name} bought tickets"),
        msgs("{name} and {others} other bought tickets", "{name} and {others} others bought tickets"),
    ),
}
# Of a type without words of its own, or of happenings that nobody has done: the newest, and how many more there are.
_MORE: Final = "{title} (+{more})"


@dataclass(frozen=True)
class Told:
    """What the title of a group is made of.

    Attributes:
        title: the newest notification's.
        event_type: the newest happening's.
        count: how many notifications there are.
        name: whom the newest of them names who did it; None where nobody is known by a name.
        others: how many others did the rest.
    """

    title: str
    event_type: str | None
    count: int
    name: str | None = None
    others: int = 0


def group_title(told: Told, language: str) -> str:
    """The line as plain text: no name can turn it or add another line. A group of one has its notification's title."""
    if told.count == 1:
        return told.title
    words = GROUP_WORDS.get(told.event_type or "")
    if words is None or not told.name:
        return _MORE.format(title=beside_text(told.title, language), more=told.count - 1)
    name = beside_text(one_line(told.name), language)
    if not told.others:
        return translate(words.one, language).format(name=name)
    return translate_number(words.others, told.others, language).format(name=name, others=told.others)
