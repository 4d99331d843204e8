"""Values among text that runs the other way, and what no value may do to the text around it (Unicode, UAX 9).

A Latin name in an Arabic sentence draws the brackets and full stops beside it to the wrong side. It does not where it
is isolated: by `<bdi>` in HTML, by two invisible characters in plain text.
"""

from __future__ import annotations

import re
from typing import Final

ISOLATE: Final = "\u2068"  # FIRST STRONG ISOLATE: what follows runs as its first letter does
POP: Final = "\u2069"  # POP DIRECTIONAL ISOLATE

# Embeddings, overrides and isolates: one that is not closed turns all that follows. The marks (U+200E, U+200F, U+061C)
# reach no further than the letter beside them, and stay.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]+")
# What PostgreSQL or UTF-8 cannot hold.
_NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")
_PLACEHOLDER: Final = r"(?<!\{)(\{\w+\})(?!\})"
_ANYWHERE = re.compile(_PLACEHOLDER)
# Not between the `<` and the `>` of a tag.
_IN_HTML_TEXT = re.compile(_PLACEHOLDER + "(?![^<]*>)")


def harmless(value: str) -> str:
    """A text of somebody else, without what would turn the text around it, or what nothing can store."""
    return _NO_CHARACTER.sub("\ufffd", _TURNS.sub("", value))


def isolated(value: str) -> str:
    """The value, to stand among text that may run the other way."""
    return f"{ISOLATE}{value}{POP}"


def isolate_placeholders(line: str) -> str:
    """A template of plain text, with each value isolated."""
    return _ANYWHERE.sub(isolated(r"\1"), line)


def isolate_placeholders_in_html(message: str) -> str:
    """A template of HTML, with each value isolated that stands in the text and not in an attribute."""
    return _IN_HTML_TEXT.sub(r"<bdi>\1</bdi>", message)
