"""What all pages have in common: the frame, and headers that keep a token in the address from others."""

from __future__ import annotations

from flask import Response, make_response, render_template

from app.api.helpers.settings import get_settings


def page(template: str, status: int = 200, **values: str | int | bool) -> Response:
    """A page from a template, with the values that it shows."""
    response = make_response(render_template(template, app_name=get_settings().app_name, **values), status)
    # The address has a token in it: no other site is told of it, and no cache keeps the page.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
