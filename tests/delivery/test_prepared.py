"""Statements that are prepared once per connection, whatever stands between us and the server."""

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.delivery.prepared import Prepared

COUNT = Prepared("test_count", ("int",), "UPDATE settings SET order_expiry_time = $1")


def prepared(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT name FROM pg_prepared_statements WHERE name = 'test_count'")).scalars())


def test_a_statement_is_prepared_once_and_tells_its_rows(connection: Connection) -> None:
    assert COUNT.run(connection, [10]) == 1
    assert COUNT.run(connection, [11]) == 1
    assert prepared(connection) == ["test_count"]
    assert connection.execute(text("SELECT order_expiry_time FROM settings")).scalar_one() == 11


def test_behind_a_pooler_it_is_prepared_where_it_is_not_known(connection: Connection) -> None:
    COUNT.run(connection, [10])
    connection.execute(text("DEALLOCATE ALL"))  # as if another connection of the server's were behind ours
    assert COUNT.run(connection, [12]) == 1


def test_one_that_a_pooler_has_prepared_for_another_is_used(connection: Connection) -> None:
    connection.execute(text("DEALLOCATE ALL"))
    connection.execute(text(f"PREPARE test_count (int) AS {COUNT.sql}"))
    connection.info.clear()
    assert COUNT.run(connection, [13]) == 1


def test_what_the_database_refuses_is_raised(connection: Connection) -> None:
    with pytest.raises(DBAPIError, match="order_expiry_time"):
        COUNT.run(connection, [0])
