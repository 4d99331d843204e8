"""Putting a mail into the outbox: what all functions that send have in common, whatever the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import inspect

from app.api.helpers.addresses import check_address
from app.api.helpers.attachments import checked
from app.api.helpers.log import record_activity
from app.api.helpers.mail_keys import digest_of, insert_once
from app.api.helpers.recipients import Recipient
from app.api.helpers.sending_errors import SendingError
from app.api.helpers.settings import get_settings, mail_is_on
from app.api.helpers.system_mails import IN_BULK, MAIL_TEMPLATES
from app.api.helpers.templates import Rendered, render
from app.happenings.deciding.obeying import Fate, fate_of_mail, hold
from app.language import DEFAULT, Value, best_language, speak
from app.models import Mail, db
from app.models.base import utc_now
from app.models.mail import BULK, GIVE_UP_AFTER, QUEUED, SCHEDULED, TRANSACTIONAL, MailAttachment, MailBatch

Addresses = str | Sequence[str] | None

# Blind copies of one mail: whoever has more people to reach sends each a mail of his own.
MAX_BCC: Final = 100
MAX_REPLY_TO: Final = 10
MAX_KEY: Final = 200
# How far ahead a mail can be sent.
MAX_AHEAD: Final = timedelta(days=2 * 365)


@dataclass(frozen=True)
class Sending:
    """How a mail is to go, besides to whom and in which words.

    Attributes:
        bcc: further recipients whom nobody sees, at most `MAX_BCC`.
        reply_to: where answers go, one address or several.
        attachments: files, each made by `attachment`.
        key: what the caller calls this message: one message for one key, however often it is asked for.
        send_at: when it is to leave, with a timezone; one that is past means now.
        lane: `TRANSACTIONAL` or `BULK`; by default the action's.
        batch: the batch that it belongs to.
    """

    bcc: Addresses = None
    reply_to: Addresses = None
    attachments: Sequence[MailAttachment] = ()
    key: str | None = None
    send_at: datetime | None = None
    lane: int | None = None
    batch: MailBatch | None = None


# At once: in the action's lane, as soon as the caller's transaction is committed.
AT_ONCE: Final = Sending()


def render_for(to: Recipient, action: str, values: Mapping[str, Value]) -> tuple[Rendered, list[str]]:
    """The words of `MAILS[action]` in the recipient's language, and what makes two such messages the same.

    The latter are the values as English says them, without the secret: a link with a token is a new one every time.

    Raises:
        TemplateError: a value is missing, or one has no place in the template.
    """
    template = MAIL_TEMPLATES[action][best_language(to.language)]
    if "email" in template.placeholders and "email" not in values:
        values = {**values, "email": to.address}
    said = [f"{name}={speak(values[name], DEFAULT)}" for name in sorted(values) if name != template.secret]
    return render(template, values, to.language), said


def queue(to: Recipient, action: str, rendered: Rendered, sending: Sending, said: Sequence[str]) -> Mail | None:
    """Add a mail to the caller's transaction.

    Args:
        to: whom it goes to; the address was checked.
        action: what kind of thing happened.
        rendered: the words.
        sending: how it is to go.
        said: what of the words makes two messages with one key the same.

    Returns:
        The row, not committed; with a key that is known, the row that is there; None if the action is switched off, or
        the recipient does not want such a mail, or not yet.

    Raises:
        SendingError: it cannot go like this: see the class and its subclasses.
        AddressError: an address cannot be one.
    """
    if not mail_is_on(action):
        return None
    files, values = checked(sending.attachments), common_values(action, sending)
    values |= words_of(to, action, rendered)
    can_wait = may_wait(rendered, files, sending.key)
    fate = fate_of_mail(to.person, action, values, can_wait=can_wait)
    if not fate.is_mail:
        put_by(fate, values)
        return None
    values |= columns_of(fate)
    if sending.key is None:
        mail = Mail(**values, attachments=files)
        db.session.add(mail)
    else:
        key = check_key(sending.key)
        digest = digest_of(to.address, action, said, values, files)
        mail, is_new = insert_once({**values, "key": key, "key_digest": digest}, files)
        if not is_new:
            return mail
    record_activity("mail_event", email=to.address, action=action, subject=mail.subject)
    return mail


def may_wait(rendered: Rendered, files: Sequence[MailAttachment], key: str | None) -> bool:
    """Whether a mail can be held: one with files, a secret link or a key goes at once, or not at all."""
    return not (files or rendered.secret or key)


def put_by(fate: Fate, values: Mapping[str, Any]) -> None:
    """Keep a mail that is to be held; one that is not wanted is not kept."""
    if fate.is_held:
        hold(fate, values)


def columns_of(fate: Fate) -> dict[str, Any]:
    """The columns of a mail that follow from its recipient's wishes."""
    columns: dict[str, Any] = {"happening_id": fate.happening_id, "user_id": fate.user_id}
    return columns if fate.leaves_at is None else columns | leaving(fate.leaves_at)


