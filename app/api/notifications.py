"""Notifications: the inbox of a user, and the admin's log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response
from sqlalchemy import ColumnElement, Select, func, select

from app.api.jsonapi.access import require_visible
from app.api.jsonapi.document import read_json
from app.api.jsonapi.errors import BadRequest, Forbidden
from app.api.jsonapi.idempotency import commit_with
from app.api.jsonapi.pages import Rows
from app.api.jsonapi.query import Query
from app.api.jsonapi.relationships import RelationshipResource
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.jsonapi.response import document_response
from app.api.marks import mark_all, mark_named
from app.api.schema.notifications import NOTIFICATION
from app.api.schema.users import USER
from app.api.unchanged import count_once, numbers, unread_once, with_validators
from app.api.viewer import Viewer, current_viewer
from app.inbox.page import count_all, read_page
from app.inbox.unread import inbox, unread_count
from app.models import Notification, db
from app.models.base import utc_now


class NotificationListAdmin(ListResource):
    """All notifications, those that their owners have removed too."""

    resource_type = NOTIFICATION


class NotificationList(ListResource):
    """A user's notifications; PATCH marks many of them with one UPDATE."""

    resource_type = NOTIFICATION

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """The user's, without those that he has removed."""
        user_id = view_kwargs["user_id"]
        _require_user(user_id, viewer)
        return inbox(user_id)

    def get(self, **view_kwargs: Any) -> Response:
        """A page; 304 if it is the one that the client has was answered before (see `app/api/unchanged.py`)."""
        response = super().get(**view_kwargs)
        return with_validators(response, self.asked)

    def load(self, query: Query, view_kwargs: Mapping[str, Any]) -> Rows:
        """The owner's plain page, which nearly all ask for, is read by a statement that is made once."""
        self.asked = query
        user_id = view_kwargs["user_id"]
        is_plain, is_read = _is_plain(query)
        if not is_plain or not self.viewer.is_self(user_id):
            return super().load(query, view_kwargs)
        page = query.page
        rows = read_page(user_id, is_read, page.size, page.offset)
        # A page that is not full tells the number of all rows without another question.
        if len(rows) < page.size and (rows or page.offset == 0):
            return Rows(list(rows), page.offset + len(rows))
        return Rows(list(rows), count_once(lambda: count_all(user_id, is_read)))

    def count_rows(self, statement: Select[int], query: Query, view_kwargs: Mapping[str, Any]) -> int:
        """How many there are: counted once for each version of the inbox, unless a filter asks what others change."""
        if not query.is_of_one_type:
            return super().count_rows(statement, query, view_kwargs)
        return count_once(lambda: db.session.scalar(statement) or 0)

    def list_meta(self, viewer: Viewer, view_kwargs: Mapping[str, Any], count: int | None) -> dict[str, Any]:  # noqa: ARG002 - the hook's signature
        """Every answer carries the number for the badge."""
        return {"unread-count": unread_once(lambda: unread_count(view_kwargs["user_id"]))}

    def patch(self, user_id: int) -> Response:
        """Mark the notifications that are named, or all that came before a time."""
        body = read_json()
        if ("data" in body) == ("meta" in body):
            raise BadRequest('The body must have either "data": [...] or "meta": {...}.', pointer="")
        updated = mark_named(user_id) if "data" in body else mark_all(user_id, body["meta"])
        unread = unread_count(user_id)
        return commit_with(document_response({"meta": {"updated": updated, "unread-count": unread}}))


class NotificationDetail(DetailResource):
    """One notification: its owner marks and removes it, an admin only reads it."""

    resource_type = NOTIFICATION

    def before_update(self, obj: Notification, data: dict[str, Any], viewer: Viewer) -> None:
        """`is_read` is all that ever changes; the time of reading follows from it."""
        _check_owner(obj, viewer)
        if "is_read" in data:
            obj.mark(is_read=data.pop("is_read"))

    def before_delete(self, obj: Notification, viewer: Viewer) -> None:
        """Its owner removes it."""
        _check_owner(obj, viewer)

    def remove(self, obj: Notification) -> None:
        """Hide it from its owner; the admin's log keeps it."""
        obj.deleted_at = obj.deleted_at or utc_now()


class NotificationUser(RelationshipResource):
    """Whose notification it is: the user, or (at `/relationships/user`) the identifier."""

    resource_type = NOTIFICATION
    relation = "user"


def notification_count(user_id: int) -> Response:
    """How many there are, and how many are unread."""
    _require_user(user_id, current_viewer())
    counted = select(func.count()).select_from(Notification).where(inbox(user_id))
    count, unread = count_once(lambda: db.session.scalar(counted) or 0), unread_once(lambda: unread_count(user_id))
    return with_validators(document_response({"meta": numbers(count, unread)}))


def _is_plain(query: Query) -> tuple[bool, bool | None]:
    """Whether a query asks for a page in the usual order, of all or of the read or unread ones; and of which."""
    if query.include or query.sort or query.page.style == "cursor" or len(query.filters) > 1:
        return False, None
    if not query.filters:
        return True, None
    asked = query.filters[0]
    is_read = _TRUTHS.get(asked.node["val"]) if asked.is_text and asked.parameter in _READ_FILTERS else None
    return is_read is not None, is_read


_READ_FILTERS: Final = frozenset({"filter[is-read]", "filter[is_read]", "filter[read]"})
_TRUTHS: Final = {"true": True, "false": False}


def _require_user(user_id: int, viewer: Viewer) -> None:
    """Tell an admin that there is no such user; anybody else is the user himself."""
    if viewer.is_admin:
        require_visible(USER, user_id, viewer)


def _check_owner(notification: Notification, viewer: Viewer) -> None:
    if not viewer.is_self(notification.user_id):
        raise Forbidden("Only the owner of a notification may change it.")
