"""The versions of inboxes as Redis keeps them: which there is, who is about to change one, and how many rows it has.

Each step is one script, so that it is one round trip and nothing comes between its parts. What the steps guarantee
together is in `app/inbox/versions.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import redis

from app.delivery.services.shared_redis import SharedRedis, connect

# Seconds for which a version counts, from when it was made: whatever goes wrong, no answer is older than this.
LIFE: Final = 60.0
# Seconds for which a writer that was not heard from again keeps others from giving versions.
HOLD: Final = 30.0
# A change of more inboxes than this is written down as one: a message to a million people is not two million commands.
MANY: Final = 200
# Whose version stands for all inboxes; it ends only when nobody knows which have changed.
ALL: Final = "all"

_CONSEQUENCE: Final = "inboxes are read from the database each time"

# A version that is there is of an inbox that nobody is about to change: he has ended it, and none is made until he is
# done.
# KEYS: of all and of one the version, the writers. ARGV: two new versions, milliseconds to live, which count, the user.
_READ: Final = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local is_there = redis.call('EXISTS', KEYS[3]) == 1
for index = 2, 4, 2 do
  if not is_there and redis.call('EXISTS', KEYS[index]) == 1 then
    redis.call('ZREMRANGEBYSCORE', KEYS[index], '-inf', ms)
    for _, writer in ipairs(redis.call('ZRANGE', KEYS[index], 0, -1)) do
      local first, last = string.match(writer, ':(%d+):(%d+)$')
      if not first or (tonumber(first) <= tonumber(ARGV[5]) and tonumber(ARGV[5]) <= tonumber(last)) then
        return false
      end
    end
  end
end
local versions = {}
for index = 1, 3, 2 do
  local version = redis.call('HGET', KEYS[index], 'version')
  if not version then
    version = ARGV[(index + 1) / 2]
    redis.call('HSET', KEYS[index], 'version', version)
    redis.call('PEXPIRE', KEYS[index], ARGV[3])
  end
  versions[#versions + 1] = version
end
local known = redis.call('HMGET', KEYS[3], 'of', 'login', ARGV[4], 'unread')
if known[1] ~= versions[1] then known = {} end
return {versions[1], versions[2], known[2] or false, known[3] or false, known[4] or false}
"""
# KEYS: of all and of one the version. ARGV: the versions that were read, then what is to be kept, by name.
_KEEP: Final = """
if redis.call('HGET', KEYS[1], 'version') == ARGV[1] and redis.call('HGET', KEYS[2], 'version') == ARGV[2] then
  if redis.call('HGET', KEYS[2], 'of') ~= ARGV[1] then
    local life = redis.call('PTTL', KEYS[2])
    if life < 1 then return end
    redis.call('DEL', KEYS[2])
    redis.call('HSET', KEYS[2], 'version', ARGV[2], 'of', ARGV[1])
    redis.call('PEXPIRE', KEYS[2], life)
  end
  redis.call('HSET', KEYS[2], unpack(ARGV, 3))
end
"""
# KEYS: the version and the writers of each. ARGV: the writer's name, milliseconds that he is waited for.
_HOLD: Final = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
for index = 1, #KEYS, 2 do
  redis.call('DEL', KEYS[index])
  redis.call('ZADD', KEYS[index + 1], ms + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[index + 1], ARGV[2])
end
"""
# KEYS: the writers of all. ARGV: the writer's name with the first and the last user of those whose inboxes he changes,
# milliseconds that he is waited for, the users. Their keys follow from their ids: naming ten thousand takes longer.
_HOLD_MANY: Final = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], ms + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[2])))
local keys = {}
for id in string.gmatch(ARGV[3], '%d+') do
  keys[#keys + 1] = 'usher:inbox:' .. id
  if #keys == 1000 then
    redis.call('DEL', unpack(keys))
    keys = {}
  end
end
if #keys > 0 then redis.call('DEL', unpack(keys)) end
"""
# KEYS: as for `_HOLD`. ARGV: the writer's name.
_RELEASE: Final = """
for index = 1, #KEYS, 2 do
  redis.call('DEL', KEYS[index])
  redis.call('ZREM', KEYS[index + 1], ARGV[1])
end
"""


