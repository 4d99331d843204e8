"""Which transport sends, as the admin's settings say at this moment, and in whose name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from app.delivery.transports import TRANSPORTS
from app.delivery.transports.base import (
    ConfigurationError,
    SendGridConfig,
    SmtpConfig,
    Transport,
    TransportConfig,
)
from app.models import Setting
from app.models.setting import SETTING_ID
from config import Config

DISABLED = "disable"


@dataclass(frozen=True)
class Sender:
    """Who a mail comes from, and what its frame says."""

    address: str
    name: str
    app_name: str
    frontend_url: str


@dataclass(frozen=True)
class Service:
    """The mail service as the settings have it; `config` is what its transport is made from."""

    name: str
    sender: Sender
    config: TransportConfig | None = None


def read_service(connection: Connection, config: Config) -> Service:
    """Read the settings: at every batch, so that a change takes effect in every worker at once.

    Raises:
        ConfigurationError: they lack something; it says what to set.
    """
    row = connection.execute(select(Setting.__table__).where(Setting.id == SETTING_ID)).one_or_none()
    if row is None:
        raise ConfigurationError("The table of settings is empty: run `python manage.py db upgrade`.")
    configure = _CONFIGURE.get(row.email_service)
    return Service(row.email_service, sender_of(row, config), configure(row, config) if configure else None)


def sender_of(settings: Setting | Row[Any], config: Config) -> Sender:
    """In whose name mails are sent, as the settings say."""
    return Sender(
        address=settings.email_from,
        name=settings.email_from_name or settings.app_name,
        app_name=settings.app_name,
        frontend_url=(settings.frontend_url or config.frontend_url).rstrip("/"),
    )


def _smtp(row: Row[Any], config: Config) -> SmtpConfig:
    if not row.smtp_host:
        raise ConfigurationError("No SMTP server is set: PATCH /v1/settings/1 with smtp-host and smtp-port.")
    return SmtpConfig(
        host=row.smtp_host,
        port=row.smtp_port or (465 if row.smtp_encryption == "ssl" else 587),
        username=row.smtp_username or None,
        password=row.smtp_password or None,
        encryption=row.smtp_encryption,
        ca_file=config.smtp_ca_file or None,
        allow_private=config.allow_private_hosts,
    )


def _sendgrid(row: Row[Any], config: Config) -> SendGridConfig:
    if not row.sendgrid_key:
        raise ConfigurationError("No key for SendGrid is set: PATCH /v1/settings/1 with sendgrid-key.")
    return SendGridConfig(
        api_key=row.sendgrid_key, api_url=config.sendgrid_api_url, ca_file=config.smtp_ca_file or None
    )


# From the value of `email-service` to what makes its transport's configuration from the row of settings.
_CONFIGURE: Final[Mapping[str, Callable[[Row[Any], Config], TransportConfig]]] = {"smtp": _smtp, "sendgrid": _sendgrid}


class _Kept(threading.local):
    """The transport that this thread of this process keeps open, and what it was made from."""

    config: TransportConfig | None = None
    transport: Transport | None = None


_kept = _Kept()


def new_transport(service: Service) -> Transport:
    """A transport of its own for the service.

    Raises:
        ConfigurationError: the service is one that this version cannot send through.
    """
    make = TRANSPORTS.get(service.name)
    if make is None or service.config is None:
        raise ConfigurationError(
            f"The e-mail service {service.name!r} is not available: set email-service to one of "
            f"{', '.join(TRANSPORTS)} or {DISABLED!r}."
        )
    return make(service.config)


def transport_for(service: Service) -> Transport:
    """The open transport of this worker; a new one if the settings have changed.

    Raises:
        ConfigurationError: the service is one that this version cannot send through.
    """
    if _kept.transport is None or _kept.config is None or _kept.config != service.config:
        close_transport()
        _kept.transport, _kept.config = new_transport(service), service.config
    return _kept.transport


def close_transport() -> None:
    """Close what this worker keeps open."""
    if _kept.transport is not None:
        _kept.transport.close()
    _kept.transport = _kept.config = None
