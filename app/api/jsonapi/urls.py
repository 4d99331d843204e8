"""The addresses of resources, built by string: `url_for` for each link of each row would take most of a request."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from flask import current_app, request

_ARGUMENT: Final = re.compile(r"<[^>]+>")
RELATIONSHIPS: Final = "/relationships/"


def url_of(endpoint: str, id_: int | str, *, relationship: bool = False) -> str:
    """The path of an endpoint for one id; of its rules the one with (or without) `/relationships/` in it."""
    before, after = _template(endpoint, relationship)
    return f"{request.script_root}{before}{id_}{after}"


# An endpoint has the same rules in every application that has it.
@cache
def _template(endpoint: str, relationship: bool) -> tuple[str, str]:
    """What stands before and after the one argument of the rule.

    Raises:
        LookupError: the endpoint has no such rule: a mistake in the program.
    """
    for rule in current_app.url_map.iter_rules(endpoint):
        if len(rule.arguments) == 1 and (RELATIONSHIPS in rule.rule) == relationship:
            before, after = _ARGUMENT.split(rule.rule)
            return before, after
    raise LookupError(f"{endpoint} has no rule with one argument, relationship={relationship}")
