"""Which transport sends, as the admin's settings say at this moment, and in whose name."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.delivery.transports import TRANSPORTS
from app.delivery.transports.base import ConfigurationError, SmtpConfig, Transport
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
    config: SmtpConfig | None = None


def read_service(connection: Connection, config: Config) -> Service:
    """Read the settings: at every batch, so that a change takes effect in every worker at once."""
    row = connection.execute(select(Setting.__table__).where(Setting.id == SETTING_ID)).one_or_none()
    if row is None:
        raise ConfigurationError("The table of settings is empty: run `python manage.py db upgrade`.")
    sender = Sender(
        address=row.email_from,
        name=row.email_from_name or row.app_name,
        app_name=row.app_name,
        frontend_url=(row.frontend_url or config.frontend_url).rstrip("/"),
    )
    if row.email_service != "smtp":
        return Service(row.email_service, sender)
    if not row.smtp_host:
        raise ConfigurationError("No SMTP server is set: PATCH /v1/settings/1 with smtp-host and smtp-port.")
    return Service(
        "smtp",
        sender,
        SmtpConfig(
            host=row.smtp_host,
            port=row.smtp_port or (465 if row.smtp_encryption == "ssl" else 587),
            username=row.smtp_username or None,
            password=row.smtp_password or None,
            encryption=row.smtp_encryption,
            ca_file=config.smtp_ca_file or None,
        ),
    )


class _Kept(threading.local):
    """The transport that this thread of this process keeps open, and what it was made from."""

    config: SmtpConfig | None = None
    transport: Transport | None = None


_kept = _Kept()


def transport_for(service: Service) -> Transport:
    """The open transport of this worker; a new one if the settings have changed.

    Raises:
        ConfigurationError: the service is one that this version cannot send through.
    """
    make = TRANSPORTS.get(service.name)
    if make is None or service.config is None:
        raise ConfigurationError(
            f"The e-mail service {service.name!r} is not available: set email-service to one of "
            f"{', '.join(TRANSPORTS)} or {DISABLED!r}."
        )
    if _kept.transport is None or _kept.config != service.config:
        close_transport()
        _kept.transport, _kept.config = make(service.config), service.config
    return _kept.transport


def close_transport() -> None:
    """Close what this worker keeps open."""
    if _kept.transport is not None:
        _kept.transport.close()
    _kept.transport = _kept.config = None
