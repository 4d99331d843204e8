"""What is said of a mail after it has left, in the same words whoever says it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from app.delivery.transports.base import clean_response

# What may move a mail along its states.
#
# - sent: the provider confirms that it has the mail (which settles an `uncertain` one), or it passed the mail on to a
#   server that tells nothing more (`relayed`, RFC 3464, 2.3.3).
# - deferred: the provider was put off and goes on trying by itself. It is news for the timeline; to try again
#   ourselves would double the mail.
# - delivered: the recipient's server has it.
# - bounced: it will not arrive. Whether the address is to blame is `is_permanent`.
# - rejected: the provider took it, and then did not try (its own list of suppressed addresses, a virus, spam).
# - complained: the recipient called it spam.
#
# Only recorded: unsubscribed and resubscribed, which are about the mails to come, and explain a later `rejected`.
#
# Kept out: open and click. They say what a person reads and when, or only that a proxy fetched a picture or a scanner
# tried the links; no state of a mail follows from them, and our mails are not made to be tracked.
EventKind = Literal[
    "sent", "deferred", "delivered", "bounced", "rejected", "complained", "unsubscribed", "resubscribed"
]
KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)
RECORDED_ONLY: Final[frozenset[EventKind]] = frozenset({"unsubscribed", "resubscribed"})

MAX_ADDRESS: Final = 254
_MAX_ID: Final = 255
_MAX_RAW_TEXT: Final = 2_000
_MAX_RAW_ITEMS: Final = 60
_MAX_RAW_DEPTH: Final = 4
_MAX_RAW_NUMBER: Final = 2**53

# What PostgreSQL's text and JSONB cannot hold.
_NO_CHARACTER: Final = re.compile("[\x00\ud800-\udfff]")
_ADDRESS: Final = re.compile(r"[^\s@<>,;\x00-\x20\x7f\ud800-\udfff]+@[^\s@<>,;\x00-\x20\x7f\ud800-\udfff]+")
_MESSAGE_ID: Final = re.compile(r"<?([^\s<>\x00-\x20\x7f\ud800-\udfff]+@[^\s<>\x00-\x20\x7f\ud800-\udfff]+)>?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailEvent:
    """One thing that became known of a mail to one recipient.

    A report that came by mail may be forged by anybody. It is to be believed only of the mail whose `message_id` it
    names (which cannot be guessed), and only if `recipient` is that mail's recipient. The same comparison keeps the
    bounce of a blind copy, which a provider reports with the mail's own `mail_id`, from marking the mail as bounced.

    Attributes:
        kind: see above.
        at: when it happened, in UTC, as the provider says; if it does not, when we were told.
        recipient: the address it is about; None if the report hides it, as some complaints do.
        provider: who says so: `sendgrid`, `dsn` (RFC 3464), `arf` (RFC 5965), `bounce` (a mail in no such form).
        provider_event_id: the same whenever the same event is told again.
        provider_message_id: what the provider calls the mail (`Receipt.provider_message_id`).
        mail_id: the mail's row, if the provider brings it back, and is known to be the provider.
        message_id: the mail's Message-ID, without angle brackets.
        code: the SMTP reply code (RFC 5321, 4.2).
        enhanced: the enhanced status code (RFC 3463).
        text: the reason in the server's words, on one line.
        is_permanent: whether the fault lies with the address and will not pass: it belongs on the suppression list.
        raw: what was told, as can be kept as JSON; bounded.
    """

    kind: EventKind
    at: datetime
    recipient: str | None
    provider: str
    provider_event_id: str
    provider_message_id: str | None = None
    mail_id: int | None = None
    message_id: str | None = None
    code: int | None = None
    enhanced: str | None = None
    text: str = ""
    is_permanent: bool = False
    raw: dict[str, Any] = field(default_factory=dict, repr=False)


def storable(value: Any, depth: int = 0) -> Any:
    """The value as JSONB can hold it: no NUL, no lone surrogate, no NaN; long texts and lists are cut."""
    if isinstance(value, dict | list | tuple) and depth >= _MAX_RAW_DEPTH:
        return "…"
    if isinstance(value, dict):
        items = list(value.items())[:_MAX_RAW_ITEMS]
        return {_storable_text(str(key)[:_MAX_ID]): storable(item, depth + 1) for key, item in items}
    if isinstance(value, list | tuple):
        return [storable(item, depth + 1) for item in value[:_MAX_RAW_ITEMS]]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _storable_number(value)
    return _storable_text(str(value))


def one_line(text: str) -> str:
    """A server's words on one line, as they can be stored and shown."""
    return clean_response(_NO_CHARACTER.sub("\ufffd", text[:_MAX_RAW_TEXT]))


def _storable_text(text: str) -> str:
    return _NO_CHARACTER.sub("\ufffd", text[:_MAX_RAW_TEXT])


def _storable_number(value: float) -> float | str:
    if isinstance(value, int):
        return value if abs(value) <= _MAX_RAW_NUMBER else hex(value)[:80]
    return value if math.isfinite(value) else str(value)


def address_in(text: str) -> str | None:
    """The one address that the text is, with or without angle brackets; None if it is none."""
    text = text.strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1].strip()
    return text if len(text) <= MAX_ADDRESS and _ADDRESS.fullmatch(text) else None


def message_id_in(text: str) -> str | None:
    """The first Message-ID in the text, without its angle brackets; None if there is none that could be ours."""
    found = _MESSAGE_ID.search(text[:_MAX_RAW_TEXT])
    return found[1] if found and len(found[1]) <= _MAX_ID else None
