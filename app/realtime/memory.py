"""Whether Redis still knows what it knew: a mark in it that goes only with everything else (`FLUSHALL`, say)."""

from __future__ import annotations

import secrets
from typing import Final

from redis.asyncio import Redis

from app.realtime.keys import MEMORY

# Seconds between two looks.
LOOK: Final = 1.0


class Memory:
    """What one gateway knows of the mark, which is the same for all of them.

    Args:
        redis: where it is.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._mark: str | None = None

    async def is_lost(self) -> bool:
        """Whether it was lost since the last look.

        Raises:
            RedisError: Redis is away; so may be OSError.
        """
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(MEMORY, secrets.token_hex(8), nx=True)
            pipeline.get(MEMORY)
            _, mark = await pipeline.execute()
        known, self._mark = self._mark, mark
        return known not in (None, mark)
