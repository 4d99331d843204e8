"""People of the demo: they register, confirm their address with the link of the mail, and log in."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qs, urlsplit

from app.demo.client import Client, document
from app.demo.failure import DemoFailure
from app.demo.mailbox import CaughtMail, Mailbox
from app.demo.screen import Screen

# Every new account gets a welcome and the request to confirm the address.
MAILS_OF_REGISTERING: Final = 2


@dataclass(frozen=True)
class Login:
    """What somebody types to come in."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    name: str
    login: Login
    id: str
    client: Client

    @property
    def email(self) -> str:
        """The address of the account."""
        return self.login.email


@dataclass(frozen=True)
class Door:
    """How people come in: whom they ask, what they see, where their mails arrive, and how they wait for them."""

    visitor: Client
    screen: Screen
    mailbox: Mailbox
    wait: Callable[[Callable[[], bool], str], None]


def register(door: Door, first: str, last: str, address: str = "") -> Person:
    """Make an account, with an address at example.org unless another is given, and a password of chance."""
    login = Login(address or f"{first.lower()}@example.org", secrets.token_urlsafe(9))
    names = {"first-name": first, "last-name": last}
    answer = door.visitor.post(
        "/v1/users", document("user", {"email": login.email, "password": login.password, **names})
    )
    door.screen.answer(answer, f"user {answer.id}, {login.email}")
    return Person(f"{first} {last}", login, answer.id, door.visitor)


def await_mails(door: Door, person: Person) -> list[CaughtMail]:
    """Wait for the two mails of a new account, and show them."""
    what = f"{MAILS_OF_REGISTERING} mails for {person.email}"
    with door.screen.waiting(f"waiting for {what}"):
        door.wait(lambda: len(door.mailbox.to(person.email)) >= MAILS_OF_REGISTERING, what)
    mails = door.mailbox.to(person.email)
    for mail in mails:
        door.screen.say(f"arrived: {mail.subject}", "cyan")
    return mails


def confirm(door: Door, mails: list[CaughtMail]) -> None:
    """Open the link of the mail as a browser would, and use its token.

    Raises:
        DemoFailure: no mail has such a link, or it does not open a page.
    """
    links = [link for mail in mails for link in mail.links if "token=" in link]
    if len(links) != 1:
        raise DemoFailure("the link to confirm an address", "one, in one mail", f"{len(links)} links")
    page = door.visitor.get(links[0])
    if page.content_type != "text/html":
        raise DemoFailure("the page behind the link", "text/html", page.content_type)
    door.screen.answer(page, "text/html: the mail's link")
    token = parse_qs(urlsplit(links[0]).query)["token"][0]
    answer = door.visitor.post("/v1/auth/verify-email", {"data": {"token": token}}, 200)
    door.screen.answer(answer, str(answer.body.get("message", "")))


def log_in(door: Door, login: Login) -> Client:
    """Change the password for a token."""
    body = {"email": login.email, "password": login.password}
    answer = door.visitor.post("/v1/auth/login", body, 200)
    token = str(answer.body["access_token"])
    door.screen.answer(answer, f"token for {login.email}")
    return replace(door.visitor, token=token)


def welcome(door: Door, first: str, last: str) -> Person:
    """All of the above: somebody who may act."""
    person = register(door, first, last)
    confirm(door, await_mails(door, person))
    return replace(person, client=log_in(door, person.login))
