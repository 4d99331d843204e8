"""The people and sessions of the small play, as its later steps need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.demo.people import Person
from app.demo.play import Play
from app.demo.verdict import Proposal

# Markup, quotes, braces and an emoji: all of it must arrive as text, everywhere.
HOSTILE_TITLE: Final = "<script>alert('told')</script> {link} 🎤"


@dataclass(frozen=True)
class Cast:
    """Who is there after the sessions were proposed.

    Attributes:
        event: its id.
        speakers: two, each with an account.
        proposals: what they proposed, in that order.
    """

    play: Play
    organizer: Person
    event: str
    speakers: Sequence[Person]
    proposals: Sequence[Proposal]
