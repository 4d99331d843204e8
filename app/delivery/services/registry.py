"""Which services mail may go through, as the admins say at this moment, in which order, and in whose name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from app.delivery.services.buckets import Limits
from app.delivery.transports import TRANSPORTS
from app.delivery.transports.base import (
    ConfigurationError,
    SendGridConfig,
    SmtpConfig,
    Transport,
    TransportConfig,
)
from app.models import MailService, Setting
from app.models.setting import SETTING_ID
from config import Config

DISABLED: Final = "disable"
_UNLIMITED: Final = Limits()
# Where the settings' own service is changed, and a further one.
_OWN: Final = f"/v1/settings/{SETTING_ID}"
_FURTHER: Final = "/v1/mail-services/{}"


@dataclass(frozen=True)
class Sender:
    """Who a mail comes from, and what its frame says."""

    address: str
    name: str
    app_name: str
    frontend_url: str


@dataclass(frozen=True)
class Service:
    """A mail service.

    Attributes:
        name: what the timeline, the metrics and Redis call it: that of the settings bears its kind.
        kind: `smtp` or `sendgrid`; `disable`, if the settings say that nothing is sent.
        sender: in whose name it sends.
        config: what its transport is made from; None if nothing is sent.
        limits: what it takes from us.
    """

    name: str
    kind: str
    sender: Sender
    config: TransportConfig | None = None
    limits: Limits = _UNLIMITED


@dataclass(frozen=True)
class Services:
    """All services: that of the settings, then the enabled ones of the table by their position.

    Attributes:
        sender: in whose name they send.
        usable: those that can be tried.
        wrong: of those that cannot, by name, what is wrong with them.
        names: the names of all, in the order in which they are tried.
        is_disabled: whether the settings say that nothing is sent, through none of them.
    """

    sender: Sender
    usable: tuple[Service, ...] = ()
    wrong: Mapping[str, ConfigurationError] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    is_disabled: bool = False


def read_services(connection: Connection, config: Config) -> Services:
    """Read the settings and the table: at every batch, so that a change takes effect in every worker at once.

    Raises:
        ConfigurationError: there are no settings.
    """
    settings = _settings(connection)
    sender = sender_of(settings, config)
    if settings.email_service == DISABLED:
        return Services(sender, is_disabled=True)
    table = MailService.__table__
    further = connection.execute(select(table).where(table.c.is_enabled).order_by(table.c.position, table.c.id))
    usable: list[Service] = []
    wrong: dict[str, ConfigurationError] = {}
    found = [
        (settings.email_service, settings, _OWN),
        *((row.name, row, _FURTHER.format(row.id)) for row in further),
    ]
    for name, row, where in found:
        try:
            usable.append(_service(name, row, sender, config, where))
        except ConfigurationError as error:
            error.service = name
            wrong[name] = error
    return Services(sender, tuple(usable), wrong, tuple(name for name, _, _ in found))


def read_service(connection: Connection, config: Config) -> Service:
    """The service of the settings alone.

    Raises:
        ConfigurationError: they lack something; it says what to set.
    """
    settings = _settings(connection)
    sender = sender_of(settings, config)
    if settings.email_service == DISABLED:
        return Service(DISABLED, DISABLED, sender)
    return _service(settings.email_service, settings, sender, config, _OWN)


def find_service(connection: Connection, config: Config, name: str | None) -> Service | None:
    """The service of this name, also one that is not enabled; the settings' own if None; None if there is none.

    Raises:
        ConfigurationError: it lacks something; it says what to set.
    """
    settings = _settings(connection)
    if name is None or name == settings.email_service:
        return read_service(connection, config)
    table = MailService.__table__
    row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
    if row is None:
        return None
    return _service(row.name, row, sender_of(settings, config), config, _FURTHER.format(row.id))


def _settings(connection: Connection) -> Row[Any]:
    row = connection.execute(select(Setting.__table__).where(Setting.id == SETTING_ID)).one_or_none()
    if row is None:
        raise ConfigurationError("The table of settings is empty: run `python manage.py db upgrade`.")
    return row


def sender_of(settings: Setting | Row[Any], config: Config) -> Sender:
    """In whose name mails are sent, as the settings say."""
    return Sender(
        address=settings.email_from,
        name=settings.email_from_name or settings.app_name,
        app_name=settings.app_name,
        frontend_url=(settings.frontend_url or config.frontend_url).rstrip("/"),
    )


def _service(name: str, row: Row[Any], sender: Sender, config: Config, where: str) -> Service:
    """A service from its row: the columns of both tables bear the same names.

    Raises:
        ConfigurationError: the row lacks something; it says what to set, and `where`.
    """
    made = _CONFIGURE[row.email_service](row, config, where)
    return Service(name, row.email_service, sender, made, Limits(row.mails_per_second, row.mails_per_day))


def _smtp(row: Row[Any], config: Config, where: str) -> SmtpConfig:
    if not row.smtp_host:
        raise ConfigurationError(f"No SMTP server is set: PATCH {where} with smtp-host and smtp-port.")
    return SmtpConfig(
        host=row.smtp_host,
        port=row.smtp_port or (465 if row.smtp_encryption == "ssl" else 587),
        username=row.smtp_username or None,
        password=row.smtp_password or None,
        encryption=row.smtp_encryption,
        ca_file=config.smtp_ca_file or None,
        allow_private=config.allow_private_hosts,
    )


def _sendgrid(row: Row[Any], config: Config, where: str) -> SendGridConfig:
    if not row.sendgrid_key:
        raise ConfigurationError(f"No key for SendGrid is set: PATCH {where} with sendgrid-key.")
    return SendGridConfig(
        api_key=row.sendgrid_key, api_url=config.sendgrid_api_url, ca_file=config.smtp_ca_file or None
    )


# From the value of `email-service` to what makes its transport's configuration from a row.
_CONFIGURE: Final[Mapping[str, Callable[[Row[Any], Config, str], TransportConfig]]] = {
    "smtp": _smtp,
    "sendgrid": _sendgrid,
}


class _Kept(threading.local):
    """The transports that this thread of this process keeps open, by their services' names."""

    def __init__(self) -> None:
        self.transports: dict[str, tuple[TransportConfig, Transport]] = {}


_kept = _Kept()


def new_transport(service: Service) -> Transport:
    """A transport of its own for the service.

    Raises:
        ConfigurationError: the service is one that this version cannot send through.
    """
    make = TRANSPORTS.get(service.kind)
    if make is None or service.config is None:
        raise ConfigurationError(
            f"The e-mail service {service.kind!r} is not available: set email-service to one of "
            f"{', '.join(TRANSPORTS)} or {DISABLED!r}."
        )
    return make(service.config)


def transport_for(service: Service) -> Transport:
    """The open transport of this worker; a new one if the service's settings have changed.

    Raises:
        ConfigurationError: the service is one that this version cannot send through.
    """
    kept = _kept.transports.get(service.name)
    if kept is not None and kept[0] == service.config:
        return kept[1]
    _close(service.name)
    transport = new_transport(service)
    if service.config is not None:
        _kept.transports[service.name] = service.config, transport
    return transport


def close_transport() -> None:
    """Close whatever this worker keeps open."""
    close_others(())


def close_others(names: Collection[str]) -> None:
    """Close what this worker keeps open of services other than these: they were taken out of the settings."""
    for name in _kept.transports.keys() - set(names):
        _close(name)


def _close(name: str) -> None:
    kept = _kept.transports.pop(name, None)
    if kept is not None:
        kept[1].close()
