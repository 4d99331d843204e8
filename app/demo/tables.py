"""Inboxes and the log of mails as tables, read over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from app.demo.client import Client, JsonObject
from app.demo.inbox import session_of, to_counts
from app.demo.people import Person
from app.demo.screen import Screen

OLDEST_FIRST: Final = "?sort=id&page[size]=30"


def show_notifications(screen: Screen, person: Person, page: str = "") -> None:
    """A page of a person's notifications, by default the first, as the API gives them: the newest come first."""
    answer = person.client.get(f"/v1/users/{person.id}/notifications{page}")
    screen.answer(answer, str(to_counts(answer.meta)))
    cells = []
    for notification in answer.data:
        told = notification["attributes"]
        mark = " " if told["is-read"] else "●"
        cells.append((mark, told["title"], clock(told["received-at"]), session_of(told["link"] or "")))
    screen.table(("", "title", "received", "session"), cells, "title")


def show_mail_log(screen: Screen, admin: Client, page: str = OLDEST_FIRST) -> None:
    """A page of the log of mails, with how long each took from the request to the catcher's answer."""
    answer = admin.get(f"/v1/mails{page}")
    screen.answer(answer, f"{answer.meta['count']} mails")
    columns = ("id", "recipient", "action", "status", "tries", "took")
    screen.table(columns, [_log_row(mail["id"], mail["attributes"]) for mail in answer.data], "recipient")


def show_timeline(screen: Screen, admin: Client, mail: str) -> list[JsonObject]:
    """The timeline of a mail, from the queue on; give its entries."""
    answer = admin.get(f"/v1/mails/{mail}/events?sort=id")
    screen.answer(answer, f"{answer.meta['count']} entries")
    entries: list[JsonObject] = [entry["attributes"] for entry in answer.data]
    screen.table(("time", "event", "service", "code", "text"), [_entry_row(entry) for entry in entries], "text")
    return entries


def clock(time: str) -> str:
    """A moment of the API as hours, minutes and seconds."""
    return datetime.fromisoformat(time).strftime("%H:%M:%S")


def _entry_row(entry: JsonObject) -> tuple[str, ...]:
    code = "" if entry["code"] is None else str(entry["code"])
    return clock(entry["time"]), entry["event"], entry["provider"] or "", code, entry["text"] or ""


def _log_row(id_: str, mail: JsonObject) -> tuple[str, ...]:
    took = ""
    if mail["sent-at"]:
        seconds = datetime.fromisoformat(mail["sent-at"]) - datetime.fromisoformat(mail["time"])
        took = f"{seconds.total_seconds():.2f} s"
    return id_, mail["recipient"], mail["action"], mail["status"], str(mail["attempts"]), took
