from __future__ import annotations

from typing import Any

import pytest
import redis
from sqlalchemy import text

from app.api.helpers.notification import About, send_notification
from app.inbox.changes import NEW, REMOVED, note_change
from app.models import Happening, Notification, User, db
from app.models.notification import NEXT_EVENT
from app.realtime.keys import STREAM_LENGTH, STREAM_SECONDS, TELL, channel_of, presence_key, stream_key
from app.realtime.messages import make_message
from app.realtime.publisher import wait_for_publishing
from tests.conftest import People
from tests.realtime.conftest import Listen, Tell
from tests.support.api import Api
from tests.support.processes import wait_for
from tests.support.streams import Gateway, Stream


def position(stream: Stream) -> str:
    """The id with which a stream begins."""
    opening = stream.next()
    assert opening is not None
    assert opening.id is not None
    return opening.id


def publish(broker: redis.Redis, user: User, count: int, message: str) -> None:
    """Messages without notifications, as quickly as Redis takes them."""
    script = broker.register_script(TELL)
    for _ in range(count):
        keys = [presence_key(user.id), stream_key(user.id)]
        args: list[str | int] = [channel_of(user.id), message, STREAM_LENGTH, STREAM_SECONDS]
        assert script(keys=keys, args=args) > 0


def titles(stream: Stream, count: int) -> list[str]:
    return [stream.message()["notification"]["attributes"]["title"] for _ in range(count)]


def test_a_stream_begins_with_when_to_come_back_and_from_where_on(user: User, listen: Listen) -> None:
    stream = listen(user)
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"].startswith("no-cache")
    assert stream.headers["x-accel-buffering"] == "no"
    opening = stream.next()
    assert opening is not None
    assert opening.id is not None
    assert opening.retry is not None
    assert 2000 <= opening.retry <= 5000
    assert (opening.name, opening.data) == (None, None)


def test_what_is_new_read_and_removed_comes_on_every_device_as_the_api_shows_it(
    user: User, listen: Listen, tell: Tell, api: Api
) -> None:
    phone, laptop = listen(user), listen(user)
    mine = api.as_(user)
    told = tell(user, about=About(link="/rooms/1", data={"room": "Äß 1\u2028"}))
    path = f"/v1/notifications/{told.id}"

    def shown() -> Any:
        return mine.get(path).json["data"]

    for device in (phone, laptop):
        message = device.message()
        assert message == {"id": message["id"], "action": "new", "notification": shown(), "unread-count": 1}

    assert mine.update(path, "notification", told.id, is_read=True).status_code == 200
    for device in (phone, laptop):
        message = device.message()
        assert (message["action"], message["unread-count"]) == ("read", 0)
        assert message["notification"] == shown()
        assert message["notification"]["attributes"]["read-at"] is not None

    assert mine.delete(path).status_code == 204
    gone = {"type": "notification", "id": str(told.id)}
    for device in (phone, laptop):
        message = device.message()
        assert (message["action"], message["notification"], message["unread-count"]) == ("removed", gone, 0)


def test_nothing_is_told_of_what_is_rolled_back_wholly_or_to_a_savepoint(
    user: User, listen: Listen, tell: Tell
) -> None:
    stream = listen(user)
    send_notification(user, NEXT_EVENT, "Never", "")
    db.session.flush()
    db.session.rollback()
    savepoint = db.session.begin_nested()
    send_notification(user, NEXT_EVENT, "Not this", "")
    db.session.flush()
    savepoint.rollback()
    tell(user, "But this")
    assert titles(stream, 1) == ["But this"]


def test_nothing_comes_for_others(user: User, people: People, listen: Listen, tell: Tell) -> None:
    other = people.user()
    mine, theirs = listen(user), listen(other)
    tell(user, "For Ana")
    tell(other, "For the other")
    tell(user, "For Ana again")
    assert titles(theirs, 1) == ["For the other"]
    assert titles(mine, 2) == ["For Ana", "For Ana again"]


