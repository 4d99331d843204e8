"""What the processes with the database and the realtime gateways share in Redis: names, times, and two scripts.

A user who has an open connection, or had one lately, has two keys: `presence` holds a random epoch, `stream` the last
messages, numbered from 1 without a gap. An id of a message is `<epoch>-<number>`: whoever names one gets what came
after it, or is told that this cannot be known, since the epoch is another or the messages are no longer there.

An epoch begins with a mark of the run of Redis that it was made in, and ends with it: a Redis that was started again
from an old copy of its memory gives numbers once more that clients know already, for other messages.
"""

from __future__ import annotations

import re
from typing import Final

# What a gateway needs of the environment.
GATEWAY_VARIABLES: Final = ("REDIS_URL", "SECRET_KEY")

# Seconds that a user counts as present after the last connection ended: for so long a client can resume.
PRESENCE_SECONDS: Final = 600
# The messages outlive the presence, so that there is no presence without them.
STREAM_SECONDS: Final = 2 * PRESENCE_SECONDS
# Messages that are kept for each user.
STREAM_LENGTH: Final = 100
# A ticket is used within this many seconds, or never.
TICKET_SECONDS: Final = 60
# A login token lives for a day: what ended it need not be known for much longer.
ENDED_SECONDS: Final = 26 * 3600
# In place of a token version: no token of this user is good any more.
NO_VERSION: Final = 2**31

# The mark by which the gateways see that all was forgotten: see `Memory`.
MEMORY: Final = "usher:realtime:memory"
# What all gateways hear: see `Control`.
CONTROL: Final = "usher:realtime:control"
# The commands on it: all connections whose token is older are to be closed ("end <user> <version>"); everybody is to
# read the inbox anew ("renew").
END, RENEW = "end", "renew"

_CHANNEL: Final = "usher:realtime:user:"
PRESENCE_PATTERN: Final = "usher:realtime:{*}:presence"
_EVENT_ID: Final = re.compile(r"([0-9a-f]{16})-([0-9]{1,15})", re.ASCII)


def presence_key(user_id: int) -> str:
    """Where the epoch of a user is; the braces keep it beside the messages in a Redis Cluster."""
    return f"usher:realtime:{{{user_id}}}:presence"


def stream_key(user_id: int) -> str:
    """Where the last messages to a user are."""
    return f"usher:realtime:{{{user_id}}}:stream"


def version_key(user_id: int) -> str:
    """Where the version is that a user's tokens must have, if it was raised lately."""
    return f"usher:token-version:{user_id}"


def ticket_key(number: str) -> str:
    """What is set when a ticket is used."""
    return f"usher:realtime:ticket:{number}"


def channel_of(user_id: int) -> str:
    """The channel on which the gateways hear of one user."""
    return f"{_CHANNEL}{user_id}"


def user_of_channel(channel: str) -> int:
    """Whose channel it is."""
    return int(channel.removeprefix(_CHANNEL))


def event_id(epoch: str, number: int) -> str:
    """The id of a message."""
    return f"{epoch}-{number}"


def parse_event_id(text: str) -> tuple[str, int] | None:
    """Epoch and number of an id that a client has sent; None, if it cannot be one of ours."""
    found = _EVENT_ID.fullmatch(text)
    return (found[1], int(found[2])) if found else None


# Keeps a message for a user who is present, and tells the gateways: KEYS presence, stream; ARGV channel, message,
# length, seconds. Answers the message's number; 0, if the user is not present. Sequence numbers, not times, so that a
# gap can be seen. Messages without their presence, or the other way round, were evicted: then the user is as good as
# never seen, and gateways that have connections of his begin anew.
TELL: Final = """
local epoch = redis.call('GET', KEYS[1])
if not epoch then return 0 end
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if not newest then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[1], 'renew')
  return 0
end
local number = tonumber(string.match(newest[1], '%d+$')) + 1
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], '0-' .. number, 'm', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[4])
redis.call('PUBLISH', ARGV[1], epoch .. '-' .. number .. ' ' .. ARGV[2])
return number
"""

# Makes a user present, and reads what a client has missed: KEYS presence, stream; ARGV a fresh epoch, seconds of the
# presence, of the messages, epoch and number that the client knows (or '' and 0). Answers the epoch, the number of the
# newest message, whether all that was missed is there (1 or 0), and those messages; if not all are, the newest. Where
# INFO is not allowed, all runs of Redis are taken for one.
OPEN: Final = """
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%x%x%x%x%x%x)') or ''
local epoch = redis.call('GET', KEYS[1])
if not epoch or string.sub(epoch, 1, #run) ~= run or redis.call('EXISTS', KEYS[2]) == 0 then
  epoch = run .. string.sub(ARGV[1], #run + 1)
  redis.call('DEL', KEYS[2])
  redis.call('XADD', KEYS[2], '0-1', 'm', '')
end
redis.call('SET', KEYS[1], epoch, 'EX', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local last = tonumber(string.match(newest[1], '%d+$'))
local known = tonumber(ARGV[5])
if ARGV[4] == epoch and known <= last then
  local messages = {}
  if known < last then
    for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '0-' .. (known + 1), '+')) do
      messages[#messages + 1] = entry[2][2]
    end
  end
  if #messages == last - known then return {epoch, last, 1, messages} end
end
return {epoch, last, 0, {newest[2][2]}}
"""

# Raises a version, and never lowers it: KEYS the version; ARGV the new one, seconds.
RAISE: Final = """
if tonumber(redis.call('GET', KEYS[1]) or '-1') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
return 1
"""

# Who of many is present. ARGV: ids with spaces between, what stands before and behind an id in the key. Mostly hundreds
# of them are not: they are asked for with one command. In a Redis Cluster the keys are spread over its nodes, which a
# script is not.
PRESENT: Final = """
local present, ids, keys = {}, {}, {}
local function look()
  if #keys > 0 and redis.call('EXISTS', unpack(keys)) > 0 then
    for index, key in ipairs(keys) do
      if redis.call('EXISTS', key) == 1 then present[#present + 1] = ids[index] end
    end
  end
  ids, keys = {}, {}
end
for id in string.gmatch(ARGV[1], '%d+') do
  ids[#ids + 1] = id
  keys[#keys + 1] = ARGV[2] .. id .. ARGV[3]
  if #keys == 500 then look() end
end
look()
return present
"""
