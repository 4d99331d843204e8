"""What the page of Django REST Notifications promises, row by row, over HTTP, in Python, and by the WebSocket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest
from sqlalchemy import select
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from app.api.helpers.happenings import HappeningError, notify_happening
from app.api.helpers.listens import create_user_notification
from app.auth.tokens import login_token
from app.embedded.stack import EmbeddedStack
from app.happenings.audience import everyone
from app.models import Happening, Notification, User, db
from tests.conftest import People
from tests.support.api import Api
from tests.support.named_rows import named_and_there
from tests.support.rows import count, notified
from tests.support.streams import SECONDS, Gateway, running_gateway

# The page's words, and where each of them is seen to hold.
ROWS: Final = {
    "EVENTS: declare types with name, title, description (or None)": (
        "test_a_type_is_declared_with_name_title_and_perhaps_a_description",
        "test_an_undeclared_type_is_refused",
    ),
    "manage.py migrate saves the types in the database": ("test_types_of_the_program_are_rows_beside_declared_ones",),
    "send_notifications(type, title): mandatory (here the message too)": ("test_type_title_and_message_are_enough",),
    "send_notifications(users=queryset)": ("test_a_select_says_who_is_told",),
    "users skipped: all users, which might not be what you want (here: listeners)": (
        "test_without_users_listeners_are_told_and_everyone_only_if_asked_for",
    ),
    "data: whatever you want, as long as it is JSON": ("test_data_is_whatever_json_can_say",),
    "One Event results in many Notifications": ("test_one_event_makes_a_notification_for_each_user",),
    "Filters: by default every notification, types chosen": ("test_a_user_filters_types_and_gets_all_by_default",),
    "GET, PATCH notifications/filter": ("test_the_filter_is_read_and_changed",),
    "GET notifications: count, next, previous, results; limit, offset": (
        "test_the_list_has_count_next_and_previous_by_limit_and_offset",
    ),
    "readed: true, false or a timestamp": ("test_the_list_is_filtered_by_read_true_false_or_since_when",),
    "PATCH notifications: batch marking as readed": ("test_several_are_marked_read_at_once",),
    "PATCH notifications/<id>: mark as readed": ("test_one_is_marked_read",),
    "DELETE notifications/<id>": ("test_one_is_deleted",),
    "Format: id, user, readed, event (timestamp, author, type, title, message, data)": (
        "test_a_notification_has_the_event_its_type_and_for_admins_its_author",
    ),
    "Socket: /ws/notifications": ("test_the_socket_is_the_users_own",),
    'Socket: action "new"': ("test_the_socket_has_what_is_new",),
    'Socket: action "readed", from a different device': ("test_the_socket_has_what_was_read_on_another_device",),
    "Get the full list at the start, then receive new ones from the socket": (
        "test_the_list_and_the_socket_together_have_everything_once",
    ),
}

LIKE, COMMENT = "blog.post.liked", "blog.post.commented"
Open = Callable[[User], ClientConnection]


@pytest.fixture(scope="module")
def gateway(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(stack.env, tmp_path_factory.mktemp("gateway") / "log") as gateway:
        yield gateway


@pytest.fixture
def open_socket(gateway: Gateway, database: None) -> Iterator[Open]:
    """Connects as the page's client does."""
    with ExitStack() as sockets:

        def start(user: User) -> ClientConnection:
            headers = {"Authorization": f"JWT {login_token(user)}"}
            address = f"ws://127.0.0.1:{gateway.port}/ws/notifications"
            return sockets.enter_context(connect(address, additional_headers=headers, proxy=None, open_timeout=SECONDS))

        yield start


@pytest.fixture
def admin(people: People, api: Api) -> Api:
    return api.as_(people.admin())


@pytest.fixture
def ana(people: People) -> User:
    return people.user("ana@example.org")


@pytest.fixture
def ben(people: People) -> User:
    return people.user("ben@example.org")


@pytest.fixture
def types(admin: Api) -> None:
    for name, title, description in (
        (LIKE, "Post liking", "Triggered when someone likes your post."),
        (COMMENT, "Post commenting", None),
    ):
        assert declare(admin, name, title, description).status_code == 201


def declare(admin: Api, name: str, title: str, description: str | None = None) -> Any:
    attributes = {"name": name, "title": title, "description": description}
    return admin.create("/v1/event-types", "event-type", attributes)


def send(users: Any, type_: str = LIKE, title: str = "A like", **more: Any) -> Happening:
    happening = notify_happening(type_, title, "<p>Your post.</p>", users=users, **more)
    db.session.commit()
    return happening


def path_of(user: User) -> str:
    return f"/v1/users/{user.id}/notifications"


def listed(api: Api, user: User, **query: Any) -> Any:
    answer = api.as_(user).get(path_of(user), **query)
    assert answer.status_code == 200, answer.text
    return answer.json


