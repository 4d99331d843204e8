"""SMS and chat messages with their timelines, for admins to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from app.api.jsonapi.access import require_visible
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.channels import CHANNEL_MESSAGE, CHANNEL_MESSAGE_EVENT
from app.api.viewer import Viewer
from app.models import ChannelMessageEvent


class ChannelMessageList(ListResource):
    """The log of all messages."""

    resource_type = CHANNEL_MESSAGE


class ChannelMessageDetail(DetailResource):
    """One message."""

    resource_type = CHANNEL_MESSAGE


class ChannelMessageEventList(ListResource):
    """The timeline of a message."""

    resource_type = CHANNEL_MESSAGE_EVENT

    def scope(self, viewer: Viewer, view_kwargs: Mapping[str, Any]) -> ColumnElement[bool] | None:
        """That of the message in the address."""
        require_visible(CHANNEL_MESSAGE, view_kwargs["message_id"], viewer)
        of_message: ColumnElement[bool] = ChannelMessageEvent.message_id == view_kwargs["message_id"]
        return of_message
