"""The suppression list, for admins: who is on it and why; entering an address by hand; letting mail go to one again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.api.helpers.log import record_activity
from app.api.jsonapi.errors import explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.suppressions import SUPPRESSION
from app.api.viewer import Viewer
from app.delivery.recipients.suppression_list import forget
from app.models import Suppression, db
from app.models.suppression import MANUAL

explain("uq_suppressions_address", "This address is on the suppression list already.", "/data/attributes/address")


class SuppressionList(ListResource):
    """All addresses on the list; POST adds one by hand."""

    resource_type = SUPPRESSION

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Mapping[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        """The reason is that an admin says so."""
        data["reason"], data["user"] = MANUAL, viewer.user

    def after_create(self, obj: Suppression, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Log it."""
        record_activity("create_suppression", email=obj.address)


class SuppressionDetail(DetailResource):
    """One address on the list; DELETE, and mail goes to it again."""

    resource_type = SUPPRESSION

    def after_delete(self, obj: Suppression, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Begin to count soft bounces anew, and log it."""
        forget(db.session.connection(), [obj.address])
        record_activity("delete_suppression", email=obj.address, reason=obj.reason)
