"""Keys of mails: one message for one key, however often, and by however many at once, it is asked for.

A key lasts as long as its row: once retention has deleted it, the key is a new one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import attributes

from app.api.helpers.queued import remember_queued
from app.api.helpers.sending_errors import KeyReusedError
from app.api.helpers.settings import get_config
from app.delivery.handover import DELIVER
from app.models import Mail, db
from app.models.mail import BULK, QUEUED, MailAttachment

# The lines of a calendar file (RFC 5545, 3.8.7) that say when it was made.
_MADE_AT: Final = re.compile(rb"^(DTSTAMP|SEQUENCE)[:;].*\r?\n", re.MULTILINE)
# A row that another transaction removes while we look for it is asked for anew; more often than this it is not chance.
_TRIES: Final = 5


def digest_of(
    address: str, action: str, said: Sequence[str], values: Mapping[str, Any], files: Sequence[MailAttachment]
) -> str:
    """What makes two messages the same: HMAC-SHA256 under SECRET_KEY, so that the table does not tell what was said.

    When and in which lane it goes is not part of it: who asks again may have another clock. With a changed
    SECRET_KEY a key that is used again is refused, which never doubles a mail.
    """
    attached = [
        (file.name, file.content_type, hashlib.sha256(_said_in(file)).hexdigest() if file.content is not None else None)
        for file in files
    ]
    parts = [address.casefold(), action, list(said), sorted(values["bcc"]), sorted(values["reply_to"]), attached]
    return keyed_digest(json.dumps(parts, ensure_ascii=False).encode())


def _said_in(file: MailAttachment) -> bytes:
    """The bytes of a file; of one for a calendar without the moment at which it was made, a second later another."""
    content = file.content or b""
    return _MADE_AT.sub(b"", content) if file.content_type.startswith("text/calendar") else content


def keyed_digest(content: bytes) -> str:
    """HMAC-SHA256 of the content under SECRET_KEY, in hexadecimal digits."""
    return hmac.new(get_config().secret_key.encode(), content, hashlib.sha256).hexdigest()


def insert_once(values: Mapping[str, Any], files: Sequence[MailAttachment]) -> tuple[Mail, bool]:
    """Insert the mail unless its key is there, and say whether it was inserted.

    Another transaction that has just inserted the key is waited for: only its end tells whether there is a mail.

    Raises:
        KeyReusedError: the key stands for another message.
    """
    statement = insert(Mail).on_conflict_do_nothing(index_elements=[Mail.key], index_where=Mail.key.is_not(None))
    for _ in range(_TRIES):
        id_ = db.session.scalar(statement.values(**values).returning(Mail.id))
        mail = db.session.scalar(select(Mail).where(Mail.key == values["key"]))
        if id_ is not None and mail is not None:
            _attach(mail, files)
            if mail.status == QUEUED:
                remember_queued(db.session(), DELIVER, (id_,), is_bulk=mail.lane == BULK)
            return mail, True
        if mail is not None:
            check_same(mail.key_digest, values)
            return mail, False
    raise KeyReusedError(f"The mail of the key {values['key']!r} is being removed: ask again.")


def check_same(digest: str | None, values: Mapping[str, Any]) -> None:
    """See that the message which is there is the one that is asked for.

    Raises:
        KeyReusedError: it is another.
    """
    if not hmac.compare_digest(digest or "", values["key_digest"]):
        raise KeyReusedError(
            f"The key {values['key']!r} was used for another message (another recipient, action, text or file): "
            "take a new key for a new message."
        )


def _attach(mail: Mail, files: Sequence[MailAttachment]) -> None:
    attributes.set_committed_value(mail, "attachments", [])
    mail.attachments.extend(files)
