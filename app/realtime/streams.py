"""What the gateway hears of Redis: one connection for the messages to all its clients, and some for questions.

A client's channel is subscribed to before what it has missed is read, and each message has a number: so nothing is
missed and nothing comes twice. When Redis was away, every client is brought up to date in the same way.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.realtime.connections import Connection, Opened, Position
from app.realtime.credentials import Refused
from app.realtime.keys import (
    CONTROL,
    OPEN,
    PRESENCE_SECONDS,
    STREAM_SECONDS,
    channel_of,
    parse_event_id,
    presence_key,
    stream_key,
    user_of_channel,
    version_key,
)

log = logging.getLogger(__name__)

# Seconds for a question to Redis, and for a connection to it.
_TIMEOUT: Final = 5.0
# Connections for questions: however many clients come at once, Redis is not asked by all of them at once.
_QUESTIONS: Final = 16
# Seconds that a question waits for its turn: after a restart all clients come within seconds.
_TURN: Final = 20.0
# Users that are asked for together.
CHUNK: Final = 200
# Seconds after which a Redis that says nothing, not even to a ping, is taken for gone.
_SILENCE: Final = 15.0
# The pause before it is tried again, in seconds.
_PAUSE: Final = (0.1, 1.0)
# What a client is told when Redis is away: seconds.
_RETRY_AFTER: Final = 5

Client = Connection[Any]


class Streams:
    """The users whose clients are connected here, and what comes for them.

    Args:
        url: Redis.
        on_control: takes the commands that all gateways hear.
    """

    def __init__(self, url: str, on_control: Callable[[Sequence[str]], None]) -> None:
        self.users: dict[int, list[Client]] = {}
        self.is_heard = False
        self._is_missed = False
        self._on_control = on_control
        options = {"decode_responses": True, "protocol": 2, "socket_connect_timeout": _TIMEOUT}
        no_retry = Retry(NoBackoff(), 0)
        self.redis: Redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                url, max_connections=_QUESTIONS, timeout=_TURN, socket_timeout=_TIMEOUT, retry=no_retry, **options
            )
        )
        self._open = self.redis.register_script(OPEN)
        self._pool = ConnectionPool.from_url(url, retry=no_retry, **options)
        self._ears: AbstractConnection | None = None
        self._heard_at = 0.0
        # The confirmations that are waited for, by channel, in the order of the commands; False, if Redis has gone.
        self._awaited: dict[str, deque[asyncio.Future[bool]]] = {}

    def count(self) -> Counter[str]:
        """How many clients there are, by kind."""
        return Counter(client.kind for clients in self.users.values() for client in clients)

    async def join(self, client: Client, known: Position | None) -> int:
        """Bring a client up to date and keep it so, until `leave`; the version that its user's tokens must have.

        Raises:
            Refused: Redis is away.
        """
        user_id = client.identity.user_id
        clients = self.users.setdefault(user_id, [])
        clients.append(client)
        ears = self._ears
        try:
            # Others of this user may still wait for the confirmation: whoever comes later waits for one of his own.
            await asyncio.wait_for(self._subscribe([channel_of(user_id)]), _TIMEOUT)
            opened = await self._read(user_id, known)
            version = await self.redis.get(version_key(user_id))
        except (RedisError, OSError, TimeoutError) as error:
            self.leave(client)
            raise Refused(503, "Messages cannot be delivered now: try again soon.", _RETRY_AFTER) from error
        if not client.begin(opened, known) or self._ears is not ears:
            self.catch_up_soon([client])
        return int(version or 0)

    def leave(self, client: Client) -> None:
        """Forget a client; with the user's last one, the channel."""
        user_id = client.identity.user_id
        clients = self.users.get(user_id, [])
        if client in clients:
            clients.remove(client)
            if not clients:
                del self.users[user_id]
                _start(self._unsubscribe(user_id))

    async def run(self) -> None:
        """Hear Redis for ever, whatever becomes of it."""
        while True:
            try:
                await self._hear()
            except (RedisError, OSError, TimeoutError) as error:
                if not self._is_missed:
                    log.warning("Redis is not heard (%s): trying again.", type(error).__name__)
                self._is_missed = True
            finally:
                self._deafen()
            await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311 - no secret

    async def ping(self) -> None:
        """See that Redis is heard: a connection can be cut without anybody being told."""
        ears = self._ears
        if ears is None:
            return
        try:
            if asyncio.get_running_loop().time() - self._heard_at > _SILENCE:
                self._ears = None  # or the next command would connect it again
                await ears.disconnect(nowait=True)
            else:
                await ears.send_command("PING")
        except (RedisError, OSError):  # whoever hears it sees it too
            log.debug("Redis could not be pinged.")

    def catch_up_soon(self, clients: Iterable[Client]) -> None:
        """Bring clients up to date; until then, what comes for them is held back."""
        stale = [client for client in clients if client.held is None and not client.is_over]
        for client in stale:
            client.held = []
        if stale:
            _start(self._catch_up(stale))

    async def touch(self) -> None:
        """Keep the users present, and bring those up to date of whom Redis has forgotten something.

        Raises:
            RedisError: Redis is away; so may be OSError.
        """
        for chunk in _chunks(list(self.users)):
            async with self.redis.pipeline(transaction=False) as pipeline:
                for user_id in chunk:
                    pipeline.expire(presence_key(user_id), PRESENCE_SECONDS)
                    pipeline.expire(stream_key(user_id), STREAM_SECONDS)
                answers = await pipeline.execute()
            for index, user_id in enumerate(chunk):
                if not (answers[2 * index] and answers[2 * index + 1]):
                    self.catch_up_soon(self.users.get(user_id, []))

    async def versions(self) -> dict[int, int]:
        """The versions that the tokens of the users must have, as far as they were raised lately.

        Raises:
            RedisError: Redis is away; so may be OSError.
        """
        found: dict[int, int] = {}
        for chunk in _chunks(list(self.users)):
            values = await self.redis.mget([version_key(user_id) for user_id in chunk])
            found.update({id_: int(value) for id_, value in zip(chunk, values, strict=True) if value})
        return found

    async def _read(self, user_id: int, known: Position | None) -> Opened:
        """Make the user present, and read what came after a position."""
        epoch, number = (known.epoch, known.number) if known else ("", 0)
        args: list[str | int] = [secrets.token_hex(8), PRESENCE_SECONDS, STREAM_SECONDS, epoch, number]
        answer = await self._open(keys=[presence_key(user_id), stream_key(user_id)], args=args)
        return Opened(Position(answer[0], answer[1]), bool(answer[2]), answer[3])

    async def _catch_up(self, clients: list[Client]) -> None:
        for start in range(0, len(clients), CHUNK):
            await asyncio.gather(*(self._catch_up_one(client) for client in clients[start : start + CHUNK]))

    async def _catch_up_one(self, client: Client) -> None:
        try:
            opened = await self._read(client.identity.user_id, client.position)
        except (RedisError, OSError, TimeoutError):
            # The next connection to Redis brings everybody up to date; should there be none, the client comes back.
            if self._ears is not None:
                client.drop("redis")
            return
        if not client.resume(opened):
            self.catch_up_soon([client])

    async def _hear(self) -> None:
        ears: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's
        try:
            await ears.connect()  # type: ignore[no-untyped-call]  # as above
            self._ears = ears
            self._heard_at = asyncio.get_running_loop().time()
            _start(self._begin_anew())
            while True:
                answer = await ears.read_response(timeout=math.inf)
                self._heard_at = asyncio.get_running_loop().time()
                self._take(answer)
        finally:
            self._ears = None
            await ears.disconnect(nowait=True)

    async def _begin_anew(self) -> None:
        """Subscribe to everything, and bring every client up to date."""
        users = list(self.users)
        try:
            await self._subscribe([CONTROL])
            for chunk in _chunks(users):
                await self._subscribe([channel_of(user_id) for user_id in chunk])
        except (RedisError, OSError):  # whoever hears it sees it too
            return
        self.is_heard = True
        if self._is_missed:
            log.info("Redis is heard again.")
        self._is_missed = False
        # Also those that were being brought up to date when Redis went.
        clients = [client for user_id in users for client in self.users.get(user_id, []) if client.position]
        for client in clients:
            client.held = client.held or []
        await self._catch_up(clients)

    def _deafen(self) -> None:
        self.is_heard = False
        for futures in self._awaited.values():
            for future in futures:
                if not future.done():
                    future.set_result(False)
        self._awaited.clear()

    def _take(self, answer: Any) -> None:
        """One thing that Redis says: a message, or the confirmation of a command."""
        kind = answer[0] if isinstance(answer, list) else None
        if kind == "message":
            if answer[1] == CONTROL:
                self._on_control(answer[2].split(" "))
            else:
                self._pass_on(user_of_channel(answer[1]), answer[2])
        elif kind == "subscribe" and self._awaited.get(answer[1]):
            futures = self._awaited[answer[1]]
            future = futures.popleft()
            if not futures:
                del self._awaited[answer[1]]
            if not future.done():
                future.set_result(True)

    def _pass_on(self, user_id: int, text: str) -> None:
        clients = self.users.get(user_id, [])
        id_, _, message = text.partition(" ")
        found = parse_event_id(id_)
        if found is None:  # "renew"
            self.catch_up_soon(clients)
            return
        position = Position(*found)
        # A client may leave while it is written to.
        stale = [client for client in tuple(clients) if not client.is_over and not client.take(position, message)]
        self.catch_up_soon(stale)

    async def _subscribe(self, channels: list[str]) -> None:
        """Subscribe, and wait for the confirmations."""
        ears = self._ears
        if ears is None:
            raise ConnectionError("Redis is not heard")
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[bool]] = [loop.create_future() for _ in channels]
        for channel, future in zip(channels, futures, strict=True):
            self._awaited.setdefault(channel, deque()).append(future)
        await ears.send_command("SUBSCRIBE", *channels)
        if not all(await asyncio.gather(*futures)):
            raise ConnectionError("Redis has gone")

    async def _unsubscribe(self, user_id: int) -> None:
        ears = self._ears
        # Somebody of this user may have come in the meantime.
        if ears is not None and user_id not in self.users:
            try:
                await ears.send_command("UNSUBSCRIBE", channel_of(user_id))
            except (RedisError, OSError):  # whoever hears it sees it too
                log.debug("A channel was not left: Redis has gone.")


_background: Final[set[asyncio.Task[None]]] = set()


def _start(work: Awaitable[None]) -> None:
    """Do something beside; the loop itself would forget it."""
    task = asyncio.ensure_future(work)
    _background.add(task)
    task.add_done_callback(_background.discard)


def _chunks(users: list[int]) -> list[list[int]]:
    return [users[start : start + CHUNK] for start in range(0, len(users), CHUNK)]
