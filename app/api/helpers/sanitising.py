"""HTML that people write for others: what is not on a short list is taken out, before it is stored."""

from __future__ import annotations

from typing import Final

import nh3

# What a message needs: paragraphs, emphasis, lists, headings, quotations, code and links. No pictures, which tell
# their sender who has read it, and no styles, which can cover what is beside them.
_IN_LINES: Final = ("a", "b", "br", "code", "del", "em", "i", "ins", "s", "strong", "sub", "sup", "u")
_BLOCKS: Final = ("blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul")
TAGS: Final = frozenset((*_IN_LINES, *_BLOCKS))
ATTRIBUTES: Final = {"a": {"href", "title"}}
SCHEMES: Final = frozenset({"http", "https", "mailto"})


def clean_html(text: str) -> str:
    """HTML that is safe to show to anybody: without scripts, styles, pictures and forms, its tags closed.

    Text stays, tags that are not allowed go; a link to anything but http, https and mailto loses its address.
    """
    return nh3.clean(
        text,
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        url_schemes=set(SCHEMES),
        link_rel="noopener noreferrer",
        attribute_filter=_keep,
    )


def _keep(_tag: str, name: str, value: str) -> str | None:
    """An attribute's value; None for an address that says no scheme: in a mail it would lead nowhere, or anywhere."""
    has_scheme = value.strip().lower().startswith(tuple(f"{scheme}:" for scheme in SCHEMES))
    return value if name != "href" or has_scheme else None
