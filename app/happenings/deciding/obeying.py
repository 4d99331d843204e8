"""What the functions that tell one person obey: what he has said, read once for all whom a transaction tells.

Whoever has said nothing costs no statement: `users.has_preferences` comes with the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from app.happenings.current import Content, happening_for, is_first, plan_of, told_happening
from app.happenings.deciding.decision import LATER, NOTHING, SEND, Answer
from app.happenings.deciding.wishes import Wishes, read_wishes
from app.happenings.types import EventType, type_of_action
from app.models import Decision, HeldMail, User, db
from app.models.base import utc_now
from app.models.event_type import CHANNELS, IN_APP, MAIL

_HEARD: Final = "usher.wishes"
# The columns of a mail that a held one keeps, for when it leaves.
_KEPT: Final = ("language", "message", "text", "reply_to", "lane", "batch_id")


@dataclass
class _Heard:
    """What is known in this transaction: who has said anything, and what he said of a type."""

    ids: set[int] = field(default_factory=set)
    wishes: dict[str, dict[int, Wishes | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fate:
    """What becomes of a mail to somebody.

    Attributes:
        answer: the decision; None if he has said nothing.
        user_id: whose account it is.
        happening_id: what it tells of.
    """

    answer: Answer | None = None
    user_id: int | None = None
    happening_id: int | None = None

    @property
    def leaves_at(self) -> datetime | None:
        """The end of his quiet hours, if it waits for that."""
        return self.answer.at if self.answer is not None and self.answer.outcome == LATER else None

    @property
    def is_mail(self) -> bool:
        """Whether it becomes a mail, at once or later."""
        return self.answer is None or self.answer.outcome in (SEND, LATER)

    @property
    def is_held(self) -> bool:
        """Whether it is kept for a digest, or until it is seen to be unread."""
        return not self.is_mail and self.answer is not None and self.answer.outcome != NOTHING


# Of a mail to an address without an account: one for all of many.
_NOBODYS: Final = Fate()


def note_person(user_id: int) -> None:
    """Note somebody who has said something, so that what he said is read together with what others did."""
    _heard().ids.add(user_id)


def forget_wishes() -> None:
    """Read all anew; called at the end of every transaction, and when somebody changes his mind."""
    db.session.info.pop(_HEARD, None)


def tells_in_app(user: User, action: str, happening_id: int) -> bool:
    """Whether the user wants to be told of it in the app; the decision is kept."""
    event_type = type_of_action(action)
    if event_type is None or not user.has_preferences:
        return True
    answer = _answer(IN_APP, user.id, event_type, action, utc_now())
    if answer is None:
        return True
    _keep(IN_APP, user.id, happening_id, answer)
    return answer.tells


def fate_of_mail(person: tuple[int | None, bool], action: str, values: Mapping[str, Any], *, can_wait: bool) -> Fate:
    """What becomes of a mail, as its recipient wishes; the decision is kept.

    Args:
        person: the id of the account, if there is one, and whether it has said anything.
        action: what kind of thing happened.
        values: the columns of the mail.
        can_wait: whether it can be held.
    """
    user_id, has_preferences = person
    if user_id is None:
        return _NOBODYS
    event_type = type_of_action(action)
    if event_type is None:
        return Fate(user_id=user_id)
    happening_id = told_happening(event_type, user_id)
    answer = None
    # Blind copies are other people's mail too.
    if has_preferences and not values.get("bcc"):
        answer = _answer(MAIL, user_id, event_type, action, values["next_attempt_at"], can_wait=can_wait)
    if answer is None:
        return Fate(None, user_id, happening_id)
    if happening_id is None and answer.outcome != SEND:
        # He was told nothing in the app: something must say why there is no mail either. Its words stay with the mail.
        happening_id = happening_for(user_id, Content(action, values["subject"], ""))
    if happening_id is not None:
        _keep(MAIL, user_id, happening_id, answer)
    return Fate(answer, user_id, happening_id)


def hold(fate: Fate, values: Mapping[str, Any]) -> None:
    """Keep a mail, with its columns, until its time has come."""
    answer, happening_id = fate.answer, fate.happening_id
    if answer is None or fate.user_id is None:
        return
    if happening_id is not None and not is_first("held", happening_id, fate.user_id):
        happening_id = None  # one for each happening: a further one belongs to none
    held = HeldMail(
        user_id=fate.user_id,
        happening_id=happening_id,
        mode=answer.mode,
        due_at=answer.at,
        action=values["action"],
        subject=values["subject"],
        words={name: values.get(name) for name in _KEPT},
    )
    db.session.add(held)


def _answer(
    channel: str, user_id: int, event_type: EventType, action: str, now: datetime, *, can_wait: bool = True
) -> Answer | None:
    wishes = _wishes(user_id, event_type.name)
    return None if wishes is None else wishes.answer(channel, plan_of(event_type, action), now, can_wait=can_wait)


def _wishes(user_id: int, type_name: str) -> Wishes | None:
    """What the user said of the type; asked first for one of the people of a transaction, it is read for all."""
    heard = _heard()
    known = heard.wishes.setdefault(type_name, {})
    if user_id not in known:
        heard.ids.add(user_id)
        heard.ids.update(_loaded())
        # The caller has the address: whether it was confirmed is not for us to ask.
        everywhere = frozenset(CHANNELS)
        asked = sorted(heard.ids - known.keys())
        found = read_wishes(asked, type_name)
        for id_ in asked:
            known[id_] = replace(found[id_], reachable=everywhere) if id_ in found else None
    return known[user_id]


def _loaded() -> list[int]:
    """The users at hand who have said something: whoever tells one of them is likely to tell the others."""
    # What is in the object already, and nothing that a statement would have to be asked for.
    at_hand = (each.__dict__ for each in db.session.identity_map.values() if isinstance(each, User))
    return [values["id"] for values in at_hand if values.get("has_preferences") and "id" in values]


def _keep(channel: str, user_id: int, happening_id: int, answer: Answer) -> None:
    if is_first(f"decision.{channel}", happening_id, user_id):
        db.session.add(
            Decision(
                happening_id=happening_id,
                user_id=user_id,
                channel=channel,
                outcome=answer.outcome,
                reason=answer.reason,
                pattern=answer.pattern,
                due_at=answer.at,
            )
        )


def _heard() -> _Heard:
    heard: _Heard = db.session.info.setdefault(_HEARD, _Heard())
    return heard
