"""Simulated recipients: outside production, addresses whose mails never leave and end as their names say.

All else is as with real ones: the mail is claimed, rendered, taken or refused, and what a provider would tell of it
afterwards is recorded as if it had been told. So each status can be seen, and tested against, without a mail server.
In production there are none: these are addresses like any other, in a domain that is nobody's (RFC 6761, 6.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Engine

from app.delivery.claims import ClaimedMail
from app.delivery.inbound.events import EventKind, MailEvent
from app.delivery.inbound.record import record
from app.delivery.transports.base import (
    Envelope,
    PermanentError,
    Receipt,
    Reply,
    ThrottledError,
    TransientError,
    TransportError,
)
from config import Config

SIMULATOR: Final = "simulator"
DOMAIN: Final = "simulator.test"
# Seconds that the simulated provider asks to wait when it throttles.
RETRY_AFTER: Final = 1.0
_NOTHING: Final = Reply()


@dataclass(frozen=True)
class _End:
    """What becomes of a mail.

    Attributes:
        events: what is told of it after it was taken.
        error: made of the words about it, in place of taking it; None, it is taken.
        tries: how many tries meet the error; None, all do.
        reply: what the simulated server says.
    """

    events: tuple[EventKind, ...] = ()
    error: Callable[[str, Reply], TransportError] | None = None
    tries: int | None = None
    reply: Reply = _NOTHING


def _throttled(text: str, reply: Reply) -> TransportError:
    return ThrottledError(text, reply, provider=SIMULATOR, retry_after=RETRY_AFTER)


def _put_off(text: str, reply: Reply) -> TransportError:
    return TransientError(text, reply, provider=SIMULATOR)


def _in_doubt(text: str, reply: Reply) -> TransportError:
    return TransientError(text, reply, provider=SIMULATOR, maybe_accepted=True)


def _failed(text: str, reply: Reply) -> TransportError:
    return PermanentError(text, reply, provider=SIMULATOR)


ENDS: Final[Mapping[str, _End]] = {
    "sent": _End(),
    "delivered": _End(("delivered",)),
    "bounced": _End(("bounced",)),
    "complained": _End(("delivered", "complained")),
    "rejected": _End(("rejected",)),
    "throttled": _End(("delivered",), _throttled, 1, Reply(450, "4.7.1", "Too many mails: try again in 1 second")),
    "deferred": _End((), _put_off, None, Reply(451, "4.3.0", "Not now")),
    "failed": _End((), _failed, None, Reply(550, "5.1.1", "No such user")),
    "uncertain": _End((), _in_doubt),
}
_TEXTS: Final[Mapping[EventKind, tuple[int, str, str]]] = {
    "delivered": (250, "2.0.0", "Delivered, as the simulator plays it."),
    "bounced": (550, "5.1.1", "There is no such mailbox, as the simulator plays it."),
    "complained": (250, "2.0.0", "The recipient calls it spam, as the simulator plays it."),
    "rejected": (554, "5.7.1", "The provider took it and did not try, as the simulator plays it."),
}
# What says something of the address, not of the mail alone.
_OF_THE_ADDRESS: Final[frozenset[EventKind]] = frozenset({"bounced", "complained"})


def is_simulated(address: str, config: Config) -> bool:
    """Whether mail to this address is only played."""
    return not config.is_production and address.lower().endswith(f"@{DOMAIN}")


def simulate(envelope: Envelope, attempts: int) -> Receipt:
    """Take or refuse a mail as its recipient's name says; a `+` and what follows it do not count.

    Args:
        envelope: the mail.
        attempts: how often it was tried before.

    Raises:
        TransportError: as the name says; a permanent one, if the name is none of those that are known.
    """
    end = ENDS.get(_name(envelope.recipient))
    if end is None:
        text = f"{DOMAIN} has no recipient of this name: take {', '.join(ENDS)}, each with or without a +tag."
        raise PermanentError(text, Reply(550, "5.1.1", "No such user"), provider=SIMULATOR)
    if end.error is not None and (end.tries is None or attempts < end.tries):
        said = f"{end.reply.code} {end.reply.response}" if end.reply.code else "the connection was lost"
        raise end.error(f"The simulator, for {envelope.recipient}: {said}.", end.reply)
    return Receipt(SIMULATOR, f"simulated-{envelope.message_id}", "250 2.0.0 Ok: simulated")


def tell(engine: Engine, mail: ClaimedMail) -> None:
    """Record what a provider would tell of a mail that it has taken, in a transaction of its own."""
    end = ENDS.get(_name(mail.recipient), _End())
    now = datetime.now(UTC)
    events = [_event(kind, mail, now + timedelta(milliseconds=place)) for place, kind in enumerate(end.events)]
    if events:
        with engine.begin() as connection:
            record(connection, events)


def _event(kind: EventKind, mail: ClaimedMail, at: datetime) -> MailEvent:
    code, enhanced, text = _TEXTS[kind]
    return MailEvent(
        kind=kind,
        at=at,
        recipient=mail.recipient,
        provider=SIMULATOR,
        provider_event_id=f"{mail.message_id} {kind}",
        mail_id=mail.id,
        message_id=mail.message_id,
        code=code,
        enhanced=enhanced,
        text=text,
        is_permanent=kind in _OF_THE_ADDRESS,
        raw={"event": kind, "simulated": True},
    )


def _name(address: str) -> str:
    return address.rpartition("@")[0].partition("+")[0].lower()
