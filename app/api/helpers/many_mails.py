"""A mail to each of many people: the same number of statements for every thousand, whatever the words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import func, select, text

from app.api.helpers.addresses import check_address, same_address
from app.api.helpers.attachments import checked
from app.api.helpers.log import record_activity
from app.api.helpers.mail_keys import check_same, digest_of
from app.api.helpers.queued import remember_queued
from app.api.helpers.queueing import (
    AT_ONCE,
    Sending,
    check_key,
    common_values,
    leaving,
    may_wait,
    put_by,
    render_for,
    words_of,
)
from app.api.helpers.recipients import Recipient, accounts_at, at_address, recipient
from app.api.helpers.sending_errors import AttachmentError, KeyReusedError, SendingError
from app.api.helpers.settings import mail_is_on
from app.api.helpers.templates import Rendered, html_to_text, one_line
from app.delivery.handover import DELIVER
from app.happenings.deciding.obeying import fate_of_mail
from app.language import Value
from app.models import Mail, User, db
from app.models.mail import BULK, QUEUED, MailAttachment
from app.models.types import cipher

Person = str | User | Recipient
Context = Mapping[str, Value]
# The words for one recipient, and what makes two messages with one key the same.
Say = Callable[[Recipient, Context], tuple[Rendered, Sequence[str]]]

# Mails in one statement.
CHUNK: Final = 1000
# Bytes of the files of one call, times its mails: the database has them once for each mail.
MAX_COPIES: Final = 500 * 1024 * 1024

_OWN: Final = ("recipient", "language", "subject", "message", "text", "secret", "message_id", "key", "key_digest")
_OWN_IDS: Final = ("user_id", "happening_id")
_OWN_ARRAYS: Final = ", ".join(
    f"CAST(:{name} AS {kind}[])" for kind, names in (("text", _OWN), ("bigint", _OWN_IDS)) for name in names
)
# Arrays, one for each column: several times as fast as rows of parameters.
_INSERT: Final = text(
    f"""
    INSERT INTO mails ({", ".join((*_OWN, *_OWN_IDS))}, action, lane, reply_to, batch_id, status, time, next_attempt_at,
        give_up_at)
    SELECT own.*, :action, :lane, CAST(:reply_to AS text[]), :batch_id, :status, :time, :next_attempt_at, :give_up_at
    FROM unnest({_OWN_ARRAYS}) AS own
    ON CONFLICT (key) WHERE key IS NOT NULL DO NOTHING
    RETURNING id, message_id
    """  # noqa: S608 - the names are those above
)
_ATTACH: Final = text(
    """
    INSERT INTO mail_attachments (mail_id, name, content_type, content, is_essential, problem)
    SELECT id, :name, :content_type, :content, :is_essential, :problem FROM unnest(CAST(:ids AS bigint[])) AS id
    """
)


@dataclass(frozen=True)
class _Call:
    """What all mails of one call share."""

    action: str
    say: Say
    key: str | None
    values: Mapping[str, Any]
    files: Sequence[MailAttachment]


def send_emails(action: str, people: Iterable[tuple[Person, Context]], sending: Sending = AT_ONCE) -> list[int]:
    """Queue a mail to each of many, in the words of `MAILS[action]`, each in his language and with his own values.

    They go in the lane behind those that somebody waits for, unless `sending` names another. Nobody is left out
    because he is there twice.

    Args:
        action: a key of `MAILS`.
        people: whom, and what stands in the template's braces; `{email}` is the recipient's address if it is not given.
        sending: how they are to go; its files go with each, and its key is one for each address.

    Returns:
        The ids of the mails, in the order of the people, not committed; those that are there where their keys are; none
        if the admins switched this action's mails off, and none for those who do not want such a mail, or not yet.

    Raises:
        TemplateError: a value is missing, or one has no place in the template.
        AddressError: an address cannot be one.
        SendingError: see its subclasses; of a mail to each there are no blind copies.
            Whatever is raised, none of the mails is queued.
    """
    return _queue(action, people, sending, lambda who, values: render_for(who, action, values))


def send_emails_formatted(
    action: str, people: Iterable[Person], subject: str, html: str, sending: Sending = AT_ONCE
) -> list[int]:
    """Queue the same mail to each of many, as it is; otherwise as `send_emails`.

    Args:
        action: what kind of thing happened: one of the constants in `app.models.mail`, or your own.
        people: whom.
        subject: one line; control characters and line breaks are taken out.
        html: the message; values of other people in it must be escaped.
        sending: how they are to go.
    """
    rendered = Rendered(line=one_line(subject), html=html, text=html_to_text(html))
    said = (rendered.line, html)
    return _queue(action, ((person, {}) for person in people), sending, lambda _who, _values: (rendered, said))


def _queue(action: str, people: Iterable[tuple[Person, Context]], sending: Sending, say: Say) -> list[int]:
    if sending.bcc:
        raise SendingError("Each of many gets a mail of his own: for blind copies use send_email.")
    if not mail_is_on(action):
        return []
    key = None if sending.key is None else check_key(sending.key)
    sending = replace(sending, lane=BULK if sending.lane is None else sending.lane)
    call = _Call(action, say, key, common_values(action, sending), checked(sending.attachments))
    ids: list[int] = []
    left = iter(people)
    with db.session.begin_nested():  # all or none, whatever the caller makes of an error
        while chunk := list(islice(left, CHUNK)):
            ids += _insert(call, chunk)
            _check_copies(call.files, len(ids))
    return ids


def _insert(call: _Call, chunk: Sequence[tuple[Person, Context]]) -> list[int]:
    everybody = _recipients([person for person, _ in chunk])
    groups: dict[datetime | None, list[dict[str, Any]]] = {}
    rows = []
    for who, (_, values) in zip(everybody, chunk, strict=True):
        leaves_at, row = _row(call, who, values)
        if row is not None:
            groups.setdefault(leaves_at, []).append(row)
            rows.append(row)
    ids: dict[str, int] = {}
    for leaves_at, group in groups.items():
        # Those whose quiet hours end at the same moment leave at that.
        own = call if leaves_at is None else replace(call, values={**call.values, **leaving(leaves_at)})
        ids |= _write(own, group)
    return [ids[row["message_id"]] for row in rows]


def _write(call: _Call, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The ids of the mails, by the Message-IDs that were to be theirs."""
    # Two calls with one key wait for each other's rows: in the same order, so that neither waits for ever.
    ordered = sorted(rows, key=lambda row: row["key"]) if call.key else rows
    columns = {name: [row[name] for row in ordered] for name in (*_OWN, *_OWN_IDS)}
    shared = {name: value for name, value in call.values.items() if name != "bcc"}
    found = db.session.execute(_INSERT, {"batch_id": None, **shared, **columns})
    new: dict[str, int] = {message_id: id_ for id_, message_id in found}
    _follow(call, sorted(new.values()), rows)
    if len(new) == len(rows):
        return new
    known = _known(rows)
    return {row["message_id"]: known[row["key"]] for row in rows}


