"""The services that mail goes through when the settings' own cannot take it; and what both have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.api.helpers.log import record_activity
from app.api.helpers.settings import get_config
from app.api.helpers.templates import MASK
from app.api.jsonapi.data_layer import Changes
from app.api.jsonapi.errors import Unprocessable, explain
from app.api.jsonapi.resources import DetailResource, ListResource
from app.api.schema.services import MAIL_SERVICE
from app.api.service_states import close_breaker, state_of
from app.api.viewer import Viewer
from app.delivery import network
from app.delivery.outcomes import wake
from app.delivery.services.registry import read_services
from app.models import MailService, Setting, db
from app.models.setting import SMTP

SECRETS: Final = ("sendgrid_key", "smtp_password")
# How long a request waits for the name server.
_LOOK_UP_SECONDS: Final = 3.0

explain("uq_mail_services_name", "There is a mail service of this name already.", "/data/attributes/name")


class MailServiceList(ListResource):
    """The further services; POST adds one."""

    resource_type = MAIL_SERVICE

    def list_meta(self, viewer: Viewer, view_kwargs: Mapping[str, Any], count: int | None) -> dict[str, Any]:  # noqa: ARG002 - the hook's signature
        """The services in the order in which they are tried, the settings' own too; what is wrong with one, or null."""
        services = read_services(db.session.connection(), get_config())
        wrong = {name: str(error) for name, error in services.wrong.items()}
        order = [{"name": name, "state": state_of(name), "problem": wrong.get(name)} for name in services.names]
        return {"order": order}

    def before_create(self, data: dict[str, Any], viewer: Viewer, view_kwargs: Mapping[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        """The mail server must be one that may be connected to; asterisks are no secret."""
        check_service(MailService(email_service=SMTP), data)

    def after_create(self, obj: MailService, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Try the mails again that wait for a server."""
        record_activity("create_mail_service", service=obj.name)
        try_again(obj.name)


class MailServiceDetail(DetailResource):
    """One further service."""

    resource_type = MAIL_SERVICE

    def before_update(self, obj: MailService, data: dict[str, Any], viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """The asterisks written back change nothing; a new mail server must be one that may be connected to."""
        check_service(obj, data)

    def after_update(self, obj: MailService, changes: Changes, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Try the service and the mails again. The log has the names of what changed, never a value."""
        if changes:
            record_activity("update_mail_service", service=obj.name, names=", ".join(sorted(changes)))
            try_again(obj.name, *(changes["name"][:1] if "name" in changes else ()))

    def after_delete(self, obj: MailService, viewer: Viewer) -> None:  # noqa: ARG002 - the hook's signature
        """Log it; a service of the same name begins anew."""
        record_activity("delete_mail_service", service=obj.name)
        close_breaker(obj.name)


def check_service(obj: Setting | MailService, data: dict[str, Any]) -> None:
    """Drop secrets that are only asterisks, and refuse a mail server that must not be connected to.

    Args:
        obj: the settings or the service, as they are.
        data: what is to change; asterisks are taken out.

    Raises:
        Unprocessable: the mail server is in a private network.
    """
    for name in SECRETS:
        if data.get(name) == MASK:
            del data[name]
    host, service = data.get("smtp_host"), data.get("email_service", obj.email_service)
    # One that is not in use may be sent back as it was read.
    if host and (host != obj.smtp_host or service == SMTP) and not get_config().allow_private_hosts:
        _check_host(host)


def try_again(*services: str) -> None:
    """Close the circuit breakers of these services, and make the mails due that wait for better settings."""
    close_breaker(*services)
    wake(db.session.connection())


def _check_host(host: str) -> None:
    """Refuse a host in a private network now; one that is not known now is the transport's to check, at every mail.

    Raises:
        Unprocessable: it is one.
    """
    try:
        network.check(host, network.look_up(host, 0, _LOOK_UP_SECONDS))
    except network.PrivateHostError as error:
        detail = f"{error}. Name a server in the public Internet, or let the operator set MAIL_ALLOW_PRIVATE_HOSTS."
        raise Unprocessable(detail, pointer="/data/attributes/smtp-host") from error
    except (OSError, ValueError):
        return