@dataclass(frozen=True)
class Version:
    """What an inbox's content can be known by, and what was read of it at this version; None where it was not yet.

    Attributes:
        user_id: whose inbox.
        of_all: the version of all, which changes when it is not known whose have.
        own: the version that changes with this inbox.
        login: the generation of the owner's tokens that counts.
        count: how many notifications the inbox has.
        unread: how many of them are unread, as badges show it.
    """

    user_id: int
    of_all: str
    own: str
    login: int | None = None
    count: int | None = None
    unread: str | None = None


class Store:
    """Redis as far as inboxes are concerned; it may be away, and then no answer is known by a version.

    Args:
        shared: the connection.
    """

    def __init__(self, shared: SharedRedis) -> None:
        self.shared = shared
        self._read, self._keep, self._hold, self._hold_many, self._release = (
            shared.client.register_script(text) for text in (_READ, _KEEP, _HOLD, _HOLD_MANY, _RELEASE)
        )
        self._has_missed = False

    def read(self, user_id: int, count: str = "count") -> Version | None:
        """The present version of a user's inbox, made if there is none; None while somebody is about to change it.

        Args:
            user_id: whose inbox.
            count: the name of the number that is asked for: of all, or of those that fulfil a filter.
        """
        new = secrets.token_hex(16), secrets.token_hex(16)
        fresh: list[str | int] = [*new, _milliseconds(LIFE), count, user_id]
        found = self._ask(lambda client: self._read(_keys(ALL, user_id), fresh, client))
        if not found:
            return None
        of_all, own, login, number, unread = found
        return Version(user_id, of_all, own, _number(login), _number(number), unread)

    def keep(self, version: Version, **read: int | str) -> None:
        """Keep what was read at this version (`login`, `unread`, a count by its name); dropped if it is past."""
        keys = [_version(ALL), _version(version.user_id)]
        facts = [each for pair in read.items() for each in pair]
        self._ask(lambda client: self._keep(keys, [version.of_all, version.own, *facts], client))

    def hold(self, writer: str, owners: Sequence[int | str]) -> bool:
        """End these versions and let none be made before `release`; False if Redis was not reached."""
        args: list[str | int] = [writer, _milliseconds(HOLD)]
        return self._ask(lambda client: self._hold(_keys(*owners), args, client) or True) is True

    def hold_many(self, writer: str, user_ids: Sequence[int]) -> bool:
        """The same for very many: until `release_many` no version is made for anybody between the first and the last.

        Args:
            writer: made by `name_of_many`.
            user_ids: whose versions end; all others' stay, those between them too.
        """
        args: list[str | int] = [writer, _milliseconds(HOLD), " ".join(map(str, user_ids))]
        return self._ask(lambda client: self._hold_many([_writers(ALL)], args, client) or True) is True

    def release_many(self, writer: str) -> bool:
        """Let new ones be made; False if Redis was not reached. None was made in the meantime, so that none ends."""
        return self._ask(lambda client: client.zrem(_writers(ALL), writer) >= 0) is True

    def release(self, writer: str, owners: Sequence[int | str]) -> bool:
        """End them once more, and let new ones be made; False if Redis was not reached."""
        return self._ask(lambda client: self._release(_keys(*owners), [writer], client) or True) is True

    def miss(self) -> None:
        """Note that a change went unnoticed while Redis was away: all versions end before this process asks again."""
        self._has_missed = True

    def _ask(self, question: Callable[[redis.Redis], Any]) -> Any:
        if self._has_missed:
            # Before the deletion: what is missed by another thread during it is noted once more.
            self._has_missed = False
            if self.shared.ask(lambda client: client.delete(_version(ALL))) is None:
                self._has_missed = True
                return None
        return self.shared.ask(question)


@cache
def inbox_store(url: str) -> Store:
    """This process's; its connection is made anew in a process that was forked."""
    return Store(SharedRedis(connect(url), consequence=_CONSEQUENCE))


def _version(owner: int | str) -> str:
    return f"usher:inbox:{owner}"


def _keys(*owners: int | str) -> list[str]:
    return [key for owner in owners for key in (_version(owner), _writers(owner))]


def _writers(owner: int | str) -> str:
    return f"usher:inbox:{owner}:writers"


def name_of_many(writer: str, user_ids: Sequence[int]) -> str:
    """What a writer who changes the inboxes of these users is called: his name, and between whom they are."""
    return f"{writer}:{min(user_ids)}:{max(user_ids)}"


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
