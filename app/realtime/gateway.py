"""The realtime gateway: an ASGI application that needs Redis and no database.

`GET /v1/users/<id>/notifications/stream` (Server-Sent Events) and the WebSocket `/ws/notifications`; beside them
`/health`, `/ready` and `/metrics` for the operator's network. See docs/realtime.md.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, cast

from prometheus_client import CONTENT_TYPE_LATEST
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.realtime.answers import cors, preflight, refusal
from app.realtime.connections import Position, Socket, Sse
from app.realtime.credentials import Identity, Refused, check_origin, identify, origin_of
from app.realtime.figures import Figures
from app.realtime.keys import END, RENEW, TICKET_SECONDS, parse_event_id, ticket_key
from app.realtime.memory import LOOK, Memory
from app.realtime.streams import Streams
from config import Config, load

log = logging.getLogger(__name__)

STREAM: Final = re.compile(r"/v1/users/([0-9]{1,19})/notifications/stream", re.ASCII)
SOCKET: Final = "/ws/notifications"
# Where the application finds the function that cuts its connection, which ASGI has no word for; see `wire.py`.
ABORT: Final = "usher.abort"

# Seconds between two signs of life on a stream.
HEARTBEAT: Final = 15
# Seconds between two looks at who is present, whose login was ended, and whose is over.
_LOOK: Final = 60
# Seconds after which somebody for whom there is no room may ask again.
_RETRY_AFTER: Final = 30
# An id that no message has: whoever sends one that cannot be read has missed something.
_UNKNOWN: Final = Position("?", 0)


class Gateway:
    """The streams of one process.

    Attributes:
        streams: the users whose clients are connected.
        figures: what is counted.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._origins = frozenset(
            origin_of(url) for url in (config.frontend_url, config.realtime_url, *config.realtime_origins)
        )
        self.streams = Streams(config.redis_url, self._obey)
        self.figures = Figures(self.streams.count, lambda: self.streams.is_heard)
        self._total = 0
        self._is_ending = False

    @asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        """Hear Redis, and show signs of life, as long as the application runs."""
        works = (self.streams.run(), self._beat(), self._look(), self._watch())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.streams.redis.aclose()

    async def stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream of Server-Sent Events until it ends."""
        client = await self._connect(Sse, scope, receive, send)
        if client is None:
            return
        try:
            headers = _stream_headers(_header(scope, b"origin"))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            client.start()
            while (await receive())["type"] != "http.disconnect":
                pass  # what a client sends does not matter
        finally:
            self._release(client)

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket until it ends."""
        client = await self._connect(Socket, scope, receive, send)
        if client is None:
            return
        try:
            await receive()  # the question that is now answered
            await send({"type": "websocket.accept"})
            client.start()
            while (await receive())["type"] != "websocket.disconnect":
                pass  # what a client sends does not matter
        finally:
            self._release(client)

    async def _connect(
        self, kind: type[Sse | Socket], scope: Scope, receive: Receive, send: Send
    ) -> Sse | Socket | None:
        """Take a client in; None, if it was given another answer."""
        asked = HTTPConnection(scope)
        origin = asked.headers.get("Origin")
        allowed = None
        try:
            check_origin(origin, self._origins)
            allowed = origin
            if scope.get("method") == "OPTIONS":
                await preflight(origin)(scope, receive, send)
                return None
            client = kind(self._identify(asked), send, _abort_of(scope), self.figures)
            await self._admit(client, _known(asked))
        except Refused as refused:
            self.figures.refused[str(refused.status)] += 1
            await refusal(refused, allowed)(scope, receive, send)
            return None
        return client

    async def health(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """Whether Redis is heard: without it nothing can be delivered."""
        broker = "ok" if self.streams.is_heard else "unreachable"
        body = {"status": "ok" if self.streams.is_heard else "unavailable", "checks": {"broker": broker}}
        return JSONResponse(body, 200 if self.streams.is_heard else 503)

    async def metrics(self, _request: Request) -> Response:
        """What was counted."""
        return Response(self.figures.text(), media_type=CONTENT_TYPE_LATEST)

    def end(self) -> None:
        """Say goodbye to everybody: the process is about to end."""
        self._is_ending = True
        for client in self._clients():
            client.end("shutdown")

    def _identify(self, asked: HTTPConnection) -> Identity:
        """Who is asking, and for what is his.

        Raises:
            Refused: nobody whom we know; or it is somebody else's.
        """
        scope = asked.scope
        if scope.get("method", "GET") != "GET":
            raise Refused(405, "A stream is only read: GET it.")
        identity = identify(
            asked.headers.get("Authorization"), asked.query_params.get("ticket"), self._config.secret_key
        )
        found = STREAM.fullmatch(scope["path"])
        if found is not None and int(found[1]) != identity.user_id:
            raise Refused(403, "Only the user may read this stream.")
        return identity

    async def _admit(self, client: Sse | Socket, known: Position | None) -> None:
        """Take a client in, if there is room, its ticket was not used, and its login was not ended.

        Raises:
            Refused: one of these.
        """
        identity = client.identity
        if self._is_ending or self._total >= self._config.realtime_connections:
            raise Refused(503, "There are too many connections: try again later.", _RETRY_AFTER)
        if len(self.streams.users.get(identity.user_id, ())) >= self._config.realtime_user_connections:
            raise Refused(429, "You have too many connections: close one, or try again later.", _RETRY_AFTER)
        self._total += 1
        try:
            # From here on he counts: of many tickets of one user that come at once, each sees those before it.
            version = await self.streams.join(client, known)
            _check_version(client, version)
            await self._use(identity)
        except BaseException:
            self._release(client)
            raise

    async def _use(self, identity: Identity) -> None:
        """Use up the ticket.

        Raises:
            Refused: it was used before; or nobody knows.
        """
        if identity.ticket is None:
            return
        try:
            is_first = await self.streams.redis.set(
                ticket_key(identity.ticket.number), 1, nx=True, ex=2 * TICKET_SECONDS
            )
        except (RedisError, OSError, TimeoutError) as error:
            raise Refused(503, "Tickets cannot be checked now: try again soon.", _RETRY_AFTER) from error
        if not is_first:
            raise Refused(401, "The ticket was used: get a new one at POST /v1/realtime-tickets.")

    def _release(self, client: Sse | Socket) -> None:
        self._total -= 1
        client.leave()
        self.streams.leave(client)

    def _clients(self) -> list[Sse | Socket]:
        # No other kinds are ever admitted.
        return [cast("Sse | Socket", client) for clients in self.streams.users.values() for client in clients]

    def _obey(self, words: Sequence[str]) -> None:
        """A command that all gateways hear."""
        if words[0] == END:
            self._end_outdated({int(words[1]): int(words[2])})
        elif words[0] == RENEW:
            self.streams.catch_up_soon(self._clients())

    def _end_outdated(self, versions: dict[int, int]) -> None:
        for user_id, version in versions.items():
            for client in self.streams.users.get(user_id, []):
                if client.identity.version < version:
                    client.end("ended")

    async def _beat(self) -> None:
        """Signs of life, to a part of the streams each second."""
        second = 0
        while True:
            await asyncio.sleep(1)
            second += 1
            for client in self._clients():
                if isinstance(client, Sse) and (client.identity.user_id + second) % HEARTBEAT == 0:
                    client.heartbeat()
            if second % (HEARTBEAT // 3) == 0:
                await self.streams.ping()

    async def _watch(self) -> None:
        """Bring everybody up to date when Redis has forgotten them: whoever tells something takes them for away."""
        memory = Memory(self.streams.redis)
        while True:
            await asyncio.sleep(LOOK)
            with suppress(RedisError, OSError):  # away: told by whoever hears it
                if await memory.is_lost():
                    self.streams.catch_up_soon(self._clients())

    async def _look(self) -> None:
        """Keep the users present, and end what a message would have ended that did not come."""
        while True:
            await asyncio.sleep(_LOOK)
            now = time.time()
            for client in self._clients():
                if client.identity.expires_at < now:
                    client.end("expired")
            with suppress(RedisError, OSError):  # away: told by whoever hears it, and looked at again
                await self.streams.touch()
                self._end_outdated(await self.streams.versions())


def create_app(config: Config | None = None) -> Starlette:
    """Make the application; `app.state.gateway` is the gateway in it.

    Raises:
        ConfigurationError: the environment lacks something; the message says what.
    """
    gateway = Gateway(config or load(for_gateway=True))
    routes = [
        Route("/health", gateway.health),
        Route("/ready", gateway.ready),
        Route("/metrics", gateway.metrics),
    ]
    plain = Starlette(routes=routes, lifespan=gateway.running, exception_handlers={404: _nothing_there})
    plain.state.gateway = gateway
    return plain


def dispatch(plain: Starlette) -> Callable[[Scope, Receive, Send], object]:
    """The same, with the streams before everything else: what Starlette keeps for a request is kept for no stream."""
    gateway: Gateway = plain.state.gateway

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and STREAM.fullmatch(scope["path"]):
            await gateway.stream(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == SOCKET:
            await gateway.socket(scope, receive, send)
        elif scope["type"] == "websocket":
            await refusal(Refused(404, f"There is no such address: the socket is {SOCKET}."))(scope, receive, send)
        else:
            await plain(scope, receive, send)

    return serve


async def _nothing_there(_request: Request, _error: Exception) -> Response:
    words = "This is the realtime gateway: the stream is /v1/users/<id>/notifications/stream, the socket is"
    return refusal(Refused(404, f"{words} {SOCKET}; all else is at the web server."))


def _known(asked: HTTPConnection) -> Position | None:
    """Where a client resumes; None, if it does not."""
    text = asked.headers.get("Last-Event-ID") or asked.query_params.get("last-event-id")
    if not text:
        return None
    found = parse_event_id(text)
    return Position(*found) if found else _UNKNOWN


def _check_version(client: Sse | Socket, version: int) -> None:
    if client.identity.version < version:
        raise Refused(401, "The token is no longer valid: log in again.")


def _header(scope: Scope, name: bytes) -> str | None:
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return values[0] if values else None


def _abort_of(scope: Scope) -> Callable[[], None]:
    abort: Callable[[], None] = scope.get("extensions", {}).get(ABORT, _cannot_abort)
    return abort


def _cannot_abort() -> None:
    """Under another server than ours a slow client is not cut off, only no longer written to."""


def _stream_headers(origin: str | None) -> list[tuple[bytes, bytes]]:
    headers = {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no",
        **cors(origin),
    }
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
