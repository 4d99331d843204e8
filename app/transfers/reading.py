"""Reading a file: an event with its speakers and sessions, or one line that says what is wrong where.

The shape is that of an export, `{"event": {…}, "speakers": […], "sessions": […]}`; unknown names are ignored. What a
text may be is what the API allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.api.jsonapi.fields import Choice, EmailAddress, Text, Timezone
from app.api.jsonapi.jsontext import JsonTextError, parse
from app.models.session import PENDING, SESSION_STATES
from app.transfers.content import EventContent, SessionContent, SpeakerContent
from app.transfers.errors import FileError
from app.transfers.fields import Fields, shown

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_SPEAKERS: Final = 10_000
MAX_SESSIONS: Final = 10_000
MAX_SPEAKERS_OF_SESSION: Final = 100
# Of all sessions together: a link costs the database more than anything else in the file.
MAX_LINKS: Final = 100_000
# Commas and opening brackets, as a bound of the memory that the values take: some 150 bytes for each at worst.
MAX_SIGNS: Final = 1_000_000
MAX_ID: Final = 255

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NAME: Final = Text(500, minimum=1)
_LINE: Final = Text(500)
_COUNTRY: Final = Text(255)
_ID: Final = Text(MAX_ID, minimum=1)
_ABSTRACT: Final = Text(20_000, lines=True)
_EMAIL: Final = EmailAddress()
_STATE: Final = Choice(SESSION_STATES)
_TIMEZONE: Final = Timezone()


def read_event(content: bytes) -> EventContent:
    """Read and check the bytes of a file.

    Raises:
        FileError: it is too large, is not JSON, or has another shape.
    """
    if len(content) > MAX_BYTES:
        raise FileError(f"the file has more than {MAX_BYTES:,} bytes")
    content = content.removeprefix(_BYTE_ORDER_MARK)
    if sum(content.count(sign) for sign in (b",", b"[", b"{")) > MAX_SIGNS:
        raise FileError(f"the file has more than {MAX_SIGNS:,} values")
    try:
        value = parse(content, _object)
    except JsonTextError as error:
        raise FileError(f"the file is not JSON in UTF-8: {error}") from error
    return _event(Fields(value, ""))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without a name that is there twice: which of the two was meant is anybody's guess."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise FileError(f"an object has the name {shown(name)} twice")
        found[name] = value
    return found


def _event(whole: Fields) -> EventContent:
    event = whole.one("event")
    name = event.needed("name", _NAME)
    timezone = event.text("timezone", _TIMEZONE) or "UTC"
    zone = ZoneInfo(timezone)
    event.needed("starts-at", _LINE)
    event.needed("ends-at", _LINE)
    starts_at, ends_at = event.period(zone)
    if starts_at is None or ends_at is None:
        raise FileError("event must have starts-at and ends-at")
    speakers = tuple(_speakers(whole.several("speakers", MAX_SPEAKERS)))
    ids = frozenset(speaker.id for speaker in speakers)
    sessions = tuple(_sessions(whole.several("sessions", MAX_SESSIONS), ids, zone))
    if sum(len(session.speakers) for session in sessions) > MAX_LINKS:
        raise FileError(f"the sessions have more than {MAX_LINKS:,} speakers together")
    return EventContent(
        name=name,
        starts_at=starts_at,
        ends_at=ends_at,
        timezone=timezone,
        location_name=event.line("location-name", _LINE),
        speakers=speakers,
        sessions=sessions,
    )


def _speakers(values: Iterable[Any]) -> Iterator[SpeakerContent]:
    known: set[str] = set()
    for number, value in enumerate(values):
        fields = Fields(value, f"speakers[{number}]")
        id_ = fields.needed("id", _ID)
        _only_once(fields, id_, known)
        yield SpeakerContent(
            id=id_,
            name=fields.needed("name", _NAME),
            email=fields.text("email", _EMAIL) if fields.text("email") else None,
            organisation=fields.line("organisation", _LINE),
            country=fields.line("country", _COUNTRY),
        )


def _sessions(values: Iterable[Any], speakers: frozenset[str], zone: ZoneInfo) -> Iterator[SessionContent]:
    known: set[str] = set()
    for number, value in enumerate(values):
        fields = Fields(value, f"sessions[{number}]")
        id_ = fields.text("id", _ID)
        if id_ is not None:
            _only_once(fields, id_, known)
        starts_at, ends_at = fields.period(zone)
        yield SessionContent(
            title=fields.needed("title", _NAME),
            short_abstract=fields.text("short-abstract", _ABSTRACT),
            starts_at=starts_at,
            ends_at=ends_at,
            state=fields.text("state", _STATE) or PENDING,
            speakers=_speaker_ids(fields, speakers),
        )


def _speaker_ids(fields: Fields, speakers: frozenset[str]) -> tuple[str, ...]:
    """The ids, each once."""
    ids = fields.several("speaker-ids", MAX_SPEAKERS_OF_SESSION)
    for id_ in ids:
        if not isinstance(id_, str) or id_ not in speakers:
            raise FileError(f"{fields.where('speaker-ids')} names {shown(id_)}, which is no speaker's id")
    return tuple(dict.fromkeys(ids))


def _only_once(fields: Fields, id_: str, known: set[str]) -> None:
    if id_ in known:
        raise FileError(f"{fields.where('id')} is {shown(id_)}, as of another before")
    known.add(id_)
