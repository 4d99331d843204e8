"""The links as people get them: sent by the worker over SMTP, taken from the mail, opened and answered in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from tests.support.processes import wait_for
from tests.support.sending import part
from tests.support.usher import OWNER, PASSWORD, Usher, running_usher

pytestmark = pytest.mark.slow

NEWCOMER, MEMBER = "kim@example.org", "lee@example.org"


@pytest.fixture(scope="module")
def usher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Usher]:
    with running_usher(tmp_path_factory.mktemp("links")) as running:
        yield running


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    """Somebody who has only the mail: no login."""
    with requests.Session() as session:
        session.trust_env = False  # the environment may name a proxy
        yield session


def mails_to(usher: Usher, address: str, subject: str) -> list[EmailMessage]:
    return [mail for mail in usher.caught() if mail["X-RcptTo"] == address and subject in str(mail["Subject"])]


def link_to(usher: Usher, address: str, subject: str) -> str:
    """The link in the newest mail with these words in its subject, as soon as it has arrived."""
    wait_for(lambda: bool(mails_to(usher, address, subject)), f"the mail to {address}")
    mail = mails_to(usher, address, subject)[-1]
    [link] = re.findall(r"<(https?://[^>\s]+\?token=[^>\s]+)>", part(mail, "plain"))
    assert link.replace("&", "&amp;") in part(mail, "html")
    return str(link)


def press(browser: requests.Session, link: str, **fields: str) -> str:
    """Open a link, fill its form in, and press the button; the text of the page that follows."""
    page = browser.get(link, timeout=30)
    assert page.status_code == 200, page.text
    [action] = re.findall(r'<form method="post" action="([^"]+)"', page.text)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
    asked = set(re.findall(r'<input id="([^"]+)"', page.text))
    assert fields.keys() <= asked, page.text
    done = browser.post(urljoin(link, action), data={**hidden, **fields}, timeout=30)
    assert done.status_code == 200, done.text
    return done.text


def invite(usher: Usher, address: str, role: str) -> str:
    event = {"event": {"data": {"type": "event", "id": "1"}}}
    attributes = {"email": address, "role-name": role}
    made = usher.write("POST", "/v1/role-invites", "role-invite", attributes, relationships=event)
    return str(made["data"]["id"])


def roles(usher: Usher, address: str) -> list[str]:
    statement = "SELECT role FROM users_events_roles r JOIN users u ON u.id = r.user_id WHERE email = :address"
    return [row.role for row in usher.sql(statement, address=address)]


def log_in(usher: Usher, browser: requests.Session, address: str) -> int:
    login = {"email": address, "password": PASSWORD}
    return browser.post(f"{usher.application.url}/auth/session", json=login, timeout=30).status_code


def test_an_unknown_address_signs_up_by_the_link_and_has_the_role(usher: Usher, browser: requests.Session) -> None:
    id_ = invite(usher, NEWCOMER, "coorganizer")
    link = link_to(usher, NEWCOMER, "You are invited")
    assert urlsplit(link).path == "/sign-up"
    shown = press(browser, link, password=PASSWORD, **{"first-name": "Kim"})
    assert "You are now co-organizer of Small" in shown
    assert roles(usher, NEWCOMER) == ["coorganizer"]
    assert usher.get(f"/v1/role-invites/{id_}")["data"]["attributes"]["status"] == "accepted"
    assert log_in(usher, browser, NEWCOMER) == 200
    wait_for(lambda: bool(mails_to(usher, NEWCOMER, "Welcome")), "the welcome")
    assert mails_to(usher, NEWCOMER, "confirm") == []
    assert browser.get(link, timeout=30).status_code == 400
    kept = usher.sql("SELECT secret FROM mails WHERE recipient = :address", address=NEWCOMER)
    assert {row.secret for row in kept} == {None}


def test_a_member_accepts_by_the_link_and_then_has_another_address(usher: Usher, browser: requests.Session) -> None:
    usher.register(MEMBER)
    press(browser, link_to(usher, MEMBER, "confirm your e-mail address"))
    invite(usher, MEMBER, "moderator")
    link = link_to(usher, MEMBER, "You are invited")
    assert urlsplit(link).path == "/role-invites/accept"
    assert roles(usher, MEMBER) == []
    assert "You are now moderator of Small" in press(browser, link)
    assert roles(usher, MEMBER) == ["moderator"]

    [row] = usher.sql("SELECT id FROM users WHERE email = :address", address=MEMBER)
    new = "lee.new@example.org"
    usher.write("PATCH", f"/v1/users/{row.id}", "user", {"email": new}, id=str(row.id))
    for address in (MEMBER, new):
        wait_for(lambda to=address: bool(mails_to(usher, to, "about to change")), f"the mail to {address}")
    assert log_in(usher, browser, MEMBER) == 200
    press(browser, link_to(usher, new, "confirm your e-mail address"))
    assert log_in(usher, browser, MEMBER) == 401
    assert log_in(usher, browser, new) == 200
    assert roles(usher, new) == ["moderator"]
    assert OWNER not in {mail["X-RcptTo"] for mail in usher.caught() if "invited" in str(mail["Subject"])}


def test_every_link_of_the_app_opens_a_page_too(usher: Usher, browser: requests.Session) -> None:
    usher.register("max@example.org")
    invite(usher, "max@example.org", "moderator")
    [row] = usher.sql("SELECT link FROM happenings WHERE link LIKE '%/role-invites/%' ORDER BY id DESC LIMIT 1")
    assert "token" not in row.link
    assert browser.get(row.link, timeout=30).status_code == 200