def titles(document: Any) -> list[str]:
    return [each["attributes"]["title"] for each in document["data"]]


def mark(api: Api, user: User, notification: Any) -> Any:
    id_ = notification["id"]
    answer = api.as_(user).update(f"/v1/notifications/{id_}", "notification", id_, is_read=True)
    return answer.json["data"]["attributes"]


def test_the_table_and_the_tests_agree() -> None:
    named, there = named_and_there(ROWS, __file__, "test_the_table_and_the_tests_agree")
    assert named == there


# --- types


def test_a_type_is_declared_with_name_title_and_perhaps_a_description(admin: Api) -> None:
    for name, description in ((LIKE, "Triggered when someone likes your post."), (COMMENT, None)):
        shown = declare(admin, name, "Post", description).json["data"]["attributes"]
        assert (shown["name"], shown["title"], shown["description"]) == (name, "Post", description)
    assert declare(admin, LIKE, "Once more").status_code == 409


def test_an_undeclared_type_is_refused(ana: User) -> None:
    with pytest.raises(HappeningError) as refused:
        send([ana])
    assert (refused.value.field, count(Notification)) == ("event_type", 0)


def test_types_of_the_program_are_rows_beside_declared_ones(api: Api, ana: User, types: None) -> None:
    shown = api.as_(ana).get("/v1/event-types", **{"page[size]": 100}).json["data"]
    origins = {each["attributes"]["name"]: each["attributes"]["origin"] for each in shown}
    assert (origins["sessions.session.proposed"], origins[LIKE]) == ("code", "api")


# --- sending


def test_type_title_and_message_are_enough(ana: User, types: None) -> None:
    create_user_notification(ana, LIKE)
    notify_happening(LIKE, "A like", "Your post.")
    db.session.commit()
    assert notified(LIKE) == [ana.email]


def test_a_select_says_who_is_told(ana: User, ben: User, types: None) -> None:
    send(select(User).where(User.email.startswith("ana")))
    send(select(User.id).where(User.is_verified), COMMENT)
    assert (notified(LIKE), notified(COMMENT)) == ([ana.email], ["admin@example.org", ana.email, ben.email])


def test_without_users_listeners_are_told_and_everyone_only_if_asked_for(ana: User, ben: User, types: None) -> None:
    create_user_notification(ben, "blog.*")
    send(None)
    assert notified(LIKE) == [ben.email]
    send(everyone(), COMMENT)
    assert notified(COMMENT) == ["admin@example.org", ana.email, ben.email]


def test_data_is_whatever_json_can_say(api: Api, ana: User, types: None) -> None:
    values: list[Any] = [{"mission": {"title": "Impossible", "steps": [1, 2.5, None]}}, [True], "text", 7, None]
    for value in values:
        send([ana], data=value)
    shown = [each["attributes"]["data"] for each in listed(api, ana)["data"]]
    assert shown == values[::-1]
    with pytest.raises(HappeningError, match="cannot be kept as JSON"):
        send([ana], data={"user": ana})


def test_one_event_makes_a_notification_for_each_user(api: Api, ana: User, ben: User, types: None) -> None:
    send([ana, ben])
    assert (count(Happening), count(Notification)) == (1, 2)
    assert mark(api, ana, listed(api, ana)["data"][0])["is-read"]
    assert [listed(api, user)["meta"]["unread-count"] for user in (ana, ben)] == [0, 1]


# --- filters of users


def test_a_user_filters_types_and_gets_all_by_default(api: Api, ana: User, ben: User, types: None) -> None:
    wish = [{"type": LIKE, "channel": "in-app", "mode": "off"}]
    path = f"/v1/users/{ben.id}/preferences"
    assert api.as_(ben).update(path, "preferences", ben.id, types=wish).status_code == 200
    for type_ in (LIKE, COMMENT):
        send([ana, ben], type_, type_)
    assert (titles(listed(api, ana)), titles(listed(api, ben))) == ([COMMENT, LIKE], [COMMENT])


def test_the_filter_is_read_and_changed(api: Api, ana: User, types: None) -> None:
    path, mine = f"/v1/users/{ana.id}/preferences", api.as_(ana)
    assert mine.get(path).json["data"]["attributes"]["types"] == []
    wish = {"type": "blog.*", "channel": "in-app", "mode": "off"}
    assert mine.update(path, "preferences", ana.id, types=[wish]).status_code == 200
    [said] = mine.get(path).json["data"]["attributes"]["types"]
    assert said.items() >= wish.items()
    assert mine.update(path, "preferences", ana.id, types=[]).json["data"]["attributes"]["types"] == []


# --- reading and marking


