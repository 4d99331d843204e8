"""Batches of mails, for admins and for the owner and organizers of the event that a batch belongs to.

What a mail of a batch says, and what a mail server said of it, is for admins only (see `app/api/access.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select

from app.api.jsonapi.access import require_visible
from app.api.jsonapi.errors import Forbidden
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.admin import MAIL
from app.api.schema.events import EVENT
from app.api.schema.mail_batches import MAIL_BATCH
from app.api.viewer import Viewer
from app.models import Mail, MailBatch
from app.models.event import MANAGERS


class MailBatchList(ListResource):
    """Batches, newest first."""

    resource_type = MAIL_BATCH


class MailBatchDetail(DetailResource):
    """One batch, with the number of its mails by status."""

    resource_type = MAIL_BATCH


class BatchMailList(ListResource):
    """The mails of a batch, or of all batches of an event."""

    resource_type = MAIL

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """Those of the batch or the event in the address."""
        if "batch_id" in view_kwargs:
            require_visible(MAIL_BATCH, view_kwargs["batch_id"], viewer)
            of_batch: ColumnElement[bool] = Mail.batch_id == view_kwargs["batch_id"]
            return of_batch
        event_id = view_kwargs["event_id"]
        require_visible(EVENT, event_id, viewer)
        if not viewer.has_role(event_id, *MANAGERS):
            raise Forbidden("Only the event's owner and organizers and admins may see this.")
        return Mail.batch_id.in_(select(MailBatch.id).where(MailBatch.event_id == event_id))
