"""How a line of the log is written: as JSON for machines, or for people; never with an address or a secret."""

from __future__ import annotations

import json
import logging
import math
import re
from datetime import UTC, datetime
from typing import Any, Final

# What a record may say besides its message, given by `extra=`. Anything else stays out, since nobody has looked whether
# it belongs into a log.
FIELDS: Final = (
    *("mail_id", "action", "attempt", "status", "error_class", "service", "lane", "code", "delay", "seconds"),
    *("claim", "batch_id", "mails", "task", "task_id", "request_id"),
)
_HIDDEN: Final = "***"
# Characters that end a line for some reader of the log, and that JSON lets stand (U+0085, U+2028, U+2029).
_LINE_ENDS: Final = {character: f"\\u{character:04x}" for character in (0x85, 0x2028, 0x2029)}
# An address: servers like to repeat it when they refuse a mail. The lengths have an end, so that a long word without
# an @ is not searched through again and again.
_ADDRESS: Final = re.compile(r"[\w.!#$%&'+=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,10}[\w-]{2,63}")
_ADDRESS_SHOWN: Final = "<address>"
# Secrets by their shape. They do not belong into a message; a library's own error may have brought one in.
_SECRETS: Final = (
    # the password of an address: postgresql://user:password@host
    (re.compile(r"(\b\w{1,20}://[^\s:/@]*:)[^\s@]+(?=@)"), rf"\1{_HIDDEN}"),
    # the header of a request, as repr and HTTP write it
    (re.compile(r"\b(Bearer|JWT|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {_HIDDEN}"),
    # SendGrid's keys, and tokens in three parts (RFC 7519)
    (re.compile(r"\bSG\.[\w-]{6,}\.[\w-]{6,}"), _HIDDEN),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), _HIDDEN),
    # name=value, name: value, 'name': 'value'
    (
        re.compile(
            r"((?:pass(?:word|wd)|secret(?:_key)?|settings_key|token|api_?key|sendgrid[-_]key)['\"]?\s*[=:]\s*['\"]?)"
            r"(?!\*\*\*)[^\s'\"&,;)}]+",
            re.IGNORECASE,
        ),
        rf"\1{_HIDDEN}",
    ),
)


def mail_fields(mail_id: int, action: str | None = None, attempt: int | None = None, **others: Any) -> dict[str, Any]:
    """What to give a logger as `extra=`, so that its line names the mail.

    Args:
        mail_id: the id of the mail's row.
        action: the action's name.
        attempt: which try it is, 1 being the first.
        others: more of `FIELDS`.
    """
    fields = {"mail_id": mail_id, "action": action, "attempt": attempt, **others}
    return {name: value for name, value in fields.items() if value is not None}


def hide_secrets(text: str) -> str:
    """A text with asterisks in place of what looks like a password, a key or a token."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def hide(text: str) -> str:
    """A text without secrets and addresses."""
    return _ADDRESS.sub(_ADDRESS_SHOWN, hide_secrets(text))


class PlainLines(logging.Formatter):
    """A line for people, with the traceback below it if there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return hide(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC, RFC 3339), level, logger, message; `FIELDS` and the exception if there are."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; readable as UTF-8 whatever stands in it."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": hide(record.getMessage()),
        }
        for name in FIELDS:
            value = record.__dict__.get(name)
            if value is not None:
                entry[name] = _plain(value)
        if record.exc_info:
            entry["exception"] = hide(self.formatException(record.exc_info))
        line = json.dumps(entry, ensure_ascii=False).translate(_LINE_ENDS)
        # Half of a surrogate pair cannot be written as UTF-8; its escape can, and means the same in JSON.
        return line.encode("utf-8", "backslashreplace").decode()


def _plain(value: Any) -> Any:
    """A value as JSON has it; what JSON has no word for, as text."""
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return hide(str(value))
