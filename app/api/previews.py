"""What an action would send: its mail and its notification, rendered with sample values, for admins to look at."""

from __future__ import annotations

from typing import Any

from babel import Locale
from flask import Response
from marshmallow import ValidationError

from app.api.helpers.placeholders import PLACEHOLDERS
from app.api.helpers.settings import get_config, get_settings
from app.api.helpers.system_mails import MAIL_TEMPLATES
from app.api.helpers.system_notifications import NOTIF_TEMPLATES
from app.api.helpers.templates import Compiled, Rendered, render
from app.api.jsonapi.errors import BadRequest, NotFound
from app.api.jsonapi.fields import Language
from app.api.jsonapi.links import self_link
from app.api.jsonapi.query import only_parameters
from app.api.jsonapi.response import document_response
from app.delivery.render import Content, frame
from app.delivery.services.registry import sender_of
from app.language import DEFAULT, LANGUAGES, Value, best_language, direction
from app.models import MessageSettings, db


def message_setting_preview(id: int) -> Response:  # noqa: A002 - the name in the address
    """The texts of an action in the language that the query names, by default in English."""
    language = _read_language()
    setting = db.session.get(MessageSettings, id)
    if setting is None:
        raise NotFound(f"There is no message-setting with the id {id}.")
    if setting.action not in MAIL_TEMPLATES and setting.action not in NOTIF_TEMPLATES:
        raise NotFound(f"{setting.action} has no texts of its own: each happening brings its own.")
    attributes = {
        "language": best_language(language),
        "direction": direction(language),
        **_mail(setting.action, language),
        **_notification(setting.action, language),
    }
    item = {"type": "message-setting-preview", "id": str(id), "attributes": attributes}
    return document_response({"data": item, "links": {"self": self_link()}})


def _read_language() -> str:
    given = only_parameters("language").get("language", DEFAULT)
    try:
        language: str = Language().deserialize(given)
    except ValidationError as error:
        raise BadRequest(str(error.messages[0]), parameter="language") from error
    if Locale.parse(language.replace("-", "_")).language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise BadRequest(f"The texts are not written in this language, but in {known}.", parameter="language")
    return language


def _mail(action: str, language: str) -> dict[str, Any]:
    """The mail in its frame, as it would be sent; the link that only its recipient may read is a sample here."""
    if action not in MAIL_TEMPLATES:
        return dict.fromkeys(("email-subject", "email-message", "email-text"))
    rendered = _render(MAIL_TEMPLATES[action][best_language(language)], language)
    content = Content(rendered.line, rendered.html, rendered.text, best_language(language))
    framed = frame(content, sender_of(get_settings(), get_config()), rendered.secret)
    return {"email-subject": framed.subject, "email-message": framed.html, "email-text": framed.text}


def _notification(action: str, language: str) -> dict[str, Any]:
    if action not in NOTIF_TEMPLATES:
        return dict.fromkeys(("notification-title", "notification-message"))
    rendered = _render(NOTIF_TEMPLATES[action][best_language(language)], language)
    return {"notification-title": rendered.line, "notification-message": rendered.html}


def _render(compiled: Compiled, language: str) -> Rendered:
    samples: dict[str, Value] = {**PLACEHOLDERS, "app_name": get_settings().app_name}
    return render(compiled, {name: samples[name] for name in compiled.placeholders}, language)
