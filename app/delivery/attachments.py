"""The files of a mail that is about to be sent: their bytes, and what there is to say of those that are missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, select

from app.delivery.claims import ClaimedMail
from app.delivery.transports.base import Attachment, PermanentError, Receipt
from app.models.mail import MailAttachment

_TABLE: Final = MailAttachment.__table__


@dataclass(frozen=True)
class Files:
    """What goes with a mail; `missing` says which of the others does not, and why."""

    found: tuple[Attachment, ...] = ()
    missing: str | None = None

    def noted(self, receipt: Receipt) -> Receipt:
        """The receipt of the mail, with what it went without."""
        if self.missing is None:
            return receipt
        return replace(receipt, note="; ".join(filter(None, (receipt.note, f"Sent without {self.missing}"))))


def read_files(connection: Connection, mail: ClaimedMail) -> Files:
    """The files of a mail, read when its turn comes: those of a whole batch might not fit into memory.

    Raises:
        PermanentError: one without which the mail makes no sense has no bytes: they were taken out with age.
    """
    if not mail.has_attachments:
        return Files()
    columns = (_TABLE.c.name, _TABLE.c.content_type, _TABLE.c.content, _TABLE.c.is_essential, _TABLE.c.problem)
    found: list[Attachment] = []
    missing: list[str] = []
    for row in connection.execute(select(*columns).where(_TABLE.c.mail_id == mail.id).order_by(_TABLE.c.id)):
        if row.content is not None:
            found.append(Attachment(row.name, row.content_type, bytes(row.content)))
        elif row.is_essential:
            raise PermanentError(f"The file {row.name} is gone, without which the mail is not sent: send it anew.")
        else:
            problem = row.problem or "there are no bytes"
            missing.append(problem if problem.startswith(row.name) else f"{row.name}: {problem}")
    return Files(tuple(found), "; ".join(missing) or None)