def test_a_client_that_comes_back_gets_what_it_has_missed_once_and_then_what_is_new(
    user: User, listen: Listen, tell: Tell
) -> None:
    first = listen(user)
    tell(user, "Seen")
    last = first.message()["id"]
    first.close()
    for title in ("Missed 1", "Missed 2"):
        tell(user, title)
    assert wait_for_publishing()
    by_header, by_query = listen(user, Last_Event_ID=last), listen(user, f"?last-event-id={last}")
    tell(user, "New")
    assert titles(by_header, 3) == titles(by_query, 3) == ["Missed 1", "Missed 2", "New"]


def test_a_client_that_missed_nothing_is_told_nothing_and_resumes_from_its_opening(
    user: User, listen: Listen, tell: Tell
) -> None:
    tell(user, "Before")
    last = position(listen(user))
    stream = listen(user, Last_Event_ID=last)
    assert position(stream) == last
    tell(user, "After")
    assert titles(stream, 1) == ["After"]


@pytest.mark.parametrize("last", ["nonsense", "0123456789abcdef-3", "9" * 5000, "{future}", "-1", "%C3%A4-1"])
def test_who_names_an_id_that_is_not_known_is_told_once_to_read_anew(
    user: User, listen: Listen, tell: Tell, last: str
) -> None:
    known = position(listen(user))
    stream = listen(user, f"?last-event-id={last.replace('{future}', f'{known}99')}")
    opening = stream.next()
    assert opening is not None
    # Were it cut off here, the next try must be told the same.
    assert opening.id is None
    resync = stream.message()
    assert resync == {"id": known, "action": "resync", "notification": None, "unread-count": None}
    tell(user, "New")
    assert titles(stream, 1) == ["New"]


def test_numbers_of_another_run_of_redis_are_not_believed(
    user: User, listen: Listen, tell: Tell, broker: redis.Redis
) -> None:
    # Redis came back from a copy of its memory: what came after the copy has numbers that are given once more.
    old = f"000000{position(listen(user))[6:]}"
    broker.set(presence_key(user.id), old.partition("-")[0])
    stream = listen(user, Last_Event_ID=old)
    assert stream.message()["action"] == "resync"
    tell(user, "New")
    assert titles(stream, 1) == ["New"]


def test_who_missed_more_than_is_kept_is_told_once_to_read_anew_with_the_newest_count(
    user: User, listen: Listen, tell: Tell, broker: redis.Redis
) -> None:
    last = position(listen(user))
    publish(broker, user, STREAM_LENGTH - 1, make_message("new", None, 6))
    publish(broker, user, 1, make_message("new", None, 7))
    whole = listen(user, Last_Event_ID=last)
    assert [whole.message()["action"] for _ in range(STREAM_LENGTH)] == ["new"] * STREAM_LENGTH
    publish(broker, user, 1, make_message("new", None, "99+"))
    late = listen(user, Last_Event_ID=last)
    message = late.message()
    assert (message["action"], message["unread-count"]) == ("resync", "99+")
    tell(user, "New")
    assert titles(late, 1) == ["New"]


def test_much_at_once_is_one_resync(user: User, listen: Listen, tell: Tell, api: Api) -> None:
    stream = listen(user)
    for number in range(21):
        send_notification(user, NEXT_EVENT, f"One of many {number}", "")
    db.session.commit()
    message = stream.message()
    assert (message["action"], message["notification"], message["unread-count"]) == ("resync", None, 21)
    body = {"meta": {"is-read": True}}
    assert api.as_(user).patch(f"/v1/users/{user.id}/notifications", body).status_code == 200
    message = stream.message()
    assert (message["action"], message["unread-count"]) == ("resync", 0)
    tell(user, "x", "y" * 40_000)
    assert stream.message()["action"] == "resync"
    tell(user, "Single")
    assert titles(stream, 1) == ["Single"]


def test_the_count_is_exact_to_99_and_then_99_plus(user: User, listen: Listen, tell: Tell) -> None:
    stream = listen(user)
    first = tell(user)
    assert stream.message()["unread-count"] == 1
    fill = (
        "WITH told AS (INSERT INTO happenings (action, title, message)"
        " SELECT action, title, message FROM happenings, generate_series(1, 97) WHERE id = :id RETURNING id)"
        " INSERT INTO notifications (happening_id, user_id) SELECT id, :user FROM told"
    )
    db.session.execute(text(fill), {"id": first.happening_id, "user": user.id})
    for count in (99, "99+"):
        tell(user)
        assert stream.message()["unread-count"] == count


