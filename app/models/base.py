"""The database handle, the base of all models, and the column types that several of them share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, DateTime, Identity, MetaData, func
from sqlalchemy.orm import DeclarativeBase, mapped_column

# Names that do not depend on the order of creation, so that a migration can drop what another made.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

db = SQLAlchemy(metadata=MetaData(naming_convention=NAMING))


class Base(DeclarativeBase):
    """What every table has in common: the metadata that Flask-SQLAlchemy and Alembic see."""

    metadata = db.metadata
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy's protocol

    def __repr__(self) -> str:
        """Type and id only: a row's contents (addresses, tokens) do not belong into a log."""
        return f"<{type(self).__name__} {getattr(self, 'id', None)}>"


def utc_now() -> datetime:
    """The present moment, timezone-aware."""
    return datetime.now(UTC)


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The text of a CHECK constraint that allows only `values` in `column`."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


BigId = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now(), default=utc_now)]
JsonObject = dict[str, Any]
