"""Confirming an address, setting a new password, and a word about addresses that a front end serves.

Opening a link changes nothing (mail scanners open links too): a button on the page does, by a POST.
"""

from __future__ import annotations

from flask import Response, request
from flask_babel import gettext as _

from app.api.jsonapi.errors import ApiError
from app.auth.limits import LINKS_PER_ADDRESS, limiter
from app.auth.passwords import MAX_LENGTH, MIN_LENGTH
from app.auth.views import confirm, reset
from app.models import db
from app.pages.frame import page, told


def verify_page() -> Response:
    """The page behind the link of the confirmation mail."""
    return page("pages/verify.html", token=request.args.get("token", ""))


@limiter.limit(LINKS_PER_ADDRESS)
def verify_submit() -> Response:
    """The button on that page."""
    try:
        confirm(request.form.get("token", ""))
    except ApiError as error:
        db.session.rollback()
        return page("pages/message.html", 400, title=_("That did not work"), text=told(error))
    return page("pages/message.html", title=_("Thank you"), text=_("Your e-mail address is confirmed."))


def reset_page() -> Response:
    """The page behind the link of the mail about a new password."""
    return _reset_form(request.args.get("token", ""))


@limiter.limit(LINKS_PER_ADDRESS)
def reset_submit() -> Response:
    """The form on that page."""
    token = request.form.get("token", "")
    try:
        reset(token, request.form.get("password", ""))
    except ApiError as error:
        db.session.rollback()
        return _reset_form(token, told(error))
    return page("pages/message.html", title=_("Done"), text=_("Your password is changed. Log in with the new one."))


def front_end_page(**_names: str | int) -> Response:
    """Where a link to an event, a session or an invitation ends without a front end."""
    text = _("Here the front end shows it. None is set up: set frontend-url in the settings to where it is.")
    return page("pages/message.html", 200, title=_("This is the server"), text=text)


def message_page(title: str, text: str, status: int = 200) -> Response:
    """A page that only says something."""
    return page("pages/message.html", status, title=title, text=text)


def _reset_form(token: str, error: str = "") -> Response:
    lengths = {"min_length": MIN_LENGTH, "max_length": MAX_LENGTH}
    return page("pages/reset.html", 400 if error else 200, token=token, error=error, **lengths)
