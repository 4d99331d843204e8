"""What people were told, read over the API: notifications, mails, and the sessions that their links lead to."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from app.demo.client import Client, JsonObject
from app.demo.people import Person

NEW_SESSION: Final = "New Session Proposal"
DECISION: Final = "Session Accept or Reject"
OPEN_STATUSES: Final = ("queued", "sending", "deferred")
MAIL_FIELDS: Final = "fields[mail]=recipient,action,subject,message,status,time,sent-at"

_SESSION: Final = re.compile(r"/sessions/(\d+)")

# Whom a message told of which session: an address or a user's id, and the session's id.
Told = tuple[str, str]


@dataclass(frozen=True)
class Counts:
    """What the count of an inbox says."""

    all: int
    unread: int

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.unread} unread of {self.all}"


def counts(person: Person) -> Counts:
    """Count a person's notifications."""
    return to_counts(person.client.get(f"/v1/users/{person.id}/notifications/count").meta)


def to_counts(meta: JsonObject) -> Counts:
    """Read the counts of an answer."""
    return Counts(int(meta["count"]), int(meta["unread-count"]))


def notifications(person: Person, action: str) -> Iterator[Told]:
    """Whom the person's notifications of an action told of which session."""
    for notification in person.client.pages(f"/v1/users/{person.id}/notifications"):
        attributes = notification["attributes"]
        if attributes["action"] == action:
            yield person.id, session_of(attributes["link"] or "")


def actions_of(person: Person, wanted: Collection[str]) -> list[str]:
    """The actions of a person's notifications, as far as they are wanted ones; each as often as it is there."""
    inbox = person.client.pages(f"/v1/users/{person.id}/notifications")
    return [one["attributes"]["action"] for one in inbox if one["attributes"]["action"] in wanted]


def mail_log(admin: Client) -> list[JsonObject]:
    """The attributes of every mail in the log, in the order of their ids."""
    return [mail["attributes"] for mail in admin.pages(f"/v1/mails?{MAIL_FIELDS}")]


def mails_to(admin: Client, address: str) -> list[JsonObject]:
    """The mails of the log to one recipient, the newest first, as resources."""
    mails: list[JsonObject] = admin.get(f"/v1/mails?filter[recipient]={quote(address)}&sort=-id").data
    return mails


def told_by_mail(log: Iterable[JsonObject], action: str) -> list[Told]:
    """Whom the mails of an action told of which session."""
    return [(mail["recipient"].lower(), session_of(mail["message"])) for mail in log if mail["action"] == action]


def session_of(text: str) -> str:
    """The id of the session that a link in the text leads to; empty when there is none."""
    match = _SESSION.search(text)
    return match.group(1) if match else ""


def mails_with(admin: Client, *statuses: str) -> int:
    """How many mails of the log have one of the statuses."""
    condition = json.dumps([{"name": "status", "op": "in_", "val": list(statuses)}])
    return admin.count(f"/v1/mails?filter={condition}")
