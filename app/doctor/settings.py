"""The settings that admins change: whether mail can be sent by them, and whether their secrets can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from app.delivery.services.registry import Services, read_services
from app.delivery.transports.base import TransportError
from app.doctor.configuration import check_frontend
from app.doctor.findings import Finding, Level
from app.models.types import EncryptedText
from config import Config

CHECK: Final = "settings"
# As they are stored, and not as the column's type would read them.
_ROW: Final = text(
    "SELECT frontend_url, email_service, sendgrid_key, smtp_password, sendgrid_webhook_key FROM settings"
)
_FURTHER: Final = text("SELECT id, name, is_enabled, email_service, sendgrid_key, smtp_password FROM mail_services")
_PATCH: Final = "Change the mail settings: PATCH /v1/settings/1."


def check_settings(connection: Connection, config: Config) -> tuple[Services | None, list[Finding]]:
    """Read the settings and the further services; None if there are no settings."""
    findings = [*_secrets_and_address(connection, config), *_webhook(connection)]
    try:
        services = read_services(connection, config)
    except TransportError as error:
        return None, [*findings, Finding("problem", CHECK, "email-service", str(error), _PATCH)]
    return services, [*findings, *_services(services)]


def _services(services: Services) -> Iterator[Finding]:
    if services.is_disabled:
        what = "Mail is switched off: every mail ends as suppressed."
        advice = "Set email-service to smtp or sendgrid, if mail is to leave."
        yield Finding("warning", CHECK, "email-service", what, advice)
        return
    # While another service can be used, mail leaves all the same.
    level: Level = "warning" if services.usable else "problem"
    own = services.names[0]
    for name, error in services.wrong.items():
        where, advice = ("email-service", _PATCH) if name == own else (name, "Change it at /v1/mail-services.")
        yield Finding(level, CHECK, where, str(error), advice)
    names = [service.name for service in services.usable]
    if names:
        then = f", and where that fails by {', '.join(names[1:])}" if names[1:] else ""
        what = f"Mail leaves by {names[0]}{then}, from {services.sender.address}."
        yield Finding("ok", CHECK, "email-service", what)


def _secrets_and_address(connection: Connection, config: Config) -> list[Finding]:
    row = connection.execute(_ROW).mappings().one_or_none()
    if row is None:
        return []
    found = list(_secrets(connection, row, ""))
    for further in connection.execute(_FURTHER).mappings():
        found += _secrets(connection, further, f"{further['name']}: ")
    if row["frontend_url"]:
        found += check_frontend(row["frontend_url"], "frontend-url", config)
    return found


def _secrets(connection: Connection, row: Mapping[Any, Any], prefix: str) -> Iterator[Finding]:
    decrypt = EncryptedText().process_result_value
    for column in ("smtp_password", "sendgrid_key"):
        if row[column] is not None and decrypt(row[column], connection.dialect) is None:
            name = f"{prefix}{column.replace('_', '-')}"
            what = f"No key of SETTINGS_KEY can decrypt {name}, so it counts as not set."
            advice = "Put the key back that it was stored with, or set it anew."
            yield Finding("problem", CHECK, name, what, advice)


def _webhook(connection: Connection) -> Iterator[Finding]:
    """SendGrid takes nearly everything, and tells afterwards what became of it: to nobody, if its key is not known."""
    row: Row[Any] | None = connection.execute(_ROW).one_or_none()
    if row is None or row.email_service == "disable" or row.sendgrid_webhook_key:
        return
    kinds = [row.email_service, *(each.email_service for each in connection.execute(_FURTHER) if each.is_enabled)]
    if "sendgrid" in kinds:
        what = "What SendGrid tells of bounces and complaints is taken from nobody, since its key is not known."
        advice = (
            "Switch on the Event Webhook with its signature at SendGrid, for POST /v1/webhooks/sendgrid, and set"
            " sendgrid-webhook-key to its verification key: PATCH /v1/settings/1."
        )
        yield Finding("warning", CHECK, "sendgrid-webhook-key", what, advice)
