"""E-mail addresses: what is one, and when two are the same."""

from __future__ import annotations

import email_validator
from email_validator import EmailNotValidError, validate_email

# example.org, .test and the like (RFC 2606, RFC 6761) are addresses here: whether mail may leave to them is decided
# when it is sent, by MAIL_ALLOWED_RECIPIENTS.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


class AddressError(ValueError):
    """Something that should be an e-mail address is none; the message says why."""


def check_address(value: str) -> str:
    """The address with its domain in its usual form; nothing is looked up in DNS.

    Raises:
        AddressError: it is not one address of RFC 5321's form with an ASCII local part.
    """
    try:
        checked = validate_email(value, check_deliverability=False, allow_smtputf8=False, strict=True)
    except (EmailNotValidError, TypeError, AttributeError) as error:
        raise AddressError(f"not an e-mail address: {error}") from error
    return checked.ascii_email or checked.normalized


def same_address(value: str) -> str:
    """The key under which two spellings of an address are one: case does not count."""
    return value.casefold()
