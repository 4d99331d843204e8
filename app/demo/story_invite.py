"""A step of the small play: somebody without an account is invited, signs up by the link, and has the role."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs, urlsplit

from app.demo.cast import Cast
from app.demo.checks import Check, equal
from app.demo.client import document
from app.demo.failure import DemoFailure
from app.demo.people import Login, Person, log_in

ADDRESS: Final = "emil@example.org"
ROLE: Final = "coorganizer"


def invite(cast: Cast) -> list[Check]:
    """The organizer invites Emil, who becomes one of the team."""
    play, screen = cast.play, cast.play.screen
    screen.title("The organizer invites Emil, who has no account, to the team")
    answer = cast.organizer.client.post(
        "/v1/role-invites",
        document("role-invite", {"email": ADDRESS, "role-name": ROLE}, {"event": ("event", cast.event)}),
    )
    screen.answer(answer, f"{ROLE}, {answer.data['attributes']['status']}")
    link = _await_link(cast)
    screen.answer(play.door.visitor.get(link), "text/html: the link of the mail")
    emil = _sign_up(cast, parse_qs(urlsplit(link).query)["token"][0])
    invited = cast.organizer.client.get(f"/v1/role-invites/{answer.id}")
    screen.answer(invited, f"the invitation is {invited.data['attributes']['status']}")
    orders = emil.client.get(f"/v1/events/{cast.event}/orders")
    screen.answer(orders, "what only the team reads")
    again = play.door.visitor.get(link, 400)
    screen.answer(again, "the same link, once more")
    return [
        equal("the invitation after Emil signed up by it", "accepted", invited.data["attributes"]["status"]),
        equal("the event's orders, as Emil reads them", "1", orders.meta["count"]),
    ]


def _await_link(cast: Cast) -> str:
    """The link of the invitation's mail.

    Raises:
        DemoFailure: it has none.
    """
    stage, what = cast.play.stage, f"the mail for {ADDRESS}"
    with cast.play.screen.waiting(f"waiting for {what}"):
        stage.wait(lambda: bool(stage.mailbox.to(ADDRESS)), what)
    mail = stage.mailbox.to(ADDRESS)[0]
    cast.play.screen.say(f"arrived: {mail.subject}", "cyan")
    links = [link for link in mail.links if "token=" in link]
    if len(links) != 1:
        raise DemoFailure("the link to sign up by", "one", f"{len(links)} links")
    return links[0]


def _sign_up(cast: Cast, token: str) -> Person:
    """Make Emil's account with the token: the address is confirmed already."""
    login = Login(ADDRESS, secrets.token_urlsafe(9))
    attributes = {"email": login.email, "password": login.password, "first-name": "Emil", "invite-token": token}
    answer = cast.play.door.visitor.post("/v1/users", document("user", attributes))
    cast.play.screen.answer(answer, f"user {answer.id}, confirmed: {answer.data['attributes']['is-verified']}")
    person = Person("Emil", login, answer.id, cast.play.door.visitor)
    return replace(person, client=log_in(cast.play.door, login))
