"""The mails that really arrived: the .eml files of the catcher, read as a mail program would."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Final

# A link of the text part, as "words <http://…>" (RFC 3986, appendix C).
_LINK: Final = re.compile(r"<(https?://[^\s<>]+)>")


@dataclass(frozen=True)
class CaughtMail:
    """One mail in the catcher."""

    message: EmailMessage

    @property
    def recipient(self) -> str:
        """Whom the SMTP envelope named, which is who really got it."""
        return self.header("X-RcptTo").lower()

    @property
    def subject(self) -> str:
        """The decoded subject; how it was folded does not show."""
        return " ".join(self.header("Subject").split())

    @property
    def text(self) -> str:
        """The plain-text part."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part."""
        return self._part("html")

    @property
    def links(self) -> list[str]:
        """The addresses in the plain-text part, in their order."""
        return _LINK.findall(self.text)

    def header(self, name: str) -> str:
        """A header's decoded value; empty when the mail has none of that name."""
        return str(self.message.get(name, ""))

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


@dataclass(frozen=True)
class Mailbox:
    """Every mail that the catcher took, whoever it was for."""

    folder: Path
    _read: dict[str, CaughtMail] = field(default_factory=dict, repr=False)

    def count(self) -> int:
        """How many mails there are."""
        return sum(1 for _ in self.folder.glob("*.eml"))

    def mails(self) -> list[CaughtMail]:
        """All mails, in the order of arrival; each file is read once."""
        for path in sorted(self.folder.glob("*.eml")):
            if path.name not in self._read:
                message = message_from_bytes(path.read_bytes(), policy=policy.default)
                self._read[path.name] = CaughtMail(message)
        return list(self._read.values())

    def to(self, address: str) -> list[CaughtMail]:
        """The mails of one recipient, in the order of arrival."""
        return [mail for mail in self.mails() if mail.recipient == address.lower()]
