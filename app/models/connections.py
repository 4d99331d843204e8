"""The pool's connections: one that was idle is asked whether it still leads to a server; one in use need not be."""

from __future__ import annotations

import time
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

# Seconds without use after which a connection is asked first: a round trip, which every request would pay for.
IDLE: Final = 1.0
_USED_AT: Final = "usher.used_at"


def ping_idle(engine: Engine) -> None:
    """Watch the engine's pool; what its server has closed in the meantime is replaced before anybody uses it."""

    def note(_connection: Any, record: Any) -> None:
        record.info[_USED_AT] = time.monotonic()

    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get(_USED_AT, 0.0) < IDLE:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error

    event.listen(engine, "connect", note)
    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", ask)
