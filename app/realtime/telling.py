"""What clients hear of changes: which users are present, what their notifications say now, and how many are unread.

Nobody present: nothing is read from the database. Documents are in the state of now, not of the change; one that comes
late does no harm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from sqlalchemy import Connection, Engine, Row, text

from app.api.jsonapi.timestamps import format_timestamp
from app.inbox.changes import NEW, READ, REMOVED, RESYNC, Change
from app.inbox.page import COLUMNS
from app.inbox.unread import MOST, capped
from app.realtime.keys import (
    CONTROL,
    END,
    ENDED_SECONDS,
    PRESENCE_PATTERN,
    PRESENT,
    RAISE,
    RENEW,
    STREAM_LENGTH,
    STREAM_SECONDS,
    TELL,
    channel_of,
    presence_key,
    stream_key,
    version_key,
)
from app.realtime.messages import Count, make_message

# Users, or notifications, that are asked for and told together.
CHUNK: Final = 1000
# Users whose presence is asked for key by key; more of them are asked for in scripts, so many in each.
FEW: Final = 100
MANY: Final = 5000
# Of one user's notifications in one transaction: with more of them the client reads the inbox anew.
MAX_EACH: Final = 20

_NAMED: Final = text(f"SELECT {COLUMNS} WHERE n.id = ANY(:ids)")
_HEARD: Final = text(f"SELECT {COLUMNS} WHERE n.happening_id = :happening AND n.user_id = ANY(:users)")
_UNREAD: Final = text(
    """
    SELECT u.id, (
        SELECT count(*) FROM (
            SELECT FROM notifications AS n WHERE n.user_id = u.id AND NOT n.is_read AND n.deleted_at IS NULL LIMIT :most
        ) AS few
    ) AS unread
    FROM unnest(CAST(:users AS bigint[])) AS u(id)
    """
)


@dataclass(frozen=True)
class Piece:
    """What is to be told: of one notification, which is named by its id or by its happening and user.

    Attributes:
        user_id: whom; None, if only the notification's row says it.
    """

    action: str
    user_id: int | None
    notification_id: int | None = None
    happening_id: int | None = None


def tell_changes(client: redis.Redis, engine: Engine, changes: Sequence[Change]) -> None:
    """Tell the clients of those users who are present.

    Raises:
        RedisError: Redis is away; so may be OSError.
        SQLAlchemyError: the database is away.
    """
    present = find_present(client, {user_id for change in changes for user_id in change.user_ids})
    if not present:
        return
    pieces = list(_pieces(changes, present))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for start in range(0, len(pieces), CHUNK):
            _tell(client, connection, pieces[start : start + CHUNK], present)


def find_present(client: redis.Redis, user_ids: Iterable[int]) -> set[int]:
    """Those who have a connection, or had one lately."""
    users = list(user_ids)
    if len(users) <= FEW:
        epochs = client.mget([presence_key(user_id) for user_id in users]) if users else []
        return {user_id for user_id, epoch in zip(users, epochs, strict=True) if epoch}
    # Of thousands Redis looks by itself: naming and answering each key would take this process ten times as long.
    present = client.register_script(PRESENT)
    found: set[int] = set()
    for start in range(0, len(users), MANY):
        some = " ".join(map(str, users[start : start + MANY]))
        found.update(map(int, present(args=[some, *PRESENCE_PATTERN.split("*")], client=client)))
    return found


def renew_everybody(client: redis.Redis) -> None:
    """Have everybody read the inbox anew, also those who are away for a moment: what was to be told is lost."""
    keys: list[str] = []
    for key in client.scan_iter(PRESENCE_PATTERN, count=CHUNK):
        keys.append(key)
        if len(keys) == CHUNK:
            client.unlink(*keys)
            keys.clear()
    if keys:
        client.unlink(*keys)
    client.publish(CONTROL, RENEW)


def tell_versions(client: redis.Redis, versions: Mapping[int, int], *, aloud: bool) -> None:
    """Tell the gateways which versions the tokens of these users must have; `aloud`, so that they look at once."""
    raise_version = client.register_script(RAISE)
    with client.pipeline(transaction=False) as pipeline:
        for user_id, version in versions.items():
            raise_version(keys=[version_key(user_id)], args=[version, ENDED_SECONDS], client=pipeline)
            if aloud:
                pipeline.publish(CONTROL, f"{END} {user_id} {version}")
        pipeline.execute()


def resource(row: Row[Any]) -> dict[str, Any]:
    """A notification as the API shows it to its owner; `tests/realtime` holds the two together."""
    address = f"/v1/notifications/{row.id}"
    user = {
        "links": {"self": f"{address}/relationships/user", "related": f"{address}/user"},
        "data": {"type": "user", "id": str(row.user_id)},
    }
    return {
        "type": "notification",
        "id": str(row.id),
        "attributes": {
            "title": row.title,
            "message": row.message,
            "action": row.action,
            "event-type": row.event_type,
            "received-at": format_timestamp(row.received_at),
            "is-read": row.is_read,
            "read-at": format_timestamp(row.read_at) if row.read_at else None,
            "link": row.link,
            "data": row.data,
        },
        "relationships": {
            "user": user,
            "happening": {"data": {"type": "happening", "id": str(row.happening_id)}},
        },
        "links": {"self": address},
    }


def _pieces(changes: Sequence[Change], present: set[int]) -> Iterator[Piece]:
    for change in changes:
        users = [user_id for user_id in change.user_ids if user_id in present]
        if change.action == RESYNC or not (change.notification_ids or change.happening_id):
            yield from (Piece(RESYNC, user_id) for user_id in users)
        elif not change.notification_ids:
            yield from (Piece(change.action, user_id, happening_id=change.happening_id) for user_id in users)
        elif len(change.user_ids) > 1:
            yield from (Piece(change.action, None, id_) for id_ in change.notification_ids)
        elif users and len(change.notification_ids) > MAX_EACH:
            yield Piece(RESYNC, users[0])
        elif users:
            yield from (Piece(change.action, users[0], id_) for id_ in change.notification_ids)


def _tell(client: redis.Redis, connection: Connection, pieces: Sequence[Piece], present: set[int]) -> None:
    rows = _rows(connection, pieces)
    told: list[tuple[int, str, dict[str, Any] | None]] = []
    for piece in pieces:
        row = rows.get((piece.notification_id, piece.happening_id, piece.user_id if piece.happening_id else None))
        user_id = piece.user_id if row is None else row.user_id
        if user_id in present and (piece.action == RESYNC or _is_so(piece, row)):
            told.append((user_id, piece.action, _document(piece, row)))
    unread = _unread(connection, {user_id for user_id, _, _ in told})
    script = client.register_script(TELL)
    with client.pipeline(transaction=False) as pipeline:
        for user_id, action, document in _without_floods(told):
            keys = [presence_key(user_id), stream_key(user_id)]
            message = make_message(action, document, unread[user_id])
            args: list[str | int] = [channel_of(user_id), message, STREAM_LENGTH, STREAM_SECONDS]
            script(keys=keys, args=args, client=pipeline)
        pipeline.execute()


def _rows(connection: Connection, pieces: Sequence[Piece]) -> dict[tuple[int | None, int | None, int | None], Row[Any]]:
    """The notifications by their id; or by their happening and user."""
    found: dict[tuple[int | None, int | None, int | None], Row[Any]] = {}
    ids = [piece.notification_id for piece in pieces if piece.notification_id]
    if ids:
        found.update({(row.id, None, None): row for row in connection.execute(_NAMED, {"ids": ids})})
    for happening in {piece.happening_id for piece in pieces if piece.happening_id}:
        users = [piece.user_id for piece in pieces if piece.happening_id == happening]
        rows = connection.execute(_HEARD, {"happening": happening, "users": users})
        found.update({(None, happening, row.user_id): row for row in rows})
    return found


def _is_so(piece: Piece, row: Row[Any] | None) -> bool:
    """Whether it is still as the change has made it: one that is gone was not just read, nor the other way round."""
    if piece.action in (NEW, READ):
        return row is not None and row.deleted_at is None
    return row is None or row.deleted_at is not None


def _document(piece: Piece, row: Row[Any] | None) -> dict[str, Any] | None:
    """The notification; of one that is gone only what it was, since what it said may have been taken back."""
    if piece.action == RESYNC:
        return None
    if piece.action == REMOVED:
        id_ = piece.notification_id if row is None else row.id
        return None if id_ is None else {"type": "notification", "id": str(id_)}
    return None if row is None else resource(row)


def _unread(connection: Connection, users: set[int]) -> dict[int, Count]:
    if not users:
        return {}
    rows = connection.execute(_UNREAD, {"users": list(users), "most": MOST + 1})
    return {row.id: capped(row.unread) for row in rows}


def _without_floods(
    told: Sequence[tuple[int, str, dict[str, Any] | None]],
) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """The same, but for a user of whom there is much: he reads the inbox anew; and so if nobody knows what is gone."""
    counts = Counter(user_id for user_id, _, _ in told)
    renewed: set[int] = set()
    for user_id, action, document in told:
        if document is not None and counts[user_id] <= MAX_EACH:
            yield user_id, action, document
        elif user_id not in renewed:
            renewed.add(user_id)
            yield user_id, RESYNC, None
