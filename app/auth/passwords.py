"""Passwords: argon2id hashes, and the same time for a user who does not exist."""

from __future__ import annotations

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from app.language import msg

MIN_LENGTH: Final = 8
# Argon2 takes any length; a limit keeps a megabyte of password from costing memory.
MAX_LENGTH: Final = 256
# The numbers are written out: translators see the whole sentence.
LENGTHS: Final = msg("A password has 8 to 256 characters.")

_hasher: Final = PasswordHasher()


def hash_password(password: str) -> str:
    """The argon2id hash to store (RFC 9106), with its own salt and parameters in it."""
    return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password is right.

    With no hash (an unknown user, an account without a password) a hash of nobody's is checked all the same, so that
    the time of the answer does not tell who has an account.
    """
    try:
        _hasher.verify(password_hash or _nobody(), password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return bool(password_hash)


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


@cache
def _nobody() -> str:
    return _hasher.hash("nobody has this password")
