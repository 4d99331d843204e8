"""Exports and imports of events: asking for one, seeing how far it is, downloading the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from app.api.events import check_manager
from app.api.jsonapi.compound import single_document
from app.api.jsonapi.errors import Gone, NotFound, TooManyRequests, Unprocessable
from app.api.jsonapi.negotiation import check_accept
from app.api.jsonapi.query import parse_query
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.jsonapi.response import document_response
from app.api.jsonapi.urls import url_of
from app.api.schema.transfers import EVENT_EXPORT, EVENT_IMPORT
from app.api.uploads import read_upload
from app.api.viewer import Viewer, current_viewer
from app.models import Event, Transfer, User, db
from app.models.event import PUBLISHED
from app.models.transfer import EXPORT, IMPORT, QUEUED, RUNNING, SUCCEEDED
from app.pages.views import message_page
from app.transfers.links import opens
from app.transfers.reading import MAX_BYTES

# Exports and imports of one user that wait or run at the same time.
MAX_OPEN: Final = 3


class EventExportList(ListResource):
    """One's exports; the managers of an event ask for one."""

    resource_type = EVENT_EXPORT

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Mapping[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        """The managers only: the file has the addresses of the speakers in it."""
        _check_exporter(data["event"], viewer)
        data["user"] = take_turn(viewer)
        data["kind"] = EXPORT


class EventExportDetail(DetailResource):
    """One export."""

    resource_type = EVENT_EXPORT


class EventImportList(ListResource):
    """One's imports."""

    resource_type = EVENT_IMPORT


class EventImportDetail(DetailResource):
    """One import."""

    resource_type = EVENT_IMPORT


def create_import() -> Response:
    """A new import of the file that is sent; it is read and checked by a worker."""
    check_accept(request)
    viewer = current_viewer()
    query = parse_query(request.args, EVENT_IMPORT, many=False)
    upload = read_upload(MAX_BYTES)
    user = take_turn(viewer)
    transfer = Transfer(kind=IMPORT, user=user, content=upload.content, filename=upload.filename)
    db.session.add(transfer)
    db.session.flush()
    own = url_of("v1.event_import_detail", transfer.id)
    document = {**single_document(EVENT_IMPORT, transfer, viewer, query), "links": {"self": own}}
    db.session.commit()
    return document_response(document, 201, {"Location": own})


def download_export(id: int) -> Response:  # noqa: A002 - the name in the address
    """The file, for whoever asked for it, and admins.

    Raises:
        NotFound: there is no such export for the caller, or it has not succeeded.
        Gone: the file is kept no longer.
    """
    visible = EVENT_EXPORT.access.visible(current_viewer())
    transfer = db.session.scalar(select(Transfer).where(Transfer.id == id, visible).options(undefer(Transfer.content)))
    if transfer is None:
        raise NotFound(f"There is no event-export with the id {id}.")
    if transfer.state != SUCCEEDED:
        raise NotFound(f"This export has no file: it is {transfer.state}.")
    if not transfer.has_file or transfer.content is None:
        raise Gone("The file was kept for seven days, and is removed: export the event again.")
    return _file(transfer, transfer.content)


def download_page(id: int) -> Response:  # noqa: A002 - the name in the address
    """The same behind the link of the mail, whose token stands for a login."""
    if not opens(request.args.get("token", ""), id):
        text = _("The link is not valid or has expired: export the event again.")
        return message_page(_("That did not work"), text, 400)
    transfer = db.session.get(Transfer, id, options=[undefer(Transfer.content)])
    if transfer is None or not transfer.has_file or transfer.content is None:
        return message_page(_("The file is removed"), _("It was kept for seven days: export the event again."), 410)
    return _file(transfer, transfer.content)


def take_turn(viewer: Viewer) -> User:
    """The caller, whose row is locked, so that two requests at once are counted one after the other.

    Raises:
        TooManyRequests: enough exports and imports of his wait or run already.
    """
    user = db.session.scalars(select(User).where(User.id == viewer.id).with_for_update(key_share=True, of=User)).one()
    waiting = select(func.count()).where(Transfer.user_id == user.id, Transfer.state.in_((QUEUED, RUNNING)))
    if (db.session.scalar(waiting) or 0) >= MAX_OPEN:
        raise TooManyRequests(
            f"{MAX_OPEN} of your exports and imports wait or run: try again when one of them has ended.",
            headers={"Retry-After": "10"},
        )
    return user


def _check_exporter(event: Event, viewer: Viewer) -> None:
    if event.state != PUBLISHED and not viewer.has_role(event.id):
        # Whoever may not see a draft is told what he would be told if there were none.
        raise Unprocessable(f"There is no event with the id {event.id}.", pointer="/data/relationships/event/data")
    check_manager(event, viewer)


def _file(transfer: Transfer, content: bytes) -> Response:
    name = transfer.event.identifier if transfer.event else str(transfer.id)
    response = Response(content, content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="event-{name}.json"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