def _row(call: _Call, who: Recipient, values: Context) -> tuple[datetime | None, dict[str, Any] | None]:
    """When the mail leaves, if it waits for that, and its own columns; none of him who does not want it, or not yet."""
    rendered, said = call.say(who, values)
    row = words_of(who, call.action, rendered)
    can_wait = may_wait(rendered, call.files, call.key)
    fate = fate_of_mail(
        who.person, call.action, {**call.values, **row} if who.has_preferences else {}, can_wait=can_wait
    )
    if not fate.is_mail:
        put_by(fate, {**call.values, **row})
        return None, None
    row["user_id"], row["happening_id"] = fate.user_id, fate.happening_id
    row["secret"] = cipher().encrypt(rendered.secret.encode()).decode() if rendered.secret else None
    row["key"] = row["key_digest"] = None
    if call.key is not None:
        # Not the address itself: a key is shown where an address may not be.
        row["key"] = f"{call.key}:{hashlib.sha256(same_address(who.address).encode()).hexdigest()[:32]}"
        row["key_digest"] = digest_of(who.address, call.action, said, call.values, call.files)
    return fate.leaves_at, row


def _follow(call: _Call, ids: list[int], rows: Sequence[Mapping[str, Any]]) -> None:
    """What else belongs to mails that were inserted: their files, the hand-over, the log."""
    if not ids:
        return
    for file in call.files:
        names = ("name", "content_type", "content", "is_essential", "problem")
        db.session.execute(_ATTACH, {"ids": ids, **{name: getattr(file, name) for name in names}})
    if call.values["status"] == QUEUED:
        remember_queued(db.session(), DELIVER, ids, is_bulk=call.values["lane"] == BULK)
    record_activity("mails_event", count=len(ids), action=call.action, subject=rows[0]["subject"])


def _known(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The mails of these keys, ours and those that were there.

    Raises:
        KeyReusedError: one says something else.
    """
    columns = (Mail.key, Mail.id, Mail.key_digest)
    statement = select(*columns).where(Mail.key == func.any([row["key"] for row in rows]))
    found = {key: (id_, digest) for key, id_, digest in db.session.execute(statement) if key}
    for row in rows:
        if row["key"] not in found:
            raise KeyReusedError(f"The mail of the key {row['key']!r} is being removed: ask again.")
        check_same(found[row["key"]][1], row)
    return {key: id_ for key, (id_, _) in found.items()}


def _recipients(people: Sequence[Person]) -> list[Recipient]:
    """Whom the mails go to: one question for the accounts of all who are only an address."""
    addresses = [check_address(person) for person in people if isinstance(person, str)]
    accounts = accounts_at(addresses)
    plain = iter(addresses)
    return [at_address(next(plain), accounts) if isinstance(each, str) else recipient(each) for each in people]


def _check_copies(files: Sequence[MailAttachment], count: int) -> None:
    size = sum(len(file.content or b"") for file in files)
    if size * count > MAX_COPIES:
        raise AttachmentError(
            f"Files of {size} bytes for more than {MAX_COPIES // size} people are kept once for each: send a link."
        )
