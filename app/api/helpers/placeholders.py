"""Every placeholder that a template may have, with a sample of its value: a misspelt one fails at import."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from app.language import Labelled, Listing, Moment, Money, Month, Period, Value, Word

_STARTS_AT: Final = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
_ENDS_AT: Final = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
_ZONE: Final = "Europe/Lisbon"
_EVENTS: Final = Listing([Labelled("Harbour Conference", Moment(_STARTS_AT, _ZONE))], "")

PLACEHOLDERS: Final[dict[str, Value]] = {
    "acceptance": Word("accepted"),
    "amount": Money(Decimal("120.50"), "EUR"),
    "app_name": "Usher",
    "buyer_email": "ana@example.org",
    "cancel_note": "The room has too few seats.",
    "cfs_link": "https://events.example.org/events/harbour1/cfs",
    "date": Month(date(2026, 10, 1)),
    "download_url": "https://events.example.org/event-exports/7",
    "email": "ana@example.org",
    "error_text": "sessions[3].title is missing or empty",
    "event": "Harbour Conference",
    "event_name": "Harbour Conference",
    "event_time": Moment(_STARTS_AT, _ZONE),
    "event_url": "https://events.example.org/events/harbour1",
    "invoice_id": "O2026-17",
    "link": "https://events.example.org/events/harbour1",
    "new_email": "almeida@example.org",
    "order_url": "https://events.example.org/orders/0f3a",
    "payment_url": "https://events.example.org/event-invoices/77c1",
    "role": Word("organizer"),
    "role_name": Word("organizer"),
    "session_name": "Mail that arrives",
    "session_time": Period(_STARTS_AT, _ENDS_AT, _ZONE),
    "submit_link": "https://events.example.org/events/harbour1/cfs/new",
    "ticket_url": "https://events.example.org/tickets/5be2",
    "up_coming_events": _EVENTS,
    "upcoming_events": _EVENTS,
}
