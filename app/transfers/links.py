"""The link of an export's mail: it opens in a browser without a login, for as long as the file is kept.

The token names one export and is signed; whoever has the link can read the file, which has addresses in it. Admins can
see the link in the logs of mails and notifications: they may read the file anyway.
"""

from __future__ import annotations

from typing import Final

from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.api.helpers.settings import make_frontend_url
from app.models.transfer import KEPT

_PURPOSE: Final = "usher.download-export"


def download_link(transfer_id: int) -> str:
    """The address that the mail has."""
    return make_frontend_url(f"/event-exports/{transfer_id}/download", token=_serializer().dumps(transfer_id))


def opens(token: str, transfer_id: int) -> bool:
    """Whether the token was made for this export, and not too long ago."""
    try:
        named = _serializer().loads(token, max_age=int(KEPT.total_seconds()))
    except (BadSignature, ValueError):
        return False
    return bool(named == transfer_id)


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt=_PURPOSE)
