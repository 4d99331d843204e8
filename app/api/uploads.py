"""The file of an upload: a field of `multipart/form-data`, or the whole body."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Final

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from app.api.helpers.templates import one_line
from app.api.jsonapi.errors import PayloadTooLarge, Unprocessable, UnsupportedMediaType

FIELD: Final = "file"
MAX_FILENAME: Final = 255
# What multipart/form-data puts around a file.
FRAMING: Final = 64 * 1024
MAX_PARTS: Final = 10


@dataclass(frozen=True)
class Upload:
    """What was sent; `filename` is None where the client gave none."""

    content: bytes
    filename: str | None


def read_upload(at_most: int) -> Upload:
    """The one JSON file of this request, which may be larger than other bodies.

    Raises:
        UnsupportedMediaType: the body is neither a form with files nor JSON.
        PayloadTooLarge: the file has more than `at_most` bytes.
        Unprocessable: there is no file, or nothing in it.
    """
    request.max_content_length = at_most + FRAMING
    try:
        upload = _read()
    except RequestEntityTooLarge as error:
        raise _too_large(at_most) from error
    if len(upload.content) > at_most:
        raise _too_large(at_most)
    if not upload.content:
        raise Unprocessable("The file is empty.")
    return upload


def _read() -> Upload:
    if request.mimetype == "application/json":
        return Upload(request.get_data(cache=False), None)
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType(
            f"Send the file as the field `{FIELD}` of multipart/form-data, or as the body with "
            "Content-Type: application/json.",
            header="Content-Type",
        )
    parser = FormDataParser(stream_factory=_in_memory, max_form_parts=MAX_PARTS)
    _, _, fields = parser.parse(request.stream, request.mimetype, request.content_length, request.mimetype_params)
    files = fields.getlist(FIELD)
    if len(files) != 1:
        raise Unprocessable(f"The form must have one file, in the field `{FIELD}`.")
    return Upload(files[0].read(), _name(files[0].filename))


def _in_memory(*_: Any, **__: Any) -> IO[bytes]:
    """The stream of a file: no temporary one on a disk, since there is a bound and it is small."""
    return BytesIO()


def _name(given: str | None) -> str | None:
    """The last part of a name, as text to show; it never becomes a path here."""
    last = one_line((given or "").replace("\\", "/").rpartition("/")[2])
    return last.encode("utf-8", "replace").decode()[:MAX_FILENAME] or None


def _too_large(at_most: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The file may have at most {at_most:,} bytes.")
