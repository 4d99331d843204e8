"""Exports and imports of events."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields

from app.api.access import EVENT_EXPORTS, EVENT_IMPORTS
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Text, Timestamp, WholeNumber
from app.api.jsonapi.schema import Schema, ToOne
from app.api.jsonapi.urls import url_of
from app.models import Transfer


class DownloadUrl(fields.Field[str]):
    """Where an export's file is, for whoever has a token; null before there is one, and when it is kept no longer."""

    def _serialize(self, value: Any, attr: str | None, obj: Transfer, **kwargs: Any) -> str | None:  # noqa: ARG002 - marshmallow's
        return url_of("v1.event_export_download", obj.id) if obj.has_file else None


class TransferSchema(Schema):
    """What both have: how far it is, and what came of it."""

    state = Text(16, dump_only=True)
    done = WholeNumber(dump_only=True)
    total = WholeNumber(dump_only=True)
    progress = WholeNumber(dump_only=True)
    error = Text(10_000, dump_only=True)
    created_at = Timestamp(dump_only=True)
    finished_at = Timestamp(dump_only=True)

    user = ToOne("user", foreign_key="user_id", dump_only=True)


class EventExportSchema(TransferSchema):
    """An event on its way into a file."""

    class Meta:
        type_ = "event-export"
        self_view = "v1.event_export_detail"

    download_url = DownloadUrl(dump_only=True, attribute="id")

    event = ToOne("event", foreign_key="event_id", required=True)


class EventImportSchema(TransferSchema):
    """A file on its way into an event; `event` is null until it is there."""

    class Meta:
        type_ = "event-import"
        self_view = "v1.event_import_detail"

    filename = Text(255, dump_only=True)

    event = ToOne("event", foreign_key="event_id", dump_only=True)


EVENT_EXPORT: Final = register_type(ResourceType("event-export", EventExportSchema, EVENT_EXPORTS))
EVENT_IMPORT: Final = register_type(ResourceType("event-import", EventImportSchema, EVENT_IMPORTS))
