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
from app.happenings.deciding.plan import plan_for
from app.happenings.telling.fanout import announce, some_listening
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
    some = some_listening(Happening(**columns))
    if some == []:
        return []
    audience = replace(listeners(), besides=tuple(sorted({user.id for user in named()})))
    told = []
    for language in _languages(some, audience, Happening(**columns)):
        words = render(_words(action)[language], values, language)
        happening = Happening(action=action, title=words.line, message=words.html, link=about.link, **columns)
        db.session.add(happening)
        db.session.flush()
        plan = plan_for(event_type, replace(audience, language=language), action)
        announce(happening, plan)
        record_activity("announce", happening=f"{event_type.name} ({happening.id})", title=words.line)
        told.append(happening)
    return told


def _languages(some: Sequence[int] | None, audience: Audience, happening: Happening) -> list[str]:
    """The languages that are read by those of these users who are to be told; all, where there are many (None)."""
    if some is None:
        return list(LANGUAGES)
    people = find(audience, happening).where(User.id.in_(some))
    read = set(db.session.scalars(people.order_by(None).with_only_columns(User.language).distinct()))
    return [language for language in LANGUAGES if language in map(language_of, read)]


def _words(action: str) -> dict[str, Compiled]:
    return _TEMPLATES.get(action, NOTIF_TEMPLATES[action])