def words_of(to: Recipient, action: str, rendered: Rendered) -> dict[str, Any]:
    """The columns of one mail that are its own."""
    return {
        "recipient": to.address,
        "language": best_language(to.language),
        "subject": rendered.line or action,
        "message": rendered.html,
        "text": rendered.text or rendered.line or action,
        "secret": rendered.secret,
        "message_id": f"{uuid4().hex}@{sender_domain()}",
    }


def common_values(action: str, sending: Sending) -> dict[str, Any]:
    """The columns that all mails of one call share.

    Raises:
        SendingError: see `queue`.
        AddressError: see `queue`.
    """
    values: dict[str, Any] = {
        "action": action,
        "lane": _lane(action, sending.lane),
        "bcc": _several(sending.bcc, MAX_BCC, "blind copies: send each a mail of his own with send_emails"),
        "reply_to": _several(sending.reply_to, MAX_REPLY_TO, "addresses to answer to"),
    }
    if sending.batch is not None:
        values["batch_id"] = batch_id_of(sending.batch)
    return values | when(sending.send_at)


def when(send_at: datetime | None) -> dict[str, Any]:
    """The columns that say when a mail leaves, and when it is given up.

    Raises:
        SendingError: the time has no timezone, or is too far ahead.
    """
    now = utc_now()
    if send_at is not None and send_at.tzinfo is None:
        raise SendingError(f"send_at is {send_at.isoformat()}, without a timezone: say which clock is meant.")
    if send_at is not None and send_at - now > MAX_AHEAD:
        raise SendingError(f"send_at is {send_at.isoformat()}: at most {MAX_AHEAD.days} days ahead can be planned.")
    due = now if send_at is None else max(send_at, now)
    return {"status": QUEUED, "time": now, "next_attempt_at": now, "give_up_at": now + GIVE_UP_AFTER} | (
        leaving(due) if due > now else {}
    )


def leaving(due: datetime) -> dict[str, Any]:
    """The columns of a mail that leaves at a later moment."""
    return {"status": SCHEDULED, "next_attempt_at": due, "give_up_at": due + GIVE_UP_AFTER}


def check_key(key: str) -> str:
    """A key that can be stored.

    Raises:
        SendingError: it is empty, too long, or has other characters than printable ASCII.
    """
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise SendingError(f"A key has 1 to {MAX_KEY} printable ASCII characters.")
    return key


def sender_domain() -> str:
    """The domain that Message-IDs are made in."""
    return get_settings().email_from.rpartition("@")[2]


def batch_id_of(batch: MailBatch) -> int:
    """The id of a batch, which may just have been added."""
    if not inspect(batch).persistent:
        db.session.add(batch)
        db.session.flush()
    return batch.id


def _lane(action: str, wanted: int | None) -> int:
    if wanted is None:
        return BULK if action in IN_BULK else TRANSACTIONAL
    if wanted not in (TRANSACTIONAL, BULK):
        raise SendingError(f"There is no lane {wanted!r}: it is TRANSACTIONAL or BULK.")
    return wanted


def _several(value: Addresses, at_most: int, what: str) -> list[str]:
    """One address, several, or none, as a list without repetitions."""
    given = [value] if isinstance(value, str) else list(value or ())
    addresses = list(dict.fromkeys(check_address(address) for address in given))
    if len(addresses) > at_most:
        raise SendingError(f"A mail has at most {at_most} {what}.")
    return addresses
