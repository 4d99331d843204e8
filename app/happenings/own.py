"""What changes on the platform itself, told to whoever follows it: each in the words of the action, in his language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from app.api.helpers.log import record_activity
from app.api.helpers.notification import About
from app.api.helpers.system_notifications import NOTIF_TEMPLATES
from app.api.helpers.templates import Compiled, NotifTemplate, compile_notification, render
from app.api.viewer import current_viewer
from app.happenings.audience import Audience, find, language_of, listeners
from app.happenings.fanout import INLINE, announce
from app.happenings.plan import plan_for
from app.happenings.types import type_of_action
from app.language import LANGUAGES, Value, msg
from app.models import Happening, User, db
from app.models.notification import SESSION_ACCEPT_REJECT

# Those who follow a session are told in other words than those who give it.
_DECIDED: Final[NotifTemplate] = {
    "recipient": "Whoever follows it",
    "trigger": "PATCH /v1/sessions/<id>, state",
    "title": msg("{session_name} was {acceptance}"),
    "message": msg(
        "<strong>{session_name}</strong> was <strong>{acceptance}</strong>.<br><a href='{link}'>Look at the session</a>"
    ),
}
_TEMPLATES: Final[dict[str, dict[str, Compiled]]] = {
    SESSION_ACCEPT_REJECT: {
        language: compile_notification(SESSION_ACCEPT_REJECT, _DECIDED, language) for language in LANGUAGES
    }
}


def tell_listeners(
    action: str, about: About, values: Mapping[str, Value], named: Callable[[], Iterable[User]]
) -> list[Happening]:
    """Tell whoever follows an action's type, everywhere or on what it is about, and may see that.

    It takes one statement where nobody does. Nothing is committed.

    Args:
        action: one of Open Event's, whose type may be followed.
        about: what it is about, and where to read more.
        values: those of the words.
        named: the people who are told by name, and not a second time; asked for only if somebody listens.

    Returns:
        A happening for each language that is read.

    Raises:
        LookupError: the action has no type: a mistake in the program.
    """
    event_type = type_of_action(action)
    if event_type is None:
        raise LookupError(f"the action {action} has no type")
    columns = {"event_type": event_type.name, "actor_id": current_viewer().id, **about.columns()}
    found = _listening(Happening(**columns), listeners())
    if not found:
        return []
    audience = replace(listeners(), besides=tuple(sorted({user.id for user in named()})))
    is_large = len(found) > INLINE
    told = []
    for language in LANGUAGES if is_large else _languages(found, audience.besides):
        words = render(_words(action)[language], values, language)
        happening = Happening(action=action, title=words.line, message=words.html, link=about.link, **columns)
        db.session.add(happening)
        db.session.flush()
        plan = plan_for(event_type, replace(audience, language=language), action)
        announce(happening, plan, is_large=is_large)
        record_activity("announce", happening=f"{event_type.name} ({happening.id})", title=words.line)
        told.append(happening)
    return told


def _listening(happening: Happening, audience: Audience) -> list[tuple[int, str]]:
    """Some of those who listen, with their languages: all, unless they are many."""
    people = find(audience, happening).order_by(None).add_columns(User.language).limit(INLINE + 1)
    return [(user_id, language) for user_id, language in db.session.execute(people)]


def _languages(found: Sequence[tuple[int, str]], besides: Iterable[int]) -> list[str]:
    left_out = set(besides)
    read = {language_of(language) for user_id, language in found if user_id not in left_out}
    return [language for language in LANGUAGES if language in read]


def _words(action: str) -> dict[str, Compiled]:
    return _TEMPLATES.get(action, NOTIF_TEMPLATES[action])
