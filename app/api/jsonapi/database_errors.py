"""What the database refused, told without SQL, table names or values."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.api.jsonapi.exceptions import ApiError, Conflict, ServiceUnavailable, Unprocessable

# SQLSTATE codes of PostgreSQL, appendix A, class 23.
NOT_NULL, FOREIGN_KEY, UNIQUE, CHECK = "23502", "23503", "23505", "23514"

DATABASE_ERRORS: Final = (DataError, IntegrityError, InterfaceError, OperationalError, PoolTimeoutError)

_explained: dict[str, tuple[str, str]] = {}


def explain(constraint: str, detail: str, pointer: str = "/data") -> None:
    """Say what a client is told when a row breaks this constraint, and where in the document the cause is."""
    _explained[constraint] = (detail, pointer)


def from_database(error: Exception) -> ApiError:
    """The answer to what the database raised.

    An IntegrityError is 409 (a unique value is taken) or 422; a DataError 422; a database that is away, overloaded, or
    that ended one of two transactions in each other's way is 503: the client may try again.
    """
    if isinstance(error, IntegrityError):
        return _from_integrity(error)
    if isinstance(error, DataError):
        return Unprocessable("A value is too long or out of range.", pointer="/data")
    return ServiceUnavailable("The database does not answer just now: try again in a moment.")


def _from_integrity(error: IntegrityError) -> ApiError:
    code = getattr(error.orig, "pgcode", None)
    name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    detail, pointer = _explained.get(name or "", (None, "/data"))
    if code == UNIQUE:
        return Conflict(detail or "This value is already taken.", pointer=pointer)
    if code == FOREIGN_KEY:
        return Conflict(detail or "Something that this refers to, or that refers to this, is gone.", pointer=pointer)
    if code == NOT_NULL:
        return Unprocessable(detail or "A value that is needed is missing.", pointer=pointer)
    return Unprocessable(detail or "The values contradict each other or a rule.", pointer=pointer)
