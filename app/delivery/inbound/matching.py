"""Which mail an event is about, and whether it is about the mail's recipient or somebody who got a blind copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from app.delivery.inbound.events import MailEvent
from app.delivery.inbound.sendgrid_events import PROVIDER as SENDGRID

# Those whose events are known to be theirs: they are signed. Whatever came by mail anybody may have written.
SIGNED: Final = frozenset({SENDGRID})

# Always in the same order, so that two who are told of the same mails wait for each other instead of for ever.
_LOCK: Final = text(
    """
    SELECT id, status, recipient, bcc, message_id, provider_message_id FROM mails
    WHERE message_id = ANY(CAST(:message_ids AS text[]))
        OR provider_message_id = ANY(CAST(:provider_message_ids AS text[]))
        OR id = ANY(CAST(:ids AS bigint[]))
    ORDER BY id FOR NO KEY UPDATE
    """
)


@dataclass(slots=True)
class KnownMail:
    """A mail that events are about; its row is locked, so `status` is the present one."""

    id: int
    status: str
    recipient: str
    bcc: tuple[str, ...]
    message_id: str
    provider_message_id: str | None

    def is_to(self, address: str | None) -> bool:
        """Whether what is told of this address is told of the mail.

        A complaint may hide the address: then it is the recipient's, unless somebody else got the mail too.
        """
        if address is None:
            return not self.bcc
        return key_of(address) == key_of(self.recipient)

    def is_copy_to(self, address: str | None) -> bool:
        """Whether the address got a blind copy."""
        return address is not None and key_of(address) in map(key_of, self.bcc)


def key_of(address: str) -> str:
    """The key under which the spellings of an address are one, as in the table of suppressions."""
    return address.lower()


class Mails:
    """The mails that some events may be about, locked until the transaction ends."""

    def __init__(self, rows: Iterable[KnownMail]) -> None:
        self._by_id = {mail.id: mail for mail in rows}
        self._by_message_id = {mail.message_id: mail for mail in self._by_id.values()}
        self._by_provider = {mail.provider_message_id: mail for mail in self._by_id.values()}

    def find(self, event: MailEvent) -> KnownMail | None:
        """The mail that the event is about; None if there is none, or if what names it does not agree with it.

        By the Message-ID, which nobody can guess. Only to a provider that signs what it tells the other two names are
        believed: its own, and our number, which a second installation with the same account uses too.
        """
        if event.message_id is not None and event.message_id in self._by_message_id:
            return self._by_message_id[event.message_id]
        if event.provider not in SIGNED:
            return None
        if event.provider_message_id is not None and event.provider_message_id in self._by_provider:
            return self._by_provider[event.provider_message_id]
        mail = self._by_id.get(event.mail_id) if event.mail_id is not None else None
        if mail is None or not (mail.is_to(event.recipient) or mail.is_copy_to(event.recipient)):
            return None
        # The provider's name of it is there once its outcome is written: then it would have been found by that.
        is_named = mail.provider_message_id is not None and event.provider_message_id is not None
        return None if is_named else mail


def lock_mails(connection: Connection, events: Sequence[MailEvent]) -> Mails:
    """Lock the mails that the events may be about: one statement, however many there are."""
    signed = [event for event in events if event.provider in SIGNED]
    rows = connection.execute(
        _LOCK,
        {
            "message_ids": sorted({event.message_id for event in events if event.message_id}),
            "provider_message_ids": sorted(
                {event.provider_message_id for event in signed if event.provider_message_id}
            ),
            "ids": sorted({event.mail_id for event in signed if event.mail_id}),
        },
    )
    return Mails(
        KnownMail(row.id, row.status, row.recipient, tuple(row.bcc), row.message_id, row.provider_message_id)
        for row in rows
    )
