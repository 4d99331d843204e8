"""Valkey or Redis: whether it answers, takes writes, and keeps what it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import redis

from app.doctor.findings import Finding

CHECK: Final = "broker"
SECONDS: Final = 3.0
# The share of its memory from which on a broker that evicts nothing is about to refuse writes.
_NEARLY_FULL: Final = 0.9


def broker_address(url: str) -> str:
    """Where a broker is, without its user and password."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname or 'localhost'}{port}{parts.path}"


def check_broker(url: str) -> tuple[bool, list[Finding]]:
    """Look at the broker; whether it answers, and the findings."""
    where = broker_address(url)
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=SECONDS, socket_timeout=SECONDS) as client:
            client.ping()
            info = _info(client)
    except (redis.RedisError, OSError) as error:
        what = f"The broker does not answer: {_said(error, url)}. Mails wait for the sweep, and none begins."
        advice = "Check REDIS_URL (user and password too), and that Valkey or Redis runs."
        return False, [Finding("problem", CHECK, where, what, advice)]
    return True, list(_judge(info, where))


def _info(client: redis.Redis) -> Mapping[str, Any]:
    """What the server says of itself; nothing if it does not let this user ask."""
    try:
        return cast("Mapping[str, Any]", client.info("everything"))
    except redis.ResponseError:
        return {}


def _said(error: Exception, url: str) -> str:
    text = str(error).strip().rstrip(".") or type(error).__name__
    password = urlsplit(url).password
    return text.replace(password, "***") if password else text


def _judge(info: Mapping[str, Any], where: str) -> Iterator[Finding]:
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version") or "(of a version that it keeps to itself)"
    yield Finding("ok", CHECK, where, f"{name} {version} answers. It need not persist: nothing in it must outlive it.")
    if info.get("role") == "slave":
        what = "It is a replica, which takes no writes."
        yield Finding("problem", CHECK, where, what, "Name the primary in REDIS_URL.")
    yield _eviction(info, where)
    limit, used = int(info.get("maxmemory") or 0), int(info.get("used_memory") or 0)
    if limit and used > _NEARLY_FULL * limit:
        what = f"It uses {used / limit:.0%} of the memory it may have ({limit // 2**20} MiB)."
        yield Finding("warning", CHECK, where, what, "Raise maxmemory, and see that a worker runs and takes the tasks.")


def _eviction(info: Mapping[str, Any], where: str) -> Finding:
    policy = info.get("maxmemory_policy")
    if policy is None:
        what = "It does not say what it does when its memory is full."
        return Finding("warning", CHECK, where, what, "See that its maxmemory-policy is noeviction.")
    if policy == "noeviction":
        return Finding("ok", CHECK, where, "It evicts nothing when its memory is full.")
    what = f"When its memory is full it drops what it was given (maxmemory-policy {policy})"
    dropped = int(info.get("evicted_keys") or 0)
    more = f"; it has dropped {dropped} keys" if dropped else ""
    advice = "Set maxmemory-policy to noeviction. Mails are not lost, but come late, and limits and counters are reset."
    return Finding("warning", CHECK, where, f"{what}{more}.", advice)
