"""Values that people may type to break a text, and how to see that they did not."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser
from typing import Final

HOSTILE: Final = (
    "<script>alert(1)</script>",
    "</strong></p><h1>big</h1><!--",
    "'\"><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "{0.__class__}",
    "{event_name}",
    "{{event_name}}",
    "{",
    "%(event_name)s %s %",
    "********",
    "שלום עולם",
    "🎉 party 👩‍💻",
    "&amp; & &lt;",
    "a\r\nBcc: victim@example.org",
    "\u2028line\u2029",
    "\u202eevil\u2067 \u2066deep",
    "\u2069\u2069\u202c out",
    "nul\x00 and \x07bell",
    "half\ud83d",
    "x" * 500,
    "",
)
_TURNS: Final = {"LRE": 1, "RLE": 1, "LRO": 1, "RLO": 1, "LRI": 1, "RLI": 1, "FSI": 1, "PDF": -1, "PDI": -1}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.seen.append(("!--", data))


def tags(html: str) -> list[tuple[str, ...]]:
    """The tags of some HTML in their order, with the names of their attributes."""
    parser = _Tags()
    parser.feed(html)
    parser.close()
    return parser.seen


def assert_one_line(line: str) -> None:
    """Nothing in it begins another line or header, and every turn of the direction of writing ends in it."""
    assert not any(unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") for character in line)
    assert_closed(line)


def assert_closed(text: str) -> None:
    """Every turn of the direction of writing is opened before it is closed, and is closed."""
    depth = 0
    for character in text:
        depth += _TURNS.get(unicodedata.bidirectional(character), 0)
        assert depth >= 0
    assert depth == 0
