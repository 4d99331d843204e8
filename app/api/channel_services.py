"""The services that carry SMS and chat, for admins; their addresses are secrets, checked before they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.api.helpers.log import record_activity
from app.api.helpers.settings import get_config
from app.api.helpers.templates import MASK
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Unprocessable, explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.channels import CHANNEL_SERVICE
from app.api.service_states import close_breaker
from app.api.viewer import Viewer
from app.delivery import network
from app.delivery.channels.address import ServiceAddressError, check_address, host_of
from app.delivery.channels.drain import breaker_name
from app.delivery.channels.outcomes import wake
from app.models import ChannelService, db

_URL: Final = "/data/attributes/url"
# How long a request waits for the name server.
_LOOK_UP_SECONDS: Final = 3.0

explain("uq_channel_services_name", "There is a service of this name already.", "/data/attributes/name")


class ChannelServiceList(ListResource):
    """All services; POST adds one."""

    resource_type = CHANNEL_SERVICE

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Mapping[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        """The address must be one that Apprise can use, and that may be asked."""
        if data["url"] == MASK:
            raise Unprocessable("Write the address itself: asterisks only stand for one that is stored.", pointer=_URL)
        _check(data["url"], data["channel"])

    def after_create(self, obj: ChannelService, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Try the messages again that wait for a service."""
        record_activity("create_channel_service", service=obj.name)
        _try_again(obj, obj.name)


class ChannelServiceDetail(DetailResource):
    """One service."""

    resource_type = CHANNEL_SERVICE

    def before_update(self, obj: ChannelService, data: dict[str, Any], viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """The asterisks written back change nothing; what is new must be one that can be used."""
        if data.get("url") == MASK:
            del data["url"]
        url, channel = data.get("url", obj.url), data.get("channel", obj.channel)
        if url is not None and (url, channel) != (obj.url, obj.channel):
            _check(url, channel)

    def after_update(self, obj: ChannelService, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Try the service and the messages again. The log has the names of what changed, never a value."""
        if changes:
            record_activity("update_channel_service", service=obj.name, names=", ".join(sorted(changes)))
            _try_again(obj, obj.name, *(changes["name"][:1] if "name" in changes else ()))

    def after_delete(self, obj: ChannelService, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Log it; a service of the same name begins anew."""
        record_activity("delete_channel_service", service=obj.name)
        close_breaker(breaker_name(obj.name))


def _try_again(service: ChannelService, *names: str) -> None:
    close_breaker(*(breaker_name(name) for name in names))
    wake(db.session.connection(), service.channel)


def _check(url: str, channel: str) -> None:
    """Refuse an address that Apprise cannot use, or that leads into a private network.

    A host that is not known now is looked at again when a message is sent.

    Raises:
        Unprocessable: it is one; the detail repeats nothing of it.
    """
    try:
        check_address(url, channel)
        host = host_of(url, channel)
    except ServiceAddressError as error:
        raise Unprocessable(str(error), pointer=_URL) from None
    if host is None or get_config().allow_private_hosts:
        return
    try:
        network.check(host, network.look_up(host, 0, _LOOK_UP_SECONDS))
    except network.PrivateHostError:
        detail = (
            "Its host is not in the public Internet. Name another, or let the operator set MAIL_ALLOW_PRIVATE_HOSTS."
        )
        raise Unprocessable(detail, pointer=_URL) from None
    except (OSError, ValueError):
        return
