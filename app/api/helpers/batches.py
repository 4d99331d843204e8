"""Batches: mails that belong together, with a description that people find them by."""

from __future__ import annotations

from typing import Final

from app.api.helpers.templates import one_line
from app.api.viewer import current_viewer
from app.models import Event, User, db
from app.models.mail import MailBatch

_MAX_DESCRIPTION: Final = 1000


def create_batch(description: str, event: Event | None = None, user: User | None = None) -> MailBatch:
    """Add a batch to the caller's transaction; mails are put into it with `batch=`.

    Args:
        description: what the mails are about, one line for people.
        event: whose owner and organizers see the batch and its mails too; without one only admins do.
        user: who sends; by default the caller of the request.
    """
    batch = MailBatch(
        description=one_line(description)[:_MAX_DESCRIPTION], event=event, user=user or current_viewer().user
    )
    db.session.add(batch)
    return batch
