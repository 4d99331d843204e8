"""Everything that the doctor looks at, in the order in which one thing needs the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.delivery.services.registry import Service, Services
from app.delivery.transports.base import SendGridConfig, SmtpConfig
from app.doctor.breakers import check_beat, check_breakers
from app.doctor.broker import check_broker
from app.doctor.configuration import check_configuration
from app.doctor.database import check_database, open_database, reading, said
from app.doctor.findings import Finding
from app.doctor.lookups import Lookups
from app.doctor.queue import check_queue
from app.doctor.realtime import check_realtime
from app.doctor.recipients import check_recipients
from app.doctor.retention import check_retention
from app.doctor.sender_domain import CHECK as SENDER
from app.doctor.sender_domain import SenderDomain, check_sender_domain
from app.doctor.sendgrid import check_sendgrid
from app.doctor.settings import check_settings
from app.doctor.smtp import check_smtp
from app.doctor.workers import check_workers
from config import Config

# What is found in the mails' own tables.
_OF_THE_TABLE: Final[Mapping[str, Callable[[Connection], list[Finding]]]] = {
    "queue": check_queue,
    "recipients": check_recipients,
    "retention": check_retention,
}
_SLOW: Final = "See what the database is busy with (pg_stat_activity), and look again."


def examine(environ: Mapping[str, str], lookups: Lookups | None = None) -> list[Finding]:
    """Look at everything that can be looked at, with what is found in the environment.

    Args:
        environ: the environment of the processes.
        lookups: the name server; by default the system's.
    """
    config, findings = check_configuration(environ)
    if config is None:
        return findings
    engine = open_database(config.database_url)
    is_readable, found = check_database(engine)
    findings += found
    answers, found = check_broker(config.redis_url)
    findings += found
    if environ.get("REALTIME_URL"):
        findings += check_realtime(config.realtime_url)
    broker = config.redis_url if answers else None
    if not is_readable:
        return findings + _workers(broker, check_workers(broker, None))
    findings += _workers(broker, _in_database(engine, "worker", lambda connection: check_workers(broker, connection)))
    findings += _mail(engine, config, broker, lookups or Lookups())
    for check, look in _OF_THE_TABLE.items():
        findings += _in_database(engine, check, look)
    return findings


def _workers(broker: str | None, found: list[Finding]) -> list[Finding]:
    """What was found about the workers, and about beat, which only a worker that answers can tell of."""
    return found + check_beat(broker) if broker and found[-1].level == "ok" else found


def _in_database(engine: Engine, check: str, look: Callable[[Connection], list[Finding]]) -> list[Finding]:
    """What a check finds in the database; if the database fails it, that."""
    try:
        with reading(engine) as connection:
            return look(connection)
    except SQLAlchemyError as error:
        return [Finding("warning", check, "database", f"It could not be asked: {said(error)}.", _SLOW)]


def _mail(engine: Engine, config: Config, broker: str | None, lookups: Lookups) -> list[Finding]:
    """The settings, and the services and the sender that they name."""
    known: list[Services] = []

    def settings(connection: Connection) -> list[Finding]:
        services, findings = check_settings(connection, config)
        known.extend([services] if services else [])
        return findings

    findings = _in_database(engine, "settings", settings)
    for services in known:
        for service in services.usable:
            found = _service(service, config, lookups)
            if service.name != services.names[0]:
                found = [_of_further(service, finding) for finding in found]
            # What is about the sender's domain is the same for all of them.
            findings += [finding for finding in found if finding not in findings]
        if broker and services.names:
            findings += check_breakers(broker, services.names)
    return findings


def _of_further(service: Service, finding: Finding) -> Finding:
    """What was found about a service that is asked when another fails: it keeps no mail from leaving by itself."""
    if finding.check == SENDER:
        return finding
    level = "warning" if finding.level == "problem" else finding.level
    return replace(finding, level=level, where=f"{service.name}: {finding.where}")


def _service(service: Service, config: Config, lookups: Lookups) -> list[Finding]:
    domain = service.sender.address.rpartition("@")[2].lower()
    if isinstance(service.config, SmtpConfig):
        sender = SenderDomain(domain, service.config.host, config.is_production)
        return check_smtp(service.config) + check_sender_domain(sender, lookups)
    if isinstance(service.config, SendGridConfig):
        sender = SenderDomain(domain, None, config.is_production)
        return check_sendgrid(service.config) + check_sender_domain(sender, lookups)
    return []
