"""What admins see and set: mails, settings, message settings, activities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from sqlalchemy import ColumnElement

from app.api.helpers.log import record_activity
from app.api.helpers.settings import STATUSES
from app.api.helpers.system_mails import CRITICAL
from app.api.jsonapi.access import require_visible
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Unprocessable
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.jsonapi.schema import dasherize
from app.api.mail_services import check_service, try_again
from app.api.schema.admin import ACTIVITY, MAIL, MAIL_EVENT, MESSAGE_SETTING, SETTING
from app.api.viewer import Viewer
from app.models import MessageSettings, Setting
from app.models.mail import MailEvent
from app.models.setting import SETTING_ID


class MailList(ListResource):
    """The log of all mails."""

    resource_type = MAIL


class MailDetail(DetailResource):
    """One mail."""

    resource_type = MAIL


class MailEventList(ListResource):
    """The timeline of a mail."""

    resource_type = MAIL_EVENT

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """That of the mail in the address."""
        require_visible(MAIL, view_kwargs["mail_id"], viewer)
        of_mail: ColumnElement[bool] = MailEvent.mail_id == view_kwargs["mail_id"]
        return of_mail


class SettingDetail(DetailResource):
    """The settings: one resource, at `/settings` and at `/settings/1`."""

    resource_type = SETTING

    def get(self, **view_kwargs: Any) -> Response:
        """The settings, their secrets as asterisks."""
        return super().get(**{"id": SETTING_ID, **view_kwargs})

    def before_update(self, obj: Setting, data: dict[str, Any], viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """The asterisks written back change nothing; a new mail server must be one that may be connected to."""
        check_service(obj, data)

    def after_update(self, obj: Setting, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Try the service and the mails again. The log has the names of what changed, never a value."""
        if changes:
            record_activity("update_settings", names=", ".join(sorted(changes)))
            try_again(obj.email_service)


class MessageSettingList(ListResource):
    """The switches of all actions."""

    resource_type = MESSAGE_SETTING


class MessageSettingDetail(DetailResource):
    """The switches of one action."""

    resource_type = MESSAGE_SETTING

    def before_update(self, obj: MessageSettings, data: dict[str, Any], viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """A critical action always sends its mails, and a critical type tells by all its channels."""
        if obj.action in CRITICAL and data.get("mail_status") is False:
            detail = "These mails cannot be switched off: without them nobody could confirm an address or log in again."
            raise Unprocessable(detail, pointer="/data/attributes/mail-status")
        if obj.declared is not None and obj.declared.is_critical:
            for name in (STATUSES[channel] for channel in obj.declared.channels):
                if data.get(name) is False:
                    detail = "This type is critical: the channels that it tells by cannot be switched off."
                    raise Unprocessable(detail, pointer=f"/data/attributes/{dasherize(name)}")

    def after_update(self, obj: MessageSettings, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Log the change."""
        if changes:
            record_activity("update_message_setting", action=obj.action)


class ActivityList(ListResource):
    """The log of who did what."""

    resource_type = ACTIVITY


class ActivityDetail(DetailResource):
    """One entry."""

    resource_type = ACTIVITY