def test_of_many_who_are_told_at_once_those_who_are_there_hear_it(
    people: People, listen: Listen, broker: redis.Redis
) -> None:
    users = [people.user() for _ in range(5)]
    there = [users[1], users[3]]
    streams = [listen(user) for user in there]
    happening = Happening(action=NEXT_EVENT, title="For all", message="")
    happening_id = _tell_all(happening, users)
    for user, stream in zip(there, streams, strict=True):
        message = stream.message()
        assert message["action"] == "new"
        relationships = message["notification"]["relationships"]
        assert relationships["user"]["data"] == {"type": "user", "id": str(user.id)}
        assert relationships["happening"]["data"] == {"type": "happening", "id": str(happening_id)}
    # And when it is taken back, as a recall does; of what it said nothing is repeated.
    statement = "UPDATE notifications SET deleted_at = now() WHERE happening_id = :id RETURNING user_id"
    gone = db.session.scalars(text(statement), {"id": happening_id}).all()
    note_change(db.session(), REMOVED, gone, happening_id=happening_id)
    db.session.commit()
    for stream in streams:
        message = stream.message()
        assert (message["action"], set(message["notification"])) == ("removed", {"type", "id"})
        assert message["unread-count"] == 0
    assert wait_for_publishing()
    assert not broker.exists(stream_key(users[0].id))


def _tell_all(happening: Happening, users: list[User]) -> int:
    """One happening for many, in a statement, as the fan-out does."""
    db.session.add(happening)
    db.session.flush()
    ids = [user.id for user in users]
    rows = [{"happening_id": happening.id, "user_id": id_} for id_ in ids]
    db.session.execute(Notification.__table__.insert(), rows)  # type: ignore[attr-defined]
    note_change(db.session(), NEW, ids, happening_id=happening.id)
    db.session.commit()
    return happening.id


def test_a_user_has_a_few_connections_and_no_more(user: User, listen: Listen, gateway: Gateway, people: People) -> None:
    streams = [listen(user) for _ in range(3)]
    with gateway.stream(user.id, people.token(user)) as refused:
        assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        assert refused.json()["errors"][0]["status"] == "429"
    streams[0].close()
    wait_for(lambda: gateway.figure('usher_realtime_connections{kind="sse"}') == 2, "the end of a connection")
    listen(user)


def test_a_slow_reader_is_cut_off_and_resumes(
    user: User, listen: Listen, broker: redis.Redis, gateway: Gateway
) -> None:
    slow, quick = listen(user), listen(user)
    last = position(slow)
    slow.pause()
    dropped = 'usher_realtime_dropped_total{reason="slow"}'
    before = gateway.figure(dropped)
    long = make_message("new", {"type": "notification", "id": "1", "attributes": {"message": "x" * 30_000}}, 5)
    for _ in range(50):
        publish(broker, user, 20, long)
        for _ in range(20):
            assert quick.message()["unread-count"] == 5
        if gateway.figure(dropped) > before:
            break
    assert gateway.figure(dropped) == before + 1
    assert listen(user, Last_Event_ID=last).message()["action"] == "resync"


def test_health_readiness_and_figures_are_served_and_nothing_else(gateway: Gateway, user: User, listen: Listen) -> None:
    listen(user)
    assert gateway.get("/health").json() == {"status": "ok"}
    assert gateway.get("/ready").json() == {"status": "ok", "checks": {"broker": "ok"}}
    figures = gateway.get("/metrics")
    assert figures.headers["content-type"].startswith("text/plain")
    assert 'usher_realtime_connections{kind="sse"} 1.0' in figures.text
    assert "usher_realtime_redis_up 1.0" in figures.text
    for path in ("/", "/v1/users/1/notifications", "/v1/users/x/notifications/stream", "/ws/notifications"):
        nothing = gateway.get(path)
        assert nothing.status_code == 404
        assert "This is the realtime gateway" in nothing.json()["errors"][0]["detail"]


def test_a_request_has_an_end(gateway: Gateway) -> None:
    with gateway.stream(1, None, X="y" * 20_000) as refused:
        assert refused.status == 431
