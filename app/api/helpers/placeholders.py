"""Every placeholder that a template may have, with a sample of its value: a misspelt one fails at import."""

from __future__ import annotations

from typing import Final

PLACEHOLDERS: Final[dict[str, str]] = {
    "acceptance": "accepted",
    "app_name": "Usher",
    "email": "ana@example.org",
    "event_name": "Harbour Conference",
    "link": "https://events.example.org/e/harbour1",
    "session_name": "Mail that arrives",
}
