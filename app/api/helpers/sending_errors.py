"""Why a mail is not queued; each message says what was wrong and what to do."""

from __future__ import annotations


class SendingError(ValueError):
    """A mail cannot be queued as the caller wants it; nothing was."""


class KeyReusedError(SendingError):
    """The key stands for another message already."""


class AttachmentError(SendingError):
    """A file cannot go with a mail: it cannot be had, is too large, or is not of a type that may."""
