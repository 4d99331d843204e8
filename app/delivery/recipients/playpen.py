"""The playpen: outside production, mail leaves only to addresses and domains that were allowed by name."""

from __future__ import annotations

from collections.abc import Iterable

from app.delivery.recipients.simulator import is_simulated
from config import Config


def refused(recipients: Iterable[str], config: Config) -> list[str]:
    """Those of the recipients that mail may not leave to; none in production. To simulated ones it does not leave."""
    if config.is_production:
        return []
    allowed = config.allowed_recipients
    return [address for address in recipients if not (is_simulated(address, config) or is_allowed(address, allowed))]


def is_allowed(address: str, allowed: Iterable[str]) -> bool:
    """Whether an address is one of those allowed: itself, or in an allowed domain or a domain below it."""
    address = address.lower()
    domain = address.rpartition("@")[2]
    return any(
        address == entry if "@" in entry else domain == entry or domain.endswith(f".{entry}") for entry in allowed
    )
