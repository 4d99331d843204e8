"""Why a transfer fails for good: the words that the person who asked for it reads."""

from __future__ import annotations


class TransferError(Exception):
    """It cannot be done, and trying again changes nothing; the message is one line for a person."""


class FileError(TransferError):
    """The file is not one of an event; the message says what is wrong where, as in `sessions[3].title is missing`."""
