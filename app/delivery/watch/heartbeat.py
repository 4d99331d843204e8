"""Signs of life in Redis: each worker's, and that of the sweep, which shows that beat and a worker work together.

Only a worker that can reach the broker gets its sign there, and only such a worker gets tasks.
"""

from __future__ import annotations

from typing import Final, cast

import redis

from app.delivery.services.shared_redis import SharedRedis

# Hashes: from a name to the time of the last sign, in Redis's own seconds, which are the same for all.
WORKERS: Final = "usher:workers"
SWEEPS: Final = "usher:sweeps"
# The one name in the second of them.
SWEEP: Final = "sweep"
# Seconds without a sign after which a worker counts as gone.
HEARD_WITHIN: Final = 30.0
# Seconds after which nobody is told of a name any more.
_FORGET: Final = 3600

# One step, so that the names do not pile up: in a container every start has a new one.
_NOTE: Final = """
local now = tonumber(redis.call('TIME')[1])
local known = redis.call('HGETALL', KEYS[1])
for i = 1, #known, 2 do
  if now - (tonumber(known[i + 1]) or 0) > tonumber(ARGV[2]) then redis.call('HDEL', KEYS[1], known[i]) end
end
redis.call('HSET', KEYS[1], ARGV[1], now)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return now
"""


def note(shared: SharedRedis, key: str, name: str) -> None:
    """Show that `name` lives; with Redis away nobody is told."""
    shared.ask(lambda client: client.eval(_NOTE, 1, key, name, _FORGET))


def leave(shared: SharedRedis, key: str, name: str) -> None:
    """`name` ends as it should: nobody need wait until it counts as gone."""
    shared.ask(lambda client: client.hdel(key, name))


def heard(client: redis.Redis, key: str) -> dict[str, float]:
    """Who has shown that it lives, and how many seconds ago.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.time()
    pipeline.hgetall(key)
    (seconds, micros), times = pipeline.execute()
    now = seconds + micros / 1e6
    return {name: max(0.0, now - float(at)) for name, at in cast("dict[str, str]", times).items()}
