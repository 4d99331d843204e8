"""The page behind the link of an invitation: yes or no, and what an account needs that is not there yet.

Which of its two addresses a mail has tells what the account was when the mail was written; what the page asks for
follows from what it is now.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, request
from flask_babel import gettext as _

from app.api.helpers.templates import one_line
from app.api.jsonapi.errors import ApiError
from app.auth.accounts import find_user
from app.auth.joining import Person, join, open_invitation, refuse
from app.auth.limits import LINKS_PER_ADDRESS, limiter
from app.auth.passwords import MAX_LENGTH, MIN_LENGTH
from app.bidi import harmless
from app.language import Word
from app.models import RoleInvite, db
from app.pages.frame import beside, page, page_language, told

_MAX_NAME = 255


def invitation_page() -> Response:
    """The invitation, with the questions that it asks."""
    return _ask(request.args.get("token", ""))


@limiter.limit(LINKS_PER_ADDRESS)
def invitation_submit() -> Response:
    """The answer."""
    token = request.form.get("token", "")
    try:
        if request.form.get("answer") == "declined":
            invite = refuse(token)
            text = _("You declined to be %(role)s of %(event)s.", **_named(invite))
            return page("pages/message.html", title=_("Invitation declined"), text=text)
        invite = join(token, _person(request.form))
    except ApiError as error:
        db.session.rollback()
        return _ask(token, told(error))
    text = _("You are now %(role)s of %(event)s. Log in as %(email)s.", email=beside(invite.email), **_named(invite))
    return page("pages/message.html", title=_("Welcome"), text=text)


def _ask(token: str, wrong: str = "") -> Response:
    try:
        invite = open_invitation(token)
    except ApiError as error:
        return page("pages/message.html", 400, title=_("That did not work"), text=told(error))
    user = find_user(invite.email)
    return page(
        "pages/invitation.html",
        400 if wrong else 200,
        action=request.path,
        token=token,
        error=wrong,
        email=invite.email,
        event=harmless(invite.event.name),
        role=_role(invite),
        needs_account=user is None,
        needs_password=user is None or not user.is_verified,
        min_length=MIN_LENGTH,
        max_length=MAX_LENGTH,
    )


def _role(invite: RoleInvite) -> str:
    return Word(invite.role_name).spoken(page_language())


def _named(invite: RoleInvite) -> dict[str, str]:
    return {"role": _role(invite), "event": beside(invite.event.name)}


def _person(form: Mapping[str, str]) -> Person:
    """What the form says; the language is the browser's, as far as we write in it."""
    return Person(
        password=form.get("password", ""),
        first_name=_name(form.get("first-name", "")),
        last_name=_name(form.get("last-name", "")),
        language=page_language(),
    )


def _name(value: str) -> str | None:
    return one_line(value)[:_MAX_NAME] or None
