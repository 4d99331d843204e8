"""A database of the demo's own on a server that the environment names, so that nobody's data is played with."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql

from app.embedded.errors import StackError


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """Make a database on the server of `url`, give its URL, and drop it in the end, whoever is still connected.

    Raises:
        StackError: the server cannot be reached, or its user may not make databases.
    """
    scheme, separator, rest = url.partition("://")
    address = f"postgresql://{rest}"
    name = f"usher_demo_{secrets.token_hex(6)}"
    _run(address, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield scheme + separator + urlsplit(address)._replace(path=f"/{name}").geturl().partition("://")[2]
    finally:
        _run(address, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _run(address: str, statement: sql.Composed) -> None:
    try:
        with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement)
    except psycopg2.Error as error:
        # Only the class: the server's own words may repeat the address, which has a password in it.
        raise StackError(
            f"the demo could not make or drop a database of its own on the server of DATABASE_URL "
            f"({type(error).__name__}): let its user create databases, or unset DATABASE_URL"
        ) from None
