"""Files that go with a mail: bytes of a type that may be sent, up to a limit; never a path."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from app.api.helpers.sending_errors import AttachmentError
from app.api.helpers.templates import one_line
from app.models.mail import MailAttachment

# Bytes of one file, and of all files of one mail: as base64 they take a third more, and many servers stop at 30 MB.
MAX_FILE: Final = 10 * 1024 * 1024
MAX_FILES: Final = 20 * 1024 * 1024
MAX_COUNT: Final = 20
_MAX_TEXT: Final = 255

# The types that may go, and how a file of that type begins (None: in any way).
TYPES: Final[Mapping[str, re.Pattern[bytes] | None]] = {
    "application/pdf": re.compile(rb"%PDF-"),
    "application/vnd.apple.pkpass": re.compile(rb"PK"),
    "application/zip": re.compile(rb"PK"),
    "application/json": None,
    "image/gif": re.compile(rb"GIF8"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "text/calendar": re.compile(rb"BEGIN:VCALENDAR\r?\n", re.IGNORECASE),
    "text/csv": None,
    "text/plain": None,
}

Content = bytes | Callable[[], bytes]


def attachment(name: str, content_type: str, content: Content, *, essential: bool = True) -> MailAttachment:
    """A file for a mail; the same one may be given to several.

    Args:
        name: what the file is called, without a path.
        content_type: one of `TYPES`, with parameters if it has any (`text/calendar; method=PUBLISH`).
        content: the bytes, or a function that makes or fetches them (here, before anything is queued). What a function
            says in an `AttachmentError` is shown to admins; of any other exception only the kind is.
        essential: whether the mail makes no sense without it. Without one that is not, the mail goes all the same,
            and the row and the mail's timeline say what is missing and why.

    Raises:
        AttachmentError: an essential file cannot be had, is too large, or is not of its type.
    """
    file = MailAttachment(name=one_line(name)[-_MAX_TEXT:] or "file", is_essential=essential)
    file.content_type = one_line(content_type)[:_MAX_TEXT]
    try:
        _check_type(name, content_type)
        found = _bytes_of(name, content)
        _check_content(name, content_type, found)
    except AttachmentError as error:
        if essential:
            raise
        file.problem = str(error)
    else:
        file.content = found
    return file


def checked(files: Sequence[MailAttachment] | None) -> list[MailAttachment]:
    """Copies of the files for one mail; what is not essential and has no room is left out, and says so.

    Raises:
        AttachmentError: there are too many; an essential one has no bytes, or no room.
    """
    files = list(files or ())
    if len(files) > MAX_COUNT:
        raise AttachmentError(f"{len(files)} files: a mail has at most {MAX_COUNT}.")
    room = MAX_FILES
    copies: dict[int, MailAttachment] = {}
    # Essential ones first: they have the first claim on the room.
    for index, file in sorted(enumerate(files), key=lambda each: not _is_essential(each[1])):
        copies[index] = _copy(file, room)
        room -= len(copies[index].content or b"")
    return [copies[index] for index in range(len(files))]


def _copy(file: MailAttachment, room: int) -> MailAttachment:
    copy = MailAttachment(name=file.name, content_type=file.content_type, is_essential=_is_essential(file))
    copy.content, copy.problem = file.content, file.problem
    try:
        _check(copy, room)
    except AttachmentError as error:
        if copy.is_essential:
            raise
        copy.content, copy.problem = None, str(error)
    return copy


def _check(file: MailAttachment, room: int) -> None:
    _check_type(file.name, file.content_type)
    if file.content is None:
        raise AttachmentError(file.problem or f"{file.name}: there are no bytes.")
    _check_content(file.name, file.content_type, file.content)
    if len(file.content) > room:
        raise AttachmentError(f"{file.name}: the files of a mail may have at most {MAX_FILES} bytes together.")


def _is_essential(file: MailAttachment) -> bool:
    """A row that is not in the database yet has no defaults."""
    return file.is_essential is not False


def _check_type(name: str, content_type: str) -> None:
    if not name or "/" in name or "\\" in name:
        raise AttachmentError(f"{name!r} is not the name of a file: give the bytes, and a name without a path.")
    if media_type(content_type) not in TYPES:
        raise AttachmentError(f"{name}: files of the type {content_type!r} are not sent, but {', '.join(TYPES)}.")


def _bytes_of(name: str, content: Content) -> bytes:
    if callable(content):
        try:
            content = content()
        except AttachmentError:
            raise
        except Exception as error:  # whatever the caller's function meets: the mail must know that there is no file
            raise AttachmentError(f"{name}: it could not be made ({type(error).__name__}).") from error
    if not isinstance(content, bytes):
        raise AttachmentError(f"{name}: its content must be bytes, not {type(content).__name__}.")
    return content


def _check_content(name: str, content_type: str, content: bytes) -> None:
    if len(content) > MAX_FILE:
        raise AttachmentError(f"{name}: it has {len(content)} bytes, and at most {MAX_FILE} are sent.")
    beginning = TYPES[media_type(content_type)]
    if beginning is not None and not beginning.match(content):
        raise AttachmentError(f"{name}: its content is not {media_type(content_type)}.")


def media_type(content_type: str) -> str:
    """The type without its parameters, in lower case (RFC 2045, 5.1)."""
    return content_type.partition(";")[0].strip().lower()
