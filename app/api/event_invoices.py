"""Event invoices: what events owe for their sales. A periodic task makes them; admins note what was paid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from app.api.helpers.log import record_activity
from app.api.jsonapi.access import require_visible
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Forbidden
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.events import EVENT
from app.api.schema.orders import EVENT_INVOICE
from app.api.viewer import Viewer
from app.models import EventInvoice
from app.models.base import utc_now
from app.models.event import MANAGERS
from app.models.order import PAID


class EventInvoiceList(ListResource):
    """Invoices of the events that one manages."""

    resource_type = EVENT_INVOICE

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those of the event in the address."""
        if "event_id" not in view_kwargs:
            return None
        event_id = view_kwargs["event_id"]
        require_visible(EVENT, event_id, viewer)
        if not viewer.has_role(event_id, *MANAGERS):
            raise Forbidden("Only the event's owner and organizers and admins may see this.")
        of_event: ColumnElement[bool] = EventInvoice.event_id == event_id
        return of_event


class EventInvoiceDetail(DetailResource):
    """One invoice."""

    resource_type = EVENT_INVOICE

    def before_update(self, obj: EventInvoice, data: dict[str, Any], viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """The time of the payment follows from the status."""
        status = data.get("status", obj.status)
        if status != obj.status:
            data["paid_at"] = utc_now() if status == PAID else None

    def after_update(self, obj: EventInvoice, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Log the change."""
        if "status" in changes:
            record_activity("update_event_invoice", invoice=obj.identifier, status=obj.status)
