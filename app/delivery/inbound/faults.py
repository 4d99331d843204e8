"""Whose fault a refusal is: the address's, for good, or something that may pass (RFC 3463)."""

from __future__ import annotations

import re
from typing import Final

# 5.1.x is about the address. These of it are about the sender's, or about its form on the way.
_NOT_THE_RECIPIENT: Final = frozenset({"5.1.7", "5.1.8", "5.1.9"})
# The mailbox is there no more, though the address is right: disabled (5.2.1), moved without a trace (5.1.6 is above).
_MAILBOX_GONE: Final = frozenset({"5.2.1"})
# Codes that say nothing, or that servers also use for an address that does not exist: then the words decide.
# Exchange Online answers 5.4.1 for an unknown recipient, others 5.7.1; 5.5.x is a general refusal of RCPT.
_VAGUE: Final = re.compile(r"5\.(?:0\.\d+|2\.0|3\.0|4\.1|4\.4|5\.\d+|7\.0|7\.1)")
_UNKNOWN_ADDRESS: Final = re.compile(
    r"(?:user|recipient|mailbox|account|address)(?: \S{1,254})? (?:is )?(?:unknown|not found|does ?n[o']t exist|"
    r"do(?:es)? not exist|not exist|disabled|inactive|invalid)|"
    r"(?:unknown|invalid|no such|non-?existent) (?:\w+ )?(?:user|recipient|mailbox|account|address|person)|"
    r"no mailbox here|not a (?:valid|known) (?:user|mailbox|recipient)|recipient address rejected: access denied|"
    r"does ?n[o']t have an? \S{1,100} account|"
    r"(?:host|domain) (?:or domain name )?(?:name )?not found|unrouteable address",
    re.IGNORECASE,
)
_CODES: Final = re.compile(r"(?<![\d.])([245]\d\d)(?:[ -]#?([245]\.\d{1,3}\.\d{1,3})(?![\d.]))?(?![\d.])")
_ENHANCED: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_MAX_TEXT: Final = 1_000


def codes_in(text: str) -> tuple[int | None, str | None]:
    """The SMTP code with which the text begins, or the first in it that has an enhanced code behind it, and that."""
    text = text[:_MAX_TEXT]
    found = _CODES.match(text.lstrip())
    if found is None:
        found = next((match for match in _CODES.finditer(text) if match[2]), None)
    if found and found[2]:
        return int(found[1]), found[2]
    enhanced = _ENHANCED.search(text)
    return (int(found[1]) if found else None), (enhanced[1] if enhanced else None)


def is_address_at_fault(enhanced: str | None, code: int | None, text: str) -> bool:
    """Whether the refusal says that nobody will ever be reached at the address.

    A full mailbox, a message that is too large, a policy, a spam filter or a delivery that took too long is no such
    fault: what is wrong there may be our reputation, and it passes.

    Args:
        enhanced: the status of RFC 3463, if any.
        code: the SMTP reply code, if any.
        text: the server's words.
    """
    if enhanced is not None and not enhanced.startswith("5."):
        return False
    if enhanced is None and (code is None or not 500 <= code < 600):  # noqa: PLR2004 - the class of 5yz replies
        return False
    if enhanced is not None:
        if enhanced in _MAILBOX_GONE or (enhanced.startswith("5.1.") and enhanced not in _NOT_THE_RECIPIENT):
            return True
        if not _VAGUE.fullmatch(enhanced):
            return False
    return _UNKNOWN_ADDRESS.search(text[:_MAX_TEXT]) is not None
