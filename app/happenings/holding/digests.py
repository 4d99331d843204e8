"""What a digest says: one mail for all that waited, in its reader's language and on his clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.api.helpers.templates import Rendered, escape, html_to_text, one_line, style
from app.bidi import harmless
from app.happenings.deciding.hours import zone_of
from app.happenings.telling.tell import full_link
from app.language import RTL, Moment, direction, msg, translate

# What these mails are in the log.
DIGEST_ACTION: Final = "Digest"
# A mail that lists more is read by nobody.
MAX_ITEMS: Final = 100

SUBJECT: Final = msg("New messages: {count}")
INTRODUCTION: Final = msg("You wished to have these messages in one mail:")
FURTHER: Final = msg("Further messages, which you find in the app: {count}")


@dataclass(frozen=True)
class Item:
    """One message of a digest."""

    title: str
    time: datetime
    link: str | None = None


def make_digest(items: Sequence[Item], language: str, timezone: str) -> Rendered:
    """The mail's subject and message.

    Args:
        items: what it lists, the oldest first; of more than 100 only the newest.
        language: one of `LANGUAGES`, or a kind of it (`de-AT`).
        timezone: whose clocks the times are shown on.
    """
    shown = items[-MAX_ITEMS:]
    lines = [f"<p>{_say(INTRODUCTION, language)}</p>", "<ul>"]
    lines += [_line(item, language, zone_of(timezone).key) for item in shown]
    lines.append("</ul>")
    if len(items) > len(shown):
        lines.append(f"<p>{_say(FURTHER, language, len(items) - len(shown))}</p>")
    html = style("".join(lines))
    subject = translate(SUBJECT, language).replace("{count}", str(len(items)))
    return Rendered(line=one_line(subject), html=html, text=html_to_text(html))


def _say(text: str, language: str, count: int = 0) -> str:
    return escape(translate(text, language).replace("{count}", str(count)))


def _line(item: Item, language: str, timezone: str) -> str:
    title = escape(harmless(one_line(item.title)))
    if direction(language) == RTL:
        title = f"<bdi>{title}</bdi>"
    if item.link and item.link.startswith(("/", "https://", "http://")):
        title = f'<a href="{escape(harmless(full_link(item.link)))}">{title}</a>'
    time = escape(Moment(item.time, timezone).spoken(language))
    return f'<li>{title}<br><span class="small">{time}</span></li>'