def test_the_list_has_count_next_and_previous_by_limit_and_offset(api: Api, ana: User, types: None) -> None:
    for number in range(5):
        send([ana], title=str(number))
    page = listed(api, ana, limit=2, offset=2)
    assert (page["meta"]["count"], titles(page)) == (5, ["2", "1"])
    mine = api.as_(ana)
    following, previous = (mine.get(page["links"][name]).json for name in ("next", "prev"))
    assert (titles(following), following["links"].get("next")) == (["0"], None)
    assert (titles(previous), previous["links"].get("prev")) == (["4", "3"], None)


def test_the_list_is_filtered_by_read_true_false_or_since_when(api: Api, ana: User, types: None) -> None:
    for title in ("unread", "early", "late"):
        send([ana], title=title)
    late, early, _ = listed(api, ana)["data"]
    mark(api, ana, early)
    since = mark(api, ana, late)["read-at"]
    for value, found in (("true", ["late", "early"]), ("false", ["unread"]), (since, ["late"])):
        assert titles(listed(api, ana, **{"filter[read]": value})) == found


def test_several_are_marked_read_at_once(api: Api, ana: User, types: None) -> None:
    for title in ("one", "two", "three"):
        send([ana], title=title)
    named = [each for each in listed(api, ana)["data"] if each["attributes"]["title"] != "two"]
    marks = [{"type": "notification", "id": each["id"], "attributes": {"is-read": True}} for each in named]
    assert api.as_(ana).patch(path_of(ana), {"data": marks}).json["meta"] == {"updated": 2, "unread-count": 1}
    assert titles(listed(api, ana, **{"filter[read]": "false"})) == ["two"]


def test_one_is_marked_read(api: Api, ana: User, ben: User, types: None) -> None:
    send([ana])
    [told] = listed(api, ana)["data"]
    assert told["attributes"]["read-at"] is None
    shown = mark(api, ana, told)
    assert (shown["is-read"], shown["read-at"] is None) == (True, False)
    path = f"/v1/notifications/{told['id']}"
    assert api.as_(ben).update(path, "notification", told["id"], is_read=False).status_code == 404


def test_one_is_deleted(api: Api, ana: User, types: None) -> None:
    send([ana])
    [told] = listed(api, ana)["data"]
    assert api.as_(ana).delete(f"/v1/notifications/{told['id']}").status_code == 204
    assert listed(api, ana)["meta"] == {"count": 0, "unread-count": 0}


def test_a_notification_has_the_event_its_type_and_for_admins_its_author(
    api: Api, admin: Api, ana: User, ben: User, types: None
) -> None:
    send([ana], actor=ben, data={"post": 99})
    document = listed(api, ana, include="happening")
    [told], [happening] = document["data"], document["included"]
    assert told["relationships"]["user"]["data"]["id"] == str(ana.id)
    assert told["attributes"]["read-at"] is None
    shown = happening["attributes"]
    assert (shown["title"], shown["message"], shown["data"]) == ("A like", "<p>Your post.</p>", {"post": 99})
    assert shown["created-at"]
    [type_] = api.as_(ana).get("/v1/event-types", **{"filter[name]": shown["event-type"]}).json["data"]
    assert type_["attributes"]["title"] == "Post liking"
    assert type_["attributes"]["description"] == "Triggered when someone likes your post."
    whole = admin.get(f"/v1/happenings/{happening['id']}").json["data"]
    assert whole["relationships"]["actor"]["data"]["id"] == str(ben.id)


# --- the socket


def received(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(SECONDS))


def test_the_socket_is_the_users_own(open_socket: Open, gateway: Gateway, ana: User, ben: User, types: None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{gateway.port}/ws/notifications", proxy=None, open_timeout=SECONDS)
    assert refused.value.response.status_code == 401
    socket = open_socket(ana)
    send([ben], title="Not hers")
    send([ana], title="Hers")
    assert received(socket)["notification"]["attributes"]["title"] == "Hers"


def test_the_socket_has_what_is_new(api: Api, open_socket: Open, ana: User, types: None) -> None:
    socket = open_socket(ana)
    send([ana])
    message = received(socket)
    assert (message["action"], message["unread-count"]) == ("new", 1)
    assert message["notification"] == listed(api, ana)["data"][0]


def test_the_socket_has_what_was_read_on_another_device(api: Api, open_socket: Open, ana: User, types: None) -> None:
    send([ana])
    socket = open_socket(ana)
    mark(api, ana, listed(api, ana)["data"][0])
    message = received(socket)
    assert (message["action"], message["unread-count"]) == ("read", 0)
    assert message["notification"]["attributes"]["is-read"]


def test_the_list_and_the_socket_together_have_everything_once(
    api: Api, open_socket: Open, ana: User, types: None
) -> None:
    send([ana], title="Before")
    socket = open_socket(ana)
    seen = titles(listed(api, ana))
    send([ana], title="After")
    assert [*seen, received(socket)["notification"]["attributes"]["title"]] == ["Before", "After"]
