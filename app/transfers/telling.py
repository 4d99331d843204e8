"""Telling whoever asked for an export or import what came of it, in the app and by mail; nobody else is told."""

from __future__ import annotations

from app.api.helpers.event_messages import event_link
from app.api.helpers.mail import (
    send_email_event_export_fail,
    send_email_event_exported,
    send_email_event_import_fail,
    send_email_event_imported,
)
from app.api.helpers.notification import (
    About,
    send_notif_event_export_fail,
    send_notif_event_exported,
    send_notif_event_import_fail,
    send_notif_event_imported,
)
from app.models import Event, Transfer
from app.models.base import JsonObject
from app.models.transfer import EXPORT
from app.transfers.links import download_link


def tell_exported(transfer: Transfer, event: Event) -> None:
    """The file is there."""
    link = download_link(transfer.id)
    about = About(link=link, data=_data(transfer, event), event=event)
    send_notif_event_exported(transfer.user, event.name, link, about)
    send_email_event_exported(transfer.user, event.name, link)


def tell_imported(transfer: Transfer, event: Event) -> None:
    """The event is there."""
    link = event_link(event)
    about = About(link=link, data=_data(transfer, event), event=event)
    send_notif_event_imported(transfer.user, event.name, link, about)
    send_email_event_imported(transfer.user, event.name, link)


def tell_failed(transfer: Transfer, reason: str) -> None:
    """It failed, and why; an account that was removed is not told."""
    user, event = transfer.user, transfer.event
    if user.deleted_at is not None:
        return
    about = About(data=_data(transfer, event), event=event)
    if transfer.kind == EXPORT:
        name = event.name if event else "?"
        send_notif_event_export_fail(user, name, reason, about)
        send_email_event_export_fail(user, name, reason)
    else:
        send_notif_event_import_fail(user, reason, about)
        send_email_event_import_fail(user, reason)


def _data(transfer: Transfer, event: Event | None) -> JsonObject:
    data: JsonObject = {f"event-{transfer.kind}-id": str(transfer.id)}
    return data if event is None else {"event-id": str(event.id), **data}
