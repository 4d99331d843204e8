"""The ways mail can leave: one file per provider, all behind the interface in `base`.

To add one, write its file, name it here, and let its tests subclass `TransportContract`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.delivery.transports.base import Transport
from app.delivery.transports.sendgrid import SendGridTransport
from app.delivery.transports.smtp import SmtpTransport

# From the value of `email-service` to what makes the transport from its configuration.
TRANSPORTS: Final[Mapping[str, Callable[[Any], Transport]]] = {
    "smtp": SmtpTransport,
    "sendgrid": SendGridTransport,
}
