"""The gateway as a process: uvicorn on uvloop, with our bounds, our log, and an end that says goodbye."""

from __future__ import annotations

import contextlib
import logging
import resource
import signal
import socket
import sys
from typing import Final

import uvicorn

from app.logs_json import JsonLines, PlainLines
from app.realtime.gateway import Gateway, create_app, dispatch
from app.realtime.wire import Http, WebSocket
from config import Config, load

# Seconds that clients have to take the last thing that they are told.
_FAREWELL: Final = 3
# Bytes of a message of a client's, which nobody reads.
_MAX_MESSAGE: Final = 4096
# Seconds between two pings on a socket, and until the answer.
_PING: Final = 20.0
# Connections that wait to be taken: after a restart all clients come within seconds.
_BACKLOG: Final = 4096


class Server(uvicorn.Server):
    """Says goodbye before it closes the connections."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell the clients, which come back soon, to another gateway or to the next one here."""
        self._gateway.end()
        await super().shutdown(sockets)


def serve(host: str, port: int) -> int:
    """Serve until a signal comes; the exit code.

    Raises:
        ConfigurationError: the environment lacks something; the message says what.
    """
    config = load(for_gateway=True)
    _configure_logging(config)
    _allow_many_files()
    plain = create_app(config)
    settings = uvicorn.Config(
        dispatch(plain),
        host=host,
        port=port,
        loop="uvloop",
        http=Http,
        ws=WebSocket,
        ws_max_size=_MAX_MESSAGE,
        ws_ping_interval=_PING,
        ws_ping_timeout=_PING,
        ws_per_message_deflate=False,
        lifespan="on",
        backlog=_BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_FAREWELL,
        # Its lines would have the tickets in them.
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
    )
    server = Server(settings, plain.state.gateway)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn repeats the signal that has ended it for whoever was there before: to end when asked is no failure.
        signal.signal(number, lambda *_: None)
    server.run()
    return 0 if server.started else 1


def _configure_logging(config: Config) -> None:
    """Our lines for everything; uvicorn tells only of what is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if config.is_production else PlainLines())
    logging.getLogger().handlers = [handler]
    logging.getLogger("app").setLevel(config.log_level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _allow_many_files() -> None:
    """As many connections as the system lets this user have: the usual limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A system may refuse its own "unlimited".
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
