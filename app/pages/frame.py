"""What all pages have in common: the frame, the reader's language, and headers that keep a token from others."""

from __future__ import annotations

from flask import Flask, Response, make_response, render_template, request
from flask_babel import Babel

from app.api.helpers.settings import get_settings
from app.api.jsonapi.errors import ApiError
from app.language import DEFAULT, TRANSLATIONS, Value, beside_text, best_language, direction, translate


def init_app(app: Flask) -> None:
    """Let pages speak the language that the browser asks for."""
    Babel().init_app(
        app,
        default_locale=DEFAULT,
        default_translation_directories=str(TRANSLATIONS),
        locale_selector=page_language,
    )


def page_language() -> str:
    """The language of the page: what the browser asks for (RFC 9110, 12.5.4), as far as we write in it."""
    return best_language(*(language for language, quality in request.accept_languages if quality > 0))


def told(error: ApiError) -> str:
    """What an error says, in the language of the page."""
    return translate(error.detail, page_language())


def beside(value: Value) -> str:
    """A value to stand among the text of the page."""
    return beside_text(value, page_language())


def page(template: str, status: int = 200, **values: str | int | bool) -> Response:
    """A page from a template, with the values that it shows."""
    language = page_language()
    frame = {"lang": language, "dir": direction(language), "app_name": get_settings().app_name}
    response = make_response(render_template(template, **frame, **values), status)
    response.headers["Content-Language"] = language
    # The address has a token in it: no other site is told of it, and no cache keeps the page.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
