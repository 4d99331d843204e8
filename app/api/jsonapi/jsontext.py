"""JSON text of a client, read strictly: what PostgreSQL cannot store and what JSON does not have is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
MAX_BIGINT: Final = 2**63 - 1

# PostgreSQL's text has no U+0000; a surrogate alone is no character.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_ID: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class JsonTextError(ValueError):
    """The text is no JSON that is read here; `pointer` says where, as far as that is known (RFC 6901)."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


def loads(text: str | bytes) -> Any:
    """The value of a JSON text (RFC 8259, UTF-8).

    Raises:
        JsonTextError: it is not JSON, is nested deeper than 32 levels, has NaN, an infinite number, U+0000 or a
            surrogate alone.
    """
    value = parse(text)
    _check(value)
    return value


def parse(text: str | bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The same with no look at the texts in it, and as deep as Python can go.

    `pairs` makes the value of each object from its names and values, for example to see one that is there twice.

    Raises:
        JsonTextError: it is not JSON, or has NaN or an infinite number.
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(decoded, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=pairs)
    except UnicodeDecodeError as error:
        raise JsonTextError("it is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise JsonTextError(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise JsonTextError("it is nested too deeply") from error
    except JsonTextError:
        raise
    except ValueError as error:
        # An integer of more digits than Python converts.
        raise JsonTextError("a number in it is too long") from error


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can store the text: no U+0000 and no surrogate alone."""
    return _UNSTORABLE.search(text) is None


def parse_id(value: object) -> int | None:
    """The number of an id, which is a string of digits within a bigint; None when it is none."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        return None
    number = int(value)
    return number if number <= MAX_BIGINT else None


def escape(key: object) -> str:
    """A key as part of a JSON pointer (RFC 6901, 3)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def _check(value: Any) -> None:
    """Walk through the value without recursion, since its depth is the client's choice."""
    waiting: list[tuple[Any, str, int]] = [(value, "", 1)]
    while waiting:
        item, pointer, depth = waiting.pop()
        if isinstance(item, str) and not is_storable(item):
            raise JsonTextError("a text has a character that cannot be stored (U+0000 or half a surrogate)", pointer)
        if isinstance(item, dict | list) and depth > MAX_DEPTH:
            raise JsonTextError(f"it is nested deeper than {MAX_DEPTH} levels")
        if isinstance(item, dict):
            if not all(is_storable(key) for key in item):
                raise JsonTextError("a name has a character that cannot be stored", pointer)
            waiting += [(each, f"{pointer}/{escape(key)}", depth + 1) for key, each in item.items()]
        elif isinstance(item, list):
            waiting += [(each, f"{pointer}/{index}", depth + 1) for index, each in enumerate(item)]


def _refuse_constant(name: str) -> NoReturn:
    raise JsonTextError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonTextError("a number in it is too large")
    return number
