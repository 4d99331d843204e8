"""Rates: how many mails a service takes from us a second and a day, kept by all workers together, in Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import redis

from app.delivery.services.buckets import Bucket, Grant, Limits, day_of, empty, put_back, take_from, to_grant
from app.delivery.services.shared_redis import SharedRedis

# And the name of the service: a hash with a bucket.
KEY: Final = "usher:rate:"
# Seconds after which Redis may forget a bucket that nobody asks: longer than a day is counted.
_KEEP: Final = 2 * 86_400

# `take_from` of `buckets`, in one step for all workers, and by Redis's clock if none is given (ARGV[1]).
# Numbers are kept with 17 digits, since Lua's own 14 are too few for microseconds.
_TAKE: Final = """
local function text(number) return string.format('%.17g', number) end
local now, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local per_second, rate, capacity = ARGV[3] ~= '', tonumber(ARGV[4]), tonumber(ARGV[5])
local per_day = tonumber(ARGV[6])
local known_day, known_used, owed, known_born = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
if not now then
  local clock = redis.call('TIME')
  now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
end
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'day', 'used', 'base', 'born')
local tokens, at = tonumber(bucket[1]) or 0, tonumber(bucket[2]) or now
local day, used, base = math.floor(now / 86400), 0, 0
if tonumber(bucket[3]) == day then used, base = tonumber(bucket[4]) or 0, tonumber(bucket[5]) or 0 end
local born = bucket[6] or text(now)
if known_day == day then
  -- The asker knew a bucket that was lost: the highest count that anyone remembers of it is this one's base.
  if known_born ~= '' and known_born ~= born then
    used = used + math.max(0, known_used - base)
    base = math.max(base, known_used)
  end
  used = used + owed
end
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
local granted = wanted
if per_second then granted = math.min(granted, math.floor(tokens)) end
if per_day then granted = math.min(granted, math.max(0, per_day - used)) end
if per_second then tokens = tokens - granted else tokens = 0 end
used = used + granted
redis.call('HSET', KEYS[1], 'tokens', text(tokens), 'at', text(now), 'day', text(day), 'used', text(used),
  'base', text(base), 'born', born)
redis.call('EXPIRE', KEYS[1], ARGV[11])
return {granted, text(tokens), text(now), day, used, born}
"""

# `put_back`, for the grant of a day.
_PUT_BACK: Final = """
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'day', 'used')
local unused = tonumber(ARGV[1])
local tokens, used = tonumber(bucket[1]), tonumber(bucket[3])
if not tokens or not used then return 0 end
if tonumber(bucket[2]) == tonumber(ARGV[2]) then used = math.max(0, used - unused) end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens + unused), 'used', string.format('%.17g', used))
return 1
"""


@dataclass(frozen=True)
class _Seen:
    """What this process knows of a bucket.

    Attributes:
        bucket: as Redis had it last, less what this process took from it since, while Redis was away.
        born: what tells this bucket of Redis from one that took its place; empty, Redis has not been heard yet.
        owed: what this process took while Redis was away, on the bucket's day.
    """

    bucket: Bucket
    born: str = ""
    owed: int = 0


class Rates:
    """The rates of all services. Each worker has an object of its own; what is left is in Redis.

    While Redis is away, each process keeps the limits alone, from what it knew last: mails go on, at worst as many
    times the limit as there are processes. What a process sent then counts for the day when Redis is back; and if
    Redis comes back empty, the day's count goes on from the highest that any process remembers.

    Args:
        shared: Redis.
        now: seconds since 1970; None for Redis's own clock, which is the same for all workers.
    """

    def __init__(self, shared: SharedRedis, now: Callable[[], float] | None = None) -> None:
        self._shared = shared
        self._now = now
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()
        self._take = shared.client.register_script(_TAKE)
        self._put_back = shared.client.register_script(_PUT_BACK)

    def take(self, service: str, n: int, limits: Limits) -> Grant:
        """Take leave for up to `n` mails, in one round trip; none at all if nothing is limited.

        What is granted should go soon: the limit is kept for the grants, and a grant that is hoarded meets the next.
        What is not used is to be given back.
        """
        wanted = max(0, n)
        if limits.is_unlimited or wanted == 0:
            return Grant(wanted)
        with self._lock:
            answer = self._shared.ask(lambda client: self._take_shared(client, service, wanted, limits))
            return answer or self._take_alone(service, wanted, limits)

    def give_back(self, service: str, grant: Grant, unused: int) -> None:
        """Give back what of a grant was not used. At most once for each grant."""
        unused = min(max(0, unused), grant.granted)
        if unused == 0 or grant.at == 0.0:
            return
        with self._lock:
            if grant.is_shared:
                arguments = [unused, day_of(grant.at)]
                self._shared.ask(lambda client: self._put_back([KEY + service], arguments, client))
            elif (seen := self._seen.get(service)) is not None:
                bucket = put_back(seen.bucket, unused, grant.at)
                self._seen[service] = replace(seen, bucket=bucket, owed=max(0, seen.owed - unused))

    def _take_shared(self, client: redis.Redis, service: str, wanted: int, limits: Limits) -> Grant:
        now = "" if self._now is None else repr(self._now())
        per_second = "" if limits.per_second is None else limits.per_second
        per_day = "" if limits.per_day is None else limits.per_day
        known = self._known(service)
        arguments = [now, wanted, per_second, limits.rate, limits.capacity, per_day, *known, _KEEP]
        granted, bucket, born = _read(self._take([KEY + service], arguments, client))
        self._seen[service] = _Seen(bucket, born)
        return to_grant(granted, wanted, bucket, limits)

    def _take_alone(self, service: str, wanted: int, limits: Limits) -> Grant:
        now = time.time() if self._now is None else self._now()
        seen = self._seen.get(service) or _Seen(empty(now))
        granted, bucket = take_from(seen.bucket, wanted, limits, now)
        owed = seen.owed if bucket.day == seen.bucket.day else 0
        self._seen[service] = _Seen(bucket, seen.born, owed + granted)
        return replace(to_grant(granted, wanted, bucket, limits), is_shared=False)

    def _known(self, service: str) -> tuple[int, int, int, str]:
        """For the script: a day, the count of it that Redis had last, what must be added, and of which bucket."""
        seen = self._seen.get(service)
        if seen is None:
            return (-1, 0, 0, "")
        return (seen.bucket.day, seen.bucket.used - seen.owed, seen.owed, seen.born)


def _read(answer: Sequence[Any]) -> tuple[int, Bucket, str]:
    granted, tokens, at, day, used, born = answer
    return int(granted), Bucket(float(tokens), float(at), int(day), int(used)), str(born)
