"""When the database goes away between a server's yes and the row that says so: the outcome is written when it is back.

Without this a restart of PostgreSQL would leave one mail of each worker in doubt, and so double it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from app.delivery.lease import Lease

log = logging.getLogger(__name__)

# Seconds between two looks at whether the database is back.
_PAUSE: Final = 0.2


def is_lost(error: DBAPIError) -> bool:
    """Whether the connection went, and not the statement wrong."""
    return error.connection_invalidated


def write_when_back(engine: Engine, lease: Lease, write: Callable[[Connection], None]) -> bool:
    """Write on a connection of its own, as soon as there is one.

    Args:
        engine: the database.
        lease: the claim's; when it may have ended, the mails are others'.
        write: what to write; it may have been written before, and must then change nothing.

    Returns:
        Whether it is written; if not, the end of the lease will tell what becomes of the mails.

    Raises:
        DBAPIError: the statement is wrong, and would be for ever.
    """
    while lease.holds:
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                write(connection)
        except OperationalError as error:
            log.warning("The database is away (%s): an outcome waits to be written.", type(error.orig).__name__)
            time.sleep(_PAUSE)
        else:
            return True
    return False
