"""The types of happenings: everybody may know them, admins and programs with the scope for it declare new ones."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from app.api.helpers.log import record_activity
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Forbidden, Unprocessable, explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.event_types import EVENT_TYPE
from app.api.viewer import Viewer
from app.models import EventTypeRow, MessageSettings, db
from app.models.event_type import API

explain("uq_event_types_name", "There is a type of this name already.", "/data/attributes/name")


class EventTypeList(ListResource):
    """All types, the program's and those that were declared here; POST declares one."""

    resource_type = EVENT_TYPE

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Any) -> None:  # noqa: ARG002 - the hook's signature
        """What no admin and no user can switch off is an admin's to declare."""
        if data.get("is_critical") and not viewer.is_admin:
            raise Forbidden("Only an admin may declare a critical type.", pointer="/data/attributes/is-critical")
        data["origin"] = API

    def after_create(self, obj: EventTypeRow, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Give the admins the switches of its channels."""
        db.session.execute(insert(MessageSettings).values(action=obj.name).on_conflict_do_nothing())
        record_activity("create_event_type", type=obj.name)


class EventTypeDetail(DetailResource):
    """One type; those of the program are changed in the program."""

    resource_type = EVENT_TYPE

    def before_update(self, obj: EventTypeRow, data: dict[str, Any], viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Its name stays: happenings and listens have it."""
        _check_origin(obj)
        if data.get("name", obj.name) != obj.name:
            raise Unprocessable("The name of a type stays: declare another.", pointer="/data/attributes/name")

    def after_update(self, obj: EventTypeRow, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Log the change."""
        if changes:
            record_activity("update_event_type", type=obj.name, names=", ".join(sorted(changes)))

    def before_delete(self, obj: EventTypeRow, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Only what was declared over the API."""
        _check_origin(obj)

    def after_delete(self, obj: EventTypeRow, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Its switches go with it; happenings keep their type's name, and listens wait for what does not come."""
        db.session.execute(delete(MessageSettings).where(MessageSettings.action == obj.name))
        record_activity("delete_event_type", type=obj.name)


def _check_origin(event_type: EventTypeRow) -> None:
    if event_type.origin != API:
        raise Forbidden("The program itself declares this type: it is changed in the program.")
