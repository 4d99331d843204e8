"""The admin's settings, and what they decide for a message: whether it is sent, and from whom."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from flask import current_app
from sqlalchemy import select

from app.api.helpers.system_mails import CRITICAL
from app.models import MessageSettings, Setting, db
from app.models.event_type import CHAT, IN_APP, MAIL, SMS
from app.models.setting import SETTING_ID
from config import Config

# Read once per transaction: one request may tell fifty people, and each telling asks both.
_SETTINGS: Final = "usher.settings"
_SWITCHES: Final = "usher.message_settings"
# The column of each channel.
STATUSES: Final = {IN_APP: "notification_status", MAIL: "mail_status", SMS: "sms_status", CHAT: "chat_status"}
_UNTOUCHED: Final[tuple[frozenset[str], bool]] = (frozenset(), True)


def get_settings() -> Setting:
    """The one row of settings; made with its defaults if a database has lost it."""
    setting: Setting | None = db.session.info.get(_SETTINGS)
    if setting is None or setting not in db.session:
        setting = db.session.get(Setting, SETTING_ID)
        if setting is None:
            setting = Setting(id=SETTING_ID)
            db.session.add(setting)
            db.session.flush()
        db.session.info[_SETTINGS] = setting
    return setting


def get_config() -> Config:
    """What the environment decided."""
    config: Config = current_app.config["USHER"]
    return config


def mail_is_on(action: str) -> bool:
    """Whether the admins let this action send mails; a critical one always does, and one without a row."""
    return action in CRITICAL or MAIL not in switched_off_channels(action)


def notification_is_on(action: str) -> bool:
    """Whether the admins let this action send notifications; an action without a row is on."""
    return IN_APP not in switched_off_channels(action)


def switched_off_channels(action: str) -> frozenset[str]:
    """The channels that the admins have switched off for this action; none where there is no row."""
    return _switches().get(action, _UNTOUCHED)[0]


def users_control(action: str) -> bool:
    """Whether the admins let users decide for themselves; an action without a row lets them."""
    return _switches().get(action, _UNTOUCHED)[1]


def make_frontend_url(path: str, **query: str) -> str:
    """An address that a person can open: the front end's, from the settings or else from the environment.

    Never taken from the request: its Host header is the client's word.
    """
    base = (get_settings().frontend_url or get_config().frontend_url).rstrip("/")
    return f"{base}{path}" + (f"?{urlencode(query)}" if query else "")


def forget_settings() -> None:
    """Read both kinds of settings anew at the next question; called at the end of every transaction."""
    db.session.info.pop(_SETTINGS, None)
    db.session.info.pop(_SWITCHES, None)


def _switches() -> dict[str, tuple[frozenset[str], bool]]:
    """All message settings: the channels that are off, and whether users decide."""
    info = db.session.info
    if _SWITCHES not in info:
        columns = [getattr(MessageSettings, name) for name in STATUSES.values()]
        rows = db.session.execute(select(MessageSettings.action, MessageSettings.user_control_status, *columns))
        info[_SWITCHES] = {
            action: (frozenset(name for name, is_on in zip(STATUSES, on, strict=True) if not is_on), control)
            for action, control, *on in rows
        }
    switches: dict[str, tuple[frozenset[str], bool]] = info[_SWITCHES]
    return switches
