"""Column types of our own."""

from __future__ import annotations

import os

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator


def cipher(keys: str | None = None) -> MultiFernet:
    """The cipher of stored secrets; `keys` (default: `SETTINGS_KEY`) is one Fernet key or several with commas.

    The first key encrypts, each can decrypt: a key is changed by putting the new one in front.

    Raises:
        ValueError: there is no key, or one is not 32 bytes of URL-safe base64.
    """
    try:
        return MultiFernet([Fernet(key) for key in _split(keys)])
    except ValueError as error:
        raise ValueError(
            "SETTINGS_KEY must be one or more Fernet keys (32 bytes, URL-safe base64) with commas between them; "
            "make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
        ) from error


def under_first_key(secret: str) -> str | None:
    """A stored secret encrypted anew with the first key of `SETTINGS_KEY`; None if it is under that one already.

    Raises:
        InvalidToken: no key can decrypt it.
    """
    try:
        Fernet(_split()[0]).decrypt(secret.encode())
    except InvalidToken:
        return cipher().rotate(secret.encode()).decode()
    return None


def _split(keys: str | None = None) -> list[str]:
    value = os.environ.get("SETTINGS_KEY", "") if keys is None else keys
    return [key.strip() for key in value.split(",") if key.strip()]


class EncryptedText(TypeDecorator[str]):
    """Text that is encrypted (Fernet) on its way into the database, and decrypted on its way out.

    A value that no key can decrypt reads as `None`: a lost key must not stop the server; the secret is set anew.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Encrypt."""
        return None if value is None else cipher().encrypt(value.encode()).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Decrypt."""
        if value is None:
            return None
        try:
            return cipher().decrypt(value.encode()).decode()
        except InvalidToken:
            return None
