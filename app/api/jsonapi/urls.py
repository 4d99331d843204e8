"""The addresses of resources, built by string: `url_for` for each link of each row would take most of a request."""

from __future__ import annotations

import re
from typing import Final

from flask import current_app, request

_ARGUMENT: Final = re.compile(r"<[^>]+>")
_KEY: Final = "usher_jsonapi_urls"
RELATIONSHIPS: Final = "/relationships/"


def url_of(endpoint: str, id_: int | str, *, relationship: bool = False) -> str:
    """The path of an endpoint for one id; of its rules the one with (or without) `/relationships/` in it."""
    templates: dict[tuple[str, bool], str] = current_app.extensions.setdefault(_KEY, {})
    template = templates.get((endpoint, relationship))
    if template is None:
        template = templates[endpoint, relationship] = _template(endpoint, relationship=relationship)
    return f"{request.script_root}{template.format(id_)}"


def _template(endpoint: str, *, relationship: bool) -> str:
    """The rule as a format string with one place.

    Raises:
        LookupError: the endpoint has no such rule: a mistake in the program.
    """
    for rule in current_app.url_map.iter_rules(endpoint):
        if len(rule.arguments) == 1 and (RELATIONSHIPS in rule.rule) == relationship:
            return _ARGUMENT.sub("{}", rule.rule)
    raise LookupError(f"{endpoint} has no rule with one argument, relationship={relationship}")
