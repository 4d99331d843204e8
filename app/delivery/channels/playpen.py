"""The playpen of SMS and chat: outside production they leave only to numbers that are nobody's, and to those allowed.

Numbers that are kept for films and examples: 555-0100 to 555-0199 in every area of North America, and
07700 900000 to 900999 in the United Kingdom (Ofcom).
"""

from __future__ import annotations

import re
from typing import Final

from app.delivery.recipients.playpen import is_allowed
from config import Config

_NOBODYS: Final = re.compile(r"\+1[2-9]\d{2}55501\d{2}|\+447700900\d{3}", re.ASCII)


def may_leave(recipient: str, config: Config) -> bool:
    """Whether a message may go to this number or chat address."""
    if config.is_production or _NOBODYS.fullmatch(recipient):
        return True
    return is_allowed(recipient, config.allowed_recipients)
