"""Many ids as one value of a statement."""

from __future__ import annotations

from collections.abc import Iterable


def id_array(ids: Iterable[int]) -> str:
    """Ids as PostgreSQL writes an array: of `ARRAY[1, 2, …]` it would have to plan each element, 10 ms for 10,000."""
    return "{" + ",".join(map(str, ids)) + "}"
