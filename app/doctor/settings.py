"""The settings that admins change: whether mail can be sent by them, and whether their secrets can be read."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from app.delivery.services import DISABLED, Service, read_service
from app.delivery.transports.base import TransportError
from app.doctor.configuration import check_frontend
from app.doctor.findings import Finding
from app.models.types import EncryptedText
from config import Config

CHECK: Final = "settings"
# As they are stored, and not as the column's type would read them.
_ROW: Final = text("SELECT frontend_url, sendgrid_key, smtp_password FROM settings")
_PATCH: Final = "Change the mail settings: PATCH /v1/settings/1."


def check_settings(connection: Connection, config: Config) -> tuple[Service | None, list[Finding]]:
    """Read the settings; the service is None if they lack something."""
    findings = _secrets_and_address(connection, config)
    try:
        service = read_service(connection, config)
    except TransportError as error:
        return None, [*findings, Finding("problem", CHECK, "email-service", str(error), _PATCH)]
    if service.name == DISABLED:
        what = "Mail is switched off: every mail ends as suppressed."
        advice = "Set email-service to smtp or sendgrid, if mail is to leave."
        return service, [*findings, Finding("warning", CHECK, "email-service", what, advice)]
    what = f"Mail leaves by {service.name}, from {service.sender.address}."
    return service, [*findings, Finding("ok", CHECK, "email-service", what)]


def _secrets_and_address(connection: Connection, config: Config) -> list[Finding]:
    row = connection.execute(_ROW).mappings().one_or_none()
    if row is None:
        return []
    found: list[Finding] = []
    decrypt = EncryptedText().process_result_value
    for column in ("smtp_password", "sendgrid_key"):
        if row[column] is not None and decrypt(row[column], connection.dialect) is None:
            name = column.replace("_", "-")
            what = f"No key of SETTINGS_KEY can decrypt {name}, so it counts as not set."
            advice = "Put the key back that it was stored with, or set it anew."
            found.append(Finding("problem", CHECK, name, what, advice))
    if row["frontend_url"]:
        found += check_frontend(row["frontend_url"], "frontend-url", config)
    return found
