"""What the suppression list means for mails that are about to leave; what puts addresses there is in suppression_list.

A mail to an address on the list is not sent; of the others, the blind copies to such addresses are left out. A critical
mail (a link that confirms an address, or leads to a new password) is one that its recipient asked for: only an address
that does not exist stops it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, text

from app.api.helpers.system_mails import CRITICAL
from app.delivery.claims import ClaimedMail
from app.delivery.inbound.faults import is_address_at_fault
from app.delivery.recipients.suppression_list import Cause, put
from app.delivery.transports.base import Receipt, TransportError
from app.models.suppression import HARD_BOUNCE

_FIND: Final = text("SELECT address, reason, text FROM suppressions WHERE address = ANY(CAST(:addresses AS text[]))")


@dataclass(frozen=True, slots=True)
class Entry:
    """Why no mail goes to an address."""

    reason: str
    text: str | None

    def __str__(self) -> str:
        """The reason, with the words of the server or the admin."""
        return f"{self.reason}: {self.text}" if self.text else self.reason


# By the address in lower case.
Suppressed = Mapping[str, Entry]


def suppressed_among(connection: Connection, mails: Sequence[ClaimedMail]) -> Suppressed:
    """Those of the recipients, blind copies too, that are on the list: one statement for a whole batch."""
    addresses = {address.lower() for mail in mails for address in (mail.recipient, *mail.bcc)}
    rows = connection.execute(_FIND, {"addresses": sorted(addresses)})
    return {row.address: Entry(row.reason, row.text) for row in rows}


def why_not(mail: ClaimedMail, suppressed: Suppressed) -> str | None:
    """Why the mail is not to leave; None if it may."""
    entry = _entry(mail, mail.recipient, suppressed)
    return f"{mail.recipient} is on the suppression list ({entry})." if entry else None


def spare_copies(mail: ClaimedMail, suppressed: Suppressed) -> tuple[ClaimedMail, str | None]:
    """The mail without its blind copies to addresses on the list, and what to note of that; None if nothing."""
    spared = [address for address in mail.bcc if _entry(mail, address, suppressed)]
    if not spared:
        return mail, None
    listed = "; ".join(f"{address} ({suppressed[address.lower()].reason})" for address in spared)
    kept = tuple(address for address in mail.bcc if address not in spared)
    return replace(mail, bcc=kept), f"Left out, since they are on the suppression list: {listed}"


def with_note(receipt: Receipt, note: str | None) -> Receipt:
    """The receipt with one more thing to note."""
    if note is None:
        return receipt
    return replace(receipt, note=f"{receipt.note}. {note}" if receipt.note else note)


def note_refusal(connection: Connection, mail: ClaimedMail, error: TransportError) -> None:
    """Put the recipient on the list if the server has just said that there is no such address."""
    if (
        error.kind == "permanent"
        and error.recipient_refused
        and is_address_at_fault(error.enhanced, error.code, error.response)
    ):
        said = " ".join(part for part in (str(error.code or ""), error.enhanced, error.response) if part)
        put(connection, [Cause(mail.recipient, HARD_BOUNCE, said, mail.id)])


def _entry(mail: ClaimedMail, address: str, suppressed: Suppressed) -> Entry | None:
    entry = suppressed.get(address.lower())
    if entry is None or (mail.action in CRITICAL and entry.reason != HARD_BOUNCE):
        return None
    return entry
