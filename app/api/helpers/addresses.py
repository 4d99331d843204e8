"""E-mail addresses: what is one, and when two are the same."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import email_validator
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

# example.org, .test and the like (RFC 2606, RFC 6761) are addresses here: whether mail may leave to them is decided
# when it is sent, by MAIL_ALLOWED_RECIPIENTS.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


class AddressError(ValueError):
    """Something that should be an e-mail address is none; the message says why."""


# Local parts of which nothing but the length needs to be checked: nearly all that there are.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_MAX_LOCAL: Final = 64
_MAX_ADDRESS: Final = 254


def check_address(value: str) -> str:
    """The address with its domain in its usual form; nothing is looked up in DNS.

    Raises:
        AddressError: it is not one address of RFC 5321's form with an ASCII local part.
    """
    if isinstance(value, str):
        # Of thousands of addresses most share a domain, whose check is what takes time.
        local, at, domain = value.rpartition("@")
        if at and domain.isascii() and len(value) <= _MAX_ADDRESS and _is_plain(local):
            return f"{local}@{_checked_domain(domain)}"
    return _checked(value)


def _is_plain(local: str) -> bool:
    plain = _PLAIN.fullmatch(local) is not None and len(local) <= _MAX_LOCAL
    return plain and local.lower() not in CASE_INSENSITIVE_MAILBOX_NAMES


@lru_cache(maxsize=4096)
def _checked_domain(domain: str) -> str:
    return _checked(f"a@{domain}").rpartition("@")[2]


def _checked(value: str) -> str:
    try:
        checked = validate_email(value, check_deliverability=False, allow_smtputf8=False, strict=True)
    except (EmailNotValidError, TypeError, AttributeError) as error:
        raise AddressError(f"not an e-mail address: {error}") from error
    return checked.ascii_email or checked.normalized


def same_address(value: str) -> str:
    """The key under which two spellings of an address are one: case does not count."""
    return value.casefold()
