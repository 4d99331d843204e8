"""How often one may try a password or ask for a link: by address and by account, counted in Redis.

With Redis away each process counts in its own memory until it is back (`RATELIMIT_IN_MEMORY_FALLBACK_ENABLED`): a
login is never refused for want of Redis, and never unlimited.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, Response
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from app.api.jsonapi.document import read_json
from app.api.jsonapi.errors import ApiError
from app.api.viewer import current_viewer

# Only failed logins count, so that a whole office behind one address can work.
LOGIN_PER_ADDRESS: Final = "60 per minute; 600 per hour"
LOGIN_PER_ACCOUNT: Final = "10 per minute; 60 per hour"
LINKS_PER_ADDRESS: Final = "30 per minute; 200 per hour"
LINKS_PER_ACCOUNT: Final = "5 per hour"
# Each holds a thread of the web server until the mail server has answered.
TEST_MAILS_PER_ACCOUNT: Final = "10 per minute; 60 per hour"
# Asking for the mails of an order once more.
RESENDS_PER_ACCOUNT: Final = "5 per minute"
# Each may be told to very many; what a busy program announces in a minute.
HAPPENINGS_PER_SERVICE: Final = "600 per minute; 10000 per hour"
# Each is a mail to whomever the caller names.
INVITES_PER_ACCOUNT: Final = "100 per hour"
# Drafts of broadcasts; how many of an event may be sent is another limit.
BROADCASTS_PER_ACCOUNT: Final = "100 per hour"
# A browser that lost its connection asks for one before it comes back; ten tabs do so at once.
TICKETS_PER_ACCOUNT: Final = "60 per minute"

limiter: Final = Limiter(key_func=get_remote_address, default_limits=[])


def init_app(app: Flask) -> None:
    """Take the limits into use."""
    limiter.init_app(app)


def account_key() -> str:
    """The account that a request is about, as its body names it; the address of the client where it names none."""
    try:
        body = read_json()
    except ApiError:
        return get_remote_address()  # the view will refuse this body
    data = body.get("data") if isinstance(body.get("data"), dict) else body
    name = (data.get("email") or data.get("username")) if isinstance(data, dict) else None
    return f"account:{name.strip().casefold()[:254]}" if isinstance(name, str) else get_remote_address()


def caller_key() -> str:
    """The account that is logged in, or the service account."""
    viewer = current_viewer()
    return f"service:{viewer.service.id}" if viewer.service else f"user:{viewer.id}"


def failed(response: Response) -> bool:
    """Whether an answer says that the password was wrong."""
    return response.status_code == 401  # noqa: PLR2004 - Unauthorized


def refused(response: Response) -> bool:
    """Whether an answer says that the old password was wrong: somebody may have found an unlocked screen."""
    return response.status_code == 400  # noqa: PLR2004 - Bad request


def created(response: Response) -> bool:
    """Whether something was made: what was refused does not count."""
    return response.status_code == 201  # noqa: PLR2004 - Created
